/*
 * Bytes under the account's data key: queue files, and what is remembered of
 * encrypted messages.
 *
 * Form: "SPC1", 32 bytes of salt, then chunks of 64 KiB each followed by its
 * 16-byte tag. The chunk key is HKDF-SHA256(data key, salt); the nonce is the
 * chunk's number and a mark for the last one, so chunks cannot be reordered,
 * left out or cut off at the end.
 */
#include "store/private.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#include "base/code.h"
#include "base/mem.h"

#define MAGIC "SPC1"
#define SALT 32u
#define HEAD STORE_CIPHER_HEAD
#define CHUNK STORE_CIPHER_CHUNK
#define TAG STORE_CIPHER_TAG

static int
chunk_key(const struct secret *key, const unsigned char *salt,
          unsigned char out[32], struct err *e)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    char digest[] = "SHA256", info[] = "sealpost store 1";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key->data,
                                          key->len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
                                          (void *)(uintptr_t)salt, SALT),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info,
                                          sizeof info - 1),
        OSSL_PARAM_construct_end()};
    int ok = ctx && EVP_KDF_derive(ctx, out, 32, params) > 0;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok ? 0 : err_set(e, E_CRYPTO, "deriving the file key failed");
}

static void
chunk_nonce(unsigned char nonce[12], uint32_t number, bool last)
{
    memset(nonce, 0, 12);
    nonce[0] = last;
    nonce[8] = (unsigned char)(number >> 24);
    nonce[9] = (unsigned char)(number >> 16);
    nonce[10] = (unsigned char)(number >> 8);
    nonce[11] = (unsigned char)number;
}

static bool
chunk_seal(EVP_CIPHER_CTX *ctx, const unsigned char *nonce, struct slice in,
           unsigned char *to)
{
    int n = 0, m = 0;

    return EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, nonce) == 1 &&
           EVP_EncryptUpdate(ctx, to, &n, (const unsigned char *)in.p,
                             (int)in.n) == 1 &&
           EVP_EncryptFinal_ex(ctx, to + n, &m) == 1 &&
           (size_t)(n + m) == in.n &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, to + in.n) == 1;
}

static bool
chunk_open(EVP_CIPHER_CTX *ctx, const unsigned char *nonce, struct slice in,
           unsigned char *to)
{
    unsigned char tag[TAG];
    int n = 0, m = 0;
    size_t len = in.n - TAG;

    memcpy(tag, in.p + len, TAG);
    return EVP_DecryptInit_ex(ctx, NULL, NULL, NULL, nonce) == 1 &&
           EVP_DecryptUpdate(ctx, to, &n, (const unsigned char *)in.p,
                             (int)len) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1 &&
           EVP_DecryptFinal_ex(ctx, to + n, &m) == 1 &&
           (size_t)(n + m) == len;
}

int
store_cipher_seal(const struct secret *key, struct slice plain,
                  struct buf *out, struct err *e)
{
    unsigned char salt[SALT], k[32], nonce[12];
    EVP_CIPHER_CTX *ctx;
    uint32_t number = 0;
    bool last, ok = true;

    if (!key->data || key->len != 32)
        return err_set(e, E_LOCKED, "the account's data key is not there");
    code_random(salt, sizeof salt);
    if (chunk_key(key, salt, k, e))
        return -1;
    if (buf_add(out, MAGIC, 4) || buf_add(out, salt, SALT))
        return err_set(e, E_LIMIT, "too much to seal");
    ctx = EVP_CIPHER_CTX_new();
    ok = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, k, NULL) == 1;
    do {
        struct slice piece = slice_cut(plain, 0, CHUNK);
        char *to = buf_room(out, piece.n + TAG);

        last = piece.n == plain.n;
        chunk_nonce(nonce, number++, last);
        ok = ok && to && chunk_seal(ctx, nonce, piece, (unsigned char *)to);
        if (ok)
            buf_added(out, piece.n + TAG);
        plain = slice_from(plain, piece.n);
    } while (!last && ok);
    EVP_CIPHER_CTX_free(ctx);
    mem_wipe(k, sizeof k);
    return ok ? 0 : err_set(e, E_CRYPTO, "sealing failed");
}

