/*
 * The store as a whole: opening, transactions, watchers. The
 * tables have a file each.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "loop/op.h"
#include "loop/worker.h"
#include "store/private.h"

#define RESERVE_BYTES (16 << 20)

/* ---- opening ---- */

static int
store_lock(struct store *s, struct err *e)
{
    char *path = xasprintf("%s/lock", s->dir);
    int rc = 0;

    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0)
        rc = err_errno(e, E_RETRY, errno, "%s", path);
    else if (flock(s->lock_fd, LOCK_EX | LOCK_NB))
        rc = err_set(e, E_RETRY,
                     "%s is in use by another daemon; stop it first", s->dir);
    free(path);
    return rc;
}

/* Space that is given up when the disk is full (SPEC section 5). */
static void
reserve_make(struct store *s)
{
    char *path = xasprintf("%s/reserve", s->dir);
    struct stat st;
    int fd;

    if (stat(path, &st) || st.st_size < RESERVE_BYTES) {
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0) {
            if (posix_fallocate(fd, 0, RESERVE_BYTES))
                unlink(path); /* half a reserve only takes room away */
            close(fd);
        }
    }
    free(path);
}

/* Made again when there is room for it and as much for the work. */
void
store_reserve_back(struct store *s)
{
    struct statvfs v;

    if (!s->reserve_given || statvfs(s->dir, &v) ||
        (uint64_t)v.f_bavail * v.f_frsize < 4 * (uint64_t)RESERVE_BYTES)
        return;
    s->reserve_given = false;
    reserve_make(s);
}

void
store_full_hint(struct store *s, const struct err *e)
{
    char *path;

    if (!e || e->code != E_FULL || s->reserve_given)
        return;
    s->reserve_given = true;
    path = xasprintf("%s/reserve", s->dir);
    unlink(path);
    free(path);
}

/* A file and what was to become it ("NAME.RANDOM.tmp"). */
static void
file_unlink_all(const char *path)
{
    char *pattern = xasprintf("%s.*.tmp", path);
    glob_t g;

    if (glob(pattern, GLOB_NOSORT, NULL, &g) == 0) {
        for (size_t i = 0; i < g.gl_pathc; i++)
            unlink(g.gl_pathv[i]);
        globfree(&g);
    }
    free(pattern);
    unlink(path);
}

/* Queue files without a row: the crash came before the commit, so nobody was
 * told that the message is here. */
static int
queue_clean(struct store *s, struct err *e)
{
    char *pattern = xasprintf("%s/queue/*", s->dir);
    glob_t g;
    int rc = glob(pattern, GLOB_NOSORT, NULL, &g);

    free(pattern);
    if (rc)
        return 0; /* no files */
    for (size_t i = 0; i < g.gl_pathc && rc == 0; i++) {
        const char *name = strrchr(g.gl_pathv[i], '/') + 1;
        char *id = xstrndup(name, strcspn(name, "."));
        int64_t n = 0;

        if (db_int(s->db, e, &n, "SELECT count(*) FROM submission WHERE"
                                 " id = ?", "s", id) < 0)
            rc = -1;
        else if (!n || slice_ends(slice_of(name), ".tmp"))
            unlink(g.gl_pathv[i]);
        free(id);
    }
    globfree(&g);
    return rc;
}

/* Body files whose writing was cut short by a crash. */
static int
bodies_clean(struct store *s, struct err *e)
{
    sqlite3_stmt *q =
        db_query(s->db, e, "SELECT id FROM body WHERE ready = 0", "");
    int rc;

    if (!q)
        return -1;
    while ((rc = db_step(s->db, q, e)) == 1) {
        int64_t id = sqlite3_column_int64(q, 0);
        char *path = store_body_path(s, id);

        file_unlink_all(path);
        free(path);
    }
    return rc || db_exec(s->db, "DELETE FROM body WHERE ready = 0", e) ? -1
                                                                       : 0;
}

static int
store_files(struct store *s, struct err *e)
{
    char *body = xasprintf("%s/body", s->dir);
    char *queue = xasprintf("%s/queue", s->dir);
    char *db = xasprintf("%s/store.db", s->dir);
    int64_t n = 0;
    int rc = -1;

    if (file_mkdirs(body, e) || file_mkdirs(queue, e) || store_lock(s, e) ||
        db_open(db, &s->db, e) || store_schema_open(s->db, e) ||
        chmod(db, 0600) || bodies_clean(s, e) || queue_clean(s, e) ||
        db_int(s->db, e, &n, "SELECT value FROM meta WHERE name = 'modseq'",
               "") < 0 ||
        file_sync(s->dir, e))
        goto out;
    if (!s->loop && db_exec(s->db, "PRAGMA synchronous = FULL", e))
        goto out; /* nobody flushes: each commit does */
    s->modseq = (uint64_t)n;
    rc = 0;
out:
    free(body);
    free(queue);
    free(db);
    return rc;
}

