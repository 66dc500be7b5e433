/*
 * The peer of "CPU per signed and encrypted mail": libcrypto's own CMS calls
 * in a tight loop, one thread, nothing else. Reports operations and CPU
 * microseconds as one line of JSON.
 *
 *     cms_loop SIGNER.crt SIGNER.key RECIPIENTS N BYTES CERT...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/cms.h>
#include <openssl/pem.h>

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

int
main(int argc, char **argv)
{
    X509 *signer;
    EVP_PKEY *key;
    STACK_OF(X509) *to = sk_X509_new_null();
    size_t bytes;
    char *text;
    long n;
    clock_t began;

    if (argc < 6)
        return 64;
    signer = cert_read(argv[1]);
    key = key_read(argv[2]);
    n = strtol(argv[3], NULL, 10);
    bytes = strtoul(argv[4], NULL, 10);
    for (int i = 5; i < argc; i++)
        sk_X509_push(to, cert_read(argv[i]));
    text = need(malloc(bytes + 1), "memory");
    for (size_t i = 0; i < bytes; i++)
        text[i] = i % 72 == 71 ? '\n' : (char)('a' + i % 26);
    began = clock();
    for (long i = 0; i < n; i++)
        seal(signer, key, to, text, bytes);
    printf("{\"operations\": %ld, \"cpu_us\": %.1f}\n", n,
           (double)(clock() - began) * 1e6 / CLOCKS_PER_SEC / (double)n);
    sk_X509_pop_free(to, X509_free);
    X509_free(signer);
    EVP_PKEY_free(key);
    free(text);
    return 0;
}
