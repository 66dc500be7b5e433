/*
 * What the files of room keys share.
 */
#ifndef SEALPOST_KEYS_PRIVATE_H
#define SEALPOST_KEYS_PRIVATE_H

#include "keys/keys.h"

struct key {
    struct key *next;
    X509 *cert;
    EVP_PKEY *key;
    STACK_OF(X509) *chain;
    char fingerprint[65];
};

struct keys {
    char *dir;
    struct secret wrap;
    struct key *list; /* newest first */
    char *signing, *encryption; /* NULL: auto */
    char *problem;
};

/* What a PFX or PEM held. */
struct keys_import {
    STACK_OF(X509) *certs;
    EVP_PKEY **keys;
    size_t nkeys;
};

int keys_fingerprint(X509 *, char out[65]);

#endif
