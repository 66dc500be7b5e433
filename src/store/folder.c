/*
 * Folders: a small set, kept in memory beside the table. Paths and roles are
 * made from what the server says.
 */
#include "store/folder.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/now.h"
#include "store/private.h"

/* Junk and Archive have no type in EAS; names as servers give them. */
static const struct {
    enum store_role role;
    const char *name;
} role_names[] = {
    {STORE_ROLE_JUNK, "Junk Email"},       {STORE_ROLE_JUNK, "Junk E-Mail"},
    {STORE_ROLE_JUNK, "Junk-E-Mail"},      {STORE_ROLE_JUNK, "Junk"},
    {STORE_ROLE_JUNK, "Spam"},             {STORE_ROLE_JUNK, "Bulk Mail"},
    {STORE_ROLE_JUNK, "Courrier ind\303\251sirable"},
    {STORE_ROLE_JUNK, "Correo no deseado"},
    {STORE_ROLE_JUNK, "Posta indesiderata"},
    {STORE_ROLE_JUNK, "Ongewenste e-mail"},
    {STORE_ROLE_JUNK, "Lixo Eletr\303\264nico"},
    {STORE_ROLE_JUNK, "Lixo"},             {STORE_ROLE_JUNK, "Skr\303\244ppost"},
    {STORE_ROLE_JUNK, "S\303\270ppelpost"}, {STORE_ROLE_JUNK, "Roskaposti"},
    {STORE_ROLE_JUNK, "Wiadomo\305\233ci-\305\233mieci"},
    {STORE_ROLE_JUNK, "Nevy\305\276\303\241dan\303\241 po\305\241ta"},
    {STORE_ROLE_JUNK, "\320\235\320\265\320\266\320\265\320\273\320\260\321\202"
                      "\320\265\320\273\321\214\320\275\320\260\321\217 "
                      "\320\277\320\276\321\207\321\202\320\260"},
    {STORE_ROLE_JUNK, "\350\277\267\346\203\221\343\203\241\343\203\274"
                      "\343\203\253"},
    {STORE_ROLE_JUNK, "\345\236\203\345\234\276\351\202\256\344\273\266"},
    {STORE_ROLE_ARCHIVE, "Archive"},       {STORE_ROLE_ARCHIVE, "Archives"},
    {STORE_ROLE_ARCHIVE, "Archiv"},        {STORE_ROLE_ARCHIVE, "Archivio"},
    {STORE_ROLE_ARCHIVE, "Archivo"},       {STORE_ROLE_ARCHIVE, "Archief"},
    {STORE_ROLE_ARCHIVE, "Arquivo"},       {STORE_ROLE_ARCHIVE, "Arkiv"},
    {STORE_ROLE_ARCHIVE, "Arkisto"},       {STORE_ROLE_ARCHIVE, "Archiwum"},
};

static enum store_role
role_of(const char *name, int type, bool top)
{
    switch (type) {
    case 2:
        return STORE_ROLE_INBOX;
    case 3:
        return STORE_ROLE_DRAFTS;
    case 4:
        return STORE_ROLE_TRASH;
    case 5:
        return STORE_ROLE_SENT;
    default:
        break;
    }
    for (size_t i = 0; top && i < ARRAY_LEN(role_names); i++)
        if (ascii_icmp(name, role_names[i].name) == 0)
            return role_names[i].role;
    return STORE_ROLE_NONE;
}

char *
store_folder_escape(const char *name)
{
    struct buf b = BUF_INIT(BUF_OURS);

    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;

        if (c == '/')
            buf_adds(&b, "%2F");
        else if (c == '%')
            buf_adds(&b, "%25");
        else if (c < 0x20 || c == 0x7f)
            buf_addf(&b, "%%%02X", c);
        else
            buf_addc(&b, (char)c);
    }
    if (!b.len)
        buf_adds(&b, "%20");
    return buf_take(&b, NULL);
}

/* ---- the set in memory ---- */

void
store_folders_clear(struct store *s)
{
    for (size_t i = 0; i < s->nfolders; i++) {
        free(s->folders[i].server_id);
        free(s->folders[i].name);
        free(s->folders[i].path);
        free(s->folders[i].key);
    }
    free(s->folders);
    s->folders = NULL;
    s->nfolders = 0;
}

static int
by_path(const void *a, const void *b)
{
    const struct store_folder *x = a, *y = b;

    if ((x->role == STORE_ROLE_INBOX) != (y->role == STORE_ROLE_INBOX))
        return x->role == STORE_ROLE_INBOX ? -1 : 1;
    return strcmp(x->path, y->path);
}

