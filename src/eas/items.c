/*
 * ItemOperations Fetch of whole messages as MIME (MS-ASCMD 2.2.1.10). The
 * multipart form is asked for, in which a body travels as it is, outside of
 * WBXML; a server that answers inline is understood as well.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eas/private.h"

#define FETCH_MAX 50
#define ANSWER_EXTRA ((uint64_t)1 << 20) /* what is not body */
#define ANSWER_MAX ((uint64_t)1 << 30)

struct fetch_place {
    char *collection, *server_id;
    bool told;
};

struct fetch_call {
    struct eas_call call;
    struct fetch_place *items;
    size_t n;
    uint64_t max_body;
    void (*on_body)(void *arg, size_t index, int status, struct slice mime,
                    bool truncated);
    void *body_arg;
};

/* ---- the request */

static int
fetch_build(struct eas_call *c, struct err *e)
{
    struct fetch_call *f = (struct fetch_call *)c;
    struct wbxml_writer *w = &c->req.w;

    (void)e;
    c->req.multipart = true;
    wbxml_write_start(w, ITEMOPS_ITEM_OPERATIONS);
    for (size_t i = 0; i < f->n; i++) {
        wbxml_write_start(w, ITEMOPS_FETCH);
        wbxml_write_text(w, ITEMOPS_STORE, "Mailbox");
        wbxml_write_text(w, AIRSYNC_COLLECTION_ID, f->items[i].collection);
        wbxml_write_text(w, AIRSYNC_SERVER_ID, f->items[i].server_id);
        wbxml_write_start(w, ITEMOPS_OPTIONS);
        wbxml_write_text(w, AIRSYNC_MIME_SUPPORT, "2");
        wbxml_write_start(w, BASE_BODY_PREFERENCE);
        wbxml_write_text(w, BASE_TYPE, "4");
        wbxml_write_end(w);
        wbxml_write_end(w);
        wbxml_write_end(w);
    }
    wbxml_write_end(w);
    return 0;
}

/* ---- the answer */

static void
fetch_tell(struct fetch_call *f, size_t i, int status, struct slice mime,
           bool truncated)
{
    f->items[i].told = true;
    f->on_body(f->body_arg, i, status, mime, truncated);
}

/* Servers answer in the order of the request, but the ids say it for sure.
 * An id alone will do where the folder is left out. */
static size_t
fetch_index(const struct fetch_call *f, const struct wbxml_node *n)
{
    struct slice id = wbxml_text(n, AIRSYNC_SERVER_ID, 0);
    struct slice folder = wbxml_text(n, AIRSYNC_COLLECTION_ID, 0);

    for (size_t i = 0; i < f->n; i++)
        if (!f->items[i].told && slice_is(id, f->items[i].server_id) &&
            (!folder.n || slice_is(folder, f->items[i].collection)))
            return i;
    return f->n;
}

/* The bytes of a body: a part of the multipart form, or Data inline. */
static int
body_bytes(const struct wbxml_node *body, const struct eas_parts *parts,
           struct slice *out)
{
    const struct wbxml_node *data = wbxml_find(body, BASE_DATA, 0);
    long part = wbxml_number(body, -1, ITEMOPS_PART, 0);

    if (part >= 1 && (size_t)part < parts->n) {
        *out = parts->part[part];
        return 0;
    }
    if (part >= 0 || !data)
        return -1;
    *out = data->text;
    return 0;
}

static void
fetch_take(struct fetch_call *f, const struct wbxml_node *n,
           const struct eas_parts *parts)
{
    const struct wbxml_node *props = wbxml_find(n, ITEMOPS_PROPERTIES, 0);
    const struct wbxml_node *body = wbxml_find(props, BASE_BODY, 0);
    long status = wbxml_number(n, 1, ITEMOPS_STATUS, 0);
    size_t i = fetch_index(f, n);
    struct slice mime;

    if (i >= f->n)
        return;
    if (status != 1)
        fetch_tell(f, i, (int)status, SLICE_NONE, false);
    else if (!body || wbxml_number(body, 4, BASE_TYPE, 0) != 4 ||
             body_bytes(body, parts, &mime))
        fetch_tell(f, i, 14, SLICE_NONE, false); /* not as MIME */
    else if (mime.n > f->max_body)
        fetch_tell(f, i, -1, SLICE_NONE, false);
    else
        fetch_tell(f, i, 1, mime,
                   wbxml_number(body, 0, BASE_TRUNCATED, 0) == 1);
}

