/*
 * A small bounded tree of one document, for the answers that fit in memory
 * (all but Sync and ItemOperations do). Lives in the caller's arena.
 *
 * Paths are tags ended by 0: wbxml_find(root, FOLDER_CHANGES, FOLDER_COUNT, 0).
 */
#ifndef SEALPOST_WBXML_TREE_H
#define SEALPOST_WBXML_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "wbxml/tags.h"

struct wbxml_node {
    unsigned tag;
    struct slice text; /* all strings and opaques directly inside, in order;
                          terminated by a zero byte that does not count */
    struct wbxml_node *parent, *next, *child, *last_child;
};

struct wbxml_tree_limits {
    size_t bytes;   /* 0: 16 MiB */
    size_t nodes;   /* 0: 100000 */
    unsigned depth; /* 0: 32 */
};

/* *root_out is set only when all of the document was right. limits may be
 * NULL. E_INPUT, E_LIMIT. */
int wbxml_tree_parse(struct arena *a, struct slice doc,
                     const struct wbxml_tree_limits *limits,
                     struct wbxml_node **root_out, struct err *e);

/* Builds a tree from events: the handlers for a reader, when the document
 * arrives in pieces or only an element of it is wanted as a tree. */
struct wbxml_builder {
    struct arena *arena;
    struct wbxml_node *root, *at; /* root is complete when at is NULL */
    struct buf text;              /* of the element that is open */
    size_t nodes, max_nodes;
};
void wbxml_builder_init(struct wbxml_builder *b, struct arena *a,
                        size_t max_nodes, size_t max_text);
int wbxml_builder_start(struct wbxml_builder *b, unsigned tag, struct err *e);
int wbxml_builder_bytes(struct wbxml_builder *b, struct slice s,
                        struct err *e);
int wbxml_builder_end(struct wbxml_builder *b, struct err *e);
void wbxml_builder_clear(struct wbxml_builder *b);

/* The first element at the path below `n`, NULL if absent; n may be NULL. */
const struct wbxml_node *wbxml_find(const struct wbxml_node *n, ...);
/* The next sibling with the same tag, or NULL. */
const struct wbxml_node *wbxml_again(const struct wbxml_node *n);
/* Its text; an absent element has SLICE_NONE (p == NULL), an empty one an
 * empty slice with p != NULL. */
struct slice wbxml_text(const struct wbxml_node *n, ...);
/* Its decimal number (blanks around allowed); `absent` if it is not there or
 * is no number. */
long wbxml_number(const struct wbxml_node *n, long absent, ...);
bool wbxml_has(const struct wbxml_node *n, ...);

#endif
