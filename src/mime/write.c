/*
 * Writing fields, changing header sections, building multiparts. Called by
 * outbox, smime, view and the reports. Turning a message into seven bits is
 * in seven.c.
 */
#include "mime/write.h"

#include <string.h>

#include "base/code.h"
#include "mime/address.h"
#include "mime/date.h"
#include "mime/encoding.h"
#include "mime/header.h"

/* One line, no control characters: a value can never begin a new field. */
static void
one_line(struct slice in, struct buf *out)
{
    size_t i;

    in = slice_trim(in);
    for (i = 0; i < in.n; i++) {
        unsigned char c = (unsigned char)in.p[i];

        buf_addc(out, c < 32 || c == 127 ? ' ' : (char)c);
    }
}

/* Adds text that starts at `column`, with a line break before blanks where a
 * line would pass 78. */
static void
fold(struct slice text, size_t column, struct buf *out)
{
    size_t i = 0, end;

    while (i < text.n) {
        for (end = i + 1; end < text.n && text.p[end] != ' ' &&
                          text.p[end] != '\t';)
            end++;
        /* A line of blanks only would end the header for some readers. */
        if (column + (end - i) > 78 && column > 1 && end > i + 1 &&
            (text.p[i] == ' ' || text.p[i] == '\t')) {
            buf_adds(out, "\r\n");
            column = 0;
        }
        buf_add(out, text.p + i, end - i);
        column += end - i;
        i = end;
    }
}

int
mime_write_raw(const char *name, struct slice value, struct buf *out)
{
    struct buf text = BUF_INIT(value.n + 1);

    one_line(value, &text);
    buf_addf(out, "%s: ", name);
    fold(buf_slice(&text), strlen(name) + 2, out);
    buf_clear(&text);
    return buf_adds(out, "\r\n");
}

/* ASCII that no reader takes for encoded words, and that fits into lines. */
static bool
is_foldable(struct slice s)
{
    size_t run = 0;

    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] > 127 ||
            (s.p[i] == '=' && i + 1 < s.n && s.p[i + 1] == '?'))
            return false;
        run = s.p[i] == ' ' ? 0 : run + 1;
        if (run > 900)
            return false; /* RFC 5322 section 2.1.1: lines of 998 */
    }
    return true;
}

int
mime_write_field(const char *name, struct slice utf8, struct buf *out)
{
    struct buf text = BUF_INIT(utf8.n + 1), clean = BUF_INIT(utf8.n * 3 + 16);
    size_t column = strlen(name) + 2;

    one_line(utf8, &text);
    buf_addf(out, "%s: ", name);
    mime_charset_utf8(NULL, buf_slice(&text), &clean);
    buf_reset(&text);
    if (is_foldable(buf_slice(&clean)))
        fold(buf_slice(&clean), column, out);
    else
        mime_words_encode(buf_slice(&clean), false, column, out);
    buf_clear(&text);
    buf_clear(&clean);
    return buf_adds(out, "\r\n");
}

/* Is it encoded words already, and nothing but those? A name like
 * "=?x?= <eve@example.org>, =?y?=" must not come out of its quotes. */
static bool
is_words(struct slice s)
{
    struct slice word;

    if (s.n == 0)
        return false;
    while (slice_next(&s, ' ', &word)) {
        size_t marks = 0;

        if (word.n == 0)
            continue;
        if (word.n < 8 || !slice_starts(word, "=?") || !slice_ends(word, "?="))
            return false;
        for (size_t i = 0; i < word.n; i++) {
            if (word.p[i] < 33 || word.p[i] > 126 ||
                strchr("()<>[]:;@\\,\"", word.p[i]))
                return false;
            marks += word.p[i] == '?';
        }
        if (marks != 4)
            return false;
    }
    return true;
}

static bool
is_atoms(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != ' ' && !ascii_is_alpha((unsigned char)s.p[i]) &&
            !ascii_is_digit((unsigned char)s.p[i]) &&
            strchr("!#$%&'*+-/=?^_`{|}~", s.p[i]) == NULL)
            return false;
    return s.n > 0;
}

static void
add_quoted(struct slice s, struct buf *out)
{
    buf_addc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            buf_addc(out, '\\');
        buf_addc(out, s.p[i]);
    }
    buf_addc(out, '"');
}

/* A display name: atoms, a quoted string, or encoded words. */
static void
add_name(const char *name, size_t column, struct buf *out)
{
    struct buf text = BUF_INIT(BUF_OURS), utf8 = BUF_INIT(BUF_OURS);
    struct slice s;

    one_line(slice_of(name), &text);
    mime_charset_utf8(NULL, buf_slice(&text), &utf8);
    s = buf_slice(&utf8);
    if (!mime_is_ascii(s))
        mime_words_encode(s, true, column, out);
    else if (is_words(s) || is_atoms(s))
        buf_add_slice(out, s);
    else
        add_quoted(s, out);
    buf_clear(&text);
    buf_clear(&utf8);
}

