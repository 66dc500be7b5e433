/*
 * What was found in a message: its layers from the outside in, who signed,
 * who could read, and what a reader is to be shown. Plain data that outlives
 * the call; smime_report_clear() frees all of it.
 */
#ifndef SEALPOST_SMIME_REPORT_H
#define SEALPOST_SMIME_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/buf.h"

enum smime_layer_type {
    SMIME_ENVELOPED,
    SMIME_AUTH_ENVELOPED,
    SMIME_SIGNED_CLEAR,  /* multipart/signed */
    SMIME_SIGNED_OPAQUE, /* application/pkcs7-mime signed-data */
    SMIME_CERTS_ONLY,
    SMIME_COMPRESSED,
};
const char *smime_layer_name(enum smime_layer_type); /* "signed-data"... */

struct smime_signer {
    X509 *cert;             /* a reference; NULL: not in the message */
    bool good;              /* digest and signature fit */
    bool weak;              /* SHA-1, MD5, RSA below 2048... */
    bool attributes;        /* had signed attributes */
    char algorithm[64];     /* "sha256/rsaEncryption" */
    int64_t time;           /* signingTime, -1 none: the signer's claim */
    char *issuer, *serial;  /* of the certificate that signed, RFC 2253, hex */
    unsigned char *capabilities; /* DER of SMIMECapabilities */
    size_t capabilities_len;
    X509 *encryption;       /* the certificate that the EncryptionKeyPreference
                               names, if the message has it */
    char reason[128];       /* why not good; "" */
};

/* Whom an encrypted layer was made for. */
struct smime_recipient {
    char *issuer, *serial; /* or */
    char *key_id;          /* hex */
};

struct smime_layer {
    enum smime_layer_type type;
    char algorithm[64];    /* "aes-256-cbc", or digest of the first signer */
    bool opened;           /* decrypted; unwrapped */
    bool authenticated;    /* AEAD, or covered by a good signature inside */
    bool broken;           /* decrypted without authentication, and what came
                              out is no whole MIME entity (SPEC section 10) */
    struct smime_signer *signers;
    size_t nsigners;
    struct smime_recipient *recipients;
    size_t nrecipients;
    char reason[128];      /* why it was not opened; "" */
};

struct smime_report {
    struct smime_layer *layers;
    size_t n;
    bool encrypted;     /* the cryptographic envelope has an encryption layer */
    bool decrypted;     /* ... and all of them could be opened */
    bool damaged;       /* syntax that could not be gone through */
    bool unsupported;   /* an algorithm or type that is not known */
    bool protected_headers; /* RFC 9788 and the rules of SMIME.md 9 hold */
    bool headers_broken; /* the payload says that it protects its header, but
                            a field that stands once is there twice */
    STACK_OF(X509) *certs;  /* all that came along, not trusted by that */
    /* The message as a reader gets it, without any field of ours: outer
     * header without its MIME fields (protected fields in place of outer
     * ones), then the payload. Equal to the input when there is no layer or
     * it cannot be opened. CRLF. */
    struct buf shown;
    char *from;         /* the From that the signature has to hold for,
                           addr-spec; NULL: not exactly one mailbox */
    char *sender;       /* Sender, addr-spec, or NULL */
    /* The payload's header is protected, but its From is not the outer one:
     * what the three above become if the signature holds for that From
     * (smime_report_turn()). other_from is NULL where there is no such
     * thing. */
    struct buf other_shown;
    char *other_from, *other_sender;
    char problem[200];  /* one sentence for people; "" */
};
void smime_report_clear(struct smime_report *);
/* The protected From counts in place of the outer one; once more: back. Only
 * where other_from is. */
void smime_report_turn(struct smime_report *);

#endif
