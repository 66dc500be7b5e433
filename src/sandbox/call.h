/*
 * One request on its way: who asks, what, and the answer being written.
 */
#ifndef SEALPOST_SANDBOX_CALL_H
#define SEALPOST_SANDBOX_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/slice.h"
#include "loop/loop.h"
#include "sandbox/device.h"
#include "sandbox/mail.h"
#include "wbxml/tree.h"
#include "wbxml/write.h"

struct arena;
struct call;
struct httpd_request;

enum answer {
    ANSWER_WBXML, /* what is in call->w */
    ANSWER_EMPTY, /* 200 without body */
    ANSWER_LATER, /* call_answer() will come */
};
typedef enum answer handler_fn(struct call *);

struct command {
    const char *name;
    int code;          /* of the base64 query */
    unsigned root;     /* tag */
    unsigned status;   /* tag of the Status in root */
    int broken;        /* Status for a request that breaks the schema */
    unsigned since;    /* version, 160 for 16.0 */
    bool may_be_empty; /* no body is a request too */
    handler_fn *handle;
};

/* What is to go wrong. Up to TRICK_LAST with a request as a whole; the
 * quirks after it with what the commands do, asked for by call_quirk(). */
struct trick {
    enum {
        TRICK_NONE,
        TRICK_STATUS,      /* HTTP status */
        TRICK_RETRY_AFTER, /* 503 with Retry-After: number */
        TRICK_THROTTLE,    /* the same with X-MS-ASThrottle */
        TRICK_DROP_BEFORE,
        TRICK_DROP_AFTER,
        TRICK_RESET_KEY,
        TRICK_TRUNCATE, /* half of the document, the HTTP is whole */
        TRICK_CUT,      /* the connection breaks after number bytes, or in
                         * the middle */
        TRICK_CORRUPT,
        TRICK_DELAY,  /* milliseconds, then it is done */
        TRICK_LATE,   /* done, answered after milliseconds */
        TRICK_MOVED,  /* 451 to text */
        TRICK_INLINE, /* Status number in the document, nothing done */
        TRICK_EMPTY,  /* done, 200 without a body */
        TRICK_TYPE,   /* done, the answer's Content-Type is text */
        TRICK_HTML,   /* 200 with a page in HTML, nothing done */
        TRICK_WIPE,
        TRICK_WIPE_ACCOUNT, /* the same, for this account only */
        TRICK_POLICY,       /* what was acknowledged is out of date */
        TRICK_FORGET,       /* the device is unknown: keys, folders, policy */
        TRICK_RENUMBER,     /* all messages get new ids */
        TRICK_SWAP,         /* each message's id becomes another's */
        TRICK_LAST = TRICK_SWAP,
        QUIRK_SMALL_IDS,  /* ids are numbers, unique in a folder only */
        QUIRK_REUSE_IDS,  /* new mail gets the id of a deleted one */
        QUIRK_REBUILD,    /* MIME differs at each fetch */
        QUIRK_MESSAGE_ID, /* and has another Message-ID */
        QUIRK_WHOLE,      /* a change brings the whole item */
        QUIRK_NEVER,      /* Fetch fails with Status number */
        QUIRK_MOVE_NO_ID,
        QUIRK_MOVE_WRONG_ID,
        QUIRK_MOVE_OLD_ID,
        QUIRK_LIST_EMPTY, /* Sync says that there is nothing */
        QUIRK_TWICE,      /* each Add comes twice in the same answer */
        QUIRK_AGAIN,      /* the newest number known ones are added again */
        QUIRK_REVERSE,    /* the commands of an answer, last first */
        QUIRK_DELETE_UNKNOWN,
        QUIRK_SENT_NONE,
        QUIRK_SENT_LATE, /* number milliseconds */
        QUIRK_SENT_ID,
        QUIRK_SENT_BYTES,
        QUIRK_FORGET_CLIENT, /* ClientIds are not remembered */
        QUIRK_DRAFTS_DIE,    /* the connection breaks on a draft in MIME */
    } kind;
    long number;
    char *text;
    char *folder; /* path; NULL: all */
};

struct call {
    struct list node; /* among the waiting ones */
    struct sandbox *sandbox;
    struct httpd_request *http; /* NULL: the peer has gone */
    const struct command *command;
    const char *command_name; /* as asked for */
    struct user *user;
    struct device *device;
    unsigned version;    /* 140, 141, 160, 161 */
    uint32_t policy_key; /* 0: none */
    bool multipart;      /* parts are wanted */
    struct arena *arena;
    const struct wbxml_node *root; /* NULL: the request had no body */
    struct wbxml_writer w;
    struct buf *parts; /* of a multipart answer */
    size_t part_count, part_cap;
    bool in_flight; /* among sandbox->calls */
    struct trick trick;
    enum answer late; /* what TRICK_LATE holds back */
    struct loop_timer timer;
    int64_t begun; /* ms */
    long status;   /* in the answer, for the log */
    char why[160]; /* what was wrong with the request, for the log */
    /* Of a call that waits (Ping, Sync with Wait). Asked after each change
     * of its user's mail: true when it may answer. */
    bool (*ready)(struct call *);
    enum answer (*resume)(struct call *, bool timeout);
    unsigned wait_seconds;
    bool is_ping;
    bool is_outrun; /* a Ping whose device asks anew */
};

