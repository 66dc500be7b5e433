/*
 * The stage: what one answer of Sync said, kept until the answer is complete
 * and booked. Called by room sync through store/message.h.
 *
 * It needs no durability, since what a broken answer or a crash leaves is
 * thrown away and asked for again with the old key. So it lives in memory,
 * and only what goes over a megabyte (servers that ignore the window) goes to
 * the disk, a row for each megabyte. Rows for each item would go through the
 * WAL twice, once here and once as a message.
 */
#include "store/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/private.h"

#define CHUNK ((size_t)1 << 20)
#define CHUNK_LIMIT ((size_t)8 << 20) /* an item is 1 MiB at most, packed */
#define NTEXTS 8u

/* An item as it lies in a chunk; its texts with their NULs and the bytes of
 * the thread follow. Read by the process that wrote it. */
struct packed {
    int64_t received;
    uint64_t estimated_size;
    size_t next; /* offset of the item behind */
    uint32_t length[NTEXTS], thread;
    unsigned has;
    int kind, last_verb;
    bool read, flagged, draft;
};

static struct store_stage *
stage_of(struct store *s, int64_t folder)
{
    struct list *n, *after;

    LIST_EACH(&s->stages, n, after) {
        struct store_stage *t = LIST_OBJECT(n, struct store_stage, node);

        if (t->folder == folder)
            return t;
    }
    return NULL;
}

static struct store_stage *
stage_new(struct store *s, int64_t folder)
{
    struct store_stage *t = xcalloc(1, sizeof *t);

    t->folder = folder;
    buf_init(&t->items, CHUNK_LIMIT);
    buf_init(&t->read, CHUNK_LIMIT);
    list_add(&s->stages, &t->node);
    return t;
}

static void
stage_free(struct store_stage *t)
{
    list_remove(&t->node);
    buf_clear(&t->items);
    buf_clear(&t->read);
    free(t);
}

static int
chunk_save(struct store *s, struct store_stage *t, struct err *e)
{
    if (store_begin(s, e))
        return -1;
    if (db_run(s->db, e, "INSERT INTO stage VALUES(?, ?, ?)", "iib", t->folder,
               t->chunk, buf_slice(&t->items))) {
        store_rollback(s);
        return -1;
    }
    if (store_commit(s, e))
        return -1;
    t->chunk++;
    buf_reset(&t->items);
    return 0;
}

int
store_stage_add(struct store *s, int64_t folder, int kind,
                const struct store_item *it, struct err *e)
{
    const char *const texts[NTEXTS] = {
        it->server_id, it->from,          it->to,          it->cc,
        it->subject,   it->message_class, it->flag_detail, it->categories,
    };
    struct store_stage *t = stage_of(s, folder);
    struct packed p = {
        .received = it->received,
        .estimated_size = it->estimated_size,
        .thread = (uint32_t)it->thread.n,
        .has = it->has,
        .kind = kind,
        .last_verb = it->last_verb,
        .read = it->read,
        .flagged = it->flagged,
        .draft = it->draft,
    };
    size_t start;

    if (!t)
        t = stage_new(s, folder);
    if (t->items.len >= CHUNK && chunk_save(s, t, e))
        return -1;
    start = t->items.len;
    p.next = start + sizeof p + it->thread.n;
    for (unsigned i = 0; i < NTEXTS; i++) {
        p.length[i] = texts[i] ? (uint32_t)strlen(texts[i]) + 1 : 0;
        p.next += p.length[i];
    }
    buf_add(&t->items, &p, sizeof p);
    for (unsigned i = 0; i < NTEXTS; i++)
        buf_add(&t->items, texts[i], p.length[i]);
    buf_add(&t->items, it->thread.p, it->thread.n);
    if (t->items.over)
        return err_set(e, E_LIMIT, "an item of the folder is too large");
    return 0;
}

/* The chunk that the position is in. 1, 0 behind the last one, -1. */
static int
chunk_load(struct store *s, struct store_stage *t, int64_t chunk,
           struct slice *out, struct err *e)
{
    sqlite3_stmt *q;
    int rc;

    if (chunk >= t->chunk) {
        *out = buf_slice(&t->items);
        return chunk == t->chunk;
    }
    if (t->loaded != chunk + 1) {
        q = db_query(s->db, e, "SELECT items FROM stage WHERE folder = ? AND"
                               " seq = ?", "ii", t->folder, chunk);
        rc = q ? db_step(s->db, q, e) : -1;
        if (rc != 1)
            return rc ? rc : err_set(e, E_BUG, "a piece of the stage is gone");
        buf_reset(&t->read);
        buf_add(&t->read, sqlite3_column_blob(q, 0),
                (size_t)sqlite3_column_bytes(q, 0));
        db_done(q);
        t->loaded = chunk + 1;
    }
    *out = buf_slice(&t->read);
    return 1;
}

static void
item_unpack(const struct packed *p, const char *at, struct store_item *it)
{
    const char **const texts[NTEXTS] = {
        &it->server_id, &it->from,          &it->to,          &it->cc,
        &it->subject,   &it->message_class, &it->flag_detail, &it->categories,
    };

    *it = (struct store_item){
        .has = p->has,
        .received = p->received,
        .read = p->read,
        .flagged = p->flagged,
        .draft = p->draft,
        .estimated_size = p->estimated_size,
        .last_verb = p->last_verb,
    };
    for (unsigned i = 0; i < NTEXTS; i++) {
        *texts[i] = p->length[i] ? at : NULL; /* not told */
        at += p->length[i];
    }
    it->thread = slice_make(at, p->thread);
    if (!it->server_id)
        it->server_id = "";
    if (!it->categories)
        it->categories = "";
}

int
store_stage_next(struct store *s, int64_t folder, int64_t *pos, int *kind,
                 struct store_item *it, struct err *e)
{
    int64_t chunk = *pos >> 32;
    size_t at = (size_t)(*pos & UINT32_MAX);
    struct store_stage *t = stage_of(s, folder);
    struct slice items;
    struct packed p;
    int rc;

    if (!t)
        return 0;
    rc = chunk_load(s, t, chunk, &items, e);
    if (rc == 1 && at == items.n && chunk < t->chunk) {
        at = 0;
        rc = chunk_load(s, t, ++chunk, &items, e);
    }
    if (rc <= 0 || at == items.n)
        return rc < 0 ? -1 : 0;
    memcpy(&p, items.p + at, sizeof p); /* not aligned */
    item_unpack(&p, items.p + at + sizeof p, it);
    *kind = p.kind;
    *pos = chunk << 32 | (int64_t)p.next;
    return 1;
}

void
store_stage_init(struct store *s)
{
    list_init(&s->stages);
}

void
store_stage_free(struct store *s)
{
    while (!list_is_empty(&s->stages))
        stage_free(LIST_OBJECT(s->stages.next, struct store_stage, node));
}

int
store_stage_clear(struct store *s, int64_t folder, struct err *e)
{
    struct store_stage *t = stage_of(s, folder);

    if (db_run(s->db, e, "DELETE FROM stage WHERE folder = ?", "i", folder))
        return -1;
    if (t)
        stage_free(t);
    return 0;
}
