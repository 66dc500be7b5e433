/*
 * The set of an account's keys: loading, choosing, storing. A private key
 * rests as PKCS#8 under AES-256-GCM with the wrap key; its certificate and
 * what came along stand beside it in PEM.
 */
#include "keys/keys.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/code.h"
#include "base/file.h"
#include "base/mem.h"
#include "keys/private.h"

#define FILE_MAX ((size_t)1 << 20)
#define MAGIC "SPK1"
#define NONCE 12u
#define TAG 16u

int
keys_fingerprint(X509 *x, char out[65])
{
    unsigned char md[32];
    unsigned n = 0;

    if (!X509_digest(x, EVP_sha256(), md, &n))
        return -1;
    for (unsigned i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", md[i]);
    return 0;
}

/* ---- one private key under the wrap key ---- */

static int
wrap_key(const struct secret *wrap, EVP_PKEY *key, struct buf *out,
         struct err *e)
{
    PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(key);
    unsigned char *der = NULL, nonce[NONCE];
    int len = p8 ? i2d_PKCS8_PRIV_KEY_INFO(p8, &der) : -1;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    char *to;
    int n = 0, m = 0, ok;

    code_random(nonce, sizeof nonce);
    buf_add(out, MAGIC, 4);
    buf_add(out, nonce, NONCE);
    to = len > 0 ? buf_room(out, (size_t)len + TAG) : NULL;
    ok = to && ctx && wrap->len == 32 &&
         EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL,
                            (const unsigned char *)wrap->data, nonce) == 1 &&
         EVP_EncryptUpdate(ctx, (unsigned char *)to, &n, der, len) == 1 &&
         EVP_EncryptFinal_ex(ctx, (unsigned char *)to + n, &m) == 1 &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, to + len) == 1;
    if (ok)
        buf_added(out, (size_t)len + TAG);
    EVP_CIPHER_CTX_free(ctx);
    if (der)
        OPENSSL_clear_free(der, (size_t)(len > 0 ? len : 0));
    PKCS8_PRIV_KEY_INFO_free(p8);
    ERR_clear_error();
    return ok ? 0 : err_set(e, E_CRYPTO, "the key could not be encrypted");
}

static EVP_PKEY *
unwrap_key(const struct secret *wrap, struct slice sealed)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    unsigned char *plain, tag[TAG];
    PKCS8_PRIV_KEY_INFO *p8 = NULL;
    EVP_PKEY *key = NULL;
    size_t len;
    int n = 0, m = 0;

    if (!ctx || wrap->len != 32 || sealed.n < 4 + NONCE + TAG + 1 ||
        memcmp(sealed.p, MAGIC, 4) != 0) {
        EVP_CIPHER_CTX_free(ctx);
        return NULL;
    }
    len = sealed.n - 4 - NONCE - TAG;
    memcpy(tag, sealed.p + sealed.n - TAG, TAG);
    plain = xmalloc(len);
    if (EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL,
                           (const unsigned char *)wrap->data,
                           (const unsigned char *)sealed.p + 4) == 1 &&
        EVP_DecryptUpdate(ctx, plain, &n,
                          (const unsigned char *)sealed.p + 4 + NONCE,
                          (int)len) == 1 &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1 &&
        EVP_DecryptFinal_ex(ctx, plain + n, &m) == 1) {
        const unsigned char *p = plain;

        p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)len);
        key = p8 ? EVP_PKCS82PKEY(p8) : NULL;
    }
    PKCS8_PRIV_KEY_INFO_free(p8);
    mem_wipe(plain, len);
    free(plain);
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    return key;
}

/* ---- loading ---- */

static void
key_free(struct key *k)
{
    X509_free(k->cert);
    EVP_PKEY_free(k->key);
    sk_X509_pop_free(k->chain, X509_free);
    free(k);
}

/* Newest first: by the beginning of validity. */
static void
key_insert(struct keys *ks, struct key *k)
{
    struct key **at = &ks->list;

    while (*at && ASN1_TIME_compare(X509_get0_notBefore((*at)->cert),
                                    X509_get0_notBefore(k->cert)) > 0)
        at = &(*at)->next;
    k->next = *at;
    *at = k;
}

static struct key *
certs_load(struct slice pem)
{
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    struct key *k = xcalloc(1, sizeof *k);
    X509 *x;

    k->chain = sk_X509_new_null();
    while (b && (x = PEM_read_bio_X509(b, NULL, NULL, NULL))) {
        if (!k->cert)
            k->cert = x;
        else
            sk_X509_push(k->chain, x);
    }
    BIO_free(b);
    ERR_clear_error();
    if (k->cert && keys_fingerprint(k->cert, k->fingerprint) == 0)
        return k;
    key_free(k);
    return NULL;
}

