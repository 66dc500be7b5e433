/*
 * A wipe that the server's administrator has ordered (SPEC sections 5 and 9):
 * a marker first, then the sessions end, the account's directory goes, the
 * server is told, and last its secrets go. After a crash it goes on where the
 * marker says, before anything listens for the account. Nothing else on the
 * machine is touched.
 *
 * The marker stands outside of the account's directory and holds what the
 * acknowledgement needs. In its last stage it keeps the account closed until
 * somebody signs in again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "account/private.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "loop/flow.h"
#include "loop/worker.h"
#include "secrets/command.h"
#include "secrets/secrets.h"
#include "settings/settings.h"
#include "store/store.h"

#define RETRY_FIRST_MS ((int64_t)30000)
#define RETRY_MAX_MS ((int64_t)3600000)

enum stage { ERASE, TELL, DONE, STAGES };
static const char *const stages[STAGES] = {"erase", "tell", "done"};

struct account_wipe {
    struct account *account;
    enum eas_wipe kind;
    enum stage stage;
    int64_t when;
    char version[8], device[33], location[600];
    struct flow flow;
    struct eas *eas;
    struct loop_timer retry;
    int64_t wait;
};

/* ---- the marker ---- */

static char *
marker_path(const struct account *a)
{
    return xasprintf("%s/wipes/%s", a->set->settings->state_dir, a->name);
}

static char *
account_dir(const struct account *a)
{
    return xasprintf("%s/accounts/%s", a->set->settings->state_dir, a->name);
}

static int
marker_write(struct account_wipe *w, struct err *e)
{
    char *path = marker_path(w->account), *dir = file_dir(path);
    char *text = xasprintf("stage %s\nkind %d\nwhen %lld\nversion %s\n"
                           "device %s\nlocation %s\n",
                           stages[w->stage], (int)w->kind, (long long)w->when,
                           w->version, w->device, w->location);
    int rc = file_mkdirs(dir, e);

    if (rc == 0)
        rc = file_write(path, slice_of(text), 0600, true, e);
    free(text);
    free(dir);
    free(path);
    return rc;
}

/* A marker that cannot be read stands for a wipe all the same: erase. */
static void
marker_parse(struct account_wipe *w, struct slice text)
{
    struct slice line;
    uint32_t n;
    uint64_t t;

    w->kind = EAS_WIPE_DEVICE;
    while (slice_next(&text, '\n', &line)) {
        size_t at = slice_find(line, ' ');
        struct slice name = slice_cut(line, 0, at);
        struct slice value = slice_from(line, at + 1);

        if (slice_is(name, "kind") && slice_u32(value, &n))
            w->kind = n == EAS_WIPE_ACCOUNT ? EAS_WIPE_ACCOUNT
                                            : EAS_WIPE_DEVICE;
        else if (slice_is(name, "when") && slice_u64(value, &t))
            w->when = (int64_t)t;
        else if (slice_is(name, "version"))
            slice_copy(value, w->version, sizeof w->version);
        else if (slice_is(name, "device"))
            slice_copy(value, w->device, sizeof w->device);
        else if (slice_is(name, "location"))
            slice_copy(value, w->location, sizeof w->location);
        for (int i = 0; i < STAGES && slice_is(name, "stage"); i++)
            if (slice_is(value, stages[i]))
                w->stage = (enum stage)i;
    }
}

static void
say_wiped(struct account_wipe *w)
{
    time_t t = (time_t)w->when;
    struct tm tm = {0};
    char day[20];

    gmtime_r(&t, &tm);
    strftime(day, sizeof day, "%Y-%m-%d", &tm);
    err_set(&w->account->error, E_DENIED,
            "this account was wiped on %s by order of the server's "
            "administrator; to begin anew: sealpostctl account password "
            "%.60s",
            day, w->account->name);
}

/* ---- the steps; each may be done twice ---- */

static flow_step_fn wipe_erase, wipe_erased, wipe_password, wipe_tell,
    wipe_forget;
static flow_step_fn *const wipe_steps[] = {
    wipe_erase,    /* store, bodies, queue, keys: the whole directory */
    wipe_erased,   /* which the marker says before the server hears it */
    wipe_password, /* once more, for the acknowledgement */
    wipe_tell,     /* the server */
    wipe_forget,   /* the secrets go; the marker stays */
    NULL,
};

struct erase_job {
    struct worker_job job;
    char *dir;
};

static void
erase_run(struct worker_job *job)
{
    struct erase_job *j = (struct erase_job *)job;

    file_remove_tree(j->dir, &job->err);
}

static void
erase_done(struct worker_job *job, bool wanted)
{
    struct erase_job *j = (struct erase_job *)job;

    (void)wanted;
    free(j->dir);
    free(j);
}

static enum flow_next
wipe_erase(void *self)
{
    struct account_wipe *w = self;
    struct erase_job *j;

    if (w->stage != ERASE)
        return FLOW_NEXT;
    j = xcalloc(1, sizeof *j);
    j->job.run = erase_run;
    j->job.done = erase_done;
    j->dir = account_dir(w->account);
    return flow_wait(&w->flow, worker_run(w->account->set->disk, &j->job,
                                          flow_wake, &w->flow));
}

static enum flow_next
wipe_erased(void *self)
{
    struct account_wipe *w = self;
    struct err e;

    if (w->stage != ERASE)
        return FLOW_NEXT;
    w->stage = TELL;
    if (marker_write(w, &e)) {
        w->stage = ERASE;
        return flow_fail_err(&w->flow, &e);
    }
    log_notice("account", "account=%s is erased", w->account->name);
    return FLOW_NEXT;
}

