/*
 * Output to a client, and waiting until it has been read.
 */
#include "imap/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/now.h"
#include "loop/stream.h"

void
imap_write(struct imap_client *c, const void *p, size_t n)
{
    stream_write(c->stream, p, n);
}

void
imap_puts(struct imap_client *c, const char *text)
{
    stream_puts(c->stream, text);
}

void
imap_printf(struct imap_client *c, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    stream_puts(c->stream, text);
    free(text);
}

void
imap_write_buf(struct imap_client *c, const struct buf *b)
{
    if (b->len)
        stream_write(c->stream, b->data, b->len);
}

void
imap_text(struct imap_client *c, const char *text)
{
    char line[300];
    size_t n = 0;

    /* resp-text is 7 bit; a text that begins with "[" would be a code. */
    for (; *text && n + 1 < sizeof line; text++) {
        unsigned char ch = (unsigned char)*text;

        if (ch < 0x20 || ch >= 0x7f)
            ch = '?';
        if (n == 0 && ch == '[')
            ch = '(';
        line[n++] = (char)ch;
    }
    if (!n)
        line[n++] = '-';
    stream_write(c->stream, line, n);
}

bool
imap_is_full(const struct imap_client *c)
{
    return stream_pending(c->stream) > IMAP_OUT_HIGH;
}

static void
drain_stop(void *self)
{
    struct imap_client *c = self;

    op_finish(&c->drain, NULL);
}

struct op *
imap_drained(struct imap_client *c, op_done_fn *done, void *arg)
{
    struct op *op;

    if (!imap_is_full(c))
        return op_decided(NULL, done, arg);
    op = op_new(drain_stop, c, done, arg);
    c->drain = op;
    c->drain_since = now_ms();
    return op;
}

struct store *
imap_store(const struct imap_client *c)
{
    return account_store(c->account);
}

void
imap_uids_write(const uint32_t *uids, size_t n, struct buf *out)
{
    size_t start = out->len;

    for (size_t i = 0, k; i < n; i = k) {
        for (k = i + 1; k < n && uids[k] == uids[k - 1] + 1; k++)
            ;
        if (out->len > start)
            buf_addc(out, ',');
        buf_addf(out, "%u", uids[i]);
        if (k > i + 1)
            buf_addf(out, ":%u", uids[k - 1]);
    }
}
