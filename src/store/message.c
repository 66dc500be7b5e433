/*
 * Messages: reading them, and the changes that clients make. What the server
 * says is in remote.c.
 */
#include "store/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/now.h"
#include "store/private.h"

/* ---- keywords: "a b c" ---- */

static int
by_name(const void *a, const void *b)
{
    return ascii_icmp(*(char *const *)a, *(char *const *)b);
}

/* Words of both lists, sorted, each once (letter case ignored). */
static char *
words_union(const char *one, const char *two, const char *without, int part)
{
    char *copy = xasprintf("%s %s", one ? one : "", two ? two : "");
    char **list = NULL, *save = NULL;
    size_t n = 0;
    struct buf b = BUF_INIT(BUF_OURS);

    for (char *w = strtok_r(copy, " ", &save); w;
         w = strtok_r(NULL, " ", &save)) {
        list = xrealloc(list, (n + 1) * sizeof *list);
        list[n++] = w;
    }
    if (n)
        qsort(list, n, sizeof *list, by_name);
    for (size_t i = 0; i < n; i++) {
        bool local = list[i][0] == '$';
        bool skip = i && ascii_icmp(list[i], list[i - 1]) == 0;

        if (without) {
            struct slice rest = slice_of(without), w;

            while (!skip && slice_next(&rest, ' ', &w))
                skip = slice_iis(w, list[i]);
        }
        if (skip || (part == 1 && !local) || (part == 2 && local))
            continue;
        if (b.len)
            buf_addc(&b, ' ');
        buf_adds(&b, list[i]);
    }
    free(list);
    free(copy);
    return buf_take(&b, NULL);
}

char *
store_keywords_normal(const char *words)
{
    return words_union(words, NULL, NULL, 0);
}

char *
store_keywords_part(const char *words, bool local)
{
    return words_union(words, NULL, NULL, local ? 1 : 2);
}

char *
store_keywords_add(const char *words, const char *more)
{
    return words_union(words, more, NULL, 0);
}

char *
store_keywords_remove(const char *words, const char *less)
{
    return words_union(words, NULL, less ? less : "", 0);
}

/* ---- reading ---- */

void
store_message_read(sqlite3_stmt *q, struct arena *a,
                   struct store_row_message *r)
{
    memset(r, 0, sizeof *r);
    r->m.id = sqlite3_column_int64(q, 0);
    r->m.folder = sqlite3_column_int64(q, 1);
    r->m.uid = (uint32_t)sqlite3_column_int64(q, 2);
    r->m.modseq = (uint64_t)sqlite3_column_int64(q, 3);
    r->m.flags = (unsigned)sqlite3_column_int64(q, 4);
    r->m.keywords = db_text(q, 5, a);
    r->m.received = sqlite3_column_int64(q, 6);
    r->m.saved = sqlite3_column_int64(q, 7);
    r->m.collection = sqlite3_column_int64(q, 8);
    r->m.server_id = db_text(q, 9, a);
    r->m.from = db_text(q, 10, a);
    r->m.to = db_text(q, 11, a);
    r->m.cc = db_text(q, 12, a);
    r->m.subject = db_text(q, 13, a);
    r->m.message_class = db_text(q, 14, a);
    r->m.estimated_size = (uint64_t)sqlite3_column_int64(q, 15);
    r->m.last_verb = sqlite3_column_int(q, 16);
    r->m.body = (enum store_body_state)sqlite3_column_int(q, 17);
    r->m.body_tries = sqlite3_column_int(q, 18);
    r->m.family = sqlite3_column_int64(q, 19);
    r->server_seen = sqlite3_column_int(q, 20);
    r->server_flagged = sqlite3_column_int(q, 21);
    r->server_keywords = db_text(q, 22, a);
    r->body_id = sqlite3_column_int64(q, 23);
    r->adrift = sqlite3_column_int64(q, 24);
    r->heir = sqlite3_column_int(q, 25);
    r->check = sqlite3_column_int(q, 26);
}

