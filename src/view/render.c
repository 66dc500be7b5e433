/*
 * The readable message under its verdict: pure, called in workers by open.c
 * and by `sealpostctl smime open`.
 *
 * RFC 8601 section 5 for what is removed, RFC 7281 for the method, SPEC
 * section 10 for the rest.
 */
#include "view/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/code.h"
#include "base/mem.h"
#include "mime/header.h"
#include "mime/write.h"
#include "smime/report.h"
#include "smime/verdict.h"

#define LINE_FOLD 76u

/* ---- what came from outside ---- */

/* The authserv-id of a value: the first token, comments skipped. */
static struct slice
authserv_id_of(struct slice value, struct buf *room)
{
    struct slice s;
    size_t n = 0;

    buf_reset(room);
    mime_header_unfold(value, room);
    s = slice_trim(mime_header_skip(slice_trim(buf_slice(room))));
    if (s.n && *s.p == '"') { /* RFC 8601 2.2: value is token / quoted-string */
        s = slice_from(s, 1);
        return slice_cut(s, 0, slice_find(s, '"'));
    }
    while (n < s.n && !strchr("; \t(", s.p[n]))
        n++;
    return slice_cut(s, 0, n);
}

static bool
is_forged(const struct mime_field *f, const char *authserv_id,
          struct buf *room)
{
    struct slice id;

    if (slice_iis(f->name, "X-Sealpost") ||
        slice_iis(f->name, "X-Sealpost-SMIME"))
        return true;
    if (!slice_iis(f->name, "Authentication-Results"))
        return false;
    id = authserv_id_of(f->value, room);
    return !id.n || slice_iis(id, authserv_id);
}

/* The header without what only we may say; the body follows untouched. */
static int
shown_clean(struct slice shown, const char *authserv_id, struct buf *out)
{
    size_t head = mime_header_length(shown);
    struct slice rest = slice_cut(shown, 0, head);
    struct buf room = BUF_INIT(1 << 20);
    struct mime_field f;
    size_t used = 0;
    int rc = 0;

    while (rc == 0 && mime_field_next(&rest, &f)) {
        used = (size_t)(f.whole.p + f.whole.n - shown.p);
        if (!is_forged(&f, authserv_id, &room))
            rc = buf_add_slice(out, f.whole);
    }
    buf_clear(&room);
    /* Text without any header: on top of it there is one now, which must not
     * take the text in. */
    if (rc == 0 && head == 0 && shown.n)
        rc = buf_adds(out, "\r\n");
    return rc ? rc : buf_add_slice(out, slice_from(shown, used));
}

/* ---- what we say ---- */

/* A quoted string: what comes from certificates cannot leave it. */
static void
add_quoted(struct buf *b, const char *s)
{
    size_t n = 0;

    buf_addc(b, '"');
    for (; *s && n < 300; s++, n++) {
        unsigned char c = (unsigned char)*s;

        if (c == '"' || c == '\\')
            buf_addc(b, '\\');
        buf_addc(b, c < 0x20 || c >= 0x7f ? '?' : (char)c);
    }
    buf_addc(b, '"');
}

struct field {
    struct buf text;
    size_t column;
};

/* A piece that stays together; folds before it when the line is full. */
static void
field_piece(struct field *f, const char *piece, size_t n)
{
    if (f->column + n + 1 > LINE_FOLD && f->column > 1) {
        buf_adds(&f->text, "\r\n\t");
        f->column = 8;
    } else {
        buf_addc(&f->text, ' ');
        f->column++;
    }
    buf_add(&f->text, piece, n);
    f->column += n;
}

