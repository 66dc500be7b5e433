/*
 * A message as servers give it out that keep no MIME but make it anew at each
 * fetch: other boundaries, other fields, perhaps another Message-ID. Only the
 * outermost boundary changes, so that what a signature covers stays.
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/code.h"
#include "base/mem.h"
#include "mime/header.h"
#include "mime/write.h"
#include "sandbox/call.h"

#define BOUNDARY_MIN 8 /* a shorter one may be anything else */

/* The value of boundary= in this Content-Type. */
static struct slice
boundary_of(const char *type)
{
    const char *at = type ? strcasestr(type, "boundary=") : NULL;

    if (!at)
        return SLICE_NONE;
    at += strlen("boundary=");
    if (*at == '"')
        return slice_make(at + 1, strcspn(at + 1, "\""));
    return slice_make(at, strcspn(at, "; \t\r\n"));
}

/* Every place of `what` becomes `by`, which is as long. */
static void
replace(struct buf *b, struct slice what, const char *by)
{
    char *at = b->data, *end = b->data + b->len;

    while (at < end && (at = memmem(at, (size_t)(end - at), what.p, what.n))) {
        memcpy(at, by, what.n);
        at += what.n;
    }
}

static void
boundary_change(struct buf *b, struct slice header, struct arena *a)
{
    struct slice was =
        boundary_of(mime_header_value(header, "content-type", a));
    char fresh[257];

    if (was.n < BOUNDARY_MIN || was.n > 200)
        return;
    code_random_hex(fresh, 128);
    was = arena_slice(a, was); /* not the bytes that are replaced */
    replace(b, was, fresh);
}

int
rebuild(struct slice raw, bool boundary, const char *message_id,
        struct buf *out, struct err *e)
{
    struct slice header = slice_cut(raw, 0, mime_header_length(raw));
    struct arena *a = arena_new();
    struct mime_change changes[2];
    char fresh[33], field[80], id[400];
    size_t n = 0;
    int rc;

    if (boundary) {
        code_random_hex(fresh, 16);
        snprintf(field, sizeof field, "X-Rebuilt: %s\r\n", fresh);
        changes[n++] =
            (struct mime_change){.name = "x-rebuilt", .field = slice_of(field)};
    }
    if (message_id) {
        snprintf(id, sizeof id, "Message-ID: %.300s\r\n", message_id);
        changes[n++] =
            (struct mime_change){.name = "message-id", .field = slice_of(id)};
    }
    rc = n ? mime_write_changed(raw, changes, n, out, e)
           : buf_add_slice(out, raw);
    if (!rc && boundary)
        boundary_change(out, header, a);
    arena_free(&a);
    return rc;
}

void
rebuild_message_id(const struct message *m, char *out, size_t size)
{
    snprintf(out, size, "<%u.%u@replaced.sandbox.invalid>", m->uid,
             m->folder->id);
}
