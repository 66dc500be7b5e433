/*
 * FolderSync, FolderCreate, FolderUpdate, FolderDelete (MS-ASCMD 2.2.1.3-6).
 * They share one key. What a device was told of is kept folder by folder, so
 * the answer is the difference between that and what there is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "sandbox/call.h"

/* ---- keys */

/* The state that the request starts from; NULL: not a key of ours. */
static const struct hierarchy *
base_find(struct call *c)
{
    struct device *d = c->device;
    uint32_t key;

    if (!slice_u32(wbxml_text(c->root, FOLDER_SYNC_KEY, 0), &key) || !key)
        return NULL;
    if (key == d->folders.key)
        return &d->folders;
    if (key == d->folders_before.key)
        return &d->folders_before;
    if (device_has_retired(d, key))
        call_note_breach(c, "SyncKey %u is used again", key);
    return NULL;
}

/* The next state becomes the newest, what it was made from the one before. */
static void
advance(struct call *c, const struct hierarchy *base, struct hierarchy *next)
{
    struct device *d = c->device;
    struct err e;

    next->key = device_key(d);
    device_retire(d, base == &d->folders_before ? d->folders.key
                                                : d->folders_before.key);
    if (base != &d->folders_before) {
        free(d->folders_before.list);
        d->folders_before = d->folders;
    } else {
        free(d->folders.list);
    }
    d->folders = *next;
    d->made = 0;
    if (device_save(d, &e))
        log_error("folders", "%s", e.text);
}

static void
write_key(struct call *c, uint32_t key)
{
    char text[16];

    snprintf(text, sizeof text, "%u", key);
    wbxml_write_text(&c->w, FOLDER_SYNC_KEY, text);
}

static enum answer
answer_key(struct call *c)
{
    call_start(c, 1);
    write_key(c, c->device->folders.key);
    wbxml_write_end(&c->w);
    return ANSWER_WBXML;
}

static void
write_number_text(struct call *c, unsigned tag, uint32_t n)
{
    char text[16];

    snprintf(text, sizeof text, "%u", n);
    wbxml_write_text(&c->w, tag, text);
}

/* ---- FolderSync */

static void
write_folder(struct call *c, unsigned tag, const struct folder *f)
{
    wbxml_write_start(&c->w, tag);
    write_number_text(c, FOLDER_SERVER_ID, f->id);
    write_number_text(c, FOLDER_PARENT_ID, f->parent);
    wbxml_write_text(&c->w, FOLDER_DISPLAY_NAME, f->name);
    wbxml_write_number(&c->w, FOLDER_TYPE, f->type);
    wbxml_write_end(&c->w);
}

/* The new state is left in next, or (next == NULL) it is all written. */
static unsigned
differences(struct call *c, const struct hierarchy *was, struct hierarchy *next)
{
    struct list *n, *after;
    unsigned count = 0;

    for (size_t i = 0; i < was->count; i++)
        if (!tree_find(c->user, was->list[i].id)) {
            count++;
            if (next) {
                hierarchy_remove(next, was->list[i].id);
                continue;
            }
            wbxml_write_start(&c->w, FOLDER_DELETE);
            write_number_text(c, FOLDER_SERVER_ID, was->list[i].id);
            wbxml_write_end(&c->w);
        }
    LIST_EACH(&c->user->folders, n, after)
    {
        struct folder *f = LIST_OBJECT(n, struct folder, node);
        const struct told *t = hierarchy_find(was, f->id);

        if (t && t->seq == f->seq)
            continue;
        count++;
        if (next)
            hierarchy_set(next, f->id, f->seq);
        else
            write_folder(c, t ? FOLDER_UPDATE : FOLDER_ADD, f);
    }
    return count;
}

enum answer
cmd_folder_sync(struct call *c)
{
    static const struct hierarchy nothing;
    const struct hierarchy *base = base_find(c);
    struct hierarchy was = {0}, next = {0};
    unsigned count;

    if (slice_is(wbxml_text(c->root, FOLDER_SYNC_KEY, 0), "0"))
        base = &nothing;
    if (!base)
        return call_fail(c, 9);
    hierarchy_copy(&was, base);
    hierarchy_copy(&next, base);
    count = differences(c, &was, &next);
    /* Nothing new: the key stays, so that repeating costs nothing. */
    if (count || base == &nothing)
        advance(c, base, &next);
    else
        free(next.list);
    call_start(c, 1);
    write_key(c,
              count || base == &nothing ? c->device->folders.key : base->key);
    wbxml_write_start(&c->w, FOLDER_CHANGES);
    wbxml_write_number(&c->w, FOLDER_COUNT, count);
    differences(c, &was, NULL);
    wbxml_write_end(&c->w);
    wbxml_write_end(&c->w);
    free(was.list);
    return ANSWER_WBXML;
}

/* ---- the others */

