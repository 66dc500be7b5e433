/*
 * The queue: every command goes through it, and it alone decides when one
 * goes out. Who waits goes first; one command at a time changes a collection
 * or the folder list (each changes a key, and two would tear it); at most
 * max_requests run beside one Ping; a 503 holds everything; what failed is
 * not repeated at once. What a call has to do once more after provisioning,
 * a new version or a move is done here too, so the commands know only their
 * own requests and answers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/now.h"
#include "eas/private.h"

#define BUSY_FIRST_MS 5000
#define BUSY_MAX_MS ((int64_t)600 * 1000)
#define FOREGROUND_WAIT_MS 60000 /* a person gives up about then */
#define MAX_HOPS 4
#define MAX_BUSY 3
#define MAX_AGAIN 5
#define REPEAT_FIRST_MS 2000
#define REPEAT_MAX_MS ((int64_t)300 * 1000)
#define REPEAT_MAX_FOREGROUND_MS 5000

static void on_pump(void *arg);
static void on_timer(void *arg);

void
eas_queue_init(struct eas *eas)
{
    list_init(&eas->waiting);
    list_init(&eas->running);
    loop_task_init(&eas->pump, on_pump, eas);
    loop_timer_init(&eas->timer, on_timer, eas);
}

void
eas_queue_wake(struct eas *eas)
{
    loop_task_soon(&eas->pump);
}

static void
on_timer(void *arg)
{
    eas_queue_wake(arg);
}

/* ---- a call from birth to death */

void *
eas_call_new(struct eas *eas, const struct eas_call_kind *kind, size_t size)
{
    struct eas_call *c = xcalloc(1, size);

    c->eas = eas;
    c->kind = kind;
    list_init(&c->node);
    eas_request_init(&c->req, eas, kind->command);
    return c;
}

void
eas_call_lane(struct eas_call *c, const char *lane)
{
    if (!lane)
        return;
    for (size_t i = 0; i < c->nlanes; i++)
        if (!strcmp(c->lanes[i], lane))
            return;
    c->lanes = xrealloc(c->lanes, (c->nlanes + 1) * sizeof *c->lanes);
    c->lanes[c->nlanes++] = xstrdup(lane);
}

static void
call_free(struct eas_call *c)
{
    list_remove(&c->node);
    eas_request_clear(&c->req);
    if (c->kind->clear)
        c->kind->clear(c);
    for (size_t i = 0; i < c->nlanes; i++)
        free(c->lanes[i]);
    free(c->lanes);
    free(c);
}

static void
call_end(struct eas_call *c, const struct err *err)
{
    struct op *op = c->op;

    if (err && c->kind->failed && op_wanted(op))
        c->kind->failed(c, err);
    eas_queue_wake(c->eas);
    call_free(c);
    op_finish(&op, err);
}

static void
call_stop(void *self)
{
    call_end(self, &(struct err){E_CANCELED, "canceled"});
}

struct op *
eas_call_start(struct eas_call *c, op_done_fn *done, void *arg)
{
    c->op = op_new(call_stop, c, done, arg);
    c->since = now_ms();
    list_add(&c->eas->waiting, &c->node);
    eas_queue_wake(c->eas);
    return c->op;
}

void
eas_queue_fail(struct eas *eas, const struct err *why)
{
    while (!list_is_empty(&eas->waiting))
        call_end(LIST_OBJECT(eas->waiting.next, struct eas_call, node), why);
}

void
eas_queue_fail_running(struct eas *eas, const struct err *why)
{
    while (!list_is_empty(&eas->running))
        call_end(LIST_OBJECT(eas->running.next, struct eas_call, node), why);
}

void
eas_queue_clear(struct eas *eas)
{
    struct err gone = {E_CANCELED, "the account is closed"};

    eas_queue_fail(eas, &gone);
    eas_queue_fail_running(eas, &gone);
    loop_task_cancel(&eas->pump);
    loop_timer_clear(&eas->timer);
}

