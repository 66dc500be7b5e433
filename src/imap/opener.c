/*
 * A short row of view_open()s. Errors belong to one message and not to the
 * command, so they are kept with the message.
 */
#include "imap/opener.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "view/view.h"

#define AHEAD 6u
#define AHEAD_BYTES ((uint64_t)8 << 20)

struct slot {
    struct imap_opener *opener;
    struct op *op;
    struct view *view;
    struct err err;
    bool done;
    size_t at;
    uint64_t size;
};

struct imap_opener {
    struct views *views;
    struct slot slots[AHEAD];
    unsigned first, n;
    uint64_t bytes;
    struct op *waiting;
};

struct imap_opener *
imap_opener_new(struct views *views)
{
    struct imap_opener *o = xcalloc(1, sizeof *o);

    o->views = views;
    return o;
}

static struct slot *
slot_of(struct imap_opener *o, unsigned i)
{
    return &o->slots[(o->first + i) % AHEAD];
}

void
imap_opener_free(struct imap_opener **op)
{
    struct imap_opener *o = *op;

    if (!o)
        return;
    *op = NULL;
    for (unsigned i = 0; i < AHEAD; i++) {
        op_cancel(&o->slots[i].op);
        if (o->slots[i].view)
            view_unref(&o->slots[i].view);
    }
    if (o->waiting)
        op_finish(&o->waiting, NULL);
    free(o);
}

bool
imap_opener_has_room(const struct imap_opener *o, uint64_t size)
{
    return !o->n || (o->n < AHEAD && o->bytes + size <= AHEAD_BYTES);
}

static void
on_opened(void *arg, const struct err *err)
{
    struct slot *s = arg;
    struct imap_opener *o = s->opener;

    s->done = true;
    if (err)
        s->err = *err;
    if (s == slot_of(o, 0) && o->waiting)
        op_finish(&o->waiting, NULL);
}

void
imap_opener_add(struct imap_opener *o, int64_t message, size_t at,
                uint64_t size)
{
    struct slot *s = slot_of(o, o->n++);

    assert(o->n <= AHEAD);
    memset(s, 0, sizeof *s);
    s->opener = o;
    s->at = at;
    s->size = size;
    o->bytes += size;
    op_hold(&s->op, view_open(o->views, message, &s->view, on_opened, s));
}

bool
imap_opener_is_empty(const struct imap_opener *o)
{
    return !o->n;
}

bool
imap_opener_is_ready(const struct imap_opener *o)
{
    return o->n && o->slots[o->first].done;
}

static void
wait_stop(void *self)
{
    struct imap_opener *o = self;

    op_finish(&o->waiting, NULL);
}

struct op *
imap_opener_wait(struct imap_opener *o, op_done_fn *done, void *arg)
{
    if (imap_opener_is_ready(o))
        return op_decided(NULL, done, arg);
    o->waiting = op_new(wait_stop, o, done, arg);
    return o->waiting;
}

bool
imap_opener_take(struct imap_opener *o, size_t *at_out, struct view **view_out,
                 struct err *e)
{
    struct slot *s = slot_of(o, 0);

    assert(imap_opener_is_ready(o));
    o->first = (o->first + 1) % AHEAD;
    o->n--;
    o->bytes -= s->size;
    *at_out = s->at;
    *view_out = s->view;
    s->view = NULL;
    if (*view_out)
        return true;
    *e = s->err;
    return false;
}
