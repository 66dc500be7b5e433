/*
 * LOGIN and AUTHENTICATE with PLAIN (RFC 4616) and LOGIN: a login and a
 * password become an account. Passwords stay in buffers that are wiped.
 */
#include "imap/private.h"

#include <string.h>

#include "base/code.h"
#include "base/mem.h"
#include "settings/settings.h"

#define SASL_MAX ((size_t)8192)

struct login_args {
    struct slice login, password;    /* LOGIN */
    const char *mechanism;           /* AUTHENTICATE */
    struct slice first;              /* initial response, base64 */
    bool has_first;
};

struct login {
    struct imap_command *cmd;
    struct buf user; /* of AUTH=LOGIN, between its two answers */
    struct account *account;
};

int
imap_args_login(struct imap_parse *p, struct imap_command *cmd)
{
    struct login_args *a = arena_alloc(cmd->arena, sizeof *a);

    cmd->args = a;
    return imap_parse_space(p) || imap_parse_astring(p, &a->login) ||
                   imap_parse_space(p) || imap_parse_astring(p, &a->password)
               ? -1
               : 0;
}

int
imap_args_authenticate(struct imap_parse *p, struct imap_command *cmd)
{
    struct login_args *a = arena_alloc(cmd->arena, sizeof *a);
    struct slice word;

    cmd->args = a;
    if (imap_parse_space(p) || imap_parse_atom(p, &word))
        return -1;
    a->mechanism = arena_dup(cmd->arena, word);
    if (imap_parse_at_end(p))
        return 0;
    if (imap_parse_space(p))
        return -1;
    a->has_first = true; /* RFC 4959; "=" stands for an empty one */
    a->first = slice_make(p->p, (size_t)(p->end - p->p));
    p->p = p->end;
    return 0;
}

/* ---- the account ---- */

static void
login_clear(struct imap_command *cmd)
{
    struct login *l = cmd->state;

    buf_wipe(&l->user);
    account_unref(&l->account);
}

static size_t
sessions_of(const struct imap_server *s, const struct account *a)
{
    struct list *n, *after;
    size_t count = 0;

    LIST_EACH(&s->clients, n, after)
        count += LIST_OBJECT(n, struct imap_client, node)->account == a;
    return count;
}

static enum flow_next
login_enter(void *self)
{
    struct imap_command *cmd = self;
    struct login *l = cmd->state;
    struct imap_client *c = cmd->client;
    struct account *a = l->account;
    struct buf b = BUF_INIT(BUF_OURS);

    if (account_error(a)->code)
        return flow_fail_err(&cmd->flow, account_error(a));
    if (sessions_of(c->server, a) >= account_settings(a)->max_sessions)
        return flow_fail(&cmd->flow, E_LIMIT,
                         "too many sessions of this account");
    l->account = NULL;
    imap_client_login(c, a);
    imap_capability_write(c, &b);
    cmd->ok_code = arena_printf(cmd->arena, "CAPABILITY %s", b.data);
    cmd->ok_text = "Logged in";
    buf_clear(&b);
    return FLOW_NEXT;
}

static flow_step_fn *const login_steps[] = {login_enter, NULL};

/* The way in failed: RFC 5530 has a code for that. */
static void
on_account(void *arg, const struct err *err)
{
    struct imap_command *cmd = arg;

    if (!err)
        imap_command_flow(cmd, login_steps);
    else if (err->code == E_LOGIN)
        imap_command_no(cmd, "AUTHENTICATIONFAILED", err->text);
    else if (err->code == E_INPUT)
        imap_command_no(cmd, "CANNOT", err->text);
    else
        imap_command_end(cmd, err);
}

static void
login_try(struct imap_command *cmd, struct slice login, struct slice password)
{
    struct imap_client *c = cmd->client;
    struct login *l = cmd->state;

    op_hold(&cmd->op, accounts_login(c->server->accounts, login, password,
                                     c->host, &l->account, on_account, cmd));
}

