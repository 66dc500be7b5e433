/*
 * The DATA machine: any bytes, cut anywhere (the first byte chooses the size
 * of the pieces). The end must be the first CRLF.CRLF and nothing else, the
 * output must have no line end but CRLF, and neither may depend on the cuts.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "smtp/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIMIT ((size_t)1 << 22)

/* Bytes up to and with the end, found the simple way; 0: none. */
static size_t
find_end(struct slice in)
{
    if (slice_starts(in, ".\r\n"))
        return 3;
    for (size_t i = 0; i + 5 <= in.n; i++)
        if (memcmp(in.p + i, "\r\n.\r\n", 5) == 0)
            return i + 5;
    return 0;
}

/* Returns the bytes that were used when the end was found, else 0. */
static size_t
feed(struct slice in, size_t piece, struct smtp_data *d, struct buf *out)
{
    size_t at = 0, used;

    smtp_data_init(d);
    while (at < in.n) {
        struct slice part = slice_cut(slice_from(in, at), 0, piece);
        int rc = smtp_data_feed(d, part, out, &used);

        if (used > part.n || (!rc && used != part.n))
            abort();
        at += used;
        if (rc)
            return at;
    }
    return 0;
}

static void
check_lines(struct slice out)
{
    for (size_t i = 0; i < out.n; i++) {
        if (out.p[i] == '\n' && (!i || out.p[i - 1] != '\r'))
            abort();
        if (out.p[i] == '\r' && (i + 1 == out.n || out.p[i + 1] != '\n'))
            abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf a = BUF_INIT(LIMIT), b = BUF_INIT(LIMIT);
    struct smtp_data da, db, dc;
    struct slice in;
    size_t end;

    if (!size || size > LIMIT / 4)
        return 0;
    in = slice_make(data + 1, size - 1);
    end = find_end(in);
    if (feed(in, in.n ? in.n : 1, &da, &a) != end ||
        feed(in, (size_t)data[0] % 64 + 1, &db, &b) != end ||
        feed(in, 7, &dc, NULL) != end)
        abort();
    if (!slice_eq(buf_slice(&a), buf_slice(&b)) || da.bare != db.bare ||
        da.nul != db.nul || da.bytes != a.len || dc.bytes != a.len ||
        da.long_line != db.long_line || dc.nul != da.nul)
        abort();
    if (da.nul != (memchr(a.len ? a.data : "x", 0, a.len ? a.len : 1) != NULL))
        abort();
    check_lines(buf_slice(&a));
    buf_clear(&a);
    buf_clear(&b);
    return 0;
}
