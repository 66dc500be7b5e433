/*
 * Reading PFX (PKCS#12, RFC 7292) and PEM files: several readings of the
 * password, old encryptions through an own library context, bounded work
 * (SMIME.md K1 to K5). Pure and slow: a worker's job.
 */
#include "keys/keys.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>

#include "base/buf.h"
#include "base/mem.h"
#include "keys/private.h"

#define FILE_MAX ((size_t)4 << 20)
#define ITERATIONS_MAX 10000000L
#define KEYS_MAX 50u
#define CERTS_MAX 100

struct context {
    OSSL_LIB_CTX *lib;
    OSSL_PROVIDER *legacy, *usual;
};

static void
context_open(struct context *c)
{
    c->lib = OSSL_LIB_CTX_new();
    c->legacy = OSSL_PROVIDER_load(c->lib, "legacy");
    c->usual = OSSL_PROVIDER_load(c->lib, "default");
    ERR_clear_error();
}

static void
context_close(struct context *c)
{
    if (c->legacy)
        OSSL_PROVIDER_unload(c->legacy);
    if (c->usual)
        OSSL_PROVIDER_unload(c->usual);
    OSSL_LIB_CTX_free(c->lib);
}

static void
key_add(struct keys_import *in, EVP_PKEY *key)
{
    if (in->nkeys == KEYS_MAX) {
        EVP_PKEY_free(key);
        return;
    }
    in->keys = xrealloc(in->keys, (in->nkeys + 1) * sizeof *in->keys);
    in->keys[in->nkeys++] = key;
}

static void
cert_add(struct keys_import *in, X509 *x)
{
    if (!x || sk_X509_num(in->certs) >= CERTS_MAX) {
        X509_free(x);
        return;
    }
    sk_X509_push(in->certs, x);
}

/* A key made in another library context would need that context for good: its
 * encoding is read again in the default one. */
static EVP_PKEY *
key_rehome(PKCS8_PRIV_KEY_INFO *p8)
{
    unsigned char *der = NULL;
    int n = i2d_PKCS8_PRIV_KEY_INFO(p8, &der);
    const unsigned char *p = der;
    PKCS8_PRIV_KEY_INFO *again =
        n > 0 ? d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, n) : NULL;
    EVP_PKEY *key = again ? EVP_PKCS82PKEY(again) : NULL;

    PKCS8_PRIV_KEY_INFO_free(again);
    if (der)
        OPENSSL_clear_free(der, (size_t)n);
    return key;
}

/* ---- bags ---- */

static int bags_read(struct keys_import *, const STACK_OF(PKCS12_SAFEBAG) *,
                     const char *pw, int len, struct context *,
                     unsigned depth);

static int
bag_key(struct keys_import *in, const PKCS12_SAFEBAG *bag, const char *pw,
        int len, struct context *c)
{
    PKCS8_PRIV_KEY_INFO *p8 =
        PKCS12_decrypt_skey_ex(bag, pw, len, c->lib, NULL);
    EVP_PKEY *key = p8 ? key_rehome(p8) : NULL;

    PKCS8_PRIV_KEY_INFO_free(p8);
    if (!key)
        return -1;
    key_add(in, key);
    return 0;
}

static int
bag_read(struct keys_import *in, const PKCS12_SAFEBAG *bag, const char *pw,
         int len, struct context *c, unsigned depth)
{
    EVP_PKEY *key;

    switch (PKCS12_SAFEBAG_get_nid(bag)) {
    case NID_keyBag:
        key = EVP_PKCS82PKEY(PKCS12_SAFEBAG_get0_p8inf(bag));
        if (key)
            key_add(in, key);
        return key ? 0 : -1;
    case NID_pkcs8ShroudedKeyBag:
        return bag_key(in, bag, pw, len, c);
    case NID_certBag:
        if (PKCS12_SAFEBAG_get_bag_nid(bag) == NID_x509Certificate)
            cert_add(in, PKCS12_SAFEBAG_get1_cert(bag));
        return 0;
    case NID_safeContentsBag:
        return bags_read(in, PKCS12_SAFEBAG_get0_safes(bag), pw, len, c,
                         depth + 1);
    default:
        return 0; /* CRLs, secrets */
    }
}

