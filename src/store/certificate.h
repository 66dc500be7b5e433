/*
 * Other people's certificates, and what was asked about them when.
 */
#ifndef SEALPOST_STORE_CERTIFICATE_H
#define SEALPOST_STORE_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "store/store.h"

enum store_cert_source {
    STORE_CERT_PINNED,    /* by hand */
    STORE_CERT_HARVESTED, /* from a valid signature */
    STORE_CERT_EXCHANGE,  /* ResolveRecipients */
    STORE_CERT_LDAP,
    STORE_CERT_SMIMEA,
    /* No source: what ValidateCert said of the certificate whose fingerprint
     * stands for the address, in store_lookup only; found: no fault. */
    STORE_CERT_VALIDATED,
};
struct store_cert {
    const char *fingerprint; /* SHA-256, 64 hex digits */
    const char *address;     /* lower case, the one it is kept for */
    struct slice der;
    enum store_cert_source source;
    bool candidate;          /* waits for `cert accept` */
    bool refused;            /* by hand */
    struct slice capabilities; /* DER of SMIMECapabilities, empty unknown */
    int64_t capabilities_time; /* signing time that goes with them */
    int64_t first_seen, last_seen;
};
/* The pair (fingerprint, address) is the key; an existing row is updated
 * (first_seen stays, a pinned one stays pinned). */
int store_cert_put(struct store *, const struct store_cert *, struct err *e);
/* All for an address ("" all), newest first. *after_row starts at 0. */
int store_cert_next(struct store *, const char *address, int64_t *after_row,
                    struct arena *, struct store_cert *out, struct err *e);
int store_cert_set(struct store *, const char *fingerprint, bool candidate,
                   bool refused, struct err *e);
int store_cert_remove(struct store *, const char *fingerprint, struct err *e);

/* Certificates of authorities between people's and the anchors, as mail brought
 * them: they help to build chains and are trusted for nothing. The newest
 * STORE_ISSUERS are kept. */
#define STORE_ISSUERS 500
int store_issuer_put(struct store *, const char *fingerprint, struct slice der,
                     struct err *e);
/* Newest first; *after_row starts at 0. 1, 0, -1. */
int store_issuer_next(struct store *, int64_t *after_row, struct arena *,
                      struct slice *der_out, struct err *e);

/* When a source was last asked about an address and what it said. */
struct store_lookup {
    int64_t when;
    bool found;
};
int store_lookup_get(struct store *, const char *address,
                     enum store_cert_source, struct store_lookup *out,
                     struct err *e); /* 1, 0, -1 */
int store_lookup_set(struct store *, const char *address,
                     enum store_cert_source, bool found, struct err *e);

#endif
