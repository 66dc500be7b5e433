/*
 * Charsets to UTF-8, by iconv. Whatever comes in, valid UTF-8 goes out: the
 * store's index, the control socket and JSON rely on it.
 */
#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mime/encoding.h"

/* Names that mail uses and iconv reads differently or not at all. Windows
 * programs say iso-8859-1 and mean windows-1252 (as in the WHATWG's table). */
static const struct {
    const char *mail, *iconv;
} aliases[] = {
    {"iso-8859-1", "windows-1252"}, {"latin1", "windows-1252"},
    {"us-ascii", "windows-1252"},   {"ascii", "windows-1252"},
    {"ks_c_5601-1987", "cp949"},    {"euc-kr", "cp949"},
    {"gb2312", "gb18030"},          {"gbk", "gb18030"},
    {"shift_jis", "cp932"},         {"x-sjis", "cp932"},
    {"iso-8859-8-i", "iso-8859-8"}, {"iso-8859-9", "windows-1254"},
    {"unicode-1-1-utf-7", "utf-7"}, {"x-mac-roman", "macintosh"},
    {"utf8", "utf-8"},              {"cp-850", "cp850"},
};

/* windows-1252, 0x80 to 0x9f; holes stay what they are in latin1. */
static const unsigned short cp1252[32] = {
    0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021,
    0x2c6,  0x2030, 0x160,  0x2039, 0x152,  0x8d,   0x17d,  0x8f,
    0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
    0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178,
};

/* Length of the valid UTF-8 sequence at p, or 0. */
static size_t
utf8_length(const unsigned char *p, size_t n)
{
    size_t len, i;
    unsigned long c;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (len > n)
        return 0;
    c = p[0] & (0x7fu >> len);
    for (i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3fu);
    }
    if ((len == 3 && c < 0x800) || (len == 4 && c < 0x10000))
        return 0;
    return c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : len;
}

bool
mime_is_utf8(struct slice s)
{
    size_t i = 0, len;

    while (i < s.n) {
        len = utf8_length((const unsigned char *)s.p + i, s.n - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

bool
mime_is_ascii(struct slice s)
{
    size_t i;

    for (i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 127)
            return false;
    return true;
}

/* What is UTF-8 stays; other bytes are windows-1252. */
static int
guess(struct slice in, struct buf *out)
{
    size_t i = 0, len;

    while (i < in.n) {
        const unsigned char *p = (const unsigned char *)in.p + i;
        unsigned c = *p;
        char seq[3];

        len = utf8_length(p, in.n - i);
        if (len > 0) {
            if (buf_add(out, p, len) < 0)
                return -1;
            i += len;
            continue;
        }
        if (c >= 0x80 && c < 0xa0)
            c = cp1252[c - 0x80];
        if (c < 0x800) {
            seq[0] = (char)(0xc0 | c >> 6);
            seq[1] = (char)(0x80 | (c & 0x3f));
            len = 2;
        } else {
            seq[0] = (char)(0xe0 | c >> 12);
            seq[1] = (char)(0x80 | (c >> 6 & 0x3f));
            seq[2] = (char)(0x80 | (c & 0x3f));
            len = 3;
        }
        if (buf_add(out, seq, len) < 0)
            return -1;
        i++;
    }
    return 0;
}

static iconv_t
open_charset(const char *charset)
{
    size_t i;

    /* A slash gives iconv's own options: none from outside. */
    if (strchr(charset, '/') != NULL || strlen(charset) > 60)
        return (iconv_t)-1;
    for (i = 0; i < ARRAY_LEN(aliases); i++)
        if (ascii_icmp(charset, aliases[i].mail) == 0)
            charset = aliases[i].iconv;
    return iconv_open("utf-8", charset);
}

bool
mime_charset_known(const char *charset)
{
    iconv_t cd = open_charset(charset);

    if (cd == (iconv_t)-1)
        return false;
    iconv_close(cd);
    return true;
}

/* What iconv kept back: a letter that a combining mark might follow. */
static int
convert_end(iconv_t cd, struct buf *out)
{
    char chunk[64], *dst = chunk;
    size_t room = sizeof(chunk);

    iconv(cd, NULL, NULL, &dst, &room);
    return buf_add(out, chunk, (size_t)(dst - chunk));
}

static int
convert(iconv_t cd, struct slice in, struct buf *out)
{
    char chunk[4096], *src = (char *)(uintptr_t)in.p;
    size_t left = in.n;

    while (left > 0) {
        char *dst = chunk;
        size_t room = sizeof(chunk);
        size_t rc = iconv(cd, &src, &left, &dst, &room);
        int why = rc == (size_t)-1 ? errno : 0;

        if (buf_add(out, chunk, (size_t)(dst - chunk)) < 0)
            return -1;
        if (why == E2BIG || why == 0)
            continue;
        if (convert_end(cd, out) < 0 ||
            buf_adds(out, "\xef\xbf\xbd") < 0) /* U+FFFD */
            return -1;
        if (why != EILSEQ)
            break; /* a sequence cut at the end */
        src++;
        left--;
    }
    return convert_end(cd, out);
}

int
mime_charset_utf8(const char *charset, struct slice in, struct buf *out)
{
    iconv_t cd;
    int rc;

    /* ISO-2022 and UTF-7 look like ASCII, so only names that are supersets
     * of it go the short way. */
    if (charset == NULL || ascii_icmp(charset, "utf-8") == 0 ||
        ascii_icmp(charset, "us-ascii") == 0)
        return guess(in, out);
    cd = open_charset(charset);
    if (cd == (iconv_t)-1)
        return guess(in, out);
    rc = convert(cd, in, out);
    iconv_close(cd);
    return rc;
}
