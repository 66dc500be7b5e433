/*
 * Copies. Exchange cannot copy, so a copy is a local entry of the same bytes.
 * An original and its copies, also copies of copies, are a family with at most
 * one item on the server: the entry with a collection holds it. When the
 * holder is expunged another entry takes the item over; when the item is gone
 * on the server, the copies stay (SPEC section 6, COPY).
 */
#include "store/message.h"

#include "base/now.h"
#include "store/private.h"

static int64_t
copy_row(struct store *s, int64_t family, const struct store_row_message *r,
         struct err *e)
{
    if (db_run(s->db, e,
               "INSERT INTO message(folder, modseq, flags, keywords, received,"
               " told, saved, collection, server_id, sfrom, sto, scc, subject,"
               " class, size, verb, thread, flag_detail, body, body_state,"
               " family) SELECT 0, ?1, flags, keywords, received, told, ?2, 0,"
               " '', sfrom, sto, scc, subject, class, size, verb, thread,"
               " flag_detail, body, body_state, ?3 FROM message WHERE id = ?4",
               "iiii", (int64_t)store_modseq_next(s), now_unix(), family,
               r->m.id))
        return -1;
    return sqlite3_last_insert_rowid(db_handle(s->db));
}

/* An entry of the same bytes; what was told of them holds for it too. */
static int
copy_make(struct store *s, const struct store_row_message *r, int64_t folder,
          unsigned flags, int64_t *id_out, uint32_t *uid_out, struct err *e)
{
    int64_t family = r->m.family ? r->m.family : r->m.id;
    int64_t id;

    if (!r->m.family &&
        db_run(s->db, e, "UPDATE message SET family = id WHERE id = ?", "i",
               r->m.id))
        return -1;
    id = copy_row(s, family, r, e);
    if (id < 0 ||
        db_run(s->db, e,
               "INSERT INTO view(message, encrypted, opened, size, digest,"
               " message_id, in_reply_to, result, sealed, envelope, structure,"
               " body, verdict) SELECT ?1, encrypted, opened, size, digest,"
               " message_id, in_reply_to, result, sealed, envelope, structure,"
               " body, verdict FROM view WHERE message = ?2",
               "ii", id, r->m.id))
        return -1;
    *id_out = id;
    return store_message_enter(s, id, folder, flags, uid_out, e);
}

static int
message_copy(struct store *s, int64_t id, int64_t folder, struct arena *a,
             uint32_t *uid, struct err *e)
{
    struct store_row_message r;
    int64_t made;

    if (store_message_load(s, id, a, &r, e))
        return -1;
    if (!r.m.folder || !r.m.uid)
        return err_set(e, E_MISSING, "the message is gone");
    if (!r.body_id || r.m.body == STORE_BODY_ABSENT)
        return err_set(e, E_RETRY, "the message is not here yet, so that it "
                                   "cannot be copied");
    return copy_make(s, &r, folder, r.m.flags | STORE_LOCALONLY, &made, uid, e);
}

int
store_message_copy(struct store *s, int64_t id, int64_t folder,
                   uint32_t *uid_out, struct err *e)
{
    struct arena *a;
    uint32_t uid;
    int rc;

    if (!store_folder_get(s, folder))
        return err_set(e, E_MISSING, "there is no such folder");
    if (store_begin(s, e))
        return -1;
    a = arena_new();
    rc = message_copy(s, id, folder, a, &uid, e);
    arena_free(&a);
    if (rc) {
        store_rollback(s);
        return -1;
    }
    if (store_commit(s, e))
        return -1;
    *uid_out = uid;
    return 0;
}

int
store_message_has_copies(struct store *s, int64_t id, struct err *e)
{
    int64_t other;

    return db_int(s->db, e, &other,
                  "SELECT o.id FROM message m JOIN message o ON"
                  " o.family = m.family AND o.family <> 0 AND o.id <> m.id"
                  " AND o.folder <> 0 WHERE m.id = ? LIMIT 1",
                  "i", id);
}

int
store_message_local(struct store *s, struct store_local *out, size_t max,
                    size_t *n_out, uint64_t *total_out, struct err *e)
{
    sqlite3_stmt *q;
    int64_t total = 0;
    int rc;

    *n_out = 0;
    *total_out = 0;
    if (db_int(s->db, e, &total, "SELECT count(*) FROM message WHERE"
                                 " flags & 64 AND folder <> 0", "") < 0)
        return -1;
    q = db_query(s->db, e, "SELECT id, folder, uid FROM message WHERE"
                           " flags & 64 AND folder <> 0 ORDER BY id LIMIT ?",
                 "i", (int64_t)max);
    if (!q)
        return -1;
    while ((rc = db_step(s->db, q, e)) == 1)
        out[(*n_out)++] = (struct store_local){
            .id = sqlite3_column_int64(q, 0),
            .folder = sqlite3_column_int64(q, 1),
            .uid = (uint32_t)sqlite3_column_int64(q, 2),
        };
    *total_out = (uint64_t)total;
    return rc;
}

