/*
 * The account as a client of Exchange: made from its configuration and the
 * state that its owner kept, stopped and started again, moved to another
 * server. The commands are in the other files; all go through queue.c.
 */
#include "eas/eas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/now.h"
#include "eas/private.h"

#define DEFAULT_PATH "/Microsoft-Server-ActiveSync"

static void on_stop_task(void *arg);

static bool
device_id_is_good(const char *id)
{
    size_t n = strlen(id);

    for (size_t i = 0; i < n; i++)
        if (!ascii_is_alpha((unsigned char)id[i]) &&
            !ascii_is_digit((unsigned char)id[i]))
            return false;
    return n >= 1 && n <= 32;
}

/* The URL with the usual path where it has none; NULL with e if it is bad. */
char *
eas_url_complete(const char *url, struct err *e)
{
    struct http_url parts;
    size_t n = strlen(url);
    char *bare, *full = NULL;

    while (n && url[n - 1] == '/')
        n--;
    bare = xstrndup(url, n);
    if (http_url_parse(url, &parts, e) || http_url_parse(bare, &parts, e))
        ; /* said */
    else if (strchr(url, '?'))
        err_set(e, E_INPUT, "%s: a URL with a query is not taken", url);
    else
        full = xasprintf("%s%s", bare, parts.path[0] ? "" : DEFAULT_PATH);
    free(bare);
    return full;
}

int
eas_new(const struct eas_config *c, const struct eas_state *state,
        struct eas **out, struct err *e)
{
    struct eas *eas;
    char *url = eas_url_complete(c->url, e);

    if (!url)
        return -1;
    if (!device_id_is_good(c->device_id)) {
        free(url);
        return err_set(e, E_INPUT,
                       "the device id must be 1 to 32 letters and digits");
    }
    if (c->version && !eas_connect_choose(c->version, NULL)) {
        free(url);
        return err_set(e, E_INPUT,
                       "protocol version %s is none of 16.1, 16.0, 14.1, 14.0",
                       c->version);
    }
    eas = xcalloc(1, sizeof *eas);
    eas->url = url;
    eas->account = xstrdup(c->account ? c->account : c->user);
    eas->address = xstrdup(c->address ? c->address : c->user);
    eas->device_id = xstrdup(c->device_id);
    eas->ca_file = c->ca_file ? xstrdup(c->ca_file) : NULL;
    eas->forced_version = c->version ? xstrdup(c->version) : NULL;
    eas->max_requests = c->max_requests ? c->max_requests : 3;
    eas->accept_policy = c->accept_policy;
    eas->watcher = c->watcher;
    eas->http = http_new();
    eas_auth_init(&eas->auth, c->auth, c->user, c->client_cert,
                  c->client_key);
    if (state)
        eas->state = *state;
    if (eas->forced_version &&
        strcmp(eas->state.version, eas->forced_version) != 0)
        eas->state.version[0] = '\0';
    /* The key was kept but not the document: ask again, for nobody may send
     * by a policy that is not known. */
    eas->need_provision = eas->state.policy_key[0] && !eas->state.no_policy;
    eas->heartbeat_min = c->heartbeat_min ? c->heartbeat_min : 60;
    eas->heartbeat_max = c->heartbeat_max ? c->heartbeat_max : 1680;
    eas->heartbeat = 480;
    if (eas->heartbeat < eas->heartbeat_min)
        eas->heartbeat = eas->heartbeat_min;
    if (eas->heartbeat > eas->heartbeat_max)
        eas->heartbeat = eas->heartbeat_max;
    loop_task_init(&eas->stop_task, on_stop_task, eas);
    eas_queue_init(eas);
    *out = eas;
    return 0;
}

void
eas_free(struct eas **easp)
{
    struct eas *eas = *easp;

    if (!eas)
        return;
    eas_queue_clear(eas);
    eas_connect_clear(eas);
    loop_task_cancel(&eas->stop_task);
    http_free(&eas->http);
    eas_auth_clear(&eas->auth);
    eas_policy_clear(&eas->policy);
    eas_policy_clear(&eas->asked);
    free(eas->url);
    free(eas->account);
    free(eas->address);
    free(eas->device_id);
    free(eas->ca_file);
    free(eas->forced_version);
    free(eas);
    *easp = NULL;
}

const char *
eas_url_now(const struct eas *eas)
{
    return eas->state.location[0] ? eas->state.location : eas->url;
}

bool
eas_version_is(const struct eas *eas, int at_least)
{
    unsigned major = 0, minor = 0;

    return sscanf(eas->state.version, "%2u.%1u", &major, &minor) == 2 &&
           (int)(major * 10 + minor) >= at_least;
}

void
eas_state_changed(struct eas *eas)
{
    if (eas->watcher.on_state)
        eas->watcher.on_state(eas->watcher.arg, &eas->state);
}

int
eas_move_to(struct eas *eas, const char *location, struct err *e)
{
    struct err why;
    char *url;

    if (!location[0])
        return err_set(e, E_REMOTE,
                       "the mailbox was moved (HTTP 451), but the server does "
                       "not say where: set its new URL");
    url = eas_url_complete(location, &why);
    if (!url)
        return err_set(e, E_REMOTE,
                       "the mailbox was moved to an unusable URL: %s",
                       why.text);
    if (!slice_copy(slice_of(url), eas->state.location,
                    sizeof eas->state.location)) {
        free(url);
        return err_set(e, E_REMOTE, "the URL of the new server is too long");
    }
    free(url);
    eas->state.version[0] = '\0'; /* another server, another list */
    eas_state_changed(eas);
    return 0;
}

/* ---- stopped and started */

