/*
 * The rounds of synchronisation: folder list, journal up, one folder down,
 * again while something is due, then Ping. Bodies come beside it. The account
 * makes one of these; doors call the public functions.
 */
#include "sync/sync.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "loop/flow.h"
#include "loop/loop.h"
#include "store/journal.h"
#include "eas/status.h"
#include "sync/private.h"

#define PING_MAX 60u             /* folders; a server's limit is lower still */
#define INTERVAL_S 300           /* between timed Syncs */
#define SOON_MS ((int64_t)2000)  /* many looks at a folder are one Sync */
#define BACKOFF_MIN_MS ((int64_t)5000)
#define BACKOFF_MAX_MS ((int64_t)600000)
#define REST_MS ((int64_t)3600000)
#define BODIES_RETRY_MS ((int64_t)30000)
#define QUIET_PINGS 2            /* wake-ups without news before a folder
                                    leaves the Ping for a while */

/* What is due of a folder (0: the list). */
struct mark {
    struct list node;
    int64_t folder, due; /* now_ms() */
    int64_t began;       /* the last pull */
    bool set;
    unsigned quiet;      /* Ping named it and nothing was new */
    int64_t no_ping;     /* until */
    uint64_t modseq;     /* of the folder when Ping named it */
    bool pinged;
};

enum wait_kind { WAIT_READY, WAIT_PULLED, WAIT_SETTLED };
struct waiter {
    struct list node;
    struct op *op;
    enum wait_kind kind;
    int64_t folder, since;
};

struct sync {
    struct loop *loop;
    char *account;
    struct store *store;
    struct eas *eas;
    int filter;
    int64_t interval;
    bool started;
    struct flow round;
    struct op *ping, *bodies;
    struct eas_ping_answer ping_answer;
    size_t bodies_came;
    int64_t ping_began;
    int64_t pulling; /* folder, 0 none */
    struct list marks, waiters;
    struct loop_task kick;
    struct loop_timer wake;  /* marks that are not yet due, journal */
    struct loop_timer retry; /* after a failure */
    struct loop_timer timed;
    struct loop_timer bodies_retry;
    struct store_watcher watcher;
    int64_t backoff;
    enum sync_state state;
    struct err error;
    int64_t next_try;
};

static void on_kick(void *arg);
static void on_retry(void *arg);
static void on_timed(void *arg);
static void on_bodies_retry(void *arg);
static void on_changes(void *arg, const struct store_change *, size_t n);

/* ---- making ---- */

struct sync *
sync_new(const struct sync_config *c)
{
    struct sync *s = xcalloc(1, sizeof *s);

    s->loop = c->loop;
    s->account = xstrdup(c->account);
    s->store = c->store;
    s->eas = c->eas;
    s->filter = c->filter;
    s->interval = c->interval ? c->interval : INTERVAL_S;
    list_init(&s->marks);
    list_init(&s->waiters);
    loop_task_init(&s->kick, on_kick, s);
    loop_timer_init(&s->wake, on_kick, s);
    loop_timer_init(&s->retry, on_retry, s);
    loop_timer_init(&s->timed, on_timed, s);
    loop_timer_init(&s->bodies_retry, on_bodies_retry, s);
    s->watcher.on_changes = on_changes;
    s->watcher.arg = s;
    store_watch(s->store, &s->watcher);
    return s;
}

static void
waiter_end(struct waiter *w, const struct err *err)
{
    list_remove(&w->node);
    op_finish(&w->op, err);
    free(w);
}

void
sync_free(struct sync **sp)
{
    struct sync *s = *sp;
    struct list *n, *after;
    struct err e;

    if (!s)
        return;
    sync_stop(s);
    err_set(&e, E_CANCELED, "the account is closing");
    LIST_EACH(&s->waiters, n, after)
        waiter_end(LIST_OBJECT(n, struct waiter, node), &e);
    LIST_EACH(&s->marks, n, after)
        free(LIST_OBJECT(n, struct mark, node));
    store_unwatch(s->store, &s->watcher);
    loop_task_cancel(&s->kick);
    loop_timer_clear(&s->wake);
    loop_timer_clear(&s->retry);
    loop_timer_clear(&s->timed);
    loop_timer_clear(&s->bodies_retry);
    free(s->account);
    free(s);
    *sp = NULL;
}

