/*
 * A message made fit for signing (RFC 8551 section 3.1.3): seven bits, CRLF,
 * nothing that a transport would touch. Called by the outbox before sealing.
 * One walk over the parsed tree; what lies between the leaves that change is
 * copied.
 */
#include "mime/write.h"

#include <string.h>

#include "mime/encoding.h"
#include "mime/header.h"
#include "mime/message.h"

#define LINE_MAX_BYTES 998

/* What the bytes of a leaf hold. */
struct traits {
    bool high, zero, long_line, blank_end, from, bare, bare_cr;
    size_t highs;
};

static struct traits
look(struct slice s)
{
    struct traits t = {0};
    size_t i, start = 0;

    for (i = 0; i <= s.n; i++) {
        unsigned char c = i < s.n ? (unsigned char)s.p[i] : '\n';

        if (c == '\r' || c == '\n') {
            t.long_line = t.long_line || i - start > LINE_MAX_BYTES;
            if (i > start && (s.p[i - 1] == ' ' || s.p[i - 1] == '\t'))
                t.blank_end = true;
            if (i < s.n && c == '\r' && (i + 1 == s.n || s.p[i + 1] != '\n'))
                t.bare = t.bare_cr = true;
            if (i < s.n && c == '\n' && (i == 0 || s.p[i - 1] != '\r'))
                t.bare = true;
            start = i + 1;
            continue;
        }
        t.highs += c > 127;
        t.zero = t.zero || c == 0;
        if (i == start && slice_starts(slice_from(s, i), "From "))
            t.from = true;
    }
    t.high = t.highs > 0;
    return t;
}

static bool
is_plain(enum mime_encoding enc)
{
    return enc == MIME_7BIT || enc == MIME_8BIT || enc == MIME_BINARY;
}

static bool
leaf_needs(const struct mime_part *p, const struct traits *t)
{
    if (t->high || t->zero || t->long_line)
        return true;
    if (p->encoding == MIME_BINARY && t->bare && !mime_part_is(p, "text", NULL))
        return true; /* bytes, not lines */
    if (p->encoding == MIME_QP && t->bare_cr)
        return true; /* "=" CR is text, "=" CRLF is none */
    return is_plain(p->encoding) && (t->blank_end || t->from);
}

/* The part's header with this encoding in it. */
static int
write_head(struct slice head, const char *encoding, struct buf *out,
           struct err *e)
{
    struct buf field = BUF_INIT(200), crlf = BUF_INIT(BUF_OURS);
    struct mime_change change = {"Content-Transfer-Encoding", SLICE_NONE,
                                 false, false};
    int rc;

    buf_addf(&field, "Content-Transfer-Encoding: %s\r\n", encoding);
    change.field = buf_slice(&field);
    mime_write_crlf(head, &crlf);
    rc = mime_write_changed(buf_slice(&crlf), &change, 1, out, e);
    buf_clear(&field);
    buf_clear(&crlf);
    return rc;
}

static int
write_leaf(const struct mime_message *m, const struct mime_part *p,
           const struct traits *t, struct buf *out, struct err *e)
{
    struct slice body = mime_part_body(m, p);
    struct buf bytes = BUF_INIT(BUF_OURS), crlf = BUF_INIT(BUF_OURS);
    bool text = mime_part_is(p, "text", NULL) && !t->zero;
    bool qp = text && t->highs * 4 <= body.n && p->encoding != MIME_BASE64;

    if (p->encoding == MIME_UNKNOWN || p->encoding == MIME_UU)
        return err_set(e, E_INPUT, "a part has 8-bit or over-long lines "
                                   "under an encoding we do not know");
    mime_decode(p->encoding, body, &bytes);
    /* Only what is bytes by declaration keeps bare line ends. */
    if (text || p->encoding == MIME_7BIT || p->encoding == MIME_8BIT)
        mime_write_crlf(buf_slice(&bytes), &crlf);
    else
        buf_add_slice(&crlf, buf_slice(&bytes));
    buf_clear(&bytes);
    write_head(mime_part_head(m, p), qp ? "quoted-printable" : "base64", out,
               e);
    if (qp)
        mime_encode_qp(buf_slice(&crlf), true, out);
    else
        mime_encode_base64(buf_slice(&crlf), out);
    buf_clear(&crlf);
    /* The line end before the delimiter is the delimiter's. */
    if (!qp && p->end < mime_message_raw(m).n && out->len > 1 && !out->over)
        buf_truncate(out, out->len - 2);
    return 0;
}

