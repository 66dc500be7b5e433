/*
 * The client of Exchange: one struct per account, one function per
 * ActiveSync command. Knows neither the store nor what mail means.
 *
 * Strings and arrays in an ask are copied before the function returns, except
 * where "borrowed until done" is said. Answers belong to the caller, who
 * clears them. Transport and account trouble is the err of `done`; statuses
 * of a command that the caller must act on are in its answer (err == NULL),
 * together with the reaction class of eas/status.h.
 *
 * Provisioning, version choice, 449, 451 and one repetition after them happen
 * inside; a command that comes back has had them.
 */
#ifndef SEALPOST_EAS_EAS_H
#define SEALPOST_EAS_EAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/slice.h"
#include "loop/op.h"

struct eas;
struct eas_policy;
struct http;
struct loop;

/* What has to survive a restart; the owner stores it (eas knows no store). */
struct eas_state {
    char version[8];      /* "16.1", or "" before OPTIONS */
    char policy_key[16];  /* "0" or "" before Provision */
    char location[600];   /* URL learned by 451, or "" */
    bool no_policy;       /* the server has none for us (policy status 2) */
};

/* What a server's administrator has ordered (MS-ASPROV 3.1.5.1.2). */
enum eas_wipe {
    EAS_WIPE_NONE,
    EAS_WIPE_DEVICE,  /* everything that came from this server */
    EAS_WIPE_ACCOUNT, /* 16.1: this account's data; for us the same */
};

/* Told from the loop, never inside a call of ours. All may be NULL. */
struct eas_watcher {
    /* Store it; requests go on after this returns. */
    void (*on_state)(void *arg, const struct eas_state *);
    /* The parsed policy document, when it is new or changed. */
    void (*on_policy)(void *arg, const struct eas_policy *);
    /* The account stopped (E_LOGIN, E_DENIED, wipe asked) or, with NULL, runs
     * again. While stopped each command fails at once with this error. */
    void (*on_stop)(void *arg, const struct err *why);
    /* The server was changed and wants all keys forgotten (X-MS-RP): begin
     * with FolderSync key "0" again, keep the UIDs. */
    void (*on_begin_anew)(void *arg);
    /* In place of on_stop: a wipe was ordered. Commands fail with E_DENIED
     * from now on; erase, then eas_wipe_acknowledge(). The callee may free
     * the eas. */
    void (*on_wipe)(void *arg, enum eas_wipe kind);
    void *arg;
};

enum eas_auth_kind {
    EAS_AUTH_BASIC,
    EAS_AUTH_NTLM,        /* user may be DOMAIN\\name */
    EAS_AUTH_CERTIFICATE, /* TLS client certificate, no password */
};

struct eas_config {
    struct loop *loop;
    const char *account;   /* for logs */
    const char *url;       /* https://host[:port][/path]; no path: the usual */
    const char *user;      /* sign-in name, also User= in the query */
    const char *address;   /* the account's mail address */
    const char *device_id; /* 1-32 letters and digits */
    const char *ca_file;   /* PEM anchors instead of the system's, or NULL */
    enum eas_auth_kind auth;
    const char *client_cert; /* PEM files, with AUTH_CERTIFICATE */
    const char *client_key;  /* NULL: the same file */
    const char *version;   /* force this version, or NULL: the highest */
    unsigned max_requests; /* beside one Ping; 0: 3 */
    bool accept_policy;    /* acknowledge what we cannot enforce */
    unsigned heartbeat_min, heartbeat_max; /* of Ping, s; 0: 60, 1680 */
    struct eas_watcher watcher;
};

/* E_INPUT for a URL that is not https or cannot be parsed. */
int eas_new(const struct eas_config *, const struct eas_state *,
            struct eas **out, struct err *e);
/* Cancels all that is under way. */
void eas_free(struct eas **);
/* After a reload; `loop`, `account`, `device_id` and `watcher` stay. With
 * another server or sign-in requests under way end with E_RETRY and *moved_out
 * is set: eas_set_password() follows. With another server or user the state
 * is an empty one, which the owner has to know before. E_INPUT like
 * eas_new(): nothing is changed. */
int eas_configure(struct eas *, const struct eas_config *, bool *moved_out,
                  struct err *e);
/* Signs in; starts a stopped account again. Copies the secret, which is not
 * used with AUTH_CERTIFICATE. */
void eas_set_password(struct eas *, const struct secret *password);
/* Is it the one that eas_set_password() was given? */
bool eas_password_is(const struct eas *, const struct secret *password);
/* Something changed (network back, a person asked): forget back-offs. */
void eas_wake(struct eas *);

