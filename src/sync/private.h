/*
 * What the files of room sync share.
 */
#ifndef SEALPOST_SYNC_PRIVATE_H
#define SEALPOST_SYNC_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/slice.h"
#include "eas/eas.h"
#include "loop/flow.h"
#include "loop/loop.h"
#include "loop/op.h"
#include "store/folder.h"
#include "store/message.h"
#include "store/store.h"
#include "sync/sync.h"

/* Folders of ours that hold mail (SPEC section 6: calendars, contacts, tasks,
 * notes, the outbox and the recipient cache are not shown). */
bool sync_folders_is_mail(int type);

/* FolderSync, booked. */
struct op *sync_folders_refresh(struct sync *, op_done_fn *done, void *arg);

/* ---- book.c: one answer of Sync becomes part of the store ---- */

/* Copies the item into the stage of the folder. */
int sync_book_stage(struct store *, int64_t folder, const struct eas_item *,
                    struct err *e);
struct sync_book {
    const char *key;  /* the new SyncKey, NULL: it stays */
    bool more;
    int64_t began;    /* now_ms() when the request went out */
    int64_t relist_wait; /* seconds before a doubtful relist is believed */
    int64_t window;      /* unix time: what is older is not listed; 0: all is */
    int64_t leave;       /* what fell out of the window and is older leaves the
                            view as well; 0: it stays */
    bool drop;           /* it always leaves (window_end = drop) */
};
/* The stage, the key and (at the end of a listing) the numbering, in one
 * transaction. *again_out: a relist would remove more than half of the
 * folder; nothing was removed, it must be listed a second time. */
int sync_book_commit(struct store *, int64_t folder, const struct sync_book *,
                     bool *again_out, struct err *e);

/* Seconds until the relist of this folder may be made a second time, at most
 * `wait`; 0: now, or no relist of it was doubtful. Kept in the store, so that
 * a restart is no short cut. */
int64_t sync_book_doubt(struct store *, int64_t folder, int64_t wait);

/* ---- keyword.c: Categories as IMAP keywords and back ---- */

struct arena;
struct buf;
/* Adds " WORD"; what is no atom goes in modified UTF-7 (SPEC section 6). */
void sync_keyword_add(struct buf *words, const char *category);
/* The Category that a keyword stands for. */
const char *sync_keyword_category(struct arena *, struct slice keyword);

/* ---- window.c: one window of one folder ---- */

struct pull_one {
    struct sync *sync;
    int64_t folder, began;
    struct eas_sync_answer answer;
    char *key;           /* that was sent */
};
void pull_one_clear(struct pull_one *);
/* The stage emptied and the question; borrows from `p` and the folder.
 * 1: the folder is gone. */
int pull_ask(struct pull_one *p, struct eas_sync_ask *ask, struct err *e);
/* What a status of the collection asks for. 0: it was good, 1: it is seen to
 * (the folder was reset, or the list of folders comes first). */
int pull_react(struct pull_one *p, struct err *e);
enum pull_took {
    PULL_WHOLE,   /* booked, and nothing more is available */
    PULL_MORE,    /* the next window */
    PULL_PUT_OFF, /* not now: a mark says when */
    PULL_FAILED,
};
/* The answer becomes part of the store. */
enum pull_took pull_take(struct pull_one *p, struct err *e);

/* ---- several.c ---- */

#define SYNC_SEVERAL_MAX ((size_t)10)
struct sync_pulled {
    int64_t folder;
    enum pull_took took;
    struct err err; /* with PULL_FAILED: of this folder alone */
};
/* One window of each of n folders, all with a key, in one Sync. `told` says
 * how each went and stays until done. E_REMOTE: not with this server. */
struct op *sync_pull_several(struct sync *, struct sync_pulled *told, size_t n,
                             op_done_fn *done, void *arg);

/* ---- pull.c, push.c, bodies.c: each one operation ---- */

/* Sync of one folder until nothing more is available. */
struct op *sync_pull(struct sync *, int64_t folder, op_done_fn *done,
                     void *arg);
/* The journal of one collection, as far as it is due. */
struct op *sync_push(struct sync *, int64_t collection, op_done_fn *done,
                     void *arg);
/* One batch of missing bodies, newest first. *n_out: how many came. */
struct op *sync_bodies(struct sync *, size_t *n_out, op_done_fn *done,
                       void *arg);

/* ---- standin.c ---- */

/* The MIME that is shown for a message which the server refuses. */
void sync_standin_make(const struct store_message *, struct buf *out);

/* ---- the account's synchronisation (sync.c) ---- */

#define SYNC_BACKOFF_MIN_MS ((int64_t)5000)

