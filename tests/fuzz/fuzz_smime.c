/*
 * Opening: any bytes give a report whose shown message is CRLF and whose
 * layers are bounded; nothing is decrypted without being encrypted.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include "base/mem.h"
#include "mime/write.h"
#include "smime/open.h"
#include "smime/verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* bob's and carol's test keys, if the source tree is where srcdir says. */
static struct smime_reader readers[2];
static size_t nreaders;

static void
ring_load(void)
{
    static const char *const names[] = {"bob-enc", "carol-enc"};
    const char *src = getenv("srcdir");

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *c = xasprintf("%s/tests/data/smime/generated/pki/certs/%s.crt",
                            src ? src : ".", names[i]);
        char *k = xasprintf("%s/tests/data/smime/generated/pki/keys/%s.key",
                            src ? src : ".", names[i]);
        BIO *bc = BIO_new_file(c, "r"), *bk = BIO_new_file(k, "r");
        X509 *x = bc ? PEM_read_bio_X509(bc, NULL, NULL, NULL) : NULL;
        EVP_PKEY *key = bk ? PEM_read_bio_PrivateKey(bk, NULL, NULL, NULL)
                           : NULL;

        if (x && key)
            readers[nreaders++] = (struct smime_reader){x, key};
        BIO_free(bc);
        BIO_free(bk);
        free(c);
        free(k);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int loaded;
    struct smime_ring ring;
    struct smime_report r;
    struct smime_verdict v;
    struct err e;

    if (!loaded++)
        ring_load();
    ring = (struct smime_ring){readers, nreaders};
    if (smime_open(&ring, slice_make(data, size), &r, &e))
        return 0;
    if (r.n > 10 || (r.decrypted && !r.encrypted) ||
        !mime_is_crlf(buf_slice(&r.shown)))
        abort();
    smime_judge(&r, NULL, 0, 1795334400, &v);
    if (v.result == SMIME_PASS) /* nobody is trusted */
        abort();
    smime_report_clear(&r);
    return 0;
}
