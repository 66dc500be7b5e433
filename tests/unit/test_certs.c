/*
 * Room certs: who is trusted for what, what is learnt from mail, and which
 * cipher all recipients can read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "certs/certs.h"
#include "smime/open.h"
#include "store/certificate.h"
#include "test.h"

#define AT 1795334400 /* 2026-11-22 08:00 UTC */
#define DATA "tests/data/smime/generated/"

static struct certs_anchors *anchors, *nobody;
static STACK_OF(X509) * extra;
static struct secret key;

static X509 *
cert(const char *name)
{
    char *rel = xasprintf(DATA "pki/%s.crt", name), *path = test_data(rel);
    BIO *b = BIO_new_file(path, "r");
    X509 *x = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;

    BIO_free(b);
    free(path);
    free(rel);
    return x;
}

static void
setup(void)
{
    char *root = test_data(DATA "pki/root/ca.crt");
    const char *files[] = {root, NULL}, *missing[] = {"/nowhere.pem", NULL};
    char *table = test_data(DATA "pki/TABLE");
    const char *wrong[] = {table, NULL};
    struct certs_anchors *none = NULL;
    struct err e = {0};

    CHECK_INT(certs_anchors_new(files, false, &anchors, &e), 0);
    CHECK_INT(certs_anchors_new(NULL, false, &nobody, &e), 0);
    CHECK(certs_anchors_new(missing, false, &none, &e) != 0);
    CHECK(strstr(e.text, "nowhere.pem") != NULL);
    CHECK(certs_anchors_new(wrong, false, &none, &e) != 0);
    CHECK(!none);
    extra = sk_X509_new_null();
    sk_X509_push(extra, cert("issuing/ca"));
    secret_set(&key, "a data key of a test, 32 bytes..", 32);
    free(root);
    free(table);
}

static void
judged(void)
{
    static const struct {
        const char *name;
        enum certs_purpose purpose;
        const char *address;
        enum certs_why why;
        int64_t later;
        bool pinned, no_issuer, no_anchor;
    } rows[] = {
        {"alice-sign", CERTS_SIGN, "alice@example.test", .why = CERTS_OK},
        {"alice-sign", CERTS_SIGN, "ALICE@Example.TEST", .why = CERTS_OK},
        {"alice-sign", CERTS_SIGN, NULL, .why = CERTS_OK},
        {"alice-sign", CERTS_SIGN, "al.ice@example.test", .why = CERTS_ADDRESS},
        {"alice-sign", CERTS_SIGN, "alice@example.test.evil",
         .why = CERTS_ADDRESS},
        {"alice-sign", CERTS_ENCRYPT, "alice@example.test", .why = CERTS_USAGE},
        {"alice-enc", CERTS_SIGN, "alice@example.test", .why = CERTS_USAGE},
        {"alice-enc", CERTS_ENCRYPT, "alice@example.test", .why = CERTS_OK},
        {"carol-enc", CERTS_ENCRYPT, "carol@example.test", .why = CERTS_OK},
        {"carol-sign", CERTS_ENCRYPT, "carol@example.test", .why = CERTS_USAGE},
        {"dave-sign", CERTS_SIGN, "dave@example.test", .why = CERTS_OK},
        {"ivan-dual", CERTS_SIGN, "ivan@example.test", .why = CERTS_OK},
        {"ivan-dual", CERTS_ENCRYPT, "ivan@example.test", .why = CERTS_OK},
        /* The address in this certificate is UTF-8 encoded twice. */
        {"judy-utf8", CERTS_SIGN,
         "j\xc3\x83\xc2\xbc"
         "dy@example.test",
         .why = CERTS_OK},
        {"judy-utf8", CERTS_SIGN,
         "J\xc3\x83\xc2\xbc"
         "dy@example.test",
         .why = CERTS_ADDRESS},
        {"judy-utf8", CERTS_SIGN, "judy@example.test", .why = CERTS_ADDRESS},
        {"grace-wrongmail", CERTS_SIGN, "grace@example.test",
         .why = CERTS_ADDRESS},
        {"heidi-noeku", CERTS_SIGN, "heidi@example.test", .why = CERTS_USAGE},
        {"heidi-noeku", CERTS_ENCRYPT, "heidi@example.test",
         .why = CERTS_USAGE},
        {"erin-expired", CERTS_SIGN, "erin@example.test", .why = CERTS_EXPIRED},
        {"bob-enc-old", CERTS_ENCRYPT, "bob@example.test",
         .why = CERTS_EXPIRED},
        {"alice-sign", CERTS_SIGN, "alice@example.test", .why = CERTS_EXPIRED,
         .later = 1000000000},
        {"alice-sign", CERTS_SIGN, "alice@example.test", .why = CERTS_EXPIRED,
         .later = -1000000000},
        {"mallory-rogue", CERTS_SIGN, "alice@example.test",
         .why = CERTS_UNTRUSTED},
        {"mallory-rogue", CERTS_ENCRYPT, "alice@example.test", .why = CERTS_OK,
         .pinned = true},
        {"mallory-rogue", CERTS_ENCRYPT, "bob@example.test",
         .why = CERTS_ADDRESS, .pinned = true},
        {"erin-expired", CERTS_ENCRYPT, "erin@example.test",
         .why = CERTS_EXPIRED, .pinned = true},
        {"alice-sign", CERTS_SIGN, NULL, .why = CERTS_UNTRUSTED,
         .no_issuer = true},
        {"alice-sign", CERTS_SIGN, NULL, .why = CERTS_UNTRUSTED,
         .no_anchor = true},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *name = xasprintf("certs/%s", rows[i].name);
        X509 *x = cert(name);
        struct certs_judgment j;

        test_row(rows[i].name);
        certs_trust_judge(rows[i].no_anchor ? nobody : anchors, x,
                          rows[i].no_issuer ? NULL : extra, rows[i].purpose,
                          rows[i].address, AT + rows[i].later, rows[i].pinned,
                          &j);
        CHECK_INT(j.why, rows[i].why);
        CHECK(!j.text[0] == (rows[i].why == CERTS_OK));
        X509_free(x);
        free(name);
    }
    test_row(NULL);
}

