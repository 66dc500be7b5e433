/*
 * Room base: errors, slices, buffers, arenas, codings, files.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/code.h"
#include "base/err.h"
#include "base/file.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/now.h"
#include "base/secret.h"
#include "base/slice.h"
#include "test.h"

static void
err_texts(void)
{
    struct err e;

    CHECK_INT(err_set(&e, E_INPUT, "bad %s\nhere", "thing"), -1);
    CHECK_STR(e.text, "bad thing here");
    CHECK_INT(err_add(&e, "reading %s", "x.conf"), -1);
    CHECK_STR(e.text, "reading x.conf: bad thing here");
    CHECK_INT(e.code, E_INPUT);
    err_errno(&e, E_RETRY, 28 /* ENOSPC */, "writing");
    CHECK_INT(e.code, E_FULL);
    CHECK_STR(err_name(E_QUOTA), "E_QUOTA");
    CHECK_STR(err_name((enum err_code)99), "E_?");
    CHECK_INT(err_set(NULL, E_BUG, "nobody listens"), -1);
}

static void
err_long(void)
{
    struct err e;
    char big[600];

    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    err_set(&e, E_BUG, "%s", big);
    err_add(&e, "%s", big);
    CHECK_INT(strlen(e.text), sizeof e.text - 1);
}

static void
slices(void)
{
    struct slice rest = SLICE("a,,b"), piece;
    uint32_t v;
    uint64_t w;
    char small[3];

    CHECK(slice_next(&rest, ',', &piece) && slice_is(piece, "a"));
    CHECK(slice_next(&rest, ',', &piece) && piece.n == 0);
    CHECK(slice_next(&rest, ',', &piece) && slice_is(piece, "b"));
    CHECK(!slice_next(&rest, ',', &piece));
    CHECK(slice_is(slice_trim(SLICE(" \r\n x y\t")), "x y"));
    CHECK(slice_u32(SLICE("4294967295"), &v) && v == 4294967295u);
    CHECK(!slice_u32(SLICE("4294967296"), &v));
    CHECK(!slice_u32(SLICE(""), &v));
    CHECK(!slice_u32(SLICE("-1"), &v));
    CHECK(slice_u64(SLICE("18446744073709551615"), &w));
    CHECK(!slice_u64(SLICE("18446744073709551616"), &w));
    CHECK(slice_istarts(SLICE("Content-Type: x"), "content-type:"));
    CHECK(slice_ends(SLICE("smime.p7m"), ".p7m"));
    CHECK(slice_copy(SLICE("ab"), small, sizeof small));
    CHECK(!slice_copy(SLICE("abc"), small, sizeof small));
    CHECK_STR(small, "");
    CHECK(!slice_copy(slice_make("a\0", 2), small, sizeof small));
    CHECK(slice_iis(SLICE("BOB"), "bob"));
}

static void
buffers(void)
{
    struct buf b = BUF_INIT(10);
    size_t n;
    char *s;

    CHECK_INT(buf_adds(&b, "12345"), 0);
    CHECK_INT(buf_addf(&b, "%d", 67890), 0);
    CHECK_INT(buf_addc(&b, 'x'), -1);
    CHECK(b.over);
    CHECK_STR(b.data, "1234567890");
    buf_drain(&b, 3);
    CHECK_STR(b.data, "4567890");
    s = buf_take(&b, &n);
    CHECK_INT(n, 7);
    free(s);
    CHECK(b.data == NULL && !b.over);
    s = buf_take(&b, NULL);
    CHECK_STR(s, "");
    free(s);
    CHECK(buf_room(&b, 11) == NULL);
    buf_clear(&b);
}

static void
arenas(void)
{
    struct arena *a = arena_new();
    char *s = arena_printf(a, "%s-%d", "x", 7);
    char *big = arena_alloc(a, 100000), *t;

    memset(big, 1, 100000);
    t = arena_strdup(a, "after");
    CHECK_STR(s, "x-7");
    CHECK_STR(t, "after");
    for (int i = 0; i < 5000; i++)
        CHECK(((uintptr_t)arena_alloc(a, 13) & 7) == 0);
    CHECK(arena_used(a) > 100000);
    arena_reset(a);
    CHECK_INT(arena_used(a), 0);
    arena_free(&a);
    CHECK(a == NULL);
}

