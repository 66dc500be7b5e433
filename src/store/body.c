/*
 * Body files and the records of views. A body is written in the disk worker
 * under a row that says "not ready", so that a crash leaves nothing unknown
 * behind; the commit that makes it ready comes after the file.
 */
#include "store/body.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "loop/worker.h"
#include "store/private.h"

/* Neighbours share a directory: what comes together is flushed with it once. */
char *
store_body_path(const struct store *s, int64_t id)
{
    return xasprintf("%s/body/%02x/%lld", s->dir, (unsigned)(id >> 8 & 0xff),
                     (long long)id);
}

static int
body_reserve(struct store *s, size_t size, int64_t *id_out, struct err *e)
{
    if (size > STORE_BODY_MAX)
        return err_set(e, E_LIMIT, "a message of %zu bytes is over the bound",
                       size);
    if (store_begin(s, e))
        return -1;
    if (db_run(s->db, e,
               "INSERT INTO body(size, digest, ready) VALUES(?, x'', 0)", "i",
               (int64_t)size)) {
        store_rollback(s);
        return -1;
    }
    *id_out = sqlite3_last_insert_rowid(db_handle(s->db));
    return store_commit(s, e);
}

/* The blocking half: file and digest. */
static int
body_file(const char *path, struct slice raw, unsigned char digest[32],
          struct err *e)
{
    struct err first;
    unsigned n;
    char *dir;
    int rc;

    if (EVP_Digest(raw.p, raw.n, digest, &n, EVP_sha256(), NULL) != 1)
        return err_set(e, E_CRYPTO, "digest failed");
    rc = file_write(path, raw, 0600, false, &first);
    if (rc && first.code != E_MISSING) {
        if (e)
            *e = first;
        return -1;
    }
    if (rc) { /* the first one in its directory */
        dir = file_dir(path);
        rc = file_mkdirs(dir, e) || file_write(path, raw, 0600, false, e);
        free(dir);
    }
    return rc ? -1 : 0;
}

/* The file and its row go, unless another message (a copy) has it. */
static int
body_release(struct store *s, int64_t body, struct err *e)
{
    int64_t others = 0;

    if (db_int(s->db, e, &others, "SELECT count(*) FROM message WHERE"
                                  " body = ? AND body <> 0", "i", body) < 0)
        return -1;
    if (others)
        return 0;
    store_file_doom(s, store_body_path(s, body));
    s->cache_used = -1;
    return db_run(s->db, e, "DELETE FROM body WHERE id = ?", "i", body);
}

/* Why bytes are put in the place of others, or not. */
enum body_how {
    BODY_BORN,    /* made here; those that are there stay */
    BODY_FETCHED, /* the same, but for a stand-in, an evicted body, and one
                     that the server changed */
    BODY_REPLACE,
    BODY_STANDIN, /* only where there are none */
};

/* The bytes that this message had are these. 1, 0, -1. */
static int
body_same(struct store *s, int64_t body, const unsigned char *digest,
          struct err *e)
{
    int64_t one;

    return db_int(s->db, e, &one, "SELECT 1 FROM body WHERE id = ? AND"
                                  " digest = ?",
                  "ib", body, slice_make(digest, 32));
}

static int
body_put(struct store *s, const struct store_row_message *r, int64_t body,
         const unsigned char *digest, enum body_how how, struct err *e)
{
    bool fetched = how == BODY_FETCHED || how == BODY_REPLACE;
    int64_t size = 0;

    if (db_run(s->db, e,
               "UPDATE body SET ready = 1, digest = ?, fetched = ?, used = ?"
               " WHERE id = ?",
               "biii", slice_make(digest, 32), (int64_t)fetched,
               r->m.received * 1000, body) ||
        db_run(s->db, e,
               "UPDATE message SET body = ?, body_after = ?,"
               " body_state = ?, body_check = 0 WHERE id = ?",
               "iiii", body, now_unix() + 86400,
               (int64_t)(how == BODY_STANDIN ? STORE_BODY_STANDIN
                                             : STORE_BODY_PRESENT),
               r->m.id) ||
        db_int(s->db, e, &size, "SELECT size FROM body WHERE id = ?", "i",
               body) < 0)
        return -1;
    if (fetched)
        store_cache_grown(s, size);
    return 0;
}

/* A message that has, or had, bytes. 1: those that are here stay; 0: the new
 * ones take their place. */