struct loaded {
    struct store_folder f;
    char *parent_server;
};

/* Depth is bounded: a server may not send us round in circles. */
static char *
path_make(struct loaded *all, size_t n, size_t at, unsigned depth)
{
    char *own, *parent, *path;

    if (all[at].f.role == STORE_ROLE_INBOX)
        return xstrdup("INBOX");
    own = store_folder_escape(all[at].f.name);
    for (size_t i = 0; i < n && depth < 50; i++) {
        if (i == at || !*all[at].parent_server ||
            strcmp(all[i].f.server_id, all[at].parent_server) != 0)
            continue;
        all[at].f.parent = all[i].f.id;
        parent = path_make(all, n, i, depth + 1);
        path = xasprintf("%s/%s", parent, own);
        free(parent);
        free(own);
        return path;
    }
    return own;
}

/* Two folders may have one name on the server; clients need two. */
static void
paths_unique(struct store_folder *f, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        size_t twins = 1;

        while (i >= twins && i - twins < n &&
               strcmp(f[i].path, f[i - twins].path) == 0)
            twins++;
        if (twins > 1) {
            char *path = xasprintf("%s%%20(%zu)", f[i].path, twins);

            free(f[i].path);
            f[i].path = path;
        }
    }
}

static void
folders_build(struct store *s, struct loaded *all, size_t n)
{
    for (size_t i = 0; i < n; i++)
        all[i].f.role = role_of(all[i].f.name, all[i].f.type,
                                !*all[i].parent_server ||
                                    strcmp(all[i].parent_server, "0") == 0);
    for (size_t i = 0; i < n; i++)
        all[i].f.path = path_make(all, n, i, 0);
    s->folders = xcalloc(n, sizeof *s->folders);
    s->nfolders = n;
    for (size_t i = 0; i < n; i++) {
        s->folders[i] = all[i].f;
        free(all[i].parent_server);
    }
    qsort(s->folders, n, sizeof *s->folders, by_path);
    /* From the end, so that a renamed twin is not compared again. */
    paths_unique(s->folders, n);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (s->folders[k].role == s->folders[i].role &&
                s->folders[i].role != STORE_ROLE_NONE) {
                s->folders[i].role = STORE_ROLE_NONE;
            }
}

static char *
column_dup(sqlite3_stmt *q, int column)
{
    const char *t = (const char *)sqlite3_column_text(q, column);

    return xstrdup(t ? t : "");
}

static void
folders_load(struct store *s)
{
    struct loaded *all = NULL;
    size_t n = 0;
    sqlite3_stmt *q;

    if (!s->folders_stale)
        return;
    s->broken |= store_folder_late(s, NULL) != 0;
    store_folders_clear(s);
    q = db_query(s->db, NULL,
                 "SELECT id, server_id, parent_server, name, type, state,"
                 " uidvalidity, uidnext, modseq, key, listed, estimate,"
                 " subscribed, resets FROM folder ORDER BY id",
                 "");
    while (q && db_step(s->db, q, NULL) == 1) {
        struct loaded *l;

        all = xrealloc(all, (n + 1) * sizeof *all);
        l = &all[n++];
        memset(l, 0, sizeof *l);
        l->f.id = sqlite3_column_int64(q, 0);
        l->f.server_id = column_dup(q, 1);
        l->parent_server = column_dup(q, 2);
        l->f.name = column_dup(q, 3);
        l->f.type = sqlite3_column_int(q, 4);
        l->f.state = (enum store_folder_state)sqlite3_column_int(q, 5);
        l->f.uidvalidity = (uint32_t)sqlite3_column_int64(q, 6);
        l->f.uidnext = (uint32_t)sqlite3_column_int64(q, 7);
        l->f.modseq = (uint64_t)sqlite3_column_int64(q, 8);
        l->f.key = column_dup(q, 9);
        l->f.listed = sqlite3_column_int64(q, 10);
        l->f.estimate = sqlite3_column_int64(q, 11);
        l->f.subscribed = sqlite3_column_int(q, 12);
        l->f.resets = sqlite3_column_int(q, 13);
    }
    if (n)
        folders_build(s, all, n);
    free(all);
    s->folders_stale = false;
}

const struct store_folder *
store_folder_next(struct store *s, const struct store_folder *f)
{
    folders_load(s);
    if (!f)
        return s->nfolders ? s->folders : NULL;
    return f + 1 < s->folders + s->nfolders ? f + 1 : NULL;
}

