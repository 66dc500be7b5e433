/*
 * Is a certificate good for this purpose and address? Chain to an anchor, own
 * key usage and address checks (SMIME.md section 5). Pure; anchors are shared
 * between threads and never change once made.
 */
#include "certs/certs.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/file.h"
#include "base/mem.h"
#include "certs/private.h"
#include "smime/report.h"
#include "smime/verdict.h"

#define ANCHORS_MAX ((size_t)8 << 20)
#define DEPTH_MAX 8

struct certs_anchors {
    atomic_uint refs;
    X509_STORE *store;
};

static int
anchors_file(X509_STORE *store, const char *path, struct err *e)
{
    struct buf pem = BUF_INIT(ANCHORS_MAX);
    BIO *b;
    X509 *x;
    int n = 0;

    if (file_read(path, &pem, e))
        return -1;
    b = BIO_new_mem_buf(pem.data ? pem.data : "", (int)pem.len);
    while (b && (x = PEM_read_bio_X509_AUX(b, NULL, NULL, NULL))) {
        X509_STORE_add_cert(store, x);
        X509_free(x);
        n++;
    }
    BIO_free(b);
    if (!n) {
        const unsigned char *p = (const unsigned char *)pem.data;

        if (pem.len && (x = d2i_X509(NULL, &p, (long)pem.len))) {
            X509_STORE_add_cert(store, x);
            X509_free(x);
            n++;
        }
    }
    buf_clear(&pem);
    ERR_clear_error();
    return n ? 0
             : err_set(e, E_INPUT, "%s holds no certificate in PEM or DER",
                       path);
}

int
certs_anchors_new(const char *const *files, bool system,
                  struct certs_anchors **out, struct err *e)
{
    struct certs_anchors *a = xcalloc(1, sizeof *a);

    atomic_init(&a->refs, 1);
    a->store = X509_STORE_new();
    if (!a->store)
        abort();
    if (system)
        X509_STORE_set_default_paths(a->store);
    ERR_clear_error();
    for (size_t i = 0; files && files[i]; i++)
        if (anchors_file(a->store, files[i], e)) {
            certs_anchors_unref(&a);
            return -1;
        }
    *out = a;
    return 0;
}

struct certs_anchors *
certs_anchors_ref(struct certs_anchors *a)
{
    atomic_fetch_add(&a->refs, 1);
    return a;
}

void
certs_anchors_unref(struct certs_anchors **ap)
{
    struct certs_anchors *a = *ap;

    *ap = NULL;
    if (!a || atomic_fetch_sub(&a->refs, 1) != 1)
        return;
    X509_STORE_free(a->store);
    free(a);
}

int
certs_fingerprint(X509 *x, char out[65])
{
    unsigned char md[32];
    unsigned n = 0;

    if (!X509_digest(x, EVP_sha256(), md, &n))
        return -1;
    for (unsigned i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", md[i]);
    return 0;
}

/* ---- addresses ---- */

static bool
name_fits(const ASN1_STRING *s, struct slice address)
{
    return slice_ieq(slice_make(ASN1_STRING_get0_data(s),
                                (size_t)ASN1_STRING_length(s)),
                     address);
}

/* SmtpUTF8Mailbox (RFC 9598): local part octet by octet, domain without
 * letter case. */
static bool
utf8_fits(const OTHERNAME *o, struct slice address)
{
    char oid[64];
    struct slice s;
    size_t at, at2;

    OBJ_obj2txt(oid, sizeof oid, o->type_id, 1);
    if (strcmp(oid, "1.3.6.1.5.5.7.8.9") != 0 ||
        o->value->type != V_ASN1_UTF8STRING)
        return false;
    s = slice_make(ASN1_STRING_get0_data(o->value->value.utf8string),
                   (size_t)ASN1_STRING_length(o->value->value.utf8string));
    at = slice_find(s, '@');
    at2 = slice_find(address, '@');
    return at < s.n && at == at2 &&
           slice_eq(slice_cut(s, 0, at), slice_cut(address, 0, at2)) &&
           slice_ieq(slice_from(s, at), slice_from(address, at2));
}

bool
certs_has_address(X509 *x, const char *address)
{
    GENERAL_NAMES *names =
        X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    struct slice want = slice_of(address);
    bool any = false, yes = false;

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

        if (g->type == GEN_EMAIL) {
            any = true;
            yes |= name_fits(g->d.rfc822Name, want);
        } else if (g->type == GEN_OTHERNAME) {
            yes |= utf8_fits(g->d.otherName, want);
        }
    }
    GENERAL_NAMES_free(names);
    /* The subject's attribute only if the extension names no address. */
    if (!any && !yes) {
        const X509_NAME *n = X509_get_subject_name(x);
        int at = -1;

        while ((at = X509_NAME_get_index_by_NID(
                    n, NID_pkcs9_emailAddress, at)) >= 0)
            yes |= name_fits(
                X509_NAME_ENTRY_get_data(X509_NAME_get_entry(n, at)), want);
    }
    return yes;
}

/* ---- usage and chain ---- */

