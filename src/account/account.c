/*
 * One account: opens its parts in order, hands them to each other, starts
 * them once the password is there, and takes them down again.
 */
#include "account/account.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "account/private.h"
#include "base/log.h"
#include "base/mem.h"
#include "certs/certs.h"
#include "eas/policy.h"
#include "keys/keys.h"
#include "loop/worker.h"
#include "outbox/outbox.h"
#include "secrets/command.h"
#include "secrets/secrets.h"
#include "settings/settings.h"
#include "store/folder.h"
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

static void sessions_end(struct account *a, const char *why);
static void parts_close(struct account *a);

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
    parts_close(a);
    account_wipe_go(a->wipe);
}

static struct op *
look_into_sent(void *arg, op_done_fn *done, void *done_arg)
{
    struct account *a = arg;
    const struct store_folder *sent =
        store_folder_by_role(a->store, STORE_ROLE_SENT);
    struct err e;

    if (!sent) {
        err_set(&e, E_RETRY, "the folder for sent mail is not known yet");
        return op_decided(&e, done, done_arg);
    }
    return sync_folder_now(a->sync, sent->id, done, done_arg);
}

/* ---- opening ---- */

static int
open_store(struct account *a, const char *dir, struct err *e)
{
    struct store_config c = {.dir = dir,
                             .loop = a->set->loop,
                             .disk = a->set->disk,
                             .data_key = &a->data_key};

    char *db = xasprintf("%s/store.db", dir);
    bool fresh = access(db, F_OK) != 0;

    free(db);
    /* A new key beside an old store could not open what is sealed in it. */
    if (secrets_data_key(a->set->secrets, a->name, fresh, &a->data_key, e)) {
        if (e->code == E_MISSING)
            err_set(e, E_LOCKED,
                    "the data key is not among the secrets, but %s is there: "
                    "put the file of secrets back, or remove the directory "
                    "and list anew", dir);
        return -1;
    }
    return store_open(&c, &a->store, e);
}

void
account_eas_config(struct account *a, const char *device,
                   struct eas_config *out)
{
    static const enum eas_auth_kind kinds[] = {
        [SETTINGS_AUTH_BASIC] = EAS_AUTH_BASIC,
        [SETTINGS_AUTH_NTLM] = EAS_AUTH_NTLM,
        [SETTINGS_AUTH_CERTIFICATE] = EAS_AUTH_CERTIFICATE,
    };
    const struct settings_account *s = a->settings;

    *out = (struct eas_config){
        .loop = a->set->loop,
        .account = a->name,
        .url = s->server,
        .user = s->user,
        .address = s->address,
        .device_id = device,
        .ca_file = s->ca_file,
        .auth = kinds[s->auth],
        .client_cert = s->client_certificate,
        .client_key = s->client_key,
        .version = s->eas_version,
        .max_requests = s->max_requests,
        .accept_policy = s->accept_policy,
        .heartbeat_min = s->heartbeat_min,
        .heartbeat_max = s->heartbeat_max,
    };
}

static int
open_eas(struct account *a, const char *dir, struct err *e)
{
    char device[33];
    struct eas_state state;
    struct eas_config c;

    if (account_device_id(a->store, dir, device, e))
        return -1;
    account_eas_config(a, device, &c);
    c.watcher = (struct eas_watcher){.on_state = on_state,
                                     .on_policy = on_policy,
                                     .on_stop = on_stop,
                                     .on_wipe = on_wipe,
                                     .arg = a};
    account_eas_state_load(a->store, &state);
    return eas_new(&c, &state, &a->eas, e);
}

static int
open_certs(struct account *a, struct err *e)
{
    const struct settings_account *s = a->settings;
    struct certs_anchors *anchors;
    struct certs_config c = {
        .loop = a->set->loop,
        .store = a->store,
        .eas = a->eas,
        .timeout_ms = (int64_t)s->lookup_timeout * 1000,
        .harvest = s->harvest == SETTINGS_HARVEST_AUTO,
    };

    if (certs_anchors_new(s->trust, s->trust_system, &anchors, e))
        return -1;
    c.anchors = anchors;
    a->certs = certs_new(&c);
    certs_anchors_unref(&anchors);
    return 0;
}

static int
open_views(struct account *a, struct err *e)
{
    struct accounts *set = a->set;
    struct views_config c = {
        .loop = set->loop,
        .crypto = set->crypto,
        .store = a->store,
        .eas = a->eas,
        .keys = a->keys,
        .certs = a->certs,
        .settings = a->settings,
        .authserv_id = a->settings->authserv_id ? a->settings->authserv_id
                                                : set->authserv_id,
        .cache_bytes = (size_t)set->settings->view_cache,
    };

    return views_new(&c, &a->views, e);
}