struct store_folder *
store_folder_mut(struct store *s, int64_t id)
{
    folders_load(s);
    for (size_t i = 0; i < s->nfolders; i++)
        if (s->folders[i].id == id)
            return &s->folders[i];
    return NULL;
}

const struct store_folder *
store_folder_get(struct store *s, int64_t id)
{
    return store_folder_mut(s, id);
}

const struct store_folder *
store_folder_find(struct store *s, const char *path)
{
    folders_load(s);
    for (size_t i = 0; i < s->nfolders; i++)
        if (strcmp(s->folders[i].path, path) == 0 ||
            (s->folders[i].role == STORE_ROLE_INBOX &&
             ascii_icmp(path, "INBOX") == 0))
            return &s->folders[i];
    return NULL;
}

const struct store_folder *
store_folder_by_server(struct store *s, const char *server_id)
{
    folders_load(s);
    for (size_t i = 0; i < s->nfolders; i++)
        if (strcmp(s->folders[i].server_id, server_id) == 0)
            return &s->folders[i];
    return NULL;
}

const struct store_folder *
store_folder_by_role(struct store *s, enum store_role role)
{
    folders_load(s);
    for (size_t i = 0; i < s->nfolders; i++)
        if (s->folders[i].role == role)
            return &s->folders[i];
    return NULL;
}

/* ---- writing ---- */

static void
folder_changed(struct store *s, int64_t id, bool removed)
{
    struct store_change c = {
        .kind = removed ? STORE_FOLDER_REMOVED : STORE_FOLDER_CHANGED,
        .folder = id,
    };

    store_change_note(s, &c);
    s->folders_stale = true;
}

int
store_folder_save(struct store *s, const struct store_folder *f, struct err *e)
{
    return db_run(s->db, e,
                  "UPDATE folder SET state = ?, uidnext = ?, modseq = ?,"
                  " key = ?, listed = ?, estimate = ?, subscribed = ?,"
                  " resets = ? WHERE id = ?",
                  "iiisiiiii", (int64_t)f->state, (int64_t)f->uidnext,
                  (int64_t)f->modseq, f->key, f->listed, f->estimate,
                  (int64_t)f->subscribed, (int64_t)f->resets, f->id);
}

void
store_folder_save_late(struct store *s, int64_t folder)
{
    if (s->folder_late && s->folder_late != folder)
        s->broken |= store_folder_late(s, NULL) != 0;
    s->folder_late = folder;
}

int
store_folder_late(struct store *s, struct err *e)
{
    const struct store_folder *f;
    int64_t id = s->folder_late;

    s->folder_late = 0;
    for (size_t i = 0; id && i < s->nfolders; i++) {
        f = &s->folders[i];
        if (f->id == id)
            return store_folder_save(s, f, e);
    }
    return 0;
}

int
store_folder_uid(struct store *s, int64_t folder, uint32_t *out, struct err *e)
{
    struct store_folder *f = store_folder_mut(s, folder);

    if (!f)
        return err_set(e, E_MISSING, "the folder is gone");
    if (f->uidnext == UINT32_MAX)
        return err_set(e, E_LIMIT, "folder %s has used up its UIDs", f->path);
    *out = f->uidnext++;
    return store_folder_save(s, f, e);
}

int
store_folder_touch(struct store *s, int64_t folder, uint64_t modseq,
                   struct err *e)
{
    struct store_folder *f = store_folder_mut(s, folder);

    if (!f || f->modseq == modseq)
        return 0;
    f->modseq = modseq;
    return store_folder_save(s, f, e);
}

/* Rising per account, never used twice: time, or one more than the last. */
static int
uidvalidity_next(struct store *s, int64_t *out, struct err *e)
{
    char text[24], *old = store_meta_get(s, "uidvalidity");
    int64_t last = strtoll(old, NULL, 10), now = now_unix();

    free(old);
    *out = now > last && now < UINT32_MAX ? now : last + 1;
    sqlite3_snprintf(sizeof text, text, "%lld", (long long)*out);
    return store_meta_set(s, "uidvalidity", text, e);
}

static int
folder_insert(struct store *s, const struct store_folder_news *n,
              int64_t *id_out, struct err *e)
{
    int64_t validity;

    if (uidvalidity_next(s, &validity, e) ||
        db_run(s->db, e,
               "INSERT INTO folder(server_id, parent_server, name, type,"
               " uidvalidity) VALUES(?, ?, ?, ?, ?)",
               "sssii", n->server_id, n->parent_server_id, n->name,
               (int64_t)n->type, validity))
        return -1;
    *id_out = sqlite3_last_insert_rowid(db_handle(s->db));
    return 0;
}

