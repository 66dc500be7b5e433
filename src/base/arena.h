/*
 * One arena per unit of work: parsed things live in it and die with it at
 * once. Not for secrets.
 */
#ifndef SEALPOST_BASE_ARENA_H
#define SEALPOST_BASE_ARENA_H

#include <stddef.h>

#include "base/slice.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena **a);
/* Gives everything back at once; the arena stays usable. */
void arena_reset(struct arena *a);

/* Aligned for any type; zeroed. */
void *arena_alloc(struct arena *a, size_t n)
    __attribute__((returns_nonnull));
char *arena_strdup(struct arena *a, const char *s);
/* Terminated copy of a slice. */
char *arena_dup(struct arena *a, struct slice s);
struct slice arena_slice(struct arena *a, struct slice s);
char *arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Bytes handed out so far, for callers that bound a unit of work. */
size_t arena_used(const struct arena *a);

#endif
