/*
 * A request from its first check to the end of its answer: trick, version,
 * policy, WBXML, schema, command, and the waiting in between. The commands
 * know nothing of HTTP.
 */
#include "sandbox/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "loop/httpd.h"
#include "sandbox/server.h"

#define ANSWER_MAX ((size_t)256 << 20)
#define REQUEST_NODES 200000
#define OUTRUN_MS 200
#define STATUS_BAD_TYPE 101
#define STATUS_BAD_WBXML 102
#define STATUS_BAD_XML 103

static const struct trick no_trick;

/* ---- what commands use */

void
call_start(struct call *c, int status)
{
    wbxml_write_start(&c->w, c->command->root);
    if (status)
        wbxml_write_number(&c->w, c->command->status, status);
    c->status = status;
}

enum answer
call_fail(struct call *c, int status)
{
    wbxml_writer_clear(&c->w);
    wbxml_writer_init(&c->w, ANSWER_MAX);
    call_start(c, status);
    wbxml_write_end(&c->w);
    return ANSWER_WBXML;
}

enum answer
call_fail_why(struct call *c, int status, const char *why, ...)
{
    va_list ap;

    va_start(ap, why);
    vsnprintf(c->why, sizeof c->why, why, ap);
    va_end(ap);
    return call_fail(c, status);
}

void
call_note_breach(struct call *c, const char *why, ...)
{
    va_list ap;

    va_start(ap, why);
    vsnprintf(c->why, sizeof c->why, why, ap);
    va_end(ap);
    breach_add(c->sandbox->breaches, c->user->address, c->device->id,
               c->command->name, c->version, c->why);
}

enum answer
call_breach(struct call *c, int status, const char *why, ...)
{
    char text[160];
    va_list ap;

    va_start(ap, why);
    vsnprintf(text, sizeof text, why, ap);
    va_end(ap);
    call_note_breach(c, "%s", text);
    return call_fail(c, status);
}

struct folder *
call_folder(struct call *c, struct slice id)
{
    uint32_t number;

    return slice_u32(id, &number) ? tree_find(c->user, number) : NULL;
}

struct message *
call_message(struct call *c, struct folder *f, struct slice server_id)
{
    uint32_t id;

    return f && id_read(c->sandbox, f, server_id, &id) ? folder_find_id(f, id)
                                                       : NULL;
}

void
call_write_id(struct call *c, unsigned tag, const struct message *m)
{
    char id[ID_SIZE];

    id_write(c->sandbox, m, id);
    wbxml_write_text(&c->w, tag, id);
}

bool
call_quirk(struct call *c, int kind, const struct folder *f,
           const struct message *m, long *number_out)
{
    return mischief_quirk(c->sandbox->mischief, c->user, c->command->name, kind,
                          f, m, number_out);
}

size_t
call_part(struct call *c, struct buf *take)
{
    if (c->part_count == c->part_cap) {
        c->part_cap = c->part_cap ? c->part_cap * 2 : 16;
        c->parts = xrealloc(c->parts, c->part_cap * sizeof *c->parts);
    }
    c->parts[c->part_count++] = *take;
    *take = BUF_INIT(take->limit);
    return c->part_count; /* part 0 is the document */
}

/* ---- the end */

void
call_free(struct call *c)
{
    if (c->in_flight)
        list_remove(&c->node);
    loop_timer_clear(&c->timer);
    wbxml_writer_clear(&c->w);
    for (size_t i = 0; i < c->part_count; i++)
        buf_clear(&c->parts[i]);
    free(c->parts);
    free(c->trick.text);
    free(c->trick.folder);
    arena_free(&c->arena);
    free(c);
}

/* The peer has gone; what was to be done for it is done all the same. */
static void
on_gone(void *arg, struct httpd_request *r)
{
    struct call *c = arg;

    (void)r;
    c->http = NULL;
    if (c->in_flight && c->resume) /* it only waited */
        call_free(c);
}

/* MS-ASCMD 2.2.1.10.1.1, integers little-endian. */
static void
number_add(struct buf *out, size_t n)
{
    for (int i = 0; i < 4; i++)
        buf_addc(out, (char)(n >> (8 * i) & 0xff));
}

