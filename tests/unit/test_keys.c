/*
 * Room keys: files of many makers come in, rest encrypted, come back, and the
 * right one is chosen.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "keys/keys.h"
#include "test.h"

#define AT 1795334400 /* 2026-11-22 08:00 UTC */
#define PKI "tests/data/smime/generated/pki/"

static struct secret wrap;

static struct keys *
set_open(const char *name, const struct secret *w)
{
    char *dir = xasprintf("%s/%s", test_dir(), name);
    struct keys *ks = NULL;
    struct err e;

    CHECK_INT(keys_open(dir, w, &ks, &e), 0);
    free(dir);
    return ks;
}

static int
import(struct keys *ks, const char *file, const char *password, size_t len,
       char **text, struct err *e)
{
    char *rel = xasprintf(PKI "%s", file), *path = test_data(rel);
    struct buf b = BUF_INIT(1 << 20);
    struct secret pw = {0};
    struct keys_import *in = NULL;
    int rc;

    if (password)
        secret_set(&pw, password, len);
    rc = file_read(path, &b, e);
    rc = rc ? rc : keys_import_parse(buf_slice(&b), &pw, &in, e);
    rc = rc ? rc : keys_import_add(ks, in, text, e);
    keys_import_free(&in);
    secret_clear(&pw);
    buf_clear(&b);
    free(path);
    free(rel);
    return rc;
}

static int
count(const struct keys *ks)
{
    int n = 0;

    for (const struct key *k = NULL; (k = keys_next(ks, k));)
        n++;
    return n;
}

static void
setup(void)
{
    secret_set(&wrap, "a wrap key of a test, 32 bytes..", 32);
}

static void
files_of_all_kinds(void)
{
    static const char utf8[] = "p\xc3\xa4ssw\xc3\xb6rd";
    static const struct {
        const char *file, *password;
        int keys; /* -1: refused */
    } rows[] = {
        {"pfx/alice-sign.p12", "test", 1},
        {"pfx/alice-sign-rc2.p12", "test", 1},
        {"pfx/alice-sign-legacy.p12", "test", 1},
        {"pfx/alice-enc-3des.p12", "test", 1},
        {"pfx/carol-enc.p12", "test", 1},
        {"pfx/dave-sign.p12", "test", 1},
        {"pfx/judy-utf8.p12", "test", 1},
        {"pfx/alice-sign.p12", "wrong", -1},
        {"pfx/alice-sign-rc2.p12", "wrong", -1},
        {"pfx/alice-sign.p12", "", -1},
        {"pfx/alice-sign.p12", NULL, -1},
        {"pfx/alice-enc-utf8pass.p12", utf8, -1},
        {"keys/alice-sign.key", NULL, -1}, /* without its certificate */
        {"certs/alice-sign.crt", NULL, -1},
        {"TABLE", "test", -1},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *name = xasprintf("kinds%zu", i), *text = NULL;
        struct keys *ks = set_open(name, &wrap);
        struct err e = {0};
        int rc;

        test_row(rows[i].file);
        rc = import(ks, rows[i].file, rows[i].password,
                    rows[i].password ? strlen(rows[i].password) : 0, &text,
                    &e);
        CHECK_INT(rc, rows[i].keys < 0 ? -1 : 0);
        CHECK_INT(count(ks), rows[i].keys < 0 ? 0 : rows[i].keys);
        if (rc)
            CHECK(e.text[0] && (e.code == E_LOGIN || e.code == E_INPUT));
        if (rc && i >= 7 && i <= 11)
            CHECK_INT(e.code, E_LOGIN);
        free(text);
        keys_free(&ks);
        free(name);
    }
    test_row(NULL);
}

/* The password's file tells it in UTF-8. */
static void
password_in_utf8(void)
{
    char *path = test_data(PKI "pfx/alice-enc-utf8pass.pass"), *text = NULL;
    struct buf pw = BUF_INIT(1000);
    struct keys *ks = set_open("utf8", &wrap);
    struct err e = {0};
    struct slice s;

    REQUIRE(file_read(path, &pw, &e) == 0);
    s = slice_trim(buf_slice(&pw));
    CHECK_INT(import(ks, "pfx/alice-enc-utf8pass.p12", s.p, s.n, &text, &e),
              0);
    CHECK_INT(count(ks), 1);
    free(text);
    keys_free(&ks);
    buf_clear(&pw);
    free(path);
}

