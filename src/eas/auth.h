/*
 * Who we are towards the server: one holder per account, asked before each
 * request and told when the server refused. Basic over TLS now; bearer
 * tokens, NTLM, Negotiate and client certificates are further kinds with the
 * same three questions.
 */
#ifndef SEALPOST_EAS_AUTH_H
#define SEALPOST_EAS_AUTH_H

#include <stdbool.h>

#include "base/secret.h"

struct http_request;

enum eas_auth_kind {
    EAS_AUTH_NONE, /* nobody has signed in yet */
    EAS_AUTH_BASIC,
};

struct eas_auth {
    enum eas_auth_kind kind;
    char *user;
    struct secret secret;
};

/* What a refused request means for the account. */
enum eas_auth_next {
    EAS_AUTH_STOP,  /* a person has to act; asking again locks accounts */
    EAS_AUTH_RENEW, /* renew the token, then the same request once more */
};

void eas_auth_init(struct eas_auth *a, const char *user);
void eas_auth_clear(struct eas_auth *a);
void eas_auth_set_password(struct eas_auth *a, const struct secret *password);
/* false: no request may go out yet. */
bool eas_auth_is_ready(const struct eas_auth *a);
/* Fills auth, user and secret of the request; they stay this holder's. */
void eas_auth_apply(const struct eas_auth *a, struct http_request *r);
enum eas_auth_next eas_auth_refused(struct eas_auth *a);

#endif
