/*
 * Harvest: the certificates of people whose signatures were found good (SPEC
 * section 10, SMIME.md R18), and those given by hand.
 */
#include "certs/certs.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "certs/private.h"
#include "smime/report.h"
#include "store/certificate.h"

#define SKEW 300

/* The one that speaks for From: the innermost good signer. */
static const struct smime_signer *
speaker(const struct smime_report *r)
{
    for (size_t i = r->n; i-- > 0;)
        for (size_t k = 0; k < r->layers[i].nsigners; k++) {
            const struct smime_signer *s = &r->layers[i].signers[k];

            if (s->good && s->cert && !s->weak &&
                certs_has_address(s->cert, r->from))
                return s;
        }
    return NULL;
}

/* Another issuer than the one we know this address by is only a candidate. */
static int
is_candidate(struct certs *cs, const char *address, X509 *x, bool *out,
             struct err *e)
{
    struct arena *a = arena_new();
    struct store_cert row;
    int64_t after = 0;
    bool any = false, same = false;
    int rc;

    while ((rc = store_cert_next(cs->store, address, &after, a, &row, e)) ==
           1) {
        const unsigned char *p = (const unsigned char *)row.der.p;
        X509 *known = d2i_X509(NULL, &p, (long)row.der.n);

        if (known && !row.candidate && !row.refused) {
            any = true;
            same |= X509_NAME_cmp(X509_get_issuer_name(known),
                                  X509_get_issuer_name(x)) == 0;
        }
        X509_free(known);
    }
    arena_free(&a);
    ERR_clear_error();
    *out = any && !same;
    return rc;
}

/* Is it kept for this address already? 1, 0, -1. */
static int
is_known(struct certs *cs, const char *address, const char *fp, struct err *e)
{
    struct arena *a = arena_new();
    struct store_cert row;
    int64_t after = 0;
    int rc;

    while ((rc = store_cert_next(cs->store, address, &after, a, &row, e)) ==
               1 &&
           strcmp(row.fingerprint, fp) != 0)
        ;
    arena_free(&a);
    return rc;
}

static int
keep(struct certs *cs, const char *address, X509 *x,
     const struct smime_signer *s, int64_t now, char fp[65], struct err *e)
{
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der), rc, known = 0;
    struct store_cert row = {
        .fingerprint = fp,
        .address = address,
        .source = STORE_CERT_HARVESTED,
        .capabilities = slice_make(s->capabilities, s->capabilities_len),
        .capabilities_time = s->time <= now + SKEW ? s->time : 0,
    };

    if (n <= 0 || certs_fingerprint(x, fp)) {
        OPENSSL_free(der);
        return err_set(e, E_CRYPTO, "the certificate could not be written");
    }
    row.der = slice_make(der, (size_t)n);
    if (row.capabilities_time <= 0)
        row.capabilities = SLICE_NONE;
    rc = is_candidate(cs, address, x, &row.candidate, e);
    if (rc == 0)
        known = is_known(cs, address, fp, e);
    if (rc == 0 && known >= 0)
        rc = store_cert_put(cs->store, &row, e);
    if (known < 0)
        rc = -1;
    if (rc == 0 && !known) /* seen again is no news */
        log_info("certs", "address=%s fingerprint=%.16s %s",
                 log_address(address), fp,
                 row.candidate ? "another issuer: waits to be accepted"
                               : "harvested");
    OPENSSL_free(der);
    return rc;
}

/* The From as certificates are kept for it; false when it has none. */
static bool
from_lower(const struct smime_report *r, char *out, size_t size)
{
    if (!r->from || !slice_copy(slice_of(r->from), out, size))
        return false;
    for (char *c = out; *c; c++)
        *c = (char)ascii_lower((unsigned char)*c);
    return true;
}

/* The one that the preference names, if it holds for this address too; else
 * the signer's own, if it may be encrypted to. */
static X509 *
learnable(struct certs_anchors *a, const struct smime_report *r,
          const struct smime_signer *s, const char *address, int64_t now)
{
    X509 *x = s->encryption ? s->encryption : s->cert;
    struct certs_judgment j;

    certs_trust_judge(a, x, r->certs, CERTS_ENCRYPT, address, now, false, &j);
    if (j.why != CERTS_OK && x != s->cert) {
        x = s->cert;
        certs_trust_judge(a, x, r->certs, CERTS_ENCRYPT, address, now, false,
                          &j);
    }
    return j.why == CERTS_OK ? x : NULL;
}

X509 *
certs_learnable(struct certs_anchors *a, const struct smime_report *r,
                int64_t now)
{
    const struct smime_signer *s = r->from ? speaker(r) : NULL;
    char address[400];

    if (!s || !from_lower(r, address, sizeof address))
        return NULL;
    return learnable(a, r, s, address, now);
}

int
certs_learn(struct certs *cs, const struct smime_report *r, int64_t now,
            char *fingerprint_out, struct err *e)
{
    const struct smime_signer *s;
    char address[400];
    X509 *x;

    fingerprint_out[0] = '\0';
    if (!cs->harvest || !from_lower(r, address, sizeof address) ||
        !(s = speaker(r)))
        return 0;
    x = learnable(cs->anchors, r, s, address, now);
    if (!x)
        return 0;
    if (certs_issuers_learn(cs, r->certs, e))
        return -1;
    return keep(cs, address, x, s, now, fingerprint_out, e);
}

int
certs_read(struct slice file, X509 **out, struct err *e)
{
    BIO *b = file.n < (1 << 20) ? BIO_new_mem_buf(file.p ? file.p : "",
                                                  (int)file.n)
                                : NULL;
    X509 *x = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
    const unsigned char *p = (const unsigned char *)file.p;

    BIO_free(b);
    if (!x && file.n)
        x = d2i_X509(NULL, &p, (long)file.n);
    ERR_clear_error();
    if (!x)
        return err_set(e, E_INPUT, "not a certificate in PEM or DER");
    *out = x;
    return 0;
}

int
certs_add(struct certs *cs, struct slice file, const char *address,
          char *fingerprint_out, struct err *e)
{
    struct store_cert row = {.source = STORE_CERT_PINNED};
    unsigned char *der = NULL;
    char lower[400];
    X509 *x;
    int n, rc = -1;

    if (certs_read(file, &x, e))
        return -1;
    n = i2d_X509(x, &der);
    if (!slice_copy(slice_of(address), lower, sizeof lower)) {
        err_set(e, E_INPUT, "the address is too long");
    } else if (n > 0 && certs_fingerprint(x, fingerprint_out) == 0) {
        for (char *c = lower; *c; c++)
            *c = (char)ascii_lower((unsigned char)*c);
        row.fingerprint = fingerprint_out;
        row.address = lower;
        row.der = slice_make(der, (size_t)n);
        rc = store_cert_put(cs->store, &row, e);
    } else {
        err_set(e, E_CRYPTO, "the certificate could not be written");
    }
    OPENSSL_free(der);
    X509_free(x);
    return rc;
}
