/*
 * The folder list: FolderSync booked in one transaction, and the edits that
 * clients ask for (CREATE, RENAME, DELETE).
 */
#include "sync/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/code.h"
#include "base/log.h"
#include "base/mem.h"
#include "eas/status.h"

#define TYPE_MAIL 12 /* user-created mail folder */

bool
sync_folders_is_mail(int type)
{
    return (type >= 1 && type <= 5) || type == TYPE_MAIL;
}

struct refresh {
    struct op *op;
    struct flow flow;
    struct sync *sync;
    struct eas_folders_answer answer;
    char *key;
    bool again; /* once more from "0" */
};

static flow_step_fn refresh_ask, refresh_book;
static flow_step_fn *const refresh_steps[] = {refresh_ask, refresh_book, NULL};

static void
refresh_end(void *self, const struct err *err)
{
    struct refresh *r = self;
    struct op *op = r->op;
    struct err copy = err ? *err : (struct err){0};

    eas_folders_answer_clear(&r->answer);
    free(r->key);
    free(r);
    op_finish(&op, copy.code ? &copy : NULL);
}

static void
refresh_stop(void *self)
{
    struct refresh *r = self;

    flow_cancel(&r->flow);
}

struct op *
sync_folders_refresh(struct sync *s, op_done_fn *done, void *arg)
{
    struct refresh *r = xcalloc(1, sizeof *r);

    r->sync = s;
    r->op = op_new(refresh_stop, r, done, arg);
    flow_start(&r->flow, refresh_steps, refresh_end, r);
    return r->op;
}

static enum flow_next
refresh_ask(void *self)
{
    struct refresh *r = self;

    free(r->key);
    r->key = r->again || r->sync->anew
                 ? NULL
                 : store_meta_get(r->sync->store, "hierarchy-key");
    if (!r->key || !*r->key) {
        free(r->key);
        r->key = xstrdup("0");
    }
    return flow_wait(&r->flow,
                     eas_folders_sync(r->sync->eas, r->key, &r->answer,
                                      flow_wake, &r->flow));
}

static int
folder_book(struct store *s, const struct eas_folder *f, struct err *e)
{
    const struct store_folder *known;
    struct store_folder_news news;
    int64_t id;

    if (f->kind == EAS_FOLDER_DELETE) {
        known = store_folder_by_server(s, f->server_id);
        return known ? store_folder_remove(s, known->id, e) : 0;
    }
    if (!sync_folders_is_mail(f->type))
        return 0;
    news = (struct store_folder_news){
        .server_id = f->server_id,
        .parent_server_id = f->parent_id ? f->parent_id : "0",
        .name = f->name ? f->name : "",
        .type = f->type,
    };
    return store_folder_put(s, &news, &id, e);
}

static bool
is_waiting(const struct eas_folder *all, const bool *done, size_t n,
           const char *id)
{
    for (size_t i = 0; i < n; i++)
        if (!done[i] && all[i].server_id && strcmp(all[i].server_id, id) == 0)
            return true;
    return false;
}

/* A whole list, perhaps with other ids than before: first those that are known
 * by id, so that a new folder with an old name takes nobody's place; then the
 * others, each after its parent, whose children are looked up by its new id. */
static int
whole_book(struct store *s, const struct eas_folder *all, size_t n,
           struct err *e)
{
    bool *done = xcalloc(n + 1, sizeof *done);
    bool first = true, went = true;
    int rc = 0;

    while (rc == 0 && went) {
        went = first;
        for (size_t i = 0; i < n && rc == 0; i++) {
            const char *parent = all[i].parent_id ? all[i].parent_id : "0";

            if (done[i] ||
                (first ? !store_folder_by_server(s, all[i].server_id)
                       : is_waiting(all, done, n, parent)))
                continue;
            rc = folder_book(s, &all[i], e);
            done[i] = went = true;
        }
        first = false;
    }
    for (size_t i = 0; i < n && rc == 0; i++) /* those in a ring */
        if (!done[i])
            rc = folder_book(s, &all[i], e);
    free(done);
    return rc;
}

static int
refresh_all(struct refresh *r, struct err *e)
{
    struct store *s = r->sync->store;
    bool whole = strcmp(r->key, "0") == 0;

    if (store_begin(s, e))
        return -1;
    if (whole && store_folder_unconfirm_all(s, e))
        goto fail;
    if (whole && whole_book(s, r->answer.folders, r->answer.n, e))
        goto fail;
    for (size_t i = 0; i < r->answer.n && !whole; i++)
        if (folder_book(s, &r->answer.folders[i], e))
            goto fail;
    if (whole && store_folder_remove_unconfirmed(s, e))
        goto fail;
    if (r->answer.key &&
        store_meta_set(s, "hierarchy-key", r->answer.key, e))
        goto fail;
    return store_commit(s, e);
fail:
    store_rollback(s);
    return -1;
}