static int
bags_read(struct keys_import *in, const STACK_OF(PKCS12_SAFEBAG) *bags,
          const char *pw, int len, struct context *c, unsigned depth)
{
    if (depth > 5)
        return -1;
    for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags); i++)
        if (bag_read(in, sk_PKCS12_SAFEBAG_value(bags, i), pw, len, c, depth))
            return -1;
    return 0;
}

static int
pfx_bags(struct keys_import *in, PKCS12 *p12, const char *pw, int len,
         struct context *c)
{
    STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(p12);
    int rc = safes ? 0 : -1;

    for (int i = 0; rc == 0 && i < sk_PKCS7_num(safes); i++) {
        PKCS7 *p7 = sk_PKCS7_value(safes, i);
        STACK_OF(PKCS12_SAFEBAG) *bags = NULL;

        if (OBJ_obj2nid(p7->type) == NID_pkcs7_data)
            bags = PKCS12_unpack_p7data(p7);
        else if (OBJ_obj2nid(p7->type) == NID_pkcs7_encrypted)
            bags = PKCS12_unpack_p7encdata(p7, pw, len);
        else
            continue;
        rc = bags ? bags_read(in, bags, pw, len, c, 0) : -1;
        sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    }
    sk_PKCS7_pop_free(safes, PKCS7_free);
    return rc;
}

/* ---- passwords ---- */

/* Old programs took the bytes for Latin-1: the same password as UTF-8 of it. */
static char *
as_latin1(const struct secret *pw)
{
    struct buf b = BUF_INIT(pw->len * 2 + 1);

    for (size_t i = 0; i < pw->len; i++) {
        unsigned char c = (unsigned char)pw->data[i];

        if (c >= 0x80) {
            buf_addc(&b, (char)(0xc0 | c >> 6));
            buf_addc(&b, (char)(0x80 | (c & 0x3f)));
        } else {
            buf_addc(&b, (char)c);
        }
    }
    return buf_take(&b, NULL);
}

static bool
mac_fits(PKCS12 *p12, const char *pw, int len)
{
    if (!PKCS12_mac_present(p12))
        return true;
    return PKCS12_verify_mac(p12, pw, len) == 1;
}

/* Bounded before anything is derived (SMIME.md K5). */
static bool
iterations_ok(PKCS12 *p12)
{
    const ASN1_INTEGER *iter = NULL;
    long n;

    PKCS12_get0_mac(NULL, NULL, NULL, &iter, p12);
    n = iter ? ASN1_INTEGER_get(iter) : 1;
    return n >= 1 && n <= ITERATIONS_MAX;
}

static int
pfx_try(struct keys_import *in, PKCS12 *p12, const char *pw, int len,
        struct context *c)
{
    if (!mac_fits(p12, pw, len))
        return -1;
    return pfx_bags(in, p12, pw, len, c);
}

static PKCS12 *
pfx_parse(struct slice file, struct context *c)
{
    BIO *b = BIO_new_mem_buf(file.p, (int)file.n);
    PKCS12 *p12 = PKCS12_init_ex(NID_pkcs7_data, c->lib, NULL);

    if (b && p12 && !d2i_PKCS12_bio(b, &p12))
        p12 = NULL; /* freed by the failure */
    BIO_free(b);
    return p12;
}

static int
pfx_read(struct keys_import *in, struct slice file, const struct secret *pw,
         struct err *e)
{
    struct context c;
    PKCS12 *p12;
    char *latin;
    int rc = -1;