/* For `status`: what runs, what waits, throttled until when. */
struct eas_status_view {
    const char *version, *url;
    unsigned running, waiting;
    bool pinging;
    int64_t held_until; /* unix time of the end of a throttle, 0: none */
    struct err stopped; /* code E_NONE: runs */
    bool policy_known;  /* eas_policy() tells all there is; if not, the next
                           command connects and learns it first */
};
void eas_status_view(const struct eas *, struct eas_status_view *out);

/* OPTIONS, choice of version, Provision: a sign-in test. Needed by nobody,
 * for every command does it when it is due. */
struct op *eas_connect(struct eas *, op_done_fn *done, void *arg);

/* Tells the server how the wipe went; also from an eas made anew after a
 * crash, for it needs neither OPTIONS nor a policy key but the state's version.
 * Done without error when the server took note. Cancelled before eas_free(). */
struct op *eas_wipe_acknowledge(struct eas *, enum eas_wipe kind, bool erased,
                                op_done_fn *done, void *arg);

/* ---- folders (MS-ASCMD FolderSync and its kin) ---- */

enum eas_folder_kind { EAS_FOLDER_ADD, EAS_FOLDER_UPDATE, EAS_FOLDER_DELETE };
struct eas_folder {
    enum eas_folder_kind kind;
    char *server_id, *parent_id, *name; /* name and parent NULL on delete */
    int type;                           /* commands.md section 3 */
};
struct eas_folders_answer {
    int status, reaction; /* 1 and EAS_OK, or what to do (9: key "0") */
    char *key;
    struct eas_folder *folders;
    size_t n;
};
/* key "0" lists all. */
struct op *eas_folders_sync(struct eas *, const char *key,
                            struct eas_folders_answer *out, op_done_fn *done,
                            void *arg);
void eas_folders_answer_clear(struct eas_folders_answer *);

struct eas_folder_edit_answer {
    int status, reaction;
    char *key, *server_id; /* server_id of a created folder */
};
struct op *eas_folder_create(struct eas *, const char *key, const char *parent,
                             const char *name, int type,
                             struct eas_folder_edit_answer *out,
                             op_done_fn *done, void *arg);
struct op *eas_folder_update(struct eas *, const char *key, const char *id,
                             const char *parent, const char *name,
                             struct eas_folder_edit_answer *out,
                             op_done_fn *done, void *arg);
struct op *eas_folder_delete(struct eas *, const char *key, const char *id,
                             struct eas_folder_edit_answer *out,
                             op_done_fn *done, void *arg);
void eas_folder_edit_answer_clear(struct eas_folder_edit_answer *);

/* ---- Sync ---- */

enum eas_item_kind {
    EAS_ITEM_ADD,
    EAS_ITEM_CHANGE,
    EAS_ITEM_DELETE,
    EAS_ITEM_SOFT_DELETE
};
/* Bits of eas_item.has: which fields the server sent. */
enum eas_item_field {
    EAS_HAS_READ = 1 << 0,
    EAS_HAS_FLAG = 1 << 1,
    EAS_HAS_CATEGORIES = 1 << 2,
    EAS_HAS_VERB = 1 << 3,
    EAS_HAS_CONTENT = 1 << 4, /* From, To, Subject, date, body: a whole item */
};
/* Borrowed: valid during the callback. Absent strings are NULL. */
struct eas_item {
    enum eas_item_kind kind;
    const char *server_id;
    unsigned has;
    const char *from, *to, *cc, *bcc, *reply_to, *subject;
    int64_t received; /* DateReceived, unix seconds; -1 absent or absurd */
    bool read;
    int flag_status;          /* 0 none or cleared, 1 complete, 2 active */
    struct slice flag_detail; /* the whole Flag element as WBXML-free text
                                 (name=value lines), to be kept */
    const char *const *categories;
    size_t ncategories;
    const char *message_class;
    uint64_t estimated_size;
    int last_verb; /* 0, 1 reply, 2 reply all, 3 forward */
    int importance;
    bool draft;
    struct slice conversation_id;
};

/* A change that the client makes. */
struct eas_change {
    enum { EAS_CHANGE_EDIT, EAS_CHANGE_DELETE } kind;
    const char *server_id;
    int read;            /* -1 leave, 0, 1 */
    int flag;            /* -1 leave, 0 clear, 1 set (Status 2) */
    bool set_categories; /* the whole new list */
    const char *const *categories;
    size_t ncategories;
};

