/*
 * Messages: entries with a local place (folder, UID) and perhaps a server
 * place (collection, server id). The difference between the two, and between
 * our flags and the server's, is the journal (store/journal.h), kept by the
 * functions here in the same transaction.
 */
#ifndef SEALPOST_STORE_MESSAGE_H
#define SEALPOST_STORE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "store/store.h"

/* Flags with a bit; all other keywords are strings. */
#define STORE_SEEN (1u << 0)
#define STORE_ANSWERED (1u << 1)
#define STORE_FLAGGED (1u << 2)
#define STORE_DELETED (1u << 3) /* local */
#define STORE_DRAFT (1u << 4)
#define STORE_FORWARDED (1u << 5) /* $Forwarded */
#define STORE_LOCALONLY (1u << 6) /* $LocalOnly */

enum store_body_state {
    STORE_BODY_ABSENT, /* not here yet, or evicted */
    STORE_BODY_PRESENT,
    STORE_BODY_STANDIN, /* the server refuses the true one */
};

struct store_message {
    int64_t id;
    int64_t folder;      /* local place; 0: expunged here, not yet there */
    uint32_t uid;        /* 0 while the folder is being listed */
    uint64_t modseq;
    unsigned flags;
    const char *keywords; /* "a b c", sorted; "" none */
    int64_t received;     /* INTERNALDATE, unix seconds */
    int64_t saved;        /* when it came into this folder here */
    int64_t collection;   /* server place: folder id, 0 none */
    const char *server_id;
    /* From the listing. */
    const char *from, *to, *cc, *subject, *message_class;
    uint64_t estimated_size;
    int last_verb;
    enum store_body_state body;
    int body_tries;
    int64_t family;      /* same number: copies of one message */
};

/* What the server tells of an item. NULL strings: not told. */
struct store_item {
    const char *server_id;
    unsigned has;          /* STORE_HAS_* */
    const char *from, *to, *cc, *subject, *message_class;
    int64_t received;      /* -1: none; first sight counts then */
    bool read, flagged, draft;
    const char *flag_detail;
    const char *categories; /* IMAP keyword forms, "a b c" */
    uint64_t estimated_size;
    int last_verb;
    struct slice thread;    /* ConversationId */
};
#define STORE_HAS_READ (1u << 0)
#define STORE_HAS_FLAG (1u << 1)
#define STORE_HAS_CATEGORIES (1u << 2)
#define STORE_HAS_VERB (1u << 3)
#define STORE_HAS_CONTENT (1u << 4)

/* ---- reading ---- */

/* Strings live in the arena. E_MISSING. */
int store_message_get(struct store *, int64_t id, struct arena *,
                      struct store_message *out, struct err *e);
/* 1 found, 0 not, -1. */
int store_message_by_uid(struct store *, int64_t folder, uint32_t uid,
                         struct arena *, struct store_message *out,
                         struct err *e);
int store_message_by_server(struct store *, int64_t collection,
                            const char *server_id, struct arena *,
                            struct store_message *out, struct err *e);

/* A folder as a client sees it, ascending UID. */
struct store_entry {
    int64_t id;
    uint32_t uid;
    unsigned flags;
    uint64_t modseq;
};
struct store_snapshot {
    struct store_entry *entries;
    size_t n;
    uint32_t uidvalidity, uidnext;
    uint64_t modseq;
};
int store_snapshot_load(struct store *, int64_t folder,
                        struct store_snapshot *out, struct err *e);
void store_snapshot_clear(struct store_snapshot *);

/* Messages whose body is missing and may be asked for now, newest first, at
 * most `max` ids; when there are none, those with a stand-in whose day is
 * over. */
int store_message_missing(struct store *, size_t max, int64_t *ids_out,
                          size_t *n_out, struct err *e);
/* How many a client can see whose body is missing; cheap. */
int store_message_missing_count(struct store *, uint64_t *out, struct err *e);
/* UIDs that left `folder` after `modseq`, ascending; heap. */
int store_message_expunged(struct store *, int64_t folder, uint64_t modseq,
                           uint32_t **uids_out, size_t *n_out, struct err *e);
