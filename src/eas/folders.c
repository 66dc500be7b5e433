/*
 * The folder list and its changes (MS-ASCMD 2.2.1.3 to 2.2.1.6). All four
 * commands share one key, so they share a lane.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "eas/private.h"

#define MAX_FOLDERS 20000
#define NAME_MAX_BYTES 4096

struct folders_call {
    struct eas_call call;
    char *key;
    struct eas_folders_answer *out;
};

struct edit_call {
    struct eas_call call;
    char *key, *id, *parent, *name;
    int type;
    struct eas_folder_edit_answer *out;
};

/* ---- FolderSync */

static int
sync_build(struct eas_call *c, struct err *e)
{
    struct folders_call *f = (struct folders_call *)c;

    (void)e;
    wbxml_write_start(&c->req.w, FOLDER_FOLDER_SYNC);
    wbxml_write_text(&c->req.w, FOLDER_SYNC_KEY, f->key);
    wbxml_write_end(&c->req.w);
    return 0;
}

/* One Add, Update or Delete; false for one that is not usable. */
static bool
folder_read(const struct wbxml_node *n, struct eas_folder *out)
{
    struct slice id = wbxml_text(n, FOLDER_SERVER_ID, 0);

    *out = (struct eas_folder){0};
    switch (n->tag) {
    case FOLDER_ADD:
        out->kind = EAS_FOLDER_ADD;
        break;
    case FOLDER_UPDATE:
        out->kind = EAS_FOLDER_UPDATE;
        break;
    case FOLDER_DELETE:
        out->kind = EAS_FOLDER_DELETE;
        break;
    default:
        return false;
    }
    if (!id.n || id.n > EAS_ID_MAX)
        return false;
    out->server_id = eas_dup_id(id);
    if (out->kind == EAS_FOLDER_DELETE)
        return true;
    out->parent_id = eas_dup_id(wbxml_text(n, FOLDER_PARENT_ID, 0));
    if (!out->parent_id)
        out->parent_id = xstrdup("0");
    out->name = eas_dup_text(wbxml_text(n, FOLDER_DISPLAY_NAME, 0),
                             NAME_MAX_BYTES);
    if (!out->name)
        out->name = xstrdup("");
    out->type = (int)wbxml_number(n, 18, FOLDER_TYPE, 0);
    return true;
}

static int
changes_read(const struct wbxml_node *changes, struct eas_folders_answer *out,
             struct err *e)
{
    for (const struct wbxml_node *n = changes ? changes->child : NULL; n;
         n = n->next) {
        struct eas_folder folder;

        if (!folder_read(n, &folder))
            continue;
        if (out->n % 64 == 0)
            out->folders = xrealloc(out->folders,
                                    (out->n + 64) * sizeof *out->folders);
        out->folders[out->n++] = folder;
        if (out->n >= MAX_FOLDERS)
            return err_set(e, E_LIMIT, "more than %d folders", MAX_FOLDERS);
    }
    return 0;
}

static int
sync_read(struct eas_call *c, struct arena *a, struct slice body,
          struct err *e)
{
    struct folders_call *f = (struct folders_call *)c;
    struct wbxml_node *root;
    long status;

    if (eas_answer_tree(a, body, FOLDER_FOLDER_SYNC, &root, e))
        return -1;
    status = wbxml_number(root, 1, FOLDER_STATUS, 0);
    eas_status_set(c->kind->command, (int)status, &f->out->status,
                   &f->out->reaction);
    if (f->out->reaction != EAS_OK)
        return 0;
    f->out->key = eas_dup_id(wbxml_text(root, FOLDER_SYNC_KEY, 0));
    if (!f->out->key || !f->out->key[0])
        return err_set(e, E_RETRY, "FolderSync was answered without a key");
    return changes_read(wbxml_find(root, FOLDER_CHANGES, 0), f->out, e);
}

static int
sync_answer(struct eas_call *c, struct slice body, struct err *e)
{
    struct folders_call *f = (struct folders_call *)c;
    struct arena *a = arena_new();
    int rc = sync_read(c, a, body, e);

    if (rc)
        eas_folders_answer_clear(f->out);
    arena_free(&a);
    return rc;
}

static void
sync_clear(struct eas_call *c)
{
    free(((struct folders_call *)c)->key);
}

struct op *
eas_folders_sync(struct eas *eas, const char *key,
                 struct eas_folders_answer *out, op_done_fn *done, void *arg)
{
    static const struct eas_call_kind kind = {
        .command = EAS_CMD_FOLDERSYNC,
        .build = sync_build,
        .answer = sync_answer,
        .clear = sync_clear};
    struct folders_call *f = eas_call_new(eas, &kind, sizeof *f);

    *out = (struct eas_folders_answer){0};
    f->out = out;
    f->key = xstrdup(key && key[0] ? key : "0");
    eas_call_lane(&f->call, EAS_LANE_FOLDERS);
    return eas_call_start(&f->call, done, arg);
}

void
eas_folders_answer_clear(struct eas_folders_answer *a)
{
    for (size_t i = 0; i < a->n; i++) {
        free(a->folders[i].server_id);
        free(a->folders[i].parent_id);
        free(a->folders[i].name);
    }
    free(a->folders);
    free(a->key);
    *a = (struct eas_folders_answer){0};
}

/* ---- FolderCreate, FolderUpdate, FolderDelete */

