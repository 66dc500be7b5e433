/*
 * Looking for messages, for Search and Find.
 */
#ifndef SEALPOST_SANDBOX_LOOK_H
#define SEALPOST_SANDBOX_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct arena;
struct folder;
struct message;
struct user;

#define LOOK_TERMS 16

struct look_term {
    const char *where; /* "from"...; NULL: anywhere */
    const char *what;  /* a word begins with it */
};

struct look {
    struct folder *folder; /* NULL: all */
    bool deep;             /* and what is below it */
    int64_t since, until;  /* unix time, both inclusive; -1: open */
    struct look_term term[LOOK_TERMS];
    size_t count;
};

/* Adds the words of a text; kql: from:bob, subject:"a b",
 * received>=2026-01-31 are understood. Terms live in the arena. */
void look_parse(struct look *, struct arena *, struct slice text, bool kql);
/* Midnight of "2026-01-31..." as unix time; -1: not understood. */
int64_t look_day(const char *text);
bool look_fits(const struct look *, const struct message *);
/* At most `room` of them; how many. */
size_t look_all(const struct look *, struct user *, struct message **out,
                size_t room);

#endif
