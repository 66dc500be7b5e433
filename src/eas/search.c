/*
 * Looking for mail on the server: Find where the server speaks 16.1, else
 * Search (MS-ASCMD 2.2.1.2 and 2.2.1.16). What comes back are candidates:
 * IMAP's SEARCH is exact, the server's index is not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/code.h"
#include "base/mem.h"
#include "eas/private.h"

#define PAGE 100u /* the most that Search gives at once */
#define TEXT_MAX 1024
#define VALUE_MAX ((size_t)64 << 10)

struct search_call {
    struct eas_call call;
    char *collection, *text;
    int64_t since, before;
    unsigned first;
    char id[40];
    struct eas_search_answer *out;
};

static bool
is_find(const struct eas_call *c)
{
    return c->kind->command == EAS_CMD_FIND;
}

/* ---- the request */

static void
write_range(struct wbxml_writer *w, unsigned tag, unsigned first)
{
    char text[40];

    snprintf(text, sizeof text, "%u-%u", first, first + PAGE - 1);
    wbxml_write_text(w, tag, text);
}

static void
write_date(struct wbxml_writer *w, unsigned tag, int64_t when)
{
    time_t t = (time_t)when;
    struct tm tm;
    char text[40];

    if (when < 0)
        return;
    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
    wbxml_write_start(w, tag);
    wbxml_write_empty(w, EMAIL_DATE_RECEIVED);
    wbxml_write_text(w, SEARCH_VALUE, text);
    wbxml_write_end(w);
}

static int
search_build(struct eas_call *c, struct err *e)
{
    struct search_call *s = (struct search_call *)c;
    struct wbxml_writer *w = &c->req.w;

    (void)e;
    wbxml_write_start(w, SEARCH_SEARCH);
    wbxml_write_start(w, SEARCH_STORE);
    wbxml_write_text(w, SEARCH_NAME, "Mailbox");
    wbxml_write_start(w, SEARCH_QUERY);
    wbxml_write_start(w, SEARCH_AND);
    wbxml_write_text(w, AIRSYNC_CLASS, "Email");
    if (s->collection)
        wbxml_write_text(w, AIRSYNC_COLLECTION_ID, s->collection);
    wbxml_write_text(w, SEARCH_FREE_TEXT, s->text);
    write_date(w, SEARCH_GREATER_THAN, s->since);
    write_date(w, SEARCH_LESS_THAN, s->before);
    wbxml_write_end(w);
    wbxml_write_end(w);
    wbxml_write_start(w, SEARCH_OPTIONS);
    if (!s->first)
        wbxml_write_empty(w, SEARCH_REBUILD_RESULTS);
    if (!s->collection)
        wbxml_write_empty(w, SEARCH_DEEP_TRAVERSAL);
    write_range(w, SEARCH_RANGE, s->first);
    wbxml_write_end(w);
    wbxml_write_end(w);
    wbxml_write_end(w);
    return 0;
}

/* Find has no dates of its own: KQL has (received>=2026-01-31). */
static void
write_kql(struct wbxml_writer *w, const struct search_call *s)
{
    static const char *const ops[] = {"received>=", "received<="};
    const int64_t when[] = {s->since, s->before};
    struct buf b = BUF_INIT(TEXT_MAX + 200);

    buf_adds(&b, s->text);
    for (int i = 0; i < 2; i++) {
        time_t t = (time_t)when[i];
        struct tm tm;
        char day[20];

        if (when[i] < 0)
            continue;
        gmtime_r(&t, &tm);
        strftime(day, sizeof day, "%Y-%m-%d", &tm);
        buf_addf(&b, " %s%s", ops[i], day);
    }
    wbxml_write_slice(w, FIND_FREE_TEXT, buf_slice(&b));
    buf_clear(&b);
}

/* A GUID for a new search; the pages after the first have that of it. */
static void
id_choose(struct search_call *s, const char *before)
{
    char id[33];

    if (before && *before) {
        snprintf(s->id, sizeof s->id, "%s", before);
        return;
    }
    code_random_hex(id, 16);
    snprintf(s->id, sizeof s->id, "%.8s-%.4s-%.4s-%.4s-%.12s", id, id + 8,
             id + 12, id + 16, id + 20);
}

static int
find_build(struct eas_call *c, struct err *e)
{
    struct search_call *s = (struct search_call *)c;
    struct wbxml_writer *w = &c->req.w;

    (void)e;
    wbxml_write_start(w, FIND_FIND);
    wbxml_write_text(w, FIND_SEARCH_ID, s->id);
    wbxml_write_start(w, FIND_EXECUTE_SEARCH);
    wbxml_write_start(w, FIND_MAIL_BOX_SEARCH_CRITERION);
    wbxml_write_start(w, FIND_QUERY);
    wbxml_write_text(w, AIRSYNC_CLASS, "Email");
    if (s->collection)
        wbxml_write_text(w, AIRSYNC_COLLECTION_ID, s->collection);
    write_kql(w, s);
    wbxml_write_end(w);
    wbxml_write_start(w, FIND_OPTIONS);
    write_range(w, FIND_RANGE, s->first);
    if (!s->collection)
        wbxml_write_empty(w, FIND_DEEP_TRAVERSAL);
    wbxml_write_end(w);
    wbxml_write_end(w);
    wbxml_write_end(w);
    wbxml_write_end(w);
    return 0;
}

