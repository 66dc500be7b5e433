/*
 * FETCH: what the store knows at once, what was recorded when a message was
 * first opened without opening it again, and bodies through views that are
 * opened a few ahead. Missing bodies come last, newest first (SPEC section
 * 6).
 */
#include "imap/fetch.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "imap/opener.h"
#include "imap/private.h"
#include "store/message.h"
#include "sync/sync.h"
#include "view/view.h"

struct fetch {
    struct imap_command *cmd;
    const struct imap_fetch_args *args;
    struct imap_picked picked;
    size_t next;
    uint32_t *missing;      /* places, for the second round */
    size_t n_missing;
    bool second;
    struct imap_opener *opener;
    struct imap_answer *answer;
    struct arena *arena;    /* of the message at hand */
    struct err trouble;     /* the first message that could not be had */
    bool issued;            /* some are gone: EXPUNGEISSUED */
    bool seen;              /* \Seen was set somewhere */
};

static flow_step_fn fetch_step;
static flow_step_fn *const fetch_steps[] = {fetch_step, NULL};

static void
fetch_clear(struct imap_command *cmd)
{
    struct fetch *f = cmd->state;

    imap_answer_free(&f->answer);
    imap_opener_free(&f->opener);
    arena_free(&f->arena);
    if (f->seen && cmd->client->account &&
        account_sync(cmd->client->account))
        sync_push_soon(account_sync(cmd->client->account));
}

void
imap_cmd_fetch(struct imap_command *cmd)
{
    struct fetch *f = arena_alloc(cmd->arena, sizeof *f);
    struct imap_client *c = cmd->client;
    struct imap_fetch_args *args = cmd->args;
    struct err e;

    f->cmd = cmd;
    f->args = args;
    f->arena = arena_new();
    cmd->state = f;
    cmd->clear = fetch_clear;
    if (imap_selected_pick(cmd, &args->set, &f->picked, &e)) {
        imap_command_end(cmd, &e);
        return;
    }
    f->missing =
        arena_alloc(cmd->arena, (f->picked.n + 1) * sizeof *f->missing);
    f->opener = imap_opener_new(account_views(c->account));
    cmd->goal = f->picked.n;
    imap_command_flow(cmd, fetch_steps);
}

/* ---- one message ---- */

static struct imap_entry *
entry_at(struct fetch *f, size_t at)
{
    return &f->cmd->client->selected->entries[at];
}

static void
note_gone(struct fetch *f)
{
    f->issued = !f->cmd->uid; /* UID FETCH is told EXPUNGE */
}

static void
note_trouble(struct fetch *f, const struct err *e)
{
    if (e->code == E_MISSING)
        note_gone(f);
    else if (!f->trouble.code)
        f->trouble = *e;
}

/* Reading it means having seen it (RFC 3501 section 6.4.5). */
static bool
set_seen(struct fetch *f, size_t at)
{
    const struct store_flag_edit edit = {.op = STORE_FLAGS_ADD,
                                         .flags = STORE_SEEN};
    struct imap_selected *s = f->cmd->client->selected;
    struct imap_entry *en = entry_at(f, at);
    struct err e;
    int rc;

    if (!f->args->sees || s->read_only || (en->flags & STORE_SEEN))
        return false;
    store_origin(s->store, f->cmd->client);
    rc = store_message_edit_flags(s->store, en->id, &edit, &e);
    store_origin(s->store, NULL);
    if (rc) {
        /* The bytes matter more than the flag. */
        log_warn("imap", "account=%s uid=%u \\Seen not kept: %s",
                 account_name(f->cmd->client->account), en->uid, e.text);
        return false;
    }
    en->flags |= STORE_SEEN;
    f->seen = true;
    return true;
}

static void
answer_begin(struct fetch *f, size_t at, const struct store_message *row,
             const struct view_summary *record, struct view *view)
{
    bool seen = set_seen(f, at);

    f->answer = imap_answer_new(f->cmd, at, row, record, view, seen);
    f->cmd->done++;
}

static int
load_row(struct fetch *f, size_t at, struct store_message *row, struct err *e)
{
    return imap_entry_load(f->cmd->client->selected, entry_at(f, at),
                           f->arena, row, e);
}

/* A view has come: what else the answer needs is at hand now. */
static void
answer_view(struct fetch *f, size_t at, struct view *view)
{
    struct store_message row;
    struct view_summary record;
    struct err e;

    if (load_row(f, at, &row, &e) ||
        (f->args->needs_record &&
         views_summary(account_views(f->cmd->client->account),
                       entry_at(f, at)->id, f->arena, &record, &e) != 1)) {
        view_unref(&view);
        note_trouble(f, &e);
        return;
    }
    answer_begin(f, at, &row, f->args->needs_record ? &record : NULL, view);
}

enum found {
    FOUND_DONE, /* answered, or there is nothing to answer */
    FOUND_VIEW, /* its view is wanted */
    FOUND_FULL, /* as above, but the opener is full */
};

