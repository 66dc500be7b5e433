/*
 * ValidateCert (MS-ASCMD 2.2.1.22): is this certificate good for mail, by the
 * authorities of DIR/trust.pem and the revocation lists of DIR/crl.pem? A
 * hint for clients, no more.
 */
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/code.h"
#include "base/file.h"
#include "base/mem.h"
#include "sandbox/call.h"
#include "sandbox/server.h"

#define FILE_MAX ((size_t)4 << 20)
#define CERTIFICATES_MAX 100
#define STATUS_MALFORMED 10

/* ---- certificates and lists of a file, in PEM */

static X509 *
certificate_parse(struct slice base64)
{
    struct buf der = BUF_INIT(FILE_MAX);
    const unsigned char *p;
    X509 *x = NULL;

    if (!code_base64_parse(&der, slice_trim(base64), true) && der.len) {
        p = (const unsigned char *)der.data;
        x = d2i_X509(NULL, &p, (long)der.len);
    }
    buf_clear(&der);
    return x;
}

/* Each block of this kind as base64 in one line. */
static bool
block_next(struct slice *rest, const char *kind, struct buf *out)
{
    struct slice line;
    char begin[80];
    bool inside = false;

    snprintf(begin, sizeof begin, "-----BEGIN %s-----", kind);
    buf_reset(out);
    while (slice_next(rest, '\n', &line)) {
        line = slice_trim(line);
        if (slice_istarts(line, "-----END") && inside)
            return true;
        if (inside)
            buf_add_slice(out, line);
        inside |= slice_is(line, begin);
    }
    return false;
}

static void
trust_load(struct call *c, X509_STORE *store)
{
    char *path = xasprintf("%s/trust.pem", mailroot_dir(c->sandbox->mail));
    struct buf pem = BUF_INIT(FILE_MAX), block = BUF_INIT(FILE_MAX);
    struct slice rest;
    struct err e;
    X509 *x;

    if (!file_read(path, &pem, &e))
        for (rest = buf_slice(&pem); block_next(&rest, "CERTIFICATE", &block);)
            if ((x = certificate_parse(buf_slice(&block)))) {
                X509_STORE_add_cert(store, x);
                X509_free(x);
            }
    free(path);
    buf_clear(&pem);
    buf_clear(&block);
}

/* true: there is one at least. */
static bool
lists_load(struct call *c, X509_STORE *store)
{
    char *path = xasprintf("%s/crl.pem", mailroot_dir(c->sandbox->mail));
    struct buf pem = BUF_INIT(FILE_MAX), block = BUF_INIT(FILE_MAX);
    struct buf der = BUF_INIT(FILE_MAX);
    struct slice rest;
    bool any = false;
    struct err e;

    if (!file_read(path, &pem, &e))
        for (rest = buf_slice(&pem); block_next(&rest, "X509 CRL", &block);) {
            const unsigned char *p;
            X509_CRL *crl;

            buf_reset(&der);
            if (code_base64_parse(&der, buf_slice(&block), true))
                continue;
            p = (const unsigned char *)der.data;
            if ((crl = d2i_X509_CRL(NULL, &p, (long)der.len))) {
                any |= X509_STORE_add_crl(store, crl) == 1;
                X509_CRL_free(crl);
            }
        }
    free(path);
    buf_clear(&pem);
    buf_clear(&block);
    buf_clear(&der);
    return any;
}

/* ---- one certificate */

/* status.md, ValidateCert. */
static int
status_of(int error, int depth, bool check)
{
    switch (error) {
    case X509_V_OK:
        return 1;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE:
        return 3;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED:
        return 4;
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return 7;
    case X509_V_ERR_INVALID_PURPOSE:
        return depth ? 9 : 6;
    case X509_V_ERR_INVALID_CA:
        return 11;
    case X509_V_ERR_CERT_REVOKED:
        return depth ? 15 : 13;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
        return check ? 16 : 1;
    default:
        return 17;
    }
}

static int
judge(X509_STORE *store, STACK_OF(X509) * chain, X509 *x, bool check)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int status = 17;

    if (ctx && X509_STORE_CTX_init(ctx, store, x, chain)) {
        if (X509_verify_cert(ctx) == 1)
            status = 1;
        else
            status = status_of(X509_STORE_CTX_get_error(ctx),
                               X509_STORE_CTX_get_error_depth(ctx), check);
    }
    X509_STORE_CTX_free(ctx);
    return status;
}

static STACK_OF(X509) * chain_read(struct call *c)
{
    const struct wbxml_node *n = wbxml_find(c->root, VALIDATE_CERTIFICATE_CHAIN,
                                            VALIDATE_CERTIFICATE, 0);
    STACK_OF(X509) *chain = sk_X509_new_null();

    for (; n; n = wbxml_again(n)) {
        X509 *x = certificate_parse(n->text);

        if (x && !sk_X509_push(chain, x))
            X509_free(x);
    }
    return chain;
}

enum answer
cmd_validate(struct call *c)
{
    const struct wbxml_node *n =
        wbxml_find(c->root, VALIDATE_CERTIFICATES, VALIDATE_CERTIFICATE, 0);
    bool check = wbxml_number(c->root, 0, VALIDATE_CHECK_CRL, 0) == 1;
    STACK_OF(X509) * chain;
    X509_STORE *store;
    unsigned count = 0;

    for (const struct wbxml_node *k = n; k; k = wbxml_again(k))
        count++;
    if (count > CERTIFICATES_MAX)
        return call_breach(c, 2, "%u certificates", count);
    chain = chain_read(c);
    store = X509_STORE_new();
    X509_STORE_set1_param(store, X509_VERIFY_PARAM_lookup("smime_sign"));
    trust_load(c, store);
    if (lists_load(c, store) || check)
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    call_start(c, 1);
    for (; n; n = wbxml_again(n)) {
        X509 *x = certificate_parse(n->text);
        int status = x ? judge(store, chain, x, check) : STATUS_MALFORMED;

        wbxml_write_start(&c->w, VALIDATE_CERTIFICATE);
        wbxml_write_number(&c->w, VALIDATE_STATUS, status);
        wbxml_write_end(&c->w);
        X509_free(x);
    }
    wbxml_write_end(&c->w);
    X509_STORE_free(store);
    sk_X509_pop_free(chain, X509_free);
    return ANSWER_WBXML;
}
