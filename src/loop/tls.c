/*
 * TLS contexts and the loopback certificate. Streams do the talking
 * (stream.c).
 */
#include "loop/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/code.h"
#include "base/file.h"
#include "base/mem.h"
#include "loop/tls_private.h"

struct tls_server {
    SSL_CTX *ctx;
};
struct tls_client {
    SSL_CTX *ctx;
};

int
tls_err(struct err *e, enum err_code code, const char *what)
{
    unsigned long n = ERR_peek_last_error();
    const char *why = n ? ERR_reason_error_string(n) : NULL;

    ERR_clear_error();
    return err_set(e, code, "%s: %s", what, why ? why : "failed");
}

SSL_CTX *
tls_server_ctx(struct tls_server *s)
{
    return s->ctx;
}

SSL_CTX *
tls_client_ctx(struct tls_client *c)
{
    return c->ctx;
}

static SSL_CTX *
ctx_new(const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);

    if (!ctx)
        abort();
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    return ctx;
}

int
tls_server_new(const char *cert_path, const char *key_path,
               struct tls_server **out, struct err *e)
{
    SSL_CTX *ctx = ctx_new(TLS_server_method());
    static const unsigned char id[] = "sealpost";

    ERR_clear_error();
    SSL_CTX_set_session_id_context(ctx, id, sizeof id - 1);
    /* Tickets resume without memory of ours; one is enough. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 1);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_path) != 1) {
        tls_err(e, E_INPUT, cert_path);
        SSL_CTX_free(ctx);
        return -1;
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, key_path, SSL_FILETYPE_PEM) != 1) {
        tls_err(e, E_INPUT, key_path);
        SSL_CTX_free(ctx);
        return -1;
    }
    *out = xcalloc(1, sizeof **out);
    (*out)->ctx = ctx;
    return 0;
}

void
tls_server_free(struct tls_server **sp)
{
    if (!*sp)
        return;
    SSL_CTX_free((*sp)->ctx);
    free(*sp);
    *sp = NULL;
}

/* Each connection holds the context that it began with. */
int
tls_server_renew(struct tls_server *s, const char *cert_path,
                 const char *key_path, struct err *e)
{
    const char *const paths[] = {cert_path, key_path};
    struct tls_server *fresh;
    SSL_CTX *old = s->ctx;

    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (access(paths[i], R_OK))
            return err_errno(e, E_DENIED, errno, "%s", paths[i]);
    if (tls_server_new(cert_path, key_path, &fresh, e))
        return -1;
    s->ctx = fresh->ctx;
    fresh->ctx = old;
    tls_server_free(&fresh);
    return 0;
}

static bool
fingerprint(const X509 *x, char out[96])
{
    unsigned char md[32];
    unsigned n = 0;

    out[0] = '\0';
    if (!x || !X509_digest(x, EVP_sha256(), md, &n))
        return false;
    for (unsigned i = 0; i < n; i++)
        snprintf(out + 3 * i, 4, "%02X%s", md[i], i + 1 < n ? ":" : "");
    return true;
}

void
tls_server_fingerprint(const struct tls_server *s, char out[96])
{
    fingerprint(SSL_CTX_get0_certificate(s->ctx), out);
}

bool
tls_peer_fingerprint(const SSL *ssl, char out[96])
{
    return fingerprint(SSL_get0_peer_certificate(ssl), out);
}

int
tls_server_ask_client(struct tls_server *s, const char *ca_path,
                      bool required, struct err *e)
{
    STACK_OF(X509_NAME) *names;

    ERR_clear_error();
    names = SSL_load_client_CA_file(ca_path);
    if (!names || SSL_CTX_load_verify_file(s->ctx, ca_path) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return tls_err(e, E_INPUT, ca_path);
    }
    SSL_CTX_set_client_CA_list(s->ctx, names);
    SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER |
                                   (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                                             : 0), NULL);
    return 0;
}

