/*
 * IDLE (RFC 2177): changes are told as they come, until the client says DONE.
 */
#include "imap/private.h"

#include "sync/sync.h"

static void
idle_end(struct imap_client *c)
{
    c->idling = false;
    if (c->selected)
        imap_selected_wake(c->selected);
}

static void
on_done(struct imap_client *c, struct slice line)
{
    struct imap_command *cmd = c->command;
    struct err e;

    idle_end(c);
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
    idle_end(cmd->client);
}

void
imap_cmd_idle(struct imap_command *cmd)
{
    struct imap_client *c = cmd->client;

    cmd->clear = idle_clear;
    imap_client_ask(c, "idling", on_done);
    c->idling = true;
    imap_updates_send(c, true);
    if (!c->selected || c->closing)
        return;
    imap_selected_rest(c->selected);
    sync_pull_soon(account_sync(c->account), c->selected->folder);
}
