/*
 * The timed look: Ping does not report flags set and deletions made elsewhere,
 * so folders are looked at by the clock as well, the inbox, the subscribed
 * ones and the rest each at their own pace. Used by sync.c and ping.c.
 */
#include "sync/private.h"

#define INTERVAL_S 300 /* between looks at the subscribed ones */

static enum sync_kind
kind_of(const struct sync *s, const struct store_folder *f)
{
    if (f->role == STORE_ROLE_INBOX && s->timed[SYNC_KIND_INBOX].interval)
        return SYNC_KIND_INBOX;
    if (f->subscribed || f->role != STORE_ROLE_NONE)
        return SYNC_KIND_SUBSCRIBED;
    return SYNC_KIND_OTHER;
}

static void
timed_set(struct sync_timed *t)
{
    if (t->interval)
        loop_timer_set(&t->timer, t->interval * 1000);
    else
        loop_timer_stop(&t->timer);
}

static void
on_timed(void *arg)
{
    struct sync_timed *t = arg;
    struct sync *s = t->sync;
    enum sync_kind kind = (enum sync_kind)(t - s->timed);
    const struct store_folder *f = NULL;

    if (kind == SYNC_KIND_SUBSCRIBED)
        sync_mark(s, 0);
    while ((f = store_folder_next(s->store, f)))
        if (kind_of(s, f) == kind &&
            (kind != SYNC_KIND_OTHER || f->state == STORE_FOLDER_READY))
            sync_mark(s, f->id);
    timed_set(t);
}

void
sync_timed_init(struct sync *s, const int64_t *intervals)
{
    for (int k = 0; k < SYNC_KINDS; k++) {
        s->timed[k].sync = s;
        loop_timer_init(&s->timed[k].timer, on_timed, &s->timed[k]);
    }
    sync_set_intervals(s, intervals);
}

void
sync_set_intervals(struct sync *s, const int64_t *seconds)
{
    bool runs = loop_timer_is_set(&s->timed[SYNC_KIND_SUBSCRIBED].timer);

    for (int k = 0; k < SYNC_KINDS; k++) {
        s->timed[k].interval = seconds[k];
        if (k == SYNC_KIND_SUBSCRIBED && !seconds[k])
            s->timed[k].interval = INTERVAL_S;
        if (runs)
            timed_set(&s->timed[k]);
    }
}

void
sync_timed_all(struct sync *s)
{
    on_timed(&s->timed[SYNC_KIND_SUBSCRIBED]);
    on_timed(&s->timed[SYNC_KIND_INBOX]);
    if (!loop_timer_is_set(&s->timed[SYNC_KIND_OTHER].timer))
        timed_set(&s->timed[SYNC_KIND_OTHER]);
}

void
sync_timed_stop(struct sync *s)
{
    for (int k = 0; k < SYNC_KINDS; k++)
        loop_timer_stop(&s->timed[k].timer);
}

void
sync_timed_clear(struct sync *s)
{
    for (int k = 0; k < SYNC_KINDS; k++)
        loop_timer_clear(&s->timed[k].timer);
}
