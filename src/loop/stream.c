/*
 * Streams: buffered, non-blocking, with TLS put under them at any time. Used
 * by all doors and by httpd.
 */
#include "loop/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/tls_private.h"

#define READ_CHUNK ((size_t)16384)
#define INPUT_DEFAULT ((size_t)65536)
#define OUTPUT_DEFAULT ((size_t)64 << 20)
#define LOW_DEFAULT ((size_t)65536)

struct stream {
    int fd;
    struct loop_fd *watch;
    SSL *ssl;
    struct tls_server *tls_next; /* starts when the output is gone */
    struct buf in, out;
    size_t in_start, out_start; /* consumed, sent */
    size_t low;
    struct stream_events events;
    void *arg;
    struct loop_task task; /* input to show, close to tell */
    struct loop_timer idle;
    int64_t idle_ms;
    bool suspended, finishing, handshake, wants_write, wants_read;
    bool above_low, eof, closed, show;
    struct err error; /* code E_NONE: the peer left properly */
    char peer[64];
};

static void stream_update(struct stream *s);

/* ---- closing ---- */

static void
stream_closed(struct stream *s, const struct err *err)
{
    if (s->closed)
        return;
    s->closed = true;
    s->error = err ? *err : (struct err){0};
    loop_fd_watch(s->watch, 0);
    loop_timer_stop(&s->idle);
    loop_task_soon(&s->task);
}

static void
stream_failed(struct stream *s, const char *what, int errnum)
{
    struct err e;

    err_errno(&e, E_RETRY, errnum, "%s", what);
    stream_closed(s, &e);
}

static void
on_idle(void *arg)
{
    struct stream *s = arg;
    struct err e;

    err_set(&e, E_RETRY, "idle for %lld s", (long long)(s->idle_ms / 1000));
    stream_closed(s, &e);
}

/* ---- telling ---- */

static void
on_task(void *arg)
{
    struct stream *s = arg;
    struct err e = s->error;

    if (s->closed) {
        s->events.on_close(s->arg, e.code ? &e : NULL);
        return;
    }
    if (s->show && !s->suspended && !s->finishing) {
        s->show = false;
        if (s->in.len > s->in_start)
            s->events.on_input(s->arg);
    }
}

static void
show_input(struct stream *s)
{
    s->show = true;
    if (!s->suspended)
        loop_task_soon(&s->task);
}

/* ---- reading ---- */

/* -1: nothing now or closed; else bytes. */
static ssize_t
read_some(struct stream *s, char *to, size_t n)
{
    ssize_t k;

    if (!s->ssl) {
        k = read(s->fd, to, n);
        if (k < 0 && errno != EAGAIN && errno != EINTR)
            stream_failed(s, "reading", errno);
        return k;
    }
    ERR_clear_error();
    k = SSL_read(s->ssl, to, (int)n);
    if (k > 0)
        return k;
    switch (SSL_get_error(s->ssl, (int)k)) {
    case SSL_ERROR_WANT_READ:
        return -1;
    case SSL_ERROR_WANT_WRITE:
        s->wants_write = true;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default: {
        struct err e;

        tls_err(&e, E_RETRY, "TLS");
        stream_closed(s, &e);
        return -1;
    }
    }
}

static void
input_compact(struct stream *s)
{
    if (s->in_start) {
        buf_drain(&s->in, s->in_start);
        s->in_start = 0;
    }
    if (!s->in.len && s->in.cap)
        buf_clear(&s->in);
}

static void
stream_read(struct stream *s)
{
    bool got = false;

    for (;;) {
        size_t room;
        char *to;
        ssize_t n;

        input_compact(s);
        room = s->in.limit - s->in.len;
        if (!room || s->closed)
            break;
        if (room > READ_CHUNK)
            room = READ_CHUNK;
        to = buf_room(&s->in, room);
        n = read_some(s, to, room);
        if (n == 0)
            s->eof = true;
        if (n <= 0)
            break;
        buf_added(&s->in, (size_t)n);
        got = true;
        if ((size_t)n < room && !s->ssl)
            break;
    }
    if (!s->in.len)
        input_compact(s);
    if (got && s->idle_ms)
        loop_timer_set(&s->idle, s->idle_ms);
    if (got)
        show_input(s);
}

/* ---- writing ---- */

