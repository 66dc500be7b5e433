/*
 * What the files of room view share.
 */
#ifndef SEALPOST_VIEW_PRIVATE_H
#define SEALPOST_VIEW_PRIVATE_H

#include "base/buf.h"
#include "base/list.h"
#include "view/view.h"

#define VIEW_BUCKETS 512

struct mime_message;

struct view {
    unsigned refs;
    int64_t message;
    char *bytes;
    size_t len;
    struct mime_message *mime;
    struct list node;  /* in the cache */
    struct view *same; /* the next one in its bucket */
    bool cached;
};

struct views {
    struct loop *loop;
    struct worker *crypto;
    struct store *store;
    struct eas *eas;
    struct keys *keys;
    struct certs *certs;
    char *authserv_id;
    bool original; /* undecryptable = original */
    size_t cache_limit, cache_used;
    struct list cache; /* most recently used first */
    struct view *buckets[VIEW_BUCKETS]; /* the same, by message */
    struct prepare *prepare;
};

/* ---- cache.c ---- */

/* A new reference, or NULL. */
struct view *view_cache_find(struct views *, int64_t message);
void view_cache_add(struct views *, struct view *);
/* The message changed or went. */
void view_cache_drop(struct views *, int64_t message);
void view_cache_clear(struct views *);

/* ---- open.c ---- */

/* view_open() for nobody: it does not count as a look at the message. */
struct op *view_open_ahead(struct views *, int64_t message, struct view **out,
                           op_done_fn *done, void *arg);

/* ---- prepare.c ---- */

void view_prepare_free(struct prepare **);

#endif
