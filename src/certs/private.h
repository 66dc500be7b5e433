/*
 * What the files of room certs share.
 */
#ifndef SEALPOST_CERTS_PRIVATE_H
#define SEALPOST_CERTS_PRIVATE_H

#include "certs/certs.h"

struct certs {
    struct loop *loop;
    struct store *store;
    struct eas *eas;
    struct certs_anchors *anchors;
    int64_t timeout_ms;
    bool harvest;
    STACK_OF(X509) *issuers; /* NULL: not looked for yet */
};

/* ---- issuers.c ---- */

/* What may help to build a chain; borrowed. */
STACK_OF(X509) *certs_issuers(struct certs *);
/* Keeps the authorities that came with a message whose signer is trusted. */
int certs_issuers_learn(struct certs *, STACK_OF(X509) *seen, struct err *e);
void certs_issuers_clear(struct certs *);

#endif
