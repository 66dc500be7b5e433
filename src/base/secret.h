/*
 * PINs, passwords, tokens and keys: heap bytes that are kept out of swap
 * where the system allows it, left out of core dumps, and wiped when given
 * back. Never put one into an arena, a log or a plain buf.
 */
#ifndef SEALPOST_BASE_SECRET_H
#define SEALPOST_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* data is terminated by a zero byte that does not count; NULL when unset. */
struct secret {
    char *data;
    size_t len;
};

void secret_set(struct secret *s, const void *p, size_t n); /* copies */
void secret_copy(struct secret *to, const struct secret *from);
void secret_clear(struct secret *s); /* wipes; safe on a zeroed struct */
/* Borrowed. */
struct slice secret_slice(const struct secret *s);
/* Time does not depend on the bytes (it may on the length). */
bool secret_is(const struct secret *s, const void *p, size_t n);

#endif