/* By the Message-ID recorded with the view; newest first. 1, 0, -1. */
int store_message_by_message_id(struct store *, const char *message_id,
                                struct arena *, struct store_message *out,
                                struct err *e);
/* The newest of them in this folder (a mail to oneself is in two). */
int store_message_by_message_id_in(struct store *, int64_t folder,
                                   const char *message_id, struct arena *,
                                   struct store_message *out, struct err *e);

/* ---- local changes (client -> journal) ---- */

enum store_flag_op { STORE_FLAGS_SET, STORE_FLAGS_ADD, STORE_FLAGS_REMOVE };
struct store_flag_edit {
    enum store_flag_op op;
    unsigned flags;
    const char *keywords; /* "a b", "" or NULL none */
};
/* \Seen, \Flagged and keywords get journal rows when the message has a
 * server place; the rest is local. */
int store_message_edit_flags(struct store *, int64_t id,
                             const struct store_flag_edit *, struct err *e);
/* To another folder: a new UID there, a tombstone here, the difference in
 * the journal (merged with an open one). */
int store_message_move(struct store *, int64_t id, int64_t folder,
                       uint32_t *uid_out, struct err *e);
/* Out of the view for good: Sync Delete by the journal; without a server
 * place it is gone at once. Where others of its family are left, the oldest
 * of them outside the trash takes the item over (SPEC section 6, COPY), by
 * MoveItems if its folder differs. */
int store_message_expunge(struct store *, int64_t id, struct err *e);
/* How many messages that are shown here, in whatever folder, have their item in
 * this one on the server: also moves that are under way, and copies. */
int store_message_living(struct store *, int64_t collection, uint64_t *out,
                         struct err *e);
/* The message of a folder on the server with this print (received to the
 * second, From, Subject): 1 just one, 0 none or several, -1. */
int store_message_by_print(struct store *, int64_t collection, int64_t received,
                           const char *from, const char *subject,
                           struct arena *, struct store_message *out,
                           struct err *e);
/* A local entry of the same bytes with its own flags, $LocalOnly among them,
 * of the same family. E_RETRY when the body is not here. (copy.c) */
int store_message_copy(struct store *, int64_t id, int64_t folder,
                       uint32_t *uid_out, struct err *e);
/* Is it one of several entries of a family that clients see? 1, 0, -1. */
int store_message_has_copies(struct store *, int64_t id, struct err *e);
/* Entries that no server has, oldest first, at most `max`; *total_out counts
 * them all. */
struct store_local {
    int64_t id, folder;
    uint32_t uid;
};
int store_message_local(struct store *, struct store_local *out, size_t max,
                        size_t *n_out, uint64_t *total_out, struct err *e);

/* ---- what the server says (sync -> store) ---- */

/* Puts an item of a listing (folder NEW, LISTING) among the messages without
 * UID; twice is once. */
int store_message_list(struct store *, int64_t folder,
                       const struct store_item *, struct err *e);
/* Gives all messages without UID theirs, by date, equal dates as they were
 * listed, and makes the folder READY. */
int store_message_number(struct store *, int64_t folder, struct err *e);

/* In a READY folder: a new item; the next UID. */
int store_message_add(struct store *, int64_t folder, const struct store_item *,
                      int64_t *id_out, struct err *e);
/* New values of a known one. Where a journal row for a field is open the
 * local value stays shown and the server's is remembered. */
int store_message_update(struct store *, int64_t id, const struct store_item *,
                         struct err *e);
/* The server has it no more in `collection`: drops open rows; if its local
 * place is that folder, it leaves the view. */
int store_message_gone(struct store *, int64_t id, struct err *e);
/* The server's place of a message is now this (after MoveItems, or when an
 * Add was recognised). */
int store_message_bind(struct store *, int64_t id, int64_t collection,
                       const char *server_id, struct err *e);
/* The same where MoveItems told the id: provisional, that is unconfirmed (no
 * journal row of it goes out, any item with its print may be it) until a Sync
 * has shown it there. */
