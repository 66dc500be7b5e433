/*
 * Room smime: what is sealed can be read by `openssl cms` and by ourselves;
 * changed bytes, other keys and hidden fields are told. The vectors
 * (tests/smime_vectors.c) hold the cases of other programs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/cms.h>
#include <openssl/pem.h>

#include "base/code.h"
#include "base/file.h"
#include "base/mem.h"
#include "certs/certs.h"
#include "mime/write.h"
#include "smime/open.h"
#include "smime/seal.h"
#include "smime/verdict.h"
#include "test.h"

#define AT 1795334400 /* 2026-11-22 08:00 UTC, within the test PKI's dates */
#define PKI "tests/data/smime/generated/pki/"

static const char message[] =
    "From: Alice <alice@example.test>\r\n"
    "To: bob@example.test, carol@example.test\r\n"
    "Subject: =?utf-8?q?gr=C3=BCn?= secret\r\n"
    "Date: Sun, 22 Nov 2026 08:00:00 +0000\r\n"
    "Message-ID: <1@example.test>\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: 8bit\r\n"
    "\r\n"
    "From here the plum is gr\xc3\xbcn. \r\n"
    "unmistakable-text\r\n";

static X509 *
cert(const char *name)
{
    char *rel = xasprintf(PKI "%s.crt", name), *path = test_data(rel);
    BIO *b = BIO_new_file(path, "r");
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);

    BIO_free(b);
    free(path);
    free(rel);
    return x;
}

static EVP_PKEY *
key(const char *name)
{
    char *rel = xasprintf(PKI "keys/%s.key", name), *path = test_data(rel);
    BIO *b = BIO_new_file(path, "r");
    EVP_PKEY *k = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);

    BIO_free(b);
    free(path);
    free(rel);
    return k;
}

static struct {
    X509 *alice, *carol, *dave, *bob_enc, *carol_enc, *alice_enc;
    EVP_PKEY *alice_key, *carol_key, *dave_key, *bob_enc_key, *carol_enc_key;
    STACK_OF(X509) *chain;
    struct certs_anchors *anchors;
} pki;

static void
setup(void)
{
    char *root = test_data(PKI "root/ca.crt");
    const char *files[] = {root, NULL};
    struct err e;

    pki.alice = cert("certs/alice-sign");
    pki.carol = cert("certs/carol-sign");
    pki.dave = cert("certs/dave-sign");
    pki.alice_enc = cert("certs/alice-enc");
    pki.bob_enc = cert("certs/bob-enc");
    pki.carol_enc = cert("certs/carol-enc");
    pki.alice_key = key("alice-sign");
    pki.carol_key = key("carol-sign");
    pki.dave_key = key("dave-sign");
    pki.bob_enc_key = key("bob-enc");
    pki.carol_enc_key = key("carol-enc");
    pki.chain = sk_X509_new_null();
    sk_X509_push(pki.chain, cert("issuing/ca"));
    CHECK_INT(certs_anchors_new(files, false, &pki.anchors, &e), 0);
    free(root);
}

static void
teardown(void)
{
    X509 *xs[] = {pki.alice, pki.carol, pki.dave, pki.bob_enc,
                  pki.carol_enc, pki.alice_enc};
    EVP_PKEY *ks[] = {pki.alice_key, pki.carol_key, pki.dave_key,
                      pki.bob_enc_key, pki.carol_enc_key};

    for (size_t i = 0; i < ARRAY_LEN(xs); i++)
        X509_free(xs[i]);
    for (size_t i = 0; i < ARRAY_LEN(ks); i++)
        EVP_PKEY_free(ks[i]);
    sk_X509_pop_free(pki.chain, X509_free);
    certs_anchors_unref(&pki.anchors);
}

static struct smime_result_of {
    enum smime_result result;
    char reason[200];
} judged;

