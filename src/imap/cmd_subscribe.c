/*
 * SUBSCRIBE and UNSUBSCRIBE: local; Ping watches what is subscribed.
 */
#include "imap/private.h"

#include <string.h>

#include "store/folder.h"

static enum flow_next
subscribe_flush(void *self)
{
    struct imap_command *cmd = self;

    return flow_wait(&cmd->flow, store_flush(imap_store(cmd->client),
                                             flow_wake, &cmd->flow));
}

static flow_step_fn *const subscribe_steps[] = {subscribe_flush, NULL};

void
imap_cmd_subscribe(struct imap_command *cmd)
{
    bool yes = strcmp(cmd->def->name, "SUBSCRIBE") == 0;
    const struct store_folder *f;
    struct err e;

    f = imap_mailbox_find(cmd->client, cmd->args, &e);
    if (!f || store_folder_set_subscribed(imap_store(cmd->client), f->id, yes,
                                          &e))
        imap_command_end(cmd, &e);
    else
        imap_command_flow(cmd, subscribe_steps);
}
