/*
 * A mail's way through the door: MAIL, RCPT, DATA, the outbox, the answer.
 * The outbox judges sender and recipients; what is decided here are sizes,
 * numbers and the form of the text.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "loop/stream.h"
#include "mime/address.h"
#include "settings/settings.h"
#include "smtp/private.h"

/* A mail that is refused for its size is read on to its end, so that the
 * client hears why; one that goes on and on is cut off. */
#define SINK_MAX ((uint64_t)64 << 20)

static const struct settings_account *
settings_of(const struct smtp_client *c)
{
    return account_settings(c->account);
}

void
smtp_mail_clear(struct smtp_client *c)
{
    outbox_mail_clear(&c->mail.to);
    free(c->mail.asked);
    smtp_server_hold(c->server, &c->mail.counted, 0);
    c->mail = (struct smtp_mail){0};
}

/* ---- MAIL ---- */

void
smtp_mail_from(struct smtp_client *c, const struct smtp_command *cmd)
{
    const struct settings_account *s = settings_of(c);
    struct outbox *outbox = account_outbox(c->account);
    char *sender;
    struct err e;

    if (c->state != SMTP_STATE_READY) {
        smtp_client_say(c, 503, "5.5.1", "a mail is under way: RSET ends it");
        return;
    }
    if (cmd->has_size && s->max_message_size &&
        cmd->size > s->max_message_size) {
        smtp_client_say(c, 552, "5.3.4", "larger than %llu bytes",
                        (unsigned long long)s->max_message_size);
        return;
    }
    if (!outbox) {
        smtp_client_fail(c, account_error(c->account), SMTP_AT_COMMAND);
        return;
    }
    sender = slice_dup(cmd->address);
    if (outbox_check_sender(outbox, sender, &e)) {
        log_notice("smtp", "account=%s sender=%s refused: %s", s->name,
                   log_address(sender), e.text);
        smtp_client_fail(c, &e, SMTP_AT_COMMAND);
    } else if (!smtp_server_rate(c->server, c->account)) {
        log_notice("smtp", "account=%s more than %u messages a minute",
                   s->name, s->max_messages_per_minute);
        smtp_client_say(c, 452, "4.3.1", "more than %u messages a minute",
                        s->max_messages_per_minute);
    } else {
        c->mail.to.sender = sender;
        sender = NULL;
        smtp_client_enter(c, SMTP_STATE_MAIL);
        smtp_client_say(c, 250, "2.1.0", "ok");
    }
    free(sender);
}

/* ---- RCPT ---- */

static bool
mail_has(const struct smtp_mail *m, const char *address)
{
    for (size_t i = 0; i < m->to.n; i++)
        if (mime_address_equal(m->to.recipients[i], address))
            return true;
    return false;
}

static void
mail_add(struct smtp_mail *m)
{
    if (m->to.n == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 4;
        m->to.recipients = xrealloc(m->to.recipients,
                                    m->cap * sizeof *m->to.recipients);
    }
    m->to.recipients[m->to.n++] = m->asked;
    m->asked = NULL;
}

static void
on_recipient(void *arg, const struct err *err)
{
    struct smtp_client *c = arg;

    smtp_client_go_on(c);
    if (err) {
        log_notice("smtp", "account=%s recipient=%s refused: %s",
                   account_name(c->account), log_address(c->mail.asked),
                   err->text);
        free(c->mail.asked);
        c->mail.asked = NULL;
        smtp_client_fail(c, err, SMTP_AT_RCPT);
        return;
    }
    mail_add(&c->mail);
    smtp_client_say(c, 250, "2.1.5", "ok");
}

void
smtp_mail_to(struct smtp_client *c, const struct smtp_command *cmd)
{
    struct smtp_mail *m = &c->mail;

    if (c->state != SMTP_STATE_MAIL) {
        smtp_client_say(c, 503, "5.5.1", "MAIL comes first");
        return;
    }
    m->asked = slice_dup(cmd->address);
    if (mail_has(m, m->asked)) {
        free(m->asked);
        m->asked = NULL;
        smtp_client_say(c, 250, "2.1.5", "ok, once is enough");
    } else if (m->to.n >= settings_of(c)->max_recipients) {
        free(m->asked);
        m->asked = NULL;
        /* RFC 5321 section 4.5.3.1.10 */
        smtp_client_say(c, 452, "4.5.3", "more than %u recipients",
                        settings_of(c)->max_recipients);
    } else {
        smtp_client_wait(c, outbox_check_recipient(account_outbox(c->account),
                                                   m->asked, on_recipient, c));
    }
}

/* ---- DATA ---- */

