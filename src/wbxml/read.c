/*
 * The reader: WBXML as events while it arrives, a byte or a megabyte at a
 * time, without keeping any of it. What passes is exactly what MS-ASWBXML 2.1
 * allows, as in gate.c; eas reads every answer through it, the sandbox every
 * request.
 *
 * Rejected: libwbxml as the decoder. It wants a document in one piece and
 * copies it, so an answer of 42 MB (seen from a real server) took three times
 * that. It judges this reader in the tests instead.
 */
#include "wbxml/read.h"

#include <string.h>

#include "wbxml/gate.h"
#include "wbxml/private.h"

#define DEFAULT_BYTES ((size_t)64 << 20)
#define DEFAULT_DEPTH 32

enum { SWITCH_PAGE = 0x00, END = 0x01, STR_I = 0x03, OPAQUE = 0xc3 };

/* What the next byte is. */
enum state {
    HEAD_VERSION,
    HEAD_NUMBER, /* public id, charset, length of the string table */
    CODE,
    PAGE,
    STRING,
    OPAQUE_LENGTH,
    OPAQUE_DATA,
    OVER, /* the root element was closed */
};

static const uint32_t head_numbers[] = {1, 106, 0};

bool
wbxml_is_wbxml(struct slice doc)
{
    return doc.n >= 4 && !memcmp(doc.p, "\x03\x01\x6a\x00", 4);
}

void
wbxml_reader_init(struct wbxml_reader *r, const struct wbxml_events *events,
                  const struct wbxml_limits *limits)
{
    *r = (struct wbxml_reader){.events = *events, .state = HEAD_VERSION};
    if (limits)
        r->limits = *limits;
    if (!r->limits.bytes)
        r->limits.bytes = DEFAULT_BYTES;
    if (!r->limits.depth)
        r->limits.depth = DEFAULT_DEPTH;
    if (r->limits.depth > WBXML_DEPTH_MAX)
        r->limits.depth = WBXML_DEPTH_MAX;
    buf_init(&r->doc, r->limits.bytes);
}

void
wbxml_reader_clear(struct wbxml_reader *r)
{
    buf_clear(&r->doc);
}

static int
bad(const struct wbxml_reader *r, struct err *e, const char *what)
{
    return err_set(e, E_INPUT, "no WBXML of ActiveSync: %s at byte %zu", what,
                   r->at);
}

/* ---- events ---- */

static int
event_start(struct wbxml_reader *r, unsigned tag, struct err *e)
{
    if (r->depth == r->limits.depth)
        return err_set(e, E_LIMIT, "WBXML nested deeper than %u at byte %zu",
                       r->limits.depth, r->at);
    r->open[r->depth++] = (unsigned short)tag;
    return r->events.on_start ? r->events.on_start(r->events.arg, tag, e) : 0;
}

static int
event_end(struct wbxml_reader *r, struct err *e)
{
    unsigned tag = r->open[--r->depth];

    r->state = r->depth ? CODE : OVER;
    return r->events.on_end ? r->events.on_end(r->events.arg, tag, e) : 0;
}

static int
event_bytes(struct wbxml_reader *r, struct slice piece, struct err *e)
{
    if (!piece.n || !r->events.on_bytes)
        return 0;
    return r->events.on_bytes(r->events.arg, piece, e);
}

/* ---- single bytes ---- */

/* mb_u_int32, WBXML 1.3 section 5.1. 1: *r->number is whole; 0: more. */
static int
number_byte(struct wbxml_reader *r, unsigned char c, struct err *e)
{
    if (r->digits++ == 5 || r->number >> 25)
        return bad(r, e, "a length over 32 bits");
    r->number = r->number << 7 | (c & 0x7f);
    if (c & 0x80)
        return 0;
    r->digits = 0;
    return 1;
}

/* Version 1.3, public id unknown, UTF-8, no string table. */
static int
head_byte(struct wbxml_reader *r, unsigned char c, struct err *e)
{
    int rc;

    if (r->state == HEAD_VERSION) {
        if (c != 3)
            return bad(r, e, "wrong head");
        r->state = HEAD_NUMBER;
        return 0;
    }
    rc = number_byte(r, c, e);
    if (rc <= 0)
        return rc;
    if (r->number != head_numbers[r->head++])
        return bad(r, e, "wrong head");
    r->number = 0;
    if (r->head == 3)
        r->state = CODE;
    return 0;
}

static int
tag_byte(struct wbxml_reader *r, unsigned char c, struct err *e)
{
    if ((c & 0x80) || (c & 0x3f) < 5)
        return bad(r, e, "an attribute, entity, literal or extension");
    if (event_start(r, WBXML_TAG(r->page, c & 0x3f), e))
        return -1;
    return c & 0x40 ? 0 : event_end(r, e);
}