static ssize_t
write_some(struct stream *s, const char *p, size_t n)
{
    ssize_t k;

    if (!s->ssl) {
        k = send(s->fd, p, n, MSG_NOSIGNAL);
        if (k < 0 && errno == ENOTSOCK)
            k = write(s->fd, p, n);
        if (k < 0 && errno != EAGAIN && errno != EINTR)
            stream_failed(s, "writing", errno);
        return k;
    }
    ERR_clear_error();
    k = SSL_write(s->ssl, p, n > 1 << 20 ? 1 << 20 : (int)n);
    if (k > 0)
        return k;
    switch (SSL_get_error(s->ssl, (int)k)) {
    case SSL_ERROR_WANT_WRITE:
    case SSL_ERROR_WANT_READ:
        return -1;
    default: {
        struct err e;

        tls_err(&e, E_RETRY, "TLS");
        stream_closed(s, &e);
        return -1;
    }
    }
}

static void stream_shutdown(struct stream *s);

static void
stream_flush(struct stream *s)
{
    while (s->out_start < s->out.len && !s->closed) {
        ssize_t n = write_some(s, s->out.data + s->out_start,
                               s->out.len - s->out_start);

        if (n <= 0)
            break;
        s->out_start += (size_t)n;
    }
    if (s->out_start == s->out.len && s->out.cap) {
        buf_clear(&s->out);
        s->out_start = 0;
    } else if (s->out_start > (1u << 20)) {
        buf_drain(&s->out, s->out_start);
        s->out_start = 0;
    }
    if (s->above_low && stream_pending(s) <= s->low && !s->closed) {
        s->above_low = false;
        if (s->events.on_drain && !s->finishing)
            s->events.on_drain(s->arg);
    }
}

/* ---- TLS ---- */

static void
tls_begin(struct stream *s, SSL *ssl)
{
    s->ssl = ssl;
    if (!ssl || SSL_set_fd(ssl, s->fd) != 1)
        abort();
    s->handshake = true;
}

static void
tls_step(struct stream *s)
{
    int k;

    ERR_clear_error();
    k = SSL_do_handshake(s->ssl);
    s->wants_write = false;
    if (k == 1) {
        s->handshake = false;
        if (s->events.on_tls)
            s->events.on_tls(s->arg);
        return;
    }
    switch (SSL_get_error(s->ssl, k)) {
    case SSL_ERROR_WANT_READ:
        return;
    case SSL_ERROR_WANT_WRITE:
        s->wants_write = true;
        return;
    default: {
        struct err e;

        tls_err(&e, E_RETRY, "TLS handshake");
        stream_closed(s, &e);
    }
    }
}

void
stream_start_tls(struct stream *s, struct tls_server *tls)
{
    buf_clear(&s->in);
    s->in_start = 0;
    s->show = false;
    s->tls_next = tls;
    stream_update(s);
}

void
stream_connect_tls(struct stream *s, struct tls_client *tls, const char *host)
{
    SSL *ssl = SSL_new(tls_client_ctx(tls));

    tls_begin(s, ssl);
    SSL_set_tlsext_host_name(ssl, host);
    SSL_set1_host(ssl, host);
    SSL_set_connect_state(ssl);
    stream_update(s);
}

bool
stream_is_tls(const struct stream *s)
{
    return s->ssl || s->tls_next;
}

/* ---- the descriptor is ready ---- */

static void
on_ready(void *arg, unsigned what)
{
    struct stream *s = arg;

    if (s->handshake) {
        tls_step(s);
    } else {
        s->wants_write = false;
        if (what & LOOP_WRITE)
            stream_flush(s);
        if (s->finishing && !s->closed && (what & LOOP_READ)) {
            char sink[512];

            if (read_some(s, sink, sizeof sink) == 0)
                stream_closed(s, NULL);
        } else if ((what & LOOP_READ) && !s->closed) {
            stream_read(s);
        }
        if ((what & LOOP_CLOSED) && s->suspended && !s->closed)
            s->eof = true;
    }
    stream_update(s);
}

/* What to wait for follows from the state, in one place. */
static void
stream_update(struct stream *s)
{
    unsigned what = 0;

    if (s->closed)
        return;
    if (s->tls_next && !s->ssl && stream_pending(s) == 0) {
        SSL *ssl = SSL_new(tls_server_ctx(s->tls_next));

        tls_begin(s, ssl);
        SSL_set_accept_state(ssl);
        s->tls_next = NULL;
    }
    if (s->eof && (s->suspended || s->in.len == s->in_start)) {
        stream_closed(s, NULL);
        return;
    }
    if (s->finishing && stream_pending(s) == 0 && !s->handshake) {
        stream_shutdown(s);
        return;
    }
    if (s->handshake) {
        what = s->wants_write ? LOOP_WRITE : LOOP_READ;
    } else {
        if (!s->suspended && !s->eof && !s->tls_next &&
            s->in.len - s->in_start < s->in.limit)
            what |= LOOP_READ;
        if (!(what & LOOP_READ) && !s->eof)
            what |= LOOP_CLOSED;
        if (stream_pending(s) || s->wants_write)
            what |= LOOP_WRITE;
    }
    loop_fd_watch(s->watch, what);
    /* TLS may hold bytes that the socket does not show any more. */
    if ((what & LOOP_READ) && s->ssl && !s->handshake &&
        SSL_pending(s->ssl) > 0 && !s->finishing) {
        stream_read(s);
    }
}

