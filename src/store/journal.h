/*
 * The journal: what has still to happen on the server. At most one open row
 * per message and field; steps merge because a row says only that the field
 * differs, and the values are read from the message when it is replayed.
 */
#ifndef SEALPOST_STORE_JOURNAL_H
#define SEALPOST_STORE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "store/store.h"

enum store_field {
    STORE_FIELD_SEEN,
    STORE_FIELD_FLAGGED,
    STORE_FIELD_KEYWORDS, /* the list as a whole goes up; rows per keyword
                             are kept inside, so that conflicts merge */
    STORE_FIELD_PLACE,    /* move, or (folder 0) delete */
};
struct store_row {
    int64_t id, message;
    enum store_field field;
    /* Where the item is on the server now. */
    int64_t collection;
    const char *server_id;
    /* What is wanted. */
    int value;            /* SEEN, FLAGGED: 0 or 1 */
    const char *keywords; /* KEYWORDS: the list to send */
    int64_t folder;       /* PLACE: target, 0 delete; of a move whose outcome
                             is not known the target that it had */
    int tries;
    bool sent;            /* a request with it was begun and not booked */
    int64_t next_try;     /* unix seconds */
};
/* Open rows of one collection that are due, in order, PLACE rows after the
 * flags of the same message; 1, 0, -1. *after starts at 0. */
int store_journal_next(struct store *, int64_t collection, int64_t *after,
                       struct arena *, struct store_row *out, struct err *e);
/* A collection with due rows, or 0; *wait_out: unix time of the next one that
 * is not yet due (0 none). */
int store_journal_collection(struct store *, int64_t *collection_out,
                             int64_t *wait_out, struct err *e);
/* Before a request with this row is sent. */
int store_journal_sent(struct store *, int64_t row, struct err *e);
/* The server has this value now: the row goes unless the message was changed
 * again meanwhile. For PLACE delete the message goes; for a move `new_id` is
 * the server id in the target ("" unknown: bound when Sync shows it). */
int store_journal_done(struct store *, int64_t row, const char *new_id,
                       struct err *e);
/* Refused for good: the field goes back to the server's value; a PLACE row
 * brings the message back to its server folder under a new UID. `why` is for
 * status. */
int store_journal_refused(struct store *, int64_t row, const char *why,
                          struct err *e);
/* Failed for now; again not before `next_try`, which is at most so many
 * seconds away: what waits for longer was postponed before the clock was set
 * back, and is due. `sent` stays, for it may have
 * been carried out all the same. */
#define STORE_JOURNAL_WAIT_MAX ((int64_t)3600)
int store_journal_later(struct store *, int64_t row, int64_t next_try,
                        struct err *e);
/* The item of a PLACE row is not where the request said. Nothing happens when
 * a Sync has shown meanwhile where it is. See store_message_adrift(). */
int store_journal_adrift(struct store *, int64_t row, struct err *e);
int store_journal_count(struct store *, uint64_t *open_out, struct err *e);
/* The open PLACE row of a message: 1 and its target (0 delete) and whether a
 * request with it was begun; 0 none; -1. */
int store_journal_place(struct store *, int64_t message, int64_t *folder_out,
                        bool *sent_out, struct err *e);

/* The last refusals, newest first, for `status`; strings in the arena. */
struct store_refusal {
    int64_t when, message;
    const char *what, *why;
};
int store_journal_refusals(struct store *, struct arena *,
                           struct store_refusal *out, size_t max, size_t *n_out,
                           struct err *e);

#endif
