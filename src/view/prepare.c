/*
 * New mail is opened ahead of time, one message after the other, so that a
 * client finds its record. A watcher on the store; newest first.
 */
#include "view/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "loop/loop.h"
#include "loop/worker.h"
#include "store/body.h"

#define WAITING_MAX 1000u

struct prepare {
    struct views *views;
    struct store_watcher watcher;
    int64_t waiting[WAITING_MAX];
    size_t n;
    struct op *op;
    struct view *view;
    struct loop_task soon;
    struct loop_timer later;
};

static void
on_opened(void *arg, const struct err *err)
{
    struct prepare *p = arg;

    /* What could not be opened now is tried when somebody asks for it. */
    (void)err;
    view_unref(&p->view);
    loop_task_soon(&p->soon);
}

static void
on_soon(void *arg)
{
    struct prepare *p = arg;
    struct arena *a;
    struct store_view v;

    if (p->op || !p->n)
        return;
    if (worker_load(p->views->crypto)) { /* who waits goes first */
        loop_timer_set(&p->later, 100);
        return;
    }
    a = arena_new();
    while (p->n) {
        int64_t id = p->waiting[--p->n];

        if (store_view_get(p->views->store, id, a, &v, NULL) == 0) {
            op_hold(&p->op, view_open_ahead(p->views, id, &p->view,
                                             on_opened, p));
            break;
        }
    }
    arena_free(&a);
}

static void
on_changes(void *arg, const struct store_change *c, size_t n)
{
    struct prepare *p = arg;

    for (size_t i = 0; i < n; i++) {
        if (c[i].kind == STORE_MESSAGE_REMOVED)
            view_cache_drop(p->views, c[i].message);
        if (c[i].kind != STORE_BODY_ARRIVED)
            continue;
        if (p->n == WAITING_MAX) {
            memmove(p->waiting, p->waiting + 1,
                    (WAITING_MAX - 1) * sizeof *p->waiting);
            p->n--;
        }
        p->waiting[p->n++] = c[i].message;
    }
    if (p->n)
        loop_task_soon(&p->soon);
}

void
views_prepare_start(struct views *vs)
{
    struct prepare *p;

    if (vs->prepare)
        return;
    p = xcalloc(1, sizeof *p);
    p->views = vs;
    p->watcher.on_changes = on_changes;
    p->watcher.arg = p;
    loop_task_init(&p->soon, on_soon, p);
    loop_timer_init(&p->later, on_soon, p);
    store_watch(vs->store, &p->watcher);
    vs->prepare = p;
}

void
view_prepare_free(struct prepare **pp)
{
    struct prepare *p = *pp;

    if (!p)
        return;
    op_cancel(&p->op);
    loop_task_cancel(&p->soon);
    loop_timer_clear(&p->later);
    store_unwatch(p->views->store, &p->watcher);
    view_unref(&p->view);
    free(p);
    *pp = NULL;
}
