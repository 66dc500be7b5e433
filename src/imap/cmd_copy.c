/*
 * COPY: the bodies are fetched first, then the copies are made in one
 * transaction. And what MOVE shares with it.
 */
#include "imap/copy.h"

#include "imap/opener.h"
#include "store/folder.h"
#include "store/message.h"
#include "sync/sync.h"
#include "view/view.h"

int
imap_args_copy(struct imap_parse *p, struct imap_command *cmd)
{
    struct imap_copy_args *a = arena_alloc(cmd->arena, sizeof *a);

    cmd->args = a;
    return imap_parse_space(p) || imap_parse_set(p, &a->set) ||
                   imap_parse_space(p) || imap_parse_mailbox(p, &a->mailbox)
               ? -1
               : 0;
}

static void
copy_clear(struct imap_command *cmd)
{
    struct imap_copy *m = cmd->state;

    imap_opener_free(&m->opener);
}

struct imap_copy *
imap_copy_begin(struct imap_command *cmd)
{
    struct imap_copy_args *a = cmd->args;
    struct imap_copy *m = arena_alloc(cmd->arena, sizeof *m);
    const struct store_folder *f;
    struct err e;

    cmd->state = m;
    cmd->clear = copy_clear;
    f = imap_mailbox_find(cmd->client, a->mailbox, &e);
    cmd->missing_code = "TRYCREATE";
    if (!f || imap_selected_pick(cmd, &a->set, &m->picked, &e)) {
        imap_command_end(cmd, &e);
        return NULL;
    }
    m->folder = f->id;
    m->from = arena_alloc(cmd->arena, (m->picked.n + 1) * sizeof *m->from);
    m->to = arena_alloc(cmd->arena, (m->picked.n + 1) * sizeof *m->to);
    cmd->goal = m->picked.n;
    return m;
}

char *
imap_copy_code(struct imap_command *cmd)
{
    struct imap_copy *m = cmd->state;
    const struct store_folder *f =
        store_folder_get(imap_store(cmd->client), m->folder);
    struct buf b = BUF_INIT(BUF_OURS);
    char *code;

    if (!m->n || !f)
        return NULL;
    buf_addf(&b, "COPYUID %u ", f->uidvalidity);
    imap_uids_write(m->from, m->n, &b);
    buf_addc(&b, ' ');
    imap_uids_write(m->to, m->n, &b);
    code = arena_dup(cmd->arena, buf_slice(&b));
    buf_clear(&b);
    return code;
}

/* ---- COPY ---- */

static flow_step_fn copy_ready, copy_bodies, copy_all, copy_flush, copy_tell;
static flow_step_fn *const copy_steps[] = {
    copy_ready,  /* the target is listed */
    copy_bodies, /* all are here */
    copy_all,    /* one transaction: all or none */
    copy_flush,
    copy_tell,
    NULL,
};

void
imap_cmd_copy(struct imap_command *cmd)
{
    struct imap_copy *m = imap_copy_begin(cmd);

    if (!m)
        return;
    m->opener = imap_opener_new(account_views(cmd->client->account));
    imap_command_flow(cmd, copy_steps);
}

static enum flow_next
copy_ready(void *self)
{
    struct imap_command *cmd = self;
    struct imap_copy *m = cmd->state;

    return flow_wait(&cmd->flow,
                     sync_wait_ready(account_sync(cmd->client->account),
                                     m->folder, flow_wake, &cmd->flow));
}

/* Opens the missing ones; 1: the opener is full or all were looked at. */
static int
bodies_ahead(struct imap_command *cmd, struct err *e)
{
    struct imap_copy *m = cmd->state;
    struct imap_selected *s = cmd->client->selected;
    struct arena *a = arena_new();
    struct store_message row;
    int rc = 0;

    for (unsigned n = 0; n < IMAP_BATCH && m->next < m->picked.n; n++) {
        size_t at = m->picked.at[m->next];

        rc = imap_entry_load(s, &s->entries[at], a, &row, e);
        if (rc)
            break;
        if (row.body == STORE_BODY_ABSENT &&
            !imap_opener_has_room(m->opener, row.estimated_size)) {
            rc = 1;
            break;
        }
        if (row.body == STORE_BODY_ABSENT)
            imap_opener_add(m->opener, row.id, at, row.estimated_size);
        m->next++;
    }
    arena_free(&a);
    return rc;
}

static enum flow_next
copy_bodies(void *self)
{
    struct imap_command *cmd = self;
    struct imap_copy *m = cmd->state;
    struct view *view;
    struct err e;
    size_t at;
    int rc;

    while (imap_opener_is_ready(m->opener)) {
        if (!imap_opener_take(m->opener, &at, &view, &e))
            return flow_fail_err(&cmd->flow, &e);
        view_unref(&view);
    }
    rc = bodies_ahead(cmd, &e);
    cmd->done = m->next;
    if (rc < 0) {
        cmd->missing_code = "EXPUNGEISSUED";
        return flow_fail_err(&cmd->flow, &e);
    }
    if (rc == 1 || (m->next == m->picked.n && !imap_opener_is_empty(m->opener)))
        return flow_wait_again(&cmd->flow, imap_opener_wait(m->opener,
                                                            flow_wake,
                                                            &cmd->flow));
    return m->next == m->picked.n ? FLOW_NEXT : FLOW_AGAIN;
}

static int
copy_one(struct imap_command *cmd, size_t at, struct err *e)
{
    struct imap_copy *m = cmd->state;
    struct imap_entry *en = &cmd->client->selected->entries[at];

    if (store_message_copy(imap_store(cmd->client), en->id, m->folder,
                           &m->to[m->n], e))
        return -1;
    m->from[m->n++] = en->uid;
    return 0;
}

static enum flow_next
copy_all(void *self)
{
    struct imap_command *cmd = self;
    struct imap_copy *m = cmd->state;
    struct store *s = imap_store(cmd->client);
    struct err e;
    int rc = 0;

    if (store_begin(s, &e))
        return flow_fail_err(&cmd->flow, &e);
    for (size_t i = 0; i < m->picked.n && !rc; i++)
        rc = copy_one(cmd, m->picked.at[i], &e);
    if (rc)
        store_rollback(s);
    else
        rc = store_commit(s, &e);
    return rc ? flow_fail_err(&cmd->flow, &e) : FLOW_NEXT;
}

static enum flow_next
copy_flush(void *self)
{
    struct imap_command *cmd = self;

    return flow_wait(&cmd->flow, store_flush(imap_store(cmd->client),
                                             flow_wake, &cmd->flow));
}

static enum flow_next
copy_tell(void *self)
{
    struct imap_command *cmd = self;

    cmd->ok_code = imap_copy_code(cmd);
    return FLOW_NEXT;
}
