/*
 * One account: made with its parts (open.c), started once the password is
 * there, closed again; and what the doors may ask of it.
 */
#include "account/account.h"

#include <stdlib.h>
#include <string.h>

#include "account/private.h"
#include "base/log.h"
#include "base/mem.h"
#include "eas/policy.h"
#include "outbox/outbox.h"
#include "secrets/command.h"
#include "secrets/secrets.h"
#include "settings/settings.h"
#include "store/store.h"
#include "sync/sync.h"
#include "view/view.h"

#define RETRY_MS 60000

/* ---- what the parts tell ---- */

static void
on_state(void *arg, const struct eas_state *st)
{
    struct account *a = arg;
    struct err e;

    if (account_eas_state_save(a->store, st, &e))
        log_error("account", "account=%s state not kept: %s", a->name, e.text);
}

static void
on_policy(void *arg, const struct eas_policy *p)
{
    struct account *a = arg;
    struct sync_window window = account_window(a);

    window.policy = p->max_age_filter;
    if (a->sync)
        sync_set_window(a->sync, &window);
    for (size_t i = 0; i < p->n; i++)
        if (!p->entries[i].enforced)
            log_notice("account", "account=%s policy asks for %s=%s, which "
                                  "Sealpost does not enforce",
                       a->name, p->entries[i].name, p->entries[i].value);
}

static void
on_stop(void *arg, const struct err *why)
{
    struct account *a = arg;

    if (why) {
        log_error("account", "account=%s stopped: %s", a->name, why->text);
        if (a->sync)
            sync_stop(a->sync, why);
        return;
    }
    log_notice("account", "account=%s runs again", a->name);
    if (a->sync)
        sync_start(a->sync);
}

static void
on_begin_anew(void *arg)
{
    struct account *a = arg;

    log_notice("account", "account=%s the server was changed and begins anew",
               a->name);
    if (a->sync)
        sync_begin_anew(a->sync);
}

static void sessions_end(struct account *a, const char *why);

static void
on_wipe(void *arg, enum eas_wipe kind)
{
    struct account *a = arg;
    struct err e;

    /* No order is forgotten: without a marker the account only stops, and
     * the server orders again at the next start. */
    if (account_wipe_begin(a, kind, &e)) {
        on_stop(a, &e);
        return;
    }
    sessions_end(a, "the account was wiped");
    account_parts_close(a);
    account_wipe_go(a->wipe);
}

void
account_watch(struct account *a, struct eas_watcher *out)
{
    *out = (struct eas_watcher){.on_state = on_state,
                                .on_policy = on_policy,
                                .on_stop = on_stop,
                                .on_begin_anew = on_begin_anew,
                                .on_wipe = on_wipe,
                                .arg = a};
}

/* ---- made ---- */

static void
sessions_end(struct account *a, const char *why)
{
    while (a->sessions) {
        struct account_session *s = a->sessions;

        a->sessions = s->next;
        s->on_end(s->arg, why);
    }
}

static void on_retry(void *arg);

struct account *
account_new(struct accounts *set, const struct settings_account *s)
{
    struct account *a = xcalloc(1, sizeof *a);
    char *dir = xasprintf("%s/accounts/%s", set->settings->state_dir, s->name);

    a->refs = 1;
    a->set = set;
    a->name = xstrdup(s->name);
    a->address = xstrdup(s->address);
    a->settings = s;
    loop_timer_init(&a->retry, on_retry, a);
    list_add(&set->list, &a->node);
    if (account_wipe_load(a)) {
        log_error("account", "account=%s %s", a->name, a->error.text);
        free(dir);
        return a;
    }
    if (account_parts_open(a, dir, &a->error)) {
        log_error("account", "account=%s cannot be opened: %s", a->name,
                  a->error.text);
        account_parts_close(a);
    }
    free(dir);
    return a;
}

/* ---- starting: the password, then all the rest ---- */

static void
on_user(void *arg, const struct err *err)
{
    struct account *a = arg;

    /* The addresses of the settings stand; the server's are added to them. */
    if (!err)
        outbox_set_aliases(a->outbox, (const char *const *)a->user.addresses,
                           a->user.n);
    else if (err->code != E_CANCELED)
        log_info("account", "account=%s addresses not known: %s", a->name,
                 err->text);
    eas_user_clear(&a->user);
}