static int
key_load(struct keys *ks, const char *name)
{
    char *kpath = xasprintf("%s/%s.key", ks->dir, name);
    char *cpath = xasprintf("%s/%s.crt", ks->dir, name);
    struct buf sealed = BUF_INIT(FILE_MAX), pem = BUF_INIT(FILE_MAX);
    struct key *k = NULL;
    int rc = -1;

    if (file_read(kpath, &sealed, NULL) == 0 &&
        file_read(cpath, &pem, NULL) == 0 &&
        (k = certs_load(buf_slice(&pem))) &&
        (k->key = unwrap_key(&ks->wrap, buf_slice(&sealed))) &&
        X509_check_private_key(k->cert, k->key) == 1) {
        key_insert(ks, k);
        k = NULL;
        rc = 0;
    }
    ERR_clear_error();
    if (k)
        key_free(k);
    buf_clear(&sealed);
    buf_clear(&pem);
    free(kpath);
    free(cpath);
    return rc;
}

int
keys_open(const char *dir, const struct secret *wrap, struct keys **out,
          struct err *e)
{
    struct keys *ks;
    struct dirent *d;
    DIR *dp;

    if (!dir) {
        *out = xcalloc(1, sizeof **out);
        return 0;
    }
    if (file_mkdirs(dir, e))
        return -1;
    dp = opendir(dir);
    if (!dp)
        return err_set(e, E_RETRY, "%s cannot be read", dir);
    ks = xcalloc(1, sizeof *ks);
    ks->dir = xstrdup(dir);
    secret_copy(&ks->wrap, wrap);
    while ((d = readdir(dp))) {
        struct slice name = slice_of(d->d_name);
        char *base;

        if (!slice_ends(name, ".key"))
            continue;
        base = xstrndup(d->d_name, name.n - 4);
        if (key_load(ks, base) && !ks->problem)
            ks->problem = xasprintf("%s/%s cannot be opened: damaged, or the "
                                    "account's data key is another",
                                    dir, d->d_name);
        free(base);
    }
    closedir(dp);
    *out = ks;
    return 0;
}

void
keys_free(struct keys **kp)
{
    struct keys *ks = *kp;

    if (!ks)
        return;
    while (ks->list) {
        struct key *k = ks->list;

        ks->list = k->next;
        key_free(k);
    }
    secret_clear(&ks->wrap);
    free(ks->dir);
    free(ks->signing);
    free(ks->encryption);
    free(ks->problem);
    free(ks);
    *kp = NULL;
}

void
keys_choose(struct keys *ks, const char *signing, const char *encryption)
{
    free(ks->signing);
    free(ks->encryption);
    ks->signing = signing && strcmp(signing, "auto") != 0 ? xstrdup(signing)
                                                          : NULL;
    ks->encryption = encryption && strcmp(encryption, "auto") != 0
                         ? xstrdup(encryption)
                         : NULL;
}

const struct key *
keys_next(const struct keys *ks, const struct key *k)
{
    return k ? k->next : ks->list;
}

const struct key *
keys_find(const struct keys *ks, const char *fingerprint)
{
    for (const struct key *k = ks->list; k; k = k->next)
        if (ascii_icmp(k->fingerprint, fingerprint) == 0)
            return k;
    return NULL;
}

const char *
keys_problem(const struct keys *ks)
{
    return ks->problem;
}

X509 *
key_cert(const struct key *k)
{
    return k->cert;
}

EVP_PKEY *
key_private(const struct key *k)
{
    EVP_PKEY_up_ref(k->key);
    return k->key;
}

STACK_OF(X509) *
key_chain(const struct key *k)
{
    return k->chain;
}

const char *
key_fingerprint(const struct key *k)
{
    return k->fingerprint;
}

/* ---- choosing ---- */

/* rfc822Name entries, else emailAddress of the subject; no letter case. */
static bool
has_address(X509 *x, const char *address)
{
    STACK_OF(OPENSSL_STRING) *list = X509_get1_email(x);
    bool yes = false;

    for (int i = 0; i < sk_OPENSSL_STRING_num(list); i++)
        yes |= ascii_icmp(sk_OPENSSL_STRING_value(list, i), address) == 0;
    X509_email_free(list);
    return yes;
}

