/*
 * Room secrets: what is kept comes back; what was changed does not; hashes;
 * password_command.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "secrets/command.h"
#include "secrets/hash.h"
#include "secrets/private.h"
#include "secrets/secrets.h"

struct place {
    char *key, *file;
};

static struct place
place(const char *name)
{
    return (struct place){
        xasprintf("%s/%s/conf/machine.key", test_dir(), name),
        xasprintf("%s/%s/state/secrets", test_dir(), name)};
}

static void
place_free(struct place *p)
{
    free(p->key);
    free(p->file);
}

static bool
holds(struct secrets *s, const char *name, const char *value)
{
    struct secret got = {0};
    bool same = secrets_get(s, name, &got, NULL) == 0 &&
        secret_is(&got, value, strlen(value));

    secret_clear(&got);
    return same;
}

static void
test_keep(void)
{
    struct place p = place("keep");
    struct secrets *s = NULL, *other = NULL;
    struct secret got = {0}, again = {0};
    struct buf raw = BUF_INIT(BUF_OURS);
    struct err e = {0};
    struct stat st;

    CHECK_INT(secrets_open(p.key, p.file, &s, &e), 0);
    CHECK_STR(e.text, "");
    REQUIRE(s);
    CHECK(stat(p.key, &st) == 0 && (st.st_mode & 0777) == 0600 &&
          st.st_size == 32);
    CHECK_INT(secrets_get(s, "a", &got, &e), -1);
    CHECK_INT(e.code, E_MISSING);
    CHECK(!secrets_name_at(s, 0));

    CHECK_INT(secrets_set(s, "account/b/password", SLICE("b-secret"), &e), 0);
    CHECK_INT(secrets_set(s, "account/a/password", SLICE("a-secret"), &e), 0);
    CHECK_INT(secrets_set(s, "account/a/x", SLICE(""), &e), 0);
    CHECK_INT(secrets_set(s, "account/b/password", SLICE("b-new"), &e), 0);
    CHECK(stat(p.file, &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK_STR(secrets_name_at(s, 0), "account/a/password");
    CHECK_STR(secrets_name_at(s, 1), "account/a/x");
    CHECK_STR(secrets_name_at(s, 2), "account/b/password");
    CHECK(!secrets_name_at(s, 3));

    /* another program has it open as well: each sees the other's changes */
    CHECK_INT(secrets_open(p.key, p.file, &other, &e), 0);
    REQUIRE(other);
    CHECK(holds(other, "account/b/password", "b-new"));
    CHECK_INT(secrets_set(other, "c", SLICE("from other"), &e), 0);
    CHECK(holds(s, "c", "from other"));
    CHECK_INT(secrets_set(s, "d", SLICE("from s"), &e), 0);
    CHECK(holds(other, "c", "from other") && holds(other, "d", "from s"));
    CHECK_INT(secrets_remove_all(other, "account/a/", &e), 0);
    CHECK(!secrets_has(s, "account/a/password") && !secrets_has(s, "account/a/x"));
    CHECK(secrets_has(s, "account/b/password"));
    CHECK_INT(secrets_remove(s, "nothing", &e), 0);
    CHECK_INT(secrets_remove(s, "c", &e), 0);
    CHECK(!secrets_has(other, "c"));
    CHECK_INT(secrets_remove_all(s, "", &e), -1);

    /* the data key is made once */
    CHECK_INT(secrets_data_key(s, "b", false, &got, &e), -1);
    CHECK_INT(e.code, E_MISSING);
    CHECK_INT(secrets_data_key(s, "b", true, &got, &e), 0);
    CHECK_INT(secrets_data_key(other, "b", true, &again, &e), 0);
    CHECK(got.len == 32 && secret_is(&again, got.data, 32));

    /* no name and no value is readable in the file */
    CHECK_INT(file_read(p.file, &raw, &e), 0);
    CHECK(!memmem(raw.data, raw.len, "b-new", 5));
    CHECK(!memmem(raw.data, raw.len, "account", 7));
    secret_clear(&got);
    secret_clear(&again);
    buf_clear(&raw);
    secrets_close(&s);
    secrets_close(&other);
    CHECK_INT(secrets_open(p.key, p.file, &s, &e), 0);
    REQUIRE(s);
    CHECK(holds(s, "account/b/password", "b-new"));
    secrets_close(&s);
    secrets_close(&s);
    place_free(&p);
}

