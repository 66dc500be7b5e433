/*
 * The signatures of one SignedData: each signer alone, chain and address left
 * to room certs. Ed25519 has a path of its own, since OpenSSL 3.0's CMS has
 * none (SMIME.md section 17).
 */
#include "smime/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ess.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/mem.h"

#define OID_MS_KEY_PREFERENCE "1.3.6.1.4.1.311.16.4"

/* ---- what a signer's attributes tell ---- */

static int64_t
asn1_time(const ASN1_TIME *t)
{
    struct tm tm;

    if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
        return -1;
    return timegm(&tm);
}

static const ASN1_TYPE *
attribute(CMS_SignerInfo *si, int nid, const char *oid)
{
    ASN1_OBJECT *obj = oid ? OBJ_txt2obj(oid, 1) : OBJ_nid2obj(nid);
    int at = CMS_signed_get_attr_by_OBJ(si, obj, -1);
    X509_ATTRIBUTE *a = at >= 0 ? CMS_signed_get_attr(si, at) : NULL;

    if (oid)
        ASN1_OBJECT_free(obj);
    return a && X509_ATTRIBUTE_count(a) == 1 ? X509_ATTRIBUTE_get0_type(a, 0)
                                             : NULL;
}

static X509 *
cert_by_issuer(STACK_OF(X509) *certs, const unsigned char *p, long len)
{
    const unsigned char *end = p + len;
    X509_NAME *issuer = d2i_X509_NAME(NULL, &p, len);
    ASN1_INTEGER *serial = issuer ? d2i_ASN1_INTEGER(NULL, &p, end - p) : NULL;
    X509 *found = NULL;

    for (int i = 0; serial && i < sk_X509_num(certs) && !found; i++) {
        X509 *x = sk_X509_value(certs, i);

        if (X509_NAME_cmp(X509_get_issuer_name(x), issuer) == 0 &&
            ASN1_INTEGER_cmp(X509_get0_serialNumber(x), serial) == 0)
            found = x;
    }
    if (found)
        X509_up_ref(found);
    X509_NAME_free(issuer);
    ASN1_INTEGER_free(serial);
    return found;
}

/* RFC 8551 2.5.3: [0] issuerAndSerialNumber; Outlook's private attribute is
 * the same as a SEQUENCE. */
static X509 *
encryption_preference(CMS_SignerInfo *si, STACK_OF(X509) *certs)
{
    const ASN1_TYPE *t = attribute(si, NID_id_smime_aa_encrypKeyPref, NULL);
    const unsigned char *p;
    long len;
    int tag, class_;

    if (t && t->type == V_ASN1_OTHER) {
        p = ASN1_STRING_get0_data(t->value.asn1_string);
        if (ASN1_get_object(&p, &len, &tag, &class_,
                            ASN1_STRING_length(t->value.asn1_string)) &
                0x80 ||
            tag != 0 || class_ != V_ASN1_CONTEXT_SPECIFIC)
            return NULL;
        return cert_by_issuer(certs, p, len);
    }
    t = attribute(si, 0, OID_MS_KEY_PREFERENCE);
    if (!t || t->type != V_ASN1_SEQUENCE)
        return NULL;
    p = ASN1_STRING_get0_data(t->value.sequence);
    if (ASN1_get_object(&p, &len, &tag, &class_,
                        ASN1_STRING_length(t->value.sequence)) & 0x80)
        return NULL;
    return cert_by_issuer(certs, p, len);
}

/* signingCertificateV2 (RFC 5035), when present, must name this one. */
static bool
ess_fits(CMS_SignerInfo *si, X509 *cert)
{
    const ASN1_TYPE *t =
        attribute(si, NID_id_smime_aa_signingCertificateV2, NULL);
    const unsigned char *p;
    ESS_SIGNING_CERT_V2 *ess;
    unsigned char md[EVP_MAX_MD_SIZE], *der = NULL;
    unsigned n = 0;
    bool fits = false;
    int len;

    if (!t)
        return true;
    if (t->type != V_ASN1_SEQUENCE)
        return false;
    p = ASN1_STRING_get0_data(t->value.sequence);
    ess = d2i_ESS_SIGNING_CERT_V2(NULL, &p,
                                  ASN1_STRING_length(t->value.sequence));
    if (!ess)
        return false;
    /* The structs are opaque: the hash is looked for in the encoding. SHA-256
     * is the default; others are named. */
    len = i2d_ESS_SIGNING_CERT_V2(ess, &der);
    for (int i = 0; i < 3 && !fits && len > 0; i++) {
        const EVP_MD *digests[] = {EVP_sha256(), EVP_sha384(), EVP_sha512()};

        fits = X509_digest(cert, digests[i], md, &n) &&
               memmem(der, (size_t)len, md, n) != NULL;
    }
    OPENSSL_free(der);
    ESS_SIGNING_CERT_V2_free(ess);
    return fits;
}

static void
signer_attributes(CMS_SignerInfo *si, STACK_OF(X509) *certs,
                  struct smime_signer *s)
{
    const ASN1_TYPE *t = attribute(si, NID_pkcs9_signingTime, NULL);
    const ASN1_STRING *caps;

