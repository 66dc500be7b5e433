/*
 * The answer of ItemOperations Fetch, taken apart while it arrives. In the
 * multipart form part 0 says which part is whose body; inline, a body stands
 * in its Fetch. Either way one body is in memory at a time. Called by
 * items.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eas/items_private.h"
#include "wbxml/read.h"

#define DEPTH 8
#define TEXT_MAX ((size_t)64 << 10) /* of a field: To may be long */
#define ANSWER_MAX ((size_t)1 << 30)

/* One Fetch of the answer. */
struct fetched {
    long status, type, truncated, part;
    char *folder, *id;
    bool has_body, has_data;
    struct look look;
};

struct fetch_reader {
    struct fetch_call *f;
    bool is_parts;
    struct eas_multipart parts;
    struct wbxml_reader wbxml;
    unsigned path[DEPTH]; /* the tags above what is read */
    unsigned depth, skip;
    struct buf text, data; /* of a small element; the body that comes */
    struct fetched one;
    long status;
    bool has_fetch;
    struct {
        size_t item; /* and one; 0: nobody's */
        bool truncated;
    } whose[EAS_PARTS_MAX];
};

/* ---- telling ---- */

static void
tell(struct fetch_reader *r, size_t i, int status, struct slice mime,
     bool truncated)
{
    struct fetch_call *f = r->f;

    if (f->items[i].told)
        return; /* two Fetch for one item, two parts for one Fetch */
    f->items[i].told = true;
    f->on_body(f->body_arg, i, status, mime, truncated);
}

/* The text of an item that was looked at, or its MIME because it is S/MIME. */
static void
tell_looked(struct fetch_reader *r, size_t i, bool cut)
{
    struct fetch_call *f = r->f;
    struct fetch_place *p = &f->items[i];
    struct buf made = BUF_INIT((size_t)f->max_body);

    if (p->look.type == 4 && eas_look_is_smime(buf_slice(&r->data)))
        tell(r, i, 1, buf_slice(&r->data), cut);
    else if (p->look.type == 4) /* not what was asked for: nothing gets in */
        tell(r, i, 14, SLICE_NONE, false);
    else if (!p->cut && eas_look_fits(&f->limits, &p->look, cut))
        p->passed = true;
    else if (eas_look_make(&f->limits, &p->look, buf_slice(&r->data),
                           cut || p->cut, &made))
        tell(r, i, -1, SLICE_NONE, false);
    else
        tell(r, i, 1, buf_slice(&made), false);
    buf_clear(&made);
}

static void
tell_data(struct fetch_reader *r, size_t i, bool truncated)
{
    struct fetch_place *p = &r->f->items[i];

    if (r->data.over) {
        tell(r, i, -1, SLICE_NONE, false);
    } else if (r->f->looks && !p->told) {
        tell_looked(r, i, truncated);
    } else if (truncated && p->passed && !p->cut) {
        /* The server cuts by the policy in its own way: its text, then. */
        p->cut = true;
        p->passed = false;
    } else
        tell(r, i, 1, buf_slice(&r->data), truncated);
    buf_clear(&r->data);
    buf_init(&r->data, (size_t)r->f->max_body);
}

/* Servers answer in the order of the request, but the ids say it for sure.
 * An id alone will do where the folder is left out. */
static size_t
fetch_index(const struct fetch_call *f, const struct fetched *one)
{
    for (size_t i = 0; i < f->n && one->id; i++)
        if (!f->items[i].told && !strcmp(one->id, f->items[i].server_id) &&
            (!one->folder || !strcmp(one->folder, f->items[i].collection)))
            return i;
    return f->n;
}

static void
fetched_clear(struct fetched *one)
{
    free(one->folder);
    free(one->id);
    eas_look_clear(&one->look);
    *one = (struct fetched){.status = 1, .type = 4, .part = -1};
}

/* In a look there is the text of a message, which may have none. */
static bool
form_is_right(const struct fetch_reader *r, const struct fetched *one)
{
    return one->has_body &&
           (one->type == 4 ||
            (r->f->looks && (one->type == 1 || one->type == 2)));
}

static void
fetched_take(struct fetch_reader *r)
{
    struct fetched *one = &r->one;
    size_t i = fetch_index(r->f, one);
    bool truncated = one->truncated == 1;

    if (i >= r->f->n)
        return;
    eas_look_clear(&r->f->items[i].look);
    r->f->items[i].look = one->look;
    r->f->items[i].look.type = (int)one->type;
    one->look = (struct look){0};
    if (one->status != 1)
        tell(r, i, (int)one->status, SLICE_NONE, false);
    else if (!form_is_right(r, one))
        tell(r, i, 14, SLICE_NONE, false); /* not as MIME */
    else if (one->part >= 1 && one->part < EAS_PARTS_MAX && r->is_parts) {
        r->whose[one->part].item = i + 1;
        r->whose[one->part].truncated = truncated;
    } else if (one->has_data || r->f->looks) /* no text is a text, too */
        tell_data(r, i, truncated);
    else
        tell(r, i, 14, SLICE_NONE, false);
}