/* ---- harvest ---- */

static void
open_file(const char *name, struct smime_report *r)
{
    struct smime_ring ring = {0};
    struct buf b = BUF_INIT(1 << 20);
    char *rel = xasprintf(DATA "%s", name), *path = test_data(rel);
    struct err e;

    CHECK_INT(file_read(path, &b, &e), 0);
    CHECK_INT(smime_open(&ring, buf_slice(&b), r, &e), 0);
    buf_clear(&b);
    free(path);
    free(rel);
}

static int
known(struct store *s, const char *address, struct arena *a,
      struct store_cert *out)
{
    int64_t after = 0;
    struct err e;
    int n = 0;

    while (store_cert_next(s, address, &after, a, out, &e) == 1)
        n++;
    return n;
}

static void
learnt_from_mail(void)
{
    char *dir = xasprintf("%s/store", test_dir());
    struct store_config sc = {.dir = dir, .data_key = &key};
    struct certs_config cc = {.anchors = anchors, .harvest = true};
    static const char *const no[] = {"a01-content-changed.eml",
                                     "a13-forged-ar-inside-signed-part.eml",
                                     "a09-from-group-two-mailboxes.eml",
                                     "t01-expired.eml", "c07-certs-only.eml"};
    struct arena *a = arena_new();
    struct store_cert row = {0};
    struct smime_report r;
    struct certs *cs;
    struct err e = {0};
    char fp[65];

    REQUIRE(store_open(&sc, &cc.store, &e) == 0);
    cs = certs_new(&cc);
    /* One certificate for both uses: kept for its address. */
    open_file("t07-dual-use.eml", &r);
    CHECK_INT(certs_learn(cs, &r, AT, fp, &e), 0);
    CHECK_INT(strlen(fp), 64);
    CHECK_INT(known(cc.store, "ivan@example.test", a, &row), 1);
    CHECK_STR(row.fingerprint, fp);
    CHECK(!row.candidate && row.source == STORE_CERT_HARVESTED);
    CHECK_INT(certs_learn(cs, &r, AT, fp, &e), 0);
    CHECK_INT(known(cc.store, "ivan@example.test", a, &row), 1);
    smime_report_clear(&r);
    /* Changed content, another From, expired: nothing is learnt. */
    for (size_t i = 0; i < ARRAY_LEN(no); i++) {
        test_row(no[i]);
        open_file(no[i], &r);
        CHECK_INT(certs_learn(cs, &r, AT, fp, &e), 0);
        CHECK_STR(fp, "");
        smime_report_clear(&r);
    }
    test_row(NULL);
    CHECK_INT(known(cc.store, "", a, &row), 1);
    certs_free(&cs);
    store_close(&cc.store);
    arena_free(&a);
    free(dir);
}

/* What a person's certificate needs on the way to the anchor is remembered
 * from mail, and over a restart; it is trusted for nothing by itself. */
static void
issuers_remembered(void)
{
    char *dir = xasprintf("%s/issuers", test_dir());
    struct store_config sc = {.dir = dir, .data_key = &key};
    struct certs_config cc = {.anchors = anchors, .harvest = true};
    unsigned char *der = NULL;
    X509 *bob = cert("certs/bob-enc");
    int n = bob ? i2d_X509(bob, &der) : 0;
    struct slice bytes = slice_make(der, n > 0 ? (size_t)n : 0);
    struct certs_judgment j;
    struct smime_report r;
    struct certs *cs;
    struct err e = {0};
    char fp[65];

    REQUIRE(store_open(&sc, &cc.store, &e) == 0);
    cs = certs_new(&cc);
    certs_judge_der(cs, bytes, "bob@example.test", AT, false, &j);
    CHECK_INT(j.why, CERTS_UNTRUSTED);
    open_file("t07-dual-use.eml", &r);
    CHECK_INT(certs_learn(cs, &r, AT, fp, &e), 0);
    CHECK_INT(certs_learn(cs, &r, AT, fp, &e), 0);
    smime_report_clear(&r);
    certs_judge_der(cs, bytes, "bob@example.test", AT, false, &j);
    CHECK_INT(j.why, CERTS_OK);
    certs_free(&cs);
    cs = certs_new(&cc);
    certs_judge_der(cs, bytes, "bob@example.test", AT, false, &j);
    CHECK_INT(j.why, CERTS_OK);
    certs_free(&cs);
    cc.anchors = nobody;
    cs = certs_new(&cc);
    certs_judge_der(cs, bytes, "bob@example.test", AT, false, &j);
    CHECK_INT(j.why, CERTS_UNTRUSTED);
    certs_free(&cs);
    store_close(&cc.store);
    /* The chain of a key of ours helps as well. */
    cc = (struct certs_config){.anchors = anchors};
    cs = certs_new(&cc);
    certs_add_issuers(cs, extra);
    certs_judge_der(cs, bytes, "bob@example.test", AT, false, &j);
    CHECK_INT(j.why, CERTS_OK);
    certs_free(&cs);
    OPENSSL_free(der);
    X509_free(bob);
    free(dir);
}