static void
multipart_write(const struct call *c, struct buf *out)
{
    size_t offset = 4 + 8 * (c->part_count + 1);

    number_add(out, c->part_count + 1);
    number_add(out, offset);
    number_add(out, c->w.out.len);
    offset += c->w.out.len;
    for (size_t i = 0; i < c->part_count; i++) {
        number_add(out, offset);
        number_add(out, c->parts[i].len);
        offset += c->parts[i].len;
    }
    buf_add_slice(out, buf_slice(&c->w.out));
    for (size_t i = 0; i < c->part_count; i++)
        buf_add_slice(out, buf_slice(&c->parts[i]));
}

static void
call_answer(struct call *c, enum answer how)
{
    struct buf body = BUF_INIT(2 * ANSWER_MAX);
    struct err e = {0};
    const char *type = "Content-Type: application/vnd.ms-sync.wbxml";

    if (how == ANSWER_WBXML && wbxml_write_done(&c->w, &e)) {
        log_error("call", "%s: %s", c->command->name, e.text);
        record_add(c->sandbox->record, c, 500, mischief_name(c->trick.kind));
        if (c->http)
            httpd_answer(c->http, 500, NULL, SLICE_NONE);
        call_free(c);
        return;
    }
    record_add(c->sandbox->record, c, 200, mischief_name(c->trick.kind));
    if (how == ANSWER_EMPTY) {
        type = "Cache-Control: private"; /* no Content-Type without a body */
    } else if (c->part_count ||
               (c->multipart && c->command->handle == cmd_items)) {
        type = "Content-Type: application/vnd.ms-sync.multipart";
        multipart_write(c, &body);
    } else {
        body = c->w.out;
        c->w.out = BUF_INIT(ANSWER_MAX);
    }
    if (c->http)
        trick_send(c, &body, type);
    buf_clear(&body);
    call_free(c);
}

/* ---- waiting */

static void
call_resume(struct call *c, bool timeout)
{
    enum answer (*resume)(struct call *, bool) = c->resume;

    list_remove(&c->node);
    c->in_flight = false;
    c->resume = NULL;
    call_answer(c, resume(c, timeout));
}

static void
on_timeout(void *arg)
{
    struct call *c = arg;

    if (c->is_outrun)
        call_note_breach(c, "another Ping while this one waits");
    call_resume(c, true);
}

enum answer
call_wait(struct call *c, unsigned seconds)
{
    c->in_flight = true;
    list_add(&c->sandbox->calls, &c->node);
    loop_timer_init(&c->timer, on_timeout, c);
    loop_timer_set(&c->timer, (int64_t)seconds * 1000);
    return ANSWER_LATER;
}

void
calls_changed(struct sandbox *s)
{
    struct list *n, *after;

    LIST_EACH(&s->calls, n, after)
    {
        struct call *c = LIST_OBJECT(n, struct call, node);

        if (c->resume && c->ready(c))
            call_resume(c, false);
    }
}

void
calls_end_ping(struct sandbox *s, const struct call *new)
{
    struct list *n, *after;

    LIST_EACH(&s->calls, n, after)
    {
        struct call *c = LIST_OBJECT(n, struct call, node);

        if (!c->is_ping || c->device != new->device || !c->resume ||
            c->is_outrun)
            continue;
        /* A client may well break the old one off, and that may be seen only
         * after this: then it is no fault and on_gone() ends it. */
        c->is_outrun = true;
        loop_timer_set(&c->timer, OUTRUN_MS);
    }
}

void
calls_drop(struct sandbox *s)
{
    while (!list_is_empty(&s->calls))
        call_free(LIST_OBJECT(s->calls.next, struct call, node));
}

/* ---- the beginning */

static bool
version_is_offered(const struct sandbox *s, unsigned version)
{
    unsigned bit = version == 140   ? VERSION_140
                   : version == 141 ? VERSION_141
                   : version == 160 ? VERSION_160
                   : version == 161 ? VERSION_161
                                    : 0;

    return (s->versions & bit) != 0;
}

