/*
 * The numbering of a client that idles, packed: most of its columns go on by
 * the same step for long, so each is kept as runs. A thousand idle clients of
 * a large mailbox would else hold 16 bytes a message each. Called by
 * selected.c, which unpacks before anything but an addition happens.
 */
#include "imap/compact.h"

#include <stdlib.h>

#include "base/mem.h"

/* ---- a column ---- */

static void
number_add(struct buf *b, uint64_t v)
{
    do {
        unsigned char c = v & 127;

        v >>= 7;
        buf_addc(b, (char)(c | (v ? 128 : 0)));
    } while (v);
}

static uint64_t
number_take(const unsigned char **at)
{
    uint64_t v = 0;
    unsigned shift = 0;

    do {
        v |= (uint64_t)(**at & 127) << shift;
        shift += 7;
    } while (*(*at)++ & 128);
    return v;
}

/* Signed steps near zero become small numbers. */
static uint64_t
zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0);
}

static int64_t
zagzig(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
}

static void
run_close(struct imap_column *c)
{
    if (!c->count)
        return;
    number_add(&c->runs, zigzag(c->step));
    number_add(&c->runs, c->count);
    c->count = 0;
}

static void
column_add(struct imap_column *c, int64_t value)
{
    int64_t step = value - c->last;

    if (c->count && step != c->step)
        run_close(c);
    c->step = step;
    c->count++;
    c->last = value;
}

/* ---- the three of them ---- */

static int64_t
entry_value(const struct imap_entry *en, unsigned column)
{
    switch (column) {
    case 0:
        return en->id;
    case 1:
        return en->uid;
    default:
        return (int64_t)en->flags << 16 | en->marks;
    }
}

static void
entry_set(struct imap_entry *en, unsigned column, int64_t value)
{
    if (column == 0)
        en->id = value;
    else if (column == 1)
        en->uid = (uint32_t)value;
    else {
        en->flags = (uint16_t)(value >> 16);
        en->marks = (uint16_t)value;
    }
}

void
imap_compact_add(struct imap_compact *c, const struct imap_entry *en)
{
    for (unsigned i = 0; i < IMAP_COLUMNS; i++)
        column_add(&c->columns[i], entry_value(en, i));
}

uint32_t
imap_compact_uid(const struct imap_compact *c)
{
    return (uint32_t)c->columns[1].last;
}

struct imap_compact *
imap_compact_new(const struct imap_entry *entries, size_t n)
{
    struct imap_compact *c = xcalloc(1, sizeof *c);
    size_t bytes = sizeof *c;

    for (unsigned i = 0; i < IMAP_COLUMNS; i++) {
        struct imap_column *column = &c->columns[i];
        struct buf tight;

        buf_init(&column->runs, BUF_OURS);
        for (size_t k = 0; k < n; k++)
            column_add(column, entry_value(&entries[k], i));
        buf_init(&tight, BUF_OURS); /* without the room for growth */
        buf_add_slice(&tight, buf_slice(&column->runs));
        buf_clear(&column->runs);
        column->runs = tight;
        bytes += tight.len;
    }
    if (bytes > n * sizeof *entries / 2)
        imap_compact_free(&c); /* not worth the work at each change */
    return c;
}

static void
run_unpack(struct imap_entry *entries, unsigned column, size_t n, size_t *at,
           int64_t *value, int64_t step, uint64_t count)
{
    for (; count && *at < n; count--) {
        *value += step;
        entry_set(&entries[(*at)++], column, *value);
    }
}

void
imap_compact_unpack(const struct imap_compact *c, struct imap_entry *entries,
                    size_t n)
{
    for (unsigned i = 0; i < IMAP_COLUMNS; i++) {
        const struct imap_column *column = &c->columns[i];
        const unsigned char *p = (const unsigned char *)column->runs.data;
        const unsigned char *end = p + column->runs.len;
        int64_t value = 0;
        size_t at = 0;

        while (p < end) {
            int64_t step = zagzig(number_take(&p));

            run_unpack(entries, i, n, &at, &value, step, number_take(&p));
        }
        run_unpack(entries, i, n, &at, &value, column->step, column->count);
    }
}

void
imap_compact_free(struct imap_compact **cp)
{
    struct imap_compact *c = *cp;

    if (!c)
        return;
    for (unsigned i = 0; i < IMAP_COLUMNS; i++)
        buf_clear(&c->columns[i].runs);
    free(c);
    *cp = NULL;
}
