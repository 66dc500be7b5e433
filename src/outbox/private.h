/*
 * What the files of room outbox share.
 */
#ifndef SEALPOST_OUTBOX_PRIVATE_H
#define SEALPOST_OUTBOX_PRIVATE_H

#include "base/arena.h"
#include "base/list.h"
#include "certs/certs.h"
#include "loop/flow.h"
#include "loop/loop.h"
#include "mime/write.h"
#include "outbox/outbox.h"
#include "settings/settings.h"
#include "smime/seal.h"
#include "store/queue.h"

struct eas_policy;
struct key;

#define OUTBOX_MAX ((size_t)256 << 20) /* bytes of anything that leaves */
/* A question of Sent that was answered with no counts only when a lost try is
 * so old (SPEC section 7, exactly once). */
#define OUTBOX_SURE_S 60

/* ---- wish.c: what the message itself asks for ---- */

enum outbox_choice { OUTBOX_UNSAID, OUTBOX_NO, OUTBOX_YES };
struct outbox_wish {
    enum outbox_choice sign, encrypt;
};
/* The field that carries the login's suffix in a queue file. */
#define OUTBOX_LOGIN_FIELD "X-Sealpost-Login"
/* From the header X-Sealpost, the tags of the Subject and the login's suffix
 * ("" none). In a message with Resent-* only the login counts: the rest may
 * come from a correspondent. E_INPUT: malformed, unknown, or two wishes that
 * differ. */
int outbox_wish_read(struct slice header, const char *login,
                     struct outbox_wish *out, struct err *e);
/* "encrypt", "+encrypt"... as a wish. E_INPUT: unknown. */
int outbox_wish_login(const char *suffix, struct outbox_wish *out,
                      struct err *e);
/* Adds the Subject field without its tags; nothing when there are none. */
int outbox_wish_subject(struct slice header, struct buf *out);

/* ---- policy.c: pure ---- */

struct outbox_policy {
    enum settings_want sign, encrypt;
    enum settings_override override;
    bool reply_guard;
    /* Of the server: */
    bool demand_sign, demand_encrypt;
    bool soft_keys;       /* keys in files may sign */
    const char *weak;     /* the one cipher it insists on, or NULL */
};
enum outbox_already {
    OUTBOX_PLAIN,
    OUTBOX_SIGNED,
    OUTBOX_ENCRYPTED,
    OUTBOX_PGP_SIGNED,
    OUTBOX_PGP_ENCRYPTED,
};
struct outbox_facts {
    struct outbox_wish wish;
    enum outbox_already already;
    bool secret_reply; /* a reply to mail that arrived encrypted */
};
enum outbox_encrypt {
    OUTBOX_CLEAR,
    OUTBOX_ENCRYPT,
    OUTBOX_IF_POSSIBLE,
};
struct outbox_want {
    bool pass; /* sealed by the mail program: as it is */
    bool sign;
    bool sign_sealed; /* nobody said whether: signed if it is encrypted */
    bool sign_barred; /* which the server's policy forbids with our keys */
    enum outbox_encrypt encrypt;
    bool hide_subject;
};
struct outbox_verdict {
    bool sign, encrypt;
};
/* Settings and the server's document (NULL: it has none). */
void outbox_policy_of(const struct settings_account *,
                      const struct eas_policy *, struct outbox_policy *out);
/* Before anything is known of the recipients. E_DENIED says what forbids
 * it. */
int outbox_policy_want(const struct outbox_policy *,
                       const struct outbox_facts *, struct outbox_want *out,
                       struct err *e);
/* Knowing their certificates. E_NOCERT names who has none and why; E_RETRY: a
 * source could not be asked; `waited`: that is over, IF_POSSIBLE goes on
 * without it. */
int outbox_policy_settle(const struct outbox_want *,
                         const struct certs_found *, bool waited,
                         struct outbox_verdict *out, struct err *e);
/* Every message will be encrypted: the verdict may fall at RCPT. */
bool outbox_policy_is_certain(const struct outbox_policy *);
/* Does what was decided earlier still fulfil the server's demands? */
int outbox_policy_check(const struct outbox_policy *, bool is_signed,
                        bool encrypted, struct err *e);