int
tls_client_new(const char *ca_path, struct tls_client **out, struct err *e)
{
    SSL_CTX *ctx = ctx_new(TLS_client_method());

    ERR_clear_error();
    if (SSL_CTX_load_verify_file(ctx, ca_path) != 1) {
        tls_err(e, E_INPUT, ca_path);
        SSL_CTX_free(ctx);
        return -1;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    *out = xcalloc(1, sizeof **out);
    (*out)->ctx = ctx;
    return 0;
}

int
tls_client_use(struct tls_client *c, const char *cert_path,
               const char *key_path, struct err *e)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(c->ctx, cert_path) != 1)
        return tls_err(e, E_INPUT, cert_path);
    if (SSL_CTX_use_PrivateKey_file(c->ctx, key_path, SSL_FILETYPE_PEM) != 1)
        return tls_err(e, E_INPUT, key_path);
    return 0;
}

void
tls_client_free(struct tls_client **cp)
{
    if (!*cp)
        return;
    SSL_CTX_free((*cp)->ctx);
    free(*cp);
    *cp = NULL;
}

/* ---- the loopback certificate ---- */

static int
ext_add(X509 *x, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;
    int ok;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ok = ext && X509_add_ext(x, ext, -1);
    X509_EXTENSION_free(ext);
    return ok;
}

static X509 *
loopback_cert(EVP_PKEY *key)
{
    X509 *x = X509_new();
    X509_NAME *name;
    unsigned char serial[8];
    uint64_t n = 0;

    if (!x)
        return NULL;
    code_random(serial, sizeof serial);
    for (size_t i = 0; i < sizeof serial; i++)
        n = n << 8 | serial[i];
    name = X509_get_subject_name(x);
    if (X509_set_version(x, 2) &&
        ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), n >> 1 | 1) &&
        X509_gmtime_adj(X509_getm_notBefore(x), -86400) &&
        X509_gmtime_adj(X509_getm_notAfter(x), 86400L * 3650) &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                   (const unsigned char *)"localhost", -1, -1,
                                   0) &&
        X509_set_issuer_name(x, name) && X509_set_pubkey(x, key) &&
        ext_add(x, NID_basic_constraints, "critical,CA:FALSE") &&
        ext_add(x, NID_ext_key_usage, "serverAuth") &&
        ext_add(x, NID_subject_alt_name,
                "DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1") &&
        X509_sign(x, key, EVP_sha256()))
        return x;
    X509_free(x);
    return NULL;
}

static int
pem_save(BIO *bio, const char *path, mode_t mode, struct err *e)
{
    char *p;
    long n = BIO_get_mem_data(bio, &p);
    int rc = file_write(path, slice_make(p, (size_t)n), mode, true, e);

    mem_wipe(p, (size_t)n);
    return rc;
}

int
tls_make_loopback(const char *cert_path, const char *key_path, struct err *e)
{
    EVP_PKEY *key;
    X509 *cert;
    BIO *kb, *cb;
    int rc = -1;

    if (access(cert_path, F_OK) == 0 && access(key_path, F_OK) == 0)
        return 0;
    ERR_clear_error();
    key = EVP_EC_gen("P-256");
    cert = key ? loopback_cert(key) : NULL;
    kb = BIO_new(BIO_s_mem());
    cb = BIO_new(BIO_s_mem());
    if (!cert || !kb || !cb || !PEM_write_bio_X509(cb, cert) ||
        !PEM_write_bio_PrivateKey(kb, key, NULL, NULL, 0, NULL, NULL))
        tls_err(e, E_CRYPTO, "making the loopback certificate");
    else if (pem_save(kb, key_path, 0600, e) == 0 &&
             pem_save(cb, cert_path, 0644, e) == 0)
        rc = 0;
    BIO_free(kb);
    BIO_free(cb);
    X509_free(cert);
    EVP_PKEY_free(key);
    return rc;
}
