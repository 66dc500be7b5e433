/*
 * Shared by sync.c and sync_read.c.
 */
#ifndef SEALPOST_EAS_SYNC_PRIVATE_H
#define SEALPOST_EAS_SYNC_PRIVATE_H

#include "eas/private.h"

/* Read as it arrives, so this bounds time, not memory. */
#define EAS_SYNC_ANSWER_MAX ((uint64_t)1 << 30)
#define EAS_SYNC_CHANGES_MAX 200 /* MS-ASCMD 3.1.5.10 */

struct sync_call {
    struct eas_call call;
    char *collection, *key;
    bool get_changes, deletes_as_moves;
    unsigned window;
    int filter;
    struct eas_change *changes;
    size_t nchanges;
    int (*on_item)(void *arg, const struct eas_item *, struct err *e);
    void *item_arg;
    struct eas_sync_answer *out;
    struct sync_reader *reader; /* an answer under way */
};

/* An answer that is whole: fills s->out and gives the items to s->on_item in
 * their order. */
int eas_sync_read(struct sync_call *s, struct slice body, struct err *e);
/* The same while it arrives: pieces, then the end. */
int eas_sync_feed(struct sync_call *s, struct slice piece, struct err *e);
int eas_sync_finish(struct sync_call *s, struct err *e);
/* Gives up the one under way, if any. */
void eas_sync_forget(struct sync_call *s);

#endif
