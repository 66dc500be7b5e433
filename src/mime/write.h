/*
 * Making and changing messages. Everything here leaves bytes that it does
 * not have to change exactly as they are. All functions add to a bounded
 * buffer; -1 (E_LIMIT) over its limit.
 */
#ifndef SEALPOST_MIME_WRITE_H
#define SEALPOST_MIME_WRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct mime_addresses;
struct mime_limits;

/* `Name: text` CRLF with RFC 2047 words and folding. Line ends and control
 * characters in text become blanks: no field can be smuggled in. */
int mime_write_field(const char *name, struct slice utf8, struct buf *out);
/* The same without encoding: for tokens, ids, structured values in ASCII;
 * folded at blanks at 78. */
int mime_write_raw(const char *name, struct slice value, struct buf *out);
/* An address field, folded between addresses; nothing for an empty list. */
int mime_write_addresses(const char *name, const struct mime_addresses *l,
                         struct buf *out);
/* `Date: ...` for this time in UTC offset minutes. */
int mime_write_date(const char *name, long long t, int zone, struct buf *out);

/* One change of a header section. All fields of that name (ASCII case
 * ignored; a final '*' matches any rest, as in "Content-*") are taken out;
 * then `field` (complete, CRLF at its end; may hold several fields), when not
 * empty, stands where the first of them was, or at the end of the header. */
struct mime_change {
    const char *name;
    struct slice field;
    bool top;  /* put it in front of all other fields instead */
    bool keep; /* take nothing out, only add */
};
/* raw: a whole message or entity. Changes apply in the order given (at most
 * 64), each field is judged by the first change that names it. */
int mime_write_changed(struct slice raw, const struct mime_change *changes,
                       size_t count, struct buf *out, struct err *e);

/* Bare CR and bare LF become CRLF. */
int mime_write_crlf(struct slice raw, struct buf *out);
bool mime_is_crlf(struct slice raw); /* no bare CR or LF in it */

/* The entity fit for signing (RFC 8551 section 3.1): CRLF, and every leaf
 * that is 8bit or binary, or has lines over 998, blanks at line ends, or a
 * line that begins with "From ", under quoted-printable or base64; the
 * Content-Transfer-Encoding fields follow. Other bytes stay; multipart/signed
 * and multipart/encrypted stay as they are, header fields too. E_INPUT for
 * what cannot be done (8bit inside a signed part). */
int mime_write_7bit(struct slice raw, const struct mime_limits *limits,
                    struct buf *out, struct err *e);

/* Fresh boundary: "=_" and 32 hex digits; dst has 40 bytes. Contains "=_",
 * which neither quoted-printable nor base64 can. */
#define MIME_BOUNDARY_SIZE 40
void mime_write_boundary(char dst[MIME_BOUNDARY_SIZE]);

/* `Content-Type: multipart/SUBTYPE; boundary=...` with params (text such as
 * "; protocol=..." or NULL), an empty line, the entities each with its own
 * header, the last delimiter. */
int mime_write_multipart(const char *subtype, const char *boundary,
                         const char *params, const struct slice *entities,
                         size_t count, struct buf *out);

/* Splits a message into its message header (everything but Content-* and
 * MIME-Version) and its entity (Content-* fields, empty line, body):
 * the usual first step before sealing. Either may be NULL. */
int mime_write_split(struct slice raw, struct buf *header_out,
                     struct buf *entity_out, struct err *e);

/* A text/plain entity (with header) of this UTF-8 text, in
 * quoted-printable or 7bit. */
int mime_write_text(struct slice utf8, struct buf *out);

#endif
