/*
 * Streams: buffered, non-blocking, with TLS put under them at any time. Used
 * by all doors and by httpd.
 *
 * Nothing is written or told from inside a call: a task of the loop flushes
 * what the turn has gathered (one send for many writes) and then makes one
 * callback at a time, since any of them may free the stream. What to wait for
 * follows from the state, in stream_update() alone.
 */
#include "loop/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
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
/* After our last byte the peer may still be sending: closing now would reset
 * the line and could take that last byte away from it. */
#define LINGER_MS 1000
#define LINGER_BYTES ((size_t)1 << 20)

struct stream {
    int fd;
    struct loop_fd *watch;
    SSL *ssl;
    SSL *ssl_next; /* starts when `clear` bytes of output are gone */
    size_t clear;
    struct buf in, out;
    size_t in_start, out_start; /* consumed, sent */
    size_t low, lingered;
    struct stream_events events;
    void *arg;
    struct loop_task task; /* output to flush, things to tell */
    struct loop_timer idle;
    int64_t idle_ms;
    bool suspended, finishing, lingering, handshake;
    bool blocked;             /* the socket takes no more for now */
    bool hs_write, read_wants_write; /* TLS needs to write to go on */
    bool above_low, eof, gone, closed;
    bool show, show_last, tell_tls, tell_drain; /* callbacks that are due */
    struct err *error; /* why it closed; NULL: the peer left properly */
    char *peer;
};

/* One for all: only the loop's thread reads. */
static char scratch[READ_CHUNK];

static void stream_update(struct stream *s);

/* ---- closing ---- */

static void
stream_closed(struct stream *s, const struct err *err)
{
    if (s->closed)
        return;
    s->closed = true;
    if (err)
        s->error = xmemdup(err, sizeof *err);
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
stream_failed_tls(struct stream *s, const char *what, int errnum)
{
    struct err e;

    if (!ERR_peek_error() && errnum) {
        stream_failed(s, what, errnum);
        return;
    }
    tls_err(&e, E_RETRY, what);
    stream_closed(s, &e);
}

static void
on_idle(void *arg)
{
    struct stream *s = arg;
    struct err e;

    if (s->lingering) {
        stream_closed(s, NULL);
        return;
    }
    err_set(&e, E_RETRY, "idle for %lld s", (long long)(s->idle_ms / 1000));
    stream_closed(s, &e);
}

/* ---- reading ---- */

/* -1: nothing now or closed; 0: the end; else bytes. */
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
    s->read_wants_write = false;
    errno = 0;
    k = SSL_read(s->ssl, to, (int)n);
    if (k > 0)
        return k;
    switch (SSL_get_error(s->ssl, (int)k)) {
    case SSL_ERROR_WANT_READ:
        return -1;
    case SSL_ERROR_WANT_WRITE:
        s->read_wants_write = true;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        stream_failed_tls(s, "TLS, reading", errno);
        return -1;
    }
}

/* An idle client keeps no buffer, and no password stays behind in one. */
static void
input_compact(struct stream *s)
{
    if (s->in_start && s->in_start < s->in.len)
        buf_drain(&s->in, s->in_start);
    else if (s->in_start)
        buf_wipe(&s->in);
    s->in_start = 0;
}

static void
stream_read(struct stream *s)
{
    bool got = false;

    input_compact(s);
    while (!s->closed && s->in.len < s->in.limit) {
        size_t room = s->in.limit - s->in.len;
        ssize_t n;

        if (room > READ_CHUNK)
            room = READ_CHUNK;
        n = read_some(s, scratch, room);
        if (n == 0)
            s->eof = true;
        if (n <= 0)
            break;
        buf_add(&s->in, scratch, (size_t)n);
        mem_wipe(scratch, (size_t)n);
        got = true;
        if ((size_t)n < room && !s->ssl)
            break;
    }
    if (got && s->idle_ms)
        loop_timer_set(&s->idle, s->idle_ms);
    if (got || (s->eof && s->in.len)) {
        s->show = true;
        loop_task_soon(&s->task);
    }
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
    errno = 0;
    k = SSL_write(s->ssl, p, n > 1 << 20 ? 1 << 20 : (int)n);
    if (k > 0)
        return k;
    switch (SSL_get_error(s->ssl, (int)k)) {
    case SSL_ERROR_WANT_WRITE:
    case SSL_ERROR_WANT_READ: /* no renegotiation: reading comes anyway */
        return -1;
    default:
        stream_failed_tls(s, "TLS, writing", errno);
        return -1;
    }
}