static enum flow_next
refresh_book(void *self)
{
    struct refresh *r = self;
    const struct store_folder *f = NULL;
    struct err e;

    if (r->answer.reaction == EAS_KEY0 && !r->again) {
        r->again = true;
        eas_folders_answer_clear(&r->answer);
        return FLOW_BACK;
    }
    if (r->answer.reaction != EAS_OK) {
        eas_status_err(&e, EAS_CMD_FOLDERSYNC, r->answer.status);
        return flow_fail_err(&r->flow, &e);
    }
    /* A whole list without any folder is not believed: it would remove all
     * that is here. */
    if (strcmp(r->key, "0") == 0 && !r->answer.n &&
        store_folder_next(r->sync->store, NULL))
        return flow_fail(&r->flow, E_RETRY, "the server lists no folders");
    if (refresh_all(r, &e))
        return flow_fail_err(&r->flow, &e);
    if (strcmp(r->key, "0") == 0)
        r->sync->anew = false;
    while ((f = store_folder_next(r->sync->store, f)))
        if (f->state != STORE_FOLDER_READY)
            sync_mark(r->sync, f->id);
    return FLOW_NEXT;
}

/* ---- edits ---- */

enum edit_kind { EDIT_CREATE, EDIT_RENAME, EDIT_DELETE };

struct edit {
    struct op *op;
    struct flow flow;
    struct sync *sync;
    enum edit_kind kind;
    char *path, *new_path;
    struct eas_folder_edit_answer answer;
};

static flow_step_fn edit_ask, edit_book, edit_refresh;
static flow_step_fn *const edit_steps[] = {
    edit_ask,     /* on the server */
    edit_book,    /* its key */
    edit_refresh, /* FolderSync shows the rest */
    NULL,
};

static void
edit_end(void *self, const struct err *err)
{
    struct edit *ed = self;
    struct op *op = ed->op;
    struct err copy = err ? *err : (struct err){0};

    ed->sync->editing--;
    sync_push_soon(ed->sync);
    eas_folder_edit_answer_clear(&ed->answer);
    free(ed->path);
    free(ed->new_path);
    free(ed);
    op_finish(&op, copy.code ? &copy : NULL);
}

static void
edit_stop(void *self)
{
    struct edit *ed = self;

    flow_cancel(&ed->flow);
}

static struct op *
edit_new(struct sync *s, enum edit_kind kind, const char *path,
         const char *new_path, op_done_fn *done, void *arg)
{
    struct edit *ed = xcalloc(1, sizeof *ed);

    ed->sync = s;
    s->editing++;
    ed->kind = kind;
    ed->path = xstrdup(path);
    ed->new_path = new_path ? xstrdup(new_path) : NULL;
    ed->op = op_new(edit_stop, ed, done, arg);
    flow_start(&ed->flow, edit_steps, edit_end, ed);
    return ed->op;
}

/* "%2F" back to "/": the display name of the last part of a path. Heap. */
static char *
path_name(const char *path)
{
    const char *last = strrchr(path, '/');
    struct buf b = BUF_INIT(4096), hex = BUF_INIT(4);

    for (const char *p = last ? last + 1 : path; *p; p++) {
        if (*p == '%' && p[1] && p[2] &&
            code_hex_parse(&hex, slice_make(p + 1, 2)) == 0) {
            buf_addc(&b, hex.data[0]);
            p += 2;
        } else {
            buf_addc(&b, *p);
        }
        buf_reset(&hex);
    }
    buf_clear(&hex);
    return buf_take(&b, NULL);
}

/* The server id of the folder above a path; NULL and e when there is none. */
static const char *
path_parent(struct store *s, const char *path, struct err *e)
{
    const char *last = strrchr(path, '/');
    const struct store_folder *f;
    char *up;

    if (!last)
        return "0";
    up = xstrndup(path, (size_t)(last - path));
    f = store_folder_find(s, up);
    free(up);
    if (f)
        return f->server_id;
    err_set(e, E_MISSING, "the folder above %s does not exist", path);
    return NULL;
}

