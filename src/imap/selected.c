/*
 * The mailbox that a client has selected: its own numbering of the messages,
 * which only updates.c changes before the client's eyes. The store's watcher
 * marks here what has happened.
 */
#include "imap/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "imap/compact.h"
#include "store/folder.h"
#include "store/message.h"

static void on_changes(void *arg, const struct store_change *, size_t);
static void on_soon(void *arg);

static int
snapshot_take(struct imap_selected *s, struct err *e)
{
    struct store_snapshot snap;

    if (store_snapshot_load(s->store, s->folder, &snap, e))
        return -1;
    s->entries = xcalloc(snap.n + 1, sizeof *s->entries);
    s->cap = snap.n + 1;
    s->n = snap.n; /* told later, with numbers */
    for (size_t i = 0; i < snap.n; i++)
        s->entries[i] = (struct imap_entry){
            .id = snap.entries[i].id,
            .uid = snap.entries[i].uid,
            .flags = (uint16_t)snap.entries[i].flags,
            .marks = IMAP_WORDS,
        };
    s->uidvalidity = snap.uidvalidity;
    s->uidnext = snap.uidnext;
    store_snapshot_clear(&snap);
    return 0;
}

int
imap_selected_new(struct imap_client *c, int64_t folder, bool read_only,
                  struct imap_selected **out, struct err *e)
{
    struct imap_selected *s = xcalloc(1, sizeof *s);

    s->client = c;
    s->store = imap_store(c);
    s->folder = folder;
    s->read_only = read_only;
    loop_task_init(&s->soon, on_soon, s);
    if (snapshot_take(s, e)) {
        free(s);
        return -1;
    }
    s->watcher.on_changes = on_changes;
    s->watcher.arg = s;
    store_watch(s->store, &s->watcher);
    *out = s;
    return 0;
}

void
imap_selected_free(struct imap_selected **sp)
{
    struct imap_selected *s = *sp;

    if (!s)
        return;
    *sp = NULL;
    store_unwatch(s->store, &s->watcher);
    loop_task_cancel(&s->soon);
    free(s->entries);
    imap_compact_free(&s->compact);
    free(s);
}

void
imap_selected_rest(struct imap_selected *s)
{
    if (s->compact || s->gone || s->changed || s->n > s->told)
        return;
    s->compact = imap_compact_new(s->entries, s->n);
    if (!s->compact)
        return;
    free(s->entries);
    s->entries = NULL;
    s->cap = 0;
}

void
imap_selected_wake(struct imap_selected *s)
{
    if (!s->compact)
        return;
    s->cap = s->n + 1;
    s->entries = xcalloc(s->cap, sizeof *s->entries);
    imap_compact_unpack(s->compact, s->entries, s->n);
    imap_compact_free(&s->compact);
}

/* ---- finding ---- */