/* Nothing in it that would end the address. A literal may hold colons. */
static bool
is_safe_domain(struct slice d)
{
    bool literal = slice_starts(d, "[") && slice_ends(d, "]") && d.n > 2;

    if (literal)
        d = slice_cut(d, 1, d.n - 1);
    for (size_t i = 0; i < d.n; i++) {
        unsigned char c = (unsigned char)d.p[i];

        if (c <= 32 || c == 127 || strchr("()<>[]@\\,;\"", c) != NULL ||
            (c == ':' && !literal))
            return false;
    }
    return true;
}

static void
add_spec(const struct mime_address *a, struct buf *out)
{
    struct buf spec = BUF_INIT(BUF_OURS);

    if (is_safe_domain(slice_of(a->domain))) {
        mime_address_spec(a, &spec);
        one_line(buf_slice(&spec), out);
    } else {
        /* As a local part alone it is nobody, and adds nobody. */
        buf_addf(&spec, "%s@%s", a->local, a->domain);
        add_quoted(buf_slice(&spec), out);
    }
    buf_clear(&spec);
}

static void
add_address(const struct mime_address *a, size_t column, struct buf *out)
{
    if (a->name == NULL || a->name[0] == '\0') {
        add_spec(a, out);
        return;
    }
    add_name(a->name, column, out);
    buf_adds(out, " <");
    add_spec(a, out);
    buf_addc(out, '>');
}

int
mime_write_addresses(const char *name, const struct mime_addresses *l,
                     struct buf *out)
{
    struct buf one = BUF_INIT(BUF_OURS);
    size_t i, column = strlen(name) + 2;
    bool comma = false;

    if (l->count == 0)
        return 0;
    buf_addf(out, "%s: ", name);
    for (i = 0; i < l->count && !out->over; i++) {
        const struct mime_address *a = &l->list[i];

        buf_reset(&one);
        if (a->kind == MIME_ADDRESS_END) {
            buf_addc(out, ';');
            column++;
            comma = true;
            continue;
        }
        if (a->kind == MIME_ADDRESS_GROUP) {
            add_name(a->name != NULL ? a->name : "group", 1, &one);
            buf_addc(&one, ':');
        } else {
            add_address(a, 1, &one);
        }
        if (comma)
            buf_addc(out, ',');
        if (i > 0 && column + one.len > 74) {
            buf_adds(out, "\r\n ");
            column = 1;
        } else if (i > 0) {
            buf_addc(out, ' ');
        }
        buf_add_slice(out, buf_slice(&one));
        column += one.len + 2;
        comma = a->kind == MIME_ADDRESS_MAILBOX;
    }
    buf_clear(&one);
    return buf_adds(out, "\r\n");
}

int
mime_write_date(const char *name, long long t, int zone, struct buf *out)
{
    buf_addf(out, "%s: ", name);
    mime_date_write(t, zone, out);
    return buf_adds(out, "\r\n");
}

/* ---- changing a header section */

static bool
change_fits(const struct mime_change *c, struct slice name)
{
    size_t n = strlen(c->name);

    if (n > 0 && c->name[n - 1] == '*') {
        name.n = name.n < n - 1 ? name.n : n - 1;
        return name.n == n - 1 && slice_ieq(name, slice_make(c->name, n - 1));
    }
    return slice_iis(name, c->name);
}

static int
over(const struct buf *out, struct err *e)
{
    if (!out->over)
        return 0;
    return err_set(e, E_LIMIT, "message exceeds %zu bytes", out->limit);
}

/* A last field without its line end gets one, for more may follow. */
static void
add_whole(struct slice whole, struct buf *out)
{
    buf_add_slice(out, whole);
    if (whole.n > 0 && whole.p[whole.n - 1] != '\n' &&
        whole.p[whole.n - 1] != '\r')
        buf_adds(out, "\r\n");
}

#define CHANGES_MAX 64

