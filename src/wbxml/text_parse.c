/*
 * The XML form back to WBXML: what tests, dialogues and the sandbox write by
 * hand. Not an XML parser: it knows elements, the attribute `code`, text,
 * comments and a few entities, and refuses the rest with the line.
 */
#include "wbxml/text.h"

#include <string.h>

#include "base/code.h"
#include "wbxml/private.h"
#include "wbxml/write.h"

#define NAME_MAX_LEN 96

enum coding { CODING_AUTO, CODING_STRING, CODING_OPAQUE, CODING_BASE64 };

struct open_element {
    struct slice name; /* as written, to compare with its end */
    unsigned tag;
    enum coding coding;
    bool has_child;
};

struct parse {
    struct slice xml;
    size_t at;
    struct wbxml_writer w;
    struct buf text; /* of the innermost element, entities resolved */
    struct open_element open[WBXML_WRITE_DEPTH];
    unsigned depth, root_page;
    bool had_root;
};

static int
parse_bad(const struct parse *p, struct err *e, const char *what)
{
    unsigned line = 1;

    for (size_t i = 0; i < p->at && i < p->xml.n; i++)
        line += p->xml.p[i] == '\n';
    return err_set(e, E_INPUT, "line %u: %s", line, what);
}

/* ---- names */

static unsigned
tag_of(const struct parse *p, struct slice written)
{
    char name[NAME_MAX_LEN], *colon, *local = name;
    int page = (int)p->root_page;
    struct buf byte = BUF_INIT(1);
    unsigned tag = 0;

    if (!slice_copy(written, name, sizeof(name)))
        return 0;
    colon = strchr(name, ':');
    if (colon) {
        *colon = '\0';
        local = colon + 1;
        page = wbxml_find_page(name);
    } else if (!p->had_root) {
        return wbxml_text_root(name);
    }
    if (page < 0)
        return 0;
    tag = wbxml_find_tag(wbxml_page_name((unsigned)page), local);
    if (!tag && local[0] == 'x' && strlen(local) == 3 &&
        !code_hex_parse(&byte, slice_of(local + 1)) &&
        (unsigned char)byte.data[0] >= 5 && (unsigned char)byte.data[0] < 64)
        tag = WBXML_TAG(page, (unsigned char)byte.data[0]);
    buf_clear(&byte);
    return tag;
}

static bool
is_name_char(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == ':' || c == '_' ||
           c == '-' || c == '.';
}

static struct slice
take_name(struct parse *p)
{
    size_t from = p->at;

    while (p->at < p->xml.n && is_name_char(p->xml.p[p->at]))
        p->at++;
    return slice_cut(p->xml, from, p->at);
}

static void
skip_blanks(struct parse *p)
{
    while (p->at < p->xml.n && ascii_is_space(p->xml.p[p->at]))
        p->at++;
}

static bool
next_is(const struct parse *p, const char *s)
{
    return slice_starts(slice_from(p->xml, p->at), s);
}

/* ---- elements */

static int
parse_attribute(struct parse *p, struct open_element *el, struct err *e)
{
    struct slice name = take_name(p), value;
    size_t from;

    if (!name.n || !next_is(p, "=\""))
        return parse_bad(p, e, "an attribute must read name=\"value\"");
    from = p->at += 2;
    while (p->at < p->xml.n && p->xml.p[p->at] != '"')
        p->at++;
    if (p->at >= p->xml.n)
        return parse_bad(p, e, "an attribute without end");
    value = slice_cut(p->xml, from, p->at++);
    if (slice_starts(name, "xmlns"))
        return 0;
    if (!slice_is(name, "code"))
        return parse_bad(p, e, "the only attribute is code");
    if (slice_is(value, "base64"))
        el->coding = CODING_BASE64;
    else if (slice_is(value, "opaque"))
        el->coding = CODING_OPAQUE;
    else if (slice_is(value, "string"))
        el->coding = CODING_STRING;
    else
        return parse_bad(p, e, "code is base64, opaque or string");
    return 0;
}

static int
parse_content(struct parse *p, const struct open_element *el, struct err *e)
{
    struct slice text = buf_slice(&p->text);
    struct buf bytes;
    int rc = 0;

    if (!text.n)
        return 0;
    if (el->coding == CODING_BASE64) {
        buf_init(&bytes, text.n + 4);
        rc = code_base64_parse(&bytes, text, true);
        wbxml_write_bytes(&p->w, buf_slice(&bytes));
        buf_clear(&bytes);
        if (rc)
            return parse_bad(p, e, "no base64");
    } else if (el->coding == CODING_OPAQUE ||
               (el->coding == CODING_AUTO && wbxml_is_opaque(el->tag))) {
        wbxml_write_bytes(&p->w, text);
    } else {
        wbxml_write_string(&p->w, text);
    }
    buf_reset(&p->text);
    return 0;
}

