/*
 * What a device does not know yet of a folder, one after the other.
 */
#ifndef SEALPOST_SANDBOX_CHANGES_H
#define SEALPOST_SANDBOX_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/device.h"
#include "sandbox/mail.h"

struct change {
    char kind; /* 'a'dd, 'c'hange, 'd'elete, 's'oft delete */
    struct message *message;
};

struct changes {
    const struct folder *folder;
    unsigned me;    /* device number */
    uint64_t since; /* where it began */
    uint64_t seq;   /* given up to here */
    int64_t cutoff;
    bool filtered; /* the window of time matters */
    uint32_t scan; /* next message of the look through the window */
    size_t at;     /* next log entry */
    struct bits known, done;
};

/* From this point on; cutoff is the new one. */
void changes_init(struct changes *, const struct folder *,
                  const struct device *, const struct point *from,
                  int64_t cutoff);
/* false: no more. `known` and `seq` have taken it in. */
bool changes_next(struct changes *, struct change *out);
void changes_clear(struct changes *);

/* Is there anything since the device's newest point? adds: arrivals only. */
bool changes_pending(const struct device *, const struct collection *,
                     const struct folder *, bool adds);

/* ---- sync_batch.c: what one answer brings */

#define WINDOW_MAX 512

struct batch {
    struct change list[2 * WINDOW_MAX];
    size_t count;
    bool more;
    struct folder *unknown; /* a message that never was is deleted there */
};

struct call;
/* At most `window` of what is left in w, which then stands where the window
 * closed. */
void batch_fill(struct changes *w, const struct prefs *, long window,
                struct batch *);
void batch_spoil(struct call *, struct folder *, const struct bits *known,
                 struct batch *);
/* The element Commands, if there is something to say. */
void batch_write(struct call *, const struct batch *, const struct prefs *,
                 uint64_t since);

/* ---- sync_commands.c: what a request's Commands did */

struct wbxml_node;

struct response {
    char kind; /* 'a', 'c', 'd', 'f'etch */
    const char *id;
    int status;
    struct message *message; /* of an Add or a Fetch that worked */
};

struct responses {
    struct response *list; /* in the call's arena */
    size_t count;
};

/* Does them in order. base: the state the device had; next: the one being
 * made, whose `known` is kept true; outcomes are added to `col` and, when
 * `repeated`, taken from there first. */
void sync_commands_do(struct call *, struct folder *, struct collection *col,
                      const struct wbxml_node *collection,
                      const struct point *base, struct bits *known,
                      bool repeated, struct responses *out);
/* The element Responses, if there is something to say. */
void sync_commands_write(struct call *, const struct collection *,
                         const struct responses *);

/* ---- draft.c: drafts of version 16 */

/* Makes the message of an ApplicationData; 0 or the item's status. MIME is
 * added to out. */
int draft_build(struct call *, const struct wbxml_node *data, struct buf *out);

/* ---- flag.c: the element Flag */

/* 1 with lines (arena) and active set; 0 when it breaks a rule. */
int flag_read(struct call *, const struct wbxml_node *flag,
              const char **lines_out, bool *active_out);
struct wbxml_writer;
void flag_write(struct wbxml_writer *, const struct message *);

#endif
