/*
 * EmptyFolderContents (MS-ASCMD 2.2.3.58): everything in a folder goes for
 * good, in one request, subfolders stay. Meant for the trash.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "eas/private.h"

struct empty_call {
    struct eas_call call;
    char *collection;
    struct eas_empty_answer *out;
};

static int
empty_build(struct eas_call *c, struct err *e)
{
    struct wbxml_writer *w = &c->req.w;

    (void)e;
    wbxml_write_start(w, ITEMOPS_ITEM_OPERATIONS);
    wbxml_write_start(w, ITEMOPS_EMPTY_FOLDER_CONTENTS);
    wbxml_write_text(w, AIRSYNC_COLLECTION_ID,
                     ((struct empty_call *)c)->collection);
    wbxml_write_end(w);
    wbxml_write_end(w);
    return 0;
}

static int
empty_answer(struct eas_call *c, struct slice body, struct err *e)
{
    struct empty_call *m = (struct empty_call *)c;
    struct arena *a = arena_new();
    struct wbxml_node *root;
    long status;
    int rc = eas_answer_tree(a, body, ITEMOPS_ITEM_OPERATIONS, &root, e);

    if (!rc) {
        status = wbxml_number(root, 1, ITEMOPS_STATUS, 0);
        if (status == 1) /* an answer that does not name it did not do it */
            status = wbxml_number(root, 3, ITEMOPS_RESPONSE,
                                  ITEMOPS_EMPTY_FOLDER_CONTENTS,
                                  ITEMOPS_STATUS, 0);
        eas_status_set(EAS_CMD_ITEMOPERATIONS, (int)status, &m->out->status,
                       &m->out->reaction);
    }
    arena_free(&a);
    return rc;
}

static void
empty_clear(struct eas_call *c)
{
    free(((struct empty_call *)c)->collection);
}

struct op *
eas_folder_empty(struct eas *eas, const char *collection,
                 struct eas_empty_answer *out, op_done_fn *done, void *arg)
{
    static const struct eas_call_kind kind = {.command = EAS_CMD_ITEMOPERATIONS,
                                              .build = empty_build,
                                              .answer = empty_answer,
                                              .clear = empty_clear};
    struct empty_call *m = eas_call_new(eas, &kind, sizeof *m);

    *out = (struct eas_empty_answer){0};
    m->out = out;
    m->collection = xstrdup(collection);
    eas_call_lane(&m->call, collection);
    return eas_call_start(&m->call, done, arg);
}
