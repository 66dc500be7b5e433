/*
 * Entries of Sent: born of a submission, with the bytes that left. See the
 * header; called by outbox (prepare, enter), sync (recognise, bind) and view.
 *
 * message.born: 0 of the server; 1 of a submission, its copy has not come;
 * 2 it has, or never will: what is here is not what the server would hand out.
 */
#include "store/sent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/now.h"
#include "loop/worker.h"
#include "store/private.h"

#define KEPT_S ((int64_t)7 * 86400)
/* Clocks differ, and servers queue. */
#define EARLY_S 3600
#define LATE_S 86400
/* No item was told with this date: an unbound entry is nobody's twin. */
#define TOLD_NEVER (-3)
#define PIECE ((size_t)256 << 10)

/* ---- the digest ---- */

static int
digest_add(EVP_MD_CTX *ctx, struct slice s)
{
    char room[4096];
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_is_space((unsigned char)s.p[i]))
            room[n++] = s.p[i];
        if (n == sizeof room || i + 1 == s.n) {
            if (EVP_DigestUpdate(ctx, room, n) != 1)
                return -1;
            n = 0;
        }
    }
    return 0;
}

int
store_sent_digest(struct slice body, unsigned char out[32], struct err *e)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned n;
    bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
              digest_add(ctx, body) == 0 &&
              EVP_DigestFinal_ex(ctx, out, &n) == 1;

    EVP_MD_CTX_free(ctx);
    return ok ? 0 : err_set(e, E_CRYPTO, "digest failed");
}

/* ---- the bytes that leave, as a body file ---- */

struct prepare {
    struct worker_job job;
    struct store_tie tie;
    struct store_reader *from;
    uint64_t body_at, size;
    char *id, *path, *subject, *people;
    struct buf head;
    int64_t body;
    unsigned char whole[32], digest[32];
};

static int
piece_write(int fd, struct slice s, struct err *e)
{
    if (fault_point("write"))
        return err_set(e, E_FULL, "a fault on purpose");
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(e, E_FULL, "writing a body: %s", strerror(errno));
        s = slice_from(s, (size_t)n);
    }
    return 0;
}

static int
bytes_copy(struct prepare *p, int fd, EVP_MD_CTX *all, EVP_MD_CTX *body,
           struct err *e)
{
    char *room = xmalloc(PIECE);
    uint64_t at = p->body_at;
    size_t got = p->head.len;
    struct slice s = buf_slice(&p->head);
    int rc = 0;

    while (rc == 0 && got) {
        p->size += s.n;
        if (EVP_DigestUpdate(all, s.p, s.n) != 1 ||
            (s.p == room && digest_add(body, s)))
            rc = err_set(e, E_CRYPTO, "digest failed");
        if (rc == 0)
            rc = piece_write(fd, s, e);
        if (rc == 0)
            rc = store_reader_read(p->from, at, room, PIECE, &got, e);
        at += got;
        s = slice_make(room, got);
    }
    mem_wipe(room, PIECE);
    free(room);
    return rc;
}

static void
prepare_run(struct worker_job *job)
{
    struct prepare *p = (struct prepare *)job;
    EVP_MD_CTX *all = EVP_MD_CTX_new(), *body = EVP_MD_CTX_new();
    char *dir = file_dir(p->path);
    unsigned n;
    int fd = -1;

    if (file_mkdirs(dir, &job->err) == 0) {
        fd = open(p->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0)
            err_set(&job->err, E_FULL, "%s: %s", p->path, strerror(errno));
    }
    if (fd >= 0 &&
        (EVP_DigestInit_ex(all, EVP_sha256(), NULL) != 1 ||
         EVP_DigestInit_ex(body, EVP_sha256(), NULL) != 1 ||
         (bytes_copy(p, fd, all, body, &job->err) == 0 &&
          (EVP_DigestFinal_ex(all, p->whole, &n) != 1 ||
           EVP_DigestFinal_ex(body, p->digest, &n) != 1))))
        err_set(&job->err, E_CRYPTO, "digest failed");
    if (fd >= 0 && close(fd) && !job->err.code)
        err_set(&job->err, E_FULL, "%s: %s", p->path, strerror(errno));
    EVP_MD_CTX_free(all);
    EVP_MD_CTX_free(body);
    free(dir);
}

