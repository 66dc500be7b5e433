/*
 * One callback type and one handle for all waiting (DESIGN section 7).
 *
 * A function that waits returns a struct op *, never NULL, and takes `done,
 * arg` last. `done` runs exactly once, from the loop, never before the
 * function has returned. Results are in the _out objects when it runs. After
 * op_cancel() `done` is not called and _out not written.
 */
#ifndef SEALPOST_LOOP_OP_H
#define SEALPOST_LOOP_OP_H

#include <stdbool.h>

#include "base/err.h"

/* err == NULL: it worked. */
typedef void op_done_fn(void *arg, const struct err *err);
/* The caller does not want it any more: stop if you can. op_finish() is still
 * due, here or later. */
typedef void op_stop_fn(void *self);

struct op;

/* ---- the side that waits ---- */

/* Puts the operation into a slot, which empties itself before `done`. The
 * slot must be empty. */
void op_hold(struct op **slot, struct op *op);
/* Does nothing with an empty slot. */
void op_cancel(struct op **slot);

/* ---- the side that works ---- */

/* `stop` may be NULL. */
struct op *op_new(op_stop_fn *stop, void *self, op_done_fn *done, void *arg);
/* Exactly once, cancelled or not; clears *op. err may be NULL, is copied. */
void op_finish(struct op **op, const struct err *err);
/* Fill _out only then. */
bool op_wanted(const struct op *op);

/* An operation that is already decided. err as in op_finish(). */
struct op *op_decided(const struct err *err, op_done_fn *done, void *arg);

#endif
