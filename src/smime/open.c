/*
 * Peeling a message: only the layers that form the cryptographic envelope,
 * from the root down (RFC 9787 section 4.4). Anything elsewhere stays an
 * attachment (EFAIL, SMIME.md R3). Pure; called in workers by view/open.c.
 */
#include "smime/open.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "base/mem.h"
#include "mime/address.h"
#include "mime/encoding.h"
#include "mime/header.h"
#include "mime/message.h"
#include "mime/write.h"
#include "smime/private.h"

struct peel {
    const struct smime_ring *ring;
    struct smime_report *report;
    struct slice entity;  /* header and body of what is looked at now */
    struct slice show;    /* what a reader gets in place of the message */
    struct buf rooms[SMIME_DEPTH + 1]; /* plaintexts; each outlives the next */
    size_t nrooms;
    bool unwrapped;       /* show is not the message itself */
    size_t limit;
};

enum peeled { PEEL_END, PEEL_ON };

static bool
names_pkcs7(const struct mime_part *p)
{
    struct buf name = BUF_INIT(4096);
    bool yes = mime_part_is(p, "application", "pkcs7-mime") ||
               mime_part_is(p, "application", "x-pkcs7-mime");

    if (!yes && mime_part_is(p, "application", "octet-stream") &&
        mime_part_filename(p, &name)) {
        struct slice s = buf_slice(&name);

        yes = s.n > 4 && slice_istarts(slice_from(s, s.n - 4), ".p7m");
    }
    buf_clear(&name);
    return yes;
}

static bool
is_signature(const struct mime_part *p)
{
    return mime_part_is(p, "application", "pkcs7-signature") ||
           mime_part_is(p, "application", "x-pkcs7-signature");
}

static bool
is_signed(const struct mime_part *p)
{
    const char *protocol = mime_part_param(p, "protocol");

    return mime_part_is(p, "multipart", "signed") && protocol &&
           (ascii_icmp(protocol, "application/pkcs7-signature") == 0 ||
            ascii_icmp(protocol, "application/x-pkcs7-signature") == 0);
}

static CMS_ContentInfo *
cms_parse(struct slice der)
{
    BIO *b = der.n && der.n < INT32_MAX ? BIO_new_mem_buf(der.p, (int)der.n)
                                        : NULL;
    CMS_ContentInfo *cms = b ? d2i_CMS_bio(b, NULL) : NULL;

    BIO_free(b);
    ERR_clear_error();
    return cms;
}

static void
layer_reason(struct smime_layer *l, const char *why)
{
    smime_report_copy_text(l->reason, sizeof l->reason, why);
}

/* ---- multipart/signed ---- */

static enum peeled
peel_clear(struct peel *p, const struct mime_message *m,
           const struct mime_part *root)
{
    const struct mime_part *part = root->child;
    const struct mime_part *sig = part ? part->next : NULL;
    struct smime_layer *l =
        smime_report_add(p->report, SMIME_SIGNED_CLEAR);
    struct buf der = BUF_INIT(p->limit), canon = BUF_INIT(p->limit * 2);
    struct slice content;
    CMS_ContentInfo *cms = NULL;

    if (!sig || sig->next || !is_signature(sig)) {
        layer_reason(l, "not a part and a signature");
        p->report->damaged = true;
        return PEEL_END;
    }
    content = mime_part_whole(m, part);
    p->entity = content;
    /* Signed is the canonical form: CRLF (RFC 1847); nothing else is
     * touched. */
    if (!mime_is_crlf(content) && mime_write_crlf(content, &canon) == 0)
        content = buf_slice(&canon);
    if (mime_part_decode(m, sig, &der) == 0)
        cms = cms_parse(buf_slice(&der));
    if (!cms || OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed) {
        layer_reason(l, "the signature part holds no signature");
        p->report->damaged = true;
    } else if (smime_verify(cms, true, content, p->report, l, NULL)) {
        p->report->damaged = true;
    }
    CMS_ContentInfo_free(cms);
    buf_clear(&der);
    buf_clear(&canon);
    return l->opened ? PEEL_ON : PEEL_END;
}

/* ---- application/pkcs7-mime ---- */

