/*
 * WBXML as indented XML, for `sealpostctl wbxml` and for tests; the form is
 * described in text.h, text_parse.c reads it back.
 */
#include "wbxml/text.h"

#include <string.h>

#include "base/code.h"
#include "wbxml/private.h"

/* The root elements that carry no prefix: the commands. */
static const unsigned roots[] = {
    AIRSYNC_SYNC,          MOVE_MOVE_ITEMS,      ESTIMATE_GET_ITEM_ESTIMATE,
    FOLDER_FOLDER_SYNC,    FOLDER_FOLDER_CREATE, FOLDER_FOLDER_DELETE,
    FOLDER_FOLDER_UPDATE,  MEETING_MEETING_RESPONSE,
    RESOLVE_RESOLVE_RECIPIENTS, VALIDATE_VALIDATE_CERT, PING_PING,
    PROVISION_PROVISION,   SEARCH_SEARCH,        SETTINGS_SETTINGS,
    ITEMOPS_ITEM_OPERATIONS, COMPOSE_SEND_MAIL,  COMPOSE_SMART_FORWARD,
    COMPOSE_SMART_REPLY,   FIND_FIND,
};
#define NROOTS (sizeof(roots) / sizeof(roots[0]))

unsigned
wbxml_text_root(const char *name)
{
    for (size_t i = 0; i < NROOTS; i++)
        if (!ascii_icmp(name, wbxml_tag_name(roots[i])))
            return roots[i];
    return 0;
}

/* UTF-8 without control characters but tab and line ends. */
static bool
text_is_clean(struct slice s)
{
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        uint32_t point = c & (0x3f >> more);

        if (c < 0x80) {
            if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
                return false;
            i++;
            continue;
        }
        if (c < 0xc2 || c > 0xf4 || more >= s.n - i)
            return false;
        for (size_t k = 1; k <= more; k++) {
            if (((unsigned char)s.p[i + k] & 0xc0) != 0x80)
                return false;
            point = point << 6 | ((unsigned char)s.p[i + k] & 0x3f);
        }
        if ((more == 2 && (point < 0x800 || point >> 11 == 0x1b)) ||
            (more == 3 && (point < 0x10000 || point > 0x10ffff)))
            return false;
        i += more + 1;
    }
    return true;
}

static void
write_escaped(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case '<':
            buf_adds(out, "&lt;");
            break;
        case '>':
            buf_adds(out, "&gt;");
            break;
        case '&':
            buf_adds(out, "&amp;");
            break;
        case '\r':
            buf_adds(out, "&#13;");
            break;
        default:
            buf_addc(out, s.p[i]);
        }
    }
}

/* "base:Type", "Status" on the root's own page, "base:x3F" without a name. */
static void
write_name(struct buf *out, unsigned tag, unsigned root_page, bool is_root)
{
    unsigned page = WBXML_PAGE_OF(tag);
    const char *name = wbxml_name(page, WBXML_TOKEN_OF(tag));

    if (is_root ? !name || wbxml_text_root(name) != tag : page != root_page)
        buf_addf(out, "%s:", wbxml_page_prefix(page));
    if (name && wbxml_find_tag(wbxml_page_name(page), name) == tag)
        buf_adds(out, name);
    else
        buf_addf(out, "x%02X", WBXML_TOKEN_OF(tag));
}

static void
write_leaf(struct buf *out, const struct wbxml_node *n)
{
    if (text_is_clean(n->text)) {
        buf_addc(out, '>');
        write_escaped(out, n->text);
    } else {
        buf_adds(out, " code=\"base64\">");
        code_base64_write(out, n->text, 0);
    }
}

/* As deep as the tree, which its parser bounds. */
static void
write_node(struct buf *out, const struct wbxml_node *n, unsigned root_page,
           unsigned depth)
{
    buf_addf(out, "%*s<", (int)(2 * depth), "");
    write_name(out, n->tag, root_page, !depth);
    if (!n->child && !n->text.n) {
        buf_adds(out, "/>\n");
        return;
    }
    if (!n->child) {
        write_leaf(out, n);
    } else {
        buf_adds(out, ">\n");
        if (n->text.n)
            buf_addf(out, "%*s<!-- %zu bytes beside elements -->\n",
                     (int)(2 * depth + 2), "", n->text.n);
        for (const struct wbxml_node *c = n->child; c; c = c->next)
            write_node(out, c, root_page, depth + 1);
        buf_addf(out, "%*s", (int)(2 * depth), "");
    }
    buf_adds(out, "</");
    write_name(out, n->tag, root_page, !depth);
    buf_adds(out, ">\n");
}

int
wbxml_text_write_node(struct buf *out, const struct wbxml_node *root,
                      struct err *e)
{
    write_node(out, root, WBXML_PAGE_OF(root->tag), 0);
    if (out->over)
        return err_set(e, E_LIMIT, "the text is longer than %zu bytes",
                       out->limit);
    return 0;
}

int
wbxml_text_write(struct buf *out, struct slice doc, struct err *e)
{
    struct arena *a = arena_new();
    struct wbxml_node *root;
    int rc = wbxml_tree_parse(a, doc, NULL, &root, e);

    if (!rc)
        rc = wbxml_text_write_node(out, root, e);
    arena_free(&a);
    return rc;
}