static int
edit_build(struct eas_call *c, struct err *e)
{
    struct edit_call *f = (struct edit_call *)c;
    struct wbxml_writer *w = &c->req.w;
    enum eas_command command = c->kind->command;

    (void)e;
    wbxml_write_start(w, command == EAS_CMD_FOLDERCREATE ? FOLDER_FOLDER_CREATE
                         : command == EAS_CMD_FOLDERUPDATE
                             ? FOLDER_FOLDER_UPDATE
                             : FOLDER_FOLDER_DELETE);
    wbxml_write_text(w, FOLDER_SYNC_KEY, f->key);
    if (f->id)
        wbxml_write_text(w, FOLDER_SERVER_ID, f->id);
    if (f->parent)
        wbxml_write_text(w, FOLDER_PARENT_ID, f->parent);
    if (f->name)
        wbxml_write_text(w, FOLDER_DISPLAY_NAME, f->name);
    if (command == EAS_CMD_FOLDERCREATE)
        wbxml_write_number(w, FOLDER_TYPE, f->type);
    wbxml_write_end(w);
    return 0;
}

static int
edit_answer(struct eas_call *c, struct slice body, struct err *e)
{
    static const unsigned roots[EAS_COMMANDS] = {
        [EAS_CMD_FOLDERCREATE] = FOLDER_FOLDER_CREATE,
        [EAS_CMD_FOLDERUPDATE] = FOLDER_FOLDER_UPDATE,
        [EAS_CMD_FOLDERDELETE] = FOLDER_FOLDER_DELETE};
    struct edit_call *f = (struct edit_call *)c;
    struct arena *a = arena_new();
    struct wbxml_node *root;
    int rc = eas_answer_tree(a, body, roots[c->kind->command], &root, e);

    if (!rc) {
        eas_status_set(c->kind->command,
                       (int)wbxml_number(root, 1, FOLDER_STATUS, 0),
                       &f->out->status, &f->out->reaction);
        f->out->key = eas_dup_id(wbxml_text(root, FOLDER_SYNC_KEY, 0));
        f->out->server_id = eas_dup_id(wbxml_text(root, FOLDER_SERVER_ID, 0));
    }
    arena_free(&a);
    return rc;
}

static void
edit_clear(struct eas_call *c)
{
    struct edit_call *f = (struct edit_call *)c;

    free(f->key);
    free(f->id);
    free(f->parent);
    free(f->name);
}

static struct op *
edit_start(struct eas *eas, enum eas_command command,
           const struct edit_call *ask, struct eas_folder_edit_answer *out,
           op_done_fn *done, void *arg)
{
    static const struct eas_call_kind kinds[] = {
        {.command = EAS_CMD_FOLDERCREATE,
         .build = edit_build,
         .answer = edit_answer,
         .clear = edit_clear},
        {.command = EAS_CMD_FOLDERUPDATE,
         .build = edit_build,
         .answer = edit_answer,
         .clear = edit_clear},
        {.command = EAS_CMD_FOLDERDELETE,
         .build = edit_build,
         .answer = edit_answer,
         .clear = edit_clear},
    };
    struct edit_call *f = eas_call_new(
        eas, &kinds[command - EAS_CMD_FOLDERCREATE], sizeof *f);

    *out = (struct eas_folder_edit_answer){0};
    f->out = out;
    f->key = xstrdup(ask->key);
    f->id = ask->id ? xstrdup(ask->id) : NULL;
    f->parent = ask->parent ? xstrdup(ask->parent) : NULL;
    f->name = ask->name ? xstrdup(ask->name) : NULL;
    f->type = ask->type;
    eas_call_lane(&f->call, EAS_LANE_FOLDERS);
    return eas_call_start(&f->call, done, arg);
}

struct op *
eas_folder_create(struct eas *eas, const char *key, const char *parent,
                  const char *name, int type,
                  struct eas_folder_edit_answer *out, op_done_fn *done,
                  void *arg)
{
    struct edit_call ask = {.key = (char *)(uintptr_t)key,
                            .parent = (char *)(uintptr_t)parent,
                            .name = (char *)(uintptr_t)name,
                            .type = type};

    return edit_start(eas, EAS_CMD_FOLDERCREATE, &ask, out, done, arg);
}

struct op *
eas_folder_update(struct eas *eas, const char *key, const char *id,
                  const char *parent, const char *name,
                  struct eas_folder_edit_answer *out, op_done_fn *done,
                  void *arg)
{
    struct edit_call ask = {.key = (char *)(uintptr_t)key,
                            .id = (char *)(uintptr_t)id,
                            .parent = (char *)(uintptr_t)parent,
                            .name = (char *)(uintptr_t)name};

    return edit_start(eas, EAS_CMD_FOLDERUPDATE, &ask, out, done, arg);
}

struct op *
eas_folder_delete(struct eas *eas, const char *key, const char *id,
                  struct eas_folder_edit_answer *out, op_done_fn *done,
                  void *arg)
{
    struct edit_call ask = {.key = (char *)(uintptr_t)key,
                            .id = (char *)(uintptr_t)id};

    return edit_start(eas, EAS_CMD_FOLDERDELETE, &ask, out, done, arg);
}

void
eas_folder_edit_answer_clear(struct eas_folder_edit_answer *a)
{
    free(a->key);
    free(a->server_id);
    *a = (struct eas_folder_edit_answer){0};
}