static bool
usage_fits(X509 *x, enum certs_purpose purpose)
{
    uint32_t usage = X509_get_key_usage(x);
    uint32_t extended = X509_get_extended_key_usage(x);
    EVP_PKEY *key = X509_get0_pubkey(x);
    bool rsa = key && (EVP_PKEY_is_a(key, "RSA"));

    if (X509_check_ca(x) == 1)
        return false;
    if (extended != UINT32_MAX && !(extended & (XKU_SMIME | XKU_ANYEKU)))
        return false;
    if (usage == UINT32_MAX)
        return true;
    if (purpose == CERTS_SIGN)
        return usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION);
    return usage & (rsa ? KU_KEY_ENCIPHERMENT : KU_KEY_AGREEMENT);
}

static void
judge(struct certs_judgment *out, enum certs_why why, const char *text)
{
    out->why = why;
    snprintf(out->text, sizeof out->text, "%s", text);
}

static void
judge_dates(X509 *x, struct certs_judgment *out)
{
    struct tm tm;
    char when[32] = "?";

    if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1)
        strftime(when, sizeof when, "%Y-%m-%d", &tm);
    out->why = CERTS_EXPIRED;
    snprintf(out->text, sizeof out->text,
             "expired on %s (or is not valid yet)", when);
}

static void
judge_chain(struct certs_anchors *a, X509 *x, STACK_OF(X509) *extra,
            int64_t at, bool pinned, struct certs_judgment *out)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_VERIFY_PARAM *param;
    STACK_OF(X509) *own = NULL;
    int code;

    if (!ctx || X509_STORE_CTX_init(ctx, a->store, x, extra) != 1)
        abort();
    param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, (time_t)at);
    X509_VERIFY_PARAM_set_depth(param, DEPTH_MAX);
    X509_VERIFY_PARAM_set_auth_level(param, 1);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    if (pinned) {
        own = sk_X509_new_null();
        sk_X509_push(own, x);
        X509_STORE_CTX_set0_trusted_stack(ctx, own);
    }
    if (X509_verify_cert(ctx) == 1) {
        judge(out, CERTS_OK, "");
    } else {
        code = X509_STORE_CTX_get_error(ctx);
        switch (code) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
        case X509_V_ERR_CERT_NOT_YET_VALID:
            judge_dates(X509_STORE_CTX_get_current_cert(ctx), out);
            break;
        case X509_V_ERR_CA_KEY_TOO_SMALL:
        case X509_V_ERR_EE_KEY_TOO_SMALL:
        case X509_V_ERR_CA_MD_TOO_WEAK:
            judge(out, CERTS_WEAK, X509_verify_cert_error_string(code));
            break;
        case X509_V_ERR_CERT_REVOKED:
            judge(out, CERTS_REVOKED, "was revoked");
            break;
        default:
            out->why = CERTS_UNTRUSTED;
            snprintf(out->text, sizeof out->text,
                     "its issuer is not trusted (%s)",
                     X509_verify_cert_error_string(code));
            break;
        }
    }
    X509_STORE_CTX_free(ctx);
    sk_X509_free(own);
    ERR_clear_error();
}

void
certs_trust_judge(struct certs_anchors *a, X509 *x, STACK_OF(X509) *extra,
                  enum certs_purpose purpose, const char *address, int64_t at,
                  bool pinned, struct certs_judgment *out)
{
    judge_chain(a, x, extra, at, pinned, out);
    if (out->why != CERTS_OK)
        return;
    if (!usage_fits(x, purpose))
        judge(out, CERTS_USAGE,
              purpose == CERTS_SIGN ? "is not for signing mail"
                                    : "is not for encrypting mail");
    else if (address && !certs_has_address(x, address))
        judge(out, CERTS_ADDRESS, "is for another address");
}

static struct smime_trust *
trust_signers(struct certs_anchors *a, const struct smime_report *r,
              int64_t at, size_t *n_out)
{
    struct smime_trust *list = NULL;
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++)
        for (size_t k = 0; k < r->layers[i].nsigners; k++) {
            const struct smime_signer *s = &r->layers[i].signers[k];
            struct certs_judgment j = {CERTS_UNTRUSTED, "is not there"};
            struct smime_trust *t;

            list = xrealloc(list, (n + 1) * sizeof *list);
            t = &list[n++];
            memset(t, 0, sizeof *t);
            if (!s->cert)
                continue;
            certs_trust_judge(a, s->cert, r->certs, CERTS_SIGN, NULL, at,
                              false, &j);
            t->chain = j.why == CERTS_OK;
            t->revoked = j.why == CERTS_REVOKED;
            t->address = r->from && certs_has_address(s->cert, r->from);
            t->sender = r->sender && certs_has_address(s->cert, r->sender);
            snprintf(t->reason, sizeof t->reason,
                     "the signer's certificate %.130s", j.text);
        }
    *n_out = n;
    return list;
}

struct smime_trust *
certs_trust_report(struct certs_anchors *a, struct smime_report *r,
                   int64_t at, size_t *n_out)
{
    struct smime_verdict v;
    struct smime_trust *list;

    if (r->other_from) {
        smime_report_turn(r);
        list = trust_signers(a, r, at, n_out);
        smime_judge(r, list, *n_out, at, &v);
        if (v.result == SMIME_PASS)
            return list;
        free(list);
        smime_report_turn(r);
    }
    return trust_signers(a, r, at, n_out);
}
