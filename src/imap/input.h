/*
 * What a client sends, put together to whole commands: lines and the literals
 * between them (RFC 3501 section 4.3, RFC 7888). Incremental; every size is
 * judged before memory is taken for it. No I/O here.
 */
#ifndef SEALPOST_IMAP_INPUT_H
#define SEALPOST_IMAP_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

enum imap_input_event {
    IMAP_INPUT_MORE,    /* all was used, more is needed */
    IMAP_INPUT_LITERAL, /* one was announced: take, skip, or give up */
    IMAP_INPUT_COMMAND, /* complete; the text without the last line end */
    IMAP_INPUT_LONG,    /* over the limit of a line: cannot go on */
};

struct imap_input {
    struct buf text;      /* the command so far, literals inside */
    size_t limit;         /* bytes of text but for big literals */
    size_t big;           /* bytes of literals taken beyond it */
    size_t line;          /* where the current line begins in text */
    uint64_t literal;     /* bytes of it that are to come */
    bool skipping;        /* they are thrown away */
    bool skipped;         /* one was: the command is not whole */
    bool raw;             /* a line is a line (SASL, DONE): no literals */
    bool bare;            /* a line ended without CR, or had a NUL */
    uint64_t size;        /* of the announced literal */
    bool plus;            /* it comes without being asked for */
};

void imap_input_init(struct imap_input *, size_t limit);
/* The next event; *used_out bytes of `in` were taken. */
enum imap_input_event imap_input_feed(struct imap_input *, struct slice in,
                                      size_t *used_out);
/* After IMAP_INPUT_LITERAL. `big`: it does not count against the limit (the
 * caller has judged its size). false: too large, nothing was changed. */
bool imap_input_take(struct imap_input *, bool big);
void imap_input_skip(struct imap_input *);
/* Wipes the text (it may hold a password) and is ready for a new command. */
void imap_input_reset(struct imap_input *);

#endif