static enum peeled
peel_signed(struct peel *p, CMS_ContentInfo *cms)
{
    struct buf *room = &p->rooms[p->nrooms];
    bool certs_only = sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(cms)) <= 0;
    struct smime_layer *l = smime_report_add(
        p->report, certs_only ? SMIME_CERTS_ONLY : SMIME_SIGNED_OPAQUE);
    ASN1_OCTET_STRING **in = CMS_get0_content(cms);

    if (certs_only && (!in || !*in)) {
        l->opened = true;
        return PEEL_END;
    }
    buf_init(room, p->limit);
    if (smime_verify(cms, false, SLICE_NONE, p->report, l, room)) {
        p->report->damaged = true;
        return PEEL_END;
    }
    p->nrooms++;
    p->entity = p->show = buf_slice(room);
    p->unwrapped = true;
    return PEEL_ON;
}

static enum peeled
peel_enveloped(struct peel *p, CMS_ContentInfo *cms, struct slice der,
               enum smime_layer_type type)
{
    struct buf *room = &p->rooms[p->nrooms];
    struct smime_layer *l = smime_report_add(p->report, type);
    bool first = !p->report->encrypted;

    p->report->encrypted = true;
    buf_init(room, p->limit);
    if (smime_decrypt(cms, der, p->ring, l, room)) {
        p->report->decrypted = false;
        return PEEL_END;
    }
    if (first)
        p->report->decrypted = true;
    p->nrooms++;
    p->entity = p->show = buf_slice(room);
    p->unwrapped = true;
    return PEEL_ON;
}

static enum peeled
peel_unknown(struct peel *p, enum smime_layer_type type, const char *why)
{
    layer_reason(smime_report_add(p->report, type), why);
    p->report->unsupported = true;
    return PEEL_END;
}

/* The type is what the CMS says it is, smime-type is a hint only. */
static enum peeled
peel_pkcs7(struct peel *p, const struct mime_message *m,
           const struct mime_part *root)
{
    struct buf der = BUF_INIT(p->limit);
    CMS_ContentInfo *cms = NULL;
    enum peeled rc = PEEL_END;
    const char *type = mime_part_param(root, "smime-type");

    if (mime_part_decode(m, root, &der) == 0)
        cms = cms_parse(buf_slice(&der));
    switch (cms ? OBJ_obj2nid(CMS_get0_type(cms)) : NID_undef) {
    case NID_pkcs7_signed:
        rc = peel_signed(p, cms);
        break;
    case NID_pkcs7_enveloped:
        rc = peel_enveloped(p, cms, buf_slice(&der), SMIME_ENVELOPED);
        break;
    case NID_id_smime_ct_authEnvelopedData:
        rc = peel_enveloped(p, cms, buf_slice(&der), SMIME_AUTH_ENVELOPED);
        break;
    case NID_id_smime_ct_compressedData:
        rc = peel_unknown(p, SMIME_COMPRESSED,
                          "compressed data is not built yet");
        break;
    default:
        /* Not CMS. An octet-stream that only has the name is no layer. */
        if (cms || !mime_part_is(root, "application", "octet-stream")) {
            bool sealed = type && (ascii_icmp(type, "enveloped-data") == 0 ||
                                   ascii_icmp(type, "authEnveloped-data") == 0);

            if (sealed) {
                p->report->encrypted = true;
                p->report->decrypted = false;
            }
            peel_unknown(p, sealed ? SMIME_ENVELOPED : SMIME_SIGNED_OPAQUE,
                         cms ? "a type of CMS that is not for mail"
                             : "damaged: no CMS structure");
            p->report->damaged = !cms;
        }
        break;
    }
    CMS_ContentInfo_free(cms);
    buf_wipe(&der);
    return rc;
}

static enum peeled
peel_layer(struct peel *p)
{
    struct mime_message *m = NULL;
    const struct mime_part *root;
    enum peeled rc = PEEL_END;
    struct err e;

    if (mime_message_parse(p->entity, NULL, &m, &e))
        return PEEL_END;
    root = mime_message_root(m);
    if (p->report->n >= SMIME_DEPTH) {
        if (is_signed(root) || names_pkcs7(root))
            p->report->damaged = true;
    } else if (is_signed(root)) {
        rc = peel_clear(p, m, root);
    } else if (names_pkcs7(root)) {
        rc = peel_pkcs7(p, m, root);
    }
    mime_message_free(&m);
    return rc;
}

