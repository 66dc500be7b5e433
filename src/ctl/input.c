/*
 * What sealpostctl reads: files, stdin, and secrets, which never come from
 * the command line, where other users of the machine see them.
 */
#include "ctl/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define LINE_LIMIT ((size_t)1 << 16)
#define CHUNK 65536u

static int
stdin_read(struct buf *out, struct err *e)
{
    for (;;) {
        char *to = buf_room(out, CHUNK);
        ssize_t n;

        if (!to)
            return err_set(e, E_LIMIT, "stdin: more than %zu bytes",
                           out->limit);
        n = read(STDIN_FILENO, to, CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, E_RETRY, errno, "reading stdin");
        if (!n)
            return 0;
        buf_added(out, (size_t)n);
    }
}

int
ctl_read(const char *path, struct buf *out, struct err *e)
{
    if (strcmp(path, "-") == 0)
        return stdin_read(out, e);
    return file_read(path, out, e);
}

int
ctl_stdin_line(struct ctl *c, struct secret *out, struct err *e)
{
    struct buf *b = &c->stdin_rest;
    struct slice line;
    size_t end, len;

    b->limit = LINE_LIMIT;
    for (;;) {
        char *to;
        ssize_t n;

        end = slice_find(buf_slice(b), '\n');
        if (end < b->len)
            break;
        to = buf_room(b, 512);
        if (!to)
            return err_set(e, E_LIMIT, "the password on stdin is too long");
        n = read(STDIN_FILENO, to, 512);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, E_RETRY, errno, "reading stdin");
        if (!n)
            break;
        buf_added(b, (size_t)n);
    }
    if (!b->len)
        return err_set(e, E_INPUT, "stdin ended before the password: it is "
                                   "expected as one line");
    line = slice_cut(buf_slice(b), 0, end);
    len = line.n;
    if (slice_ends(line, "\r"))
        line.n--;
    secret_set(out, line.p, line.n);
    mem_wipe(b->data, len);
    buf_drain(b, len < b->len ? len + 1 : len);
    return 0;
}

int
ctl_secret_file(const char *path, struct secret *out, struct err *e)
{
    struct buf b = BUF_INIT(LINE_LIMIT);
    struct slice s;
    int rc = file_read(path, &b, e);

    if (rc == 0) {
        s = buf_slice(&b);
        if (slice_ends(s, "\n"))
            s.n--;
        if (slice_ends(s, "\r"))
            s.n--;
        secret_set(out, s.p ? s.p : "", s.n);
    }
    buf_wipe(&b);
    return rc;
}

bool
ctl_has_terminal(void)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* Until the line end; the terminal has given the line as a whole. */
static ssize_t
tty_line(int fd, char *to, size_t size)
{
    size_t n = 0;

    while (n < size) {
        ssize_t got = read(fd, to + n, 1);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || to[n] == '\n')
            return n || got > 0 ? (ssize_t)n : -1;
        n++;
    }
    return -1;
}

int
ctl_ask(const char *prompt, const char *remedy, struct secret *out,
        struct err *e)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios was, hidden;
    char line[1024];
    ssize_t n;

    if (fd < 0 || tcgetattr(fd, &was)) {
        if (fd >= 0)
            close(fd);
        return err_set(e, E_INPUT, "there is no terminal to ask for the "
                                   "password: %s", remedy);
    }
    hidden = was;
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    tcsetattr(fd, TCSAFLUSH, &hidden);
    dprintf(fd, "%s: ", prompt);
    n = tty_line(fd, line, sizeof line);
    tcsetattr(fd, TCSAFLUSH, &was);
    dprintf(fd, "\n");
    close(fd);
    if (n >= 0)
        secret_set(out, line, (size_t)n);
    mem_wipe(line, sizeof line);
    return n < 0 ? err_set(e, E_INPUT, "no password was given") : 0;
}

bool
ctl_confirm(const char *prompt, const char *word)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    char line[1024];
    ssize_t n;

    if (fd < 0)
        return false;
    dprintf(fd, "%s: ", prompt);
    n = tty_line(fd, line, sizeof line);
    close(fd);
    return n >= 0 && slice_is(slice_make(line, (size_t)n), word);
}
