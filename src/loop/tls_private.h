/*
 * OpenSSL's types for stream.c and tls.c.
 */
#ifndef SEALPOST_LOOP_TLS_PRIVATE_H
#define SEALPOST_LOOP_TLS_PRIVATE_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/err.h"

struct tls_server;
struct tls_client;

SSL_CTX *tls_server_ctx(struct tls_server *);
SSL_CTX *tls_client_ctx(struct tls_client *);
/* False if the peer has shown no certificate. */
bool tls_peer_fingerprint(const SSL *ssl, char out[96]);
/* The thread's OpenSSL error queue as an err; empties it. */
int tls_err(struct err *e, enum err_code code, const char *what);

#endif
