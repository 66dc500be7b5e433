/*
 * Views opened a few at a time, given out in the order they were asked for:
 * the workers are busy while the one before is being written.
 */
#ifndef SEALPOST_IMAP_OPENER_H
#define SEALPOST_IMAP_OPENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "loop/op.h"

struct imap_opener;
struct view;
struct views;

struct imap_opener *imap_opener_new(struct views *);
/* Cancels what is under way. */
void imap_opener_free(struct imap_opener **);
/* Room for one more of about so many bytes (a bound on what is held). */
bool imap_opener_has_room(const struct imap_opener *, uint64_t size);
/* `at` is the caller's, given back with the result. */
void imap_opener_add(struct imap_opener *, int64_t message, size_t at,
                     uint64_t size);
bool imap_opener_is_empty(const struct imap_opener *);
/* Done, without error, when the first one has come or failed. */
struct op *imap_opener_wait(struct imap_opener *, op_done_fn *done, void *arg);
/* Has it? */
bool imap_opener_is_ready(const struct imap_opener *);
/* Takes the first one off. true: *view_out is the caller's; false: e. */
bool imap_opener_take(struct imap_opener *, size_t *at_out,
                      struct view **view_out, struct err *e);

#endif
