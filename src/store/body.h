/*
 * Message bodies as files, as the server gave them, and the record of what a
 * client was shown.
 */
#ifndef SEALPOST_STORE_BODY_H
#define SEALPOST_STORE_BODY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"

#define STORE_BODY_MAX ((size_t)256 << 20)

/* Writes the file in the disk worker, then commits. Takes the bytes away from
 * `raw`. The first bytes stay: a message that has a body keeps it, unless
 * `replace` (then store_message_renew() happens in the same commit). */
struct op *store_body_save(struct store *, int64_t message, struct buf *raw,
                           bool replace, op_done_fn *done, void *arg);
/* E_MISSING when it is not here (yet). */
struct op *store_body_load(struct store *, int64_t message, struct buf *out,
                           op_done_fn *done, void *arg);
/* Blocking forms for offline tools and workers' tests. */
int store_body_write(struct store *, int64_t message, struct slice raw,
                     struct err *e);
int store_body_read(struct store *, int64_t message, struct buf *out,
                    struct err *e);
/* The server refused this one. Counted once in STORE_BODY_PAUSE seconds, so
 * that who asks often does not shorten the time that the server gets; a
 * stand-in is asked for again a day later. */
#define STORE_BODY_PAUSE 30
#define STORE_BODY_TRIES 3
int store_body_failed(struct store *, int64_t message, int *tries_out,
                      struct err *e);
/* What is shown in its place, made by the caller, when it was refused
 * STORE_BODY_TRIES times. A true body that comes later takes its place, and
 * the message gets a new UID in the same commit. Nothing happens to a message
 * that has a body. Takes the bytes away from `raw`. */
struct op *store_body_standin(struct store *, int64_t message, struct buf *raw,
                              op_done_fn *done, void *arg);

/* The limit for bodies that the server gave (`cache_size`), 0 none; counts at
 * once. Those that can be fetched again go, least recently used first: their
 * state is then STORE_BODY_ABSENT, what was recorded of them stays. One that
 * comes back with other bytes gets a new UID. (evict.c) */
void store_cache_limit(struct store *, uint64_t bytes);
/* Somebody looks at this message. */
int store_body_touch(struct store *, int64_t message, struct err *e);
/* The server gave other bytes three times: nothing is evicted any more. */
bool store_cache_is_fickle(struct store *);

/* What the view of a message looked like when it was first told; for one UID
 * it never changes. Text that came from inside an encrypted message is kept
 * under the data key (sealed = true does that here). */
struct store_view {
    bool encrypted;       /* it arrived encrypted (reply guard) */
    bool opened;          /* false: undecryptable explanation */
    uint64_t size;        /* RFC822.SIZE */
    struct slice digest;  /* SHA-256 of the shown bytes, 32 bytes */
    const char *envelope, *structure, *body; /* IMAP syntax, see mime/imap.h */
    const char *message_id, *in_reply_to;
    const char *verdict;  /* the fields put on top, word for word, CRLF */
    const char *result;   /* "pass", "none"... for lists */
};
/* 1 and *out (strings in the arena), 0 none recorded, -1. */
int store_view_get(struct store *, int64_t message, struct arena *,
                   struct store_view *out, struct err *e);
int store_view_set(struct store *, int64_t message, const struct store_view *,
                   struct err *e);
/* Did any message with this Message-ID arrive encrypted? 1, 0, -1. */
int store_view_was_encrypted(struct store *, const char *message_id,
                             struct err *e);

#endif
