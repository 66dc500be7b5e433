/*
 * Address lists (RFC 5322 section 3.4, RFC 6532), read as mail really is
 * written: nothing in a list makes the rest of it unreadable.
 *
 * Rejected: libetpan's address parser as the first reader. It glues stray
 * text to local parts and drops a whole field for one odd member; who a mail
 * is from must have one reading only. It judges ours in the tests.
 */
#ifndef SEALPOST_MIME_ADDRESS_H
#define SEALPOST_MIME_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum mime_address_kind {
    MIME_ADDRESS_MAILBOX,
    MIME_ADDRESS_GROUP, /* a group begins; its name is `name` */
    MIME_ADDRESS_END,   /* the group ends */
};

/* Strings are terminated and belong to the list. */
struct mime_address {
    enum mime_address_kind kind;
    const char *name;   /* unquoted, RFC 2047 words as they are; NULL: none.
                           From a comment when there is no other. */
    const char *local;  /* unquoted; "" when missing */
    const char *domain; /* "" when missing; "[192.0.2.1]" for literals */
};

struct arena;
/* Plain data; zeroed is an empty list. */
struct mime_addresses {
    struct mime_address *list;
    size_t count, cap;
    bool broken; /* something in it was not RFC 5322 */
    bool cut;    /* more than MIME_ADDRESSES_MAX: the rest is missing */
    struct arena *arena;
};
#define MIME_ADDRESSES_MAX 10000

/* Adds the addresses of a field value to the list. Never fails. */
void mime_addresses_parse(struct slice value, struct mime_addresses *out);
/* Those of all fields of that name, in order. Returns how many fields. */
size_t mime_addresses_header(struct slice header, const char *name,
                             struct mime_addresses *out);
void mime_addresses_add(struct mime_addresses *l, const char *name,
                        const char *local, const char *domain);
void mime_addresses_clear(struct mime_addresses *l);
/* Mailboxes only, groups skipped. NULL at the end; *at starts at 0. */
const struct mime_address *mime_addresses_next(const struct mime_addresses *l,
                                               size_t *at);

/* "local@domain" in UTF-8, the local part quoted where it must be. Adds. */
int mime_address_spec(const struct mime_address *a, struct buf *out);
/* The same for comparing: ASCII letters of the domain in lower case, its last
 * dot gone; the local part keeps its case. Domains in UTF-8 and in xn-- form
 * are not taken for the same. */
int mime_address_normal(const struct mime_address *a, struct buf *out);
/* Two "local@domain" texts: both parts without ASCII case, as Exchange
 * compares. */
bool mime_address_equal(const char *a, const char *b);
/* Display name with RFC 2047 words decoded, cleaned of control characters;
 * "" when none. Adds. */
int mime_address_name(const struct mime_address *a, struct buf *out);

/* Strict: is this addr-spec good for an SMTP path (RFC 5321 section 4.1.2,
 * utf8: RFC 6531)? E_INPUT says what is wrong. Splits into local (quotes kept)
 * and domain when the pointers are not NULL. */
int mime_address_check(struct slice spec, bool utf8, struct slice *local_out,
                       struct slice *domain_out, struct err *e);

/* The addresses of To and Cc, in lower case, sorted, each once, "a@b c@d"; heap.
 * (people.c) */
char *mime_people(struct slice header);

#endif
