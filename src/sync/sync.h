/*
 * Mail in: keeps the store and the server in agreement. Lists folders, gives
 * UIDs, brings bodies, waits in Ping, replays the journal.
 */
#ifndef SEALPOST_SYNC_SYNC_H
#define SEALPOST_SYNC_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "loop/op.h"

struct eas;
struct loop;
struct store;
struct sync;

/* Of folders, by how often the timer looks at them. */
enum sync_kind {
    SYNC_KIND_INBOX,
    SYNC_KIND_SUBSCRIBED, /* and those with a role, and the folder list */
    SYNC_KIND_OTHER,      /* once they are listed, which a SELECT begins */
    SYNC_KINDS
};

/* FilterTypes (commands.md 4.2), 0 all. */
struct sync_window {
    int filter; /* of sync_window */
    int policy; /* of the policy's MaxEmailAgeFilter: caps it, and what is
                   older than this leaves the view */
    bool drop;  /* window_end = drop: all that the window lets go leaves */
};

struct sync_config {
    struct loop *loop;
    const char *account; /* for logs */
    struct store *store;
    struct eas *eas;
    struct sync_window window;
    int64_t intervals[SYNC_KINDS]; /* as of sync_set_intervals() */
    int64_t relist_wait; /* seconds until a relist that would empty a folder
                            is made again, 0: 600 */
};
struct sync *sync_new(const struct sync_config *);
void sync_free(struct sync **);
/* Folders are synchronised with it from now on. */
void sync_set_window(struct sync *, const struct sync_window *);
/* The server has forgotten what it told us (eas_watcher.on_begin_anew): the
 * list of folders is asked for from the beginning; of each folder it then
 * refuses the key, and what is here is matched, with its UIDs. */
void sync_begin_anew(struct sync *);
/* Seconds between timed Syncs of each kind, from the next one on. 0: 300 of
 * the subscribed ones, as these for the inbox, never for the others. */
void sync_set_intervals(struct sync *, const int64_t *seconds);
/* Begins (and, after sync_stop(), begins again). Needs a signed-in eas;
 * errors are retried with back-off inside and shown in sync_status(). */
void sync_start(struct sync *);
/* `why` (or NULL) is what waiters get, at once and later. */
void sync_stop(struct sync *, const struct err *why);

/* The journal has news (after STORE, MOVE, EXPUNGE). */
void sync_push_soon(struct sync *);
/* Somebody looks at this folder: SELECT, NOOP, STATUS. Collapses many calls
 * into one Sync in a few seconds. 0: the folder list. */
void sync_pull_soon(struct sync *, int64_t folder);
/* Done when the folder is READY (its first listing complete); 0: when there
 * are folders at all. E_RETRY when that cannot be now, E_MISSING when the
 * folder went. */
struct op *sync_wait_ready(struct sync *, int64_t folder, op_done_fn *done,
                           void *arg);
/* Done when the journal is empty or what is left must wait; for tests, shut
 * down and `sealpostctl`. */
struct op *sync_settle(struct sync *, op_done_fn *done, void *arg);

/* A Sync of this folder that begins after this call is complete (the outbox
 * looks into Sent with it). */
struct op *sync_folder_now(struct sync *, int64_t folder, op_done_fn *done,
                           void *arg);

/* IMAP CREATE, RENAME, DELETE: on the server, then in the store. */
struct op *sync_folder_create(struct sync *, const char *path, op_done_fn *done,
                              void *arg);
struct op *sync_folder_rename(struct sync *, const char *path,
                              const char *new_path, op_done_fn *done,
                              void *arg);
struct op *sync_folder_delete(struct sync *, const char *path, op_done_fn *done,
                              void *arg);

/* All messages that the folder has here when it was synchronised once more go
 * for good: out of the view and into the journal, then off the server;
 * subfolders stay. E_DENIED for a folder that is neither trash nor
 * junk, without `force`. Errors after the commit are not told: the journal has
 * it. */
struct sync_emptied {
    size_t messages;
    bool at_once; /* by EmptyFolderContents; else the journal deletes */
};
struct op *sync_folder_empty(struct sync *, const char *path, bool force,
                             struct sync_emptied *out, op_done_fn *done,
                             void *arg);

enum sync_state {
    SYNC_STOPPED,
    SYNC_CONNECTING,
    SYNC_LISTING, /* a first listing is under way */
    SYNC_WORKING,
    SYNC_WAITING, /* in Ping: all is up to date */
    SYNC_BACKOFF, /* failed; tries again at next_try */
};
struct sync_status {
    enum sync_state state;
    struct err error;      /* the last one, code E_NONE if none */
    struct err bodies_error; /* why bodies do not come, E_NONE if they do */
    int64_t next_try;
    uint64_t listed, estimate;         /* of the folder being listed */
    uint64_t bodies_missing, journal_open;
    const char *folder;    /* being worked on, borrowed, may be NULL */
};
void sync_status(const struct sync *, struct sync_status *out);

#endif
