/*
 * One connection: bytes in, commands started one after the other, the state
 * they leave behind, and the farewell. Output is in write.c.
 */
#include "imap/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "imap/append.h"
#include "loop/stream.h"
#include "settings/settings.h"

#define COMMANDS_A_TURN 50u
#define WRONG_MAX 20u
#define PROGRESS_MS 10000
#define FAREWELL_MS 5000

static void on_input(void *arg);
static void on_drain(void *arg);
static void on_close(void *arg, const struct err *err);
static void on_timer(void *arg);

static const struct stream_events events = {
    .on_input = on_input, .on_drain = on_drain, .on_close = on_close};

/* ---- coming and going ---- */

static const char *
state_name(enum imap_state s)
{
    switch (s) {
    case IMAP_STATE_FRESH:
        return "not authenticated";
    case IMAP_STATE_AUTH:
        return "authenticated";
    case IMAP_STATE_SELECTED:
        return "selected";
    case IMAP_STATE_LOGOUT:
        break;
    }
    return "logout";
}

void
imap_client_enter(struct imap_client *c, enum imap_state state)
{
    if (c->state == state)
        return;
    c->state = state;
    c->input.limit = state == IMAP_STATE_FRESH ? IMAP_LINE_FRESH
                                               : IMAP_LINE_AUTH;
    log_debug("imap", "account=%s from=%s state: %s",
              c->account ? account_name(c->account) : "-", c->host,
              state_name(state));
}

static void
timer_set(struct imap_client *c)
{
    const struct settings *s = c->server->settings;
    unsigned seconds = c->state == IMAP_STATE_FRESH ? s->login_timeout
                                                    : s->imap_timeout;

    if (c->closing)
        loop_timer_set(&c->timer, FAREWELL_MS);
    else if (c->command && !c->on_line)
        loop_timer_set(&c->timer, PROGRESS_MS);
    else
        loop_timer_set(&c->timer, (int64_t)seconds * 1000);
}

static void
greet(struct imap_client *c)
{
    struct buf b = BUF_INIT(BUF_OURS);

    imap_capability_write(c, &b);
    imap_printf(c, "* OK [CAPABILITY %s] Sealpost is ready\r\n", b.data);
    buf_clear(&b);
}

struct imap_client *
imap_client_new(struct imap_server *server, int fd, bool tls)
{
    struct imap_client *c = xcalloc(1, sizeof *c);

    c->server = server;
    c->stream = stream_new(fd, NULL, &events, c);
    slice_copy(slice_of(stream_peer(c->stream)), c->host, sizeof c->host);
    imap_input_init(&c->input, IMAP_LINE_FRESH);
    imap_client_enter(c, IMAP_STATE_FRESH);
    loop_timer_init(&c->timer, on_timer, c);
    list_add(&server->clients, &c->node);
    server->n++;
    if (tls)
        stream_start_tls(c->stream, server->tls);
    greet(c);
    timer_set(c);
    return c;
}

/* Everything of the account is let go; nothing of it is touched after. */
static void
client_release(struct imap_client *c)
{
    if (c->command)
        imap_command_cancel(c->command);
    imap_client_unselect(c);
    if (!c->account)
        return;
    account_session_remove(c->account, &c->session);
    account_unref(&c->account);
}

static void
literal_release(struct imap_client *c)
{
    c->server->literals -= c->literal;
    c->literal = 0;
}

void
imap_client_free(struct imap_client **cp)
{
    struct imap_client *c = *cp;

    if (!c)
        return;
    *cp = NULL;
    c->closing = true;
    client_release(c);
    literal_release(c);
    imap_input_reset(&c->input);
    loop_timer_clear(&c->timer);
    stream_free(&c->stream);
    list_remove(&c->node);
    c->server->n--;
    free(c->refusal);
    free(c);
}

void
imap_client_bye(struct imap_client *c, const char *text)
{
    if (c->closing)
        return;
    c->closing = true;
    if (text && !(c->command && c->command->torn)) {
        imap_puts(c, "* BYE ");
        imap_text(c, text);
        imap_puts(c, "\r\n");
    }
    client_release(c);
    imap_client_enter(c, IMAP_STATE_LOGOUT);
    stream_finish(c->stream);
    timer_set(c);
}

