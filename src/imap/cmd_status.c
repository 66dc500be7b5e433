/*
 * STATUS: counts of one mailbox, once it is listed and on the disk.
 */
#include "imap/private.h"

#include "store/folder.h"
#include "sync/sync.h"

struct status {
    const char *mailbox;
    unsigned items;
    int64_t folder;
};

static flow_step_fn status_ready, status_flush, status_tell;
static flow_step_fn *const status_steps[] = {status_ready, status_flush,
                                             status_tell, NULL};

int
imap_args_status(struct imap_parse *p, struct imap_command *cmd)
{
    struct status *s = arena_alloc(cmd->arena, sizeof *s);

    cmd->args = s;
    return imap_parse_space(p) || imap_parse_mailbox(p, &s->mailbox) ||
                   imap_parse_space(p) ||
                   imap_parse_status_items(p, &s->items)
               ? -1
               : 0;
}

void
imap_cmd_status(struct imap_command *cmd)
{
    struct status *s = cmd->args;
    const struct store_folder *f;
    struct err e;

    f = imap_mailbox_find(cmd->client, s->mailbox, &e);
    if (!f) {
        imap_command_end(cmd, &e);
        return;
    }
    s->folder = f->id;
    sync_pull_soon(account_sync(cmd->client->account), f->id);
    imap_command_flow(cmd, status_steps);
}

static enum flow_next
status_ready(void *self)
{
    struct imap_command *cmd = self;
    struct status *s = cmd->args;

    return flow_wait(&cmd->flow,
                     sync_wait_ready(account_sync(cmd->client->account),
                                     s->folder, flow_wake, &cmd->flow));
}

static enum flow_next
status_flush(void *self)
{
    struct imap_command *cmd = self;

    return flow_wait(&cmd->flow, store_flush(imap_store(cmd->client),
                                             flow_wake, &cmd->flow));
}

static enum flow_next
status_tell(void *self)
{
    struct imap_command *cmd = self;
    struct status *s = cmd->args;
    const struct store_folder *f =
        store_folder_get(imap_store(cmd->client), s->folder);
    struct err e;

    if (!f)
        return flow_fail(&cmd->flow, E_MISSING, "the mailbox was deleted");
    if (imap_status_write(cmd->client, f, s->items, &e))
        return flow_fail_err(&cmd->flow, &e);
    return FLOW_NEXT;
}
