/*
 * The reader: collects a document, bounded, sends it through the gate and
 * lets libwbxml decode it with our own table; its callbacks become our
 * events. eas reads every answer through it, the sandbox every request.
 *
 * libwbxml has no streaming: it wants the document in one piece and copies
 * it. What must not be in memory twice (bodies) is therefore asked for
 * outside of WBXML, see eas/items.c.
 */
#include "wbxml/read.h"

#include <string.h>

#include "wbxml/gate.h"
#include "wbxml/private.h"

#define DEFAULT_BYTES ((size_t)64 << 20)
#define DEFAULT_DEPTH 32

struct decode {
    const struct wbxml_events *events;
    struct err err;
    bool failed;
};

bool
wbxml_is_wbxml(struct slice doc)
{
    return doc.n >= 4 && !memcmp(doc.p, "\x03\x01\x6a\x00", 4);
}

void
wbxml_reader_init(struct wbxml_reader *r, const struct wbxml_events *events,
                  const struct wbxml_limits *limits)
{
    *r = (struct wbxml_reader){.events = *events};
    if (limits)
        r->limits = *limits;
    if (!r->limits.bytes)
        r->limits.bytes = DEFAULT_BYTES;
    if (!r->limits.depth)
        r->limits.depth = DEFAULT_DEPTH;
    buf_init(&r->doc, r->limits.bytes);
}

void
wbxml_reader_clear(struct wbxml_reader *r)
{
    buf_clear(&r->doc);
}

int
wbxml_reader_feed(struct wbxml_reader *r, struct slice piece, struct err *e)
{
    if (r->failed)
        return err_set(e, E_INPUT, "this WBXML was already refused");
    if (!buf_add_slice(&r->doc, piece))
        return 0;
    r->failed = true;
    return err_set(e, E_LIMIT, "a WBXML document of more than %zu bytes",
                   r->limits.bytes);
}

int
wbxml_reader_end(struct wbxml_reader *r, struct err *e)
{
    if (r->failed)
        return err_set(e, E_INPUT, "this WBXML was already refused");
    r->failed = true; /* nothing may follow */
    return wbxml_read(buf_slice(&r->doc), &r->events, &r->limits, e);
}

/* ---- libwbxml's callbacks; after a failure they fall silent */

static unsigned
element_tag(const struct wbxml_lib_element *el)
{
    return el->type == 0 && el->u.token
               ? WBXML_TAG(el->u.token->page, el->u.token->token)
               : 0;
}

static void
on_lib_start(void *user, struct wbxml_lib_element *el, void **attrs)
{
    struct decode *d = user;
    unsigned tag = element_tag(el);

    (void)attrs;
    if (d->failed)
        return;
    if (!tag) {
        d->failed = true;
        err_set(&d->err, E_INPUT, "a WBXML tag that is no token");
    } else if (d->events->on_start) {
        d->failed = d->events->on_start(d->events->arg, tag, &d->err) != 0;
    }
}

static void
on_lib_end(void *user, struct wbxml_lib_element *el)
{
    struct decode *d = user;

    if (!d->failed && d->events->on_end)
        d->failed = d->events->on_end(d->events->arg, element_tag(el),
                                      &d->err) != 0;
}

static void
on_lib_chars(void *user, WB_UTINY *data, WB_ULONG off, WB_ULONG len)
{
    struct decode *d = user;

    if (!d->failed && len && d->events->on_bytes)
        d->failed = d->events->on_bytes(d->events->arg,
                                        slice_make(data + off, len),
                                        &d->err) != 0;
}

static int
decode_run(struct slice doc, const struct wbxml_events *events, struct err *e)
{
    static struct wbxml_lib_handlers handlers = {
        .start = on_lib_start, .end = on_lib_end, .chars = on_lib_chars};
    struct decode d = {.events = events};
    struct wbxml_lib_parser *parser = wbxml_parser_create();
    WBXMLError rc;

    if (!parser)
        return err_set(e, E_BUG, "libwbxml has no memory");
    wbxml_parser_set_user_data(parser, &d);
    wbxml_parser_set_content_handler(parser, &handlers);
    wbxml_parser_set_main_table(parser, wbxml_lib_table());
    wbxml_parser_set_language(parser, WBXML_LANG_ACTIVESYNC);
    /* It takes a copy; the pointer is not const by oversight only. */
    rc = wbxml_parser_parse(parser, (WB_UTINY *)(uintptr_t)doc.p,
                            (WB_ULONG)doc.n);
    wbxml_parser_destroy(parser);
    if (d.failed) {
        if (e)
            *e = d.err;
        return -1;
    }
    if (rc != WBXML_OK)
        return err_set(e, E_INPUT, "libwbxml refuses the document: %s",
                       (const char *)wbxml_errors_string(rc));
    return 0;
}

int
wbxml_read(struct slice doc, const struct wbxml_events *events,
           const struct wbxml_limits *limits, struct err *e)
{
    static const struct wbxml_events nobody;
    size_t max = limits && limits->bytes ? limits->bytes : DEFAULT_BYTES;
    unsigned depth = limits && limits->depth ? limits->depth : DEFAULT_DEPTH;

    if (doc.n > max)
        return err_set(e, E_LIMIT, "a WBXML document of more than %zu bytes",
                       max);
    if (wbxml_gate(doc, depth, e))
        return -1;
    /* Twice where asked: the gate says what libwbxml will say, but only the
     * library itself can be sure. */
    if (limits && limits->whole && decode_run(doc, &nobody, e))
        return -1;
    return decode_run(doc, events, e);
}
