/*
 * What the files of room sync share.
 */
#ifndef SEALPOST_SYNC_PRIVATE_H
#define SEALPOST_SYNC_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "eas/eas.h"
#include "loop/op.h"
#include "store/folder.h"
#include "store/message.h"
#include "store/store.h"
#include "sync/sync.h"

struct loop;

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
};
/* The stage, the key and (at the end of a listing) the numbering, in one
 * transaction. *again_out: a relist would remove more than half of the
 * folder; nothing was removed, it must be listed a second time. */
int sync_book_commit(struct store *, int64_t folder, const struct sync_book *,
                     bool *again_out, struct err *e);

/* ---- keyword.c: Categories as IMAP keywords and back ---- */

struct arena;
struct buf;
/* Adds " WORD"; what is no atom goes in modified UTF-7 (SPEC section 6). */
void sync_keyword_add(struct buf *words, const char *category);
/* The Category that a keyword stands for. */
const char *sync_keyword_category(struct arena *, struct slice keyword);

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

/* ---- what these need of struct sync (sync.c) ---- */

struct loop *sync_loop(struct sync *);
struct store *sync_store(struct sync *);
struct eas *sync_eas(struct sync *);
const char *sync_name(const struct sync *);
int sync_filter(const struct sync *);
/* The folder must be pulled in the next round; 0: the folder list. */
void sync_mark(struct sync *, int64_t folder);
/* Not before `ms` from now. */
void sync_mark_later(struct sync *, int64_t folder, int64_t ms);

#endif