int store_message_moved(struct store *, int64_t id, int64_t collection,
                        const char *server_id, struct err *e);
/* Its server id turned out to be another message's: one that was unconfirmed,
 * or is being relisted, only loses the id; else the message is gone. */
int store_message_displaced(struct store *, int64_t id, bool relisting,
                            struct err *e);
/* It fell out of the window of sync_window: stays in the view, without a place
 * on the server; nothing about it is sent. Open rows are dropped. */
int store_message_age(struct store *, int64_t id, struct err *e);
/* The same for those that a relist of the collection did not confirm and that
 * arrived before this time, so the relist could not show them. */
int store_message_age_unconfirmed(struct store *, int64_t collection,
                                  int64_t before, struct err *e);
/* Those of them that arrived before this time leave the folder. */
int store_message_aged_gone(struct store *, int64_t folder, int64_t before,
                            struct err *e);
/* 1: this one has come back under its old id. */
int store_message_aged_find(struct store *, int64_t collection,
                            const struct store_item *, int64_t *id_out,
                            struct err *e);
/* 1: where it was, and may still be fetched from. */
int store_message_aged_place(struct store *, int64_t id, struct arena *,
                             int64_t *collection_out,
                             const char **server_id_out, struct err *e);
/* Undo: leaves where it is now and comes back in `folder` under a new UID. */
int store_message_return(struct store *, int64_t id, int64_t folder,
                         struct err *e);
/* Leaves under its UID and comes back under a new one in the same folder
 * with flags, dates and open rows (the view must change). */
int store_message_renew(struct store *, int64_t id, struct err *e);

/* The SyncKey moves together with what it stands for: call it inside the
 * transaction that books the answer. */
int store_folder_set_key(struct store *, int64_t folder, const char *key,
                         struct err *e);
/* The key was lost: state RELISTING (LISTING when it had never been READY),
 * key "0", all messages of the collection unconfirmed. */
int store_folder_reset(struct store *, int64_t folder, struct err *e);
/* Marks one confirmed by the relist. */
int store_message_confirm(struct store *, int64_t id, struct err *e);
/* The item left its collection, or is unknown there, while a move of ours was
 * under way (PLACE row sent): where it is on the server is not known until
 * the Sync of the target shows it. It stays in the view. */
int store_message_adrift(struct store *, int64_t id, struct err *e);
/* The target was synchronised to the end by a Sync that began at `began`
 * (now_ms()): what was adrift towards it before then is gone. */
int store_message_adrift_gone(struct store *, int64_t folder, int64_t began,
                              struct err *e);
/* Candidates for an unknown server id in the collection: its unconfirmed
 * messages, those bound to it without a server id, and those adrift towards
 * it; of these, how many have this print (received to the second, from,
 * subject), and the id if just one. */
int store_message_match(struct store *, int64_t collection,
                        const struct store_item *, size_t *n_out,
                        int64_t *id_out, struct err *e);
/* End of a relist: how many are unconfirmed of how many; removes them. */
int store_folder_unconfirmed(struct store *, int64_t folder, size_t *n_out,
                             size_t *of_out, struct err *e);
int store_folder_finish_relist(struct store *, int64_t folder, struct err *e);

/* One answer's items on their way in (DESIGN walk b): kept in memory, above a
 * megabyte on the disk, until the answer is complete; read back in order,
 * cleared with the booking. One folder at a time: an item of another one
 * throws away what is there. Nothing of it outlives the process. kind is enum
 * eas_item_kind's number; the store does not interpret it. */
int store_stage_add(struct store *, int64_t folder, int kind,
                    const struct store_item *, struct err *e);
/* 1, 0 at the end, -1; *pos starts at 0. Texts are borrowed from the stage
 * until the next call. */
int store_stage_next(struct store *, int64_t folder, int64_t *pos,
                     int *kind_out, struct store_item *out, struct err *e);
int store_stage_clear(struct store *, int64_t folder, struct err *e);

#endif
