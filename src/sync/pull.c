/*
 * Sync of one folder until nothing more is available: priming, the windows,
 * what a status asks for. Called by the round in sync.c; booking is book.c.
 */
#include "sync/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "eas/status.h"
#include "store/sent.h"

#define WINDOW 512u
/* So long the server has for the copy of what was sent. */
#define SENT_WAIT_S ((int64_t)86400)
#define RESETS_MAX 2
#define REST_MS ((int64_t)300000) /* the first one; each is twice as long */
#define REST_MAX_MS ((int64_t)3600000)

struct pull {
    struct op *op;
    struct flow flow;
    struct sync *sync;
    int64_t folder, began;
    struct eas_sync_answer answer;
    char *key;           /* that was sent */
    bool onward;         /* to the next window */
};

static flow_step_fn pull_prime, pull_primed, pull_ask, pull_look,
    pull_book;

static flow_step_fn *const pull_steps[] = {
    pull_prime,  /* key "0" gets a first key */
    pull_primed, /* which is booked */
    pull_ask,    /* a window of items, staged as they come */
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

    eas_sync_answer_clear(&p->answer);
    free(p->key);
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

    p->sync = s;
    p->folder = folder;
    p->op = op_new(pull_stop, p, done, arg);
    flow_start(&p->flow, pull_steps, pull_end, p);
    return p->op;
}

/* The folder rests, for there is something wrong with the server's listing;
 * `status` tells so. */
static void
pull_rest(struct pull *p, int64_t ms, const char *why)
{
    const struct store_folder *f =
        store_folder_get(p->sync->store, p->folder);

    err_set(&p->sync->error, E_REMOTE, "folder %s rests for %lld s: %s",
            f ? f->path : "?", (long long)(ms / 1000), why);
    log_warn("sync", "account=%s %s", p->sync->account, p->sync->error.text);
    sync_mark_rest(p->sync, p->folder, fault_wait(ms));
}

static int64_t
rest_after(int resets)
{
    int64_t ms = REST_MS;

    for (int i = RESETS_MAX; i < resets && ms < REST_MAX_MS; i++)
        ms *= 2;
    return ms < REST_MAX_MS ? ms : REST_MAX_MS;
}

/* What a status of the collection asks for. FLOW_NEXT: it was good. */
static enum flow_next
pull_react(struct pull *p)
{
    struct store *store = p->sync->store;
    const struct store_folder *f = store_folder_get(store, p->folder);
    struct err e;

    switch (p->answer.reaction) {
    case EAS_OK:
        return FLOW_NEXT;
    case EAS_KEY0:
        if (!f)
            return FLOW_DONE;
        log_notice("sync", "account=%s folder=%lld status=%d key lost, "
                           "listing again",
                   p->sync->account, (long long)p->folder,
                   p->answer.status);
        if (store_folder_reset(store, p->folder, &e))
            return flow_fail_err(&p->flow, &e);
        f = store_folder_get(store, p->folder);
        /* After two in a row the folder rests (SPEC section 5, Reset). */
        if (f && f->resets >= RESETS_MAX)
            pull_rest(p, rest_after(f->resets),
                      "the server lost its state twice in a row");
        else
            sync_mark(p->sync, p->folder);
        return FLOW_DONE;
    case EAS_FOLDERSYNC:
    case EAS_GONE:
        sync_mark(p->sync, 0);
        sync_mark_later(p->sync, p->folder, 2000);
        return FLOW_DONE;
    default:
        eas_status_err(&e, EAS_CMD_SYNC, p->answer.status);
        return flow_fail_err(&p->flow, &e);
    }
}

static enum flow_next
pull_prime(void *self)
{
    struct pull *p = self;
    const struct store_folder *f =
        store_folder_get(p->sync->store, p->folder);
    struct eas_sync_ask ask = {0};
    int64_t left;

    if (!f || !*f->server_id)
        return FLOW_DONE; /* went meanwhile */
    if (strcmp(f->key, "0") != 0)
        return FLOW_NEXT;
    left = sync_book_doubt(p->sync->store, p->folder, p->sync->relist_wait);
    if (left) {
        sync_mark_rest(p->sync, p->folder, left * 1000);
        return FLOW_DONE;
    }
    ask.collection = f->server_id;
    ask.key = "0";
    ask.filter = p->sync->filter;
    return flow_wait(&p->flow, eas_sync(p->sync->eas, &ask, &p->answer,
                                        flow_wake, &p->flow));
}

