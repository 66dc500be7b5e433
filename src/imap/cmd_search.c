/*
 * SEARCH: each message is looked at as far as its answer needs; those that
 * must be opened are opened a few ahead. Answered by SEARCH or ESEARCH.
 */
#include "imap/search.h"

#include <string.h>

#include "imap/opener.h"
#include "imap/private.h"
#include "store/message.h"
#include "view/view.h"

struct search {
    struct imap_command *cmd;
    const struct imap_search_args *args;
    struct imap_opener *opener;
    size_t next;        /* place to look at */
    bool *hit;          /* of each place */
    size_t left_out;    /* not here, so not known */
    struct arena *arena;
};

static flow_step_fn search_step, search_tell;
static flow_step_fn *const search_steps[] = {search_step, search_tell, NULL};

static void
search_clear(struct imap_command *cmd)
{
    struct search *s = cmd->state;

    imap_opener_free(&s->opener);
    arena_free(&s->arena);
}

static void
settle_sets(struct imap_key *k, const struct imap_selected *s)
{
    for (; k; k = k->next) {
        if (k->kind == IMAP_KEY_NUMBERS)
            imap_set_settle(&k->set, (uint32_t)s->told);
        else if (k->kind == IMAP_KEY_UIDS)
            imap_set_settle(&k->set,
                            s->told ? s->entries[s->told - 1].uid : 0);
        settle_sets(k->child, s);
    }
}

void
imap_cmd_search(struct imap_command *cmd)
{
    struct imap_search_args *a = cmd->args;
    struct imap_client *c = cmd->client;
    struct search *s;

    if (a->bad_charset) {
        imap_command_no(cmd, "BADCHARSET (US-ASCII UTF-8)",
                        "this charset is not known here");
        return;
    }
    s = arena_alloc(cmd->arena, sizeof *s);
    s->cmd = cmd;
    s->args = a;
    s->arena = arena_new();
    s->hit = arena_alloc(cmd->arena, c->selected->told + 1);
    s->opener = imap_opener_new(account_views(c->account));
    cmd->state = s;
    cmd->clear = search_clear;
    cmd->goal = c->selected->told;
    settle_sets(a->key, c->selected);
    imap_command_flow(cmd, search_steps);
}

/* ---- one message ---- */

/* What a client was shown of it: enough for most keys. */
static void
record_load(struct search *s, size_t at, struct imap_candidate *c,
            struct view_summary *record)
{
    struct imap_client *client = s->cmd->client;
    struct err e;

    if (views_summary(account_views(client->account),
                      client->selected->entries[at].id, s->arena, record,
                      &e) == 1)
        c->record = record;
}

/* Everything but its bytes; false: it is gone. */
static bool
candidate_load(struct search *s, size_t at, struct imap_candidate *c,
               struct store_message *row, struct view_summary *record)
{
    struct imap_client *client = s->cmd->client;
    struct err e;

    if (imap_entry_load(client->selected, &client->selected->entries[at],
                        s->arena, row, &e))
        return false;
    c->row = row;
    c->missing = row->body == STORE_BODY_ABSENT;
    if (!c->record)
        record_load(s, at, c, record);
    return true;
}

static void
candidate_init(struct search *s, size_t at, struct imap_candidate *c)
{
    const struct imap_entry *en = &s->cmd->client->selected->entries[at];

    *c = (struct imap_candidate){
        .number = (uint32_t)at + 1,
        .uid = en->uid,
        .flags = en->flags,
        .no_words = !(en->marks & IMAP_WORDS),
        .arena = s->arena,
    };
}

