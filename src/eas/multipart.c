/*
 * The multipart form of an answer (MS-ASCMD 2.2.1.10.1.1): a count, for each
 * part its offset and length, then the parts; part 0 is the WBXML. Integers
 * are little-endian. Read while it arrives: the parts are given to the caller
 * in pieces and in their order, and nothing but the table is kept.
 *
 * Servers put the parts one behind the other; a table that goes back or
 * overlaps is refused, for it could not be read so.
 */
#include "eas/private.h"

#include <stdlib.h>

#include "base/mem.h"

static uint32_t
le32(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;

    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
           (uint32_t)b[3] << 24;
}

void
eas_multipart_init(struct eas_multipart *m, eas_multipart_bytes_fn *on_bytes,
                   eas_multipart_end_fn *on_end, void *arg)
{
    *m = (struct eas_multipart){
        .on_bytes = on_bytes, .on_end = on_end, .arg = arg};
    buf_init(&m->head, 4 + 8 * (size_t)EAS_PARTS_MAX);
}

void
eas_multipart_clear(struct eas_multipart *m)
{
    buf_clear(&m->head);
    free(m->table);
    m->table = NULL;
}

static int
table_read(struct eas_multipart *m, struct err *e)
{
    uint64_t at = m->head.len;

    m->table = xcalloc(m->n, sizeof *m->table);
    for (size_t i = 0; i < m->n; i++) {
        const char *p = m->head.data + 4 + 8 * i;

        m->table[i].at = le32(p);
        m->table[i].len = le32(p + 4);
        if (m->table[i].at < at)
            return err_set(e, E_RETRY,
                           "part %zu of a multipart answer lies in front of "
                           "the one before",
                           i);
        at = (uint64_t)m->table[i].at + m->table[i].len;
    }
    m->at = m->head.len;
    return 0;
}

/* Takes bytes of the head off the piece. 1: the table is read; 0: more. */
static int
head_feed(struct eas_multipart *m, struct slice *piece, struct err *e)
{
    size_t want = m->n ? 4 + 8 * m->n : 4, k;

    while (piece->n && m->head.len < want) {
        k = want - m->head.len < piece->n ? want - m->head.len : piece->n;
        buf_add(&m->head, piece->p, k);
        *piece = slice_from(*piece, k);
        if (m->n || m->head.len < 4)
            continue;
        m->n = le32(m->head.data);
        if (m->n < 1 || m->n > EAS_PARTS_MAX)
            return err_set(e, E_RETRY, "a multipart answer of %zu parts",
                           m->n);
        want = 4 + 8 * m->n;
    }
    if (!m->n || m->head.len < want)
        return 0;
    return table_read(m, e) ? -1 : 1;
}

/* Ends the parts that are complete, also the empty ones that follow. */
static int
parts_end(struct eas_multipart *m, struct err *e)
{
    while (m->part < m->n &&
           m->at >= (uint64_t)m->table[m->part].at + m->table[m->part].len)
        if (m->on_end(m->arg, m->part++, e))
            return -1;
    return 0;
}

int
eas_multipart_feed(struct eas_multipart *m, struct slice piece, struct err *e)
{
    int rc = m->table ? 1 : head_feed(m, &piece, e);

    if (rc <= 0)
        return rc;
    if (parts_end(m, e))
        return -1;
    while (piece.n && m->part < m->n) {
        uint64_t from = m->table[m->part].at;
        uint64_t to = from + m->table[m->part].len;
        uint64_t left = (m->at < from ? from : to) - m->at;
        size_t k = left < piece.n ? (size_t)left : piece.n;

        if (m->at >= from &&
            m->on_bytes(m->arg, m->part, slice_cut(piece, 0, k), e))
            return -1;
        m->at += k;
        piece = slice_from(piece, k);
        if (parts_end(m, e))
            return -1;
    }
    return 0; /* what stands behind the last part is nothing */
}

int
eas_multipart_finish(struct eas_multipart *m, struct err *e)
{
    if (m->table && m->part == m->n)
        return 0;
    return err_set(e, E_RETRY, "a multipart answer that is cut off");
}