void
sync_set_filter(struct sync *s, int filter)
{
    const struct store_folder *f = NULL;

    if (s->filter == filter)
        return;
    s->filter = filter;
    while ((f = store_folder_next(s->store, f)))
        sync_mark(s, f->id);
}

struct loop *
sync_loop(struct sync *s)
{
    return s->loop;
}

struct store *
sync_store(struct sync *s)
{
    return s->store;
}

struct eas *
sync_eas(struct sync *s)
{
    return s->eas;
}

const char *
sync_name(const struct sync *s)
{
    return s->account;
}

int
sync_filter(const struct sync *s)
{
    return s->filter;
}

/* ---- marks ---- */

static struct mark *
mark_of(struct sync *s, int64_t folder)
{
    struct list *n, *after;
    struct mark *m;

    LIST_EACH(&s->marks, n, after) {
        m = LIST_OBJECT(n, struct mark, node);
        if (m->folder == folder)
            return m;
    }
    m = xcalloc(1, sizeof *m);
    m->folder = folder;
    m->began = -SOON_MS;
    list_add(&s->marks, &m->node);
    return m;
}

void
sync_mark_later(struct sync *s, int64_t folder, int64_t ms)
{
    struct mark *m = mark_of(s, folder);
    int64_t due = now_ms() + ms;

    if (!m->set || due < m->due)
        m->due = due;
    m->set = true;
    loop_task_soon(&s->kick);
}

void
sync_mark(struct sync *s, int64_t folder)
{
    sync_mark_later(s, folder, 0);
}

static bool
somebody_waits(const struct sync *s, int64_t folder)
{
    const struct list *n;

    for (n = s->waiters.next; n != &s->waiters; n = n->next) {
        const struct waiter *w = LIST_OBJECT(n, struct waiter, node);

        if (w->folder == folder && w->kind != WAIT_SETTLED)
            return true;
    }
    return false;
}

/* The folder to pull next: one that somebody waits for, then the inbox, then
 * the one that is due longest. */
static struct mark *
mark_due(struct sync *s)
{
    const struct store_folder *inbox =
        store_folder_by_role(s->store, STORE_ROLE_INBOX);
    struct mark *best = NULL;
    struct list *n, *after;
    int64_t now = now_ms(), best_rank = INT64_MAX;

    LIST_EACH(&s->marks, n, after) {
        struct mark *m = LIST_OBJECT(n, struct mark, node);
        int64_t rank = m->due;

        if (!m->set || m->due > now || !m->folder)
            continue;
        if (somebody_waits(s, m->folder))
            rank = -2;
        else if (inbox && m->folder == inbox->id)
            rank = -1;
        if (!best || rank < best_rank) {
            best = m;
            best_rank = rank;
        }
    }
    return best;
}

/* ---- a round ---- */

static flow_step_fn round_folders, round_push, round_pull;
static flow_step_fn *const round_steps[] = {
    round_folders, /* the folder list, when it is due */
    round_push,    /* local changes first, collection by collection */
    round_pull,    /* one folder; the next round takes the next */
    NULL,
};
static void round_end(void *self, const struct err *err);

/* Trouble of one folder must not stop the others. */
static bool
is_account_error(const struct err *err)
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
    struct mark *m = mark_of(s, 0);

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
    int64_t collection, wait;
    struct err e;

    if (store_journal_collection(s->store, &collection, &wait, &e))
        return flow_fail_err(&s->round, &e);
    if (wait)
        loop_timer_set(&s->wake, (wait - now_unix()) * 1000 + 500);
    if (!collection)
        return FLOW_NEXT;
    return flow_wait_again(&s->round, sync_push(s, collection, flow_wake,
                                                &s->round));
}

static void
pulled_tell(struct sync *s, int64_t folder, int64_t began,
            const struct err *err)
{
    struct list *n, *after;

    LIST_EACH(&s->waiters, n, after) {
        struct waiter *w = LIST_OBJECT(n, struct waiter, node);

        if (w->folder != folder)
            continue;
        if (w->kind == WAIT_PULLED && (err || began >= w->since))
            waiter_end(w, err);
        else if (w->kind == WAIT_READY && err)
            waiter_end(w, err);
    }
}

