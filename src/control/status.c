/*
 * What the daemon tells of itself, its accounts and their folders.
 */
#include "control/private.h"

#include <string.h>

#include <jansson.h>

#include "account/account.h"
#include "base/arena.h"
#include "base/mem.h"
#include "settings/settings.h"
#include "store/body.h"
#include "store/folder.h"
#include "store/journal.h"
#include "store/message.h"
#include "store/queue.h"
#include "sync/sync.h"

#define REFUSALS 10u
#define LOCALS 100u

static const char *const sync_states[] = {
    [SYNC_STOPPED] = "stopped",       [SYNC_CONNECTING] = "connecting",
    [SYNC_LISTING] = "listing",       [SYNC_WORKING] = "working",
    [SYNC_WAITING] = "waiting",       [SYNC_BACKOFF] = "backoff",
};
static const char *const folder_states[] = {
    [STORE_FOLDER_NEW] = "new",
    [STORE_FOLDER_LISTING] = "listing",
    [STORE_FOLDER_READY] = "ready",
    [STORE_FOLDER_RELISTING] = "relisting",
};
static const char *const roles[] = {
    [STORE_ROLE_NONE] = "",         [STORE_ROLE_INBOX] = "inbox",
    [STORE_ROLE_DRAFTS] = "drafts", [STORE_ROLE_TRASH] = "trash",
    [STORE_ROLE_SENT] = "sent",     [STORE_ROLE_JUNK] = "junk",
    [STORE_ROLE_ARCHIVE] = "archive",
};

static json_t *
text(const char *s)
{
    json_t *j = json_string(s ? s : "");

    return j ? j : json_string("?"); /* names of servers: not UTF-8 */
}

static json_t *
text_or_null(const char *s)
{
    return s && *s ? text(s) : json_null();
}

static json_t *
number_or_null(int64_t n)
{
    return n > 0 ? json_integer(n) : json_null();
}

/* ---- an account ---- */

static json_t *
sync_json(const struct sync_status *st)
{
    json_t *o = json_object();

    json_object_set_new(o, "state", json_string(sync_states[st->state]));
    json_object_set_new(o, "folder", text_or_null(st->folder));
    json_object_set_new(o, "listed", json_integer((json_int_t)st->listed));
    json_object_set_new(o, "estimate", json_integer((json_int_t)st->estimate));
    json_object_set_new(o, "next_try", number_or_null(st->next_try));
    json_object_set_new(o, "error", st->error.code ? text(st->error.text)
                                                   : json_null());
    return o;
}

static json_t *
refusals_json(struct store *s)
{
    struct store_refusal list[REFUSALS];
    struct arena *a = arena_new();
    json_t *rows = json_array();
    size_t n = 0;

    if (store_journal_refusals(s, a, list, REFUSALS, &n, NULL) == 0)
        for (size_t i = 0; i < n; i++) {
            json_t *o = json_object();

            json_object_set_new(o, "when", json_integer(list[i].when));
            json_object_set_new(o, "what", text(list[i].what));
            json_object_set_new(o, "why", text(list[i].why));
            json_array_append_new(rows, o);
        }
    arena_free(&a);
    return rows;
}

/* Entries that no server has: copies, drafts, reports. Neither subject nor
 * sender: folder and UID find them. */
static void
locals_set(json_t *o, struct store *s)
{
    struct store_local list[LOCALS];
    json_t *rows = json_array();
    uint64_t total = 0;
    size_t n = 0;

    if (store_message_local(s, list, LOCALS, &n, &total, NULL))
        n = 0;
    for (size_t i = 0; i < n; i++) {
        const struct store_folder *f = store_folder_get(s, list[i].folder);
        json_t *row = json_object();

        json_object_set_new(row, "folder", text(f ? f->path : ""));
        json_object_set_new(row, "uid", json_integer(list[i].uid));
        json_array_append_new(rows, row);
    }
    json_object_set_new(o, "local_count", json_integer((json_int_t)total));
    json_object_set_new(o, "local", rows);
}

