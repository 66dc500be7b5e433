/*
 * Which cipher all recipients can read, by what they have announced
 * (SMIME.md section 6).
 */
#include "certs/certs.h"

#include <openssl/cms.h>
#include <openssl/err.h>

struct announced {
    bool known, gcm, aes256, aes128, oaep;
};

static void
announced_read(const struct certs_one *one, struct announced *a)
{
    const unsigned char *p = one->capabilities;
    STACK_OF(X509_ALGOR) *list =
        p ? d2i_X509_ALGORS(NULL, &p, (long)one->capabilities_len) : NULL;

    *a = (struct announced){.known = list != NULL};
    for (int i = 0; i < sk_X509_ALGOR_num(list); i++) {
        const ASN1_OBJECT *oid;

        X509_ALGOR_get0(&oid, NULL, NULL, sk_X509_ALGOR_value(list, i));
        switch (OBJ_obj2nid(oid)) {
        case NID_aes_256_gcm:
            a->gcm = true;
            break;
        case NID_aes_256_cbc:
            a->aes256 = true;
            break;
        case NID_aes_128_cbc:
            a->aes128 = true;
            break;
        case NID_rsaesOaep:
            a->oaep = true;
            break;
        default:
            break;
        }
    }
    sk_X509_ALGOR_pop_free(list, X509_ALGOR_free);
    ERR_clear_error();
}

int
certs_cipher(const struct certs_found *f, enum smime_cipher *cipher,
             bool *oaep, struct err *e)
{
    bool gcm = true, aes256 = true;

    for (size_t i = 0; i < f->n; i++) {
        struct announced a;

        announced_read(&f->list[i], &a);
        if (oaep)
            oaep[i] = a.oaep;
        gcm &= a.gcm;
        if (a.known && !a.gcm && !a.aes256 && !a.aes128)
            return err_set(e, E_NOCERT, "%s announced only ciphers that are "
                                        "too weak",
                           f->list[i].address);
        if (a.known && !a.aes256 && a.aes128)
            aes256 = false;
    }
    *cipher = f->n && gcm ? SMIME_AES_256_GCM
              : aes256    ? SMIME_AES_256_CBC
                          : SMIME_AES_128_CBC;
    return 0;
}
