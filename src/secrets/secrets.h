/*
 * Secrets at rest: one 0600 file, encrypted with the machine key (random,
 * 0600, beside the configuration and not in the state directory, so that a
 * copied state gives nothing away). It does not protect against other
 * processes of the same user.
 *
 * Names in use: "account/NAME/password" (upstream), "account/NAME/data-key"
 * (32 bytes), "account/NAME/local-password" (a hash), "key/..." (room keys).
 * All functions block for a few milliseconds of disk; call them from the loop
 * at start and on a person's request only. Not for threads.
 */
#ifndef SEALPOST_SECRETS_SECRETS_H
#define SEALPOST_SECRETS_SECRETS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/slice.h"

#define SECRETS_DATA_KEY_LEN 32
#define SECRETS_MAX_NAME 255
#define SECRETS_MAX_VALUE ((size_t)1 << 16)
#define SECRETS_MAX_COUNT 10000

struct secrets;

/* Makes the key file at first need (when neither it nor `file` is there). A
 * file without its key, a wrong key or a changed file is E_CRYPTO and nothing
 * is written; a newer version of the format is E_LIMIT. The file is locked
 * against a second writer for each change, and read anew before it, so that
 * daemon and sealpostctl may both have it open. */
int secrets_open(const char *key_file, const char *file, struct secrets **out,
                 struct err *e);
void secrets_close(struct secrets **);
/* For root, before it becomes the user whose secrets they are: makes a missing
 * key file (where secrets_open() would) and gives it to that user, who may not
 * write beside the configuration. E_DENIED: the key or the file of secrets is
 * somebody else's; it says what to do. */
int secrets_give(const char *key_file, const char *file, const char *user,
                 long uid, long gid, struct err *e);

/* Copies the value out (the caller clears). E_MISSING when there is none. */
int secrets_get(struct secrets *, const char *name, struct secret *out,
                struct err *e);
bool secrets_has(struct secrets *, const char *name);
/* Durable when it returns. */
int secrets_set(struct secrets *, const char *name, struct slice value,
                struct err *e);
/* Fine when it is not there. */
int secrets_remove(struct secrets *, const char *name, struct err *e);
/* Everything that starts with this prefix ("account/alice/"), in one step. */
int secrets_remove_all(struct secrets *, const char *prefix, struct err *e);
/* The i-th name in order of the alphabet, borrowed; NULL past the end. */
const char *secrets_name_at(struct secrets *, size_t i);

/* "account/NAME/WHAT" on the heap. */
char *secrets_account_name(const char *account, const char *what);
/* The account's data key, made (random) and stored when there is none yet and
 * `make`; else E_MISSING. */
int secrets_data_key(struct secrets *, const char *account, bool make,
                     struct secret *out, struct err *e);

#endif
