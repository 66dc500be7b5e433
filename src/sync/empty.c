/*
 * A folder emptied for good, as a whole (`sealpostctl folder empty`). What goes
 * is what was listed here when it was asked for, nothing else: the messages
 * leave the view by the journal first, which deletes one by one, also after a
 * crash. EmptyFolderContents, which takes everything that is in the folder on
 * the server, only spares those requests, and goes out only where both are the
 * same: the folder is listed as a whole, no message of it is shown here or
 * elsewhere any more, and the server has just said that it has nothing new.
 * Mail that arrives between that answer and the next request would be lost with
 * the rest; there is no request that names both.
 */
#include "sync/private.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "eas/policy.h"
#include "eas/status.h"
#include "store/journal.h"

#define BATCH 200u

struct empty {
    struct op *op;
    struct flow flow;
    struct sync *sync;
    int64_t folder;
    uint64_t estimate;
    bool estimated;
    struct store_snapshot shown; /* what goes */
    size_t at;
    int64_t *rows; /* of the journal that EmptyFolderContents makes true */
    size_t nrows;
    struct eas_empty_answer answer;
    struct sync_emptied made, *out;
};

static flow_step_fn empty_pull, empty_choose, empty_mark, empty_ask_news,
    empty_ask, empty_book, empty_flush;
static flow_step_fn *const empty_steps[] = {
    empty_pull, /* what is there now is listed */
    empty_choose,
    empty_mark,     /* out of the view, into the journal */
    empty_ask_news, /* has anything come since? */
    empty_ask,      /* EmptyFolderContents, where it may */
    empty_book,
    empty_flush,
    NULL,
};

static void
empty_end(void *self, const struct err *err)
{
    struct empty *m = self;
    struct op *op = m->op;
    struct err copy = err ? *err : (struct err){0};

    if (!err && op_wanted(op))
        *m->out = m->made;
    store_snapshot_clear(&m->shown);
    free(m->rows);
    free(m);
    op_finish(&op, copy.code ? &copy : NULL);
}

static void
empty_stop(void *self)
{
    struct empty *m = self;

    flow_cancel(&m->flow);
}

struct op *
sync_folder_empty(struct sync *s, const char *path, bool force,
                  struct sync_emptied *out, op_done_fn *done, void *arg)
{
    const struct store_folder *f = store_folder_find(s->store, path);
    struct empty *m;
    struct err e = {0};

    *out = (struct sync_emptied){0};
    if (!f)
        err_set(&e, E_MISSING, "there is no folder %.200s", path);
    else if (!force && f->role != STORE_ROLE_TRASH &&
             f->role != STORE_ROLE_JUNK)
        err_set(&e, E_DENIED, "%.200s is neither the trash nor the junk: "
                              "--force empties it all the same", path);
    if (e.code)
        return op_decided(&e, done, arg);
    m = xcalloc(1, sizeof *m);
    m->sync = s;
    m->folder = f->id;
    m->out = out;
    m->op = op_new(empty_stop, m, done, arg);
    flow_start(&m->flow, empty_steps, empty_end, m);
    return m->op;
}

static enum flow_next
empty_pull(void *self)
{
    struct empty *m = self;

    return flow_wait(&m->flow, sync_folder_now(m->sync, m->folder, flow_wake,
                                               &m->flow));
}

/* NULL and e: it is not there or not known as a whole. */
static const struct store_folder *
folder_get(struct empty *m, struct err *e)
{
    const struct store_folder *f =
        store_folder_get(m->sync->store, m->folder);

    if (f && f->state == STORE_FOLDER_READY)
        return f;
    err_set(e, f ? E_RETRY : E_MISSING,
            f ? "the folder is being listed" : "the folder is gone");
    return NULL;
}

/* Is all that the server has in the folder listed here? */
static bool
is_listed_whole(const struct sync *s)
{
    const struct eas_policy *p = eas_policy(s->eas);

    return !s->filter && !(p && p->max_age_filter);
}

static void
on_estimate(void *arg, const struct err *err)
{
    struct empty *m = arg;

    m->estimated = !err;
    if (err)
        log_info("sync", "account=%s no estimate, the journal deletes: %s",
                 m->sync->account, err->text);
    flow_wake(&m->flow, NULL);
}

static enum flow_next
empty_ask_news(void *self)
{
    struct empty *m = self;
    struct err e;
    const struct store_folder *f = folder_get(m, &e);

    if (!f)
        return flow_fail_err(&m->flow, &e);
    sync_push_soon(m->sync);
    if (!m->made.messages || !is_listed_whole(m->sync))
        return FLOW_NEXT;
    return flow_wait(&m->flow, eas_estimate(m->sync->eas, f->server_id, f->key,
                                            0, &m->estimate, on_estimate, m));
}

