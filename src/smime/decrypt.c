/*
 * Decrypting one layer with exactly the key that it was made for
 * (LIBRARIES 4.5, SMIME.md R5, R6): the recipients are walked first, every
 * failure after a match looks alike, and nothing comes out before the last
 * byte was found right.
 */
#include "smime/private.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>

#include "base/code.h"
#include "base/mem.h"

/* ---- for whom it was made ---- */

static void
recipient_add(struct smime_layer *l, const X509_NAME *issuer,
              const ASN1_INTEGER *serial, const ASN1_OCTET_STRING *key_id)
{
    struct smime_recipient *r;

    l->recipients = xrealloc(l->recipients,
                             (l->nrecipients + 1) * sizeof *l->recipients);
    r = &l->recipients[l->nrecipients++];
    memset(r, 0, sizeof *r);
    if (key_id) {
        struct buf hex = BUF_INIT(1024);

        code_hex_write(&hex,
                       slice_make(ASN1_STRING_get0_data(key_id),
                                  (size_t)ASN1_STRING_length(key_id)));
        r->key_id = buf_take(&hex, NULL);
    }
    if (issuer)
        r->issuer = smime_name_text(issuer);
    if (serial)
        r->serial = smime_serial_text(serial);
}

static void
recipients_kari(struct smime_layer *l, CMS_RecipientInfo *ri)
{
    STACK_OF(CMS_RecipientEncryptedKey) *ks =
        CMS_RecipientInfo_kari_get0_reks(ri);

    for (int k = 0; k < sk_CMS_RecipientEncryptedKey_num(ks); k++) {
        ASN1_OCTET_STRING *id = NULL;
        X509_NAME *issuer = NULL;
        ASN1_INTEGER *serial = NULL;

        if (CMS_RecipientEncryptedKey_get0_id(
                sk_CMS_RecipientEncryptedKey_value(ks, k), &id, NULL, NULL,
                &issuer, &serial) == 1 &&
            l->nrecipients < SMIME_RECIPIENTS)
            recipient_add(l, issuer, serial, id);
    }
}

static int
recipients_list(CMS_ContentInfo *cms, struct smime_layer *l)
{
    STACK_OF(CMS_RecipientInfo) *rs = CMS_get0_RecipientInfos(cms);

    if (!rs || sk_CMS_RecipientInfo_num(rs) > SMIME_RECIPIENTS) {
        smime_report_copy_text(l->reason, sizeof l->reason,
                               "too many recipients, or none");
        return -1;
    }
    for (int i = 0; i < sk_CMS_RecipientInfo_num(rs); i++) {
        CMS_RecipientInfo *ri = sk_CMS_RecipientInfo_value(rs, i);
        ASN1_OCTET_STRING *id = NULL;
        X509_NAME *issuer = NULL;
        ASN1_INTEGER *serial = NULL;

        if (CMS_RecipientInfo_type(ri) == CMS_RECIPINFO_AGREE)
            recipients_kari(l, ri);
        else if (CMS_RecipientInfo_type(ri) == CMS_RECIPINFO_TRANS &&
                 CMS_RecipientInfo_ktri_get0_signer_id(ri, &id, &issuer,
                                                       &serial) == 1)
            recipient_add(l, issuer, serial, id);
    }
    return 0;
}

/* An entry that says OAEP but whose parameters do not parse would be read as
 * PKCS#1 v1.5 (openssl issue 32567): refused. */
static bool
ktri_is_sound(CMS_RecipientInfo *ri)
{
    X509_ALGOR *alg = NULL;
    const ASN1_OBJECT *oid;
    const void *param = NULL;
    int type = 0;

    if (CMS_RecipientInfo_ktri_get0_algs(ri, NULL, NULL, &alg) != 1 || !alg)
        return false;
    X509_ALGOR_get0(&oid, &type, &param, alg);
    if (OBJ_obj2nid(oid) != NID_rsaesOaep)
        return OBJ_obj2nid(oid) == NID_rsaEncryption;
    if (type != V_ASN1_SEQUENCE)
        return false;
    {
        const ASN1_STRING *s = param;
        const unsigned char *p = ASN1_STRING_get0_data(s);
        RSA_OAEP_PARAMS *oaep =
            d2i_RSA_OAEP_PARAMS(NULL, &p, ASN1_STRING_length(s));

        RSA_OAEP_PARAMS_free(oaep);
        return oaep != NULL;
    }
}

static bool
is_for(CMS_RecipientInfo *ri, X509 *cert)
{
    STACK_OF(CMS_RecipientEncryptedKey) *ks;

    if (CMS_RecipientInfo_type(ri) == CMS_RECIPINFO_TRANS)
        return CMS_RecipientInfo_ktri_cert_cmp(ri, cert) == 0 &&
               ktri_is_sound(ri);
    if (CMS_RecipientInfo_type(ri) != CMS_RECIPINFO_AGREE)
        return false;
    ks = CMS_RecipientInfo_kari_get0_reks(ri);
    for (int k = 0; k < sk_CMS_RecipientEncryptedKey_num(ks); k++)
        if (CMS_RecipientEncryptedKey_cert_cmp(
                sk_CMS_RecipientEncryptedKey_value(ks, k), cert) == 0)
            return true;
    return false;
}

