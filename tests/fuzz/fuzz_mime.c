/*
 * The room mime: the splitter's tree is sound and linear, what is said of it
 * to IMAP is well formed, and what is written reads back as what was meant.
 * The whole input is a message; its header is also taken apart for the
 * readers of values.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mime/address.h"
#include "mime/date.h"
#include "mime/header.h"
#include "mime/imap.h"
#include "mime/section.h"
#include "mime/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)   \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

/* ---- the tree ---- */

static size_t
count_lines(struct slice s)
{
    size_t n = 0, i;

    for (i = 0; i < s.n; i++)
        if (s.p[i] == '\n' ||
            (s.p[i] == '\r' && (i + 1 == s.n || s.p[i + 1] != '\n')))
            n++;
    return n + (s.n > 0 && s.p[s.n - 1] != '\n' && s.p[s.n - 1] != '\r');
}

static void
path_of(const struct mime_part *p, struct buf *out)
{
    if (p->parent)
        path_of(p->parent, out);
    if (p->number)
        buf_addf(out, "%s%u", out->len ? "." : "", p->number);
    else if (!mime_part_is_multipart(p))
        buf_addf(out, "%s1", out->len ? "." : "");
}

static void
check_section(const struct mime_message *m, const struct mime_part *p)
{
    struct buf path = BUF_INIT(65536);
    struct slice range, at;
    enum mime_section what;
    struct err e;

    path_of(p, &path);
    if (path.len) {
        MUST(mime_section_find(m, buf_slice(&path)) == p ||
             (p->flags & MIME_PART_ROOT));
        buf_adds(&path, ".MIME");
        MUST(!mime_section_parse(buf_slice(&path), &at, &what, &e));
        MUST(what == MIME_SECTION_MIME && at.n == path.len - 5);
        MUST(mime_section_range(m, at, MIME_SECTION_ALL, &range));
        MUST(mime_section_range(m, at, what, &range));
    }
    buf_clear(&path);
}

static void
check_part(const struct mime_message *m, const struct mime_part *p)
{
    const struct mime_part *c, *before = NULL;
    unsigned n = 0;

    MUST(p->head <= p->body && p->body <= p->end);
    MUST(p->end <= mime_message_raw(m).n);
    MUST(p->body_lines == count_lines(mime_part_body(m, p)));
    MUST(p->type && p->subtype && p->encoding_name);
    for (c = p->child; c; before = c, c = c->next) {
        MUST(c->parent == p && c->head >= p->body && c->end <= p->end);
        MUST(!before || c->head >= before->end);
        n++;
        MUST(mime_part_is_message(p) ? c->number == 0 : c->number == n);
    }
    MUST(n == p->children);
    check_section(m, p);
}

/* ---- what IMAP is told: strings, literals, atoms, balanced lists ---- */

static size_t
imap_literal(struct slice s, size_t i)
{
    size_t n = 0;

    for (i++; i < s.n && ascii_is_digit(s.p[i]); i++)
        n = n * 10 + (size_t)(s.p[i] - '0');
    MUST(i + 2 < s.n + 1 && s.p[i] == '}' && s.p[i + 1] == '\r' &&
         s.p[i + 2] == '\n');
    MUST(n <= s.n - i - 3);
    return i + 3 + n;
}

static void
check_imap(struct slice s)
{
    size_t i = 0, depth = 0;

    MUST(s.n && s.p[0] == '(');
    while (i < s.n) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == '"') {
            for (i++; i < s.n && s.p[i] != '"'; i++) {
                i += s.p[i] == '\\';
                MUST(i < s.n && s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] &&
                     (unsigned char)s.p[i] < 127);
            }
            MUST(i < s.n);
            i++;
        } else if (c == '{') {
            i = imap_literal(s, i);
        } else {
            MUST(c == '(' || c == ')' || c == ' ' || ascii_is_alpha(c) ||
                 ascii_is_digit(c));
            depth += c == '(';
            MUST(c != ')' || depth-- > 0);
            i++;
            MUST(depth || i == s.n);
        }
    }
    MUST(!depth);
}

static void
check_structure(const struct mime_message *m)
{
    struct buf out = BUF_INIT((size_t)64 << 20);
    struct err e;

    MUST(!mime_imap_structure(m, true, &out, &e));
    check_imap(buf_slice(&out));
    buf_reset(&out);
    MUST(!mime_imap_structure(m, false, &out, &e));
    check_imap(buf_slice(&out));
    buf_reset(&out);
    MUST(!mime_imap_envelope(m, NULL, &out, &e));
    check_imap(buf_slice(&out));
    buf_reset(&out);
    MUST(!mime_describe(m, &out, &e));
    buf_clear(&out);
}

