/*
 * Replies: a code, an enhanced code (RFC 3463) and one line for people; and
 * the one table that makes them of our errors (DESIGN section 6).
 */
#ifndef SEALPOST_SMTP_REPLY_H
#define SEALPOST_SMTP_REPLY_H

#include "base/err.h"

/* RFC 5321 section 4.5.3.1.5: a reply line, CRLF included. */
#define SMTP_REPLY_LINE 512

struct smtp_reply {
    int code;
    const char *enhanced; /* borrowed for good; NULL: none (220, 250 of EHLO,
                             334, 354) */
    char text[256];
};

/* Sets *r and returns -1, so that a refusal is one line. */
int smtp_reply_set(struct smtp_reply *r, int code, const char *enhanced,
                   const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Where an error came up: the same one may mean another code. */
enum smtp_reply_at {
    SMTP_AT_COMMAND,
    SMTP_AT_RCPT,
    SMTP_AT_MESSAGE, /* the text of the mail */
};
/* For every code but E_NONE and E_CANCELED (which become E_BUG's). */
void smtp_reply_of(const struct err *, enum smtp_reply_at,
                   struct smtp_reply *out);

/* The line with its CRLF, bounded: control bytes become blanks, bytes beyond
 * ASCII "?". Returns its length. */
unsigned smtp_reply_write(const struct smtp_reply *,
                          char out[SMTP_REPLY_LINE + 1]);

#endif
