/*
 * Shared by items.c, items_read.c and withhold.c.
 */
#ifndef SEALPOST_EAS_ITEMS_PRIVATE_H
#define SEALPOST_EAS_ITEMS_PRIVATE_H

#include "eas/private.h"

/* What the policy in force lets in. */
struct fetch_limits {
    bool any, no_files;
    uint64_t max_file;   /* bytes; 0 no limit */
    int64_t text, html;  /* bytes; -1 no limit */
};

enum look_field {
    LOOK_FROM,
    LOOK_TO,
    LOOK_CC,
    LOOK_REPLY_TO,
    LOOK_SUBJECT,
    LOOK_FIELDS
};
#define LOOK_FILES_MAX 100u
/* What the server tells of a message beside its text. */
struct look {
    int type; /* of the body: 1 text, 2 HTML, 4 MIME */
    char *field[LOOK_FIELDS];
    int64_t received;
    struct {
        char *name;
        uint64_t size;
    } *files;
    size_t nfiles, more; /* `more`: not listed above */
};

struct fetch_place {
    char *collection, *server_id;
    bool told;
    bool passed; /* the limits let it in whole */
    bool cut;    /* but the server did not hand it out whole */
    struct look look;
};

struct fetch_call {
    struct eas_call call;
    struct fetch_place *items;
    size_t n;
    uint64_t max_body;
    bool unlimited, looks; /* `looks`: this request asks for text, not MIME */
    struct fetch_limits limits;
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

/* ---- withhold.c */

struct fetch_limits eas_limits_now(const struct eas *eas);
void eas_look_clear(struct look *);
/* Is this MIME an S/MIME message? By its own header. */
bool eas_look_is_smime(struct slice mime);
/* Does the message with this text, cut or not, fit the limits as a whole? */
bool eas_look_fits(const struct fetch_limits *, const struct look *, bool cut);
/* The message in its place. The same bytes each time. */
int eas_look_make(const struct fetch_limits *, const struct look *,
                  struct slice text, bool cut, struct buf *out);

#endif
