/*
 * The tables of one folder: its messages by number and by file name, and the
 * log of what changed when. Pure memory; folder.c changes files, index.c
 * keeps it all on disk.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sandbox/mail.h"

size_t
table_base(const char *name)
{
    const char *colon = strchr(name, ':');

    return colon ? (size_t)(colon - name) : strlen(name);
}

/* FNV-1a. */
static size_t
name_hash(const char *p, size_t n)
{
    uint64_t h = 1469598103934665603u;

    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)p[i]) * 1099511628211u;
    return (size_t)h;
}

static void
table_grow(struct folder *f)
{
    size_t size = f->table_size ? f->table_size * 2 : 64;
    struct message **table = xcalloc(size, sizeof(struct message *));
    struct message *m, *after;

    for (size_t i = 0; i < f->table_size; i++)
        for (m = f->table[i]; m; m = after) {
            size_t at = name_hash(m->name, table_base(m->name)) & (size - 1);

            after = m->chain;
            m->chain = table[at];
            table[at] = m;
        }
    free(f->table);
    f->table = table;
    f->table_size = size;
}

void
table_add(struct folder *f, struct message *m)
{
    size_t at;

    if (f->count >= f->table_size)
        table_grow(f);
    at = name_hash(m->name, table_base(m->name)) & (f->table_size - 1);
    m->chain = f->table[at];
    f->table[at] = m;
}

void
table_remove(struct folder *f, struct message *m)
{
    size_t at = name_hash(m->name, table_base(m->name)) & (f->table_size - 1);

    for (struct message **p = &f->table[at]; *p; p = &(*p)->chain)
        if (*p == m) {
            *p = m->chain;
            return;
        }
}

struct message *
folder_find_name(struct folder *f, const char *base, size_t n)
{
    struct message *m;

    if (!f->table_size)
        return NULL;
    m = f->table[name_hash(base, n) & (f->table_size - 1)];
    while (m && (table_base(m->name) != n || memcmp(m->name, base, n) != 0))
        m = m->chain;
    return m;
}

struct message *
folder_find(struct folder *f, uint32_t uid)
{
    struct message *m = uid && uid <= f->count ? f->list[uid - 1] : NULL;

    return m && !m->gone ? m : NULL;
}

struct message *
folder_find_client(struct folder *f, const char *client)
{
    for (uint32_t i = f->count; i > 0; i--)
        if (!strcmp(f->list[i - 1]->client, client))
            return f->list[i - 1];
    return NULL;
}

struct message *
table_append(struct folder *f)
{
    struct message *m = xcalloc(1, sizeof *m);

    if (f->count == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 64;
        f->list = xrealloc(f->list, f->cap * sizeof(struct message *));
    }
    f->list[f->count++] = m;
    m->uid = f->count;
    m->folder = f;
    /* After ids_renew() the numbers run on behind the new ones. */
    ids_set(f, m, m->uid > f->last_id ? m->uid : f->last_id + 1);
    m->name = xstrdup("");
    m->flag_lines = xstrdup("");
    m->category_lines = xstrdup("");
    m->client = xstrdup("");
    return m;
}

void
table_message_free(struct message *m)
{
    free(m->name);
    free(m->flag_lines);
    free(m->category_lines);
    free(m->client);
    listing_free(&m->listing);
    free(m);
}

void
table_log(struct folder *f, struct message *m, char kind, uint64_t seq)
{
    if (f->log_count == f->log_cap) {
        f->log_cap = f->log_cap ? f->log_cap * 2 : 64;
        f->log = xrealloc(f->log, f->log_cap * sizeof *f->log);
    }
    f->log[f->log_count++] = (struct log_entry){seq, m->uid, kind};
    if (seq > f->last_seq)
        f->last_seq = seq;
    if (kind == 'a' && seq > f->last_added)
        f->last_added = seq;
}

size_t
folder_log_after(const struct folder *f, uint64_t seq)
{
    size_t low = 0, high = f->log_count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (f->log[mid].seq <= seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}
