/*
 * The line to the daemon: one request, one answer over its control socket
 * (control/server.h says how). Blocking; sealpostctl does nothing else
 * meanwhile.
 */
#include "ctl/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

#include "base/file.h"
#include "base/mem.h"
#include "settings/settings.h"

#define LINE_MAX_BYTES ((size_t)16 << 20)

int
ctl_settings(struct ctl *c, bool absent_ok, struct err *e)
{
    char *dir;
    int rc;

    if (c->settings)
        return 0;
    if (settings_load(c->config, &c->settings, e) == 0)
        return 0;
    if (e->code != E_MISSING)
        return -1;
    if (!absent_ok)
        return err_set(e, E_MISSING, "%s is not there: sealpostctl account "
                       "add makes it, -c names another", c->config);
    dir = file_dir(c->config);
    rc = settings_load_text(SLICE(""), c->config, dir, &c->settings, e);
    free(dir);
    return rc;
}

/* -1 with errno; ENOENT and ECONNREFUSED: nobody listens. */
static int
line_open(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd, saved;

    if (strlen(path) >= sizeof to.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(to.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

bool
ctl_daemon_runs(struct ctl *c)
{
    int fd = line_open(c->settings->control);

    if (fd >= 0)
        close(fd);
    /* One that does not let us in runs all the same. */
    return fd >= 0 || (errno != ENOENT && errno != ECONNREFUSED);
}

static int
line_write(int fd, const char *p, size_t n, struct err *e)
{
    while (n) {
        ssize_t put = send(fd, p, n, MSG_NOSIGNAL);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_errno(e, E_RETRY, errno, "talking to the daemon");
        p += put;
        n -= (size_t)put;
    }
    return 0;
}

static int
line_read(int fd, struct buf *line, struct err *e)
{
    while (!line->len || line->data[line->len - 1] != '\n') {
        char *to = buf_room(line, 65536);
        ssize_t n;

        if (!to)
            return err_set(e, E_LIMIT, "the daemon's answer is too long");
        n = read(fd, to, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, E_RETRY, errno, "listening to the daemon");
        if (!n)
            return err_set(e, E_RETRY, "the daemon hung up without an answer; "
                                       "its log may say why");
        buf_added(line, (size_t)n);
    }
    return 0;
}

static int
answer_take(struct buf *line, json_t **out, struct err *e)
{
    json_t *o = json_loadb(line->data, line->len, JSON_DECODE_ANY, NULL);
    const char *text, *code;

    if (!json_is_object(o)) {
        json_decref(o);
        return err_set(e, E_BUG, "the daemon's answer is no JSON");
    }
    if (json_is_true(json_object_get(o, "ok"))) {
        *out = json_object_get(o, "result");
        *out = *out ? json_incref(*out) : json_null();
        json_decref(o);
        return 0;
    }
    text = json_string_value(json_object_get(o, "error"));
    code = json_string_value(json_object_get(o, "code"));
    err_set(e, E_REMOTE, "%s", text ? text : "the daemon refused");
    for (enum err_code k = E_RETRY; code && k < ERR_CODES; k++)
        if (strcmp(err_name(k), code) == 0)
            e->code = k;
    json_decref(o);
    return -1;
}

static char *
request_line(const json_t *args, size_t *len_out, struct err *e)
{
    char *text = json_dumps(args, JSON_COMPACT);

    if (!text) {
        err_set(e, E_INPUT, "what was given is no UTF-8");
        return NULL;
    }
    *len_out = strlen(text);
    return text;
}

static int
line_talk(int fd, char *text, size_t len, struct buf *answer, struct err *e)
{
    int rc;

    text[len] = '\n'; /* in the place of its end */
    rc = line_write(fd, text, len + 1, e) || line_read(fd, answer, e) ? -1 : 0;
    text[len] = '\0';
    return rc;
}

/* To the daemon; without one, alone where that may be. */
static int
ask(struct ctl *c, const json_t *args, bool anyway, struct buf *answer,
    struct err *e)
{
    const char *account = json_string_value(json_object_get(args, "account"));
    int fd = line_open(c->settings->control), rc = -1;
    size_t len = 0;
    char *text;

    if (fd < 0 && errno != ENOENT && errno != ECONNREFUSED)
        return err_errno(e, E_DENIED, errno, "%s", c->settings->control);
    if (fd < 0 && !anyway) {
        c->status = CTL_NO_DAEMON;
        return err_set(e, E_RETRY, "no sealpostd listens on %s: start it, or "
                       "name its configuration with -c", c->settings->control);
    }
    text = request_line(args, &len, e);
    if (text && fd >= 0)
        rc = line_talk(fd, text, len, answer, e);
    else if (text)
        rc = ctl_alone(c, account, slice_make(text, len), answer, e);
    if (fd >= 0)
        close(fd);
    if (text) {
        mem_wipe(text, len);
        free(text);
    }
    return rc;
}

static int
call(struct ctl *c, const char *command, json_t *args, bool anyway,
     json_t **out, struct err *e)
{
    struct buf answer = BUF_INIT(LINE_MAX_BYTES + 65536);
    int rc = -1;

    if (!args)
        args = json_object();
    json_object_set_new(args, "command", json_string(command));
    if (ctl_settings(c, false, e) == 0 &&
        ask(c, args, anyway, &answer, e) == 0)
        rc = answer_take(&answer, out, e);
    json_decref(args);
    buf_wipe(&answer);
    return rc;
}

int
ctl_call(struct ctl *c, const char *command, struct json_t *args,
         struct json_t **out, struct err *e)
{
    return call(c, command, args, false, out, e);
}

int
ctl_call_anyway(struct ctl *c, const char *command, struct json_t *args,
                struct json_t **out, struct err *e)
{
    return call(c, command, args, true, out, e);
}

/* What the answer says is to be sent to go on: members, or a number as
 * "after". */
static void
next_take(json_t *args, const json_t *next)
{
    if (json_is_object(next))
        json_object_update(args, (json_t *)(uintptr_t)next);
    else
        json_object_set(args, "after", (json_t *)(uintptr_t)next);
}

int
ctl_call_rows(struct ctl *c, const char *command, struct json_t *args,
              struct json_t **rows_out, struct err *e)
{
    json_t *rows = json_array(), *page = NULL;
    int rc;

    if (!args)
        args = json_object();
    while ((rc = call(c, command, json_copy(args), true, &page, e)) == 0) {
        json_array_extend(rows, json_object_get(page, "rows"));
        if (!json_object_get(page, "next") ||
            json_is_null(json_object_get(page, "next")))
            break;
        next_take(args, json_object_get(page, "next"));
        json_decref(page);
        page = NULL;
    }
    json_decref(page);
    json_decref(args);
    if (rc)
        json_decref(rows);
    else
        *rows_out = rows;
    return rc;
}

int
ctl_daemon_reload(struct ctl *c, bool *running_out, struct err *e)
{
    json_t *result = NULL;
    int rc;

    *running_out = ctl_daemon_runs(c);
    if (!*running_out)
        return 0;
    rc = ctl_call(c, "reload", NULL, &result, e);
    json_decref(result);
    return rc;
}
