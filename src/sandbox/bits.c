/*
 * Sets of message numbers, and the lists that say what a device knows.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sandbox/device.h"

bool
bits_has(const struct bits *b, uint32_t at)
{
    return at / 8 < b->n && (b->p[at / 8] >> (at % 8) & 1);
}

void
bits_set(struct bits *b, uint32_t at, bool on)
{
    size_t need = at / 8 + 1;

    if (need > b->n) {
        size_t n = need < 2 * b->n ? 2 * b->n : need + 16;

        if (!on)
            return;
        b->p = xrealloc(b->p, n);
        memset(b->p + b->n, 0, n - b->n);
        b->n = n;
    }
    if (on)
        b->p[at / 8] |= (uint8_t)(1u << (at % 8));
    else
        b->p[at / 8] &= (uint8_t)~(1u << (at % 8));
}

void
bits_copy(struct bits *to, const struct bits *from)
{
    uint8_t *p = from->n ? xmemdup(from->p, from->n) : NULL;

    free(to->p);
    *to = (struct bits){p, from->n};
}

void
bits_clear(struct bits *b)
{
    free(b->p);
    *b = (struct bits){NULL, 0};
}

/* ---- points */

void
point_clear(struct point *p)
{
    bits_clear(&p->known);
    *p = (struct point){0};
}

void
point_move(struct point *to, struct point *from)
{
    if (to == from)
        return;
    point_clear(to);
    *to = *from;
    *from = (struct point){0};
}

void
point_copy(struct point *to, const struct point *from)
{
    struct bits known = {NULL, 0};

    bits_copy(&known, &from->known);
    point_clear(to);
    *to = *from;
    to->known = known;
}

void
outcomes_clear(struct collection *c)
{
    for (size_t i = 0; i < c->outcome_count; i++)
        free(c->outcomes[i].id);
    free(c->outcomes);
    c->outcomes = NULL;
    c->outcome_count = 0;
}

void
outcome_add(struct collection *c, char kind, const char *id, int status,
            uint32_t uid)
{
    c->outcomes = xrealloc(c->outcomes,
                           (c->outcome_count + 1) * sizeof *c->outcomes);
    c->outcomes[c->outcome_count++] =
        (struct outcome){kind, xstrdup(id), status, uid};
}

/* ---- the folders it was told of */

const struct told *
hierarchy_find(const struct hierarchy *h, uint32_t id)
{
    for (size_t i = 0; i < h->count; i++)
        if (h->list[i].id == id)
            return &h->list[i];
    return NULL;
}

void
hierarchy_set(struct hierarchy *h, uint32_t id, uint64_t seq)
{
    for (size_t i = 0; i < h->count; i++)
        if (h->list[i].id == id) {
            h->list[i].seq = seq;
            return;
        }
    h->list = xrealloc(h->list, (h->count + 1) * sizeof *h->list);
    h->list[h->count++] = (struct told){id, seq};
}

void
hierarchy_remove(struct hierarchy *h, uint32_t id)
{
    for (size_t i = 0; i < h->count; i++)
        if (h->list[i].id == id) {
            h->list[i] = h->list[--h->count];
            return;
        }
}

void
hierarchy_copy(struct hierarchy *to, const struct hierarchy *from)
{
    struct told *list =
        from->count ? xmemdup(from->list, from->count * sizeof *list) : NULL;

    free(to->list);
    *to = (struct hierarchy){from->key, list, from->count};
}