static void field_add(struct field *f, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
field_add(struct field *f, const char *fmt, ...)
{
    va_list ap;
    char *s;

    va_start(ap, fmt);
    s = xvasprintf(fmt, ap);
    va_end(ap);
    field_piece(f, s, strlen(s));
    free(s);
}

static void
field_add_quoted(struct field *f, const char *name, const char *value)
{
    struct buf b = BUF_INIT(2048);

    buf_addf(&b, "%s=", name);
    add_quoted(&b, value);
    field_piece(f, b.data, b.len);
    buf_clear(&b);
}

static void
write_results(const struct view_render_ask *a, struct buf *out)
{
    struct field f = {.text = BUF_INIT(16384), .column = 23};
    const struct smime_verdict *v = a->verdict;

    buf_adds(&f.text, "Authentication-Results:");
    field_add(&f, "%s;", a->authserv_id);
    field_add(&f, "smime=%s", smime_result_name(v->result));
    if (*v->reason && v->result != SMIME_PASS)
        field_add_quoted(&f, "reason", v->reason);
    if (v->signer && a->report->from)
        field_add_quoted(&f, "body.smime-identifier", a->report->from);
    if (v->signer && *v->part)
        field_add(&f, "body.smime-part=%s", v->part);
    if (v->signer && v->signer->serial && v->signer->issuer) {
        field_add(&f, "body.smime-serial=%s", v->signer->serial);
        field_add_quoted(&f, "body.smime-issuer", v->signer->issuer);
    }
    buf_add_slice(out, buf_slice(&f.text));
    buf_adds(out, "\r\n");
    buf_clear(&f.text);
}

static void
write_signer(struct field *f, const struct smime_signer *s)
{
    field_add(f, "signer-algorithm=%s;", s->algorithm);
    if (s->issuer)
        field_add_quoted(f, "issuer", s->issuer);
    if (s->serial)
        field_add(f, "serial=%s;", s->serial);
    field_add(f, "signature=%s;", s->good ? "good" : "bad");
}

/* Each layer's detail, and what was harvested. Nothing for plain mail. */
static void
write_detail(const struct view_render_ask *a, struct buf *out)
{
    struct field f = {.text = BUF_INIT(65536), .column = 17};
    const struct smime_report *r = a->report;

    if (!r->n)
        return;
    buf_adds(&f.text, "X-Sealpost-SMIME:");
    field_add(&f, "encrypted=%s;", r->encrypted ? "yes" : "no");
    if (r->encrypted)
        field_add(&f, "decrypted=%s;", r->decrypted ? "yes" : "no");
    for (size_t i = 0; i < r->n; i++) {
        const struct smime_layer *l = &r->layers[i];

        field_add(&f, "layer=%zu; type=%s;", i + 1, smime_layer_name(l->type));
        if (*l->algorithm)
            field_add(&f, "algorithm=%s;", l->algorithm);
        if ((l->type == SMIME_ENVELOPED) && l->opened && !l->authenticated)
            field_add(&f, "warning=not-authenticated;");
        if (l->broken)
            field_add(&f, "warning=broken-content;");
        if (*l->reason)
            field_add_quoted(&f, "reason", l->reason);
        for (size_t k = 0; k < l->nsigners && k < 5; k++)
            write_signer(&f, &l->signers[k]);
    }
    if (a->harvest)
        field_add(&f, "harvest=%s;", a->harvest);
    buf_add_slice(out, buf_slice(&f.text));
    buf_adds(out, "\r\n");
    buf_clear(&f.text);
}

/* Of what was sent here: addresses that were checked, "a@b c@d". */
static void
write_bcc(const struct view_render_ask *a, struct buf *out)
{
    struct field f = {.text = BUF_INIT(1 << 20), .column = 4};
    struct slice rest = slice_of(a->bcc), one;

    if (!rest.n || mime_header_count(slice_cut(a->raw, 0,
                                               mime_header_length(a->raw)),
                                     "Bcc"))
        return;
    buf_adds(&f.text, "Bcc:");
    while (slice_next(&rest, ' ', &one))
        field_add(&f, "%.*s%s", (int)one.n, one.p, rest.n ? "," : "");
    buf_add_slice(out, buf_slice(&f.text));
    buf_adds(out, "\r\n");
    buf_clear(&f.text);
}

/* ---- what cannot be opened ---- */

static void
explain_recipients(const struct smime_report *r, struct buf *text)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct smime_layer *l = &r->layers[i];

        if (l->opened)
            continue;
        if (*l->reason)
            buf_addf(text, "%s\r\n", l->reason);
        for (size_t k = 0; k < l->nrecipients && k < 50; k++) {
            const struct smime_recipient *to = &l->recipients[k];

            if (to->key_id)
                buf_addf(text, "  key id %.80s\r\n", to->key_id);
            else
                buf_addf(text, "  serial %.80s of %.300s\r\n",
                         to->serial ? to->serial : "?",
                         to->issuer ? to->issuer : "?");
        }
        return;
    }
}

