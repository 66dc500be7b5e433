/*
 * The text of a mail as it comes after DATA (RFC 5321 section 4.5.2): dots
 * are taken out, line ends made CRLF, the end found. Pure and incremental.
 */
#ifndef SEALPOST_SMTP_DATA_H
#define SEALPOST_SMTP_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/* SPEC section 7. Without the line end. */
#define SMTP_LINE_WARN ((size_t)998)
#define SMTP_LINE_MAX ((size_t)1 << 20)

enum smtp_data_state {
    SMTP_DATA_LINE, /* at the start of a line, that is behind a CRLF */
    SMTP_DATA_DOT,  /* behind a dot there */
    SMTP_DATA_DOT_CR,
    SMTP_DATA_TEXT,
    SMTP_DATA_CR,
    SMTP_DATA_END,
};

struct smtp_data {
    enum smtp_data_state state;
    size_t line;     /* bytes of this line so far */
    uint64_t bytes;  /* of text, as it would be stored */
    bool bare;       /* a CR or LF alone was seen, and made CRLF */
    bool nul, wide;  /* a NUL; a line over SMTP_LINE_MAX */
    bool long_line;  /* one over SMTP_LINE_WARN */
};

void smtp_data_init(struct smtp_data *);
/* Adds the text to `out`, or only counts and judges it when `out` is NULL.
 * Returns 1 behind the end (CRLF.CRLF and nothing else is one), else 0; *used
 * bytes of the input are done with, all of it but behind the end. What does
 * not fit `out` sets out->over. */
int smtp_data_feed(struct smtp_data *, struct slice in, struct buf *out,
                   size_t *used);

#endif
