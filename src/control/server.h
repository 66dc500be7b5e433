/*
 * The door of sealpostctl: a Unix socket. A request is one line of JSON,
 * {"command": "queue list", ...arguments...}; the answer is one line, either
 * {"ok": true, "result": ...} or {"ok": false, "code": "E_MISSING", "error":
 * "..."}. Requests of one connection are answered in order. Lines are bounded
 * at 16 MiB. Only the daemon's user, root and the members of control_group get
 * an answer.
 */
#ifndef SEALPOST_CONTROL_SERVER_H
#define SEALPOST_CONTROL_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/slice.h"

struct accounts;
struct control_server;
struct loop;
struct settings;
struct worker;

struct control_listener {
    const char *door;    /* "imap", "smtp" */
    bool tls;            /* from the first byte */
    const char *address; /* "127.0.0.1:1143", the port that was really bound */
};
/* What only the daemon knows; each may be called at any time. */
struct control_daemon {
    /* Loads the configuration file again: a bad one changes nothing. */
    int (*reload)(void *arg, struct err *e);
    const struct control_listener *(*listeners)(void *arg, size_t *n_out);
    size_t (*imap_clients)(void *arg);
    size_t (*smtp_clients)(void *arg);
    const char *fingerprint; /* of the certificate of the doors */
    void *arg;
};
struct control_server_config {
    struct loop *loop;
    struct worker *crypto;
    struct accounts *accounts;
    const struct settings *settings; /* until control_server_settings() */
    struct control_daemon daemon;
};
/* Listens on settings->control. E_DENIED when another daemon serves it. */
int control_server_new(const struct control_server_config *,
                       struct control_server **out, struct err *e);
void control_server_free(struct control_server **);
void control_server_settings(struct control_server *, const struct settings *);

/* One request line (without its end) without a socket, for sealpostctl where
 * no daemon runs: of `config` only loop, crypto, accounts and settings are
 * used. Turns the loop until the answer is there; answer_out gets its line.
 * Not for "status", "reload" and what needs a running outbox. -1 only when
 * the answer does not fit. */
struct buf;
int control_alone(const struct control_server_config *, struct slice request,
                  struct buf *answer_out);

#endif