/* Opens and judges; the report is the caller's. */
static void
open_as(X509 *x, EVP_PKEY *k, struct slice mime, struct smime_report *r)
{
    struct smime_reader reader = {x, k};
    struct smime_ring ring = {&reader, x ? 1 : 0};
    struct smime_verdict v;
    struct smime_trust *t;
    struct err e;
    size_t n = 0;

    if (!CHECK(smime_open(&ring, mime, r, &e) == 0)) {
        memset(r, 0, sizeof *r);
        return;
    }
    t = certs_trust_report(pki.anchors, r, AT, &n);
    /* Signed just now by the clock of this machine, whatever it is. */
    smime_judge(r, t, n, INT64_MAX / 2, &v);
    judged.result = v.result;
    memcpy(judged.reason, v.reason, sizeof judged.reason);
    free(t);
}

static bool
shows(const struct smime_report *r, const char *text)
{
    return memmem(r->shown.data, r->shown.len, text, strlen(text)) != NULL;
}

/* The other implementation: decrypts, verifies, and has the text. */
static bool
openssl_reads(struct slice mime, bool encrypted, bool is_signed,
              const char *reader)
{
    static unsigned serial;
    char *src = test_data(PKI);
    char *base = xasprintf("%s/m%u", test_dir(), serial++);
    char *in = xasprintf("%s.eml", base), *cmd;
    struct err e;
    int rc;

    if (file_write(in, mime, 0600, false, &e))
        return false;
    cmd = xasprintf(
        "set -e; b='%s'; p='%s'; cur=$b.eml\n"
        "if [ %d = 1 ]; then openssl cms -decrypt -in $cur -inkey "
        "$p/keys/%s.key -recip $p/certs/%s.crt -out $b.dec; cur=$b.dec; fi\n"
        "if [ %d = 1 ]; then openssl cms -verify -in $cur -CAfile "
        "$p/root/ca.crt -no_check_time -out $b.ver 2>$b.err || "
        "{ cat $b.err; exit 1; }; cur=$b.ver; fi\n"
        "grep -q unmistakable-text $cur",
        base, src, encrypted, reader, reader, is_signed);
    rc = system(cmd);
    free(cmd);
    free(in);
    free(base);
    free(src);
    return rc == 0;
}

static const struct {
    const char *name;
    bool sign, encrypt, opaque, pss, oaep, ec, gcm_told;
    enum smime_cipher cipher;
    enum smime_protect protect;
} seals[] = {
    {.name = "clear", .sign = true},
    {.name = "clear EC", .sign = true, .ec = true},
    {.name = "clear PSS", .sign = true, .pss = true},
    {.name = "opaque", .sign = true, .opaque = true},
    {.name = "clear, fields copied", .sign = true,
     .protect = SMIME_PROTECT_COPY},
    {.name = "both, 256 CBC", .sign = true, .encrypt = true},
    {.name = "both, 128 CBC, OAEP", .sign = true, .encrypt = true,
     .oaep = true, .cipher = SMIME_AES_128_CBC},
    {.name = "both, GCM", .sign = true, .encrypt = true, .gcm_told = true,
     .cipher = SMIME_AES_256_GCM},
    {.name = "both, opaque, EC, hidden", .sign = true, .encrypt = true,
     .opaque = true, .ec = true, .protect = SMIME_PROTECT_HIDE},
    {.name = "encrypted only", .encrypt = true},
};

static struct smime_to to[2];

static struct smime_orders
orders_of(size_t i)
{
    struct smime_orders o = {
        .sign = seals[i].sign,
        .encrypt = seals[i].encrypt,
        .signer = seals[i].ec ? pki.carol : pki.alice,
        .key = seals[i].ec ? pki.carol_key : pki.alice_key,
        .chain = pki.chain,
        .opaque = seals[i].opaque,
        .pss = seals[i].pss,
        .own_encryption = pki.alice_enc,
        .announce_gcm = seals[i].gcm_told,
        .to = to,
        .nto = 2,
        .cipher = seals[i].cipher,
        .protect = seals[i].protect,
    };

    to[0] = (struct smime_to){pki.bob_enc, seals[i].oaep};
    to[1] = (struct smime_to){pki.carol_enc, false};
    return o;
}

