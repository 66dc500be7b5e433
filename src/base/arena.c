/*
 * A chain of blocks, each filled from the front. Large pieces get a block of
 * their own, so that a small block in use is not given up for them.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BLOCK_SIZE ((size_t)4000)

struct block {
    struct block *next;
    size_t used, size;
    alignas(max_align_t) char data[];
};

struct arena {
    struct block *blocks; /* the first one is being filled */
    size_t used;
};

struct arena *
arena_new(void)
{
    return xcalloc(1, sizeof(struct arena));
}

void
arena_reset(struct arena *a)
{
    struct block *b, *next;

    for (b = a->blocks; b; b = next) {
        next = b->next;
        free(b);
    }
    a->blocks = NULL;
    a->used = 0;
}

void
arena_free(struct arena **a)
{
    if (!*a)
        return;
    arena_reset(*a);
    free(*a);
    *a = NULL;
}

static struct block *
block_add(struct arena *a, size_t size)
{
    struct block *b = xmalloc(sizeof *b + size);

    b->used = 0;
    b->size = size;
    if (a->blocks && size > BLOCK_SIZE) {
        b->next = a->blocks->next;
        a->blocks->next = b;
    } else {
        b->next = a->blocks;
        a->blocks = b;
    }
    return b;
}

void *
arena_alloc(struct arena *a, size_t n)
{
    size_t align = alignof(max_align_t);
    size_t size = (n + align - 1) / align * align;
    struct block *b = a->blocks;
    void *p;

    if (size < n)
        abort();
    if (!b || b->size - b->used < size)
        b = block_add(a, size > BLOCK_SIZE / 4 ? size : BLOCK_SIZE);
    p = b->data + b->used;
    b->used += size;
    a->used += size;
    memset(p, 0, n);
    return p;
}

char *
arena_dup(struct arena *a, struct slice s)
{
    char *p = arena_alloc(a, s.n + 1);

    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

char *
arena_strdup(struct arena *a, const char *s)
{
    return arena_dup(a, slice_of(s));
}

struct slice
arena_slice(struct arena *a, struct slice s)
{
    return (struct slice){arena_dup(a, s), s.n};
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    char *heap, *p;

    va_start(ap, fmt);
    heap = xvasprintf(fmt, ap);
    va_end(ap);
    p = arena_strdup(a, heap);
    free(heap);
    return p;
}

size_t
arena_used(const struct arena *a)
{
    return a->used;
}