static int
rows_collect(struct empty *m, struct err *e)
{
    struct arena *a = arena_new();
    struct store_row row;
    int64_t after = 0;
    int rc;

    while ((rc = store_journal_next(m->sync->store, m->folder, &after, a, &row,
                                    e)) == 1) {
        if (row.field == STORE_FIELD_PLACE && !row.folder) {
            m->rows = xrealloc(m->rows, (m->nrows + 1) * sizeof *m->rows);
            m->rows[m->nrows++] = row.id;
        }
        arena_reset(a);
    }
    arena_free(&a);
    return rc;
}

static enum flow_next
empty_choose(void *self)
{
    struct empty *m = self;
    struct err e;

    if (!folder_get(m, &e) ||
        store_snapshot_load(m->sync->store, m->folder, &m->shown, &e))
        return flow_fail_err(&m->flow, &e);
    m->made.messages = m->shown.n;
    return FLOW_NEXT;
}

/* Not one that went, or was moved to another folder, in the meantime. */
static int
mark_one(struct empty *m, int64_t id, struct arena *a, struct err *e)
{
    struct store_message known;

    if (store_message_get(m->sync->store, id, a, &known, e))
        return e->code == E_MISSING ? 0 : -1;
    return known.folder == m->folder
               ? store_message_expunge(m->sync->store, id, e)
               : 0;
}

/* A batch in one commit. */
static int
mark_batch(struct empty *m, size_t end, struct err *e)
{
    struct store *s = m->sync->store;
    struct arena *a;
    int rc = 0;

    if (store_begin(s, e))
        return -1;
    a = arena_new();
    for (; m->at < end && !rc; m->at++)
        rc = mark_one(m, m->shown.entries[m->at].id, a, e);
    arena_free(&a);
    if (rc) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

static size_t
batch_end(const struct empty *m, size_t n)
{
    return n - m->at > BATCH ? m->at + BATCH : n;
}

static enum flow_next
empty_mark(void *self)
{
    struct empty *m = self;
    struct err e;

    if (mark_batch(m, batch_end(m, m->shown.n), &e))
        return flow_fail_err(&m->flow, &e);
    return m->at < m->shown.n ? FLOW_AGAIN : FLOW_NEXT;
}

static void
on_asked(void *arg, const struct err *err)
{
    struct empty *m = arg;

    m->made.at_once = !err && m->answer.reaction == EAS_OK;
    if (!m->made.at_once) /* the journal has it all */
        log_notice("sync", "account=%s EmptyFolderContents, the journal "
                           "deletes: %s%d", m->sync->account,
                   err ? err->text : "status ", err ? 0 : m->answer.status);
    flow_wake(&m->flow, NULL);
}

static enum flow_next
empty_ask(void *self)
{
    struct empty *m = self;
    struct err e;
    const struct store_folder *f = folder_get(m, &e);
    uint64_t others;

    if (!f || !m->estimated || m->estimate || !m->made.messages)
        return FLOW_NEXT;
    if (store_message_living(m->sync->store, m->folder, &others, &e) ||
        rows_collect(m, &e))
        return flow_fail_err(&m->flow, &e);
    m->at = 0;
    if (others)
        return FLOW_NEXT;
    return flow_wait(&m->flow, eas_folder_empty(m->sync->eas, f->server_id,
                                                &m->answer, on_asked, m));
}

static enum flow_next
empty_book(void *self)
{
    struct empty *m = self;
    struct store *s = m->sync->store;
    struct err e;

    if (!m->made.at_once)
        return FLOW_NEXT;
    if (store_begin(s, &e))
        return flow_fail_err(&m->flow, &e);
    for (size_t end = batch_end(m, m->nrows); m->at < end; m->at++)
        if (store_journal_done(s, m->rows[m->at], "", &e)) {
            store_rollback(s);
            return flow_fail_err(&m->flow, &e);
        }
    if (store_commit(s, &e))
        return flow_fail_err(&m->flow, &e);
    if (m->at < m->nrows)
        return FLOW_AGAIN;
    sync_mark(m->sync, m->folder);
    return FLOW_NEXT;
}

static enum flow_next
empty_flush(void *self)
{
    struct empty *m = self;

    return flow_wait(&m->flow,
                     store_flush(m->sync->store, flow_wake, &m->flow));
}