static bool
is_ascii_crlf(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80 ||
            (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r')) ||
            (s.p[i] == '\r' && (i + 1 == s.n || s.p[i + 1] != '\n')))
            return false;
    return true;
}

static void
seal_and_read(size_t i)
{
    struct smime_orders o = orders_of(i);
    struct buf out = BUF_INIT(1 << 20);
    struct smime_report r;
    struct err e = {0};
    struct slice s;

    if (!CHECK(smime_seal(&o, slice_of(message), &out, &e) == 0)) {
        printf("# %s\n", e.text);
        return;
    }
    s = buf_slice(&out);
    CHECK(is_ascii_crlf(s));
    CHECK(!o.encrypt || !memmem(s.p, s.n, "unmistakable", 12));
    CHECK(!memmem(s.p, s.n, "secret", 6) ==
          (o.encrypt && o.protect == SMIME_PROTECT_HIDE));
    CHECK(openssl_reads(s, o.encrypt, o.sign, "bob-enc"));
    if (o.encrypt)
        CHECK(openssl_reads(s, true, o.sign, "carol-enc"));
    for (int who = 0; who < (o.encrypt ? 2 : 1); who++) {
        open_as(who ? pki.carol_enc : pki.bob_enc,
                who ? pki.carol_enc_key : pki.bob_enc_key, s, &r);
        CHECK(r.encrypted == o.encrypt && r.decrypted == o.encrypt);
        CHECK(shows(&r, "unmistakable-text"));
        CHECK(shows(&r, "Subject: =?utf-8?q?gr=C3=BCn?= secret\r\n"));
        CHECK(r.protected_headers == (o.protect != SMIME_PROTECT_OFF));
        CHECK_INT(judged.result, !o.sign         ? SMIME_NONE
                                 : seals[i].ec ? SMIME_POLICY
                                                 : SMIME_PASS);
        if (seals[i].ec)
            CHECK(strstr(judged.reason, "From") != NULL);
        smime_report_clear(&r);
    }
    buf_clear(&out);
}

static void
seals_are_read(void)
{
    for (size_t i = 0; i < ARRAY_LEN(seals); i++) {
        test_row(seals[i].name);
        seal_and_read(i);
    }
    test_row(NULL);
}

static void
attributes_are_told(void)
{
    struct smime_orders o = orders_of(7);
    struct buf out = BUF_INIT(1 << 20);
    struct smime_report r;
    const struct smime_signer *s;
    struct err e;

    REQUIRE(smime_seal(&o, slice_of(message), &out, &e) == 0);
    open_as(pki.bob_enc, pki.bob_enc_key, buf_slice(&out), &r);
    REQUIRE(r.n == 2 && r.layers[1].nsigners == 1);
    s = &r.layers[1].signers[0];
    CHECK(s->good && s->attributes && !s->weak && s->time > 0);
    CHECK(s->encryption && X509_cmp(s->encryption, pki.alice_enc) == 0);
    /* AES-256-GCM, told because it was asked for; no old cipher. */
    CHECK(s->capabilities_len > 13 &&
          memcmp(s->capabilities + 2,
                 "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2e", 13) ==
              0);
    CHECK_INT(r.layers[0].nrecipients, 2);
    CHECK(r.layers[0].authenticated);
    smime_report_clear(&r);
    buf_clear(&out);
}

static void
wrong_key_reads_nothing(void)
{
    struct smime_orders o = orders_of(7);
    struct buf out = BUF_INIT(1 << 20);
    struct smime_report r;
    struct err e;

    REQUIRE(smime_seal(&o, slice_of(message), &out, &e) == 0);
    /* No key; a key of another; the right certificate with another key. By
     * GCM, since garbage under CBC looks right once in a while. */
    for (int i = 0; i < 3; i++) {
        open_as(i == 0 ? NULL : i == 1 ? pki.alice_enc : pki.bob_enc,
                pki.alice_key, buf_slice(&out), &r);
        CHECK(r.encrypted && !r.decrypted);
        CHECK(r.shown.len == out.len &&
              memcmp(r.shown.data, out.data, out.len) == 0);
        CHECK(r.n == 1 && r.layers[0].reason[0]);
        CHECK_INT(judged.result, SMIME_NONE);
        smime_report_clear(&r);
    }
    buf_clear(&out);
}

