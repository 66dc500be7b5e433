/*
 * A distribution list: the server answers with the certificates of its members
 * and does not say whose is whose, so the list's address is not compared (SPEC
 * section 8). It counts only if every member has one. Asked anew each time,
 * for nobody tells when somebody joins or leaves.
 */
#include "certs/certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "base/mem.h"
#include "base/now.h"
#include "certs/private.h"
#include "eas/eas.h"

void
certs_one_drop(struct certs_one *one)
{
    X509_free(one->cert);
    one->cert = NULL;
    for (size_t i = 0; i < one->nmore; i++)
        X509_free(one->more[i]);
    free(one->more);
    one->more = NULL;
    one->nmore = 0;
}

/* Has a member with these addresses been counted? One may have several. */
static bool
is_counted(X509 *const *taken, size_t n, X509 *x)
{
    struct certs_facts a, b;

    if (certs_facts(x, &a))
        return true; /* counts for nobody */
    for (size_t i = 0; i < n; i++)
        if (certs_facts(taken[i], &b) == 0 &&
            (*a.addresses ? strcmp(a.addresses, b.addresses) == 0
                          : strcmp(a.subject, b.subject) == 0))
            return true;
    return false;
}

/* Usable ones of different people, in `out`; -1 and why in *bad when one that
 * came is not. */
static size_t
usable(struct certs *cs, const struct eas_person *p, X509 **out,
       struct certs_judgment *bad)
{
    int64_t now = now_unix();
    size_t n = 0;

    for (size_t i = 0; i < p->ncerts; i++) {
        const unsigned char *der = (const unsigned char *)p->certs[i].p;
        X509 *x = d2i_X509(NULL, &der, (long)p->certs[i].n);
        struct certs_judgment j = {CERTS_NOT_FOUND, "malformed"};
        char fp[65];

        if (x)
            certs_trust_judge(cs->anchors, x, certs_issuers(cs),
                              CERTS_ENCRYPT, NULL, now, false, &j);
        if (x && j.why == CERTS_OK && certs_fingerprint(x, fp) == 0 &&
            certs_validated(cs, fp) == CERTS_SAID_NO)
            j = (struct certs_judgment){CERTS_REVOKED, "revoked"};
        if (x && j.why == CERTS_OK && !is_counted(out, n, x)) {
            out[n++] = x;
            continue;
        }
        if (j.why != CERTS_OK)
            *bad = j;
        X509_free(x);
    }
    ERR_clear_error();
    return n;
}

void
certs_members_take(struct certs *cs, const struct eas_person *p,
                   struct certs_one *one)
{
    X509 **all = xcalloc(p->ncerts + 1, sizeof *all);
    struct certs_judgment bad = {CERTS_NOT_FOUND, "none was found"};
    size_t n = p->status == 1 && p->certs_status <= 1 ? usable(cs, p, all, &bad)
                                                      : 0;

    certs_one_drop(one);
    if (n && n >= p->members) {
        one->cert = all[0];
        one->nmore = n - 1;
        memmove(all, all + 1, (n - 1) * sizeof *all);
        one->more = all;
        one->why = (struct certs_judgment){.why = CERTS_OK};
        return;
    }
    one->why.why = bad.why;
    snprintf(one->why.text, sizeof one->why.text,
             "a list of %zu, of whom %zu have a usable certificate (%.60s)",
             p->members, n, bad.text);
    for (size_t i = 0; i < n; i++)
        X509_free(all[i]);
    free(all);
}