    s->time = -1;
    s->attributes = CMS_signed_get_attr_count(si) > 0;
    if (t && (t->type == V_ASN1_UTCTIME || t->type == V_ASN1_GENERALIZEDTIME))
        s->time = asn1_time(t->value.asn1_string);
    caps = CMS_signed_get0_data_by_OBJ(si, OBJ_nid2obj(NID_SMIMECapabilities),
                                       -3, V_ASN1_SEQUENCE);
    if (caps && ASN1_STRING_length(caps) < 4096) {
        s->capabilities_len = (size_t)ASN1_STRING_length(caps);
        s->capabilities =
            xmemdup(ASN1_STRING_get0_data(caps), s->capabilities_len);
    }
    s->encryption = encryption_preference(si, certs);
}

/* ---- one signer ---- */

static void
signer_fail(struct smime_signer *s, const char *why)
{
    s->good = false;
    smime_report_copy_text(s->reason, sizeof s->reason, why);
}

static int
by_encoding(const void *a, const void *b)
{
    const struct slice *x = a, *y = b;
    size_t n = x->n < y->n ? x->n : y->n;
    int c = memcmp(x->p, y->p, n);

    return c ? c : x->n < y->n ? -1 : x->n > y->n;
}

/* The signed attributes as the signature covers them: DER SET OF. */
static int
attributes_der(CMS_SignerInfo *si, struct buf *out)
{
    int n = CMS_signed_get_attr_count(si);
    struct slice list[64];
    size_t sum = 0;
    unsigned char head[16], *p = head;
    int ok = n > 0 && n <= 64;

    for (int i = 0; ok && i < n; i++) {
        unsigned char *der = NULL;
        int len = i2d_X509_ATTRIBUTE(CMS_signed_get_attr(si, i), &der);

        ok = len > 0;
        list[i] = slice_make(der, ok ? (size_t)len : 0);
        sum += list[i].n;
        if (!ok)
            n = i;
    }
    if (ok) {
        qsort(list, (size_t)n, sizeof *list, by_encoding);
        ASN1_put_object(&p, 1, (int)sum, V_ASN1_SET, V_ASN1_UNIVERSAL);
        ok = buf_add(out, head, (size_t)(p - head)) == 0;
    }
    for (int i = 0; i < n && n <= 64; i++) {
        ok = ok && buf_add_slice(out, list[i]) == 0;
        OPENSSL_free((void *)(uintptr_t)list[i].p);
    }
    return ok ? 0 : -1;
}

/* RFC 8419: messageDigest with SHA-512, the signature over the attributes. */
static bool
verify_ed25519(CMS_SignerInfo *si, EVP_PKEY *key, struct slice content)
{
    const ASN1_STRING *want = CMS_signed_get0_data_by_OBJ(
        si, OBJ_nid2obj(NID_pkcs9_messageDigest), -3, V_ASN1_OCTET_STRING);
    const ASN1_STRING *type = CMS_signed_get0_data_by_OBJ(
        si, OBJ_nid2obj(NID_pkcs9_contentType), -3, V_ASN1_OBJECT);
    ASN1_OCTET_STRING *sig = CMS_SignerInfo_get0_signature(si);
    unsigned char md[64];
    unsigned n = 0;
    EVP_MD_CTX *ctx;
    struct buf der = BUF_INIT(65536);
    bool ok;

    if (!want || !type || !sig ||
        OBJ_obj2nid((const ASN1_OBJECT *)type) != NID_pkcs7_data ||
        !EVP_Digest(content.p, content.n, md, &n, EVP_sha512(), NULL) ||
        ASN1_STRING_length(want) != (int)n ||
        memcmp(ASN1_STRING_get0_data(want), md, n) != 0)
        return false;
    ctx = EVP_MD_CTX_new();
    ok = ctx && attributes_der(si, &der) == 0 &&
         EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
         EVP_DigestVerify(ctx, ASN1_STRING_get0_data(sig),
                          (size_t)ASN1_STRING_length(sig),
                          (const unsigned char *)der.data, der.len) == 1;
    EVP_MD_CTX_free(ctx);
    buf_clear(&der);
    return ok;
}