/* ---- WBXML ---- */

static unsigned
above(const struct fetch_reader *r, unsigned up)
{
    return r->depth >= up ? r->path[r->depth - up] : 0;
}

static bool
in_fetch(const struct fetch_reader *r)
{
    return r->depth >= 3 && r->path[2] == ITEMOPS_FETCH;
}

static void
file_add(struct look *l)
{
    if (l->nfiles >= LOOK_FILES_MAX) {
        l->more++;
        return;
    }
    l->files = xrealloc(l->files, (l->nfiles + 1) * sizeof *l->files);
    l->files[l->nfiles].name = NULL;
    l->files[l->nfiles++].size = UINT64_MAX; /* until it is told */
}

static int
on_start(void *arg, unsigned tag, struct err *e)
{
    struct fetch_reader *r = arg;

    if (!r->depth && tag != ITEMOPS_ITEM_OPERATIONS)
        return err_set(e, E_RETRY, "the server answered %s instead of "
                                   "ItemOperations",
                       wbxml_tag_name(tag));
    if (r->depth >= DEPTH) {
        r->skip++;
        return 0;
    }
    if (r->depth == 2 && tag == ITEMOPS_FETCH) {
        r->has_fetch = true;
        fetched_clear(&r->one);
        buf_reset(&r->data);
    }
    if (in_fetch(r) && tag == BASE_BODY)
        r->one.has_body = true;
    if (in_fetch(r) && tag == BASE_DATA && above(r, 1) == BASE_BODY)
        r->one.has_data = true;
    if (in_fetch(r) && tag == BASE_ATTACHMENT)
        file_add(&r->one.look);
    r->path[r->depth++] = tag;
    buf_reset(&r->text);
    return 0;
}

static int
on_bytes(void *arg, struct slice s, struct err *e)
{
    struct fetch_reader *r = arg;

    (void)e;
    if (r->skip)
        return 0;
    if (in_fetch(r) && above(r, 1) == BASE_DATA && above(r, 2) == BASE_BODY)
        buf_add_slice(&r->data, s); /* over: told as too large */
    else
        buf_add_slice(&r->text, s); /* over: no value of ours */
    return 0;
}

static long
number_of(const struct fetch_reader *r, long absent)
{
    uint32_t v;

    if (r->text.over || !slice_u32(slice_trim(buf_slice(&r->text)), &v) ||
        v > 1000000)
        return absent;
    return (long)v;
}

static void
keep_id(const struct fetch_reader *r, char **dst)
{
    free(*dst);
    *dst = r->text.over ? NULL : eas_dup_id(slice_trim(buf_slice(&r->text)));
}

/* One property, or one of an attachment. */
static void
look_take(struct fetch_reader *r, unsigned tag)
{
    static const unsigned tags[LOOK_FIELDS] = {
        EMAIL_FROM, EMAIL_TO, EMAIL_CC, EMAIL_REPLY_TO, EMAIL_SUBJECT};
    struct look *l = &r->one.look;
    struct slice text = r->text.over ? SLICE_NONE
                                     : slice_trim(buf_slice(&r->text));
    char **to = NULL;

    for (size_t i = 0; i < LOOK_FIELDS; i++)
        if (tag == tags[i])
            to = &l->field[i];
    if (tag == BASE_DISPLAY_NAME && l->nfiles && !l->more)
        to = &l->files[l->nfiles - 1].name;
    if (to) {
        free(*to);
        *to = eas_dup_text(text, TEXT_MAX);
    }
    if (tag == EMAIL_DATE_RECEIVED)
        l->received = eas_date_parse(text);
    if (tag == BASE_ESTIMATED_DATA_SIZE && l->nfiles && !l->more &&
        !slice_u64(text, &l->files[l->nfiles - 1].size))
        l->files[l->nfiles - 1].size = UINT64_MAX;
}

