/*
 * Our event reader with libwbxml as its judge: a document that we take has
 * the same events there. What the library refuses, we may take only for a
 * reason that is named here.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wbxml_judge.h"
#include "wbxml/gate.h"
#include "wbxml/read.h"
#include "wbxml/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)   \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

static int
on_start(void *arg, unsigned tag, struct err *e)
{
    (void)e;
    return buf_addf(arg, "<%u>", tag);
}

static int
on_bytes(void *arg, struct slice bytes, struct err *e)
{
    (void)e;
    return buf_add_slice(arg, bytes);
}

static int
on_end(void *arg, unsigned tag, struct err *e)
{
    (void)e;
    return buf_addf(arg, "</%u>", tag);
}

static int
ours(struct slice doc, struct buf *log)
{
    struct wbxml_events events = {on_start, on_bytes, on_end, log};
    struct wbxml_limits limits = {.whole = true};
    struct wbxml_reader r;
    struct err e;
    int rc;

    wbxml_reader_init(&r, &events, &limits);
    rc = wbxml_reader_feed(&r, doc, &e) || wbxml_reader_end(&r, &e);
    wbxml_reader_clear(&r);
    return rc;
}

/* Two SWITCH_PAGE in a row: the grammar has one before a tag, we take any
 * number. */
static bool
may_switch_twice(struct slice doc)
{
    for (size_t i = 0; i + 2 < doc.n; i++)
        if (!doc.p[i] && !doc.p[i + 2])
            return true;
    return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf a = BUF_INIT((size_t)4 << 20), b = BUF_INIT((size_t)4 << 20);
    struct wbxml_events events = {on_start, on_bytes, on_end, &b};
    struct slice doc = slice_make(data, size);
    struct err e;

    if (size && ours(doc, &a) == 0) {
        MUST(!wbxml_gate(doc, 32, &e));
        if (wbxml_judge(doc, &events, &e))
            MUST(may_switch_twice(doc));
        else
            MUST(slice_eq(buf_slice(&a), buf_slice(&b)));
    }
    buf_clear(&a);
    buf_clear(&b);
    return 0;
}