/* NULL: it serves; else why not. */
static const char *
why_not(const struct key *k, bool sign, const char *address, int64_t now)
{
    uint32_t usage = X509_get_key_usage(k->cert);
    uint32_t extended = X509_get_extended_key_usage(k->cert);
    time_t t = (time_t)now;
    bool ec = EVP_PKEY_is_a(k->key, "EC") || EVP_PKEY_is_a(k->key, "X25519");

    if (X509_cmp_time(X509_get0_notAfter(k->cert), &t) < 0)
        return "expired: it only reads";
    if (X509_cmp_time(X509_get0_notBefore(k->cert), &t) > 0)
        return "not yet valid";
    if (extended != UINT32_MAX && !(extended & (XKU_SMIME | XKU_ANYEKU)))
        return "not for mail (extended key usage)";
    if (sign && usage != UINT32_MAX &&
        !(usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)))
        return "not for signing (key usage)";
    if (!sign && usage != UINT32_MAX &&
        !(usage & (ec ? KU_KEY_AGREEMENT : KU_KEY_ENCIPHERMENT)))
        return "not for encryption (key usage)";
    if (address && !has_address(k->cert, address))
        return "for another address";
    return NULL;
}

static const struct key *
find_for(const struct keys *ks, bool sign, const char *address, int64_t now,
         struct err *e)
{
    const char *chosen = sign ? ks->signing : ks->encryption;
    const char *why = NULL;
    const struct key *k;

    if (chosen) {
        k = keys_find(ks, chosen);
        why = k ? why_not(k, sign, address, now) : "not imported";
        if (!why)
            return k;
        err_set(e, E_NOCERT, "the chosen %s key %.16s... is %s",
                sign ? "signing" : "encryption", chosen, why);
        return NULL;
    }
    for (k = ks->list; k; k = k->next) {
        const char *not = why_not(k, sign, address, now);

        if (!not)
            return k;
        why = why ? why : not;
    }
    err_set(e, E_NOCERT, "no key of this account can %s as %s (%s)",
            sign ? "sign" : "be encrypted to", address,
            why ? why : "none is imported");
    return NULL;
}

const struct key *
keys_find_sender(const struct keys *ks, const char *address, int64_t now,
                 struct err *e)
{
    return find_for(ks, true, address, now, e);
}

const struct key *
keys_find_own(const struct keys *ks, const char *address, int64_t now,
              struct err *e)
{
    return find_for(ks, false, address, now, e);
}

void
key_describe(const struct keys *ks, const struct key *k, const char *address,
             int64_t now, char *out, size_t size)
{
    const char *sign = why_not(k, true, address, now);
    const char *seal = why_not(k, false, address, now);
    bool signs = keys_find_sender(ks, address, now, NULL) == k;
    bool seals = keys_find_own(ks, address, now, NULL) == k;

    snprintf(out, size, "reads; %s%s; %s%s",
             sign ? "does not sign: " : signs ? "signs" : "could sign, a newer "
                                                          "one does",
             sign ? sign : "",
             seal ? "is not encrypted to: " : seals ? "is encrypted to"
                                                    : "could be encrypted to, "
                                                      "a newer one is",
             seal ? seal : "");
}

/* ---- storing ---- */

static int
certs_pem(X509 *cert, STACK_OF(X509) *chain, struct buf *out)
{
    BIO *b = BIO_new(BIO_s_mem());
    char *p;
    long n;
    int ok = b && PEM_write_bio_X509(b, cert) == 1;

    for (int i = 0; ok && i < sk_X509_num(chain); i++)
        ok = PEM_write_bio_X509(b, sk_X509_value(chain, i)) == 1;
    n = ok ? BIO_get_mem_data(b, &p) : 0;
    ok = ok && buf_add(out, p, (size_t)n) == 0;
    BIO_free(b);
    return ok ? 0 : -1;
}

static int
key_store(struct keys *ks, X509 *cert, EVP_PKEY *key, STACK_OF(X509) *chain,
          const char *fingerprint, struct err *e)
{
    struct buf sealed = BUF_INIT(FILE_MAX), pem = BUF_INIT(FILE_MAX);
    char *kpath = xasprintf("%s/%s.key", ks->dir, fingerprint);
    char *cpath = xasprintf("%s/%s.crt", ks->dir, fingerprint);
    int rc = wrap_key(&ks->wrap, key, &sealed, e);

    if (rc == 0 && certs_pem(cert, chain, &pem))
        rc = err_set(e, E_CRYPTO, "the certificate could not be written");
    /* The key file makes the pair count, so it comes last. */
    if (rc == 0)
        rc = file_write(cpath, buf_slice(&pem), 0600, true, e);
    if (rc == 0)
        rc = file_write(kpath, buf_slice(&sealed), 0600, true, e);
    buf_wipe(&sealed);
    buf_clear(&pem);
    free(kpath);
    free(cpath);
    return rc;
}

