/*
 * New settings for an account that is there. Everything happens in place:
 * clients keep their sessions, also when the account moves to another server.
 * An account that could not be opened has none, and is opened anew.
 */
#include <stdlib.h>
#include <string.h>

#include "account/private.h"
#include "base/log.h"
#include "base/mem.h"
#include "certs/certs.h"
#include "eas/policy.h"
#include "keys/keys.h"
#include "outbox/outbox.h"
#include "settings/settings.h"
#include "store/body.h"
#include "store/store.h"
#include "sync/sync.h"
#include "view/view.h"

static bool
same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
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

/* Anchors that cannot be read are no reason to trust nobody, or anybody. */
static void
apply_certs(struct account *a, const struct settings_account *s)
{
    struct certs_anchors *anchors;
    struct err e;

    certs_set_manners(a->certs, (int64_t)s->lookup_timeout * 1000,
                      s->harvest == SETTINGS_HARVEST_AUTO);
    if (certs_anchors_new(s->trust, s->trust_system, &anchors, &e)) {
        log_error("account", "account=%s the old anchors stay: %s", a->name,
                  e.text);
        return;
    }
    certs_set_anchors(a->certs, anchors);
    certs_anchors_unref(&anchors);
}

/* What the old server said is forgotten on disk first: a stop in between then
 * begins with the new one, too. */
static void
apply_server(struct account *a)
{
    char *device = store_meta_get(a->store, "device-id");
    struct eas_config c;
    bool moved = false;
    struct err e;

    account_eas_config(a, device, &c);
    if (account_server_note(a->store, a->settings, &e) ||
        eas_configure(a->eas, &c, &moved, &e))
        log_error("account", "account=%s the old server stays: %s", a->name,
                  e.text);
    else if (moved)
        log_notice("account", "account=%s now signs in to %s as %s", a->name,
                   c.url, c.user);
    free(device);
    /* It does not wait for the end of a back-off that the old one gave it. */
    if (moved)
        sync_stop(a->sync, NULL);
    account_start(a);
}

/* Only new mail shows another name: the old one stands in what clients have
 * been told. */
static void
apply_name(const struct account *a, const struct settings_account *was)
{
    if (!same_text(was->authserv_id, a->settings->authserv_id))
        log_warn("account", "account=%s authserv_id counts after the next "
                            "start", a->name);
}

struct sync_window
account_window(const struct account *a)
{
    const struct eas_policy *p = a->eas ? eas_policy(a->eas) : NULL;

    return (struct sync_window){
        .filter = (int)a->settings->sync_window,
        .policy = p ? p->max_age_filter : 0,
        .drop = a->settings->window_end == SETTINGS_WINDOW_DROP};
}

void
account_apply(struct account *a, const struct settings_account *s)
{
    const struct settings_account *was = a->settings;
    struct sync_window window;

    account_keep(a, s);
    if (a->error.code)
        return;
    if (strcmp(a->address, s->address) != 0) {
        free(a->address);
        a->address = xstrdup(s->address);
    }
    window = account_window(a);
    sync_set_window(a->sync, &window);
    sync_set_intervals(a->sync, (const int64_t[SYNC_KINDS]){
                                    s->sync_interval_inbox, s->sync_interval,
                                    s->sync_interval_other});
    store_cache_limit(a->store, s->cache_size);
    keys_choose(a->keys, s->signing_key, s->encryption_key);
    apply_certs(a, s);
    apply_name(a, was);
    op_cancel(&a->password_op); /* perhaps of another command */
    apply_server(a);
}

bool
account_is_stuck(const struct account *a)
{
    return a->wipe ? account_wipe_is_over(a->wipe) : a->error.code != 0;
}
