/*
 * GetItemEstimate (MS-ASCMD 2.2.1.9): how many changes a Sync from this key
 * would bring.
 */
#include "base/now.h"
#include "sandbox/call.h"
#include "sandbox/changes.h"

static const struct point *
point_find(const struct collection *col, struct slice text)
{
    uint32_t key;

    if (!slice_u32(text, &key) || !key)
        return NULL;
    if (key == col->now.key)
        return &col->now;
    return key == col->before.key ? &col->before : NULL;
}

static long
count(struct call *c, const struct folder *f, const struct point *from,
      const struct prefs *p)
{
    struct changes w;
    struct change one;
    long n = 0;

    changes_init(&w, f, c->device, from, prefs_cutoff(p, now_unix()));
    while (changes_next(&w, &one))
        n++;
    changes_clear(&w);
    return n;
}

static void
one_answer(struct call *c, const struct wbxml_node *n)
{
    struct slice id = wbxml_text(n, ESTIMATE_COLLECTION_ID, 0);
    struct slice key = wbxml_text(n, AIRSYNC_SYNC_KEY, 0);
    const struct wbxml_node *o = wbxml_find(n, AIRSYNC_OPTIONS, 0);
    struct folder *f = call_folder(c, id);
    struct collection *col =
        f ? device_collection(c->device, f->id, false) : NULL;
    const struct point *from = col ? point_find(col, key) : NULL;
    struct prefs p;
    int status = 1;

    prefs_init(&p);
    if (col)
        p = col->prefs;
    if (o && prefs_read(o, &p) != 1)
        status = 110; /* MS-ASCMD 2.2.3.68.1 */
    if (!f)
        status = 2;
    else if (slice_is(key, "0") || !col || !col->now.key)
        status = 3;
    else if (!from)
        status = 4;
    wbxml_write_start(&c->w, ESTIMATE_RESPONSE);
    wbxml_write_number(&c->w, ESTIMATE_STATUS, status);
    if (status == 1) {
        wbxml_write_start(&c->w, ESTIMATE_COLLECTION);
        wbxml_write_slice(&c->w, ESTIMATE_COLLECTION_ID, id);
        wbxml_write_number(&c->w, ESTIMATE_ESTIMATE, count(c, f, from, &p));
        wbxml_write_end(&c->w);
    }
    wbxml_write_end(&c->w);
    if (status != 1)
        c->status = status;
}

enum answer
cmd_estimate(struct call *c)
{
    const struct wbxml_node *n = wbxml_find(
        c->root, ESTIMATE_COLLECTIONS, ESTIMATE_COLLECTION, 0);

    call_start(c, 0);
    c->status = 1;
    for (; n; n = wbxml_again(n))
        one_answer(c, n);
    wbxml_write_end(&c->w);
    return ANSWER_WBXML;
}