static void
stream_shutdown(struct stream *s)
{
    if (s->ssl && !s->handshake) {
        ERR_clear_error();
        (void)SSL_shutdown(s->ssl); /* a farewell; no answer is waited for */
        ERR_clear_error();
    }
    shutdown(s->fd, SHUT_WR);
    stream_closed(s, NULL);
}

/* ---- public ---- */

static void
peer_name(int fd, char *out, size_t size)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    char host[48], port[8];

    snprintf(out, size, "local");
    if (getpeername(fd, (struct sockaddr *)&ss, &len) ||
        (ss.ss_family != AF_INET && ss.ss_family != AF_INET6))
        return;
    if (getnameinfo((struct sockaddr *)&ss, len, host, sizeof host, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(out, size, ss.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
                 host, port);
}

struct stream *
stream_new(int fd, const struct stream_limits *limits,
           const struct stream_events *events, void *arg)
{
    struct stream *s = xcalloc(1, sizeof *s);
    static const struct stream_limits none;
    int one = 1;

    if (!limits)
        limits = &none;
    s->fd = fd;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    buf_init(&s->in, limits->input ? limits->input : INPUT_DEFAULT);
    buf_init(&s->out, limits->output ? limits->output : OUTPUT_DEFAULT);
    s->low = limits->low ? limits->low : LOW_DEFAULT;
    s->events = *events;
    s->arg = arg;
    s->watch = loop_fd_new(fd, on_ready, s);
    loop_task_init(&s->task, on_task, s);
    loop_timer_init(&s->idle, on_idle, s);
    peer_name(fd, s->peer, sizeof s->peer);
    stream_update(s);
    return s;
}

void
stream_free(struct stream **sp)
{
    struct stream *s = *sp;

    if (!s)
        return;
    *sp = NULL;
    loop_task_cancel(&s->task);
    loop_timer_clear(&s->idle);
    loop_fd_free(&s->watch);
    SSL_free(s->ssl);
    close(s->fd);
    buf_wipe(&s->in);
    buf_wipe(&s->out);
    free(s);
}

struct slice
stream_input(const struct stream *s)
{
    return slice_from(buf_slice(&s->in), s->in_start);
}

void
stream_consume(struct stream *s, size_t n)
{
    s->in_start += n;
    if (s->in_start >= s->in.len) {
        s->in_start = 0;
        /* An idle client must not keep a buffer; a busy one may. */
        if (s->in.cap > READ_CHUNK + 1)
            buf_clear(&s->in);
        else
            buf_reset(&s->in);
    }
    stream_update(s);
}

void
stream_again(struct stream *s)
{
    if (s->in.len > s->in_start)
        show_input(s);
}

void
stream_write(struct stream *s, const void *p, size_t n)
{
    struct err e;

    if (s->closed || s->finishing || !n)
        return;
    if (buf_add(&s->out, p, n)) {
        err_set(&e, E_LIMIT, "the peer does not read its answers");
        stream_closed(s, &e);
        return;
    }
    if (stream_pending(s) > s->low)
        s->above_low = true;
    stream_update(s);
}

void
stream_puts(struct stream *s, const char *text)
{
    stream_write(s, text, strlen(text));
}

void
stream_printf(struct stream *s, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    stream_puts(s, text);
    free(text);
}

size_t
stream_pending(const struct stream *s)
{
    return s->out.len - s->out_start;
}

void
stream_suspend(struct stream *s)
{
    s->suspended = true;
    stream_update(s);
}

void
stream_resume(struct stream *s)
{
    if (!s->suspended)
        return;
    s->suspended = false;
    if (s->in.len > s->in_start)
        show_input(s);
    stream_update(s);
}

bool
stream_is_suspended(const struct stream *s)
{
    return s->suspended;
}

void
stream_finish(struct stream *s)
{
    s->finishing = true;
    s->suspended = false;
    stream_update(s);
}

void
stream_set_idle(struct stream *s, int64_t ms)
{
    s->idle_ms = ms;
    if (ms)
        loop_timer_set(&s->idle, ms);
    else
        loop_timer_stop(&s->idle);
}

const char *
stream_peer(const struct stream *s)
{
    return s->peer;
}

int
stream_fd(const struct stream *s)
{
    return s->fd;
}

void
stream_break(struct stream *s)
{
    struct linger now = {1, 0};

    setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    stream_closed(s, NULL);
}
