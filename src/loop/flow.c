/*
 * Flows: steps see the good path only, any error goes to `end`.
 */
#include "loop/flow.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static void flow_step(void *arg);

void
flow_start(struct flow *f, flow_step_fn *const *steps, flow_end_fn *end,
           void *self)
{
    assert(!f->step);
    f->step = steps;
    f->end = end;
    f->self = self;
    f->op = NULL;
    f->again = false;
    f->err = (struct err){0};
    loop_task_init(&f->task, flow_step, f);
    loop_task_soon(&f->task);
}

bool
flow_is_running(const struct flow *f)
{
    return f->step != NULL;
}

static void
flow_finish(struct flow *f, const struct err *err)
{
    flow_end_fn *end = f->end;
    void *self = f->self;
    struct err copy = err ? *err : (struct err){0};

    f->step = NULL;
    end(self, err ? &copy : NULL);
}

static void
flow_step(void *arg)
{
    struct flow *f = arg;

    while (*f->step) {
        switch ((*f->step)(f->self)) {
        case FLOW_NEXT:
            f->step++;
            continue;
        case FLOW_BACK:
            f->step--;
            loop_task_soon(&f->task);
            return;
        case FLOW_AGAIN:
            loop_task_soon(&f->task);
            return;
        case FLOW_WAIT:
            assert(f->op);
            return;
        case FLOW_DONE:
            flow_finish(f, NULL);
            return;
        case FLOW_FAIL:
            flow_finish(f, &f->err);
            return;
        }
    }
    flow_finish(f, NULL);
}

void
flow_wake(void *arg, const struct err *err)
{
    struct flow *f = arg;

    if (err) {
        flow_finish(f, err);
        return;
    }
    if (!f->again)
        f->step++;
    flow_step(f);
}

enum flow_next
flow_wait(struct flow *f, struct op *op)
{
    op_hold(&f->op, op);
    f->again = false;
    return FLOW_WAIT;
}

enum flow_next
flow_wait_again(struct flow *f, struct op *op)
{
    op_hold(&f->op, op);
    f->again = true;
    return FLOW_WAIT;
}

enum flow_next
flow_fail(struct flow *f, enum err_code code, const char *fmt, ...)
{
    char text[sizeof f->err.text];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    err_set(&f->err, code, "%s", text);
    return FLOW_FAIL;
}

enum flow_next
flow_fail_err(struct flow *f, const struct err *err)
{
    f->err = *err;
    return FLOW_FAIL;
}

void
flow_cancel(struct flow *f)
{
    struct err err;

    if (!f->step)
        return;
    op_cancel(&f->op);
    loop_task_cancel(&f->task);
    err_set(&err, E_CANCELED, "canceled");
    flow_finish(f, &err);
}