/* The server has it under another id: its key is worth nothing, its folders
 * below are known by the new id, and its items are recognised in a relist. */
static int
folder_reborn(struct store *s, int64_t id, const char *old, const char *new,
              struct err *e)
{
    if (!*old || strcmp(old, new) == 0)
        return 0;
    if (db_run(s->db, e,
               "UPDATE folder SET parent_server = ? WHERE parent_server = ?",
               "ss", new, old))
        return -1;
    s->folders_stale = true;
    return store_folder_reset(s, id, e);
}

static int
folder_put(struct store *s, const struct store_folder_news *n, int64_t *id_out,
           struct err *e)
{
    const struct store_folder *f;
    char *old = NULL;
    /* An id that now means a folder of another kind was given anew. */
    int rc = db_int(s->db, e, id_out,
                    "SELECT id FROM folder WHERE server_id = ?1 AND"
                    " (type = ?2 OR (type NOT IN (2, 3, 4, 5) AND"
                    " ?2 NOT IN (2, 3, 4, 5)))",
                    "si", n->server_id, (int64_t)n->type);

    /* Listed anew under another id: the one of the same place and name that
     * the server did not confirm is it. */
    if (rc == 0)
        rc = db_int(s->db, e, id_out,
                    "SELECT id FROM folder WHERE confirmed = 0 AND"
                    " parent_server = ? AND name = ? AND type = ?",
                    "ssi", n->parent_server_id, n->name, (int64_t)n->type);
    if (rc < 0)
        return -1;
    if (rc == 0) {
        rc = folder_insert(s, n, id_out, e);
    } else {
        f = store_folder_get(s, *id_out);
        old = xstrdup(f ? f->server_id : "");
        rc = db_run(s->db, e,
                    "UPDATE folder SET server_id = ?, parent_server = ?,"
                    " name = ?, type = ?, confirmed = 1 WHERE id = ?",
                    "sssii", n->server_id, n->parent_server_id, n->name,
                    (int64_t)n->type, *id_out);
    }
    folder_changed(s, *id_out, false);
    if (rc == 0 && old)
        rc = folder_reborn(s, *id_out, old, n->server_id, e);
    free(old);
    return rc;
}

int
store_folder_put(struct store *s, const struct store_folder_news *n,
                 int64_t *id_out, struct err *e)
{
    int64_t id;

    if (store_begin(s, e))
        return -1;
    if (folder_put(s, n, &id, e)) {
        store_rollback(s);
        return -1;
    }
    if (store_commit(s, e))
        return -1;
    *id_out = id;
    return 0;
}

/* A message that was to move into the folder is still where it was on the
 * server: it comes back there, as after any refusal. */
static int
folder_expel(struct store *s, int64_t id, const struct store_row_message *r,
             struct arena *a, struct err *e)
{
    /* A copy elsewhere that waits for its item loses only that. */
    if (r->heir && r->m.folder && r->m.folder != id)
        return store_copy_stay(s, r->m.id, a, e);
    if (r->m.collection && r->m.collection != id && *r->m.server_id &&
        store_folder_get(s, r->m.collection))
        return store_message_return(s, r->m.id, r->m.collection, e);
    return store_message_leave(s, &r->m, e) || store_message_erase(s, r, e)
               ? -1
               : 0;
}

/* All in it that is only on this folder's server place, or shown in it. */
static int
folder_empty(struct store *s, int64_t id, struct err *e)
{
    struct arena *a = arena_new();
    int64_t message;
    int rc;

    while ((rc = db_int(s->db, e, &message,
                        "SELECT id FROM message WHERE collection = ?1"
                        " OR folder = ?1 LIMIT 1",
                        "i", id)) == 1) {
        struct store_row_message r;

        arena_reset(a);
        if (store_message_load(s, message, a, &r, e) ||
            folder_expel(s, id, &r, a, e)) {
            rc = -1;
            break;
        }
    }
    arena_free(&a);
    return rc;
}

int
store_folder_remove(struct store *s, int64_t id, struct err *e)
{
    if (store_begin(s, e))
        return -1;
    if (folder_empty(s, id, e) ||
        db_run(s->db, e, "DELETE FROM tombstone WHERE folder = ?", "i", id) ||
        db_run(s->db, e, "DELETE FROM stage WHERE folder = ?", "i", id) ||
        db_run(s->db, e, "DELETE FROM folder WHERE id = ?", "i", id)) {
        store_rollback(s);
        return -1;
    }
    folder_changed(s, id, true);
    return store_commit(s, e);
}

