/*
 * Transfer encodings, charsets, RFC 2047 words, RFC 2231 parameters. All
 * functions add to a bounded buffer and return 0, or -1 over its limit.
 */
#ifndef SEALPOST_MIME_ENCODING_H
#define SEALPOST_MIME_ENCODING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/slice.h"

enum mime_encoding {
    MIME_7BIT,
    MIME_8BIT,
    MIME_BINARY,
    MIME_QP,
    MIME_BASE64,
    MIME_UU,
    MIME_UNKNOWN, /* bytes are left as they are */
};

enum mime_encoding mime_encoding_of(struct slice name);
const char *mime_encoding_name(enum mime_encoding enc);

/* Tolerant: garbage is skipped, a cut end gives what is there. */
int mime_decode(enum mime_encoding enc, struct slice in, struct buf *out);

/* 76 columns, CRLF after each line. */
int mime_encode_base64(struct slice in, struct buf *out);
/* Fit for signing (RFC 8551 section 3.1.3): CRLF stays a line end when
 * `text`, else CR and LF are encoded; blanks at line ends, "From ",
 * "--" and a "." at line starts are encoded; lines of at most 76. */
int mime_encode_qp(struct slice in, bool text, struct buf *out);

/* Valid UTF-8 of any charset. Unknown charsets and bad bytes: what is UTF-8
 * stays, the rest is read as windows-1252. charset NULL: us-ascii. */
int mime_charset_utf8(const char *charset, struct slice in, struct buf *out);
bool mime_is_utf8(struct slice s); /* RFC 3629, no surrogates */
bool mime_is_ascii(struct slice s);
bool mime_charset_known(const char *charset);

/* Unfolded field text with encoded words to UTF-8; adjacent words are joined
 * before their bytes are read. */
int mime_words_decode(struct slice in, struct buf *out);
/* UTF-8 text to words of at most 75, folded with CRLF SP; ASCII text that
 * needs none stays as it is. `column` is where the text starts.
 * phrase: only characters allowed in a display name stay unencoded. */
int mime_words_encode(struct slice in, bool phrase, size_t column,
                      struct buf *out);

/* Adds `; name=value`, folded, quoted or RFC 2231 encoded and continued as
 * needed. *column is kept up to date. */
int mime_param_write(const char *name, struct slice value, size_t *column,
                     struct buf *out);

#endif
