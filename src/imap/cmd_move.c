/*
 * MOVE (RFC 6851): new UIDs and journal rows in one transaction a batch;
 * COPYUID, the EXPUNGEs and OK once that is on the disk. MoveItems is the
 * journal's work.
 */
#include "imap/private.h"

#include "imap/copy.h"
#include "store/folder.h"
#include "store/message.h"
#include "sync/sync.h"

static flow_step_fn move_ready, move_batch, move_flush, move_tell;
static flow_step_fn *const move_steps[] = {
    move_ready, /* the target is listed, so that UIDs can be given */
    move_batch,
    move_flush,
    move_tell,
    NULL,
};

void
imap_cmd_move(struct imap_command *cmd)
{
    struct imap_copy *m = imap_copy_begin(cmd);

    if (!m)
        return;
    if (cmd->client->selected->read_only)
        imap_command_no(cmd, "NOPERM", "the mailbox is open read-only");
    else if (m->folder == cmd->client->selected->folder)
        imap_command_no(cmd, "CANNOT", "they are in this mailbox already");
    else
        imap_command_flow(cmd, move_steps);
}

static enum flow_next
move_ready(void *self)
{
    struct imap_command *cmd = self;
    struct imap_copy *m = cmd->state;

    return flow_wait(&cmd->flow,
                     sync_wait_ready(account_sync(cmd->client->account),
                                     m->folder, flow_wake, &cmd->flow));
}

static int
move_one(struct imap_command *cmd, size_t at, struct err *e)
{
    struct imap_copy *m = cmd->state;
    struct imap_selected *s = cmd->client->selected;
    struct imap_entry *en = &s->entries[at];
    struct arena *a = arena_new();
    struct store_message row;
    int rc = imap_entry_load(s, en, a, &row, e);

    arena_free(&a);
    if (rc && e->code == E_MISSING) {
        m->issued = true; /* gone: it is simply not among them */
        return 0;
    }
    if (rc || store_message_move(s->store, en->id, m->folder,
                                 &m->to[m->n], e))
        return -1;
    m->from[m->n++] = en->uid;
    return 0;
}

static int
batch(struct imap_command *cmd, struct err *e)
{
    struct imap_copy *m = cmd->state;
    struct store *s = imap_store(cmd->client);
    size_t before = m->n;
    int rc = 0;

    if (store_begin(s, e))
        return -1;
    store_origin(s, cmd->client);
    for (unsigned n = 0; n < IMAP_BATCH && m->next < m->picked.n && !rc; n++)
        rc = move_one(cmd, m->picked.at[m->next++], e);
    store_origin(s, NULL);
    if (rc)
        store_rollback(s);
    else
        rc = store_commit(s, e);
    if (rc)
        m->n = before;
    return rc;
}

static enum flow_next
move_batch(void *self)
{
    struct imap_command *cmd = self;
    struct imap_copy *m = cmd->state;

    /* After a failure what did move is told all the same. */
    if (m->next == m->picked.n || batch(cmd, &m->trouble))
        return FLOW_NEXT;
    cmd->done = m->next;
    return FLOW_AGAIN;
}

static enum flow_next
move_flush(void *self)
{
    struct imap_command *cmd = self;

    sync_push_soon(account_sync(cmd->client->account));
    return flow_wait(&cmd->flow, store_flush(imap_store(cmd->client),
                                             flow_wake, &cmd->flow));
}

static enum flow_next
move_tell(void *self)
{
    struct imap_command *cmd = self;
    struct imap_copy *m = cmd->state;
    char *code = imap_copy_code(cmd);

    if (code)
        imap_printf(cmd->client, "* OK [%s] Moved\r\n", code);
    if (m->trouble.code)
        return flow_fail_err(&cmd->flow, &m->trouble);
    return FLOW_NEXT;
}
