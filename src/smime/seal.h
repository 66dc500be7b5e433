/*
 * Sealing a message: signing, encrypting, both. Blocking and pure: for
 * workers.
 */
#ifndef SEALPOST_SMIME_SEAL_H
#define SEALPOST_SMIME_SEAL_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum smime_cipher {
    SMIME_AES_256_CBC,
    SMIME_AES_128_CBC,
    SMIME_AES_256_GCM, /* AuthEnvelopedData */
};
enum smime_protect {
    SMIME_PROTECT_OFF,
    SMIME_PROTECT_COPY, /* fields copied inside, the outer ones stay */
    SMIME_PROTECT_HIDE, /* and the outer Subject becomes [...] */
};

struct smime_to {
    X509 *cert;
    bool oaep; /* announced RSA-OAEP */
};
/* All borrowed during the call. */
struct smime_orders {
    bool sign, encrypt;
    X509 *signer;
    EVP_PKEY *key;
    STACK_OF(X509) *chain;   /* without the root; may be NULL */
    bool opaque;             /* else multipart/signed */
    bool pss;
    X509 *own_encryption;    /* EncryptionKeyPreference when it differs */
    bool announce_gcm;
    const struct smime_to *to; /* the sender's own among them */
    size_t nto;
    enum smime_cipher cipher;
    enum smime_protect protect;
    /* Fields that stand inside only (To and Cc of a Bcc copy): complete header
     * lines, CRLF; they replace the outer ones of the same name inside. */
    struct slice inner_fields;
};

/* `mime` is the complete message, CRLF. out gets a complete message, CRLF,
 * 7-bit: its header fields (From, To, Message-ID, Date...), then the sealed
 * entity. E_INPUT: cannot be made fit for signing (says why); E_CRYPTO;
 * E_NOCERT: a certificate's key cannot be used for it (names it). Nothing of
 * out is usable on failure. */
int smime_seal(const struct smime_orders *, struct slice mime,
               struct buf *out, struct err *e);

/* Is the root already S/MIME (or PGP/MIME)? Then it passes as it is. */
enum smime_already { SMIME_PLAIN, SMIME_IS_SIGNED, SMIME_IS_ENCRYPTED,
                     SMIME_IS_PGP };
enum smime_already smime_seal_already(struct slice mime);

#endif