int
store_folder_unconfirm_all(struct store *s, struct err *e)
{
    if (store_begin(s, e))
        return -1;
    if (db_run(s->db, e,
               "UPDATE folder SET confirmed = 0 WHERE server_id <> ''", "")) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

int
store_folder_remove_unconfirmed(struct store *s, struct err *e)
{
    int64_t id;
    int rc;

    if (store_begin(s, e))
        return -1;
    while ((rc = db_int(s->db, e, &id,
                        "SELECT id FROM folder WHERE confirmed = 0 LIMIT 1",
                        "")) == 1)
        if (store_folder_remove(s, id, e)) {
            rc = -1;
            break;
        }
    if (rc) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

static int
folder_edit(struct store *s, const struct store_folder *f, struct err *e)
{
    if (store_begin(s, e))
        return -1;
    if (store_folder_save(s, f, e)) {
        store_rollback(s);
        return -1;
    }
    folder_changed(s, f->id, false);
    return store_commit(s, e);
}

int
store_folder_set_subscribed(struct store *s, int64_t id, bool yes,
                            struct err *e)
{
    struct store_folder *f = store_folder_mut(s, id);

    if (!f)
        return err_set(e, E_MISSING, "the folder is gone");
    f->subscribed = yes;
    return folder_edit(s, f, e);
}

int
store_folder_set_estimate(struct store *s, int64_t id, int64_t estimate,
                          struct err *e)
{
    struct store_folder *f = store_folder_mut(s, id);

    if (!f)
        return err_set(e, E_MISSING, "the folder is gone");
    f->estimate = estimate;
    return folder_edit(s, f, e);
}

int
store_folder_set_key(struct store *s, int64_t folder, const char *key,
                     struct err *e)
{
    struct store_folder *f = store_folder_mut(s, folder);

    if (!f)
        return err_set(e, E_MISSING, "the folder is gone");
    free(f->key);
    f->key = xstrdup(key);
    return folder_edit(s, f, e);
}

int
store_folder_reset(struct store *s, int64_t folder, struct err *e)
{
    struct store_folder *f = store_folder_mut(s, folder);

    if (!f)
        return err_set(e, E_MISSING, "the folder is gone");
    if (store_begin(s, e))
        return -1;
    f->state = f->state == STORE_FOLDER_READY ||
                       f->state == STORE_FOLDER_RELISTING
                   ? STORE_FOLDER_RELISTING
                   : STORE_FOLDER_NEW;
    free(f->key);
    f->key = xstrdup("0");
    f->resets++;
    f->listed = f->estimate = 0;
    /* Another copy of this store may have lived on with higher numbers. */
    f->uidnext = f->uidnext < UINT32_MAX - 200000 ? f->uidnext + 100000
                                                  : f->uidnext;
    if (db_run(s->db, e, "UPDATE message SET confirmed = 0 WHERE"
                         " collection = ?", "i", folder) ||
        db_run(s->db, e, "DELETE FROM stage WHERE folder = ?", "i", folder) ||
        store_folder_save(s, f, e)) {
        store_rollback(s);
        return -1;
    }
    (void)store_modseq_next(s);
    s->modseq += 100000;
    folder_changed(s, folder, false);
    return store_commit(s, e);
}

int
store_folder_counts(struct store *s, int64_t id, struct store_counts *out,
                    struct err *e)
{
    sqlite3_stmt *q = db_query(
        s->db, e,
        "SELECT count(*), sum(flags & 1 = 0), sum(flags & 8 <> 0),"
        " min(CASE WHEN flags & 1 = 0 THEN uid END),"
        " sum(coalesce((SELECT v.size FROM view v WHERE v.message ="
        " message.id), CASE body WHEN 0 THEN 2 * size ELSE"
        " (SELECT b.size FROM body b WHERE b.id = body) END)),"
        " sum(body_state = 0)"
        " FROM message WHERE folder = ? AND uid IS NOT NULL",
        "i", id);
    int rc = q ? db_step(s->db, q, e) : -1;

    if (rc != 1)
        return -1;
    *out = (struct store_counts){
        .messages = (uint32_t)sqlite3_column_int64(q, 0),
        .unseen = (uint32_t)sqlite3_column_int64(q, 1),
        .deleted = (uint32_t)sqlite3_column_int64(q, 2),
        .first_unseen_uid = (uint32_t)sqlite3_column_int64(q, 3),
        .size = (uint64_t)sqlite3_column_int64(q, 4),
        .missing_bodies = (uint32_t)sqlite3_column_int64(q, 5),
    };
    db_done(q);
    return 0;
}