static void
on_close(void *arg, const struct err *err)
{
    struct imap_client *c = arg;

    log_debug("imap", "account=%s from=%s gone%s%s",
              c->account ? account_name(c->account) : "-", c->host,
              err ? ": " : "", err ? err->text : "");
    imap_client_free(&c);
}

static void
on_account_end(void *arg, const char *why)
{
    imap_client_bye(arg, why);
}

void
imap_client_login(struct imap_client *c, struct account *a)
{
    c->account = a;
    c->session.on_end = on_account_end;
    c->session.arg = c;
    account_session_add(a, &c->session);
    imap_client_enter(c, IMAP_STATE_AUTH);
}

void
imap_client_unselect(struct imap_client *c)
{
    imap_selected_free(&c->selected);
    if (c->state == IMAP_STATE_SELECTED)
        imap_client_enter(c, IMAP_STATE_AUTH);
}

bool
imap_client_may_login(const struct imap_client *c)
{
    return stream_is_tls(c->stream) ||
           slice_starts(slice_of(c->host), "127.") ||
           slice_starts(slice_of(c->host), "[::1]") ||
           slice_is(slice_of(c->host), "local");
}

/* ---- time ---- */

static void
on_timer(void *arg)
{
    struct imap_client *c = arg;
    int64_t limit = (int64_t)c->server->settings->imap_timeout * 1000;

    if (c->closing || (c->drain && now_ms() - c->drain_since > limit)) {
        imap_client_free(&c); /* it does not read */
        return;
    }
    if (!c->command || c->on_line) {
        imap_client_bye(c, "Autologout; idle for too long");
        return;
    }
    if (!c->command->torn && !c->drain) {
        struct imap_command *cmd = c->command;

        imap_printf(c, "* OK [INPROGRESS (\"%s\" %llu ", cmd->tag,
                    (unsigned long long)cmd->done);
        if (cmd->goal)
            imap_printf(c, "%llu", (unsigned long long)cmd->goal);
        else
            imap_puts(c, "NIL");
        imap_puts(c, ")] Still working\r\n");
    }
    timer_set(c);
}

/* ---- literals ---- */

/* The tag of what has come so far, for an early answer. */
static const char *
early_tag(struct imap_client *c, struct arena *a)
{
    struct slice rest = buf_slice(&c->input.text), tag;

    if (!slice_next(&rest, ' ', &tag) || !tag.n || tag.n > 200)
        return "*";
    return arena_dup(a, tag);
}

static void
early_answer(struct imap_client *c, const struct err *err)
{
    struct arena *a = arena_new();
    const char *code, *kind = imap_reply_kind(err, &code);

    if (c->refusal_code)
        code = c->refusal_code;
    imap_printf(c, "%s %s ", early_tag(c, a), kind);
    if (code)
        imap_printf(c, "[%s] ", code);
    imap_text(c, err->text);
    imap_puts(c, "\r\n");
    arena_free(&a);
    if (err->code == E_INPUT)
        c->wrong++;
    literal_release(c);
    imap_input_reset(&c->input);
}

static void
literal_refuse(struct imap_client *c, const struct err *err)
{
    if (!c->input.plus) {
        early_answer(c, err);
        return;
    }
    /* It comes anyway: thrown away, the answer after the command's end. */
    if (!c->refusal)
        c->refusal = xmemdup(err, sizeof *err);
    imap_input_skip(&c->input);
}

static void
on_literal(struct imap_client *c)
{
    const struct settings *s = c->server->settings;
    uint64_t size = c->input.size;
    struct err e = {0};
    int big = 0;

    if (!c->refusal)
        c->refusal_code = NULL;
    if (c->state != IMAP_STATE_FRESH && !c->refusal)
        big = imap_append_judge(c, buf_slice(&c->input.text), size, &e);
    if (big == 1 && c->server->literals + size > s->max_append_memory)
        big = err_set(&e, E_FULL, "too much is being received just now, try "
                                  "again soon");
    if (big == 0 && !imap_input_take(&c->input, false))
        big = err_set(&e, E_LIMIT, "a literal of %llu bytes is too large here",
                      (unsigned long long)size);
    if (big < 0 || c->refusal) {
        literal_refuse(c, big < 0 ? &e : c->refusal);
        return;
    }
    if (big == 1) {
        imap_input_take(&c->input, true);
        c->literal += size;
        c->server->literals += size;
    }
    if (!c->input.plus)
        imap_puts(c, "+ OK\r\n");
}

