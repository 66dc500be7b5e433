/*
 * One user: the sum of store, eas, keys, certs, sync, outbox and views. The
 * doors get an account by a login and hold a reference.
 */
#ifndef SEALPOST_ACCOUNT_ACCOUNT_H
#define SEALPOST_ACCOUNT_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/slice.h"
#include "certs/certs.h"
#include "loop/op.h"

struct account;
struct accounts;
struct eas;
struct keys;
struct loop;
struct outbox;
struct settings;
struct settings_account;
struct store;
struct sync;
struct views;
struct worker;

struct accounts_config {
    struct loop *loop;
    struct worker *crypto, *disk;
    const struct settings *settings; /* until accounts_settings() */
};
/* Opens each account's store; one that cannot be opened is there as well, with
 * its error (logins get it, status shows it). */
int accounts_new(const struct accounts_config *, struct accounts **out,
                 struct err *e);
void accounts_start(struct accounts *); /* sync and queues begin */
void accounts_free(struct accounts **);
/* After a reload: new ones open, changed ones take their settings, removed
 * ones end their sessions. Takes nothing; the old settings may be freed
 * after. */
int accounts_settings(struct accounts *, const struct settings *,
                      struct err *e);

struct account *accounts_next(struct accounts *, struct account *);
struct account *accounts_find(struct accounts *, const char *name);

/* A login (name or address, letter case of the domain ignored) with the local
 * password; the hash runs in a worker, wrong ones are delayed and counted.
 * *out is the caller's reference. E_LOGIN: wrong (one text for all cases);
 * E_INPUT: a suffix that is not built yet. `who` is the peer, for the log. */
struct op *accounts_login(struct accounts *, struct slice login,
                          struct slice password, const char *who,
                          struct account **out, op_done_fn *done, void *arg);

struct account *account_ref(struct account *);
void account_unref(struct account **);

const char *account_name(const struct account *);
const char *account_address(const struct account *);
const struct settings_account *account_settings(const struct account *);
/* Code E_NONE, or why this account cannot be used; then the parts below are
 * NULL. */
const struct err *account_error(const struct account *);
struct store *account_store(struct account *);
struct eas *account_eas(struct account *);
struct sync *account_sync(struct account *);
struct outbox *account_outbox(struct account *);
struct views *account_views(struct account *);
struct keys *account_keys(struct account *);
struct certs *account_certs(struct account *);

/* Sessions end when the account goes: each door's client registers. */
struct account_session {
    struct account_session *next;
    void (*on_end)(void *arg, const char *why); /* say BYE or 421 and close */
    void *arg;
};
void account_session_add(struct account *, struct account_session *);
void account_session_remove(struct account *, struct account_session *);
/* How many there are, of all doors; settings->max_sessions is for the doors to
 * keep. */
size_t account_sessions(const struct account *);

/* A PFX or PEM from `sealpostctl key import`; the text tells what came in. */
struct op *account_key_import(struct account *, struct slice file,
                              const struct secret *password, char **text_out,
                              op_done_fn *done, void *arg);

/* ---- erasing for good: sealpostctl account remove ---- */

struct secrets;
/* The marker, on the disk when it returns: from now on the account is erased
 * before anything is opened, also after a crash. */
int account_erase_begin(const char *state_dir, const char *name,
                        struct err *e);
bool account_erase_is_due(const char *state_dir, const char *name);
/* Mail, queue, keys, then the secrets, then the marker. The account must not
 * be open. */
int account_erase_finish(struct secrets *, const char *state_dir,
                         const char *name, struct err *e);
/* All that were begun. accounts_new() does it first. */
int account_erase_pending(struct secrets *, const char *state_dir,
                          struct err *e);

/* ---- for the control door, which sees neither eas nor keys ---- */

struct account_link {
    char version[8], url[600];
    unsigned running, waiting; /* requests */
    bool pinging;
    int64_t held_until; /* end of a throttle, 0: none */
    struct err stopped; /* code E_NONE: it runs */
};
void account_link(const struct account *, struct account_link *out);

/* The requests at hand: those that run, then those that wait, in their order;
 * false past the end, or past the first ACCOUNT_REQUESTS. */
#define ACCOUNT_REQUESTS 32u
struct account_request {
    const char *command; /* static */
    bool running, background;
    int64_t ms;          /* since it was asked for */
};
bool account_request_at(const struct account *, size_t i,
                        struct account_request *out);

/* Borrowed until the loop runs again; false past the end. */
struct account_policy_entry {
    const char *name, *value, *how;
    bool enforced;
};
bool account_policy_at(const struct account *, size_t i,
                       struct account_policy_entry *out);

struct account_key {
    struct certs_facts facts;
    char use[300]; /* key_describe() */
};
bool account_key_at(const struct account *, size_t i, struct account_key *out);
const char *account_key_problem(const struct account *); /* or NULL */
/* E_MISSING. What was encrypted to it cannot be read after. */
int account_key_remove(struct account *, const char *fingerprint,
                       struct err *e);

/* Looking for mail on the server (Search, from 16.1 Find), also where it is
 * not synchronised. `folder` is a path, NULL: all. At most `max` are told. */
#define ACCOUNT_FOUND_MAX 1000u
struct account_found_mail {
    int64_t received;    /* unix seconds; -1 not told */
    char *from, *subject; /* NULL: not told */
    char *folder;        /* path of it here, NULL: not one of ours */
    uint32_t uid;        /* 0: the message is not known here */
};
struct account_found {
    struct account_found_mail *mails;
    size_t n;
    uint64_t total; /* as the server counts, which may be a guess */
};
/* E_MISSING: no such folder; E_INPUT: nothing to look for. */
struct op *account_search(struct account *, const char *words,
                          const char *folder, size_t max,
                          struct account_found *out, op_done_fn *done,
                          void *arg);
void account_found_clear(struct account_found *);

/* Out of office. The order of both lists is that of eas.h. */
enum account_oof_state {
    ACCOUNT_OOF_OFF,
    ACCOUNT_OOF_ON,
    ACCOUNT_OOF_TIMED
};
enum account_oof_audience {
    ACCOUNT_OOF_INTERNAL,
    ACCOUNT_OOF_KNOWN,   /* outside, in the contacts */
    ACCOUNT_OOF_UNKNOWN, /* outside, all others */
    ACCOUNT_OOF_AUDIENCES
};
struct account_oof {
    enum account_oof_state state;
    int64_t start, end; /* unix seconds, TIMED only; else -1 */
    struct {
        bool enabled;
        char *text; /* NULL none */
    } messages[ACCOUNT_OOF_AUDIENCES];
};
enum account_oof_outside {
    ACCOUNT_OOF_AS_IT_IS,
    ACCOUNT_OOF_NOBODY,
    ACCOUNT_OOF_CONTACTS,
    ACCOUNT_OOF_ALL
};
struct account_oof_edit {
    enum account_oof_state state;
    int64_t start, end; /* TIMED */
    const char *internal, *external; /* new texts; NULL: they stay */
    enum account_oof_outside outside; /* who is answered there */
};
/* What the server has, after the change if there is one (edit may be NULL).
 * E_INPUT: a change that makes no sense. */
struct op *account_oof(struct account *, const struct account_oof_edit *edit,
                       struct account_oof *out, op_done_fn *done, void *arg);
void account_oof_clear(struct account_oof *);
/* The change laid over what the server has. Pure. */
int account_oof_merge(struct account_oof *, const struct account_oof_edit *,
                      struct err *e);

#endif
