/*
 * The parser of SMTP commands: one line in, a struct or a refusal out. Pure:
 * it knows nothing of the state of a client.
 */
#ifndef SEALPOST_SMTP_COMMAND_H
#define SEALPOST_SMTP_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "smtp/reply.h"

/* Without CRLF. RFC 5321 section 4.5.3.1.4 asks for 512 and what extensions
 * add; RFC 4954 section 4 for 12288 in an AUTH. */
#define SMTP_COMMAND_MAX 2048u
#define SMTP_AUTH_MAX 12288u

enum smtp_verb {
    SMTP_EHLO,
    SMTP_HELO,
    SMTP_MAIL,
    SMTP_RCPT,
    SMTP_DATA,
    SMTP_RSET,
    SMTP_NOOP,
    SMTP_QUIT,
    SMTP_VRFY,
    SMTP_HELP,
    SMTP_AUTH,
    SMTP_STARTTLS,
};

/* Slices point into the line. */
struct smtp_command {
    enum smtp_verb verb;
    struct slice argument; /* EHLO, HELO: the name; AUTH: the mechanism */
    /* AUTH: the initial response, base64; p == NULL when there was none, n ==
     * 0 for the empty one ("="). */
    struct slice initial;
    /* MAIL, RCPT: the address without <> and source route, "" for <>. */
    struct slice address;
    bool has_size;
    uint64_t size; /* MAIL SIZE= */
};

/* `line` is without its CRLF. -1: *bad is the answer. */
int smtp_command_parse(struct slice line, struct smtp_command *out,
                       struct smtp_reply *bad);

/* For the log: the verb, or "?" for an unknown one. */
const char *smtp_command_name(enum smtp_verb);

#endif