void
eas_queue_hold(struct eas *eas, int64_t ms)
{
    int64_t own =
        fault_wait(BUSY_FIRST_MS << (eas->busy < 7 ? eas->busy : 7));

    eas->busy++;
    if (!ms)
        ms = own < BUSY_MAX_MS ? own : BUSY_MAX_MS;
    if (eas->hold_until < now_ms() + ms)
        eas->hold_until = now_ms() + ms;
}

/* ---- what failed is remembered by its bytes */

static uint64_t
print_of(const struct eas_call *c)
{
    uint64_t h = 1469598103934665603u ^ (uint64_t)c->kind->command;

    for (size_t i = 0; i < c->req.w.out.len; i++)
        h = (h ^ (unsigned char)c->req.w.out.data[i]) * 1099511628211u;
    return h ? h : 1;
}

static struct eas_print *
print_find(struct eas *eas, uint64_t print)
{
    for (size_t i = 0; i < EAS_PRINTS; i++)
        if (eas->prints[i].print == print)
            return &eas->prints[i];
    return NULL;
}

/* The place of the print, or the one whose time is over first. */
static struct eas_print *
print_place(struct eas *eas, uint64_t print)
{
    struct eas_print *p = print_find(eas, print);

    if (p)
        return p;
    p = &eas->prints[0];
    for (size_t i = 1; i < EAS_PRINTS; i++)
        if (eas->prints[i].not_before < p->not_before)
            p = &eas->prints[i];
    *p = (struct eas_print){.print = print};
    return p;
}

/* Twice in a row is bad luck, then each time costs the double. */
static void
print_failed(struct eas_call *c)
{
    struct eas_print *p = print_place(c->eas, c->print);
    int64_t wait = 0;

    if (p->failures++)
        wait = fault_wait(REPEAT_FIRST_MS
                          << (p->failures < 9 ? p->failures - 1 : 8));
    p->not_before = now_ms() + (wait < REPEAT_MAX_MS ? wait : REPEAT_MAX_MS);
}

static void
print_worked(struct eas_call *c)
{
    struct eas_print *p = print_find(c->eas, c->print);

    if (p)
        *p = (struct eas_print){0};
}

/* ---- the answer */

static void
call_back(struct eas_call *c)
{
    /* To the front: it was its turn. */
    list_remove(&c->node);
    c->is_running = false;
    list_add_first(&c->eas->waiting, &c->node);
    eas_queue_wake(c->eas);
}

static void
call_failed(struct eas_call *c, const struct err *err)
{
    struct err copy = *err; /* may live in the call */

    print_failed(c);
    call_end(c, &copy);
}

static void
call_got(struct eas_call *c)
{
    struct err e = {0};
    int rc;

    c->eas->busy = 0;
    if (!op_wanted(c->op)) {
        call_end(c, NULL);
        return;
    }
    rc = c->req.streaming ? c->kind->stream_end(c, &e)
                          : c->kind->answer(c, buf_slice(&c->req.body), &e);
    if (rc > 0 && ++c->again <= MAX_AGAIN) {
        call_back(c);
        return;
    }
    if (rc > 0)
        rc = err_set(&e, E_RETRY, "%s: the server corrects us for ever",
                     eas_command_name(c->kind->command));
    if (rc) {
        call_failed(c, &e);
        return;
    }
    print_worked(c);
    call_end(c, NULL);
}

/* Another call may have provisioned meanwhile: then the new key will do. */
static void
call_provision(struct eas_call *c)
{
    struct eas *eas = c->eas;

    if (c->provisioned) {
        call_failed(c, &c->req.err);
        return;
    }
    c->provisioned = true;
    if (!strcmp(c->key_used, eas->state.policy_key))
        eas->need_provision = true;
    call_back(c);
}

static void
call_version(struct eas_call *c)
{
    if (c->versioned) {
        call_failed(c, &c->req.err);
        return;
    }
    c->versioned = true;
    c->eas->want_version = true;
    call_back(c);
}

static void
call_moved(struct eas_call *c)
{
    struct err e;

    if (++c->hops > MAX_HOPS) {
        err_set(&e, E_REMOTE, "the server sends us round in circles (451)");
        call_failed(c, &e);
    } else if (eas_move_to(c->eas, c->req.location, &e)) {
        call_failed(c, &e);
    } else {
        call_back(c);
    }
}