static void
stream_flush(struct stream *s)
{
    size_t left;

    if (s->handshake || s->closed)
        return;
    s->blocked = false;
    while ((left = s->ssl_next ? s->clear : stream_pending(s)) > 0) {
        ssize_t n = write_some(s, s->out.data + s->out_start, left);

        if (n <= 0) {
            s->blocked = true;
            break;
        }
        s->out_start += (size_t)n;
        if (s->ssl_next)
            s->clear -= (size_t)n;
    }
    if (!stream_pending(s) && s->out.cap) {
        buf_clear(&s->out);
        s->out_start = 0;
    } else if (s->out_start > s->out.len / 2) {
        buf_drain(&s->out, s->out_start);
        s->out_start = 0;
    }
    if (s->above_low && stream_pending(s) <= s->low && !s->closed) {
        s->above_low = false;
        s->tell_drain = s->events.on_drain && !s->finishing;
        if (s->tell_drain)
            loop_task_soon(&s->task);
    }
}

/* A farewell; then input is thrown away until the peer leaves too. */
static void
stream_shutdown(struct stream *s)
{
    if (s->ssl) {
        ERR_clear_error();
        (void)SSL_shutdown(s->ssl);
        ERR_clear_error();
    }
    if (shutdown(s->fd, SHUT_WR) || s->eof) {
        stream_closed(s, NULL);
        return;
    }
    buf_wipe(&s->in);
    s->in_start = 0;
    s->lingering = true;
    loop_timer_set(&s->idle, LINGER_MS);
}

static void
stream_linger(struct stream *s)
{
    ssize_t n = read(s->fd, scratch, sizeof scratch);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        s->lingered += (size_t)n;
    if (n <= 0 || s->lingered > LINGER_BYTES)
        stream_closed(s, NULL);
}

/* ---- TLS ---- */

static void
tls_step(struct stream *s)
{
    int k;

    ERR_clear_error();
    errno = 0;
    k = SSL_do_handshake(s->ssl);
    s->hs_write = false;
    if (k == 1) {
        s->handshake = false;
        s->tell_tls = s->events.on_tls != NULL;
        loop_task_soon(&s->task); /* also for the output that waited */
        return;
    }
    switch (SSL_get_error(s->ssl, k)) {
    case SSL_ERROR_WANT_READ:
        return;
    case SSL_ERROR_WANT_WRITE:
        s->hs_write = true;
        return;
    default:
        stream_failed_tls(s, "TLS handshake", errno);
    }
}

static void
tls_put(struct stream *s, SSL *ssl)
{
    if (!ssl || s->ssl || s->ssl_next || SSL_set_fd(ssl, s->fd) != 1)
        abort(); /* no memory, or TLS inside TLS */
    s->ssl_next = ssl;
    s->clear = stream_pending(s);
    stream_update(s);
}

void
stream_start_tls(struct stream *s, struct tls_server *tls)
{
    SSL *ssl = SSL_new(tls_server_ctx(tls));

    if (ssl)
        SSL_set_accept_state(ssl);
    buf_wipe(&s->in);
    s->in_start = 0;
    s->show = false;
    tls_put(s, ssl);
}

void
stream_connect_tls(struct stream *s, struct tls_client *tls, const char *host)
{
    SSL *ssl = SSL_new(tls_client_ctx(tls));

    if (ssl) {
        /* An address is not sent as a name (RFC 6066 section 3). */
        if (!X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host)) {
            SSL_set1_host(ssl, host);
            SSL_set_tlsext_host_name(ssl, host);
        }
        SSL_set_connect_state(ssl);
    }
    buf_wipe(&s->in);
    s->in_start = 0;
    s->show = false;
    tls_put(s, ssl);
}

bool
stream_is_tls(const struct stream *s)
{
    return s->ssl || s->ssl_next;
}

bool
stream_tls_peer(const struct stream *s, char out[96])
{
    return s->ssl && !s->handshake && tls_peer_fingerprint(s->ssl, out);
}

/* ---- the descriptor is ready ---- */