int
store_open(const struct store_config *c, struct store **out, struct err *e)
{
    struct store *s = xcalloc(1, sizeof *s);

    s->dir = xstrdup(c->dir);
    s->loop = c->loop;
    s->disk = c->disk;
    s->lock_fd = -1;
    s->folders_stale = true;
    if (c->data_key)
        secret_copy(&s->key, c->data_key);
    list_init(&s->ties);
    list_init(&s->saves);
    list_init(&s->waiters);
    store_stage_init(s);
    loop_task_init(&s->flush_soon, store_flush_now, s);
    loop_timer_init(&s->flush_retry, store_flush_now, s);
    loop_timer_init(&s->evict, store_evict_run, s);
    s->cache_used = -1;
    if (store_files(s, e)) {
        err_add(e, "%s", c->dir);
        store_close(&s);
        return -1;
    }
    reserve_make(s);
    *out = s;
    return 0;
}

void
store_tie(struct store *s, struct store_tie *tie)
{
    tie->store = s;
    list_init(&tie->node);
    list_add(&s->ties, &tie->node);
}

void
store_untie(struct store_tie *tie)
{
    list_remove(&tie->node);
    tie->store = NULL;
}

void
store_paths_free(char ***paths, size_t *n)
{
    for (size_t i = 0; i < *n; i++)
        free((*paths)[i]);
    free(*paths);
    *paths = NULL;
    *n = 0;
}

void
store_close(struct store **sp)
{
    struct store *s = *sp;
    struct err e;

    if (!s)
        return;
    err_set(&e, E_CANCELED, "the store is closing");
    while (!list_is_empty(&s->saves))
        list_remove(s->saves.next);
    while (!list_is_empty(&s->ties)) /* they come back and find it closed */
        store_untie(LIST_OBJECT(s->ties.next, struct store_tie, node));
    op_cancel(&s->flush);
    store_waiters_end(&s->waiters, &e);
    loop_task_cancel(&s->flush_soon);
    loop_timer_clear(&s->flush_retry);
    loop_timer_clear(&s->evict);
    store_folders_clear(s);
    store_stage_free(s);
    db_close(&s->db);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    store_paths_free(&s->dirty, &s->ndirty);
    store_paths_free(&s->doomed, &s->ndoomed);
    free(s->changes);
    free(s->committed);
    secret_clear(&s->key);
    free(s->dir);
    free(s);
    *sp = NULL;
}

/* ---- transactions ---- */

int
store_begin(struct store *s, struct err *e)
{
    if (s->depth == 0) {
        if (db_exec(s->db, "BEGIN IMMEDIATE", e)) {
            store_full_hint(s, e);
            return -1;
        }
        s->modseq_taken = false;
        s->broken = false;
    }
    s->depth++;
    return 0;
}

static void
changes_commit(struct store *s)
{
    for (size_t i = 0; i < s->nchanges; i++)
        s->urgent |= s->changes[i].kind != STORE_BODY_ARRIVED &&
                     s->changes[i].kind != STORE_QUEUE_CHANGED;
    if (s->ncommitted + s->nchanges > s->committed_cap) {
        s->committed_cap = (s->ncommitted + s->nchanges) * 2;
        s->committed = xrealloc(s->committed,
                                s->committed_cap * sizeof *s->committed);
    }
    if (s->nchanges)
        memcpy(s->committed + s->ncommitted, s->changes,
               s->nchanges * sizeof *s->changes);
    s->ncommitted += s->nchanges;
    s->nchanges = 0;
}

static void
transaction_undo(struct store *s)
{
    db_exec(s->db, "ROLLBACK", NULL);
    s->nchanges = 0;
    s->folder_late = 0;
    if (s->modseq_taken)
        s->modseq--;
    s->folders_stale = true;
    s->cache_used = -1;
    store_paths_free(&s->doomed, &s->ndoomed);
}

void
store_rollback(struct store *s)
{
    s->broken = true;
    if (--s->depth == 0)
        transaction_undo(s);
}

static int
modseq_save(struct store *s, struct err *e)
{
    if (!s->modseq_taken)
        return 0;
    return db_run(s->db, e,
                  "INSERT INTO meta VALUES('modseq', ?)"
                  " ON CONFLICT DO UPDATE SET value = excluded.value",
                  "i", (int64_t)s->modseq);
}

/* Offline there is no flush: what the commit names is synced before it. */
static int
files_sync(struct store *s, struct err *e)
{
    for (size_t i = 0; i < s->ndirty; i++) {
        char *dir = file_dir(s->dirty[i]);
        int rc = file_sync(s->dirty[i], e) || file_sync(dir, e);

        free(dir);
        if (rc)
            return -1;
    }
    store_paths_free(&s->dirty, &s->ndirty);
    return 0;
}