static json_int_t
folders_count(struct store *s)
{
    const struct store_folder *f = NULL;
    json_int_t n = 0;

    while ((f = store_folder_next(s, f)))
        n++;
    return n;
}

/* The worst that is to be said: cannot be opened, refused by the server, last
 * trouble of the sync. */
static void
state_set(json_t *o, const struct account *a, const struct account_link *link,
          const struct sync_status *st)
{
    const struct err *e = account_error(a);
    const char *state = sync_states[st->state];

    if (e->code)
        state = "error";
    else if (link->stopped.code)
        state = "stopped", e = &link->stopped;
    else if (st->state != SYNC_WAITING)
        e = &st->error;
    else if (st->bodies_error.code)
        e = &st->bodies_error;
    json_object_set_new(o, "state", json_string(state));
    json_object_set_new(o, "error", e->code ? text(e->text) : json_null());
    json_object_set_new(o, "code", e->code ? json_string(err_name(e->code))
                                           : json_null());
}

static void
store_set(json_t *o, struct store *s)
{
    struct store_usage usage = {0};
    uint64_t journal = 0, queue = 0, missing = 0;

    if (!s)
        return;
    store_usage(s, &usage, NULL);
    store_journal_count(s, &journal, NULL);
    store_queue_count(s, &queue, NULL);
    store_message_missing_count(s, &missing, NULL);
    json_object_set_new(o, "folders", json_integer(folders_count(s)));
    json_object_set_new(o, "messages",
                        json_integer((json_int_t)usage.messages));
    json_object_set_new(o, "bodies_missing",
                        json_integer((json_int_t)missing));
    json_object_set_new(o, "body_bytes",
                        json_integer((json_int_t)usage.body_bytes));
    json_object_set_new(o, "cache_problem",
                        store_cache_is_fickle(s)
                            ? text("the server does not give the same bytes "
                                   "twice: nothing is evicted any more")
                            : json_null());
    json_object_set_new(o, "free_bytes",
                        json_integer((json_int_t)usage.free_bytes));
    json_object_set_new(o, "journal_open", json_integer((json_int_t)journal));
    json_object_set_new(o, "queue", json_integer((json_int_t)queue));
    json_object_set_new(o, "refusals", refusals_json(s));
    locals_set(o, s);
}

