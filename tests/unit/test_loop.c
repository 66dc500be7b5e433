/*
 * Room loop: tasks, timers, operations, flows, workers, children.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "loop/child.h"
#include "loop/flow.h"
#include "loop/loop.h"
#include "loop/op.h"
#include "loop/worker.h"
#include "test.h"

static struct loop *loop;
static int runs;
static enum err_code got;

static void
on_done(void *arg, const struct err *err)
{
    (void)arg;
    runs++;
    got = err ? err->code : E_NONE;
}

static void
turn_until(int want)
{
    for (int i = 0; i < 2000 && runs < want; i++) {
        loop_turn(loop, false);
        if (runs < want)
            usleep(1000);
    }
}

static void
op_later(void)
{
    struct op *slot = NULL;
    struct err e = {E_RETRY, "x"};

    runs = 0;
    op_hold(&slot, op_decided(&e, on_done, NULL));
    CHECK_INT(runs, 0); /* never before the function has returned */
    CHECK(slot != NULL);
    turn_until(1);
    CHECK_INT(runs, 1);
    CHECK_INT(got, E_RETRY);
    CHECK(slot == NULL);
    op_hold(&slot, op_decided(NULL, on_done, NULL));
    op_cancel(&slot); /* decided, but not told: is not told any more */
    turn_until(2);
    CHECK_INT(runs, 1);
}

struct work {
    struct op *op;
    int stops;
};

static void
work_stop(void *self)
{
    struct work *w = self;

    w->stops++;
    op_finish(&w->op, NULL);
}

static void
op_stopped(void)
{
    struct work w = {0};
    struct op *slot = NULL;

    runs = 0;
    w.op = op_new(work_stop, &w, on_done, NULL);
    op_hold(&slot, w.op);
    CHECK(op_wanted(w.op));
    op_cancel(&slot);
    op_cancel(&slot);
    CHECK_INT(w.stops, 1);
    loop_turn(loop, false);
    CHECK_INT(runs, 0);
}

/* ---- flows ---- */

struct walk {
    struct flow flow;
    char trace[32];
    int again, ends;
    struct err end;
    bool fail;
};

static void
mark(struct walk *w, const char *s)
{
    strcat(w->trace, s);
}

static enum flow_next
walk_a(void *self)
{
    mark(self, "a");
    return FLOW_NEXT;
}

static enum flow_next
walk_b(void *self)
{
    struct walk *w = self;

    mark(w, "b");
    return ++w->again < 3 ? FLOW_AGAIN : FLOW_NEXT;
}

static enum flow_next
walk_c(void *self)
{
    struct walk *w = self;
    struct err e = {E_QUOTA, "full"};

    mark(w, "c");
    return flow_wait(&w->flow, op_decided(w->fail ? &e : NULL, flow_wake,
                                          &w->flow));
}

static enum flow_next
walk_d(void *self)
{
    mark(self, "d");
    return FLOW_DONE;
}

static void
walk_end(void *self, const struct err *err)
{
    struct walk *w = self;

    w->ends++;
    w->end = err ? *err : (struct err){0};
    runs++;
}

static flow_step_fn *const walk_steps[] = {walk_a, walk_b, walk_c,
                                           walk_d, walk_a, NULL};

static void
flow_good(void)
{
    struct walk w = {0};

    runs = 0;
    flow_start(&w.flow, walk_steps, walk_end, &w);
    CHECK_STR(w.trace, "");
    turn_until(1);
    CHECK_STR(w.trace, "abbbcd");
    CHECK_INT(w.ends, 1);
    CHECK_INT(w.end.code, E_NONE);
    CHECK(!flow_is_running(&w.flow));
}

static void
flow_bad(void)
{
    struct walk w = {.fail = true};

    runs = 0;
    flow_start(&w.flow, walk_steps, walk_end, &w);
    turn_until(1);
    CHECK_STR(w.trace, "abbbc");
    CHECK_INT(w.end.code, E_QUOTA);
    memset(&w, 0, sizeof w);
    flow_start(&w.flow, walk_steps, walk_end, &w);
    flow_cancel(&w.flow);
    flow_cancel(&w.flow);
    CHECK_INT(w.ends, 1);
    CHECK_INT(w.end.code, E_CANCELED);
    loop_turn(loop, false);
    CHECK_STR(w.trace, "");
}

/* ---- workers ---- */

struct square {
    struct worker_job job;
    int n, *out;
    bool fail, fail_late;
};

static void
square_run(struct worker_job *job)
{
    struct square *s = (struct square *)job;

    usleep(1000);
    s->n *= s->n;
    if (s->fail)
        err_set(&job->err, E_CRYPTO, "no");
}

static int dropped;

static void
square_done(struct worker_job *job, bool wanted)
{
    struct square *s = (struct square *)job;

    if (s->fail_late)
        worker_job_fail(job, &(struct err){E_QUOTA, "late"});
    else if (wanted && !job->err.code)
        *s->out = s->n;
    else if (!wanted)
        dropped++;
    free(s);
}