static void
call_busy(struct eas_call *c)
{
    eas_queue_hold(c->eas, c->req.wait_ms);
    if (++c->busy > MAX_BUSY)
        call_failed(c, &c->req.err);
    else
        call_back(c);
}

static void
call_stopped(struct eas_call *c)
{
    struct err why = c->req.err;

    eas_stop(c->eas, &why);
    call_end(c, &why);
}

static void
on_outcome(struct eas_request *r, enum eas_outcome outcome)
{
    struct eas_call *c =
        (struct eas_call *)(void *)((char *)r - offsetof(struct eas_call, req));

    if (r->begin_anew && c->kind->command != EAS_CMD_FOLDERSYNC) {
        c->eas->want_version = true;
        if (c->eas->watcher.on_begin_anew)
            c->eas->watcher.on_begin_anew(c->eas->watcher.arg);
    }
    switch (outcome) {
    case EAS_GOT:
        call_got(c);
        return;
    case EAS_NEED_PROVISION:
        call_provision(c);
        return;
    case EAS_NEED_VERSION:
        call_version(c);
        return;
    case EAS_MOVED:
        call_moved(c);
        return;
    case EAS_REFUSED:
        if (eas_auth_refused(&c->eas->auth) == EAS_AUTH_RENEW) {
            call_back(c);
            return;
        }
        call_stopped(c);
        return;
    case EAS_BUSY:
        call_busy(c);
        return;
    case EAS_STOPPED:
        call_stopped(c);
        return;
    case EAS_FAILED:
        call_failed(c, &r->err);
        return;
    }
}

/* ---- who is next */

static bool
shares_lane(const struct eas_call *a, const struct eas_call *b)
{
    for (size_t i = 0; i < a->nlanes; i++)
        for (size_t k = 0; k < b->nlanes; k++)
            if (!strcmp(a->lanes[i], b->lanes[k]))
                return true;
    return false;
}

static bool
is_ping(const struct eas_call *c)
{
    return c->kind->command == EAS_CMD_PING;
}

static bool
lanes_are_free(struct eas *eas, const struct eas_call *c)
{
    struct list *node, *after;

    LIST_EACH(&eas->running, node, after)
        if (shares_lane(c, LIST_OBJECT(node, struct eas_call, node)))
            return false;
    /* Nor past one that waits for the same and is due before this. */
    LIST_EACH(&eas->waiting, node, after) {
        struct eas_call *w = LIST_OBJECT(node, struct eas_call, node);

        if (w == c)
            break;
        if (w->background <= c->background && shares_lane(c, w))
            return false;
    }
    return true;
}

static unsigned
running_count(struct eas *eas)
{
    struct list *node, *after;
    unsigned n = 0;

    LIST_EACH(&eas->running, node, after)
        n += !is_ping(LIST_OBJECT(node, struct eas_call, node));
    return n;
}

/* Builds the request; false when the call must wait for its own bad luck, or
 * is gone. */
static bool
call_prepare(struct eas_call *c)
{
    struct eas_print *p;
    struct err e = {0};
    int64_t now = now_ms(), until;

    wbxml_writer_clear(&c->req.w);
    wbxml_writer_init(&c->req.w, EAS_REQUEST_MAX);
    if (c->kind->build(c, &e) ||
        (c->req.w.out.len > 4 && wbxml_write_done(&c->req.w, &e))) {
        call_end(c, &e);
        return false;
    }
    c->print = print_of(c);
    p = print_find(c->eas, c->print);
    until = p ? p->not_before : 0;
    if (!c->background && until > now + REPEAT_MAX_FOREGROUND_MS)
        until = c->since + REPEAT_MAX_FOREGROUND_MS;
    c->not_before = until;
    return until <= now;
}

static int
on_stream(struct eas_request *r, struct slice piece, struct err *e)
{
    struct eas_call *c =
        (struct eas_call *)(void *)((char *)r - offsetof(struct eas_call, req));

    return c->kind->stream(c, piece, e);
}

