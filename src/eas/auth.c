/*
 * The holder of an account's credentials: see auth.h. Filled by
 * eas_set_password(), asked by request.c.
 */
#include "eas/auth.h"

#include <stdlib.h>

#include "base/mem.h"
#include "loop/http.h"

void
eas_auth_init(struct eas_auth *a, enum eas_auth_kind kind, const char *user,
              const char *cert, const char *key)
{
    *a = (struct eas_auth){.kind = kind, .user = xstrdup(user)};
    a->cert = cert ? xstrdup(cert) : NULL;
    a->key = key ? xstrdup(key) : NULL;
}

void
eas_auth_clear(struct eas_auth *a)
{
    secret_clear(&a->secret);
    free(a->user);
    free(a->cert);
    free(a->key);
    *a = (struct eas_auth){0};
}

void
eas_auth_set_password(struct eas_auth *a, const struct secret *password)
{
    secret_copy(&a->secret, password);
    a->has_password = true;
}

bool
eas_auth_is_ready(const struct eas_auth *a)
{
    return a->kind == EAS_AUTH_CERTIFICATE || a->has_password;
}

void
eas_auth_apply(const struct eas_auth *a, struct http_request *r)
{
    switch (a->kind) {
    case EAS_AUTH_CERTIFICATE:
        r->auth = HTTP_AUTH_NONE;
        r->client_cert = a->cert;
        r->client_key = a->key;
        return;
    case EAS_AUTH_NTLM:
        r->auth = HTTP_AUTH_NTLM;
        break;
    case EAS_AUTH_BASIC:
        r->auth = HTTP_AUTH_BASIC;
        break;
    }
    r->user = a->user;
    r->secret = &a->secret;
}

enum eas_auth_next
eas_auth_refused(struct eas_auth *a)
{
    /* A password does not get better by asking again. */
    (void)a;
    return EAS_AUTH_STOP;
}
