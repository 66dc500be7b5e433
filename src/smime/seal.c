/*
 * Sealing: the canonical 7-bit form once, protected headers, signature inside,
 * encryption outside (SMIME.md S1 to S13). Pure; called in workers by
 * outbox/seal.c.
 */
#include "smime/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "base/code.h"
#include "base/mem.h"
#include "mime/header.h"
#include "mime/message.h"
#include "mime/write.h"
#include "smime/private.h"

/* ---- already sealed? ---- */

enum smime_already
smime_seal_already(struct slice mime)
{
    struct mime_message *m = NULL;
    const struct mime_part *root;
    const char *protocol, *type;
    enum smime_already rc = SMIME_PLAIN;
    struct err e;

    if (mime_message_parse(mime, NULL, &m, &e))
        return SMIME_PLAIN;
    root = mime_message_root(m);
    protocol = mime_part_param(root, "protocol");
    type = mime_part_param(root, "smime-type");
    if (mime_part_is(root, "multipart", "signed"))
        rc = protocol && strstr(protocol, "pkcs7") ? SMIME_IS_SIGNED
                                                   : SMIME_IS_PGP;
    else if (mime_part_is(root, "multipart", "encrypted"))
        rc = SMIME_IS_PGP;
    else if (mime_part_is(root, "application", "pkcs7-mime") ||
             mime_part_is(root, "application", "x-pkcs7-mime"))
        rc = type && ascii_icmp(type, "signed-data") == 0 ? SMIME_IS_SIGNED
                                                          : SMIME_IS_ENCRYPTED;
    mime_message_free(&m);
    return rc;
}

/* ---- header protection (RFC 9788) ---- */

/* Not copied inside: what transport writes, and who is hidden. */
static bool
stays_outside(struct slice name)
{
    static const char *const names[] = {
        "Bcc", "Return-Path", "Received", "DKIM-Signature",
        "Authentication-Results", "X-Sealpost", "MIME-Version",
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_iis(name, names[i]))
            return true;
    return slice_istarts(name, "Resent-") || slice_istarts(name, "Content-");
}

static int
outer_field(const struct smime_orders *o, const struct mime_field *f,
            struct buf *out)
{
    bool hide = o->encrypt && o->protect == SMIME_PROTECT_HIDE;

    if (hide && slice_iis(f->name, "Subject"))
        return buf_adds(out, "Subject: [...]\r\n");
    if (hide &&
        (slice_iis(f->name, "Comments") || slice_iis(f->name, "Keywords")))
        return 0;
    return buf_add_slice(out, f->whole);
}

static int
payload_headers(const struct smime_orders *o, struct slice header,
                struct buf *out)
{
    struct slice rest = header;
    struct mime_field f, g;
    int rc = 0;

    while (rc == 0 && mime_field_next(&rest, &f)) {
        char *name = slice_dup(f.name);

        if (f.name.n && !stays_outside(f.name) &&
            !mime_header_find(o->inner_fields, name, 0, &g))
            rc = buf_add_slice(out, f.whole);
        free(name);
    }
    if (rc == 0)
        rc = buf_add_slice(out, o->inner_fields);
    rest = header;
    while (rc == 0 && o->encrypt && mime_field_next(&rest, &f)) {
        struct buf shown = BUF_INIT(f.whole.n + 64);

        if (f.name.n && !stays_outside(f.name) &&
            outer_field(o, &f, &shown) == 0 && shown.len) {
            buf_adds(out, "HP-Outer: ");
            rc = buf_add_slice(out, buf_slice(&shown));
        }
        buf_clear(&shown);
    }
    return rc;
}

/* The entity with the message's fields on top and the hp parameter. */
static int
payload_write(const struct smime_orders *o, struct slice header,
              struct slice entity, struct buf *out, struct err *e)
{
    const char *hp = o->encrypt ? "cipher" : "clear";
    size_t head = mime_header_length(entity);
    struct slice rest = slice_cut(entity, 0, head);
    struct mime_field f;
    bool typed = false;
    int rc;

    if (o->protect == SMIME_PROTECT_OFF) {
        rc = buf_add_slice(out, entity);
        return rc ? err_set(e, E_LIMIT, "the message is too large") : 0;
    }
    rc = payload_headers(o, header, out);
    while (rc == 0 && mime_field_next(&rest, &f)) {
        struct slice whole = f.whole;

        if (!slice_iis(f.name, "Content-Type")) {
            rc = buf_add_slice(out, whole);
            continue;
        }
        typed = true;
        while (whole.n && ascii_is_space((unsigned char)whole.p[whole.n - 1]))
            whole.n--;
        rc = buf_add_slice(out, whole);
        if (rc == 0)
            rc = buf_addf(out, ";\r\n\thp=\"%s\"\r\n", hp);
    }
    if (rc == 0 && !typed)
        rc = buf_addf(out, "Content-Type: text/plain; charset=us-ascii;\r\n"
                           "\thp=\"%s\"\r\n", hp);
    if (rc == 0)
        rc = buf_adds(out, "\r\n");
    if (rc == 0)
        rc = buf_add_slice(out, slice_from(entity, head));
    return rc ? err_set(e, E_LIMIT, "the message is too large") : 0;
}

