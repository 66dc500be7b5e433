/*
 * scrypt in the form that other programs print it, and random passwords.
 * Pure and slow: called from worker jobs of account and from sealpostctl.
 */
#include "secrets/hash.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>

#include "base/code.h"
#include "base/fault.h"
#include "base/mem.h"

#define SALT_LEN 16
#define HASH_LEN 32
#define LN 15
#define R 8
#define P 1
/* What we do at most for a hash from the outside: 64 MiB. */
#define MAX_LN 16
#define MAX_R 8
#define MAX_P 2
#define MAX_MEMORY ((uint64_t)80 << 20)
#define MAX_PASSWORD 1024

struct scrypt {
    uint32_t ln, r, p;
    struct buf salt, hash;
};

static int
derive(struct slice password, struct scrypt *s, unsigned char out[HASH_LEN],
       struct err *e)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    uint64_t n = (uint64_t)1 << s->ln, memory = MAX_MEMORY;
    char none[1] = "";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(
            OSSL_KDF_PARAM_PASSWORD,
            password.n ? (void *)(uintptr_t)password.p : none, password.n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, s->salt.data,
                                          s->salt.len),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &s->r),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &s->p),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
        OSSL_PARAM_construct_end(),
    };
    int ok = ctx && EVP_KDF_derive(ctx, out, HASH_LEN, params) > 0;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    ERR_clear_error();
    return ok ? 0 : err_set(e, E_BUG, "scrypt failed in the library");
}

static void
scrypt_clear(struct scrypt *s)
{
    buf_wipe(&s->salt);
    buf_wipe(&s->hash);
}

/* base64 without its padding */
static void
add_unpadded(struct buf *out, const void *p, size_t n)
{
    code_base64_write(out, slice_make(p, n), 0);
    while (out->len && out->data[out->len - 1] == '=')
        buf_truncate(out, out->len - 1);
}

static bool
get_unpadded(struct slice text, struct buf *out)
{
    struct buf padded = BUF_INIT(200);
    bool ok;

    buf_add_slice(&padded, text);
    while (padded.len % 4)
        buf_addc(&padded, '=');
    ok = text.n && !slice_has(text, '=') && !padded.over &&
        code_base64_parse(out, buf_slice(&padded), false) == 0 && !out->over;
    buf_clear(&padded);
    return ok;
}

static bool
get_number(struct slice *rest, const char *name, uint32_t max, uint32_t *out)
{
    struct slice piece;

    return slice_next(rest, ',', &piece) && slice_starts(piece, name) &&
        slice_u32(slice_from(piece, strlen(name)), out) && *out >= 1 &&
        *out <= max;
}

/* $scrypt$ln=15,r=8,p=1$SALT$HASH; the caller clears in any case. */
static int
parse(const char *hash, struct scrypt *s, struct err *e)
{
    struct slice rest = slice_of(hash), params, salt;

    *s = (struct scrypt){.salt = BUF_INIT(128), .hash = BUF_INIT(128)};
    if (rest.n >= SECRETS_HASH_SIZE || !slice_starts(rest, "$scrypt$"))
        return err_set(e, E_INPUT, "the password hash is not one of ours "
                       "($scrypt$...)");
    rest = slice_from(rest, 8);
    if (!slice_next(&rest, '$', &params) || !slice_next(&rest, '$', &salt) ||
        !get_number(&params, "ln=", MAX_LN, &s->ln) ||
        !get_number(&params, "r=", MAX_R, &s->r) ||
        !get_number(&params, "p=", MAX_P, &s->p) || params.n)
        return err_set(e, E_INPUT, "the password hash has no parameters that "
                       "we work with (ln to %d, r to %d, p to %d)", MAX_LN,
                       MAX_R, MAX_P);
    if (!get_unpadded(salt, &s->salt) || !get_unpadded(rest, &s->hash) ||
        s->salt.len < 8 || s->hash.len != HASH_LEN)
        return err_set(e, E_INPUT, "the password hash is damaged");
    return 0;
}

int
secrets_hash_make(struct slice password, char out[SECRETS_HASH_SIZE],
                  struct err *e)
{
    unsigned char salt[SALT_LEN], hash[HASH_LEN];
    struct scrypt s = {(uint32_t)fault_number("SEALPOST_FAULT_LN", LN), R, P,
                       BUF_INIT(64), BUF_INIT(HASH_LEN)};
    struct buf text = BUF_INIT(SECRETS_HASH_SIZE - 1);
    int ret;

