/*
 * Logging in (RFC 4954): PLAIN and LOGIN against the local password. The
 * password is wiped wherever it has been.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "loop/stream.h"
#include "settings/settings.h"
#include "smtp/private.h"
#include "smtp/sasl.h"

/* "Username:" and "Password:" in base64, as everybody sends them. */
#define ASK_LOGIN "VXNlcm5hbWU6"
#define ASK_PASSWORD "UGFzc3dvcmQ6"

static const struct {
    const char *name;
    enum smtp_sasl first;
    const char *ask;
} mechanisms[] = {
    {"PLAIN", SMTP_SASL_PLAIN, ""},
    {"LOGIN", SMTP_SASL_LOGIN, ASK_LOGIN},
};

static void
auth_ask(struct smtp_client *c, enum smtp_sasl next, const char *text)
{
    c->sasl = next;
    smtp_client_enter(c, SMTP_STATE_SASL);
    smtp_client_say(c, 334, NULL, "%s", text);
}

/* The account goes, or the daemon ends its sessions. */
static void
on_end(void *arg, const char *why)
{
    struct smtp_client *c = arg;

    c->in_session = false;
    smtp_client_bye(c, 421, "4.3.2", why);
    account_unref(&c->account);
}

static void
auth_session(struct smtp_client *c)
{
    struct account *a = c->found;

    c->found = NULL;
    if (account_sessions(a) >= account_settings(a)->max_sessions) {
        log_notice("smtp", "account=%s has too many sessions",
                   account_name(a));
        account_unref(&a);
        smtp_client_bye(c, 421, "4.7.0", "too many sessions of this account");
        return;
    }
    c->account = a;
    c->session = (struct account_session){.on_end = on_end, .arg = c};
    account_session_add(a, &c->session);
    c->in_session = true;
    loop_timer_stop(&c->login_limit);
    smtp_client_say(c, 235, "2.7.0", "welcome");
}

static void
on_login(void *arg, const struct err *err)
{
    struct smtp_client *c = arg;

    smtp_client_go_on(c);
    smtp_client_enter(c, SMTP_STATE_READY);
    if (!err) {
        auth_session(c);
        return;
    }
    if (err->code == E_LOGIN || err->code == E_INPUT)
        smtp_client_say(c, 535, "5.7.8", "%s", err->text);
    else
        smtp_client_say(c, 454, "4.7.0", "%s", err->text);
    if (++c->wrong_logins >= SMTP_MAX_LOGINS)
        smtp_client_bye(c, 421, "4.7.0", "too many wrong logins");
}

static void
auth_login(struct smtp_client *c, struct slice login, struct slice password)
{
    smtp_client_wait(c, accounts_login(c->server->accounts, login, password,
                                       stream_peer(c->stream), &c->found,
                                       on_login, c));
}

static int
auth_plain(struct smtp_client *c, struct slice message, struct smtp_reply *bad)
{
    struct slice login, password;

    if (smtp_sasl_plain(message, &login, &password, bad))
        return -1;
    auth_login(c, login, password);
    return 0;
}

static int
auth_step(struct smtp_client *c, struct slice message, struct smtp_reply *bad)
{
    switch (c->sasl) {
    case SMTP_SASL_PLAIN:
        return auth_plain(c, message, bad);
    case SMTP_SASL_LOGIN:
        if (!message.n || slice_has(message, '\0'))
            return smtp_reply_set(bad, 501, "5.5.2", "not a login");
        free(c->login);
        c->login = slice_dup(message);
        auth_ask(c, SMTP_SASL_PASSWORD, ASK_PASSWORD);
        return 0;
    case SMTP_SASL_PASSWORD:
        if (!message.n)
            return smtp_reply_set(bad, 501, "5.5.2", "an empty password");
        auth_login(c, slice_of(c->login), message);
        return 0;
    }
    return smtp_reply_set(bad, 451, "4.3.0", "no such step");
}

void
smtp_auth_response(struct smtp_client *c, struct slice line)
{
    struct buf message = BUF_INIT(SMTP_SASL_MAX);
    struct smtp_reply bad;

    if (smtp_sasl_decode(line, &message, &bad) ||
        auth_step(c, buf_slice(&message), &bad)) {
        smtp_client_enter(c, SMTP_STATE_READY);
        smtp_client_answer(c, &bad);
    }
    buf_wipe(&message);
}

void
smtp_auth(struct smtp_client *c, const struct smtp_command *cmd)
{
    if (c->account || c->state != SMTP_STATE_READY) {
        smtp_client_say(c, 503, "5.5.1", c->account ? "you are logged in"
                                                    : "not now");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
        if (!slice_iis(cmd->argument, mechanisms[i].name))
            continue;
        if (!cmd->initial.p) {
            auth_ask(c, mechanisms[i].first, mechanisms[i].ask);
            return;
        }
        c->sasl = mechanisms[i].first;
        smtp_auth_response(c, cmd->initial);
        return;
    }
    smtp_client_say(c, 504, "5.5.4", "PLAIN and LOGIN are what there is");
}
