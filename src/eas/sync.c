/*
 * Sync of one collection (MS-ASCMD 2.2.1.21): primes it, lists it without
 * bodies, carries the client's changes. sync_read.c takes the answer apart
 * while it is decoded. Who asks for what, and what the items mean, is known
 * to the room sync alone.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eas/sync_private.h"

/* Copies of the changes: the caller's may be gone when it is our turn. */
static void
change_copy(struct eas_change *to, const struct eas_change *from)
{
    const char **categories = NULL;

    *to = *from;
    to->server_id = xstrdup(from->server_id);
    if (from->ncategories)
        categories = xcalloc(from->ncategories, sizeof *categories);
    for (size_t i = 0; i < from->ncategories; i++)
        categories[i] = xstrdup(from->categories[i]);
    to->categories = categories;
}

static void
change_free(struct eas_change *c)
{
    for (size_t i = 0; i < c->ncategories; i++)
        free((char *)(uintptr_t)c->categories[i]);
    free((void *)(uintptr_t)c->categories);
    free((char *)(uintptr_t)c->server_id);
}

/* ---- the request */

/* MS-ASEMAIL 3.1.5.4: of received mail only Read, Flag and Categories may be
 * changed; what is absent stays. */
static void
write_edit(struct wbxml_writer *w, const struct eas_change *c)
{
    wbxml_write_start(w, AIRSYNC_CHANGE);
    wbxml_write_text(w, AIRSYNC_SERVER_ID, c->server_id);
    wbxml_write_start(w, AIRSYNC_APPLICATION_DATA);
    if (c->read >= 0)
        wbxml_write_number(w, EMAIL_READ, c->read ? 1 : 0);
    if (c->flag == 0)
        wbxml_write_empty(w, EMAIL_FLAG);
    if (c->flag > 0) {
        wbxml_write_start(w, EMAIL_FLAG);
        wbxml_write_text(w, EMAIL_STATUS, "2");
        wbxml_write_text(w, EMAIL_FLAG_TYPE, "Flag for follow up");
        wbxml_write_end(w);
    }
    if (c->set_categories) {
        wbxml_write_start(w, EMAIL_CATEGORIES);
        for (size_t i = 0; i < c->ncategories; i++)
            wbxml_write_text(w, EMAIL_CATEGORY, c->categories[i]);
        wbxml_write_end(w);
    }
    wbxml_write_end(w);
    wbxml_write_end(w);
}

static void
write_commands(struct wbxml_writer *w, const struct sync_call *s)
{
    if (!s->nchanges)
        return;
    wbxml_write_start(w, AIRSYNC_COMMANDS);
    for (size_t i = 0; i < s->nchanges; i++) {
        if (s->changes[i].kind == EAS_CHANGE_EDIT) {
            write_edit(w, &s->changes[i]);
            continue;
        }
        wbxml_write_start(w, AIRSYNC_DELETE);
        wbxml_write_text(w, AIRSYNC_SERVER_ID, s->changes[i].server_id);
        wbxml_write_end(w);
    }
    wbxml_write_end(w);
}

/* The whole set each time: a part would reset the rest. TruncationSize 0
 * with Type 4 asks for no body at all; MIMETruncation says the same to
 * servers that look only there. */
static void
write_options(struct wbxml_writer *w, const struct sync_call *s)
{
    wbxml_write_start(w, AIRSYNC_OPTIONS);
    wbxml_write_number(w, AIRSYNC_FILTER_TYPE, s->filter);
    wbxml_write_start(w, BASE_BODY_PREFERENCE);
    wbxml_write_text(w, BASE_TYPE, "4");
    wbxml_write_text(w, BASE_TRUNCATION_SIZE, "0");
    wbxml_write_end(w);
    wbxml_write_text(w, AIRSYNC_MIME_SUPPORT, "2");
    wbxml_write_text(w, AIRSYNC_MIME_TRUNCATION, "0");
    wbxml_write_end(w);
}

