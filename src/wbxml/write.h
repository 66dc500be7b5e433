/*
 * Writing WBXML: elements into a bounded buffer, exact bytes.
 *
 * Mistakes stay in the writer and are told by wbxml_write_done(), so that a
 * request reads like the document it makes.
 */
#ifndef SEALPOST_WBXML_WRITE_H
#define SEALPOST_WBXML_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "wbxml/tags.h"

#define WBXML_WRITE_DEPTH 32

struct wbxml_writer {
    struct buf out; /* the document without the spliced payload */
    unsigned page, depth;
    size_t fresh;   /* offset of a start that has no content yet, or 0 */
    bool bad;       /* out of order, too deep, or a NUL in a string */
    /* Where a payload belongs (wbxml_write_splice). */
    bool spliced;
    size_t splice_at;
    uint64_t splice_len;
};

/* Writes the head 03 01 6A 00. limit bounds the document without payload. */
void wbxml_writer_init(struct wbxml_writer *w, size_t limit);
void wbxml_writer_clear(struct wbxml_writer *w);

void wbxml_write_start(struct wbxml_writer *w, unsigned tag);
/* Without content between, start and end make an empty element. */
void wbxml_write_end(struct wbxml_writer *w);
/* <tag/> */
void wbxml_write_empty(struct wbxml_writer *w, unsigned tag);
/* <tag>text</tag>; NULL and "" make an empty element. OPAQUE where
 * wbxml_is_opaque() says so, else an inline string. */
void wbxml_write_text(struct wbxml_writer *w, unsigned tag, const char *text);
void wbxml_write_slice(struct wbxml_writer *w, unsigned tag, struct slice s);
void wbxml_write_number(struct wbxml_writer *w, unsigned tag, long number);
/* Always OPAQUE, any bytes, also none. */
void wbxml_write_opaque(struct wbxml_writer *w, unsigned tag,
                        struct slice bytes);
/* Content of the open element. */
void wbxml_write_string(struct wbxml_writer *w, struct slice s);
void wbxml_write_bytes(struct wbxml_writer *w, struct slice bytes);

/* <tag>payload</tag> whose bytes come from elsewhere and are never copied:
 * OPAQUE with the length given, at most once in a document (SendMail). The
 * whole is: prefix, `length` payload bytes, suffix. */
void wbxml_write_splice(struct wbxml_writer *w, unsigned tag, uint64_t length);
struct slice wbxml_writer_prefix(const struct wbxml_writer *w);
struct slice wbxml_writer_suffix(const struct wbxml_writer *w);
/* Length of all three together. */
uint64_t wbxml_writer_length(const struct wbxml_writer *w);

/* All elements closed and nothing wrong? E_LIMIT when the buffer was too
 * small, E_BUG for a mistake of the caller. The document is in w->out. */
int wbxml_write_done(struct wbxml_writer *w, struct err *e);

#endif
