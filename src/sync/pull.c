/*
 * Sync of one folder until nothing more is available: priming, the windows,
 * their end. One window of it is window.c. Called by the round in round.c.
 */
#include "sync/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

struct pull {
    struct op *op;
    struct flow flow;
    struct pull_one one;
    uint64_t left;  /* GetItemEstimate: what the listing has still to bring */
    bool onward;    /* to the next window */
    bool estimated; /* asked for in this pull */
};

static flow_step_fn pull_prime, pull_primed, pull_begin, pull_look,
    pull_book;

static flow_step_fn *const pull_steps[] = {
    pull_prime,  /* key "0" gets a first key */
    pull_primed, /* which is booked */
    pull_begin,  /* a window of items, staged as they come */
    pull_look,   /* is one of them what we sent? */
    pull_book,   /* stage and key in one transaction; again while more */
    NULL,
};

static void
pull_end(void *self, const struct err *err)
{
    struct pull *p = self;
    struct op *op = p->op;
    struct err copy = err ? *err : (struct err){0};

    pull_one_clear(&p->one);
    free(p);
    op_finish(&op, copy.code ? &copy : NULL);
}

static void
pull_stop(void *self)
{
    struct pull *p = self;

    flow_cancel(&p->flow);
}

struct op *
sync_pull(struct sync *s, int64_t folder, op_done_fn *done, void *arg)
{
    struct pull *p = xcalloc(1, sizeof *p);

    p->one.sync = s;
    p->one.folder = folder;
    p->op = op_new(pull_stop, p, done, arg);
    flow_start(&p->flow, pull_steps, pull_end, p);
    return p->op;
}

static enum flow_next
pull_prime(void *self)
{
    struct pull *p = self;
    struct sync *s = p->one.sync;
    const struct store_folder *f = store_folder_get(s->store, p->one.folder);
    struct eas_sync_ask ask = {0};
    int64_t left;

    if (!f || !*f->server_id)
        return FLOW_DONE; /* went meanwhile */
    if (strcmp(f->key, "0") != 0)
        return FLOW_NEXT;
    left = sync_book_doubt(s->store, f->id, s->relist_wait);
    if (left) {
        sync_mark_rest(s, f->id, left * 1000);
        return FLOW_DONE;
    }
    ask.collection = f->server_id;
    ask.key = "0";
    ask.filter = s->filter;
    return flow_wait(&p->flow, eas_sync(s->eas, &ask, &p->one.answer,
                                        flow_wake, &p->flow));
}

static enum flow_next
pull_primed(void *self)
{
    struct pull *p = self;
    const struct eas_sync_answer *got = &p->one.answer;
    struct err e;
    int rc;

    if (!got->key && !got->status)
        return FLOW_NEXT; /* it had a key */
    rc = pull_react(&p->one, &e);
    if (rc)
        return rc < 0 ? flow_fail_err(&p->flow, &e) : FLOW_DONE;
    if (!got->key || strcmp(got->key, "0") == 0)
        return flow_fail(&p->flow, E_REMOTE,
                         "the server gave no key for the folder");
    if (store_folder_set_key(p->one.sync->store, p->one.folder, got->key,
                             &e))
        return flow_fail_err(&p->flow, &e);
    eas_sync_answer_clear(&p->one.answer);
    return FLOW_NEXT;
}

/* A server that will not say is not asked again. The listing needs no
 * estimate, so whatever went wrong is not its business. */
static void
on_estimate(void *arg, const struct err *err)
{
    struct pull *p = arg;
    struct sync *s = p->one.sync;
    const struct store_folder *f = store_folder_get(s->store, p->one.folder);
    struct err e;

    if (err)
        s->no_estimate = true;
    else if (f && p->left < INT32_MAX &&
             store_folder_set_estimate(s->store, f->id,
                                       f->listed + (int64_t)p->left, &e))
        log_debug("sync", "account=%s estimate: %s", s->account, e.text);
    flow_wake(&p->flow, NULL);
}

/* Worth a request when the first listing takes more than one window. */
static bool
wants_estimate(struct pull *p, const struct store_folder *f)
{
    return f && f->state == STORE_FOLDER_LISTING && f->listed &&
        !f->estimate && !p->estimated && !p->one.sync->no_estimate;
}

static enum flow_next
pull_begin(void *self)
{
    struct pull *p = self;
    struct sync *s = p->one.sync;
    const struct store_folder *f = store_folder_get(s->store, p->one.folder);
    struct eas_sync_ask ask;
    struct err e;
    int rc;

    if (wants_estimate(p, f)) {
        p->estimated = true;
        return flow_wait_again(&p->flow,
                               eas_estimate(s->eas, f->server_id, f->key,
                                            s->filter, &p->left, on_estimate,
                                            p));
    }
    rc = pull_ask(&p->one, &ask, &e);
    if (rc)
        return rc < 0 ? flow_fail_err(&p->flow, &e) : FLOW_DONE;
    return flow_wait(&p->flow, eas_sync(s->eas, &ask, &p->one.answer,
                                        flow_wake, &p->flow));
}

static enum flow_next
pull_look(void *self)
{
    struct pull *p = self;

    if (p->onward) {
        p->onward = false;
        return FLOW_BACK;
    }
    if (!pull_may_be_sent(&p->one, &p->one.answer))
        return FLOW_NEXT;
    return flow_wait(&p->flow, sync_sent_look(p->one.sync, p->one.folder,
                                              flow_wake, &p->flow));
}

static enum flow_next
pull_book(void *self)
{
    struct pull *p = self;
    struct err e;

    switch (pull_take(&p->one, &e)) {
    case PULL_MORE:
        p->onward = true;
        return FLOW_BACK;
    case PULL_FAILED:
        return flow_fail_err(&p->flow, &e);
    case PULL_WHOLE:
        p->one.sync->pulled_whole = true;
        return FLOW_DONE;
    default:
        return FLOW_DONE;
    }
}