static bool
is_for_any(CMS_ContentInfo *cms, X509 *cert)
{
    STACK_OF(CMS_RecipientInfo) *rs = CMS_get0_RecipientInfos(cms);

    for (int i = 0; i < sk_CMS_RecipientInfo_num(rs); i++)
        if (is_for(sk_CMS_RecipientInfo_value(rs, i), cert))
            return true;
    return false;
}

/* ---- with one pair ---- */

static int
content_read(CMS_ContentInfo *cms, struct buf *out)
{
    BIO *in = CMS_dataInit(cms, NULL), *cipher;
    char piece[65536];
    int n, ok;

    if (!in)
        return -1;
    while ((n = BIO_read(in, piece, sizeof piece)) > 0)
        if (buf_add(out, piece, (size_t)n))
            break;
    cipher = BIO_find_type(in, BIO_TYPE_CIPHER);
    ok = n == 0 && cipher && BIO_get_cipher_status(cipher) > 0;
    mem_wipe(piece, sizeof piece);
    BIO_free_all(in);
    return ok ? 0 : -1;
}

static int
decrypt_with(CMS_ContentInfo *cms, const struct smime_reader *r,
             struct buf *out)
{
    if (CMS_decrypt_set1_pkey(cms, r->key, r->cert) == 1 &&
        content_read(cms, out) == 0)
        return 0;
    buf_wipe(out);
    return -1;
}

/* RC2 and DES need the legacy provider, in a context of its own: loading it
 * into the default one would change it for everybody. */
static int
decrypt_legacy(struct slice der, const struct smime_reader *r, struct buf *out)
{
    OSSL_LIB_CTX *ctx = OSSL_LIB_CTX_new();
    OSSL_PROVIDER *legacy = ctx ? OSSL_PROVIDER_load(ctx, "legacy") : NULL;
    OSSL_PROVIDER *usual = ctx ? OSSL_PROVIDER_load(ctx, "default") : NULL;
    CMS_ContentInfo *cms = legacy && usual ? CMS_ContentInfo_new_ex(ctx, NULL)
                                           : NULL;
    BIO *b = BIO_new_mem_buf(der.p, (int)der.n);
    int rc = -1;

    if (cms && b && d2i_CMS_bio(b, &cms))
        rc = decrypt_with(cms, r, out);
    BIO_free(b);
    CMS_ContentInfo_free(cms);
    OSSL_PROVIDER_unload(legacy);
    OSSL_PROVIDER_unload(usual);
    OSSL_LIB_CTX_free(ctx);
    return rc;
}

/* ---- the content cipher's name, from the structure itself ---- */

static bool
is_legacy(int nid)
{
    switch (nid) {
    case NID_rc2_cbc:
    case NID_rc2_40_cbc:
    case NID_rc2_64_cbc:
    case NID_des_cbc:
        return true;
    default:
        return false;
    }
}

/* contentEncryptionAlgorithm is the first AlgorithmIdentifier after the OID
 * id-data in the encoding; OpenSSL has no accessor for it. */
static int
cipher_nid(struct slice der)
{
    static const unsigned char id_data[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                            0xf7, 0x0d, 0x01, 0x07, 0x01};
    const unsigned char *p = memmem(der.p, der.n, id_data, sizeof id_data);
    const unsigned char *end = (const unsigned char *)der.p + der.n;
    ASN1_OBJECT *oid;
    long len;
    int tag, class_, nid;

    if (!p)
        return NID_undef;
    p += sizeof id_data;
    if (ASN1_get_object(&p, &len, &tag, &class_, end - p) & 0x80 ||
        tag != V_ASN1_SEQUENCE)
        return NID_undef;
    oid = d2i_ASN1_OBJECT(NULL, &p, end - p);
    nid = oid ? OBJ_obj2nid(oid) : NID_undef;
    ASN1_OBJECT_free(oid);
    ERR_clear_error();
    return nid;
}

int
smime_decrypt(CMS_ContentInfo *cms, struct slice der,
              const struct smime_ring *ring, struct smime_layer *l,
              struct buf *out)
{
    int nid = cipher_nid(der), tried = 0;
    const char *name = nid == NID_undef ? NULL : OBJ_nid2sn(nid);

    smime_report_copy_text(l->algorithm, sizeof l->algorithm,
                           name ? name : "unknown");
    for (char *c = l->algorithm; *c; c++)
        *c = (char)ascii_lower((unsigned char)*c);
    if (recipients_list(cms, l))
        return -1;
    for (size_t i = 0; i < ring->n; i++) {
        const struct smime_reader *r = &ring->readers[i];
        int rc;

        if (!r->cert || !r->key || !is_for_any(cms, r->cert))
            continue;
        tried++;
        rc = is_legacy(nid) ? decrypt_legacy(der, r, out)
                            : decrypt_with(cms, r, out);
        ERR_clear_error();
        /* Looks like any other failure: nobody learns of a good padding. */
        if (rc == 0 && l->type == SMIME_ENVELOPED &&
            smime_is_noise(buf_slice(out))) {
            buf_wipe(out);
            rc = -1;
        }
        if (rc == 0) {
            l->opened = true;
            l->authenticated = l->type == SMIME_AUTH_ENVELOPED;
            l->broken = !l->authenticated && !smime_is_sound(buf_slice(out));
            return 0;
        }
    }
    ERR_clear_error();
    smime_report_copy_text(l->reason, sizeof l->reason,
                           tried ? "it could not be decrypted"
                                 : "no key that it was encrypted for is here");
    return -1;
}