/* ---- envelope.c: pure ---- */

/* Strings and slices live in the arena given, or borrow the header. */
struct outbox_envelope {
    const char **visible; /* in the envelope, and in To or Cc */
    size_t nvisible;
    const char **hidden;  /* in the envelope only: Bcc */
    size_t nhidden;
    /* The delivering fields: what is in no envelope is taken out. Without the
     * hidden ones, which outbox_envelope_bcc() writes. */
    struct mime_change changes[12];
    size_t nchanges;
    /* To and Cc as they were written, for inside; empty when they stand so
     * outside. */
    struct slice inner;
    struct slice written; /* all To and Cc fields, for copies of hidden ones */
};
/* recipients: each once. E_LIMIT: a list over its limit. */
int outbox_envelope_read(struct slice header, const char *const *recipients,
                         size_t n, struct arena *, struct outbox_envelope *out,
                         struct err *e);
/* An address of the envelope as it is compared with those of the header: quoted
 * only where it must be. -1: it is not one address. */
int outbox_envelope_spec(const char *address, struct buf *out);
/* Bcc field of these. */
void outbox_envelope_bcc(const char *const *addresses, size_t n,
                         struct buf *out);
/* Header fields with bytes over 127 encoded (RFC 2047), the line of an mbox
 * left out; the body as it is. E_INPUT for any other line that is no field:
 * what it is nobody knows. */
int outbox_envelope_seven(struct slice mime, struct buf *out, struct err *e);

/* ---- source.c: what is answered or forwarded ---- */

struct outbox_source {
    int64_t message; /* 0: none that we know */
    int verb;        /* EAS_REPLY, EAS_FORWARD */
    /* Where the server has it; NULL: not to be named to the server, for it is
     * local or what goes out is sealed. */
    const char *collection, *server_id;
};
/* Of the bytes that leave. 1, 0 (none), -1; strings live in the arena. */
int outbox_source_find(struct outbox *, struct slice mime, struct arena *,
                       struct outbox_source *out, struct err *e);
/* \Answered or $Forwarded here, at once. */
void outbox_source_mark(struct outbox *, const struct outbox_source *);

/* ---- seal.c: the jobs in the worker ---- */

/* What is read from a message once; all in the arena. */
struct outbox_letter {
    struct arena *arena;
    struct outbox_facts facts;
    struct outbox_envelope envelope;
    const char **from; /* addr-specs of From, as written */
    size_t nfrom, from_fields;
    struct slice from_written; /* the value of From */
    bool has_date, has_id, has_reply_to, has_subject_tag;
    struct slice subject; /* the field without its tags */
    const char **references; /* "<id>" of In-Reply-To and References */
    size_t nreferences;
    struct slice header; /* a copy, in the arena */
};
void outbox_letter_clear(struct outbox_letter *);

/* How one of the submissions of a message is made. */
struct outbox_copy {
    bool sign, encrypt, pass;
    bool hidden;          /* for this one hidden recipient only */
    const char *only;     /* it */
    const char *from;     /* rewritten From, complete field(s), or NULL */
    const char *message_id; /* added when there is none */
    int64_t date;
    const struct settings_account *settings;
    const struct key *signer;
    const struct key *own; /* our encryption key, or NULL */
    bool to_self;          /* encrypted to it as well */
    const struct certs_found *found; /* recipients of this copy only */
    bool hide_subject;
    bool last; /* the message as submitted is needed no more: it comes back
                  empty */
};
/* Reads `mime`, which the job has while it runs and gives back. */
struct op *outbox_seal_read(struct worker *, struct buf *mime,
                            const char *const *recipients, size_t n,
                            struct outbox_letter *out, op_done_fn *done,
                            void *arg);
/* Makes the bytes that leave: CRLF, seven bits. The job has mime while it
 * runs and gives it back; of everything else it takes what it needs. */
struct op *outbox_seal_copy(struct worker *, struct buf *mime,
                            const struct outbox_letter *,
                            const struct outbox_copy *, struct buf *out,
                            op_done_fn *done, void *arg);

