/*
 * LIST and LSUB. The set of folders is small and in memory; with STATUS the
 * counting is done a folder a turn.
 */
#include "imap/list.h"

#include <string.h>

#include "base/mem.h"
#include "imap/private.h"
#include "imap/utf7.h"
#include "store/folder.h"

struct list_run {
    int64_t *folders; /* to be counted */
    size_t n, at;
};

static bool
matches(const struct imap_list_args *a, const char *path)
{
    for (size_t i = 0; i < a->n; i++)
        if (imap_mailbox_match(a->patterns[i], path))
            return true;
    return false;
}

static bool
is_special(const struct store_folder *f)
{
    return f->role != STORE_ROLE_NONE && f->role != STORE_ROLE_INBOX;
}

/* The selection options, all of them. */
static bool
is_chosen(const struct imap_list_args *a, const struct store_folder *f)
{
    if ((a->lsub || (a->select & IMAP_LIST_SUBSCRIBED)) && !f->subscribed)
        return false;
    return !(a->select & IMAP_LIST_SPECIAL) || is_special(f);
}

/* RECURSIVEMATCH, and LSUB with "%": something below is chosen that the
 * pattern itself does not match. */
static bool
has_chosen_below(struct store *s, const struct imap_list_args *a,
                 const struct store_folder *f)
{
    size_t n = strlen(f->path);

    for (const struct store_folder *g = NULL; (g = store_folder_next(s, g));)
        if (strncmp(g->path, f->path, n) == 0 && g->path[n] == '/' &&
            is_chosen(a, g) && !matches(a, g->path))
            return true;
    return false;
}

static void
write_entry(struct imap_command *cmd, const struct store_folder *f,
            bool chosen, bool below)
{
    const struct imap_list_args *a = cmd->args;
    struct buf b = BUF_INIT(BUF_OURS);
    bool subscribed = (a->select | a->ret) & IMAP_LIST_SUBSCRIBED;

    buf_addf(&b, "* %s (", cmd->def->name);
    if (a->lsub && !chosen) {
        buf_adds(&b, "\\Noselect"); /* RFC 3501 section 6.3.9 */
    } else {
        imap_mailbox_attributes(imap_store(cmd->client), f, &b);
        if (subscribed && f->subscribed)
            buf_adds(&b, " \\Subscribed");
    }
    buf_adds(&b, ") \"/\" ");
    imap_utf7_write(f->path, &b);
    if (below && !a->lsub && (a->select & IMAP_LIST_SUBSCRIBED))
        buf_adds(&b, " (CHILDINFO (\"SUBSCRIBED\"))");
    buf_adds(&b, "\r\n");
    imap_write_buf(cmd->client, &b);
    buf_clear(&b);
}

static enum flow_next list_flush(void *), list_count(void *);
static flow_step_fn *const list_steps[] = {
    list_flush, /* what STATUS tells is on the disk */
    list_count,
    NULL,
};

static enum flow_next
list_flush(void *self)
{
    struct imap_command *cmd = self;

    return flow_wait(&cmd->flow, store_flush(imap_store(cmd->client),
                                             flow_wake, &cmd->flow));
}

static enum flow_next
list_count(void *self)
{
    struct imap_command *cmd = self;
    const struct imap_list_args *a = cmd->args;
    struct list_run *run = cmd->state;
    const struct store_folder *f;
    struct err e;

    if (run->at == run->n)
        return FLOW_NEXT;
    f = store_folder_get(imap_store(cmd->client), run->folders[run->at++]);
    if (f && imap_status_write(cmd->client, f, a->status, &e))
        return flow_fail_err(&cmd->flow, &e);
    return FLOW_AGAIN;
}

static void
list_all(struct imap_command *cmd, struct list_run *run)
{
    const struct imap_list_args *a = cmd->args;
    struct store *s = imap_store(cmd->client);
    bool recursive = a->lsub || (a->select & IMAP_LIST_RECURSIVE);

    for (const struct store_folder *f = NULL; (f = store_folder_next(s, f));) {
        bool chosen = is_chosen(a, f), below;

        if (!matches(a, f->path))
            continue;
        below = recursive && has_chosen_below(s, a, f);
        if (!chosen && !below)
            continue;
        write_entry(cmd, f, chosen, below);
        if (imap_mailbox_is_ready(f)) /* SPEC: others have no counts yet */
            run->folders[run->n++] = f->id;
    }
}

void
imap_cmd_list(struct imap_command *cmd)
{
    const struct imap_list_args *a = cmd->args;
    struct store *s = imap_store(cmd->client);
    struct list_run *run = arena_alloc(cmd->arena, sizeof *run);
    size_t n = 1;

    for (const struct store_folder *f = NULL; (f = store_folder_next(s, f));)
        n++;
    run->folders = arena_alloc(cmd->arena, n * sizeof *run->folders);
    cmd->state = run;
    if (a->asks_root)
        imap_printf(cmd->client, "* %s (\\Noselect) \"/\" \"\"\r\n",
                    cmd->def->name);
    else
        list_all(cmd, run);
    if (a->ret & IMAP_LIST_STATUS)
        imap_command_flow(cmd, list_steps);
    else
        imap_command_end(cmd, NULL);
}
