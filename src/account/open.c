/*
 * The parts of an account, opened in order and handed to each other, and
 * closed in the other order.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "account/private.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "certs/certs.h"
#include "keys/keys.h"
#include "outbox/outbox.h"
#include "secrets/secrets.h"
#include "settings/settings.h"
#include "store/body.h"
#include "store/folder.h"
#include "store/store.h"
#include "sync/sync.h"
#include "view/view.h"

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
    account_watch(a, &c.watcher);
    if (account_server_note(a->store, a->settings, e))
        return -1;
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
void
account_share_issuers(struct account *a)
{
    const struct key *k = NULL;

    while ((k = keys_next(a->keys, k)))
        certs_add_issuers(a->certs, key_chain(k));
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
        .window = account_window(a),
        .intervals = {a->settings->sync_interval_inbox,
                      a->settings->sync_interval,
                      a->settings->sync_interval_other},
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
    account_share_issuers(a);
    if (keys_problem(a->keys))
        log_warn("account", "account=%s %s", a->name, keys_problem(a->keys));
    store_cache_limit(a->store, a->settings->cache_size);
    a->sync = sync_new(&sync);
    out.keys = a->keys;
    out.certs = a->certs;
    a->outbox = outbox_new(&out);
    return 0;
}

int
account_parts_open(struct account *a, const char *dir, struct err *e)
{
    return open_store(a, dir, e) || open_eas(a, dir, e) ||
                   open_rest(a, dir, e)
               ? -1
               : 0;
}

void
account_parts_close(struct account *a)
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
