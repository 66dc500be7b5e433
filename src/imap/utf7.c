/*
 * Modified UTF-7: printable ASCII stands for itself but for "&", which is
 * "&-"; the rest is UTF-16 in base64 with "," for "/" and without padding.
 */
#include "imap/utf7.h"

#include <stdint.h>
#include <string.h>

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* ---- writing ---- */

struct shift {
    struct buf *out;
    uint32_t bits;
    unsigned n;
    bool open;
};

static void
shift_unit(struct shift *s, unsigned unit)
{
    if (!s->open)
        buf_addc(s->out, '&');
    s->open = true;
    s->bits = s->bits << 16 | unit;
    s->n += 16;
    while (s->n >= 6) {
        s->n -= 6;
        buf_addc(s->out, digits[s->bits >> s->n & 63]);
    }
}

static void
shift_close(struct shift *s)
{
    if (!s->open)
        return;
    if (s->n)
        buf_addc(s->out, digits[s->bits << (6 - s->n) & 63]);
    buf_addc(s->out, '-');
    s->open = false;
    s->bits = s->n = 0;
}

/* One character of UTF-8; what is none is U+FFFD, a byte at a time. */
static uint32_t
utf8_next(const unsigned char **p)
{
    unsigned char c = *(*p)++;
    uint32_t v;
    int more;

    if (c < 0x80)
        return c;
    more = c >= 0xf0 && c < 0xf5 ? 3 : c >= 0xe0 ? 2 : c >= 0xc2 ? 1 : 0;
    if (!more || c >= 0xf5)
        return 0xfffd;
    v = c & (0x3fu >> more);
    for (int i = 0; i < more; i++) {
        if (((*p)[i] & 0xc0) != 0x80)
            return 0xfffd;
        v = v << 6 | ((*p)[i] & 0x3f);
    }
    *p += more;
    return v;
}

void
imap_utf7_encode(const char *utf8, struct buf *out)
{
    const unsigned char *p = (const unsigned char *)utf8;
    struct shift s = {.out = out};

    while (*p) {
        uint32_t c = utf8_next(&p);

        if (c >= 0x20 && c < 0x7f) {
            shift_close(&s);
            buf_addc(out, (char)c);
            if (c == '&')
                buf_addc(out, '-');
        } else if (c >= 0x10000) {
            shift_unit(&s, 0xd800 + ((c - 0x10000) >> 10));
            shift_unit(&s, 0xdc00 + ((c - 0x10000) & 0x3ff));
        } else {
            shift_unit(&s, c);
        }
    }
    shift_close(&s);
}

void
imap_utf7_write(const char *utf8, struct buf *out)
{
    struct buf name = BUF_INIT(BUF_OURS);
    bool plain;

    imap_utf7_encode(utf8, &name);
    plain = name.len > 0;
    for (size_t i = 0; i < name.len; i++)
        if (strchr(" (){%*\"\\]", name.data[i]))
            plain = false;
    if (slice_iis(buf_slice(&name), "NIL"))
        plain = false;
    if (!plain)
        buf_addc(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == '"' || name.data[i] == '\\')
            buf_addc(out, '\\');
        buf_addc(out, name.data[i]);
    }
    if (!plain)
        buf_addc(out, '"');
    buf_clear(&name);
}

/* ---- reading ---- */

static void
utf8_put(uint32_t c, struct buf *out)
{
    if (c < 0x80) {
        buf_addc(out, (char)c);
    } else if (c < 0x800) {
        buf_addc(out, (char)(0xc0 | c >> 6));
        buf_addc(out, (char)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        buf_addc(out, (char)(0xe0 | c >> 12));
        buf_addc(out, (char)(0x80 | (c >> 6 & 63)));
        buf_addc(out, (char)(0x80 | (c & 63)));
    } else {
        buf_addc(out, (char)(0xf0 | c >> 18));
        buf_addc(out, (char)(0x80 | (c >> 12 & 63)));
        buf_addc(out, (char)(0x80 | (c >> 6 & 63)));
        buf_addc(out, (char)(0x80 | (c & 63)));
    }
}

/* The units between "&" and "-". */
static bool
decode_units(struct slice s, struct buf *out)
{
    uint32_t bits = 0, high = 0;
    unsigned n = 0;

    for (size_t i = 0; i < s.n; i++) {
        const char *d = s.p[i] ? strchr(digits, s.p[i]) : NULL;
        uint32_t unit;

        if (!d)
            return false;
        bits = bits << 6 | (uint32_t)(d - digits);
        n += 6;
        if (n < 16)
            continue;
        n -= 16;
        unit = bits >> n & 0xffff;
        if (unit >= 0xd800 && unit < 0xdc00 && !high) {
            high = unit;
        } else if (high && unit >= 0xdc00 && unit < 0xe000) {
            utf8_put(0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00), out);
            high = 0;
        } else if (high || !unit || (unit >= 0xd800 && unit < 0xe000)) {
            return false;
        } else {
            utf8_put(unit, out);
        }
    }
    return !high;
}

static bool
decode(struct slice s, struct buf *out)
{
    while (s.n) {
        unsigned char c = (unsigned char)*s.p;
        size_t end;

        if (c < 0x20 || c >= 0x7f)
            return false;
        if (c != '&') {
            buf_addc(out, (char)c);
            s = slice_from(s, 1);
            continue;
        }
        end = slice_find(s, '-');
        if (end == s.n)
            return false;
        if (end == 1)
            buf_addc(out, '&');
        else if (!decode_units(slice_cut(s, 1, end), out))
            return false;
        s = slice_from(s, end + 1);
    }
    return !out->over;
}

int
imap_utf7_decode(struct slice name, struct arena *a, const char **out,
                 struct err *e)
{
    struct buf utf8 = BUF_INIT(4096), back = BUF_INIT(8192);
    int rc = 0;

    if (!decode(name, &utf8) || name.n > 2000)
        rc = -1;
    else
        imap_utf7_encode(utf8.len ? utf8.data : "", &back);
    if (rc || !slice_eq(buf_slice(&back), name))
        rc = err_set(e, E_MISSING,
                     "the mailbox name is no valid modified UTF-7");
    else
        *out = arena_dup(a, buf_slice(&utf8));
    buf_clear(&utf8);
    buf_clear(&back);
    return rc;
}
