/*
 * All accounts, and logging in to one: a hash in a worker, wrong ones delayed
 * and counted, one answer for every way to be wrong.
 */
#include "account/account.h"

#include <stdlib.h>
#include <string.h>

#include "account/private.h"
#include "base/code.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "loop/worker.h"
#include "secrets/hash.h"
#include "secrets/secrets.h"
#include "settings/settings.h"

#define DELAY_MAX_MS 15000
#define TALLY_MS ((int64_t)900 * 1000)

/* A random label per installation that nobody outside can guess (RFC 8601
 * section 5, SMIME.md section 8). */
static int
authserv_id_load(struct accounts *set, struct err *e)
{
    char *path = xasprintf("%s/authserv-id", set->settings->state_dir);
    struct buf b = BUF_INIT(200);
    char random[17];
    int rc = 0;

    if (file_read(path, &b, e) == 0 && slice_trim(buf_slice(&b)).n >= 8) {
        set->authserv_id = slice_dup(slice_trim(buf_slice(&b)));
    } else {
        code_random_hex(random, 8);
        set->authserv_id = xasprintf("sealpost-%s.invalid", random);
        rc = file_write(path, slice_of(set->authserv_id), 0600, true, e);
    }
    buf_clear(&b);
    free(path);
    return rc;
}

int
accounts_new(const struct accounts_config *c, struct accounts **out,
             struct err *e)
{
    struct accounts *set = xcalloc(1, sizeof *set);

    set->loop = c->loop;
    set->crypto = c->crypto;
    set->disk = c->disk;
    set->settings = c->settings;
    list_init(&set->list);
    if (file_mkdirs(c->settings->state_dir, e) ||
        secrets_open(c->settings->machine_key, c->settings->secrets_file,
                     &set->secrets, e) ||
        account_erase_pending(set->secrets, c->settings->state_dir, e) ||
        authserv_id_load(set, e)) {
        accounts_free(&set);
        return -1;
    }
    for (size_t i = 0; i < c->settings->n_accounts; i++)
        account_new(set, c->settings->accounts[i]);
    *out = set;
    return 0;
}

void
accounts_start(struct accounts *set)
{
    struct list *n, *after;

    LIST_EACH(&set->list, n, after)
        account_start(LIST_OBJECT(n, struct account, node));
}

void
accounts_free(struct accounts **sp)
{
    struct accounts *set = *sp;

    if (!set)
        return;
    while (!list_is_empty(&set->list))
        account_close(LIST_OBJECT(set->list.next, struct account, node),
                      "the server is going down");
    secrets_close(&set->secrets);
    for (size_t i = 0; i < ACCOUNT_TALLIES; i++)
        free(set->tallies[i].key);
    free(set->authserv_id);
    free(set);
    *sp = NULL;
}

int
accounts_settings(struct accounts *set, const struct settings *now,
                  struct err *e)
{
    const struct settings *old = set->settings;
    struct settings_diff d;
    size_t i = 0;

    (void)e;
    set->settings = now; /* new accounts look into it */
    while (settings_diff_next(old, now, &i, &d)) {
        struct account *a =
            d.was ? accounts_find(set, d.was->name) : NULL;

        switch (d.kind) {
        case SETTINGS_ADDED:
            account_start(account_new(set, d.now));
            break;
        case SETTINGS_REMOVED:
            if (a)
                account_close(a, "the account was removed");
            break;
        case SETTINGS_CHANGED:
        case SETTINGS_SAME:
            if (a && account_is_stuck(a)) {
                /* Nobody can be in it. */
                account_close(a, "the account is opened anew");
                account_start(account_new(set, d.now));
            } else if (a && d.kind == SETTINGS_CHANGED) {
                account_apply(a, d.now);
            } else if (a) {
                account_keep(a, d.now);
                account_password_again(a);
            }
            break;
        }
    }
    return 0;
}

struct account *
accounts_next(struct accounts *set, struct account *a)
{
    struct list *n = a ? a->node.next : set->list.next;

    return n == &set->list ? NULL : LIST_OBJECT(n, struct account, node);
}

struct account *
accounts_find(struct accounts *set, const char *name)
{
    struct account *a = NULL;

    while ((a = accounts_next(set, a)))
        if (strcmp(a->name, name) == 0)
            return a;
    return NULL;
}

/* ---- logging in ---- */

struct login_job {
    struct worker_job job;
    char *hash; /* NULL: no such account, the time is spent all the same */
    struct secret password;
    bool fits;
    struct secrets_known known;
    struct login *login;
};

struct login {
    struct op *op, *step;
    struct accounts *set;
    struct account *account;
    struct account **out;
    char *who, *name;
    bool fits;
    struct loop_timer delay;
};

static void
login_end(struct login *l, const struct err *err)
{
    struct op *op = l->op;
    struct err copy = err ? *err : (struct err){0};

    op_cancel(&l->step);
    loop_timer_clear(&l->delay);
    account_unref(&l->account);
    free(l->who);
    free(l->name);
    free(l);
    op_finish(&op, copy.code ? &copy : NULL);
}

static void
login_stop(void *self)
{
    login_end(self, NULL);
}

static void
login_wrong(void *arg)
{
    struct err e;

    err_set(&e, E_LOGIN, "wrong login or password");
    login_end(arg, &e);
}

static void
hash_run(struct worker_job *job)
{
    struct login_job *j = (struct login_job *)job;
    struct err e;

    if (j->hash)
        j->fits = secrets_hash_check(j->hash, secret_slice(&j->password),
                                     &e) == 1;
    else
        secrets_hash_waste(secret_slice(&j->password));
    if (j->fits)
        secrets_known_set(&j->known, j->hash, secret_slice(&j->password));
}

