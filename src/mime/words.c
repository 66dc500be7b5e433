/*
 * Encoded words (RFC 2047 with the language tags of RFC 2231) and encoded
 * parameters (RFC 2231), both ways. Decoding never fails: what is no word
 * stays as it is.
 */
#include <string.h>

#include "base/code.h"
#include "base/mem.h"
#include "mime/encoding.h"

struct word {
    struct slice charset, text;
    char encoding;
};

/* "=?charset?B?text?=" at the front of s; its length, or 0. */
static size_t
word_parse(struct slice s, struct word *w)
{
    struct slice rest;
    size_t n, star;

    if (s.n < 8 || s.p[0] != '=' || s.p[1] != '?')
        return 0;
    rest = slice_from(s, 2);
    for (n = 0; n < rest.n && n < 60 && rest.p[n] > 32 && rest.p[n] != '?';)
        n++;
    if (n == 0 || n + 3 > rest.n || rest.p[n] != '?' || rest.p[n + 2] != '?')
        return 0;
    w->charset = slice_cut(rest, 0, n);
    star = slice_find(w->charset, '*');
    w->charset.n = star;
    w->encoding = (char)ascii_lower((unsigned char)rest.p[n + 1]);
    if (w->encoding != 'b' && w->encoding != 'q')
        return 0;
    rest = slice_from(rest, n + 3);
    /* Blanks inside are wrong but common with Q. A "?" ends the text. */
    n = slice_find(rest, '?');
    if (n + 1 >= rest.n || rest.p[n + 1] != '=')
        return 0;
    w->text = slice_cut(rest, 0, n);
    return (size_t)(rest.p - s.p) + n + 2;
}

static void
word_bytes(const struct word *w, struct buf *out)
{
    size_t i;

    if (w->encoding == 'b') {
        mime_decode(MIME_BASE64, w->text, out);
        return;
    }
    for (i = 0; i < w->text.n; i++) {
        struct slice hex = slice_cut(w->text, i + 1, i + 3);
        char c = w->text.p[i];

        if (c == '=' && hex.n == 2 && code_hex_parse(out, hex) == 0)
            i += 2;
        else
            buf_addc(out, c == '_' ? ' ' : c);
    }
}

/* Words waiting for more of the same charset: a character may be split. */
struct pending {
    struct slice charset;
    struct buf bytes;
};

static int
pending_flush(struct pending *p, struct buf *out)
{
    char charset[64];
    int rc;

    if (p->bytes.len == 0)
        return 0;
    if (!slice_copy(p->charset, charset, sizeof(charset)))
        charset[0] = '\0';
    rc = mime_charset_utf8(charset, buf_slice(&p->bytes), out);
    buf_reset(&p->bytes);
    return rc;
}

static int
words_walk(struct slice in, struct pending *p, struct buf *out)
{
    struct slice plain;
    struct word w;
    size_t at = 0, from = 0, n;
    bool after_word = false;

    while (at < in.n) {
        const char *q = memchr(in.p + at, '=', in.n - at);

        if (q == NULL)
            break;
        at = (size_t)(q - in.p);
        n = word_parse(slice_from(in, at), &w);
        if (n == 0) {
            at++;
            continue;
        }
        plain = slice_cut(in, from, at);
        if (!after_word || slice_trim(plain).n > 0) {
            if (pending_flush(p, out) < 0 ||
                mime_charset_utf8(NULL, plain, out) < 0)
                return -1;
        }
        if (!slice_ieq(p->charset, w.charset) && pending_flush(p, out) < 0)
            return -1;
        p->charset = w.charset;
        word_bytes(&w, &p->bytes);
        at += n;
        from = at;
        after_word = true;
    }
    if (pending_flush(p, out) < 0)
        return -1;
    return mime_charset_utf8(NULL, slice_from(in, from), out);
}

int
mime_words_decode(struct slice in, struct buf *out)
{
    struct pending p = {.bytes = BUF_INIT(in.n + 8)};
    int rc = words_walk(in, &p, out);

    buf_clear(&p.bytes);
    return rc;
}

/* ---- encoding */

/* Length of the character at i, so that no word splits one. */
static size_t
char_length(struct slice in, size_t i)
{
    size_t n = 1;

    while (n < 4 && i + n < in.n && ((unsigned char)in.p[i + n] & 0xc0) == 0x80)
        n++;
    return n;
}

static bool
word_safe(unsigned char c)
{
    /* RFC 2047 section 5 (3): safe in phrases, so safe everywhere. */
    return c < 128 && (ascii_is_alpha(c) || ascii_is_digit(c) ||
                       (c != 0 && strchr("!*+-/", c) != NULL));
}

/* One character as Q or as it counts for B; encodes into words of at most 75
 * characters, lines of at most 76. */