static enum flow_next
edit_ask(void *self)
{
    struct edit *ed = self;
    struct store *s = ed->sync->store;
    struct eas *eas = ed->sync->eas;
    const char *target = ed->kind == EDIT_RENAME ? ed->new_path : ed->path;
    const struct store_folder *f = store_folder_find(s, ed->path);
    char *key = store_meta_get(s, "hierarchy-key"), *name = path_name(target);
    const char *parent = NULL;
    struct err e = {0};
    struct op *op = NULL;

    if (ed->kind != EDIT_CREATE && !f)
        err_set(&e, E_MISSING, "there is no folder %s", ed->path);
    else if (ed->kind != EDIT_DELETE && store_folder_find(s, target))
        err_set(&e, E_INPUT, "a folder %s exists already", target);
    else if (f && ed->kind != EDIT_CREATE && f->role != STORE_ROLE_NONE &&
             f->type != TYPE_MAIL)
        err_set(&e, E_DENIED, "%s is a folder of the server's own and stays",
                ed->path);
    else if (ed->kind != EDIT_DELETE)
        parent = path_parent(s, target, &e);
    if (!e.code && ed->kind == EDIT_CREATE)
        op = eas_folder_create(eas, key, parent, name, TYPE_MAIL, &ed->answer,
                               flow_wake, &ed->flow);
    else if (!e.code && ed->kind == EDIT_RENAME)
        op = eas_folder_update(eas, key, f->server_id, parent, name,
                               &ed->answer, flow_wake, &ed->flow);
    else if (!e.code)
        op = eas_folder_delete(eas, key, f->server_id, &ed->answer, flow_wake,
                               &ed->flow);
    free(key);
    free(name);
    return op ? flow_wait(&ed->flow, op) : flow_fail_err(&ed->flow, &e);
}

/* The new key stands for our own change too: no FolderSync tells of it. */
static int
rename_book(struct edit *ed, struct err *e)
{
    struct store *s = ed->sync->store;
    const struct store_folder *f = store_folder_find(s, ed->path);
    const char *parent = path_parent(s, ed->new_path, e);
    struct store_folder_news news;
    char *name, *id, *up;
    int64_t ours;
    int rc;

    if (!f || !parent)
        return 0; /* gone meanwhile: the FolderSync that follows shows it */
    name = path_name(ed->new_path);
    id = xstrdup(f->server_id);
    up = xstrdup(parent);
    news = (struct store_folder_news){id, up, name, f->type};
    rc = store_folder_put(s, &news, &ours, e);
    free(name);
    free(id);
    free(up);
    return rc;
}

static enum flow_next
edit_book(void *self)
{
    static const enum eas_command commands[] = {
        [EDIT_CREATE] = EAS_CMD_FOLDERCREATE,
        [EDIT_RENAME] = EAS_CMD_FOLDERUPDATE,
        [EDIT_DELETE] = EAS_CMD_FOLDERDELETE,
    };
    struct edit *ed = self;
    struct err e;

    if (ed->answer.reaction != EAS_OK) {
        if (ed->answer.reaction == EAS_KEY0 ||
            ed->answer.reaction == EAS_FOLDERSYNC)
            sync_mark(ed->sync, 0);
        eas_status_err(&e, commands[ed->kind], ed->answer.status);
        return flow_fail_err(&ed->flow, &e);
    }
    /* A crash before this line costs nothing: the old key gets status 9 or
     * the same changes again. But a server that does not report its own
     * device's new folder (SOGo) needs it booked from here. */
    if (ed->kind == EDIT_CREATE && ed->answer.server_id) {
        const char *parent =
            path_parent(ed->sync->store, ed->path, &e);
        char *name = path_name(ed->path);
        struct store_folder_news news = {
            .server_id = ed->answer.server_id,
            .parent_server_id = parent ? parent : "0",
            .name = name,
            .type = TYPE_MAIL,
        };
        int64_t id;
        int rc = store_folder_put(ed->sync->store, &news, &id, &e);

        free(name);
        if (rc)
            return flow_fail_err(&ed->flow, &e);
        sync_mark(ed->sync, id);
    } else if (ed->kind == EDIT_RENAME) {
        if (rename_book(ed, &e))
            return flow_fail_err(&ed->flow, &e);
    } else if (ed->kind == EDIT_DELETE) {
        const struct store_folder *f =
            store_folder_find(ed->sync->store, ed->path);

        if (f && store_folder_remove(ed->sync->store, f->id, &e))
            return flow_fail_err(&ed->flow, &e);
    }
    if (ed->answer.key && store_meta_set(ed->sync->store, "hierarchy-key",
                                         ed->answer.key, &e))
        return flow_fail_err(&ed->flow, &e);
    return FLOW_NEXT;
}

static enum flow_next
edit_refresh(void *self)
{
    struct edit *ed = self;

    return flow_wait(&ed->flow,
                     sync_folders_refresh(ed->sync, flow_wake, &ed->flow));
}

struct op *
sync_folder_create(struct sync *s, const char *path, op_done_fn *done,
                   void *arg)
{
    return edit_new(s, EDIT_CREATE, path, NULL, done, arg);
}

struct op *
sync_folder_rename(struct sync *s, const char *path, const char *new_path,
                   op_done_fn *done, void *arg)
{
    return edit_new(s, EDIT_RENAME, path, new_path, done, arg);
}

struct op *
sync_folder_delete(struct sync *s, const char *path, op_done_fn *done,
                   void *arg)
{
    return edit_new(s, EDIT_DELETE, path, NULL, done, arg);
}