/* ---- signing ---- */

/* encrypKeyPref: the value is a context-tagged CHOICE, so the whole attribute
 * is built as DER (LIBRARIES R5). */
static int
preference_add(CMS_SignerInfo *si, X509 *enc)
{
    unsigned char *name = NULL, *serial = NULL, *oid = NULL, *der, *w;
    int ln = i2d_X509_NAME(X509_get_issuer_name(enc), &name);
    int ls = i2d_ASN1_INTEGER(X509_get0_serialNumber(enc), &serial);
    int lo = i2d_ASN1_OBJECT(OBJ_nid2obj(NID_id_smime_aa_encrypKeyPref), &oid);
    int choice, set, all, ok = 0;

    if (ln > 0 && ls > 0 && lo > 0) {
        choice = ASN1_object_size(1, ln + ls, 0);
        set = ASN1_object_size(1, choice, V_ASN1_SET);
        all = ASN1_object_size(1, lo + set, V_ASN1_SEQUENCE);
        w = der = xmalloc((size_t)all);
        ASN1_put_object(&w, 1, lo + set, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
        memcpy(w, oid, (size_t)lo);
        w += lo;
        ASN1_put_object(&w, 1, choice, V_ASN1_SET, V_ASN1_UNIVERSAL);
        ASN1_put_object(&w, 1, ln + ls, 0, V_ASN1_CONTEXT_SPECIFIC);
        memcpy(w, name, (size_t)ln);
        w += ln;
        memcpy(w, serial, (size_t)ls);
        w += ls;
        {
            const unsigned char *r = der;
            X509_ATTRIBUTE *a = d2i_X509_ATTRIBUTE(NULL, &r, w - der);

            ok = a && CMS_signed_add1_attr(si, a);
            X509_ATTRIBUTE_free(a);
        }
        free(der);
    }
    OPENSSL_free(name);
    OPENSSL_free(serial);
    OPENSSL_free(oid);
    return ok;
}

/* Our own list: what we do read, best first (SMIME.md section 6). */
static int
capabilities_add(CMS_SignerInfo *si, bool gcm)
{
    STACK_OF(X509_ALGOR) *caps = NULL;
    int ok = 1;

    if (gcm)
        ok = CMS_add_simple_smimecap(&caps, NID_aes_256_gcm, -1) &&
             CMS_add_simple_smimecap(&caps, NID_aes_128_gcm, -1);
    ok = ok && CMS_add_simple_smimecap(&caps, NID_aes_256_cbc, -1) &&
         CMS_add_simple_smimecap(&caps, NID_aes_128_cbc, -1) &&
         CMS_add_smimecap(si, caps);
    sk_X509_ALGOR_pop_free(caps, X509_ALGOR_free);
    return ok;
}

static const EVP_MD *
digest_for(EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) > 300
               ? EVP_sha384()
               : EVP_sha256();
}

static CMS_SignerInfo *
signer_add(const struct smime_orders *o, CMS_ContentInfo *cms)
{
    unsigned flags = CMS_NOSMIMECAP | CMS_CADES | (o->pss ? CMS_KEY_PARAM : 0);
    CMS_SignerInfo *si = CMS_add1_signer(cms, o->signer, o->key,
                                         digest_for(o->key), flags);
    EVP_PKEY_CTX *ctx;

    if (!si || !o->pss)
        return si;
    ctx = CMS_SignerInfo_get0_pkey_ctx(si);
    if (!ctx ||
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) <= 0 ||
        EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) <= 0)
        return NULL;
    return si;
}