static void
call_go(struct eas_call *c)
{
    struct eas *eas = c->eas;

    list_remove(&c->node);
    list_add(&eas->running, &c->node);
    c->is_running = true;
    memcpy(c->key_used, eas->state.policy_key, sizeof c->key_used);
    c->req.policy_key = c->key_used;
    c->req.stream = c->kind->stream ? on_stream : NULL;
    eas_request_send(&c->req, on_outcome);
}

/* One that may go now, of the ones that wait for nobody. */
static struct eas_call *
next_call(struct eas *eas, bool background)
{
    bool full = running_count(eas) >= eas->max_requests;
    struct list *node, *after;

    LIST_EACH(&eas->waiting, node, after) {
        struct eas_call *c = LIST_OBJECT(node, struct eas_call, node);

        if (c->background != background || (full && !is_ping(c)) ||
            c->not_before > now_ms() || !lanes_are_free(eas, c))
            continue;
        return c;
    }
    return NULL;
}

/* People do not wait for the end of a long throttle. */
static void
fail_impatient(struct eas *eas, int64_t left)
{
    struct list *node, *after;
    struct err e;

    if (left <= FOREGROUND_WAIT_MS)
        return;
    err_set(&e, E_RETRY, "the server wants no requests for another %lld s",
            (long long)(left / 1000));
    LIST_EACH(&eas->waiting, node, after) {
        struct eas_call *c = LIST_OBJECT(node, struct eas_call, node);

        if (!c->background && !is_ping(c))
            call_end(c, &e);
    }
}

static void
set_timer(struct eas *eas)
{
    struct list *node, *after;
    int64_t next = eas->hold_until, now = now_ms();

    if (next <= now) {
        next = 0;
        LIST_EACH(&eas->waiting, node, after) {
            int64_t t = LIST_OBJECT(node, struct eas_call, node)->not_before;

            if (t > now && (!next || t < next))
                next = t;
        }
    }
    if (next)
        loop_timer_set(&eas->timer, next - now + 1);
    else
        loop_timer_stop(&eas->timer);
}

/* What failed last time waits its time, but a person not longer than for a
 * repetition. */
static void
connect_soon(struct eas *eas)
{
    int64_t now = now_ms(), at = eas->connect_not_before;
    struct list *node, *after;

    LIST_EACH(&eas->waiting, node, after) {
        struct eas_call *c = LIST_OBJECT(node, struct eas_call, node);

        if (!c->background && !is_ping(c) &&
            at > c->since + REPEAT_MAX_FOREGROUND_MS)
            at = c->since + REPEAT_MAX_FOREGROUND_MS;
    }
    if (at <= now)
        eas_connect_begin(eas);
    else
        loop_timer_set(&eas->timer, at - now + 1);
}

static void
on_pump(void *arg)
{
    struct eas *eas = arg;
    struct err e;
    struct eas_call *c;

    if (eas->stopped) {
        e = eas->stop_err;
        eas_queue_fail(eas, &e);
        return;
    }
    if (list_is_empty(&eas->waiting) || flow_is_running(&eas->connect))
        return;
    if (!eas_auth_is_ready(&eas->auth)) {
        err_set(&e, E_LOGIN, "nobody has signed in to Exchange yet");
        eas_queue_fail(eas, &e);
        return;
    }
    if (eas->hold_until > now_ms()) {
        fail_impatient(eas, eas->hold_until - now_ms());
    } else if (eas_connect_is_due(eas)) {
        connect_soon(eas);
        return;
    } else {
        while ((c = next_call(eas, false)) || (c = next_call(eas, true)))
            if (!c->kind->build) /* only wanted the connection */
                call_end(c, NULL);
            else if (call_prepare(c))
                call_go(c);
    }
    set_timer(eas);
}

/* ---- eas_connect(): a call that has nothing to send */

struct op *
eas_connect(struct eas *eas, op_done_fn *done, void *arg)
{
    static const struct eas_call_kind kind = {.command = EAS_CMD_ANY};
    struct eas_call *c = eas_call_new(eas, &kind, sizeof *c);

    eas->want_version = true;
    return eas_call_start(c, done, arg);
}
