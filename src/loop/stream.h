/*
 * A byte stream over a connected socket, plain or TLS. Memory is taken only
 * while there is something to hold.
 */
#ifndef SEALPOST_LOOP_STREAM_H
#define SEALPOST_LOOP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct stream;
struct tls_client;
struct tls_server;

struct stream_events {
    /* There is input that was not seen yet; take what you want with
     * stream_consume(), the rest is shown again when more has come. Not
     * called while suspended. Any callback may free the stream. */
    void (*on_input)(void *arg);
    /* The output fell below the low-water mark. May be NULL. */
    void (*on_drain)(void *arg);
    /* The peer has gone (err NULL: properly), the line broke, time is out
     * (E_RETRY) or stream_finish() is done. Free the stream here or later;
     * nothing else is called after it. */
    void (*on_close)(void *arg, const struct err *err);
    /* TLS is up. May be NULL. */
    void (*on_tls)(void *arg);
};
struct stream_limits {
    size_t input;  /* bytes held before reading stops; 0: 64 KiB */
    size_t output; /* bytes held before the peer is dropped; 0: 64 MiB */
    size_t low;    /* on_drain below this; 0: 64 KiB */
};

/* Takes the descriptor over; makes it non-blocking. */
struct stream *stream_new(int fd, const struct stream_limits *,
                          const struct stream_events *, void *arg);
/* Closes at once; no callback. */
void stream_free(struct stream **);

/* What has come and was not consumed; valid until the next consume. */
struct slice stream_input(const struct stream *);
void stream_consume(struct stream *, size_t n);
/* After a consume that leaves something: call on_input again soon. */
void stream_again(struct stream *);

void stream_write(struct stream *, const void *p, size_t n);
void stream_puts(struct stream *, const char *s);
void stream_printf(struct stream *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Bytes that wait to go out. */
size_t stream_pending(const struct stream *);

/* No on_input until resumed; a peer that leaves is still noticed (one that
 * only closes its side for sending counts as gone, as TCP cannot tell). */
void stream_suspend(struct stream *);
void stream_resume(struct stream *);
bool stream_is_suspended(const struct stream *);

/* Closes after the output is gone, then on_close(NULL). Input is ignored; the
 * peer gets up to a second to read the end before the line is cut. */
void stream_finish(struct stream *);

/* Upgrade: plaintext that is already here is dropped (RFC 3207 section 6,
 * RFC 9051 section 6.2.1), what was written before goes out in clear first,
 * what is written after waits for TLS. Once in a stream's life. */
void stream_start_tls(struct stream *, struct tls_server *);
/* The client's side; host: the name or address that is verified. */
void stream_connect_tls(struct stream *, struct tls_client *,
                        const char *host);
bool stream_is_tls(const struct stream *);
/* "AB:CD:..." SHA-256 of the peer's verified certificate; false if it has
 * shown none. */
bool stream_tls_peer(const struct stream *, char out[96]);

/* on_close(E_RETRY "idle") after so long without input; 0: never. */
void stream_set_idle(struct stream *, int64_t ms);
/* "127.0.0.1:4711", "local". */
const char *stream_peer(const struct stream *);
int stream_fd(const struct stream *);
/* Drops the line without a farewell, as a broken network would (RST). */
void stream_break(struct stream *);

#endif
