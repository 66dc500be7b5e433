/*
 * Open views in memory, least recently used ones go first. They are made anew
 * from the ciphertext when they are asked for again. What nobody has asked
 * for in two minutes goes as well: plaintext stays no longer than it helps,
 * and a daemon at rest holds little memory.
 */
#include "view/private.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/now.h"
#include "mime/message.h"

#define OVERHEAD ((size_t)4500) /* of the parsed structure, at least */
#define OLD_MS ((int64_t)120000)
#define LOOK_MS ((int64_t)30000)

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

static struct view **
bucket_of(struct views *vs, int64_t message)
{
    return &vs->buckets[(uint64_t)message % VIEW_BUCKETS];
}

static void
cache_remove(struct views *vs, struct view *v)
{
    struct view **at = bucket_of(vs, v->message);

    while (*at != v)
        at = &(*at)->same;
    *at = v->same;
    list_remove(&v->node);
    v->cached = false;
    vs->cache_used -= v->len + OVERHEAD;
    view_unref(&v);
}

struct view *
view_cache_find(struct views *vs, int64_t message)
{
    struct view *v = *bucket_of(vs, message);

    while (v && v->message != message)
        v = v->same;
    if (!v)
        return NULL;
    list_remove(&v->node);
    list_add_first(&vs->cache, &v->node);
    v->used = now_ms();
    return view_ref(v);
}

void
view_cache_old(void *arg)
{
    struct views *vs = arg;
    int64_t now = now_ms();

    while (!list_is_empty(&vs->cache)) {
        struct view *v = LIST_OBJECT(vs->cache.prev, struct view, node);

        if (now - v->used < OLD_MS) {
            loop_timer_set(&vs->old, LOOK_MS);
            return;
        }
        cache_remove(vs, v);
    }
}

void
view_cache_add(struct views *vs, struct view *v)
{
    if (v->cached || v->len > vs->cache_limit / 2)
        return;
    while (!list_is_empty(&vs->cache) &&
           vs->cache_used + v->len + OVERHEAD > vs->cache_limit)
        cache_remove(vs, LIST_OBJECT(vs->cache.prev, struct view, node));
    view_ref(v);
    v->cached = true;
    v->used = now_ms();
    if (!loop_timer_is_set(&vs->old))
        loop_timer_set(&vs->old, LOOK_MS);
    list_add_first(&vs->cache, &v->node);
    v->same = *bucket_of(vs, v->message);
    *bucket_of(vs, v->message) = v;
    vs->cache_used += v->len + OVERHEAD;
}

void
view_cache_drop(struct views *vs, int64_t message)
{
    struct view *v = *bucket_of(vs, message), *next;

    for (; v; v = next) {
        next = v->same;
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
