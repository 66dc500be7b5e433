/*
 * What the files of room certs share.
 */
#ifndef SEALPOST_CERTS_PRIVATE_H
#define SEALPOST_CERTS_PRIVATE_H

#include "certs/certs.h"

#define CERTS_JUDGED 64

/* A certificate that was found usable for an address. */
struct certs_judged {
    int64_t at; /* Unix time; 0: empty */
    bool pinned;
    char fingerprint[65], address[256];
};

struct certs {
    struct loop *loop;
    struct store *store;
    struct eas *eas;
    struct certs_anchors *anchors;
    int64_t timeout_ms;
    bool harvest;
    STACK_OF(X509) *issuers; /* NULL: not looked for yet */
    struct certs_judged judged[CERTS_JUDGED];
};

/* ---- issuers.c ---- */

/* What may help to build a chain; borrowed. */
STACK_OF(X509) *certs_issuers(struct certs *);
/* Keeps the authorities that came with a message whose signer is trusted. */
int certs_issuers_learn(struct certs *, STACK_OF(X509) *seen, struct err *e);
void certs_issuers_clear(struct certs *);

/* ---- judged.c ---- */

struct store_cert;
/* Was it usable for this address a moment ago, with these anchors? */
bool certs_judged_good(struct certs *, const struct store_cert *,
                       const char *address, int64_t now);
void certs_judged_keep(struct certs *, const struct store_cert *,
                       const char *address, int64_t now);
void certs_judged_clear(struct certs *);

#endif