int
store_cipher_open(const struct secret *key, struct slice sealed,
                  struct buf *out, struct err *e)
{
    unsigned char k[32], nonce[12];
    EVP_CIPHER_CTX *ctx;
    uint32_t number = 0;
    bool last, ok;

    if (!key->data || key->len != 32)
        return err_set(e, E_LOCKED, "the account's data key is not there");
    if (sealed.n < HEAD + TAG || memcmp(sealed.p, MAGIC, 4) != 0)
        return err_set(e, E_CRYPTO, "not a sealed file, or cut");
    if (chunk_key(key, (const unsigned char *)sealed.p + 4, k, e))
        return -1;
    sealed = slice_from(sealed, HEAD);
    ctx = EVP_CIPHER_CTX_new();
    ok = ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, k, NULL) == 1;
    do {
        struct slice piece = slice_cut(sealed, 0, CHUNK + TAG);
        char *to = piece.n >= TAG ? buf_room(out, piece.n - TAG) : NULL;

        last = piece.n == sealed.n;
        chunk_nonce(nonce, number++, last);
        ok = ok && to && chunk_open(ctx, nonce, piece, (unsigned char *)to);
        if (ok)
            buf_added(out, piece.n - TAG);
        sealed = slice_from(sealed, piece.n);
    } while (!last && ok);
    EVP_CIPHER_CTX_free(ctx);
    mem_wipe(k, sizeof k);
    if (!ok) {
        buf_wipe(out); /* nothing that was not authenticated to the end */
        return err_set(e, E_CRYPTO,
                       "a sealed file is damaged or the data key is another");
    }
    return 0;
}

/* ---- chunk by chunk ---- */

struct store_cipher_file {
    EVP_CIPHER_CTX *ctx;
};

int
store_cipher_file_new(const struct secret *key, struct slice head,
                      struct store_cipher_file **out, struct err *e)
{
    struct store_cipher_file *f;
    unsigned char k[32];

    if (!key->data || key->len != 32)
        return err_set(e, E_LOCKED, "the account's data key is not there");
    if (head.n != HEAD || memcmp(head.p, MAGIC, 4) != 0)
        return err_set(e, E_CRYPTO, "not a sealed file, or cut");
    if (chunk_key(key, (const unsigned char *)head.p + 4, k, e))
        return -1;
    f = xcalloc(1, sizeof *f);
    f->ctx = EVP_CIPHER_CTX_new();
    if (!f->ctx ||
        EVP_DecryptInit_ex(f->ctx, EVP_aes_256_gcm(), NULL, k, NULL) != 1)
        store_cipher_file_free(&f);
    mem_wipe(k, sizeof k);
    if (!f)
        return err_set(e, E_CRYPTO, "the cipher could not be set up");
    *out = f;
    return 0;
}

void
store_cipher_file_free(struct store_cipher_file **fp)
{
    if (!*fp)
        return;
    EVP_CIPHER_CTX_free((*fp)->ctx);
    free(*fp);
    *fp = NULL;
}

int
store_cipher_file_open(struct store_cipher_file *f, uint32_t number, bool last,
                       struct slice sealed, struct buf *out, struct err *e)
{
    unsigned char nonce[12];
    char *to = sealed.n >= TAG ? buf_room(out, sealed.n - TAG + 1) : NULL;

    chunk_nonce(nonce, number, last);
    if (!to || !chunk_open(f->ctx, nonce, sealed, (unsigned char *)to)) {
        if (to)
            mem_wipe(to, sealed.n - TAG);
        return err_set(e, E_CRYPTO, "a sealed file is damaged or the data key "
                                    "is another");
    }
    buf_added(out, sealed.n - TAG);
    return 0;
}
