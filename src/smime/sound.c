/*
 * Whether what came out of a cipher without authentication can be what went
 * in. CBC says nothing about that: a wrong key ends in a good padding once in
 * 256 times (and libcrypto makes up a key where PKCS#1 padding does not fit,
 * so that nobody learns of it), and blocks cut out, put in or turned (EFAIL)
 * leave bytes behind that no mail program writes. Nobody proves anything
 * here; the reader is told, and noise is not shown as mail.
 */
#include "smime/private.h"

#include "mime/encoding.h"
#include "mime/header.h"
#include "mime/message.h"

/* Controls that text has: tab, line ends, form feed, and the escape of
 * ISO-2022 charsets. */
static bool
has_controls(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' &&
             c != 0x1b) ||
            c == 0x7f)
            return true;
    }
    return false;
}

static bool
is_text(struct slice s)
{
    return !has_controls(s) && mime_is_utf8(s);
}

/* A header section of fields only, or none at all, and an empty line. */
static bool
header_is_sound(struct slice entity)
{
    struct slice head = slice_cut(entity, 0, mime_header_length(entity));
    struct slice rest = head;
    struct mime_field f;

    while (mime_field_next(&rest, &f))
        if (!f.name.n)
            return false;
    return head.n && !has_controls(head);
}

static bool
starts_with_field(struct slice entity)
{
    struct slice rest = entity;
    struct mime_field f;

    if (entity.n && (entity.p[0] == '\n' || entity.p[0] == '\r'))
        return true; /* an entity without fields */
    return mime_field_next(&rest, &f) && f.name.n;
}

bool
smime_is_noise(struct slice content)
{
    return content.n && !starts_with_field(content) && !is_text(content);
}

static bool
part_is_sound(const struct mime_message *m, const struct mime_part *p)
{
    if (p->flags & (MIME_PART_BROKEN | MIME_PART_UNCLOSED))
        return false;
    return mime_part_is_multipart(p) || mime_part_is_message(p) ||
           p->encoding == MIME_BINARY || !has_controls(mime_part_body(m, p));
}

bool
smime_is_sound(struct slice content)
{
    const struct mime_part *p = NULL;
    struct mime_message *m = NULL;
    bool sound = header_is_sound(content);
    struct err e;

    if (!sound || mime_message_parse(content, NULL, &m, &e))
        return false;
    while (sound && (p = mime_part_next(m, p)))
        sound = part_is_sound(m, p);
    mime_message_free(&m);
    return sound;
}
