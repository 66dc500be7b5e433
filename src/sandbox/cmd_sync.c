/*
 * Sync (MS-ASCMD 2.2.1.21): checks the request as a whole, then each
 * collection from its key: the device's Commands, then what is new for it,
 * windowed; a new key when there was either. Nothing at all is an empty
 * answer, or a wait for something when the request says so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "sandbox/call.h"
#include "sandbox/changes.h"

#define COMMANDS_MAX 200    /* MS-ASCMD 3.1.5.10 */
#define COLLECTIONS_MAX 300 /* then Status 15 */
#define WAIT_MIN 60
#define WAIT_MAX 3540

struct one {
    const struct wbxml_node *node; /* NULL: from the cache */
    uint32_t id;
};

struct sync {
    struct one *list; /* in the arena */
    size_t count;
    long window; /* what is left of the window over all */
    unsigned wait;
    bool answered; /* something was written */
};

/* ---- the request as a whole */

static enum answer
limit_answer(struct call *c, int status, unsigned limit)
{
    call_start(c, status);
    wbxml_write_number(&c->w, AIRSYNC_LIMIT, limit);
    wbxml_write_end(&c->w);
    return ANSWER_WBXML;
}

/* Wait (minutes) or HeartbeatInterval (seconds); 0, or -1: answered. */
static int
wait_read(struct call *c, unsigned *seconds_out, enum answer *how)
{
    const struct wbxml_node *root = c->root;
    long minutes = wbxml_number(root, 0, AIRSYNC_WAIT, 0);
    long seconds = wbxml_number(root, 0, AIRSYNC_HEARTBEAT_INTERVAL, 0);
    bool in_minutes = wbxml_has(root, AIRSYNC_WAIT, 0);

    if (in_minutes && wbxml_has(root, AIRSYNC_HEARTBEAT_INTERVAL, 0)) {
        *how = call_breach(c, 4, "Wait and HeartbeatInterval");
        return -1;
    }
    if (in_minutes)
        seconds = minutes * 60;
    else if (!wbxml_has(root, AIRSYNC_HEARTBEAT_INTERVAL, 0))
        return 0;
    if (seconds < WAIT_MIN || seconds > WAIT_MAX) {
        unsigned near = seconds < WAIT_MIN ? WAIT_MIN : WAIT_MAX;

        *how = limit_answer(c, 14, in_minutes ? near / 60 : near);
        return -1;
    }
    *seconds_out = (unsigned)seconds;
    return 0;
}

/* Of one Collection; 0 or the Status of the whole. */
static int
collection_judge(const struct wbxml_node *n, size_t *orders)
{
    bool prime = slice_is(wbxml_text(n, AIRSYNC_SYNC_KEY, 0), "0");
    struct slice get = wbxml_text(n, AIRSYNC_GET_CHANGES, 0);
    const struct wbxml_node *o = wbxml_find(n, AIRSYNC_OPTIONS, 0);
    const struct wbxml_node *list = wbxml_find(n, AIRSYNC_COMMANDS, 0);
    struct prefs p;

    /* MS-ASCMD 2.2.3.84: with key 0 neither changes nor commands. */
    if (prime && (list || (get.p && !slice_is(get, "0"))))
        return 4;
    for (; o; o = wbxml_again(o))
        if (prefs_read(o, &p) == 4)
            return 4;
    for (list = list ? list->child : NULL; list; list = list->next)
        ++*orders;
    return 0;
}

static int
collections_read(struct call *c, struct sync *s)
{
    const struct wbxml_node *n =
        wbxml_find(c->root, AIRSYNC_COLLECTIONS, AIRSYNC_COLLECTION, 0);
    size_t orders = 0, room = 1;
    int status;

    for (const struct wbxml_node *k = n; k; k = wbxml_again(k))
        room++;
    s->list = arena_alloc(c->arena,
                          (room + c->device->sync_cached) * sizeof *s->list);
    for (; n; n = wbxml_again(n)) {
        struct one *one = &s->list[s->count];

        if ((status = collection_judge(n, &orders)))
            return status;
        one->node = n;
        if (!slice_u32(wbxml_text(n, AIRSYNC_COLLECTION_ID, 0), &one->id))
            one->id = 0; /* none of ours: Status 8 later */
        for (size_t i = 0; i < s->count; i++)
            if (s->list[i].id == one->id && one->id)
                return 4; /* twice */
        s->count++;
    }
    return orders > COMMANDS_MAX ? 4 : 0;
}

/* Partial or empty: those of the last request that are not named again. */
static void
cache_add(struct call *c, struct sync *s)
{
    size_t named = s->count;

    for (size_t i = 0; i < c->device->sync_cached; i++) {
        bool there = false;

        for (size_t k = 0; k < named; k++)
            there |= s->list[k].id == c->device->sync_cache[i];
        if (!there)
            s->list[s->count++] = (struct one){NULL, c->device->sync_cache[i]};
    }
}

static void
cache_keep(struct call *c, const struct sync *s)
{
    struct device *d = c->device;

    d->sync_cache =
        xrealloc(d->sync_cache, (s->count + 1) * sizeof *d->sync_cache);
    for (size_t i = 0; i < s->count; i++)
        d->sync_cache[i] = s->list[i].id;
    d->sync_cached = s->count;
    d->sync_wait = s->wait;
}