static int
code_byte(struct wbxml_reader *r, unsigned char c, struct err *e)
{
    if (c == SWITCH_PAGE) {
        r->state = PAGE;
        return 0;
    }
    if (c != END && c != STR_I && c != OPAQUE)
        return tag_byte(r, c, e);
    if (!r->depth)
        return bad(r, e, c == END ? "an end without start"
                                  : "text outside of the root");
    if (c == END)
        return event_end(r, e);
    r->number = 0;
    r->state = c == STR_I ? STRING : OPAQUE_LENGTH;
    return 0;
}

static int
single_byte(struct wbxml_reader *r, unsigned char c, struct err *e)
{
    int rc;

    switch ((enum state)r->state) {
    case HEAD_VERSION:
    case HEAD_NUMBER:
        return head_byte(r, c, e);
    case CODE:
        return code_byte(r, c, e);
    case PAGE:
        if (c >= WBXML_PAGES)
            return bad(r, e, "an unknown page");
        r->page = c;
        r->state = CODE;
        return 0;
    case OPAQUE_LENGTH:
        rc = number_byte(r, c, e);
        if (rc <= 0)
            return rc;
        if (r->number > r->limits.bytes - r->at)
            return err_set(e, E_LIMIT,
                           "a WBXML opaque of %lu bytes at byte %zu, the "
                           "document may have %zu",
                           (unsigned long)r->number, r->at, r->limits.bytes);
        r->state = r->number ? OPAQUE_DATA : CODE;
        return 0;
    case OVER:
        return bad(r, e, "bytes behind the root element");
    default:
        return err_set(e, E_BUG, "the WBXML reader is lost");
    }
}

/* ---- runs of bytes ---- */

/* Takes what it can use of the piece; *used_out says how much. */
static int
content_run(struct wbxml_reader *r, struct slice piece, size_t *used_out,
            struct err *e)
{
    size_t n = piece.n;

    if (r->state == STRING) {
        const char *end = memchr(piece.p, 0, piece.n);

        n = end ? (size_t)(end - piece.p) : piece.n;
        *used_out = end ? n + 1 : n;
        if (end)
            r->state = CODE;
        return event_bytes(r, slice_cut(piece, 0, n), e);
    }
    if (n >= r->number) {
        n = r->number;
        r->state = CODE;
    }
    r->number -= (uint32_t)n;
    *used_out = n;
    return event_bytes(r, slice_cut(piece, 0, n), e);
}

static int
piece_read(struct wbxml_reader *r, struct slice piece, struct err *e)
{
    while (piece.n) {
        size_t used = 1;
        int rc;

        if (r->state == STRING || r->state == OPAQUE_DATA) {
            rc = content_run(r, piece, &used, e);
            r->at += used;
        } else {
            r->at++;
            rc = single_byte(r, (unsigned char)*piece.p, e);
        }
        if (rc)
            return -1;
        piece = slice_from(piece, used);
    }
    return 0;
}

/* ---- public ---- */

int
wbxml_reader_feed(struct wbxml_reader *r, struct slice piece, struct err *e)
{
    int rc;

    if (r->failed)
        return err_set(e, E_INPUT, "this WBXML was already refused");
    if (piece.n > r->limits.bytes - r->at - r->doc.len)
        rc = err_set(e, E_LIMIT, "a WBXML document of more than %zu bytes",
                     r->limits.bytes);
    else if (r->limits.whole)
        rc = buf_add_slice(&r->doc, piece);
    else
        rc = piece_read(r, piece, e);
    r->failed = rc != 0;
    return rc;
}

int
wbxml_reader_end(struct wbxml_reader *r, struct err *e)
{
    struct slice doc = buf_slice(&r->doc);

    if (r->failed)
        return err_set(e, E_INPUT, "this WBXML was already refused");
    r->failed = true; /* nothing may follow */
    if (r->limits.whole) {
        if (wbxml_gate(doc, r->limits.depth, e))
            return -1;
        r->doc.len = 0; /* the bytes stay until clear */
        if (piece_read(r, doc, e))
            return -1;
    }
    return r->state == OVER ? 0 : bad(r, e, "cut off");
}

int
wbxml_read(struct slice doc, const struct wbxml_events *events,
           const struct wbxml_limits *limits, struct err *e)
{
    struct wbxml_reader r;
    int rc;

    wbxml_reader_init(&r, events, limits);
    if (r.limits.whole && doc.n <= r.limits.bytes &&
        wbxml_gate(doc, r.limits.depth, e))
        return -1;
    r.limits.whole = false;
    rc = wbxml_reader_feed(&r, doc, e) || wbxml_reader_end(&r, e) ? -1 : 0;
    wbxml_reader_clear(&r);
    return rc;
}
