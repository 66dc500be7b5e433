/*
 * What goes wrong with a request as a whole: refused, dropped, cut, spoiled,
 * and the faults of the server's memory that strike before it. What goes
 * wrong inside of a command (the quirks) is in the commands.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "loop/httpd.h"
#include "sandbox/call.h"
#include "sandbox/server.h"

/* What front ends send in the place of an answer. */
static const char page[] =
    "<!DOCTYPE html>\r\n<html><head><title>Sandbox</title></head>\r\n"
    "<body><h1>Something went wrong</h1><p>&amp; this is no WBXML.</p></body>"
    "</html>\r\n";

/* ---- before */

static void
refuse(struct call *c, int http_status, const char *header, bool html)
{
    const char *headers[4] = {NULL};
    size_t n = 0;

    if (header)
        headers[n++] = header;
    if (c->trick.kind == TRICK_THROTTLE)
        headers[n++] = "X-MS-ASThrottle: CommandFrequency";
    if (html)
        headers[n++] = "Content-Type: text/html; charset=utf-8";
    record_add(c->sandbox->record, c, http_status,
               mischief_name(c->trick.kind));
    if (c->http)
        httpd_answer(c->http, http_status, headers,
                     html ? slice_of(page) : SLICE_NONE);
    call_free(c);
}

/* The device's keys are gone, as after a fault of the server. */
static void
keys_reset(struct call *c)
{
    struct device *d = c->device;
    struct list *n, *after;
    struct err e;

    if (!strncmp(c->command->name, "Folder", 6)) {
        d->folders.key = d->folders_before.key = 0;
        d->folders.count = d->folders_before.count = 0;
        device_save(d, &e);
        return;
    }
    LIST_EACH(&d->collections, n, after)
    device_collection_drop(d, LIST_OBJECT(n, struct collection, node));
}

/* An administrator removed the partnership: the device is unknown. */
static void
device_forget(struct device *d)
{
    struct list *n, *after;
    struct err e;

    LIST_EACH(&d->collections, n, after)
    device_collection_drop(d, LIST_OBJECT(n, struct collection, node));
    d->folders.key = d->folders_before.key = 0;
    d->folders.count = d->folders_before.count = 0;
    d->policy_key = d->temporary_key = 0;
    d->ping_count = d->sync_cached = 0;
    d->ping_heartbeat = 0;
    device_save(d, &e);
}

static void
policy_outdate(struct device *d)
{
    struct err e;

    free(d->policy);
    d->policy = xstrdup("outdated");
    device_save(d, &e);
}

static void
wipe_want(struct device *d, bool account_only)
{
    struct err e;

    d->wipe = true;
    d->wipe_account = account_only;
    device_save(d, &e);
}

/* New ids make every key worthless. */
static void
ids_change(struct call *c)
{
    struct list *n, *after;
    struct folder *only = NULL;

    if (c->trick.folder && !(only = tree_find_path(c->user, c->trick.folder)))
        log_warn("trick", "no folder %s", c->trick.folder);
    LIST_EACH(&c->user->folders, n, after)
    {
        struct folder *f = LIST_OBJECT(n, struct folder, node);

        if (c->trick.folder && f != only)
            continue;
        if (c->trick.kind == TRICK_SWAP)
            ids_swap(f);
        else
            ids_renew(f);
        devices_forget_folder(c->user, f->id);
    }
}

bool
trick_play(struct call *c)
{
    char header[600];

    switch (c->trick.kind) {
    case TRICK_STATUS:
        refuse(c, (int)c->trick.number,
               c->trick.number == 401
                   ? "WWW-Authenticate: Basic realm=\"sandbox\""
                   : NULL,
               c->trick.number >= 400);
        return true;
    case TRICK_HTML:
        refuse(c, 200, NULL, true);
        return true;
    case TRICK_RETRY_AFTER:
    case TRICK_THROTTLE:
        snprintf(header, sizeof header, "Retry-After: %ld", c->trick.number);
        refuse(c, 503, header, false);
        return true;
    case TRICK_MOVED:
        snprintf(header, sizeof header, "X-MS-Location: %.500s", c->trick.text);
        refuse(c, 451, header, false);
        return true;
    case TRICK_DROP_BEFORE:
        record_add(c->sandbox->record, c, 0, "drop-before");
        httpd_drop(c->http);
        call_free(c);
        return true;
    case TRICK_WIPE:
    case TRICK_WIPE_ACCOUNT:
        wipe_want(c->device, c->trick.kind == TRICK_WIPE_ACCOUNT);
        return false;
    case TRICK_POLICY:
        policy_outdate(c->device);
        return false;
    case TRICK_FORGET:
        device_forget(c->device);
        return false;
    case TRICK_RESET_KEY:
        keys_reset(c);
        return false;
    case TRICK_RENUMBER:
    case TRICK_SWAP:
        ids_change(c);
        return false;
    default:
        return false;
    }
}

/* ---- after */

/* Bytes in the middle that may mean anything, and an end that is none: the
 * document is not well formed, whatever the middle was. */
static void
corrupt(struct buf *body, size_t from, size_t len)
{
    for (size_t i = len / 2; i < len && i < len / 2 + 16; i++)
        body->data[from + i] = (char)0xff;
    if (len)
        body->data[from + len - 1] = 0x02; /* ENTITY */
}

/* Of a multipart answer only the document: that a mail's own bytes were
 * changed is nothing that anybody could notice. */
static void
document_corrupt(struct call *c, struct buf *body)
{
    size_t head = 4 + 8 * (c->part_count + 1);
    bool multipart = c->w.out.len && body->len >= head + c->w.out.len;

    if (multipart)
        corrupt(body, head, c->w.out.len);
    else
        corrupt(body, 0, body->len);
}

void
trick_send(struct call *c, struct buf *body, const char *type)
{
    const char *headers[3] = {type, "MS-Server-ActiveSync: 15.2", NULL};
    char other[200];
    size_t cut = body->len / 2;

    switch (c->trick.kind) {
    case TRICK_DROP_AFTER:
        httpd_drop(c->http);
        return;
    case TRICK_CUT:
        if (c->trick.number >= 0)
            cut = (size_t)c->trick.number;
        /* A body that is shorter is whole: tests count up to there. */
        httpd_answer_cut(c->http, 200, headers, buf_slice(body),
                         cut < body->len ? cut : body->len);
        return;
    case TRICK_CORRUPT:
        document_corrupt(c, body);
        break;
    case TRICK_TRUNCATE:
        buf_truncate(body, body->len / 2);
        break;
    case TRICK_EMPTY:
        buf_truncate(body, 0);
        headers[0] = "Cache-Control: private";
        break;
    case TRICK_TYPE:
        snprintf(other, sizeof other, "Content-Type: %.150s", c->trick.text);
        headers[0] = other;
        break;
    default:
        break;
    }
    httpd_answer(c->http, 200, headers, buf_slice(body));
}
