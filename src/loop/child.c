/*
 * Child processes: stdout by a pipe, the end by a pidfd, so that no signal
 * handler is needed.
 */
#include "loop/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "loop/loop.h"

extern char **environ;

struct child {
    struct op *op;
    struct child_result *out;
    pid_t pid;
    int pipe, pidfd, in; /* in: our end of its stdin, or -1 */
    struct loop_fd *on_pipe, *on_pid, *on_in;
    struct secret input;
    size_t in_sent;
    struct loop_timer timer;
    char *data;
    size_t len, max;
    struct err err;
};

static void
child_close_input(struct child *c)
{
    loop_fd_free(&c->on_in);
    if (c->in >= 0)
        close(c->in);
    c->in = -1;
    secret_clear(&c->input);
}

static void
child_end(struct child *c, int status)
{
    struct op *op = c->op;
    struct err err = c->err;

    child_close_input(c);
    loop_fd_free(&c->on_pipe);
    loop_fd_free(&c->on_pid);
    loop_timer_clear(&c->timer);
    close(c->pipe);
    close(c->pidfd);
    if (op_wanted(op) && !err.code) {
        secret_set(&c->out->output, c->data, c->len);
        c->out->status = WIFEXITED(status) ? WEXITSTATUS(status)
                                           : 128 + WTERMSIG(status);
    }
    mem_wipe(c->data, c->max);
    free(c->data);
    free(c);
    op_finish(&op, err.code ? &err : NULL);
}

static void
child_kill(struct child *c, enum err_code code, const char *why)
{
    if (!c->err.code)
        err_set(&c->err, code, "the command %s", why);
    kill(-c->pid, SIGKILL);
}

static void
child_read(struct child *c)
{
    char piece[4096];
    ssize_t n;

    while ((n = read(c->pipe, piece, sizeof piece)) > 0) {
        if ((size_t)n > c->max - c->len) {
            child_kill(c, E_LIMIT, "writes more than is allowed");
            break;
        }
        memcpy(c->data + c->len, piece, (size_t)n);
        c->len += (size_t)n;
    }
    mem_wipe(piece, sizeof piece);
    if (n == 0)
        loop_fd_watch(c->on_pipe, 0);
}

static void
on_pipe(void *arg, unsigned what)
{
    (void)what;
    child_read(arg);
}

/* Also called for a command that has closed its end (EPIPE). */
static void
on_in(void *arg, unsigned what)
{
    struct child *c = arg;

    (void)what;
    while (c->in_sent < c->input.len) {
        ssize_t n = write(c->in, c->input.data + c->in_sent,
                          c->input.len - c->in_sent);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0)
            break;
        c->in_sent += (size_t)n;
    }
    child_close_input(c);
}

static void
on_pid(void *arg, unsigned what)
{
    struct child *c = arg;
    int status;

    (void)what;
    if (waitpid(c->pid, &status, WNOHANG) != c->pid)
        return;
    child_read(c);
    child_end(c, status);
}

static void
on_timer(void *arg)
{
    child_kill(arg, E_RETRY, "took too long");
}

static void
child_stop(void *self)
{
    child_kill(self, E_CANCELED, "is not wanted any more");
}

static int
child_spawn(struct child *c, char *const *argv, struct err *e)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, broken;
    int p[2], in[2] = {-1, -1}, rc;

    if (pipe2(p, O_CLOEXEC))
        return err_errno(e, E_RETRY, errno, "pipe");
    if (c->input.len && pipe2(in, O_CLOEXEC)) {
        rc = errno;
        close(p[0]);
        close(p[1]);
        return err_errno(e, E_RETRY, rc, "pipe");
    }
    posix_spawn_file_actions_init(&files);
    if (c->input.len)
        posix_spawn_file_actions_adddup2(&files, in[0], 0);
    else
        posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, p[1], 1);
    posix_spawnattr_init(&attr);
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setpgroup(&attr, 0);
    /* We ignore SIGPIPE; a command must not inherit that. */
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    posix_spawnattr_setsigdefault(&attr, &broken);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
                                        POSIX_SPAWN_SETSIGDEF |
                                        POSIX_SPAWN_SETPGROUP);
    rc = posix_spawnp(&c->pid, argv[0], &files, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    close(p[1]);
    if (in[0] >= 0)
        close(in[0]);
    if (rc) {
        close(p[0]);
        if (in[1] >= 0)
            close(in[1]);
        return err_errno(e, E_RETRY, rc, "starting the command %s", argv[0]);
    }
    c->pipe = p[0];
    c->in = in[1];
    if (c->in >= 0)
        fcntl(c->in, F_SETFL, O_NONBLOCK);
    fcntl(c->pipe, F_SETFL, O_NONBLOCK);
    c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
    if (c->pidfd < 0) {
        rc = errno;
        kill(-c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
        close(c->pipe);
        child_close_input(c);
        return err_errno(e, E_RETRY, rc, "watching the command");
    }
    return 0;
}

struct op *
child_run(const char *command, size_t max_output, int64_t ms,
          struct child_result *out, op_done_fn *done, void *arg)
{
    const char *argv[] = {"/bin/sh", "-c", command, NULL};

    return child_run_argv(argv, SLICE_NONE, max_output, ms, out, done, arg);
}

struct op *
child_run_argv(const char *const *argv, struct slice input, size_t max_output,
               int64_t ms, struct child_result *out, op_done_fn *done,
               void *arg)
{
    struct child *c = xcalloc(1, sizeof *c);
    struct err e;

    c->in = -1;
    if (input.n)
        secret_set(&c->input, input.p, input.n);
    /* exec takes `char *const *` and changes nothing. */
    if (child_spawn(c, (char *const *)(uintptr_t)argv, &e)) {
        secret_clear(&c->input);
        free(c);
        return op_decided(&e, done, arg);
    }
    c->out = out;
    c->max = max_output;
    c->data = xmalloc(max_output);
    c->op = op_new(child_stop, c, done, arg);
    c->on_pipe = loop_fd_new(c->pipe, on_pipe, c);
    c->on_pid = loop_fd_new(c->pidfd, on_pid, c);
    if (c->in >= 0) {
        c->on_in = loop_fd_new(c->in, on_in, c);
        loop_fd_watch(c->on_in, LOOP_WRITE);
    }
    loop_fd_watch(c->on_pipe, LOOP_READ);
    loop_fd_watch(c->on_pid, LOOP_READ);
    loop_timer_init(&c->timer, on_timer, c);
    loop_timer_set(&c->timer, ms);
    return c->op;
}