/* false: the opener is full, this place comes again. */
static bool
look_at(struct search *s, size_t at)
{
    struct imap_selected *sel = s->cmd->client->selected;
    struct imap_candidate c;
    struct store_message row;
    struct view_summary record;
    enum imap_match m;

    candidate_init(s, at, &c);
    if (sel->entries[at].marks & IMAP_GONE)
        return true;
    m = imap_match(s->args->key, &c);
    if (m == IMAP_UNKNOWN) {
        record_load(s, at, &c, &record);
        if (c.record)
            m = imap_match(s->args->key, &c);
    }
    if (m == IMAP_UNKNOWN) {
        if (!candidate_load(s, at, &c, &row, &record))
            return true;
        m = imap_match(s->args->key, &c);
    }
    if (m != IMAP_UNKNOWN) {
        s->hit[at] = m == IMAP_YES;
        return true;
    }
    if (c.missing) {
        s->left_out++;
        return true;
    }
    if (!imap_opener_has_room(s->opener, row.estimated_size))
        return false;
    imap_opener_add(s->opener, row.id, at, row.estimated_size);
    return true;
}

static void
take_view(struct search *s)
{
    struct imap_candidate c;
    struct store_message row;
    struct view_summary record;
    struct view *view;
    struct err e;
    size_t at;

    if (!imap_opener_take(s->opener, &at, &view, &e)) {
        s->left_out++;
        return;
    }
    candidate_init(s, at, &c);
    c.view = view;
    if (candidate_load(s, at, &c, &row, &record))
        s->hit[at] = imap_match(s->args->key, &c) == IMAP_YES;
    view_unref(&view);
}

static enum flow_next
search_step(void *self)
{
    struct imap_command *cmd = self;
    struct search *s = cmd->state;
    size_t n = cmd->client->selected->told;

    for (unsigned turn = 0; turn < IMAP_BATCH; turn++) {
        arena_reset(s->arena);
        if (imap_opener_is_ready(s->opener)) {
            take_view(s);
            return FLOW_AGAIN; /* a large text has taken its time */
        }
        if (s->next < n && look_at(s, s->next)) {
            cmd->done = ++s->next;
            continue;
        }
        if (imap_opener_is_empty(s->opener))
            return FLOW_NEXT;
        return flow_wait_again(&cmd->flow,
                               imap_opener_wait(s->opener, flow_wake,
                                                &cmd->flow));
    }
    return FLOW_AGAIN;
}

/* ---- the answer ---- */

static uint32_t
number_of(const struct search *s, size_t at)
{
    return s->cmd->uid ? s->cmd->client->selected->entries[at].uid
                       : (uint32_t)at + 1;
}

static void
write_extended(struct search *s, const uint32_t *found, size_t n,
               struct buf *b)
{
    unsigned ret = s->args->ret;

    buf_addf(b, "* ESEARCH (TAG \"%s\")%s", s->cmd->tag,
             s->cmd->uid ? " UID" : "");
    if ((ret & IMAP_RETURN_MIN) && n)
        buf_addf(b, " MIN %u", found[0]);
    if ((ret & IMAP_RETURN_MAX) && n)
        buf_addf(b, " MAX %u", found[n - 1]);
    if ((ret & IMAP_RETURN_ALL) && n) {
        buf_adds(b, " ALL ");
        imap_uids_write(found, n, b);
    }
    if (ret & IMAP_RETURN_COUNT)
        buf_addf(b, " COUNT %zu", n);
    buf_adds(b, "\r\n");
}

static enum flow_next
search_tell(void *self)
{
    struct imap_command *cmd = self;
    struct search *s = cmd->state;
    size_t told = cmd->client->selected->told, n = 0;
    uint32_t *found = arena_alloc(cmd->arena, (told + 1) * sizeof *found);
    struct buf b = BUF_INIT(BUF_OURS);

    for (size_t at = 0; at < told; at++)
        if (s->hit[at])
            found[n++] = number_of(s, at);
    if (s->args->extended) {
        write_extended(s, found, n, &b);
    } else {
        buf_adds(&b, "* SEARCH");
        for (size_t i = 0; i < n; i++)
            buf_addf(&b, " %u", found[i]);
        buf_adds(&b, "\r\n");
    }
    imap_write_buf(cmd->client, &b);
    buf_clear(&b);
    if (s->left_out)
        cmd->ok_text = arena_printf(cmd->arena,
                                    "SEARCH done, but %zu messages are not "
                                    "here yet and were left out",
                                    s->left_out);
    return FLOW_NEXT;
}
