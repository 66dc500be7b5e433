/*
 * The difference between a device's state and the folder: first, if it has a
 * window of time, what entered or left that; then the folder's log from where
 * the device is. What the device itself did is not told to it.
 */
#include "sandbox/changes.h"

#include <string.h>

#include "base/now.h"

void
changes_init(struct changes *w, const struct folder *f, const struct device *d,
             const struct point *from, int64_t cutoff)
{
    *w = (struct changes){
        .folder = f,
        .me = d->number,
        .since = from->seq,
        .seq = from->seq,
        .cutoff = cutoff,
        .filtered = cutoff || from->cutoff,
        .at = folder_log_after(f, from->seq),
    };
    bits_copy(&w->known, &from->known);
}

void
changes_clear(struct changes *w)
{
    bits_clear(&w->known);
    bits_clear(&w->done);
}

static bool
is_inside(const struct changes *w, const struct message *m)
{
    return !w->cutoff || m->received >= w->cutoff;
}

static bool
is_foreign(const struct changes *w, const struct touch *t)
{
    return t->seq > w->since && t->by != w->me;
}

static bool
has_changed(const struct changes *w, const struct message *m)
{
    return is_foreign(w, &m->read) || is_foreign(w, &m->flag) ||
           is_foreign(w, &m->categories) || is_foreign(w, &m->verb);
}

/* Left the window, or came into it though it is old in the log. */
static bool
window_next(struct changes *w, struct change *out)
{
    while (w->scan < w->folder->count) {
        struct message *m = w->folder->list[w->scan++];
        bool known = bits_has(&w->known, m->uid);

        if (m->gone || known == is_inside(w, m) ||
            (!known && m->added.seq > w->since))
            continue;
        bits_set(&w->known, m->uid, !known);
        *out = (struct change){known ? 's' : 'a', m};
        return true;
    }
    return false;
}

/* Is this log entry something to tell? */
static bool
entry_take(struct changes *w, const struct log_entry *l, struct change *out)
{
    struct message *m = w->folder->list[l->uid - 1];
    bool known = bits_has(&w->known, m->uid);

    *out = (struct change){l->kind, m};
    if (l->kind == 'd') {
        bits_set(&w->known, m->uid, false);
        return known && m->removed.by != w->me;
    }
    if (m->gone)
        return false;
    if (l->kind == 'a') {
        if (known || !is_inside(w, m))
            return false;
        bits_set(&w->known, m->uid, true);
        bits_set(&w->done, m->uid, true); /* as it is now */
        return true;
    }
    if (!known || bits_has(&w->done, m->uid) || !has_changed(w, m))
        return false;
    bits_set(&w->done, m->uid, true);
    return true;
}

bool
changes_next(struct changes *w, struct change *out)
{
    if (w->filtered && window_next(w, out))
        return true;
    while (w->at < w->folder->log_count) {
        const struct log_entry *l = &w->folder->log[w->at++];
        bool tell = entry_take(w, l, out);

        w->seq = l->seq;
        if (tell)
            return true;
    }
    return false;
}

bool
changes_pending(const struct device *d, const struct collection *c,
                const struct folder *f, bool adds)
{
    struct changes w;
    struct change one;
    bool any = false;

    if (!c || !c->now.key)
        return true;
    if (c->now.seq >= (adds ? f->last_added : f->last_seq))
        return false;
    changes_init(&w, f, d, &c->now, prefs_cutoff(&c->prefs, now_unix()));
    w.filtered = false; /* time alone wakes nobody */
    while (!any && changes_next(&w, &one))
        any = !adds || one.kind == 'a';
    changes_clear(&w);
    return any;
}