/* Needs the view, which is opened ahead if there is room. */
static enum found
want_view(struct fetch *f, size_t at, const struct store_message *row)
{
    if (row->body == STORE_BODY_ABSENT && !f->second) {
        f->missing[f->n_missing++] = (uint32_t)at;
        return FOUND_DONE;
    }
    if (!imap_opener_has_room(f->opener, row->estimated_size))
        return FOUND_FULL;
    imap_opener_add(f->opener, row->id, at, row->estimated_size);
    return FOUND_VIEW;
}

static enum found
look_at(struct fetch *f, size_t at)
{
    const struct imap_fetch_args *a = f->args;
    struct imap_entry *en = entry_at(f, at);
    bool gone = en->marks & IMAP_GONE;
    struct view_summary record;
    struct store_message row;
    struct err e = {0};
    int rc;

    if (!a->needs_row && !a->needs_record && !a->needs_view) {
        answer_begin(f, at, NULL, NULL, NULL);
        return FOUND_DONE;
    }
    if (gone || ((a->needs_row || a->needs_view) && load_row(f, at, &row, &e))) {
        if (gone)
            note_gone(f);
        else
            note_trouble(f, &e);
        return FOUND_DONE;
    }
    if (a->needs_view)
        return want_view(f, at, &row);
    if (!a->needs_record) {
        answer_begin(f, at, &row, NULL, NULL);
        return FOUND_DONE;
    }
    rc = views_summary(account_views(f->cmd->client->account), en->id,
                       f->arena, &record, &e);
    if (rc == 1) {
        answer_begin(f, at, a->needs_row ? &row : NULL, &record, NULL);
        return FOUND_DONE;
    }
    if (rc < 0 || (!a->needs_row && load_row(f, at, &row, &e))) {
        note_trouble(f, &e);
        return FOUND_DONE;
    }
    return want_view(f, at, &row);
}

/* ---- all of them ---- */

static bool
is_upstream_away(const struct fetch *f)
{
    return f->second && f->trouble.code == E_RETRY;
}

/* The place to look at next; false at the end. */
static bool
next_place(struct fetch *f, size_t *at)
{
    if (!f->second && f->next == f->picked.n) {
        f->second = true;
        f->next = 0;
    }
    if (!f->second) {
        *at = f->picked.at[f->next];
        return true;
    }
    if (f->next == f->n_missing || is_upstream_away(f))
        return false;
    *at = f->missing[f->n_missing - 1 - f->next]; /* newest first */
    return true;
}

static enum flow_next
fetch_finish(struct fetch *f)
{
    if (f->trouble.code)
        return flow_fail_err(&f->cmd->flow, &f->trouble);
    if (f->issued) {
        f->cmd->missing_code = "EXPUNGEISSUED";
        return flow_fail(&f->cmd->flow, E_MISSING,
                         "some of these messages are gone");
    }
    return FLOW_NEXT;
}

/* A message that is still here is not gone only because its bytes are. */
static void
view_failed(struct fetch *f, size_t at, struct err *e)
{
    struct store_message row;
    struct err ignored;

    if (e->code == E_MISSING && load_row(f, at, &row, &ignored) == 0)
        e->code = E_RETRY;
    note_trouble(f, e);
}

/* The first view of the row, or the wait for it. true: go on. */
static bool
take_view(struct fetch *f)
{
    struct view *view;
    struct err e;
    size_t at;

    if (!imap_opener_is_ready(f->opener))
        return false;
    if (imap_opener_take(f->opener, &at, &view, &e))
        answer_view(f, at, view);
    else
        view_failed(f, at, &e);
    return true;
}

static enum flow_next
fetch_step(void *self)
{
    struct imap_command *cmd = self;
    struct fetch *f = cmd->state;
    enum found found;
    size_t at;

    for (unsigned n = 0; n < IMAP_BATCH; n++) {
        if (f->answer) {
            if (!imap_answer_write(f->answer))
                return flow_wait_again(&cmd->flow,
                                       imap_drained(cmd->client, flow_wake,
                                                    &cmd->flow));
            imap_answer_free(&f->answer);
        }
        arena_reset(f->arena);
        if (imap_is_full(cmd->client))
            return flow_wait_again(&cmd->flow,
                                   imap_drained(cmd->client, flow_wake,
                                                &cmd->flow));
        if (take_view(f))
            continue;
        found = FOUND_FULL;
        if (next_place(f, &at)) {
            found = look_at(f, at);
            if (found != FOUND_FULL)
                f->next++;
        } else if (imap_opener_is_empty(f->opener)) {
            return fetch_finish(f);
        }
        if (found == FOUND_FULL)
            return flow_wait_again(&cmd->flow,
                                   imap_opener_wait(f->opener, flow_wake,
                                                    &cmd->flow));
    }
    return FLOW_AGAIN;
}
