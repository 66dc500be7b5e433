/*
 * The bounded buffer.
 */
#include "base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
buf_init(struct buf *b, size_t limit)
{
    *b = BUF_INIT(limit);
}

void
buf_clear(struct buf *b)
{
    free(b->data);
    *b = BUF_INIT(b->limit);
}

void
buf_reset(struct buf *b)
{
    b->len = 0;
    b->over = false;
    if (b->data)
        b->data[0] = '\0';
}

void
buf_wipe(struct buf *b)
{
    mem_wipe(b->data, b->cap);
    buf_clear(b);
}

char *
buf_room(struct buf *b, size_t n)
{
    size_t want, cap;

    if (n > b->limit || b->len > b->limit - n) {
        b->over = true;
        return NULL;
    }
    want = b->len + n + 1;
    if (want > b->cap) {
        cap = b->cap ? b->cap : 64;
        while (cap < want)
            cap += cap / 2 + 64;
        if (cap > b->limit + 1)
            cap = b->limit + 1;
        b->data = xrealloc(b->data, cap);
        b->cap = cap;
    }
    return b->data + b->len;
}

void
buf_added(struct buf *b, size_t n)
{
    assert(b->len + n < b->cap || n == 0);
    b->len += n;
    if (b->data)
        b->data[b->len] = '\0';
}

int
buf_add(struct buf *b, const void *p, size_t n)
{
    char *to = buf_room(b, n);

    if (!to)
        return -1;
    if (n)
        memcpy(to, p, n);
    buf_added(b, n);
    return 0;
}

int
buf_adds(struct buf *b, const char *s)
{
    return buf_add(b, s, strlen(s));
}

int
buf_addc(struct buf *b, char c)
{
    return buf_add(b, &c, 1);
}

int
buf_add_slice(struct buf *b, struct slice s)
{
    return buf_add(b, s.p, s.n);
}

int
buf_addvf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    char *to;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    assert(n >= 0);
    to = buf_room(b, (size_t)n);
    if (to) {
        vsnprintf(to, (size_t)n + 1, fmt, again);
        buf_added(b, (size_t)n);
    }
    va_end(again);
    return to ? 0 : -1;
}

int
buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int rc;

    va_start(ap, fmt);
    rc = buf_addvf(b, fmt, ap);
    va_end(ap);
    return rc;
}

void
buf_drain(struct buf *b, size_t n)
{
    assert(n <= b->len);
    if (!n)
        return;
    memmove(b->data, b->data + n, b->len - n + 1);
    b->len -= n;
}

void
buf_truncate(struct buf *b, size_t len)
{
    assert(len <= b->len);
    b->len = len;
    if (b->data)
        b->data[len] = '\0';
}

struct slice
buf_slice(const struct buf *b)
{
    return (struct slice){b->data ? b->data : "", b->len};
}

char *
buf_take(struct buf *b, size_t *len_out)
{
    char *data = b->data;

    if (!data)
        data = xstrdup("");
    if (len_out)
        *len_out = b->len;
    *b = BUF_INIT(b->limit);
    return data;
}