/* A byte of the text, of the From's domain, of the signature. */
static void
changes_are_found(void)
{
    struct smime_orders o = orders_of(0);
    struct buf out = BUF_INIT(1 << 20);
    struct smime_report r;
    struct err e;
    char *at;

    REQUIRE(smime_seal(&o, slice_of(message), &out, &e) == 0);
    at = memmem(out.data, out.len, "unmistakable", 12);
    REQUIRE(at != NULL);
    *at = 'U';
    open_as(NULL, NULL, buf_slice(&out), &r);
    CHECK_INT(judged.result, SMIME_FAIL);
    smime_report_clear(&r);
    *at = 'u';
    at = memmem(out.data, out.len, "alice@example.test", 18);
    memcpy(at, "clara@example.test", 18);
    open_as(NULL, NULL, buf_slice(&out), &r);
    CHECK_INT(judged.result, SMIME_POLICY);
    smime_report_clear(&r);
    buf_clear(&out);
}

/* GCM and CBC: a changed byte of ciphertext shows no plaintext with GCM. */
static void
gcm_is_checked_before_it_is_shown(void)
{
    struct smime_orders o = orders_of(7);
    struct buf out = BUF_INIT(1 << 20);
    struct smime_report r;
    struct err e;

    REQUIRE(smime_seal(&o, slice_of(message), &out, &e) == 0);
    out.data[out.len - 300] = out.data[out.len - 300] == 'A' ? 'B' : 'A';
    open_as(pki.bob_enc, pki.bob_enc_key, buf_slice(&out), &r);
    CHECK(r.encrypted && !r.decrypted);
    CHECK(!shows(&r, "unmistakable"));
    smime_report_clear(&r);
    buf_clear(&out);
}

static void
ciphertext_under_a_signature(void)
{
    struct smime_orders o = orders_of(9);
    struct buf sealed = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
    struct smime_report r;
    struct err e;

    REQUIRE(smime_seal(&o, slice_of(message), &sealed, &e) == 0);
    o = orders_of(0);
    REQUIRE(smime_seal(&o, buf_slice(&sealed), &out, &e) == 0);
    open_as(pki.bob_enc, pki.bob_enc_key, buf_slice(&out), &r);
    CHECK(r.decrypted && r.n == 2);
    CHECK(r.layers[0].nsigners == 1 && r.layers[0].signers[0].good);
    CHECK_INT(judged.result, SMIME_POLICY);
    smime_report_clear(&r);
    buf_clear(&sealed);
    buf_clear(&out);
}

static void
from_is_one_mailbox(void)
{
    static const struct {
        const char *from;
        bool holds;
    } rows[] = {
        {"From: alice@example.test\r\n", true},
        {"From: \"eve@x.test\" <ALICE@Example.Test>\r\n", true},
        {"From: Alice (a@b) <alice@example.test>\r\n", true},
        {"From: eve@x.test <alice@example.test>\r\n", false},
        {"From: alice@example.test, eve@x.test\r\n", false},
        {"From: g: alice@example.test;\r\n", false},
        {"From: alice@example.test\r\nFrom: eve@x.test\r\n", false},
        {"From:\r\n", false},
        {"", false},
    };
    struct smime_orders o = orders_of(0);
    struct buf out = BUF_INIT(1 << 20);
    struct err e;
    size_t head;

    REQUIRE(smime_seal(&o, slice_of(message), &out, &e) == 0);
    head = (size_t)(strstr(out.data, "\r\n") + 2 - out.data);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf m = BUF_INIT(1 << 20);
        struct smime_report r;

        test_row(rows[i].from);
        buf_adds(&m, rows[i].from);
        buf_add_slice(&m, slice_from(buf_slice(&out), head));
        open_as(NULL, NULL, buf_slice(&m), &r);
        CHECK_INT(judged.result, rows[i].holds ? SMIME_PASS : SMIME_POLICY);
        smime_report_clear(&r);
        buf_clear(&m);
    }
    test_row(NULL);
    buf_clear(&out);
}

