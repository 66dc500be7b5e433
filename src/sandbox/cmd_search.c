/*
 * Search (MS-ASCMD 2.2.1.16) and Find (2.2.1.2, 16.1): mail by words and
 * time, people by the beginning of an address. Search names a message by a
 * LongId, Find by its ServerId.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "mime/date.h"
#include "sandbox/call.h"
#include "sandbox/look.h"
#include "sandbox/server.h"

#define SEARCH_MAX 100 /* 2.2.3.143.3 */
#define FIND_MAX 1000  /* 2.2.3.143.1 */
#define HITS_MAX 100000

/* ---- LongIds */

void
long_id_write(struct call *c, const struct message *m)
{
    char id[40];

    snprintf(id, sizeof id, "RgAAAA-%u-%u", m->folder->id, m->id);
    wbxml_write_text(&c->w, SEARCH_LONG_ID, id);
}

struct message *
long_id_find(struct call *c, struct slice text)
{
    unsigned folder, id;
    struct folder *f;

    if (!text.n || sscanf(text.p, "RgAAAA-%u-%u", &folder, &id) != 2)
        return NULL;
    f = tree_find(c->user, folder);
    return f ? folder_find_id(f, id) : NULL;
}

/* ---- the range */

struct range {
    uint32_t from, to;
};

/* "0-49"; 0 or a status: 2 malformed, 12 more than may be had. */
static int
range_read(struct slice text, uint32_t most, struct range *r)
{
    struct slice first;

    *r = (struct range){0, most - 1};
    if (!text.p)
        return 0;
    if (!slice_next(&text, '-', &first) || !slice_u32(first, &r->from) ||
        !slice_u32(text, &r->to) || r->to < r->from)
        return 2;
    return r->to - r->from >= most ? 12 : 0;
}

static void
write_range(struct call *c, unsigned range, unsigned total, uint32_t from,
            size_t shown, size_t all)
{
    if (shown)
        wbxml_write_text(
            &c->w, range,
            arena_printf(c->arena, "%u-%zu", from, from + shown - 1));
    wbxml_write_number(&c->w, total, (long)all);
}

/* ---- people */

static char **
people_of(struct call *c, struct slice who, size_t *count_out)
{
    char *all = people_suggest(c->sandbox, slice_trim(who).p);
    struct slice rest = slice_of(all), line;
    char **list = NULL;
    size_t n = 0;

    while (slice_next(&rest, '\n', &line))
        if (line.n) {
            list = xrealloc(list, (n + 1) * sizeof *list);
            list[n++] = arena_dup(c->arena, line);
        }
    free(all);
    *count_out = n;
    return list;
}

/* result, properties, and at the end range and total: tags of the page. */
struct page {
    unsigned result, properties, range, total;
};

static const struct page search_page = {SEARCH_RESULT, SEARCH_PROPERTIES,
                                        SEARCH_RANGE, SEARCH_TOTAL};
static const struct page find_page = {FIND_RESULT, FIND_PROPERTIES, FIND_RANGE,
                                      FIND_TOTAL};

static void
write_people(struct call *c, struct slice who, const struct range *r,
             const struct page *p)
{
    size_t count, shown = 0;
    char **list = people_of(c, who, &count);

    for (size_t i = r->from; i < count && i <= r->to; i++, shown++) {
        char *name = arena_strdup(c->arena, list[i]);

        name[strcspn(name, "@")] = '\0';
        wbxml_write_start(&c->w, p->result);
        wbxml_write_start(&c->w, p->properties);
        wbxml_write_text(&c->w, GAL_DISPLAY_NAME, list[i]);
        wbxml_write_text(&c->w, GAL_ALIAS, name);
        wbxml_write_text(&c->w, GAL_EMAIL_ADDRESS, list[i]);
        wbxml_write_end(&c->w);
        wbxml_write_end(&c->w);
    }
    if (!shown && p == &search_page) /* 2.2.3.147: an empty one */
        wbxml_write_empty(&c->w, p->result);
    write_range(c, p->range, p->total, r->from, shown, count);
    free(list);
}

/* ---- mail by Search */

static int
date_of(const struct wbxml_node *n, int64_t *out)
{
    int year, month, day, hour, minute, second;
    struct slice value = wbxml_text(n, SEARCH_VALUE, 0);
    const struct wbxml_node *k = n->child;

    if (!k || k->tag != EMAIL_DATE_RECEIVED || !value.n ||
        sscanf(value.p, "%4d-%2d-%2dT%2d:%2d:%2d", &year, &month, &day, &hour,
               &minute, &second) != 6)
        return 2; /* 2.2.3.177.13 */
    *out = look_day(value.p) + hour * 3600 + minute * 60 + second;
    return 0;
}

