/*
 * The entries of a client that idles, in little memory.
 */
#ifndef SEALPOST_IMAP_COMPACT_H
#define SEALPOST_IMAP_COMPACT_H

#include "base/buf.h"
#include "imap/private.h"

#define IMAP_COLUMNS 3u /* id, UID, flags with marks */

struct imap_column {
    struct buf runs; /* closed ones: step and count */
    int64_t last, step;
    uint64_t count;  /* of the open run */
};
struct imap_compact {
    struct imap_column columns[IMAP_COLUMNS];
};

/* NULL if it would save less than half. Yours. */
struct imap_compact *imap_compact_new(const struct imap_entry *, size_t n);
/* One more at the end. */
void imap_compact_add(struct imap_compact *, const struct imap_entry *);
/* UID of the last one. */
uint32_t imap_compact_uid(const struct imap_compact *);
/* All n of them, those that were added included. */
void imap_compact_unpack(const struct imap_compact *, struct imap_entry *,
                         size_t n);
void imap_compact_free(struct imap_compact **);

#endif