static enum flow_next
wipe_password(void *self)
{
    struct account_wipe *w = self;
    struct account *a = w->account;
    char *name;
    struct err e;
    int rc;

    secret_clear(&a->password);
    if (a->settings->auth == SETTINGS_AUTH_CERTIFICATE)
        return FLOW_NEXT;
    if (a->settings->password_command)
        return flow_wait(&w->flow,
                         secrets_command(a->settings->password_command,
                                         &a->password, flow_wake, &w->flow));
    name = secrets_account_name(a->name, "password");
    rc = secrets_get(a->set->secrets, name, &a->password, &e);
    free(name);
    return rc ? flow_fail_err(&w->flow, &e) : FLOW_NEXT;
}

static int
teller_new(struct account_wipe *w, struct err *e)
{
    struct account *a = w->account;
    struct eas_state state = {.no_policy = true, .policy_key = "0"};
    struct eas_config c;

    account_eas_config(a, *w->device ? w->device : "0", &c);
    c.version = NULL; /* the one that the order came with */
    snprintf(state.version, sizeof state.version, "%s",
             *w->version ? w->version : "14.1");
    snprintf(state.location, sizeof state.location, "%s", w->location);
    eas_free(&w->eas);
    return eas_new(&c, &state, &w->eas, e);
}

static enum flow_next
wipe_tell(void *self)
{
    struct account_wipe *w = self;
    struct err e;

    if (teller_new(w, &e))
        return flow_fail_err(&w->flow, &e);
    eas_set_password(w->eas, &w->account->password);
    secret_clear(&w->account->password);
    return flow_wait(&w->flow, eas_wipe_acknowledge(w->eas, w->kind, true,
                                                    flow_wake, &w->flow));
}

static enum flow_next
wipe_forget(void *self)
{
    struct account_wipe *w = self;
    struct account *a = w->account;
    char *prefix = xasprintf("account/%s/", a->name);
    struct err e;
    int rc = secrets_remove_all(a->set->secrets, prefix, &e);

    free(prefix);
    if (rc)
        return flow_fail_err(&w->flow, &e);
    w->stage = DONE;
    if (marker_write(w, &e)) {
        w->stage = TELL;
        return flow_fail_err(&w->flow, &e);
    }
    return FLOW_NEXT;
}

static void
wipe_end(void *self, const struct err *err)
{
    struct account_wipe *w = self;

    if (err && err->code == E_CANCELED)
        return;
    if (!err) {
        log_notice("account", "account=%s wiped, the server knows",
                   w->account->name);
        say_wiped(w);
        return;
    }
    w->wait = w->wait ? w->wait * 2 : RETRY_FIRST_MS;
    if (w->wait > RETRY_MAX_MS)
        w->wait = RETRY_MAX_MS;
    log_error("account", "account=%s wipe, again in %lld s: %s",
              w->account->name, (long long)(w->wait / 1000), err->text);
    loop_timer_set(&w->retry, w->wait);
}

static void
on_retry(void *arg)
{
    account_wipe_go(arg);
}

/* ---- for account.c ---- */

static struct account_wipe *
wipe_new(struct account *a)
{
    struct account_wipe *w = xcalloc(1, sizeof *w);

    w->account = a;
    w->when = now_unix();
    loop_timer_init(&w->retry, on_retry, w);
    return w;
}

int
account_wipe_begin(struct account *a, enum eas_wipe kind, struct err *e)
{
    struct eas_state state;
    char *device = store_meta_get(a->store, "device-id");

    a->wipe = wipe_new(a);
    a->wipe->kind = kind;
    account_eas_state_load(a->store, &state);
    snprintf(a->wipe->version, sizeof a->wipe->version, "%s", state.version);
    snprintf(a->wipe->location, sizeof a->wipe->location, "%s",
             state.location);
    snprintf(a->wipe->device, sizeof a->wipe->device, "%.32s", device);
    free(device);
    if (marker_write(a->wipe, e)) {
        account_wipe_free(&a->wipe);
        return -1;
    }
    log_error("account", "account=%s the server's administrator has ordered "
                         "that it be wiped here", a->name);
    say_wiped(a->wipe);
    return 0;
}

void
account_wipe_go(struct account_wipe *w)
{
    if (w->stage != DONE && !flow_is_running(&w->flow))
        flow_start(&w->flow, wipe_steps, wipe_end, w);
}

bool
account_wipe_load(struct account *a)
{
    char *path = marker_path(a), *dir, *name;
    struct buf text = BUF_INIT(8192);
    struct err e;
    bool again = false;

    if (file_read(path, &text, &e) && e.code == E_MISSING) {
        free(path);
        buf_clear(&text);
        return false;
    }
    a->wipe = wipe_new(a);
    marker_parse(a->wipe, buf_slice(&text));
    buf_clear(&text);
    say_wiped(a->wipe);
    if (a->wipe->stage == ERASE) {
        dir = account_dir(a);
        if (file_remove_tree(dir, &e))
            log_error("account", "account=%s wipe: %s", a->name, e.text);
        free(dir);
    } else if (a->wipe->stage == DONE) {
        /* Somebody signed in again since. */
        name = secrets_account_name(a->name, "password");
        again = secrets_has(a->set->secrets, name);
        free(name);
    }
    if (again && file_remove(path, &e) == 0) {
        account_wipe_free(&a->wipe);
        a->error = (struct err){0};
    }
    free(path);
    return a->wipe != NULL;
}

bool
account_wipe_is_over(const struct account_wipe *w)
{
    return w->stage == DONE && !flow_is_running(&w->flow);
}

void
account_wipe_free(struct account_wipe **wp)
{
    struct account_wipe *w = *wp;

    if (!w)
        return;
    flow_cancel(&w->flow);
    eas_free(&w->eas);
    loop_timer_clear(&w->retry);
    free(w);
    *wp = NULL;
}