int
mime_write_changed(struct slice raw, const struct mime_change *changes,
                   size_t count, struct buf *out, struct err *e)
{
    size_t head = mime_header_length(raw), i;
    struct slice rest = slice_cut(raw, 0, head), tail;
    bool done[CHANGES_MAX] = {false};
    struct mime_field f;

    if (count > CHANGES_MAX)
        return err_set(e, E_BUG, "more than %d header changes", CHANGES_MAX);
    for (i = 0; i < count; i++) {
        if (changes[i].top)
            buf_add_slice(out, changes[i].field);
        done[i] = changes[i].top;
    }
    while (mime_field_next(&rest, &f)) {
        for (i = 0; i < count; i++)
            if (!changes[i].keep && f.name.n > 0 &&
                change_fits(&changes[i], f.name))
                break;
        if (i == count) {
            add_whole(f.whole, out);
            continue;
        }
        if (!done[i])
            buf_add_slice(out, changes[i].field);
        done[i] = true;
    }
    for (i = 0; i < count; i++)
        if (!done[i])
            buf_add_slice(out, changes[i].field);
    tail = slice_cut(raw, 0, head);
    tail = slice_from(tail, head - rest.n); /* the empty line */
    buf_add_slice(out, tail.n > 0 ? tail : SLICE("\r\n"));
    buf_add_slice(out, slice_from(raw, head));
    return over(out, e);
}

static bool
is_entity_field(struct slice name)
{
    return slice_istarts(name, "content-") ||
           slice_iis(name, "mime-version");
}

int
mime_write_split(struct slice raw, struct buf *header_out,
                 struct buf *entity_out, struct err *e)
{
    size_t head = mime_header_length(raw);
    struct slice rest = slice_cut(raw, 0, head);
    struct mime_field f;

    while (mime_field_next(&rest, &f)) {
        if (f.name.n == 0)
            continue; /* "From " lines and garbage belong to neither */
        if (!is_entity_field(f.name)) {
            if (header_out != NULL)
                add_whole(f.whole, header_out);
        } else if (entity_out != NULL &&
                   !slice_iis(f.name, "mime-version")) {
            add_whole(f.whole, entity_out);
        }
    }
    if (entity_out != NULL) {
        buf_adds(entity_out, "\r\n");
        buf_add_slice(entity_out, slice_from(raw, head));
    }
    if (header_out != NULL && over(header_out, e) < 0)
        return -1;
    return entity_out != NULL ? over(entity_out, e) : 0;
}

/* ---- bodies */

int
mime_write_crlf(struct slice raw, struct buf *out)
{
    size_t i, from = 0;

    for (i = 0; i < raw.n; i++) {
        if (raw.p[i] != '\r' && raw.p[i] != '\n')
            continue;
        if (raw.p[i] == '\r' && i + 1 < raw.n && raw.p[i + 1] == '\n') {
            i++;
            continue;
        }
        buf_add(out, raw.p + from, i - from);
        if (buf_adds(out, "\r\n") < 0)
            return -1;
        from = i + 1;
    }
    return buf_add_slice(out, slice_from(raw, from));
}

bool
mime_is_crlf(struct slice raw)
{
    size_t i;

    for (i = 0; i < raw.n; i++) {
        if (raw.p[i] == '\n')
            return false;
        if (raw.p[i] == '\r' &&
            (++i == raw.n || raw.p[i] != '\n'))
            return false;
    }
    return true;
}

void
mime_write_boundary(char dst[MIME_BOUNDARY_SIZE])
{
    memcpy(dst, "=_", 2);
    code_random_hex(dst + 2, 16);
}

int
mime_write_multipart(const char *subtype, const char *boundary,
                     const char *params, const struct slice *entities,
                     size_t count, struct buf *out)
{
    size_t i;

    buf_addf(out, "Content-Type: multipart/%s%s;\r\n boundary=\"%s\"\r\n\r\n",
             subtype, params != NULL ? params : "", boundary);
    for (i = 0; i < count; i++) {
        buf_addf(out, "%s--%s\r\n", i > 0 ? "\r\n" : "", boundary);
        buf_add_slice(out, entities[i]);
    }
    return buf_addf(out, "\r\n--%s--\r\n", boundary);
}

int
mime_write_text(struct slice utf8, struct buf *out)
{
    struct buf text = BUF_INIT(utf8.n * 3 + 16), crlf = BUF_INIT(BUF_OURS);
    struct slice rest, line;
    bool plain;

    mime_charset_utf8(NULL, utf8, &text);
    mime_write_crlf(buf_slice(&text), &crlf);
    plain = mime_is_ascii(buf_slice(&crlf));
    rest = buf_slice(&crlf);
    while (slice_next(&rest, '\n', &line))
        if (line.n > 79 || slice_starts(line, "From ") ||
            slice_starts(line, ".") || slice_ends(line, " \r") ||
            slice_ends(line, "\t\r"))
            plain = false;
    buf_addf(out,
             "Content-Type: text/plain; charset=%s\r\n"
             "Content-Transfer-Encoding: %s\r\n\r\n",
             plain ? "us-ascii" : "utf-8",
             plain ? "7bit" : "quoted-printable");
    if (plain)
        buf_add_slice(out, buf_slice(&crlf));
    else
        mime_encode_qp(buf_slice(&crlf), true, out);
    buf_clear(&text);
    buf_clear(&crlf);
    return out->over ? -1 : 0;
}
