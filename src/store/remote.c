/*
 * What the server says of messages: listing and numbering, new ones, changes,
 * removals, resets. Called by room sync inside its booking transactions.
 */
#include "store/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/now.h"
#include "store/private.h"

/* Runs `body` (an expression of int) in a transaction with an arena `a`. */
#define IN_TRANSACTION(s, e, body)                                            \
    do {                                                                      \
        struct arena *a;                                                      \
        int rc_;                                                              \
        if (store_begin((s), (e)))                                            \
            return -1;                                                        \
        a = arena_new();                                                      \
        rc_ = (body);                                                         \
        arena_free(&a);                                                       \
        if (rc_) {                                                            \
            store_rollback(s);                                                \
            return -1;                                                        \
        }                                                                     \
        return store_commit((s), (e));                                        \
    } while (0)

static const char *
text(const char *s)
{
    return s ? s : "";
}

static unsigned
item_flags(const struct store_item *it)
{
    unsigned flags = 0;

    if (it->read)
        flags |= STORE_SEEN;
    if (it->flagged)
        flags |= STORE_FLAGGED;
    if (it->draft)
        flags |= STORE_DRAFT;
    if (it->last_verb == 1 || it->last_verb == 2)
        flags |= STORE_ANSWERED;
    if (it->last_verb == 3)
        flags |= STORE_FORWARDED;
    return flags;
}

/* A missing or absurd date counts as the time of first sight. */
static int64_t
item_date(const struct store_item *it)
{
    int64_t now = now_unix();

    return it->received > 0 && it->received < now + 86400 * 2 ? it->received
                                                              : now;
}

static int
message_insert(struct store *s, int64_t folder, const struct store_item *it,
               int64_t *id_out, struct err *e)
{
    const struct store_folder *f = store_folder_get(s, folder);
    unsigned flags = item_flags(it);
    bool plain = !it->categories || !*it->categories; /* most are */
    char *words = plain ? NULL : store_keywords_normal(it->categories);
    char *shared = plain ? NULL : store_keywords_part(words, false);
    int rc;

    if (f && f->role == STORE_ROLE_DRAFTS)
        flags |= STORE_DRAFT;
    rc = db_run(s->db, e,
                "INSERT INTO message(folder, modseq, flags, keywords,"
                " received, told, saved, collection, server_id, sfrom, sto,"
                " scc, subject, class, size, verb, thread, flag_detail,"
                " server_seen, server_flagged, server_keywords)"
                " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?1, ?8, ?9, ?10, ?11,"
                " ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
                "iiisiiissssssiibsiis", folder,
                (int64_t)store_modseq_next(s), (int64_t)flags, text(words),
                item_date(it), it->received, now_unix(), it->server_id,
                text(it->from), text(it->to), text(it->cc), text(it->subject),
                text(it->message_class), (int64_t)it->estimated_size,
                (int64_t)it->last_verb, it->thread, text(it->flag_detail),
                (int64_t)it->read, (int64_t)it->flagged, text(shared));
    free(words);
    free(shared);
    if (rc)
        return -1;
    *id_out = sqlite3_last_insert_rowid(db_handle(s->db));
    return 0;
}

/* ---- known ones ---- */

static int
update_flags(struct store *s, const struct store_row_message *r,
             const struct store_item *it, struct err *e)
{
    unsigned flags = r->m.flags, server = item_flags(it);
    bool seen = it->has & STORE_HAS_READ, flag = it->has & STORE_HAS_FLAG;
    bool words = it->has & STORE_HAS_CATEGORIES;
    char *local = store_keywords_part(r->m.keywords, true);
    char *theirs = words ? store_keywords_part(text(it->categories), false)
                         : xstrdup(r->server_keywords);
    char *show;
    int rc;

    if (seen && !store_journal_has(s, r->m.id, STORE_FIELD_SEEN))
        flags = (flags & ~STORE_SEEN) | (server & STORE_SEEN);
    if (flag && !store_journal_has(s, r->m.id, STORE_FIELD_FLAGGED))
        flags = (flags & ~STORE_FLAGGED) | (server & STORE_FLAGGED);
    /* What only we hold is never cleared by the server's silence. */
    flags |= server & (STORE_ANSWERED | STORE_FORWARDED);
    if (!words)
        show = xstrdup(r->m.keywords);
    else if (!store_journal_has(s, r->m.id, STORE_FIELD_KEYWORDS))
        show = store_keywords_add(local, theirs);
    else
        show = store_changed_keywords(s, r, theirs);
    rc = store_message_show(s, &r->m, flags, show, e) ||
         db_run(s->db, e,
                "UPDATE message SET server_seen = ?, server_flagged = ?,"
                " server_keywords = ?, flag_detail = CASE WHEN ? THEN ? ELSE"
                " flag_detail END WHERE id = ?",
                "iisisi",
                (int64_t)(seen ? it->read : r->server_seen),
                (int64_t)(flag ? it->flagged : r->server_flagged), theirs,
                (int64_t)flag, text(it->flag_detail), r->m.id);
    free(local);
    free(theirs);
    free(show);
    return rc ? -1 : 0;
}