static void
given_by_hand(void)
{
    char *dir = xasprintf("%s/hand", test_dir());
    char *path = test_data(DATA "pki/certs/bob-enc.crt");
    struct store_config sc = {.dir = dir, .data_key = &key};
    struct certs_config cc = {.anchors = anchors};
    struct arena *a = arena_new();
    struct buf b = BUF_INIT(1 << 20);
    struct store_cert row = {0};
    struct certs *cs;
    struct err e = {0};
    char fp[65];

    REQUIRE(store_open(&sc, &cc.store, &e) == 0);
    cs = certs_new(&cc);
    REQUIRE(file_read(path, &b, &e) == 0);
    CHECK_INT(certs_add(cs, buf_slice(&b), "Bob@Example.test", fp, &e), 0);
    CHECK_INT(known(cc.store, "bob@example.test", a, &row), 1);
    CHECK(row.source == STORE_CERT_PINNED);
    CHECK(certs_add(cs, SLICE("no certificate"), "x@y", fp, &e) != 0);
    CHECK_INT(e.code, E_INPUT);
    certs_free(&cs);
    store_close(&cc.store);
    arena_free(&a);
    buf_clear(&b);
    free(path);
    free(dir);
}

/* ---- cipher ---- */

#define CAP(last) "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01" last
#define GCM256 CAP("\x2e")
#define CBC256 CAP("\x2a")
#define CBC128 CAP("\x02")
#define DES3 "\x30\x0a\x06\x08\x2a\x86\x48\x86\xf7\x0d\x03\x07"

#define LIT(s)                                                                 \
    {                                                                          \
        (s), sizeof(s) - 1                                                     \
    }

static void
cipher_for_all(void)
{
    static const struct {
        const char *name;
        struct slice caps[2];
        int cipher; /* -1: refused */
    } rows[] = {
        {"nothing known", {{0}, {0}}, SMIME_AES_256_CBC},
        {"one has GCM", {LIT("\x30\x0d" GCM256), {0}}, SMIME_AES_256_CBC},
        {"both have GCM",
         {LIT("\x30\x0d" GCM256), LIT("\x30\x1a" GCM256 CBC256)},
         SMIME_AES_256_GCM},
        {"one has 128 only",
         {LIT("\x30\x0d" CBC128), LIT("\x30\x0d" CBC256)},
         SMIME_AES_128_CBC},
        {"3DES only", {{0}, LIT("\x30\x0c" DES3)}, -1},
        {"damaged", {LIT("\x30\x7f\x30"), {0}}, SMIME_AES_256_CBC},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct certs_one list[2] = {{0}};
        struct certs_found f = {list, 2};
        enum smime_cipher c = SMIME_AES_256_GCM;
        char a[] = "a@x", b[] = "b@x";
        bool oaep[2];
        struct err e = {0};
        int rc;

        test_row(rows[i].name);
        for (size_t k = 0; k < 2; k++) {
            list[k].address = k ? b : a;
            list[k].capabilities_len = rows[i].caps[k].n;
            if (rows[i].caps[k].n)
                list[k].capabilities =
                    xmemdup(rows[i].caps[k].p, rows[i].caps[k].n);
        }
        rc = certs_cipher(&f, &c, oaep, &e);
        CHECK_INT(rc, rows[i].cipher < 0 ? -1 : 0);
        if (rc)
            CHECK(e.code == E_NOCERT && e.text[0]);
        else
            CHECK_INT(c, rows[i].cipher);
        CHECK(rc || (!oaep[0] && !oaep[1]));
        free(list[0].capabilities);
        free(list[1].capabilities);
    }
    test_row(NULL);
}

static void
teardown(void)
{
    certs_anchors_unref(&anchors);
    certs_anchors_unref(&nobody);
    sk_X509_pop_free(extra, X509_free);
    secret_clear(&key);
}

static const struct test_case cases[] = {
    TEST(setup),         TEST(judged),         TEST(learnt_from_mail),
    TEST(given_by_hand), TEST(issuers_remembered), TEST(cipher_for_all), TEST(teardown),
};
TEST_MAIN(cases)