int
store_commit(struct store *s, struct err *e)
{
    struct err local = {0};
    int rc;

    if (!e)
        e = &local;
    if (--s->depth)
        return s->broken ? err_set(e, E_BUG, "commit after a failure") : 0;
    if (s->broken) {
        transaction_undo(s);
        return err_set(e, E_BUG, "commit after a failure");
    }
    rc = s->loop ? 0 : files_sync(s, e);
    if (rc == 0 && fault_point("commit-before"))
        rc = err_set(e, E_FULL, "commit: fault");
    if (rc || store_folder_late(s, e) || modseq_save(s, e) ||
        db_exec(s->db, "COMMIT", e)) {
        store_full_hint(s, e);
        transaction_undo(s);
        return -1;
    }
    fault_point("commit-after");
    changes_commit(s);
    for (size_t i = 0; i < s->ndoomed; i++)
        file_remove(s->doomed[i], NULL);
    store_paths_free(&s->doomed, &s->ndoomed);
    if (!s->loop) {
        s->ncommitted = 0; /* nobody watches an offline store */
    } else if (s->ncommitted) {
        store_flush_plan(s);
    }
    return 0;
}

uint64_t
store_modseq_next(struct store *s)
{
    if (!s->modseq_taken) {
        s->modseq_taken = true;
        s->modseq++;
    }
    return s->modseq;
}

/* ---- changes and watchers ---- */

void
store_origin(struct store *s, const void *origin)
{
    s->origin = origin;
}

void
store_change_note(struct store *s, const struct store_change *c)
{
    if (s->nchanges == s->changes_cap) {
        s->changes_cap = s->changes_cap ? s->changes_cap * 2 : 16;
        s->changes = xrealloc(s->changes,
                              s->changes_cap * sizeof *s->changes);
    }
    s->changes[s->nchanges] = *c;
    s->changes[s->nchanges++].origin = s->origin;
}

void
store_watch(struct store *s, struct store_watcher *w)
{
    w->next = s->watchers;
    s->watchers = w;
}

void
store_unwatch(struct store *s, struct store_watcher *w)
{
    for (struct store_watcher **p = &s->watchers; *p; p = &(*p)->next)
        if (*p == w) {
            *p = w->next;
            w->next = NULL;
            return;
        }
}

static void
path_add(char ***paths, size_t *n, char *path)
{
    if (!(*n & (*n + 1)) || !*paths)
        *paths = xrealloc(*paths, (*n * 2 + 2) * sizeof **paths);
    (*paths)[(*n)++] = path;
}

void
store_file_dirty(struct store *s, char *path)
{
    path_add(&s->dirty, &s->ndirty, path);
}

void
store_file_doom(struct store *s, char *path)
{
    path_add(&s->doomed, &s->ndoomed, path);
}

/* ---- meta ---- */

char *
store_meta_get(struct store *s, const char *name)
{
    sqlite3_stmt *q = db_query(
        s->db, NULL, "SELECT value FROM meta WHERE name = ?", "s", name);
    char *value = NULL;

    if (q && db_step(s->db, q, NULL) == 1) {
        value = xstrdup((const char *)sqlite3_column_text(q, 0));
        db_done(q);
    }
    return value ? value : xstrdup("");
}

int
store_meta_set(struct store *s, const char *name, const char *value,
               struct err *e)
{
    if (store_begin(s, e))
        return -1;
    if (db_run(s->db, e,
               "INSERT INTO meta VALUES(?, ?)"
               " ON CONFLICT DO UPDATE SET value = excluded.value",
               "ss", name, value)) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

int
store_usage(struct store *s, struct store_usage *out, struct err *e)
{
    struct statvfs v;
    int64_t messages = 0, bodies = 0, bytes = 0, pages = 0, size = 0;

    if (statvfs(s->dir, &v))
        return err_errno(e, E_RETRY, errno, "%s", s->dir);
    if (db_int(s->db, e, &messages, "SELECT count(*) FROM message", "") < 0 ||
        db_int(s->db, e, &bodies, "SELECT count(*) FROM body WHERE"
                               " ready = 1", "") < 0 ||
        db_int(s->db, e, &bytes, "SELECT coalesce(sum(size), 0) FROM body"
                             " WHERE ready = 1", "") < 0 ||
        db_int(s->db, e, &pages, "PRAGMA page_count", "") < 0 ||
        db_int(s->db, e, &size, "PRAGMA page_size", "") < 0)
        return -1;
    *out = (struct store_usage){
        .free_bytes = (uint64_t)v.f_bavail * v.f_frsize,
        .db_bytes = (uint64_t)(pages * size),
        .body_bytes = (uint64_t)bytes,
        .messages = (uint64_t)messages,
        .bodies = (uint64_t)bodies,
    };
    return 0;
}