static void
login_job_free(struct login_job *j)
{
    mem_wipe(&j->known, sizeof j->known);
    secret_clear(&j->password);
    free(j->hash);
    free(j);
}

static void
hash_done(struct worker_job *job, bool wanted)
{
    struct login_job *j = (struct login_job *)job;

    if (wanted && !job->err.code) {
        j->login->fits = j->fits;
        if (j->fits && j->login->account)
            j->login->account->known = j->known;
    }
    login_job_free(j);
}

/* The peer without its port. */
static int
host_length(const char *who)
{
    const char *colon = strrchr(who, ':');

    return colon ? (int)(colon - who) : (int)strlen(who);
}

/* The place of a key; with `make` in any case, the oldest gives way. */
static struct account_tally *
tally_find(struct accounts *set, const char *key, bool make)
{
    struct account_tally *t = set->tallies, *place = t;
    int64_t now = now_ms();

    for (size_t i = 0; i < ACCOUNT_TALLIES; i++, t++) {
        if (t->key && now - t->at > TALLY_MS) {
            free(t->key);
            *t = (struct account_tally){0};
        }
        if (t->key && !strcmp(t->key, key))
            return t;
        if (place->key && (!t->key || t->at < place->at))
            place = t;
    }
    if (!make)
        return NULL;
    free(place->key);
    *place = (struct account_tally){.key = xstrdup(key)};
    return place;
}

static unsigned
tally_add(struct accounts *set, const char *key)
{
    struct account_tally *t = tally_find(set, key, true);

    t->at = now_ms();
    return ++t->failed;
}

/* How many times the delay: the worse of the two. */
static unsigned
login_failed(struct login *l)
{
    int n = host_length(l->who);
    char *host = xstrndup(l->who, (size_t)n);
    char *pair = xasprintf("%s %s", host, l->name);
    unsigned a = tally_add(l->set, pair), b = tally_add(l->set, host);

    free(host);
    free(pair);
    return a > b ? a : b;
}

static void
login_worked(struct login *l)
{
    char *pair = xasprintf("%.*s %s", host_length(l->who), l->who, l->name);
    struct account_tally *t = tally_find(l->set, pair, false);

    if (t) {
        free(t->key);
        *t = (struct account_tally){0};
    }
    free(pair);
}

static void
on_hash(void *arg, const struct err *err)
{
    struct login *l = arg;
    int64_t delay;
    unsigned failed;

    if (err) {
        login_end(l, err);
        return;
    }
    if (!l->fits) {
        failed = login_failed(l);
        delay = (int64_t)l->set->settings->login_delay * 1000 *
                (failed < 8 ? failed : 8);
        log_warn("account", "login=%s from=%s wrong login or password, %u in "
                            "a row",
                 l->name, l->who, failed);
        loop_timer_set(&l->delay, delay < DELAY_MAX_MS ? delay : DELAY_MAX_MS);
        return;
    }
    login_worked(l);
    log_info("account", "account=%s from=%s logged in", l->account->name,
             l->who);
    if (l->account->error.code && !l->account->store) {
        login_end(l, &l->account->error);
        return;
    }
    *l->out = account_ref(l->account);
    login_end(l, NULL);
}

/* The stored hash of the local password; heap or NULL. */
static char *
hash_of(struct accounts *set, const struct settings_account *s)
{
    struct secret value = {0};
    char *name, *hash = NULL;

    if (s->local_password)
        return xstrdup(s->local_password);
    name = secrets_account_name(s->name, "local-password");
    if (secrets_get(set->secrets, name, &value, NULL) == 0)
        hash = xmemdup(value.data, value.len);
    secret_clear(&value);
    free(name);
    return hash;
}

struct op *
accounts_login(struct accounts *set, struct slice login, struct slice password,
               const char *who, struct account **out, op_done_fn *done,
               void *arg)
{
    const struct settings_account *s;
    struct login *l;
    struct login_job *j;
    size_t plus = slice_find(login, '+');
    struct err e;

    s = settings_find_login(set->settings, login);
    if (!s && plus < login.n &&
        (slice_iis(slice_from(login, plus), "+raw") ||
         slice_iis(slice_from(login, plus), "+encrypt"))) {
        err_set(&e, E_INPUT, "logins with +raw or +encrypt are not built yet");
        return op_decided(&e, done, arg);
    }
    l = xcalloc(1, sizeof *l);
    l->set = set;
    l->out = out;
    l->who = xstrdup(who);
    l->name = xstrndup(login.p ? login.p : "", login.n < 100 ? login.n : 100);
    loop_timer_init(&l->delay, login_wrong, l);
    l->op = op_new(login_stop, l, done, arg);
    j = xcalloc(1, sizeof *j);
    j->job.run = hash_run;
    j->job.done = hash_done;
    j->login = l;
    secret_set(&j->password, password.p ? password.p : "", password.n);
    if (s && accounts_find(set, s->name)) {
        l->account = account_ref(accounts_find(set, s->name));
        j->hash = hash_of(set, s);
    }
    if (j->hash && secrets_known_is(&l->account->known, j->hash, password)) {
        l->fits = true;
        login_job_free(j);
        op_hold(&l->step, op_decided(NULL, on_hash, l));
        return l->op;
    }
    op_hold(&l->step, worker_run(set->crypto, &j->job, on_hash, l));
    return l->op;
}