static int
parse_end(struct parse *p, struct err *e)
{
    struct slice name = take_name(p);
    struct open_element *el;

    skip_blanks(p);
    if (!next_is(p, ">"))
        return parse_bad(p, e, "an end tag without >");
    if (!p->depth)
        return parse_bad(p, e, "an end tag too many");
    el = &p->open[p->depth - 1];
    if (!slice_eq(name, el->name))
        return parse_bad(p, e, "the end tag does not fit the start");
    p->at++;
    if (!el->has_child && parse_content(p, el, e))
        return -1;
    if (slice_trim(buf_slice(&p->text)).n)
        return parse_bad(p, e, "text beside elements");
    buf_reset(&p->text);
    wbxml_write_end(&p->w);
    p->depth--;
    return 0;
}

static int
parse_start(struct parse *p, struct err *e)
{
    struct open_element el = {.name = take_name(p)};

    el.tag = tag_of(p, el.name);
    if (!el.tag)
        return parse_bad(p, e, "no tag of that name");
    if (!p->depth && p->had_root)
        return parse_bad(p, e, "a second root element");
    if (slice_trim(buf_slice(&p->text)).n)
        return parse_bad(p, e, "text beside elements");
    if (p->depth >= WBXML_WRITE_DEPTH)
        return parse_bad(p, e, "nested too deep");
    buf_reset(&p->text);
    for (skip_blanks(p); p->at < p->xml.n && is_name_char(p->xml.p[p->at]);
         skip_blanks(p))
        if (parse_attribute(p, &el, e))
            return -1;
    if (!p->had_root) {
        p->had_root = true;
        p->root_page = WBXML_PAGE_OF(el.tag);
    }
    if (p->depth)
        p->open[p->depth - 1].has_child = true;
    if (next_is(p, "/>")) {
        p->at += 2;
        wbxml_write_empty(&p->w, el.tag);
        return 0;
    }
    if (!next_is(p, ">"))
        return parse_bad(p, e, "a start tag without >");
    p->at++;
    wbxml_write_start(&p->w, el.tag);
    p->open[p->depth++] = el;
    return 0;
}

/* <!-- ... --> and <? ... ?> */
static int
parse_skip(struct parse *p, const char *end, struct err *e)
{
    for (; p->at < p->xml.n; p->at++)
        if (next_is(p, end)) {
            p->at += strlen(end);
            return 0;
        }
    return parse_bad(p, e, "a comment without end");
}

/* ---- text */

static void
add_utf8(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_addc(out, (char)c);
    } else if (c < 0x800) {
        buf_addc(out, (char)(0xc0 | c >> 6));
        buf_addc(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_addc(out, (char)(0xe0 | c >> 12));
        buf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_addc(out, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_addc(out, (char)(0xf0 | c >> 18));
        buf_addc(out, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_addc(out, (char)(0x80 | (c & 0x3f)));
    }
}

static int
parse_entity(struct parse *p, struct err *e)
{
    static const struct {
        const char *name;
        char c;
    } known[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'},
                 {"apos", '\''}};
    struct slice rest = slice_from(p->xml, p->at + 1);
    struct slice name = slice_cut(rest, 0, slice_find(rest, ';'));
    uint32_t point;

    if (name.n == rest.n || name.n > 10)
        return parse_bad(p, e, "an entity without end");
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (slice_is(name, known[i].name)) {
            buf_addc(&p->text, known[i].c);
            p->at += name.n + 2;
            return 0;
        }
    if (!slice_starts(name, "#") || !slice_u32(slice_from(name, 1), &point) ||
        point > 0x10ffff || point >> 11 == 0x1b)
        return parse_bad(p, e, "an unknown entity");
    add_utf8(&p->text, point);
    p->at += name.n + 2;
    return 0;
}

static int
parse_markup(struct parse *p, struct err *e)
{
    if (next_is(p, "<!--"))
        return parse_skip(p, "-->", e);
    if (next_is(p, "<?"))
        return parse_skip(p, "?>", e);
    p->at++;
    if (!next_is(p, "/"))
        return parse_start(p, e);
    p->at++;
    return parse_end(p, e);
}

static int
parse_all(struct parse *p, struct err *e)
{
    while (p->at < p->xml.n) {
        char c = p->xml.p[p->at];

        if (c == '<') {
            if (parse_markup(p, e))
                return -1;
        } else if (c == '&') {
            if (parse_entity(p, e))
                return -1;
        } else {
            buf_addc(&p->text, c);
            p->at++;
        }
        if (!p->depth && slice_trim(buf_slice(&p->text)).n)
            return parse_bad(p, e, "text outside of the root");
    }
    if (!p->had_root)
        return parse_bad(p, e, "no root element");
    if (p->depth)
        return parse_bad(p, e, "an element is not closed");
    return 0;
}

int
wbxml_text_parse(struct slice xml, struct buf *out, struct err *e)
{
    struct parse p = {.xml = xml};
    int rc;

    /* WBXML is never longer than the text it is made from, but for the head
     * and page switches: two bytes for a prefix of three or more. */
    wbxml_writer_init(&p.w, xml.n + 64);
    buf_init(&p.text, xml.n + 1);
    rc = parse_all(&p, e);
    if (!rc)
        rc = wbxml_write_done(&p.w, e);
    if (!rc && buf_add_slice(out, buf_slice(&p.w.out)))
        rc = err_set(e, E_LIMIT, "the document is longer than %zu bytes",
                     out->limit);
    buf_clear(&p.text);
    wbxml_writer_clear(&p.w);
    return rc;
}