static void
on_stop_task(void *arg)
{
    struct eas *eas = arg;

    if (eas->stopped && eas->wipe && eas->watcher.on_wipe) {
        enum eas_wipe kind = eas->wipe;

        eas->wipe = EAS_WIPE_NONE;
        eas->watcher.on_wipe(eas->watcher.arg, kind);
        return;
    }
    if (eas->watcher.on_stop)
        eas->watcher.on_stop(eas->watcher.arg,
                             eas->stopped ? &eas->stop_err : NULL);
}

void
eas_stop(struct eas *eas, const struct err *why)
{
    if (!eas->stopped || eas->stop_err.code != why->code)
        loop_task_soon(&eas->stop_task);
    eas->stopped = true;
    eas->stop_err = *why;
    eas_queue_wake(eas);
}

static void
eas_go(struct eas *eas)
{
    if (eas->stopped)
        loop_task_soon(&eas->stop_task);
    eas->stopped = false;
    eas->hold_until = 0;
    eas->busy = 0;
    eas->connect_tries = 0;
    eas->connect_not_before = 0;
    memset(eas->prints, 0, sizeof eas->prints);
    eas_queue_wake(eas);
}

void
eas_set_password(struct eas *eas, const struct secret *password)
{
    eas_auth_set_password(&eas->auth, password);
    eas_go(eas);
}

bool
eas_password_is(const struct eas *eas, const struct secret *password)
{
    return eas->auth.has_password &&
           secret_is(&eas->auth.secret, password->data, password->len);
}

void
eas_wake(struct eas *eas)
{
    /* The same password that was refused is refused again; a block by the
     * server may have been lifted meanwhile. */
    if (eas->stopped && eas->stop_err.code == E_LOGIN)
        return;
    eas_go(eas);
}

const struct eas_policy *
eas_policy(const struct eas *eas)
{
    return eas->has_policy ? &eas->policy : NULL;
}

void
eas_status_view(const struct eas *eas, struct eas_status_view *out)
{
    struct list *node, *after;
    int64_t left = eas->hold_until - now_ms();

    *out = (struct eas_status_view){.version = eas->state.version,
                                    .url = eas_url_now(eas),
                                    .policy_known = eas->has_policy ||
                                                    eas->state.no_policy};
    LIST_EACH(&eas->waiting, node, after)
        out->waiting++;
    LIST_EACH(&eas->running, node, after) {
        out->running++;
        if (LIST_OBJECT(node, struct eas_call, node)->kind->command ==
            EAS_CMD_PING)
            out->pinging = true;
    }
    if (left > 0)
        out->held_until = now_unix() + (left + 999) / 1000;
    if (eas->stopped)
        out->stopped = eas->stop_err;
}

static size_t
work_add(const struct list *calls, struct eas_work *out, size_t n, size_t max)
{
    for (const struct list *l = calls->next; l != calls; l = l->next) {
        const struct eas_call *c = LIST_OBJECT(l, struct eas_call, node);

        if (n < max)
            out[n] = (struct eas_work){
                .command = eas_command_name(c->kind->command),
                .running = c->is_running,
                .background = c->background,
                .ms = now_ms() - c->since,
            };
        n++;
    }
    return n;
}

size_t
eas_work(const struct eas *eas, struct eas_work *out, size_t max)
{
    return work_add(&eas->waiting, out,
                    work_add(&eas->running, out, 0, max), max);
}

/* ---- small things that several commands need */

char *
eas_dup_text(struct slice s, size_t max)
{
    char *text;

    if (!s.p)
        return NULL;
    text = slice_dup(s.n > max ? slice_cut(s, 0, max) : s);
    return text; /* what stands behind a NUL is not seen: a lie stays short */
}

char *
eas_dup_id(struct slice s)
{
    return s.n > EAS_ID_MAX ? NULL : eas_dup_text(s, EAS_ID_MAX);
}

int
eas_answer_tree(struct arena *a, struct slice body, unsigned root_tag,
                struct wbxml_node **out, struct err *e)
{
    if (!body.n)
        return err_set(e, E_RETRY, "the server's answer is empty");
    if (wbxml_tree_parse(a, body, NULL, out, e)) {
        /* The server is sick, not we: later it may be well again. */
        if (e && e->code == E_INPUT)
            e->code = E_RETRY;
        return err_add(e, "the server's answer");
    }
    if ((*out)->tag != root_tag)
        return err_set(e, E_RETRY, "the server answered %s instead of %s",
                       wbxml_tag_name((*out)->tag), wbxml_tag_name(root_tag));
    return 0;
}

int64_t
eas_date_parse(struct slice s)
{
    struct tm t = {0};
    char text[40];
    int64_t when;

    if (!slice_copy(slice_trim(s), text, sizeof text) ||
        (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &t.tm_year, &t.tm_mon,
                &t.tm_mday, &t.tm_hour, &t.tm_min, &t.tm_sec) != 6 &&
         sscanf(text, "%4d%2d%2dT%2d%2d%2d", &t.tm_year, &t.tm_mon, &t.tm_mday,
                &t.tm_hour, &t.tm_min, &t.tm_sec) != 6) ||
        t.tm_year < 1970 || t.tm_year > 2200 || t.tm_mon < 1 || t.tm_mon > 12 ||
        t.tm_mday < 1 || t.tm_mday > 31 || t.tm_hour < 0 || t.tm_hour > 23 ||
        t.tm_min < 0 || t.tm_min > 59 || t.tm_sec < 0 || t.tm_sec > 60)
        return -1;
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    when = (int64_t)timegm(&t);
    return when < 0 ? -1 : when;
}
