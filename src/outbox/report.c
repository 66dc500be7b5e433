/*
 * What the account's owner is told of a message that was given up after it
 * had been taken over: an RFC 3464 report, as a local message in INBOX.
 * Called by outbox.c inside the transaction that takes the message out of the
 * queue, so that there is exactly one of the two.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/code.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "mime/date.h"
#include "outbox/private.h"
#include "store/body.h"
#include "store/folder.h"
#include "store/message.h"

#define REPORT_MAX ((size_t)4 << 20)
#define FROM "Sealpost <mailer-daemon@localhost>"

/* Enhanced status (RFC 3463) of a final failure. */
static const struct {
    enum err_code code;
    const char *status;
} statuses[] = {
    {E_RETRY, "4.4.7"}, {E_LOGIN, "4.7.0"},  {E_LOCKED, "4.7.0"},
    {E_DENIED, "5.7.1"}, {E_NOCERT, "5.7.5"}, {E_CRYPTO, "5.7.5"},
    {E_INPUT, "5.6.0"}, {E_LIMIT, "5.3.4"},  {E_QUOTA, "5.2.2"},
};

static const char *
status_of(enum err_code code)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (statuses[i].code == code)
            return statuses[i].status;
    return "5.0.0";
}

/* The text as it may stand in a delivery-status field. */
static void
add_ascii(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        buf_addc(out, c < ' ' || c > 126 ? '?' : (char)c);
    }
}

static void
text_part(const struct store_submission *q, const struct err *why,
          struct buf *out)
{
    struct buf text = BUF_INIT(REPORT_MAX);
    struct slice rest = slice_of(q->recipients), one;

    buf_adds(&text, "Your mail gateway had taken over a message of yours and "
                    "could not send it to\r\n\r\n");
    while (rest.n && slice_next(&rest, ' ', &one))
        buf_addf(&text, "    %.*s\r\n", SLICE_FMT(one));
    buf_addf(&text, "\r\nThe reason: %s\r\n\r\n", why->text);
    buf_adds(&text, "It was taken over on ");
    mime_date_write(q->created, 0, &text);
    buf_addf(&text, " and tried %lld times.\r\nIts Message-ID is %s.\r\n",
             (long long)q->tries, q->message_id);
    mime_write_text(buf_slice(&text), out);
    buf_clear(&text);
}

static void
status_part(const struct store_submission *q, const struct err *why,
            struct buf *out)
{
    struct slice rest = slice_of(q->recipients), one;

    buf_adds(out, "Content-Type: message/delivery-status\r\n\r\n"
                  "Reporting-MTA: dns; localhost\r\nArrival-Date: ");
    mime_date_write(q->created, 0, out);
    buf_adds(out, "\r\n");
    while (rest.n && slice_next(&rest, ' ', &one)) {
        buf_adds(out, "\r\nFinal-Recipient: rfc822; ");
        add_ascii(out, one);
        buf_addf(out, "\r\nAction: failed\r\nStatus: %s\r\n"
                      "Diagnostic-Code: X-Sealpost; ",
                 status_of(why->code));
        add_ascii(out, slice_of(why->text));
        buf_adds(out, "\r\n");
    }
}

/* Of the message itself only what names it: its Subject may be secret. */
static int
report_write(const struct outbox *ob, const struct store_submission *q,
             const struct err *why, struct buf *out)
{
    char boundary[MIME_BOUNDARY_SIZE], id[33];
    struct buf text = BUF_INIT(REPORT_MAX), status = BUF_INIT(REPORT_MAX);
    struct buf head = BUF_INIT(REPORT_MAX);
    struct slice parts[3];
    int rc;

    code_random_hex(id, 16);
    mime_write_boundary(boundary);
    text_part(q, why, &text);
    status_part(q, why, &status);
    buf_addf(&head, "Content-Type: text/rfc822-headers\r\n\r\n"
                    "Message-ID: %s\r\n", q->message_id);
    parts[0] = buf_slice(&text);
    parts[1] = buf_slice(&status);
    parts[2] = buf_slice(&head);
    buf_addf(out, "From: " FROM "\r\nTo: %s\r\nSubject: Mail could not be "
                  "sent\r\n", ob->settings->address);
    mime_write_date("Date", now_unix(), 0, out);
    buf_addf(out, "Message-ID: <%s@localhost>\r\nIn-Reply-To: %s\r\n"
                  "References: %s\r\nAuto-Submitted: auto-replied\r\n"
                  "MIME-Version: 1.0\r\n",
             id, q->message_id, q->message_id);
    rc = mime_write_multipart("report", boundary,
                              "; report-type=delivery-status", parts, 3, out);
    rc = rc || text.over || status.over || out->over ? -1 : 0;
    buf_clear(&text);
    buf_clear(&status);
    buf_clear(&head);
    return rc;
}

static int
report_keep(struct outbox *ob, int64_t inbox, struct slice report,
            struct err *e)
{
    char name[40] = "report-";
    struct store_item item = {
        .server_id = name,
        .has = STORE_HAS_CONTENT,
        .from = FROM,
        .to = ob->settings->address,
        .cc = "",
        .subject = "Mail could not be sent",
        .message_class = "IPM.Note",
        .received = now_unix(),
        .flag_detail = "",
        .categories = "",
        .estimated_size = report.n,
    };
    struct store_flag_edit local = {STORE_FLAGS_ADD, STORE_LOCALONLY, NULL};
    int64_t id;

    code_random_hex(name + strlen(name), 12);
    /* Added like one of the server's, then taken off its place there. */
    return store_message_add(ob->store, inbox, &item, &id, e) ||
                   store_message_bind(ob->store, id, 0, "", e) ||
                   store_message_edit_flags(ob->store, id, &local, e) ||
                   store_body_write(ob->store, id, report, e)
               ? -1
               : 0;
}

int
outbox_report(struct outbox *ob, const struct store_submission *q,
              const struct err *why, struct err *e)
{
    const struct store_folder *inbox =
        store_folder_by_role(ob->store, STORE_ROLE_INBOX);
    struct buf report = BUF_INIT(REPORT_MAX);
    int rc;

    log_error("outbox", "id=%s from=%s could not be sent to %s: %s", q->id,
              log_address(q->sender), log_address(q->recipients), why->text);
    if (!*q->sender)
        return 0; /* never a report about a report */
    if (!inbox || (inbox->state != STORE_FOLDER_READY &&
                   inbox->state != STORE_FOLDER_RELISTING))
        return err_set(e, E_RETRY, "INBOX is not listed yet, where the report "
                                   "would go");
    rc = report_write(ob, q, why, &report)
             ? err_set(e, E_LIMIT, "the report is too large")
             : report_keep(ob, inbox->id, buf_slice(&report), e);
    buf_clear(&report);
    return rc;
}
