/*
 * What the files of the IMAP door share: the server, a client, the mailbox
 * that it has selected.
 */
#ifndef SEALPOST_IMAP_PRIVATE_H
#define SEALPOST_IMAP_PRIVATE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "account/account.h"
#include "base/list.h"
#include "imap/command.h"
#include "imap/input.h"
#include "imap/server.h"
#include "loop/loop.h"
#include "loop/op.h"
#include "store/store.h"

struct store_folder;
struct stream;

/* A command's text before and after the login, without APPEND's message. */
#define IMAP_LINE_FRESH ((size_t)16 << 10)
#define IMAP_LINE_AUTH ((size_t)256 << 10)
/* Output that waits before a command stops making more. */
#define IMAP_OUT_HIGH ((size_t)512 << 10)
/* Written between two looks at how much waits. */
#define IMAP_OUT_CHUNK ((size_t)256 << 10)
/* Messages a command looks at in one turn of the loop. */
#define IMAP_BATCH 200u

struct imap_server {
    struct loop *loop;
    struct accounts *accounts;
    struct tls_server *tls;
    const struct settings *settings;
    struct list clients;
    size_t n;
    uint64_t literals; /* bytes promised to APPENDs, all clients */
};

/* ---- the selected mailbox: selected.c, updates.c ---- */

#define IMAP_GONE 1u     /* expunged, the client does not know yet */
#define IMAP_CHANGED 2u  /* flags that the client does not know */
#define IMAP_WORDS 4u    /* may have keywords */

struct imap_entry {
    int64_t id;
    uint32_t uid;
    uint16_t flags; /* STORE_* */
    uint16_t marks; /* IMAP_* */
};
struct imap_selected {
    struct imap_client *client;
    struct store *store;
    int64_t folder;
    uint32_t uidvalidity, uidnext; /* as told */
    bool read_only, lost;          /* lost: the folder was deleted */
    struct imap_entry *entries;    /* ascending UID; NULL while it rests */
    struct imap_compact *compact;  /* instead, or NULL */
    size_t n, told, cap;           /* the first `told` have numbers */
    size_t gone, changed;          /* entries that are marked */
    struct store_watcher watcher;
    struct loop_task soon;         /* tells an IDLE */
};
/* Loads and watches; the client knows nothing of it before a flush. */
int imap_selected_new(struct imap_client *, int64_t folder, bool read_only,
                      struct imap_selected **out, struct err *e);
void imap_selected_free(struct imap_selected **);
/* Nobody looks at the entries for a while (IDLE): packed, unless something is
 * to be told. And back; both may be called at any time. */
void imap_selected_rest(struct imap_selected *);
void imap_selected_wake(struct imap_selected *);
/* By UID among all, or NULL. */
struct imap_entry *imap_selected_uid(struct imap_selected *, uint32_t uid);
/* The set of a command as entries with numbers, ascending, in the arena:
 * their places. For sequence numbers beyond the end E_INPUT. */
struct imap_picked {
    uint32_t *at; /* index; the sequence number less one */
    size_t n;
};
int imap_selected_pick(struct imap_command *, struct imap_set *,
                       struct imap_picked *out, struct err *e);
/* Our own change, before the watcher tells: flags as they are now. */
void imap_selected_flags(struct imap_selected *, struct imap_entry *,
                         unsigned flags, bool words);
/* Writes EXPUNGE (if `expunge`), EXISTS and changed flags that are due. */
void imap_updates_send(struct imap_client *, bool expunge);
bool imap_updates_due(const struct imap_client *);
/* "* n FETCH (UID u FLAGS (...))" */
void imap_updates_flags(struct imap_client *, size_t at);

/* ---- a client: client.c ---- */

