/*
 * The answer of Sync, taken apart while it is decoded: each item becomes a
 * small tree of its own, is given to the caller and forgotten, so the size
 * of the answer does not matter. Called by sync.c.
 *
 * Servers differ in the order of the elements, so nothing here depends on
 * it, and the innermost Status says what happened (MS-ASCMD 2.2.2).
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eas/sync_private.h"
#include "wbxml/read.h"

#define ITEM_NODES 4000 /* 300 categories and a long flag fit */
#define ITEM_TEXT ((size_t)1 << 20)
#define ITEM_CATEGORIES 300

struct sync_reader {
    struct sync_call *s;
    struct wbxml_reader wbxml;
    unsigned path[8]; /* the tags above the element that is read */
    unsigned depth, skip;
    struct arena *arena;
    struct wbxml_builder item;
    bool in_item, in_response;
    struct buf text; /* of Status, SyncKey and the like */
    long root_status;
    bool has_collection;
    /* Of the collection that is read; of which part it is may come last. */
    struct sync_part *part;
    size_t items; /* of all */
    long status;
    char *key;
    bool more;
};

/* ---- values */

static const char *
text_of(const struct wbxml_node *data, unsigned tag)
{
    return wbxml_text(data, tag, 0).p;
}

/* The children of Flag as "Name=value" lines: kept, so that a flag set by
 * another program can be shown and is not overwritten. */
static struct slice
flag_lines(struct arena *a, const struct wbxml_node *flag)
{
    struct buf lines = BUF_INIT(8192);
    struct slice kept;

    for (const struct wbxml_node *n = flag->child; n; n = n->next) {
        size_t before = lines.len;

        if (slice_has(n->text, '\n') || slice_has(n->text, '\0') ||
            buf_addf(&lines, "%s=", wbxml_tag_name(n->tag)) ||
            buf_add_slice(&lines, n->text) || buf_addc(&lines, '\n'))
            buf_truncate(&lines, before);
    }
    kept = arena_slice(a, buf_slice(&lines));
    buf_clear(&lines);
    return kept;
}

static void
read_flag(struct arena *a, const struct wbxml_node *data, struct eas_item *out)
{
    const struct wbxml_node *flag = wbxml_find(data, EMAIL_FLAG, 0);
    long status;

    if (!flag)
        return;
    out->has |= EAS_HAS_FLAG;
    status = wbxml_number(flag, 0, EMAIL_STATUS, 0);
    out->flag_status = status >= 0 && status <= 2 ? (int)status : 0;
    if (flag->child)
        out->flag_detail = flag_lines(a, flag);
}

static void
read_categories(struct arena *a, const struct wbxml_node *data,
                struct eas_item *out)
{
    const struct wbxml_node *list = wbxml_find(data, EMAIL_CATEGORIES, 0);
    const struct wbxml_node *n = wbxml_find(list, EMAIL_CATEGORY, 0);
    const char **names;

    if (!list)
        return;
    out->has |= EAS_HAS_CATEGORIES;
    names = arena_alloc(a, ITEM_CATEGORIES * sizeof *names);
    for (; n && out->ncategories < ITEM_CATEGORIES; n = wbxml_again(n))
        if (n->text.n)
            names[out->ncategories++] = n->text.p;
    out->categories = names;
}

/* Whole items have a sender or a date or a body; a change of Read alone has
 * none of them (MS-ASEMAIL 3.2.5.4.1). */
static void
read_content(const struct wbxml_node *data, struct eas_item *out)
{
    struct slice date = wbxml_text(data, EMAIL_DATE_RECEIVED, 0);
    long size = wbxml_number(data, 0, BASE_BODY, BASE_ESTIMATED_DATA_SIZE, 0);

    out->from = text_of(data, EMAIL_FROM);
    out->to = text_of(data, EMAIL_TO);
    out->cc = text_of(data, EMAIL_CC);
    out->bcc = text_of(data, EMAIL2_BCC);
    out->reply_to = text_of(data, EMAIL_REPLY_TO);
    out->subject = text_of(data, EMAIL_SUBJECT);
    out->message_class = text_of(data, EMAIL_MESSAGE_CLASS);
    out->received = date.p ? eas_date_parse(date) : -1;
    out->estimated_size = size > 0 ? (uint64_t)size : 0;
    out->importance = (int)wbxml_number(data, 1, EMAIL_IMPORTANCE, 0);
    out->draft = wbxml_number(data, 0, EMAIL2_IS_DRAFT, 0) == 1;
    out->conversation_id = wbxml_text(data, EMAIL2_CONVERSATION_ID, 0);
    if (out->from || date.p || out->subject || wbxml_has(data, BASE_BODY, 0))
        out->has |= EAS_HAS_CONTENT;
}

