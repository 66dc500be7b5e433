/*
 * `sealpostctl mime FILE`: what an IMAP client is told of this message, and
 * its tree. No daemon, no configuration.
 */
#include "ctl/private.h"

#include <string.h>

#include <jansson.h>

#include "base/code.h"
#include "base/mem.h"
#include "mime/encoding.h"
#include "mime/imap.h"
#include "mime/message.h"
#include "mime/write.h"

#define MESSAGE_MAX ((size_t)256 << 20)
#define TEXT_MAX ((size_t)64 << 20)

static const struct {
    unsigned flag;
    const char *name;
} flags[] = {
    {MIME_PART_OPAQUE, "opaque"},     {MIME_PART_BROKEN, "broken"},
    {MIME_PART_UNCLOSED, "unclosed"}, {MIME_PART_CUT, "cut"},
    {MIME_PART_ROOT, "root"},
};

/* The section number of RFC 9051 section 6.4.5.1: of a multipart that stands
 * at the top or in a message, "" is the whole. */
static void
section_of(const struct mime_part *p, struct buf *out)
{
    if (p->parent)
        section_of(p->parent, out);
    if (p->number)
        buf_addf(out, "%s%u", out->len ? "." : "", p->number);
    else if (!mime_part_is_multipart(p))
        buf_addf(out, "%s1", out->len ? "." : "");
}

static json_t *
flags_json(const struct mime_part *p)
{
    json_t *list = json_array();

    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (p->flags & flags[i].flag)
            json_array_append_new(list, json_string(flags[i].name));
    return list;
}

/* One part without those inside it. */
static json_t *
part_json(const struct mime_part *p)
{
    struct buf section = BUF_INIT(8192), name = BUF_INIT(65536), type;
    json_t *o = json_object();

    buf_init(&type, 65536);
    section_of(p, &section);
    buf_addf(&type, "%s/%s", p->type, p->subtype);
    json_object_set_new(o, "section", ctl_json_text(buf_slice(&section)));
    json_object_set_new(o, "type", ctl_json_text(buf_slice(&type)));
    json_object_set_new(o, "declared",
                        p->declared ? ctl_json_text(slice_of(p->declared))
                                    : json_null());
    json_object_set_new(o, "encoding",
                        ctl_json_text(slice_of(p->encoding_name)));
    json_object_set_new(o, "filename",
                        mime_part_filename(p, &name)
                            ? ctl_json_text(buf_slice(&name))
                            : json_null());
    json_object_set_new(o, "head", json_integer((json_int_t)p->head));
    json_object_set_new(o, "body", json_integer((json_int_t)p->body));
    json_object_set_new(o, "end", json_integer((json_int_t)p->end));
    json_object_set_new(o, "size",
                        json_integer((json_int_t)(p->end - p->body)));
    json_object_set_new(o, "lines", json_integer((json_int_t)p->body_lines));
    json_object_set_new(o, "flags", flags_json(p));
    json_object_set_new(o, "parts", json_array());
    buf_clear(&section);
    buf_clear(&type);
    buf_clear(&name);
    return o;
}

/* Nested as the message is: as deep as its limits allow. */
static json_t *
tree_json(const struct mime_part *p)
{
    json_t *o = part_json(p), *inner = json_object_get(o, "parts");

    for (const struct mime_part *c = p->child; c; c = c->next)
        json_array_append_new(inner, tree_json(c));
    return o;
}

/* IMAP text; beside it the very bytes where they are no UTF-8. */
static void
imap_set(json_t *o, const char *key, struct slice text)
{
    struct buf coded = BUF_INIT(BUF_OURS);
    char name[40];

    json_object_set_new(o, key, ctl_json_text(text));
    if (mime_is_utf8(text))
        return;
    snprintf(name, sizeof name, "%s_base64", key);
    code_base64_write(&coded, text, 0);
    json_object_set_new(o, name, json_stringn(coded.data, coded.len));
    buf_clear(&coded);
}