/* The bytes are pushed through the digest, not copied by the library. */
static CMS_ContentInfo *
sign(const struct smime_orders *o, struct slice payload, struct err *e)
{
    unsigned flags = CMS_PARTIAL | CMS_BINARY | CMS_STREAM |
                     (o->opaque ? 0 : CMS_DETACHED);
    CMS_ContentInfo *cms;
    CMS_SignerInfo *si;
    BIO *chan = NULL;
    int ok;

    if (EVP_PKEY_is_a(o->key, "ED25519") || EVP_PKEY_is_a(o->key, "ED448")) {
        err_set(e, E_CRYPTO, "signing with Ed25519 keys is not built yet");
        return NULL;
    }
    cms = CMS_sign(NULL, NULL, o->chain, NULL, flags);
    si = cms ? signer_add(o, cms) : NULL;
    ok = si && capabilities_add(si, o->announce_gcm) &&
         (!o->own_encryption || preference_add(si, o->own_encryption)) &&
         (!o->own_encryption || CMS_add1_cert(cms, o->own_encryption) ||
          ERR_GET_REASON(ERR_peek_last_error()) ==
              CMS_R_CERTIFICATE_ALREADY_PRESENT);
    ok = ok && (chan = CMS_dataInit(cms, NULL)) != NULL &&
         BIO_write(chan, payload.p, (int)payload.n) == (int)payload.n &&
         BIO_flush(chan) > 0 && CMS_dataFinal(cms, chan);
    BIO_free_all(chan);
    if (ok)
        return cms;
    smime_err(e, E_CRYPTO, "signing");
    CMS_ContentInfo_free(cms);
    return NULL;
}

static int
cms_der(CMS_ContentInfo *cms, struct buf *out, struct err *e)
{
    BIO *b = BIO_new(BIO_s_mem());
    char *p;
    long n;
    int ok = b && i2d_CMS_bio(b, cms) == 1;

    n = ok ? BIO_get_mem_data(b, &p) : 0;
    ok = ok && buf_add(out, p, (size_t)n) == 0;
    BIO_free(b);
    return ok ? 0 : smime_err(e, E_CRYPTO, "writing the CMS structure");
}

static int
entity_pkcs7(struct slice der, const char *type, struct buf *out,
             struct err *e)
{
    buf_addf(out,
             "Content-Type: application/pkcs7-mime; smime-type=%s;\r\n"
             "\tname=\"smime.p7m\"\r\n"
             "Content-Transfer-Encoding: base64\r\n"
             "Content-Disposition: attachment; filename=\"smime.p7m\"\r\n"
             "\r\n",
             type);
    if (code_base64_write(out, der, 76))
        return err_set(e, E_LIMIT, "the message is too large");
    return 0;
}

static int
entity_signed(const struct smime_orders *o, struct slice payload,
              struct slice der, struct buf *out, struct err *e)
{
    char boundary[MIME_BOUNDARY_SIZE], params[120];
    struct buf part = BUF_INIT(der.n * 2 + 1024);
    struct slice parts[2] = {payload};
    const char *micalg =
        digest_for(o->key) == EVP_sha384() ? "sha-384" : "sha-256";
    int rc;

    mime_write_boundary(boundary);
    snprintf(params, sizeof params,
             "; protocol=\"application/pkcs7-signature\"; micalg=%s", micalg);
    buf_adds(&part, "Content-Type: application/pkcs7-signature; "
                    "name=\"smime.p7s\"\r\n"
                    "Content-Transfer-Encoding: base64\r\n"
                    "Content-Disposition: attachment; "
                    "filename=\"smime.p7s\"\r\n\r\n");
    rc = code_base64_write(&part, der, 76);
    parts[1] = buf_slice(&part);
    if (rc == 0)
        rc = mime_write_multipart("signed", boundary, params, parts, 2, out);
    buf_clear(&part);
    return rc ? err_set(e, E_LIMIT, "the message is too large") : 0;
}

static int
entity_sign(const struct smime_orders *o, struct slice payload,
            struct buf *out, struct err *e)
{
    struct buf der = BUF_INIT(out->limit);
    CMS_ContentInfo *cms = sign(o, payload, e);
    int rc = -1;

    if (cms && cms_der(cms, &der, e) == 0)
        rc = o->opaque
                 ? entity_pkcs7(buf_slice(&der), "signed-data", out, e)
                 : entity_signed(o, payload, buf_slice(&der), out, e);
    CMS_ContentInfo_free(cms);
    buf_wipe(&der);
    return rc;
}

/* ---- encrypting ---- */

static const EVP_CIPHER *
cipher_of(enum smime_cipher c)
{
    switch (c) {
    case SMIME_AES_128_CBC:
        return EVP_aes_128_cbc();
    case SMIME_AES_256_GCM:
        return EVP_aes_256_gcm();
    default:
        return EVP_aes_256_cbc();
    }
}

/* Digests are set explicitly: the library's defaults are SHA-1. */
static int
recipient_set(CMS_ContentInfo *cms, const struct smime_to *to)
{
    CMS_RecipientInfo *ri = CMS_add1_recipient_cert(cms, to->cert,
                                                    CMS_KEY_PARAM);
    EVP_PKEY_CTX *ctx = ri ? CMS_RecipientInfo_get0_pkey_ctx(ri) : NULL;

    if (!ri || !ctx)
        return 0;
    if (CMS_RecipientInfo_type(ri) == CMS_RECIPINFO_AGREE)
        return EVP_PKEY_CTX_set_ecdh_kdf_md(ctx, EVP_sha256()) > 0;
    if (!to->oaep)
        return 1;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) > 0 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) > 0;
}

