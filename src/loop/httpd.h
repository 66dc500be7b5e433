/*
 * A small HTTP/1.1 server (RFC 9112): for the sandbox, later the console.
 */
#ifndef SEALPOST_LOOP_HTTPD_H
#define SEALPOST_LOOP_HTTPD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/slice.h"

struct httpd;
struct httpd_request;
struct tls_server;

struct httpd_options {
    const char *host;       /* numeric */
    unsigned port;          /* 0: a free one */
    struct tls_server *tls; /* NULL: plain; borrowed */
    size_t max_body;        /* 0: 64 MiB */
    unsigned max_clients;   /* 0: 256 */
    long idle_ms;           /* 0: 120 s, while no request is answered */
};
/* The request is whole. Answer now or later, once, with one of the functions
 * below. */
typedef void httpd_handler_fn(void *arg, struct httpd_request *);

int httpd_new(const struct httpd_options *, httpd_handler_fn *, void *arg,
              struct httpd **out, struct err *e);
/* Drops all connections; requests not yet answered get on_gone. */
void httpd_free(struct httpd **);
unsigned httpd_port(const struct httpd *);

/* Borrowed until it is answered. */
const char *httpd_method(const struct httpd_request *);
const char *httpd_target(const struct httpd_request *); /* path?query */
struct slice httpd_body(const struct httpd_request *);
/* The value of a header, NULL if absent; letter case of the name ignored. */
const char *httpd_header(const struct httpd_request *, const char *name);
const char *httpd_peer(const struct httpd_request *);

/* Told when the peer leaves before the answer; the request is freed after. */
void httpd_on_gone(struct httpd_request *,
                   void (*gone)(void *arg, struct httpd_request *), void *arg);

/* headers: "Name: value" lines, NULL at the end, or NULL. Copies the body. */
void httpd_answer(struct httpd_request *, int status,
                  const char *const *headers, struct slice body);
/* The same, but the line breaks after `cut` bytes of the body. */
void httpd_answer_cut(struct httpd_request *, int status,
                      const char *const *headers, struct slice body,
                      size_t cut);
/* No answer: the connection is broken off (RST). */
void httpd_drop(struct httpd_request *);

#endif
