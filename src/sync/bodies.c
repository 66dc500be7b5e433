/*
 * Bodies in the background, newest first, a batch at a time. What a client
 * waits for goes ahead of this (room view asks in the foreground).
 */
#include "sync/private.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/body.h"

#define BATCH 50u
#define BATCH_BYTES ((uint64_t)8 << 20)

struct wanted {
    int64_t message;
    struct buf raw;
    bool came;
};

struct bodies {
    struct op *op;
    struct flow flow;
    struct sync *sync;
    struct arena *arena;
    struct wanted items[BATCH];
    struct eas_place places[BATCH];
    size_t n, at, came;
    size_t *n_out;
};

static flow_step_fn bodies_fetch, bodies_save;
static flow_step_fn *const bodies_steps[] = {
    bodies_fetch, /* one ItemOperations */
    bodies_save,  /* one file after the other */
    NULL,
};

static void
bodies_end(void *self, const struct err *err)
{
    struct bodies *b = self;
    struct op *op = b->op;
    struct err copy = err ? *err : (struct err){0};

    if (op_wanted(op))
        *b->n_out = b->came;
    for (size_t i = 0; i < b->n; i++)
        buf_clear(&b->items[i].raw);
    arena_free(&b->arena);
    free(b);
    op_finish(&op, copy.code ? &copy : NULL);
}

static void
bodies_stop(void *self)
{
    struct bodies *b = self;

    flow_cancel(&b->flow);
}

struct op *
sync_bodies(struct sync *s, size_t *n_out, op_done_fn *done, void *arg)
{
    struct bodies *b = xcalloc(1, sizeof *b);

    b->sync = s;
    b->arena = arena_new();
    b->n_out = n_out;
    b->op = op_new(bodies_stop, b, done, arg);
    flow_start(&b->flow, bodies_steps, bodies_end, b);
    return b->op;
}

static void
on_body(void *arg, size_t index, int status, struct slice mime, bool truncated)
{
    struct bodies *b = arg;
    struct wanted *w = &b->items[index];

    if (status != 1 || truncated)
        return;
    buf_init(&w->raw, mime.n);
    w->came = buf_add_slice(&w->raw, mime) == 0;
}

static int
bodies_choose(struct bodies *b, struct err *e)
{
    struct store *s = b->sync->store;
    int64_t ids[BATCH];
    uint64_t bytes = 0;
    size_t n;

    if (store_message_missing(s, BATCH, ids, &n, e))
        return -1;
    for (size_t i = 0; i < n && bytes < BATCH_BYTES; i++) {
        const struct store_folder *f;
        struct store_message m;

        if (store_message_get(s, ids[i], b->arena, &m, e))
            return -1;
        f = store_folder_get(s, m.collection);
        if (!f)
            continue;
        b->items[b->n].message = m.id;
        b->places[b->n++] = (struct eas_place){
            .collection = arena_strdup(b->arena, f->server_id),
            .server_id = m.server_id,
        };
        bytes += m.estimated_size;
    }
    return 0;
}

static enum flow_next
bodies_fetch(void *self)
{
    struct bodies *b = self;
    struct eas_fetch_ask ask = {0};
    struct err e;

    if (bodies_choose(b, &e))
        return flow_fail_err(&b->flow, &e);
    if (!b->n)
        return FLOW_DONE;
    ask.items = b->places;
    ask.n = b->n;
    ask.max_body = STORE_BODY_MAX;
    ask.background = true;
    ask.on_body = on_body;
    ask.body_arg = b;
    return flow_wait(&b->flow, eas_items_fetch(b->sync->eas, &ask,
                                               flow_wake, &b->flow));
}

static enum flow_next
bodies_save(void *self)
{
    struct bodies *b = self;
    struct store *s = b->sync->store;
    struct err e;

    while (b->at < b->n) {
        struct wanted *w = &b->items[b->at++];
        int tries;

        if (w->came) {
            b->came++;
            return flow_wait_again(&b->flow,
                                   store_body_save(s, w->message, &w->raw,
                                                   false, flow_wake,
                                                   &b->flow));
        }
        /* This one was refused, others may have come: counted. A message
         * that went meanwhile is no failure. */
        if (store_body_failed(s, w->message, &tries, &e))
            return flow_fail_err(&b->flow, &e);
        if (tries == 3)
            log_warn("sync", "account=%s message=%lld the server does not "
                             "hand it out",
                     b->sync->account, (long long)w->message);
    }
    return FLOW_NEXT;
}