/* The boundary comes from the bytes, so that the same message always gives
 * the same view, and from their digest, so that no message can hold it. */
static void
boundary_of(struct slice raw, char dst[MIME_BOUNDARY_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    struct buf hex = BUF_INIT(2 * EVP_MAX_MD_SIZE);

    EVP_Digest(raw.p, raw.n, digest, NULL, EVP_sha256(), NULL);
    code_hex_write(&hex, slice_make(digest, 16));
    snprintf(dst, MIME_BOUNDARY_SIZE, "=_%s", hex.data);
    buf_clear(&hex);
}

/* A text that says which key is needed, with the original attached. */
static int
write_explanation(const struct view_render_ask *a, struct buf *out,
                  struct err *e)
{
    struct buf header = BUF_INIT(4 << 20), entity = BUF_INIT(a->raw.n + 4096);
    struct buf text = BUF_INIT(65536), part = BUF_INIT(1 << 20);
    struct slice parts[2];
    char boundary[MIME_BOUNDARY_SIZE];
    int rc;

    buf_adds(&text,
             "This message is encrypted, and Sealpost has no key that opens "
             "it.\r\n\r\nIt was encrypted for the keys of these "
             "certificates:\r\n\r\n");
    explain_recipients(a->report, &text);
    buf_adds(&text, "\r\nImport the key (sealpostctl key import) and the "
                    "message comes back readable.\r\nThe original is "
                    "attached.\r\n");
    rc = mime_write_split(a->raw, &header, &entity, e);
    if (rc == 0)
        rc = mime_write_text(buf_slice(&text), &part);
    if (rc == 0) {
        struct buf clean = BUF_INIT(header.len + 16);

        boundary_of(a->raw, boundary);
        buf_adds(&header, "\r\n");
        shown_clean(buf_slice(&header), a->authserv_id, &clean);
        buf_truncate(&clean, clean.len >= 2 ? clean.len - 2 : 0);
        parts[0] = buf_slice(&part);
        parts[1] = buf_slice(&entity);
        buf_add_slice(out, buf_slice(&clean));
        rc = buf_adds(out, "MIME-Version: 1.0\r\n") ||
             mime_write_multipart("mixed", boundary, NULL, parts, 2, out);
        buf_clear(&clean);
        if (rc)
            err_set(e, E_LIMIT, "the message is too large to be shown");
    }
    buf_clear(&header);
    buf_clear(&entity);
    buf_clear(&text);
    buf_clear(&part);
    return rc ? -1 : 0;
}

int
view_render(const struct view_render_ask *a, struct buf *out,
            struct buf *top_out, struct err *e)
{
    struct slice shown = buf_slice(&a->report->shown);

    if (a->top.n) {
        buf_add_slice(top_out, a->top);
    } else {
        write_results(a, top_out);
        write_detail(a, top_out);
        write_bcc(a, top_out);
    }
    if (buf_add_slice(out, buf_slice(top_out)))
        return err_set(e, E_LIMIT, "the message is too large to be shown");
    if (a->report->encrypted && !a->report->decrypted &&
        !a->undecryptable_original)
        return write_explanation(a, out, e);
    if (shown_clean(shown, a->authserv_id, out))
        return err_set(e, E_LIMIT, "the message is too large to be shown");
    return 0;
}
