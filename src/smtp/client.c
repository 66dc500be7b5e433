/*
 * One connection: its bytes become lines or text, its answers go out, its
 * time runs. What a command does is in verbs.c, auth.c and mail.c.
 *
 * Commands are taken strictly in order: while one waits for an operation the
 * stream is suspended, and what a pipelining client has sent behind it stays
 * in the stream.
 */
#include "smtp/private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "loop/op.h"
#include "loop/stream.h"
#include "settings/settings.h"

#define OUTPUT_MAX ((size_t)1 << 18) /* a client that reads no answers goes */

static const char *const state_names[] = {
    [SMTP_STATE_HELLO] = "hello",     [SMTP_STATE_READY] = "ready",
    [SMTP_STATE_SASL] = "sasl",       [SMTP_STATE_MAIL] = "mail",
    [SMTP_STATE_DATA] = "data",       [SMTP_STATE_SENDING] = "sending",
    [SMTP_STATE_END] = "end",
};

void
smtp_client_enter(struct smtp_client *c, enum smtp_state state)
{
    if (c->state == state)
        return;
    log_debug("smtp", "from=%s %s -> %s", stream_peer(c->stream),
              state_names[c->state], state_names[state]);
    c->state = state;
}

/* ---- answers ---- */

static void
client_write(struct smtp_client *c, const struct smtp_reply *r)
{
    char line[SMTP_REPLY_LINE + 1];
    unsigned n = smtp_reply_write(r, line);

    stream_write(c->stream, line, n);
}

void
smtp_client_answer(struct smtp_client *c, const struct smtp_reply *r)
{
    if (c->state == SMTP_STATE_END)
        return;
    client_write(c, r);
    if (r->code < 400)
        return;
    /* Of a client that has signed in a refusal is an event (SPEC section 12);
     * of others it is noise that anybody could make. */
    if (c->account)
        log_info("smtp", "account=%s from=%s answered %d %s",
                 account_name(c->account), stream_peer(c->stream), r->code,
                 log_shows_addresses() ? r->text : r->enhanced);
    else
        log_debug("smtp", "from=%s answered %d %s", stream_peer(c->stream),
                  r->code, r->text);
    if (++c->errors >= SMTP_MAX_ERRORS)
        smtp_client_bye(c, 421, "4.7.0", "too many errors");
}

void
smtp_client_say(struct smtp_client *c, int code, const char *enhanced,
                const char *fmt, ...)
{
    struct smtp_reply r = {.code = code, .enhanced = enhanced};
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(r.text, sizeof r.text, fmt, ap);
    va_end(ap);
    smtp_client_answer(c, &r);
}

void
smtp_client_fail(struct smtp_client *c, const struct err *err,
                 enum smtp_reply_at at)
{
    struct smtp_reply r;

    smtp_reply_of(err, at, &r);
    smtp_client_answer(c, &r);
}

static void
client_end_session(struct smtp_client *c)
{
    if (c->in_session)
        account_session_remove(c->account, &c->session);
    c->in_session = false;
}

void
smtp_client_bye(struct smtp_client *c, int code, const char *enhanced,
                const char *text)
{
    struct smtp_reply r;

    if (c->state == SMTP_STATE_END)
        return;
    if (code == 421)
        log_info("smtp", "from=%s disconnected: %s", stream_peer(c->stream),
                 text);
    op_cancel(&c->op);
    loop_timer_stop(&c->idle);
    loop_timer_stop(&c->login_limit);
    smtp_reply_set(&r, code, enhanced, "%s", text);
    client_write(c, &r);
    smtp_client_enter(c, SMTP_STATE_END);
    smtp_mail_clear(c);
    /* What the peer takes to leave is no session of the account any more. */
    client_end_session(c);
    /* A handshake that is not done will not let the farewell out. */
    if (c->tls_wait)
        stream_break(c->stream);
    else
        stream_finish(c->stream);
}

/* ---- time ---- */

static void
on_idle(void *arg)
{
    smtp_client_bye(arg, 421, "4.4.2", "idle for too long");
}

static void
on_login_limit(void *arg)
{
    smtp_client_bye(arg, 421, "4.7.0", "nobody logged in in time");
}

static void
client_touch(struct smtp_client *c)
{
    if (c->state != SMTP_STATE_END)
        loop_timer_set(&c->idle,
                       (int64_t)c->server->settings->smtp_timeout * 1000);
}

/* ---- waiting ---- */

void
smtp_client_wait(struct smtp_client *c, struct op *op)
{
    loop_timer_stop(&c->idle);
    stream_suspend(c->stream);
    op_hold(&c->op, op);
}

void
smtp_client_go_on(struct smtp_client *c)
{
    client_touch(c);
    stream_resume(c->stream);
}