static int
prepare_commit(struct prepare *p, struct err *e)
{
    struct store *s = p->tie.store;

    if (store_begin(s, e))
        return -1;
    if (db_run(s->db, e, "UPDATE body SET size = ?, digest = ? WHERE id = ?",
               "ibi", (int64_t)p->size, slice_make(p->whole, 32), p->body) ||
        db_run(s->db, e,
               "UPDATE submission SET body = ?, subject = ?, people = ?,"
               " digest = ? WHERE id = ?",
               "issbs", p->body, p->subject, p->people,
               slice_make(p->digest, 32), p->id)) {
        store_rollback(s);
        return -1;
    }
    store_file_dirty(s, xstrdup(p->path));
    return store_commit(s, e);
}

static void
prepare_done(struct worker_job *job, bool wanted)
{
    struct prepare *p = (struct prepare *)job;
    struct store *s = p->tie.store;

    (void)wanted;
    store_untie(&p->tie);
    p->tie.store = s;
    if (!s)
        err_set(&job->err, E_CANCELED, "the store was closed");
    if (!job->err.code)
        prepare_commit(p, &job->err);
    if (job->err.code) {
        worker_job_fail(job, &job->err);
        file_remove(p->path, NULL);
        if (s) {
            store_full_hint(s, &job->err);
            db_run(s->db, NULL, "DELETE FROM body WHERE id = ?", "i",
                   p->body);
        }
    }
    store_reader_close(&p->from);
    buf_wipe(&p->head);
    free(p->id);
    free(p->path);
    free(p->subject);
    free(p->people);
    free(p);
}

static int
body_row(struct store *s, int64_t *id, struct err *e)
{
    if (store_begin(s, e))
        return -1;
    if (db_run(s->db, e,
               "INSERT INTO body(size, digest, ready) VALUES(0, x'', 0)",
               "")) {
        store_rollback(s);
        return -1;
    }
    *id = sqlite3_last_insert_rowid(db_handle(s->db));
    return store_commit(s, e);
}

struct op *
store_sent_prepare(struct store *s, const char *id, bool sealed,
                   struct slice head, uint64_t body_at,
                   const struct store_sent_print *print, op_done_fn *done,
                   void *arg)
{
    struct store_reader *from;
    struct prepare *p;
    int64_t body = 0;
    struct err e;
    int rc = db_int(s->db, &e, &body,
                    "SELECT body FROM submission WHERE id = ?", "s", id);

    if (rc <= 0 || body)
        return op_decided(rc < 0 ? &e : NULL, done, arg);
    if (store_reader_open(s, id, sealed, &from, &e))
        return op_decided(&e, done, arg);
    if (body_row(s, &body, &e)) {
        store_reader_close(&from);
        return op_decided(&e, done, arg);
    }
    p = xcalloc(1, sizeof *p);
    p->job.run = prepare_run;
    p->job.done = prepare_done;
    store_tie(s, &p->tie);
    p->from = from;
    p->body_at = body_at;
    p->body = body;
    p->id = xstrdup(id);
    p->path = store_body_path(s, body);
    p->subject = xstrdup(print->subject ? print->subject : "");
    p->people = xstrdup(print->people ? print->people : "");
    buf_init(&p->head, head.n + 1);
    buf_add_slice(&p->head, head);
    return worker_run(s->disk, &p->job, done, arg);
}

int
store_sent_drop(struct store *s, const char *id, struct err *e)
{
    int64_t body = 0;
    int rc = db_int(s->db, e, &body,
                    "SELECT b.id FROM submission q JOIN body b ON"
                    " b.id = q.body WHERE q.id = ? AND b.ready = 0",
                    "s", id);

    if (rc <= 0)
        return rc;
    if (store_begin(s, e))
        return -1;
    if (db_run(s->db, e, "UPDATE submission SET body = 0 WHERE id = ?", "s",
               id) ||
        db_run(s->db, e, "DELETE FROM body WHERE id = ?", "i", body)) {
        store_rollback(s);
        return -1;
    }
    store_file_doom(s, store_body_path(s, body));
    return store_commit(s, e);
}

/* ---- the entry ---- */