static bool
is_weak(int digest, EVP_PKEY *key)
{
    switch (digest) {
    case NID_md2:
    case NID_md4:
    case NID_md5:
    case NID_sha1:
        return true;
    default:
        break;
    }
    if (EVP_PKEY_is_a(key, "DSA"))
        return true;
    return (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS")) &&
           EVP_PKEY_get_bits(key) < 2048;
}

static void
signer_check(CMS_SignerInfo *si, BIO *chan, struct slice content,
             STACK_OF(X509) *certs, struct smime_signer *s)
{
    X509 *cert = NULL;
    EVP_PKEY *key = NULL;
    X509_ALGOR *digest = NULL, *signature = NULL;
    const ASN1_OBJECT *oid;
    int md, sig;

    CMS_SignerInfo_get0_algs(si, &key, &cert, &digest, &signature);
    X509_ALGOR_get0(&oid, NULL, NULL, digest);
    md = OBJ_obj2nid(oid);
    X509_ALGOR_get0(&oid, NULL, NULL, signature);
    sig = OBJ_obj2nid(oid);
    snprintf(s->algorithm, sizeof s->algorithm, "%s/%s", OBJ_nid2ln(md),
             OBJ_nid2sn(sig));
    signer_attributes(si, certs, s);
    if (!cert || !key) {
        signer_fail(s, "the signer's certificate is not in the message");
        return;
    }
    X509_up_ref(cert);
    s->cert = cert;
    s->issuer = smime_name_text(X509_get_issuer_name(cert));
    s->serial = smime_serial_text(X509_get0_serialNumber(cert));
    s->weak = is_weak(md, key);
    if (EVP_PKEY_get_bits(key) > SMIME_RSA_BITS) {
        signer_fail(s, "the key is larger than is allowed");
        return;
    }
    if (EVP_PKEY_is_a(key, "ED25519")) {
        s->good = verify_ed25519(si, key, content);
        if (!s->good)
            signer_fail(s, "the signature does not fit the content");
        return;
    }
    if (CMS_signed_get_attr_count(si) >= 0 && CMS_SignerInfo_verify(si) != 1)
        signer_fail(s, "the signature over its attributes is bad");
    else if (CMS_SignerInfo_verify_content(si, chan) != 1)
        signer_fail(s, "the content was changed after it was signed");
    else if (!ess_fits(si, cert))
        signer_fail(s, "the signature names another certificate");
    else
        s->good = true;
}

/* ---- all of them ---- */

static int
layer_fail(struct smime_layer *l, const char *why)
{
    smime_report_copy_text(l->reason, sizeof l->reason, why);
    ERR_clear_error();
    return -1;
}

/* Without signed attributes the signature covers the content: one that reads
 * as attributes itself may have been signed as something else (SMIME.md 4). */
static bool
looks_like_attributes(struct slice content)
{
    return content.n > 2 && (unsigned char)content.p[0] == 0x31;
}

int
smime_verify(CMS_ContentInfo *cms, bool detached, struct slice content,
             struct smime_report *r, struct smime_layer *l, struct buf *out)
{
    ASN1_OCTET_STRING **in = CMS_get0_content(cms);
    STACK_OF(CMS_SignerInfo) *list = CMS_get0_SignerInfos(cms);
    STACK_OF(X509) *certs;
    BIO *chan, *data = NULL;
    char piece[65536];
    int n;

    if (OBJ_obj2nid(CMS_get0_eContentType(cms)) != NID_pkcs7_data)
        return layer_fail(l, "the signed content is not of type data");
    if (detached && in && *in)
        return layer_fail(l, "the signature brings a content of its own");
    if (!detached && (!in || !*in))
        return layer_fail(l, "the signed content is missing");
    if (sk_CMS_SignerInfo_num(list) > SMIME_SIGNERS)
        return layer_fail(l, "too many signers");
    if (!detached) {
        content = slice_make(ASN1_STRING_get0_data(*in),
                             (size_t)ASN1_STRING_length(*in));
        if (buf_add_slice(out, content))
            return layer_fail(l, "the content is too large");
        content = buf_slice(out);
    }
    certs = CMS_get1_certs(cms);
    if (sk_X509_num(certs) > SMIME_CERTS) {
        sk_X509_pop_free(certs, X509_free);
        return layer_fail(l, "too many certificates");
    }
    CMS_set1_signers_certs(cms, NULL, 0);
    if (detached)
        data = BIO_new_mem_buf(content.p ? content.p : "", (int)content.n);
    chan = CMS_dataInit(cms, data);
    while (chan && (n = BIO_read(chan, piece, sizeof piece)) > 0)
        ;
    l->opened = true;
    for (int i = 0; i < sk_CMS_SignerInfo_num(list); i++) {
        struct smime_signer *s;

        l->signers = xrealloc(l->signers,
                              (l->nsigners + 1) * sizeof *l->signers);
        s = &l->signers[l->nsigners++];
        memset(s, 0, sizeof *s);
        if (chan)
            signer_check(sk_CMS_SignerInfo_value(list, i), chan, content,
                         certs, s);
        else
            signer_fail(s, "its digest is not known");
        if (s->good && !s->attributes && looks_like_attributes(content))
            signer_fail(s, "signed without attributes, over attributes");
        ERR_clear_error();
    }
    if (l->nsigners)
        smime_report_copy_text(l->algorithm, sizeof l->algorithm,
                               l->signers[0].algorithm);
    for (int i = 0; i < sk_X509_num(certs); i++) {
        if (!r->certs)
            r->certs = sk_X509_new_null();
        if (sk_X509_num(r->certs) < SMIME_CERTS) {
            X509_up_ref(sk_X509_value(certs, i));
            sk_X509_push(r->certs, sk_X509_value(certs, i));
        }
    }
    sk_X509_pop_free(certs, X509_free);
    if (chan && detached) {
        /* the digest BIOs only; `data` is freed once */
        BIO_free_all(chan);
        data = NULL;
    } else if (chan) {
        BIO_free_all(chan);
    }
    BIO_free(data);
    ERR_clear_error();
    return 0;
}
