/*
 * What a listing shows of a message, read from its header once and kept in
 * the index, so that listing a folder opens no file.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "mime/address.h"
#include "mime/header.h"
#include "sandbox/mail.h"

#define TEXT_MAX 32768 /* MS-ASEMAIL 2.2.2.79 */

/* `"Name" <address>`, ", " between them: the form of To, Cc and From. */
static void
address_write(const struct mime_address *a, struct buf *out)
{
    struct buf name = BUF_INIT(4096);

    mime_address_name(a, &name);
    if (name.len) {
        buf_addc(out, '"');
        for (size_t i = 0; i < name.len; i++) {
            if (name.data[i] == '"' || name.data[i] == '\\')
                buf_addc(out, '\\');
            buf_addc(out, name.data[i]);
        }
        buf_adds(out, "\" <");
    }
    mime_address_spec(a, out);
    if (name.len)
        buf_addc(out, '>');
    buf_clear(&name);
}

static char *
addresses_text(struct slice header, const char *field, const char *between)
{
    struct mime_addresses list = {0};
    struct buf out = BUF_INIT(TEXT_MAX);
    const struct mime_address *a;
    size_t at = 0, whole;

    mime_addresses_header(header, field, &list);
    while ((a = mime_addresses_next(&list, &at))) {
        whole = out.len;
        if (out.len)
            buf_adds(&out, between);
        address_write(a, &out);
        if (out.over) {
            buf_truncate(&out, whole);
            break;
        }
    }
    mime_addresses_clear(&list);
    return buf_take(&out, NULL);
}

static char *
subject_text(struct slice header)
{
    struct buf out = BUF_INIT(TEXT_MAX);

    mime_header_text(header, "subject", &out);
    return buf_take(&out, NULL);
}

/* MS-ASEMAIL 2.2.2.49, by the Content-Type alone as a server sees it first:
 * application/pkcs7-mime is IPM.Note.SMIME, multipart/signed of S/MIME is
 * .MultipartSigned, reports have their own classes. */
static const char *
class_of(const char *type)
{
    struct slice t = slice_trim(slice_of(type));

    if (slice_istarts(t, "application/pkcs7-mime") ||
        slice_istarts(t, "application/x-pkcs7-mime"))
        return "IPM.Note.SMIME";
    if (slice_istarts(t, "multipart/signed"))
        return strcasestr(type, "pkcs7-signature")
                   ? "IPM.Note.SMIME.MultipartSigned"
                   : "IPM.Note";
    if (slice_istarts(t, "multipart/report"))
        return strcasestr(type, "disposition-notification")
                   ? "REPORT.IPM.NOTE.IPNRN"
                   : "REPORT.IPM.NOTE.NDR";
    return "IPM.Note";
}

static int
importance_of(struct slice header, struct arena *a)
{
    const char *text = mime_header_value(header, "importance", a);

    if (!text)
        text = mime_header_value(header, "x-priority", a);
    if (!text)
        return 1;
    if (slice_istarts(slice_of(text), "high") || text[0] == '1' ||
        text[0] == '2')
        return 2;
    if (slice_istarts(slice_of(text), "low") || text[0] == '4' ||
        text[0] == '5')
        return 0;
    return 1;
}

struct listing *
listing_read(struct slice header)
{
    struct arena *a = arena_new();
    struct listing *l = xcalloc(1, sizeof *l);
    const char *type = mime_header_value(header, "content-type", a);

    l->from = addresses_text(header, "from", ", ");
    l->to = addresses_text(header, "to", ", ");
    l->cc = addresses_text(header, "cc", ", ");
    l->bcc = addresses_text(header, "bcc", ", ");
    l->reply_to = addresses_text(header, "reply-to", ";");
    l->subject = subject_text(header);
    l->message_class = xstrdup(class_of(type ? type : ""));
    l->importance = importance_of(header, a);
    l->native = !type || slice_istarts(slice_trim(slice_of(type)),
                                       "text/plain")
                    ? 1
                    : 2;
    arena_free(&a);
    return l;
}

void
listing_free(struct listing **lp)
{
    struct listing *l = *lp;

    if (!l)
        return;
    free(l->from);
    free(l->to);
    free(l->cc);
    free(l->bcc);
    free(l->reply_to);
    free(l->subject);
    free(l->message_class);
    free(l);
    *lp = NULL;
}
