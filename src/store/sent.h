/*
 * What left stands in Sent with the bytes that left (SPEC section 7). They are
 * written beside the queue before a submission goes; once the server has
 * accepted it the entry has them, and the server's copy is bound to it when it
 * comes, before or after the answer.
 */
#ifndef SEALPOST_STORE_SENT_H
#define SEALPOST_STORE_SENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "loop/op.h"
#include "store/message.h"
#include "store/queue.h"

/* What a copy is recognised by. */
struct store_sent_print {
    const char *message_id, *subject;
    const char *people;       /* mime_people() of To and Cc */
    unsigned char digest[32]; /* store_sent_digest() of what follows the
                                 header */
    int64_t received;         /* of a copy */
};
/* Of a body without its blanks and line ends, which servers change. */
int store_sent_digest(struct slice body, unsigned char out[32],
                      struct err *e);

/* Writes the bytes that will leave, `head` and what follows it in the queue
 * file from body_at on, piece by piece in the disk worker; the digest of the
 * print is made on the way. Nothing happens when that was done before. */
struct op *store_sent_prepare(struct store *, const char *id, bool sealed,
                              struct slice head, uint64_t body_at,
                              const struct store_sent_print *,
                              op_done_fn *done, void *arg);
/* They will not leave like that: it is decided anew, or was given up. */
int store_sent_drop(struct store *, const char *id, struct err *e);
/* The entry in Sent, in a transaction of the caller; one that is there stays.
 * Without a Sent folder that was listed there is none yet. */
int store_sent_enter(struct store *, const char *id,
                     const struct store_item *, struct err *e);
/* The entry of a submission, 0 none. 1 the server's copy is known, 0, -1. */
int store_sent_entry(struct store *, const char *id, int64_t *entry_out,
                     struct err *e);
/* This message of Sent is its copy, and shows it. */
int store_sent_claim(struct store *, const char *id, int64_t message,
                     struct err *e);
/* Does it show some submission already? */
bool store_sent_is_entry(struct store *, int64_t message);
/* Is a copy of some submission still to come? Since when: unix time. 1, 0,
 * -1. What was recognised and not booked is forgotten. */
int store_sent_awaited(struct store *, int64_t *since_out, struct err *e);
/* The item with this id looks like this: if it is the copy of a submission
 * that has none, that is remembered. */
int store_sent_recognise(struct store *, const char *server_id,
                         const struct store_sent_print *, struct err *e);
/* An item of Sent that was recognised: bound to its entry, which is made if
 * need be. 1 done, 0 it is none, -1. */
int store_sent_bind(struct store *, int64_t folder, const struct store_item *,
                    int64_t *entry_out, struct err *e);
/* Entries whose copy did not come for `age` seconds are local. */
int store_sent_lonely(struct store *, int64_t age, struct err *e);
/* Who got it unseen, "a@b c@d"; NULL nobody that we know of. */
const char *store_sent_bcc(struct store *, int64_t message, struct arena *);

#endif
