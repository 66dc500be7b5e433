/*
 * Shared by items.c and items_read.c.
 */
#ifndef SEALPOST_EAS_ITEMS_PRIVATE_H
#define SEALPOST_EAS_ITEMS_PRIVATE_H

#include "eas/private.h"

struct fetch_place {
    char *collection, *server_id;
    bool told;
};

struct fetch_call {
    struct eas_call call;
    struct fetch_place *items;
    size_t n;
    uint64_t max_body;
    void (*on_body)(void *arg, size_t index, int status, struct slice mime,
                    bool truncated);
    void *body_arg;
    struct fetch_reader *reader; /* an answer under way */
};

/* The answer in pieces, multipart or inline as its Content-Type says. Bodies
 * are told as they are complete; one body is in memory at a time. */
int eas_items_feed(struct fetch_call *f, struct slice piece, struct err *e);
/* The end: tells what the server forgot. */
int eas_items_finish(struct fetch_call *f, struct err *e);
/* Gives up the one under way, if any. */
void eas_items_forget(struct fetch_call *f);

#endif
