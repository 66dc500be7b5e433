/*
 * Shared by sync.c and sync_read.c.
 */
#ifndef SEALPOST_EAS_SYNC_PRIVATE_H
#define SEALPOST_EAS_SYNC_PRIVATE_H

#include "eas/private.h"

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
};

/* Fills s->out and gives the items to s->on_item in their order. */
int eas_sync_read(struct sync_call *s, struct slice body, struct err *e);

#endif