static void
check_texts(const struct mime_message *m, const struct mime_part *p)
{
    struct buf out = BUF_INIT((size_t)4 << 20);

    if (!p->child && mime_part_text(m, p, &out) == 0)
        MUST(mime_is_utf8(buf_slice(&out)));
    buf_reset(&out);
    if (mime_part_filename(p, &out))
        MUST(mime_is_utf8(buf_slice(&out)));
    buf_clear(&out);
}

/* Seven bits: the same tree, and each leaf decodes to the same bytes. */
static void
check_seven(const struct mime_message *m)
{
    struct buf out = BUF_INIT((size_t)16 << 20), a = BUF_INIT(BUF_OURS),
               b = BUF_INIT(BUF_OURS), t = BUF_INIT(BUF_OURS);
    const struct mime_part *p = NULL, *q = NULL;
    struct mime_message *n;
    struct err e;

    if (mime_write_7bit(mime_message_raw(m), NULL, &out, &e))
        goto out;
    MUST(mime_is_crlf(buf_slice(&out)));
    MUST(!mime_message_parse(buf_slice(&out), NULL, &n, &e));
    if (!mime_message_is_cut(m) && !mime_message_is_cut(n)) {
        MUST(mime_message_parts(n) == mime_message_parts(m));
        while ((p = mime_part_next(m, p)) && (q = mime_part_next(n, q))) {
            if (p->child || p->encoding == MIME_UU) /* its lines are LF */
                continue;
            mime_part_decode(m, p, &t);
            mime_write_crlf(buf_slice(&t), &a);
            buf_reset(&t);
            mime_part_decode(n, q, &t);
            mime_write_crlf(buf_slice(&t), &b);
            MUST(a.len == b.len && (!a.len || !memcmp(a.data, b.data, a.len)));
            buf_reset(&a);
            buf_reset(&b);
            buf_reset(&t);
        }
    }
    mime_message_free(&n);
out:
    buf_clear(&out);
    buf_clear(&a);
    buf_clear(&b);
    buf_clear(&t);
}

/* ---- values ---- */

/* Blanks and what stands for them do not matter, all else does. */
static void
squeeze(struct slice in, struct buf *out)
{
    buf_reset(out);
    for (size_t i = 0; i < in.n; i++)
        if ((unsigned char)in.p[i] > 32 && in.p[i] != 127)
            buf_addc(out, in.p[i]);
}

static void
same_text(struct slice x, struct slice y)
{
    struct buf a = BUF_INIT(BUF_OURS), b = BUF_INIT(BUF_OURS);

    squeeze(x, &a);
    squeeze(y, &b);
    MUST(slice_eq(buf_slice(&a), buf_slice(&b)));
    buf_clear(&a);
    buf_clear(&b);
}

static void
check_words(struct slice value)
{
    struct buf text = BUF_INIT(BUF_OURS), field = BUF_INIT(BUF_OURS),
               again = BUF_INIT(BUF_OURS), plain = BUF_INIT(BUF_OURS);
    struct slice rest;
    struct mime_field f;

    mime_header_unfold(value, &plain);
    mime_words_decode(buf_slice(&plain), &text);
    MUST(mime_is_utf8(buf_slice(&text)));
    mime_write_field("Subject", buf_slice(&text), &field);
    MUST(mime_is_ascii(buf_slice(&field)));
    rest = buf_slice(&field);
    MUST(mime_field_next(&rest, &f) && rest.n == 0);
    MUST(slice_is(f.name, "Subject"));
    MUST(mime_header_text(buf_slice(&field), "subject", &again));
    same_text(buf_slice(&text), buf_slice(&again));
    buf_clear(&text);
    buf_clear(&field);
    buf_clear(&again);
    buf_clear(&plain);
}

static void
check_addresses(struct slice value)
{
    struct mime_addresses a = {0}, b = {0};
    struct buf out = BUF_INIT(BUF_OURS), x = BUF_INIT(BUF_OURS),
               y = BUF_INIT(BUF_OURS);
    struct slice rest;
    struct mime_field f;

    mime_addresses_parse(value, &a);
    if (!a.count || a.cut)
        goto out;
    mime_write_addresses("To", &a, &out);
    rest = buf_slice(&out);
    MUST(mime_field_next(&rest, &f) && rest.n == 0);
    mime_addresses_parse(f.value, &b);
    /* Nobody is added, nobody gets lost. */
    for (size_t i = 0, k = 0;;) {
        const struct mime_address *p = mime_addresses_next(&a, &i),
                                  *q = mime_addresses_next(&b, &k);
        struct err e;

        while (p && !*p->local && !*p->domain)
            p = mime_addresses_next(&a, &i); /* a name alone is nobody */
        while (q && !*q->local && !*q->domain)
            q = mime_addresses_next(&b, &k);
        MUST(!p == !q);
        if (!p)
            break;
        buf_reset(&x);
        buf_reset(&y);
        mime_address_spec(p, &x);
        mime_address_spec(q, &y);
        if (mime_address_check(buf_slice(&x), true, NULL, NULL, &e) == 0)
            MUST(slice_eq(buf_slice(&x), buf_slice(&y)));
        buf_reset(&x);
        mime_address_name(p, &x);
        MUST(mime_is_utf8(buf_slice(&x)));
    }
out:
    mime_addresses_clear(&a);
    mime_addresses_clear(&b);
    buf_clear(&out);
    buf_clear(&x);
    buf_clear(&y);
}

