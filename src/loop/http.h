/*
 * The HTTP client: libcurl's multi interface on this loop. https only, the
 * certificate verified always, no redirects followed.
 */
#ifndef SEALPOST_LOOP_HTTP_H
#define SEALPOST_LOOP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/slice.h"
#include "loop/op.h"

struct http;

/* One per account: connections are reused and cookies kept inside it. */
struct http *http_new(void);
void http_free(struct http **);

/* The library that was found at run time must be the OpenSSL flavour with
 * asynchronous name look-ups; E_BUG names what is there instead. */
int http_check_library(struct err *e);

enum http_auth {
    HTTP_AUTH_NONE,
    HTTP_AUTH_BASIC,
    HTTP_AUTH_BEARER, /* `secret` is the token, `user` unused */
    HTTP_AUTH_NTLM,   /* like BASIC; needs HTTP/1.1 and costs two turns */
};

struct http_request {
    const char *method; /* "POST", "OPTIONS", "GET" */
    const char *url;
    const char *const *headers; /* "Name: value", NULL at the end */
    const char *cookie; /* "name=value" beside those of the jar, or NULL */
    enum http_auth auth;
    const char *user;
    const struct secret *secret;
    const char *ca_file;    /* PEM anchors instead of the system's, or NULL */
    const char *user_agent; /* or NULL */
    const char *client_cert; /* PEM file to show when asked, or NULL */
    const char *client_key;  /* PEM file of its key; NULL: the same file */
    const struct secret *client_key_password; /* or NULL */
    /* The body: `body`, borrowed until done; or `read` with `body_size`. */
    struct slice body;
    size_t (*read)(void *arg, uint64_t offset, char *to, size_t n);
    uint64_t body_size;
    bool fresh_connection;  /* one of its own (Ping) */
    int64_t connect_ms;     /* 0: 30 s */
    int64_t total_ms;       /* 0: none */
    int64_t stall_ms;       /* no byte either way for so long; 0: 90 s */
    uint64_t max_body;      /* of the answer; 0: 64 MiB */
    /* Called where an answer's head begins, before its headers; a head after
     * another (an interim one, a second try of a login) takes the place of
     * the one before. May be NULL. */
    void (*on_status)(void *arg, int status);
    /* Called for each header line; may be NULL. */
    void (*on_header)(void *arg, struct slice name, struct slice value);
    /* Called with pieces of the body, decompressed. -1 with e ends the
     * request with that error. */
    int (*on_body)(void *arg, struct slice piece, struct err *e);
    void *arg;
};
struct http_answer {
    int status;         /* HTTP status, 0: none came */
    bool maybe_acted;   /* with an err: the whole request had been given to
                         * the network, so the server may have acted on it */
    char url[600];
};
/* E_RETRY: the network or the server is away; E_REMOTE: its certificate is
 * not good (the text says what and how to give a CA file); E_LIMIT: the body
 * is too large; E_CRYPTO: our client certificate or its key is not usable. An
 * HTTP status is no error. Strings are copied. A callback may cancel. */
struct op *http_send(struct http *, const struct http_request *,
                     struct http_answer *out, op_done_fn *done, void *arg);

/* ---- pieces of an https URL ---- */

struct http_url {
    char host[256];
    unsigned port;
    char path[300]; /* begins with "/", or "" */
};
/* E_INPUT for anything but https, for user info and for fragments. */
int http_url_parse(const char *url, struct http_url *out, struct err *e);
/* Adds percent-encoded text (unreserved characters stay). */
struct buf;
int http_url_encode(struct buf *out, struct slice text);

#endif
