/*
 * Policy documents: where they are, read as a tree.
 */
#ifndef SEALPOST_SANDBOX_POLICY_H
#define SEALPOST_SANDBOX_POLICY_H

#include "base/arena.h"

struct sandbox;
struct wbxml_node;

#define POLICY_HASH 17

/* The place of a user's own document, of everybody's with NULL. Yours. */
char *policy_path(struct sandbox *, const char *address);
void policy_hash(const char *text, char out[POLICY_HASH]);
/* Its EASProvisionDoc in the arena; NULL: it is not understood. */
const struct wbxml_node *policy_parse(struct arena *, const char *text);

#endif
