/*
 * A growing byte buffer, born with its limit: what comes from outside can
 * never make it larger than was decided before.
 */
#ifndef SEALPOST_BASE_BUF_H
#define SEALPOST_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* data is always terminated by a zero byte that does not count in len, once
 * anything was added. `over` is set for good when an addition did not fit;
 * the buffer then keeps what it had, so check it once at the end. */
struct buf {
    char *data;
    size_t len, cap, limit;
    bool over;
};

#define BUF_INIT(max) ((struct buf){.limit = (max)})
/* For text that we make ourselves and whose size our own code bounds. */
#define BUF_OURS ((size_t)1 << 30)

void buf_init(struct buf *b, size_t limit);
void buf_clear(struct buf *b); /* frees; the limit stays, usable again */
void buf_reset(struct buf *b); /* empties, keeps the memory */
void buf_wipe(struct buf *b);  /* buf_clear() after overwriting */

/* All additions return 0, or -1 when the limit would be passed. */
int buf_add(struct buf *b, const void *p, size_t n);
int buf_adds(struct buf *b, const char *s);
int buf_addc(struct buf *b, char c);
int buf_add_slice(struct buf *b, struct slice s);
int buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int buf_addvf(struct buf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* Room for n more bytes at the end, to be filled by the caller and then
 * counted with buf_added(). NULL when over the limit. */
char *buf_room(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);

/* Removes n bytes at the front (moves the rest). */
void buf_drain(struct buf *b, size_t n);
void buf_truncate(struct buf *b, size_t len);

/* Borrowed; valid until the next change. */
struct slice buf_slice(const struct buf *b);
/* Gives the terminated bytes away and leaves an empty buffer. Never NULL. */
char *buf_take(struct buf *b, size_t *len_out);

#endif