static int
entry_make(struct store *s, const char *id, int64_t body, int64_t folder,
           const struct store_item *it, int64_t *entry, struct err *e)
{
    struct store_change c = {.kind = STORE_BODY_ARRIVED, .folder = folder};

    if (store_message_add(s, folder, it, entry, e) ||
        db_run(s->db, e, "UPDATE body SET ready = 1 WHERE id = ?", "i",
               body) ||
        db_run(s->db, e,
               "UPDATE message SET body = ?1, body_state = 1, born = 1,"
               " told = ?2, bcc = coalesce((SELECT group_concat(recipients,"
               " ' ') FROM submission WHERE parent = ?3), '') WHERE id = ?4",
               "iisi", body, (int64_t)TOLD_NEVER, id, *entry) ||
        db_run(s->db, e, "UPDATE submission SET entry = ? WHERE id = ?", "is",
               *entry, id))
        return -1;
    c.message = *entry;
    store_change_note(s, &c);
    return 0;
}

/* entry 0: none there; 1, 0 no such submission, -1. */
static int
sent_row(struct store *s, const char *id, int64_t *entry, int64_t *body,
         bool *bound, struct err *e)
{
    sqlite3_stmt *q = db_query(s->db, e,
                               "SELECT entry, body, bound FROM submission"
                               " WHERE id = ?",
                               "s", id);
    int rc = q ? db_step(s->db, q, e) : -1;

    if (rc != 1)
        return rc;
    *entry = sqlite3_column_int64(q, 0);
    *body = sqlite3_column_int64(q, 1);
    *bound = sqlite3_column_int(q, 2);
    db_done(q);
    return 1;
}

int
store_sent_enter(struct store *s, const char *id, const struct store_item *it,
                 struct err *e)
{
    const struct store_folder *f = store_folder_by_role(s, STORE_ROLE_SENT);
    int64_t entry, body;
    bool bound;
    int rc = sent_row(s, id, &entry, &body, &bound, e);

    if (rc != 1 || entry || bound || !body || !f ||
        (f->state != STORE_FOLDER_READY && f->state != STORE_FOLDER_RELISTING))
        return rc < 0 ? -1 : 0;
    return entry_make(s, id, body, f->id, it, &entry, e);
}

int
store_sent_entry(struct store *s, const char *id, int64_t *entry,
                 struct err *e)
{
    int64_t body;
    bool bound = false;
    int rc;

    *entry = 0;
    rc = sent_row(s, id, entry, &body, &bound, e);
    return rc < 0 ? -1 : bound;
}

int
store_sent_claim(struct store *s, const char *id, int64_t message,
                 struct err *e)
{
    return db_run(s->db, e,
                  "UPDATE submission SET entry = ?, bound = 1 WHERE id = ?",
                  "is", message, id);
}

bool
store_sent_is_entry(struct store *s, int64_t message)
{
    int64_t n = 0;

    return db_int(s->db, NULL, &n,
                  "SELECT 1 FROM submission WHERE entry = ? AND entry <> 0"
                  " LIMIT 1", "i", message) == 1;
}

/* ---- the server's copy ---- */

#define AWAITED                                                               \
    " save <> 0 AND bound = 0 AND body <> 0 AND state IN (2, 4)"              \
    " AND created > ?1"

int
store_sent_awaited(struct store *s, int64_t *since, struct err *e)
{
    int64_t old = now_unix() - KEPT_S;
    int rc = db_int(s->db, e, since,
                    "SELECT created FROM submission WHERE" AWAITED
                    " ORDER BY created LIMIT 1",
                    "i", old);

    if (rc != 1)
        return rc;
    return db_run(s->db, e,
                  "UPDATE submission SET copy = '' WHERE bound = 0 AND"
                  " copy <> ''", "")
               ? -1
               : 1;
}

/* By Message-ID; of servers that replace it by the bytes of the body; of those
 * that replace both by what people would look at, if just one fits. */
static const char *const ways[] = {
    "SELECT id, 1 FROM submission WHERE" AWAITED " AND copy = ''"
    " AND people = ?2 AND message_id <> '' AND message_id = ?3"
    " ORDER BY seq LIMIT 1",
    "SELECT id, 1 FROM submission WHERE" AWAITED " AND copy = ''"
    " AND people = ?2 AND digest = ?4 AND subject = ?5 ORDER BY seq LIMIT 1",
    "SELECT id, count(*) FROM submission WHERE" AWAITED " AND copy = ''"
    " AND people = ?2 AND subject = ?5 AND signed = 0 AND encrypted = 0"
    " AND created BETWEEN ?6 AND ?7 HAVING count(*) = 1",
};

