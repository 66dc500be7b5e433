/*
 * The journal of one collection goes up: flag changes and deletions as one
 * Sync, moves as MoveItems. Called by the round in sync.c. Rows are marked
 * sent before a request leaves, and closed with its answer.
 */
#include "sync/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "eas/status.h"
#include "store/journal.h"

#define ROWS_MAX 100u /* the server's limit is 200 commands */
#define TRIES_MAX 5

struct sent_row {
    int64_t row, message, target;
    const char *server_id;
    int tries;
    bool was_sent;
};

struct push {
    struct op *op;
    struct flow flow;
    struct sync *sync;
    int64_t collection;
    struct arena *arena;
    struct sent_row rows[ROWS_MAX];
    size_t nrows;
    struct eas_change changes[ROWS_MAX];
    size_t nchanges;
    struct eas_move moves[ROWS_MAX];
    struct eas_moved moved[ROWS_MAX];
    size_t nmoves;
    size_t limit;  /* of rows in a request; 0: as many as go */
    size_t move_limit;
    struct err refused; /* MoveItems as a whole */
    bool repeated; /* a request with this key went out and was not answered */
    struct eas_sync_answer answer;
};

static flow_step_fn push_edits, push_edited, push_moves, push_moved;

static flow_step_fn *const push_steps[] = {
    push_edits,  /* read flags, flags, keywords, deletions */
    push_edited, /* what the server said of them */
    push_moves,  /* MoveItems */
    push_moved,
    NULL,
};

static void
push_end(void *self, const struct err *err)
{
    struct push *p = self;
    struct op *op = p->op;
    struct err copy = err ? *err : (struct err){0};

    eas_sync_answer_clear(&p->answer);
    eas_moved_clear(p->moved, p->nmoves);
    arena_free(&p->arena);
    free(p);
    op_finish(&op, copy.code ? &copy : NULL);
}

static void
push_stop(void *self)
{
    struct push *p = self;

    flow_cancel(&p->flow);
}

struct op *
sync_push(struct sync *s, int64_t collection, op_done_fn *done, void *arg)
{
    struct push *p = xcalloc(1, sizeof *p);

    p->sync = s;
    p->collection = collection;
    p->arena = arena_new();
    p->op = op_new(push_stop, p, done, arg);
    flow_start(&p->flow, push_steps, push_end, p);
    return p->op;
}

/* ---- edits ---- */

static const char *const *
words_split(struct arena *a, const char *words, size_t *n)
{
    struct slice rest = slice_of(words), w;
    const char **list;
    size_t count = 1;

    for (const char *c = words; *c; c++)
        count += *c == ' ';
    list = arena_alloc(a, count * sizeof *list);
    *n = 0;
    while (slice_next(&rest, ' ', &w))
        if (w.n)
            list[(*n)++] = sync_keyword_category(a, w);
    return list;
}

/* Rows of one message become one Change. */
static struct eas_change *
change_for(struct push *p, const char *server_id)
{
    struct eas_change *c;

    for (size_t i = 0; i < p->nchanges; i++)
        if (strcmp(p->changes[i].server_id, server_id) == 0)
            return &p->changes[i];
    c = &p->changes[p->nchanges++];
    *c = (struct eas_change){.kind = EAS_CHANGE_EDIT,
                             .server_id = server_id,
                             .read = -1,
                             .flag = -1};
    return c;
}

static void
change_add(struct push *p, const struct store_row *r)
{
    struct eas_change *c = change_for(p, r->server_id);

    switch (r->field) {
    case STORE_FIELD_SEEN:
        c->read = r->value;
        break;
    case STORE_FIELD_FLAGGED:
        c->flag = r->value;
        break;
    case STORE_FIELD_KEYWORDS:
        c->set_categories = true;
        c->categories = words_split(p->arena, r->keywords, &c->ncategories);
        break;
    case STORE_FIELD_PLACE:
        c->kind = EAS_CHANGE_DELETE;
        break;
    }
}

/* Under this name stands the SyncKey with which changes went out last. While
 * it is still the folder's, nobody knows what became of them. */
