/*
 * A message as a tree of parts with byte ranges. The splitter is our own:
 * linear in the size of the message, never recursive, bounded in depth,
 * parts and header fields. It never refuses a mail: what is beyond a limit
 * becomes an opaque leaf or stays unsplit, and a flag says so.
 */
#ifndef SEALPOST_MIME_MESSAGE_H
#define SEALPOST_MIME_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "mime/encoding.h"

struct mime_message;

struct mime_limits {
    unsigned depth;      /* of nested multiparts and messages */
    unsigned parts;      /* in the whole tree */
    unsigned fields;     /* read per header section */
    size_t header_bytes; /* read per header section */
    unsigned params;     /* read per field */
};
/* 100 deep, 10,000 parts, 10,000 fields, 1 MiB of header, 100 parameters. A
 * depth above 500 counts as 500. */
extern const struct mime_limits mime_limits_usual;

enum {
    /* A multipart or message that was not descended into (depth, parts, or
     * a message under base64): type and subtype are then
     * application/octet-stream. */
    MIME_PART_OPAQUE = 1 << 0,
    /* A multipart without boundary parameter or without any part: it is a
     * leaf text/plain. */
    MIME_PART_BROKEN = 1 << 1,
    MIME_PART_UNCLOSED = 1 << 2, /* multipart without its last delimiter */
    MIME_PART_CUT = 1 << 3,  /* fields or parameters beyond a limit ignored */
    MIME_PART_ROOT = 1 << 4, /* top of the message or of an embedded one */
};

struct mime_param {
    const char *name;  /* lower case */
    const char *value; /* RFC 2231 joined, UTF-8; else the bytes as they are */
    bool extended;     /* it was RFC 2231 encoded */
    struct mime_param *next;
};

/* Everything lives and dies with the message; strings are terminated. */
struct mime_part {
    struct mime_part *parent; /* NULL at the top */
    struct mime_part *child;  /* first part, or root of an embedded message */
    struct mime_part *next;
    unsigned number;   /* 1.. among its siblings; 0 for a root */
    unsigned children; /* 0 for leaves, 1 for message/rfc822 */
    /* Offsets into raw: the header with its empty line is [head, body), the
     * encoded body [body, end), without the line end before a delimiter. */
    size_t head, body, end;
    size_t body_lines; /* line ends in the body, and an unended last line */
    const char *type, *subtype; /* lower case, never NULL */
    struct mime_param *params;
    const char *declared; /* content type as named, "multipart/mixed", or NULL
                             when there was no usable Content-Type */
    enum mime_encoding encoding;
    const char *encoding_name; /* as given; "7bit" when absent */
    const char *disposition;   /* lower case, or NULL */
    struct mime_param *disposition_params;
    /* Unfolded values, NULL when absent. */
    const char *id, *description, *md5, *language, *location;
    unsigned flags; /* MIME_PART_* */
};

/* raw is borrowed as long as the message lives. limits may be NULL (usual).
 * Succeeds for any bytes. RFC 2045, 2046, 5322; bare CR and LF end lines. */
int mime_message_parse(struct slice raw, const struct mime_limits *limits,
                       struct mime_message **out, struct err *e);
void mime_message_free(struct mime_message **m);

const struct mime_part *mime_message_root(const struct mime_message *m);
struct slice mime_message_raw(const struct mime_message *m);
unsigned mime_message_parts(const struct mime_message *m);
/* A limit was met somewhere. */
bool mime_message_is_cut(const struct mime_message *m);
/* Bytes looked at, counting every comparison: tests hold it against size. */
uint64_t mime_message_work(const struct mime_message *m);

/* Pre-order walk: NULL starts, NULL ends. */
const struct mime_part *mime_part_next(const struct mime_message *m,
                                       const struct mime_part *p);
bool mime_part_is(const struct mime_part *p, const char *type,
                  const char *subtype); /* subtype may be NULL: any */
bool mime_part_is_multipart(const struct mime_part *p);
bool mime_part_is_message(const struct mime_part *p); /* descended */
struct slice mime_part_head(const struct mime_message *m,
                            const struct mime_part *p);
struct slice mime_part_body(const struct mime_message *m,
                            const struct mime_part *p);
/* Header and body: the entity as it stands. */
struct slice mime_part_whole(const struct mime_message *m,
                             const struct mime_part *p);
/* NULL when absent; name in lower case. */
const char *mime_part_param(const struct mime_part *p, const char *name);
/* Disposition's filename, else Content-Type's name, RFC 2047 words decoded
 * (into buf); false when there is none. */
bool mime_part_filename(const struct mime_part *p, struct buf *out);
/* Adds the body, transfer-decoded. -1 over out's limit. */
int mime_part_decode(const struct mime_message *m, const struct mime_part *p,
                     struct buf *out);
/* The same, then its charset turned to UTF-8 (text parts). */
int mime_part_text(const struct mime_message *m, const struct mime_part *p,
                   struct buf *out);

#endif