static struct keys *
bobs(const char *name)
{
    static const char *const files[] = {"pfx/bob-sign.p12", "pfx/bob-enc.p12",
                                        "pfx/bob-enc-old.p12"};
    struct keys *ks = set_open(name, &wrap);
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char *text = NULL;

        CHECK_INT(import(ks, files[i], "test", 4, &text, &e), 0);
        free(text);
    }
    return ks;
}

static void
chosen_by_purpose(void)
{
    struct keys *ks = bobs("chosen");
    const struct key *sign, *own;
    char text[300], old[65] = "";
    struct err e = {0};

    CHECK_INT(count(ks), 3);
    sign = keys_find_sender(ks, "BOB@example.test", AT, &e);
    own = keys_find_own(ks, "bob@example.test", AT, &e);
    REQUIRE(sign && own && sign != own);
    CHECK(sk_X509_num(key_chain(sign)) == 1); /* the issuer, no root */
    CHECK(!keys_find_sender(ks, "eve@example.test", AT, &e));
    CHECK_INT(e.code, E_NOCERT);
    /* After all have expired they stay, to read. */
    CHECK(!keys_find_own(ks, "bob@example.test", AT + 3000000000, &e));
    CHECK(strstr(e.text, "expired") != NULL);
    for (const struct key *k = NULL; (k = keys_next(ks, k));)
        if (k != sign && k != own)
            memcpy(old, key_fingerprint(k), 65);
    REQUIRE(keys_find(ks, old) != NULL);
    key_describe(ks, keys_find(ks, old), "bob@example.test", AT, text,
                 sizeof text);
    CHECK(strstr(text, "reads") && strstr(text, "expired"));
    /* A choice in the settings binds, also when it cannot serve. */
    keys_choose(ks, "auto", old);
    CHECK(!keys_find_own(ks, "bob@example.test", AT, &e));
    CHECK(keys_find_sender(ks, "bob@example.test", AT, &e) == sign);
    keys_choose(ks, NULL, NULL);
    CHECK(keys_find_own(ks, "bob@example.test", AT, &e) == own);
    keys_free(&ks);
}

static void
rests_encrypted(void)
{
    struct keys *ks = bobs("rest"), *again;
    struct secret other = {0};
    char *fp = xstrdup(key_fingerprint(keys_next(ks, NULL)));
    char *path = xasprintf("%s/rest/%s.key", test_dir(), fp), *text = NULL;
    struct buf b = BUF_INIT(1 << 20);
    struct stat st;
    struct err e;

    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK_INT(file_read(path, &b, &e), 0);
    CHECK(!memmem(b.data, b.len, "PRIVATE", 7));
    /* The same file twice adds nothing. */
    CHECK_INT(import(ks, "pfx/bob-enc.p12", "test", 4, &text, &e), 0);
    CHECK(text && strstr(text, "already"));
    CHECK_INT(count(ks), 3);
    free(text);
    keys_free(&ks);
    again = set_open("rest", &wrap);
    CHECK_INT(count(again), 3);
    CHECK(!keys_problem(again));
    keys_free(&again);
    secret_set(&other, "another wrap key, also 32 bytes.", 32);
    again = set_open("rest", &other);
    CHECK_INT(count(again), 0);
    CHECK(keys_problem(again) != NULL);
    keys_free(&again);
    /* One damaged file is told and left alone; the others serve. */
    b.data[b.len - 1] ^= 1;
    CHECK_INT(file_write(path, buf_slice(&b), 0600, false, &e), 0);
    again = set_open("rest", &wrap);
    CHECK_INT(count(again), 2);
    CHECK(keys_problem(again) && strstr(keys_problem(again), fp));
    CHECK(access(path, F_OK) == 0);
    keys_free(&again);
    secret_clear(&other);
    buf_clear(&b);
    free(path);
    free(fp);
}

static void
removed_on_demand(void)
{
    struct keys *ks = bobs("remove"), *again;
    char fp[65];
    struct err e;

    memcpy(fp, key_fingerprint(keys_next(ks, NULL)), 65);
    CHECK_INT(keys_remove(ks, fp, &e), 0);
    CHECK(!keys_find(ks, fp));
    CHECK(keys_remove(ks, fp, &e) != 0);
    CHECK_INT(e.code, E_MISSING);
    keys_free(&ks);
    again = set_open("remove", &wrap);
    CHECK_INT(count(again), 2);
    keys_free(&again);
}

static void
teardown(void)
{
    secret_clear(&wrap);
}

static const struct test_case cases[] = {
    TEST(setup),           TEST(files_of_all_kinds), TEST(password_in_utf8),
    TEST(chosen_by_purpose), TEST(rests_encrypted),  TEST(removed_on_demand),
    TEST(teardown),
};
TEST_MAIN(cases)
