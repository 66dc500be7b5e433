/*
 * STORE: flags and journal rows in one transaction a batch, OK once they are
 * on the disk.
 */
#include "imap/private.h"

#include <string.h>

#include "base/mem.h"
#include "store/message.h"
#include "sync/sync.h"

struct store_args {
    struct imap_set set;
    struct store_flag_edit edit;
    bool silent;
};
struct store_run {
    struct imap_picked picked;
    size_t next;
    bool issued, changed;
};

int
imap_args_store(struct imap_parse *p, struct imap_command *cmd)
{
    static const struct {
        const char *name;
        enum store_flag_op op;
        bool silent;
    } kinds[] = {
        {"FLAGS", STORE_FLAGS_SET, false},
        {"FLAGS.SILENT", STORE_FLAGS_SET, true},
        {"+FLAGS", STORE_FLAGS_ADD, false},
        {"+FLAGS.SILENT", STORE_FLAGS_ADD, true},
        {"-FLAGS", STORE_FLAGS_REMOVE, false},
        {"-FLAGS.SILENT", STORE_FLAGS_REMOVE, true},
    };
    struct store_args *a = arena_alloc(cmd->arena, sizeof *a);
    struct imap_flags flags;
    struct slice kind;
    size_t i;

    cmd->args = a;
    if (imap_parse_space(p) || imap_parse_set(p, &a->set) ||
        imap_parse_space(p) || imap_parse_atom(p, &kind))
        return -1;
    for (i = 0; i < ARRAY_LEN(kinds); i++)
        if (slice_iis(kind, kinds[i].name))
            break;
    if (i == ARRAY_LEN(kinds))
        return imap_parse_fail(p, "STORE takes FLAGS, +FLAGS or -FLAGS");
    if (imap_parse_space(p) || imap_parse_flags(p, false, &flags))
        return -1;
    a->silent = kinds[i].silent;
    a->edit.op = kinds[i].op;
    /* $LocalOnly is a fact, not a wish. */
    a->edit.flags = flags.flags & ~(unsigned)STORE_LOCALONLY;
    a->edit.keywords = flags.keywords;
    return 0;
}

static flow_step_fn store_edit, store_wait, store_tell;
static flow_step_fn *const store_steps[] = {
    store_edit, /* a batch, one transaction; again */
    store_wait, /* on the disk */
    store_tell,
    NULL,
};

void
imap_cmd_store(struct imap_command *cmd)
{
    struct store_run *r = arena_alloc(cmd->arena, sizeof *r);
    struct store_args *a = cmd->args;
    struct err e;

    cmd->state = r;
    if (cmd->client->selected->read_only) {
        imap_command_no(cmd, "NOPERM", "the mailbox is open read-only");
    } else if (imap_selected_pick(cmd, &a->set, &r->picked, &e)) {
        imap_command_end(cmd, &e);
    } else {
        cmd->goal = r->picked.n;
        imap_command_flow(cmd, store_steps);
    }
}

static int
edit_one(struct imap_command *cmd, size_t at, struct err *e)
{
    struct store_run *r = cmd->state;
    struct store_args *a = cmd->args;
    struct imap_selected *s = cmd->client->selected;
    struct imap_entry *en = &s->entries[at];
    struct arena *arena = arena_new();
    struct store_message m;
    int rc = imap_entry_load(s, en, arena, &m, e);

    arena_free(&arena);
    cmd->done++;
    if (rc == 0)
        return store_message_edit_flags(s->store, en->id, &a->edit, e);
    if (e->code != E_MISSING)
        return -1;
    r->issued = true;
    return 0;
}

static int
edit_batch(struct imap_command *cmd, struct err *e)
{
    struct store_run *r = cmd->state;
    struct store *s = imap_store(cmd->client);
    int rc = 0;

    if (store_begin(s, e))
        return -1;
    store_origin(s, cmd->client);
    for (unsigned n = 0; n < IMAP_BATCH && r->next < r->picked.n && !rc; n++)
        rc = edit_one(cmd, r->picked.at[r->next++], e);
    store_origin(s, NULL);
    if (rc) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

static enum flow_next
store_edit(void *self)
{
    struct imap_command *cmd = self;
    struct store_run *r = cmd->state;
    struct err e;

    if (r->next == r->picked.n)
        return FLOW_NEXT;
    if (edit_batch(cmd, &e))
        return flow_fail_err(&cmd->flow, &e);
    return FLOW_AGAIN;
}

static enum flow_next
store_wait(void *self)
{
    struct imap_command *cmd = self;
    struct store_run *r = cmd->state;

    r->next = 0;
    sync_push_soon(account_sync(cmd->client->account));
    return flow_wait(&cmd->flow, store_flush(imap_store(cmd->client),
                                             flow_wake, &cmd->flow));
}

static enum flow_next
store_tell(void *self)
{
    struct imap_command *cmd = self;
    struct store_run *r = cmd->state;
    struct store_args *a = cmd->args;
    struct imap_client *c = cmd->client;

    while (!a->silent && r->next < r->picked.n) {
        size_t at = r->picked.at[r->next];

        if (imap_is_full(c))
            return flow_wait_again(&cmd->flow, imap_drained(c, flow_wake,
                                                            &cmd->flow));
        if (!(c->selected->entries[at].marks & IMAP_GONE))
            imap_updates_flags(c, at);
        r->next++;
    }
    if (r->issued && !cmd->uid) {
        cmd->missing_code = "EXPUNGEISSUED";
        return flow_fail(&cmd->flow, E_MISSING,
                         "some of these messages are gone");
    }
    return FLOW_NEXT;
}
