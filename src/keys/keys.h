/*
 * Our own keys and certificates: which is used for what. The set of one
 * account; PFX and PEM files for now. An EVP_PKEY is handed out as a
 * reference and only for the length of a job; keep it behind these functions,
 * for keys will live in a process of their own.
 */
#ifndef SEALPOST_KEYS_KEYS_H
#define SEALPOST_KEYS_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/slice.h"

struct key;
struct keys;

/* dir: "DIR/FINGERPRINT.key" (encrypted under `wrap`, 32 bytes, copied) and
 * ".crt" (PEM, the certificate and what came along). Made if missing. A file
 * that cannot be read is left alone and named in keys_problem(). dir NULL: a
 * set in memory only, for offline tools; wrap is not used then. */
int keys_open(const char *dir, const struct secret *wrap, struct keys **out,
              struct err *e);
void keys_free(struct keys **);
/* Settings signing_key, encryption_key: "auto" or a fingerprint. */
void keys_choose(struct keys *, const char *signing, const char *encryption);

/* NULL starts; newest first. */
const struct key *keys_next(const struct keys *, const struct key *);
const struct key *keys_find(const struct keys *, const char *fingerprint);
/* One line for people, or NULL. */
const char *keys_problem(const struct keys *);

/* The one to sign as this address, or NULL; then e says why none of them
 * (E_NOCERT; E_LOCKED). `now` in unix seconds. */
const struct key *keys_find_sender(const struct keys *, const char *address,
                                   int64_t now, struct err *e);
/* The one to encrypt to ourselves. */
const struct key *keys_find_own(const struct keys *, const char *address,
                                int64_t now, struct err *e);

X509 *key_cert(const struct key *);           /* borrowed */
EVP_PKEY *key_private(const struct key *);    /* a new reference */
STACK_OF(X509) *key_chain(const struct key *); /* borrowed, no root */
const char *key_fingerprint(const struct key *); /* SHA-256, 64 hex digits */
/* "signs and decrypts", or why not: "expired 2026-01-01: only reads". */
void key_describe(const struct keys *, const struct key *, const char *address,
                  int64_t now, char *out, size_t size);

/* Reads a PFX (several passwords' readings are tried) or PEM: pure and slow,
 * for a worker. E_LOGIN: wrong password; E_INPUT: what is wrong with it. */
struct keys_import;
int keys_import_parse(struct slice file, const struct secret *password,
                      struct keys_import **out, struct err *e);
/* Stores what is new; text (heap) tells what came in, a line each. */
int keys_import_add(struct keys *, struct keys_import *, char **text_out,
                    struct err *e);
void keys_import_free(struct keys_import **);
/* Only on explicit demand: what was encrypted to it cannot be read after. */
int keys_remove(struct keys *, const char *fingerprint, struct err *e);

#endif
