/*
 * Opening a message: decrypting and verifying, layer by layer. Blocking and
 * pure: for workers.
 */
#ifndef SEALPOST_SMIME_OPEN_H
#define SEALPOST_SMIME_OPEN_H

#include <stddef.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/err.h"
#include "base/slice.h"
#include "smime/report.h"

/* A pair that can read. Both are borrowed during the call. */
struct smime_reader {
    X509 *cert;
    EVP_PKEY *key;
};
struct smime_ring {
    const struct smime_reader *readers; /* the newest first */
    size_t n;
};

/* Only layers of the cryptographic envelope are opened (RFC 9787), at most
 * 10, within the bounds of SMIME.md R15. 0 for every message, also for one
 * without S/MIME and one that cannot be opened (the report says why); -1 only
 * when there is no memory left within the bounds or the library broke. */
int smime_open(const struct smime_ring *, struct slice mime,
               struct smime_report *out, struct err *e);

#endif
