/*
 * The writer: WBXML bytes by hand. eas writes its requests with it, the
 * sandbox its answers.
 *
 * Why not libwbxml's tree and encoder: appending is quadratic in siblings,
 * it holds four to five times the payload, and it cuts text silently at a
 * NUL. The subset of ActiveSync is five productions; the unit test compares
 * our bytes with those of libwbxml's encoder and reads them back.
 */
#include "wbxml/write.h"

#include <stdio.h>
#include <string.h>

enum { SWITCH_PAGE = 0x00, END = 0x01, STR_I = 0x03, OPAQUE = 0xc3 };
#define HAS_CONTENT 0x40

void
wbxml_writer_init(struct wbxml_writer *w, size_t limit)
{
    *w = (struct wbxml_writer){0};
    buf_init(&w->out, limit);
    buf_add(&w->out, "\x03\x01\x6a\x00", 4);
}

void
wbxml_writer_clear(struct wbxml_writer *w)
{
    buf_clear(&w->out);
}

static void
write_byte(struct wbxml_writer *w, unsigned c)
{
    buf_addc(&w->out, (char)c);
}

static void
write_mb(struct wbxml_writer *w, uint32_t v)
{
    unsigned char b[5];
    int i = 4;

    b[i] = v & 0x7f;
    while (v >>= 7)
        b[--i] = 0x80 | (v & 0x7f);
    buf_add(&w->out, b + i, (size_t)(5 - i));
}

static void
write_tag(struct wbxml_writer *w, unsigned tag, unsigned content)
{
    unsigned page = WBXML_PAGE_OF(tag);

    if (page >= WBXML_PAGES || WBXML_TOKEN_OF(tag) < 5 || (tag & 0xc0) ||
        (!w->depth && w->out.len > 4))
        w->bad = true; /* no such tag, or a second root */
    if (page != w->page) {
        write_byte(w, SWITCH_PAGE);
        write_byte(w, page);
        w->page = page;
    }
    write_byte(w, WBXML_TOKEN_OF(tag) | content);
    w->fresh = 0;
}

void
wbxml_write_start(struct wbxml_writer *w, unsigned tag)
{
    write_tag(w, tag, HAS_CONTENT);
    w->fresh = w->out.len;
    if (++w->depth > WBXML_WRITE_DEPTH)
        w->bad = true;
}

void
wbxml_write_end(struct wbxml_writer *w)
{
    if (!w->depth) {
        w->bad = true;
        return;
    }
    w->depth--;
    if (w->fresh && w->fresh == w->out.len && !w->out.over)
        w->out.data[w->out.len - 1] &= ~HAS_CONTENT;
    else
        write_byte(w, END);
    w->fresh = 0;
}

void
wbxml_write_empty(struct wbxml_writer *w, unsigned tag)
{
    write_tag(w, tag, 0);
}

/* ---- content */

void
wbxml_write_string(struct wbxml_writer *w, struct slice s)
{
    /* A string ends at its first NUL: what holds one must be opaque. */
    if (!w->depth || slice_has(s, '\0'))
        w->bad = true;
    write_byte(w, STR_I);
    buf_add_slice(&w->out, s);
    write_byte(w, 0);
}

void
wbxml_write_bytes(struct wbxml_writer *w, struct slice bytes)
{
    if (!w->depth || bytes.n > UINT32_MAX) {
        w->bad = true;
        return;
    }
    write_byte(w, OPAQUE);
    write_mb(w, (uint32_t)bytes.n);
    buf_add_slice(&w->out, bytes);
}

void
wbxml_write_slice(struct wbxml_writer *w, unsigned tag, struct slice s)
{
    if (!s.n) {
        wbxml_write_empty(w, tag);
        return;
    }
    wbxml_write_start(w, tag);
    if (wbxml_is_opaque(tag))
        wbxml_write_bytes(w, s);
    else
        wbxml_write_string(w, s);
    wbxml_write_end(w);
}

void
wbxml_write_text(struct wbxml_writer *w, unsigned tag, const char *text)
{
    wbxml_write_slice(w, tag, slice_of(text));
}

void
wbxml_write_number(struct wbxml_writer *w, unsigned tag, long number)
{
    char text[24];

    snprintf(text, sizeof(text), "%ld", number);
    wbxml_write_text(w, tag, text);
}

void
wbxml_write_opaque(struct wbxml_writer *w, unsigned tag, struct slice bytes)
{
    wbxml_write_start(w, tag);
    wbxml_write_bytes(w, bytes);
    wbxml_write_end(w);
}

/* ---- the payload that is not here */

void
wbxml_write_splice(struct wbxml_writer *w, unsigned tag, uint64_t length)
{
    if (w->spliced || length > UINT32_MAX) {
        w->bad = true;
        return;
    }
    wbxml_write_start(w, tag);
    write_byte(w, OPAQUE);
    write_mb(w, (uint32_t)length);
    w->spliced = true;
    w->splice_at = w->out.len;
    w->splice_len = length;
    wbxml_write_end(w);
}

struct slice
wbxml_writer_prefix(const struct wbxml_writer *w)
{
    return slice_cut(buf_slice(&w->out), 0,
                     w->spliced ? w->splice_at : w->out.len);
}

struct slice
wbxml_writer_suffix(const struct wbxml_writer *w)
{
    return slice_from(buf_slice(&w->out),
                      w->spliced ? w->splice_at : w->out.len);
}

uint64_t
wbxml_writer_length(const struct wbxml_writer *w)
{
    return w->out.len + w->splice_len;
}

int
wbxml_write_done(struct wbxml_writer *w, struct err *e)
{
    if (w->out.over)
        return err_set(e, E_LIMIT, "a WBXML request of more than %zu bytes",
                       w->out.limit);
    if (w->bad || w->depth || w->out.len <= 4)
        return err_set(e, E_BUG, "a WBXML request that is not well formed");
    return 0;
}
