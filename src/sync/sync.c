/*
 * Synchronisation of an account: rounds (round.c) while something is due
 * (mark.c), then Ping (ping.c); bodies come beside it. The account makes one
 * of these; doors call the public functions.
 */
#include "sync/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "store/body.h"
#include "store/journal.h"

#define RELIST_WAIT_S 600
#define BODIES_RETRY_MS ((int64_t)30000)
#define DENIED_MIN_MS ((int64_t)600 * 1000)
#define DENIED_MAX_MS ((int64_t)4 * 3600 * 1000)

static int narrower(int a, int b);
static void on_kick(void *arg);
static void on_retry(void *arg);
static void on_denied(void *arg);
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
    s->window = c->window;
    s->filter = narrower(c->window.filter, c->window.policy);
    s->relist_wait = c->relist_wait ? c->relist_wait : RELIST_WAIT_S;
    list_init(&s->marks);
    list_init(&s->waiters);
    loop_task_init(&s->kick, on_kick, s);
    loop_timer_init(&s->wake, on_kick, s);
    loop_timer_init(&s->retry, on_retry, s);
    loop_timer_init(&s->denied, on_denied, s);
    sync_timed_init(s, c->intervals);
    loop_timer_init(&s->bodies_retry, on_bodies_retry, s);
    loop_timer_init(&s->bodies_refused, on_bodies_retry, s);
    s->watcher.on_changes = on_changes;
    s->watcher.arg = s;
    store_watch(s->store, &s->watcher);
    return s;
}

void
sync_free(struct sync **sp)
{
    struct sync *s = *sp;
    struct list *n, *after;
    struct err e;

    if (!s)
        return;
    sync_stop(s, NULL);
    err_set(&e, E_CANCELED, "the account is closing");
    sync_tell_all(s, &e);
    LIST_EACH(&s->marks, n, after)
        free(LIST_OBJECT(n, struct mark, node));
    store_unwatch(s->store, &s->watcher);
    loop_task_cancel(&s->kick);
    loop_timer_clear(&s->wake);
    loop_timer_clear(&s->retry);
    loop_timer_clear(&s->denied);
    sync_timed_clear(s);
    loop_timer_clear(&s->bodies_retry);
    loop_timer_clear(&s->bodies_refused);
    free(s->account);
    free(s);
    *sp = NULL;
}

static int
narrower(int a, int b)
{
    return !a || (b && b < a) ? b : a;
}

void
sync_set_window(struct sync *s, const struct sync_window *w)
{
    const struct store_folder *f = NULL;
    int filter = narrower(w->filter, w->policy);
    bool news = filter != s->filter || w->policy != s->window.policy;

    s->window = *w;
    s->filter = filter;
    while (news && (f = store_folder_next(s->store, f)))
        if (f->state != STORE_FOLDER_NEW)
            sync_mark(s, f->id);
}

void
sync_begin_anew(struct sync *s)
{
    s->anew = true;
    sync_mark(s, 0);
}

/* ---- bodies, beside the rounds ---- */

static void bodies_start(struct sync *s);

static void
on_bodies(void *arg, const struct err *err)
{
    struct sync *s = arg;

    if (!err || err->code != E_CANCELED)
        s->bodies_error = err ? *err : (struct err){0};
    if (err && err->code != E_CANCELED) {
        log_debug("sync", "account=%s bodies: %s", s->account, err->text);
        loop_timer_set(&s->bodies_retry, fault_wait(BODIES_RETRY_MS));
    } else if (!err && s->bodies_came) {
        bodies_start(s);
    }
    if (s->bodies_wait)
        loop_timer_set(&s->bodies_refused, STORE_BODY_PAUSE * 1000 + 500);
    s->bodies_wait = false;
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

/* ---- what happens next ---- */

static bool
work_is_due(struct sync *s)
{
    struct mark *list = sync_mark_of(s, 0);
    int64_t collection = 0, wait = 0;

    if (list->set && list->due <= now_ms())
        return true;
    if (sync_mark_due(s))
        return true;
    if (store_journal_collection(s->store, &collection, &wait, NULL))
        return false;
    if (wait)
        sync_wake_in(s, (wait - now_unix()) * 1000 + 500);
    return collection != 0;
}

static void
on_kick(void *arg)
{
    struct sync *s = arg;

    if (!s->started || flow_is_running(&s->round) ||
        loop_timer_is_set(&s->retry))
        return;
    /* The list would be asked for by a key that is about to be used up; the
     * end of the change comes here again. */
    if (s->editing && sync_mark_of(s, 0)->set)
        return;
    loop_timer_stop(&s->wake);
    if (work_is_due(s)) {
        op_cancel(&s->ping);
        s->state = s->state == SYNC_CONNECTING ? s->state : SYNC_WORKING;
        sync_round_start(s);
        return;
    }
    sync_mark_wake(s);
    sync_tell_settled(s, NULL);
    bodies_start(s);
    if (!s->ping)
        sync_ping_start(s);
}

static void
on_retry(void *arg)
{
    struct sync *s = arg;

    loop_task_soon(&s->kick);
}

/* A server that is being set up, a device in quarantine, an administrator's
 * mistake: a "no" that is nobody's password may pass without a word to us. */
void
sync_denied(struct sync *s)
{
    if (loop_timer_is_set(&s->denied))
        return;
    s->denied_wait =
        s->denied_wait ? s->denied_wait * 2 : fault_wait(DENIED_MIN_MS);
    if (s->denied_wait > DENIED_MAX_MS)
        s->denied_wait = DENIED_MAX_MS;
    loop_timer_set(&s->denied, s->denied_wait);
}

static void
on_denied(void *arg)
{
    struct sync *s = arg;

    log_notice("sync", "account=%s was refused; asks whether it still is",
               s->account);
    eas_wake(s->eas);
    sync_start(s);
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
        sync_tell_ready(s);
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
    loop_timer_stop(&s->denied);
    sync_timed_all(s);
    loop_task_soon(&s->kick);
}

void
sync_stop(struct sync *s, const struct err *why)
{
    s->started = false;
    s->state = SYNC_STOPPED;
    s->pulling = 0;
    /* The round does not live to tell its failure. */
    flow_cancel(&s->round);
    op_cancel(&s->ping);
    op_cancel(&s->bodies);
    eas_ping_answer_clear(&s->ping_answer);
    loop_timer_stop(&s->wake);
    loop_timer_stop(&s->retry);
    sync_timed_stop(s);
    loop_timer_stop(&s->bodies_retry);
    loop_timer_stop(&s->bodies_refused);
    if (!why || why->code != E_DENIED)
        loop_timer_stop(&s->denied);
    if (!why)
        return;
    if (why->code == E_DENIED)
        sync_denied(s);
    s->error = *why;
    sync_tell_settled(s, why);
}

void
sync_push_soon(struct sync *s)
{
    loop_task_soon(&s->kick);
}

void
sync_status(const struct sync *s, struct sync_status *out)
{
    const struct store_folder *f =
        s->pulling ? store_folder_get(s->store, s->pulling) : NULL;

    memset(out, 0, sizeof *out);
    out->state = s->state;
    out->error = s->error;
    out->bodies_error = s->bodies_error;
    out->next_try = s->next_try;
    if (f) {
        out->folder = f->path;
        out->listed = (uint64_t)f->listed;
        out->estimate = (uint64_t)f->estimate;
    }
    store_journal_count(s->store, &out->journal_open, NULL);
    store_message_missing_count(s->store, &out->bodies_missing, NULL);
}