/* ---- outbox.c: the set ---- */

/* One that was accepted a short while ago: a client that lost our answer
 * comes again with the same. */
#define OUTBOX_RECENT 256u
#define OUTBOX_RECENT_S 900
struct outbox_recent {
    char id[16], client_id[41];
    int64_t when;
};

struct outbox {
    struct loop *loop;
    struct worker *crypto;
    struct store *store;
    struct eas *eas;
    struct keys *keys;
    struct certs *certs;
    const struct settings_account *settings;
    struct op *(*look_into_sent)(void *arg, op_done_fn *done, void *done_arg);
    void *sent_arg;
    char **aliases;
    size_t naliases;
    bool started;
    struct list entries; /* what is not sent yet */
    size_t nentries, running;
    int64_t purged; /* when old rows were last looked for */
    struct loop_timer timer;
    struct list submits; /* operations of outbox_submit() */
    struct outbox_recent recent[OUTBOX_RECENT];
    size_t nrecent;
};
/* One row that is not sent yet. */
struct outbox_entry {
    struct list node;
    struct outbox *ob;
    char id[16], parent[16], client_id[41];
    enum store_queue_state state;
    int64_t next_try, created;
    bool fresh; /* its first try since it was submitted */
    bool transport; /* it was not the message that failed */
    bool anew;      /* the policy changed: to be decided anew at once */
    unsigned anews;
    struct err err; /* why it is given up, while that is made durable */
    struct op *run;
    /* The one that waits for the outcome: err NULL accepted; queued: not
     * decided, the queue carries on. */
    void (*on_outcome)(void *arg, const struct err *, bool queued);
    void *arg;
};
struct outbox_entry *outbox_entry_add(struct outbox *,
                                      const struct store_submission *);
void outbox_entry_free(struct outbox_entry *);
struct outbox_entry *outbox_entry_find(struct outbox *, const char *id);
/* Starts what is due and sets the timer for what comes next. */
void outbox_pump(struct outbox *);
void outbox_recent_add(struct outbox *, const char *id, const char *client_id,
                       int64_t when);
void outbox_submit_clear(struct outbox *); /* ends all as canceled */
/* Is it known what the server's policy demands? Else connect first. */
bool outbox_knows_policy(const struct outbox *);
bool outbox_is_own(const struct outbox *, const char *address);

/* ---- outcome.c: one try and what became of it ---- */

void outbox_entry_run(struct outbox_entry *);
/* The error that this one's try ends with is not the message's own: the
 * command never came to it. */
void outbox_transport_failed(struct outbox *, const char *id);
/* A submission and the copies that hang on it leave the queue; with `why` its
 * sender gets a report in the same transaction. */
int outbox_remove(struct outbox *, const char *id,
                  const struct store_submission *row, const struct err *why,
                  struct err *e);

/* ---- send.c, deliver.c, sent.c, report.c ---- */

/* A NEW submission: decided, sealed, delivered. */
struct op *outbox_send(struct outbox *, const char *id, op_done_fn *done,
                       void *arg);
/* One whose bytes are there. Done: accepted and booked as SENT. With an error
 * the row's state tells what is known: SENDING, it may have arrived; NEW, it
 * has to be decided again; else it has not. */
struct op *outbox_deliver(struct outbox *, const char *id, op_done_fn *done,
                          void *arg);
/* Is there a copy of it in Sent that no other submission has claimed? Then it
 * is claimed: the row becomes SENT. */
struct op *outbox_sent_find(struct outbox *, const char *id, struct slice mime,
                            bool *found_out, op_done_fn *done, void *arg);
/* The entry in Sent of one that was accepted; in a transaction of the
 * caller. */
int outbox_sent_enter(struct outbox *, const char *id, struct slice head,
                      struct err *e);
/* Tells the account's owner that it was given up: a local message in INBOX
 * (RFC 3464), and a line in the log. In a transaction of the caller. E_RETRY
 * when INBOX is not there yet. */
int outbox_report(struct outbox *, const struct store_submission *,
                  const struct err *why, struct err *e);

#endif