/* ---- commands ---- */

static void
command_start(struct imap_client *c)
{
    struct imap_command *cmd = xcalloc(1, sizeof *cmd);
    struct buf *text = &c->input.text;
    struct err e = {0};
    int rc;

    cmd->client = c;
    cmd->arena = arena_new();
    c->command = cmd;
    rc = imap_command_parse(cmd, text->data ? text->data : (char *)"",
                            text->len, &e);
    if (rc == 0 && c->input.bare)
        rc = err_set(&e, E_INPUT, "lines end with CRLF and hold no NUL");
    if (rc == 0 && !(cmd->def->states & c->state))
        rc = err_set(&e, E_INPUT, "%s is not allowed here: %s",
                     cmd->def->name, state_name(c->state));
    if (rc)
        imap_command_end(cmd, &e);
    else
        imap_command_run(cmd);
}

static void
command_input_done(struct imap_client *c)
{
    literal_release(c);
    imap_input_reset(&c->input);
}

static void
on_command(struct imap_client *c)
{
    if (c->on_line) {
        void (*on_line)(struct imap_client *, struct slice) = c->on_line;

        c->on_line = NULL;
        on_line(c, buf_slice(&c->input.text));
        /* A command that began with it ends with it. */
        imap_input_reset(&c->input);
        c->input.raw = c->on_line != NULL;
        return;
    }
    if (c->refusal) {
        struct err e = *c->refusal;

        free(c->refusal);
        c->refusal = NULL;
        early_answer(c, &e);
        return;
    }
    command_start(c);
    /* Arguments may point into the text: it stays while the command runs. */
    if (!c->command)
        command_input_done(c);
}

static void
on_input_event(struct imap_client *c, enum imap_input_event what)
{
    switch (what) {
    case IMAP_INPUT_MORE:
        break;
    case IMAP_INPUT_LITERAL:
        on_literal(c);
        break;
    case IMAP_INPUT_COMMAND:
        on_command(c);
        break;
    case IMAP_INPUT_LONG:
        imap_client_bye(c, "the command line is too long");
        break;
    }
    if (!c->closing && c->wrong >= WRONG_MAX)
        imap_client_bye(c, "too many bad commands");
}

static void
on_input(void *arg)
{
    struct imap_client *c = arg;
    size_t used;

    for (unsigned n = 0; n < COMMANDS_A_TURN && !c->closing; n++) {
        struct slice in = stream_input(c->stream);
        enum imap_input_event what;

        if (!in.n || (c->command && !c->on_line) || imap_is_full(c))
            break;
        what = imap_input_feed(&c->input, in, &used);
        stream_consume(c->stream, used);
        on_input_event(c, what);
    }
    if (c->closing)
        return;
    timer_set(c);
    if ((c->command && !c->on_line) || imap_is_full(c))
        stream_suspend(c->stream);
    else if (stream_input(c->stream).n)
        stream_again(c->stream);
}

void
imap_client_resume(struct imap_client *c)
{
    if (c->closing)
        return;
    if (stream_is_suspended(c->stream)) {
        command_input_done(c);
        timer_set(c);
        stream_resume(c->stream);
    }
}

void
imap_client_ask(struct imap_client *c, const char *text,
                void (*on_line)(struct imap_client *, struct slice))
{
    imap_printf(c, "+ %s\r\n", text);
    imap_input_reset(&c->input); /* the command's text is not needed more */
    c->on_line = on_line;
    c->input.raw = true;
}

static void
on_drain(void *arg)
{
    struct imap_client *c = arg;

    if (c->drain)
        op_finish(&c->drain, NULL);
    else if (!c->command)
        stream_resume(c->stream);
}
