/*
 * ItemOperations (MS-ASCMD 2.2.1.10): Fetch of items and attachments, inline
 * or as multipart, and EmptyFolderContents. Operations run in the order of
 * the request.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/code.h"
#include "base/log.h"
#include "sandbox/body.h"
#include "sandbox/call.h"

#define OPERATIONS_MAX 100
#define ATTACHMENT_MAX ((size_t)100 << 20)

static void
write_ids(struct call *c, const struct wbxml_node *n)
{
    static const unsigned tags[] = {AIRSYNC_COLLECTION_ID, AIRSYNC_SERVER_ID,
                                    SEARCH_LONG_ID, BASE_FILE_REFERENCE};

    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        if (wbxml_has(n, tags[i], 0))
            wbxml_write_slice(&c->w, tags[i], wbxml_text(n, tags[i], 0));
}

static void
fetch_fail(struct call *c, const struct wbxml_node *n, int status)
{
    wbxml_write_number(&c->w, ITEMOPS_STATUS, status);
    write_ids(c, n);
    c->status = status;
}

/* ---- an item */

static int
prefs_of(const struct wbxml_node *options, struct prefs *p)
{
    prefs_init(p);
    return options ? prefs_read(options, p) : 1;
}

static void
fetch_item(struct call *c, const struct wbxml_node *n)
{
    const struct wbxml_node *o = wbxml_find(n, ITEMOPS_OPTIONS, 0);
    struct slice id = wbxml_text(n, AIRSYNC_SERVER_ID, 0);
    struct folder *f = call_folder(c, wbxml_text(n, AIRSYNC_COLLECTION_ID, 0));
    struct message *m = wbxml_has(n, SEARCH_LONG_ID, 0)
                            ? long_id_find(c, wbxml_text(n, SEARCH_LONG_ID, 0))
                            : call_message(c, f, id);
    struct prefs p;
    int status = prefs_of(o, &p);
    long never = -1;

    if (status != 1 || wbxml_has(o, ITEMOPS_RANGE, 0)) {
        fetch_fail(c, n, status == 164 ? 164 : 2);
        return;
    }
    if (!m) {
        fetch_fail(c, n, 6); /* not found */
        return;
    }
    if (call_quirk(c, QUIRK_NEVER, m->folder, m, &never)) {
        fetch_fail(c, n, never > 0 ? (int)never : 14);
        return;
    }
    wbxml_write_text(&c->w, ITEMOPS_STATUS, "1");
    write_ids(c, n);
    wbxml_write_text(&c->w, AIRSYNC_CLASS, "Email");
    wbxml_write_start(&c->w, ITEMOPS_PROPERTIES);
    item_write(c, m, &p, true);
    wbxml_write_end(&c->w);
}

/* ---- an attachment */

/* "0-1023", inclusive. false: a bad one. */
static bool
range_read(struct slice text, size_t size, size_t *from, size_t *to)
{
    struct slice first;
    uint64_t a, b;

    if (!slice_next(&text, '-', &first) || !slice_u64(first, &a) ||
        !slice_u64(text, &b) || b < a || a >= size)
        return false;
    *from = (size_t)a;
    *to = b < size ? (size_t)b + 1 : size;
    return true;
}

static void
write_attachment_data(struct call *c, struct slice data)
{
    struct buf out = BUF_INIT(2 * ATTACHMENT_MAX);

    if (c->multipart) {
        buf_add_slice(&out, data);
        wbxml_write_number(&c->w, ITEMOPS_PART, (long)call_part(c, &out));
        return;
    }
    code_base64_write(&out, data, 0);
    wbxml_write_slice(&c->w, ITEMOPS_DATA, buf_slice(&out));
    buf_clear(&out);
}

static void
fetch_attachment(struct call *c, const struct wbxml_node *n)
{
    const struct wbxml_node *o = wbxml_find(n, ITEMOPS_OPTIONS, 0);
    struct slice range = wbxml_text(o, ITEMOPS_RANGE, 0);
    struct buf data = BUF_INIT(ATTACHMENT_MAX);
    const char *type = "application/octet-stream";
    size_t from = 0, to;
    int status = attachment_read(c, wbxml_text(n, BASE_FILE_REFERENCE, 0).p,
                                 &data, &type);

    to = data.len;
    if (!status && o &&
        (o->child != o->last_child ||
         (o->child && o->child->tag != ITEMOPS_RANGE)))
        status = 2; /* only Range is permitted (2.2.3.143.2) */
    if (!status && range.p && !range_read(range, data.len, &from, &to))
        status = 8;
    if (status) {
        fetch_fail(c, n, status);
        buf_clear(&data);
        return;
    }
    wbxml_write_text(&c->w, ITEMOPS_STATUS, "1");
    write_ids(c, n);
    wbxml_write_start(&c->w, ITEMOPS_PROPERTIES);
    if (range.p) {
        wbxml_write_text(&c->w, ITEMOPS_RANGE,
                         arena_printf(c->arena, "%zu-%zu", from, to - 1));
        wbxml_write_number(&c->w, ITEMOPS_TOTAL, (long)data.len);
    }
    wbxml_write_text(&c->w, BASE_CONTENT_TYPE, type);
    write_attachment_data(c, slice_cut(buf_slice(&data), from, to));
    wbxml_write_end(&c->w);
    buf_clear(&data);
}

