/*
 * CREATE, RENAME and DELETE: done by the server, seen here after.
 */
#include "imap/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/code.h"
#include "store/folder.h"
#include "sync/sync.h"

struct rename_args {
    const char *from, *to;
};

int
imap_args_rename(struct imap_parse *p, struct imap_command *cmd)
{
    struct rename_args *a = arena_alloc(cmd->arena, sizeof *a);

    cmd->args = a;
    return imap_parse_space(p) || imap_parse_mailbox(p, &a->from) ||
                   imap_parse_space(p) || imap_parse_mailbox(p, &a->to)
               ? -1
               : 0;
}

/* ---- names that can be had ---- */

/* "%2F" back to "/". Adds. */
static void
unescape(struct slice part, struct buf *out)
{
    for (size_t i = 0; i < part.n; i++) {
        struct buf hex = BUF_INIT(4);

        if (part.p[i] == '%' && i + 2 < part.n &&
            code_hex_parse(&hex, slice_cut(part, i + 1, i + 3)) == 0) {
            buf_addc(out, hex.data[0]);
            i += 2;
        } else {
            buf_addc(out, part.p[i]);
        }
        buf_clear(&hex);
    }
}

/* Would the server's folder show under this very name? */
static bool
part_is_own(struct slice part)
{
    struct buf name = BUF_INIT(BUF_OURS);
    char *back;
    bool ok;

    if (!part.n || part.n > 200)
        return false;
    unescape(part, &name);
    back = store_folder_escape(name.data);
    ok = slice_is(part, back);
    free(back);
    buf_clear(&name);
    return ok;
}

static bool
name_is_possible(const char *path)
{
    struct slice rest = slice_of(path), part;

    if (slice_iis(rest, "INBOX") || !rest.n)
        return false;
    while (slice_next(&rest, '/', &part))
        if (!part_is_own(part))
            return false;
    return true;
}

/* "a/b/" means "a/b" (RFC 3501 section 6.3.3). */
static char *
without_slash(struct imap_command *cmd, const char *name)
{
    char *path = arena_strdup(cmd->arena, name);
    size_t n = strlen(path);

    if (n > 1 && path[n - 1] == '/')
        path[n - 1] = '\0';
    return path;
}

/* In the command's arena. NULL: the command has ended, and with it went the
 * arena and all that is in it. */
static const char *
new_name(struct imap_command *cmd, const char *name)
{
    const char *path = without_slash(cmd, name);

    if (store_folder_find(imap_store(cmd->client), path)) {
        imap_command_no(cmd, "ALREADYEXISTS", "there is such a mailbox");
        return NULL;
    }
    if (!name_is_possible(path)) {
        imap_command_no(cmd, "CANNOT",
                        "no folder can have this name: parts are not empty, "
                        "/ is written %2F and % is %25 inside them");
        return NULL;
    }
    return path;
}

/* ---- CREATE: what is above is made as well ---- */

struct create {
    const char *path;
    size_t at; /* so far it exists */
};

static enum flow_next
create_level(void *self)
{
    struct imap_command *cmd = self;
    struct create *cr = cmd->state;
    const char *slash = strchr(cr->path + cr->at, '/');
    const char *level = slash ? arena_dup(cmd->arena,
                                          slice_make(cr->path,
                                                     (size_t)(slash -
                                                              cr->path)))
                              : cr->path;

    if (!slash)
        return flow_wait(&cmd->flow,
                         sync_folder_create(account_sync(cmd->client->account),
                                            level, flow_wake, &cmd->flow));
    cr->at = (size_t)(slash - cr->path) + 1;
    if (store_folder_find(imap_store(cmd->client), level))
        return FLOW_AGAIN;
    return flow_wait_again(
        &cmd->flow, sync_folder_create(account_sync(cmd->client->account),
                                       level, flow_wake, &cmd->flow));
}

static enum flow_next
folder_flush(void *self)
{
    struct imap_command *cmd = self;

    return flow_wait(&cmd->flow, store_flush(imap_store(cmd->client),
                                             flow_wake, &cmd->flow));
}

static flow_step_fn *const create_steps[] = {create_level, folder_flush, NULL};

void
imap_cmd_create(struct imap_command *cmd)
{
    const char *path = new_name(cmd, cmd->args);
    struct create *cr;

    if (!path)
        return;
    cr = arena_alloc(cmd->arena, sizeof *cr);
    cr->path = path;
    cmd->state = cr;
    imap_command_flow(cmd, create_steps);
}

/* ---- RENAME ---- */

static enum flow_next
rename_ask(void *self)
{
    struct imap_command *cmd = self;
    const struct rename_args *a = cmd->args;

    return flow_wait(&cmd->flow,
                     sync_folder_rename(account_sync(cmd->client->account),
                                        a->from, a->to, flow_wake,
                                        &cmd->flow));
}

static flow_step_fn *const rename_steps[] = {rename_ask, folder_flush, NULL};

void
imap_cmd_rename(struct imap_command *cmd)
{
    struct rename_args *a = cmd->args;
    const struct store_folder *f;
    const char *to;
    size_t n;
    struct err e;

    a->from = without_slash(cmd, a->from);
    f = imap_mailbox_find(cmd->client, a->from, &e);
    if (!f) {
        imap_command_end(cmd, &e);
        return;
    }
    if (f->role == STORE_ROLE_INBOX) {
        imap_command_no(cmd, "CANNOT", "INBOX keeps its name");
        return;
    }
    n = strlen(a->from);
    to = new_name(cmd, a->to);
    if (!to)
        return;
    a->to = to;
    if (strncmp(to, a->from, n) == 0 && to[n] == '/')
        imap_command_no(cmd, "CANNOT", "no folder can go below itself");
    else
        imap_command_flow(cmd, rename_steps);
}

/* ---- DELETE ---- */

static enum flow_next
delete_ask(void *self)
{
    struct imap_command *cmd = self;

    return flow_wait(&cmd->flow,
                     sync_folder_delete(account_sync(cmd->client->account),
                                        cmd->args, flow_wake, &cmd->flow));
}

/* Whoever deletes what it has open leaves it; others get BYE. */
static enum flow_next
delete_end(void *self)
{
    struct imap_command *cmd = self;
    struct imap_client *c = cmd->client;

    if (c->selected && c->selected->lost) {
        imap_client_unselect(c);
        imap_puts(c, "* OK [CLOSED] The mailbox is gone\r\n");
    }
    return FLOW_NEXT;
}

static flow_step_fn *const delete_steps[] = {delete_ask, folder_flush,
                                             delete_end, NULL};

void
imap_cmd_delete(struct imap_command *cmd)
{
    struct store *s = imap_store(cmd->client);
    const struct store_folder *f;
    struct err e;

    cmd->args = without_slash(cmd, cmd->args);
    f = imap_mailbox_find(cmd->client, cmd->args, &e);
    if (!f) {
        imap_command_end(cmd, &e);
        return;
    }
    if (f->role == STORE_ROLE_INBOX) {
        imap_command_no(cmd, "CANNOT", "INBOX stays");
        return;
    }
    for (const struct store_folder *g = NULL; (g = store_folder_next(s, g));)
        if (g->parent == f->id) {
            /* Exchange would take them along. */
            imap_command_no(cmd, "HASCHILDREN",
                            "delete the mailboxes below it first");
            return;
        }
    imap_command_flow(cmd, delete_steps);
}