/* ---- the one item ---- */

int
store_copy_heir(struct store *s, const struct store_row_message *r,
                int64_t *id_out, struct err *e)
{
    const struct store_folder *trash =
        store_folder_by_role(s, STORE_ROLE_TRASH);

    if (!r->m.family)
        return 0;
    return db_int(s->db, e, id_out,
                  "SELECT id FROM message WHERE family = ? AND family <> 0"
                  " AND id <> ? AND folder <> 0 ORDER BY folder = ?, id"
                  " LIMIT 1",
                  "iii", r->m.family, r->m.id, trash ? trash->id : 0);
}

/* The server id is unique: it leaves the one before it comes to the other. */
static int
place_give(struct store *s, const struct store_row_message *from, int64_t to,
           struct err *e)
{
    return db_run(s->db, e,
                  "UPDATE message SET (collection, told, sfrom, sto, scc,"
                  " subject, class, size, verb, flag_detail, confirmed,"
                  " adrift, server_seen, server_flagged, server_keywords) ="
                  " (SELECT collection, told, sfrom, sto, scc, subject, class,"
                  " size, verb, flag_detail, confirmed, adrift, server_seen,"
                  " server_flagged, server_keywords FROM message WHERE"
                  " id = ?1) WHERE id = ?2",
                  "ii", from->m.id, to) ||
                   db_run(s->db, e,
                          "UPDATE message SET collection = 0, server_id = '',"
                          " adrift = 0, heir = 0 WHERE id = ?",
                          "i", from->m.id) ||
                   db_run(s->db, e,
                          "UPDATE message SET server_id = ?, heir ="
                          " folder <> collection WHERE id = ?",
                          "si", from->m.server_id, to) ||
                   store_journal_drop(s, to, e) ||
                   db_run(s->db, e,
                          "UPDATE journal SET message = ? WHERE message = ?",
                          "ii", to, from->m.id)
               ? -1
               : 0;
}

int
store_copy_hand_over(struct store *s, const struct store_row_message *from,
                     int64_t to, struct arena *a, struct err *e)
{
    struct store_row_message r;
    unsigned flags;

    if (place_give(s, from, to, e) || store_message_load(s, to, a, &r, e))
        return -1;
    flags = r.m.flags & ~STORE_LOCALONLY;
    return store_message_show(s, &r.m, flags, r.m.keywords, e) ||
                   store_message_differs(s, &r, flags, r.m.keywords, e) ||
                   store_journal_note(s, to, STORE_FIELD_PLACE,
                                      r.m.folder != r.m.collection, e)
               ? -1
               : 0;
}

int
store_copy_stay(struct store *s, int64_t id, struct arena *a, struct err *e)
{
    struct store_row_message r;

    return store_journal_drop(s, id, e) ||
                   db_run(s->db, e,
                          "UPDATE message SET collection = 0, server_id = '',"
                          " adrift = 0, heir = 0, confirmed = 1"
                          " WHERE id = ?",
                          "i", id) ||
                   store_message_load(s, id, a, &r, e) ||
                   store_message_show(s, &r.m, r.m.flags | STORE_LOCALONLY,
                                      r.m.keywords, e)
               ? -1
               : 0;
}

int
store_copy_refused(struct store *s, const struct store_row_message *heir,
                   struct arena *a, struct err *e)
{
    unsigned flags = heir->m.flags & ~(STORE_DELETED | STORE_LOCALONLY);
    int64_t id;
    uint32_t uid;

    /* The row that was refused must not go along. */
    return db_run(s->db, e,
                  "DELETE FROM journal WHERE message = ? AND field = ?", "ii",
                  heir->m.id, (int64_t)STORE_FIELD_PLACE) ||
                   copy_make(s, heir, heir->m.collection, flags, &id, &uid,
                             e) ||
                   store_copy_hand_over(s, heir, id, a, e) ||
                   store_copy_stay(s, heir->m.id, a, e)
               ? -1
               : 0;
}

int
store_copy_join(struct store *s, int64_t id, int64_t other, struct err *e)
{
    int64_t mine = 0, theirs = 0;

    if (db_int(s->db, e, &mine, "SELECT family FROM message WHERE id = ?", "i",
               id) < 0 ||
        db_int(s->db, e, &theirs, "SELECT family FROM message WHERE id = ?",
               "i", other) < 0)
        return -1;
    if (!theirs)
        return 0;
    if (!mine)
        return db_run(s->db, e, "UPDATE message SET family = ? WHERE id = ?",
                      "ii", theirs, id);
    return db_run(s->db, e, "UPDATE message SET family = ? WHERE family = ?",
                  "ii", mine, theirs);
}

int
store_message_living(struct store *s, int64_t collection, uint64_t *out,
                     struct err *e)
{
    int64_t n = 0;

    if (db_int(s->db, e, &n, "SELECT count(*) FROM message WHERE"
                             " collection = ? AND folder <> 0",
               "i", collection) < 0)
        return -1;
    *out = (uint64_t)n;
    return 0;
}