void
smtp_mail_data(struct smtp_client *c)
{
    struct smtp_mail *m = &c->mail;
    uint64_t max = settings_of(c)->max_message_size;

    if (c->state != SMTP_STATE_MAIL || !m->to.n) {
        smtp_client_say(c, 503, "5.5.1", c->state == SMTP_STATE_MAIL
                                             ? "no recipient was accepted"
                                             : "MAIL and RCPT come first");
        return;
    }
    buf_init(&m->to.mime, (size_t)max + 2 * SMTP_RECEIVED_MAX);
    if (!smtp_server_hold(c->server, &m->counted, SMTP_RECEIVED_MAX)) {
        smtp_client_say(c, 452, "4.3.1", "too many mails are coming in");
        return;
    }
    smtp_data_init(&m->data);
    smtp_receive_trace(c->host, stream_is_tls(c->stream), now_unix(),
                       &m->to.mime);
    m->head = m->to.mime.len;
    smtp_client_enter(c, SMTP_STATE_DATA);
    smtp_client_say(c, 354, NULL, "end it with a dot on a line of its own");
}

/* Before the bytes come in: is there room for them? Normalised they may be
 * twice as many; the buffer grows by half of itself. */
static void
mail_reserve(struct smtp_client *c, size_t n)
{
    struct smtp_mail *m = &c->mail;
    struct buf *b = &m->to.mime;
    uint64_t want = (uint64_t)b->len + 2 * n + 1, cap = b->cap;

    if (m->large || m->full)
        return;
    while (want > cap)
        cap += cap / 2 + 64;
    if (cap > b->cap && !smtp_server_hold(c->server, &m->counted, cap))
        m->full = true;
    if (m->data.bytes > settings_of(c)->max_message_size)
        m->large = true;
    if (m->large || m->full) {
        buf_clear(b);
        smtp_server_hold(c->server, &m->counted, 0);
    }
}

static int
mail_judge(const struct smtp_client *c, struct smtp_reply *bad)
{
    const struct smtp_mail *m = &c->mail;
    const struct settings_account *s = settings_of(c);

    if (m->large || m->to.mime.over || m->data.bytes > s->max_message_size)
        return smtp_reply_set(bad, 552, "5.3.4", "larger than %llu bytes",
                              (unsigned long long)s->max_message_size);
    if (m->full)
        return smtp_reply_set(bad, 452, "4.3.1",
                              "too many mails are coming in");
    if (m->data.nul)
        return smtp_reply_set(bad, 554, "5.6.0", "a NUL in the text");
    if (m->data.wide)
        return smtp_reply_set(bad, 554, "5.6.0", "a line over %zu bytes",
                              SMTP_LINE_MAX);
    if (m->data.bare && s->bare_newline == SETTINGS_NEWLINE_REJECT)
        return smtp_reply_set(bad, 554, "5.6.0", "a CR or LF that stands "
                                                 "alone (bare_newline)");
    return 0;
}

static void
on_submitted(void *arg, const struct err *err)
{
    struct smtp_client *c = arg;

    smtp_client_go_on(c);
    c->talk = 0;
    smtp_mail_clear(c);
    smtp_client_enter(c, SMTP_STATE_READY);
    if (err) {
        log_notice("smtp", "account=%s not sent: %s",
                   account_name(c->account), err->text);
        smtp_client_fail(c, err, SMTP_AT_MESSAGE);
        return;
    }
    log_info("smtp", "account=%s id=%s %s", account_name(c->account),
             c->result.id, c->result.queued ? "queued" : "sent");
    smtp_client_say(c, 250, "2.0.0", c->result.queued ? "queued as %s"
                                                      : "sent as %s",
                    c->result.id);
}

/* The bytes stay counted until the outbox has done with them. */
static void
mail_submit(struct smtp_client *c)
{
    struct smtp_mail *m = &c->mail;
    struct outbox_mail take = m->to;

    if (m->data.long_line)
        log_warn("smtp", "account=%s a line over %zu bytes",
                 account_name(c->account), SMTP_LINE_WARN);
    log_info("smtp", "account=%s from=%s sender=%s recipients=%zu bytes=%zu",
             account_name(c->account), stream_peer(c->stream),
             log_address(take.sender), take.n, take.mime.len);
    m->to = (struct outbox_mail){0};
    c->result = (struct outbox_result){0};
    smtp_client_enter(c, SMTP_STATE_SENDING);
    smtp_client_wait(c, outbox_submit(account_outbox(c->account), &take,
                                      &c->result, on_submitted, c));
}

static void
mail_end(struct smtp_client *c)
{
    struct smtp_mail *m = &c->mail;
    struct smtp_reply bad;

    if (mail_judge(c, &bad) ||
        smtp_receive_complete(&m->to.mime, m->head, settings_of(c)->domain,
                              now_unix(), &bad)) {
        log_notice("smtp", "account=%s text refused: %s",
                   account_name(c->account), bad.text);
        smtp_mail_clear(c);
        smtp_client_enter(c, SMTP_STATE_READY);
        smtp_client_answer(c, &bad);
        return;
    }
    mail_submit(c);
}

size_t
smtp_mail_feed(struct smtp_client *c, struct slice in)
{
    struct smtp_mail *m = &c->mail;
    size_t used;

    mail_reserve(c, in.n);
    if (smtp_data_feed(&m->data, in,
                       m->large || m->full ? NULL : &m->to.mime, &used))
        mail_end(c);
    else if ((m->large || m->full) &&
             m->data.bytes > settings_of(c)->max_message_size + SINK_MAX)
        smtp_client_bye(c, 421, "4.3.1", "the mail has no end");
    return used;
}
