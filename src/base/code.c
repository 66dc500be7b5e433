/*
 * Small codings that every room needs. Large MIME bodies are decoded in
 * room mime.
 */
#include "base/code.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int
code_base64_write(struct buf *out, struct slice bytes, unsigned line)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    size_t left = bytes.n, chars = (bytes.n + 2) / 3 * 4, column = 0;
    size_t total = line ? chars + (chars + line - 1) / line * 2 : chars;
    char *to = buf_room(out, total), *start = to;

    if (!to)
        return -1;
    while (left) {
        size_t k = left < 3 ? left : 3;
        uint32_t v = (uint32_t)p[0] << 16 | (k > 1 ? (uint32_t)p[1] << 8 : 0) |
                     (k > 2 ? p[2] : 0);

        *to++ = alphabet[v >> 18];
        *to++ = alphabet[v >> 12 & 63];
        *to++ = k > 1 ? alphabet[v >> 6 & 63] : '=';
        *to++ = k > 2 ? alphabet[v & 63] : '=';
        p += k;
        left -= k;
        column += 4;
        if (line && (column == line || !left)) {
            *to++ = '\r';
            *to++ = '\n';
            column = 0;
        }
    }
    buf_added(out, (size_t)(to - start));
    return 0;
}

static int
base64_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int
code_base64_parse(struct buf *out, struct slice text, bool blanks)
{
    char *to = buf_room(out, text.n / 4 * 3 + 3), *start = to;
    uint32_t v = 0;
    unsigned n = 0, pad = 0;

    if (!to)
        return -1;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        int d;

        if (blanks && ascii_is_space(c))
            continue;
        if (c == '=') {
            if (n < 2 || ++pad > 4 - n)
                return -1;
            continue;
        }
        d = base64_value(c);
        if (d < 0 || pad)
            return -1;
        v = v << 6 | (uint32_t)d;
        if (++n == 4) {
            *to++ = (char)(v >> 16);
            *to++ = (char)(v >> 8);
            *to++ = (char)v;
            n = 0;
            v = 0;
        }
    }
    if (n && n + pad != 4)
        return -1;
    if (n == 2) {
        *to++ = (char)(v >> 4);
    } else if (n == 3) {
        *to++ = (char)(v >> 10);
        *to++ = (char)(v >> 2);
    } else if (n == 1) {
        return -1;
    }
    buf_added(out, (size_t)(to - start));
    return 0;
}

int
code_hex_write(struct buf *out, struct slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *to = buf_room(out, bytes.n * 2);

    if (!to)
        return -1;
    for (size_t i = 0; i < bytes.n; i++) {
        unsigned char c = (unsigned char)bytes.p[i];

        to[2 * i] = digits[c >> 4];
        to[2 * i + 1] = digits[c & 15];
    }
    buf_added(out, bytes.n * 2);
    return 0;
}

static int
hex_value(int c)
{
    c = ascii_lower(c);
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
code_hex_parse(struct buf *out, struct slice text)
{
    char *to;

    if (text.n % 2 || !(to = buf_room(out, text.n / 2)))
        return -1;
    for (size_t i = 0; i < text.n / 2; i++) {
        int a = hex_value((unsigned char)text.p[2 * i]);
        int b = hex_value((unsigned char)text.p[2 * i + 1]);

        if (a < 0 || b < 0)
            return -1;
        to[i] = (char)(a << 4 | b);
    }
    buf_added(out, text.n / 2);
    return 0;
}

void
code_random(void *p, size_t n)
{
    unsigned char *to = p;

    while (n) {
        ssize_t k = getrandom(to, n, 0);

        if (k < 0 && errno != EINTR)
            abort(); /* ids and keys must not be guessed at */
        if (k > 0) {
            to += k;
            n -= (size_t)k;
        }
    }
}

void
code_random_hex(char *dst, size_t n)
{
    static const char digits[] = "0123456789abcdef";

    code_random(dst, n);
    for (size_t i = n; i-- > 0;) {
        unsigned char c = (unsigned char)dst[i];

        dst[2 * i] = digits[c >> 4];
        dst[2 * i + 1] = digits[c & 15];
    }
    dst[2 * n] = '\0';
}