/* Exactly one way to name it (MS-ASCMD 2.2.3.67.1). */
static void
fetch(struct call *c, const struct wbxml_node *n)
{
    bool collection = wbxml_has(n, AIRSYNC_COLLECTION_ID, 0);
    bool item = wbxml_has(n, AIRSYNC_SERVER_ID, 0);
    bool file = wbxml_has(n, BASE_FILE_REFERENCE, 0);
    bool found = wbxml_has(n, SEARCH_LONG_ID, 0);

    if (collection != item || item + file + found != 1)
        call_note_breach(c, "Fetch names nothing, or more than one thing");
    wbxml_write_start(&c->w, ITEMOPS_FETCH);
    if (collection != item || item + file + found != 1)
        fetch_fail(c, n, 2);
    else if (file)
        fetch_attachment(c, n);
    else
        fetch_item(c, n);
    wbxml_write_end(&c->w);
}

/* ---- the others */

static int
empty_one(struct folder *f)
{
    struct err e;
    int status = 1;

    for (uint32_t i = 0; i < f->count; i++)
        if (!f->list[i]->gone && folder_remove(f->list[i], 0, &e)) {
            log_warn("items", "%s", e.text);
            status = 3;
        }
    return status;
}

static int
empty_below(struct folder *f)
{
    struct user *u = f->user;
    struct err e;
    bool again = true;

    while (again) {
        struct list *n, *after;

        again = false;
        LIST_EACH(&u->folders, n, after)
        if (LIST_OBJECT(n, struct folder, node)->parent == f->id) {
            if (tree_delete(LIST_OBJECT(n, struct folder, node), &e))
                return 3;
            again = true;
            break;
        }
    }
    return 1;
}

static void
empty(struct call *c, const struct wbxml_node *n)
{
    struct slice id = wbxml_text(n, AIRSYNC_COLLECTION_ID, 0);
    struct folder *f = call_folder(c, id);
    const struct wbxml_node *o = wbxml_find(n, ITEMOPS_OPTIONS, 0);
    int status = f ? empty_one(f) : 6;

    if (status == 1 && wbxml_has(o, ITEMOPS_DELETE_SUB_FOLDERS, 0))
        status = empty_below(f);
    wbxml_write_start(&c->w, ITEMOPS_EMPTY_FOLDER_CONTENTS);
    wbxml_write_number(&c->w, ITEMOPS_STATUS, status);
    wbxml_write_slice(&c->w, AIRSYNC_COLLECTION_ID, id);
    wbxml_write_end(&c->w);
}

/* Of conversations, which are not kept here: refused as a server does that
 * cannot (154), after the checks it would make (2.2.3.117.1). */
static void
move(struct call *c, const struct wbxml_node *n)
{
    const struct wbxml_node *o = wbxml_find(n, ITEMOPS_OPTIONS, 0);
    struct folder *to = call_folder(c, wbxml_text(n, ITEMOPS_DST_FLD_ID, 0));
    int status = !wbxml_has(o, ITEMOPS_MOVE_ALWAYS, 0) ? 155 : !to ? 156 : 154;

    wbxml_write_start(&c->w, ITEMOPS_MOVE);
    wbxml_write_number(&c->w, ITEMOPS_STATUS, status);
    wbxml_write_slice(&c->w, ITEMOPS_CONVERSATION_ID,
                      wbxml_text(n, ITEMOPS_CONVERSATION_ID, 0));
    wbxml_write_end(&c->w);
    c->status = status;
}

enum answer
cmd_items(struct call *c)
{
    const struct wbxml_node *n = c->root->child;
    unsigned count = 0;

    for (const struct wbxml_node *k = n; k; k = k->next) {
        struct slice store = wbxml_text(k, ITEMOPS_STORE, 0);

        count++;
        if (store.p && !slice_iis(store, "Mailbox"))
            return call_breach(c, 9, "a store that is not there");
    }
    if (!count)
        return call_breach(c, 2, "no operation");
    if (count > OPERATIONS_MAX)
        return call_breach(c, 11, "%u operations", count);
    call_start(c, 1);
    wbxml_write_start(&c->w, ITEMOPS_RESPONSE);
    for (; n; n = n->next)
        if (n->tag == ITEMOPS_FETCH)
            fetch(c, n);
        else if (n->tag == ITEMOPS_EMPTY_FOLDER_CONTENTS)
            empty(c, n);
        else
            move(c, n);
    wbxml_write_end(&c->w);
    wbxml_write_end(&c->w);
    return ANSWER_WBXML;
}
