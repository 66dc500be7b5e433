/*
 * What a certificate says, as plain data for people: lists, sealpostctl.
 * Pure.
 */
#include "certs/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define NAME_FORM (XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB)

static void
copy_bio(BIO *b, char *dst, size_t size)
{
    char *p = NULL;
    long n = b ? BIO_get_mem_data(b, &p) : 0;

    if (n < 0 || (size_t)n >= size)
        n = n < 0 ? 0 : (long)size - 1;
    memcpy(dst, p ? p : "", (size_t)n);
    dst[n] = '\0';
    BIO_free(b);
}

static void
copy_name(const X509_NAME *name, char *dst, size_t size)
{
    BIO *b = BIO_new(BIO_s_mem());

    if (b)
        X509_NAME_print_ex(b, name, 0, NAME_FORM);
    copy_bio(b, dst, size);
}

static void
copy_serial(X509 *x, char *dst, size_t size)
{
    BIO *b = BIO_new(BIO_s_mem());

    if (b)
        i2a_ASN1_INTEGER(b, X509_get0_serialNumber(x));
    copy_bio(b, dst, size);
}

static int64_t
time_of(const ASN1_TIME *t)
{
    struct tm tm;

    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void
copy_key(X509 *x, char *dst, size_t size)
{
    EVP_PKEY *key = X509_get0_pubkey(x);
    char group[40] = "";

    if (!key)
        snprintf(dst, size, "unknown");
    else if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1)
        snprintf(dst, size, "EC %s", group);
    else
        snprintf(dst, size, "%s %d",
                 EVP_PKEY_get0_type_name(key) ? EVP_PKEY_get0_type_name(key)
                                              : "unknown",
                 EVP_PKEY_get_bits(key));
}

static void
copy_addresses(X509 *x, char *dst, size_t size)
{
    STACK_OF(OPENSSL_STRING) *list = X509_get1_email(x);
    size_t n = 0;

    dst[0] = '\0';
    for (int i = 0; i < sk_OPENSSL_STRING_num(list) && n < size; i++)
        n += (size_t)snprintf(dst + n, size - n, "%s%s", n ? " " : "",
                              sk_OPENSSL_STRING_value(list, i));
    X509_email_free(list);
}

int
certs_facts(X509 *x, struct certs_facts *out)
{
    memset(out, 0, sizeof *out);
    if (certs_fingerprint(x, out->fingerprint))
        return -1;
    copy_name(X509_get_subject_name(x), out->subject, sizeof out->subject);
    copy_name(X509_get_issuer_name(x), out->issuer, sizeof out->issuer);
    copy_serial(x, out->serial, sizeof out->serial);
    copy_key(x, out->key, sizeof out->key);
    copy_addresses(x, out->addresses, sizeof out->addresses);
    out->not_before = time_of(X509_get0_notBefore(x));
    out->not_after = time_of(X509_get0_notAfter(x));
    ERR_clear_error();
    return 0;
}

int
certs_facts_der(struct slice der, struct certs_facts *out)
{
    const unsigned char *p = (const unsigned char *)der.p;
    X509 *x = der.n ? d2i_X509(NULL, &p, (long)der.n) : NULL;
    int rc = x ? certs_facts(x, out) : -1;

    X509_free(x);
    ERR_clear_error();
    return rc;
}

void
certs_judge_der(struct certs *cs, struct slice der, const char *address,
                int64_t at, bool pinned, struct certs_judgment *out)
{
    const unsigned char *p = (const unsigned char *)der.p;
    X509 *x = der.n ? d2i_X509(NULL, &p, (long)der.n) : NULL;

    if (x) {
        certs_trust_judge(certs_anchors(cs), x, certs_issuers(cs),
                          CERTS_ENCRYPT, address, at, pinned, out);
    } else {
        *out = (struct certs_judgment){.why = CERTS_NOT_FOUND};
        snprintf(out->text, sizeof out->text, "cannot be read");
    }
    X509_free(x);
    ERR_clear_error();
}