struct eas_sync_ask {
    const char *collection;
    const char *key;       /* "0" primes (no changes, no items) */
    bool get_changes;
    bool list_only;        /* no bodies (the only form in use) */
    unsigned window;       /* 1-512; 0: 100 */
    int filter;            /* FilterType 0-5 */
    bool deletes_as_moves; /* for the deletes in `changes` */
    bool background;       /* lets others go first */
    const struct eas_change *changes;
    size_t nchanges;
    /* Called for each item in the server's order, before `done`. -1 with e
     * set ends the command with that error. Items of a broken answer may have
     * been given before the error is known: act on them in `done`. */
    int (*on_item)(void *arg, const struct eas_item *, struct err *e);
    void *item_arg;
};
struct eas_sync_failure {
    char *server_id;
    int status, reaction;
};
struct eas_sync_answer {
    int status, reaction; /* of the collection */
    bool empty;           /* nothing was said: nothing new, the key stays */
    bool more;
    bool left_out;        /* of several: empty, but there was no room for it
                             in the answer; ask again */
    char *key; /* the new key; NULL when empty */
    struct eas_sync_failure *failures; /* changes that were refused */
    size_t nfailures;
};
struct op *eas_sync(struct eas *, const struct eas_sync_ask *,
                    struct eas_sync_answer *out, op_done_fn *done, void *arg);
/* Several collections in one request, at most EAS_SYNC_COLLECTIONS_MAX: `asks`
 * and `outs` have n elements. Each has its own status and key; the items are
 * given to the callbacks of their own ask. E_REMOTE: this server cannot do it
 * with several, ask one by one. */
#define EAS_SYNC_COLLECTIONS_MAX 20
struct op *eas_sync_several(struct eas *, const struct eas_sync_ask *asks,
                            size_t n, struct eas_sync_answer *outs,
                            op_done_fn *done, void *arg);
void eas_sync_answer_clear(struct eas_sync_answer *);

/* Number of pending changes of a primed collection. */
struct op *eas_estimate(struct eas *, const char *collection, const char *key,
                        int filter, uint64_t *out, op_done_fn *done, void *arg);

/* ---- Ping ---- */

struct eas_ping_answer {
    int status, reaction; /* 1 nothing new, 2 changes, 7 FolderSync */
    char **folders;       /* server ids with changes */
    size_t n;
};
/* Waits until something changes or the heartbeat ends. The heartbeat adapts
 * inside; a limit on folders (status 6) is obeyed by taking the first ones,
 * so put the important ones first. */
struct op *eas_ping(struct eas *, const char *const *folders, size_t n,
                    struct eas_ping_answer *out, op_done_fn *done, void *arg);
void eas_ping_answer_clear(struct eas_ping_answer *);

/* ---- ItemOperations Fetch ---- */

/* Where the policy lets no or only small attachments in, or text only up to a
 * size (MS-ASPROV 2.2.2.10, .31, .33, .34), `mime` of a message beyond that is
 * not the server's but made here: the fields that the server lists, the text as
 * far as the server gives it, and a note. S/MIME mail comes whole. */

struct eas_place {
    const char *collection, *server_id;
};
struct eas_fetch_ask {
    const struct eas_place *items;
    size_t n;             /* at most 50 */
    uint64_t max_body;    /* bytes; a larger body is status -1 of the item */
    bool background;
    /* For comparing only, never kept or shown: the policy's limits do not
     * count. */
    bool unlimited;
    /* For each item once, in any order. status 1: `mime` holds the exact
     * bytes, borrowed during the call, `truncated` if the server cut it. */
    void (*on_body)(void *arg, size_t index, int status, struct slice mime,
                    bool truncated);
    void *body_arg;
};
struct op *eas_items_fetch(struct eas *, const struct eas_fetch_ask *,
                           op_done_fn *done, void *arg);

/* ---- MoveItems ---- */

struct eas_move {
    const char *server_id, *from, *to; /* collections */
};
struct eas_moved {
    int status, reaction; /* status 3 is success */
    char *new_id;         /* NULL if the server did not say */
};
/* out has n elements, in the order of the moves. */
struct op *eas_move_items(struct eas *, const struct eas_move *, size_t n,
                          struct eas_moved *out, op_done_fn *done, void *arg);
void eas_moved_clear(struct eas_moved *, size_t n);

/* ---- SendMail, SmartReply, SmartForward ---- */

enum eas_verb { EAS_SEND, EAS_REPLY, EAS_FORWARD };
struct eas_mail {
    const char *client_id; /* at most 40 characters, the same at each try */
    bool save_in_sent;
    struct slice mime;     /* borrowed until done */
    /* Or, with `read`, its `size` bytes piece by piece, while they are sent:
     * up to n from offset; 0 with e ends the command. May begin anew. */
    uint64_t size;
    size_t (*read)(void *arg, uint64_t offset, char *to, size_t n,
                   struct err *e);
    void *read_arg;
    /* REPLY and FORWARD mark this message as answered or forwarded; `mime` is
     * complete all the same (ReplaceMime). Gone there: status 150, then it
     * may be sent plainly. */
    enum eas_verb verb;
    struct eas_place source;
    /* Asked each time right before the request goes out, also when it is
     * repeated after a new policy was acknowledged: -1 ends the command with
     * this error, unsent. May be NULL. */
    int (*may_go)(void *arg, struct err *e);
    void *may_go_arg;
};
struct eas_send_answer {
    int status, reaction; /* 1: accepted. 118: this ClientId was sent before */
    bool maybe;           /* with an err: the server may have acted */
};
struct op *eas_send(struct eas *, const struct eas_mail *,
                    struct eas_send_answer *out, op_done_fn *done, void *arg);

