/*
 * Bodies in the background, newest first, a batch at a time; each is saved
 * while the next ones come. What a client waits for goes ahead of this (room
 * view asks in the foreground).
 */
#include "sync/private.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/body.h"

#define BATCH 50u
#define BATCH_BYTES ((uint64_t)8 << 20)
/* On their way to the disk. What comes beyond that (estimates may be wrong)
 * is fetched again in a later batch. */
#define SAVING_BYTES ((size_t)64 << 20)

struct bodies;
struct wanted {
    struct bodies *bodies;
    int64_t message;
    struct op *save;
    size_t bytes; /* that are being saved */
    bool came, refused;
};

struct bodies {
    struct op *op;
    struct flow flow;
    struct sync *sync;
    struct arena *arena;
    struct wanted items[BATCH];
    struct eas_place places[BATCH];
    size_t n, came, saving, at;
    size_t saving_bytes;
    bool fetched;
    struct err err; /* of the fetch, or of the first save that failed */
    size_t *n_out;
};

static flow_step_fn bodies_fetch, bodies_refused, bodies_last;
static flow_step_fn *const bodies_steps[] = {
    bodies_fetch,   /* one ItemOperations, and a file for each that comes */
    bodies_refused, /* counted one by one; at the end a stand-in */
    bodies_last,
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
        op_cancel(&b->items[i].save); /* it is kept all the same */
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

/* Fetch and saves are over: what came is kept, whatever went wrong. */
static void
bodies_settle(struct bodies *b)
{
    if (b->fetched && !b->saving)
        flow_wake(&b->flow, NULL);
}

static void
on_saved(void *arg, const struct err *err)
{
    struct wanted *w = arg;
    struct bodies *b = w->bodies;

    b->saving--;
    b->saving_bytes -= w->bytes;
    if (!err)
        b->came++;
    else if (!b->err.code && err->code != E_MISSING) /* it went meanwhile */
        b->err = *err;
    bodies_settle(b);
}

static void
on_fetched(void *arg, const struct err *err)
{
    struct bodies *b = arg;

    b->fetched = true;
    if (err && !b->err.code)
        b->err = *err;
    bodies_settle(b);
}

static void
on_body(void *arg, size_t index, int status, struct slice mime, bool truncated)
{
    struct bodies *b = arg;
    struct wanted *w = &b->items[index];
    struct buf raw = BUF_INIT(mime.n);

    /* The request went out once more, its answer was cut: what came in the
     * first one is on its way to the disk. */
    if (w->came && !w->refused)
        return;
    w->came = true;
    w->refused = status != 1 || truncated;
    if (w->refused ||
        (b->saving && b->saving_bytes + mime.n > SAVING_BYTES))
        return;
    buf_add_slice(&raw, mime);
    w->bytes = mime.n;
    b->saving_bytes += mime.n;
    b->saving++;
    op_hold(&w->save, store_body_save(b->sync->store, w->message, &raw, false,
                                      on_saved, w));
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

        if (store_message_get(s, ids[i], b->arena, &m, e) ||
            (!m.collection &&
             store_message_aged_place(s, m.id, b->arena, &m.collection,
                                      &m.server_id, e) < 0))
            return -1;
        f = store_folder_get(s, m.collection);
        if (!f)
            continue;
        b->items[b->n].bodies = b;
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
                                               on_fetched, b));
}

/* Where others come it is the item's fault; a server that refuses all has
 * another trouble. */
static bool
is_items_fault(const struct bodies *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].came && !b->items[i].refused)
            return true;
    return b->n == 1 && !b->err.code;
}

/* A message that went meanwhile is no failure. */
static enum flow_next
bodies_refused(void *self)
{
    struct bodies *b = self;
    struct store *s = b->sync->store;
    struct buf mime = BUF_INIT(1 << 20);
    struct store_message m;
    struct wanted *w;
    struct err e;
    int tries;

    while (b->at < b->n && (!b->items[b->at].came || !b->items[b->at].refused))
        b->at++;
    if (b->at == b->n || !is_items_fault(b))
        return FLOW_NEXT;
    w = &b->items[b->at++];
    b->sync->bodies_wait = true;
    if (store_body_failed(s, w->message, &tries, &e) ||
        store_message_get(s, w->message, b->arena, &m, &e))
        return e.code == E_MISSING ? FLOW_AGAIN : flow_fail_err(&b->flow, &e);
    if (tries < STORE_BODY_TRIES || m.body != STORE_BODY_ABSENT)
        return FLOW_AGAIN;
    log_warn("sync", "account=%s message=%lld the server does not hand it out, "
                     "a stand-in is shown",
             b->sync->account, (long long)w->message);
    sync_standin_make(&m, &mime);
    return flow_wait_again(&b->flow, store_body_standin(s, w->message, &mime,
                                                        flow_wake, &b->flow));
}

static enum flow_next
bodies_last(void *self)
{
    struct bodies *b = self;

    return b->err.code ? flow_fail_err(&b->flow, &b->err) : FLOW_NEXT;
}