static void
test_bounds(void)
{
    struct place p = place("bounds");
    struct secrets *s = NULL;
    struct err e = {0};
    char *big = xcalloc(1, SECRETS_MAX_VALUE + 1), name[SECRETS_MAX_NAME + 2];

    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = 0;
    CHECK_INT(secrets_open(p.key, p.file, &s, &e), 0);
    REQUIRE(s);
    CHECK_INT(secrets_set(s, "x", slice_make(big, SECRETS_MAX_VALUE + 1), &e),
              -1);
    CHECK_INT(e.code, E_LIMIT);
    CHECK_INT(secrets_set(s, name, SLICE("v"), &e), -1);
    CHECK_INT(secrets_set(s, "", SLICE("v"), &e), -1);
    CHECK_INT(secrets_set(s, "x", slice_make(big, SECRETS_MAX_VALUE), &e), 0);
    CHECK_INT(secrets_set(s, name + 1, SLICE("v"), &e), 0);
    CHECK(holds(s, name + 1, "v"));
    free(big);
    secrets_close(&s);
    place_free(&p);
}

static void
write_raw(const char *path, struct slice bytes)
{
    struct err e = {0};

    CHECK_INT(file_write(path, bytes, 0600, false, &e), 0);
}

/* Whatever byte is changed, cut off or added: refused, and left alone. */
static void
test_tampered(void)
{
    struct place p = place("tamper");
    struct secrets *s = NULL;
    struct err e = {0};
    struct buf good = BUF_INIT(BUF_OURS), now = BUF_INIT(BUF_OURS);

    REQUIRE(secrets_open(p.key, p.file, &s, &e) == 0);
    CHECK_INT(secrets_set(s, "a", SLICE("value"), &e), 0);
    REQUIRE(file_read(p.file, &good, &e) == 0);
    for (size_t i = 0; i < good.len; i++) {
        good.data[i] ^= 1;
        write_raw(p.file, buf_slice(&good));
        struct secrets *t = NULL;
        CHECK_INT(secrets_open(p.key, p.file, &t, &e), -1);
        CHECK(!t);
        CHECK_INT(e.code, i >= 16 && i < 20 ? E_LIMIT : E_CRYPTO);
        CHECK(strstr(e.text, p.file));
        good.data[i] ^= 1;
    }
    for (size_t n = 0; n < good.len; n++) {
        struct secrets *t = NULL;
        write_raw(p.file, slice_cut(buf_slice(&good), 0, n));
        CHECK_INT(secrets_open(p.key, p.file, &t, &e), -1);
    }
    /* the open one refuses as well, and does not write over it */
    CHECK_INT(secrets_set(s, "b", SLICE("v"), &e), -1);
    CHECK_INT(file_read(p.file, &now, &e), 0);
    CHECK_INT(now.len, good.len - 1);
    write_raw(p.file, buf_slice(&good));
    CHECK_INT(secrets_set(s, "b", SLICE("v"), &e), 0);
    secrets_close(&s);
    buf_clear(&good);
    buf_clear(&now);
    place_free(&p);
}

static void
test_machine_key(void)
{
    struct place p = place("key");
    char *moved = xasprintf("%s.moved", p.key);
    struct secrets *s = NULL;
    struct err e = {0};

    REQUIRE(secrets_open(p.key, p.file, &s, &e) == 0);
    CHECK_INT(secrets_set(s, "a", SLICE("value"), &e), 0);
    secrets_close(&s);

    CHECK(chmod(p.key, 0640) == 0);
    CHECK_INT(secrets_open(p.key, p.file, &s, &e), -1);
    CHECK(e.code == E_CRYPTO && strstr(e.text, "chmod 600"));
    CHECK(chmod(p.key, 0600) == 0);

    CHECK(rename(p.key, moved) == 0);
    CHECK_INT(secrets_open(p.key, p.file, &s, &e), -1);
    CHECK(e.code == E_CRYPTO && strstr(e.text, "is missing"));
    CHECK(access(p.key, F_OK) != 0); /* none was made */

    write_raw(p.key, SLICE("short"));
    CHECK_INT(secrets_open(p.key, p.file, &s, &e), -1);
    CHECK_INT(e.code, E_CRYPTO);
    write_raw(p.key, SLICE("0123456789abcdef0123456789abcdef"));
    CHECK_INT(secrets_open(p.key, p.file, &s, &e), -1);
    CHECK(e.code == E_CRYPTO && strstr(e.text, "another machine key"));

    CHECK(rename(moved, p.key) == 0);
    CHECK_INT(secrets_open(p.key, p.file, &s, &e), 0);
    REQUIRE(s);
    CHECK(holds(s, "a", "value"));
    secrets_close(&s);
    free(moved);
    place_free(&p);
}