struct imap_client {
    struct list node;
    struct imap_server *server;
    struct stream *stream;
    char host[64];
    enum imap_state state;
    struct imap_input input;
    uint64_t literal;          /* of server->literals */
    struct imap_command *command;
    /* Gets the next line raw, while a command waits for it. */
    void (*on_line)(struct imap_client *, struct slice line);
    struct op *drain;          /* somebody waits for the output */
    int64_t drain_since;
    struct err *refusal;       /* of a literal that came all the same */
    const char *refusal_code;  /* instead of the usual one */
    struct account *account;
    struct account_session session;
    struct imap_selected *selected;
    unsigned wrong;            /* bad commands in a row */
    bool idling, closing, id_given;
    struct loop_timer timer;   /* autologout, or INPROGRESS */
};

struct imap_client *imap_client_new(struct imap_server *, int fd, bool tls);
void imap_client_free(struct imap_client **);
/* The one way into a state; logs it. */
void imap_client_enter(struct imap_client *, enum imap_state);
/* Says BYE and closes once that is out. Ends what runs. */
void imap_client_bye(struct imap_client *, const char *text);
/* The account is known now. */
void imap_client_login(struct imap_client *, struct account *take);
/* Leaves the selected mailbox, if there is one. */
void imap_client_unselect(struct imap_client *);
/* Input goes on after a command (called by command.c). */
void imap_client_resume(struct imap_client *);
/* May a password come over this line? */
bool imap_client_may_login(const struct imap_client *);
/* Asks for a line: "+ text". What the command's arguments point to is gone
 * after. */
void imap_client_ask(struct imap_client *, const char *text,
                     void (*on_line)(struct imap_client *, struct slice));

/* Output. */
void imap_write(struct imap_client *, const void *p, size_t n);
void imap_puts(struct imap_client *, const char *text);
void imap_printf(struct imap_client *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void imap_write_buf(struct imap_client *, const struct buf *);
/* Text for people, fit for a response: one line, 7 bit. */
void imap_text(struct imap_client *, const char *text);
/* True if so much waits that a command should wait, too. */
bool imap_is_full(const struct imap_client *);
/* Done when the peer has read enough. */
struct op *imap_drained(struct imap_client *, op_done_fn *done, void *arg);

struct store *imap_store(const struct imap_client *);
/* "IMAP4rev1 LITERAL+ ..." as it is now. Adds. */
void imap_capability_write(const struct imap_client *, struct buf *out);

/* ---- answers for errors: reply.c ---- */

/* "NO", "BAD", or NULL for E_CANCELED; *code_out: "UNAVAILABLE" or NULL. */
const char *imap_reply_kind(const struct err *, const char **code_out);

/* ---- names of mailboxes: mailbox.c ---- */

/* E_MISSING. */
const struct store_folder *imap_mailbox_find(struct imap_client *,
                                             const char *name, struct err *e);
/* % and * (RFC 3501 section 6.3.8), both UTF-8. */
bool imap_mailbox_match(const char *pattern, const char *name);
/* "\HasChildren \Sent" for LIST. Adds. */
void imap_mailbox_attributes(struct store *, const struct store_folder *,
                             struct buf *out);
bool imap_mailbox_is_ready(const struct store_folder *);
/* "STATUS name (...)", IMAP_STATUS_* bits. Writes a line, or fails. */
int imap_status_write(struct imap_client *, const struct store_folder *,
                      unsigned items, struct err *e);

/* ---- UID sets in answers: write.c ---- */

/* Adds "3:5,7" of uids in the order given. */
void imap_uids_write(const uint32_t *uids, size_t n, struct buf *out);

/* ---- the entry's message: expunge.c ---- */

struct store_message;
/* E_MISSING also when it has left this mailbox (we are told of that later). */
int imap_entry_load(struct imap_selected *, const struct imap_entry *,
                    struct arena *, struct store_message *out, struct err *e);
/* Expunges it as the account's setting says. In a transaction. */
int imap_expunge_one(struct imap_client *, const struct imap_entry *,
                     struct err *e);

#endif