static struct worker_job *
square_new(int n, int *out, bool fail)
{
    struct square *s = xcalloc(1, sizeof *s);

    s->job.run = square_run;
    s->job.done = square_done;
    s->n = n;
    s->out = out;
    s->fail = fail;
    return &s->job;
}

static void
workers(void)
{
    struct worker *w = worker_new("test", 3);
    struct op *slots[40] = {0};
    int out[40] = {0}, sum = 0;

    runs = 0;
    dropped = 0;
    for (int i = 0; i < 40; i++)
        op_hold(&slots[i], worker_run(w, square_new(i, &out[i], false),
                                      on_done, NULL));
    for (int i = 0; i < 40; i += 2)
        op_cancel(&slots[i]);
    turn_until(20);
    for (int i = 0; i < 40; i++)
        sum += out[i];
    CHECK_INT(runs, 20);
    CHECK_INT(sum, 10660); /* the odd squares below 40 */
    op_hold(&slots[0],
            worker_run(w, square_new(2, &out[0], true), on_done, NULL));
    turn_until(21);
    CHECK_INT(got, E_CRYPTO);
    {
        struct worker_job *job = square_new(2, &out[0], false);

        ((struct square *)job)->fail_late = true;
        worker_run(w, job, on_done, NULL);
        turn_until(22);
        CHECK_INT(got, E_QUOTA);
    }
    (void)worker_run(w, square_new(3, &out[1], false), on_done, NULL);
    worker_free(&w);
    turn_until(23);
    CHECK_INT(runs, 23);
    CHECK(dropped == 20 || dropped == 21); /* the last ran or it did not */
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void
gate_run(struct worker_job *job)
{
    (void)job;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
}

static void
gate_done(struct worker_job *job, bool wanted)
{
    dropped += !wanted;
    free(job);
}

static struct worker_job *
gate_new(void)
{
    struct worker_job *job = xcalloc(1, sizeof *job);

    job->run = gate_run;
    job->done = gate_done;
    return job;
}

/* Cancelled while it runs: the result is dropped, nobody is told. And a queue
 * that is full says so. */
static void
worker_running(void)
{
    struct worker *w = worker_new("gate", 1);
    struct op *slot = NULL;

    runs = 0;
    dropped = 0;
    pthread_mutex_lock(&gate);
    op_hold(&slot, worker_run(w, gate_new(), on_done, NULL));
    usleep(20000); /* it runs now, most probably */
    op_cancel(&slot);
    for (unsigned i = 0; i < 2 * WORKER_QUEUE && worker_load(w) < WORKER_QUEUE;
         i++)
        worker_run(w, gate_new(), on_done, NULL);
    worker_run(w, gate_new(), on_done, NULL);
    CHECK_INT(runs, 0);
    turn_until(1);
    CHECK_INT(runs, 1);
    CHECK_INT(got, E_RETRY);
    pthread_mutex_unlock(&gate);
    turn_until(1 + (int)WORKER_QUEUE - 1);
    CHECK_INT(dropped, 1);
    worker_free(&w);
}

/* ---- children ---- */

static void
children(void)
{
    struct child_result r = {0};
    struct op *slot = NULL;

    runs = 0;
    op_hold(&slot, child_run("printf 'pass word'; exit 3", 100, 5000, &r,
                             on_done, NULL));
    turn_until(1);
    CHECK_INT(got, E_NONE);
    CHECK_INT(r.status, 3);
    CHECK(secret_is(&r.output, "pass word", 9));
    secret_clear(&r.output);
    op_hold(&slot, child_run("yes", 1000, 5000, &r, on_done, NULL));
    turn_until(2);
    CHECK_INT(got, E_LIMIT);
    op_hold(&slot, child_run("sleep 60", 100, 20, &r, on_done, NULL));
    turn_until(3);
    CHECK_INT(got, E_RETRY);
    op_hold(&slot, child_run("sleep 60", 100, 5000, &r, on_done, NULL));
    op_cancel(&slot);
    for (int i = 0; i < 50; i++) {
        loop_turn(loop, false);
        usleep(1000);
    }
    CHECK_INT(runs, 3);
}

static void
on_timer(void *arg)
{
    (void)arg;
    runs++;
}

static void
timers(void)
{
    struct loop_timer t;

    runs = 0;
    loop_timer_init(&t, on_timer, NULL);
    loop_timer_set(&t, 2);
    loop_timer_set(&t, 5);
    turn_until(1);
    CHECK_INT(runs, 1);
    loop_timer_set(&t, 1);
    loop_timer_stop(&t);
    usleep(3000);
    loop_turn(loop, false);
    CHECK_INT(runs, 1);
    loop_timer_clear(&t);
}

static const struct test_case cases[] = {
    TEST(op_later), TEST(op_stopped), TEST(flow_good), TEST(flow_bad),
    TEST(workers),  TEST(worker_running), TEST(children),   TEST(timers),
};

int
main(void)
{
    int rc;

    loop = loop_new();
    rc = test_main(cases, ARRAY_LEN(cases));
    loop_free(&loop);
    return rc;
}
