/*
 * Group flush: a worker makes durable what was committed, once for all who
 * wait, and only then are watchers told. It flushes the WAL and the new files
 * by their names and never opens the database, since closing that would drop
 * SQLite's locks.
 */
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "loop/op.h"
#include "loop/worker.h"
#include "store/private.h"

#define FLUSH_RETRY_MS 1000
#define FLUSH_BODIES_MS 250 /* bodies that stream in share one so often */

void
store_waiters_end(struct list *waiters, const struct err *err)
{
    while (!list_is_empty(waiters)) {
        struct store_waiter *w =
            LIST_OBJECT(waiters->next, struct store_waiter, node);

        list_remove(&w->node);
        op_finish(&w->op, err);
        free(w);
    }
}

/* What clients can see is flushed at once. Bodies of a first sync come by the
 * hundred, and nobody waits for the single one: those share a flush. So do the
 * steps of a submission: where one must be durable before the next, the outbox
 * waits for store_flush(). */
void
store_flush_plan(struct store *s)
{
    int64_t since = now_ms() - s->flushed_ms;

    if (s->urgent || since >= FLUSH_BODIES_MS)
        loop_task_soon(&s->flush_soon);
    else if (!loop_timer_is_set(&s->flush_retry))
        loop_timer_set(&s->flush_retry, FLUSH_BODIES_MS - since);
}

struct flush_job {
    struct worker_job job;
    struct store *store;
    char *wal, *bodies;
    char **paths;
    size_t npaths;
    struct store_change *changes;
    size_t nchanges;
    struct list waiters;
};

static int
by_path(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Neighbours stand together, each directory is flushed once, and all files
 * are on their way to the disk before the first one is waited for: the file
 * system then commits its own journal once for all of them. */
static void
flush_run(struct worker_job *job)
{
    struct flush_job *f = (struct flush_job *)job;
    char *last_dir = NULL;
    bool has_body = false;
    int rc = 0;

    if (fault_point("fsync"))
        rc = err_set(&job->err, E_RETRY, "flush: fault");
    if (f->npaths > 1)
        qsort(f->paths, f->npaths, sizeof *f->paths, by_path);
    for (size_t i = 0; rc == 0 && f->npaths > 1 && i < f->npaths; i++)
        file_sync_begin(f->paths[i]);
    for (size_t i = 0; rc == 0 && i < f->npaths; i++) {
        char *dir = file_dir(f->paths[i]);
        struct err e;

        has_body |= slice_starts(slice_of(dir), f->bodies);
        /* A file that was removed meanwhile needs no flush. */
        if (file_sync(f->paths[i], &e) && e.code != E_MISSING) {
            job->err = e;
            rc = -1;
        }
        if (rc == 0 && last_dir && strcmp(last_dir, dir) != 0)
            rc = file_sync(last_dir, &job->err);
        free(last_dir);
        last_dir = dir;
    }
    if (rc == 0 && last_dir)
        rc = file_sync(last_dir, &job->err);
    free(last_dir);
    /* the directories of bodies may be new themselves */
    if (rc == 0 && has_body)
        rc = file_sync(f->bodies, &job->err);
    if (rc == 0) {
        struct err e;

        if (file_sync(f->wal, &e) && e.code != E_MISSING)
            job->err = e;
    }
}

static void
flush_tell(struct store *s, const struct flush_job *f)
{
    struct store_watcher *w, *next;

    if (!f->nchanges)
        return;
    for (w = s->watchers; w; w = next) {
        next = w->next;
        w->on_changes(w->arg, f->changes, f->nchanges);
    }
}

static void
flush_done(struct worker_job *job, bool wanted)
{
    struct flush_job *f = (struct flush_job *)job;
    struct err gone;

    if (wanted && !job->err.code) {
        flush_tell(f->store, f);
        store_waiters_end(&f->waiters, NULL);
    } else if (wanted) {
        /* Not on the disk: nobody is told, and it is tried again. */
        struct store *s = f->store;

        log_error("store", "flush of %s failed: %s", s->dir, job->err.text);
        store_waiters_end(&f->waiters, &job->err);
        for (size_t i = 0; i < f->npaths; i++)
            store_file_dirty(s, xstrdup(f->paths[i]));
        s->committed = xrealloc(s->committed, (s->ncommitted + f->nchanges) *
                                                  sizeof *s->committed);
        memmove(s->committed + f->nchanges, s->committed,
                s->ncommitted * sizeof *s->committed);
        memcpy(s->committed, f->changes, f->nchanges * sizeof *f->changes);
        s->ncommitted += f->nchanges;
        s->committed_cap = s->ncommitted;
        s->urgent = true;
        loop_timer_set(&s->flush_retry, FLUSH_RETRY_MS);
    } else {
        err_set(&gone, E_CANCELED, "the store is closing");
        store_waiters_end(&f->waiters, &gone);
    }
    store_paths_free(&f->paths, &f->npaths);
    free(f->changes);
    free(f->wal);
    free(f->bodies);
    free(f);
}

static void
on_flushed(void *arg, const struct err *err)
{
    struct store *s = arg;

    if (!err)
        store_reserve_back(s);
    s->flushed_ms = now_ms();
    if (!list_is_empty(&s->waiters))
        loop_task_soon(&s->flush_soon);
    else if (s->ncommitted && !loop_timer_is_set(&s->flush_retry))
        store_flush_plan(s);
}

void
store_flush_now(void *arg)
{
    struct store *s = arg;
    struct flush_job *f;

    if (s->flush || s->depth)
        return;
    loop_timer_stop(&s->flush_retry);
    f = xcalloc(1, sizeof *f);
    f->job.run = flush_run;
    f->job.done = flush_done;
    f->store = s;
    f->wal = xasprintf("%s/store.db-wal", s->dir);
    f->bodies = xasprintf("%s/body", s->dir);
    f->paths = s->dirty;
    f->npaths = s->ndirty;
    s->dirty = NULL;
    s->ndirty = 0;
    f->changes = s->committed;
    f->nchanges = s->ncommitted;
    s->committed = NULL;
    s->ncommitted = s->committed_cap = 0;
    s->urgent = false;
    list_init(&f->waiters);
    while (!list_is_empty(&s->waiters)) {
        struct list *n = s->waiters.next;

        list_remove(n);
        list_add(&f->waiters, n);
    }
    op_hold(&s->flush, worker_run(s->disk, &f->job, on_flushed, s));
}

static void
waiter_stop(void *self)
{
    struct store_waiter *w = self;

    list_remove(&w->node);
    op_finish(&w->op, NULL);
    free(w);
}

struct op *
store_flush(struct store *s, op_done_fn *done, void *arg)
{
    struct store_waiter *w = xcalloc(1, sizeof *w);
    struct op *op = op_new(waiter_stop, w, done, arg);

    w->op = op;
    list_add(&s->waiters, &w->node);
    loop_task_soon(&s->flush_soon);
    return op;
}