static int
body_again(struct store *s, const struct store_row_message *r, int64_t body,
           const unsigned char *digest, enum body_how how, struct err *e)
{
    bool evicted = r->m.body == STORE_BODY_ABSENT;
    bool compare = how == BODY_FETCHED && (evicted || r->check);
    int same = compare ? body_same(s, r->body_id, digest, e) : 0, recorded;
    int64_t one;

    if (same < 0)
        return -1;
    if (how == BODY_STANDIN ||
        (!compare && how != BODY_REPLACE && r->m.body != STORE_BODY_STANDIN))
        return 1;
    if (same && !evicted)
        return db_run(s->db, e, "UPDATE message SET body_check = 0 WHERE"
                                " id = ?", "i", r->m.id)
                   ? -1
                   : 1;
    if (body_put(s, r, body, digest, how, e) ||
        body_release(s, r->body_id, e))
        return -1;
    if (same)
        return 0;
    if (evicted && !r->check && store_cache_rebuilt(s, e))
        return -1;
    /* Of what left before it was ever opened nothing was told. */
    recorded = db_int(s->db, e, &one, "SELECT 1 FROM view WHERE message = ?",
                      "i", r->m.id);
    if (recorded < 0)
        return -1;
    return evicted && !recorded ? 0 : store_message_renew(s, r->m.id, e);
}

static int
body_attach(struct store *s, int64_t message, int64_t body,
            const unsigned char *digest, enum body_how how, struct err *e)
{
    struct store_change c = {.kind = STORE_BODY_ARRIVED, .message = message};
    struct arena *a = arena_new();
    struct store_row_message r;
    int rc = store_message_load(s, message, a, &r, e);

    if (rc == 0)
        rc = r.body_id ? body_again(s, &r, body, digest, how, e)
                       : body_put(s, &r, body, digest, how, e);
    if (rc == 0) {
        c.folder = r.m.folder;
        c.uid = r.m.uid;
        store_change_note(s, &c);
    }
    arena_free(&a);
    return rc;
}

/* The loop's half: commits, or removes what was written. */
static int
body_commit(struct store *s, int64_t message, int64_t body,
            const unsigned char *digest, enum body_how how, struct err *e)
{
    struct err local = {0};
    int rc;

    if (store_begin(s, e))
        return -1;
    rc = body_attach(s, message, body, digest, how, &local);
    if (rc == 1) {
        store_file_doom(s, store_body_path(s, body));
        rc = db_run(s->db, &local, "DELETE FROM body WHERE id = ?", "i", body);
    } else if (rc == 0) {
        store_file_dirty(s, store_body_path(s, body));
    }
    if (rc) {
        store_rollback(s);
        if (e)
            *e = local;
        return -1;
    }
    return store_commit(s, e);
}

static void
body_forget(struct store *s, int64_t body)
{
    char *path = store_body_path(s, body);

    file_remove(path, NULL);
    free(path);
    db_run(s->db, NULL, "DELETE FROM body WHERE id = ?", "i", body);
}

int
store_body_write(struct store *s, int64_t message, struct slice raw,
                 struct err *e)
{
    unsigned char digest[32];
    int64_t body;
    char *path;
    int rc;

    if (body_reserve(s, raw.n, &body, e))
        return -1;
    path = store_body_path(s, body);
    rc = body_file(path, raw, digest, e);
    free(path);
    if (rc == 0)
        rc = body_commit(s, message, body, digest, BODY_BORN, e);
    if (rc)
        body_forget(s, body);
    return rc;
}

/* ---- saving from the loop ---- */

struct save_job {
    struct worker_job job;
    struct store_tie tie;
    struct list node; /* of the store's saves, while it is open */
    int64_t message, body;
    char *path, *raw; /* path NULL: another one saves it, and is waited for */
    size_t len;
    enum body_how how;
    unsigned char digest[32];
};

static void
save_run(struct worker_job *job)
{
    struct save_job *j = (struct save_job *)job;

    if (j->path)
        body_file(j->path, slice_make(j->raw, j->len), j->digest, &job->err);
}

static void
save_done(struct worker_job *job, bool wanted)
{
    struct save_job *j = (struct save_job *)job;
    struct store *s = j->tie.store;

    (void)wanted; /* what was fetched is kept even if its client has left */
    store_untie(&j->tie);
    list_remove(&j->node);
    if (!j->path) {
        /* nothing to do: the disk worker takes one after the other */
    } else if (!s) {
        file_remove(j->path, NULL); /* its row goes at the next opening */
        err_set(&job->err, E_CANCELED, "the store was closed");
        worker_job_fail(job, &job->err);
    } else if (job->err.code != E_CANCELED) {
        if (!job->err.code)
            body_commit(s, j->message, j->body, j->digest, j->how,
                        &job->err);
        if (job->err.code) {
            worker_job_fail(job, &job->err);
            store_full_hint(s, &job->err);
            body_forget(s, j->body);
        }
    }
    free(j->path);
    free(j->raw);
    free(j);
}

