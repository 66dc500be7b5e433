/*
 * The journal. A row says that a field of a message differs from what the
 * server has; the value is read from the message when it is replayed, so
 * steps merge by themselves.
 */
#include "store/journal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "store/private.h"

#define REFUSALS_KEPT 100

static const char *const field_names[] = {
    [STORE_FIELD_SEEN] = "read flag",
    [STORE_FIELD_FLAGGED] = "flag",
    [STORE_FIELD_KEYWORDS] = "keywords",
    [STORE_FIELD_PLACE] = "move or deletion",
};

int
store_journal_note(struct store *s, int64_t message, enum store_field field,
                   bool differs, struct err *e)
{
    struct store_change c = {.kind = STORE_JOURNAL_CHANGED,
                             .message = message};

    /* A row that was sent must stay until its outcome is known: the server
     * may have the earlier value by now. */
    if (!differs)
        return db_run(s->db, e,
                      "DELETE FROM journal WHERE message = ? AND field = ?"
                      " AND sent = 0",
                      "ii", message, (int64_t)field) ||
                       db_run(s->db, e,
                              "UPDATE journal SET version = version + 1,"
                              " next_try = 0 WHERE message = ?"
                              " AND field = ?",
                              "ii", message, (int64_t)field)
                   ? -1
                   : 0;
    store_change_note(s, &c);
    return db_run(s->db, e,
                  "INSERT INTO journal(message, field) VALUES(?, ?)"
                  " ON CONFLICT DO UPDATE SET version = version + 1,"
                  " next_try = 0",
                  "ii", message, (int64_t)field);
}

bool
store_journal_has(struct store *s, int64_t message, enum store_field field)
{
    int64_t id;

    return db_int(s->db, NULL, &id,
                  "SELECT id FROM journal WHERE message = ? AND field = ?",
                  "ii", message, (int64_t)field) == 1;
}

int
store_journal_drop(struct store *s, int64_t message, struct err *e)
{
    return db_run(s->db, e, "DELETE FROM journal WHERE message = ?", "i",
                  message);
}

#define PLACE_POS ((int64_t)1 << 62)

int
store_journal_next(struct store *s, int64_t collection, int64_t *after,
                   struct arena *a, struct store_row *out, struct err *e)
{
    /* Position = PLACE rows last, then id; CROSS JOIN keeps the order of the
     * index journal_order, so that each row costs one step of it. */
    sqlite3_stmt *q = db_query(
        s->db, e,
        "SELECT j.id, j.message, j.field, j.tries, j.sent, j.next_try,"
        " m.flags, m.keywords, CASE WHEN j.field = 3 AND j.sent <> 0 AND"
        " j.target <> 0 THEN j.target ELSE m.folder END, m.collection,"
        " m.server_id"
        " FROM journal j CROSS JOIN message m ON m.id = j.message"
        " WHERE (j.field = 3, j.id) > (?3, ?4)"
        " AND m.collection = ?1 AND m.server_id <> '' AND m.confirmed = 1"
        " AND (j.next_try <= ?2 OR j.next_try > ?2 + ?5)"
        " ORDER BY j.field = 3, j.id LIMIT 1",
        "iiiii", collection, now_unix(), (int64_t)(*after >= PLACE_POS),
        *after % PLACE_POS, STORE_JOURNAL_WAIT_MAX);
    int rc = q ? db_step(s->db, q, e) : -1;
    unsigned flags;
    char *shared;

    if (rc != 1)
        return rc;
    flags = (unsigned)sqlite3_column_int64(q, 6);
    *out = (struct store_row){
        .id = sqlite3_column_int64(q, 0),
        .message = sqlite3_column_int64(q, 1),
        .field = (enum store_field)sqlite3_column_int(q, 2),
        .tries = sqlite3_column_int(q, 3),
        .sent = sqlite3_column_int(q, 4),
        .next_try = sqlite3_column_int64(q, 5),
        .folder = sqlite3_column_int64(q, 8),
        .collection = sqlite3_column_int64(q, 9),
        .server_id = db_text(q, 10, a),
    };
    out->value = out->field == STORE_FIELD_SEEN ? !!(flags & STORE_SEEN)
                                                : !!(flags & STORE_FLAGGED);
    shared = store_keywords_part(db_text(q, 7, a), false);
    out->keywords = arena_strdup(a, shared);
    free(shared);
    *after = out->id + (out->field == STORE_FIELD_PLACE ? PLACE_POS : 0);
    db_done(q);
    return 1;
}

int
store_journal_collection(struct store *s, int64_t *collection, int64_t *wait,
                         struct err *e)
{
    sqlite3_stmt *q = db_query(
        s->db, e,
        "SELECT m.collection, min(CASE WHEN j.next_try > ?2 + ?3 THEN 0"
        " ELSE j.next_try END) FROM journal j CROSS"
        " JOIN message m ON m.id = j.message CROSS JOIN folder f ON"
        " f.id = m.collection WHERE m.server_id <> '' AND"
        " m.confirmed = 1 AND f.state = ?1"
        " AND f.key <> '0'"
        " GROUP BY m.collection ORDER BY 2 LIMIT 1",
        "iii", (int64_t)STORE_FOLDER_READY, now_unix(),
        STORE_JOURNAL_WAIT_MAX);
    int rc = q ? db_step(s->db, q, e) : -1;
    int64_t next;