static enum flow_next
pull_primed(void *self)
{
    struct pull *p = self;
    enum flow_next next;
    struct err e;

    if (!p->answer.key && !p->answer.status)
        return FLOW_NEXT; /* it had a key */
    next = pull_react(p);
    if (next != FLOW_NEXT)
        return next;
    if (!p->answer.key || strcmp(p->answer.key, "0") == 0)
        return flow_fail(&p->flow, E_REMOTE,
                         "the server gave no key for the folder");
    if (store_folder_set_key(p->sync->store, p->folder, p->answer.key,
                             &e))
        return flow_fail_err(&p->flow, &e);
    eas_sync_answer_clear(&p->answer);
    return FLOW_NEXT;
}

static int
pull_item(void *arg, const struct eas_item *it, struct err *e)
{
    struct pull *p = arg;

    return sync_book_stage(p->sync->store, p->folder, it, e);
}

static enum flow_next
pull_ask(void *self)
{
    struct pull *p = self;
    struct store *store = p->sync->store;
    const struct store_folder *f = store_folder_get(store, p->folder);
    struct eas_sync_ask ask = {0};
    struct err e;

    if (!f)
        return FLOW_DONE;
    /* What a broken answer left behind. */
    if (store_stage_clear(store, p->folder, &e))
        return flow_fail_err(&p->flow, &e);
    f = store_folder_get(store, p->folder);
    free(p->key);
    p->key = xstrdup(f->key);
    p->began = now_ms();
    ask.collection = f->server_id;
    ask.key = p->key;
    ask.get_changes = true;
    ask.list_only = true;
    ask.window = WINDOW;
    ask.filter = p->sync->filter;
    ask.on_item = pull_item;
    ask.item_arg = p;
    return flow_wait(&p->flow, eas_sync(p->sync->eas, &ask, &p->answer,
                                        flow_wake, &p->flow));
}

/* Sent, once it was listed: see sent.c. */
static enum flow_next
pull_look(void *self)
{
    struct pull *p = self;
    const struct store_folder *f =
        store_folder_get(p->sync->store, p->folder);

    if (p->onward) {
        p->onward = false;
        return FLOW_BACK;
    }
    if (!f || f->role != STORE_ROLE_SENT || p->answer.reaction != EAS_OK ||
        p->answer.empty ||
        (f->state != STORE_FOLDER_READY &&
         f->state != STORE_FOLDER_RELISTING))
        return FLOW_NEXT;
    return flow_wait(&p->flow, sync_sent_look(p->sync, p->folder, flow_wake,
                                              &p->flow));
}

static int
sent_lonely(struct pull *p, struct err *e)
{
    const struct store_folder *f =
        store_folder_get(p->sync->store, p->folder);

    if (!f || f->role != STORE_ROLE_SENT)
        return 0;
    return store_sent_lonely(p->sync->store, fault_wait(SENT_WAIT_S), e);
}

static enum flow_next
pull_book(void *self)
{
    struct pull *p = self;
    enum flow_next next = pull_react(p);
    struct sync_book how = {.began = p->began,
                            .relist_wait = p->sync->relist_wait};
    bool again, stuck, more;
    struct err e;

    if (next != FLOW_NEXT)
        return next;
    /* MoreAvailable without a new key would go on for ever. */
    stuck = p->answer.more && p->answer.key &&
            strcmp(p->answer.key, p->key) == 0;
    more = p->answer.more && !p->answer.empty && !stuck;
    how.key = p->answer.empty ? NULL : p->answer.key;
    how.more = more;
    if (sync_book_commit(p->sync->store, p->folder, &how, &again, &e))
        return flow_fail_err(&p->flow, &e);
    eas_sync_answer_clear(&p->answer);
    if (again) {
        if (store_folder_reset(p->sync->store, p->folder, &e))
            return flow_fail_err(&p->flow, &e);
        pull_rest(p, p->sync->relist_wait * 1000,
                  "a new listing lacks more than half of it, and is made "
                  "again");
        return FLOW_DONE;
    }
    if (more) { /* the next window */
        p->onward = true;
        return FLOW_BACK;
    }
    if (sent_lonely(p, &e))
        return flow_fail_err(&p->flow, &e);
    p->sync->pulled_whole = !stuck;
    return FLOW_DONE;
}