/* The next part after p and all that is in it. */
static const struct mime_part *
skip_inside(const struct mime_part *p)
{
    while (p != NULL && p->next == NULL)
        p = p->parent;
    return p != NULL ? p->next : NULL;
}

static bool
is_sealed(const struct mime_part *p)
{
    return mime_part_is(p, "multipart", "signed") ||
           mime_part_is(p, "multipart", "encrypted");
}

/* A header section can end without one, when a line comes that is no field. */
static bool
has_empty_line(struct slice head)
{
    struct mime_field f;

    while (mime_field_next(&head, &f))
        ;
    return head.n > 0;
}

/* Adds what p needs changed and moves *pos behind it. Returns whether the
 * walk goes into p (1), past it (0), or fails. */
static int
convert_part(const struct mime_message *m, const struct mime_part *p,
             size_t *pos, struct buf *out, struct err *e)
{
    struct slice raw = mime_message_raw(m);
    struct traits t;

    if (is_sealed(p)) {
        t = look(mime_part_body(m, p));
        if (t.high || t.zero)
            return err_set(e, E_INPUT, "a signed or encrypted part inside "
                                       "holds 8-bit bytes; changing them "
                                       "would break it");
        return 0;
    }
    if (p->child != NULL) {
        bool seven = p->encoding == MIME_7BIT;

        if (seven && has_empty_line(mime_part_head(m, p)))
            return 1;
        mime_write_crlf(slice_cut(raw, *pos, p->head), out);
        *pos = p->body;
        /* Without an empty line, fields that its inside gets would be its. */
        if (seven) {
            mime_write_crlf(mime_part_head(m, p), out);
            buf_adds(out, "\r\n");
            return 1;
        }
        return write_head(mime_part_head(m, p), "7bit", out, e) < 0 ? -1 : 1;
    }
    t = look(mime_part_body(m, p));
    if (!leaf_needs(p, &t)) {
        if (p->encoding != MIME_8BIT && p->encoding != MIME_BINARY)
            return 1;
        mime_write_crlf(slice_cut(raw, *pos, p->head), out);
        *pos = p->body;
        return write_head(mime_part_head(m, p), "7bit", out, e) < 0 ? -1 : 1;
    }
    mime_write_crlf(slice_cut(raw, *pos, p->head), out);
    *pos = p->end;
    return write_leaf(m, p, &t, out, e) < 0 ? -1 : 1;
}

int
mime_write_7bit(struct slice raw, const struct mime_limits *limits,
                struct buf *out, struct err *e)
{
    struct mime_message *m;
    const struct mime_part *p;
    size_t pos = 0;
    int rc = 0;

    if (mime_message_parse(raw, limits, &m, e) < 0)
        return -1;
    p = mime_message_root(m);
    while (p != NULL && rc >= 0 && !out->over) {
        rc = convert_part(m, p, &pos, out, e);
        p = rc > 0 ? mime_part_next(m, p) : skip_inside(p);
    }
    if (rc >= 0)
        mime_write_crlf(slice_from(raw, pos), out);
    mime_message_free(&m);
    if (rc >= 0 && out->over)
        rc = err_set(e, E_LIMIT, "message exceeds %zu bytes", out->limit);
    return rc < 0 ? -1 : 0;
}
