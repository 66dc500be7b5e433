/*
 * What the files of room secrets share: the encrypted file as bytes.
 */
#ifndef SEALPOST_SECRETS_PRIVATE_H
#define SEALPOST_SECRETS_PRIVATE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/slice.h"

#define SECRETS_KEY_LEN 32
#define SECRETS_MAX_FILE ((size_t)16 << 20)

/* One entry of the plain form; points into it. */
struct secrets_entry {
    struct slice name, value;
};

/* Plain form: per entry a length of the name (2 bytes), the name, a length of
 * the value (4 bytes), the value; in order of the names, no name twice.
 * entries_out is the caller's (free). E_CRYPTO when it is not that. */
int secrets_form_parse(struct slice plain, struct secrets_entry **entries_out,
                       size_t *n_out, struct err *e);
/* The plain form of entries that are already in order. */
void secrets_form_write(const struct secrets_entry *, size_t n,
                        struct secret *out);

/* The file: head (magic, version, nonce), the plain form under AES-256-GCM
 * with the head as additional data, tag. E_CRYPTO: another key, or changed;
 * E_LIMIT: of a newer version. */
int secrets_form_open(struct slice file, const struct secret *key,
                      struct secret *plain_out, struct err *e);
int secrets_form_seal(const struct secret *plain, const struct secret *key,
                      struct buf *file_out, struct err *e);

#endif