static void
what_cannot_be_sealed(void)
{
    struct smime_orders o = orders_of(0);
    struct buf out = BUF_INIT(1 << 20);
    struct err e = {0};

    o.signer = pki.dave;
    o.key = pki.dave_key;
    CHECK(smime_seal(&o, slice_of(message), &out, &e) != 0);
    CHECK(strstr(e.text, "not built yet") != NULL);
    CHECK_INT(out.len, 0);
    o = orders_of(5);
    to[1].cert = pki.dave; /* Ed25519 cannot be encrypted to */
    CHECK(smime_seal(&o, slice_of(message), &out, &e) != 0);
    CHECK_INT(e.code, E_NOCERT);
    CHECK_INT(out.len, 0);
    o.key = pki.carol_key; /* not the certificate's */
    to[1].cert = pki.carol_enc;
    CHECK(smime_seal(&o, slice_of(message), &out, &e) != 0);
    CHECK_INT(out.len, 0);
    o.nto = 0;
    CHECK(smime_seal(&o, slice_of(message), &out, &e) != 0);
    buf_clear(&out);
}

/* The outer From says Mallory, the signed one Alice: Alice is shown where her
 * signature counts, else the outer one (RFC 9788 section 4.4, SMIME.md section
 * 9 item 6). */
static void
from_that_is_protected(void)
{
    static const char mallory[] = "From: Mallory <mallory@example.test>\r\n";
    static const struct mime_change change = {
        "From", {mallory, sizeof mallory - 1}, false, false};
    static const struct {
        const char *name;
        bool sign, encrypt, spoil, trusted, alice;
    } rows[] = {
        {"signed", true, false, false, true, true},
        {"signed and encrypted", true, true, false, true, true},
        {"not trusted", true, true, false, false, false},
        {"broken", true, false, true, true, false},
        {"not signed", false, true, false, true, false},
    };
    const char *none[] = {NULL};
    struct certs_anchors *nobody = NULL;
    struct err e;

    REQUIRE(certs_anchors_new(none, false, &nobody, &e) == 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct smime_orders o = orders_of(4);
        struct smime_reader reader = {pki.bob_enc, pki.bob_enc_key};
        struct smime_ring ring = {&reader, 1};
        struct buf sealed = BUF_INIT(1 << 20), sent = BUF_INIT(1 << 20);
        struct smime_report r;
        size_t n;
        char *at;

        test_row(rows[i].name);
        o.sign = rows[i].sign;
        o.encrypt = rows[i].encrypt;
        if (!CHECK(smime_seal(&o, slice_of(message), &sealed, &e) == 0 &&
                   mime_write_changed(buf_slice(&sealed), &change, 1, &sent,
                                      &e) == 0))
            break;
        at = memmem(sent.data, sent.len, "unmistakable", 12);
        if (rows[i].spoil && CHECK(at != NULL))
            *at = 'U';
        REQUIRE(smime_open(&ring, buf_slice(&sent), &r, &e) == 0);
        CHECK(shows(&r, "Mallory"));
        CHECK_STR(r.from, "mallory@example.test");
        CHECK_STR(r.other_from, "alice@example.test");
        free(certs_trust_report(rows[i].trusted ? pki.anchors : nobody, &r,
                                (int64_t)time(NULL), &n));
        CHECK_STR(r.from, rows[i].alice ? "alice@example.test"
                                        : "mallory@example.test");
        CHECK(shows(&r, "Mallory") == !rows[i].alice);
        CHECK(r.protected_headers == rows[i].alice);
        smime_report_clear(&r);
        buf_clear(&sealed);
        buf_clear(&sent);
    }
    test_row(NULL);
    certs_anchors_unref(&nobody);
}

