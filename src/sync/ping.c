/*
 * The long poll between the rounds, and what its answer marks.
 */
#include "sync/private.h"

#include "base/now.h"
#include "eas/status.h"

#define PING_MAX 60u /* folders; a server's limit is lower still */

static void
ping_named(struct sync *s, const char *server_id)
{
    const struct store_folder *f = store_folder_by_server(s->store, server_id);
    struct mark *m;

    if (!f) {
        sync_mark(s, 0);
        return;
    }
    m = sync_mark_of(s, f->id);
    m->pinged = true;
    m->modseq = f->modseq;
    sync_mark(s, f->id);
}

static void
on_ping(void *arg, const struct err *err)
{
    struct sync *s = arg;

    if (err && err->code == E_CANCELED)
        return;
    if (err) {
        /* A long poll that breaks is usual (NAT, suspend): look at once, and
         * only a look that fails as well is trouble. */
        if (now_ms() - s->ping_began < 2000 || sync_is_account_error(err)) {
            if (err->code == E_RETRY && now_ms() - s->ping_began >= 2000)
                sync_timed_all(s);
            else
                sync_failed(s, err);
        }
        loop_task_soon(&s->kick);
        return;
    }
    switch (s->ping_answer.reaction) {
    case EAS_OK:
        for (size_t i = 0; i < s->ping_answer.n; i++)
            ping_named(s, s->ping_answer.folders[i]);
        break;
    case EAS_FOLDERSYNC:
        sync_mark(s, 0);
        break;
    default:
        sync_mark_later(s, 0, SYNC_BACKOFF_MIN_MS * 2);
        /* What it says now it would say again at once. */
        s->ping_after = now_ms() + SYNC_BACKOFF_MIN_MS;
        break;
    }
    eas_ping_answer_clear(&s->ping_answer);
    loop_task_soon(&s->kick);
}

void
sync_ping_start(struct sync *s)
{
    const char *ids[PING_MAX];
    const struct store_folder *f = NULL;
    size_t n = 0;

    while (n < PING_MAX && (f = store_folder_next(s->store, f)))
        if (f->state == STORE_FOLDER_READY && *f->server_id &&
            (f->subscribed || f->role == STORE_ROLE_INBOX) &&
            sync_mark_of(s, f->id)->no_ping < now_ms())
            ids[n++] = f->server_id;
    s->state = SYNC_WAITING;
    if (!n)
        return; /* the timed Sync goes on */
    if (now_ms() < s->ping_after) {
        sync_wake_in(s, s->ping_after - now_ms() + 1);
        return;
    }
    s->ping_began = now_ms();
    op_hold(&s->ping,
            eas_ping(s->eas, ids, n, &s->ping_answer, on_ping, s));
}