/* 0 or a status (2.2.3.142.2): exactly one And, and in it what mail has. */
static int
mail_query_read(struct call *c, const struct wbxml_node *query, struct look *l)
{
    const struct wbxml_node *and = query->child;
    bool text = false;
    int status = 0;

    if (!and || and->tag != SEARCH_AND || and->next)
        return 8;
    for (const struct wbxml_node *n = and->child; n && !status; n = n->next)
        switch (n->tag) {
        case AIRSYNC_CLASS:
            status = slice_iis(n->text, "Email") ? 0 : 2;
            break;
        case AIRSYNC_COLLECTION_ID:
            l->folder = call_folder(c, n->text);
            status = l->folder ? 0 : 11;
            break;
        case SEARCH_FREE_TEXT:
            text = n->text.n > 0;
            status = text ? 0 : 2;
            look_parse(l, c->arena, n->text, false);
            break;
        case SEARCH_GREATER_THAN:
            status = date_of(n, &l->since);
            l->since++;
            break;
        case SEARCH_LESS_THAN:
            status = date_of(n, &l->until);
            l->until--;
            break;
        default:
            status = n->tag == SEARCH_OR || n->tag == SEARCH_EQUAL_TO ? 8 : 2;
        }
    return status ? status : text ? 0 : 2;
}

static void
write_found(struct call *c, struct message *m, const struct prefs *p)
{
    wbxml_write_start(&c->w, SEARCH_RESULT);
    wbxml_write_text(&c->w, AIRSYNC_CLASS, "Email");
    long_id_write(c, m);
    wbxml_write_number(&c->w, AIRSYNC_COLLECTION_ID, m->folder->id);
    wbxml_write_start(&c->w, SEARCH_PROPERTIES);
    item_write(c, m, p, false);
    wbxml_write_end(&c->w);
    wbxml_write_end(&c->w);
}

static int
search_mail(struct call *c, const struct wbxml_node *store,
            const struct range *r)
{
    const struct wbxml_node *o = wbxml_find(store, SEARCH_OPTIONS, 0);
    struct look l = {.since = -1,
                     .until = -1,
                     .deep = wbxml_has(o, SEARCH_DEEP_TRAVERSAL, 0)};
    struct message **list;
    struct prefs p;
    size_t all, shown = 0;
    int status = mail_query_read(c, wbxml_find(store, SEARCH_QUERY, 0), &l);

    prefs_init(&p);
    if (!status && o && prefs_read(o, &p) != 1)
        status = 2;
    if (status)
        return status;
    list = xcalloc(HITS_MAX, sizeof *list);
    all = look_all(&l, c->user, list, HITS_MAX);
    if (r->from && r->from >= all)
        status = 12; /* beyond the end */
    wbxml_write_number(&c->w, SEARCH_STATUS, status ? status : 1);
    for (size_t i = r->from; !status && i < all && i <= r->to; i++, shown++)
        write_found(c, list[i], &p);
    if (!status && !shown)
        wbxml_write_empty(&c->w, SEARCH_RESULT);
    if (!status)
        write_range(c, SEARCH_RANGE, SEARCH_TOTAL, r->from, shown, all);
    free(list);
    c->status = status ? status : 1;
    return 0;
}

enum answer
cmd_search(struct call *c)
{
    const struct wbxml_node *store = wbxml_find(c->root, SEARCH_STORE, 0);
    struct slice name = wbxml_text(store, SEARCH_NAME, 0);
    struct range r;
    int status = range_read(wbxml_text(store, SEARCH_OPTIONS, SEARCH_RANGE, 0),
                            SEARCH_MAX, &r);

    call_start(c, 1);
    wbxml_write_start(&c->w, SEARCH_RESPONSE);
    wbxml_write_start(&c->w, SEARCH_STORE);
    if (!status && slice_iis(name, "Mailbox")) {
        status = search_mail(c, store, &r);
    } else if (!status && slice_iis(name, "GAL")) {
        wbxml_write_number(&c->w, SEARCH_STATUS, 1);
        write_people(c, wbxml_text(store, SEARCH_QUERY, 0), &r, &search_page);
    } else if (!status) {
        status = 2; /* documents are not served */
    }
    if (status) {
        if (status == 2 || status == 8)
            call_note_breach(c, "a query against the rules");
        wbxml_write_number(&c->w, SEARCH_STATUS, status);
        c->status = status;
    }
    wbxml_write_end(&c->w);
    wbxml_write_end(&c->w);
    wbxml_write_end(&c->w);
    return ANSWER_WBXML;
}

