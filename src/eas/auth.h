/*
 * Who we are towards the server: one holder per account, asked before each
 * request and told when the server refused. Basic, NTLM and a client
 * certificate; bearer tokens and Negotiate are further kinds with the same
 * three questions.
 */
#ifndef SEALPOST_EAS_AUTH_H
#define SEALPOST_EAS_AUTH_H

#include <stdbool.h>

#include "base/secret.h"
#include "eas/eas.h"

struct http_request;

struct eas_auth {
    enum eas_auth_kind kind;
    char *user;
    char *cert, *key;     /* PEM files, with a client certificate */
    struct secret secret; /* the password */
    bool has_password;
};

/* What a refused request means for the account. */
enum eas_auth_next {
    EAS_AUTH_STOP,  /* a person has to act; asking again locks accounts */
    EAS_AUTH_RENEW, /* renew the token, then the same request once more */
};

/* cert and key: NULL but with EAS_AUTH_CERTIFICATE. */
void eas_auth_init(struct eas_auth *a, enum eas_auth_kind kind,
                   const char *user, const char *cert, const char *key);
void eas_auth_clear(struct eas_auth *a);
void eas_auth_set_password(struct eas_auth *a, const struct secret *password);
/* false: no request may go out yet. */
bool eas_auth_is_ready(const struct eas_auth *a);
/* Fills auth, user and secret of the request; they stay this holder's. */
void eas_auth_apply(const struct eas_auth *a, struct http_request *r);
enum eas_auth_next eas_auth_refused(struct eas_auth *a);

#endif
