/*
 * Other people's certificates: finding, judging, learning.
 */
#ifndef SEALPOST_CERTS_CERTS_H
#define SEALPOST_CERTS_CERTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/err.h"
#include "base/slice.h"
#include "loop/op.h"
#include "smime/seal.h"

struct certs;
struct eas;
struct loop;
struct smime_report;
struct smime_trust;
struct store;

/* ---- trust: pure, thread-safe once made ---- */

struct certs_anchors;
/* PEM or DER files, NULL at the end; `system`: the system's anchors too. */
int certs_anchors_new(const char *const *files, bool system,
                      struct certs_anchors **out, struct err *e);
struct certs_anchors *certs_anchors_ref(struct certs_anchors *);
void certs_anchors_unref(struct certs_anchors **);

enum certs_purpose { CERTS_SIGN, CERTS_ENCRYPT };
enum certs_why {
    CERTS_OK,
    CERTS_NOT_FOUND,
    CERTS_EXPIRED,     /* or not yet valid */
    CERTS_REVOKED,
    CERTS_USAGE,       /* not for this purpose */
    CERTS_ADDRESS,     /* another address */
    CERTS_UNTRUSTED,   /* the chain ends nowhere */
    CERTS_WEAK,        /* key or signature below the limit */
    CERTS_NOT_ASKED,   /* a source could not be asked */
    CERTS_CANDIDATE,   /* waits to be accepted */
};
struct certs_judgment {
    enum certs_why why;
    char text[160]; /* "expired on 2026-01-02": a clause for people */
};
/* extra: certificates that may help to build the chain, or NULL. address NULL:
 * not compared. pinned: the certificate itself counts as anchor. */
void certs_trust_judge(struct certs_anchors *, X509 *, STACK_OF(X509) *extra,
                       enum certs_purpose, const char *address, int64_t at,
                       bool pinned, struct certs_judgment *out);
/* Address match of SMIME.md 5 (RFC 8550, 9598). */
bool certs_has_address(X509 *, const char *address);

/* For smime_judge(): one element per signer of the report, heap. A protected
 * From that is not the outer one takes its place here, if the verdict is pass
 * with it (RFC 9788 section 4.4). */
struct smime_trust *certs_trust_report(struct certs_anchors *,
                                       struct smime_report *, int64_t at,
                                       size_t *n_out);

/* What it says, for people; text is cut where it does not fit. -1: it cannot
 * be read. Pure. */
struct certs_facts {
    char fingerprint[65], serial[64], key[48];
    char subject[300], issuer[300];
    char addresses[600]; /* "a@x b@y" */
    int64_t not_before, not_after;
};
int certs_facts(X509 *, struct certs_facts *out);
int certs_facts_der(struct slice der, struct certs_facts *out);

/* ---- finding, for one account ---- */

struct certs_config {
    struct loop *loop;
    struct store *store;
    struct eas *eas;               /* NULL: not asked */
    struct certs_anchors *anchors; /* a reference is taken */
    int64_t timeout_ms;            /* for one look, 0: 20 s */
    bool harvest;
};
struct certs *certs_new(const struct certs_config *);
void certs_free(struct certs **);
void certs_set_anchors(struct certs *, struct certs_anchors *);
/* As in the configuration above; for looks that begin after. */
void certs_set_manners(struct certs *, int64_t timeout_ms, bool harvest);
struct certs_anchors *certs_anchors(struct certs *); /* borrowed */
/* Certificates that may stand between one and its anchor, such as the chain of
 * a key of ours: they help, they are not trusted. Copied, not stored. */
void certs_add_issuers(struct certs *, STACK_OF(X509) *);

struct certs_one {
    char *address;
    X509 *cert;          /* NULL: none usable */
    /* Of a list: the certificates of its other members, who are not named. */
    X509 **more;
    size_t nmore;
    struct certs_judgment why;
    unsigned char *capabilities; /* DER, NULL unknown */
    size_t capabilities_len;
};
struct certs_found {
    struct certs_one *list; /* in the order asked */
    size_t n;
};
/* A usable certificate for each address, or why not. E_RETRY only when
 * nothing at all could be decided. */
struct op *certs_find(struct certs *, const char *const *addresses, size_t n,
                      struct certs_found *out, op_done_fn *done, void *arg);
void certs_found_clear(struct certs_found *);

/* What all of these can read: content cipher, and OAEP per recipient
 * (SMIME.md section 6). E_NOCERT names one who announced only weak ones. */
int certs_cipher(const struct certs_found *, enum smime_cipher *cipher_out,
                 bool *oaep_out, struct err *e);

/* What a message whose verdict is pass would teach: the certificate to encrypt
 * to its From, borrowed from the report, or NULL. Pure. */
X509 *certs_learnable(struct certs_anchors *, const struct smime_report *,
                      int64_t now);
/* SHA-256, 64 hex digits and the end. */
int certs_fingerprint(X509 *, char out[65]);

/* Harvest (SPEC section 10, R18): from a message whose verdict is pass. */
int certs_learn(struct certs *, const struct smime_report *, int64_t now,
                char *fingerprint_out /* 65 bytes, "" none */, struct err *e);

/* Could it be encrypted to now, and why not; for people. */
void certs_judge_der(struct certs *, struct slice der, const char *address,
                     int64_t at, bool pinned, struct certs_judgment *out);
/* One certificate, PEM or DER; the caller frees. E_INPUT. */
int certs_read(struct slice file, X509 **out, struct err *e);
/* By hand: PEM or DER for an address; pinned. */
int certs_add(struct certs *, struct slice file, const char *address,
              char *fingerprint_out, struct err *e);

#endif
