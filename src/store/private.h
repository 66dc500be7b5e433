/*
 * What the files of room store share.
 */
#ifndef SEALPOST_STORE_PRIVATE_H
#define SEALPOST_STORE_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/secret.h"
#include "loop/loop.h"
#include "store/db.h"
#include "store/folder.h"
#include "store/journal.h"
#include "store/message.h"
#include "store/store.h"

struct worker;

struct store_waiter {
    struct list node;
    struct op *op;
};

/* What ties a job in the disk worker to its store: the store may be closed
 * before the job comes back. */
struct store_tie {
    struct list node;
    struct store *store; /* NULL: closed */
};

/* stage.c: what an answer says of one folder, and what of it is on the disk. */
struct store_stage {
    struct list node;
    int64_t folder, chunk; /* chunks before this one are rows */
    int64_t loaded;        /* number of the one in `read`, plus one */
    struct buf items, read;
};

struct store {
    char *dir;
    struct db *db;
    struct loop *loop;
    struct worker *disk;
    struct secret key;
    int lock_fd;
    int depth;           /* of transactions */
    bool broken;         /* one inside failed: the outermost must not commit */
    uint64_t modseq;     /* the last one given */
    bool modseq_taken;   /* by the transaction that is open */
    const void *origin;

    struct store_folder *folders; /* in order */
    size_t nfolders;
    bool folders_stale;
    int64_t folder_late; /* to be saved before the commit; 0: none */
    struct list stages; /* an answer may bring several folders */

    struct store_watcher *watchers;
    struct store_change *changes; /* of the open transaction */
    size_t nchanges, changes_cap;
    struct store_change *committed; /* not yet flushed and told */
    size_t ncommitted, committed_cap;
    char **dirty;        /* files to flush, heap paths */
    size_t ndirty;
    char **doomed;       /* files to unlink once the commit stands */
    size_t ndoomed;

    struct list ties;    /* jobs that will come back */
    struct list saves;   /* bodies on their way to the disk (body.c) */
    struct list waiters; /* for the next flush */
    struct op *flush;    /* under way */
    struct loop_task flush_soon;
    struct loop_timer flush_retry;
    bool urgent;         /* among the committed is more than bodies */
    int64_t flushed_ms;  /* when the last flush ended */
    bool reserve_given;

    uint64_t cache_limit; /* bytes, 0 none */
    int64_t cache_used;   /* of bodies that the server gave; -1 not known */
    int64_t cache_touched;
    struct loop_timer evict;
};

/* ---- store.c ---- */

/* The modseq of the open transaction. */
uint64_t store_modseq_next(struct store *);
void store_change_note(struct store *, const struct store_change *);
/* Must be flushed before anyone is told. Takes the path. */
void store_file_dirty(struct store *, char *path_take);
/* Unlinked after the commit. Takes the path. */
void store_file_doom(struct store *, char *path_take);
void store_tie(struct store *, struct store_tie *);
void store_untie(struct store_tie *);
/* A failed write: gives the reserve up, so that what the server already did
 * can be booked. */
void store_full_hint(struct store *, const struct err *e);

void store_reserve_back(struct store *);
void store_paths_free(char ***paths, size_t *n);

/* ---- flush.c ---- */

/* After a commit: a flush at once, or soon when only bodies wait for it. */
void store_flush_plan(struct store *);
void store_flush_now(void *store);
/* Ends them and empties the list. */
void store_waiters_end(struct list *waiters, const struct err *err);

/* ---- body.c ---- */

char *store_body_path(const struct store *, int64_t body);

/* ---- evict.c ---- */

/* A body came (or went: negative). */
void store_cache_grown(struct store *, int64_t bytes);
/* A body that was evicted came back with other bytes. */
int store_cache_rebuilt(struct store *, struct err *e);
/* Messages older than this (unix time) need not be fetched: there is no room
 * but by evicting newer ones. */
int64_t store_cache_floor(struct store *);
/* One transaction's worth. *more: at once again; *waits: what could go was in
 * use a moment ago. */
int store_evict(struct store *, bool *more, bool *waits, struct err *e);
/* A timer's callback. */
void store_evict_run(void *store);

/* ---- schema.c ---- */

int store_schema_open(struct db *, struct err *e);

/* ---- folder.c ---- */

void store_folders_clear(struct store *);
struct store_folder *store_folder_mut(struct store *, int64_t id);
/* Next UID of a folder, taken. */
int store_folder_uid(struct store *, int64_t folder, uint32_t *out,
                     struct err *e);
int store_folder_touch(struct store *, int64_t folder, uint64_t modseq,
                       struct err *e);
int store_folder_save(struct store *, const struct store_folder *,
                      struct err *e);

/* As store_folder_save(), once before the commit: for what changes with every
 * item. store_folder_late() does it. */
void store_folder_save_late(struct store *, int64_t folder);
int store_folder_late(struct store *, struct err *e);

/* ---- stage.c ---- */

void store_stage_init(struct store *);
void store_stage_free(struct store *);

/* ---- message.c ---- */

#define MESSAGE_COLUMNS                                                       \
    "id,folder,uid,modseq,flags,keywords,received,saved,collection,"          \
    "server_id,sfrom,sto,scc,subject,class,size,verb,body_state,body_tries,"  \
    "family,server_seen,server_flagged,server_keywords,body,adrift,heir,"     \
    "body_check"
