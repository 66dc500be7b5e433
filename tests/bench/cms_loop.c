/*
 * "CPU per signed and encrypted mail", without anything around it: libcrypto's
 * own CMS calls in a tight loop, one thread, nothing else, and with --ours
 * smime_seal() in the same loop. Reports operations and CPU microseconds as
 * one line of JSON.
 *
 *     cms_loop [--ours] SIGNER.crt SIGNER.key N BYTES CERT...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/cms.h>
#include <openssl/pem.h>

#include "smime/seal.h"

static void *
need(void *p, const char *what)
{
    if (!p) {
        fprintf(stderr, "cms_loop: %s\n", what);
        exit(1);
    }
    return p;
}

static X509 *
cert_read(const char *path)
{
    FILE *f = need(fopen(path, "r"), path);
    X509 *x = need(PEM_read_X509(f, NULL, NULL, NULL), path);

    fclose(f);
    return x;
}

static EVP_PKEY *
key_read(const char *path)
{
    FILE *f = need(fopen(path, "r"), path);
    EVP_PKEY *k = need(PEM_read_PrivateKey(f, NULL, NULL, NULL), path);

    fclose(f);
    return k;
}

static void
seal(X509 *signer, EVP_PKEY *key, STACK_OF(X509) *to, const char *text,
     size_t n)
{
    BIO *in = need(BIO_new_mem_buf(text, (int)n), "memory");
    BIO *mid = need(BIO_new(BIO_s_mem()), "memory");
    BIO *out = need(BIO_new(BIO_s_mem()), "memory");
    CMS_ContentInfo *c;

    c = need(CMS_sign(signer, key, NULL, in, CMS_DETACHED | CMS_STREAM), "sign");
    SMIME_write_CMS(mid, c, in, CMS_DETACHED | CMS_STREAM);
    CMS_ContentInfo_free(c);
    c = need(CMS_encrypt(to, mid, EVP_aes_256_cbc(), CMS_STREAM), "encrypt");
    SMIME_write_CMS(out, c, mid, CMS_STREAM);
    CMS_ContentInfo_free(c);
    BIO_free(in);
    BIO_free(mid);
    BIO_free(out);
}

static void
seal_ours(X509 *signer, EVP_PKEY *key, STACK_OF(X509) *to, const char *text)
{
    struct smime_to list[32];
    struct smime_orders o = {
        .sign = true,
        .encrypt = true,
        .signer = signer,
        .key = key,
        .to = list,
        .protect = SMIME_PROTECT_COPY,
    };
    struct buf out = BUF_INIT((size_t)256 << 20);
    struct err e;

    for (; o.nto < 32 && o.nto < (size_t)sk_X509_num(to); o.nto++)
        list[o.nto] = (struct smime_to){sk_X509_value(to, (int)o.nto), false};
    if (smime_seal(&o, slice_of(text), &out, &e)) {
        fprintf(stderr, "cms_loop: %s\n", e.text);
        exit(1);
    }
    buf_clear(&out);
}

/* With a header for ours, which is told whole messages; CRLF likewise. */
static char *
text_make(size_t bytes, bool ours)
{
    static const char head[] = "From: a@example.test\r\n"
                               "To: b@example.test\r\n"
                               "Subject: Bench\r\n"
                               "Date: Sat, 1 Jun 2024 09:00:00 +0000\r\n\r\n";
    size_t at = ours ? sizeof head - 1 : 0;
    char *text = need(malloc(at + bytes + 1), "memory");

    memcpy(text, head, at);
    for (size_t i = 0; i < bytes; i++)
        text[at + i] = i % 72 == 71              ? '\n'
                       : ours && i % 72 == 70 ? '\r'
                                              : (char)('a' + i % 26);
    text[at + bytes] = '\0';
    return text;
}

int
main(int argc, char **argv)
{
    bool ours = argc > 1 && strcmp(argv[1], "--ours") == 0;
    X509 *signer;
    EVP_PKEY *key;
    STACK_OF(X509) *to = sk_X509_new_null();
    size_t bytes;
    char *text;
    long n;
    clock_t began;

    argc -= ours;
    argv += ours;
    if (argc < 6)
        return 64;
    signer = cert_read(argv[1]);
    key = key_read(argv[2]);
    n = strtol(argv[3], NULL, 10);
    bytes = strtoul(argv[4], NULL, 10);
    for (int i = 5; i < argc; i++)
        sk_X509_push(to, cert_read(argv[i]));
    text = text_make(bytes, ours);
    began = clock();
    for (long i = 0; i < n; i++)
        if (ours)
            seal_ours(signer, key, to, text);
        else
            seal(signer, key, to, text, bytes);
    printf("{\"operations\": %ld, \"cpu_us\": %.1f}\n", n,
           (double)(clock() - began) * 1e6 / CLOCKS_PER_SEC / (double)n);
    sk_X509_pop_free(to, X509_free);
    X509_free(signer);
    EVP_PKEY_free(key);
    free(text);
    return 0;
}
