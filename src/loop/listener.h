/*
 * Listening sockets.
 */
#ifndef SEALPOST_LOOP_LISTENER_H
#define SEALPOST_LOOP_LISTENER_H

#include <sys/types.h>

#include "base/err.h"

struct listener;
/* The callee owns the descriptor. */
typedef void listener_accept_fn(void *arg, int fd);

/* host: a numeric address. Port 0: a free one. E_MISSING: this machine has
 * no such address family (skip it). A port that is taken is
 * E_DENIED with address and port in the text. */
int listener_tcp(const char *host, unsigned port, listener_accept_fn *, void *,
                 struct listener **out, struct err *e);
/* A stale socket file is replaced, one that somebody serves is E_DENIED. */
int listener_unix(const char *path, mode_t mode, listener_accept_fn *, void *,
                  struct listener **out, struct err *e);
/* From socket activation. */
struct listener *listener_fd(int fd, listener_accept_fn *, void *);
void listener_free(struct listener **); /* removes the socket file */
/* The bound port; 0 for a Unix socket. */
unsigned listener_port(const struct listener *);
/* "127.0.0.1:1143" or the path. */
const char *listener_name(const struct listener *);
/* No accepts until resumed (a connection limit is reached). */
void listener_pause(struct listener *, int paused);

/* User id at the other end of a Unix socket, or -1. */
long listener_peer_uid(int fd);

#endif
