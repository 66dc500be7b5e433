/*
 * Intrusive doubly linked lists: the node sits in the object.
 */
#ifndef SEALPOST_BASE_LIST_H
#define SEALPOST_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define LIST_INIT(name) {&(name), &(name)}
/* The object around a node. */
#define LIST_OBJECT(node, type, member) \
    ((type *)(void *)((char *)(node) - offsetof(type, member)))
/* The current node may be removed inside the loop, its successor may not. */
#define LIST_EACH(head, node, after)                           \
    for ((node) = (head)->next; (after) = (node)->next,        \
        (node) != (head); (node) = (after))

static inline void
list_init(struct list *head)
{
    head->next = head->prev = head;
}

static inline bool
list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline void
list_add_after(struct list *at, struct list *node)
{
    node->prev = at;
    node->next = at->next;
    at->next->prev = node;
    at->next = node;
}

/* At the end. */
static inline void
list_add(struct list *head, struct list *node)
{
    list_add_after(head->prev, node);
}

static inline void
list_add_first(struct list *head, struct list *node)
{
    list_add_after(head, node);
}

/* A node that is in no list, but was initialised, may be removed again. */
static inline void
list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#endif
