/*
 * The order in which the daemon comes up and goes down. All sockets are bound
 * before the rights are dropped, and all files of ours are made after it;
 * nothing is read from a client before the loop runs, which is last.
 */
#include "daemon/private.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "account/account.h"
#include "base/log.h"
#include "base/mem.h"
#include "imap/server.h"
#include "loop/http.h"
#include "loop/loop.h"
#include "loop/tls.h"
#include "loop/worker.h"
#include "smtp/server.h"

#define CRYPTO_THREADS_MAX 4

void
daemon_log_settings(const struct daemon *d)
{
    log_set_level(d->verbose ? LOG_LEVEL_DEBUG
                             : (enum log_level)d->settings->log_level);
    log_set_addresses(d->settings->log_addresses);
}

static unsigned
crypto_threads(const struct settings *s)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (s->crypto_threads)
        return s->crypto_threads;
    if (cores < 1)
        return 1;
    return cores < CRYPTO_THREADS_MAX ? (unsigned)cores : CRYPTO_THREADS_MAX;
}

static int
start_rights(struct daemon *d, struct err *e)
{
    bool due = false;

    if (rights_find(d->settings->user, &due, NULL, NULL, e))
        return -1;
    if (due && rights_drop(d->settings->user, e))
        return -1;
    rights_no_dumps();
    return 0;
}

static int
start_accounts(struct daemon *d, struct err *e)
{
    struct accounts_config c = {.loop = d->loop, .settings = d->settings};

    d->crypto = worker_new("crypto", crypto_threads(d->settings));
    d->disk = worker_new("disk", 1);
    c.crypto = d->crypto;
    c.disk = d->disk;
    return accounts_new(&c, &d->accounts, e);
}

static size_t
imap_clients(void *arg)
{
    return imap_server_clients(((struct daemon *)arg)->imap);
}

static size_t
smtp_clients(void *arg)
{
    return smtp_server_clients(((struct daemon *)arg)->smtp);
}

static int
start_doors(struct daemon *d, struct err *e)
{
    struct imap_server_config imap = {.loop = d->loop,
                                      .accounts = d->accounts,
                                      .tls = d->tls,
                                      .settings = d->settings};
    struct smtp_server_config smtp = {.loop = d->loop,
                                      .accounts = d->accounts,
                                      .tls = d->tls,
                                      .settings = d->settings};
    struct control_server_config control = {
        .loop = d->loop,
        .crypto = d->crypto,
        .accounts = d->accounts,
        .settings = d->settings,
        .daemon = {.reload = signals_reload,
                   .listeners = ports_tell,
                   .imap_clients = imap_clients,
                   .smtp_clients = smtp_clients,
                   .fingerprint = d->fingerprint,
                   .arg = d},
    };

    d->imap = imap_server_new(&imap);
    d->smtp = smtp_server_new(&smtp);
    return control_server_new(&control, &d->control, e);
}

static void
say_ready(struct daemon *d)
{
    char status[80];

    for (size_t i = 0; i < d->n_ports; i++)
        log_notice("daemon", "%s%s on %s", d->told[i].door,
                   d->told[i].tls ? " (TLS)" : "", d->told[i].address);
    log_notice("daemon", "certificate %s", d->fingerprint);
    snprintf(status, sizeof status, "%zu accounts, %zu listeners",
             d->settings->n_accounts, d->n_ports);
    log_notice("daemon", "version %s ready: %s", PACKAGE_VERSION, status);
    notify_ready(status);
}

/* A thousand clients and the stores do not fit the usual 1024. */
static void
start_files(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur >= r.rlim_max)
        return;
    r.rlim_cur = r.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &r))
        log_notice("daemon", "the number of open files stays limited");
}

int
daemon_start(struct daemon *d, struct err *e)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* until it means something */
    if (settings_load(d->path, &d->settings, e))
        return -1;
    d->boot = d->settings;
    daemon_log_settings(d);
    if (http_check_library(e))
        return -1;
    start_files();
    memory_settle();
    d->loop = loop_new();
    if (certificate_open(d, e) || ports_open(d, e) ||
        places_make(d->settings, e) || start_rights(d, e) ||
        places_lock(d, e) || certificate_make(d, e) || start_accounts(d, e) ||
        start_doors(d, e))
        return -1;
    signals_start(d);
    memory_start(d);
    accounts_start(d->accounts);
    if (!d->settings->n_accounts)
        log_notice("daemon", "there is no account in %s yet: sealpostctl "
                             "account add", d->path);
    say_ready(d);
    return 0;
}

/* Doors first, so that nothing new comes in; then what they stand on. */
void
daemon_stop(struct daemon *d)
{
    if (d->accounts)
        notify_stopping();
    signals_stop(d);
    memory_stop(d);
    ports_close(d);
    control_server_free(&d->control);
    imap_server_free(&d->imap);
    smtp_server_free(&d->smtp);
    accounts_free(&d->accounts);
    worker_free(&d->crypto);
    worker_free(&d->disk);
    tls_server_free(&d->tls);
    if (d->loop)
        loop_free(&d->loop);
    places_unlock(d);
    if (d->boot != d->settings)
        settings_free(&d->boot);
    settings_free(&d->settings);
    d->boot = NULL;
}
