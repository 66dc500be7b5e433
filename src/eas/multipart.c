/*
 * The multipart form of an answer (MS-ASCMD 2.2.1.10.1.1): a count, for each
 * part its offset and length, then the parts; part 0 is the WBXML. Integers
 * are little-endian. The parts are slices into the body.
 */
#include "eas/private.h"

static uint32_t
le32(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;

    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
           (uint32_t)b[3] << 24;
}

int
eas_multipart_parse(struct slice body, struct eas_parts *out, struct err *e)
{
    uint32_t n;
    size_t head;

    if (body.n < 12)
        return err_set(e, E_RETRY, "a multipart answer of %zu bytes", body.n);
    n = le32(body.p);
    if (n < 1 || n > EAS_PARTS_MAX)
        return err_set(e, E_RETRY, "a multipart answer of %lu parts",
                       (unsigned long)n);
    head = 4 + 8 * (size_t)n;
    if (head > body.n)
        return err_set(e, E_RETRY, "a multipart answer that is cut off");
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = le32(body.p + 4 + 8 * (size_t)i);
        uint32_t len = le32(body.p + 8 + 8 * (size_t)i);

        if (at < head || at > body.n || len > body.n - at)
            return err_set(e, E_RETRY,
                           "part %lu of a multipart answer lies outside of it",
                           (unsigned long)i);
        out->part[i] = slice_make(body.p + at, len);
    }
    out->n = n;
    return 0;
}