/* ---- ResolveRecipients, Settings ---- */

struct eas_person {
    char *asked;      /* the address that was asked for */
    int status;       /* 1 resolved, 2 and 3 ambiguous, 4 unknown */
    int certs_status; /* 1, 7 none, 8 too many; 0 not told */
    bool is_list;     /* the certificates are those of its members */
    size_t members;   /* of a list */
    struct slice *certs; /* DER */
    size_t ncerts;
};
struct eas_people {
    bool answered; /* false: the server knows no certificates at all */
    struct eas_person *people;
    size_t n;
};
/* At most 100 addresses. */
struct op *eas_resolve(struct eas *, const char *const *addresses, size_t n,
                       struct eas_people *out, op_done_fn *done, void *arg);
void eas_people_clear(struct eas_people *);

struct eas_user {
    char **addresses; /* the primary one first where it is told */
    size_t n;
};
struct op *eas_user_get(struct eas *, struct eas_user *out, op_done_fn *done,
                        void *arg);
void eas_user_clear(struct eas_user *);

/* ---- Settings Oof ---- */

enum eas_oof_state { EAS_OOF_OFF, EAS_OOF_ON, EAS_OOF_TIMED };
enum eas_oof_audience {
    EAS_OOF_INTERNAL,
    EAS_OOF_KNOWN,   /* outside, in the contacts */
    EAS_OOF_UNKNOWN, /* outside, all others */
    EAS_OOF_AUDIENCES
};
struct eas_oof {
    enum eas_oof_state state;
    int64_t start, end; /* unix seconds, TIMED only; -1 not told */
    struct {
        bool enabled;
        char *text; /* plain; NULL none */
    } messages[EAS_OOF_AUDIENCES];
};
struct op *eas_oof_get(struct eas *, struct eas_oof *out, op_done_fn *done,
                       void *arg);
/* Copied. E_INPUT: TIMED with an end before its start. UNKNOWN without a text
 * gets that of KNOWN, for Exchange wants them equal. */
struct op *eas_oof_set(struct eas *, const struct eas_oof *, op_done_fn *done,
                       void *arg);
void eas_oof_clear(struct eas_oof *);

/* ---- ValidateCert ---- */

struct eas_validate_ask {
    struct slice cert;         /* DER, copied */
    const struct slice *chain; /* issuers, DER; at most 10 are sent */
    size_t nchain;
    bool check_crl; /* an unknown state of revocation is an error */
};
struct eas_validate_answer {
    int status, reaction; /* 1: the server finds no fault */
};
struct op *eas_validate_cert(struct eas *, const struct eas_validate_ask *,
                             struct eas_validate_answer *out, op_done_fn *done,
                             void *arg);

/* ---- ItemOperations EmptyFolderContents ---- */

struct eas_empty_answer {
    int status, reaction;
};
/* For good, without undo. Subfolders stay. */
struct op *eas_folder_empty(struct eas *, const char *collection,
                            struct eas_empty_answer *out, op_done_fn *done,
                            void *arg);

/* ---- Search, Find ---- */

struct eas_search_ask {
    const char *collection; /* NULL: the whole mailbox */
    const char *text;       /* words as the server's index knows them */
    int64_t since, before;  /* of DateReceived, unix seconds; -1: any */
    unsigned first;         /* of the results; a page has 100 */
    const char *id;         /* of the answer with the page before; or NULL */
};
struct eas_hit {
    char *collection, *server_id; /* server_id NULL from Search */
    char *long_id;                /* NULL from Find */
    char *from, *subject;
    int64_t received; /* -1 not told */
};
struct eas_search_answer {
    int status, reaction;
    bool find; /* the statuses are those of Find */
    char id[40];
    struct eas_hit *hits;
    size_t n;
    uint64_t total;
};
struct op *eas_search(struct eas *, const struct eas_search_ask *,
                      struct eas_search_answer *out, op_done_fn *done,
                      void *arg);
void eas_search_answer_clear(struct eas_search_answer *);

/* ---- what the scheduler has at hand, for `status` ---- */

struct eas_work {
    const char *command; /* static */
    bool running, background;
    int64_t ms;          /* since it was asked for */
};
/* Those that run, then those that wait, in their order; how many there are in
 * all, of which at most `max` are put to `out`. */
size_t eas_work(const struct eas *, struct eas_work *out, size_t max);

/* The policy document that was acknowledged last, or NULL (none). Borrowed
 * until the next on_policy. */
const struct eas_policy *eas_policy(const struct eas *);

#endif