static void
on_pulled(void *arg, const struct err *err)
{
    struct sync *s = arg;
    struct mark *m = mark_of(s, s->pulling);
    const struct store_folder *f = store_folder_get(s->store, s->pulling);

    s->pulling = 0;
    if (m->pinged) {
        m->pinged = false;
        m->quiet = f && f->modseq == m->modseq ? m->quiet + 1 : 0;
        if (m->quiet >= QUIET_PINGS)
            m->no_ping = now_ms() + 600000;
    }
    pulled_tell(s, m->folder, m->began, err);
    if (err && is_account_error(err)) {
        m->set = true;
        m->due = 0;
        flow_wake(&s->round, err);
        return;
    }
    if (err) {
        log_warn("sync", "account=%s folder=%lld rests for an hour: %s",
                 s->account, (long long)m->folder, err->text);
        s->error = *err;
        sync_mark_later(s, m->folder, REST_MS);
    }
    flow_wake(&s->round, NULL);
}

static enum flow_next
round_pull(void *self)
{
    struct sync *s = self;
    struct mark *m = mark_due(s);
    const struct store_folder *f;

    if (!m)
        return FLOW_DONE;
    m->set = false;
    m->began = now_ms();
    f = store_folder_get(s->store, m->folder);
    if (!f || !*f->server_id)
        return FLOW_DONE;
    s->pulling = m->folder;
    s->state = f->state == STORE_FOLDER_READY ? SYNC_WORKING : SYNC_LISTING;
    return flow_wait(&s->round, sync_pull(s, m->folder, on_pulled, s));
}

static void
settled_tell(struct sync *s, const struct err *err)
{
    struct list *n, *after;

    LIST_EACH(&s->waiters, n, after) {
        struct waiter *w = LIST_OBJECT(n, struct waiter, node);

        if (w->kind == WAIT_SETTLED || err)
            waiter_end(w, err);
    }
}

static void
round_failed(struct sync *s, const struct err *err)
{
    s->error = *err;
    settled_tell(s, err);
    if (err->code == E_LOGIN || err->code == E_DENIED) {
        s->state = SYNC_STOPPED;
        s->started = false;
        log_warn("sync", "account=%s stopped: %s", s->account, err->text);
        return;
    }
    s->backoff = s->backoff ? s->backoff * 2 : BACKOFF_MIN_MS;
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
        mark_of(s, 0)->set = true;
        round_failed(s, err);
        return;
    }
    s->backoff = 0;
    s->error = s->error.code == E_REMOTE ? s->error : (struct err){0};
    s->next_try = 0;
    loop_task_soon(&s->kick);
}

/* ---- bodies, beside the rounds ---- */

static void bodies_start(struct sync *s);

static void
on_bodies(void *arg, const struct err *err)
{
    struct sync *s = arg;

    if (err && err->code != E_CANCELED) {
        log_debug("sync", "account=%s bodies: %s", s->account, err->text);
        loop_timer_set(&s->bodies_retry, BODIES_RETRY_MS);
    } else if (!err && s->bodies_came) {
        bodies_start(s);
    }
}

static void
bodies_start(struct sync *s)
{
    int64_t id;
    size_t n = 0;

    if (s->bodies || !s->started || loop_timer_is_set(&s->bodies_retry) ||
        store_message_missing(s->store, 1, &id, &n, NULL) || !n)
        return;
    s->bodies_came = 0;
    op_hold(&s->bodies, sync_bodies(s, &s->bodies_came, on_bodies, s));
}

static void
on_bodies_retry(void *arg)
{
    bodies_start(arg);
}

/* ---- Ping ---- */

static void
ping_named(struct sync *s, const char *server_id)
{
    const struct store_folder *f = store_folder_by_server(s->store, server_id);
    struct mark *m;

    if (!f) {
        sync_mark(s, 0);
        return;
    }
    m = mark_of(s, f->id);
    m->pinged = true;
    m->modseq = f->modseq;
    sync_mark(s, f->id);
}

