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
    int64_t validate_again;  /* the server does not answer before that */
    struct certs_judged judged[CERTS_JUDGED];
};

/* ---- issuers.c ---- */

/* What may help to build a chain; borrowed. */
STACK_OF(X509) *certs_issuers(struct certs *);
/* Keeps the authorities that came with a message whose signer is trusted. */
int certs_issuers_learn(struct certs *, STACK_OF(X509) *seen, struct err *e);
void certs_issuers_clear(struct certs *);

/* ---- members.c ---- */

struct eas_person;
/* The certificates of a list's members, or why it has not all of them. */
void certs_members_take(struct certs *, const struct eas_person *,
                        struct certs_one *);
/* Frees the certificates. */
void certs_one_drop(struct certs_one *);

/* ---- validate.c ---- */

struct eas_validate_answer;
enum certs_said {
    CERTS_SAID_NOTHING,
    CERTS_SAID_YES,
    CERTS_SAID_NO,
    CERTS_SAID_NO_LONG_AGO,
};
/* What the server said of the certificate with this fingerprint. */
enum certs_said certs_validated(struct certs *, const char *fingerprint);
/* Asks, or NULL: there is nobody to ask, or it was asked not long ago. */
struct op *certs_validate(struct certs *, X509 *, const char *fingerprint,
                          struct eas_validate_answer *out, op_done_fn *done,
                          void *arg);
/* Keeps the answer; NULL: there was none, `why` says so. */
void certs_validate_book(struct certs *, const char *fingerprint,
                         const struct eas_validate_answer *,
                         const struct err *why);
/* ---- judged.c ---- */

struct store_cert;
/* Was it usable for this address a moment ago, with these anchors? */
bool certs_judged_good(struct certs *, const struct store_cert *,
                       const char *address, int64_t now);
void certs_judged_keep(struct certs *, const struct store_cert *,
                       const char *address, int64_t now);
void certs_judged_clear(struct certs *);

#endif
