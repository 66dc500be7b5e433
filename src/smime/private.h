/*
 * What the files of room smime share.
 */
#ifndef SEALPOST_SMIME_PRIVATE_H
#define SEALPOST_SMIME_PRIVATE_H

#include <openssl/cms.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "smime/open.h"
#include "smime/report.h"

/* Bounds of SMIME.md R15. */
#define SMIME_DEPTH 10u
#define SMIME_RECIPIENTS 500
#define SMIME_CERTS 100
#define SMIME_SIGNERS 20
#define SMIME_RSA_BITS 8192

/* A new layer at the inner end; borrowed until the next one is added. */
struct smime_layer *smime_report_add(struct smime_report *,
                                     enum smime_layer_type);
void smime_report_copy_text(char *dst, size_t size, const char *text);
/* "CN=..." of a name; hex of a number. Heap. */
char *smime_name_text(const X509_NAME *);
char *smime_serial_text(const ASN1_INTEGER *);

/* verify.c: the signers of a SignedData into the layer. content: the exact
 * bytes for a detached signature, SLICE_NONE for an opaque one; out gets the
 * content of an opaque one. -1: not a signature that can be judged (reason in
 * the layer). */
int smime_verify(CMS_ContentInfo *, bool detached, struct slice content,
                 struct smime_report *, struct smime_layer *, struct buf *out);

/* decrypt.c: the plaintext of an EnvelopedData or AuthEnvelopedData. der: its
 * bytes, for ciphers that need another library context. 0, or -1 with the
 * reason in the layer. */
int smime_decrypt(CMS_ContentInfo *, struct slice der,
                  const struct smime_ring *, struct smime_layer *,
                  struct buf *out);

/* sound.c: what came out of a cipher that does not authenticate. Noise is
 * neither an entity with a header nor text, so another key's or damaged; sound
 * is MIME with all its delimiters and without bytes that no text has. */
bool smime_is_noise(struct slice content);
bool smime_is_sound(struct slice content);

/* The thread's OpenSSL error queue as an err; empties it. */
int smime_err(struct err *e, enum err_code code, const char *what);

#endif