static int
message_one(struct store *s, sqlite3_stmt *q, struct arena *a,
            struct store_row_message *r, struct err *e)
{
    int rc = q ? db_step(s->db, q, e) : -1;

    if (rc == 1) {
        store_message_read(q, a, r);
        db_done(q);
    }
    return rc;
}

int
store_message_load(struct store *s, int64_t id, struct arena *a,
                   struct store_row_message *out, struct err *e)
{
    sqlite3_stmt *q =
        db_query(s->db, e, "SELECT " MESSAGE_COLUMNS " FROM message WHERE"
                           " id = ?", "i", id);
    int rc = message_one(s, q, a, out, e);

    if (rc == 0)
        return err_set(e, E_MISSING, "the message is gone");
    return rc < 0 ? -1 : 0;
}

int
store_message_get(struct store *s, int64_t id, struct arena *a,
                  struct store_message *out, struct err *e)
{
    struct store_row_message r;

    if (store_message_load(s, id, a, &r, e))
        return -1;
    *out = r.m;
    return 0;
}

int
store_message_by_uid(struct store *s, int64_t folder, uint32_t uid,
                     struct arena *a, struct store_message *out, struct err *e)
{
    struct store_row_message r;
    int rc = message_one(
        s,
        db_query(s->db, e, "SELECT " MESSAGE_COLUMNS " FROM message WHERE"
                           " folder = ? AND uid = ? AND uid IS NOT NULL",
                 "ii", folder,
                 (int64_t)uid),
        a, &r, e);

    if (rc == 1)
        *out = r.m;
    return rc;
}

int
store_message_by_server(struct store *s, int64_t collection,
                        const char *server_id, struct arena *a,
                        struct store_message *out, struct err *e)
{
    struct store_row_message r;
    int rc = message_one(
        s,
        db_query(s->db, e, "SELECT " MESSAGE_COLUMNS " FROM message WHERE"
                           " collection = ? AND server_id = ?"
                           " AND server_id <> ''", "is", collection,
                 server_id),
        a, &r, e);

    if (rc == 1)
        *out = r.m;
    return rc;
}

int
store_message_by_message_id(struct store *s, const char *message_id,
                            struct arena *a, struct store_message *out,
                            struct err *e)
{
    struct store_row_message r;
    int rc = message_one(
        s,
        db_query(s->db, e,
                 "SELECT " MESSAGE_COLUMNS " FROM message WHERE id IN"
                 " (SELECT message FROM view WHERE message_id = ?"
                 " AND message_id <> '') ORDER BY received DESC LIMIT 1",
                 "s", message_id),
        a, &r, e);

    if (rc == 1)
        *out = r.m;
    return rc;
}

int
store_message_by_message_id_in(struct store *s, int64_t folder,
                               const char *message_id, struct arena *a,
                               struct store_message *out, struct err *e)
{
    struct store_row_message r;
    int rc = message_one(
        s,
        db_query(s->db, e,
                 "SELECT " MESSAGE_COLUMNS " FROM message WHERE id IN"
                 " (SELECT message FROM view WHERE message_id = ?"
                 " AND message_id <> '') AND folder = ? AND uid IS NOT NULL"
                 " ORDER BY received DESC LIMIT 1",
                 "si", message_id, folder),
        a, &r, e);

    if (rc == 1)
        *out = r.m;
    return rc;
}

int
store_snapshot_load(struct store *s, int64_t folder,
                    struct store_snapshot *out, struct err *e)
{
    const struct store_folder *f = store_folder_get(s, folder);
    sqlite3_stmt *q;
    size_t cap = 0;
    int rc;