    if (password.n > MAX_PASSWORD)
        return err_set(e, E_INPUT, "a password has at most %d bytes",
                       MAX_PASSWORD);
    code_random(salt, sizeof(salt));
    buf_add(&s.salt, salt, sizeof(salt));
    ret = derive(password, &s, hash, e);
    if (ret == 0) {
        buf_addf(&text, "$scrypt$ln=%d,r=%d,p=%d$", (int)s.ln, R, P);
        add_unpadded(&text, salt, sizeof(salt));
        buf_addc(&text, '$');
        add_unpadded(&text, hash, sizeof(hash));
        snprintf(out, SECRETS_HASH_SIZE, "%s", text.data);
    }
    mem_wipe(hash, sizeof(hash));
    scrypt_clear(&s);
    buf_clear(&text);
    return ret;
}

int
secrets_hash_check(const char *hash, struct slice password, struct err *e)
{
    unsigned char got[HASH_LEN];
    struct scrypt s;
    int ret = parse(hash, &s, e);

    /* Too long a one cannot have been hashed; the time is the same. */
    if (ret == 0)
        ret = derive(password.n > MAX_PASSWORD ? SLICE("") : password, &s,
                     got, e);
    if (ret == 0)
        ret = !mem_differs(got, s.hash.data, HASH_LEN) &&
            password.n <= MAX_PASSWORD;
    mem_wipe(got, sizeof(got));
    scrypt_clear(&s);
    return ret;
}

bool
secrets_hash_is_valid(const char *hash)
{
    struct scrypt s;
    bool ok = parse(hash, &s, NULL) == 0;

    scrypt_clear(&s);
    return ok;
}

void
secrets_hash_waste(struct slice password)
{
    unsigned char hash[HASH_LEN];
    struct scrypt s = {LN, R, P, BUF_INIT(64), BUF_INIT(HASH_LEN)};

    buf_adds(&s.salt, "no such account.");
    derive(password.n > MAX_PASSWORD ? SLICE("") : password, &s, hash, NULL);
    mem_wipe(hash, sizeof(hash));
    scrypt_clear(&s);
}

/* ---- what was right before ---- */

static bool
known_mac(const struct secrets_known *k, const char *hash,
          struct slice password, unsigned char out[32])
{
    size_t n = strlen(hash) + 1; /* its NUL parts the two */
    struct buf both = BUF_INIT(SECRETS_HASH_SIZE + 1 + MAX_PASSWORD);
    unsigned len = 0;
    bool ok = buf_add(&both, hash, n) == 0 &&
              buf_add_slice(&both, password) == 0 &&
              HMAC(EVP_sha256(), k->key, sizeof k->key,
                   (const unsigned char *)both.data, both.len, out, &len) &&
              len == 32;

    buf_wipe(&both);
    ERR_clear_error();
    return ok;
}

void
secrets_known_set(struct secrets_known *k, const char *hash,
                  struct slice password)
{
    k->set = RAND_bytes(k->key, sizeof k->key) == 1 &&
             known_mac(k, hash, password, k->mac);
}

bool
secrets_known_is(const struct secrets_known *k, const char *hash,
                 struct slice password)
{
    unsigned char mac[32];
    bool same = k->set && known_mac(k, hash, password, mac) &&
                !mem_differs(mac, k->mac, sizeof mac);

    mem_wipe(mac, sizeof mac);
    return same;
}

void
secrets_hash_password(struct secret *out)
{
    /* 31 signs; 0 o 1 l i look alike. Four groups of five: 99 bits. */
    static const char signs[] = "abcdefghjkmnpqrstuvwxyz23456789";
    const size_t n_signs = sizeof(signs) - 1;
    unsigned char byte;
    char text[23];

    for (size_t i = 0; i < sizeof(text);) {
        if (i % 6 == 5) {
            text[i++] = '-';
            continue;
        }
        code_random(&byte, 1);
        if (byte < 256 / n_signs * n_signs) /* else some come more often */
            text[i++] = signs[byte % n_signs];
    }
    secret_set(out, text, sizeof(text));
    mem_wipe(text, sizeof(text));
}
