/*
 * Questions to one part of a parsed message: type, parameters, bytes,
 * decoded text. The tree itself is made by message.c.
 */
#include <string.h>

#include "base/buf.h"
#include "mime/message.h"

const struct mime_part *
mime_part_next(const struct mime_message *m, const struct mime_part *p)
{
    if (p == NULL)
        return mime_message_root(m);
    if (p->child != NULL)
        return p->child;
    while (p != NULL && p->next == NULL)
        p = p->parent;
    return p != NULL ? p->next : NULL;
}

bool
mime_part_is(const struct mime_part *p, const char *type,
             const char *subtype)
{
    return strcmp(p->type, type) == 0 &&
           (subtype == NULL || strcmp(p->subtype, subtype) == 0);
}

bool
mime_part_is_multipart(const struct mime_part *p)
{
    return p->child != NULL && strcmp(p->type, "multipart") == 0;
}

bool
mime_part_is_message(const struct mime_part *p)
{
    return p->child != NULL && strcmp(p->type, "message") == 0;
}

struct slice
mime_part_head(const struct mime_message *m, const struct mime_part *p)
{
    return slice_cut(mime_message_raw(m), p->head, p->body);
}

struct slice
mime_part_body(const struct mime_message *m, const struct mime_part *p)
{
    return slice_cut(mime_message_raw(m), p->body, p->end);
}

struct slice
mime_part_whole(const struct mime_message *m, const struct mime_part *p)
{
    return slice_cut(mime_message_raw(m), p->head, p->end);
}

static const char *
param_find(const struct mime_param *p, const char *name)
{
    for (; p != NULL; p = p->next)
        if (strcmp(p->name, name) == 0)
            return p->value;
    return NULL;
}

const char *
mime_part_param(const struct mime_part *p, const char *name)
{
    return param_find(p->params, name);
}

bool
mime_part_filename(const struct mime_part *p, struct buf *out)
{
    const char *name = param_find(p->disposition_params, "filename");

    if (name == NULL)
        name = mime_part_param(p, "name");
    if (name == NULL)
        return false;
    mime_words_decode(slice_of(name), out);
    return true;
}

int
mime_part_decode(const struct mime_message *m, const struct mime_part *p,
                 struct buf *out)
{
    return mime_decode(p->encoding, mime_part_body(m, p), out);
}

int
mime_part_text(const struct mime_message *m, const struct mime_part *p,
               struct buf *out)
{
    struct slice body = mime_part_body(m, p);
    struct buf bytes = BUF_INIT(body.n + 16);
    int rc = mime_part_decode(m, p, &bytes);

    if (rc == 0)
        rc = mime_charset_utf8(mime_part_param(p, "charset"),
                               buf_slice(&bytes), out);
    buf_clear(&bytes);
    return rc;
}