/* Colleagues' certificates often come from the authority of our own. */
static void
share_issuers(struct account *a)
{
    const struct key *k = NULL;

    while ((k = keys_next(a->keys, k)))
        certs_add_issuers(a->certs, key_chain(k));
}

static int
open_rest(struct account *a, const char *dir, struct err *e)
{
    struct accounts *set = a->set;
    char *keydir = xasprintf("%s/keys", dir);
    struct sync_config sync = {
        .loop = set->loop,
        .account = a->name,
        .store = a->store,
        .eas = a->eas,
        .filter = (int)a->settings->sync_window,
        .interval = a->settings->sync_interval,
    };
    struct outbox_config out = {
        .loop = set->loop,
        .crypto = set->crypto,
        .store = a->store,
        .eas = a->eas,
        .settings = a->settings,
        .look_into_sent = look_into_sent,
        .sent_arg = a,
    };
    int rc = keys_open(keydir, &a->data_key, &a->keys, e);

    free(keydir);
    if (rc || open_certs(a, e) || open_views(a, e))
        return -1;
    keys_choose(a->keys, a->settings->signing_key,
                a->settings->encryption_key);
    share_issuers(a);
    if (keys_problem(a->keys))
        log_warn("account", "account=%s %s", a->name, keys_problem(a->keys));
    a->sync = sync_new(&sync);
    out.keys = a->keys;
    out.certs = a->certs;
    a->outbox = outbox_new(&out);
    return 0;
}

static void
sessions_end(struct account *a, const char *why)
{
    while (a->sessions) {
        struct account_session *s = a->sessions;

        a->sessions = s->next;
        s->on_end(s->arg, why);
    }
}

static void
parts_close(struct account *a)
{
    op_cancel(&a->password_op);
    op_cancel(&a->user_op);
    eas_user_clear(&a->user);
    loop_timer_clear(&a->retry);
    sync_free(&a->sync);
    outbox_free(&a->outbox);
    views_free(&a->views);
    certs_free(&a->certs);
    keys_free(&a->keys);
    eas_free(&a->eas);
    store_close(&a->store);
    secret_clear(&a->data_key);
    secret_clear(&a->password);
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
    if (open_store(a, dir, &a->error) || open_eas(a, dir, &a->error) ||
        open_rest(a, dir, &a->error)) {
        log_error("account", "account=%s cannot be opened: %s", a->name,
                  a->error.text);
        parts_close(a);
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
account_keep(struct account *a, const struct settings_account *s)
{
    a->settings = s;
    if (a->error.code)
        return;
    outbox_settings(a->outbox, s);
    views_settings(a->views, s);
}

void
account_apply(struct account *a, const struct settings_account *s)
{
    bool server = strcmp(a->settings->server, s->server) != 0 ||
                  strcmp(a->settings->user, s->user) != 0;

    account_keep(a, s);
    if (a->error.code)
        return;
    sync_set_filter(a->sync, (int)s->sync_window);
    keys_choose(a->keys, s->signing_key, s->encryption_key);
    if (server)
        log_warn("account", "account=%s another server or user counts after "
                            "the next start", a->name);
    account_start(a);
}

void
account_close(struct account *a, const char *why)
{
    account_wipe_free(&a->wipe);
    sessions_end(a, why);
    parts_close(a);
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

/* ---- importing a key: derivation in a worker ---- */

struct import_job {
    struct worker_job job;
    struct account *account;
    char *file;
    size_t len;
    struct secret password;
    struct keys_import *in;
    char **text_out;
};

static void
import_run(struct worker_job *job)
{
    struct import_job *j = (struct import_job *)job;

    keys_import_parse(slice_make(j->file, j->len), &j->password, &j->in,
                      &job->err);
}

static void
import_done(struct worker_job *job, bool wanted)
{
    struct import_job *j = (struct import_job *)job;
    struct account *a = j->account;
    struct err e;

    if (wanted && !job->err.code) {
        if (!a->keys)
            worker_job_fail(job, &a->error);
        else if (keys_import_add(a->keys, j->in, j->text_out, &e))
            worker_job_fail(job, &e);
        else
            share_issuers(a);
    }
    keys_import_free(&j->in);
    secret_clear(&j->password);
    mem_wipe(j->file, j->len);
    free(j->file);
    account_unref(&j->account);
    free(j);
}

struct op *
account_key_import(struct account *a, struct slice file,
                   const struct secret *password, char **text_out,
                   op_done_fn *done, void *arg)
{
    struct import_job *j;

    if (a->error.code || !a->set)
        return op_decided(&a->error, done, arg);
    j = xcalloc(1, sizeof *j);
    j->job.run = import_run;
    j->job.done = import_done;
    j->account = account_ref(a);
    j->file = slice_dup(file);
    j->len = file.n;
    j->text_out = text_out;
    secret_copy(&j->password, password);
    return worker_run(a->set->crypto, &j->job, done, arg);
}