    if (!f)
        return err_set(e, E_MISSING, "the folder is gone");
    *out = (struct store_snapshot){.uidvalidity = f->uidvalidity,
                                   .uidnext = f->uidnext,
                                   .modseq = f->modseq};
    q = db_query(s->db, e,
                 "SELECT id, uid, flags, modseq FROM message WHERE folder = ?"
                 " AND uid IS NOT NULL ORDER BY uid",
                 "i", folder);
    if (!q)
        return -1;
    while ((rc = db_step(s->db, q, e)) == 1) {
        if (out->n == cap) {
            cap = cap ? cap * 2 : 64;
            out->entries = xrealloc(out->entries, cap * sizeof *out->entries);
        }
        out->entries[out->n++] = (struct store_entry){
            .id = sqlite3_column_int64(q, 0),
            .uid = (uint32_t)sqlite3_column_int64(q, 1),
            .flags = (unsigned)sqlite3_column_int64(q, 2),
            .modseq = (uint64_t)sqlite3_column_int64(q, 3),
        };
    }
    if (rc < 0)
        store_snapshot_clear(out);
    return rc;
}

void
store_snapshot_clear(struct store_snapshot *snap)
{
    free(snap->entries);
    *snap = (struct store_snapshot){0};
}

/* 1 when there was something, 0, -1. */
static int
ids_read(struct store *s, sqlite3_stmt *q, int64_t *ids, size_t *n,
         struct err *e)
{
    int rc;

    if (!q)
        return -1;
    while ((rc = db_step(s->db, q, e)) == 1)
        ids[(*n)++] = sqlite3_column_int64(q, 0);
    return rc < 0 ? -1 : *n > 0;
}

int
store_message_missing(struct store *s, size_t max, int64_t *ids, size_t *n,
                      struct err *e)
{
    static const char *const changed =
        "SELECT id FROM message WHERE body_check <> 0 AND (body_after <= ?1"
        " OR body_after > ?1 + 90000) AND server_id <> '' AND uid IS NOT NULL"
        " LIMIT ?2";
    /* What waits for more than a day: the clock was set back. */
    static const char *const missing =
        "SELECT id FROM message WHERE body_state = 0 AND body = 0"
        " AND (body_after <= ?1 OR body_after > ?1 + 90000)"
        " AND (server_id <> '' OR aged_id <> '') AND uid IS NOT NULL"
        " AND received > ?2 ORDER BY received DESC LIMIT ?3";
    /* Nothing else to do: perhaps a true one can be had by now. */
    static const char *const standins =
        "SELECT id FROM message WHERE body_state = 2 AND (body_after <= ?1"
        " OR body_after > ?1 + 90000) AND (server_id <> '' OR aged_id <> '')"
        " AND uid IS NOT NULL"
        " LIMIT ?2";
    int64_t now = now_unix();
    int rc;

    *n = 0;
    rc = ids_read(s, db_query(s->db, e, changed, "ii", now, (int64_t)max), ids,
                  n, e);
    if (!rc)
        rc = ids_read(s, db_query(s->db, e, missing, "iii", now,
                                  store_cache_floor(s), (int64_t)max),
                      ids, n, e);
    if (!rc)
        rc = ids_read(s, db_query(s->db, e, standins, "ii", now, (int64_t)max),
                      ids, n, e);
    return rc < 0 ? -1 : 0;
}

int
store_message_missing_count(struct store *s, uint64_t *out, struct err *e)
{
    int64_t n = 0;

    if (db_int(s->db, e, &n,
               "SELECT count(*) FROM message WHERE body_state = 0"
               " AND body = 0 AND uid IS NOT NULL AND received > ?",
               "i", store_cache_floor(s)) < 0)
        return -1;
    *out = (uint64_t)n;
    return 0;
}