/* ---- what a reader gets ---- */

static bool
is_structural(struct slice name)
{
    return slice_iis(name, "MIME-Version") || slice_istarts(name, "Content-");
}

/* Fields of the payload that may take the place of outer ones (SMIME.md
 * section 9, "promote"). */
static bool
is_promoted(struct slice name)
{
    static const char *const names[] = {
        "Subject", "To", "Cc", "Date", "Reply-To", "Followup-To",
        "Comments", "Keywords", "In-Reply-To", "References", "From",
        "Sender", "Organization",
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_iis(name, names[i]))
            return true;
    return false;
}

/* Exactly one "@" outside of quotes and comments, and no group: a display
 * name with a bare one does not parse, and readers differ in what they make
 * of it (R10). */
static bool
is_one_at(struct slice value)
{
    unsigned comment = 0, n = 0;
    bool quoted = false;

    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];

        if (c == '\\' && (quoted || comment))
            i++;
        else if (c == '"' && !comment)
            quoted = !quoted;
        else if (quoted)
            continue;
        else if (c == '(')
            comment++;
        else if (c == ')' && comment)
            comment--;
        else if ((c == ':' || c == ';') && !comment)
            return false; /* a group */
        else if (c == '@' && !comment)
            n++;
    }
    return n == 1;
}

/* The one mailbox of a header section's only From; heap or NULL. */
static char *
one_address(struct slice header, const char *name)
{
    struct mime_addresses list = {0};
    const struct mime_address *a;
    struct buf spec = BUF_INIT(4096);
    struct mime_field f;
    size_t at = 0;
    char *out = NULL;

    if (mime_addresses_header(header, name, &list) == 1 && !list.broken &&
        (a = mime_addresses_next(&list, &at)) && *a->domain &&
        !mime_addresses_next(&list, &at) && list.count == 1 &&
        mime_header_find(header, name, 0, &f) && is_one_at(f.value) &&
        mime_address_spec(a, &spec) == 0)
        out = buf_take(&spec, NULL);
    buf_clear(&spec);
    mime_addresses_clear(&list);
    return out;
}

enum protection {
    PROTECT_NONE,
    PROTECT_FROM, /* but for a From that is not the outer one: it counts only
                     when its signer is trusted (RFC 9788 section 4.4) */
    PROTECT_ALL,
};

/* Header protection holds when the payload root says so and each of the
 * fields stands once. */
static enum protection
protection_of(struct smime_report *r, struct slice outer, struct slice inner)
{
    static const char *const once[] = {"From", "Sender", "Date", "Subject",
                                       "Message-ID", "To", "Cc"};
    struct mime_message *m = NULL;
    enum protection found = PROTECT_FROM;
    struct err e;
    const char *hp;
    char *a, *b;
    bool yes;

    if (mime_message_parse(inner, NULL, &m, &e))
        return PROTECT_NONE;
    hp = mime_part_param(mime_message_root(m), "hp");
    yes = hp && (ascii_icmp(hp, "clear") == 0 || ascii_icmp(hp, "cipher") == 0);
    mime_message_free(&m);
    for (size_t i = 0; yes && i < ARRAY_LEN(once); i++)
        r->headers_broken |= mime_header_count(inner, once[i]) > 1;
    if (!yes || r->headers_broken)
        return PROTECT_NONE;
    if (!mime_header_count(inner, "From"))
        return PROTECT_ALL;
    a = one_address(outer, "From");
    b = one_address(inner, "From");
    if (!b)
        found = PROTECT_NONE;
    else if (a && mime_address_equal(a, b))
        found = PROTECT_ALL;
    free(a);
    free(b);
    return found;
}

static int
write_outer(struct slice outer, struct slice inner, bool protect,
            struct buf *out)
{
    struct mime_field f;
    struct slice rest = outer;
    int rc = 0;

    while (rc == 0 && mime_field_next(&rest, &f)) {
        char *name = slice_dup(f.name);
        bool hidden = is_structural(f.name) ||
                      (protect && is_promoted(f.name) &&
                       mime_header_count(inner, name) > 0);

        free(name);
        if (f.name.n && !hidden)
            rc = buf_add_slice(out, f.whole);
    }
    rest = inner;
    while (rc == 0 && protect && mime_field_next(&rest, &f))
        if (is_promoted(f.name))
            rc = buf_add_slice(out, f.whole);
    return rc;
}