static bool
item_read(struct arena *a, const struct wbxml_node *n, struct eas_item *out)
{
    const struct wbxml_node *data = wbxml_find(n, AIRSYNC_APPLICATION_DATA, 0);
    struct slice id = wbxml_text(n, AIRSYNC_SERVER_ID, 0);

    *out = (struct eas_item){.received = -1, .importance = 1};
    switch (n->tag) {
    case AIRSYNC_ADD:
        out->kind = EAS_ITEM_ADD;
        break;
    case AIRSYNC_CHANGE:
        out->kind = EAS_ITEM_CHANGE;
        break;
    case AIRSYNC_DELETE:
        out->kind = EAS_ITEM_DELETE;
        break;
    case AIRSYNC_SOFT_DELETE:
        out->kind = EAS_ITEM_SOFT_DELETE;
        break;
    default:
        return false;
    }
    if (!id.n || id.n > EAS_ID_MAX || slice_has(id, '\0'))
        return false;
    out->server_id = id.p;
    if (!data)
        return true;
    if (wbxml_has(data, EMAIL_READ, 0))
        out->has |= EAS_HAS_READ;
    out->read = wbxml_number(data, 0, EMAIL_READ, 0) == 1;
    if (wbxml_has(data, EMAIL2_LAST_VERB_EXECUTED, 0))
        out->has |= EAS_HAS_VERB;
    out->last_verb = (int)wbxml_number(data, 0, EMAIL2_LAST_VERB_EXECUTED, 0);
    read_flag(a, data, out);
    read_categories(a, data, out);
    read_content(data, out);
    return true;
}

/* ---- one entry of Commands or Responses is complete */

static void
response_take(struct sync_reader *r, const struct wbxml_node *n)
{
    struct eas_sync_answer *out = r->part->out;
    struct eas_sync_failure *f;
    struct slice id = wbxml_text(n, AIRSYNC_SERVER_ID, 0);
    long status = wbxml_number(n, 1, AIRSYNC_STATUS, 0);

    if (status == 1 || !id.n || id.n > EAS_ID_MAX ||
        out->nfailures >= 2 * EAS_SYNC_CHANGES_MAX)
        return;
    out->failures = xrealloc(out->failures,
                             (out->nfailures + 1) * sizeof *out->failures);
    f = &out->failures[out->nfailures++];
    f->server_id = eas_dup_id(id);
    eas_status_set(EAS_CMD_SYNC, (int)status, &f->status, &f->reaction);
}

static int
entry_take(struct sync_reader *r, struct err *e)
{
    struct eas_item item;
    int rc = 0;

    r->items++;
    if (!r->part) /* of several: the id has to come before the items */
        rc = err_set(e, E_REMOTE, "the server does not say of which collection "
                                  "its items are");
    else if (r->in_response)
        response_take(r, r->item.root);
    else if (item_read(r->arena, r->item.root, &item) && r->part->on_item)
        rc = r->part->on_item(r->part->item_arg, &item, e);
    wbxml_builder_clear(&r->item);
    arena_reset(r->arena);
    r->in_item = false;
    return rc;
}

/* ---- a collection */

static void
collection_begin(struct sync_reader *r)
{
    r->has_collection = true;
    r->part = r->s->n == 1 ? &r->s->parts[0] : NULL;
    r->status = 0;
    r->more = false;
    free(r->key);
    r->key = NULL;
}

static void
collection_find(struct sync_reader *r, struct slice id)
{
    for (size_t i = 0; i < r->s->n && !r->part; i++)
        if (slice_is(id, r->s->parts[i].collection))
            r->part = &r->s->parts[i];
}

static int
collection_end(struct sync_reader *r, struct err *e)
{
    struct sync_part *p = r->part;

    if (!p)
        return 0; /* one that we did not ask for, and without items */
    if (p->named && r->s->n > 1)
        return err_set(e, E_REMOTE, "the server answers a collection twice");
    p->named = true;
    if (r->status)
        p->status = r->status;
    if (r->more)
        p->out->more = true;
    if (r->key) {
        free(p->out->key);
        p->out->key = r->key;
        r->key = NULL;
    }
    return 0;
}

/* ---- events */

static unsigned
parent_of(const struct sync_reader *r)
{
    return r->depth ? r->path[r->depth - 1] : 0;
}

static int
on_start(void *arg, unsigned tag, struct err *e)
{
    struct sync_reader *r = arg;
    unsigned parent = parent_of(r);

    if (r->in_item)
        return wbxml_builder_start(&r->item, tag, e);
    if (!r->depth && tag != AIRSYNC_SYNC)
        return err_set(e, E_RETRY, "the server answered %s instead of Sync",
                       wbxml_tag_name(tag));
    if (parent == AIRSYNC_COMMANDS || parent == AIRSYNC_RESPONSES) {
        r->in_item = true;
        r->in_response = parent == AIRSYNC_RESPONSES;
        wbxml_builder_init(&r->item, r->arena, ITEM_NODES, ITEM_TEXT);
        return wbxml_builder_start(&r->item, tag, e);
    }
    if (r->depth >= ARRAY_LEN(r->path)) {
        r->skip++;
        return 0;
    }
    if (tag == AIRSYNC_MORE_AVAILABLE && parent == AIRSYNC_COLLECTION)
        r->more = true;
    if (tag == AIRSYNC_COLLECTION)
        collection_begin(r);
    r->path[r->depth++] = tag;
    buf_reset(&r->text);
    return 0;
}

