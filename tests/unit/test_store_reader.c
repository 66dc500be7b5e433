/*
 * A queue file read piece by piece: the same bytes as the whole, and nothing
 * of a file that is damaged, cut or put together anew.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "store/private.h"
#include "store/queue.h"
#include "test.h"

#define MAX 200000

static struct secret key;
static struct store *store;
static char text[MAX + 1];

static char *
begin(const char *name)
{
    char *dir = xasprintf("%s/%s", test_dir(), name);
    struct store_config sc = {.dir = dir, .data_key = &key};
    struct err e = {0};

    CHECK_INT(store_open(&sc, &store, &e), 0);
    CHECK_STR(e.text, "");
    free(dir);
    return store_queue_path(store, "abc", false);
}

static void
put(const char *path, struct slice bytes)
{
    struct err e = {0};

    CHECK_INT(file_write(path, bytes, 0600, false, &e), 0);
    CHECK_STR(e.text, "");
}

/* Reads all of it in steps; -1 as the reader. */
static int
read_all(struct store_reader *r, size_t step, struct buf *out, struct err *e)
{
    char piece[MAX];
    size_t got;

    do {
        if (store_reader_read(r, out->len, piece, step, &got, e))
            return -1;
        buf_add(out, piece, got);
    } while (got);
    return 0;
}

static void
sizes(void)
{
    static const size_t all[] = {0, 1, 65535, 65536, 65537, 131072, MAX};
    static const size_t steps[] = {1000, 16384, 65536, 65537, MAX};
    char *path = begin("sizes");

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
            struct buf sealed = BUF_INIT(2 * MAX), out = BUF_INIT(2 * MAX);
            struct store_reader *r = NULL;
            struct err e = {0};
            char back[2] = "";
            size_t got;

            CHECK_INT(store_cipher_seal(&key, slice_make(text, all[i]),
                                        &sealed, &e), 0);
            put(path, buf_slice(&sealed));
            REQUIRE(store_reader_open(store, "abc", false, &r, &e) == 0);
            CHECK_INT(store_reader_size(r), all[i]);
            CHECK_INT(read_all(r, steps[k], &out, &e), 0);
            CHECK(out.len == all[i] &&
                  memcmp(out.len ? out.data : "", text, all[i]) == 0);
            /* From the beginning again, as when a request is repeated. */
            CHECK_INT(store_reader_read(r, 0, back, 1, &got, &e), 0);
            CHECK(got == (all[i] > 0) && (!got || back[0] == text[0]));
            store_reader_close(&r);
            CHECK(!r);
            buf_clear(&sealed);
            buf_clear(&out);
        }
    free(path);
    store_close(&store);
}

static void
damaged(void)
{
    enum { CHUNK_1 = 36 + 65552, CHUNK_2 = 36 + 2 * 65552 };
    char *path = begin("damaged");
    struct buf sealed = BUF_INIT(2 * MAX), out = BUF_INIT(2 * MAX), swapped;
    struct store_reader *r = NULL;
    struct err e = {0};

    CHECK_INT(store_reader_open(store, "abc", false, &r, &e), -1);
    CHECK_INT(e.code, E_MISSING);
    put(path, SLICE("SPC1 and no more"));
    CHECK_INT(store_reader_open(store, "abc", false, &r, &e), -1);
    CHECK_INT(e.code, E_CRYPTO);
    CHECK_INT(store_cipher_seal(&key, slice_make(text, MAX), &sealed, &e), 0);

    /* One byte of the second chunk: the first one is good, no more. */
    sealed.data[CHUNK_1 + 5] ^= 1;
    put(path, buf_slice(&sealed));
    REQUIRE(store_reader_open(store, "abc", false, &r, &e) == 0);
    CHECK_INT(read_all(r, 65536, &out, &e), -1);
    CHECK_INT(e.code, E_CRYPTO);
    CHECK_INT(out.len, 65536);
    store_reader_close(&r);
    sealed.data[CHUNK_1 + 5] ^= 1;

    /* Cut where a chunk ends: what is now the last was not made as the last. */
    put(path, slice_cut(buf_slice(&sealed), 0, CHUNK_2));
    REQUIRE(store_reader_open(store, "abc", false, &r, &e) == 0);
    buf_reset(&out);
    CHECK_INT(read_all(r, 65536, &out, &e), -1);
    CHECK_INT(e.code, E_CRYPTO);
    CHECK_INT(out.len, 65536);
    store_reader_close(&r);

    /* Two chunks in each other's place. */
    buf_init(&swapped, 2 * MAX);
    buf_add_slice(&swapped, slice_cut(buf_slice(&sealed), 0, 36));
    buf_add_slice(&swapped, slice_cut(buf_slice(&sealed), CHUNK_1, CHUNK_2));
    buf_add_slice(&swapped, slice_cut(buf_slice(&sealed), 36, CHUNK_1));
    buf_add_slice(&swapped, slice_from(buf_slice(&sealed), CHUNK_2));
    put(path, buf_slice(&swapped));
    REQUIRE(store_reader_open(store, "abc", false, &r, &e) == 0);
    buf_reset(&out);
    CHECK_INT(read_all(r, 65536, &out, &e), -1);
    CHECK_INT(out.len, 0);
    store_reader_close(&r);

    buf_clear(&swapped);
    buf_clear(&sealed);
    buf_clear(&out);
    free(path);
    store_close(&store);
}

static const struct test_case cases[] = {TEST(sizes), TEST(damaged)};

int
main(void)
{
    int rc;

    for (size_t i = 0; i < MAX; i++)
        text[i] = (char)('a' + i % 23);
    secret_set(&key, "a data key of a test, 32 bytes..", 32);
    rc = test_main(cases, ARRAY_LEN(cases));
    secret_clear(&key);
    return rc;
}
