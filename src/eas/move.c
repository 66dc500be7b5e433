/*
 * MoveItems (MS-ASCMD 2.2.1.12). Changes both collections of each move, so
 * it waits for both.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eas/private.h"

#define MOVES_MAX 1000 /* MS-ASCMD 3.1.5.10 */

struct move_call {
    struct eas_call call;
    struct one_move {
        char *server_id, *from, *to;
        bool answered;
    } *moves;
    size_t n;
    struct eas_moved *out;
};

static int
move_build(struct eas_call *c, struct err *e)
{
    struct move_call *m = (struct move_call *)c;
    struct wbxml_writer *w = &c->req.w;

    (void)e;
    wbxml_write_start(w, MOVE_MOVE_ITEMS);
    for (size_t i = 0; i < m->n; i++) {
        wbxml_write_start(w, MOVE_MOVE);
        wbxml_write_text(w, MOVE_SRC_MSG_ID, m->moves[i].server_id);
        wbxml_write_text(w, MOVE_SRC_FLD_ID, m->moves[i].from);
        wbxml_write_text(w, MOVE_DST_FLD_ID, m->moves[i].to);
        wbxml_write_end(w);
    }
    wbxml_write_end(w);
    return 0;
}

static void
response_take(struct move_call *m, const struct wbxml_node *n)
{
    struct slice id = wbxml_text(n, MOVE_SRC_MSG_ID, 0);

    for (size_t i = 0; i < m->n; i++) {
        struct slice to = slice_trim(wbxml_text(n, MOVE_DST_MSG_ID, 0));

        if (m->moves[i].answered || !slice_is(id, m->moves[i].server_id))
            continue;
        m->moves[i].answered = true;
        eas_status_set(EAS_CMD_MOVEITEMS,
                       (int)wbxml_number(n, 5, MOVE_STATUS, 0),
                       &m->out[i].status, &m->out[i].reaction);
        if (m->out[i].status == 3 && to.n)
            m->out[i].new_id = eas_dup_id(to);
        return;
    }
}

static int
move_read(struct move_call *m, struct arena *a, struct slice body,
          struct err *e)
{
    struct wbxml_node *root;
    const struct wbxml_node *n;
    long status;

    if (eas_answer_tree(a, body, MOVE_MOVE_ITEMS, &root, e))
        return -1;
    n = wbxml_find(root, MOVE_RESPONSE, 0);
    status = wbxml_number(root, 3, MOVE_STATUS, 0);
    if (!n)
        return status == 3
                   ? err_set(e, E_RETRY, "MoveItems was answered with nothing")
                   : eas_status_err(e, EAS_CMD_MOVEITEMS, (int)status);
    for (; n; n = wbxml_again(n))
        response_take(m, n);
    /* Silence is not success: the folders have to be looked at. */
    for (size_t i = 0; i < m->n; i++)
        if (!m->moves[i].answered)
            eas_status_set(EAS_CMD_MOVEITEMS, 5, &m->out[i].status,
                           &m->out[i].reaction);
    return 0;
}

static int
move_answer(struct eas_call *c, struct slice body, struct err *e)
{
    struct arena *a = arena_new();
    int rc = move_read((struct move_call *)c, a, body, e);

    arena_free(&a);
    return rc;
}

static void
move_clear(struct eas_call *c)
{
    struct move_call *m = (struct move_call *)c;

    for (size_t i = 0; i < m->n; i++) {
        free(m->moves[i].server_id);
        free(m->moves[i].from);
        free(m->moves[i].to);
    }
    free(m->moves);
}

struct op *
eas_move_items(struct eas *eas, const struct eas_move *moves, size_t n,
               struct eas_moved *out, op_done_fn *done, void *arg)
{
    static const struct eas_call_kind kind = {.command = EAS_CMD_MOVEITEMS,
                                              .build = move_build,
                                              .answer = move_answer,
                                              .clear = move_clear};
    struct move_call *m;

    memset(out, 0, n * sizeof *out);
    if (!n || n > MOVES_MAX)
        return op_decided(&(struct err){E_BUG, "MoveItems of nothing, or of "
                                               "more than 1000"},
                          done, arg);
    m = eas_call_new(eas, &kind, sizeof *m);
    m->out = out;
    m->n = n;
    m->moves = xcalloc(n, sizeof *m->moves);
    for (size_t i = 0; i < n; i++) {
        m->moves[i].server_id = xstrdup(moves[i].server_id);
        m->moves[i].from = xstrdup(moves[i].from);
        m->moves[i].to = xstrdup(moves[i].to);
        eas_call_lane(&m->call, moves[i].from);
        eas_call_lane(&m->call, moves[i].to);
    }
    return eas_call_start(&m->call, done, arg);
}

void
eas_moved_clear(struct eas_moved *m, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(m[i].new_id);
        m[i] = (struct eas_moved){0};
    }
}
