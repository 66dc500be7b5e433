/*
 * The loop on libevent: tasks, timers, file descriptors, signals. Everything
 * that waits in this process hangs here.
 */
#include "loop/loop.h"

#include <assert.h>
#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "base/mem.h"
#include "loop/private.h"

struct loop {
    struct event_base *base;
    struct event *soon;
    struct list tasks;
    bool running_tasks;
};

struct loop_fd {
    struct event *event;
    int fd;
    unsigned what;
    void (*ready)(void *arg, unsigned what);
    void *arg;
};

struct loop_signal {
    struct event *event;
    void (*run)(void *arg);
    void *arg;
};

static struct loop *current;

static void on_soon(evutil_socket_t fd, short what, void *arg);

struct loop *
loop_new(void)
{
    struct loop *l = xcalloc(1, sizeof *l);
    struct event_config *cfg = event_config_new();
    struct sigaction pipe_action;

    if (!cfg)
        abort();
    /* OpenSSL writes with write(): a peer that has gone is an error value,
     * not the end of the process. */
    if (sigaction(SIGPIPE, NULL, &pipe_action) == 0 &&
        pipe_action.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
    event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
    l->base = event_base_new_with_config(cfg);
    event_config_free(cfg);
    if (!l->base)
        abort(); /* no epoll, no memory: there is no daemon without it */
    l->soon = event_new(l->base, -1, 0, on_soon, l);
    if (!l->soon)
        abort();
    list_init(&l->tasks);
    current = l;
    return l;
}

void
loop_free(struct loop **lp)
{
    struct loop *l = *lp;

    if (!l)
        return;
    event_free(l->soon);
    event_base_free(l->base);
    if (current == l)
        current = NULL;
    free(l);
    *lp = NULL;
}

struct loop *
loop_current(void)
{
    assert(current);
    return current;
}

struct event_base *
loop_base(struct loop *l)
{
    return l->base;
}

void
loop_run(struct loop *l)
{
    event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void
loop_stop(struct loop *l)
{
    event_base_loopbreak(l->base);
}

void
loop_turn(struct loop *l, bool wait)
{
    event_base_loop(l->base, EVLOOP_ONCE | (wait ? 0 : EVLOOP_NONBLOCK));
}

/* ---- tasks ---- */

void
loop_task_init(struct loop_task *t, void (*run)(void *arg), void *arg)
{
    list_init(&t->node);
    t->run = run;
    t->arg = arg;
}

void
loop_task_soon(struct loop_task *t)
{
    struct loop *l = loop_current();

    if (!list_is_empty(&t->node))
        return;
    list_add(&l->tasks, &t->node);
    if (!l->running_tasks)
        event_active(l->soon, EV_TIMEOUT, 0);
}

void
loop_task_cancel(struct loop_task *t)
{
    list_remove(&t->node);
}

bool
loop_task_is_waiting(const struct loop_task *t)
{
    return !list_is_empty(&t->node);
}

/* Runs what is waiting now; what these ask for comes in the next round, so
 * that tasks which call each other cannot starve the sockets. (A time of 0
 * and not event_active(): libevent would run that in the same round.) */
static void
on_soon(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;
    struct list now;

    (void)fd;
    (void)what;
    list_init(&now);
    while (!list_is_empty(&l->tasks)) {
        struct list *n = l->tasks.next;

        list_remove(n);
        list_add(&now, n);
    }
    l->running_tasks = true;
    while (!list_is_empty(&now)) {
        struct loop_task *t = LIST_OBJECT(now.next, struct loop_task, node);

        list_remove(&t->node);
        t->run(t->arg);
    }
    l->running_tasks = false;
    if (!list_is_empty(&l->tasks))
        event_add(l->soon, &(struct timeval){0, 0});
}

/* ---- timers ---- */

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct loop_timer *t = arg;

    (void)fd;
    (void)what;
    t->set = false;
    t->run(t->arg);
}

void
loop_timer_init(struct loop_timer *t, void (*run)(void *arg), void *arg)
{
    t->event = NULL;
    t->run = run;
    t->arg = arg;
    t->set = false;
}

void
loop_timer_set(struct loop_timer *t, int64_t ms)
{
    struct timeval tv;

    if (ms < 0)
        ms = 0;
    if (!t->event) {
        t->event = event_new(loop_current()->base, -1, 0, on_timer, t);
        if (!t->event)
            abort();
    }
    tv.tv_sec = ms / 1000;
    tv.tv_usec = ms % 1000 * 1000;
    event_add(t->event, &tv);
    t->set = true;
}

void
loop_timer_stop(struct loop_timer *t)
{
    if (t->event)
        event_del(t->event);
    t->set = false;
}

void
loop_timer_clear(struct loop_timer *t)
{
    if (t->event)
        event_free(t->event);
    t->event = NULL;
    t->set = false;
}

bool
loop_timer_is_set(const struct loop_timer *t)
{
    return t->set;
}

/* ---- file descriptors ---- */

static void
on_fd(evutil_socket_t fd, short what, void *arg)
{
    struct loop_fd *f = arg;

    if (f->what == LOOP_CLOSED) {
        struct pollfd p = {.fd = fd, .events = POLLRDHUP};

        if (poll(&p, 1, 0) == 1)
            f->ready(f->arg, LOOP_CLOSED);
        return;
    }
    f->ready(f->arg, (what & EV_READ ? LOOP_READ : 0) |
                         (what & EV_WRITE ? LOOP_WRITE : 0) |
                         (what & EV_CLOSED ? LOOP_CLOSED : 0));
}

struct loop_fd *
loop_fd_new(int fd, void (*ready)(void *arg, unsigned what), void *arg)
{
    struct loop_fd *f = xcalloc(1, sizeof *f);

    f->fd = fd;
    f->ready = ready;
    f->arg = arg;
    return f;
}

/* A line that breaks (RST) is told by libevent to readers and writers only,
 * and epoll would say it again and again. Who waits for the end alone
 * therefore is a reader, woken once for each thing that happens. */
static short
fd_bits(unsigned what)
{
    if (what == LOOP_CLOSED)
        return EV_PERSIST | EV_READ | EV_CLOSED | EV_ET;
    return (short)(EV_PERSIST | (what & LOOP_READ ? EV_READ : 0) |
                   (what & LOOP_WRITE ? EV_WRITE : 0) |
                   (what & LOOP_CLOSED ? EV_CLOSED : 0));
}

void
loop_fd_watch(struct loop_fd *f, unsigned what)
{
    if (f->what == what)
        return;
    f->what = what;
    if (f->event)
        event_del(f->event);
    if (!what)
        return;
    if (!f->event)
        f->event = event_new(loop_current()->base, f->fd, fd_bits(what),
                             on_fd, f);
    else if (event_assign(f->event, loop_current()->base, f->fd,
                          fd_bits(what), on_fd, f))
        abort();
    if (!f->event || event_add(f->event, NULL))
        abort();
}

void
loop_fd_free(struct loop_fd **fp)
{
    struct loop_fd *f = *fp;

    if (!f)
        return;
    if (f->event)
        event_free(f->event);
    free(f);
    *fp = NULL;
}

/* ---- signals ---- */

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
    struct loop_signal *s = arg;

    (void)fd;
    (void)what;
    s->run(s->arg);
}

struct loop_signal *
loop_signal_new(int signo, void (*run)(void *arg), void *arg)
{
    struct loop_signal *s = xcalloc(1, sizeof *s);

    s->run = run;
    s->arg = arg;
    s->event = evsignal_new(loop_current()->base, signo, on_signal, s);
    if (!s->event || event_add(s->event, NULL))
        abort();
    return s;
}

void
loop_signal_free(struct loop_signal **sp)
{
    if (!*sp)
        return;
    event_free((*sp)->event);
    free(*sp);
    *sp = NULL;
}
