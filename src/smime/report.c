/*
 * The report: adding layers, freeing, texts of names and numbers.
 */
#include "smime/report.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/err.h>

#include "base/mem.h"
#include "smime/private.h"

static const char *const layer_names[] = {
    [SMIME_ENVELOPED] = "enveloped-data",
    [SMIME_AUTH_ENVELOPED] = "authEnveloped-data",
    [SMIME_SIGNED_CLEAR] = "multipart-signed",
    [SMIME_SIGNED_OPAQUE] = "signed-data",
    [SMIME_CERTS_ONLY] = "certs-only",
    [SMIME_COMPRESSED] = "compressed-data",
};

const char *
smime_layer_name(enum smime_layer_type t)
{
    return layer_names[t];
}

int
smime_err(struct err *e, enum err_code code, const char *what)
{
    unsigned long n = ERR_peek_last_error();
    const char *why = n ? ERR_reason_error_string(n) : NULL;

    ERR_clear_error();
    return err_set(e, code, "%s: %s", what, why ? why : "failed");
}

struct smime_layer *
smime_report_add(struct smime_report *r, enum smime_layer_type type)
{
    struct smime_layer *l;

    r->layers = xrealloc(r->layers, (r->n + 1) * sizeof *r->layers);
    l = &r->layers[r->n++];
    memset(l, 0, sizeof *l);
    l->type = type;
    return l;
}

void
smime_report_copy_text(char *dst, size_t size, const char *text)
{
    size_t n = strlen(text);

    if (n >= size)
        n = size - 1;
    memcpy(dst, text, n);
    dst[n] = '\0';
}

char *
smime_name_text(const X509_NAME *name)
{
    BIO *b = BIO_new(BIO_s_mem());
    char *p, *out;
    long n;

    if (!b || X509_NAME_print_ex(b, name, 0,
                                 XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0) {
        BIO_free(b);
        return xstrdup("?");
    }
    n = BIO_get_mem_data(b, &p);
    out = xmemdup(p, n > 1000 ? 1000 : (size_t)n);
    BIO_free(b);
    return out;
}

char *
smime_serial_text(const ASN1_INTEGER *serial)
{
    BIGNUM *bn = ASN1_INTEGER_to_BN(serial, NULL);
    char *hex = bn ? BN_bn2hex(bn) : NULL;
    char *out = xstrdup(hex ? hex : "?");

    OPENSSL_free(hex);
    BN_free(bn);
    return out;
}

static void
signer_clear(struct smime_signer *s)
{
    X509_free(s->cert);
    X509_free(s->encryption);
    free(s->issuer);
    free(s->serial);
    free(s->capabilities);
}

void
smime_report_clear(struct smime_report *r)
{
    for (size_t i = 0; i < r->n; i++) {
        struct smime_layer *l = &r->layers[i];

        for (size_t k = 0; k < l->nsigners; k++)
            signer_clear(&l->signers[k]);
        for (size_t k = 0; k < l->nrecipients; k++) {
            free(l->recipients[k].issuer);
            free(l->recipients[k].serial);
            free(l->recipients[k].key_id);
        }
        free(l->signers);
        free(l->recipients);
    }
    free(r->layers);
    sk_X509_pop_free(r->certs, X509_free);
    buf_wipe(&r->shown);
    free(r->from);
    free(r->sender);
    buf_wipe(&r->other_shown);
    free(r->other_from);
    free(r->other_sender);
    memset(r, 0, sizeof *r);
}

void
smime_report_turn(struct smime_report *r)
{
    struct buf shown = r->shown;
    char *from = r->from, *sender = r->sender;

    if (!r->other_shown.data)
        return;
    r->shown = r->other_shown;
    r->from = r->other_from;
    r->sender = r->other_sender;
    r->other_shown = shown;
    r->other_from = from;
    r->other_sender = sender;
    r->protected_headers = !r->protected_headers;
}
