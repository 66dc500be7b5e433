/*
 * Local passwords: memory-hard hashes and readable random passwords. Pure and
 * slow on purpose (about 50 ms and 32 MiB): a worker's job.
 */
#ifndef SEALPOST_SECRETS_HASH_H
#define SEALPOST_SECRETS_HASH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/slice.h"

#define SECRETS_HASH_SIZE 128

/* "$scrypt$ln=15,r=8,p=1$SALT$HASH" (RFC 7914; salt and hash in base64
 * without padding), terminated. */
int secrets_hash_make(struct slice password, char out[SECRETS_HASH_SIZE],
                      struct err *e);
/* 1: it is the password, 0: it is not, -1: the hash is malformed or asks for
 * more work than we do (E_INPUT), or the library failed. Compares in constant
 * time. */
int secrets_hash_check(const char *hash, struct slice password,
                       struct err *e);
/* Is it one that secrets_hash_check() could work with? */
bool secrets_hash_is_valid(const char *hash);
/* The same time as a check, for logins that do not exist. */
void secrets_hash_waste(struct slice password);

/* That a password was right, remembered while the process lives: an HMAC
 * under a key drawn for it, so the next login of a mail program (they come by
 * the dozen) need not spend the 50 ms again. Only what was right is answered
 * faster; a wrong one always costs the whole check. Plain data. */
struct secrets_known {
    unsigned char key[32], mac[32];
    bool set;
};
/* hash: the one that was checked; with another one nothing is known. */
void secrets_known_set(struct secrets_known *, const char *hash,
                       struct slice password);
bool secrets_known_is(const struct secrets_known *, const char *hash,
                      struct slice password);

/* A password a person can type: groups of letters and digits that are not
 * taken for each other, at least 80 bits. */
void secrets_hash_password(struct secret *out);

#endif
