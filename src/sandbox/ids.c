/*
 * ServerIds of messages. A message's place in its folder (`uid`) never
 * changes and is never used again; the id under which devices know it is
 * usually the same number, but servers exist that renumber, and that give a
 * deleted message's id to a new one. "FOLDER:ID", or ID alone with small-ids.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sandbox/call.h"
#include "sandbox/server.h"

static bool
is_small(struct sandbox *s, const struct folder *f)
{
    return mischief_quirk(s->mischief, f->user, "*", QUIRK_SMALL_IDS, f, NULL,
                          NULL);
}

void
id_write(struct sandbox *s, const struct message *m, char out[ID_SIZE])
{
    if (is_small(s, m->folder))
        snprintf(out, ID_SIZE, "%u", m->id);
    else
        snprintf(out, ID_SIZE, "%u:%u", m->folder->id, m->id);
}

bool
id_read(struct sandbox *s, struct folder *f, struct slice id,
        uint32_t *number_out)
{
    struct slice folder;
    uint32_t number;

    if (is_small(s, f))
        return slice_u32(id, number_out);
    return slice_next(&id, ':', &folder) && id.p &&
           slice_u32(folder, &number) && number == f->id &&
           slice_u32(id, number_out);
}

/* ---- the table id -> uid of a folder */

#define ID_MAX (1u << 26)

void
ids_set(struct folder *f, struct message *m, uint32_t id)
{
    if (!id || id > ID_MAX)
        id = m->uid;
    if (id >= f->ids_size) {
        size_t size = f->ids_size ? f->ids_size : 64;

        while (size <= id)
            size *= 2;
        f->ids = xrealloc(f->ids, size * sizeof *f->ids);
        for (size_t i = f->ids_size; i < size; i++)
            f->ids[i] = 0;
        f->ids_size = size;
    }
    /* A former holder of this id is gone; who holds another one keeps it. */
    if (m->id && m->id < f->ids_size && f->ids[m->id] == m->uid)
        f->ids[m->id] = 0;
    m->id = id;
    f->ids[id] = m->uid;
    if (id > f->last_id)
        f->last_id = id;
}

struct message *
folder_find_id_any(struct folder *f, uint32_t id)
{
    uint32_t uid = id < f->ids_size ? f->ids[id] : 0;

    return uid && uid <= f->count ? f->list[uid - 1] : NULL;
}

struct message *
folder_find_id(struct folder *f, uint32_t id)
{
    struct message *m = folder_find_id_any(f, id);

    return m && !m->gone ? m : NULL;
}

/* The newest message takes the id of a deleted one, if there is any. */
void
ids_reuse(struct message *m)
{
    struct folder *f = m->folder;

    for (uint32_t id = 1; id < f->ids_size && id < m->id; id++) {
        struct message *was = folder_find_id_any(f, id);

        if (was && was->gone) {
            ids_set(f, m, id);
            return;
        }
    }
}

void
ids_renew(struct folder *f)
{
    uint32_t next = f->last_id + 1000;

    for (uint32_t i = 0; i < f->count; i++)
        if (!f->list[i]->gone) {
            ids_set(f, f->list[i], next++);
            index_note(f->list[i]);
        }
}

/* The first gets the last one's and so on. */
void
ids_swap(struct folder *f)
{
    uint32_t a = 0, b = f->count;

    for (; a < b; a++) {
        struct message *first = f->list[a], *last;
        uint32_t id = first->id;

        if (first->gone)
            continue;
        while (--b > a && f->list[b]->gone)
            ;
        if (b <= a)
            break;
        last = f->list[b];
        ids_set(f, first, last->id);
        ids_set(f, last, id);
        index_note(first);
        index_note(last);
    }
}
