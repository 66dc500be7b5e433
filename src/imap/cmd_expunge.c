/*
 * EXPUNGE, UID EXPUNGE (RFC 4315), CLOSE and UNSELECT.
 */
#include "imap/private.h"

#include <string.h>

#include "store/message.h"
#include "sync/sync.h"

struct expunge {
    size_t next;
    struct imap_picked picked;
};

int
imap_args_expunge(struct imap_parse *p, struct imap_command *cmd)
{
    struct imap_set *set;

    if (!cmd->uid)
        return 0;
    set = arena_alloc(cmd->arena, sizeof *set);
    cmd->args = set;
    return imap_parse_space(p) || imap_parse_set(p, set) ? -1 : 0;
}

static flow_step_fn expunge_batch, expunge_wait, expunge_end, close_end;
static flow_step_fn *const expunge_steps[] = {
    expunge_batch, /* a transaction each; again */
    expunge_wait,  /* on the disk, and the watcher has told */
    expunge_end,
    NULL,
};
static flow_step_fn *const close_steps[] = {expunge_batch, expunge_wait,
                                            close_end, NULL};

/* All that are \Deleted, of those in the set. */
static void
pick_deleted(struct imap_command *cmd, struct expunge *x)
{
    struct imap_selected *s = cmd->client->selected;
    struct imap_set *set = cmd->uid ? cmd->args : NULL;

    if (set)
        imap_set_settle(set, s->told ? s->entries[s->told - 1].uid : 0);
    x->picked.at =
        arena_alloc(cmd->arena, (s->told + 1) * sizeof *x->picked.at);
    for (size_t i = 0; i < s->told; i++) {
        const struct imap_entry *en = &s->entries[i];

        if ((en->flags & STORE_DELETED) && !(en->marks & IMAP_GONE) &&
            (!set || imap_set_has(set, en->uid)))
            x->picked.at[x->picked.n++] = (uint32_t)i;
    }
}

void
imap_cmd_expunge(struct imap_command *cmd)
{
    struct expunge *x = arena_alloc(cmd->arena, sizeof *x);

    cmd->state = x;
    if (cmd->client->selected->read_only) {
        imap_command_no(cmd, "NOPERM", "the mailbox is open read-only");
        return;
    }
    pick_deleted(cmd, x);
    cmd->goal = x->picked.n;
    imap_command_flow(cmd, expunge_steps);
}

void
imap_cmd_close(struct imap_command *cmd)
{
    struct expunge *x = arena_alloc(cmd->arena, sizeof *x);
    struct imap_client *c = cmd->client;

    cmd->state = x;
    if (c->selected->read_only || strcmp(cmd->def->name, "CLOSE") != 0) {
        imap_client_unselect(c);
        imap_command_end(cmd, NULL);
        return;
    }
    pick_deleted(cmd, x);
    imap_command_flow(cmd, close_steps);
}

static int
batch(struct imap_command *cmd, struct expunge *x, struct err *e)
{
    struct imap_client *c = cmd->client;
    struct store *s = imap_store(c);
    int rc = 0;

    if (store_begin(s, e))
        return -1;
    store_origin(s, c);
    for (unsigned n = 0; n < IMAP_BATCH && x->next < x->picked.n && !rc; n++)
        rc = imap_expunge_one(
            c, &c->selected->entries[x->picked.at[x->next++]], e);
    store_origin(s, NULL);
    if (rc) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

static enum flow_next
expunge_batch(void *self)
{
    struct imap_command *cmd = self;
    struct expunge *x = cmd->state;
    struct err e;

    if (x->next == x->picked.n)
        return FLOW_NEXT;
    if (batch(cmd, x, &e))
        return flow_fail_err(&cmd->flow, &e);
    cmd->done = x->next;
    return FLOW_AGAIN;
}

static enum flow_next
expunge_wait(void *self)
{
    struct imap_command *cmd = self;

    return flow_wait(&cmd->flow, store_flush(imap_store(cmd->client),
                                             flow_wake, &cmd->flow));
}

static enum flow_next
expunge_end(void *self)
{
    struct imap_command *cmd = self;

    sync_push_soon(account_sync(cmd->client->account));
    return FLOW_NEXT;
}

static enum flow_next
close_end(void *self)
{
    struct imap_command *cmd = self;

    sync_push_soon(account_sync(cmd->client->account));
    imap_client_unselect(cmd->client);
    return FLOW_NEXT;
}