static void
base64(void)
{
    static const struct {
        const char *plain, *coded;
    } rows[] = {
        {"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},
        {"foo", "Zm9v"},  {"foob", "Zm9vYg=="},  {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    static const char *const bad[] = {"Z",    "Zg",   "Zg=",   "Zg===", "Z===",
                                      "Zm9v=", "Zm9v====", "Zg==Zg==", "Zm.v", "="};
    struct buf b = BUF_INIT(4096);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        test_row(rows[i].coded);
        buf_reset(&b);
        CHECK_INT(code_base64_write(&b, slice_of(rows[i].plain), 0), 0);
        CHECK(slice_is(buf_slice(&b), rows[i].coded));
        buf_reset(&b);
        CHECK_INT(code_base64_parse(&b, slice_of(rows[i].coded), false), 0);
        CHECK(slice_is(buf_slice(&b), rows[i].plain));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        test_row(bad[i]);
        buf_reset(&b);
        CHECK_INT(code_base64_parse(&b, slice_of(bad[i]), false), -1);
    }
    test_row(NULL);
    buf_reset(&b);
    CHECK_INT(code_base64_write(&b, SLICE("foobarfoobar"), 8), 0);
    CHECK_STR(b.data, "Zm9vYmFy\r\nZm9vYmFy\r\n");
    buf_reset(&b);
    CHECK_INT(code_base64_parse(&b, SLICE("Zm9v\r\n YmFy"), true), 0);
    CHECK_STR(b.data, "foobar");
    buf_reset(&b);
    CHECK_INT(code_hex_write(&b, slice_make("\x00\xff", 2)), 0);
    CHECK_STR(b.data, "00ff");
    CHECK_INT(code_hex_parse(&b, SLICE("0g")), -1);
    buf_clear(&b);
}

static void
random_hex(void)
{
    char a[33], b[33];

    code_random_hex(a, 16);
    code_random_hex(b, 16);
    CHECK_INT(strlen(a), 32);
    CHECK(strcmp(a, b) != 0);
    CHECK_INT(strspn(a, "0123456789abcdef"), 32);
}

static void
files(void)
{
    struct err e = {0};
    struct buf b = BUF_INIT(5);
    char *dir = xasprintf("%s/a/b", test_dir());
    char *path = xasprintf("%s/f", dir);
    struct stat st;

    REQUIRE(file_mkdirs(dir, &e) == 0);
    REQUIRE(file_mkdirs(dir, &e) == 0);
    CHECK_INT(file_read(path, &b, &e), -1);
    CHECK_INT(e.code, E_MISSING);
    REQUIRE(file_write(path, SLICE("hello"), 0600, true, &e) == 0);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    REQUIRE(file_read(path, &b, &e) == 0);
    CHECK_STR(b.data, "hello");
    REQUIRE(file_write(path, SLICE("hello!"), 0600, false, &e) == 0);
    buf_reset(&b);
    CHECK_INT(file_read(path, &b, &e), -1);
    CHECK_INT(e.code, E_LIMIT);
    CHECK_INT(file_remove(path, &e), 0);
    CHECK_INT(file_remove(path, &e), 0);
    buf_clear(&b);
    free(path);
    free(dir);
}

static void
secrets_and_time(void)
{
    struct secret s = {0}, t = {0};

    secret_set(&s, "pin", 3);
    secret_copy(&t, &s);
    CHECK(secret_is(&t, "pin", 3));
    CHECK(!secret_is(&t, "pim", 3));
    CHECK_STR(t.data, "pin");
    secret_clear(&s);
    secret_clear(&s);
    secret_clear(&t);
    CHECK(!secret_is(&t, "", 0));
    now_fake(1234);
    CHECK_INT(now_unix(), 1234);
    now_fake(-1);
    CHECK(now_unix() > 1700000000);
    CHECK(now_ms() > 0);
}

static void
lists(void)
{
    struct item {
        int v;
        struct list node;
    } a = {1, {0}}, b = {2, {0}}, c = {3, {0}};
    struct list head, *at, *after;
    int sum = 0;

    list_init(&head);
    list_add(&head, &b.node);
    list_add(&head, &c.node);
    list_add_first(&head, &a.node);
    LIST_EACH(&head, at, after) {
        struct item *it = LIST_OBJECT(at, struct item, node);

        sum = sum * 10 + it->v;
        list_remove(at);
    }
    CHECK_INT(sum, 123);
    CHECK(list_is_empty(&head));
}

static const struct test_case cases[] = {
    TEST(err_texts), TEST(err_long),   TEST(slices),
    TEST(buffers),   TEST(arenas),     TEST(base64),
    TEST(random_hex), TEST(files),     TEST(secrets_and_time),
    TEST(lists),
};

TEST_MAIN(cases)