/* All certificates that are neither this one nor self-signed. */
static STACK_OF(X509) *
chain_of(const struct keys_import *in, X509 *cert)
{
    STACK_OF(X509) *chain = sk_X509_new_null();

    for (int i = 0; i < sk_X509_num(in->certs); i++) {
        X509 *x = sk_X509_value(in->certs, i);

        if (X509_cmp(x, cert) == 0 || X509_check_ca(x) == 0 ||
            X509_NAME_cmp(X509_get_issuer_name(x),
                          X509_get_subject_name(x)) == 0)
            continue;
        X509_up_ref(x);
        sk_X509_push(chain, x);
    }
    return chain;
}

/* Into a set that is in memory only. */
static void
key_keep(struct keys *ks, X509 *cert, EVP_PKEY *key, STACK_OF(X509) *chain,
         const char *fingerprint)
{
    struct key *k = xcalloc(1, sizeof *k);

    X509_up_ref(cert);
    EVP_PKEY_up_ref(key);
    k->cert = cert;
    k->key = key;
    k->chain = X509_chain_up_ref(chain);
    snprintf(k->fingerprint, sizeof k->fingerprint, "%s", fingerprint);
    key_insert(ks, k);
}

static int
pair_add(struct keys *ks, struct keys_import *in, X509 *cert, EVP_PKEY *key,
         struct buf *text, struct err *e)
{
    STACK_OF(X509) *chain;
    char fp[65], *name;
    int rc;

    if (keys_fingerprint(cert, fp))
        return err_set(e, E_CRYPTO, "digest failed");
    name = X509_NAME_oneline(X509_get_subject_name(cert), NULL, 0);
    if (keys_find(ks, fp)) {
        buf_addf(text, "%s  %.120s: was here already\n", fp, name);
        OPENSSL_free(name);
        return 0;
    }
    chain = chain_of(in, cert);
    if (ks->dir) {
        rc = key_store(ks, cert, key, chain, fp, e);
        if (rc == 0 && key_load(ks, fp))
            rc = err_set(e, E_RETRY, "the stored key could not be read back");
    } else {
        key_keep(ks, cert, key, chain, fp);
        rc = 0;
    }
    sk_X509_pop_free(chain, X509_free);
    if (rc == 0)
        buf_addf(text, "%s  %.120s: imported\n", fp, name);
    OPENSSL_free(name);
    return rc;
}

int
keys_import_add(struct keys *ks, struct keys_import *in, char **text_out,
                struct err *e)
{
    struct buf text = BUF_INIT(1 << 20);
    size_t pairs = 0;

    for (int i = 0; i < sk_X509_num(in->certs); i++)
        for (size_t k = 0; k < in->nkeys; k++) {
            X509 *x = sk_X509_value(in->certs, i);

            if (X509_check_private_key(x, in->keys[k]) != 1)
                continue;
            if (pair_add(ks, in, x, in->keys[k], &text, e)) {
                buf_clear(&text);
                ERR_clear_error();
                return -1;
            }
            pairs++;
        }
    ERR_clear_error();
    if (!pairs) {
        buf_clear(&text);
        return err_set(e, E_INPUT,
                       "the file holds %zu keys and %d certificates, but no "
                       "key with its certificate",
                       in->nkeys, sk_X509_num(in->certs));
    }
    *text_out = buf_take(&text, NULL);
    return 0;
}

int
keys_remove(struct keys *ks, const char *fingerprint, struct err *e)
{
    char *kpath, *cpath;
    int rc;

    for (struct key **at = &ks->list; *at; at = &(*at)->next) {
        struct key *k = *at;

        if (ascii_icmp(k->fingerprint, fingerprint) != 0)
            continue;
        kpath = xasprintf("%s/%s.key", ks->dir ? ks->dir : "", k->fingerprint);
        cpath = xasprintf("%s/%s.crt", ks->dir ? ks->dir : "", k->fingerprint);
        rc = ks->dir && (file_remove(kpath, e) || file_remove(cpath, e));
        free(kpath);
        free(cpath);
        if (rc)
            return -1;
        *at = k->next;
        key_free(k);
        return 0;
    }
    return err_set(e, E_MISSING, "there is no key %.64s", fingerprint);
}