static void
on_ping(void *arg, const struct err *err)
{
    struct sync *s = arg;

    if (err && err->code == E_CANCELED)
        return;
    if (err) {
        /* A long poll that breaks is usual (NAT, suspend): look at once, and
         * only a look that fails as well is trouble. */
        if (now_ms() - s->ping_began < 2000 || is_account_error(err)) {
            if (err->code == E_RETRY && now_ms() - s->ping_began >= 2000)
                on_timed(s);
            else
                round_failed(s, err);
        }
        loop_task_soon(&s->kick);
        return;
    }
    switch (s->ping_answer.reaction) {
    case EAS_OK:
        for (size_t i = 0; i < s->ping_answer.n; i++)
            ping_named(s, s->ping_answer.folders[i]);
        break;
    case EAS_FOLDERSYNC:
        sync_mark(s, 0);
        break;
    default:
        sync_mark_later(s, 0, BACKOFF_MIN_MS * 2);
        loop_timer_set(&s->wake, BACKOFF_MIN_MS);
        break;
    }
    eas_ping_answer_clear(&s->ping_answer);
    loop_task_soon(&s->kick);
}

static void
ping_start(struct sync *s)
{
    const char *ids[PING_MAX];
    const struct store_folder *f = NULL;
    size_t n = 0;

    while (n < PING_MAX && (f = store_folder_next(s->store, f)))
        if (f->state == STORE_FOLDER_READY && *f->server_id &&
            (f->subscribed || f->role == STORE_ROLE_INBOX) &&
            mark_of(s, f->id)->no_ping < now_ms())
            ids[n++] = f->server_id;
    s->state = SYNC_WAITING;
    if (!n)
        return; /* the timed Sync goes on */
    s->ping_began = now_ms();
    op_hold(&s->ping,
            eas_ping(s->eas, ids, n, &s->ping_answer, on_ping, s));
}

/* ---- what happens next ---- */

static bool
work_is_due(struct sync *s)
{
    struct mark *list = mark_of(s, 0);
    int64_t collection = 0, wait = 0;

    if (list->set && list->due <= now_ms())
        return true;
    if (mark_due(s))
        return true;
    if (store_journal_collection(s->store, &collection, &wait, NULL))
        return false;
    if (wait)
        loop_timer_set(&s->wake, (wait - now_unix()) * 1000 + 500);
    return collection != 0;
}

static void
wake_at_next_mark(struct sync *s)
{
    struct list *n, *after;
    int64_t next = INT64_MAX, now = now_ms();

    LIST_EACH(&s->marks, n, after) {
        struct mark *m = LIST_OBJECT(n, struct mark, node);

        if (m->set && m->due > now && m->due < next)
            next = m->due;
    }
    if (next != INT64_MAX && !loop_timer_is_set(&s->wake))
        loop_timer_set(&s->wake, next - now + 1);
}

static void
on_kick(void *arg)
{
    struct sync *s = arg;

    if (!s->started || flow_is_running(&s->round) ||
        loop_timer_is_set(&s->retry))
        return;
    loop_timer_stop(&s->wake);
    if (work_is_due(s)) {
        op_cancel(&s->ping);
        s->state = s->state == SYNC_CONNECTING ? s->state : SYNC_WORKING;
        flow_start(&s->round, round_steps, round_end, s);
        return;
    }
    wake_at_next_mark(s);
    settled_tell(s, NULL);
    bodies_start(s);
    if (!s->ping)
        ping_start(s);
}

static void
on_retry(void *arg)
{
    struct sync *s = arg;

    loop_task_soon(&s->kick);
}

/* What Ping does not report: flags and deletions made elsewhere. */
static void
on_timed(void *arg)
{
    struct sync *s = arg;
    const struct store_folder *f = NULL;

    sync_mark(s, 0);
    while ((f = store_folder_next(s->store, f)))
        if (f->subscribed || f->role != STORE_ROLE_NONE)
            sync_mark(s, f->id);
    loop_timer_set(&s->timed, s->interval * 1000);
}

static void
ready_tell(struct sync *s)
{
    struct list *n, *after;
    struct err e;

    LIST_EACH(&s->waiters, n, after) {
        struct waiter *w = LIST_OBJECT(n, struct waiter, node);
        const struct store_folder *f;

        if (w->kind != WAIT_READY)
            continue;
        f = store_folder_get(s->store, w->folder);
        if (!f) {
            err_set(&e, E_MISSING, "the folder is gone");
            waiter_end(w, &e);
        } else if (f->state == STORE_FOLDER_READY ||
                   f->state == STORE_FOLDER_RELISTING) {
            waiter_end(w, NULL);
        }
    }
}

