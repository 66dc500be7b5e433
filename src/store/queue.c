/*
 * The queue: a row for each submission, its message and (later) the bytes
 * that leave in files under the account's data key.
 */
#include "store/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/now.h"
#include "loop/worker.h"
#include "store/private.h"

#define QUEUE_MAX ((size_t)128 << 20)

char *
store_queue_path(struct store *s, const char *id, bool sealed)
{
    return xasprintf("%s/queue/%s.%s", s->dir, id, sealed ? "out" : "in");
}

static int
row_insert(struct store *s, const struct store_submission *q, struct err *e)
{
    return db_run(s->db, e,
                  "INSERT INTO submission(id, client_id, state, sender,"
                  " recipients, message_id, save, encrypted, signed, size,"
                  " created, next_try, tries, error, parent)"
                  " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  "ssisssiiiiiiiss", q->id, q->client_id, (int64_t)q->state,
                  q->sender, q->recipients, q->message_id,
                  (int64_t)q->save_in_sent, (int64_t)q->encrypted,
                  (int64_t)q->signed_, (int64_t)q->size, q->created,
                  q->next_try, q->tries, q->error ? q->error : "",
                  q->parent ? q->parent : "");
}

static void
queue_note(struct store *s)
{
    struct store_change c = {.kind = STORE_QUEUE_CHANGED};

    store_change_note(s, &c);
}

/* ---- a file to the disk, then the row, then the flush ---- */

struct put {
    struct worker_job job;
    struct store_tie tie;
    struct op *op, *step;
    struct secret key;
    char *path, *id;
    struct buf mime;
    struct arena *arena; /* of the row */
    struct store_submission row;
    bool sealing;
};

static void
put_end(struct put *p, const struct err *err)
{
    struct op *op = p->op;
    struct err copy = err ? *err : (struct err){0};

    store_untie(&p->tie);
    op_cancel(&p->step);
    buf_wipe(&p->mime);
    secret_clear(&p->key);
    arena_free(&p->arena);
    free(p->path);
    free(p->id);
    free(p);
    op_finish(&op, copy.code ? &copy : NULL);
}

static void
put_run(struct worker_job *job)
{
    struct put *p = LIST_OBJECT(job, struct put, job);
    struct buf sealed;

    buf_init(&sealed, p->mime.len + p->mime.len / 1024 + 4096);
    if (store_cipher_seal(&p->key, buf_slice(&p->mime), &sealed, &job->err) ==
        0)
        file_write(p->path, buf_slice(&sealed), 0600, false, &job->err);
    buf_clear(&sealed);
}

static void
put_ran(struct worker_job *job, bool wanted)
{
    (void)job;
    (void)wanted; /* put_written() goes on; `step` is never cancelled alone */
}

static int
put_commit(struct put *p, struct err *e)
{
    struct store *s = p->tie.store;
    int rc;

    if (!s)
        return err_set(e, E_CANCELED, "the store was closed");
    if (store_begin(s, e))
        return -1;
    if (p->sealing)
        rc = db_run(s->db, e, "UPDATE submission SET state = ? WHERE id = ?",
                    "is", (int64_t)STORE_QUEUE_SEALED, p->id);
    else
        rc = row_insert(s, &p->row, e);
    if (rc) {
        store_rollback(s);
        return -1;
    }
    queue_note(s);
    if (store_commit(s, e))
        return -1;
    store_file_dirty(s, xstrdup(p->path));
    return 0;
}

static void
put_flushed(void *arg, const struct err *err)
{
    put_end(arg, err);
}

static void
put_written(void *arg, const struct err *err)
{
    struct put *p = arg;
    struct err e;

    if (err && p->tie.store)
        store_full_hint(p->tie.store, err);
    if (err || put_commit(p, &e)) {
        file_remove(p->path, NULL);
        put_end(p, err ? err : &e);
        return;
    }
    if (p->sealing)
        put_end(p, NULL);
    else
        op_hold(&p->step, store_flush(p->tie.store, put_flushed, p));
}

/* Nobody waits any more; what is on its way to the disk is safe to finish. */
static struct op *
put_start(struct store *s, struct put *p, const char *id, bool sealed,
          struct buf *mime, op_done_fn *done, void *arg)
{
    struct op *op = op_new(NULL, p, done, arg);

    p->op = op;
    store_tie(s, &p->tie);
    p->id = xstrdup(id);
    p->path = store_queue_path(s, id, sealed);
    p->sealing = sealed;
    secret_copy(&p->key, &s->key);
    p->mime = *mime;
    *mime = BUF_INIT(mime->limit);
    p->job.run = put_run;
    p->job.done = put_ran;
    op_hold(&p->step, worker_run(s->disk, &p->job, put_written, p));
    return op;
}

struct op *
store_queue_add(struct store *s, const struct store_submission *q,
                struct buf *mime, op_done_fn *done, void *arg)
{
    struct put *p;
    struct err e;

    if (!s->key.data || mime->len > QUEUE_MAX) {
        if (s->key.data)
            err_set(&e, E_LIMIT, "the message is over %zu bytes", QUEUE_MAX);
        else
            err_set(&e, E_LOCKED, "the account's data key is not there");
        buf_wipe(mime);
        return op_decided(&e, done, arg);
    }
    p = xcalloc(1, sizeof *p);
    p->arena = arena_new();
    p->row = *q;
    p->row.id = arena_strdup(p->arena, q->id);
    p->row.client_id = arena_strdup(p->arena, q->client_id);
    p->row.sender = arena_strdup(p->arena, q->sender);
    p->row.recipients = arena_strdup(p->arena, q->recipients);
    p->row.message_id =
        arena_strdup(p->arena, q->message_id ? q->message_id : "");
    p->row.error = arena_strdup(p->arena, q->error ? q->error : "");
    p->row.parent = arena_strdup(p->arena, q->parent ? q->parent : "");
    if (!p->row.created)
        p->row.created = now_unix();
    p->row.size = mime->len;
    return put_start(s, p, q->id, false, mime, done, arg);
}

