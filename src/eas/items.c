/*
 * ItemOperations Fetch of whole messages as MIME (MS-ASCMD 2.2.1.10). The
 * multipart form is asked for, in which a body travels as it is, outside of
 * WBXML; a server that answers inline is understood as well. The answer is read
 * while it arrives, by items_read.c. Where the policy limits what may come in,
 * the text and the list of attachments are asked for first, and the MIME only
 * of what is within the limits (withhold.c).
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eas/items_private.h"

#define FETCH_MAX 50
#define ANSWER_EXTRA ((uint64_t)1 << 20) /* what is not body */
#define ANSWER_MAX ((uint64_t)1 << 30)

/* ---- the request */

/* Judged at each request: the policy may be another one by now. */
static void
form_choose(struct fetch_call *f)
{
    struct fetch_limits now = {.text = -1, .html = -1};
    const struct fetch_limits *was = &f->limits;
    bool same;

    if (!f->unlimited)
        now = eas_limits_now(f->call.eas);
    same = was->any == now.any && was->no_files == now.no_files &&
           was->max_file == now.max_file && was->text == now.text &&
           was->html == now.html;
    f->limits = now;
    f->looks = false;
    for (size_t i = 0; i < f->n; i++) {
        struct fetch_place *p = &f->items[i];

        p->passed = p->passed && same;
        f->looks |= now.any && !p->told && !p->passed;
    }
}

static void
write_pref(struct wbxml_writer *w, const char *type, int64_t limit)
{
    wbxml_write_start(w, BASE_BODY_PREFERENCE);
    wbxml_write_text(w, BASE_TYPE, type);
    if (limit >= 0)
        wbxml_write_number(w, BASE_TRUNCATION_SIZE, (long)limit);
    wbxml_write_end(w);
}

static bool
is_asked(const struct fetch_call *f, const struct fetch_place *p)
{
    return !p->told && (!f->looks || !p->passed);
}

/* As MIME; or as text, where only S/MIME comes as MIME. */
static void
write_options(struct fetch_call *f, struct wbxml_writer *w)
{
    wbxml_write_start(w, ITEMOPS_OPTIONS);
    wbxml_write_text(w, AIRSYNC_MIME_SUPPORT, f->looks ? "1" : "2");
    if (f->looks) {
        write_pref(w, "1", f->limits.text);
        write_pref(w, "2", f->limits.html);
    }
    write_pref(w, "4", -1);
    wbxml_write_end(w);
}

static int
fetch_build(struct eas_call *c, struct err *e)
{
    struct fetch_call *f = (struct fetch_call *)c;
    struct wbxml_writer *w = &c->req.w;

    (void)e;
    c->req.multipart = true;
    form_choose(f);
    wbxml_write_start(w, ITEMOPS_ITEM_OPERATIONS);
    for (size_t i = 0; i < f->n; i++) {
        if (!is_asked(f, &f->items[i]))
            continue;
        wbxml_write_start(w, ITEMOPS_FETCH);
        wbxml_write_text(w, ITEMOPS_STORE, "Mailbox");
        wbxml_write_text(w, AIRSYNC_COLLECTION_ID, f->items[i].collection);
        wbxml_write_text(w, AIRSYNC_SERVER_ID, f->items[i].server_id);
        write_options(f, w);
        wbxml_write_end(w);
    }
    wbxml_write_end(w);
    return 0;
}

/* ---- the answer */

/* What passed the look is asked for as MIME next. */
static int
fetch_end(struct fetch_call *f, struct err *e)
{
    if (eas_items_finish(f, e))
        return -1;
    for (size_t i = 0; i < f->n; i++)
        if (!f->items[i].told)
            return 1;
    return 0;
}

static int
fetch_answer(struct eas_call *c, struct slice body, struct err *e)
{
    struct fetch_call *f = (struct fetch_call *)c;

    if (!body.n)
        return err_set(e, E_RETRY, "ItemOperations: the answer is empty");
    eas_items_forget(f);
    return eas_items_feed(f, body, e) ? -1 : fetch_end(f, e);
}

static int
fetch_stream(struct eas_call *c, struct slice piece, struct err *e)
{
    return eas_items_feed((struct fetch_call *)c, piece, e);
}

static int
fetch_stream_end(struct eas_call *c, struct err *e)
{
    return fetch_end((struct fetch_call *)c, e);
}

static void
fetch_clear(struct eas_call *c)
{
    struct fetch_call *f = (struct fetch_call *)c;

    eas_items_forget(f);
    for (size_t i = 0; i < f->n; i++) {
        free(f->items[i].collection);
        free(f->items[i].server_id);
        eas_look_clear(&f->items[i].look);
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
    f->unlimited = ask->unlimited;
    f->on_body = ask->on_body;
    f->body_arg = ask->body_arg;
    most = ask->max_body > ANSWER_MAX / ask->n ? ANSWER_MAX
                                               : ask->max_body * ask->n;
    f->call.req.max_body = most + ANSWER_EXTRA;
    f->call.background = ask->background;
    return eas_call_start(&f->call, done, arg);
}