    context_open(&c);
    p12 = pfx_parse(file, &c);
    if (!p12) {
        err_set(e, E_INPUT, "neither a PFX (PKCS#12) nor a PEM file");
    } else if (!iterations_ok(p12)) {
        err_set(e, E_LIMIT, "the file asks for more than %ld iterations",
                ITERATIONS_MAX);
    } else {
        latin = as_latin1(pw);
        if (pfx_try(in, p12, pw->data ? pw->data : "", (int)pw->len, &c) == 0 ||
            pfx_try(in, p12, latin, (int)strlen(latin), &c) == 0 ||
            (!pw->len && pfx_try(in, p12, NULL, 0, &c) == 0))
            rc = 0;
        else
            err_set(e, E_LOGIN, "the password does not open the file (or its "
                                "encryption is not known)");
        mem_wipe(latin, strlen(latin));
        free(latin);
    }
    PKCS12_free(p12);
    context_close(&c);
    return rc;
}

/* ---- PEM ---- */

static int
on_password(char *to, int size, int writing, void *arg)
{
    const struct secret *pw = arg;

    (void)writing;
    if (!pw->data || pw->len >= (size_t)size)
        return -1;
    memcpy(to, pw->data, pw->len);
    return (int)pw->len;
}

static int
pem_read(struct keys_import *in, struct slice file, const struct secret *pw,
         struct err *e)
{
    BIO *b = BIO_new_mem_buf(file.p, (int)file.n);
    X509 *x;
    EVP_PKEY *key;

    while (b && (x = PEM_read_bio_X509(b, NULL, NULL, NULL)))
        cert_add(in, x);
    BIO_free(b);
    b = BIO_new_mem_buf(file.p, (int)file.n);
    while (b && in->nkeys < KEYS_MAX &&
           (key = PEM_read_bio_PrivateKey(b, NULL, on_password,
                                          (void *)(uintptr_t)pw)))
        key_add(in, key);
    BIO_free(b);
    ERR_clear_error();
    if (in->nkeys)
        return 0;
    return err_set(e, E_LOGIN, "no private key in the PEM file, or the "
                               "password does not open it");
}

/* A PFX in PEM's armour, as GnuTLS writes it. */
static int
pem_pfx_read(struct keys_import *in, struct slice file,
             const struct secret *pw, struct err *e)
{
    BIO *b = BIO_new_mem_buf(file.p, (int)file.n);
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long n = 0;
    int rc = -1;

    while (b && PEM_read_bio(b, &name, &header, &der, &n) == 1) {
        bool is = strcmp(name, "PKCS12") == 0;

        if (is)
            rc = pfx_read(in, slice_make(der, (size_t)n), pw, e);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(der, (size_t)n);
        name = header = NULL;
        der = NULL;
        if (is) {
            BIO_free(b);
            return rc;
        }
    }
    BIO_free(b);
    return err_set(e, E_INPUT, "the PEM armour of the PFX is damaged");
}

int
keys_import_parse(struct slice file, const struct secret *password,
                  struct keys_import **out, struct err *e)
{
    struct keys_import *in;
    int rc;

    if (file.n > FILE_MAX)
        return err_set(e, E_LIMIT, "the key file is over %zu bytes", FILE_MAX);
    in = xcalloc(1, sizeof *in);
    in->certs = sk_X509_new_null();
    ERR_clear_error();
    if (memmem(file.p, file.n, "-----BEGIN PKCS12-----", 22))
        rc = pem_pfx_read(in, file, password, e);
    else if (memmem(file.p, file.n, "-----BEGIN ", 11))
        rc = pem_read(in, file, password, e);
    else
        rc = pfx_read(in, file, password, e);
    ERR_clear_error();
    if (rc) {
        keys_import_free(&in);
        return -1;
    }
    *out = in;
    return 0;
}

void
keys_import_free(struct keys_import **ip)
{
    struct keys_import *in = *ip;

    if (!in)
        return;
    sk_X509_pop_free(in->certs, X509_free);
    for (size_t i = 0; i < in->nkeys; i++)
        EVP_PKEY_free(in->keys[i]);
    free(in->keys);
    free(in);
    *ip = NULL;
}
