/*
 * Reading WBXML as events: start of an element, bytes, end of it.
 *
 * A document is fed in pieces as it arrives, and events come out of any
 * wbxml_reader_feed(); nothing is kept but the tags that are open.
 */
#ifndef SEALPOST_WBXML_READ_H
#define SEALPOST_WBXML_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "wbxml/tags.h"

/* Each returns 0, or -1 with e set, which ends the reading with that error.
 * NULL members are skipped. `tag` is page << 8 | token and may be one that
 * has no name (wbxml_name() gives NULL): skip what you do not know. */
struct wbxml_events {
    int (*on_start)(void *arg, unsigned tag, struct err *e);
    /* Exact bytes of a string or opaque, borrowed during the call; may come
     * several times within one element, and not at all for an empty one. */
    int (*on_bytes)(void *arg, struct slice bytes, struct err *e);
    int (*on_end)(void *arg, unsigned tag, struct err *e);
    void *arg;
};

struct wbxml_limits {
    size_t bytes;   /* of the document; 0: 64 MiB */
    unsigned depth; /* 0: 32; at most WBXML_DEPTH_MAX */
    bool whole;     /* no event before the whole document was found right */
};

#define WBXML_DEPTH_MAX 64u
struct wbxml_reader {
    struct wbxml_events events;
    struct wbxml_limits limits;
    /* internal */
    int state;
    size_t at;       /* bytes read so far */
    unsigned head;   /* numbers of the head read so far */
    unsigned page, depth;
    unsigned digits; /* of the number that is read */
    uint32_t number; /* it, or the bytes that an opaque still has */
    unsigned short open[WBXML_DEPTH_MAX]; /* the tags that are open */
    struct buf doc;  /* with limits.whole */
    bool failed;
};

/* limits may be NULL. The struct is the caller's; clear it in any case. */
void wbxml_reader_init(struct wbxml_reader *r,
                       const struct wbxml_events *events,
                       const struct wbxml_limits *limits);
/* E_LIMIT past the bound, E_INPUT for what is no WBXML of ActiveSync. After
 * an error each further call fails too. */
int wbxml_reader_feed(struct wbxml_reader *r, struct slice piece,
                      struct err *e);
/* The document is over: E_INPUT if it was cut, corrupt or empty. */
int wbxml_reader_end(struct wbxml_reader *r, struct err *e);
void wbxml_reader_clear(struct wbxml_reader *r);

/* All of that for a document in memory. */
int wbxml_read(struct slice doc, const struct wbxml_events *events,
               const struct wbxml_limits *limits, struct err *e);

/* Begins like a document of ActiveSync: 03 01 6A 00. A login page with
 * status 200 does not. */
bool wbxml_is_wbxml(struct slice doc);

#endif
