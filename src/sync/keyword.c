/*
 * Categories are free text, IMAP keywords are atoms: what is no atom is shown
 * in modified UTF-7 (RFC 3501 5.1.3; here also for blanks and specials), which
 * maps back. Used by book.c and push.c.
 */
#include "sync/private.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* One UTF-8 character; a byte that is none counts as itself (Latin-1). */
static size_t
utf8_next(const char *s, uint32_t *out)
{
    const unsigned char *p = (const unsigned char *)s;
    unsigned more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : *p >= 0xc2 ? 1 : 0;
    uint32_t v = more ? *p & (0x3fu >> more) : *p;

    for (unsigned i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            *out = *p;
            return 1;
        }
        v = v << 6 | (p[i] & 0x3f);
    }
    *out = v;
    return more + 1;
}

static void
utf8_add(struct buf *b, uint32_t c)
{
    if (c < 0x80) {
        buf_addc(b, (char)c);
    } else if (c < 0x800) {
        buf_addc(b, (char)(0xc0 | c >> 6));
        buf_addc(b, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_addc(b, (char)(0xe0 | c >> 12));
        buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_addc(b, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_addc(b, (char)(0xf0 | (c >> 18 & 7)));
        buf_addc(b, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_addc(b, (char)(0x80 | (c & 0x3f)));
    }
}

static bool
is_plain(uint32_t c)
{
    return c > 0x20 && c < 0x7f && !strchr("(){%*\"\\]&", (int)c);
}

struct coder {
    struct buf *out;
    uint32_t bits;
    unsigned n; /* bits that wait */
};

static void
code_unit(struct coder *c, uint32_t unit)
{
    c->bits = c->bits << 16 | unit;
    c->n += 16;
    while (c->n >= 6) {
        c->n -= 6;
        buf_addc(c->out, alphabet[c->bits >> c->n & 63]);
    }
}

/* A run of characters that are no atom: "&...-". */
static const char *
code_run(struct buf *out, const char *s)
{
    struct coder c = {.out = out};

    buf_addc(out, '&');
    while (*s) {
        uint32_t v;
        size_t n = utf8_next(s, &v);

        if (is_plain(v))
            break;
        if (v > 0xffff) {
            code_unit(&c, 0xd800 + ((v - 0x10000) >> 10));
            code_unit(&c, 0xdc00 + ((v - 0x10000) & 0x3ff));
        } else {
            code_unit(&c, v);
        }
        s += n;
    }
    if (c.n)
        buf_addc(out, alphabet[c.bits << (6 - c.n) & 63]);
    buf_addc(out, '-');
    return s;
}

void
sync_keyword_add(struct buf *words, const char *category)
{
    if (!*category)
        return;
    if (words->len)
        buf_addc(words, ' ');
    while (*category) {
        if (is_plain((unsigned char)*category))
            buf_addc(words, *category++);
        else
            category = code_run(words, category);
    }
}

static void
run_decode(struct buf *out, struct slice run)
{
    uint32_t bits = 0, high = 0;
    unsigned n = 0;

    for (size_t i = 0; i < run.n; i++) {
        const char *at = memchr(alphabet, run.p[i], 64);
        uint32_t unit;

        if (!at)
            return;
        bits = bits << 6 | (uint32_t)(at - alphabet);
        n += 6;
        if (n < 16)
            continue;
        n -= 16;
        unit = bits >> n & 0xffff;
        if (unit >= 0xd800 && unit < 0xdc00) {
            high = unit;
            continue;
        }
        if (unit >= 0xdc00 && unit < 0xe000 && high)
            unit = 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00);
        high = 0;
        utf8_add(out, unit);
    }
}

const char *
sync_keyword_category(struct arena *a, struct slice keyword)
{
    struct buf b = BUF_INIT(4096);
    const char *text;

    while (keyword.n) {
        size_t end = slice_find(keyword, '-');

        if (*keyword.p == '&' && end < keyword.n && end > 1) {
            run_decode(&b, slice_cut(keyword, 1, end));
            keyword = slice_from(keyword, end + 1);
        } else {
            buf_addc(&b, *keyword.p);
            keyword = slice_from(keyword, 1);
        }
    }
    text = arena_dup(a, buf_slice(&b));
    buf_clear(&b);
    return text;
}
