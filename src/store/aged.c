/*
 * Messages that the server tells us no more because they grew older than
 * sync_window: they stay in the view without a place on the server, so nothing
 * about them is sent, but their old place is remembered: their bytes can still
 * be fetched from it, and a wider window lets them in again under their UIDs.
 * Called by room sync inside its booking transactions.
 */
#include "store/message.h"

#include "store/private.h"

int
store_message_age(struct store *s, int64_t id, struct err *e)
{
    if (store_begin(s, e))
        return -1;
    if (db_run(s->db, e,
               "UPDATE message SET aged = collection, aged_id = server_id,"
               " collection = 0, server_id = '', confirmed = 1, adrift = 0"
               " WHERE id = ? AND server_id <> ''",
               "i", id) ||
        store_journal_drop(s, id, e)) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

int
store_message_age_unconfirmed(struct store *s, int64_t collection,
                              int64_t before, struct err *e)
{
    int64_t id;
    int rc;

    /* What has lost its id is not known well enough to be kept. */
    while ((rc = db_int(s->db, e, &id,
                        "SELECT id FROM message WHERE collection = ? AND"
                        " confirmed = 0 AND server_id <> '' AND received < ?"
                        " LIMIT 1",
                        "ii", collection, before)) == 1)
        if (store_message_age(s, id, e))
            return -1;
    return rc;
}

int
store_message_aged_gone(struct store *s, int64_t folder, int64_t before,
                        struct err *e)
{
    int64_t id;
    int rc;

    while ((rc = db_int(s->db, e, &id,
                        "SELECT id FROM message WHERE folder = ? AND"
                        " aged_id <> '' AND received < ? LIMIT 1",
                        "ii", folder, before)) == 1)
        if (store_message_gone(s, id, e))
            return -1;
    return rc;
}

int
store_message_aged_find(struct store *s, int64_t collection,
                        const struct store_item *it, int64_t *id_out,
                        struct err *e)
{
    if (!(it->has & STORE_HAS_CONTENT))
        return 0;
    return db_int(s->db, e, id_out,
                  "SELECT id FROM message WHERE aged = ?1 AND aged_id = ?2 AND"
                  " aged_id <> '' AND folder = ?1 AND told = ?3 AND"
                  " sfrom = ?4 AND subject = ?5",
                  "isiss", collection, it->server_id, it->received,
                  it->from ? it->from : "", it->subject ? it->subject : "");
}

int
store_message_aged_place(struct store *s, int64_t id, struct arena *a,
                         int64_t *collection_out, const char **server_id_out,
                         struct err *e)
{
    sqlite3_stmt *q = db_query(s->db, e,
                               "SELECT aged, aged_id FROM message WHERE"
                               " id = ? AND aged_id <> ''",
                               "i", id);
    int rc;

    if (!q)
        return -1;
    rc = db_step(s->db, q, e);
    if (rc == 1) {
        *collection_out = sqlite3_column_int64(q, 0);
        *server_id_out =
            arena_strdup(a, (const char *)sqlite3_column_text(q, 1));
        db_done(q);
    }
    return rc;
}
