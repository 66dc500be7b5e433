/*
 * Certificates of authorities between a person's and the anchors
 * (smime/SMIME.md section 4). A directory gives people's certificates alone,
 * and a harvested one outlives the message that had its chain: so the chains
 * of our own keys and those of trusted signers are kept as help for later. A
 * chain must still end at an anchor.
 */
#include "certs/private.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/arena.h"
#include "base/log.h"
#include "store/certificate.h"

#define A_MESSAGE 8 /* so many from one message */

static bool
has(STACK_OF(X509) *all, X509 *x)
{
    for (int i = 0; i < sk_X509_num(all); i++)
        if (X509_cmp(sk_X509_value(all, i), x) == 0)
            return true;
    return false;
}

/* An authority, and no root: that would have to be an anchor to count. */
static bool
is_issuer(X509 *x)
{
    return X509_check_ca(x) == 1 &&
           X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x));
}

/* True if it is new. */
static bool
add(struct certs *cs, X509 *x)
{
    if (!is_issuer(x) || has(cs->issuers, x) ||
        sk_X509_num(cs->issuers) >= 2 * STORE_ISSUERS)
        return false;
    X509_up_ref(x);
    if (sk_X509_push(cs->issuers, x))
        return true;
    X509_free(x);
    return false;
}

STACK_OF(X509) *
certs_issuers(struct certs *cs)
{
    struct arena *a;
    struct slice der;
    struct err e;
    int64_t after = 0;
    int rc = 0;

    if (cs->issuers || !(cs->issuers = sk_X509_new_null()))
        return cs->issuers;
    a = arena_new();
    while (cs->store &&
           (rc = store_issuer_next(cs->store, &after, a, &der, &e)) == 1) {
        const unsigned char *p = (const unsigned char *)der.p;
        X509 *x = d2i_X509(NULL, &p, (long)der.n);

        if (x)
            add(cs, x);
        X509_free(x);
    }
    if (rc < 0)
        log_warn("certs", "authorities that were seen: %s", e.text);
    arena_free(&a);
    ERR_clear_error();
    return cs->issuers;
}

void
certs_add_issuers(struct certs *cs, STACK_OF(X509) *more)
{
    if (!certs_issuers(cs))
        return;
    for (int i = 0; i < sk_X509_num(more); i++)
        add(cs, sk_X509_value(more, i));
    ERR_clear_error();
}

static int
keep(struct certs *cs, X509 *x, struct err *e)
{
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der), rc = -1;
    char fingerprint[65];

    if (n > 0 && certs_fingerprint(x, fingerprint) == 0)
        rc = store_issuer_put(cs->store, fingerprint,
                              slice_make(der, (size_t)n), e);
    else
        err_set(e, E_CRYPTO, "an authority could not be written");
    OPENSSL_free(der);
    return rc;
}

int
certs_issuers_learn(struct certs *cs, STACK_OF(X509) *seen, struct err *e)
{
    if (!certs_issuers(cs))
        return 0;
    for (int i = 0; i < sk_X509_num(seen) && i < A_MESSAGE; i++) {
        X509 *x = sk_X509_value(seen, i);

        if (add(cs, x) && keep(cs, x, e))
            return -1;
    }
    ERR_clear_error();
    return 0;
}

void
certs_issuers_clear(struct certs *cs)
{
    sk_X509_pop_free(cs->issuers, X509_free);
    cs->issuers = NULL;
}
