/*
 * ItemOperations Fetch of whole messages as MIME (MS-ASCMD 2.2.1.10). The
 * multipart form is asked for, in which a body travels as it is, outside of
 * WBXML; a server that answers inline is understood as well. The answer is read
 * while it arrives, by items_read.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eas/items_private.h"

#define FETCH_MAX 50
#define ANSWER_EXTRA ((uint64_t)1 << 20) /* what is not body */
#define ANSWER_MAX ((uint64_t)1 << 30)

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

static int
fetch_answer(struct eas_call *c, struct slice body, struct err *e)
{
    struct fetch_call *f = (struct fetch_call *)c;

    if (!body.n)
        return err_set(e, E_RETRY, "ItemOperations: the answer is empty");
    eas_items_forget(f);
    return eas_items_feed(f, body, e) || eas_items_finish(f, e) ? -1 : 0;
}

static int
fetch_stream(struct eas_call *c, struct slice piece, struct err *e)
{
    return eas_items_feed((struct fetch_call *)c, piece, e);
}

static int
fetch_stream_end(struct eas_call *c, struct err *e)
{
    return eas_items_finish((struct fetch_call *)c, e);
}

static void
fetch_clear(struct eas_call *c)
{
    struct fetch_call *f = (struct fetch_call *)c;

    eas_items_forget(f);
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
                                              .stream = fetch_stream,
                                              .stream_end = fetch_stream_end,
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
