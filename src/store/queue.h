/*
 * Submissions: a row each, and files under the account's data key.
 */
#ifndef SEALPOST_STORE_QUEUE_H
#define SEALPOST_STORE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"

enum store_queue_state {
    STORE_QUEUE_NEW,     /* accepted, nothing sent upstream */
    STORE_QUEUE_SEALED,  /* the bytes that leave are on disk as well */
    STORE_QUEUE_SENDING, /* a SendMail was begun and not booked: it may have
                            arrived */
    STORE_QUEUE_HELD,
    STORE_QUEUE_SENT,    /* kept for a week: answers to APPEND, duplicates */
};
struct store_submission {
    const char *id;        /* short, for people: 12 hex digits */
    const char *client_id; /* drawn once, the same at every try */
    enum store_queue_state state;
    const char *sender;
    const char *recipients; /* "a@b c@d": the envelope of this submission */
    const char *message_id;
    bool save_in_sent;
    bool encrypted, signed_;
    uint64_t size;
    int64_t created, next_try, tries;
    const char *error;      /* the last one, for people */
    const char *parent;     /* the main submission of a Bcc copy, "" */
};
/* Writes both files' first one (the message, encrypted from its first byte)
 * and the row; done when they are durable. Takes the bytes. */
struct op *store_queue_add(struct store *, const struct store_submission *,
                           struct buf *mime_take, op_done_fn *done, void *arg);
/* The bytes that leave; state SEALED. Not durable yet when done: the message
 * itself is, and before SendMail there is a flush for the state anyway. */
struct op *store_queue_seal(struct store *, const char *id,
                            struct buf *mime_take, op_done_fn *done, void *arg);
/* The message as submitted (sealed = false) or as it leaves. */
struct op *store_queue_load(struct store *, const char *id, bool sealed,
                            struct buf *out, op_done_fn *done, void *arg);
/* The same piece by piece, one chunk in memory: for sending. The bytes are
 * authenticated as they are read; E_CRYPTO may come late. */
struct store_reader;
int store_reader_open(struct store *, const char *id, bool sealed,
                      struct store_reader **out, struct err *e);
void store_reader_close(struct store_reader **);
uint64_t store_reader_size(const struct store_reader *);
/* Up to n bytes from offset; fewer only at the end. */
int store_reader_read(struct store_reader *, uint64_t offset, char *to,
                      size_t n, size_t *got_out, struct err *e);
int store_queue_set(struct store *, const char *id, enum store_queue_state,
                    int64_t next_try, const char *error, struct err *e);
/* What was decided for this submission; kept for the check before sending. */
int store_queue_mark(struct store *, const char *id, bool encrypted,
                     bool signed_, struct err *e);
/* 1, 0, -1; strings in the arena. */
int store_queue_get(struct store *, const char *id, struct arena *,
                    struct store_submission *out, struct err *e);
/* In order of creation; *after is an id, "" at the start. 1, 0, -1. */
int store_queue_next(struct store *, const char *after, struct arena *,
                     struct store_submission *out, struct err *e);
/* The same without those that were sent, for people. */
int store_queue_next_open(struct store *, const char *after, struct arena *,
                          struct store_submission *out, struct err *e);
int store_queue_count(struct store *, uint64_t *open_out, struct err *e);
/* The files go, the row stays: of one that was sent. */
int store_queue_strip(struct store *, const char *id, struct err *e);
/* Row and files. */
int store_queue_remove(struct store *, const char *id, struct err *e);

#endif
