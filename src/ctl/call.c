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

int
ctl_call(struct ctl *c, const char *command, struct json_t *args,
         struct json_t **out, struct err *e)
{
    struct buf line = BUF_INIT(LINE_MAX_BYTES);
    char *text = NULL;
    size_t len = 0;
    int fd = -1, rc = -1;

    if (!args)
        args = json_object();
    json_object_set_new(args, "command", json_string(command));
    if (ctl_settings(c, false, e) == 0) {
        fd = line_open(c->settings->control);
        if (fd < 0 && (errno == ENOENT || errno == ECONNREFUSED)) {
            c->status = CTL_NO_DAEMON;
            err_set(e, E_RETRY, "no sealpostd listens on %s: start it, or "
                    "name its configuration with -c", c->settings->control);
        } else if (fd < 0) {
            err_errno(e, E_DENIED, errno, "%s", c->settings->control);
        } else {
            text = json_dumps(args, JSON_COMPACT);
            len = text ? strlen(text) : 0;
            if (len)
                text[len] = '\n'; /* in the place of its end */
            rc = text && line_write(fd, text, len + 1, e) == 0 &&
                         line_read(fd, &line, e) == 0
                     ? answer_take(&line, out, e)
                     : -1;
        }
    }
    if (fd >= 0)
        close(fd);
    if (text) {
        mem_wipe(text, len);
        free(text);
    }
    json_decref(args);
    buf_wipe(&line);
    return rc;
}
