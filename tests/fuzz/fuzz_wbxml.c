/*
 * WBXML from a server: read whole or in pieces it is the same; what the gate
 * passes the tree takes too; the XML text of a document gives it back. The
 * same bytes are also tried as XML text. The first byte is the size of the
 * pieces.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wbxml/gate.h"
#include "wbxml/read.h"
#include "wbxml/text.h"
#include "wbxml/tree.h"
#include "wbxml/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)   \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

/* What was read, as bytes to compare. */
struct record {
    struct buf log;
    bool in_bytes;
    unsigned depth;
};

static int
on_start(void *arg, unsigned tag, struct err *e)
{
    struct record *r = arg;

    (void)e;
    r->depth++;
    r->in_bytes = false;
    buf_addf(&r->log, "<%u>", tag);
    return 0;
}

static int
on_bytes(void *arg, struct slice bytes, struct err *e)
{
    struct record *r = arg;

    (void)e;
    MUST(r->depth > 0);
    buf_add_slice(&r->log, bytes);
    return 0;
}

static int
on_end(void *arg, unsigned tag, struct err *e)
{
    struct record *r = arg;

    (void)e;
    MUST(r->depth-- > 0);
    buf_addf(&r->log, "</%u>", tag);
    return 0;
}

static int
read_pieces(struct slice doc, size_t piece, bool whole, struct record *r)
{
    struct wbxml_events events = {on_start, on_bytes, on_end, r};
    struct wbxml_limits limits = {.whole = whole};
    struct wbxml_reader reader;
    struct err e;
    int rc = 0;

    r->log = BUF_INIT(BUF_OURS);
    r->depth = 0;
    wbxml_reader_init(&reader, &events, &limits);
    while (doc.n && !rc) {
        rc = wbxml_reader_feed(&reader, slice_cut(doc, 0, piece), &e);
        doc = slice_from(doc, piece);
    }
    if (rc)
        MUST(wbxml_reader_feed(&reader, SLICE("x"), &e) == -1);
    else
        rc = wbxml_reader_end(&reader, &e);
    wbxml_reader_clear(&reader);
    return rc;
}

static void
check_read(struct slice doc, size_t piece)
{
    struct record a, b, c;
    struct err e;
    int rc = read_pieces(doc, doc.n, true, &a);

    MUST(read_pieces(doc, piece, false, &b) == rc);
    MUST(read_pieces(doc, piece, true, &c) == rc);
    MUST(rc || a.depth == 0);
    if (rc == 0) {
        MUST(slice_eq(buf_slice(&a.log), buf_slice(&b.log)));
        MUST(slice_eq(buf_slice(&a.log), buf_slice(&c.log)));
        MUST(wbxml_gate(doc, 32, &e) == 0);
    } else {
        MUST(a.log.len == 0 && c.log.len == 0);
    }
    buf_clear(&a.log);
    buf_clear(&b.log);
    buf_clear(&c.log);
}

static size_t
tree_size(const struct wbxml_node *n)
{
    size_t count = 1;

    for (const struct wbxml_node *c = n->child; c; c = c->next) {
        MUST(c->parent == n);
        count += tree_size(c);
    }
    MUST(n->text.p == NULL || n->text.p[n->text.n] == '\0');
    return count;
}

/* Text, WBXML, text: the two texts are one. */
static void
check_text(struct slice doc)
{
    struct buf xml = BUF_INIT((size_t)8 << 20), back = BUF_INIT((size_t)8 << 20),
               again = BUF_INIT((size_t)8 << 20);
    struct err e;

    if (wbxml_text_write(&xml, doc, &e) == 0) {
        if (wbxml_text_parse(buf_slice(&xml), &back, &e) == 0) {
            MUST(wbxml_gate(buf_slice(&back), 32, &e) == 0);
            MUST(wbxml_text_write(&again, buf_slice(&back), &e) == 0);
            if (!strstr(xml.data, "<!--"))
                MUST(slice_eq(buf_slice(&xml), buf_slice(&again)));
        }
    }
    buf_clear(&xml);
    buf_clear(&back);
    buf_clear(&again);
}

static void
check_parse(struct slice xml)
{
    struct buf doc = BUF_INIT((size_t)1 << 20);
    struct err e;

    if (wbxml_text_parse(xml, &doc, &e) == 0) {
        MUST(wbxml_gate(buf_slice(&doc), 64, &e) == 0);
        check_text(buf_slice(&doc));
    }
    buf_clear(&doc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    struct wbxml_node *root = NULL;
    struct slice doc;
    struct err e;

    if (size) {
        doc = slice_make(data + 1, size - 1);
        check_read(doc, data[0] % 40 + 1u);
        if (wbxml_tree_parse(a, doc, NULL, &root, &e) == 0) {
            MUST(wbxml_gate(doc, 32, &e) == 0);
            MUST(tree_size(root) <= 100000);
        }
        check_text(doc);
        check_parse(doc);
    }
    arena_free(&a);
    return 0;
}
