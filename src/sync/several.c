/*
 * Several folders that are due in one Sync, as after the timer and after a
 * Ping that names more than one. Each is answered, judged and booked on its
 * own, so what is wrong with one is its own affair; what is not complete after
 * this one answer stays due. Called by the round in round.c.
 */
#include "sync/private.h"

#include <stdlib.h>

#include "base/mem.h"

struct several {
    struct op *op;
    struct flow flow;
    struct sync *sync;
    struct sync_pulled *told; /* the caller's, one for each folder */
    size_t n;
    struct pull_one ones[SYNC_SEVERAL_MAX];
    struct eas_sync_answer answers[SYNC_SEVERAL_MAX];
    size_t asked[SYNC_SEVERAL_MAX]; /* which of ones an answer is of */
    size_t nasked;
};

static flow_step_fn several_ask, several_look,
    several_book;

static flow_step_fn *const several_steps[] = {
    several_ask,  /* one window of each, staged as it comes */
    several_look, /* is something new in Sent what we sent? */
    several_book, /* folder by folder, a transaction each */
    NULL,
};

static void
several_end(void *self, const struct err *err)
{
    struct several *v = self;
    struct op *op = v->op;
    struct err copy = err ? *err : (struct err){0};

    for (size_t i = 0; i < v->n; i++) {
        pull_one_clear(&v->ones[i]);
        eas_sync_answer_clear(&v->answers[i]);
    }
    free(v);
    op_finish(&op, copy.code ? &copy : NULL);
}

static void
several_stop(void *self)
{
    struct several *v = self;

    flow_cancel(&v->flow);
}

struct op *
sync_pull_several(struct sync *s, struct sync_pulled *told, size_t n,
                  op_done_fn *done, void *arg)
{
    struct several *v = xcalloc(1, sizeof *v);

    v->sync = s;
    v->told = told;
    v->n = n;
    for (size_t i = 0; i < n; i++) {
        v->ones[i].sync = s;
        v->ones[i].folder = told[i].folder;
        told[i].took = PULL_PUT_OFF;
        told[i].err = (struct err){0};
    }
    v->op = op_new(several_stop, v, done, arg);
    flow_start(&v->flow, several_steps, several_end, v);
    return v->op;
}

static enum flow_next
several_ask(void *self)
{
    struct several *v = self;
    struct eas_sync_ask asks[SYNC_SEVERAL_MAX];
    struct err e;

    for (size_t i = 0; i < v->n; i++) {
        int rc = pull_ask(&v->ones[i], &asks[v->nasked], &e);

        if (rc < 0)
            return flow_fail_err(&v->flow, &e);
        if (!rc)
            v->asked[v->nasked++] = i;
    }
    if (!v->nasked)
        return FLOW_DONE; /* all went meanwhile */
    return flow_wait(&v->flow, eas_sync_several(v->sync->eas, asks, v->nasked,
                                                v->answers, flow_wake,
                                                &v->flow));
}

static enum flow_next
several_look(void *self)
{
    struct several *v = self;

    for (size_t i = 0; i < v->nasked; i++) {
        struct pull_one *p = &v->ones[v->asked[i]];

        if (pull_may_be_sent(p, &v->answers[i]))
            return flow_wait(&v->flow, sync_sent_look(v->sync, p->folder,
                                                      flow_wake, &v->flow));
    }
    return FLOW_NEXT;
}

static enum flow_next
several_book(void *self)
{
    struct several *v = self;

    for (size_t i = 0; i < v->nasked; i++) {
        struct pull_one *p = &v->ones[v->asked[i]];
        struct sync_pulled *t = &v->told[v->asked[i]];

        p->answer = v->answers[i];
        v->answers[i] = (struct eas_sync_answer){0};
        t->took = pull_take(p, &t->err);
    }
    return FLOW_DONE;
}