static char *
asked_name(const struct push *p)
{
    return xasprintf("asked:%lld", (long long)p->collection);
}

static int
asked_with(struct push *p, const char *key, struct err *e)
{
    char *name = asked_name(p), *last = store_meta_get(p->sync->store, name);
    int rc = 0;

    p->repeated = strcmp(last, key) == 0;
    if (!p->repeated)
        rc = store_meta_set(p->sync->store, name, key, e);
    free(name);
    free(last);
    return rc;
}

static int
asked_forget(struct push *p, struct err *e)
{
    char *name = asked_name(p);
    int rc = store_meta_set(p->sync->store, name, "", e);

    free(name);
    return rc;
}

/* Collects due rows, moves or edits, and marks them sent, durably with the
 * next flush at the latest: after kill -9 the mark is there. */
static int
rows_take(struct push *p, bool moves, struct err *e)
{
    struct store *s = p->sync->store;
    struct store_row r;
    int64_t after = 0;
    size_t limit = moves ? p->move_limit : p->limit;
    int rc;

    p->nrows = 0;
    if (store_begin(s, e))
        return -1;
    while (p->nrows < (limit ? limit : ROWS_MAX) &&
           (rc = store_journal_next(s, p->collection, &after, p->arena, &r,
                                    e)) != 0) {
        bool is_move = r.field == STORE_FIELD_PLACE && r.folder;

        if (rc < 0)
            goto fail;
        if (is_move != moves)
            continue;
        if (store_journal_sent(s, r.id, e))
            goto fail;
        p->rows[p->nrows++] = (struct sent_row){
            .row = r.id,
            .message = r.message,
            .target = r.folder,
            .server_id = r.server_id,
            .tries = r.tries,
            .was_sent = r.sent,
        };
        if (!moves)
            change_add(p, &r);
    }
    return store_commit(s, e);
fail:
    store_rollback(s);
    return -1;
}

static enum flow_next
push_edits(void *self)
{
    struct push *p = self;
    const struct store_folder *f =
        store_folder_get(p->sync->store, p->collection);
    struct eas_sync_ask ask = {0};
    struct err e;

    if (!f || f->state != STORE_FOLDER_READY || strcmp(f->key, "0") == 0)
        return FLOW_DONE; /* after its listing */
    if (rows_take(p, false, &e))
        return flow_fail_err(&p->flow, &e);
    if (!p->nrows)
        return FLOW_NEXT;
    f = store_folder_get(p->sync->store, p->collection);
    if (asked_with(p, f->key, &e))
        return flow_fail_err(&p->flow, &e);
    ask.collection = f->server_id;
    ask.key = f->key;
    ask.get_changes = false;
    ask.filter = p->sync->filter;
    ask.changes = p->changes;
    ask.nchanges = p->nchanges;
    return flow_wait(&p->flow, eas_sync(p->sync->eas, &ask, &p->answer,
                                        flow_wake, &p->flow));
}

static const struct eas_sync_failure *
failure_of(const struct push *p, const char *server_id)
{
    for (size_t i = 0; i < p->answer.nfailures; i++)
        if (p->answer.failures[i].server_id &&
            strcmp(p->answer.failures[i].server_id, server_id) == 0)
            return &p->answer.failures[i];
    return NULL;
}

static int64_t
later(int tries)
{
    return now_unix() + fault_wait(tries < 6 ? 10 << tries : 600);
}

static int
row_settle(struct push *p, const struct sent_row *r, struct err *e)
{
    const struct eas_sync_failure *f = failure_of(p, r->server_id);
    struct store *s = p->sync->store;
    struct err why;

    if (!f || f->reaction == EAS_OK)
        return store_journal_done(s, r->row, NULL, e);
    sync_mark(p->sync, p->collection); /* see what the server has */
    switch (f->reaction) {
    case EAS_GONE:
        return store_journal_done(s, r->row, NULL, e);
    case EAS_CONFLICT:
    case EAS_RETRY:
        if (r->tries < TRIES_MAX)
            return store_journal_later(s, r->row, later(r->tries), e);
        break;
    default:
        break;
    }
    eas_status_err(&why, EAS_CMD_SYNC, f->status);
    log_warn("sync", "account=%s a change was refused: %s",
             p->sync->account, why.text);
    return store_journal_refused(s, r->row, why.text, e);
}

