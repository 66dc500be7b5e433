/*
 * The SMTP door: submission by mail programs (RFC 5321, RFC 6409, SPEC
 * section 7).
 */
#ifndef SEALPOST_SMTP_SERVER_H
#define SEALPOST_SMTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct accounts;
struct loop;
struct settings;
struct smtp_server;
struct tls_server;

struct smtp_server_config {
    struct loop *loop;
    struct accounts *accounts;
    struct tls_server *tls;          /* STARTTLS and implicit TLS; borrowed */
    const struct settings *settings; /* until smtp_server_settings() */
};
struct smtp_server *smtp_server_new(const struct smtp_server_config *);
/* Every client gets 421; what is written goes out for up to a second. */
void smtp_server_free(struct smtp_server **);
/* After a reload; the old settings may be freed after. */
void smtp_server_settings(struct smtp_server *, const struct settings *);
/* A connection from a listener; takes the descriptor. `tls`: from the first
 * byte. Over a limit it is told so and closed. */
void smtp_server_accept(struct smtp_server *, int fd, bool tls);
/* Connections now, for `status`. */
size_t smtp_server_clients(const struct smtp_server *);

#endif
