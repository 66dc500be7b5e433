/*
 * Operations. An op lives until it is finished and either its `done` has run
 * or it was cancelled.
 */
#include "loop/op.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "loop/loop.h"

struct op {
    struct op **slot;
    op_stop_fn *stop;
    void *self;
    op_done_fn *done;
    void *arg;
    struct loop_task task;
    struct err err;
    bool finished, canceled, stopping, failed;
};

static void op_run(void *arg);

struct op *
op_new(op_stop_fn *stop, void *self, op_done_fn *done, void *arg)
{
    struct op *op = xcalloc(1, sizeof *op);

    assert(done);
    op->stop = stop;
    op->self = self;
    op->done = done;
    op->arg = arg;
    loop_task_init(&op->task, op_run, op);
    return op;
}

void
op_hold(struct op **slot, struct op *op)
{
    assert(!*slot && !op->slot);
    *slot = op;
    op->slot = slot;
}

bool
op_wanted(const struct op *op)
{
    return !op->canceled;
}

static void
op_run(void *arg)
{
    struct op *op = arg;
    op_done_fn *done = op->done;
    void *done_arg = op->arg;
    struct err err = op->err;
    bool failed = op->failed;

    if (op->slot)
        *op->slot = NULL;
    free(op);
    done(done_arg, failed ? &err : NULL);
}

void
op_finish(struct op **opp, const struct err *err)
{
    struct op *op = *opp;

    assert(op && !op->finished);
    *opp = NULL;
    op->finished = true;
    if (op->canceled) {
        if (!op->stopping)
            free(op);
        return;
    }
    if (err) {
        op->err = *err;
        op->failed = true;
    }
    loop_task_soon(&op->task);
}

void
op_cancel(struct op **slot)
{
    struct op *op = *slot;

    if (!op)
        return;
    *slot = NULL;
    op->slot = NULL;
    op->canceled = true;
    if (op->finished) { /* `done` was about to run */
        loop_task_cancel(&op->task);
        free(op);
        return;
    }
    if (!op->stop)
        return;
    op->stopping = true;
    op->stop(op->self);
    op->stopping = false;
    if (op->finished)
        free(op);
}

struct op *
op_decided(const struct err *err, op_done_fn *done, void *arg)
{
    struct op *op = op_new(NULL, NULL, done, arg), *copy = op;

    op_finish(&copy, err);
    return op;
}