static void
check_date(struct slice value)
{
    int64_t t, again;
    int zone, zone_again;
    struct buf out = BUF_INIT(100);

    if (!mime_date_parse(value, &t, &zone))
        return;
    if (t < -62000000000 || t > 253300000000)
        return; /* no four digits */
    mime_date_write(t, zone, &out);
    MUST(mime_date_parse(buf_slice(&out), &again, &zone_again));
    MUST(again == t && zone_again == zone);
    buf_reset(&out);
    mime_date_write_imap(t, zone, &out);
    if (zone > -1440 && zone < 1440) {
        MUST(mime_date_parse_imap(buf_slice(&out), &again, &zone_again));
        MUST(again == t && zone_again == zone);
    }
    buf_clear(&out);
}

static void
check_param(struct slice value)
{
    struct buf out = BUF_INIT(BUF_OURS), utf8 = BUF_INIT(BUF_OURS);
    struct mime_message *m;
    const char *got;
    size_t column = 24;
    struct err e;

    mime_charset_utf8(NULL, value, &utf8);
    if (utf8.len && !slice_has(buf_slice(&utf8), '\0') && utf8.len < 3000) {
        buf_adds(&out, "Content-Type: text/plain");
        mime_param_write("name", buf_slice(&utf8), &column, &out);
        MUST(mime_is_ascii(buf_slice(&out)));
        buf_adds(&out, "\r\n\r\n");
        MUST(!mime_message_parse(buf_slice(&out), NULL, &m, &e));
        got = mime_part_param(mime_message_root(m), "name");
        MUST(got && slice_is(buf_slice(&utf8), got));
        mime_message_free(&m);
    }
    buf_clear(&out);
    buf_clear(&utf8);
}

static void
check_encoding(struct slice in)
{
    struct buf a = BUF_INIT(BUF_OURS), b = BUF_INIT(BUF_OURS);

    mime_encode_qp(in, false, &a);
    MUST(mime_is_ascii(buf_slice(&a)) && mime_is_crlf(buf_slice(&a)));
    mime_decode(MIME_QP, buf_slice(&a), &b);
    MUST(slice_eq(in, buf_slice(&b)));
    buf_reset(&a);
    buf_reset(&b);
    mime_encode_base64(in, &a);
    mime_decode(MIME_BASE64, buf_slice(&a), &b);
    MUST(slice_eq(in, buf_slice(&b)));
    buf_reset(&a);
    mime_decode(MIME_UU, in, &a);
    buf_clear(&a);
    buf_clear(&b);
}

static void
check_changed(struct slice raw, size_t body)
{
    struct mime_change c[] = {{.name = "Subject", .field = SLICE("Subject: x\r\n")},
                              {.name = "X-*", .field = SLICE_NONE}};
    struct buf out = BUF_INIT(BUF_OURS), entity = BUF_INIT(BUF_OURS),
               head = BUF_INIT(BUF_OURS);
    struct err e;

    MUST(!mime_write_changed(raw, c, 2, &out, &e));
    MUST(mime_header_count(buf_slice(&out), "subject") == 1);
    MUST(out.len >= raw.n - body && (raw.n == body ||
         !memcmp(out.data + out.len - (raw.n - body), raw.p + body,
                 raw.n - body)));
    MUST(!mime_write_split(raw, &head, &entity, &e));
    MUST(entity.len >= raw.n - body);
    buf_clear(&out);
    buf_clear(&entity);
    buf_clear(&head);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice raw = slice_make(data, size), rest;
    const struct mime_part *p = NULL;
    struct mime_message *m;
    struct mime_field f;
    struct err e;

    MUST(!mime_message_parse(raw, NULL, &m, &e));
    MUST(mime_message_work(m) <= 300 * (uint64_t)size + 10000);
    while ((p = mime_part_next(m, p))) {
        check_part(m, p);
        check_texts(m, p);
    }
    check_structure(m);
    check_seven(m);
    MUST(mime_header_length(raw) == mime_message_root(m)->body);
    check_changed(raw, mime_message_root(m)->body);
    rest = mime_part_head(m, mime_message_root(m));
    for (int i = 0; i < 30 && mime_field_next(&rest, &f); i++) {
        check_words(f.value);
        check_addresses(f.value);
        check_date(f.value);
        check_param(f.value);
    }
    check_encoding(raw);
    mime_message_free(&m);
    return 0;
}