/* A client's fetch and the backfill may have asked for the same message: the
 * second one need not be written, to be thrown away. */
static bool
is_being_saved(const struct store *s, int64_t message)
{
    const struct list *n;

    for (n = s->saves.next; n != &s->saves; n = n->next)
        if (LIST_OBJECT(n, struct save_job, node)->message == message)
            return true;
    return false;
}

static bool
is_here(struct store *s, int64_t message)
{
    int64_t one;

    return db_int(s->db, NULL, &one,
                  "SELECT 1 FROM message WHERE id = ? AND body_state = 1 AND"
                  " body_check = 0",
                  "i", message) == 1;
}

static struct op *
body_save(struct store *s, int64_t message, struct buf *raw, enum body_how how,
          op_done_fn *done, void *arg)
{
    struct save_job *j;
    struct err e;

    if (how != BODY_REPLACE && is_here(s, message)) {
        buf_clear(raw);
        return op_decided(NULL, done, arg);
    }
    j = xcalloc(1, sizeof *j);
    list_init(&j->node);
    if (how != BODY_REPLACE && is_being_saved(s, message)) {
        buf_clear(raw);
        j->message = message;
        j->job.run = save_run;
        j->job.done = save_done;
        store_tie(s, &j->tie);
        return worker_run(s->disk, &j->job, done, arg);
    }
    if (body_reserve(s, raw->len, &j->body, &e)) {
        free(j);
        return op_decided(&e, done, arg);
    }
    j->job.run = save_run;
    j->job.done = save_done;
    store_tie(s, &j->tie);
    j->message = message;
    j->how = how;
    j->path = store_body_path(s, j->body);
    j->raw = buf_take(raw, &j->len);
    list_add(&s->saves, &j->node);
    return worker_run(s->disk, &j->job, done, arg);
}

struct op *
store_body_save(struct store *s, int64_t message, struct buf *raw,
                bool replace, op_done_fn *done, void *arg)
{
    return body_save(s, message, raw, replace ? BODY_REPLACE : BODY_FETCHED,
                     done, arg);
}

struct op *
store_body_standin(struct store *s, int64_t message, struct buf *raw,
                   op_done_fn *done, void *arg)
{
    return body_save(s, message, raw, BODY_STANDIN, done, arg);
}

/* ---- loading ---- */

/* A power cut between a commit and its flush may have left the row without
 * (all of) the file; nobody was told of it. The messages that the server
 * has count as not fetched yet, so that the body is brought again. */
static void
body_lost(struct store *s, int64_t body, struct err *e)
{
    struct err why = {0};

    log_warn("store", "body %lld of %s is not whole (%s): to be fetched again",
             (long long)body, s->dir, e->text);
    err_set(e, E_MISSING, "the body is not here (any more)");
    if (store_begin(s, &why))
        return;
    if (db_run(s->db, &why,
               "UPDATE message SET body = 0, body_state = ? WHERE body = ?"
               " AND server_id <> ''",
               "ii", (int64_t)STORE_BODY_ABSENT, body) ||
        body_release(s, body, &why)) {
        store_rollback(s);
        return;
    }
    store_commit(s, &why);
}

static int
body_of(struct store *s, int64_t message, int64_t *body, uint64_t *size,
        struct err *e)
{
    sqlite3_stmt *q = db_query(s->db, e,
                               "SELECT CASE b.ready WHEN 1 THEN m.body ELSE"
                               " 0 END, coalesce(b.size, 0) FROM"
                               " message m LEFT JOIN body b ON b.id = m.body"
                               " WHERE m.id = ?",
                               "i", message);
    int rc = q ? db_step(s->db, q, e) : -1;

    if (rc == 1) {
        *body = sqlite3_column_int64(q, 0);
        *size = (uint64_t)sqlite3_column_int64(q, 1);
        db_done(q);
    }

    if (rc < 0)
        return -1;
    if (rc == 0)
        return err_set(e, E_MISSING, "the message is gone");
    if (!*body)
        return err_set(e, E_MISSING, "the body is not here yet");
    return 0;
}

