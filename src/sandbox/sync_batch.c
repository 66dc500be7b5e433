/*
 * The changes of a folder that one answer of Sync brings: as many as the
 * window takes, and then what mischief makes of them.
 */
#include <string.h>

#include "base/mem.h"
#include "sandbox/call.h"
#include "sandbox/changes.h"

#define ANSWER_BYTES ((size_t)16 << 20) /* then MoreAvailable */

/* Bytes that this item will take, roughly. */
static size_t
weight(const struct message *m, const struct prefs *p)
{
    size_t most = 0;

    for (unsigned i = 0; i < p->bodies; i++) {
        long cut = p->body[i].truncation;
        size_t n = cut < 0 || (uint64_t)cut > m->size ? m->size : (size_t)cut;

        most = n > most ? n : most;
    }
    return p->bodies ? most : m->size;
}

/* Fills the batch; the state that it leads to is in w, up to where the
 * window closed. */
void
batch_fill(struct changes *w, const struct prefs *p, long window,
           struct batch *b)
{
    struct change one;
    size_t bytes = 0;

    b->count = 0;
    b->more = false;
    for (;;) {
        uint64_t seq = w->seq;
        uint32_t scan = w->scan;

        if (!changes_next(w, &one))
            break;
        if (b->count >= (size_t)window || bytes > ANSWER_BYTES) {
            /* One too many: taken back. */
            bits_set(&w->known, one.message->uid,
                     one.kind == 'd' || one.kind == 's' || one.kind == 'c');
            w->seq = seq;
            w->scan = scan;
            b->more = true;
            break;
        }
        if (one.kind == 'a')
            bytes += weight(one.message, p);
        b->list[b->count++] = one;
    }
}

static void
write_change(struct call *c, const struct change *one, const struct prefs *p,
             uint64_t since)
{
    unsigned tag = one->kind == 'a'   ? AIRSYNC_ADD
                   : one->kind == 'c' ? AIRSYNC_CHANGE
                   : one->kind == 'd' ? AIRSYNC_DELETE
                                      : AIRSYNC_SOFT_DELETE;

    wbxml_write_start(&c->w, tag);
    call_write_id(c, AIRSYNC_SERVER_ID, one->message);
    if (one->kind == 'a' || one->kind == 'c') {
        wbxml_write_start(&c->w, AIRSYNC_APPLICATION_DATA);
        if (one->kind == 'a')
            item_write(c, one->message, p, false);
        else if (call_quirk(c, QUIRK_WHOLE, one->message->folder, one->message,
                            NULL))
            item_write(c, one->message, p, false);
        else
            item_write_changes(c, one->message, since);
        wbxml_write_end(&c->w);
    }
    wbxml_write_end(&c->w);
}

void
batch_write(struct call *c, const struct batch *b, const struct prefs *p,
            uint64_t since)
{
    struct message nobody = {.folder = NULL};
    struct change lost = {'d', &nobody};

    if (!b->count && !b->unknown)
        return;
    wbxml_write_start(&c->w, AIRSYNC_COMMANDS);
    if (b->unknown) {
        nobody.folder = b->unknown;
        nobody.id = b->unknown->last_id + 100000;
        write_change(c, &lost, p, since);
    }
    for (size_t i = 0; i < b->count; i++)
        write_change(c, &b->list[i], p, since);
    wbxml_write_end(&c->w);
}

/* ---- mischief */

static void
add(struct batch *b, struct change one)
{
    if (b->count < ARRAY_LEN(b->list))
        b->list[b->count++] = one;
}

/* The newest that the device knows come once more. */
static void
add_again(struct folder *f, const struct bits *known, long number,
          struct batch *b)
{
    for (uint32_t i = f->count; i > 0 && number > 0; i--) {
        struct message *m = f->list[i - 1];
        bool here = false;

        for (size_t k = 0; k < b->count; k++)
            here |= b->list[k].message == m;
        if (m->gone || here || !bits_has(known, m->uid))
            continue;
        add(b, (struct change){'a', m});
        number--;
    }
}

static void
double_adds(struct batch *b)
{
    size_t count = b->count;

    for (size_t i = 0; i < count; i++)
        if (b->list[i].kind == 'a')
            add(b, b->list[i]);
}

static void
turn(struct batch *b)
{
    for (size_t i = 0, k = b->count; i + 1 < k; i++) {
        struct change one = b->list[i];

        b->list[i] = b->list[--k];
        b->list[k] = one;
    }
}

void
batch_spoil(struct call *c, struct folder *f, const struct bits *known,
            struct batch *b)
{
    long number = 0;

    if (call_quirk(c, QUIRK_AGAIN, f, NULL, &number))
        add_again(f, known, number, b);
    if (b->count && call_quirk(c, QUIRK_TWICE, f, NULL, NULL))
        double_adds(b);
    if (b->count && call_quirk(c, QUIRK_REVERSE, f, NULL, NULL))
        turn(b);
    if (call_quirk(c, QUIRK_DELETE_UNKNOWN, f, NULL, NULL))
        b->unknown = f;
}