/* ---- input ---- */

static void
client_too_long(struct smtp_client *c)
{
    if (c->state == SMTP_STATE_SASL)
        smtp_client_enter(c, SMTP_STATE_READY);
    smtp_client_say(c, 500, "5.5.2", "the line is too long");
}

/* A whole line without its LF. */
static void
client_line(struct smtp_client *c, struct slice line)
{
    bool sasl = c->state == SMTP_STATE_SASL;
    size_t max = sasl || slice_istarts(line, "AUTH ") ? SMTP_AUTH_MAX
                                                      : SMTP_COMMAND_MAX;

    if (c->skipping || line.n > max + 1) {
        c->skipping = false;
        client_too_long(c);
        return;
    }
    if (!slice_ends(line, "\r")) {
        if (sasl)
            smtp_client_enter(c, SMTP_STATE_READY);
        smtp_client_say(c, 500, "5.5.2", "a line ends in CR and LF");
        return;
    }
    line.n--;
    if (sasl)
        smtp_auth_response(c, line);
    else
        smtp_verb(c, line);
}

/* Takes a line off the input; false when more must come first. */
static bool
client_next_line(struct smtp_client *c)
{
    struct slice in = stream_input(c->stream);
    size_t n = slice_find(in, '\n');

    if (n == in.n) {
        if (c->skipping || in.n > SMTP_AUTH_MAX + 1) {
            c->skipping = true;
            stream_consume(c->stream, in.n);
        }
        return false;
    }
    client_line(c, slice_cut(in, 0, n));
    stream_consume(c->stream, n + 1);
    if (c->tls_due) {
        c->tls_due = false;
        c->tls_wait = true;
        stream_start_tls(c->stream, c->server->tls);
        return false;
    }
    return true;
}

static void
on_input(void *arg)
{
    struct smtp_client *c = arg;

    client_touch(c);
    while (!c->op && c->state != SMTP_STATE_END) {
        struct slice in = stream_input(c->stream);

        if (!in.n)
            return;
        if (c->state == SMTP_STATE_DATA)
            stream_consume(c->stream, smtp_mail_feed(c, in));
        else if (!client_next_line(c))
            return;
    }
}

static void
on_tls(void *arg)
{
    ((struct smtp_client *)arg)->tls_wait = false;
}

static void
on_close(void *arg, const struct err *err)
{
    struct smtp_client *c = arg;

    log_debug("smtp", "from=%s gone%s%s", stream_peer(c->stream),
              err ? ": " : "", err ? err->text : "");
    smtp_client_free(&c);
}

/* ---- coming and going ---- */

/* "127.0.0.1:4711" and "[::1]:4711" without port and brackets. */
static void
host_of(const char *peer, char *out, size_t size)
{
    struct slice s = slice_of(peer);
    const char *colon = strrchr(peer, ':');

    if (colon)
        s = slice_cut(s, 0, (size_t)(colon - peer));
    if (slice_starts(s, "["))
        s = slice_cut(s, 1, s.n - 1);
    if (!slice_copy(s, out, size))
        out[0] = '\0';
}

struct smtp_client *
smtp_client_new(struct smtp_server *server, int fd, bool tls)
{
    static const struct stream_events events = {.on_input = on_input,
                                                .on_close = on_close,
                                                .on_tls = on_tls};
    struct stream_limits limits = {.output = OUTPUT_MAX};
    struct smtp_client *c = xcalloc(1, sizeof *c);

    c->server = server;
    list_init(&c->node);
    c->stream = stream_new(fd, &limits, &events, c);
    host_of(stream_peer(c->stream), c->host, sizeof c->host);
    loop_timer_init(&c->idle, on_idle, c);
    loop_timer_init(&c->login_limit, on_login_limit, c);
    loop_timer_set(&c->login_limit,
                   (int64_t)server->settings->login_timeout * 1000);
    client_touch(c);
    log_debug("smtp", "from=%s%s connected", stream_peer(c->stream),
              tls ? " (TLS)" : "");
    if (tls) {
        c->tls_wait = true;
        stream_start_tls(c->stream, server->tls);
    }
    smtp_client_say(c, 220, NULL, "localhost ESMTP Sealpost");
    return c;
}

void
smtp_client_free(struct smtp_client **cp)
{
    struct smtp_client *c = *cp;

    if (!c)
        return;
    *cp = NULL;
    op_cancel(&c->op);
    smtp_mail_clear(c);
    loop_timer_clear(&c->idle);
    loop_timer_clear(&c->login_limit);
    client_end_session(c);
    account_unref(&c->account);
    free(c->login);
    stream_free(&c->stream);
    smtp_server_remove(c->server, c);
    free(c);
}