/* The body as a tree that keeps the schema; 0 or the Status to refuse with. */
static int
body_read(struct call *c, struct slice body)
{
    const char *type = httpd_header(c->http, "Content-Type");
    struct wbxml_tree_limits limits = {.bytes = (size_t)64 << 20,
                                       .nodes = REQUEST_NODES};
    struct wbxml_node *root;
    struct err e;

    snprintf(c->why, sizeof c->why, "no body");
    if (!body.n && !c->command->may_be_empty)
        return STATUS_BAD_XML;
    snprintf(c->why, sizeof c->why, "Content-Type: %.100s", type ? type : "");
    if (body.n &&
        (!type || !slice_istarts(slice_of(type), "application/vnd.ms-sync")))
        return STATUS_BAD_TYPE;
    c->why[0] = '\0';
    if (!body.n)
        return 0;
    if (wbxml_tree_parse(c->arena, body, &limits, &root, &e)) {
        snprintf(c->why, sizeof c->why, "%.150s", e.text);
        return STATUS_BAD_WBXML;
    }
    c->root = root;
    snprintf(c->why, sizeof c->why, "the root is %.60s",
             wbxml_tag_name(root->tag));
    if (root->tag != c->command->root)
        return STATUS_BAD_XML;
    c->why[0] = '\0';
    return schema_check(root, c->version, c->why, sizeof c->why)
               ? 0
               : c->command->broken;
}

/* In this order: can we talk at all, may the device talk, is it sense. */
static enum answer
call_handle(struct call *c)
{
    int status;

    if (!version_is_offered(c->sandbox, c->version))
        return call_fail_why(c, 138, "version %u", c->version);
    if (c->command->since > c->version)
        return call_breach(c, 138, "not in version %u", c->version);
    if (!c->command->handle)
        return call_fail(c, 137);
    if ((status = policy_judge(c)))
        return call_fail(c, status);
    if ((status = body_read(c, httpd_body(c->http))))
        return call_breach(c, status, "%s", c->why);
    return c->command->handle(c);
}

static void
call_pause(struct call *c, int64_t ms, void (*then)(void *))
{
    c->in_flight = true;
    list_add(&c->sandbox->calls, &c->node);
    loop_timer_init(&c->timer, then, c);
    loop_timer_set(&c->timer, ms);
}

static void
on_late(void *arg)
{
    struct call *c = arg;

    list_remove(&c->node);
    c->in_flight = false;
    call_answer(c, c->late);
}

static void
call_go(struct call *c)
{
    enum answer how;

    if (!c->http) { /* gone during a delay: not acted on */
        call_free(c);
        return;
    }
    if (c->trick.kind == TRICK_INLINE)
        how = call_fail(c, (int)c->trick.number);
    else
        how = call_handle(c);
    if (how == ANSWER_LATER)
        return;
    if (c->trick.kind != TRICK_LATE) {
        call_answer(c, how);
        return;
    }
    c->late = how;
    call_pause(c, c->trick.number, on_late);
}

static void
on_delayed(void *arg)
{
    struct call *c = arg;

    list_remove(&c->node);
    c->in_flight = false;
    call_go(c);
}

void
call_begin(struct sandbox *s, struct user *u, const struct query *q,
           struct httpd_request *r)
{
    struct call *c = xcalloc(1, sizeof *c);
    struct err e = {0};

    c->sandbox = s;
    c->http = r;
    c->user = u;
    c->command = command_find(q->command);
    c->command_name = c->command->name;
    c->version = q->version;
    c->policy_key = q->policy_key;
    c->multipart = q->multipart;
    c->begun = now_ms();
    c->arena = arena_new();
    c->trick = no_trick;
    wbxml_writer_init(&c->w, ANSWER_MAX);
    c->device = device_find(u, q->device, q->type, &e);
    httpd_on_gone(r, on_gone, c);
    mischief_take(s->mischief, u->address, c->command->name, &c->trick);
    if (trick_play(c))
        return;
    if (c->trick.kind == TRICK_DELAY)
        call_pause(c, c->trick.number, on_delayed);
    else
        call_go(c);
}
