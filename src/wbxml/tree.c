/*
 * The tree: events of the reader gathered into nodes in an arena, and the
 * finders by which eas takes answers apart. Small documents only; Sync and
 * ItemOperations build a tree of one element at a time with the builder.
 */
#include "wbxml/tree.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "wbxml/read.h"

#define DEFAULT_TREE_BYTES ((size_t)16 << 20)
#define DEFAULT_NODES 100000

/* ---- building */

void
wbxml_builder_init(struct wbxml_builder *b, struct arena *a, size_t max_nodes,
                   size_t max_text)
{
    *b = (struct wbxml_builder){.arena = a, .max_nodes = max_nodes};
    buf_init(&b->text, max_text);
}

void
wbxml_builder_clear(struct wbxml_builder *b)
{
    buf_clear(&b->text);
}

/* What was gathered so far belongs to the open element. Mixed content, which
 * ActiveSync never has, is joined. */
static void
builder_flush(struct wbxml_builder *b)
{
    struct slice text = buf_slice(&b->text);
    char *joined;

    if (!b->at || !text.n)
        return;
    if (!b->at->text.n) {
        b->at->text = (struct slice){arena_dup(b->arena, text), text.n};
    } else {
        joined = arena_alloc(b->arena, b->at->text.n + text.n + 1);
        memcpy(joined, b->at->text.p, b->at->text.n);
        memcpy(joined + b->at->text.n, text.p, text.n);
        b->at->text = (struct slice){joined, b->at->text.n + text.n};
    }
    buf_reset(&b->text);
}

int
wbxml_builder_start(struct wbxml_builder *b, unsigned tag, struct err *e)
{
    struct wbxml_node *n;

    if (b->root && !b->at)
        return err_set(e, E_INPUT, "a second root element");
    if (b->nodes++ >= b->max_nodes)
        return err_set(e, E_LIMIT, "more than %zu WBXML elements",
                       b->max_nodes);
    builder_flush(b);
    n = arena_alloc(b->arena, sizeof(*n));
    n->tag = tag;
    n->text = SLICE("");
    n->parent = b->at;
    if (!b->at)
        b->root = n;
    else if (b->at->last_child)
        b->at->last_child->next = n;
    else
        b->at->child = n;
    if (b->at)
        b->at->last_child = n;
    b->at = n;
    return 0;
}

int
wbxml_builder_bytes(struct wbxml_builder *b, struct slice s, struct err *e)
{
    if (!b->at)
        return err_set(e, E_INPUT, "text outside of the root");
    if (buf_add_slice(&b->text, s))
        return err_set(e, E_LIMIT, "more than %zu bytes in %s",
                       b->text.limit, wbxml_tag_name(b->at->tag));
    return 0;
}

int
wbxml_builder_end(struct wbxml_builder *b, struct err *e)
{
    if (!b->at)
        return err_set(e, E_INPUT, "an end without start");
    builder_flush(b);
    b->at = b->at->parent;
    return 0;
}

static int
on_start(void *arg, unsigned tag, struct err *e)
{
    return wbxml_builder_start(arg, tag, e);
}

static int
on_bytes(void *arg, struct slice s, struct err *e)
{
    return wbxml_builder_bytes(arg, s, e);
}

static int
on_end(void *arg, unsigned tag, struct err *e)
{
    (void)tag;
    return wbxml_builder_end(arg, e);
}

int
wbxml_tree_parse(struct arena *a, struct slice doc,
                 const struct wbxml_tree_limits *limits,
                 struct wbxml_node **root_out, struct err *e)
{
    size_t bytes =
        limits && limits->bytes ? limits->bytes : DEFAULT_TREE_BYTES;
    size_t nodes = limits && limits->nodes ? limits->nodes : DEFAULT_NODES;
    struct wbxml_limits reading = {.bytes = bytes,
                                   .depth = limits ? limits->depth : 0};
    struct wbxml_builder b;
    struct wbxml_events events = {on_start, on_bytes, on_end, &b};
    int rc;

    wbxml_builder_init(&b, a, nodes, bytes);
    rc = wbxml_read(doc, &events, &reading, e);
    wbxml_builder_clear(&b);
    if (rc)
        return -1;
    *root_out = b.root;
    return 0;
}

/* ---- finding */

static const struct wbxml_node *
find_path(const struct wbxml_node *n, va_list ap)
{
    unsigned tag;

    while (n && (tag = va_arg(ap, unsigned)) != 0) {
        n = n->child;
        while (n && n->tag != tag)
            n = n->next;
    }
    return n;
}

const struct wbxml_node *
wbxml_find(const struct wbxml_node *n, ...)
{
    va_list ap;

    va_start(ap, n);
    n = find_path(n, ap);
    va_end(ap);
    return n;
}

const struct wbxml_node *
wbxml_again(const struct wbxml_node *n)
{
    unsigned tag = n->tag;

    for (n = n->next; n && n->tag != tag; n = n->next)
        ;
    return n;
}

struct slice
wbxml_text(const struct wbxml_node *n, ...)
{
    va_list ap;

    va_start(ap, n);
    n = find_path(n, ap);
    va_end(ap);
    return n ? n->text : SLICE_NONE;
}

bool
wbxml_has(const struct wbxml_node *n, ...)
{
    va_list ap;

    va_start(ap, n);
    n = find_path(n, ap);
    va_end(ap);
    return n != NULL;
}

long
wbxml_number(const struct wbxml_node *n, long absent, ...)
{
    struct slice s;
    uint32_t v;
    va_list ap;
    bool minus;

    va_start(ap, absent);
    n = find_path(n, ap);
    va_end(ap);
    if (!n)
        return absent;
    s = slice_trim(n->text);
    minus = slice_starts(s, "-");
    if (!slice_u32(slice_from(s, minus), &v))
        return absent;
    return minus ? -(long)v : (long)v;
}
