/*
 * What a client wants of items: the Options of Sync, GetItemEstimate and
 * ItemOperations (MS-ASCMD 2.2.3.125, MS-ASAIRS 2.2.2.12).
 */
#ifndef SEALPOST_SANDBOX_PREFS_H
#define SEALPOST_SANDBOX_PREFS_H

#include <stdbool.h>
#include <stdint.h>

struct wbxml_node;

struct body_pref {
    int type;        /* 1 to 4 */
    long truncation; /* bytes; -1: everything */
    bool all_or_none;
    int preview; /* characters; -1: none */
};

struct prefs {
    int filter;          /* FilterType */
    int conflict;        /* 1: the server wins */
    int mime_support;    /* 0 to 2 */
    int mime_truncation; /* 0 to 8; 8: all of it */
    struct body_pref body[4];
    unsigned bodies;
};

void prefs_init(struct prefs *);
/* Takes over a whole Options element: what is absent gets its default.
 * Returns the status of the Sync page (1, 4, or 164). */
int prefs_read(const struct wbxml_node *options, struct prefs *out);
/* Mail older than this (unix time) is outside; 0: all is inside. */
int64_t prefs_cutoff(const struct prefs *, int64_t now);

#endif
