/*
 * The holder of an account's credentials: see auth.h. Filled by
 * eas_set_password(), asked by request.c.
 */
#include "eas/auth.h"

#include <stdlib.h>

#include "base/mem.h"
#include "loop/http.h"

void
eas_auth_init(struct eas_auth *a, const char *user)
{
    *a = (struct eas_auth){.user = xstrdup(user)};
}

void
eas_auth_clear(struct eas_auth *a)
{
    secret_clear(&a->secret);
    free(a->user);
    *a = (struct eas_auth){0};
}

void
eas_auth_set_password(struct eas_auth *a, const struct secret *password)
{
    a->kind = EAS_AUTH_BASIC;
    secret_copy(&a->secret, password);
}

bool
eas_auth_is_ready(const struct eas_auth *a)
{
    return a->kind != EAS_AUTH_NONE;
}

void
eas_auth_apply(const struct eas_auth *a, struct http_request *r)
{
    r->auth = a->kind == EAS_AUTH_BASIC ? HTTP_AUTH_BASIC : HTTP_AUTH_NONE;
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
