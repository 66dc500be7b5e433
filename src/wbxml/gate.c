/*
 * The gate: what it lets pass is exactly what MS-ASWBXML 2.1 allows, so the
 * library behind it is never asked about entities (it aborts), deep nesting
 * (it recurses), literals, attributes or a string table. Linear: text and
 * opaque data are skipped, not looked at. read.c calls it first; so may a
 * test or a tool.
 */
#include "wbxml/gate.h"

#include <string.h>

#include "wbxml/private.h"

enum { SWITCH_PAGE = 0x00, END = 0x01, STR_I = 0x03, OPAQUE = 0xc3 };

struct gate {
    struct slice doc;
    size_t at;
    unsigned depth, max_depth;
    bool over; /* the root element was closed */
};

bool
wbxml_mb_read(struct slice doc, size_t *at, uint32_t *out)
{
    uint32_t value = 0;

    for (int i = 0; i < 5; i++) {
        unsigned char c;

        if (*at >= doc.n || value >> 25)
            return false;
        c = (unsigned char)doc.p[(*at)++];
        value = value << 7 | (c & 0x7f);
        if (!(c & 0x80)) {
            *out = value;
            return true;
        }
    }
    return false;
}

static int
gate_bad(const struct gate *g, struct err *e, const char *what)
{
    return err_set(e, E_INPUT, "no WBXML of ActiveSync: %s at byte %zu", what,
                   g->at);
}

/* Version 1.3, public id unknown, UTF-8, no string table. */
static int
gate_head(struct gate *g, struct err *e)
{
    static const uint32_t want[] = {1, 106, 0};

    if (g->doc.n < 5 || g->doc.n > UINT32_MAX || g->doc.p[0] != 3)
        return gate_bad(g, e, "wrong head");
    g->at = 1;
    for (size_t i = 0; i < 3; i++) {
        uint32_t v;

        if (!wbxml_mb_read(g->doc, &g->at, &v) || v != want[i])
            return gate_bad(g, e, "wrong head");
    }
    return 0;
}

static int
gate_content(struct gate *g, unsigned char c, struct err *e)
{
    const char *end;
    uint32_t n;

    if (!g->depth)
        return gate_bad(g, e, "text outside of the root");
    if (c == STR_I) {
        end = memchr(g->doc.p + g->at, 0, g->doc.n - g->at);
        if (!end)
            return gate_bad(g, e, "a string without end");
        g->at = (size_t)(end - g->doc.p) + 1;
        return 0;
    }
    if (!wbxml_mb_read(g->doc, &g->at, &n) || n > g->doc.n - g->at)
        return gate_bad(g, e, "an opaque longer than the document");
    g->at += n;
    return 0;
}

static int
gate_tag(struct gate *g, unsigned char c, struct err *e)
{
    if ((c & 0x80) || (c & 0x3f) < 5)
        return gate_bad(g, e, "an attribute, entity, literal or extension");
    if (!(c & 0x40)) {
        g->over = !g->depth;
        return 0;
    }
    if (++g->depth > g->max_depth)
        return err_set(e, E_LIMIT, "WBXML nested deeper than %u at byte %zu",
                       g->max_depth, g->at);
    return 0;
}

int
wbxml_gate(struct slice doc, unsigned max_depth, struct err *e)
{
    struct gate g = {.doc = doc, .max_depth = max_depth};

    if (gate_head(&g, e))
        return -1;
    while (!g.over) {
        unsigned char c;

        if (g.at >= doc.n)
            return gate_bad(&g, e, "cut off");
        c = (unsigned char)doc.p[g.at++];
        if (c == SWITCH_PAGE) {
            if (g.at >= doc.n || (unsigned char)doc.p[g.at] >= WBXML_PAGES)
                return gate_bad(&g, e, "an unknown page");
            g.at++;
        } else if (c == END) {
            if (!g.depth)
                return gate_bad(&g, e, "an end without start");
            g.over = !--g.depth;
        } else if (c == STR_I || c == OPAQUE) {
            if (gate_content(&g, c, e))
                return -1;
        } else if (gate_tag(&g, c, e)) {
            return -1;
        }
    }
    if (g.at != doc.n)
        return gate_bad(&g, e, "bytes behind the root element");
    return 0;
}