static int
words_write(struct slice in, bool base64, size_t column, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    struct buf text = BUF_INIT(256);
    size_t i = 0, used = 0, from = 0;

    while (i <= in.n) {
        size_t len = i < in.n ? char_length(in, i) : 0, cost = 0, k;
        size_t limit = column + 12 > 70 ? 20 : 75 - column;

        for (k = 0; k < len; k++)
            cost += base64                             ? 0
                    : word_safe((unsigned char)in.p[i + k]) ||
                            in.p[i + k] == ' '
                        ? 1
                        : 3;
        if (base64)
            cost = (i + len - from + 2) / 3 * 4 - used;
        if (i == in.n || (used > 0 && 12 + used + cost > limit)) {
            if (base64)
                code_base64_write(&text, slice_cut(in, from, i), 0);
            if (buf_addf(out, "=?utf-8?%c?%.*s?=%s", base64 ? 'B' : 'Q',
                         (int)text.len, text.len > 0 ? text.data : "",
                         i < in.n ? "\r\n " : "") < 0)
                break;
            buf_reset(&text);
            column = 1;
            used = 0;
            from = i;
            if (i == in.n)
                break;
            continue;
        }
        for (k = 0; k < len && !base64; k++) {
            unsigned char c = (unsigned char)in.p[i + k];

            if (c == ' ')
                buf_addc(&text, '_');
            else if (word_safe(c))
                buf_addc(&text, (char)c);
            else
                buf_addf(&text, "=%c%c", hex[c >> 4], hex[c & 15]);
        }
        used += cost;
        i += len;
    }
    buf_clear(&text);
    return out->over ? -1 : 0;
}

static bool
needs_words(struct slice in, bool phrase)
{
    size_t i, run = 0;

    for (i = 0; i < in.n; i++) {
        unsigned char c = (unsigned char)in.p[i];

        run = c == ' ' ? 0 : run + 1;
        if (c > 126 || c < 32 || run > 900)
            return true;
        if (c == '=' && i + 1 < in.n && in.p[i + 1] == '?')
            return true;
        if (phrase && !word_safe(c) && c != ' ' &&
            strchr("#$%&'=?^_`{|}~", c) == NULL)
            return true;
    }
    return false;
}

int
mime_words_encode(struct slice in, bool phrase, size_t column,
                  struct buf *out)
{
    size_t high = 0, i;

    if (!needs_words(in, phrase))
        return buf_add_slice(out, in);
    for (i = 0; i < in.n; i++)
        high += (unsigned char)in.p[i] > 127;
    return words_write(in, high * 3 > in.n, column, out);
}

/* ---- parameters */

static bool
param_char(unsigned char c)
{
    return c > 32 && c < 127 && strchr("()<>@,;:\\\"/[]?=*'%", c) == NULL;
}

/* One piece of an extended value; returns how many bytes went in. */
static size_t
param_piece(struct slice v, size_t room, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t i = 0, used = 0;

    while (i < v.n) {
        size_t len = char_length(v, i), k;

        if (used > 0 && used + len * 3 > room)
            break;
        for (k = 0; k < len; k++) {
            unsigned char c = (unsigned char)v.p[i + k];

            if (param_char(c))
                buf_addc(out, (char)c);
            else
                buf_addf(out, "%%%c%c", hex[c >> 4], hex[c & 15]);
            used += param_char(c) ? 1 : 3;
        }
        i += len;
    }
    return i;
}

static int
param_extended(const char *name, struct slice v, size_t *column,
               struct buf *out)
{
    unsigned n = 0;
    size_t took, start;
    bool one = v.n * 3 + strlen(name) < 50;

    do {
        buf_adds(out, ";\r\n ");
        start = out->len;
        if (one)
            buf_addf(out, "%s*=utf-8''", name);
        else
            buf_addf(out, "%s*%u*=%s", name, n, n == 0 ? "utf-8''" : "");
        took = param_piece(v, one ? 200 : 50, out);
        v = slice_from(v, took);
        *column = 1 + out->len - start;
        n++;
    } while (v.n > 0 && !out->over);
    return out->over ? -1 : 0;
}

int
mime_param_write(const char *name, struct slice value, size_t *column,
                 struct buf *out)
{
    bool token = value.n > 0, plain = value.n < 60;
    size_t i, len;

    for (i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];

        token = token && param_char(c);
        plain = plain && c >= 32 && c < 127;
    }
    if (!plain)
        return param_extended(name, value, column, out);
    len = strlen(name) + value.n + 5;
    if (*column + len > 76) {
        buf_adds(out, ";\r\n ");
        *column = 1;
    } else {
        buf_adds(out, "; ");
        *column += 2;
    }
    buf_addf(out, "%s=", name);
    *column += len - 2;
    if (token)
        return buf_add_slice(out, value);
    buf_addc(out, '"');
    for (i = 0; i < value.n; i++) {
        if (value.p[i] == '"' || value.p[i] == '\\')
            buf_addc(out, '\\');
        buf_addc(out, value.p[i]);
    }
    return buf_addc(out, '"');
}
