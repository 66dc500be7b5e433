/*
 * Transfer encodings: base64, quoted-printable, uuencode. Decoding takes what
 * mail really holds; encoding makes what survives every transport and every
 * signature. Charsets are in charset.c, encoded words in words.c.
 *
 * Rejected: libetpan's decoders. Their string type moves to a file once it
 * is large, and plaintext must not touch the disk.
 */
#include "mime/encoding.h"

#include <string.h>

#include "base/code.h"
#include "base/mem.h"

static const struct {
    const char *name;
    enum mime_encoding enc;
} names[] = {
    {"7bit", MIME_7BIT},           {"8bit", MIME_8BIT},
    {"binary", MIME_BINARY},       {"quoted-printable", MIME_QP},
    {"base64", MIME_BASE64},       {"x-uuencode", MIME_UU},
    {"uuencode", MIME_UU},         {"x-uue", MIME_UU},
};

enum mime_encoding
mime_encoding_of(struct slice name)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(names); i++)
        if (slice_iis(slice_trim(name), names[i].name))
            return names[i].enc;
    return MIME_UNKNOWN;
}

const char *
mime_encoding_name(enum mime_encoding enc)
{
    size_t i;

    for (i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].enc == enc)
            return names[i].name;
    return "unknown";
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
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* Padding starts a new group: concatenated base64 is decoded on. */
static int
base64_decode(struct slice in, struct buf *out)
{
    unsigned long bits = 0;
    unsigned have = 0;
    size_t i, n = 0;
    char *p = buf_room(out, in.n / 4 * 3 + 3);

    if (p == NULL)
        return -1;
    for (i = 0; i < in.n; i++) {
        int v = base64_value((unsigned char)in.p[i]);

        if (in.p[i] == '=')
            have = 0;
        if (v < 0)
            continue;
        bits = (bits << 6 | (unsigned long)v) & 0xffffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            p[n++] = (char)(bits >> have & 0xff);
        }
    }
    buf_added(out, n);
    return 0;
}

static int
hex_value(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `in` is one line without its end. true: the line end is soft. */
static bool
qp_line(struct slice in, char *dst, size_t *n)
{
    size_t i;

    while (in.n > 0 && (in.p[in.n - 1] == ' ' || in.p[in.n - 1] == '\t'))
        in.n--; /* RFC 2045 section 6.7 rule 3 */
    for (i = 0; i < in.n; i++) {
        int hi, lo;

        if (in.p[i] != '=') {
            dst[(*n)++] = in.p[i];
            continue;
        }
        if (i + 1 == in.n)
            return true;
        hi = hex_value((unsigned char)in.p[i + 1]);
        lo = i + 2 < in.n ? hex_value((unsigned char)in.p[i + 2]) : -1;
        if (hi < 0 || lo < 0) {
            dst[(*n)++] = '='; /* not encoded after all */
            continue;
        }
        dst[(*n)++] = (char)(hi * 16 + lo);
        i += 2;
    }
    return false;
}

static int
qp_decode(struct slice in, struct buf *out)
{
    char *p = buf_room(out, in.n + 1);
    size_t n = 0;

    if (p == NULL)
        return -1;
    while (in.n > 0) {
        size_t eol = slice_find(in, '\n'), end = eol;
        bool soft;

        if (end > 0 && eol < in.n && in.p[end - 1] == '\r')
            end--;
        soft = qp_line(slice_cut(in, 0, end), p, &n);
        if (eol < in.n && !soft) {
            memcpy(p + n, in.p + end, eol + 1 - end);
            n += eol + 1 - end;
        }
        in = slice_from(in, eol + 1);
    }
    buf_added(out, n);
    return 0;
}

/* Lines between "begin" and "end"; other lines are skipped. */
static int
uu_decode(struct slice in, struct buf *out)
{
    struct slice line;
    bool inside = false;

    while (slice_next(&in, '\n', &line)) {
        unsigned want, i, got = 0;
        char bytes[64];

        if (line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        if (!inside) {
            inside = slice_starts(line, "begin ");
            continue;
        }
        if (slice_is(line, "end"))
            return 0;
        if (line.n == 0)
            continue;
        want = ((unsigned)(unsigned char)line.p[0] - 32) & 63;
        for (i = 0; got < want && i < 84; i++) {
            static const unsigned shift[] = {2, 4, 6};
            unsigned a, b, k = i / 3 * 4 + i % 3 + 1;

            a = k < line.n ? (unsigned)(line.p[k] - 32) & 63 : 0;
            b = k + 1 < line.n ? (unsigned)(line.p[k + 1] - 32) & 63 : 0;
            bytes[got++] = (char)(a << shift[i % 3] |
                                  b >> (6 - shift[i % 3]));
        }
        if (buf_add(out, bytes, got) < 0)
            return -1;
    }
    return 0;
}

int
mime_decode(enum mime_encoding enc, struct slice in, struct buf *out)
{
    switch (enc) {
    case MIME_QP:
        return qp_decode(in, out);
    case MIME_BASE64:
        return base64_decode(in, out);
    case MIME_UU:
        return uu_decode(in, out);
    case MIME_7BIT:
    case MIME_8BIT:
    case MIME_BINARY:
    case MIME_UNKNOWN:
        break;
    }
    return buf_add_slice(out, in);
}

int
mime_encode_base64(struct slice in, struct buf *out)
{
    return code_base64_write(out, in, 76);
}

/* Must this byte be encoded? `next` is what follows, -1 at the end of text
 * or of a line; column 0 is a line start. */
static bool
qp_must(struct slice in, size_t i, bool line_end, size_t column)
{
    unsigned char c = (unsigned char)in.p[i];

    if (c == '=' || (c < 32 && c != '\t') || c > 126)
        return true;
    if ((c == ' ' || c == '\t') && line_end)
        return true;
    if (column > 0)
        return false;
    /* mbox writers, SMTP dots, and the delimiters of a multipart around */
    return c == '.' || slice_starts(slice_from(in, i), "From ") ||
           slice_starts(slice_from(in, i), "--");
}

int
mime_encode_qp(struct slice in, bool text, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t i, column = 0;

    for (i = 0; i < in.n; i++) {
        bool line_end = i + 1 == in.n ||
                        (text && (in.p[i + 1] == '\r' ||
                                  in.p[i + 1] == '\n'));
        char enc[4] = {0};
        size_t n;

        if (text && (in.p[i] == '\n' || in.p[i] == '\r')) {
            if (in.p[i] == '\r' && i + 1 < in.n && in.p[i + 1] == '\n')
                i++;
            if (buf_adds(out, "\r\n") < 0)
                return -1;
            column = 0;
            continue;
        }
        if (column >= 73) { /* room for one more and the "=" */
            if (buf_adds(out, "=\r\n") < 0)
                return -1;
            column = 0;
        }
        if (qp_must(in, i, line_end, column)) {
            unsigned char c = (unsigned char)in.p[i];

            enc[0] = '=';
            enc[1] = hex[c >> 4];
            enc[2] = hex[c & 15];
            n = 3;
        } else {
            enc[0] = in.p[i];
            n = 1;
        }
        if (buf_add(out, enc, n) < 0)
            return -1;
        column += n;
    }
    return 0;
}
