/*
 * Policy documents: where they are, read as a tree.
 */
#ifndef SEALPOST_SANDBOX_POLICY_H
#define SEALPOST_SANDBOX_POLICY_H

#include <stdbool.h>

#include "base/arena.h"

struct sandbox;
struct wbxml_node;

#define POLICY_HASH 17

/* What the policy says of mail that is not S/MIME (MS-ASPROV). */
struct policy_limits {
    bool no_files;
    long max_file;   /* bytes; 0 none */
    long text, html; /* bytes; -1 none */
};
struct call;
/* Of the caller's document; false: it has no limits. */
bool policy_limits(struct call *, struct policy_limits *out);

/* The place of a user's own document, of everybody's with NULL. Yours. */
char *policy_path(struct sandbox *, const char *address);
void policy_hash(const char *text, char out[POLICY_HASH]);
/* Its EASProvisionDoc in the arena; NULL: it is not understood. */
const struct wbxml_node *policy_parse(struct arena *, const char *text);

#endif
