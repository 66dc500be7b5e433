/*
 * Attachments: listed in base:Attachments, named by a FileReference
 * ("FOLDER:UID:PART", where PART counts the leaves of the message), fetched
 * decoded.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "mime/message.h"
#include "sandbox/body.h"
#include "sandbox/call.h"

#define FILE_MAX ((size_t)200 << 20)

/* A leaf, or an embedded message taken as a file. */
static bool
is_file(const struct mime_part *p)
{
    return mime_part_is_message(p) ||
           (!p->child &&
            (body_is_attachment(p) ||
             (p->disposition && !strcmp(p->disposition, "attachment"))));
}

/* Nothing inside of an attached message counts. */
static bool
is_inside_message(const struct mime_part *p)
{
    for (p = p->parent; p; p = p->parent)
        if (mime_part_is_message(p))
            return true;
    return false;
}

static const struct mime_part *
next_file(const struct mime_message *m, const struct mime_part *p,
          unsigned *number)
{
    while ((p = mime_part_next(m, p))) {
        ++*number;
        if (is_file(p) && !is_inside_message(p))
            return p;
    }
    return NULL;
}

static void
write_one(struct call *c, const struct message *m,
          const struct mime_message *mime, const struct mime_part *p,
          unsigned number)
{
    struct buf name = BUF_INIT(4096);
    char reference[64];

    if (!mime_part_filename(p, &name))
        buf_adds(&name, mime_part_is_message(p)       ? "message.eml"
                        : strstr(p->subtype, "pkcs7") ? "smime.p7m"
                                                      : "attachment");
    snprintf(reference, sizeof reference, "%u%%3a%u%%3a%u", m->folder->id,
             m->uid, number);
    wbxml_write_start(&c->w, BASE_ATTACHMENT);
    wbxml_write_slice(&c->w, BASE_DISPLAY_NAME, buf_slice(&name));
    wbxml_write_text(&c->w, BASE_FILE_REFERENCE, reference);
    wbxml_write_text(&c->w, BASE_METHOD, mime_part_is_message(p) ? "5" : "1");
    wbxml_write_number(&c->w, BASE_ESTIMATED_DATA_SIZE,
                       (long)mime_part_body(mime, p).n);
    if (p->id)
        wbxml_write_text(&c->w, BASE_CONTENT_ID, p->id);
    if (p->disposition && !strcmp(p->disposition, "inline"))
        wbxml_write_text(&c->w, BASE_IS_INLINE, "1");
    wbxml_write_end(&c->w);
    buf_clear(&name);
}

void
attachments_write(struct call *c, const struct message *m,
                  const struct mime_message *mime)
{
    const struct mime_part *p = NULL;
    unsigned number = 0;
    bool open = false;

    while ((p = next_file(mime, p, &number))) {
        if (!open)
            wbxml_write_start(&c->w, BASE_ATTACHMENTS);
        open = true;
        write_one(c, m, mime, p, number);
    }
    if (open)
        wbxml_write_end(&c->w);
}

bool
attachments_over(const struct mime_message *m, uint64_t most)
{
    const struct mime_part *p = NULL;
    unsigned number = 0;

    while ((p = next_file(m, p, &number)))
        if (mime_part_body(m, p).n > most)
            return true;
    return false;
}

static int
part_read(const struct mime_message *mime, unsigned wanted, struct call *c,
          struct buf *out, const char **type_out)
{
    const struct mime_part *p = NULL;
    unsigned number = 0;

    while ((p = next_file(mime, p, &number)))
        if (number == wanted)
            break;
    if (!p)
        return 15;
    if (mime_part_is_message(p))
        buf_add_slice(out, mime_part_body(mime, p));
    else
        mime_part_decode(mime, p, out);
    *type_out = arena_printf(c->arena, "%s/%s", p->type, p->subtype);
    return 0;
}

int
attachment_read(struct call *c, const char *reference, struct buf *out,
                const char **type_out)
{
    struct buf raw = BUF_INIT(FILE_MAX);
    struct mime_message *mime = NULL;
    unsigned folder, uid, number;
    struct folder *f;
    struct message *m;
    struct err e;
    int status = 15;

    if (sscanf(reference, "%u%%3a%u%%3a%u", &folder, &uid, &number) == 3 &&
        (f = tree_find(c->user, folder)) && (m = folder_find(f, uid)) &&
        !folder_read(m, &raw, &e) &&
        !mime_message_parse(buf_slice(&raw), NULL, &mime, &e))
        status = part_read(mime, number, c, out, type_out);
    mime_message_free(&mime);
    buf_clear(&raw);
    return status;
}
