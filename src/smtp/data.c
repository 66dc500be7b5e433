/*
 * The DATA machine. A line begins behind CRLF only: a dot behind a bare LF or
 * CR is text, and never the end, however the sender's software read it. So
 * nobody can smuggle a second mail through us into a server that takes other
 * line ends for real ones; and Exchange gets the text as one value, without
 * dots.
 *
 * Runs of plain text are copied as a whole; the machine looks at the rest
 * byte by byte.
 */
#include "smtp/data.h"

#include <string.h>

void
smtp_data_init(struct smtp_data *d)
{
    *d = (struct smtp_data){.state = SMTP_DATA_LINE};
}

static void
data_put(struct smtp_data *d, const char *p, size_t n, struct buf *out)
{
    d->bytes += n;
    d->line += n;
    if (d->line > SMTP_LINE_WARN)
        d->long_line = true;
    if (d->line > SMTP_LINE_MAX)
        d->wide = true;
    if (out)
        buf_add(out, p, n);
}

static void
data_line_end(struct smtp_data *d, bool bare, struct buf *out)
{
    if (bare)
        d->bare = true;
    d->bytes += 2;
    d->line = 0;
    if (out)
        buf_add(out, "\r\n", 2);
}

/* A byte of text, or of a line end, in state TEXT (or LINE without a dot). */
static void
data_text(struct smtp_data *d, char c, struct buf *out)
{
    d->state = SMTP_DATA_TEXT;
    if (c == '\r') {
        d->state = SMTP_DATA_CR;
    } else if (c == '\n') {
        data_line_end(d, true, out);
    } else {
        if (!c)
            d->nul = true;
        data_put(d, &c, 1, out);
    }
}

/* Behind a CR that may be half of a CRLF. */
static void
data_cr(struct smtp_data *d, char c, struct buf *out)
{
    data_line_end(d, c != '\n', out);
    if (c == '\n')
        d->state = SMTP_DATA_LINE;
    else
        data_text(d, c, out);
}

static void
data_byte(struct smtp_data *d, char c, struct buf *out)
{
    switch (d->state) {
    case SMTP_DATA_LINE:
        if (c == '.')
            d->state = SMTP_DATA_DOT;
        else
            data_text(d, c, out);
        break;
    case SMTP_DATA_DOT:
        /* The dot is not text (RFC 5321 section 4.5.2), whatever follows. */
        if (c == '\r')
            d->state = SMTP_DATA_DOT_CR;
        else
            data_text(d, c, out);
        break;
    case SMTP_DATA_DOT_CR:
        if (c == '\n')
            d->state = SMTP_DATA_END;
        else
            data_cr(d, c, out);
        break;
    case SMTP_DATA_CR:
        data_cr(d, c, out);
        break;
    case SMTP_DATA_TEXT:
    case SMTP_DATA_END:
        data_text(d, c, out);
        break;
    }
}

/* How many bytes at the front are text and nothing else. */
static size_t
plain_length(struct slice in)
{
    const char *cr = memchr(in.p, '\r', in.n), *lf;
    size_t n = cr ? (size_t)(cr - in.p) : in.n;

    lf = memchr(in.p, '\n', n);
    return lf ? (size_t)(lf - in.p) : n;
}

int
smtp_data_feed(struct smtp_data *d, struct slice in, struct buf *out,
               size_t *used)
{
    size_t i = 0;

    while (i < in.n && d->state != SMTP_DATA_END) {
        if (d->state == SMTP_DATA_TEXT) {
            size_t n = plain_length(slice_from(in, i));

            if (n && memchr(in.p + i, '\0', n))
                d->nul = true;
            if (n)
                data_put(d, in.p + i, n, out);
            i += n;
            if (i == in.n)
                break;
        }
        data_byte(d, in.p[i++], out);
    }
    *used = i;
    return d->state == SMTP_DATA_END;
}