/* State, and whether the line may carry a password at all. */
static bool
login_begin(struct imap_command *cmd)
{
    struct login *l = arena_alloc(cmd->arena, sizeof *l);

    l->cmd = cmd;
    buf_init(&l->user, SASL_MAX);
    cmd->state = l;
    cmd->clear = login_clear;
    if (imap_client_may_login(cmd->client))
        return true;
    imap_command_no(cmd, "PRIVACYREQUIRED",
                    "passwords are taken over TLS only; use STARTTLS");
    return false;
}

void
imap_cmd_login(struct imap_command *cmd)
{
    struct login_args *a = cmd->args;

    if (login_begin(cmd))
        login_try(cmd, a->login, a->password);
}

/* ---- SASL ---- */

static void
sasl_fail(struct imap_command *cmd, const char *why)
{
    struct err e;

    err_set(&e, E_INPUT, "%s", why);
    imap_command_end(cmd, &e);
}

/* false: the command has ended. */
static bool
sasl_decode(struct imap_command *cmd, struct slice line, struct buf *out)
{
    buf_init(out, SASL_MAX);
    if (slice_is(line, "*")) {
        sasl_fail(cmd, "the client gave up");
        return false;
    }
    if (code_base64_parse(out, line, false)) {
        buf_wipe(out);
        sasl_fail(cmd, "no valid base64");
        return false;
    }
    return true;
}

/* authzid NUL authcid NUL password */
static void
plain_line(struct imap_client *c, struct slice line)
{
    struct imap_command *cmd = c->command;
    struct slice rest, who, login;
    struct buf b;

    if (!sasl_decode(cmd, line, &b))
        return;
    rest = buf_slice(&b);
    if (!slice_next(&rest, '\0', &who) || !slice_next(&rest, '\0', &login) ||
        !rest.p || slice_has(rest, '\0'))
        sasl_fail(cmd, "PLAIN has three parts");
    else if (who.n && !slice_eq(who, login))
        imap_command_no(cmd, "AUTHORIZATIONFAILED",
                        "nobody can act for another account");
    else
        login_try(cmd, login, rest);
    buf_wipe(&b);
}

static void
password_line(struct imap_client *c, struct slice line)
{
    struct imap_command *cmd = c->command;
    struct login *l = cmd->state;
    struct buf b;

    if (!sasl_decode(cmd, line, &b))
        return;
    login_try(cmd, buf_slice(&l->user), buf_slice(&b));
    buf_wipe(&b);
}

static void
user_line(struct imap_client *c, struct slice line)
{
    struct imap_command *cmd = c->command;
    struct login *l = cmd->state;
    struct buf b;

    if (!sasl_decode(cmd, line, &b))
        return;
    buf_add_slice(&l->user, buf_slice(&b));
    buf_wipe(&b);
    imap_client_ask(c, "UGFzc3dvcmQ6", password_line);
}

static const struct {
    const char *name, *ask;
    void (*on_line)(struct imap_client *, struct slice);
} mechanisms[] = {
    {"PLAIN", "", plain_line},
    {"LOGIN", "VXNlcm5hbWU6", user_line},
};

void
imap_cmd_authenticate(struct imap_command *cmd)
{
    struct login_args *a = cmd->args;
    struct slice first = a->first;
    size_t i;

    for (i = 0; i < ARRAY_LEN(mechanisms); i++)
        if (slice_iis(slice_of(a->mechanism), mechanisms[i].name))
            break;
    if (!login_begin(cmd))
        return;
    if (i == ARRAY_LEN(mechanisms)) {
        imap_command_no(cmd, "CANNOT", "this mechanism is not offered");
        return;
    }
    if (slice_is(first, "="))
        first = SLICE("");
    if (a->has_first)
        mechanisms[i].on_line(cmd->client, first);
    else
        imap_client_ask(cmd->client, mechanisms[i].ask,
                        mechanisms[i].on_line);
}