int
store_body_read(struct store *s, int64_t message, struct buf *out,
                struct err *e)
{
    size_t before = out->len;
    uint64_t size;
    int64_t body;
    char *path;
    int rc;

    if (body_of(s, message, &body, &size, e))
        return -1;
    path = store_body_path(s, body);
    rc = file_read(path, out, e);
    free(path);
    if (rc == 0 && out->len - before != size) {
        buf_truncate(out, before);
        rc = err_set(e, E_MISSING, "another length");
    }
    if (rc && e && e->code == E_MISSING)
        body_lost(s, body, e);
    return rc;
}

struct load_job {
    struct worker_job job;
    struct store_tie tie;
    int64_t body;  /* 0: a sealed file of the queue */
    uint64_t size; /* of a body */
    char *path;
    struct buf bytes, *out;
    struct secret key;
};

static void
load_run(struct worker_job *job)
{
    struct load_job *j = (struct load_job *)job;
    struct buf plain;

    if (file_read(j->path, &j->bytes, &job->err))
        return;
    if (j->body) {
        if (j->bytes.len != j->size)
            err_set(&job->err, E_MISSING, "another length");
        return;
    }
    buf_init(&plain, j->bytes.limit);
    if (store_cipher_open(&j->key, buf_slice(&j->bytes), &plain, &job->err) ==
        0) {
        buf_clear(&j->bytes);
        j->bytes = plain;
    }
}

static void
load_done(struct worker_job *job, bool wanted)
{
    struct load_job *j = (struct load_job *)job;

    if (j->tie.store && j->body && job->err.code == E_MISSING) {
        body_lost(j->tie.store, j->body, &job->err);
        worker_job_fail(job, &job->err);
    }
    store_untie(&j->tie);
    if (wanted && !job->err.code) {
        size_t limit = j->out->limit;

        if (j->bytes.len > limit)
            worker_job_fail(job, &(struct err){E_LIMIT, "the file is larger "
                                                        "than it may be"});
        else if (!j->out->len) {
            buf_clear(j->out);
            *j->out = j->bytes;
            j->out->limit = limit;
            j->bytes = BUF_INIT(0);
        } else {
            buf_add_slice(j->out, buf_slice(&j->bytes));
        }
    }
    buf_wipe(&j->bytes);
    secret_clear(&j->key);
    free(j->path);
    free(j);
}

static struct op *
load_start(struct store *s, struct load_job *j, char *path_take,
           struct buf *out, op_done_fn *done, void *arg)
{
    j->job.run = load_run;
    j->job.done = load_done;
    store_tie(s, &j->tie);
    j->path = path_take;
    j->out = out;
    buf_init(&j->bytes, STORE_BODY_MAX * 2);
    return worker_run(s->disk, &j->job, done, arg);
}

struct op *
store_file_load(struct store *s, char *path_take, struct buf *out,
                op_done_fn *done, void *arg)
{
    struct load_job *j = xcalloc(1, sizeof *j);

    secret_copy(&j->key, &s->key);
    return load_start(s, j, path_take, out, done, arg);
}

struct op *
store_body_load(struct store *s, int64_t message, struct buf *out,
                op_done_fn *done, void *arg)
{
    struct load_job *j;
    uint64_t size;
    int64_t body;
    struct err e;

    if (body_of(s, message, &body, &size, &e))
        return op_decided(&e, done, arg);
    j = xcalloc(1, sizeof *j);
    j->body = body;
    j->size = size;
    return load_start(s, j, store_body_path(s, body), out, done, arg);
}

int
store_body_failed(struct store *s, int64_t message, int *tries_out,
                  struct err *e)
{
    int64_t n = 0;

    if (store_begin(s, e))
        return -1;
    if (db_run(s->db, e,
               "UPDATE message SET body_tries = body_tries + 1, body_after ="
               " ?1 + CASE WHEN body_state = 2 OR body_tries > 3"
               " THEN 86400 ELSE ?2 END"
               " WHERE id = ?3 AND (body_after <= ?1 OR"
               " body_after > ?1 + 90000)",
               "iii", now_unix(), (int64_t)STORE_BODY_PAUSE, message) ||
        db_int(s->db, e, &n, "SELECT body_tries FROM message WHERE id = ?",
               "i", message) < 0) {
        store_rollback(s);
        return -1;
    }
    *tries_out = (int)n;
    return store_commit(s, e);
}