int
store_message_expunged(struct store *s, int64_t folder, uint64_t modseq,
                       uint32_t **uids, size_t *n, struct err *e)
{
    sqlite3_stmt *q =
        db_query(s->db, e,
                 "SELECT uid FROM tombstone WHERE folder = ? AND modseq > ?"
                 " ORDER BY uid",
                 "ii", folder, (int64_t)modseq);
    int rc;

    *uids = NULL;
    *n = 0;
    if (!q)
        return -1;
    while ((rc = db_step(s->db, q, e)) == 1) {
        *uids = xrealloc(*uids, (*n + 1) * sizeof **uids);
        (*uids)[(*n)++] = (uint32_t)sqlite3_column_int64(q, 0);
    }
    return rc;
}

/* ---- coming and going ---- */

int
store_message_leave(struct store *s, const struct store_message *m,
                    struct err *e)
{
    struct store_change c = {.kind = STORE_MESSAGE_REMOVED,
                             .folder = m->folder,
                             .message = m->id,
                             .uid = m->uid};

    if (!m->folder || !m->uid)
        return 0;
    c.modseq = store_modseq_next(s);
    store_change_note(s, &c);
    if (db_run(s->db, e, "INSERT OR REPLACE INTO tombstone VALUES(?, ?, ?)",
               "iii", m->folder, (int64_t)m->uid, (int64_t)c.modseq))
        return -1;
    return store_folder_touch(s, m->folder, c.modseq, e);
}

int
store_message_enter(struct store *s, int64_t id, int64_t folder,
                    unsigned flags, uint32_t *uid_out, struct err *e)
{
    struct store_change c = {.kind = STORE_MESSAGE_ADDED,
                             .folder = folder,
                             .message = id,
                             .flags = flags};

    c.modseq = store_modseq_next(s);
    if (store_folder_uid(s, folder, uid_out, e) ||
        db_run(s->db, e,
               "UPDATE message SET folder = ?1, uid = ?2, modseq = ?3,"
               " flags = ?4, saved = ?5, heir = heir AND collection <> ?1"
               " WHERE id = ?6",
               "iiiiii", folder, (int64_t)*uid_out, (int64_t)c.modseq,
               (int64_t)flags, now_unix(), id))
        return -1;
    c.uid = *uid_out;
    store_change_note(s, &c);
    return store_folder_touch(s, folder, c.modseq, e);
}

int
store_message_erase(struct store *s, const struct store_row_message *r,
                    struct err *e)
{
    int64_t others = 0;

    if (store_journal_drop(s, r->m.id, e) ||
        db_run(s->db, e, "DELETE FROM view WHERE message = ?", "i", r->m.id) ||
        db_run(s->db, e, "DELETE FROM message WHERE id = ?", "i", r->m.id))
        return -1;
    if (!r->body_id)
        return 0;
    if (db_int(s->db, e, &others, "SELECT count(*) FROM message WHERE"
                                  " body = ? AND body <> 0", "i",
               r->body_id) < 0)
        return -1;
    if (others)
        return 0;
    store_file_doom(s, store_body_path(s, r->body_id));
    s->cache_used = -1;
    return db_run(s->db, e, "DELETE FROM body WHERE id = ?", "i", r->body_id);
}

int
store_message_show(struct store *s, const struct store_message *m,
                   unsigned flags, const char *keywords, struct err *e)
{
    struct store_change c = {.kind = STORE_MESSAGE_FLAGS,
                             .folder = m->folder,
                             .message = m->id,
                             .uid = m->uid,
                             .flags = flags};

    if (flags == m->flags && strcmp(keywords, m->keywords) == 0)
        return 0;
    c.modseq = store_modseq_next(s);
    if (db_run(s->db, e,
               "UPDATE message SET flags = ?, keywords = ?, modseq = ?"
               " WHERE id = ?",
               "isii", (int64_t)flags, keywords, (int64_t)c.modseq, m->id))
        return -1;
    if (!m->folder || !m->uid)
        return 0;
    store_change_note(s, &c);
    return store_folder_touch(s, m->folder, c.modseq, e);
}

/* ---- what clients do ---- */

bool
store_message_is_remote(const struct store_row_message *r)
{
    return r->m.collection != 0;
}

