/*
 * The bytes of the secrets file: a list of names and values, and AES-256-GCM
 * around it. Pure; called by secrets.c and by the fuzz target.
 */
#include "secrets/private.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/code.h"
#include "base/mem.h"
#include "secrets/secrets.h"

#define MAGIC "sealpost-secret\n"
#define MAGIC_LEN 16
#define FORMAT 1
#define NONCE_LEN 12
#define TAG_LEN 16
#define HEAD_LEN (MAGIC_LEN + 4 + NONCE_LEN)

static void
put_u32(unsigned char *p, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(n >> (24 - 8 * i));
}

static uint32_t
get_u32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;

    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 |
        u[3];
}

static int
compare(struct slice a, struct slice b)
{
    int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

    return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* One entry off the front; false when the bytes are not one. */
static bool
next_entry(struct slice *rest, struct secrets_entry *out)
{
    size_t n;

    if (rest->n < 2)
        return false;
    n = (size_t)(unsigned char)rest->p[0] << 8 | (unsigned char)rest->p[1];
    if (!n || n > SECRETS_MAX_NAME || rest->n < 2 + n + 4)
        return false;
    out->name = slice_make(rest->p + 2, n);
    *rest = slice_from(*rest, 2 + n);
    n = get_u32(rest->p);
    if (n > SECRETS_MAX_VALUE || rest->n - 4 < n)
        return false;
    out->value = slice_make(rest->p + 4, n);
    *rest = slice_from(*rest, 4 + n);
    return !slice_has(out->name, '\0');
}

int
secrets_form_parse(struct slice plain, struct secrets_entry **entries_out,
                   size_t *n_out, struct err *e)
{
    struct secrets_entry *list = NULL, one;
    size_t n = 0, cap = 0;

    while (plain.n) {
        if (n >= SECRETS_MAX_COUNT || !next_entry(&plain, &one) ||
            (n && compare(list[n - 1].name, one.name) >= 0)) {
            free(list);
            return err_set(e, E_CRYPTO, "entry %zu is malformed", n + 1);
        }
        if (n == cap) {
            cap = cap ? 2 * cap : 16;
            list = xrealloc(list, cap * sizeof(*list));
        }
        list[n++] = one;
    }
    *entries_out = list;
    *n_out = n;
    return 0;
}

void
secrets_form_write(const struct secrets_entry *list, size_t n,
                   struct secret *out)
{
    size_t len = 0;
    char *plain, *p;

    for (size_t i = 0; i < n; i++)
        len += 2 + list[i].name.n + 4 + list[i].value.n;
    p = plain = xmalloc(len + 1);
    for (size_t i = 0; i < n; i++) {
        *p++ = (char)(list[i].name.n >> 8);
        *p++ = (char)list[i].name.n;
        memcpy(p, list[i].name.p, list[i].name.n);
        p += list[i].name.n;
        put_u32((unsigned char *)p, (uint32_t)list[i].value.n);
        p += 4;
        if (list[i].value.n)
            memcpy(p, list[i].value.p, list[i].value.n);
        p += list[i].value.n;
    }
    secret_set(out, plain, len);
    mem_wipe(plain, len + 1);
    free(plain);
}

/* In place over out, whose bytes are the ciphertext. */
static bool
decrypt(struct slice head, struct slice tag, const struct secret *key,
        struct secret *text)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    unsigned char *p = (unsigned char *)text->data;
    int n;
    bool ok = ctx &&
        EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL,
                           (const unsigned char *)key->data,
                           (const unsigned char *)head.p + MAGIC_LEN + 4) &&
        EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *)head.p,
                          (int)head.n) &&
        EVP_DecryptUpdate(ctx, p, &n, p, (int)text->len) &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_LEN,
                            (void *)(uintptr_t)tag.p) &&
        EVP_DecryptFinal_ex(ctx, p + text->len, &n) > 0;

    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

int
secrets_form_open(struct slice file, const struct secret *key,
                  struct secret *plain_out, struct err *e)
{
    struct secret text = {0};
    struct slice head, body, tag;

    if (file.n < HEAD_LEN || memcmp(file.p, MAGIC, MAGIC_LEN) != 0)
        return err_set(e, E_CRYPTO, "not a file of secrets");
    if (get_u32(file.p + MAGIC_LEN) != FORMAT)
        return err_set(e, E_LIMIT, "its format is version %u, this program "
                       "knows %u: a newer one is needed",
                       get_u32(file.p + MAGIC_LEN), FORMAT);
    if (file.n < HEAD_LEN + TAG_LEN || file.n > SECRETS_MAX_FILE)
        return err_set(e, E_CRYPTO, "cut short, or too large");
    head = slice_cut(file, 0, HEAD_LEN);
    body = slice_cut(file, HEAD_LEN, file.n - TAG_LEN);
    tag = slice_from(file, file.n - TAG_LEN);
    secret_set(&text, body.p, body.n);
    if (!decrypt(head, tag, key, &text)) {
        secret_clear(&text);
        return err_set(e, E_CRYPTO, "it was changed, or is encrypted with "
                       "another machine key");
    }
    secret_clear(plain_out);
    *plain_out = text;
    return 0;
}

static bool
encrypt(const unsigned char *head, const struct secret *plain,
        const struct secret *key, unsigned char *out, unsigned char *tag)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n;
    bool ok = ctx &&
        EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL,
                           (const unsigned char *)key->data,
                           head + MAGIC_LEN + 4) &&
        EVP_EncryptUpdate(ctx, NULL, &n, head, HEAD_LEN) &&
        EVP_EncryptUpdate(ctx, out, &n, (const unsigned char *)plain->data,
                          (int)plain->len) &&
        EVP_EncryptFinal_ex(ctx, out + plain->len, &n) &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_LEN, tag);

    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

int
secrets_form_seal(const struct secret *plain, const struct secret *key,
                  struct buf *file_out, struct err *e)
{
    unsigned char head[HEAD_LEN], tag[TAG_LEN];
    size_t before = file_out->len;
    char *body;

    memcpy(head, MAGIC, MAGIC_LEN);
    put_u32(head + MAGIC_LEN, FORMAT);
    code_random(head + MAGIC_LEN + 4, NONCE_LEN);
    buf_add(file_out, head, HEAD_LEN);
    body = buf_room(file_out, plain->len + TAG_LEN);
    if (!body)
        return err_set(e, E_LIMIT, "more than %zu bytes of secrets",
                       SECRETS_MAX_FILE);
    if (!encrypt(head, plain, key, (unsigned char *)body, tag)) {
        buf_truncate(file_out, before);
        return err_set(e, E_CRYPTO, "AES-256-GCM failed");
    }
    buf_added(file_out, plain->len);
    buf_add(file_out, tag, TAG_LEN);
    return 0;
}