/* ---- the answer */

static void
hit_add(struct eas_search_answer *out, const struct wbxml_node *n,
        const struct wbxml_node *properties, unsigned long_id)
{
    struct eas_hit *h;

    if (out->n >= PAGE)
        return;
    out->hits = xrealloc(out->hits, (out->n + 1) * sizeof *out->hits);
    h = &out->hits[out->n++];
    *h = (struct eas_hit){
        .collection = eas_dup_id(wbxml_text(n, AIRSYNC_COLLECTION_ID, 0)),
        .server_id = eas_dup_id(wbxml_text(n, AIRSYNC_SERVER_ID, 0)),
        .long_id =
            long_id ? eas_dup_text(wbxml_text(n, long_id, 0), VALUE_MAX)
                    : NULL,
        .from = eas_dup_text(wbxml_text(properties, EMAIL_FROM, 0), VALUE_MAX),
        .subject = eas_dup_text(wbxml_text(properties, EMAIL_SUBJECT, 0),
                                VALUE_MAX),
        .received =
            eas_date_parse(wbxml_text(properties, EMAIL_DATE_RECEIVED, 0)),
    };
}

static int
search_answer(struct eas_call *c, struct slice body, struct err *e)
{
    struct search_call *s = (struct search_call *)c;
    bool find = is_find(c);
    struct arena *a = arena_new();
    const struct wbxml_node *at, *n;
    struct wbxml_node *root;
    long status = 1, total;
    int rc =
        eas_answer_tree(a, body, find ? FIND_FIND : SEARCH_SEARCH, &root, e);

    if (rc) {
        arena_free(&a);
        return -1;
    }
    at = find ? wbxml_find(root, FIND_RESPONSE, 0)
              : wbxml_find(root, SEARCH_RESPONSE, SEARCH_STORE, 0);
    status = wbxml_number(root, 1, find ? FIND_STATUS : SEARCH_STATUS, 0);
    if (status == 1)
        status = wbxml_number(at, 1, find ? FIND_STATUS : SEARCH_STATUS, 0);
    eas_status_set(c->kind->command, (int)status, &s->out->status,
                   &s->out->reaction);
    s->out->find = find;
    total = wbxml_number(at, 0, find ? FIND_TOTAL : SEARCH_TOTAL, 0);
    s->out->total = total > 0 ? (uint64_t)total : 0;
    n = wbxml_find(at, find ? FIND_RESULT : SEARCH_RESULT, 0);
    for (; n && s->out->reaction == EAS_OK; n = wbxml_again(n)) {
        const struct wbxml_node *p =
            wbxml_find(n, find ? FIND_PROPERTIES : SEARCH_PROPERTIES, 0);

        if (p) /* an empty Result says that nothing was found */
            hit_add(s->out, n, p, find ? 0 : SEARCH_LONG_ID);
    }
    arena_free(&a);
    return 0;
}

static void
search_clear(struct eas_call *c)
{
    free(((struct search_call *)c)->collection);
    free(((struct search_call *)c)->text);
}

struct op *
eas_search(struct eas *eas, const struct eas_search_ask *ask,
           struct eas_search_answer *out, op_done_fn *done, void *arg)
{
    static const struct eas_call_kind search = {.command = EAS_CMD_SEARCH,
                                                .build = search_build,
                                                .answer = search_answer,
                                                .clear = search_clear},
                                      find = {.command = EAS_CMD_FIND,
                                              .build = find_build,
                                              .answer = search_answer,
                                              .clear = search_clear};
    struct search_call *s;

    *out = (struct eas_search_answer){0};
    if (!ask->text[0] || strlen(ask->text) > TEXT_MAX)
        return op_decided(&(struct err){E_INPUT, "a search for nothing, or "
                                                 "for over 1024 bytes"},
                          done, arg);
    s = eas_call_new(eas, eas_version_is(eas, 161) ? &find : &search,
                     sizeof *s);
    s->out = out;
    s->collection = ask->collection ? xstrdup(ask->collection) : NULL;
    s->text = xstrdup(ask->text);
    s->since = ask->since;
    s->before = ask->before;
    s->first = ask->first;
    id_choose(s, ask->id);
    memcpy(out->id, s->id, sizeof out->id);
    return eas_call_start(&s->call, done, arg);
}

void
eas_search_answer_clear(struct eas_search_answer *a)
{
    for (size_t i = 0; i < a->n; i++) {
        free(a->hits[i].collection);
        free(a->hits[i].server_id);
        free(a->hits[i].long_id);
        free(a->hits[i].from);
        free(a->hits[i].subject);
    }
    free(a->hits);
    *a = (struct eas_search_answer){0};
}