int
store_message_differs(struct store *s, const struct store_row_message *r,
                      unsigned flags, const char *keywords, struct err *e)
{
    char *shared;
    int rc;

    if (!store_message_is_remote(r))
        return 0;
    shared = store_keywords_part(keywords, false);
    rc = store_journal_note(s, r->m.id, STORE_FIELD_SEEN,
                            !!(flags & STORE_SEEN) != r->server_seen, e) ||
         store_journal_note(s, r->m.id, STORE_FIELD_FLAGGED,
                            !!(flags & STORE_FLAGGED) != r->server_flagged,
                            e) ||
         store_journal_note(s, r->m.id, STORE_FIELD_KEYWORDS,
                            strcmp(shared, r->server_keywords) != 0, e);
    free(shared);
    return rc ? -1 : 0;
}

static int
edit_flags(struct store *s, int64_t id, const struct store_flag_edit *edit,
           struct arena *a, struct err *e)
{
    struct store_row_message r;
    unsigned flags;
    char *words;
    int rc;

    if (store_message_load(s, id, a, &r, e))
        return -1;
    switch (edit->op) {
    case STORE_FLAGS_ADD:
        flags = r.m.flags | edit->flags;
        words = store_keywords_add(r.m.keywords, edit->keywords);
        break;
    case STORE_FLAGS_REMOVE:
        flags = r.m.flags & ~edit->flags;
        words = store_keywords_remove(r.m.keywords, edit->keywords);
        break;
    default:
        flags = edit->flags | (r.m.flags & STORE_LOCALONLY);
        words = store_keywords_normal(edit->keywords);
        break;
    }
    rc = store_message_show(s, &r.m, flags, words, e) ||
         store_message_differs(s, &r, flags, words, e);
    free(words);
    return rc ? -1 : 0;
}

int
store_message_edit_flags(struct store *s, int64_t id,
                         const struct store_flag_edit *edit, struct err *e)
{
    struct arena *a;
    int rc;

    if (store_begin(s, e))
        return -1;
    a = arena_new();
    rc = edit_flags(s, id, edit, a, e);
    arena_free(&a);
    if (rc) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

static int
message_move(struct store *s, int64_t id, int64_t folder, struct arena *a,
             uint32_t *uid, struct err *e)
{
    struct store_row_message r;

    if (store_message_load(s, id, a, &r, e) ||
        store_message_leave(s, &r.m, e) ||
        store_message_enter(s, id, folder, r.m.flags & ~STORE_DELETED, uid, e))
        return -1;
    if (!store_message_is_remote(&r))
        return 0;
    return store_journal_note(s, id, STORE_FIELD_PLACE,
                              r.m.collection != folder, e);
}

int
store_message_move(struct store *s, int64_t id, int64_t folder,
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
    rc = message_move(s, id, folder, a, &uid, e);
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

static int
message_expunge(struct store *s, int64_t id, struct arena *a, struct err *e)
{
    struct store_row_message r;
    int64_t heir;
    int rc;

    if (store_message_load(s, id, a, &r, e) || store_message_leave(s, &r.m, e))
        return -1;
    if (!store_message_is_remote(&r))
        return store_message_erase(s, &r, e);
    rc = store_copy_heir(s, &r, &heir, e);
    if (rc)
        return rc < 0 || store_copy_hand_over(s, &r, heir, a, e) ||
                       store_message_erase(s, &r, e)
                   ? -1
                   : 0;
    if (db_run(s->db, e,
               "UPDATE message SET folder = 0, uid = NULL WHERE id = ?", "i",
               id))
        return -1;
    return store_journal_note(s, id, STORE_FIELD_PLACE, true, e);
}

int
store_message_expunge(struct store *s, int64_t id, struct err *e)
{
    struct arena *a;
    int rc;

    if (store_begin(s, e))
        return -1;
    a = arena_new();
    rc = message_expunge(s, id, a, e);
    arena_free(&a);
    if (rc) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}
