/*
 * Work of several steps: a list of functions that reads like a table of
 * contents (DESIGN section 7).
 */
#ifndef SEALPOST_LOOP_FLOW_H
#define SEALPOST_LOOP_FLOW_H

#include <stdbool.h>

#include "base/err.h"
#include "loop/loop.h"
#include "loop/op.h"

enum flow_next {
    FLOW_NEXT,  /* the next step */
    FLOW_AGAIN, /* this step once more, after the loop had its turn */
    FLOW_BACK,  /* the step before this one, after the loop had its turn */
    FLOW_DONE,  /* skip the rest, it worked */
    FLOW_WAIT,  /* what flow_wait() and flow_wait_again() return */
    FLOW_FAIL,  /* what flow_fail() returns */
};
typedef enum flow_next flow_step_fn(void *self);
/* Exactly once; err == NULL: all steps are done. May free the flow. */
typedef void flow_end_fn(void *self, const struct err *err);

struct flow {
    flow_step_fn *const *step; /* NULL: not running */
    flow_end_fn *end;
    void *self;
    struct op *op;
    bool again;
    struct err err;
    struct loop_task task;
};

/* Only schedules: the first step, too, runs from the loop. `steps` ends with
 * NULL and stays. */
void flow_start(struct flow *, flow_step_fn *const *steps, flow_end_fn *end,
                void *self);
/* Cancels what is waited for; `end` runs at once with E_CANCELED. Does
 * nothing if it is not running. */
void flow_cancel(struct flow *);
bool flow_is_running(const struct flow *);

/* Give flow_wake, &flow as `done, arg` to the operation. */
op_done_fn flow_wake;
enum flow_next flow_wait(struct flow *, struct op *);
enum flow_next flow_wait_again(struct flow *, struct op *);
enum flow_next flow_fail(struct flow *, enum err_code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
enum flow_next flow_fail_err(struct flow *, const struct err *);

#endif
