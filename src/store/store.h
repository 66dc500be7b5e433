/*
 * The local copy of one account: SQLite for what is known, one file per
 * message body, queue files under the account's data key.
 *
 * Everything here is synchronous and short and belongs to the loop's thread,
 * but for the operations (struct op *), whose slow half runs in the disk
 * worker. A function that writes opens its own transaction unless the caller
 * has one open (store_begin); what belongs together the caller puts between
 * store_begin and store_commit.
 *
 * Durability: a commit is safe against kill -9 at once, against a power cut
 * after the next flush. Watchers hear of a commit only after its flush, so
 * whatever a client is told is on the disk.
 *
 * Layout of the directory: store.db, body/NN/ID, queue/ID.*, reserve, lock.
 */
#ifndef SEALPOST_STORE_STORE_H
#define SEALPOST_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/slice.h"
#include "loop/op.h"

struct loop;
struct store;
struct worker;

#define STORE_SCHEMA 1

struct store_config {
    const char *dir;               /* of the account; made if missing */
    struct loop *loop;             /* NULL: offline, flushes at each commit */
    struct worker *disk;           /* with loop */
    const struct secret *data_key; /* 32 bytes, copied; NULL: none known, then
                                      sealed columns and queue are E_LOCKED */
};

/* E_LIMIT: a newer version wrote this store (text names both), nothing was
 * touched. E_RETRY: another daemon has it locked. */
int store_open(const struct store_config *, struct store **out, struct err *e);
/* Ends operations as cancelled after finishing the flush under way. */
void store_close(struct store **);

/* Nested calls count; only the outermost commit commits. After a failed
 * commit, or store_rollback(), nothing of it happened. */
int store_begin(struct store *, struct err *e);
int store_commit(struct store *, struct err *e);
void store_rollback(struct store *);

/* Done when everything committed before this call is durable and the
 * watchers have been told. Waiters share a flush (group commit). */
struct op *store_flush(struct store *, op_done_fn *done, void *arg);

/* Small facts: "device-id", "eas-version", "policy-key", "location",
 * "hierarchy-key", "machine"... A missing one is "". Heap copy. */
char *store_meta_get(struct store *, const char *name);
int store_meta_set(struct store *, const char *name, const char *value,
                   struct err *e);

/* Bytes in the store's file system that are free, and what the store uses. */
struct store_usage {
    uint64_t free_bytes, db_bytes, body_bytes;
    uint64_t messages, bodies;
};
int store_usage(struct store *, struct store_usage *out, struct err *e);

/* ---- watching ---- */

enum store_change_kind {
    STORE_MESSAGE_ADDED,   /* has its UID now */
    STORE_MESSAGE_FLAGS,   /* flags or keywords */
    STORE_MESSAGE_REMOVED, /* left `folder`, had `uid` there */
    STORE_FOLDER_CHANGED,  /* added, renamed, listed, subscribed */
    STORE_FOLDER_REMOVED,
    STORE_JOURNAL_CHANGED, /* there is something to push */
    STORE_BODY_ARRIVED,
    STORE_QUEUE_CHANGED,
};
struct store_change {
    enum store_change_kind kind;
    int64_t folder, message;
    uint32_t uid;
    uint64_t modseq;
    unsigned flags;     /* after the change (ADDED, FLAGS) */
    const void *origin; /* what store_origin() named, or NULL */
};
struct store_watcher {
    struct store_watcher *next; /* the store's */
    /* One call per flush with all changes since the last, in order; borrowed.
     * The callee must not close the store. */
    void (*on_changes)(void *arg, const struct store_change *, size_t n);
    void *arg;
};
void store_watch(struct store *, struct store_watcher *);
void store_unwatch(struct store *, struct store_watcher *);
/* Changes made until the next call carry this mark, so that a client can
 * know its own. */
void store_origin(struct store *, const void *origin);

#endif