/* ---- one collection */

static void
write_start(struct call *c, uint32_t key, uint32_t id, int status)
{
    char text[16];

    wbxml_write_start(&c->w, AIRSYNC_COLLECTION);
    snprintf(text, sizeof text, "%u", key);
    wbxml_write_text(&c->w, AIRSYNC_SYNC_KEY, text);
    snprintf(text, sizeof text, "%u", id);
    wbxml_write_text(&c->w, AIRSYNC_COLLECTION_ID, text);
    wbxml_write_number(&c->w, AIRSYNC_STATUS, status);
    if (status > c->status)
        c->status = status;
}

static void
refuse_one(struct call *c, struct sync *s, const struct one *one, int status)
{
    wbxml_write_start(&c->w, AIRSYNC_COLLECTION);
    wbxml_write_text(&c->w, AIRSYNC_SYNC_KEY, "0");
    if (one->node)
        wbxml_write_slice(&c->w, AIRSYNC_COLLECTION_ID,
                          wbxml_text(one->node, AIRSYNC_COLLECTION_ID, 0));
    else
        wbxml_write_number(&c->w, AIRSYNC_COLLECTION_ID, one->id);
    wbxml_write_number(&c->w, AIRSYNC_STATUS, status);
    wbxml_write_end(&c->w);
    c->status = status;
    s->answered = true;
}

static void
save(struct call *c, const struct collection *col)
{
    struct err e;

    if (device_collection_save(c->device, col, &e))
        log_error("sync", "%s", e.text);
}

/* Options replace all that was remembered (MS-ASCMD 2.2.3.125.6). Those for
 * SMS are none of ours. 1, or 164. */
static int
options_take(const struct wbxml_node *n, struct collection *col)
{
    const struct wbxml_node *o = n ? wbxml_find(n, AIRSYNC_OPTIONS, 0) : NULL;
    int status = 1;

    for (; o; o = wbxml_again(o))
        if (!slice_iis(wbxml_text(o, AIRSYNC_CLASS, 0), "SMS"))
            status = prefs_read(o, &col->prefs);
    return status;
}

static void
prime_one(struct call *c, struct sync *s, const struct one *one)
{
    struct collection *col = device_collection(c->device, one->id, true);
    int status;

    prefs_init(&col->prefs);
    status = options_take(one->node, col);
    if (status != 1) {
        refuse_one(c, s, one, status);
        return;
    }
    point_clear(&col->now);
    point_clear(&col->before);
    outcomes_clear(col);
    col->now.key = device_key(c->device);
    save(c, col);
    write_start(c, col->now.key, one->id, 1);
    wbxml_write_end(&c->w);
    s->answered = true;
}

static long
window_of(const struct wbxml_node *n, const struct sync *s)
{
    long window = n ? wbxml_number(n, 100, AIRSYNC_WINDOW_SIZE, 0) : 100;

    if (window <= 0 || window > WINDOW_MAX)
        window = WINDOW_MAX;
    return window < s->window ? window : s->window;
}

static struct point *
point_find(struct collection *col, const struct one *one)
{
    uint32_t key;

    if (!col)
        return NULL;
    if (!one->node)
        return col->now.key ? &col->now : NULL;
    if (!slice_u32(wbxml_text(one->node, AIRSYNC_SYNC_KEY, 0), &key) || !key)
        return NULL;
    if (key == col->now.key)
        return &col->now;
    return key == col->before.key ? &col->before : NULL;
}

/* The new state takes its place; the one it came from stays valid. */
static void
advance(struct call *c, struct collection *col, bool repeated,
        struct changes *w)
{
    device_retire(c->device, repeated ? col->now.key : col->before.key);
    if (!repeated)
        point_move(&col->before, &col->now);
    point_clear(&col->now);
    col->now.key = device_key(c->device);
    col->now.seq = w->seq;
    col->now.cutoff = w->cutoff;
    col->now.known = w->known;
    w->known = (struct bits){NULL, 0};
    save(c, col);
}

static void
go_on(struct call *c, struct sync *s, const struct one *one, struct folder *f,
      struct collection *col, struct point *base)
{
    const struct wbxml_node *n = one->node;
    bool repeated = base == &col->before;
    struct slice wants = n ? wbxml_text(n, AIRSYNC_GET_CHANGES, 0) : SLICE_NONE;
    struct batch *b = xcalloc(1, sizeof *b);
    struct responses said = {NULL, 0};
    struct changes w;
    bool commanded = n && wbxml_has(n, AIRSYNC_COMMANDS, 0);
    uint64_t since = base->seq;