static int
message_update(struct store *s, int64_t id, const struct store_item *it,
               struct arena *a, struct err *e)
{
    struct store_row_message r;

    if (store_message_load(s, id, a, &r, e) || update_flags(s, &r, it, e))
        return -1;
    if (!(it->has & STORE_HAS_CONTENT))
        return 0;
    if (store_changed_content(s, &r, it, e))
        return -1;
    /* INTERNALDATE stays; `told` is for recognising. */
    return db_run(s->db, e,
                  "UPDATE message SET told = ?, sfrom = ?, sto = ?, scc = ?,"
                  " subject = ?, class = ?, size = ?, verb = ? WHERE id = ?",
                  "isssssiii", it->received, text(it->from), text(it->to),
                  text(it->cc), text(it->subject), text(it->message_class),
                  (int64_t)it->estimated_size, (int64_t)it->last_verb, id);
}

int
store_message_update(struct store *s, int64_t id, const struct store_item *it,
                     struct err *e)
{
    IN_TRANSACTION(s, e, message_update(s, id, it, a, e));
}

/* ---- listing ---- */

static int
message_list(struct store *s, int64_t folder, const struct store_item *it,
             struct arena *a, struct err *e)
{
    struct store_folder *f = store_folder_mut(s, folder);
    struct store_message m;
    int64_t id;
    int found;

    if (!f)
        return err_set(e, E_MISSING, "the folder is gone");
    found = store_message_by_server(s, folder, it->server_id, a, &m, e);
    if (found < 0)
        return -1;
    if (found) /* what comes twice is one */
        return message_update(s, m.id, it, a, e);
    f->state = STORE_FOLDER_LISTING;
    f->listed++;
    store_folder_save_late(s, folder);
    return message_insert(s, folder, it, &id, e);
}

int
store_message_list(struct store *s, int64_t folder, const struct store_item *it,
                   struct err *e)
{
    IN_TRANSACTION(s, e, message_list(s, folder, it, a, e));
}

static int
folder_number(struct store *s, int64_t folder, struct err *e)
{
    struct store_folder *f = store_folder_mut(s, folder);
    struct store_change c = {.kind = STORE_FOLDER_CHANGED, .folder = folder};
    int64_t n = 0;

    if (!f)
        return err_set(e, E_MISSING, "the folder is gone");
    if (db_int(s->db, e, &n, "SELECT count(*) FROM message WHERE folder = ?"
                             " AND uid IS NULL", "i", folder) < 0)
        return -1;
    if ((uint64_t)n + f->uidnext > UINT32_MAX)
        return err_set(e, E_LIMIT, "folder %s has used up its UIDs", f->path);
    if (db_run(s->db, e,
               "UPDATE message SET uid = o.uid, modseq = ?1 FROM"
               " (SELECT id, ?2 - 1 + row_number() OVER"
               " (ORDER BY received, id) AS uid FROM message"
               " WHERE folder = ?3 AND uid IS NULL) AS o"
               " WHERE message.id = o.id",
               "iii", (int64_t)store_modseq_next(s), (int64_t)f->uidnext,
               folder))
        return -1;
    f->uidnext += (uint32_t)n;
    f->state = STORE_FOLDER_READY;
    f->resets = 0;
    f->modseq = store_modseq_next(s);
    store_change_note(s, &c);
    return store_folder_save(s, f, e);
}

