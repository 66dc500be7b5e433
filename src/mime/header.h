/*
 * The fields of a header section, one after the other, in linear time
 * (RFC 5322 section 2.2). Lines may end in CRLF, LF or CR.
 */
#ifndef SEALPOST_MIME_HEADER_H
#define SEALPOST_MIME_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"

/* All slices point into the header section. A line without a usable name has
 * an empty name; its bytes are in `whole`. */
struct mime_field {
    struct slice name;  /* without blanks before the colon */
    struct slice value; /* raw, folded, without the last line end */
    struct slice whole; /* name to last line end, as it stands */
};

/* `rest` begins as the header section (an empty line ends it) and moves on;
 * false at the end. */
bool mime_field_next(struct slice *rest, struct mime_field *out);

/* Where the header section of these bytes ends, its empty line included. */
size_t mime_header_length(struct slice raw);

/* The nth (0 is the first) field of that name; false when there is none. */
bool mime_header_find(struct slice header, const char *name, size_t nth,
                      struct mime_field *out);
size_t mime_header_count(struct slice header, const char *name);
/* The unfolded value of the first one, or NULL. */
char *mime_header_value(struct slice header, const char *name,
                        struct arena *a);
/* The same with RFC 2047 words decoded to UTF-8. Adds; false when absent. */
bool mime_header_text(struct slice header, const char *name,
                      struct buf *out);

/* Unfolds (line ends go, blanks stay), trims, drops NUL. Adds. */
int mime_header_unfold(struct slice value, struct buf *out);

/* For Content-Type and Content-Disposition: removes a comment or blanks at
 * the front. */
struct slice mime_header_skip(struct slice value);

#endif
