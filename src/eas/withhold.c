/*
 * Mail of which the policy lets only a part in (SPEC section 9, MS-ASPROV
 * 2.2.2.10, .31, .33, .34): what the limits are, whether a message is within
 * them by what the server tells of it, and the message that is made in its
 * place. Used by items.c, so that no way of fetching leads around it.
 *
 * The sizes of text are kilobytes, as administrators set them; a server that
 * reads them otherwise cuts earlier, and its cut counts.
 */
#include <stdlib.h>
#include <string.h>

#include "eas/items_private.h"
#include "mime/encoding.h"
#include "mime/header.h"
#include "mime/write.h"

#define KB 1024
#define LIMIT_MAX ((int64_t)1 << 20) /* KB: more is no limit for mail */

static int64_t
in_bytes(int64_t kb)
{
    return kb < 0 || kb > LIMIT_MAX ? -1 : kb * KB;
}

struct fetch_limits
eas_limits_now(const struct eas *eas)
{
    const struct eas_policy *p = &eas->policy;
    struct fetch_limits l = {.text = -1, .html = -1};

    if (!eas->has_policy)
        return l;
    l.no_files = p->no_attachments;
    l.max_file = p->max_attachment;
    l.text = in_bytes(p->max_text);
    l.html = in_bytes(p->max_html);
    l.any = l.no_files || l.max_file || l.text >= 0 || l.html >= 0;
    return l;
}

void
eas_look_clear(struct look *l)
{
    for (size_t i = 0; i < LOOK_FIELDS; i++)
        free(l->field[i]);
    for (size_t i = 0; i < l->nfiles; i++)
        free(l->files[i].name);
    free(l->files);
    *l = (struct look){0};
}

/* ---- judging */

bool
eas_look_is_smime(struct slice mime)
{
    struct slice head = slice_cut(mime, 0, mime_header_length(mime));
    struct arena *a = arena_new();
    const char *type = mime_header_value(head, "content-type", a);
    bool is;

    type = type ? type : "";
    is = slice_istarts(slice_of(type), "application/pkcs7-mime") ||
         slice_istarts(slice_of(type), "application/x-pkcs7-mime") ||
         (slice_istarts(slice_of(type), "multipart/signed") &&
          strcasestr(type, "pkcs7-signature"));
    arena_free(&a);
    return is;
}

static bool
file_fits(const struct fetch_limits *l, uint64_t size)
{
    return !l->no_files && (!l->max_file || size <= l->max_file);
}

static bool
files_fit(const struct fetch_limits *l, const struct look *look)
{
    for (size_t i = 0; i < look->nfiles; i++)
        if (!file_fits(l, look->files[i].size))
            return false;
    return !look->more || (!l->no_files && !l->max_file);
}

bool
eas_look_fits(const struct fetch_limits *l, const struct look *look, bool cut)
{
    return !cut && files_fit(l, look);
}

/* ---- the message in its place */

static void
write_head(const struct look *look, bool files, bool cut, struct buf *out)
{
    static const char *const names[LOOK_FIELDS] = {"From", "To", "Cc",
                                                   "Reply-To", "Subject"};

    for (size_t i = 0; i < LOOK_FIELDS; i++)
        if (look->field[i] && *look->field[i])
            mime_write_field(names[i], slice_of(look->field[i]), out);
    if (look->received > 0)
        mime_write_date("Date", look->received, 0, out);
    mime_write_raw("MIME-Version", slice_of("1.0"), out);
    mime_write_raw("X-Sealpost-Withheld",
                   slice_of(files && cut ? "attachments, text"
                            : files      ? "attachments"
                                         : "text"),
                   out);
}

/* Names are the sender's: no line of theirs may look like one of ours. */
static void
note_name(const char *name, struct buf *out)
{
    for (const char *p = name && *name ? name : "without a name"; *p; p++)
        buf_addc(out, (unsigned char)*p < ' ' || *p == 0x7f ? ' ' : *p);
}

static void
note_files(const struct look *look, struct buf *out)
{
    buf_adds(out, "This message came without its attachments, for the "
                  "policy of the server\r\ndoes not let all of them in:\r\n");
    for (size_t i = 0; i < look->nfiles; i++) {
        buf_adds(out, "  ");
        note_name(look->files[i].name, out);
        if (look->files[i].size != UINT64_MAX)
            buf_addf(out, " (about %llu bytes)",
                     (unsigned long long)look->files[i].size);
        buf_adds(out, "\r\n");
    }
    if (look->more)
        buf_addf(out, "  and %zu more\r\n", look->more);
}

static void
write_note(const struct look *look, bool files, bool cut, struct buf *out)
{
    buf_adds(out, "-- \r\n");
    if (files)
        note_files(look, out);
    if (cut)
        buf_adds(out, "The text of this message was cut by the server, for "
                      "its policy lets\r\nno more of it in.\r\n");
    buf_adds(out, "The whole message is on the server.\r\n");
}

/* A text/html entity; blanks and lines as the server gave them. */
static int
write_html(struct slice html, struct buf *out)
{
    struct buf crlf = BUF_INIT(out->limit);
    int rc = mime_write_crlf(html, &crlf);

    buf_adds(out, "Content-Type: text/html; charset=utf-8\r\n"
                  "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    rc |= mime_encode_qp(buf_slice(&crlf), true, out);
    buf_clear(&crlf);
    return rc;
}

/* The boundary is always the same, for the bytes have to be; no line of
 * quoted-printable is it, since "=_" cannot be in one. */
static int
write_mixed(struct slice html, struct slice note, struct buf *out)
{
    struct buf a = BUF_INIT(out->limit), b = BUF_INIT(out->limit);
    struct slice both[2];
    int rc = write_html(html, &a) | mime_write_text(note, &b);

    both[0] = buf_slice(&a);
    both[1] = buf_slice(&b);
    if (!rc)
        rc = mime_write_multipart("mixed", "=_withheld", NULL, both, 2, out);
    buf_clear(&a);
    buf_clear(&b);
    return rc;
}

int
eas_look_make(const struct fetch_limits *l, const struct look *look,
              struct slice text, bool cut, struct buf *out)
{
    bool files = !files_fit(l, look);
    struct buf note = BUF_INIT((size_t)4 << 20), all = BUF_INIT(out->limit);
    int rc;

    write_head(look, files, cut, out);
    write_note(look, files, cut, &note);
    if (look->type == 2) {
        rc = write_mixed(text, buf_slice(&note), out);
    } else {
        rc = mime_write_crlf(text, &all);
        if (text.n)
            rc |= buf_adds(&all, "\r\n\r\n");
        rc |= buf_add_slice(&all, buf_slice(&note));
        rc |= mime_write_text(buf_slice(&all), out);
    }
    buf_clear(&note);
    buf_clear(&all);
    return rc || out->over || note.over ? -1 : 0;
}