static json_t *
message_json(const struct mime_message *m, struct err *e)
{
    struct buf envelope = BUF_INIT(TEXT_MAX), structure = BUF_INIT(TEXT_MAX);
    struct buf body = BUF_INIT(TEXT_MAX);
    json_t *o = NULL;

    if (mime_imap_envelope(m, NULL, &envelope, e) == 0 &&
        mime_imap_structure(m, true, &structure, e) == 0 &&
        mime_imap_structure(m, false, &body, e) == 0) {
        const struct mime_part *root = mime_message_root(m);

        o = json_object();
        json_object_set_new(o, "size",
                            json_integer((json_int_t)mime_message_raw(m).n));
        json_object_set_new(
            o, "header_size",
            json_integer((json_int_t)(root->body - root->head)));
        json_object_set_new(o, "parts",
                            json_integer(mime_message_parts(m)));
        json_object_set_new(o, "cut", json_boolean(mime_message_is_cut(m)));
        imap_set(o, "envelope", buf_slice(&envelope));
        imap_set(o, "bodystructure", buf_slice(&structure));
        imap_set(o, "body", buf_slice(&body));
        json_object_set_new(o, "tree", tree_json(root));
    }
    buf_clear(&envelope);
    buf_clear(&structure);
    buf_clear(&body);
    return o;
}

static void
show_part(const json_t *o, unsigned depth, FILE *to)
{
    char section[200], name[400], size[40], lines[40];
    const json_t *flag;
    size_t i;

    fprintf(to, "%*s", (int)(2 * depth), "");
    ctl_text(o, "section", section, sizeof section);
    fprintf(to, "%s  ", strcmp(section, "-") == 0 ? "(all)" : section);
    ctl_put(to, slice_of(ctl_text(o, "type", name, sizeof name)), false);
    fprintf(to, "  %s bytes, %s lines, ",
            ctl_text(o, "size", size, sizeof size),
            ctl_text(o, "lines", lines, sizeof lines));
    ctl_put(to, slice_of(ctl_text(o, "encoding", name, sizeof name)), false);
    if (json_is_string(json_object_get(o, "filename"))) {
        fputs(", \"", to);
        ctl_put(to, slice_of(ctl_text(o, "filename", name, sizeof name)),
                false);
        fputc('"', to);
    }
    json_array_foreach(json_object_get(o, "flags"), i, flag)
        if (strcmp(json_string_value(flag), "root") != 0)
            fprintf(to, "  [%s]", json_string_value(flag));
    fputc('\n', to);
    json_array_foreach(json_object_get(o, "parts"), i, flag)
        show_part(flag, depth + 1, to);
}

static void
show(const json_t *o, FILE *to)
{
    static const struct {
        const char *key, *title;
    } lines[] = {{"envelope", "ENVELOPE"},
                 {"bodystructure", "BODYSTRUCTURE"},
                 {"body", "BODY"}};

    fprintf(to, "RFC822.SIZE %lld\nRFC822.HEADER %lld\n",
            (long long)json_integer_value(json_object_get(o, "size")),
            (long long)json_integer_value(json_object_get(o, "header_size")));
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        fprintf(to, "%s ", lines[i].title);
        ctl_put(to, slice_of(json_string_value(
                        json_object_get(o, lines[i].key))), true);
        fputc('\n', to);
    }
    fputc('\n', to);
    show_part(json_object_get(o, "tree"), 0, to);
    if (json_is_true(json_object_get(o, "cut")))
        fputs("(something is beyond a limit and was not looked into)\n", to);
}

int
ctl_cmd_mime(struct ctl *c, struct err *e)
{
    struct buf file = BUF_INIT(MESSAGE_MAX), crlf = BUF_INIT(MESSAGE_MAX * 2);
    struct mime_message *m = NULL;
    json_t *o = NULL;
    int rc = ctl_read(c->operand[0], &file, e);

    /* IMAP knows CRLF only: its sizes are those of the message so written. */
    if (rc == 0 && mime_write_crlf(buf_slice(&file), &crlf))
        rc = err_set(e, E_LIMIT, "the message is too large");
    if (rc == 0)
        rc = mime_message_parse(buf_slice(&crlf), NULL, &m, e);
    if (rc == 0 && !(o = message_json(m, e)))
        rc = -1;
    if (rc == 0)
        rc = ctl_print(c, o, show, e);
    mime_message_free(&m);
    buf_clear(&file);
    buf_clear(&crlf);
    return rc;
}
