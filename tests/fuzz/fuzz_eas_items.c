/*
 * Answers of ItemOperations Fetch, multipart and inline: in whatever pieces
 * they arrive the same is told; each item is told once at most, once for sure
 * at a good end; no body is larger than was asked for. The first byte chooses
 * the form (the high bit: multipart) and the size of the pieces.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eas/items_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ITEMS 3u
#define MAX_BODY 600u

#define MUST(cond)   \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

struct told {
    struct buf log;
    unsigned times[ITEMS];
};

static void
on_body(void *arg, size_t index, int status, struct slice mime, bool truncated)
{
    struct told *t = arg;

    MUST(index < ITEMS && mime.n <= MAX_BODY);
    MUST(status == 1 || !mime.n);
    MUST(++t->times[index] == 1);
    buf_addf(&t->log, "\n%zu %d %d ", index, status, truncated);
    buf_add_slice(&t->log, mime);
}

static int
read_answer(struct slice body, size_t piece, bool parts, bool looks,
            struct told *t)
{
    struct fetch_place items[ITEMS] = {
        {.collection = (char *)(uintptr_t)"5",
         .server_id = (char *)(uintptr_t)"5:1"},
        {.collection = (char *)(uintptr_t)"5",
         .server_id = (char *)(uintptr_t)"5:2"},
        {.collection = (char *)(uintptr_t)"6",
         .server_id = (char *)(uintptr_t)"5:2"},
    };
    struct fetch_call f = {.items = items, .n = ITEMS, .max_body = MAX_BODY,
                           .on_body = on_body, .body_arg = t,
                           .looks = looks,
                           .limits = {.any = looks, .max_file = 1000,
                                      .text = 100, .html = 100}};
    struct err e;
    int rc = 0;

    *t = (struct told){.log = BUF_INIT((size_t)1 << 20)};
    snprintf(f.call.req.content_type, sizeof f.call.req.content_type, "%s",
             parts ? "application/vnd.ms-sync.multipart"
                   : "application/vnd.ms-sync.wbxml");
    while (body.n && !rc) {
        rc = eas_items_feed(&f, slice_cut(body, 0, piece), &e);
        body = slice_from(body, piece);
    }
    if (!rc && f.reader)
        rc = eas_items_finish(&f, &e);
    eas_items_forget(&f);
    for (size_t i = 0; i < ITEMS; i++) {
        t->times[i] += !rc && items[i].passed; /* its MIME would be next */
        eas_look_clear(&items[i].look);
    }
    return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct told a, b;
    struct slice body;
    bool parts, looks;
    int rc;

    if (size < 2)
        return 0;
    parts = data[0] & 0x80;
    looks = data[0] & 0x40;
    body = slice_make(data + 1, size - 1);
    rc = read_answer(body, body.n, parts, looks, &a);
    MUST(read_answer(body, data[0] % 64u + 1, parts, looks, &b) == rc);
    if (!rc) {
        MUST(slice_eq(buf_slice(&a.log), buf_slice(&b.log)));
        for (size_t i = 0; i < ITEMS; i++)
            MUST(a.times[i] == 1);
    }
    buf_clear(&a.log);
    buf_clear(&b.log);
    return 0;
}
