/*
 * Listening sockets: TCP, Unix, and ones that are already open.
 */
#include "loop/listener.h"

#include <errno.h>
#include <stdbool.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "loop/loop.h"

#define ACCEPTS_A_TURN 64
#define PAUSE_MS 200 /* when descriptors have run out */

struct listener {
    int fd;
    struct loop_fd *watch;
    struct loop_timer retry;
    listener_accept_fn *accept;
    void *arg;
    unsigned port;
    char *name, *path;
    int paused;
};

static void
on_retry(void *arg)
{
    struct listener *l = arg;

    if (!l->paused)
        loop_fd_watch(l->watch, LOOP_READ);
}

static void
on_ready(void *arg, unsigned what)
{
    struct listener *l = arg;

    (void)what;
    for (int i = 0; i < ACCEPTS_A_TURN && !l->paused; i++) {
        int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            l->accept(l->arg, fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
            errno == ENOBUFS) {
            loop_fd_watch(l->watch, 0);
            loop_timer_set(&l->retry, PAUSE_MS);
        }
        return;
    }
}

struct listener *
listener_fd(int fd, listener_accept_fn *fn, void *arg)
{
    struct listener *l = xcalloc(1, sizeof *l);
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;

    l->fd = fd;
    l->accept = fn;
    l->arg = arg;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0) {
        char host[48], port[8];

        if (ss.ss_family == AF_INET || ss.ss_family == AF_INET6) {
            if (getnameinfo((struct sockaddr *)&ss, len, host, sizeof host,
                            port, sizeof port,
                            NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
                l->port = (unsigned)strtoul(port, NULL, 10);
                l->name = xasprintf(
                    ss.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
            }
        }
    }
    if (!l->name)
        l->name = xasprintf("descriptor %d", fd);
    l->watch = loop_fd_new(fd, on_ready, l);
    loop_timer_init(&l->retry, on_retry, l);
    loop_fd_watch(l->watch, LOOP_READ);
    return l;
}

int
listener_tcp(const char *host, unsigned port, listener_accept_fn *fn,
             void *arg, struct listener **out, struct err *e)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV |
                                         AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *ai = NULL;
    char service[8];
    int fd, one = 1, rc;

    snprintf(service, sizeof service, "%u", port);
    if (port > 65535 || getaddrinfo(host, service, &hints, &ai))
        return err_set(e, E_INPUT,
                       "%s port %u is not an address to listen on "
                       "(a numeric address and a port up to 65535)",
                       host, port);
    fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        rc = errno;
        freeaddrinfo(ai);
        if (rc == EAFNOSUPPORT)
            return err_set(e, E_MISSING,
                           "this machine has no address family for %s", host);
        return err_errno(e, E_FULL, rc, "socket for %s", host);
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    rc = bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, 1024) ? errno : 0;
    freeaddrinfo(ai);
    if (rc) {
        close(fd);
        if (rc == EADDRNOTAVAIL)
            return err_set(e, E_MISSING, "this machine has no address %s",
                           host);
        if (rc == EADDRINUSE)
            return err_set(e, E_DENIED,
                           "port %u on %s is taken by another program; stop "
                           "it or choose another port",
                           port, host);
        return err_errno(e, E_DENIED, rc, "listening on %s port %u", host,
                         port);
    }
    *out = listener_fd(fd, fn, arg);
    return 0;
}

/* True if somebody answers on the socket file. */
static bool
unix_is_served(const struct sockaddr_un *sun)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool yes;

    if (fd < 0)
        return false;
    /* A full queue (EAGAIN) or a foreign socket (EACCES) is somebody's. */
    yes = connect(fd, (const struct sockaddr *)sun, sizeof *sun) == 0 ||
          (errno != ECONNREFUSED && errno != ENOENT);
    close(fd);
    return yes;
}

int
listener_unix(const char *path, mode_t mode, listener_accept_fn *fn, void *arg,
              struct listener **out, struct err *e)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    struct listener *l;
    struct stat st;
    mode_t old;
    int fd, rc;

    if (strlen(path) >= sizeof sun.sun_path)
        return err_set(e, E_LIMIT, "socket path %s is longer than %zu bytes",
                       path, sizeof sun.sun_path - 1);
    memcpy(sun.sun_path, path, strlen(path) + 1);
    if (unix_is_served(&sun))
        return err_set(e, E_DENIED,
                       "%s is served by another daemon; stop it first", path);
    if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
        return err_set(e, E_DENIED,
                       "%s is there and no socket; remove it or name "
                       "another path", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(e, E_FULL, errno, "socket for %s", path);
    unlink(path);
    old = umask(0177);
    rc = bind(fd, (struct sockaddr *)&sun, sizeof sun) ||
                 chmod(path, mode) || listen(fd, 64)
             ? errno
             : 0;
    umask(old);
    if (rc) {
        close(fd);
        return err_errno(e, E_DENIED, rc, "listening on %s", path);
    }
    l = listener_fd(fd, fn, arg);
    free(l->name);
    l->name = xstrdup(path);
    l->path = xstrdup(path);
    *out = l;
    return 0;
}

void
listener_free(struct listener **lp)
{
    struct listener *l = *lp;

    if (!l)
        return;
    loop_fd_free(&l->watch);
    loop_timer_clear(&l->retry);
    close(l->fd);
    if (l->path)
        unlink(l->path);
    free(l->path);
    free(l->name);
    free(l);
    *lp = NULL;
}

unsigned
listener_port(const struct listener *l)
{
    return l->port;
}

const char *
listener_name(const struct listener *l)
{
    return l->name;
}

void
listener_pause(struct listener *l, int paused)
{
    l->paused = paused;
    loop_fd_watch(l->watch, paused ? 0 : LOOP_READ);
}

long
listener_peer_uid(int fd)
{
    struct ucred cred;
    socklen_t len = sizeof cred;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
        return -1;
    return (long)cred.uid;
}