static void
test_hash(void)
{
    static const struct {
        const char *name, *hash;
    } bad[] = {
        {"empty", ""},
        {"clear", "secret"},
        {"other", "$2y$10$aaaaaaaaaaaaaaaaaaaaaa"},
        {"no salt", "$scrypt$ln=15,r=8,p=1$$"},
        {"too hard", "$scrypt$ln=30,r=8,p=1$c2FsdHNhbHQ$"
                     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        {"too wide", "$scrypt$ln=15,r=9999,p=1$c2FsdHNhbHQ$"
                     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        {"no work", "$scrypt$ln=0,r=8,p=1$c2FsdHNhbHQ$"
                    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        {"short hash", "$scrypt$ln=15,r=8,p=1$c2FsdHNhbHQ$AAAA"},
        {"more", "$scrypt$ln=15,r=8,p=1,x=2$c2FsdHNhbHQ$"
                 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
    };
    char a[SECRETS_HASH_SIZE], b[SECRETS_HASH_SIZE];
    struct secrets_known known = {0};
    struct err e = {0};

    CHECK_INT(secrets_hash_make(SLICE("geheim"), a, &e), 0);
    CHECK_INT(secrets_hash_make(SLICE("geheim"), b, &e), 0);
    CHECK(strcmp(a, b) != 0);
    CHECK(secrets_hash_is_valid(a));
    CHECK_INT(secrets_hash_check(a, SLICE("geheim"), &e), 1);
    CHECK_INT(secrets_hash_check(b, SLICE("geheim"), &e), 1);
    CHECK_INT(secrets_hash_check(a, SLICE("geheiM"), &e), 0);
    CHECK_INT(secrets_hash_check(a, SLICE(""), &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        test_row(bad[i].name);
        CHECK(!secrets_hash_is_valid(bad[i].hash));
        CHECK_INT(secrets_hash_check(bad[i].hash, SLICE("x"), &e), -1);
    }
    test_row(NULL);
    secrets_hash_waste(SLICE("x"));
    CHECK(!secrets_known_is(&known, a, SLICE("geheim")));
    secrets_known_set(&known, a, SLICE("geheim"));
    CHECK(secrets_known_is(&known, a, SLICE("geheim")));
    CHECK(!secrets_known_is(&known, a, SLICE("geheiM")));
    CHECK(!secrets_known_is(&known, a, SLICE("")));
    CHECK(!secrets_known_is(&known, b, SLICE("geheim"))); /* another hash */
}

/* RFC 7914 section 12, third vector (N = 2^14), cut to 32 bytes: the output
 * of PBKDF2 with one round begins alike whatever its length. */
static void
test_hash_vector(void)
{
    struct err e = {0};

    CHECK_INT(secrets_hash_check(
                  "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$"
                  "cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI",
                  SLICE("pleaseletmein"), &e), 1);
    CHECK_INT(secrets_hash_check(
                  "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$"
                  "cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI",
                  SLICE("pleaseletmeout"), &e), 0);
}

static void
test_password(void)
{
    struct secret a = {0}, b = {0};

    secrets_hash_password(&a);
    secrets_hash_password(&b);
    REQUIRE(a.len == 23 && b.len == 23);
    CHECK(strcmp(a.data, b.data) != 0);
    for (size_t i = 0; i < a.len; i++)
        CHECK(i % 6 == 5 ? a.data[i] == '-'
                         : strchr("abcdefghjkmnpqrstuvwxyz23456789",
                                  a.data[i]) != NULL);
    secret_clear(&a);
    secret_clear(&b);
}

struct waiting {
    struct loop *loop;
    bool done;
    struct err err;
};

static void
on_done(void *arg, const struct err *err)
{
    struct waiting *w = arg;

    w->done = true;
    w->err = err ? *err : (struct err){0};
    loop_stop(w->loop);
}

static void
test_command(void)
{
    static const struct {
        const char *command, *want;
        int code;
        const char *text;
    } rows[] = {
        {"printf 'pass word\\nsecond\\n'", "pass word", E_NONE, ""},
        {"printf 'crlf\\r\\n'", "crlf", E_NONE, ""},
        {"printf bare", "bare", E_NONE, ""},
        {"exit 3", NULL, E_LOGIN, "status 3"},
        {"echo hidden; exit 1", NULL, E_LOGIN, "status 1"},
        {"true", NULL, E_LOGIN, "printed nothing"},
        {"echo; echo second", NULL, E_LOGIN, "printed nothing"},
        {"head -c 100000 /dev/zero", NULL, E_LIMIT, "password_command"},
    };
    struct loop *loop = loop_new();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct waiting w = {.loop = loop};
        struct secret got = {0};
        struct op *op = NULL;
        test_row(rows[i].command);
        op_hold(&op, secrets_command(rows[i].command, &got, on_done, &w));
        loop_run(loop);
        CHECK(w.done);
        CHECK_INT(w.err.code, rows[i].code);
        CHECK(strstr(w.err.text, rows[i].text));
        CHECK(!strstr(w.err.text, "hidden"));
        if (rows[i].want)
            CHECK(secret_is(&got, rows[i].want, strlen(rows[i].want)));
        else
            CHECK(!got.data);
        secret_clear(&got);
    }
    test_row(NULL);
    loop_free(&loop);
}

static const struct test_case cases[] = {
    TEST(test_keep),        TEST(test_bounds),   TEST(test_tampered),
    TEST(test_machine_key), TEST(test_hash),     TEST(test_hash_vector),
    TEST(test_password),    TEST(test_command),
};
TEST_MAIN(cases)
