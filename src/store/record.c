/*
 * The record of what a client was shown of a message. What came from inside
 * an encrypted message rests under the account's data key.
 */
#include "store/body.h"

#include <string.h>

#include "base/mem.h"
#include "store/private.h"

#define RECORD_MAX ((size_t)16 << 20)

/* Texts of a sealed record: each followed by a zero byte. */
static int
texts_seal(struct store *s, const struct store_view *v, struct buf *out,
           struct err *e)
{
    const char *texts[] = {v->envelope, v->structure, v->body, v->verdict};
    struct buf plain = BUF_INIT(RECORD_MAX);
    int rc = 0;

    for (size_t i = 0; i < ARRAY_LEN(texts) && rc == 0; i++)
        rc = buf_add(&plain, texts[i] ? texts[i] : "",
                     strlen(texts[i] ? texts[i] : "") + 1);
    rc = rc ? err_set(e, E_LIMIT, "the record of a message is too large")
            : store_cipher_seal(&s->key, buf_slice(&plain), out, e);
    buf_wipe(&plain);
    return rc;
}

static int
texts_open(struct store *s, struct slice sealed, struct arena *a,
           struct store_view *v, struct err *e)
{
    struct buf plain = BUF_INIT(RECORD_MAX);
    const char *texts[4];
    struct slice rest;
    int rc = store_cipher_open(&s->key, sealed, &plain, e);

    rest = buf_slice(&plain);
    for (size_t i = 0; i < ARRAY_LEN(texts) && rc == 0; i++) {
        struct slice t;

        if (!slice_next(&rest, '\0', &t))
            rc = err_set(e, E_CRYPTO, "a sealed record is damaged");
        else
            texts[i] = arena_dup(a, t);
    }
    buf_wipe(&plain);
    if (rc)
        return -1;
    v->envelope = texts[0];
    v->structure = texts[1];
    v->body = texts[2];
    v->verdict = texts[3];
    return 0;
}

int
store_view_get(struct store *s, int64_t message, struct arena *a,
               struct store_view *out, struct err *e)
{
    sqlite3_stmt *q = db_query(
        s->db, e,
        "SELECT encrypted, opened, size, digest, message_id, in_reply_to,"
        " result, sealed, envelope, structure, body, verdict FROM view"
        " WHERE message = ?",
        "i", message);
    int rc = q ? db_step(s->db, q, e) : -1;
    struct slice sealed;

    if (rc != 1)
        return rc;
    *out = (struct store_view){
        .encrypted = sqlite3_column_int(q, 0),
        .opened = sqlite3_column_int(q, 1),
        .size = (uint64_t)sqlite3_column_int64(q, 2),
        .digest = db_blob(q, 3, a),
        .message_id = db_text(q, 4, a),
        .in_reply_to = db_text(q, 5, a),
        .result = db_text(q, 6, a),
        .envelope = db_text(q, 8, a),
        .structure = db_text(q, 9, a),
        .body = db_text(q, 10, a),
        .verdict = db_text(q, 11, a),
    };
    sealed = db_blob(q, 7, a);
    db_done(q);
    if (sealed.n && texts_open(s, sealed, a, out, e))
        return -1;
    return 1;
}

int
store_view_set(struct store *s, int64_t message, const struct store_view *v,
               struct err *e)
{
    struct buf sealed = BUF_INIT(RECORD_MAX + STORE_CIPHER_OVER * 512);
    int64_t sealed_body = 0;
    bool hide;
    int rc = db_int(s->db, e, &sealed_body,
                    "SELECT b.sealed FROM message m JOIN body b ON"
                    " b.id = m.body WHERE m.id = ?",
                    "i", message);

    if (rc < 0)
        return -1;
    hide = v->encrypted || sealed_body;
    if (hide && texts_seal(s, v, &sealed, e)) {
        buf_clear(&sealed);
        return -1;
    }
    rc = store_begin(s, e);
    if (rc == 0) {
        rc = db_run(s->db, e,
                    "INSERT OR REPLACE INTO view(message, encrypted, opened,"
                    " size, digest, message_id, in_reply_to, result, sealed,"
                    " envelope, structure, body, verdict)"
                    " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    "iiiibsssbssss", message, (int64_t)v->encrypted,
                    (int64_t)v->opened, (int64_t)v->size, v->digest,
                    v->message_id ? v->message_id : "",
                    v->in_reply_to ? v->in_reply_to : "",
                    v->result ? v->result : "", buf_slice(&sealed),
                    hide ? NULL : v->envelope, hide ? NULL : v->structure,
                    hide ? NULL : v->body, hide ? NULL : v->verdict);
        if (rc)
            store_rollback(s);
        else
            rc = store_commit(s, e);
    }
    buf_clear(&sealed);
    return rc;
}

int
store_view_was_encrypted(struct store *s, const char *message_id,
                         struct err *e)
{
    sqlite3_stmt *q = db_query(s->db, e,
                               "SELECT 1 FROM view WHERE message_id = ?"
                               " AND message_id <> '' AND encrypted <> 0"
                               " LIMIT 1",
                               "s", message_id);
    int rc = q ? db_step(s->db, q, e) : -1;

    if (rc == 1)
        db_done(q);
    return rc;
}
