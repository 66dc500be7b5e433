/*
 * Slices: comparing, cutting, copying. Nothing here looks at the locale.
 */
#include "base/slice.h"

#include <string.h>

#include "base/mem.h"

int
ascii_lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

int
ascii_upper(int c)
{
    return c >= 'a' && c <= 'z' ? c - 32 : c;
}

bool
ascii_is_digit(int c)
{
    return c >= '0' && c <= '9';
}

bool
ascii_is_alpha(int c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool
ascii_is_space(int c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int
ascii_icmp(const char *a, const char *b)
{
    for (;; a++, b++) {
        int x = ascii_lower((unsigned char)*a);
        int y = ascii_lower((unsigned char)*b);

        if (x != y)
            return x - y;
        if (!x)
            return 0;
    }
}

struct slice
slice_of(const char *s)
{
    return (struct slice){s, s ? strlen(s) : 0};
}

struct slice
slice_make(const void *p, size_t n)
{
    return (struct slice){p, n};
}

bool
slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
slice_is(struct slice a, const char *s)
{
    return slice_eq(a, slice_of(s));
}

bool
slice_ieq(struct slice a, struct slice b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (ascii_lower((unsigned char)a.p[i]) !=
            ascii_lower((unsigned char)b.p[i]))
            return false;
    return true;
}

bool
slice_iis(struct slice a, const char *s)
{
    return slice_ieq(a, slice_of(s));
}

bool
slice_starts(struct slice a, const char *prefix)
{
    size_t n = strlen(prefix);

    return a.n >= n && slice_eq(slice_cut(a, 0, n), slice_of(prefix));
}

bool
slice_istarts(struct slice a, const char *prefix)
{
    size_t n = strlen(prefix);

    return a.n >= n && slice_ieq(slice_cut(a, 0, n), slice_of(prefix));
}

bool
slice_ends(struct slice a, const char *suffix)
{
    size_t n = strlen(suffix);

    return a.n >= n && slice_eq(slice_from(a, a.n - n), slice_of(suffix));
}

bool
slice_has(struct slice a, char c)
{
    return slice_find(a, c) < a.n;
}

struct slice
slice_trim(struct slice a)
{
    while (a.n && ascii_is_space((unsigned char)a.p[0])) {
        a.p++;
        a.n--;
    }
    while (a.n && ascii_is_space((unsigned char)a.p[a.n - 1]))
        a.n--;
    return a;
}

struct slice
slice_from(struct slice a, size_t from)
{
    return slice_cut(a, from, a.n);
}

struct slice
slice_cut(struct slice a, size_t from, size_t to)
{
    if (to > a.n)
        to = a.n;
    if (from > to)
        from = to;
    return (struct slice){a.p ? a.p + from : NULL, to - from};
}

size_t
slice_find(struct slice a, char c)
{
    const char *at = a.n ? memchr(a.p, c, a.n) : NULL;

    return at ? (size_t)(at - a.p) : a.n;
}

bool
slice_next(struct slice *rest, char sep, struct slice *piece_out)
{
    size_t at;

    if (!rest->p)
        return false;
    at = slice_find(*rest, sep);
    *piece_out = slice_cut(*rest, 0, at);
    *rest = at < rest->n ? slice_from(*rest, at + 1) : SLICE_NONE;
    return true;
}

char *
slice_dup(struct slice a)
{
    return xmemdup(a.p ? a.p : "", a.n);
}

bool
slice_copy(struct slice a, char *dst, size_t size)
{
    if (size)
        dst[0] = '\0';
    if (a.n >= size || slice_has(a, '\0'))
        return false;
    if (a.n)
        memcpy(dst, a.p, a.n);
    dst[a.n] = '\0';
    return true;
}

bool
slice_u64(struct slice a, uint64_t *out)
{
    uint64_t v = 0;

    if (!a.n || a.n > 20)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        unsigned d = (unsigned)(unsigned char)a.p[i] - '0';

        if (d > 9 || v > (UINT64_MAX - d) / 10)
            return false;
        v = v * 10 + d;
    }
    *out = v;
    return true;
}

bool
slice_u32(struct slice a, uint32_t *out)
{
    uint64_t v;

    if (!slice_u64(a, &v) || v > UINT32_MAX)
        return false;
    *out = (uint32_t)v;
    return true;
}
