/*
 * TLS for the doors: server contexts, and the loopback certificate of the
 * first start.
 */
#ifndef SEALPOST_LOOP_TLS_H
#define SEALPOST_LOOP_TLS_H

#include <stdbool.h>

#include "base/err.h"

struct tls_server;
struct tls_client;

/* PEM files. TLS 1.2 or newer. */
int tls_server_new(const char *cert_path, const char *key_path,
                   struct tls_server **out, struct err *e);
void tls_server_free(struct tls_server **);
/* The same files anew, after somebody renewed them: handshakes that begin
 * after have the new certificate. On error the old one stays: E_INPUT, or
 * E_DENIED when they cannot be read. */
int tls_server_renew(struct tls_server *, const char *cert_path,
                     const char *key_path, struct err *e);
/* "AB:CD:..." SHA-256 of the certificate; 96 bytes with the terminator. */
void tls_server_fingerprint(const struct tls_server *, char out[96]);

/* Asks each client for a certificate under the anchors of a PEM file; a bad
 * one ends the handshake, and so does none if `required`. Who it was:
 * stream_tls_peer(). */
int tls_server_ask_client(struct tls_server *, const char *ca_path,
                          bool required, struct err *e);

/* Makes a P-256 key and a certificate for localhost, 127.0.0.1 and ::1, ten
 * years, unless both files are there. 0600 and 0644. */
int tls_make_loopback(const char *cert_path, const char *key_path,
                      struct err *e);

/* Client side, for tests and tools: anchors from a PEM file. */
int tls_client_new(const char *ca_path, struct tls_client **out,
                   struct err *e);
/* The certificate to show when asked; PEM files. */
int tls_client_use(struct tls_client *, const char *cert_path,
                   const char *key_path, struct err *e);
void tls_client_free(struct tls_client **);

#endif
