/*
 * What a submission server adds to a mail (RFC 5321 section 4.4, RFC 6409
 * section 8): a trace, and the two fields that every mail must have.
 *
 * The trace says the peer's address and nothing of its name or ours: mail
 * programs greet with the name of the computer, which is nobody's business.
 */
#include <string.h>

#include "base/code.h"
#include "mime/date.h"
#include "mime/header.h"
#include "smtp/private.h"

void
smtp_receive_trace(const char *host, bool tls, int64_t now, struct buf *out)
{
    const char *v6 = strchr(host, ':') ? "IPv6:" : "";

    /* RFC 3848: authenticated, with TLS or without. */
    buf_addf(out, "Received: from [%s%s] by localhost with %s; ", v6,
             *host && strcmp(host, "local") != 0 ? host : "127.0.0.1",
             tls ? "ESMTPSA" : "ESMTPA");
    mime_date_write(now, 0, out);
    buf_adds(out, "\r\n");
}

static void
insert(struct buf *b, size_t at, struct slice what)
{
    if (!what.n || !buf_room(b, what.n))
        return;
    memmove(b->data + at + what.n, b->data + at, b->len - at);
    memcpy(b->data + at, what.p, what.n);
    buf_added(b, what.n);
}

int
smtp_receive_complete(struct buf *mime, size_t head, const char *domain,
                      int64_t now, struct smtp_reply *bad)
{
    struct slice header = slice_from(buf_slice(mime), head);
    struct buf add = BUF_INIT(SMTP_RECEIVED_MAX);
    struct mime_field f;
    char id[33];

    header.n = mime_header_length(header);
    if (mime_header_count(header, "Received") > SMTP_HOPS_MAX)
        return smtp_reply_set(bad, 554, "5.4.6",
                              "more than %u Received fields: it goes in "
                              "circles", SMTP_HOPS_MAX);
    if (!mime_header_find(header, "Message-ID", 0, &f)) {
        code_random_hex(id, 16);
        buf_addf(&add, "Message-ID: <%s@%.180s>\r\n", id, domain);
    }
    if (!mime_header_find(header, "Date", 0, &f)) {
        buf_adds(&add, "Date: ");
        mime_date_write(now, 0, &add);
        buf_adds(&add, "\r\n");
    }
    insert(mime, head, buf_slice(&add));
    buf_clear(&add);
    return mime->over ? smtp_reply_set(bad, 552, "5.3.4", "too large") : 0;
}