static int
fetch_read(struct fetch_call *f, struct arena *a, struct slice body,
           struct err *e)
{
    struct eas_parts *parts = arena_alloc(a, sizeof *parts);
    struct wbxml_tree_limits limits = {.bytes = body.n + 1};
    const struct wbxml_node *n;
    struct wbxml_node *root;
    long status;

    if (slice_istarts(slice_of(f->call.req.content_type),
                      "application/vnd.ms-sync.multipart")) {
        if (eas_multipart_parse(body, parts, e))
            return -1;
        body = parts->part[0];
    }
    if (wbxml_tree_parse(a, body, &limits, &root, e)) {
        if (e->code == E_INPUT)
            e->code = E_RETRY;
        return err_add(e, "the server's answer");
    }
    if (root->tag != ITEMOPS_ITEM_OPERATIONS)
        return err_set(e, E_RETRY, "the server answered %s instead of "
                                   "ItemOperations",
                       wbxml_tag_name(root->tag));
    status = wbxml_number(root, 1, ITEMOPS_STATUS, 0);
    n = wbxml_find(root, ITEMOPS_RESPONSE, ITEMOPS_FETCH, 0);
    if (status != 1 && !n)
        return eas_status_err(e, EAS_CMD_ITEMOPERATIONS, (int)status);
    for (; n; n = wbxml_again(n))
        fetch_take(f, n, parts);
    /* Each item is told once: what the server forgot was not found. */
    for (size_t i = 0; i < f->n; i++)
        if (!f->items[i].told)
            fetch_tell(f, i, status == 1 ? 6 : (int)status, SLICE_NONE, false);
    return 0;
}

static int
fetch_answer(struct eas_call *c, struct slice body, struct err *e)
{
    struct arena *a;
    int rc;

    if (!body.n)
        return err_set(e, E_RETRY, "ItemOperations: the answer is empty");
    a = arena_new();
    rc = fetch_read((struct fetch_call *)c, a, body, e);
    arena_free(&a);
    return rc;
}

static void
fetch_clear(struct eas_call *c)
{
    struct fetch_call *f = (struct fetch_call *)c;

    for (size_t i = 0; i < f->n; i++) {
        free(f->items[i].collection);
        free(f->items[i].server_id);
    }
    free(f->items);
}

struct op *
eas_items_fetch(struct eas *eas, const struct eas_fetch_ask *ask,
                op_done_fn *done, void *arg)
{
    static const struct eas_call_kind kind = {.command = EAS_CMD_ITEMOPERATIONS,
                                              .build = fetch_build,
                                              .answer = fetch_answer,
                                              .clear = fetch_clear};
    struct fetch_call *f;
    uint64_t most;

    if (!ask->n || ask->n > FETCH_MAX)
        return op_decided(&(struct err){E_BUG, "a Fetch of no item, or of "
                                               "more than 50"},
                          done, arg);
    f = eas_call_new(eas, &kind, sizeof *f);
    f->n = ask->n;
    f->items = xcalloc(f->n, sizeof *f->items);
    for (size_t i = 0; i < f->n; i++) {
        f->items[i].collection = xstrdup(ask->items[i].collection);
        f->items[i].server_id = xstrdup(ask->items[i].server_id);
    }
    f->max_body = ask->max_body;
    f->on_body = ask->on_body;
    f->body_arg = ask->body_arg;
    most = ask->max_body > ANSWER_MAX / ask->n ? ANSWER_MAX
                                               : ask->max_body * ask->n;
    f->call.req.max_body = most + ANSWER_EXTRA;
    f->call.background = ask->background;
    return eas_call_start(&f->call, done, arg);
}