/* ---- Find */

static void
write_hit(struct call *c, struct message *m)
{
    const struct listing *l = m->listing;

    wbxml_write_start(&c->w, FIND_RESULT);
    wbxml_write_text(&c->w, AIRSYNC_CLASS, "Email");
    call_write_id(c, AIRSYNC_SERVER_ID, m);
    wbxml_write_number(&c->w, AIRSYNC_COLLECTION_ID, m->folder->id);
    wbxml_write_start(&c->w, FIND_PROPERTIES);
    wbxml_write_text(&c->w, EMAIL_SUBJECT, l->subject);
    item_write_date(&c->w, EMAIL_DATE_RECEIVED, m->received);
    wbxml_write_number(&c->w, EMAIL_IMPORTANCE, l->importance);
    wbxml_write_number(&c->w, EMAIL_READ, m->flags & MAIL_SEEN ? 1 : 0);
    wbxml_write_number(&c->w, EMAIL2_IS_DRAFT, m->folder->type == 3);
    if (l->cc[0])
        wbxml_write_text(&c->w, FIND_DISPLAY_CC, l->cc);
    if (l->from[0])
        wbxml_write_text(&c->w, EMAIL_FROM, l->from);
    wbxml_write_end(&c->w);
    wbxml_write_end(&c->w);
}

static int
find_mail(struct call *c, const struct wbxml_node *n, const struct range *r)
{
    struct slice folder = wbxml_text(n, FIND_QUERY, AIRSYNC_COLLECTION_ID, 0);
    struct slice text = wbxml_text(n, FIND_QUERY, FIND_FREE_TEXT, 0);
    struct look l = {.since = -1,
                     .until = -1,
                     .deep =
                         wbxml_has(n, FIND_OPTIONS, FIND_DEEP_TRAVERSAL, 0)};
    struct message **list;
    size_t all, shown = 0;

    if (folder.p && !(l.folder = call_folder(c, folder)))
        return 3;
    if (!text.n)
        return 2;
    look_parse(&l, c->arena, text, true);
    list = xcalloc(HITS_MAX, sizeof *list);
    all = look_all(&l, c->user, list, HITS_MAX);
    wbxml_write_number(&c->w, FIND_STATUS, 1);
    for (size_t i = r->from; i < all && i <= r->to; i++, shown++)
        write_hit(c, list[i]);
    write_range(c, FIND_RANGE, FIND_TOTAL, r->from, shown, all);
    free(list);
    return 0;
}

/* Paging needs the search that began with 0 under the same SearchId. */
static int
search_id_judge(struct call *c, const struct range *r)
{
    struct slice id = wbxml_text(c->root, FIND_SEARCH_ID, 0);
    struct device *d = c->device;

    if (!r->from) {
        slice_copy(id, d->search_id, sizeof d->search_id);
        return 0;
    }
    return slice_is(id, d->search_id) ? 0 : 4;
}

enum answer
cmd_find(struct call *c)
{
    const struct wbxml_node *e = wbxml_find(c->root, FIND_EXECUTE_SEARCH, 0);
    const struct wbxml_node *mail =
        wbxml_find(e, FIND_MAIL_BOX_SEARCH_CRITERION, 0);
    const struct wbxml_node *people =
        wbxml_find(e, FIND_GAL_SEARCH_CRITERION, 0);
    const struct wbxml_node *n = mail ? mail : people;
    struct range r;
    int status;

    if (!mail == !people)
        return call_breach(c, 2, "one criterion is to stand there");
    status = range_read(wbxml_text(n, FIND_OPTIONS, FIND_RANGE, 0),
                        mail ? FIND_MAX : SEARCH_MAX, &r);
    if (!status)
        status = search_id_judge(c, &r);
    call_start(c, 1);
    wbxml_write_start(&c->w, FIND_RESPONSE);
    wbxml_write_text(&c->w, ITEMOPS_STORE, mail ? "Mailbox" : "GAL");
    if (!status && mail) {
        status = find_mail(c, n, &r);
    } else if (!status) {
        wbxml_write_number(&c->w, FIND_STATUS, 1);
        write_people(c, wbxml_text(n, FIND_QUERY, 0), &r, &find_page);
    }
    if (status) {
        if (status == 2 || status == 4)
            call_note_breach(c, "a query against the rules");
        wbxml_write_number(&c->w, FIND_STATUS, status);
        c->status = status;
    }
    wbxml_write_end(&c->w);
    wbxml_write_end(&c->w);
    return ANSWER_WBXML;
}
