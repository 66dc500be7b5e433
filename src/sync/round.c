/*
 * One round: folder list, journal up, what is due down. sync.c starts the next
 * while something is due.
 */
#include "sync/private.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/now.h"
#include "store/journal.h"

#define BACKOFF_MAX_MS ((int64_t)600000)
#define REST_MS ((int64_t)3600000)
#define SHORT_REST_MS ((int64_t)60000) /* if somebody looks */
#define SOON_MS ((int64_t)2500)
#define QUIET_PINGS 2 /* wake-ups without news before a folder leaves the
                         Ping for a while */

static flow_step_fn round_folders, round_push, round_pull;
static flow_step_fn *const round_steps[] = {
    round_folders, /* the folder list, when it is due */
    round_push,    /* local changes first, collection by collection */
    round_pull,    /* one folder, or several; the next round takes the next */
    NULL,
};
static void round_end(void *self, const struct err *err);

/* Trouble of one folder must not stop the others. */
bool
sync_is_account_error(const struct err *err)
{
    switch (err->code) {
    case E_REMOTE:
    case E_INPUT:
    case E_BUG:
    case E_LIMIT:
        return false;
    default:
        return true;
    }
}

static enum flow_next
round_folders(void *self)
{
    struct sync *s = self;
    struct mark *m = sync_mark_of(s, 0);

    if (!m->set || m->due > now_ms())
        return FLOW_NEXT;
    m->set = false;
    return flow_wait(&s->round,
                     sync_folders_refresh(s, flow_wake, &s->round));
}

static enum flow_next
round_push(void *self)
{
    struct sync *s = self;
    const struct mark *list = sync_mark_of(s, 0);
    int64_t collection, wait;
    struct err e;

    /* A push may have been told that the list of folders comes first. */
    if (list->set && list->due <= now_ms())
        return FLOW_DONE;
    if (store_journal_collection(s->store, &collection, &wait, &e))
        return flow_fail_err(&s->round, &e);
    if (wait)
        sync_wake_in(s, (wait - now_unix()) * 1000 + 500);
    if (!collection)
        return FLOW_NEXT;
    return flow_wait_again(&s->round, sync_push(s, collection, flow_wake,
                                                &s->round));
}

/* Who waits wants the folder as it is on the server: a pull that only found
 * its key lost goes on in a later round. One that rests first is no answer. */
static void
pulled_tell(struct sync *s, struct mark *m, bool there, bool whole,
            const struct err *err)
{
    struct err e;

    if (!err && !there) {
        err_set(&e, E_MISSING, "the folder is gone");
        err = &e;
    } else if (!err && !whole) {
        if (m->set && m->due < now_ms() + SOON_MS)
            return;
        err_set(&e, E_RETRY, "the folder must be listed anew, and rests");
        err = &e;
    }
    sync_tell_pulled(s, m->folder, m->began, err);
}

/* The pull of one folder is over. true: it is trouble of the account. */
static bool
pull_over(struct sync *s, int64_t folder, bool whole, const struct err *err)
{
    struct mark *m = sync_mark_of(s, folder);
    const struct store_folder *f = store_folder_get(s->store, folder);

    if (m->pinged) {
        m->pinged = false;
        m->quiet = f && f->modseq == m->modseq ? m->quiet + 1 : 0;
        if (m->quiet >= QUIET_PINGS)
            m->no_ping = now_ms() + 600000;
    }
    pulled_tell(s, m, f != NULL, whole, err);
    if (err && sync_is_account_error(err)) {
        m->set = true;
        m->due = 0;
        return true;
    }
    if (err) {
        log_warn("sync", "account=%s folder=%lld rests for an hour: %s",
                 s->account, (long long)m->folder, err->text);
        s->error = *err;
        sync_mark_rest(s, m->folder, SHORT_REST_MS);
        m->due = now_ms() + REST_MS;
    }
    return false;
}

static void
on_pulled(void *arg, const struct err *err)
{
    struct sync *s = arg;
    int64_t folder = s->pulling;

    s->pulling = 0;
    flow_wake(&s->round, pull_over(s, folder, s->pulled_whole, err) ? err
                                                                    : NULL);
}