int
store_sent_recognise(struct store *s, const char *server_id,
                     const struct store_sent_print *p, struct err *e)
{
    int64_t at = p->received > 0 ? p->received : now_unix();
    int rc = 0;

    for (size_t i = 0; i < ARRAY_LEN(ways) && rc == 0; i++) {
        sqlite3_stmt *q =
            db_query(s->db, e, ways[i], "issbsii", now_unix() - KEPT_S,
                     p->people, p->message_id,
                     slice_make(p->digest, sizeof p->digest), p->subject,
                     at - LATE_S, at + EARLY_S);
        struct arena *a = arena_new();
        const char *id = NULL;

        rc = q ? db_step(s->db, q, e) : -1;
        if (rc == 1) {
            id = db_text(q, 0, a);
            db_done(q);
            if (db_run(s->db, e, "UPDATE submission SET copy = ? WHERE id = ?",
                       "ss", server_id, id))
                rc = -1;
        }
        arena_free(&a);
    }
    return rc < 0 ? -1 : 0;
}

static int
copy_bind(struct store *s, const char *id, int64_t folder, int64_t entry,
          const struct store_item *it, struct err *e)
{
    return store_message_bind(s, entry, folder, it->server_id, e) ||
                   db_run(s->db, e,
                          "UPDATE message SET born = 2, flags = flags & ~64"
                          " WHERE id = ?",
                          "i", entry) ||
                   store_message_update(s, entry, it, e) ||
                   db_run(s->db, e,
                          "UPDATE submission SET bound = 1, entry = ?"
                          " WHERE id = ?",
                          "is", entry, id)
               ? -1
               : 0;
}

int
store_sent_bind(struct store *s, int64_t folder, const struct store_item *it,
                int64_t *entry, struct err *e)
{
    const struct store_folder *f = store_folder_get(s, folder);
    struct store_item first = *it;
    sqlite3_stmt *q;
    struct arena *a;
    const char *id;
    int64_t body, there;
    int rc;

    /* Ids mean something within their folder only. */
    if (!f || f->role != STORE_ROLE_SENT)
        return 0;
    q = db_query(s->db, e,
                 "SELECT q.id, q.body, q.entry, coalesce(m.id, 0)"
                 " FROM submission q LEFT JOIN message m ON m.id = q.entry"
                 " WHERE q.copy = ? AND q.copy <> '' AND q.bound = 0",
                 "s", it->server_id);
    rc = q ? db_step(s->db, q, e) : -1;
    if (rc != 1)
        return rc;
    a = arena_new();
    id = db_text(q, 0, a);
    body = sqlite3_column_int64(q, 1);
    *entry = sqlite3_column_int64(q, 2);
    there = sqlite3_column_int64(q, 3);
    db_done(q);
    first.server_id = "";
    if (*entry && !there) { /* it went here: the copy is a mail like others */
        rc = db_run(s->db, e,
                    "UPDATE submission SET bound = 1 WHERE id = ?", "s", id);
    } else {
        if (!*entry)
            rc = entry_make(s, id, body, folder, &first, entry, e) ? -1 : 1;
        if (rc == 1 && copy_bind(s, id, folder, *entry, it, e))
            rc = -1;
    }
    arena_free(&a);
    return rc;
}

int
store_sent_lonely(struct store *s, int64_t age, struct err *e)
{
    struct arena *a = arena_new();
    int64_t id;
    int rc;

    if (store_begin(s, e)) {
        arena_free(&a);
        return -1;
    }
    while ((rc = db_int(s->db, e, &id,
                        "SELECT id FROM message WHERE born = 1 AND"
                        " collection <> 0 AND saved <= ? LIMIT 1",
                        "i", now_unix() - age)) == 1) {
        struct store_row_message r;

        if (store_message_load(s, id, a, &r, e) ||
            (r.m.folder ? store_copy_stay(s, id, a, e)
                        : store_message_gone(s, id, e)))
            break;
        arena_reset(a);
    }
    arena_free(&a);
    if (rc) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

const char *
store_sent_bcc(struct store *s, int64_t message, struct arena *a)
{
    sqlite3_stmt *q = db_query(s->db, NULL,
                               "SELECT bcc FROM message WHERE id = ? AND"
                               " bcc <> ''", "i", message);
    const char *bcc = NULL;

    if (q && db_step(s->db, q, NULL) == 1) {
        bcc = db_text(q, 0, a);
        db_done(q);
    }
    return bcc;
}
