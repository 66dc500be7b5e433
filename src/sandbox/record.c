/*
 * The record of requests, a line of JSON each, for GET /log. The newest are
 * kept.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "sandbox/call.h"
#include "sandbox/server.h"

#define KEPT 50000u

struct record {
    char **lines; /* a ring */
    size_t count, next;
};

struct record *
record_new(void)
{
    struct record *r = xcalloc(1, sizeof *r);

    r->lines = xcalloc(KEPT, sizeof *r->lines);
    return r;
}

void
record_reset(struct record *r)
{
    for (size_t i = 0; i < KEPT; i++) {
        free(r->lines[i]);
        r->lines[i] = NULL;
    }
    r->count = r->next = 0;
}

void
record_free(struct record **rp)
{
    if (!*rp)
        return;
    record_reset(*rp);
    free((*rp)->lines);
    free(*rp);
    *rp = NULL;
}

static void
keep(struct record *r, json_t *o)
{
    char *line = o ? json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

    json_decref(o);
    if (!line)
        return;
    log_debug("request", "%s", line);
    free(r->lines[r->next]);
    r->lines[r->next] = line;
    r->next = (r->next + 1) % KEPT;
    if (r->count < KEPT)
        r->count++;
}

/* Folders of a Sync: what tests ask for most. */
static json_t *
collections_of(const struct call *c)
{
    json_t *list = json_array();
    const struct wbxml_node *n = wbxml_find(c->root, AIRSYNC_COLLECTIONS,
                                            AIRSYNC_COLLECTION, 0);

    for (; n; n = wbxml_again(n)) {
        struct slice id = wbxml_text(n, AIRSYNC_COLLECTION_ID, 0);

        json_array_append_new(list, json_stringn(id.p, id.n));
    }
    return list;
}

void
record_add(struct record *r, const struct call *c, int http_status,
           const char *trick)
{
    char version[16];
    json_t *o;

    snprintf(version, sizeof version, "%u.%u", c->version / 10,
             c->version % 10);
    o = json_pack("{s:f, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i}", "time",
                  (double)now_unix(), "user", c->user->address, "device",
                  c->device->id, "command", c->command->name, "version",
                  version, "ms", (int)(now_ms() - c->begun), "http",
                  http_status, "status", (int)c->status, "bytes",
                  (int)c->w.out.len);
    if (trick[0])
        json_object_set_new(o, "mischief", json_string(trick));
    if (c->why[0])
        json_object_set_new(o, "why", json_string(c->why));
    if (c->command->handle == cmd_sync)
        json_object_set_new(o, "collections", collections_of(c));
    keep(r, o);
}

void
record_add_refused(struct record *r, const char *user, const char *command,
                   int http_status)
{
    keep(r, json_pack("{s:f, s:s, s:s, s:i}", "time", (double)now_unix(),
                      "user", user, "command", command, "http", http_status));
}

void
record_write(const struct record *r, struct buf *out)
{
    size_t at = r->count < KEPT ? 0 : r->next;

    for (size_t i = 0; i < r->count; i++) {
        buf_adds(out, r->lines[(at + i) % KEPT]);
        buf_addc(out, '\n');
    }
}
