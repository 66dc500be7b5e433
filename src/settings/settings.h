/*
 * The configuration, read-only once it is loaded: one struct for the daemon
 * and one per account, everything inherited and resolved. `conf/sealpost.conf`
 * says what each setting means to a person; the table in `settings/table.c`
 * is the one list of names, values and defaults.
 */
#ifndef SEALPOST_SETTINGS_SETTINGS_H
#define SEALPOST_SETTINGS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

#define SETTINGS_MAX_FILE ((size_t)1 << 20)
#define SETTINGS_MAX_ACCOUNTS 1000

/* Values that are words. What is "not built yet" is refused when the file is
 * read, so nobody who reads a struct settings has to look for it. */
enum settings_auth {
    SETTINGS_AUTH_BASIC,
    SETTINGS_AUTH_NTLM,
    SETTINGS_AUTH_CERTIFICATE,
};
enum settings_want {
    SETTINGS_ASK, /* on the message's wish; what is encrypted is signed */
    SETTINGS_ALWAYS,
    SETTINGS_NEVER,
    SETTINGS_IF_POSSIBLE, /* encrypt only */
};
enum settings_missing { SETTINGS_MISSING_REJECT };
enum settings_override {
    SETTINGS_OVERRIDE_YES,
    SETTINGS_OVERRIDE_STRICTER,
    SETTINGS_OVERRIDE_NO,
};
enum settings_from {
    SETTINGS_FROM_ENFORCE,
    SETTINGS_FROM_REWRITE,
    SETTINGS_FROM_ALLOW,
};
enum settings_protect {
    SETTINGS_PROTECT_AUTO,
    SETTINGS_PROTECT_HIDE,
    SETTINGS_PROTECT_COPY,
    SETTINGS_PROTECT_OFF,
};
enum settings_signature { SETTINGS_SIGNATURE_CLEAR, SETTINGS_SIGNATURE_OPAQUE };
enum settings_locked { SETTINGS_LOCKED_REFUSE, SETTINGS_LOCKED_QUEUE };
enum settings_newline { SETTINGS_NEWLINE_NORMALIZE, SETTINGS_NEWLINE_REJECT };
enum settings_expunge { SETTINGS_EXPUNGE_TRASH, SETTINGS_EXPUNGE_DELETE };
enum settings_window_end { SETTINGS_WINDOW_KEEP, SETTINGS_WINDOW_DROP };
enum settings_append { SETTINGS_APPEND_REJECT, SETTINGS_APPEND_LOCAL };
enum settings_harvest { SETTINGS_HARVEST_AUTO, SETTINGS_HARVEST_OFF };
enum settings_undecryptable {
    SETTINGS_UNDECRYPTABLE_EXPLAIN,
    SETTINGS_UNDECRYPTABLE_ORIGINAL,
};
/* FilterType of MS-ASCMD 2.2.3.68.2 */
enum settings_window {
    SETTINGS_WINDOW_ALL = 0,
    SETTINGS_WINDOW_1D = 1,
    SETTINGS_WINDOW_3D = 2,
    SETTINGS_WINDOW_1W = 3,
    SETTINGS_WINDOW_2W = 4,
    SETTINGS_WINDOW_1M = 5,
};

/* One user. Strings are never NULL where nothing else is said. Times are in
 * seconds, sizes in bytes. Lists end with NULL and are never NULL. */
struct settings_account {
    const char *name;    /* letters, digits, "._-"; names files, too */
    const char *address; /* of the mailbox, as written */
    const char *domain;  /* of the address, in small letters */
    const char *const *aliases; /* more addresses that may be in From */

    /* upstream */
    const char *server;  /* https://host[:port][/path] */
    const char *user;    /* sign-in name; default: the address */
    enum settings_auth auth;
    const char *client_certificate; /* PEM, with auth = certificate */
    const char *client_key;         /* PEM; NULL: in the same file */
    const char *password_command; /* NULL: the password is in the secrets */
    const char *ca_file; /* PEM anchors for the server; NULL: the system's */
    const char *eas_version;      /* "14.1"...; NULL: the highest */
    unsigned max_requests;        /* beside the Ping */
    bool accept_policy;
    unsigned heartbeat_min, heartbeat_max;
    /* Between timed Syncs, for what Ping does not tell: of subscribed folders,
     * of the inbox (0: the same), of the others (0: never). */
    unsigned sync_interval, sync_interval_inbox, sync_interval_other;

    /* local copy */
    const char *local_password; /* a hash (secrets/hash.h); NULL: the one in
                                   the secrets */
    enum settings_window sync_window;
    enum settings_window_end window_end;
    uint64_t cache_size; /* 0: no limit */
    unsigned vanished_keep;
    enum settings_expunge expunge;
    enum settings_append append;
    unsigned append_wait, draft_wait;
    const char *junk_folder, *archive_folder; /* NULL: by the usual names */

