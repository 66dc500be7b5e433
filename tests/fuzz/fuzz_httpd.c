/*
 * The request parser of httpd: any bytes, cut anywhere. What comes out must
 * not depend on the cuts. The first byte chooses the size of the pieces.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "loop/httpd_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first request; returns what feed said, *used_out bytes taken. */
static int
feed(struct httpd_parse *p, struct slice in, size_t piece, size_t *used_out)
{
    struct err e;
    int rc = 0;

    *used_out = 0;
    while (rc == 0 && *used_out < in.n) {
        struct slice part = slice_cut(slice_from(in, *used_out), 0, piece);
        size_t used;

        rc = httpd_parse_feed(p, part, &used, &e);
        if (used > part.n || (rc == 0 && used != part.n))
            abort();
        httpd_parse_wants_continue(p);
        *used_out += used;
    }
    return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct httpd_parse *a, *b;
    struct slice in;
    size_t piece, ua, ub;
    int ra, rb;

    if (!size)
        return 0;
    piece = (size_t)data[0] % 64 + 1;
    in = slice_make(data + 1, size - 1);
    a = httpd_parse_new(4096);
    b = httpd_parse_new(4096);
    for (int i = 0; i < 10 && in.n; i++) {
        ra = feed(a, in, in.n, &ua);
        rb = feed(b, in, piece, &ub);
        if (ra != rb)
            abort();
        if (ra != 1)
            break;
        if (ua != ub || strcmp(httpd_parse_method(a), httpd_parse_method(b)) ||
            strcmp(httpd_parse_target(a), httpd_parse_target(b)) ||
            !slice_eq(httpd_parse_body(a), httpd_parse_body(b)) ||
            httpd_parse_closes(a) != httpd_parse_closes(b))
            abort();
        in = slice_from(in, ua);
        httpd_parse_reset(a);
        httpd_parse_reset(b);
    }
    httpd_parse_free(&a);
    httpd_parse_free(&b);
    return 0;
}
