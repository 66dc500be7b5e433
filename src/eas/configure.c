/*
 * Another configuration for an account that runs: a reload moved it to
 * another server, gave it another sign-in, or other manners. The struct stays
 * where it is, since sync, outbox, views and certs hold on to it, and with
 * them the clients whose mail is all here.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eas/private.h"

static bool
same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void
take(char **field, const char *value)
{
    free(*field);
    *field = value ? xstrdup(value) : NULL;
}

/* What no request that is under way may finish with. */
static bool
is_elsewhere(const struct eas *eas, const struct eas_config *c,
             const char *url)
{
    return !same(eas->url, url) || !same(eas->auth.user, c->user) ||
           !same(eas->ca_file, c->ca_file) || eas->auth.kind != c->auth ||
           !same(eas->auth.cert, c->client_cert) ||
           !same(eas->auth.key, c->client_key) ||
           !same(eas->forced_version, c->version);
}

/* The others wait for the new place. */
static void
end_running(struct eas *eas)
{
    struct err why;

    err_set(&why, E_RETRY, "the account's server or sign-in was changed");
    eas_connect_clear(eas);
    eas_queue_fail_running(eas, &why);
}

static void
sign_in_change(struct eas *eas, const struct eas_config *c)
{
    struct eas_auth old = eas->auth;

    eas_auth_init(&eas->auth, c->auth, c->user, c->client_cert,
                  c->client_key);
    /* A password is the user's own; another one signs in with another. */
    if (same(old.user, c->user) && old.has_password)
        eas_auth_set_password(&eas->auth, &old.secret);
    eas_auth_clear(&old);
}

static void
move(struct eas *eas, const struct eas_config *c, char *url)
{
    bool mailbox = !same(eas->url, url) || !same(eas->auth.user, c->user);

    free(eas->url);
    eas->url = url;
    take(&eas->ca_file, c->ca_file);
    take(&eas->forced_version, c->version);
    sign_in_change(eas, c);
    if (mailbox) {
        eas->state = (struct eas_state){0};
        eas_policy_clear(&eas->policy);
        eas->has_policy = false;
        eas->need_provision = false;
    }
    if (eas->forced_version &&
        strcmp(eas->state.version, eas->forced_version) != 0)
        eas->state.version[0] = '\0';
    eas->want_version = true;
    /* Connections know the old names, and the old anchors trusted them. */
    http_free(&eas->http);
    eas->http = http_new();
}

static void
manners_change(struct eas *eas, const struct eas_config *c)
{
    eas->max_requests = c->max_requests ? c->max_requests : 3;
    eas->accept_policy = c->accept_policy;
    eas->heartbeat_min = c->heartbeat_min ? c->heartbeat_min : 60;
    eas->heartbeat_max = c->heartbeat_max ? c->heartbeat_max : 1680;
    if (eas->heartbeat < eas->heartbeat_min)
        eas->heartbeat = eas->heartbeat_min;
    if (eas->heartbeat > eas->heartbeat_max)
        eas->heartbeat = eas->heartbeat_max;
    take(&eas->address, c->address ? c->address : c->user);
}

int
eas_configure(struct eas *eas, const struct eas_config *c, bool *moved_out,
              struct err *e)
{
    char *url = eas_url_complete(c->url, e);

    *moved_out = false;
    if (!url)
        return -1;
    if (c->version && !eas_connect_choose(c->version, NULL)) {
        free(url);
        return err_set(e, E_INPUT,
                       "protocol version %s is none of 16.1, 16.0, 14.1, 14.0",
                       c->version);
    }
    manners_change(eas, c);
    if (!is_elsewhere(eas, c, url)) {
        free(url);
        return 0;
    }
    *moved_out = true;
    end_running(eas);
    move(eas, c, url);
    eas_queue_wake(eas);
    return 0;
}