/* These very bytes, encrypted to Bob without authentication, as a mail. */
static void
encrypted(struct slice content, struct buf *mail)
{
    STACK_OF(X509) *whom = sk_X509_new_null();
    BIO *in = BIO_new_mem_buf(content.p, (int)content.n);
    CMS_ContentInfo *cms;
    unsigned char *der = NULL;
    int n;

    sk_X509_push(whom, pki.bob_enc);
    cms = CMS_encrypt(whom, in, EVP_aes_128_cbc(), CMS_BINARY);
    n = i2d_CMS_ContentInfo(cms, &der);
    buf_adds(mail, "From: alice@example.test\r\nMIME-Version: 1.0\r\n"
                   "Content-Type: application/pkcs7-mime\r\n"
                   "Content-Transfer-Encoding: base64\r\n\r\n");
    code_base64_write(mail, slice_make(der, (size_t)n), 76);
    OPENSSL_free(der);
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    sk_X509_free(whom);
}

/* CBC says yes to another key once in 256 times, and to blocks that were
 * moved: what comes out is looked at. */
static void
content_that_is_no_mail(void)
{
    static const struct {
        const char *name;
        struct slice content;
        bool opened, broken;
    } rows[] = {
        {"whole", SLICE("Content-Type: text/plain\r\n\r\ntext\r\n"), true,
         false},
        {"no fields", SLICE("\r\ntext\r\n"), true, false},
        {"text without a header", SLICE("gr\xc3\xbcn text\r\n"), true, true},
        {"noise", SLICE("\x91\xf3 \x02\xaa\x10\x7f\xc3\x28 abc\x9e"), false,
         false},
        {"noise without controls", SLICE("\xe3q\xf0kT\xb9\xa1Zw"), false,
         false},
        {"a block turned in the header",
         SLICE("Content-Type: text/plain\r\nX\x01\xd8\x8e: \x93\r\n\r\na"),
         true, true},
        {"a block turned in the body",
         SLICE("Content-Type: text/plain\r\n\r\na\x01\xd8\x8e\x93\x02"),
         true, true},
        {"bytes that are said to be binary",
         SLICE("Content-Type: image/x\r\nContent-Transfer-Encoding: binary"
               "\r\n\r\na\x01\xd8\x8e\x93\x02"), true, false},
        {"cut multipart",
         SLICE("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
               "text\r\n"), true, true},
        {"whole multipart",
         SLICE("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
               "text\r\n--b--\r\n"), true, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf mail = BUF_INIT(1 << 20);
        struct smime_report r;

        test_row(rows[i].name);
        encrypted(rows[i].content, &mail);
        open_as(pki.bob_enc, pki.bob_enc_key, buf_slice(&mail), &r);
        CHECK(r.encrypted);
        CHECK(r.decrypted == rows[i].opened);
        if (CHECK(r.n == 1)) {
            CHECK(r.layers[0].opened == rows[i].opened);
            CHECK(r.layers[0].broken == rows[i].broken);
            CHECK_STR(r.layers[0].reason,
                      rows[i].opened ? "" : "it could not be decrypted");
        }
        smime_report_clear(&r);
        buf_clear(&mail);
    }
    test_row(NULL);
}

static const struct test_case cases[] = {
    TEST(setup),
    TEST(seals_are_read),
    TEST(attributes_are_told),
    TEST(wrong_key_reads_nothing),
    TEST(changes_are_found),
    TEST(gcm_is_checked_before_it_is_shown),
    TEST(ciphertext_under_a_signature),
    TEST(content_that_is_no_mail),
    TEST(from_is_one_mailbox),
    TEST(from_that_is_protected),
    TEST(what_cannot_be_sealed),
    TEST(teardown),
};
TEST_MAIN(cases)