static int
on_bytes(void *arg, struct slice s, struct err *e)
{
    struct sync_reader *r = arg;

    if (r->in_item)
        return wbxml_builder_bytes(&r->item, s, e);
    buf_add_slice(&r->text, s); /* too long is no key of ours: see `over` */
    return 0;
}

static void
value_take(struct sync_reader *r, unsigned tag, unsigned parent)
{
    struct slice text = buf_slice(&r->text);
    uint32_t v;

    if (r->text.over)
        return;
    if (tag == AIRSYNC_STATUS && slice_u32(slice_trim(text), &v)) {
        if (parent == AIRSYNC_COLLECTION)
            r->status = (long)v;
        else if (parent == AIRSYNC_SYNC)
            r->root_status = (long)v;
    } else if (tag == AIRSYNC_SYNC_KEY && parent == AIRSYNC_COLLECTION &&
               text.n && !slice_has(text, '\0')) {
        free(r->key);
        r->key = slice_dup(text);
    } else if (tag == AIRSYNC_COLLECTION_ID && parent == AIRSYNC_COLLECTION) {
        collection_find(r, slice_trim(text));
    }
}

static int
on_end(void *arg, unsigned tag, struct err *e)
{
    struct sync_reader *r = arg;

    if (r->in_item) {
        if (wbxml_builder_end(&r->item, e))
            return -1;
        return r->item.at ? 0 : entry_take(r, e);
    }
    if (r->skip) {
        r->skip--;
        return 0;
    }
    r->depth--;
    value_take(r, tag, parent_of(r));
    buf_reset(&r->text);
    return tag == AIRSYNC_COLLECTION ? collection_end(r, e) : 0;
}

/* ---- */

static int
part_settle(struct sync_reader *r, struct sync_part *p, struct err *e)
{
    struct eas_sync_answer *out = p->out;
    long status = p->status ? p->status : r->root_status ? r->root_status : 1;

    eas_status_set(EAS_CMD_SYNC, (int)status, &out->status, &out->reaction);
    if (out->reaction != EAS_OK)
        return 0;
    if (!r->has_collection && !r->root_status)
        return err_set(e, E_RETRY, "Sync was answered without a collection");
    if (!out->key) {
        /* A bare "fine": as good as an empty answer. */
        out->empty = true;
        out->more = false;
        return 0;
    }
    /* More with the same key would go on for ever. */
    if (out->more && !strcmp(out->key, p->key))
        out->more = false;
    return 0;
}

/* Of several, one that is not named has nothing new, unless the window was
 * full before its turn came. */
static int
answer_settle(struct sync_reader *r, struct err *e)
{
    struct sync_call *s = r->s;
    bool full = r->items >= s->parts[0].window;

    if (s->n > 1 && !r->has_collection && r->root_status > 1)
        return err_set(e, E_REMOTE, "status %ld for several collections at "
                                    "once", r->root_status);
    for (size_t i = 0; i < s->n; i++)
        full |= s->parts[i].out->more;
    for (size_t i = 0; i < s->n; i++) {
        if (part_settle(r, &s->parts[i], e))
            return -1;
        s->parts[i].out->left_out = full && !s->parts[i].named;
    }
    return 0;
}

static struct sync_reader *
reader_new(struct sync_call *s)
{
    static const struct wbxml_limits limits = {.bytes = EAS_SYNC_ANSWER_MAX};
    struct sync_reader *r = xcalloc(1, sizeof *r);
    struct wbxml_events events = {on_start, on_bytes, on_end, r};

    r->s = s;
    for (size_t i = 0; i < s->n; i++) {
        s->parts[i].status = 0;
        s->parts[i].named = false;
    }
    r->arena = arena_new();
    buf_init(&r->text, EAS_ID_MAX);
    wbxml_reader_init(&r->wbxml, &events, &limits);
    return r;
}

void
eas_sync_forget(struct sync_call *s)
{
    struct sync_reader *r = s->reader;

    if (!r)
        return;
    wbxml_reader_clear(&r->wbxml);
    wbxml_builder_clear(&r->item);
    buf_clear(&r->text);
    free(r->key);
    arena_free(&r->arena);
    free(r);
    s->reader = NULL;
}

/* A torn answer: the same request again. */
static int
torn(struct err *e)
{
    if (e && e->code == E_INPUT)
        e->code = E_RETRY;
    return -1;
}

int
eas_sync_feed(struct sync_call *s, struct slice piece, struct err *e)
{
    if (!s->reader)
        s->reader = reader_new(s);
    return wbxml_reader_feed(&s->reader->wbxml, piece, e) ? torn(e) : 0;
}

int
eas_sync_finish(struct sync_call *s, struct err *e)
{
    int rc = wbxml_reader_end(&s->reader->wbxml, e)
                 ? torn(e)
                 : answer_settle(s->reader, e);

    eas_sync_forget(s);
    return rc;
}

int
eas_sync_read(struct sync_call *s, struct slice body, struct err *e)
{
    eas_sync_forget(s);
    return eas_sync_feed(s, body, e) || eas_sync_finish(s, e) ? -1 : 0;
}
