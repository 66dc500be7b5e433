/*
 * The server's opinion on a certificate (ValidateCert), asked for those that
 * find.c has chosen. Its yes means nothing: servers exist that check nothing.
 * Of its noes only "revoked" counts: dates, chain, use and address were judged
 * here, against the anchors that this account has chosen, which the server
 * need not know (one that knows only its own refuses every private authority).
 */
#include "certs/certs.h"

#include <string.h>

#include <openssl/x509v3.h>

#include "base/log.h"
#include "base/now.h"
#include "certs/private.h"
#include "eas/eas.h"
#include "eas/status.h"
#include "store/certificate.h"

#define FRESH_S 86400
#define AWAY_MS 3600000 /* a server that did not answer is left alone so long */
#define CHAIN_MAX 10
/* MS-ASCMD 2.2.3.177.18 */
#define STATUS_REVOKED 13
#define STATUS_CHAIN_REVOKED 15

enum certs_said
certs_validated(struct certs *cs, const char *fp)
{
    struct store_lookup l;
    int64_t age;

    if (store_lookup_get(cs->store, fp, STORE_CERT_VALIDATED, &l, NULL) != 1)
        return CERTS_SAID_NOTHING;
    age = now_unix() - l.when;
    if (age >= 0 && age <= FRESH_S)
        return l.found ? CERTS_SAID_YES : CERTS_SAID_NO;
    return l.found ? CERTS_SAID_NOTHING : CERTS_SAID_NO_LONG_AGO;
}

/* The issuers that we know, from the certificate upwards. */
static int
chain_of(struct certs *cs, X509 *x, X509 *out[CHAIN_MAX])
{
    STACK_OF(X509) *known = certs_issuers(cs);
    int n = 0;

    for (int i = 0; i < sk_X509_num(known) && n < CHAIN_MAX; i++) {
        X509 *issuer = sk_X509_value(known, i);

        if (X509_check_issued(issuer, x) != X509_V_OK ||
            X509_cmp(issuer, x) == 0)
            continue;
        out[n++] = x = issuer;
        i = -1; /* from the start for the next one */
    }
    return n;
}

struct op *
certs_validate(struct certs *cs, X509 *x, const char *fp,
               struct eas_validate_answer *out, op_done_fn *done, void *arg)
{
    enum certs_said said = certs_validated(cs, fp);
    unsigned char *der[CHAIN_MAX + 1] = {NULL};
    X509 *chain[CHAIN_MAX];
    struct slice slices[CHAIN_MAX];
    struct eas_validate_ask ask = {.chain = slices};
    struct op *op = NULL;
    int n, len;

    if (!cs->eas || now_ms() < cs->validate_again ||
        said == CERTS_SAID_YES || said == CERTS_SAID_NO)
        return NULL;
    n = chain_of(cs, x, chain);
    for (int i = 0; i < n; i++) {
        len = i2d_X509(chain[i], &der[i]);
        if (len > 0)
            slices[ask.nchain++] = slice_make(der[i], (size_t)len);
    }
    len = i2d_X509(x, &der[CHAIN_MAX]);
    if (len > 0) {
        ask.cert = slice_make(der[CHAIN_MAX], (size_t)len);
        op = eas_validate_cert(cs->eas, &ask, out, done, arg);
    }
    for (int i = 0; i <= CHAIN_MAX; i++)
        OPENSSL_free(der[i]);
    return op;
}

void
certs_validate_book(struct certs *cs, const char *fp,
                    const struct eas_validate_answer *a,
                    const struct err *why)
{
    bool revoked = a && (a->status == STATUS_REVOKED ||
                         a->status == STATUS_CHAIN_REVOKED);
    struct err e;

    if (!a || a->reaction == EAS_BUG || a->reaction == EAS_RETRY) {
        cs->validate_again = now_ms() + AWAY_MS;
        log_debug("certs", "the server does not validate certificates: %s",
                  why ? why->text : "an error of its own");
        return;
    }
    if (revoked)
        log_warn("certs", "fingerprint=%.16s is revoked, says the server "
                          "(ValidateCert status %d)", fp, a->status);
    else if (a->reaction != EAS_OK)
        log_info("certs", "fingerprint=%.16s ValidateCert status %d, which "
                          "does not count", fp, a->status);
    if (store_lookup_set(cs->store, fp, STORE_CERT_VALIDATED, !revoked, &e))
        log_warn("certs", "fingerprint=%.16s: %s", fp, e.text);
}
