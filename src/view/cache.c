/*
 * Open views in memory, least recently used ones go first. They are made anew
 * from the ciphertext when they are asked for again.
 */
#include "view/private.h"

#include <stdlib.h>

#include "base/mem.h"
#include "mime/message.h"

struct view *
view_ref(struct view *v)
{
    v->refs++;
    return v;
}

void
view_unref(struct view **vp)
{
    struct view *v = *vp;

    *vp = NULL;
    if (!v || --v->refs)
        return;
    mime_message_free(&v->mime);
    mem_wipe(v->bytes, v->len);
    free(v->bytes);
    free(v);
}

struct slice
view_bytes(const struct view *v)
{
    return slice_make(v->bytes, v->len);
}

const struct mime_message *
view_mime(const struct view *v)
{
    return v->mime;
}

int64_t
view_message(const struct view *v)
{
    return v->message;
}

static void
cache_remove(struct views *vs, struct view *v)
{
    list_remove(&v->node);
    v->cached = false;
    vs->cache_used -= v->len;
    view_unref(&v);
}

struct view *
view_cache_find(struct views *vs, int64_t message)
{
    struct list *n, *after;

    LIST_EACH(&vs->cache, n, after) {
        struct view *v = LIST_OBJECT(n, struct view, node);

        if (v->message != message)
            continue;
        list_remove(n);
        list_add_first(&vs->cache, n);
        return view_ref(v);
    }
    return NULL;
}

void
view_cache_add(struct views *vs, struct view *v)
{
    if (v->cached || v->len > vs->cache_limit / 2)
        return;
    while (vs->cache_used + v->len > vs->cache_limit)
        cache_remove(vs, LIST_OBJECT(vs->cache.prev, struct view, node));
    view_ref(v);
    v->cached = true;
    list_add_first(&vs->cache, &v->node);
    vs->cache_used += v->len;
}

void
view_cache_drop(struct views *vs, int64_t message)
{
    struct list *n, *after;

    LIST_EACH(&vs->cache, n, after) {
        struct view *v = LIST_OBJECT(n, struct view, node);

        if (v->message == message)
            cache_remove(vs, v);
    }
}

void
view_cache_clear(struct views *vs)
{
    while (!list_is_empty(&vs->cache))
        cache_remove(vs, LIST_OBJECT(vs->cache.next, struct view, node));
}
