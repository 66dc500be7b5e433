/*
 * Certificates asked of the server: lists of people, and ValidateCert, whose
 * no counts and whose yes does not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>

#include "base/code.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/now.h"
#include "certs/certs.h"
#include "eas_server.h"
#include "loop/loop.h"
#include "store/store.h"
#include "test.h"

#define AT 1795334400 /* 2026-11-22 08:00 UTC */
#define PKI "tests/data/smime/generated/pki/"
#define END {.cmd = NULL}

static struct certs_anchors *anchors;
static struct secret key;
static struct store *store;
static struct eas *eas;
static struct certs *certs;
static struct certs_found found;
static struct outcome o;

static X509 *
cert(const char *name)
{
    char *rel = xasprintf(PKI "%s.crt", name), *path = test_data(rel);
    BIO *b = BIO_new_file(path, "r");
    X509 *x = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;

    CHECK(x != NULL);
    BIO_free(b);
    free(path);
    free(rel);
    return x;
}

/* Base64 of the certificate, as elements carry it; heap. */
static char *
coded(const char *name)
{
    struct buf b = BUF_INIT(1 << 16);
    unsigned char *der = NULL;
    X509 *x = cert(name);
    int n = x ? i2d_X509(x, &der) : 0;

    code_base64_write(&b, slice_make(der, n > 0 ? (size_t)n : 0), 0);
    OPENSSL_free(der);
    X509_free(x);
    return buf_take(&b, NULL);
}

static void
begin(const char *name, const struct script *play)
{
    struct eas_state state = eas_ready("14.1");
    char *dir = xasprintf("%s/%s", test_dir(), name);
    struct store_config sc = {.dir = dir, .data_key = &key};
    struct certs_config cc = {.loop = loop_current(), .anchors = anchors};
    STACK_OF(X509) *chain = sk_X509_new_null();
    struct err e = {0};

    now_fake(AT);
    CHECK_INT(store_open(&sc, &store, &e), 0);
    eas = eas_client(&state, NULL);
    cc.store = store;
    cc.eas = eas;
    certs = certs_new(&cc);
    sk_X509_push(chain, cert("issuing/ca"));
    certs_add_issuers(certs, chain);
    sk_X509_pop_free(chain, X509_free);
    eas_server_play(play);
    free(dir);
}

static void
end(void)
{
    certs_found_clear(&found);
    certs_free(&certs);
    eas_free(&eas);
    store_close(&store);
}

static void
pin(const char *name, const char *address)
{
    char *rel = xasprintf(PKI "certs/%s.crt", name), *path = test_data(rel);
    struct buf b = BUF_INIT(1 << 16);
    char fp[65];
    struct err e = {0};

    CHECK_INT(file_read(path, &b, &e), 0);
    CHECK_INT(certs_add(certs, buf_slice(&b), address, fp, &e), 0);
    buf_clear(&b);
    free(path);
    free(rel);
}

static void
find(const char *address)
{
    struct op *slot = NULL;

    certs_found_clear(&found);
    o = (struct outcome){0};
    op_hold(&slot, certs_find(certs, &address, 1, &found, on_outcome_done,
                              &o));
    turn(&o.runs, 1);
    CHECK_STR(o.err.text, "");
    CHECK_INT(found.n, 1);
}

/* ---- ValidateCert ---- */

#define SAYS(status)                                                        \
    {.cmd = "ValidateCert",                                                 \
     .xml = "<ValidateCert><Status>1</Status><Certificate><Status>" status  \
            "</Status></Certificate></ValidateCert>"}

#define NOBODY                                                              \
    {.cmd = "ResolveRecipients",                                            \
     .xml = "<ResolveRecipients><Status>1</Status><Response>"                \
            "<To>bob@example.test</To><Status>4</Status></Response>"         \
            "</ResolveRecipients>"}

static void
revoked(void)
{
    const struct script play[] = {SAYS("13"), NOBODY, SAYS("17"), NOBODY,
                                  SAYS("1"), END};

    begin("revoked", play);
    pin("bob-enc", "bob@example.test");
    find("bob@example.test");
    CHECK(!found.list[0].cert);
    CHECK_INT(found.list[0].why.why, CERTS_REVOKED);
    CHECK(strstr(found.list[0].why.text, "revoked") != NULL);
    /* Remembered; whether there is another one is asked. */
    find("bob@example.test");
    CHECK_INT(found.list[0].why.why, CERTS_REVOKED);
    CHECK_INT(eas_server_played(), 2);
    /* A day later it is asked anew; no answer, and the old one stands. */
    now_fake(AT + 2 * 86400);
    find("bob@example.test");
    CHECK_INT(eas_server_played(), 3);
    CHECK(!found.list[0].cert);
    CHECK_INT(found.list[0].why.why, CERTS_REVOKED);
    find("bob@example.test"); /* and the server is left alone for a while */
    CHECK_INT(eas_server_played(), 3);
    CHECK(!found.list[0].cert);
    end();
    /* The certificate is not revoked any more (a hold that was lifted). */
    begin("revoked", play + 4);
    now_fake(AT + 2 * 86400);
    find("bob@example.test");
    CHECK_INT(eas_server_played(), 1);
    CHECK(found.list[0].cert != NULL);
    end();
}

/* A server that knows only its own anchors says no to every private
 * authority; a certificate for encryption signs nothing: no fact. Its yes
 * makes nothing good either. */