int
store_message_number(struct store *s, int64_t folder, struct err *e)
{
    if (store_begin(s, e))
        return -1;
    if (folder_number(s, folder, e)) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

/* ---- new and gone ---- */

static int
message_add(struct store *s, int64_t folder, const struct store_item *it,
            int64_t *id, struct err *e)
{
    sqlite3_stmt *q;
    uint32_t uid;
    unsigned flags = 0;

    if (message_insert(s, folder, it, id, e))
        return -1;
    q = db_query(s->db, e, "SELECT flags FROM message WHERE id = ?", "i", *id);
    if (!q || db_step(s->db, q, e) != 1)
        return -1;
    flags = (unsigned)sqlite3_column_int64(q, 0);
    db_done(q);
    return store_message_enter(s, *id, folder, flags, &uid, e);
}

int
store_message_add(struct store *s, int64_t folder, const struct store_item *it,
                  int64_t *id_out, struct err *e)
{
    int64_t id;

    if (store_begin(s, e))
        return -1;
    if (message_add(s, folder, it, &id, e)) {
        store_rollback(s);
        return -1;
    }
    if (store_commit(s, e))
        return -1;
    *id_out = id;
    return 0;
}

static int
message_gone(struct store *s, int64_t id, struct arena *a, struct err *e)
{
    struct store_row_message r;

    if (store_message_load(s, id, a, &r, e))
        return -1;
    /* A copy whose item never came to it: what was copied stays. */
    if (r.heir && r.m.folder)
        return store_copy_stay(s, id, a, e);
    return store_message_leave(s, &r.m, e) || store_message_erase(s, &r, e)
               ? -1
               : 0;
}

int
store_message_gone(struct store *s, int64_t id, struct err *e)
{
    IN_TRANSACTION(s, e, message_gone(s, id, a, e));
}

/* Who has this id there: 0 nobody or this one, 1 an Add of the same message
 * that came first (it is joined with this one), 2 another message, -1. */
static int
bind_other(struct store *s, int64_t id, int64_t collection,
           const char *server_id, struct arena *a, struct err *e)
{
    int64_t other = 0, same = 0;
    int rc = db_int(s->db, e, &other,
                    "SELECT id FROM message WHERE collection = ?"
                    " AND server_id = ? AND server_id <> ''",
                    "is", collection, server_id);

    if (rc <= 0 || other == id)
        return rc < 0 ? -1 : 0;
    if (db_int(s->db, e, &same,
               "SELECT a.told = b.told AND a.sfrom = b.sfrom AND"
               " a.subject = b.subject FROM message a, message b"
               " WHERE a.id = ? AND b.id = ?", "ii", id, other) < 0)
        return -1;
    if (!same)
        return 2;
    return store_copy_join(s, id, other, e) || message_gone(s, other, a, e)
               ? -1
               : 1;
}

static int
message_bind(struct store *s, int64_t id, int64_t collection,
             const char *server_id, struct arena *a, struct err *e)
{
    struct store_row_message r;
    int other = bind_other(s, id, collection, server_id, a, e);

    if (other == 2)
        server_id = ""; /* not its own: the Sync of the folder tells */
    if (other < 0 || store_message_load(s, id, a, &r, e) ||
        db_run(s->db, e,
               "UPDATE message SET collection = ?, server_id = ?, adrift = 0,"
               " aged = 0, aged_id = '' WHERE id = ?",
               "isi", collection, server_id, id))
        return -1;
    /* Nothing about what has no place there any more can be sent. */
    if (!collection)
        return store_journal_drop(s, id, e);
    if (r.m.folder == collection)
        return db_run(s->db, e, "UPDATE message SET heir = 0 WHERE id = ?",
                      "i", id) ||
                       db_run(s->db, e,
                              "DELETE FROM journal WHERE message = ?"
                              " AND field = ?",
                              "ii", id, (int64_t)STORE_FIELD_PLACE)
                   ? -1
                   : 0;
    /* The client has gone on: the way goes on from here. */
    return db_run(s->db, e,
                  "UPDATE journal SET sent = 0, tries = 0, next_try = 0"
                  " WHERE message = ? AND field = ? AND target = ?",
                  "iii", id, (int64_t)STORE_FIELD_PLACE, collection);
}

int
store_message_bind(struct store *s, int64_t id, int64_t collection,
                   const char *server_id, struct err *e)
{
    IN_TRANSACTION(s, e, message_bind(s, id, collection, server_id, a, e));
}

/* What MoveItems says is believed once a Sync has shown the item there; until
 * then any item with its print may be it, and nothing is sent to it. */
static int
message_moved(struct store *s, int64_t id, int64_t collection,
              const char *server_id, struct arena *a, struct err *e)
{
    int64_t is = 0;

    /* It is there already: an Add came first, or nothing was moved. */
    if (db_int(s->db, e, &is,
               "SELECT count(*) FROM message WHERE collection = ?"
               " AND server_id = ? AND server_id <> ''",
               "is", collection, server_id) < 0 ||
        message_bind(s, id, collection, server_id, a, e))
        return -1;
    return is ? 0
              : db_run(s->db, e,
                       "UPDATE message SET confirmed = 0 WHERE id = ?", "i",
                       id);
}

int
store_message_moved(struct store *s, int64_t id, int64_t collection,
                    const char *server_id, struct err *e)
{
    IN_TRANSACTION(s, e, message_moved(s, id, collection, server_id, a, e));
}

static int
message_displaced(struct store *s, int64_t id, bool relisting,
                  struct arena *a, struct err *e)
{
    struct store_row_message r;
    int64_t sure = 0;

    if (store_message_load(s, id, a, &r, e) ||
        db_int(s->db, e, &sure, "SELECT confirmed FROM message WHERE id = ?",
               "i", id) < 0)
        return -1;
    return relisting || !sure
               ? message_bind(s, id, r.m.collection, "", a, e)
               : message_gone(s, id, a, e);
}

int
store_message_displaced(struct store *s, int64_t id, bool relisting,
                        struct err *e)
{
    IN_TRANSACTION(s, e, message_displaced(s, id, relisting, a, e));
}

static int
message_return(struct store *s, int64_t id, int64_t folder, struct arena *a,
               struct err *e)
{
    struct store_row_message r;
    uint32_t uid;

    return store_message_load(s, id, a, &r, e) ||
                   store_message_leave(s, &r.m, e) ||
                   store_message_enter(s, id, folder,
                                       r.m.flags & ~STORE_DELETED, &uid, e) ||
                   db_run(s->db, e,
                          "DELETE FROM journal WHERE message = ?"
                          " AND field = ?",
                          "ii", id, (int64_t)STORE_FIELD_PLACE)
               ? -1
               : 0;
}

int
store_message_return(struct store *s, int64_t id, int64_t folder,
                     struct err *e)
{
    IN_TRANSACTION(s, e, message_return(s, id, folder, a, e));
}

static int
message_renew(struct store *s, int64_t id, struct arena *a, struct err *e)
{
    struct store_row_message r;
    uint32_t uid;

    if (store_message_load(s, id, a, &r, e) ||
        db_run(s->db, e, "DELETE FROM view WHERE message = ?", "i", id))
        return -1;
    if (!r.m.folder)
        return 0;
    return store_message_leave(s, &r.m, e) ||
                   store_message_enter(s, id, r.m.folder, r.m.flags, &uid,
                                       e) ||
                   db_run(s->db, e, "UPDATE message SET saved = ? WHERE id = ?",
                          "ii", r.m.saved, id)
               ? -1
               : 0;
}

int
store_message_renew(struct store *s, int64_t id, struct err *e)
{
    IN_TRANSACTION(s, e, message_renew(s, id, a, e));
}

/* ---- adrift: a move of ours whose answer was lost ---- */

int
store_message_adrift(struct store *s, int64_t id, struct err *e)
{
    if (store_begin(s, e))
        return -1;
    /* A deletion of ours that is under way has nowhere to turn up again. */
    if (db_run(s->db, e,
               "UPDATE message SET adrift = ?, server_id = '' WHERE id = ?",
               "ii", now_ms(), id)) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

static int
adrift_gone(struct store *s, int64_t folder, int64_t began, struct arena *a,
            struct err *e)
{
    int64_t id;
    int rc;

    /* now_ms() is of this boot: a larger value is of an earlier one. */
    while ((rc = db_int(s->db, e, &id,
                        "SELECT m.id FROM journal j CROSS JOIN message m ON"
                        " m.id = j.message WHERE j.field = 3 AND"
                        " j.sent <> 0 AND j.target = ?1 AND"
                        " m.server_id = '' AND m.adrift <> 0 AND"
                        " (m.adrift < ?2 OR m.adrift > ?2 + 86400000) LIMIT 1",
                        "ii", folder, began)) == 1)
        if (message_gone(s, id, a, e))
            return -1;
    return rc;
}

int
store_message_adrift_gone(struct store *s, int64_t folder, int64_t began,
                          struct err *e)
{
    IN_TRANSACTION(s, e, adrift_gone(s, folder, began, a, e));
}

/* ---- recognising, relisting ---- */

int
store_message_confirm(struct store *s, int64_t id, struct err *e)
{
    return db_run(s->db, e, "UPDATE message SET confirmed = 1 WHERE id = ?"
                            " AND confirmed = 0",
                  "i", id);
}

int
store_message_match(struct store *s, int64_t collection,
                    const struct store_item *it, size_t *n_out,
                    int64_t *id_out, struct err *e)
{
    sqlite3_stmt *q;
    int rc;

    *n_out = 0;
    if (!(it->has & STORE_HAS_CONTENT))
        return 0;
    q = db_query(
        s->db, e,
        "SELECT id FROM message WHERE collection = ?1 AND told = ?2 AND"
        " (confirmed = 0 OR server_id = '') AND sfrom = ?3 AND subject = ?4"
        /* Fallen out of the window, and let in again. */
        " UNION SELECT id FROM message WHERE folder = ?1 AND aged = ?1 AND"
        " aged_id <> '' AND told = ?2 AND sfrom = ?3 AND subject = ?4"
        /* A move of ours to here whose outcome is not known. */
        " UNION SELECT m.id FROM journal j CROSS JOIN message m ON"
        " m.id = j.message WHERE j.field = 3 AND j.sent <> 0 AND"
        " j.target = ?1 AND m.told = ?2 AND m.collection <> ?1 AND"
        " m.sfrom = ?3 AND m.subject = ?4",
        "iiss", collection, it->received, text(it->from),
        text(it->subject));
    if (!q)
        return -1;
    while ((rc = db_step(s->db, q, e)) == 1) {
        *id_out = sqlite3_column_int64(q, 0);
        ++*n_out;
    }
    return rc;
}

int
store_folder_unconfirmed(struct store *s, int64_t folder, size_t *n_out,
                         size_t *of_out, struct err *e)
{
    int64_t n = 0, of = 0;

    if (db_int(s->db, e, &n, "SELECT count(*) FROM message WHERE"
                             " collection = ? AND confirmed = 0", "i",
               folder) < 0 ||
        db_int(s->db, e, &of, "SELECT count(*) FROM message WHERE"
                              " collection = ?", "i", folder) < 0)
        return -1;
    *n_out = (size_t)n;
    *of_out = (size_t)of;
    return 0;
}

static int
finish_relist(struct store *s, int64_t folder, struct arena *a, struct err *e)
{
    struct store_folder *f;
    int64_t id;
    int rc;

    while ((rc = db_int(s->db, e, &id,
                        "SELECT id FROM message WHERE collection = ? AND"
                        " confirmed = 0 LIMIT 1",
                        "i", folder)) == 1) {
        arena_reset(a);
        if (message_gone(s, id, a, e))
            return -1;
    }
    f = store_folder_mut(s, folder);
    if (rc || !f)
        return -1;
    f->state = STORE_FOLDER_READY;
    f->resets = 0;
    return store_folder_save(s, f, e);
}

int
store_folder_finish_relist(struct store *s, int64_t folder, struct err *e)
{
    IN_TRANSACTION(s, e, finish_relist(s, folder, a, e));
}

int
store_message_by_print(struct store *s, int64_t collection, int64_t received,
                       const char *from, const char *subject, struct arena *a,
                       struct store_message *out, struct err *e)
{
    sqlite3_stmt *q = db_query(
        s->db, e,
        "SELECT id FROM message WHERE collection = ? AND told = ? AND"
        " sfrom = ? AND subject = ? LIMIT 2",
        "iiss", collection, received, text(from), text(subject));
    int64_t id = 0;
    int rc, n = 0;

    if (!q)
        return -1;
    while ((rc = db_step(s->db, q, e)) == 1) {
        id = sqlite3_column_int64(q, 0);
        n++;
    }
    if (rc || n != 1)
        return rc;
    return store_message_get(s, id, a, out, e) ? -1 : 1;
}
