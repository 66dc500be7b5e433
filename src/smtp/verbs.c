/*
 * What each command does, by a table: what it needs first, and the function.
 * Logging in is auth.c, a mail's way is mail.c.
 */
#include <stdio.h>

#include "base/mem.h"
#include "loop/stream.h"
#include "settings/settings.h"
#include "smtp/private.h"

typedef void verb_fn(struct smtp_client *, const struct smtp_command *);
static verb_fn verb_hello, verb_data, verb_rset, verb_noop, verb_quit,
    verb_vrfy, verb_help, verb_starttls;

enum {
    NEEDS_HELLO = 1,
    NEEDS_LOGIN = 2, /* RFC 6409 section 4.3 */
    IS_TALK = 4,     /* counts as doing nothing */
};

static const struct {
    verb_fn *run;
    unsigned flags;
} verbs[] = {
    [SMTP_EHLO] = {verb_hello, IS_TALK},
    [SMTP_HELO] = {verb_hello, IS_TALK},
    [SMTP_MAIL] = {smtp_mail_from, NEEDS_HELLO | NEEDS_LOGIN},
    [SMTP_RCPT] = {smtp_mail_to, NEEDS_HELLO | NEEDS_LOGIN},
    [SMTP_DATA] = {verb_data, NEEDS_HELLO | NEEDS_LOGIN},
    [SMTP_RSET] = {verb_rset, IS_TALK},
    [SMTP_NOOP] = {verb_noop, IS_TALK},
    [SMTP_QUIT] = {verb_quit, 0},
    [SMTP_VRFY] = {verb_vrfy, NEEDS_LOGIN | IS_TALK},
    [SMTP_HELP] = {verb_help, IS_TALK},
    [SMTP_AUTH] = {smtp_auth, NEEDS_HELLO},
    [SMTP_STARTTLS] = {verb_starttls, NEEDS_HELLO},
};

void
smtp_verb(struct smtp_client *c, struct slice line)
{
    struct smtp_command cmd;
    struct smtp_reply bad;

    if (smtp_command_parse(line, &cmd, &bad)) {
        smtp_client_answer(c, &bad);
        return;
    }
    if ((verbs[cmd.verb].flags & NEEDS_HELLO) &&
        c->state == SMTP_STATE_HELLO) {
        smtp_client_say(c, 503, "5.5.1", "EHLO comes first");
    } else if ((verbs[cmd.verb].flags & NEEDS_LOGIN) && !c->account) {
        smtp_client_say(c, 530, "5.7.0", "log in first (AUTH)");
    } else if ((verbs[cmd.verb].flags & IS_TALK) &&
               ++c->talk > SMTP_MAX_IDLE_TALK) {
        smtp_client_bye(c, 421, "4.7.0", "too many commands without a mail");
    } else {
        verbs[cmd.verb].run(c, &cmd);
    }
}

/* ---- EHLO, HELO ---- */

/* Before a login nobody knows whose limit counts: the largest one. */
static uint64_t
size_limit(const struct smtp_client *c)
{
    const struct settings *s = c->server->settings;
    uint64_t max = 0;

    if (c->account)
        return account_settings(c->account)->max_message_size;
    for (size_t i = 0; i < s->n_accounts; i++)
        if (s->accounts[i]->max_message_size > max)
            max = s->accounts[i]->max_message_size;
    return max;
}

static void
verb_hello(struct smtp_client *c, const struct smtp_command *cmd)
{
    smtp_mail_clear(c);
    smtp_client_enter(c, SMTP_STATE_READY);
    if (cmd->verb == SMTP_HELO) {
        stream_puts(c->stream, "250 localhost\r\n");
        return;
    }
    /* Only what is really there (SPEC section 7 names more). */
    stream_puts(c->stream, "250-localhost\r\n250-PIPELINING\r\n");
    if (size_limit(c))
        stream_printf(c->stream, "250-SIZE %llu\r\n",
                      (unsigned long long)size_limit(c));
    stream_puts(c->stream, "250-8BITMIME\r\n");
    if (!stream_is_tls(c->stream))
        stream_puts(c->stream, "250-STARTTLS\r\n");
    if (!c->account)
        stream_puts(c->stream, "250-AUTH PLAIN LOGIN\r\n");
    stream_puts(c->stream, "250 ENHANCEDSTATUSCODES\r\n");
}

/* ---- the small ones ---- */

static void
verb_data(struct smtp_client *c, const struct smtp_command *cmd)
{
    (void)cmd;
    smtp_mail_data(c);
}

static void
verb_rset(struct smtp_client *c, const struct smtp_command *cmd)
{
    (void)cmd;
    smtp_mail_clear(c);
    if (c->state == SMTP_STATE_MAIL)
        smtp_client_enter(c, SMTP_STATE_READY);
    smtp_client_say(c, 250, "2.0.0", "ok");
}

static void
verb_noop(struct smtp_client *c, const struct smtp_command *cmd)
{
    (void)cmd;
    smtp_client_say(c, 250, "2.0.0", "ok");
}

static void
verb_quit(struct smtp_client *c, const struct smtp_command *cmd)
{
    (void)cmd;
    smtp_client_bye(c, 221, "2.0.0", "bye");
}

/* RFC 5321 section 3.5.3: we do not tell who exists. */
static void
verb_vrfy(struct smtp_client *c, const struct smtp_command *cmd)
{
    (void)cmd;
    smtp_client_say(c, 252, "2.5.2", "send it and see");
}

static void
verb_help(struct smtp_client *c, const struct smtp_command *cmd)
{
    (void)cmd;
    smtp_client_say(c, 214, "2.0.0",
                    "EHLO HELO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY "
                    "HELP QUIT");
}

/* RFC 3207. What came in clear behind the command is dropped with the rest
 * of what we knew. */
static void
verb_starttls(struct smtp_client *c, const struct smtp_command *cmd)
{
    (void)cmd;
    if (stream_is_tls(c->stream)) {
        smtp_client_say(c, 503, "5.5.1", "TLS is on already");
        return;
    }
    if (c->account || c->state != SMTP_STATE_READY) {
        smtp_client_say(c, 503, "5.5.1", "STARTTLS comes before AUTH and "
                                         "MAIL");
        return;
    }
    smtp_client_say(c, 220, "2.0.0", "go ahead");
    smtp_client_enter(c, SMTP_STATE_HELLO);
    c->tls_due = true;
}