    /* mail out */
    enum settings_from from;
    enum settings_want sign, encrypt;
    enum settings_missing missing_certificate;
    enum settings_override override;
    const char *signing_key, *encryption_key; /* "auto" or a fingerprint: hex,
                                                 small letters, no colons */
    bool reply_guard;
    enum settings_protect protect_headers;
    enum settings_signature signature;
    bool encrypt_to_self;
    bool announce_gcm;
    bool allow_weak;
    unsigned submit_wait;
    unsigned queue_lifetime;
    unsigned queue_retry_min, queue_retry_max;
    enum settings_locked locked;
    enum settings_newline bare_newline;
    unsigned lookup_timeout; /* for one look for certificates */
    unsigned lookup_wait;    /* for a source that is away (if-possible) */
    uint64_t max_message_size;
    unsigned max_recipients;
    unsigned max_messages_per_minute; /* 0: no limit */
    unsigned max_queue;               /* messages */
    unsigned max_sessions;            /* of all doors, this account */

    /* mail in, certificates */
    enum settings_harvest harvest;
    enum settings_undecryptable undecryptable;
    const char *authserv_id;   /* NULL: the random one of the installation */
    const char *const *trust;  /* PEM files with anchors for S/MIME */
    bool trust_system;         /* the system's anchors count as well */
};

enum settings_door { SETTINGS_IMAP, SETTINGS_SMTP };
struct settings_listen {
    enum settings_door door;
    bool tls;         /* from the first byte */
    const char *host; /* numeric, no brackets */
    uint16_t port;    /* 0: any free one */
};

struct settings {
    const char *path;    /* of the file; NULL: from a text */
    const char *state_dir;
    const char *control; /* socket */
    const char *control_group; /* NULL: none */
    const char *user;    /* to drop to when started as root */
    const char *machine_key, *secrets_file;
    const char *tls_certificate, *tls_key; /* both or neither (NULL) */
    int log_level;       /* enum log_level */
    bool log_addresses;
    const struct settings_listen *listen;
    size_t n_listen;

    unsigned max_imap_clients, max_smtp_clients;
    unsigned max_clients_per_host;
    unsigned imap_timeout, smtp_timeout, login_timeout;
    unsigned login_delay;    /* after a wrong password */
    unsigned crypto_threads; /* 0: as many as cores, at most 4 */
    uint64_t view_cache;     /* memory for open messages */
    uint64_t max_append_memory; /* literals and DATA being received, all */

    const struct settings_account *const *accounts;
    size_t n_accounts;
};

/* Reads, checks and resolves the file. Nothing is opened or made. The error
 * names file, line, setting, value and what is allowed: E_INPUT; E_MISSING
 * when there is no such file; E_LIMIT when it is too large. */
int settings_load(const char *path, struct settings **out, struct err *e);
/* The same from memory. `name` stands in errors; relative paths are taken
 * from `dir`. */
int settings_load_text(struct slice text, const char *name, const char *dir,
                       struct settings **out, struct err *e);
void settings_free(struct settings **);

/* By name, letter case counts; NULL when absent. */
const struct settings_account *settings_find(const struct settings *,
                                             const char *name);
/* By login without suffix: the name, or the address (letter case of ASCII
 * does not count). NULL when absent. */
const struct settings_account *settings_find_login(const struct settings *,
                                                   struct slice login);
/* Is this the account's address or one of its aliases? The letter case of
 * ASCII does not count: Exchange does not know a difference. */
bool settings_is_own(const struct settings_account *, struct slice address);

/* Where the file is when nobody says: heap. As root, or with systemd's
 * CONFIGURATION_DIRECTORY, /etc; else below $XDG_CONFIG_HOME. */
char *settings_default_path(void);

/* ---- reload ---- */

/* Equal in every setting? */
bool settings_account_equal(const struct settings_account *,
                            const struct settings_account *);
/* Names of settings that differ outside the accounts and need a new start to
 * count (listeners, places, user), comma-separated; "" when none. Heap. */
char *settings_fixed_changes(const struct settings *old,
                             const struct settings *new_);
/* Gives those settings of `new_` the values of `boot` back, so that nobody acts
 * on them before the new start. They stay boot's: it must live longer. */
void settings_fixed_keep(const struct settings *boot, struct settings *new_);

enum settings_diff_kind {
    SETTINGS_ADDED,   /* was NULL */
    SETTINGS_REMOVED, /* now NULL */
    SETTINGS_CHANGED,
    SETTINGS_SAME,
};
struct settings_diff {
    enum settings_diff_kind kind;
    const struct settings_account *was, *now; /* borrowed */
};
/* What became of each account of `old` (NULL: none), then the added ones.
 * Start with *i = 0; false at the end. */
bool settings_diff_next(const struct settings *old,
                        const struct settings *new_, size_t *i,
                        struct settings_diff *out);

/* ---- for `sealpostctl config show` and tests ---- */

/* Name, where it may stand, default, allowed values; false past the end. */
struct settings_entry {
    const char *name, *fallback; /* fallback: as one would write it, or "" */
    char allowed[200];
    bool global_only, account_only;
    bool built; /* false: refused as not built yet whatever the value */
};
bool settings_entry_at(size_t i, struct settings_entry *out);
/* The value in force of the i-th, as one would write it, is added: of the
 * daemon (account NULL: the settings outside of blocks only), or of an
 * account. false: it does not belong there, or is not built. */
struct buf;
bool settings_value_at(const struct settings *,
                       const struct settings_account *, size_t i,
                       struct buf *out);

#endif