/* The document so far goes; root with this Status alone. */
enum answer call_fail(struct call *, int status);
/* The same with what was wrong, for the log. */
enum answer call_fail_why(struct call *, int status, const char *why, ...)
    __attribute__((format(printf, 3, 4)));
void call_free(struct call *);
/* The root element and its Status. */
void call_start(struct call *, int status);
/* The same for what a client must not do: it stands in GET /violations. */
enum answer call_breach(struct call *, int status, const char *why, ...)
    __attribute__((format(printf, 3, 4)));
/* Only that, the command goes on. */
void call_note_breach(struct call *, const char *why, ...)
    __attribute__((format(printf, 2, 3)));
/* Is this quirk wanted here (and counted down)? f and m may be NULL. Its
 * number goes to *number_out unless that is NULL. */
bool call_quirk(struct call *, int kind, const struct folder *,
                const struct message *, long *number_out);
/* Waits with ready() and resume() set. */
enum answer call_wait(struct call *, unsigned seconds);
/* The index of a new part with these bytes (handed over). */
size_t call_part(struct call *, struct buf *take);

/* The message with this ServerId ("5:12", or "12" with small-ids) in this
 * folder; NULL when it is not there. */
struct message *call_message(struct call *, struct folder *,
                             struct slice server_id);
struct folder *call_folder(struct call *, struct slice id);
void call_write_id(struct call *, unsigned tag, const struct message *);

/* The commands, each in its cmd_ file. */
handler_fn cmd_sync, cmd_ping, cmd_folder_sync, cmd_folder_create,
    cmd_folder_delete, cmd_folder_update, cmd_estimate, cmd_items, cmd_move,
    cmd_send, cmd_provision, cmd_resolve, cmd_settings, cmd_search, cmd_find,
    cmd_validate;

/* The element Oof of Settings. */
void oof_answer(struct call *);
/* What Search calls a message. */
void long_id_write(struct call *, const struct message *);
struct message *long_id_find(struct call *, struct slice);

extern const struct command commands[];
const struct command *command_find(const char *name);
const struct command *command_find_code(int code);
/* "Sync,SendMail,..." into out, those that this version has. */
void commands_list(struct buf *out);

/* ---- schema.c */

/* Does the document keep the rules of its command (order, number and kind of
 * elements)? false: `why` says what is wrong. */
bool schema_check(const struct wbxml_node *root, unsigned version, char *why,
                  size_t size);

/* ---- item.c: what the server says of a message */

/* The properties of a whole item, without the element around. */
void item_write(struct call *, const struct message *, const struct prefs *,
                bool parts_allowed);
/* Only what changed after `seq` and was not written by the device itself;
 * false when that is nothing. */
bool item_write_changes(struct call *, const struct message *, uint64_t seq);
void item_write_date(struct wbxml_writer *, unsigned tag, int64_t when);

/* ---- body.c */

void body_write(struct call *, const struct message *, const struct prefs *,
                bool parts_allowed);

/* ---- trick.c */

/* What is to go wrong before anything is done; true: that was all. */
bool trick_play(struct call *);
/* Sends the body, or what the trick leaves of it. */
void trick_send(struct call *, struct buf *body, const char *type);

/* ---- rebuild.c */

/* The message with another outer boundary and a field that is new each time,
 * as servers do that keep no MIME; with another Message-ID when that is not
 * NULL. What a signature covers stays. */
int rebuild(struct slice raw, bool boundary, const char *message_id,
            struct buf *out, struct err *e);
/* <UID.FOLDER@...>: always the same for a message. */
void rebuild_message_id(const struct message *, char *out, size_t size);

/* ---- sent.c */

/* The copy in Sent Items. */
int sent_save(struct call *, struct slice raw);
void sent_drop(struct sandbox *); /* those that are still to come */

/* ---- policy.c */

/* The document for this user as WBXML's tree is written from it: its text,
 * NULL when no policy is wanted. Yours. */
char *policy_read(struct call *);
/* 0, or the status that the device must be sent away with. */
int policy_judge(struct call *);

/* ---- deliver.c */

/* Sends the MIME as the user; the status of ComposeMail, 0 when done. */
int deliver(struct call *, struct slice mime, bool save);
/* A message into a user's Inbox or another folder. */
int deliver_file(struct user *, struct folder *, struct slice raw);

/* ---- people.c */

struct people_found {
    char *address, *name;
    struct buf certificates; /* base64 DER, a line each */
    unsigned count;          /* of them */
    unsigned members;        /* 1, or of a list */
    unsigned with;           /* members that have a certificate */
};
/* 1 found, 0 nobody, else how many fit (2 and more: ambiguous). *out is set
 * only for 1. */
unsigned people_find(struct sandbox *, const char *who,
                     struct people_found *out);
void people_found_clear(struct people_found *);
/* Addresses that begin with this, a line each. Yours. */
char *people_suggest(struct sandbox *, const char *who);
/* Members of a list, a line each; NULL: no such list. Yours. */
char *people_list(struct sandbox *, const char *address);
bool people_is_known(struct sandbox *, const char *address);

#endif
