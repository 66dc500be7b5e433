/*
 * What is due of each folder, and when: the marks that a round works off.
 */
#include "sync/private.h"

#include <string.h>

#include "base/mem.h"
#include "base/now.h"

#define SOON_MS ((int64_t)2000) /* many looks at a folder are one Sync */

struct mark *
sync_mark_of(struct sync *s, int64_t folder)
{
    struct list *n, *after;
    struct mark *m;

    LIST_EACH(&s->marks, n, after) {
        m = LIST_OBJECT(n, struct mark, node);
        if (m->folder == folder)
            return m;
    }
    m = xcalloc(1, sizeof *m);
    m->folder = folder;
    m->began = -SOON_MS;
    list_add(&s->marks, &m->node);
    return m;
}

void
sync_mark_later(struct sync *s, int64_t folder, int64_t ms)
{
    struct mark *m = sync_mark_of(s, folder);
    int64_t due = now_ms() + ms;

    if (due < m->rest)
        due = m->rest;
    if (!m->set || due < m->due)
        m->due = due;
    m->set = true;
    loop_task_soon(&s->kick);
}

void
sync_mark_rest(struct sync *s, int64_t folder, int64_t ms)
{
    struct mark *m = sync_mark_of(s, folder);

    m->rest = now_ms() + ms;
    m->due = m->rest;
    m->set = true;
    loop_task_soon(&s->kick);
}

bool
sync_rests(struct sync *s, int64_t folder, struct err *e)
{
    int64_t left = sync_mark_of(s, folder)->rest - now_ms();

    if (left <= SOON_MS)
        return false;
    err_set(e, E_RETRY, "the folder rests for another %lld s: its listing on "
                        "the server cannot be trusted yet",
            (long long)(left / 1000));
    return true;
}

void
sync_mark(struct sync *s, int64_t folder)
{
    sync_mark_later(s, folder, 0);
}

/* The folder to pull next, not of the n in `but`: one that somebody waits
 * for, then the inbox, then the one that is due longest. */
static struct mark *
mark_due(struct sync *s, struct mark *const *but, size_t n)
{
    const struct store_folder *inbox =
        store_folder_by_role(s->store, STORE_ROLE_INBOX);
    struct mark *best = NULL;
    struct list *node, *after;
    int64_t now = now_ms(), best_rank = INT64_MAX;

    LIST_EACH(&s->marks, node, after) {
        struct mark *m = LIST_OBJECT(node, struct mark, node);
        int64_t rank = m->due;
        bool taken = false;

        if (!m->set || m->due > now || !m->folder)
            continue;
        for (size_t i = 0; i < n; i++)
            taken |= but[i] == m;
        if (taken)
            continue;
        if (sync_is_awaited(s, m->folder))
            rank = -2;
        else if (inbox && m->folder == inbox->id)
            rank = -1;
        if (!best || rank < best_rank) {
            best = m;
            best_rank = rank;
        }
    }
    return best;
}

struct mark *
sync_mark_due(struct sync *s)
{
    return mark_due(s, NULL, 0);
}

/* A listing, the first or another, goes one by one: its windows are full. */
static bool
can_share(struct sync *s, const struct mark *m)
{
    const struct store_folder *f = store_folder_get(s->store, m->folder);

    return f && *f->server_id && f->state == STORE_FOLDER_READY &&
        strcmp(f->key, "0") != 0;
}

size_t
sync_mark_several(struct sync *s, struct mark **out, size_t max)
{
    size_t n = 0;
    struct mark *m;

    if (now_ms() < s->one_by_one)
        return 0;
    while (n < max && (m = mark_due(s, out, n)) && can_share(s, m))
        out[n++] = m;
    return n;
}

void
sync_wake_in(struct sync *s, int64_t ms)
{
    int64_t at = now_ms() + ms;

    if (loop_timer_is_set(&s->wake) && s->wake_at <= at)
        return;
    s->wake_at = at;
    loop_timer_set(&s->wake, ms);
}

void
sync_mark_wake(struct sync *s)
{
    struct list *n, *after;
    int64_t next = INT64_MAX, now = now_ms();

    LIST_EACH(&s->marks, n, after) {
        struct mark *m = LIST_OBJECT(n, struct mark, node);

        if (m->set && m->due > now && m->due < next)
            next = m->due;
    }
    if (next != INT64_MAX)
        sync_wake_in(s, next - now + 1);
}

void
sync_pull_soon(struct sync *s, int64_t folder)
{
    struct mark *m = sync_mark_of(s, folder);
    int64_t since = now_ms() - m->began;

    sync_mark_later(s, folder, since < SOON_MS ? SOON_MS - since : 0);
}