static void
on_changes(void *arg, const struct store_change *c, size_t n)
{
    struct sync *s = arg;
    bool folders = false, bodies = false;

    for (size_t i = 0; i < n; i++) {
        folders |= c[i].kind == STORE_FOLDER_CHANGED ||
                   c[i].kind == STORE_FOLDER_REMOVED;
        bodies |= c[i].kind == STORE_MESSAGE_ADDED;
    }
    if (folders)
        ready_tell(s);
    if (bodies)
        bodies_start(s);
}

/* ---- public ---- */

void
sync_start(struct sync *s)
{
    if (s->started)
        return;
    s->started = true;
    s->state = SYNC_CONNECTING;
    s->error = (struct err){0};
    s->backoff = 0;
    on_timed(s);
    loop_task_soon(&s->kick);
}

void
sync_stop(struct sync *s)
{
    s->started = false;
    s->state = SYNC_STOPPED;
    s->pulling = 0;
    flow_cancel(&s->round);
    op_cancel(&s->ping);
    op_cancel(&s->bodies);
    eas_ping_answer_clear(&s->ping_answer);
    loop_timer_stop(&s->wake);
    loop_timer_stop(&s->retry);
    loop_timer_stop(&s->timed);
    loop_timer_stop(&s->bodies_retry);
}

void
sync_push_soon(struct sync *s)
{
    loop_task_soon(&s->kick);
}

void
sync_pull_soon(struct sync *s, int64_t folder)
{
    struct mark *m = mark_of(s, folder);
    int64_t since = now_ms() - m->began;

    sync_mark_later(s, folder, since < SOON_MS ? SOON_MS - since : 0);
}

static void
waiter_stop(void *self)
{
    waiter_end(self, NULL);
}

static struct op *
waiter_new(struct sync *s, enum wait_kind kind, int64_t folder,
           op_done_fn *done, void *arg)
{
    struct waiter *w = xcalloc(1, sizeof *w);
    struct op *op = op_new(waiter_stop, w, done, arg);

    w->op = op;
    w->kind = kind;
    w->folder = folder;
    w->since = now_ms();
    list_add(&s->waiters, &w->node);
    loop_task_soon(&s->kick);
    return op;
}

/* Waiting for a server that is away would be for ever. */
static bool
cannot_wait(const struct sync *s, struct err *e)
{
    if (s->started && s->state != SYNC_BACKOFF)
        return false;
    if (s->error.code)
        *e = s->error;
    else
        err_set(e, E_RETRY, "the account is not connected");
    return true;
}

struct op *
sync_wait_ready(struct sync *s, int64_t folder, op_done_fn *done, void *arg)
{
    const struct store_folder *f = store_folder_get(s->store, folder);
    struct err e;

    if (f && (f->state == STORE_FOLDER_READY ||
              f->state == STORE_FOLDER_RELISTING))
        return op_decided(NULL, done, arg);
    if (!f)
        err_set(&e, E_MISSING, "the folder is gone");
    if (!f || cannot_wait(s, &e))
        return op_decided(&e, done, arg);
    sync_mark(s, folder);
    return waiter_new(s, WAIT_READY, folder, done, arg);
}

struct op *
sync_folder_now(struct sync *s, int64_t folder, op_done_fn *done, void *arg)
{
    struct err e;

    if (cannot_wait(s, &e))
        return op_decided(&e, done, arg);
    sync_mark(s, folder);
    return waiter_new(s, WAIT_PULLED, folder, done, arg);
}

struct op *
sync_settle(struct sync *s, op_done_fn *done, void *arg)
{
    struct err e;

    if (cannot_wait(s, &e))
        return op_decided(&e, done, arg);
    return waiter_new(s, WAIT_SETTLED, 0, done, arg);
}

void
sync_status(const struct sync *s, struct sync_status *out)
{
    const struct store_folder *f =
        s->pulling ? store_folder_get(s->store, s->pulling) : NULL;
    int64_t n = 0;

    memset(out, 0, sizeof *out);
    out->state = s->state;
    out->error = s->error;
    out->next_try = s->next_try;
    if (f) {
        out->folder = f->path;
        out->listed = (uint64_t)f->listed;
        out->estimate = (uint64_t)f->estimate;
    }
    store_journal_count(s->store, &out->journal_open, NULL);
    f = NULL;
    while ((f = store_folder_next(s->store, f))) {
        struct store_counts c;

        if (store_folder_counts(s->store, f->id, &c, NULL) == 0)
            n += c.missing_bodies;
    }
    out->bodies_missing = (uint64_t)n;
}