/* The order inside Collection is mandatory (MS-ASCMD 2.2.3.29.2). */
static int
sync_build(struct eas_call *c, struct err *e)
{
    struct sync_call *s = (struct sync_call *)c;
    struct wbxml_writer *w = &c->req.w;
    bool prime = !strcmp(s->key, "0");

    if (prime && s->nchanges)
        return err_set(e, E_BUG, "changes in a Sync with key 0");
    wbxml_write_start(w, AIRSYNC_SYNC);
    wbxml_write_start(w, AIRSYNC_COLLECTIONS);
    wbxml_write_start(w, AIRSYNC_COLLECTION);
    wbxml_write_text(w, AIRSYNC_SYNC_KEY, s->key);
    wbxml_write_text(w, AIRSYNC_COLLECTION_ID, s->collection);
    if (!prime) {
        wbxml_write_text(w, AIRSYNC_DELETES_AS_MOVES,
                         s->deletes_as_moves ? "1" : "0");
        wbxml_write_text(w, AIRSYNC_GET_CHANGES, s->get_changes ? "1" : "0");
        wbxml_write_number(w, AIRSYNC_WINDOW_SIZE, s->window);
        if (s->get_changes)
            write_options(w, s);
        write_commands(w, s);
    }
    wbxml_write_end(w);
    wbxml_write_end(w);
    wbxml_write_end(w);
    return 0;
}

/* ---- the answer */

static int
sync_answer(struct eas_call *c, struct slice body, struct err *e)
{
    struct sync_call *s = (struct sync_call *)c;

    eas_sync_answer_clear(s->out);
    /* The first one must bring a key, so an empty one is no answer. */
    if (!body.n && !strcmp(s->key, "0"))
        return err_set(e, E_RETRY, "the server's answer is empty");
    if (!body.n) { /* nothing changed, the key stays (MS-ASCMD 2.2.1.21.2) */
        eas_status_set(EAS_CMD_SYNC, 1, &s->out->status, &s->out->reaction);
        s->out->empty = true;
        return 0;
    }
    if (eas_sync_read(s, body, e)) {
        eas_sync_answer_clear(s->out);
        return -1;
    }
    return 0;
}

static int
sync_stream(struct eas_call *c, struct slice piece, struct err *e)
{
    struct sync_call *s = (struct sync_call *)c;

    if (!s->reader)
        eas_sync_answer_clear(s->out);
    return eas_sync_feed(s, piece, e);
}

static int
sync_stream_end(struct eas_call *c, struct err *e)
{
    struct sync_call *s = (struct sync_call *)c;

    if (eas_sync_finish(s, e)) {
        eas_sync_answer_clear(s->out);
        return -1;
    }
    return 0;
}

static void
sync_failed(struct eas_call *c, const struct err *err)
{
    struct sync_call *s = (struct sync_call *)c;

    (void)err;
    eas_sync_answer_clear(s->out); /* what a torn answer began */
}

static void
sync_clear(struct eas_call *c)
{
    struct sync_call *s = (struct sync_call *)c;

    eas_sync_forget(s);
    for (size_t i = 0; i < s->nchanges; i++)
        change_free(&s->changes[i]);
    free(s->changes);
    free(s->collection);
    free(s->key);
}

struct op *
eas_sync(struct eas *eas, const struct eas_sync_ask *ask,
         struct eas_sync_answer *out, op_done_fn *done, void *arg)
{
    static const struct eas_call_kind kind = {.command = EAS_CMD_SYNC,
                                              .build = sync_build,
                                              .answer = sync_answer,
                                              .stream = sync_stream,
                                              .stream_end = sync_stream_end,
                                              .failed = sync_failed,
                                              .clear = sync_clear};
    struct sync_call *s;

    *out = (struct eas_sync_answer){0};
    if (ask->nchanges > EAS_SYNC_CHANGES_MAX)
        return op_decided(&(struct err){E_BUG, "more than 200 changes in one "
                                               "Sync"},
                          done, arg);
    s = eas_call_new(eas, &kind, sizeof *s);
    s->out = out;
    s->collection = xstrdup(ask->collection);
    s->key = xstrdup(ask->key && ask->key[0] ? ask->key : "0");
    s->get_changes = ask->get_changes;
    s->deletes_as_moves = ask->deletes_as_moves;
    s->window = ask->window ? ask->window : 100;
    if (s->window > 512)
        s->window = 512;
    s->filter = ask->filter;
    s->on_item = ask->on_item;
    s->item_arg = ask->item_arg;
    s->changes = xcalloc(ask->nchanges ? ask->nchanges : 1, sizeof *s->changes);
    for (size_t i = 0; i < ask->nchanges; i++)
        change_copy(&s->changes[s->nchanges++], &ask->changes[i]);
    s->call.background = ask->background;
    s->call.req.max_body = EAS_SYNC_ANSWER_MAX;
    eas_call_lane(&s->call, s->collection);
    return eas_call_start(&s->call, done, arg);
}

void
eas_sync_answer_clear(struct eas_sync_answer *a)
{
    for (size_t i = 0; i < a->nfailures; i++)
        free(a->failures[i].server_id);
    free(a->failures);
    free(a->key);
    *a = (struct eas_sync_answer){0};
}