/* All fail, or only this way of asking does. */
static void
several_failed(struct sync *s, const struct err *err)
{
    bool all = sync_is_account_error(err);

    if (!all) {
        log_notice("sync", "account=%s folders are asked for one by one: %s",
                   s->account, err->text);
        s->one_by_one = now_ms() + REST_MS;
    }
    for (size_t i = 0; i < s->nseveral; i++)
        if (all)
            pull_over(s, s->several[i].folder, false, err);
        else
            sync_mark(s, s->several[i].folder);
    flow_wake(&s->round, all ? err : NULL);
}

static void
on_several(void *arg, const struct err *err)
{
    struct sync *s = arg;
    const struct err *bad = NULL;

    s->pulling = 0;
    if (err) {
        several_failed(s, err);
        return;
    }
    for (size_t i = 0; i < s->nseveral; i++) {
        struct sync_pulled *t = &s->several[i];

        if (t->took == PULL_MORE) {
            sync_mark(s, t->folder); /* goes on in the next round */
            continue;
        }
        if (pull_over(s, t->folder, t->took == PULL_WHOLE,
                      t->took == PULL_FAILED ? &t->err : NULL))
            bad = &t->err;
    }
    flow_wake(&s->round, bad);
}

static enum flow_next
round_several(struct sync *s, struct mark *const *marks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        marks[i]->set = false;
        marks[i]->began = now_ms();
        s->several[i].folder = marks[i]->folder;
    }
    s->nseveral = n;
    s->pulling = marks[0]->folder;
    s->state = SYNC_WORKING;
    return flow_wait(&s->round,
                     sync_pull_several(s, s->several, n, on_several, s));
}

static enum flow_next
round_pull(void *self)
{
    struct sync *s = self;
    struct mark *m = sync_mark_due(s), *many[SYNC_SEVERAL_MAX];
    const struct store_folder *f;
    size_t n = sync_mark_several(s, many, SYNC_SEVERAL_MAX);

    if (!m)
        return FLOW_DONE;
    if (n > 1)
        return round_several(s, many, n);
    m->set = false;
    m->began = now_ms();
    f = store_folder_get(s->store, m->folder);
    if (!f || !*f->server_id) {
        pulled_tell(s, m, false, false, NULL);
        return FLOW_DONE;
    }
    s->pulled_whole = false;
    s->pulling = m->folder;
    s->state = f->state == STORE_FOLDER_READY ? SYNC_WORKING : SYNC_LISTING;
    return flow_wait(&s->round, sync_pull(s, m->folder, on_pulled, s));
}

void
sync_failed(struct sync *s, const struct err *err)
{
    s->error = *err;
    sync_tell_settled(s, err);
    if (err->code == E_LOGIN || err->code == E_DENIED) {
        s->state = SYNC_STOPPED;
        s->started = false;
        if (err->code == E_DENIED)
            sync_denied(s);
        log_warn("sync", "account=%s stopped: %s", s->account, err->text);
        return;
    }
    s->backoff = s->backoff ? s->backoff * 2 : fault_wait(SYNC_BACKOFF_MIN_MS);
    if (s->backoff > BACKOFF_MAX_MS)
        s->backoff = BACKOFF_MAX_MS;
    s->state = SYNC_BACKOFF;
    s->next_try = now_unix() + s->backoff / 1000;
    log_warn("sync", "account=%s again in %lld s: %s", s->account,
             (long long)(s->backoff / 1000), err->text);
    loop_timer_set(&s->retry, s->backoff);
}

static void
round_end(void *self, const struct err *err)
{
    struct sync *s = self;

    if (err && err->code == E_CANCELED)
        return;
    if (err) {
        sync_mark_of(s, 0)->set = true;
        sync_failed(s, err);
        return;
    }
    s->backoff = 0;
    s->denied_wait = 0;
    s->error = s->error.code == E_REMOTE ? s->error : (struct err){0};
    s->next_try = 0;
    loop_task_soon(&s->kick);
}

void
sync_round_start(struct sync *s)
{
    flow_start(&s->round, round_steps, round_end, s);
}