/* What the account's scheduler has at hand (SPEC section 4, Manners). */
static json_t *
requests_json(const struct account *a)
{
    struct account_request r;
    json_t *list = json_array();

    for (size_t i = 0; account_request_at(a, i, &r); i++) {
        json_t *o = json_object();

        json_object_set_new(o, "command", json_string(r.command));
        json_object_set_new(o, "running", json_boolean(r.running));
        json_object_set_new(o, "background", json_boolean(r.background));
        json_object_set_new(o, "seconds",
                            json_integer((json_int_t)(r.ms / 1000)));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *
account_json(struct account *a)
{
    struct sync_status st = {.state = SYNC_STOPPED};
    struct account_link link;
    json_t *o = json_object();

    account_link(a, &link);
    if (account_sync(a))
        sync_status(account_sync(a), &st);
    json_object_set_new(o, "name", text(account_name(a)));
    json_object_set_new(o, "address", text(account_address(a)));
    state_set(o, a, &link, &st);
    json_object_set_new(o, "version", text_or_null(link.version));
    json_object_set_new(o, "server",
                        text(*link.url ? link.url
                                       : account_settings(a)->server));
    json_object_set_new(o, "throttled_until",
                        number_or_null(link.held_until));
    json_object_set_new(o, "requests", requests_json(a));
    json_object_set_new(o, "key_problem",
                        text_or_null(account_key_problem(a)));
    store_set(o, account_store(a));
    json_object_set_new(o, "sync", sync_json(&st));
    return o;
}

static json_t *
accounts_json(struct accounts *set)
{
    json_t *list = json_array();
    struct account *a = NULL;

    while ((a = accounts_next(set, a)))
        json_array_append_new(list, account_json(a));
    return list;
}

/* ---- the daemon ---- */

static json_t *
listeners_json(const struct control_daemon *d)
{
    json_t *list = json_array();
    size_t n = 0;
    const struct control_listener *l = d->listeners(d->arg, &n);

    for (size_t i = 0; i < n; i++) {
        json_t *o = json_object();

        json_object_set_new(o, "door", text(l[i].door));
        json_object_set_new(o, "tls", json_boolean(l[i].tls));
        json_object_set_new(o, "address", text(l[i].address));
        json_array_append_new(list, o);
    }
    return list;
}

int
control_status(struct control_call *call, struct json_t **out, struct err *e)
{
    const struct control_server_config *c = &call->server->config;
    const struct control_daemon *d = &c->daemon;
    json_t *o = json_object();

    (void)e;
    json_object_set_new(o, "version", json_string(PACKAGE_VERSION));
    json_object_set_new(o, "listeners", listeners_json(d));
    json_object_set_new(o, "fingerprint", text(d->fingerprint));
    json_object_set_new(o, "imap_clients",
                        json_integer((json_int_t)d->imap_clients(d->arg)));
    json_object_set_new(o, "smtp_clients",
                        json_integer((json_int_t)d->smtp_clients(d->arg)));
    json_object_set_new(o, "accounts", accounts_json(c->accounts));
    *out = o;
    return 0;
}

int
control_account_list(struct control_call *call, struct json_t **out,
                     struct err *e)
{
    (void)e;
    *out = accounts_json(call->server->config.accounts);
    return 0;
}

int
control_reload(struct control_call *call, struct json_t **out, struct err *e)
{
    const struct control_daemon *d = &call->server->config.daemon;

    if (d->reload(d->arg, e))
        return -1;
    *out = json_object();
    json_object_set_new(*out, "reloaded", json_true());
    return 0;
}

/* ---- folders, policy ---- */

static json_t *
folder_json(struct store *s, const struct store_folder *f)
{
    struct store_counts counts = {0};
    json_t *o = json_object();

    store_folder_counts(s, f->id, &counts, NULL);
    json_object_set_new(o, "path", text(f->path));
    json_object_set_new(o, "role", text_or_null(roles[f->role]));
    json_object_set_new(o, "state", json_string(folder_states[f->state]));
    json_object_set_new(o, "messages", json_integer(counts.messages));
    json_object_set_new(o, "unseen", json_integer(counts.unseen));
    json_object_set_new(o, "bodies_missing",
                        json_integer(counts.missing_bodies));
    json_object_set_new(o, "size", json_integer((json_int_t)counts.size));
    json_object_set_new(o, "uidvalidity", json_integer(f->uidvalidity));
    json_object_set_new(o, "uidnext", json_integer(f->uidnext));
    json_object_set_new(o, "subscribed", json_boolean(f->subscribed));
    json_object_set_new(o, "listed", json_integer(f->listed));
    json_object_set_new(o, "estimate", json_integer(f->estimate));
    return o;
}

int
control_folder_list(struct control_call *call, struct json_t **out,
                    struct err *e)
{
    const struct store_folder *f = NULL;

    (void)e;
    *out = json_array();
    while ((f = store_folder_next(call->store, f)))
        json_array_append_new(*out, folder_json(call->store, f));
    return 0;
}

int
control_policy(struct control_call *call, struct json_t **out, struct err *e)
{
    struct account_policy_entry p;

    (void)e;
    *out = json_array();
    for (size_t i = 0; account_policy_at(call->account, i, &p); i++) {
        json_t *o = json_object();

        json_object_set_new(o, "name", text(p.name));
        json_object_set_new(o, "value", text(p.value));
        json_object_set_new(o, "enforced", json_boolean(p.enforced));
        json_object_set_new(o, "how", text(p.how));
        json_array_append_new(*out, o);
    }
    return 0;
}
