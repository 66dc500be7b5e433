/*
 * Ping (MS-ASCMD 2.2.1.13): waits until a folder of its list has something
 * that the device was not told of. A folder that was never synchronised, or
 * not to its end, has.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sandbox/call.h"
#include "sandbox/changes.h"
#include "sandbox/server.h"

#define HEARTBEAT_MIN 60
#define HEARTBEAT_MAX 3540

static enum answer
limit_answer(struct call *c, int status, unsigned tag, unsigned limit)
{
    call_start(c, status);
    wbxml_write_number(&c->w, tag, limit);
    wbxml_write_end(&c->w);
    return ANSWER_WBXML;
}

/* The list and the interval are kept for Pings that leave them out.
 * 0, or -1: answered. */
static int
request_take(struct call *c, enum answer *how)
{
    struct device *d = c->device;
    const struct wbxml_node *n = wbxml_find(c->root, PING_FOLDERS,
                                            PING_FOLDER, 0);
    long seconds = wbxml_number(c->root, d->ping_heartbeat,
                                PING_HEARTBEAT_INTERVAL, 0);
    size_t count = 0;

    if (!seconds || (!n && !d->ping_count)) {
        *how = call_fail(c, 3);
        return -1;
    }
    if (seconds < HEARTBEAT_MIN || seconds > HEARTBEAT_MAX) {
        *how = limit_answer(c, 5, PING_HEARTBEAT_INTERVAL,
                            seconds < HEARTBEAT_MIN ? HEARTBEAT_MIN
                                                    : HEARTBEAT_MAX);
        return -1;
    }
    for (const struct wbxml_node *k = n; k; k = wbxml_again(k))
        count++;
    if (count > PING_FOLDERS_MAX) {
        *how = limit_answer(c, 6, PING_MAX_FOLDERS, PING_FOLDERS_MAX);
        return -1;
    }
    if (n)
        d->ping_count = 0;
    for (; n; n = wbxml_again(n)) {
        uint32_t id;

        if (!slice_u32(wbxml_text(n, PING_ID, 0), &id))
            id = 0;
        d->ping_folders[d->ping_count++] = id;
    }
    d->ping_heartbeat = (unsigned)seconds;
    return 0;
}

static bool
has_news(struct call *c, uint32_t id)
{
    return changes_pending(c->device, device_collection(c->device, id, false),
                           tree_find(c->user, id), c->sandbox->ping_adds);
}

static bool
is_gone(struct call *c)
{
    for (size_t i = 0; i < c->device->ping_count; i++)
        if (!tree_find(c->user, c->device->ping_folders[i]))
            return true;
    return false;
}

/* The list of folders is not what the device was told. */
static bool
is_outdated(struct call *c)
{
    struct list *n, *after;

    if (is_gone(c))
        return true;
    LIST_EACH(&c->user->folders, n, after) {
        struct folder *f = LIST_OBJECT(n, struct folder, node);
        const struct told *t = hierarchy_find(&c->device->folders, f->id);

        if (!t || t->seq != f->seq)
            return true;
    }
    for (size_t i = 0; i < c->device->folders.count; i++)
        if (!tree_find(c->user, c->device->folders.list[i].id))
            return true;
    return false;
}

static bool
is_ready(struct call *c)
{
    if (is_outdated(c))
        return true;
    for (size_t i = 0; i < c->device->ping_count; i++)
        if (has_news(c, c->device->ping_folders[i]))
            return true;
    return false;
}

static enum answer
news_answer(struct call *c)
{
    if (is_outdated(c))
        return call_fail(c, 7);
    call_start(c, 2);
    wbxml_write_start(&c->w, PING_FOLDERS);
    for (size_t i = 0; i < c->device->ping_count; i++) {
        char id[16];

        if (!has_news(c, c->device->ping_folders[i]))
            continue;
        snprintf(id, sizeof id, "%u", c->device->ping_folders[i]);
        wbxml_write_text(&c->w, PING_FOLDER, id);
    }
    wbxml_write_end(&c->w);
    wbxml_write_end(&c->w);
    return ANSWER_WBXML;
}

static enum answer
on_resume(struct call *c, bool timeout)
{
    return timeout ? call_fail(c, 1) : news_answer(c);
}

enum answer
cmd_ping(struct call *c)
{
    enum answer how = ANSWER_WBXML;

    calls_end_ping(c->sandbox, c);
    if (request_take(c, &how))
        return how;
    if (is_ready(c))
        return news_answer(c);
    c->is_ping = true;
    c->ready = is_ready;
    c->resume = on_resume;
    return call_wait(c, c->device->ping_heartbeat);
}
