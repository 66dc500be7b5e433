/*
 * IDLE (RFC 2177): changes are told as they come, until the client says DONE.
 */
#include "imap/private.h"

#include "sync/sync.h"

static void
on_done(struct imap_client *c, struct slice line)
{
    struct imap_command *cmd = c->command;
    struct err e;

    c->idling = false;
    if (slice_iis(line, "DONE")) {
        cmd->ok_text = "IDLE done";
        imap_command_end(cmd, NULL);
        return;
    }
    err_set(&e, E_INPUT, "DONE ends an IDLE, nothing else");
    imap_command_end(cmd, &e);
}

static void
idle_clear(struct imap_command *cmd)
{
    cmd->client->idling = false;
}

void
imap_cmd_idle(struct imap_command *cmd)
{
    struct imap_client *c = cmd->client;

    cmd->clear = idle_clear;
    imap_client_ask(c, "idling", on_done);
    c->idling = true;
    imap_updates_send(c, true);
    if (c->selected && !c->closing)
        sync_pull_soon(account_sync(c->account), c->selected->folder);
}