static void
account_run(struct account *a)
{
    eas_set_password(a->eas, &a->password);
    secret_clear(&a->password);
    sync_start(a->sync);
    views_prepare_start(a->views);
    outbox_start(a->outbox);
    if (!a->user_op)
        op_hold(&a->user_op, eas_user_get(a->eas, &a->user, on_user, a));
}

static void
password_failed(struct account *a, const struct err *err)
{
    log_error("account", "account=%s password: %s", a->name, err->text);
    loop_timer_set(&a->retry, RETRY_MS);
}

static void
on_password(void *arg, const struct err *err)
{
    struct account *a = arg;

    if (err)
        password_failed(a, err);
    else
        account_run(a);
}

void
account_start(struct account *a)
{
    struct err e;
    char *name;
    int rc;

    if (a->wipe)
        account_wipe_go(a->wipe);
    if (a->error.code || a->password_op)
        return;
    if (a->settings->password_command) {
        op_hold(&a->password_op,
                secrets_command(a->settings->password_command, &a->password,
                                on_password, a));
        return;
    }
    if (a->settings->auth == SETTINGS_AUTH_CERTIFICATE) {
        account_run(a);
        return;
    }
    name = secrets_account_name(a->name, "password");
    rc = secrets_get(a->set->secrets, name, &a->password, &e);
    free(name);
    if (rc == 0) {
        account_run(a);
        return;
    }
    if (e.code == E_MISSING)
        err_set(&e, E_LOGIN, "no password is stored: sealpostctl account "
                             "password %.60s", a->name);
    password_failed(a, &e);
}

static void
on_retry(void *arg)
{
    account_start(arg);
}

void
account_password_again(struct account *a)
{
    char *name;
    int rc;

    if (a->error.code || a->password_op || a->settings->password_command ||
        a->settings->auth == SETTINGS_AUTH_CERTIFICATE)
        return;
    name = secrets_account_name(a->name, "password");
    rc = secrets_get(a->set->secrets, name, &a->password, NULL);
    free(name);
    if (rc == 0 && !eas_password_is(a->eas, &a->password)) {
        account_run(a);
        sync_pull_soon(a->sync, 0); /* the Ping was let in by the old one */
    }
    secret_clear(&a->password);
}

void
account_close(struct account *a, const char *why)
{
    account_wipe_free(&a->wipe);
    sessions_end(a, why);
    account_parts_close(a);
    if (!a->error.code)
        err_set(&a->error, E_MISSING, "the account was closed");
    list_remove(&a->node);
    a->set = NULL;
    account_unref(&a);
}

/* ---- for the doors ---- */

struct account *
account_ref(struct account *a)
{
    a->refs++;
    return a;
}

void
account_unref(struct account **ap)
{
    struct account *a = *ap;

    *ap = NULL;
    if (!a || --a->refs)
        return;
    free(a->name);
    free(a->address);
    free(a);
}

const char *
account_name(const struct account *a)
{
    return a->name;
}

const char *
account_address(const struct account *a)
{
    return a->address;
}

const struct settings_account *
account_settings(const struct account *a)
{
    return a->settings;
}

const struct err *
account_error(const struct account *a)
{
    return &a->error;
}

struct store *
account_store(struct account *a)
{
    return a->store;
}

struct eas *
account_eas(struct account *a)
{
    return a->eas;
}

struct sync *
account_sync(struct account *a)
{
    return a->sync;
}

struct outbox *
account_outbox(struct account *a)
{
    return a->outbox;
}

struct views *
account_views(struct account *a)
{
    return a->views;
}

struct keys *
account_keys(struct account *a)
{
    return a->keys;
}

struct certs *
account_certs(struct account *a)
{
    return a->certs;
}

void
account_session_add(struct account *a, struct account_session *s)
{
    s->next = a->sessions;
    a->sessions = s;
}

void
account_session_remove(struct account *a, struct account_session *s)
{
    for (struct account_session **at = &a->sessions; *at; at = &(*at)->next)
        if (*at == s) {
            *at = s->next;
            s->next = NULL;
            return;
        }
}

size_t
account_sessions(const struct account *a)
{
    size_t n = 0;

    for (const struct account_session *s = a->sessions; s; s = s->next)
        n++;
    return n;
}

