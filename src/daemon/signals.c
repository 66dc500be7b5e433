/*
 * SIGTERM and SIGINT stop, SIGHUP reloads; the control socket reloads the
 * same way.
 */
#include "daemon/private.h"

#include <signal.h>
#include <stdlib.h>

#include "account/account.h"
#include "base/log.h"
#include "imap/server.h"
#include "loop/loop.h"
#include "smtp/server.h"

static void
on_stop(void *arg)
{
    struct daemon *d = arg;

    log_notice("daemon", "stopping");
    loop_stop(d->loop);
}

static void
on_hangup(void *arg)
{
    struct err e;

    signals_reload(arg, &e); /* says itself what came of it */
}

void
signals_start(struct daemon *d)
{
    d->term = loop_signal_new(SIGTERM, on_stop, d);
    d->intr = loop_signal_new(SIGINT, on_stop, d);
    d->hup = loop_signal_new(SIGHUP, on_hangup, d);
}

void
signals_stop(struct daemon *d)
{
    loop_signal_free(&d->term);
    loop_signal_free(&d->intr);
    loop_signal_free(&d->hup);
    signal(SIGHUP, SIG_IGN); /* not the end of a stop that is under way */
}

static int
reload(struct daemon *d, struct err *e)
{
    struct settings *now = NULL, *old = d->settings;
    char *fixed;

    if (settings_load(d->path, &now, e))
        return -1;
    if (certificate_renew(d, e)) {
        settings_free(&now);
        return -1;
    }
    fixed = settings_fixed_changes(d->boot, now);
    settings_fixed_keep(d->boot, now);
    if (accounts_settings(d->accounts, now, e)) {
        /* It may hold on to either: both stay. */
        free(fixed);
        return err_add(e, "the new settings are in force only in part");
    }
    imap_server_settings(d->imap, now);
    smtp_server_settings(d->smtp, now);
    control_server_settings(d->control, now);
    d->settings = now;
    daemon_log_settings(d);
    if (old != d->boot)
        settings_free(&old);
    if (*fixed)
        log_warn("daemon", "reloaded, but these count after the next start: "
                           "%s", fixed);
    else
        log_notice("daemon", "reloaded %s", d->path);
    free(fixed);
    return 0;
}

int
signals_reload(void *daemon, struct err *e)
{
    struct daemon *d = daemon;
    int rc;

    notify_reloading();
    rc = reload(d, e);
    if (rc)
        log_error("daemon", "not reloaded, the old settings stay: %s",
                  e->text);
    notify_ready(NULL);
    return rc;
}