/* tag has ended; above() is its parent. */
static void
value_take(struct fetch_reader *r, unsigned tag)
{
    struct fetched *one = &r->one;
    unsigned parent = above(r, 1);

    if (tag == ITEMOPS_STATUS && parent == ITEMOPS_ITEM_OPERATIONS)
        r->status = number_of(r, 1);
    if (!in_fetch(r))
        return;
    if (tag == ITEMOPS_STATUS && parent == ITEMOPS_FETCH)
        one->status = number_of(r, 3);
    else if (tag == AIRSYNC_SERVER_ID && parent == ITEMOPS_FETCH)
        keep_id(r, &one->id);
    else if (tag == AIRSYNC_COLLECTION_ID && parent == ITEMOPS_FETCH)
        keep_id(r, &one->folder);
    else if (parent == ITEMOPS_PROPERTIES || parent == BASE_ATTACHMENT)
        look_take(r, tag);
    else if (parent != BASE_BODY)
        return;
    else if (tag == BASE_TYPE)
        one->type = number_of(r, 0);
    else if (tag == BASE_TRUNCATED)
        one->truncated = number_of(r, 0);
    else if (tag == ITEMOPS_PART)
        one->part = number_of(r, -1);
}

static int
on_end(void *arg, unsigned tag, struct err *e)
{
    struct fetch_reader *r = arg;

    (void)e;
    if (r->skip) {
        r->skip--;
        return 0;
    }
    r->depth--;
    if (r->depth == 2 && tag == ITEMOPS_FETCH)
        fetched_take(r);
    else
        value_take(r, tag);
    buf_reset(&r->text);
    return 0;
}

/* A torn answer: the same request again. */
static int
torn(struct err *e)
{
    if (e && e->code == E_INPUT)
        e->code = E_RETRY;
    return err_add(e, "the server's answer");
}

/* ---- parts ---- */

static int
on_part_bytes(void *arg, size_t part, struct slice piece, struct err *e)
{
    struct fetch_reader *r = arg;

    if (!part)
        return wbxml_reader_feed(&r->wbxml, piece, e) ? torn(e) : 0;
    if (r->whose[part].item)
        buf_add_slice(&r->data, piece);
    return 0;
}

static int
on_part_end(void *arg, size_t part, struct err *e)
{
    struct fetch_reader *r = arg;

    if (!part)
        return wbxml_reader_end(&r->wbxml, e) ? torn(e) : 0;
    if (r->whose[part].item)
        tell_data(r, r->whose[part].item - 1, r->whose[part].truncated);
    return 0;
}

/* ---- for items.c ---- */

static struct fetch_reader *
reader_new(struct fetch_call *f)
{
    static const struct wbxml_limits limits = {.bytes = ANSWER_MAX};
    struct fetch_reader *r = xcalloc(1, sizeof *r);
    struct wbxml_events events = {on_start, on_bytes, on_end, r};

    r->f = f;
    r->status = 1;
    r->is_parts = slice_istarts(slice_of(f->call.req.content_type),
                                "application/vnd.ms-sync.multipart");
    buf_init(&r->text, TEXT_MAX);
    buf_init(&r->data, (size_t)f->max_body);
    wbxml_reader_init(&r->wbxml, &events, &limits);
    eas_multipart_init(&r->parts, on_part_bytes, on_part_end, r);
    return r;
}

void
eas_items_forget(struct fetch_call *f)
{
    struct fetch_reader *r = f->reader;

    if (!r)
        return;
    eas_multipart_clear(&r->parts);
    wbxml_reader_clear(&r->wbxml);
    fetched_clear(&r->one);
    buf_clear(&r->text);
    buf_clear(&r->data);
    free(r);
    f->reader = NULL;
}

int
eas_items_feed(struct fetch_call *f, struct slice piece, struct err *e)
{
    struct fetch_reader *r = f->reader;

    if (!r)
        r = f->reader = reader_new(f);
    if (r->is_parts)
        return eas_multipart_feed(&r->parts, piece, e);
    return wbxml_reader_feed(&r->wbxml, piece, e) ? torn(e) : 0;
}

/* Asked for, and neither told nor let pass nor to be looked at again. */
static bool
is_forgotten(const struct fetch_call *f, const struct fetch_place *p)
{
    return f->looks ? !p->passed : !p->cut;
}

int
eas_items_finish(struct fetch_call *f, struct err *e)
{
    struct fetch_reader *r = f->reader;
    long status = r->status;
    int rc;

    if (r->is_parts)
        rc = eas_multipart_finish(&r->parts, e);
    else
        rc = wbxml_reader_end(&r->wbxml, e) ? torn(e) : 0;
    if (!rc && status != 1 && !r->has_fetch)
        rc = eas_status_err(e, EAS_CMD_ITEMOPERATIONS, (int)status);
    /* Each item is told once: what the server forgot was not found. */
    for (size_t i = 0; i < f->n && !rc; i++)
        if (!f->items[i].told && is_forgotten(f, &f->items[i]))
            tell(r, i, status == 1 ? 6 : (int)status, SLICE_NONE, false);
    eas_items_forget(f);
    return rc;
}