    *collection = *wait = 0;
    if (rc != 1)
        return rc;
    next = sqlite3_column_int64(q, 1);
    if (next <= now_unix())
        *collection = sqlite3_column_int64(q, 0);
    else
        *wait = next;
    db_done(q);
    return 0;
}

int
store_journal_sent(struct store *s, int64_t row, struct err *e)
{
    if (store_begin(s, e))
        return -1;
    /* A move of unknown outcome is repeated as it was, wherever the message
     * is wanted by now: the way on begins where the item is. */
    if (db_run(s->db, e,
               "UPDATE journal SET sent = CASE WHEN j.field = 3 AND"
               " j.sent <> 0 AND j.target NOT IN (0, m.folder)"
               " THEN j.sent ELSE j.version END,"
               " target = CASE WHEN j.field = 3 AND j.sent <> 0 AND"
               " j.target <> 0 THEN j.target ELSE m.folder END"
               " FROM journal j JOIN message m ON m.id = j.message"
               " WHERE j.id = ?1 AND journal.id = ?1",
               "i", row)) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

int
store_journal_adrift(struct store *s, int64_t row, struct err *e)
{
    int64_t message;
    int rc = db_int(s->db, e, &message,
                    "SELECT message FROM journal WHERE id = ? AND sent <> 0",
                    "i", row);

    return rc <= 0 ? rc : store_message_adrift(s, message, e);
}

struct opened {
    int64_t message, version, sent, target;
    enum store_field field;
};

/* 1, 0 the row is gone, -1. */
static int
row_load(struct store *s, int64_t row, struct opened *o, struct err *e)
{
    sqlite3_stmt *q = db_query(s->db, e,
                               "SELECT message, field, version, sent, target"
                               " FROM journal WHERE id = ?",
                               "i", row);
    int rc = q ? db_step(s->db, q, e) : -1;

    if (rc != 1)
        return rc;
    o->message = sqlite3_column_int64(q, 0);
    o->field = (enum store_field)sqlite3_column_int(q, 1);
    o->version = sqlite3_column_int64(q, 2);
    o->sent = sqlite3_column_int64(q, 3);
    o->target = sqlite3_column_int64(q, 4);
    db_done(q);
    return 1;
}

static int
row_close(struct store *s, int64_t row, const struct opened *o, struct err *e)
{
    if (o->version == o->sent)
        return db_run(s->db, e, "DELETE FROM journal WHERE id = ?", "i", row);
    /* The server has an earlier value, which is not the one that we know of
     * it: a row of a flag must stay until a later one has arrived, also when
     * the client returns to what we think is there. */
    return db_run(s->db, e,
                  "UPDATE journal SET sent = ?, tries = 0, next_try = 0"
                  " WHERE id = ?",
                  "ii", (int64_t)(o->field == STORE_FIELD_PLACE ? 0 : -1),
                  row);
}

/* The server has the value that the message shows now (flags); what was
 * changed since it was sent keeps its row. */
static int
flags_done(struct store *s, int64_t row, const struct opened *o,
           struct err *e)
{
    static const char *const seen =
        "UPDATE message SET server_seen = flags & 1 WHERE id = ?";
    static const char *const flagged =
        "UPDATE message SET server_flagged = (flags & 4) <> 0 WHERE id = ?";
    struct arena *a;
    struct store_row_message r;
    char *shared;
    int rc;

    if (o->version != o->sent)
        return row_close(s, row, o, e);
    if (o->field == STORE_FIELD_SEEN)
        rc = db_run(s->db, e, seen, "i", o->message);
    else if (o->field == STORE_FIELD_FLAGGED)
        rc = db_run(s->db, e, flagged, "i", o->message);
    else {
        a = arena_new();
        rc = store_message_load(s, o->message, a, &r, e);
        if (rc == 0) {
            shared = store_keywords_part(r.m.keywords, false);
            rc = db_run(s->db, e,
                        "UPDATE message SET server_keywords = ? WHERE id = ?",
                        "si", shared, o->message);
            free(shared);
        }
        arena_free(&a);
    }
    return rc ? -1 : row_close(s, row, o, e);
}

static int
place_done(struct store *s, int64_t row, const struct opened *o,
           const char *new_id, struct err *e)
{
    if (!o->target)
        return store_message_gone(s, o->message, e);
    /* bind() drops the row when the message still wants to be there. */
    if (row_close(s, row, o, e) ||
        store_message_moved(s, o->message, o->target, new_id, e))
        return -1;
    return 0;
}

int
store_journal_done(struct store *s, int64_t row, const char *new_id,
                   struct err *e)
{
    struct opened o;
    int rc;

    if (store_begin(s, e))
        return -1;
    rc = row_load(s, row, &o, e);
    if (rc == 1)
        rc = o.field == STORE_FIELD_PLACE
                 ? place_done(s, row, &o, new_id ? new_id : "", e)
                 : flags_done(s, row, &o, e);
    if (rc) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

static int
refusal_add(struct store *s, const struct opened *o, const char *why,
            struct err *e)
{
    return db_run(s->db, e,
                  "INSERT INTO refusal(at, message, what, why)"
                  " VALUES(?, ?, ?, ?)",
                  "iiss", now_unix(), o->message, field_names[o->field],
                  why) ||
                   db_run(s->db, e,
                          "DELETE FROM refusal WHERE id <="
                          " (SELECT max(id) FROM refusal) - ?",
                          "i", (int64_t)REFUSALS_KEPT)
               ? -1
               : 0;
}

/* The shown value goes back to the server's. */
static int
flags_refused(struct store *s, int64_t row, const struct opened *o,
              struct arena *a, struct err *e)
{
    struct store_row_message r;
    unsigned flags;
    char *words;
    int rc;

    if (db_run(s->db, e, "DELETE FROM journal WHERE id = ?", "i", row) ||
        store_message_load(s, o->message, a, &r, e))
        return -1;
    flags = r.m.flags;
    words = xstrdup(r.m.keywords);
    if (o->field == STORE_FIELD_SEEN)
        flags = (flags & ~STORE_SEEN) | (r.server_seen ? STORE_SEEN : 0);
    else if (o->field == STORE_FIELD_FLAGGED)
        flags = (flags & ~STORE_FLAGGED) |
                (r.server_flagged ? STORE_FLAGGED : 0);
    else {
        char *local = store_keywords_part(words, true);

        free(words);
        words = store_keywords_add(local, r.server_keywords);
        free(local);
    }
    rc = store_message_show(s, &r.m, flags, words, e);
    free(words);
    return rc;
}

static int
place_refused(struct store *s, const struct opened *o, struct arena *a,
              struct err *e)
{
    struct store_row_message r;

    if (store_message_load(s, o->message, a, &r, e))
        return -1;
    if (r.heir && r.m.folder)
        return store_copy_refused(s, &r, a, e);
    return store_message_return(s, o->message, r.m.collection, e);
}

int
store_journal_refused(struct store *s, int64_t row, const char *why,
                      struct err *e)
{
    struct opened o;
    struct arena *a;
    int rc;

    if (store_begin(s, e))
        return -1;
    a = arena_new();
    rc = row_load(s, row, &o, e);
    if (rc == 1) {
        rc = refusal_add(s, &o, why, e);
        if (rc == 0)
            rc = o.field == STORE_FIELD_PLACE ? place_refused(s, &o, a, e)
                                              : flags_refused(s, row, &o, a, e);
    }
    arena_free(&a);
    if (rc) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

int
store_journal_later(struct store *s, int64_t row, int64_t next_try,
                    struct err *e)
{
    if (store_begin(s, e))
        return -1;
    if (db_run(s->db, e,
               "UPDATE journal SET tries = tries + 1, next_try = ?"
               " WHERE id = ?",
               "ii", next_try, row)) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

int
store_journal_count(struct store *s, uint64_t *open_out, struct err *e)
{
    int64_t n = 0;

    if (db_int(s->db, e, &n, "SELECT count(*) FROM journal", "") < 0)
        return -1;
    *open_out = (uint64_t)n;
    return 0;
}

int
store_journal_place(struct store *s, int64_t message, int64_t *folder_out,
                    bool *sent_out, struct err *e)
{
    sqlite3_stmt *q = db_query(s->db, e,
                               "SELECT m.folder, j.sent FROM journal j"
                               " JOIN message m ON m.id = j.message"
                               " WHERE j.message = ? AND j.field = ?",
                               "ii", message, (int64_t)STORE_FIELD_PLACE);
    int rc = q ? db_step(s->db, q, e) : -1;

    if (rc != 1)
        return rc;
    *folder_out = sqlite3_column_int64(q, 0);
    *sent_out = sqlite3_column_int64(q, 1) != 0;
    db_done(q);
    return 1;
}

int
store_journal_refusals(struct store *s, struct arena *a,
                       struct store_refusal *out, size_t max, size_t *n,
                       struct err *e)
{
    sqlite3_stmt *q = db_query(s->db, e,
                               "SELECT at, message, what, why FROM refusal"
                               " ORDER BY id DESC LIMIT ?",
                               "i", (int64_t)max);
    int rc;

    *n = 0;
    if (!q)
        return -1;
    while ((rc = db_step(s->db, q, e)) == 1)
        out[(*n)++] = (struct store_refusal){
            .when = sqlite3_column_int64(q, 0),
            .message = sqlite3_column_int64(q, 1),
            .what = db_text(q, 2, a),
            .why = db_text(q, 3, a),
        };
    return rc;
}