    changes_init(&w, f, c->device, base, prefs_cutoff(&col->prefs, now_unix()));
    if (commanded)
        sync_commands_do(c, f, col, n, base, &w.known, repeated, &said);
    if ((wants.p && slice_is(wants, "0")) ||
        call_quirk(c, QUIRK_LIST_EMPTY, f, NULL, NULL))
        w.cutoff = base->cutoff; /* nothing is told, nothing moves */
    else
        batch_fill(&w, &col->prefs, window_of(n, s), b);
    if (b->more && base->cutoff)
        w.cutoff = base->cutoff; /* the look through the window goes on */
    batch_spoil(c, f, &w.known, b);
    if (commanded || b->count || b->unknown) {
        if (!commanded)
            outcomes_clear(col);
        s->window -= (long)b->count;
        s->answered = true;
        advance(c, col, repeated, &w);
        write_start(c, col->now.key, one->id, 1);
        if (b->more)
            wbxml_write_empty(&c->w, AIRSYNC_MORE_AVAILABLE);
        batch_write(c, b, &col->prefs, since);
        sync_commands_write(c, col, &said);
        wbxml_write_end(&c->w);
    }
    changes_clear(&w);
    free(b);
}

/* A key that the device itself has left behind by using a later one. */
static void
note_reuse(struct call *c, const struct one *one)
{
    uint32_t key;

    if (one->node &&
        slice_u32(wbxml_text(one->node, AIRSYNC_SYNC_KEY, 0), &key) &&
        device_has_retired(c->device, key))
        call_note_breach(c, "SyncKey %u is used again", key);
}

static void
sync_one(struct call *c, struct sync *s, const struct one *one)
{
    struct folder *f = one->id ? tree_find(c->user, one->id) : NULL;
    bool told = one->id && hierarchy_find(&c->device->folders, one->id);
    struct collection *col;
    struct point *base;

    if (!f || !told) {
        /* Known to one side only: the folder list is out of date. */
        refuse_one(c, s, one, f || told ? 12 : 8);
        return;
    }
    if (one->node &&
        slice_is(wbxml_text(one->node, AIRSYNC_SYNC_KEY, 0), "0")) {
        prime_one(c, s, one);
        return;
    }
    col = device_collection(c->device, one->id, false);
    base = point_find(col, one);
    if (!base) {
        note_reuse(c, one);
        refuse_one(c, s, one, 3);
        return;
    }
    if (options_take(one->node, col) != 1) {
        refuse_one(c, s, one, 164);
        return;
    }
    if (one->node && wbxml_has(one->node, AIRSYNC_OPTIONS, 0))
        save(c, col);
    go_on(c, s, one, f, col, base);
}

/* ---- */

static enum answer
sync_all(struct call *c, struct sync *s)
{
    call_start(c, 0);
    c->status = 1;
    wbxml_write_start(&c->w, AIRSYNC_COLLECTIONS);
    for (size_t i = 0; i < s->count; i++)
        sync_one(c, s, &s->list[i]);
    wbxml_write_end(&c->w);
    wbxml_write_end(&c->w);
    if (s->answered)
        return ANSWER_WBXML;
    wbxml_writer_clear(&c->w);
    wbxml_writer_init(&c->w, (size_t)256 << 20);
    return ANSWER_EMPTY;
}

/* While it waits nothing of the request is done again: the rest is as if it
 * came from the cache. */
static bool
is_ready(struct call *c)
{
    const struct device *d = c->device;

    for (size_t i = 0; i < d->sync_cached; i++) {
        struct folder *f = tree_find(c->user, d->sync_cache[i]);

        if (!f || changes_pending(
                      d, device_collection(c->device, d->sync_cache[i], false),
                      f, false))
            return true;
    }
    return false;
}

static enum answer
on_resume(struct call *c, bool timeout)
{
    struct sync s = {.window = WINDOW_MAX};

    if (timeout)
        return ANSWER_EMPTY;
    s.list =
        arena_alloc(c->arena, (c->device->sync_cached + 1) * sizeof *s.list);
    cache_add(c, &s);
    return sync_all(c, &s);
}

enum answer
cmd_sync(struct call *c)
{
    struct sync s = {.window = WINDOW_MAX};
    bool partial = wbxml_has(c->root, AIRSYNC_PARTIAL, 0);
    bool named = wbxml_has(c->root, AIRSYNC_COLLECTIONS, 0);
    enum answer how = ANSWER_WBXML;
    long window = wbxml_number(c->root, 0, AIRSYNC_WINDOW_SIZE, 0);
    int status;

    if (wait_read(c, &s.wait, &how))
        return how;
    if (window > 0 && window < WINDOW_MAX)
        s.window = window;
    if ((status = collections_read(c, &s)))
        return call_breach(c, status, "a collection against the rules");
    if (partial && !named && !s.wait && !window)
        return call_breach(c, 4, "Partial alone");
    if (!c->root || partial) {
        if (!c->device->sync_cached)
            return call_fail(c, 13);
        if (!c->root)
            s.wait = c->device->sync_wait;
        cache_add(c, &s);
    } else if (!named) {
        return call_breach(c, 4, "no collections");
    }
    if (s.count > COLLECTIONS_MAX)
        return limit_answer(c, 15, COLLECTIONS_MAX);
    how = sync_all(c, &s);
    cache_keep(c, &s);
    if (how != ANSWER_EMPTY || !s.wait)
        return how;
    c->ready = is_ready;
    c->resume = on_resume;
    return call_wait(c, s.wait);
}