static int
entity_encrypt(const struct smime_orders *o, struct slice inner,
               struct buf *out, struct err *e)
{
    CMS_ContentInfo *cms =
        CMS_encrypt(NULL, NULL, cipher_of(o->cipher),
                    CMS_PARTIAL | CMS_BINARY | CMS_STREAM);
    struct buf der = BUF_INIT(out->limit);
    BIO *chan = NULL;
    int ok = cms != NULL, rc = -1;

    for (size_t i = 0; ok && i < o->nto; i++) {
        ok = recipient_set(cms, &o->to[i]);
        if (!ok) {
            char *name =
                smime_name_text(X509_get_subject_name(o->to[i].cert));

            smime_err(e, E_NOCERT, "the key of this certificate cannot be "
                                   "encrypted to");
            err_add(e, "%.80s", name);
            free(name);
            CMS_ContentInfo_free(cms);
            return -1;
        }
    }
    ok = ok && (chan = CMS_dataInit(cms, NULL)) != NULL &&
         BIO_write(chan, inner.p, (int)inner.n) == (int)inner.n &&
         BIO_flush(chan) > 0 && CMS_dataFinal(cms, chan);
    BIO_free_all(chan);
    if (!ok)
        smime_err(e, E_CRYPTO, "encrypting");
    else if (cms_der(cms, &der, e) == 0)
        rc = entity_pkcs7(buf_slice(&der),
                          o->cipher == SMIME_AES_256_GCM
                              ? "authEnveloped-data"
                              : "enveloped-data",
                          out, e);
    CMS_ContentInfo_free(cms);
    buf_clear(&der);
    return rc;
}

/* ---- the whole ---- */

static int
header_write(const struct smime_orders *o, struct slice header,
             struct buf *out)
{
    struct slice rest = header;
    struct mime_field f;
    int rc = 0;

    while (rc == 0 && mime_field_next(&rest, &f))
        if (f.name.n)
            rc = outer_field(o, &f, out);
    return rc ? rc : buf_adds(out, "MIME-Version: 1.0\r\n");
}

static int
orders_check(const struct smime_orders *o, struct err *e)
{
    if (!o->sign && !o->encrypt)
        return err_set(e, E_BUG, "nothing to seal");
    if (o->sign && (!o->signer || !o->key))
        return err_set(e, E_CRYPTO, "there is no key to sign with");
    if (o->encrypt && !o->nto)
        return err_set(e, E_NOCERT, "there is nobody to encrypt to");
    for (size_t i = 0; o->encrypt && i < o->nto; i++)
        if (!o->to[i].cert)
            return err_set(e, E_NOCERT, "a recipient has no certificate");
    return 0;
}

int
smime_seal(const struct smime_orders *o, struct slice mime, struct buf *out,
           struct err *e)
{
    size_t limit = mime.n * 6 + (4 << 20);
    struct buf canon = BUF_INIT(limit), header = BUF_INIT(limit);
    struct buf entity = BUF_INIT(limit), payload = BUF_INIT(limit);
    struct buf inner = BUF_INIT(limit);
    struct slice sealed;
    int rc = -1;

    ERR_clear_error();
    if (mime.n > INT32_MAX / 8)
        return err_set(e, E_LIMIT, "the message is too large to be sealed");
    if (orders_check(o, e) ||
        mime_write_7bit(mime, NULL, &canon, e) ||
        mime_write_split(buf_slice(&canon), &header, &entity, e) ||
        payload_write(o, buf_slice(&header), buf_slice(&entity), &payload, e))
        goto out;
    sealed = buf_slice(&payload);
    if (o->sign) {
        if (entity_sign(o, sealed, &inner, e))
            goto out;
        sealed = buf_slice(&inner);
    }
    if (header_write(o, buf_slice(&header), out)) {
        err_set(e, E_LIMIT, "the message is too large");
        goto out;
    }
    if (o->encrypt)
        rc = entity_encrypt(o, sealed, out, e);
    else
        rc = buf_add_slice(out, sealed)
                 ? err_set(e, E_LIMIT, "the message is too large")
                 : 0;
out:
    if (rc)
        buf_wipe(out);
    buf_wipe(&canon);
    buf_wipe(&header);
    buf_wipe(&entity);
    buf_wipe(&payload);
    buf_wipe(&inner);
    return rc;
}
