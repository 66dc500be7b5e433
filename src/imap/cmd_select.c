/*
 * SELECT and EXAMINE: waits for a folder's first listing, takes the snapshot,
 * and tells it once it is on the disk. CLOSE and UNSELECT leave it.
 */
#include "imap/private.h"

#include <string.h>

#include "base/log.h"
#include "imap/flags.h"
#include "store/folder.h"
#include "store/message.h"
#include "sync/sync.h"

struct select {
    int64_t folder;
    bool read_only;
    struct imap_selected *selected; /* not yet the client's */
};

static flow_step_fn select_ready, select_take, select_tell;
static flow_step_fn *const select_steps[] = {
    select_ready, /* its first listing is complete */
    select_take,  /* the snapshot; whatever is in it gets flushed */
    select_tell,
    NULL,
};

static void
select_clear(struct imap_command *cmd)
{
    struct select *s = cmd->state;

    imap_selected_free(&s->selected);
}

void
imap_cmd_select(struct imap_command *cmd)
{
    struct imap_client *c = cmd->client;
    struct select *s = arena_alloc(cmd->arena, sizeof *s);
    const struct store_folder *f;
    struct err e;

    cmd->state = s;
    cmd->clear = select_clear;
    s->read_only = strcmp(cmd->def->name, "EXAMINE") == 0;
    /* Also a SELECT that fails leaves the old mailbox (RFC 3501, 6.3.1). */
    if (c->selected)
        imap_puts(c, "* OK [CLOSED] The previous mailbox is closed\r\n");
    imap_client_unselect(c);
    f = imap_mailbox_find(c, cmd->args, &e);
    if (!f) {
        imap_command_end(cmd, &e);
        return;
    }
    s->folder = f->id;
    imap_command_flow(cmd, select_steps);
}

static enum flow_next
select_ready(void *self)
{
    struct imap_command *cmd = self;
    struct select *s = cmd->state;

    return flow_wait(&cmd->flow,
                     sync_wait_ready(account_sync(cmd->client->account),
                                     s->folder, flow_wake, &cmd->flow));
}

static enum flow_next
select_take(void *self)
{
    struct imap_command *cmd = self;
    struct select *s = cmd->state;
    struct err e;

    if (imap_selected_new(cmd->client, s->folder, s->read_only, &s->selected,
                          &e))
        return flow_fail_err(&cmd->flow, &e);
    return flow_wait(&cmd->flow, store_flush(imap_store(cmd->client),
                                             flow_wake, &cmd->flow));
}

static void
tell_first_unseen(struct imap_client *c, const struct imap_selected *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (!(s->entries[i].flags & STORE_SEEN)) {
            imap_printf(c, "* OK [UNSEEN %zu] The first unseen one\r\n",
                        i + 1);
            return;
        }
}

static enum flow_next
select_tell(void *self)
{
    struct imap_command *cmd = self;
    struct select *st = cmd->state;
    struct imap_client *c = cmd->client;
    struct imap_selected *s = st->selected;
    struct buf flags = BUF_INIT(BUF_OURS);

    st->selected = NULL;
    c->selected = s;
    s->told = s->n; /* what came while it was flushed has numbers as well */
    imap_client_enter(c, IMAP_STATE_SELECTED);
    imap_flags_write(STORE_ANSWERED | STORE_FLAGGED | STORE_DELETED |
                         STORE_SEEN | STORE_DRAFT,
                     "", &flags);
    imap_printf(c, "* FLAGS (%s $Forwarded $LocalOnly)\r\n", flags.data);
    if (s->read_only)
        imap_puts(c, "* OK [PERMANENTFLAGS ()] Read-only\r\n");
    else
        imap_printf(c, "* OK [PERMANENTFLAGS (%s $Forwarded \\*)] "
                       "All of them stay\r\n", flags.data);
    imap_printf(c, "* %zu EXISTS\r\n* 0 RECENT\r\n", s->told);
    tell_first_unseen(c, s);
    imap_printf(c, "* OK [UIDVALIDITY %u] For good\r\n", s->uidvalidity);
    imap_printf(c, "* OK [UIDNEXT %u] The next one\r\n", s->uidnext);
    buf_clear(&flags);
    cmd->ok_code = s->read_only ? "READ-ONLY" : "READ-WRITE";
    sync_pull_soon(account_sync(c->account), s->folder);
    return FLOW_NEXT;
}
