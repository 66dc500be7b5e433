/*
 * What the files of room account share.
 */
#ifndef SEALPOST_ACCOUNT_PRIVATE_H
#define SEALPOST_ACCOUNT_PRIVATE_H

#include "account/account.h"
#include "base/list.h"
#include "eas/eas.h"
#include "loop/loop.h"
#include "secrets/hash.h"

struct certs_anchors;
struct secrets;

struct account_wipe;

struct account {
    struct list node;
    unsigned refs;
    struct accounts *set; /* NULL: removed, only references keep it */
    char *name, *address;
    const struct settings_account *settings;
    struct err error;
    struct store *store;
    struct eas *eas;
    struct sync *sync;
    struct outbox *outbox;
    struct views *views;
    struct keys *keys;
    struct certs *certs;
    struct secret data_key;
    struct account_session *sessions;
    struct op *password_op, *user_op;
    struct secret password;
    struct eas_user user;
    struct loop_timer retry;
    struct account_wipe *wipe; /* ordered; then the parts are closed */
    struct secrets_known known; /* the local password that was right */
};

/* Wrong logins of one name from one peer, or of one peer whatever the name:
 * the first is forgotten by a login that fits, the second only by time, so an
 * own account is no means to guess another's password faster. */
#define ACCOUNT_TALLIES 128
struct account_tally {
    char *key; /* heap; NULL: free */
    unsigned failed;
    int64_t at; /* now_ms() of the last one */
};

struct accounts {
    struct loop *loop;
    struct worker *crypto, *disk;
    const struct settings *settings;
    struct secrets *secrets;
    char *authserv_id;
    struct list list;
    struct account_tally tallies[ACCOUNT_TALLIES];
};

/* ---- account.c ---- */

struct account *account_new(struct accounts *, const struct settings_account *);
void account_start(struct account *);
void account_close(struct account *, const char *why);
void account_apply(struct account *, const struct settings_account *);
/* Equal settings in another place: the old place may go. */
void account_keep(struct account *, const struct settings_account *);
/* `sealpostctl account password` may have changed what is among the secrets:
 * another password is taken and tried at once, the same one is not. */
void account_password_again(struct account *);

/* The account's address, name and errors are there, its parts need a reload
 * to be: it could not be opened, or was wiped and somebody may have signed in
 * again. */
bool account_is_stuck(const struct account *);

/* ---- open.c ---- */

int account_parts_open(struct account *, const char *dir, struct err *e);
void account_parts_close(struct account *);
/* Colleagues' certificates often come from the authority of our own. */
void account_share_issuers(struct account *);
/* What eas tells, with this account's functions. */
void account_watch(struct account *, struct eas_watcher *out);
/* What the settings say of the server, without a watcher. Borrowed. */
void account_eas_config(struct account *, const char *device,
                        struct eas_config *out);

/* ---- wipe.c ---- */

/* The order is on disk when it returns 0; the caller then closes the parts
 * and goes on with account_wipe_go(). */
int account_wipe_begin(struct account *, enum eas_wipe kind, struct err *e);
void account_wipe_go(struct account_wipe *);
/* Is there an order from an earlier run? Then a->wipe and a->error are set
 * and nothing of the account may be opened. */
bool account_wipe_load(struct account *);
void account_wipe_free(struct account_wipe **);
/* The server knows: nothing is left to do but to sign in again. */
bool account_wipe_is_over(const struct account_wipe *);

/* ---- device.c ---- */

/* The device id of this store on this machine; a copied store gets a new
 * one. 17 bytes. */
int account_device_id(struct store *, const char *dir, char out[33],
                      struct err *e);
/* Before account_eas_state_load(): what another server or user's server had
 * said is forgotten. */
int account_server_note(struct store *, const struct settings_account *,
                        struct err *e);
void account_eas_state_load(struct store *, struct eas_state *out);
int account_eas_state_save(struct store *, const struct eas_state *,
                           struct err *e);

/* How old mail may be, by the settings and by the server's policy (apply.c). */
struct sync_window account_window(const struct account *);

#endif