static void
no_fact(void)
{
    static const struct {
        const char *name, *pinned, *address;
        struct script play[3];
        bool usable;
        int asked;
    } rows[] = {
        {"yes", "bob-enc", "bob@example.test", {SAYS("1"), END}, true, 1},
        {"issuer", "bob-enc", "bob@example.test", {SAYS("4"), END}, true, 1},
        {"use", "bob-enc", "bob@example.test", {SAYS("6"), END}, true, 1},
        {"unknown", "bob-enc", "bob@example.test", {SAYS("16"), END}, true, 1},
        {"not served", "bob-enc", "bob@example.test",
         {{.cmd = "ValidateCert", .status = 501}, END}, true, 1},
        {"nothing", "bob-enc", "bob@example.test",
         {{.cmd = "ValidateCert"}, END}, true, 1},
        {"chain", "bob-enc", "bob@example.test", {SAYS("15"), NOBODY, END},
         false, 2},
        {"expired here", "bob-enc-old", "bob@example.test", {SAYS("1"), END},
         false, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct script people[] = {
            {.cmd = "ResolveRecipients",
             .xml = "<ResolveRecipients><Status>1</Status></ResolveRecipients>"},
            END};

        test_row(rows[i].name);
        begin(rows[i].name, rows[i].asked ? rows[i].play : people);
        pin(rows[i].pinned, rows[i].address);
        find(rows[i].address);
        CHECK_INT(found.list[0].cert != NULL, rows[i].usable);
        find(rows[i].address); /* asked once */
        CHECK_INT(eas_server_played(), rows[i].asked ? rows[i].asked : 1);
        CHECK_INT(found.list[0].cert != NULL, rows[i].usable);
        end();
    }
    test_row(NULL);
}

/* ---- lists ---- */

static char *
list_answer(int members, const char *const *names)
{
    struct buf b = BUF_INIT(1 << 18);

    buf_addf(&b, "<ResolveRecipients><Status>1</Status><Response>"
                 "<To>all@example.test</To><Status>1</Status>"
                 "<RecipientCount>1</RecipientCount><Recipient><Type>1</Type>"
                 "<DisplayName>All</DisplayName>"
                 "<EmailAddress>all@example.test</EmailAddress>"
                 "<Certificates><Status>1</Status>"
                 "<CertificateCount>%d</CertificateCount>"
                 "<RecipientCount>%d</RecipientCount>",
             members, members);
    for (; *names; names++) {
        char *c = coded(*names);

        buf_addf(&b, "<Certificate>%s</Certificate>", c);
        free(c);
    }
    buf_adds(&b, "</Certificates></Recipient></Response></ResolveRecipients>");
    return buf_take(&b, NULL);
}

static void
lists(void)
{
    static const struct {
        const char *name;
        int members;
        const char *certs[4];
        int got; /* certificates, 0: the list does not count */
        const char *says;
    } rows[] = {
        {"all", 3, {"certs/bob-enc", "certs/carol-enc", "certs/dave-enc"}, 3,
         ""},
        {"one has none", 3, {"certs/bob-enc", "certs/carol-enc"}, 0,
         "a list of 3, of whom 2"},
        {"one has two", 3,
         {"certs/bob-enc", "certs/carol-enc", "certs/carol-enc"}, 0,
         "of whom 2"},
        {"one is expired", 2, {"certs/carol-enc", "certs/bob-enc-old"}, 0,
         "of whom 1"},
        {"one signs only", 2, {"certs/carol-enc", "certs/bob-sign"}, 0,
         "of whom 1"},
        {"nobody", 2, {NULL}, 0, "of whom 0"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *xml = list_answer(rows[i].members, rows[i].certs);
        const struct script play[] = {
            {.cmd = "ResolveRecipients", .xml = xml},
            SAYS("1"), SAYS("1"), SAYS("1"), END};

        test_row(rows[i].name);
        begin(rows[i].name, play);
        find("all@example.test");
        CHECK_INT(found.list[0].cert ? 1 + (int)found.list[0].nmore : 0,
                  rows[i].got);
        CHECK_INT(eas_server_played(), 1 + rows[i].got);
        CHECK(strstr(found.list[0].why.text, rows[i].says) != NULL);
        end();
        free(xml);
    }
    test_row(NULL);
}

/* A member whose certificate is revoked takes the whole list with it. */
static void
list_revoked(void)
{
    static const char *const names[] = {"certs/bob-enc", "certs/carol-enc",
                                        NULL};
    char *xml = list_answer(2, names);
    const struct script play[] = {{.cmd = "ResolveRecipients", .xml = xml},
                                  SAYS("1"), SAYS("13"), END};
    const struct script again[] = {{.cmd = "ResolveRecipients", .xml = xml},
                                   END};

    begin("list revoked", play);
    find("all@example.test");
    CHECK(!found.list[0].cert && !found.list[0].nmore);
    CHECK_INT(eas_server_played(), 3);
    eas_server_play(again);
    find("all@example.test");
    CHECK(!found.list[0].cert);
    CHECK_INT(found.list[0].why.why, CERTS_REVOKED);
    end();
    free(xml);
}

static const struct test_case cases[] = {
    TEST(revoked),
    TEST(no_fact),
    TEST(lists),
    TEST(list_revoked),
};

int
main(void)
{
    char *root = test_data(PKI "root/ca.crt");
    const char *files[] = {root, NULL};
    struct err e;
    int rc;

    CHECK_INT(certs_anchors_new(files, false, &anchors, &e), 0);
    secret_set(&key, "a data key of a test, 32 bytes..", 32);
    eas_server_start();
    rc = test_main(cases, ARRAY_LEN(cases));
    eas_server_stop();
    certs_anchors_unref(&anchors);
    secret_clear(&key);
    free(root);
    return rc;
}