struct op *
store_queue_seal(struct store *s, const char *id, struct buf *mime,
                 op_done_fn *done, void *arg)
{
    return put_start(s, xcalloc(1, sizeof(struct put)), id, true, mime, done,
                     arg);
}

struct op *
store_queue_load(struct store *s, const char *id, bool sealed,
                 struct buf *out, op_done_fn *done, void *arg)
{
    return store_file_load(s, store_queue_path(s, id, sealed), out, done, arg);
}

/* ---- rows ---- */

int
store_queue_set(struct store *s, const char *id, enum store_queue_state state,
                int64_t next_try, const char *error, struct err *e)
{
    if (store_begin(s, e))
        return -1;
    if (db_run(s->db, e,
               "UPDATE submission SET tries = tries + (?1 = ?5 AND"
               " state <> ?5), state = ?1, next_try = ?2,"
               " error = coalesce(?3, error) WHERE id = ?4",
               "iissi", (int64_t)state, next_try, error, id,
               (int64_t)STORE_QUEUE_SENDING)) {
        store_rollback(s);
        return -1;
    }
    queue_note(s);
    return store_commit(s, e);
}

int
store_queue_mark(struct store *s, const char *id, bool encrypted, bool signed_,
                 struct err *e)
{
    if (store_begin(s, e))
        return -1;
    if (db_run(s->db, e,
               "UPDATE submission SET encrypted = ?, signed = ? WHERE id = ?",
               "iis", (int64_t)encrypted, (int64_t)signed_, id)) {
        store_rollback(s);
        return -1;
    }
    queue_note(s);
    return store_commit(s, e);
}

#define SUBMISSION_COLUMNS                                                    \
    "id, client_id, state, sender, recipients, message_id, save, encrypted," \
    " signed, size, created, next_try, tries, error, parent"

static int
row_one(struct store *s, sqlite3_stmt *q, struct arena *a,
        struct store_submission *out, struct err *e)
{
    int rc = q ? db_step(s->db, q, e) : -1;

    if (rc != 1)
        return rc;
    *out = (struct store_submission){
        .id = db_text(q, 0, a),
        .client_id = db_text(q, 1, a),
        .state = (enum store_queue_state)sqlite3_column_int(q, 2),
        .sender = db_text(q, 3, a),
        .recipients = db_text(q, 4, a),
        .message_id = db_text(q, 5, a),
        .save_in_sent = sqlite3_column_int(q, 6),
        .encrypted = sqlite3_column_int(q, 7),
        .signed_ = sqlite3_column_int(q, 8),
        .size = (uint64_t)sqlite3_column_int64(q, 9),
        .created = sqlite3_column_int64(q, 10),
        .next_try = sqlite3_column_int64(q, 11),
        .tries = sqlite3_column_int64(q, 12),
        .error = db_text(q, 13, a),
        .parent = db_text(q, 14, a),
    };
    db_done(q);
    return 1;
}

int
store_queue_get(struct store *s, const char *id, struct arena *a,
                struct store_submission *out, struct err *e)
{
    return row_one(s,
                   db_query(s->db, e,
                            "SELECT " SUBMISSION_COLUMNS " FROM submission"
                            " WHERE id = ?",
                            "s", id),
                   a, out, e);
}

int
store_queue_next(struct store *s, const char *after, struct arena *a,
                 struct store_submission *out, struct err *e)
{
    return row_one(s,
                   db_query(s->db, e,
                            "SELECT " SUBMISSION_COLUMNS " FROM submission"
                            " WHERE seq > coalesce((SELECT seq FROM"
                            " submission WHERE id = ?), 0)"
                            " ORDER BY seq LIMIT 1",
                            "s", after),
                   a, out, e);
}

int
store_queue_strip(struct store *s, const char *id, struct err *e)
{
    if (store_begin(s, e))
        return -1;
    store_file_doom(s, store_queue_path(s, id, false));
    store_file_doom(s, store_queue_path(s, id, true));
    return store_commit(s, e);
}

int
store_queue_next_open(struct store *s, const char *after, struct arena *a,
                      struct store_submission *out, struct err *e)
{
    return row_one(s,
                   db_query(s->db, e,
                            "SELECT " SUBMISSION_COLUMNS " FROM submission"
                            " WHERE state <> ?2 AND"
                            " seq > coalesce((SELECT seq FROM"
                            " submission WHERE id = ?1), 0)"
                            " ORDER BY seq LIMIT 1",
                            "si", after, (int64_t)STORE_QUEUE_SENT),
                   a, out, e);
}

int
store_queue_count(struct store *s, uint64_t *open_out, struct err *e)
{
    int64_t n = 0;

    if (db_int(s->db, e, &n,
               "SELECT count(*) FROM submission WHERE state <> ?", "i",
               (int64_t)STORE_QUEUE_SENT) < 0)
        return -1;
    *open_out = (uint64_t)n;
    return 0;
}

int
store_queue_remove(struct store *s, const char *id, struct err *e)
{
    if (store_begin(s, e))
        return -1;
    if (db_run(s->db, e, "DELETE FROM submission WHERE id = ?", "s", id)) {
        store_rollback(s);
        return -1;
    }
    store_file_doom(s, store_queue_path(s, id, false));
    store_file_doom(s, store_queue_path(s, id, true));
    queue_note(s);
    return store_commit(s, e);
}
