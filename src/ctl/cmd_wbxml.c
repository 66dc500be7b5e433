/*
 * `sealpostctl wbxml FILE`: a captured request or answer of ActiveSync in
 * readable form. No daemon, no configuration.
 */
#include "ctl/private.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/code.h"
#include "base/file.h"
#include "mime/encoding.h"
#include "wbxml/text.h"
#include "wbxml/tree.h"

#define DOCUMENT_MAX ((size_t)64 << 20)

static const struct wbxml_tree_limits limits = {
    .bytes = DOCUMENT_MAX, .nodes = 1000000, .depth = 64};

/* {"page","tag"} and "children", or "text", or "base64" where the bytes are
 * no text. */
static json_t *
node_json(const struct wbxml_node *n)
{
    unsigned page = WBXML_PAGE_OF(n->tag);
    const char *page_name = wbxml_page_name(page);
    const char *name = wbxml_name(page, WBXML_TOKEN_OF(n->tag));
    json_t *o = json_object();
    char code[8];

    snprintf(code, sizeof code, "x%02X", WBXML_TOKEN_OF(n->tag));
    json_object_set_new(o, "page", json_string(page_name ? page_name : "?"));
    json_object_set_new(o, "tag", json_string(name ? name : code));
    if (n->child) {
        json_t *list = json_array();

        for (const struct wbxml_node *k = n->child; k; k = k->next)
            json_array_append_new(list, node_json(k));
        json_object_set_new(o, "children", list);
    } else if (mime_is_utf8(n->text)) {
        json_object_set_new(o, "text",
                            json_stringn(n->text.p ? n->text.p : "",
                                         n->text.n));
    } else {
        struct buf b = BUF_INIT(BUF_OURS);

        code_base64_write(&b, n->text, 0);
        json_object_set_new(o, "base64", json_stringn(b.data, b.len));
        buf_clear(&b);
    }
    return o;
}

static void
show_nothing(const json_t *o, FILE *to)
{
    (void)o;
    (void)to;
}

static int
print_text(struct slice doc, struct err *e)
{
    struct buf out = BUF_INIT(BUF_OURS);
    int rc = wbxml_text_write(&out, doc, e);

    if (rc == 0) {
        ctl_put(stdout, buf_slice(&out), true);
        if (fflush(stdout))
            rc = err_set(e, E_FULL, "stdout could not be written");
    }
    buf_clear(&out);
    return rc;
}

static int
print_json(struct ctl *c, struct slice doc, struct err *e)
{
    struct arena *a = arena_new();
    struct wbxml_node *root;
    int rc = wbxml_tree_parse(a, doc, &limits, &root, e);

    if (rc == 0)
        rc = ctl_print(c, node_json(root), show_nothing, e);
    arena_free(&a);
    return rc;
}

/* The way back, for tests and for asking a server by hand. */
static int
encode(const char *path, struct slice xml, const char *to, struct err *e)
{
    struct buf doc = BUF_INIT(DOCUMENT_MAX);
    int rc = wbxml_text_parse(xml, &doc, e);

    if (rc)
        err_add(e, "%s", path);
    else if (to)
        rc = file_write(to, buf_slice(&doc), 0644, false, e);
    else if (fwrite(doc.data, 1, doc.len, stdout) != doc.len || fflush(stdout))
        rc = err_set(e, E_FULL, "stdout could not be written");
    buf_clear(&doc);
    return rc;
}

int
ctl_cmd_wbxml(struct ctl *c, struct err *e)
{
    struct buf file = BUF_INIT(DOCUMENT_MAX);
    const char *path = c->operand[0];
    int rc = ctl_read(path, &file, e);

    if (rc == 0 && ctl_has(c, "--encode"))
        rc = encode(path, buf_slice(&file), ctl_option(c, "--out"), e);
    else if (rc == 0 && ctl_has(c, "--out"))
        rc = err_set(e, E_INPUT, "--out goes with --encode");
    else if (rc == 0)
        rc = c->json ? print_json(c, buf_slice(&file), e)
                     : print_text(buf_slice(&file), e);
    if (rc && !ctl_has(c, "--encode"))
        err_add(e, "%s", path);
    buf_clear(&file);
    return rc;
}