struct sync {
    struct loop *loop;
    char *account;
    struct store *store;
    struct eas *eas;
    int filter; /* what is asked with: the narrower of the two */
    struct sync_window window;
    int64_t relist_wait; /* seconds */
    bool started;
    bool anew; /* the next FolderSync begins with key 0 */
    struct flow round;
    struct op *ping, *bodies;
    struct eas_ping_answer ping_answer;
    size_t bodies_came;
    int64_t ping_began;
    int64_t pulling; /* folder, 0 none */
    bool pulled_whole; /* to its end, and nothing was lost on the way */
    struct sync_pulled several[SYNC_SEVERAL_MAX];
    size_t nseveral;
    bool no_estimate;   /* the server does not answer GetItemEstimate */
    int64_t one_by_one; /* now_ms(): until then no several in one Sync */
    struct list marks, waiters;
    struct loop_task kick;
    struct loop_timer wake;  /* marks that are not yet due, journal, Ping */
    int64_t wake_at;         /* now_ms(), while it is set */
    int64_t ping_after;      /* now_ms() */
    struct loop_timer retry; /* after a failure */
    struct loop_timer denied; /* whether it is still so; sync_denied() */
    struct sync_timed {
        struct sync *sync;
        struct loop_timer timer;
        int64_t interval; /* seconds, 0: never of its own */
    } timed[SYNC_KINDS];
    struct loop_timer bodies_retry;
    struct loop_timer bodies_refused; /* to be asked for again */
    bool bodies_wait; /* some were refused */
    unsigned editing; /* folders, just now: their answer has the next key */
    struct store_watcher watcher;
    struct err bodies_error; /* why the last try ended */
    int64_t backoff, denied_wait;
    enum sync_state state;
    struct err error;
    int64_t next_try;
};

/* ---- timed.c: what Ping does not report, by the clock ---- */

void sync_timed_init(struct sync *, const int64_t *intervals);
/* Marks all for a look that are looked at in a regular way, and begins to
 * count anew. */
void sync_timed_all(struct sync *);
void sync_timed_stop(struct sync *);
void sync_timed_clear(struct sync *);

/* ---- round.c ---- */

void sync_round_start(struct sync *);
/* Tells who waits; stops, or tries again later. */
void sync_failed(struct sync *, const struct err *err);
/* The account stops by an E_DENIED: asked again after ten minutes, then after
 * twice as long each time, at most after four hours. */
void sync_denied(struct sync *);
/* false: trouble of one folder, the others go on. */
bool sync_is_account_error(const struct err *);

/* ---- ping.c ---- */

void sync_ping_start(struct sync *);

/* ---- mark.c: what is due of a folder (0: the list) ---- */

struct mark {
    struct list node;
    int64_t folder, due; /* now_ms() */
    int64_t began;       /* the last pull */
    int64_t rest;        /* nobody's look makes it due before then */
    bool set;
    unsigned quiet;      /* Ping named it and nothing was new */
    int64_t no_ping;     /* until */
    uint64_t modseq;     /* of the folder when Ping named it */
    bool pinged;
};
/* Made if need be. Lives as long as the struct sync. */
struct mark *sync_mark_of(struct sync *, int64_t folder);
/* The folder must be pulled in the next round; 0: the folder list. */
void sync_mark(struct sync *, int64_t folder);
/* Not before `ms` from now. */
void sync_mark_later(struct sync *, int64_t folder, int64_t ms);
/* The folder rests for `ms`, whoever asks for it. */
void sync_mark_rest(struct sync *, int64_t folder, int64_t ms);
/* It rests so long that nobody should wait for it; *e says so. */
bool sync_rests(struct sync *, int64_t folder, struct err *e);
/* The folder to pull next, or NULL. */
struct mark *sync_mark_due(struct sync *);
/* That and the next ones that can be pulled together with it, in order; 1 or
 * 0 if none can. */
size_t sync_mark_several(struct sync *, struct mark **out, size_t max);
/* Sets the wake timer for the next mark that is not yet due. */
void sync_mark_wake(struct sync *);
/* Looks again after ms at the latest. */
void sync_wake_in(struct sync *, int64_t ms);

/* ---- wait.c: who waits ---- */

bool sync_is_awaited(const struct sync *, int64_t folder);
/* A pull that began then has ended. */
void sync_tell_pulled(struct sync *, int64_t folder, int64_t began,
                      const struct err *);
/* Nothing is due any more; with err: all waiting is over. */
void sync_tell_settled(struct sync *, const struct err *);
/* Folders changed. */
void sync_tell_ready(struct sync *);
void sync_tell_all(struct sync *, const struct err *);

#endif