static int
edits_book(struct push *p, struct err *e)
{
    struct store *s = p->sync->store;

    if (store_begin(s, e))
        return -1;
    /* A key that comes a second time may be answered from what the server
     * remembers of the first, without a look at the values (Z-Push). All that
     * such an answer is good for is its new key: with that the same goes up
     * once more, which harms nothing, and is believed. */
    for (size_t i = 0; i < p->nrows && !p->repeated; i++)
        if (row_settle(p, &p->rows[i], e)) {
            store_rollback(s);
            return -1;
        }
    if (p->answer.key &&
        store_folder_set_key(s, p->collection, p->answer.key, e)) {
        store_rollback(s);
        return -1;
    }
    if (asked_forget(p, e)) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

/* The request as a whole was refused: one of its changes is to blame. Half of
 * them goes up again, until that one is alone and can be refused. */
static enum flow_next
edits_halve(struct push *p)
{
    struct store *s = p->sync->store;
    struct err why, e;

    eas_status_err(&why, EAS_CMD_SYNC, p->answer.status);
    if (asked_forget(p, &e))
        return flow_fail_err(&p->flow, &e);
    eas_sync_answer_clear(&p->answer);
    p->nchanges = 0;
    if (p->nrows > 1) {
        p->limit = p->nrows / 2;
        return FLOW_BACK;
    }
    log_warn("sync", "account=%s a change was refused: %s",
             p->sync->account, why.text);
    sync_mark(p->sync, p->collection);
    if (store_journal_refused(s, p->rows[0].row, why.text, &e))
        return flow_fail_err(&p->flow, &e);
    return FLOW_DONE;
}

/* The list of folders comes first (the round sees to that), then the same goes
 * up again: at once, but later each time that this does not help. */
static enum flow_next
edits_wait(struct push *p)
{
    struct store *s = p->sync->store;
    struct err e;
    int rc = store_begin(s, &e);

    if (rc)
        return flow_fail_err(&p->flow, &e);
    rc = asked_forget(p, &e);
    for (size_t i = 0; i < p->nrows && !rc; i++)
        rc = store_journal_later(s, p->rows[i].row,
                                 p->rows[i].tries ? later(p->rows[i].tries)
                                                  : now_unix(),
                                 &e);
    if (rc) {
        store_rollback(s);
        return flow_fail_err(&p->flow, &e);
    }
    if (store_commit(s, &e))
        return flow_fail_err(&p->flow, &e);
    return FLOW_DONE;
}

static enum flow_next
push_edited(void *self)
{
    struct push *p = self;
    struct err e;

    if (!p->nrows)
        return FLOW_NEXT;
    switch (p->answer.reaction) {
    case EAS_OK:
        break;
    case EAS_KEY0:
        if (store_folder_reset(p->sync->store, p->collection, &e))
            return flow_fail_err(&p->flow, &e);
        sync_mark(p->sync, p->collection);
        return FLOW_DONE;
    case EAS_FOLDERSYNC:
        sync_mark(p->sync, 0);
        return edits_wait(p);
    case EAS_BUG:
    case EAS_DROP:
        return edits_halve(p);
    default:
        eas_status_err(&e, EAS_CMD_SYNC, p->answer.status);
        return flow_fail_err(&p->flow, &e);
    }
    if (edits_book(p, &e))
        return flow_fail_err(&p->flow, &e);
    /* A server may tell of it before the key is quite new (SOGo). */
    sync_mark_later(p->sync, p->collection, 1000);
    return FLOW_NEXT;
}

/* ---- moves ---- */

/* A refusal of the request is trouble of these moves, not of the account. */
static void
on_moved(void *arg, const struct err *err)
{
    struct push *p = arg;

    if (err && !sync_is_account_error(err)) {
        p->refused = *err;
        err = NULL;
    }
    flow_wake(&p->flow, err);
}

static enum flow_next
push_moves(void *self)
{
    struct push *p = self;
    struct store *s = p->sync->store;
    struct err e;
    const struct store_folder *from, *to;
    size_t n = 0;

    if (rows_take(p, true, &e))
        return flow_fail_err(&p->flow, &e);
    from = store_folder_get(s, p->collection);
    for (size_t i = 0; i < p->nrows && from; i++) {
        to = store_folder_get(s, p->rows[i].target);
        if (!to || !*to->server_id) {
            if (store_journal_refused(s, p->rows[i].row,
                                      "the folder is not on the server", &e))
                return flow_fail_err(&p->flow, &e);
            from = store_folder_get(s, p->collection);
            continue;
        }
        p->moves[n] = (struct eas_move){
            .server_id = p->rows[i].server_id,
            .from = arena_strdup(p->arena, from->server_id),
            .to = arena_strdup(p->arena, to->server_id),
        };
        p->rows[n++] = p->rows[i];
    }
    p->nrows = p->nmoves = n;
    if (!n)
        return FLOW_DONE;
    return flow_wait(&p->flow,
                     eas_move_items(p->sync->eas, p->moves, n, p->moved,
                                    on_moved, p));
}

/* The item is not in the source: moved by the request whose answer was lost,
 * or gone elsewhere. The Sync of both folders tells. */
static int
move_unknown(struct push *p, const struct sent_row *r, struct err *e)
{
    return store_journal_adrift(p->sync->store, r->row, e);
}

static int
move_settle(struct push *p, const struct sent_row *r,
            const struct eas_moved *m, struct err *e)
{
    struct store *s = p->sync->store;
    struct err why;

    switch (m->status) {
    case 3:
        return store_journal_done(s, r->row, m->new_id ? m->new_id : "", e);
    case 4: /* source and target are one */
        return store_journal_done(s, r->row, r->server_id, e);
    case 1:
        return move_unknown(p, r, e);
    case 5:
    case 7:
        if (r->tries < TRIES_MAX)
            return store_journal_later(s, r->row, later(r->tries), e);
        break;
    default:
        break;
    }
    if (m->reaction == EAS_RETRY && r->tries < TRIES_MAX)
        return store_journal_later(s, r->row, later(r->tries), e);
    if (m->status == 2)
        sync_mark(p->sync, 0);
    eas_status_err(&why, EAS_CMD_MOVEITEMS, m->status);
    log_warn("sync", "account=%s a move was refused: %s", p->sync->account,
             why.text);
    return store_journal_refused(s, r->row, why.text, e);
}

/* Half of them goes again, until the one to blame is alone: it is tried a few
 * times more, and comes back. */
static enum flow_next
moves_halve(struct push *p)
{
    struct store *s = p->sync->store;
    const struct sent_row *r = &p->rows[0];
    struct err why = p->refused, e;
    int rc;

    p->refused = (struct err){0};
    eas_moved_clear(p->moved, p->nmoves);
    if (p->nmoves > 1) {
        p->move_limit = p->nmoves / 2;
        return FLOW_BACK;
    }
    log_warn("sync", "account=%s a move was refused: %s", p->sync->account,
             why.text);
    rc = r->tries < TRIES_MAX
             ? store_journal_later(s, r->row, later(r->tries), &e)
             : store_journal_refused(s, r->row, why.text, &e);
    return rc ? flow_fail_err(&p->flow, &e) : FLOW_DONE;
}

static enum flow_next
push_moved(void *self)
{
    struct push *p = self;
    struct store *s = p->sync->store;
    struct err e;

    if (p->refused.code)
        return moves_halve(p);

    if (store_begin(s, &e))
        return flow_fail_err(&p->flow, &e);
    for (size_t i = 0; i < p->nmoves; i++) {
        if (move_settle(p, &p->rows[i], &p->moved[i], &e)) {
            store_rollback(s);
            return flow_fail_err(&p->flow, &e);
        }
        sync_mark(p->sync, p->rows[i].target);
    }
    if (store_commit(s, &e))
        return flow_fail_err(&p->flow, &e);
    sync_mark(p->sync, p->collection);
    return FLOW_NEXT;
}
