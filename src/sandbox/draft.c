/*
 * Drafts (16.0 and later): a message made of an ApplicationData, either
 * complete MIME (Type 4) or fields with a text (MS-ASEMAIL 3.1.5.4).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/now.h"
#include "mime/address.h"
#include "mime/encoding.h"
#include "mime/header.h"
#include "mime/write.h"
#include "sandbox/call.h"
#include "sandbox/changes.h"

#define PART_MAX ((size_t)64 << 20)
#define ATTACHMENTS_MAX 100

/* Which elements may stand beside which body. */
static bool
is_allowed(unsigned tag, bool mime)
{
    static const unsigned always[] = {EMAIL_IMPORTANCE, BASE_ATTACHMENTS,
                                      BASE_BODY, EMAIL_READ, EMAIL_FLAG};
    static const unsigned fields[] = {EMAIL_TO, EMAIL_CC, EMAIL2_BCC,
                                      EMAIL_SUBJECT, EMAIL_REPLY_TO};

    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        if (always[i] == tag)
            return true;
    for (size_t i = 0; !mime && i < ARRAY_LEN(fields); i++)
        if (fields[i] == tag)
            return true;
    return false;
}

static int
mime_draft(const struct wbxml_node *data, struct buf *out)
{
    struct slice mime = wbxml_text(data, BASE_BODY, BASE_DATA, 0);
    struct slice rest = slice_cut(mime, 0, mime_header_length(mime));
    struct mime_field f;

    if (!mime.n || !mime_field_next(&rest, &f) || !f.name.n)
        return 6;
    /* Parts beside complete MIME would have to be merged into it. */
    if (wbxml_has(data, BASE_ATTACHMENTS, 0))
        return 6;
    return buf_add_slice(out, mime) ? 6 : 0;
}

/* ---- from fields */

static void
write_addresses(const struct wbxml_node *data, unsigned tag, const char *name,
                struct buf *out)
{
    struct mime_addresses list = {0};
    char *text;

    if (!wbxml_text(data, tag, 0).n)
        return;
    text = slice_dup(wbxml_text(data, tag, 0));
    for (char *p = text; *p && tag == EMAIL_REPLY_TO; p++)
        if (*p == ';')
            *p = ',';
    mime_addresses_parse(slice_of(text), &list);
    mime_write_addresses(name, &list, out);
    mime_addresses_clear(&list);
    free(text);
}

static void
write_header(struct call *c, const struct wbxml_node *data, struct buf *out)
{
    long importance = wbxml_number(data, 1, EMAIL_IMPORTANCE, 0);

    buf_addf(out, "From: %s\r\n", c->user->address);
    write_addresses(data, EMAIL_TO, "To", out);
    write_addresses(data, EMAIL_CC, "Cc", out);
    write_addresses(data, EMAIL2_BCC, "Bcc", out);
    write_addresses(data, EMAIL_REPLY_TO, "Reply-To", out);
    mime_write_field("Subject", wbxml_text(data, EMAIL_SUBJECT, 0), out);
    mime_write_date("Date", now_unix(), 0, out);
    if (importance != 1)
        buf_addf(out, "Importance: %s\r\n", importance > 1 ? "high" : "low");
    buf_adds(out, "MIME-Version: 1.0\r\n");
}

static int
write_text(const struct wbxml_node *data, struct buf *out)
{
    long type = wbxml_number(data, 1, BASE_BODY, BASE_TYPE, 0);
    struct slice text = wbxml_text(data, BASE_BODY, BASE_DATA, 0);

    if (type == 3)
        return 6; /* RTF is not understood here */
    buf_addf(out,
             "Content-Type: text/%s; charset=utf-8\r\n"
             "Content-Transfer-Encoding: base64\r\n\r\n",
             type == 2 ? "html" : "plain");
    mime_encode_base64(text, out);
    return 0;
}

/* MS-ASAIRS 2.2.2.2: ClientId, Content, DisplayName and Method are needed. */
static int
write_attachment(const struct wbxml_node *n, struct buf *out)
{
    struct slice type = wbxml_text(n, BASE_CONTENT_TYPE, 0);
    struct slice name = wbxml_text(n, BASE_DISPLAY_NAME, 0);
    size_t column = 30;

    if (n->tag != BASE_ADD || !wbxml_text(n, BASE_CLIENT_ID, 0).n || !name.n ||
        !wbxml_has(n, BASE_CONTENT, 0) || !wbxml_has(n, BASE_METHOD, 0) ||
        slice_has(type, '\n') || slice_has(type, '\r'))
        return 6;
    buf_adds(out, "Content-Type: ");
    buf_add_slice(out, type.n ? type : SLICE("application/octet-stream"));
    buf_adds(out, "\r\nContent-Transfer-Encoding: base64\r\n"
                  "Content-Disposition: attachment");
    mime_param_write("filename", name, &column, out);
    buf_adds(out, "\r\n\r\n");
    mime_encode_base64(wbxml_text(n, BASE_CONTENT, 0), out);
    return 0;
}

static int
write_parts(const struct wbxml_node *data, struct buf *out)
{
    const struct wbxml_node *n = wbxml_find(data, BASE_ATTACHMENTS, 0);
    struct buf parts[1 + ATTACHMENTS_MAX];
    struct slice slices[1 + ATTACHMENTS_MAX];
    char boundary[MIME_BOUNDARY_SIZE];
    size_t count = 0;
    int status;

    parts[count] = BUF_INIT(PART_MAX);
    status = write_text(data, &parts[count++]);
    for (n = n->child; n && !status && count <= ATTACHMENTS_MAX; n = n->next) {
        parts[count] = BUF_INIT(PART_MAX);
        status = write_attachment(n, &parts[count++]);
    }
    for (size_t i = 0; i < count; i++)
        slices[i] = buf_slice(&parts[i]);
    mime_write_boundary(boundary);
    if (!status &&
        mime_write_multipart("mixed", boundary, NULL, slices, count, out))
        status = 6;
    for (size_t i = 0; i < count; i++)
        buf_clear(&parts[i]);
    return status;
}

int
draft_build(struct call *c, const struct wbxml_node *data, struct buf *out)
{
    bool mime = wbxml_number(data, 1, BASE_BODY, BASE_TYPE, 0) == 4;

    for (const struct wbxml_node *n = data->child; n; n = n->next)
        if (!is_allowed(n->tag, mime) || wbxml_again(n))
            return 6;
    if (mime && call_quirk(c, QUIRK_DRAFTS_DIE, NULL, NULL, NULL)) {
        c->trick.kind = TRICK_DROP_AFTER; /* of nothing */
        return 5;
    }
    if (mime)
        return mime_draft(data, out);
    write_header(c, data, out);
    return wbxml_has(data, BASE_ATTACHMENTS, 0) ? write_parts(data, out)
                                                : write_text(data, out);
}