/* The columns, read. */
struct store_row_message {
    struct store_message m;
    bool server_seen, server_flagged;
    const char *server_keywords;
    int64_t body_id, adrift;
    bool check; /* the server told of other content: to be compared */
    bool heir; /* took its item over, which has not come to its folder yet */
};
void store_message_read(sqlite3_stmt *, struct arena *,
                        struct store_row_message *out);
int store_message_load(struct store *, int64_t id, struct arena *,
                       struct store_row_message *out, struct err *e);
/* Leaves its folder: tombstone and change. */
int store_message_leave(struct store *, const struct store_message *,
                        struct err *e);
/* Comes into a folder under a new UID. */
int store_message_enter(struct store *, int64_t id, int64_t folder,
                        unsigned flags, uint32_t *uid_out, struct err *e);
/* The row, its view, journal rows, and the body when nobody else has it. */
int store_message_erase(struct store *, const struct store_row_message *,
                        struct err *e);
/* Flags and keywords as they are shown now. */
int store_message_show(struct store *, const struct store_message *,
                       unsigned flags, const char *keywords, struct err *e);

/* It has an item on the server, perhaps one whose id is not known. */
bool store_message_is_remote(const struct store_row_message *);
/* Journal rows for what differs between these and the server's. */
int store_message_differs(struct store *, const struct store_row_message *,
                          unsigned flags, const char *keywords, struct err *e);

/* ---- copy.c ---- */

/* The entry that takes the item of this one over: the oldest other one of its
 * family outside the trash, else the oldest. 1, 0 none, -1. */
int store_copy_heir(struct store *, const struct store_row_message *,
                    int64_t *id_out, struct err *e);
/* The server place and the open journal rows go to another entry, whose flags
 * and folder are what is wanted from now on. */
int store_copy_hand_over(struct store *, const struct store_row_message *from,
                         int64_t to, struct arena *, struct err *e);
/* The item is gone, or stays where it was: the entry is local again. */
int store_copy_stay(struct store *, int64_t id, struct arena *, struct err *e);
/* The move of a takeover was refused: the item gets an entry of its own where
 * it is, and the heir is local again. */
int store_copy_refused(struct store *, const struct store_row_message *heir,
                       struct arena *, struct err *e);
/* Two entries were one item all the time: their families are one. */
int store_copy_join(struct store *, int64_t id, int64_t other, struct err *e);

/* ---- changed.c ---- */

/* Keywords to show when the server has `theirs` and ours are open. Heap. */
char *store_changed_keywords(struct store *, const struct store_row_message *,
                             const char *theirs);
/* The server tells a whole item: when its content seems to be another, the
 * body is compared, and a deletion of ours is dropped. */
int store_changed_content(struct store *, const struct store_row_message *,
                          const struct store_item *, struct err *e);

/* ---- journal.c ---- */

/* The field differs from the server's value, or does not any more. */
int store_journal_note(struct store *, int64_t message, enum store_field,
                       bool differs, struct err *e);
bool store_journal_has(struct store *, int64_t message, enum store_field);
int store_journal_drop(struct store *, int64_t message, struct err *e);

/* ---- body.c ---- */

/* A file under the data key into a buf, by the disk worker. Takes the
 * path. */
struct op *store_file_load(struct store *, char *path_take, struct buf *out,
                           op_done_fn *done, void *arg);

/* ---- cipher.c ---- */

/* AES-256-GCM in chunks under a key of its own derived from the data key and
 * a random salt: cannot be cut, reordered or changed unnoticed. E_LOCKED
 * without a key, E_CRYPTO when it does not fit. */
int store_cipher_seal(const struct secret *key, struct slice plain,
                      struct buf *out, struct err *e);
int store_cipher_open(const struct secret *key, struct slice sealed,
                      struct buf *out, struct err *e);
#define STORE_CIPHER_OVER ((size_t)64)
/* A file of it chunk by chunk, each authenticated for itself: HEAD bytes, then
 * chunks of CHUNK bytes and a TAG; the last one may be shorter. */
#define STORE_CIPHER_HEAD 36u
#define STORE_CIPHER_CHUNK ((size_t)65536)
#define STORE_CIPHER_TAG 16u
struct store_cipher_file;
int store_cipher_file_new(const struct secret *key, struct slice head,
                          struct store_cipher_file **out, struct err *e);
void store_cipher_file_free(struct store_cipher_file **);
/* Adds a chunk, which came with its tag. E_CRYPTO. */
int store_cipher_file_open(struct store_cipher_file *, uint32_t number,
                           bool last, struct slice sealed, struct buf *out,
                           struct err *e);

/* ---- queue.c ---- */

/* The file of a submission; heap. */
char *store_queue_path(struct store *, const char *id, bool sealed);

/* ---- keywords (message.c) ---- */

/* "a b c" sorted, each once. Heap. */
char *store_keywords_normal(const char *words);
/* Those that may be a Category (local = false), or those that stay here. */
char *store_keywords_part(const char *words, bool local);
char *store_keywords_add(const char *words, const char *more);
char *store_keywords_remove(const char *words, const char *less);

#endif
