/*
 * The IMAP door: all connections of all accounts (RFC 3501, RFC 9051 and the
 * extensions of SPEC section 6 that are advertised).
 */
#ifndef SEALPOST_IMAP_SERVER_H
#define SEALPOST_IMAP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct accounts;
struct imap_server;
struct loop;
struct settings;
struct tls_server;

struct imap_server_config {
    struct loop *loop;
    struct accounts *accounts;
    struct tls_server *tls;          /* STARTTLS and implicit TLS; borrowed */
    const struct settings *settings; /* until imap_server_settings() */
};
struct imap_server *imap_server_new(const struct imap_server_config *);
/* Every client gets BYE; what is written goes out for up to a second. */
void imap_server_free(struct imap_server **);
/* After a reload; the old settings may be freed after. */
void imap_server_settings(struct imap_server *, const struct settings *);
/* A connection from a listener; takes the descriptor. `tls`: from the first
 * byte. Over a limit it is told so and closed. */
void imap_server_accept(struct imap_server *, int fd, bool tls);
/* Connections now, for `status`. */
size_t imap_server_clients(const struct imap_server *);

#endif