/* The payload's own header: only its structural fields are left. */
static int
write_payload(struct slice entity, struct buf *out)
{
    size_t head = mime_header_length(entity);
    struct slice rest = slice_cut(entity, 0, head);
    struct mime_field f;
    int rc = 0;

    while (rc == 0 && mime_field_next(&rest, &f))
        if (is_structural(f.name) && !slice_iis(f.name, "MIME-Version"))
            rc = buf_add_slice(out, f.whole);
    rc = rc ? rc : buf_adds(out, "\r\n");
    return rc ? rc : buf_add_slice(out, slice_from(entity, head));
}

/* The message as a reader gets it, with or without the protected header. */
static int
show_as(const struct peel *p, struct slice mime, bool protect,
        struct buf *out)
{
    struct slice outer = slice_cut(mime, 0, mime_header_length(mime));
    struct slice inner =
        slice_cut(p->entity, 0, mime_header_length(p->entity));
    struct buf room = BUF_INIT(mime.n * 2 + p->show.n * 2 + 4096);
    int rc;

    if (!p->unwrapped && !protect) {
        rc = buf_add_slice(&room, mime);
    } else {
        /* Clear-signed, the entity stays byte for byte: the header is what
         * was signed. */
        rc = write_outer(outer, inner, protect, &room);
        rc = rc ? rc : buf_adds(&room, "MIME-Version: 1.0\r\n");
        rc = rc ? rc : write_payload(p->unwrapped ? p->show : mime, &room);
    }
    buf_init(out, room.limit * 2);
    if (rc == 0 && !mime_is_crlf(buf_slice(&room))) {
        rc = mime_write_crlf(buf_slice(&room), out);
    } else if (rc == 0) {
        size_t limit = out->limit;

        *out = room;
        out->limit = limit;
        room = BUF_INIT(0);
    }
    buf_wipe(&room);
    return rc;
}

static void
senders_of(struct slice shown, char **from_out, char **sender_out)
{
    struct slice head = slice_cut(shown, 0, mime_header_length(shown));

    *from_out = one_address(head, "From");
    *sender_out = one_address(head, "Sender");
}

static int
show(struct peel *p, struct slice mime, struct err *e)
{
    struct smime_report *r = p->report;
    struct slice outer = slice_cut(mime, 0, mime_header_length(mime));
    struct slice inner =
        slice_cut(p->entity, 0, mime_header_length(p->entity));
    enum protection found = PROTECT_NONE;

    if (r->n && p->entity.p != mime.p)
        found = protection_of(r, outer, inner);
    r->protected_headers = found == PROTECT_ALL;
    if (show_as(p, mime, r->protected_headers, &r->shown) ||
        (found == PROTECT_FROM && show_as(p, mime, true, &r->other_shown)))
        return err_set(e, E_LIMIT, "the message is too large to be shown");
    senders_of(buf_slice(&r->shown), &r->from, &r->sender);
    if (found == PROTECT_FROM)
        senders_of(buf_slice(&r->other_shown), &r->other_from,
                   &r->other_sender);
    return 0;
}

/* A layer inside which a good signature stands is authenticated by it. */
static void
authenticate(struct smime_report *r)
{
    bool good = false;

    for (size_t i = r->n; i-- > 0;) {
        for (size_t k = 0; k < r->layers[i].nsigners; k++)
            good |= r->layers[i].signers[k].good;
        r->layers[i].authenticated |= good;
    }
}

int
smime_open(const struct smime_ring *ring, struct slice mime,
           struct smime_report *r, struct err *e)
{
    struct peel p = {.ring = ring, .report = r, .entity = mime, .show = mime};
    int rc;

    memset(r, 0, sizeof *r);
    p.limit = mime.n + (1 << 20);
    while (p.nrooms <= SMIME_DEPTH && peel_layer(&p) == PEEL_ON)
        ;
    authenticate(r);
    rc = show(&p, mime, e);
    for (size_t i = 0; i < p.nrooms; i++)
        buf_wipe(&p.rooms[i]);
    if (rc)
        smime_report_clear(r);
    return rc;
}