static void
on_ready(void *arg, unsigned what)
{
    struct stream *s = arg;

    if (s->lingering) {
        stream_linger(s);
    } else if (s->handshake) {
        tls_step(s);
    } else {
        if (what & LOOP_WRITE)
            stream_flush(s);
        if (((what & LOOP_READ) ||
             ((what & LOOP_WRITE) && s->read_wants_write)) &&
            !s->closed && !s->finishing)
            stream_read(s);
        if (what & LOOP_CLOSED)
            s->gone = true;
    }
    stream_update(s);
}

static void
stream_update(struct stream *s)
{
    unsigned what = 0;

    if (s->closed)
        return;
    if (s->ssl_next && !s->clear) {
        s->ssl = s->ssl_next;
        s->ssl_next = NULL;
        s->handshake = true;
        s->hs_write = !SSL_is_server(s->ssl);
    }
    /* TLS may hold bytes that the socket does not show any more. */
    if (s->ssl && !s->handshake && !s->suspended && !s->finishing &&
        !s->eof && SSL_pending(s->ssl) > 0)
        stream_read(s);
    if (s->closed)
        return;
    if (s->finishing && !s->lingering && !stream_pending(s) && !s->ssl_next)
        stream_shutdown(s);
    else if (!s->finishing && ((s->suspended && (s->eof || s->gone)) ||
                               (s->eof && s->in.len == s->in_start)))
        stream_closed(s, NULL);
    if (s->closed)
        return;
    if (s->lingering) {
        what = LOOP_READ;
    } else if (s->handshake) {
        what = s->hs_write ? LOOP_WRITE : LOOP_READ;
    } else {
        if (!s->suspended && !s->eof && !s->ssl_next && !s->finishing &&
            s->in.len - s->in_start < s->in.limit)
            what |= LOOP_READ;
        else if (!s->eof && !s->gone)
            what |= LOOP_CLOSED;
        if (s->blocked || s->read_wants_write)
            what |= LOOP_WRITE;
    }
    loop_fd_watch(s->watch, what);
}

/* ---- telling ---- */

/* One callback a time: it may free the stream. */
static void
on_task(void *arg)
{
    struct stream *s = arg;

    if (!s->closed && !s->blocked && stream_pending(s)) {
        stream_flush(s);
        stream_update(s);
    }
    if (s->closed) {
        struct err e;

        loop_task_cancel(&s->task);
        if (s->error)
            e = *s->error;
        s->events.on_close(s->arg, s->error ? &e : NULL);
        return;
    }
    if (s->finishing)
        return;
    if (s->tell_tls) {
        s->tell_tls = false;
        loop_task_soon(&s->task);
        s->events.on_tls(s->arg);
    } else if (s->tell_drain) {
        s->tell_drain = false;
        loop_task_soon(&s->task);
        s->events.on_drain(s->arg);
    } else if (s->show && !s->suspended) {
        s->show = false;
        if (s->in.len == s->in_start)
            return;
        s->show_last = s->eof;
        if (s->eof)
            loop_task_soon(&s->task);
        s->events.on_input(s->arg);
    } else if (s->show_last && !s->suspended) {
        /* The peer left in the middle of a line; nobody waits for more. */
        stream_closed(s, NULL);
    }
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
    char peer[64];
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
    peer_name(fd, peer, sizeof peer);
    s->peer = xstrdup(peer);
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
    SSL_free(s->ssl_next);
    close(s->fd);
    buf_wipe(&s->in);
    buf_wipe(&s->out);
    free(s->error);
    free(s->peer);
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
    size_t left = s->in.len - s->in_start;

    s->in_start += n < left ? n : left;
    if (s->in_start == s->in.len)
        input_compact(s);
    stream_update(s);
}

void
stream_again(struct stream *s)
{
    s->show = true;
    loop_task_soon(&s->task);
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
    loop_task_soon(&s->task);
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
    stream_again(s);
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
    if (s->finishing || s->closed)
        return;
    s->finishing = true;
    s->suspended = false;
    if (stream_pending(s))
        loop_task_soon(&s->task);
    stream_update(s);
}

void
stream_set_idle(struct stream *s, int64_t ms)
{
    s->idle_ms = ms;
    if (s->closed || s->lingering)
        return;
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
