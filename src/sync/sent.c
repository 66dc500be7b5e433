/*
 * New items in Sent before they are numbered: while a submission waits for the
 * server's copy, each is fetched and compared, so that what left is shown once
 * and with the bytes that left (SPEC section 7). Called by pull.c between an
 * answer and its booking.
 */
#include "sync/private.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "mime/address.h"
#include "mime/header.h"
#include "store/body.h"
#include "store/sent.h"

#define BATCH 20u
/* A server's clock, and a mail that waited there. */
#define SLACK_S 86400

struct sent {
    struct op *op;
    struct flow flow;
    struct sync *sync;
    int64_t folder, since, pos;
    struct arena *arena;
    struct eas_place places[BATCH];
    int64_t received[BATCH];
    size_t n;
    struct err err; /* of the store, while an answer is read */
};

static flow_step_fn sent_fetch, sent_again;
static flow_step_fn *const sent_steps[] = {
    sent_fetch, /* those that nobody knows */
    sent_again,
    NULL,
};

static void
sent_end(void *self, const struct err *err)
{
    struct sent *l = self;
    struct op *op = l->op;
    struct err copy = err ? *err : (struct err){0};

    arena_free(&l->arena);
    free(l);
    op_finish(&op, copy.code ? &copy : NULL);
}

static void
sent_stop(void *self)
{
    struct sent *l = self;

    flow_cancel(&l->flow);
}

struct op *
sync_sent_look(struct sync *s, int64_t folder, op_done_fn *done, void *arg)
{
    struct sent *l = xcalloc(1, sizeof *l);

    l->sync = s;
    l->folder = folder;
    l->arena = arena_new();
    l->op = op_new(sent_stop, l, done, arg);
    flow_start(&l->flow, sent_steps, sent_end, l);
    return l->op;
}

static void
on_body(void *arg, size_t index, int status, struct slice mime, bool cut)
{
    struct sent *l = arg;
    size_t n = mime_header_length(mime);
    struct slice head = slice_cut(mime, 0, n);
    struct arena *a = arena_new();
    char *people = mime_people(head);
    const char *id = mime_header_value(head, "message-id", a);
    const char *subject = mime_header_value(head, "subject", a);
    struct store_sent_print print = {
        .message_id = id ? id : "",
        .subject = subject ? subject : "",
        .people = people,
        .received = l->received[index],
    };
    struct err e;

    (void)cut; /* then only the Message-ID can fit */
    if (status == 1 &&
        (store_sent_digest(slice_from(mime, n), print.digest, &e) ||
         store_sent_recognise(l->sync->store, l->places[index].server_id,
                              &print, &e)))
        l->err = e;
    free(people);
    arena_free(&a);
}

static int
sent_choose(struct sent *l, struct err *e)
{
    struct store *s = l->sync->store;
    const struct store_folder *f = store_folder_get(s, l->folder);
    struct store_message m;
    struct store_item it;
    int kind, rc = 0;

    l->n = 0;
    while (f && l->n < BATCH &&
           (rc = store_stage_next(s, l->folder, &l->pos, &kind, &it, e)) == 1) {
        if (kind != EAS_ITEM_ADD ||
            (it.received > 0 && it.received < l->since - SLACK_S))
            continue;
        rc = store_message_by_server(s, l->folder, it.server_id, l->arena, &m,
                                     e);
        if (rc < 0)
            return -1;
        if (rc)
            continue;
        l->received[l->n] = it.received;
        l->places[l->n++] = (struct eas_place){
            .collection = arena_strdup(l->arena, f->server_id),
            .server_id = arena_strdup(l->arena, it.server_id),
        };
    }
    return rc < 0 ? -1 : 0;
}

static enum flow_next
sent_fetch(void *self)
{
    struct sent *l = self;
    struct eas_fetch_ask ask = {0};
    struct err e;
    int rc = l->since ? 1 : store_sent_awaited(l->sync->store, &l->since, &e);

    if (rc < 0 || (rc && sent_choose(l, &e)))
        return flow_fail_err(&l->flow, &e);
    if (!rc || !l->n)
        return FLOW_DONE;
    ask.items = l->places;
    ask.n = l->n;
    ask.max_body = STORE_BODY_MAX;
    ask.on_body = on_body;
    ask.body_arg = l;
    return flow_wait(&l->flow, eas_items_fetch(l->sync->eas, &ask, flow_wake,
                                               &l->flow));
}

static enum flow_next
sent_again(void *self)
{
    struct sent *l = self;

    if (l->err.code)
        return flow_fail_err(&l->flow, &l->err);
    return FLOW_BACK;
}
