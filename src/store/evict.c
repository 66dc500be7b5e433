/*
 * The limit for bodies (`cache_size`): those that can be fetched again leave,
 * least recently used first; what is known of their messages stays. Also what
 * is known of servers that do not give the same bytes twice.
 *
 * `used` of a body is in milliseconds since 1970: at first the date of its
 * message, so that a first sync keeps the newest mail, later the last time
 * that a client looked at it.
 */
#include "store/body.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/now.h"
#include "store/private.h"

#define EVICT_SOON_MS 200
#define EVICT_BATCH 64
/* What was looked at so short a time ago may be in use: a FETCH that goes on,
 * a COPY that gathers its messages. */
#define GRACE_MS ((int64_t)60000)
#define FICKLE_MAX 3

#define FICKLE "bodies-rebuilt"

static int64_t
fickle_count(struct store *s)
{
    char *text = store_meta_get(s, FICKLE);
    int64_t n = strtoll(text, NULL, 10);

    free(text);
    return n;
}

bool
store_cache_is_fickle(struct store *s)
{
    return fickle_count(s) >= FICKLE_MAX;
}

int
store_cache_rebuilt(struct store *s, struct err *e)
{
    char text[24];
    int64_t n = fickle_count(s) + 1;

    if (n == FICKLE_MAX)
        log_warn("store", "%s: the server gave other bytes for a message that "
                          "it had given before, the third time: no body is "
                          "evicted any more", s->dir);
    snprintf(text, sizeof text, "%lld", (long long)n);
    return store_meta_set(s, FICKLE, text, e);
}

void
store_cache_limit(struct store *s, uint64_t bytes)
{
    s->cache_limit = bytes;
    s->cache_used = -1;
    if (bytes && s->loop)
        loop_timer_set(&s->evict, EVICT_SOON_MS);
}

void
store_cache_grown(struct store *s, int64_t bytes)
{
    if (!s->cache_limit)
        return;
    if (s->cache_used >= 0)
        s->cache_used += bytes;
    if (s->loop && bytes > 0 && !loop_timer_is_set(&s->evict))
        loop_timer_set(&s->evict, EVICT_SOON_MS);
}

/* Bytes of the bodies that count: those that the server gave. */
static int64_t
cache_used(struct store *s)
{
    int64_t n = 0;

    if (s->cache_used < 0 &&
        db_int(s->db, NULL, &n, "SELECT coalesce(sum(size), 0) FROM body"
                                " WHERE ready = 1 AND fetched = 1", "") >= 0)
        s->cache_used = n;
    return s->cache_used;
}

int64_t
store_cache_floor(struct store *s)
{
    int64_t used = 0;

    if (!s->cache_limit || cache_used(s) < (int64_t)s->cache_limit)
        return INT64_MIN;
    if (db_int(s->db, NULL, &used, "SELECT min(used) FROM body WHERE"
                                   " ready = 1 AND fetched = 1", "") != 1)
        return INT64_MIN;
    return used / 1000;
}

int
store_body_touch(struct store *s, int64_t message, struct err *e)
{
    int64_t now = now_unix() * 1000;

    if (!s->cache_limit)
        return 0;
    /* Two in one second have an order, too. */
    s->cache_touched = now > s->cache_touched ? now : s->cache_touched + 1;
    return db_run(s->db, e,
                  "UPDATE body SET used = ?1 WHERE id ="
                  " (SELECT body FROM message WHERE id = ?2)"
                  " AND ready = 1 AND used < ?1",
                  "ii", s->cache_touched, message);
}

/* Only what a single message has, and that one has an item to fetch it by:
 * never bytes that were born here, copies, stand-ins, and what is to be
 * compared with other content. */
static int
evict_next(struct store *s, int64_t before, int64_t *id, int64_t *size,
           struct err *e)
{
    sqlite3_stmt *q = db_query(
        s->db, e,
        "SELECT b.id, b.size FROM body b CROSS JOIN message m ON m.body = b.id"
        " WHERE b.ready = 1 AND b.fetched = 1 AND b.used <= ?"
        " AND m.server_id <> '' AND m.collection <> 0 AND m.body <> 0"
        " AND m.body_state = 1"
        " AND m.body_check = 0 AND NOT EXISTS (SELECT 1 FROM message o WHERE"
        " o.body = b.id AND o.body <> 0 AND o.id <> m.id)"
        " ORDER BY b.used LIMIT 1",
        "i", before);
    int rc = q ? db_step(s->db, q, e) : -1;

    if (rc != 1)
        return rc;
    *id = sqlite3_column_int64(q, 0);
    *size = sqlite3_column_int64(q, 1);
    db_done(q);
    return 1;
}

static int
evict_one(struct store *s, int64_t id, struct err *e)
{
    if (db_run(s->db, e, "UPDATE message SET body_state = ? WHERE body = ?"
                         " AND body <> 0",
               "ii", (int64_t)STORE_BODY_ABSENT, id) ||
        db_run(s->db, e, "UPDATE body SET ready = 2 WHERE id = ?", "i", id))
        return -1;
    store_file_doom(s, store_body_path(s, id));
    return 0;
}

/* 1: there is more to do at once, 0 no more, or not yet. */
static int
evict_batch(struct store *s, bool *waits, struct err *e)
{
    int64_t now = now_unix() * 1000, id, size;
    int64_t before = now - fault_wait(GRACE_MS), used = cache_used(s);
    int n = 0, rc = 1;

    while (n < EVICT_BATCH && used > (int64_t)s->cache_limit) {
        rc = evict_next(s, before, &id, &size, e);
        if (rc != 1 || evict_one(s, id, e))
            break;
        used -= size;
        n++;
    }
    *waits = rc == 0;
    if (rc < 0 || (n < EVICT_BATCH && rc == 1 &&
                   used > (int64_t)s->cache_limit))
        return -1;
    s->cache_used = used;
    return n == EVICT_BATCH && used > (int64_t)s->cache_limit;
}

int
store_evict(struct store *s, bool *more, bool *waits, struct err *e)
{
    int rc;

    *more = *waits = false;
    if (!s->cache_limit || cache_used(s) <= (int64_t)s->cache_limit ||
        store_cache_is_fickle(s))
        return 0;
    if (store_begin(s, e))
        return -1;
    rc = evict_batch(s, waits, e);
    if (rc < 0) {
        store_rollback(s);
        return -1;
    }
    *more = rc;
    return store_commit(s, e);
}

void
store_evict_run(void *arg)
{
    struct store *s = arg;
    bool more, waits;
    struct err e;

    if (store_evict(s, &more, &waits, &e)) {
        log_warn("store", "%s: bodies are not evicted: %s", s->dir, e.text);
        waits = true;
    }
    if (more)
        loop_timer_set(&s->evict, 1);
    else if (waits)
        loop_timer_set(&s->evict, fault_wait(GRACE_MS));
}