/* A DisplayName free among its siblings? Then 0, else the status. */
static int
name_judge(struct call *c, uint32_t parent, const char *name,
           const struct folder *except)
{
    struct folder *other = tree_find_name(c->user, parent, name);

    if (parent && !tree_find(c->user, parent))
        return 5;
    return other && other != except ? 2 : 0;
}

/* ParentId: false when it is no number (then there is no such folder). */
static bool
parent_read(struct call *c, uint32_t *out)
{
    return slice_u32(wbxml_text(c->root, FOLDER_PARENT_ID, 0), out);
}

/* The answer to the same request was lost: it is given again. */
static bool
was_made(struct call *c, const struct hierarchy *base, uint32_t parent,
         const char *name)
{
    struct device *d = c->device;
    struct folder *f = d->made ? tree_find(c->user, d->made) : NULL;

    return base == &d->folders_before && f && f->parent == parent &&
           !strcmp(f->name, name);
}

enum answer
cmd_folder_create(struct call *c)
{
    const struct hierarchy *base = base_find(c);
    const char *name = wbxml_text(c->root, FOLDER_DISPLAY_NAME, 0).p;
    long type = wbxml_number(c->root, 0, FOLDER_TYPE, 0);
    struct hierarchy next = {0};
    struct folder *f;
    uint32_t parent, made;
    struct err e;
    int status;

    if (!base)
        return call_fail(c, 9);
    if (type != 1 && (type < 12 || type > 17))
        return call_breach(c, 10, "type %ld cannot be made", type);
    if (!parent_read(c, &parent))
        return call_fail(c, 5);
    made = c->device->made;
    if (!was_made(c, base, parent, name)) {
        if ((status = name_judge(c, parent, name, NULL)))
            return call_fail(c, status);
        if (type > 12) /* calendars and the like have no Maildir */
            return call_fail_why(c, 12, "type %ld is not served here", type);
        if (tree_create(c->user, parent, name, &f, &e))
            return call_fail_why(c, e.code == E_INPUT ? 2 : 6, "%.100s",
                                 e.text);
        made = f->id;
        hierarchy_copy(&next, base);
        hierarchy_set(&next, f->id, f->seq);
        advance(c, base, &next);
        c->device->made = made;
        device_save(c->device, &e);
    }
    call_start(c, 1);
    write_key(c, c->device->folders.key);
    write_number_text(c, FOLDER_SERVER_ID, made);
    wbxml_write_end(&c->w);
    return ANSWER_WBXML;
}

enum answer
cmd_folder_update(struct call *c)
{
    const struct hierarchy *base = base_find(c);
    struct folder *f = call_folder(c, wbxml_text(c->root, FOLDER_SERVER_ID, 0));
    const char *name = wbxml_text(c->root, FOLDER_DISPLAY_NAME, 0).p;
    struct hierarchy next = {0};
    struct folder *above;
    uint32_t parent;
    struct err e;
    int status;

    if (!base)
        return call_fail(c, 9);
    if (!f)
        return call_fail(c, 4);
    if (f->type != 12)
        return call_fail_why(c, 2, "a special folder");
    if (!parent_read(c, &parent))
        return call_fail(c, 5);
    if ((status = name_judge(c, parent, name, f)))
        return call_fail(c, status);
    above = parent ? tree_find(c->user, parent) : NULL;
    if (above && tree_is_below(above, f))
        return call_fail_why(c, 5, "a folder into itself");
    if ((strcmp(f->name, name) || f->parent != parent) &&
        tree_rename(f, parent, name, &e))
        return call_fail_why(c, e.code == E_INPUT ? 2 : 6, "%.100s", e.text);
    hierarchy_copy(&next, base);
    hierarchy_set(&next, f->id, f->seq);
    advance(c, base, &next);
    return answer_key(c);
}

enum answer
cmd_folder_delete(struct call *c)
{
    const struct hierarchy *base = base_find(c);
    struct slice id = wbxml_text(c->root, FOLDER_SERVER_ID, 0);
    struct folder *f = call_folder(c, id);
    struct hierarchy next = {0};
    uint32_t number;
    struct err e;

    if (!base)
        return call_fail(c, 9);
    /* Repeated, since its answer was lost. */
    if (!f && base == &c->device->folders_before && slice_u32(id, &number) &&
        hierarchy_find(base, number) &&
        !hierarchy_find(&c->device->folders, number))
        return answer_key(c);
    if (!f)
        return call_fail(c, 4);
    if (f->type != 12)
        return call_fail_why(c, 3, "a special folder");
    number = f->id;
    hierarchy_copy(&next, base);
    for (struct list *n = c->user->folders.next; n != &c->user->folders;
         n = n->next) {
        struct folder *below = LIST_OBJECT(n, struct folder, node);

        if (tree_is_below(below, f))
            hierarchy_remove(&next, below->id);
    }
    if (tree_delete(f, &e)) {
        free(next.list);
        return call_fail_why(c, 6, "%.100s", e.text);
    }
    advance(c, base, &next);
    return answer_key(c);
}
