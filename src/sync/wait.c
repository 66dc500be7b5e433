/*
 * Who waits for what: a folder that is listed, a folder that was pulled, a
 * journal that is worked off. The rounds tell them here.
 */
#include "sync/private.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/now.h"

enum wait_kind { WAIT_READY, WAIT_PULLED, WAIT_SETTLED };
struct waiter {
    struct list node;
    struct op *op;
    enum wait_kind kind;
    int64_t folder, since;
};

static void
waiter_end(struct waiter *w, const struct err *err)
{
    list_remove(&w->node);
    op_finish(&w->op, err);
    free(w);
}

/* The account is closing. */
void
sync_tell_all(struct sync *s, const struct err *err)
{
    struct list *n, *after;

    LIST_EACH(&s->waiters, n, after)
        waiter_end(LIST_OBJECT(n, struct waiter, node), err);
}

bool
sync_is_awaited(const struct sync *s, int64_t folder)
{
    const struct list *n;

    for (n = s->waiters.next; n != &s->waiters; n = n->next) {
        const struct waiter *w = LIST_OBJECT(n, struct waiter, node);

        if (w->folder == folder && w->kind != WAIT_SETTLED)
            return true;
    }
    return false;
}

void
sync_tell_pulled(struct sync *s, int64_t folder, int64_t began,
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

void
sync_tell_settled(struct sync *s, const struct err *err)
{
    struct list *n, *after;

    LIST_EACH(&s->waiters, n, after) {
        struct waiter *w = LIST_OBJECT(n, struct waiter, node);

        if (w->kind == WAIT_SETTLED || err)
            waiter_end(w, err);
    }
}

void
sync_tell_ready(struct sync *s)
{
    struct list *n, *after;
    struct err e;

    LIST_EACH(&s->waiters, n, after) {
        struct waiter *w = LIST_OBJECT(n, struct waiter, node);
        const struct store_folder *f;

        if (w->kind != WAIT_READY)
            continue;
        if (!w->folder) {
            if (store_folder_next(s->store, NULL))
                waiter_end(w, NULL);
            continue;
        }
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

    if (f ? f->state == STORE_FOLDER_READY ||
                f->state == STORE_FOLDER_RELISTING
          : !folder && store_folder_next(s->store, NULL))
        return op_decided(NULL, done, arg);
    if (!f && folder)
        err_set(&e, E_MISSING, "the folder is gone");
    if ((!f && folder) || cannot_wait(s, &e) || sync_rests(s, folder, &e))
        return op_decided(&e, done, arg);
    sync_mark(s, folder);
    return waiter_new(s, WAIT_READY, folder, done, arg);
}

struct op *
sync_folder_now(struct sync *s, int64_t folder, op_done_fn *done, void *arg)
{
    struct err e;

    if (cannot_wait(s, &e) || sync_rests(s, folder, &e))
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
