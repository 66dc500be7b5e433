/*
 * The socket: who may talk, lines in, lines out, one request of a connection
 * at a time. What the commands do stands in command.c and its kin.
 */
#include "control/server.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "account/account.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/private.h"
#include "loop/listener.h"
#include "loop/loop.h"
#include "loop/stream.h"
#include "settings/settings.h"

#define CLIENTS_MAX 64u
#define IDLE_MS 300000
#define GROUPS_MAX 1024

struct client {
    struct list node;
    struct control_server *server;
    struct stream *stream;
    struct control_call call;
    json_t *request; /* under way, or NULL */
    bool closing;
};

/* ---- who may ---- */

static bool
group_has(int fd, gid_t gid)
{
    struct ucred cred;
    socklen_t len = sizeof cred;
    gid_t *groups;
    bool yes;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
        return false;
    if (cred.gid == gid)
        return true;
    groups = xcalloc(GROUPS_MAX, sizeof *groups);
    len = GROUPS_MAX * sizeof *groups;
    yes = false;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0)
        for (size_t i = 0; i < len / sizeof *groups; i++)
            yes |= groups[i] == gid;
    free(groups);
    return yes;
}

/* Only the daemon's user, root and the members of control_group. */
static bool
may_talk(const struct control_server *s, int fd)
{
    const char *name = s->config.settings->control_group;
    long uid = listener_peer_uid(fd);
    const struct group *gr;

    if (uid < 0)
        return false;
    if (uid == 0 || uid == (long)geteuid())
        return true;
    gr = name ? getgrnam(name) : NULL;
    return gr && group_has(fd, gr->gr_gid);
}

/* ---- one connection ---- */

static void
call_clear(struct client *c)
{
    op_cancel(&c->call.op);
    json_decref(c->call.result);
    free(c->call.text);
    control_oof_free(&c->call);
    control_search_free(&c->call);
    account_unref(&c->call.account);
    memset(&c->call, 0, sizeof c->call);
    if (c->request) {
        control_wipe(c->request, "password");
        control_wipe(c->request, "file");
        json_decref(c->request);
        c->request = NULL;
    }
}

static void
client_free(struct client *c)
{
    struct control_server *s = c->server;

    call_clear(c);
    stream_free(&c->stream);
    list_remove(&c->node);
    free(c);
    if (s->n-- == CLIENTS_MAX)
        listener_pause(s->listener, 0);
}

static void
on_close(void *arg, const struct err *err)
{
    (void)err;
    client_free(arg);
}

static void
say(struct client *c, char *line, size_t len)
{
    stream_write(c->stream, line, len);
    mem_wipe(line, len);
    free(line);
}

static void
say_error(struct client *c, const struct err *e)
{
    size_t len;
    char *line = control_answer_error(e, &len);

    say(c, line, len);
}

static void
say_result(struct client *c, const json_t *result)
{
    size_t len;
    char *line = control_answer_ok(result, &len);
    struct err e;

    if (len > CONTROL_LINE) {
        free(line);
        err_set(&e, E_LIMIT, "the answer is over %zu bytes", CONTROL_LINE);
        say_error(c, &e);
        return;
    }
    say(c, line, len);
}

/* What was waited for is there. */
static void
on_answer(struct control_call *call, const struct err *err)
{
    struct client *c = call->client;

    if (err)
        say_error(c, err);
    else
        say_result(c, call->result);
    call_clear(c);
    stream_resume(c->stream);
    stream_again(c->stream);
}

static void
request_run(struct client *c, struct slice line)
{
    json_t *result = NULL;
    struct err e;
    int rc;

    c->request = control_request_parse(line, &e);
    if (!c->request) {
        say_error(c, &e);
        return;
    }
    c->call = (struct control_call){.server = c->server,
                                    .request = c->request,
                                    .answer = on_answer,
                                    .client = c};
    rc = control_command_run(&c->call, &result, &e);
    if (rc == CONTROL_WAITS) {
        stream_suspend(c->stream);
        return;
    }
    if (rc == 0)
        say_result(c, result);
    else
        say_error(c, &e);
    json_decref(result);
    call_clear(c);
}

static void
line_too_long(struct client *c)
{
    struct err e;

    err_set(&e, E_LIMIT, "a request is over %zu bytes", CONTROL_LINE);
    say_error(c, &e);
    c->closing = true;
    stream_finish(c->stream);
}

static void
on_input(void *arg)
{
    struct client *c = arg;

    while (!c->closing && !stream_is_suspended(c->stream)) {
        struct slice in = stream_input(c->stream);
        const char *end = memchr(in.p ? in.p : "", '\n', in.n);
        size_t n = end ? (size_t)(end - in.p) : in.n;

        if (!end) {
            if (in.n >= CONTROL_LINE)
                line_too_long(c);
            return;
        }
        if (n)
            request_run(c, slice_cut(in, 0, n));
        /* It may have held a password. */
        mem_wipe((char *)(uintptr_t)in.p, n);
        stream_consume(c->stream, n + 1);
    }
}

static void
on_accept(void *arg, int fd)
{
    static const struct stream_events events = {.on_input = on_input,
                                                .on_close = on_close};
    static const struct stream_limits limits = {.input = CONTROL_LINE + 1};
    struct control_server *s = arg;
    struct client *c;

    if (!may_talk(s, fd)) {
        log_warn("control", "uid=%ld is not let in", listener_peer_uid(fd));
        close(fd);
        return;
    }
    c = xcalloc(1, sizeof *c);
    c->server = s;
    c->stream = stream_new(fd, &limits, &events, c);
    stream_set_idle(c->stream, IDLE_MS);
    list_add(&s->clients, &c->node);
    if (++s->n == CLIENTS_MAX)
        listener_pause(s->listener, 1);
}

/* ---- the door ---- */

/* The group may open the socket; without it only we and root. */
static int
socket_group(const struct settings *s, struct err *e)
{
    const struct group *gr;

    if (!s->control_group)
        return 0;
    gr = getgrnam(s->control_group);
    if (!gr)
        return err_set(e, E_MISSING, "control_group = \"%.60s\": there is no "
                       "such group", s->control_group);
    if (chown(s->control, (uid_t)-1, gr->gr_gid) || chmod(s->control, 0660)) {
        log_warn("control", "%s: not given to the group %s, so only this user "
                            "and root can use it: %s",
                 s->control, s->control_group, strerror(errno));
        chmod(s->control, 0600);
    }
    return 0;
}

int
control_server_new(const struct control_server_config *config,
                   struct control_server **out, struct err *e)
{
    struct control_server *s = xcalloc(1, sizeof *s);

    s->config = *config;
    list_init(&s->clients);
    if (listener_unix(config->settings->control, 0600, on_accept, s,
                      &s->listener, e) ||
        socket_group(config->settings, e)) {
        control_server_free(&s);
        return -1;
    }
    *out = s;
    return 0;
}

void
control_server_free(struct control_server **sp)
{
    struct control_server *s = *sp;

    if (!s)
        return;
    while (!list_is_empty(&s->clients))
        client_free(LIST_OBJECT(s->clients.next, struct client, node));
    if (s->listener)
        listener_free(&s->listener);
    free(s);
    *sp = NULL;
}

void
control_server_settings(struct control_server *s, const struct settings *now)
{
    s->config.settings = now;
}