/* The first entry whose UID is not below. */
static size_t
place_of(const struct imap_selected *s, uint32_t uid, size_t n)
{
    size_t lo = 0, hi = n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (s->entries[mid].uid < uid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct imap_entry *
imap_selected_uid(struct imap_selected *s, uint32_t uid)
{
    size_t at = place_of(s, uid, s->n);

    return at < s->n && s->entries[at].uid == uid ? &s->entries[at] : NULL;
}

static int
pick_numbers(struct imap_selected *s, struct imap_set *set,
             struct imap_picked *out, struct err *e)
{
    for (size_t i = 0; i < set->n; i++) {
        struct imap_range *r = &set->ranges[i];

        /* 1:* of an empty mailbox is nothing, 7 of 5 is an error. */
        if (!r->from || !r->to)
            continue;
        if (r->from > s->told || r->to > s->told)
            return err_set(e, E_INPUT,
                           "there are only %zu messages in this mailbox",
                           s->told);
    }
    imap_set_settle(set, (uint32_t)s->told);
    for (size_t i = 0; i < set->n; i++) {
        uint32_t from = set->ranges[i].from, to = set->ranges[i].to;

        for (uint32_t k = from ? from : 1; k <= to && k <= s->told; k++)
            out->at[out->n++] = k - 1;
    }
    return 0;
}

static void
pick_uids(struct imap_selected *s, struct imap_set *set,
          struct imap_picked *out)
{
    imap_set_settle(set, s->told ? s->entries[s->told - 1].uid : 0);
    for (size_t i = 0; i < set->n; i++)
        for (size_t k = place_of(s, set->ranges[i].from, s->told);
             k < s->told && s->entries[k].uid <= set->ranges[i].to; k++)
            out->at[out->n++] = (uint32_t)k;
}

int
imap_selected_pick(struct imap_command *cmd, struct imap_set *set,
                   struct imap_picked *out, struct err *e)
{
    struct imap_selected *s = cmd->client->selected;

    out->n = 0;
    out->at = arena_alloc(cmd->arena, (s->told + 1) * sizeof *out->at);
    if (!cmd->uid)
        return pick_numbers(s, set, out, e);
    pick_uids(s, set, out);
    return 0;
}

/* ---- changes, after their flush ---- */

static void
mark(size_t *count, struct imap_entry *en, unsigned bit)
{
    if (!(en->marks & bit))
        (*count)++;
    en->marks |= (uint16_t)bit;
}

static uint32_t
last_uid(const struct imap_selected *s)
{
    if (!s->n)
        return 0;
    return s->compact ? imap_compact_uid(s->compact) : s->entries[s->n - 1].uid;
}

static void
entry_added(struct imap_selected *s, const struct store_change *c)
{
    struct imap_entry en = {
        .id = c->message,
        .uid = c->uid,
        .flags = (uint16_t)c->flags,
        .marks = IMAP_WORDS,
    };

    /* The snapshot was newer than this flush; or it was there, went, and both
     * are older than the snapshot. */
    if (c->uid <= last_uid(s))
        return;
    s->uidnext = c->uid + 1;
    if (s->compact) {
        imap_compact_add(s->compact, &en);
        s->n++;
        return;
    }
    if (s->n == s->cap) {
        s->cap *= 2;
        s->entries = xrealloc(s->entries, s->cap * sizeof *s->entries);
    }
    s->entries[s->n++] = en;
}

static void
entry_removed(struct imap_selected *s, const struct store_change *c)
{
    size_t at = place_of(s, c->uid, s->n);

    if (at == s->n || s->entries[at].uid != c->uid)
        return;
    if (at < s->told) {
        mark(&s->gone, &s->entries[at], IMAP_GONE);
        return;
    }
    memmove(&s->entries[at], &s->entries[at + 1],
            (s->n - at - 1) * sizeof *s->entries);
    s->n--;
}

static void
entry_flags(struct imap_selected *s, const struct store_change *c)
{
    struct imap_entry *en = imap_selected_uid(s, c->uid);

    if (!en)
        return;
    en->flags = (uint16_t)c->flags;
    en->marks |= IMAP_WORDS;
    if (c->origin != s->client && en < s->entries + s->told)
        mark(&s->changed, en, IMAP_CHANGED);
}

void
imap_selected_flags(struct imap_selected *s, struct imap_entry *en,
                    unsigned flags, bool words)
{
    (void)s;
    en->flags = (uint16_t)flags;
    if (words)
        en->marks |= IMAP_WORDS;
}

/* Told at once where the numbering had to be unpacked, so that a thousand
 * clients need not have theirs unpacked at the same time. */
static void
on_changes(void *arg, const struct store_change *c, size_t n)
{
    struct imap_selected *s = arg;
    bool rested = s->compact;

    for (size_t i = 0; i < n; i++) {
        if (c[i].folder != s->folder)
            continue;
        switch (c[i].kind) {
        case STORE_MESSAGE_ADDED:
            entry_added(s, &c[i]);
            break;
        case STORE_MESSAGE_REMOVED:
            imap_selected_wake(s);
            entry_removed(s, &c[i]);
            break;
        case STORE_MESSAGE_FLAGS:
            imap_selected_wake(s);
            entry_flags(s, &c[i]);
            break;
        case STORE_FOLDER_REMOVED:
            s->lost = true;
            break;
        default:
            break;
        }
    }
    if (rested && !s->compact && s->client->idling && !s->lost) {
        imap_updates_send(s->client, true);
        imap_selected_rest(s);
    }
    if (s->client->idling && imap_updates_due(s->client))
        loop_task_soon(&s->soon);
}

static void
on_soon(void *arg)
{
    struct imap_selected *s = arg;

    if (!s->client->idling)
        return;
    imap_updates_send(s->client, true);
    if (!s->client->closing)
        imap_selected_rest(s);
}
