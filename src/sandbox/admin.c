/*
 * The admin endpoint: plain HTTP on loopback, for tests and people who try
 * things. Documented in sealpost-sandbox(1).
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "loop/httpd.h"
#include "mime/date.h"
#include "sandbox/call.h"
#include "sandbox/policy.h"
#include "sandbox/server.h"

#define LOG_MAX ((size_t)64 << 20)

struct asked {
    struct sandbox *sandbox;
    struct httpd_request *http;
    struct slice query, body;
};

static void
answer(struct asked *a, int status, const char *text)
{
    char *line = xasprintf("%s\n", text);

    httpd_answer(a->http, status, NULL, slice_of(line));
    free(line);
}

static void
answer_error(struct asked *a, const struct err *e)
{
    answer(a,
           e->code == E_INPUT     ? 400
           : e->code == E_MISSING ? 404
                                  : 500,
           e->text);
}

/* ---- POST /inject */

/* Letters as in Maildir, or IMAP's names: "S", "\Seen \Flagged". */
static unsigned
flags_parse(const char *text)
{
    static const struct {
        const char *name;
        char letter;
        unsigned flag;
    } known[] = {{"seen", 'S', MAIL_SEEN},
                 {"flagged", 'F', MAIL_FLAGGED},
                 {"answered", 'R', MAIL_ANSWERED},
                 {"forwarded", 'P', MAIL_FORWARDED},
                 {"draft", 'D', MAIL_DRAFT}};
    unsigned flags = 0;

    for (size_t i = 0; text && i < ARRAY_LEN(known); i++)
        if (strcasestr(text, known[i].name) ||
            (!strpbrk(text, "\\,$") && strlen(text) <= 6 &&
             strchr(text, known[i].letter)))
            flags |= known[i].flag;
    return flags;
}

/* Seconds since 1970, or a date as in mail or ISO 8601. */
static bool
date_parse(const char *text, int64_t *out)
{
    uint64_t number;

    if (slice_u64(slice_of(text), &number)) {
        *out = (int64_t)number;
        return true;
    }
    return mime_date_parse(slice_of(text), out, NULL);
}

static void
on_inject(struct asked *a)
{
    const char *user = httpd_header(a->http, "X-User");
    const char *folder = httpd_header(a->http, "X-Folder");
    const char *date = httpd_header(a->http, "X-Internaldate");
    struct user *u = user ? mailroot_user(a->sandbox->mail, user) : NULL;
    struct folder *f = u ? tree_find_path(u, folder ? folder : "INBOX") : NULL;
    struct folder_adding what = {
        .raw = a->body, .flags = flags_parse(httpd_header(a->http, "X-Flags"))};
    struct message *m;
    struct err e;
    char *line, id[ID_SIZE];

    if (!u || !f) {
        answer(a, 404, u ? "no such folder" : "no such user (X-User)");
    } else if (date && !date_parse(date, &what.received)) {
        answer(a, 400, "X-Internaldate is not understood");
    } else if (!a->body.n) {
        answer(a, 400, "the message is the body of the request");
    } else if (folder_add(f, &what, &m, &e)) {
        answer_error(a, &e);
    } else {
        id_write(a->sandbox, m, id);
        line = xasprintf("{\"collection\": \"%u\", \"id\": \"%s\"}", f->id, id);
        answer(a, 200, line);
        free(line);
    }
}

/* ---- the rest */

static void
on_mischief(struct asked *a)
{
    struct err e;

    if (!strcmp(httpd_method(a->http), "DELETE")) {
        mischief_reset(a->sandbox->mischief);
        answer(a, 200, "{}");
    } else if (mischief_add(a->sandbox->mischief, a->body.p, a->body.n, &e)) {
        answer_error(a, &e);
    } else {
        answer(a, 200, "{}");
    }
}

static void
on_log(struct asked *a)
{
    struct buf b = BUF_INIT(LOG_MAX);

    if (!strcmp(httpd_method(a->http), "DELETE")) {
        record_reset(a->sandbox->record);
        answer(a, 200, "{}");
        return;
    }
    record_write(a->sandbox->record, &b);
    httpd_answer(a->http, 200, NULL, buf_slice(&b));
    buf_clear(&b);
}

static void
on_violations(struct asked *a)
{
    struct buf b = BUF_INIT(LOG_MAX);

    if (!strcmp(httpd_method(a->http), "DELETE")) {
        breaches_reset(a->sandbox->breaches);
        answer(a, 200, "{}");
        return;
    }
    breaches_write(a->sandbox->breaches, &b);
    httpd_answer(a->http, 200, NULL, buf_slice(&b));
    buf_clear(&b);
}

static char *
query_value(struct asked *a, const char *name)
{
    struct slice rest = a->query, pair, key;

    while (slice_next(&rest, '&', &pair))
        if (slice_next(&pair, '=', &key) && slice_is(key, name)) {
            struct buf b = BUF_INIT(1024);

            for (size_t i = 0; i < pair.n; i++)
                if (pair.n - i > 2 && pair.p[i] == '%') {
                    unsigned c = '?';

                    sscanf(pair.p + i + 1, "%2x", &c);
                    buf_addc(&b, (char)c);
                    i += 2;
                } else {
                    buf_addc(&b, pair.p[i]);
                }
            return buf_take(&b, NULL);
        }
    return NULL;
}

/* An empty body takes the policy away. */
static void
on_policy(struct asked *a)
{
    char *user = query_value(a, "user"), *path, *dir, *text;
    struct arena *arena = arena_new();
    struct err e = {0};
    int rc = 0;

    if (user && !strcmp(user, "*")) {
        free(user);
        user = NULL;
    }
    path = policy_path(a->sandbox, user);
    dir = file_dir(path);
    text = slice_dup(a->body);
    if (user && !mailroot_user(a->sandbox->mail, user))
        rc = err_set(&e, E_MISSING, "no such user");
    else if (!slice_trim(a->body).n)
        rc = file_remove(path, &e);
    else if (!httpd_header(a->http, "X-Unchecked") &&
             !policy_parse(arena, text))
        rc = err_set(&e, E_INPUT, "no EASProvisionDoc in it");
    else
        rc = file_mkdirs(dir, &e) || file_write(path, a->body, 0600, false, &e);
    if (rc)
        answer_error(a, &e);
    else
        answer(a, 200, "{}");
    free(user);
    free(path);
    free(dir);
    free(text);
    arena_free(&arena);
}

static void
on_versions(struct asked *a)
{
    json_t *o = json_loadb(a->body.p ? a->body.p : "", a->body.n, 0, NULL);
    const char *text = json_string_value(json_object_get(o, "versions"));
    unsigned bits = text ? sandbox_versions_parse(text) : 0;

    if (bits) {
        a->sandbox->versions = bits;
        answer(a, 200, "{}");
    } else {
        answer(a, 400, "want {\"versions\": \"14.1,16.1\"}");
    }
    json_decref(o);
}

static void
on_reload(struct asked *a)
{
    struct err e;

    if (mailroot_reload(a->sandbox->mail, &e))
        answer_error(a, &e);
    else
        answer(a, 200, "{}");
}

/* Every folder and how many messages it has. */
static void
on_folders(struct asked *a)
{
    char *user = query_value(a, "user"), *text;
    struct user *u = user ? mailroot_user(a->sandbox->mail, user) : NULL;
    json_t *list = json_array();
    struct list *n, *after;

    if (!u) {
        answer(a, 404, "no such user");
    } else {
        LIST_EACH(&u->folders, n, after)
        {
            struct folder *f = LIST_OBJECT(n, struct folder, node);
            int count = 0;

            for (uint32_t i = 0; i < f->count; i++)
                count += !f->list[i]->gone;
            json_array_append_new(
                list, json_pack("{s:s, s:s, s:i, s:i}", "path",
                                f->path + strlen(u->path) + 1, "name", f->name,
                                "id", (int)f->id, "messages", count));
        }
        text = json_dumps(list, JSON_COMPACT);
        answer(a, 200, text);
        free(text);
    }
    json_decref(list);
    free(user);
}

static json_t *
categories_of(const struct message *m)
{
    struct slice rest = slice_of(m->category_lines), line;
    json_t *list = json_array();

    while (slice_next(&rest, '\n', &line))
        if (line.n)
            json_array_append_new(list, json_stringn(line.p, line.n));
    return list;
}

/* What a Maildir does not show: ids, categories, the last verb. A line per
 * message. */
static void
on_messages(struct asked *a)
{
    char *user = query_value(a, "user"), *folder = query_value(a, "folder");
    struct user *u = user ? mailroot_user(a->sandbox->mail, user) : NULL;
    struct folder *f = u ? tree_find_path(u, folder ? folder : "INBOX") : NULL;
    struct buf b = BUF_INIT(LOG_MAX);
    char id[ID_SIZE];

    for (uint32_t i = 0; f && i < f->count; i++) {
        struct message *m = f->list[i];
        json_t *o;
        char *line;

        if (m->gone)
            continue;
        id_write(a->sandbox, m, id);
        o = json_pack("{s:s, s:s, s:b, s:b, s:i, s:I, s:o}", "id", id, "file",
                      m->name, "read", (int)!!(m->flags & MAIL_SEEN), "flagged",
                      (int)!!(m->flags & MAIL_FLAGGED), "verb", m->last_verb,
                      "received", (json_int_t)m->received, "categories",
                      categories_of(m));
        line = o ? json_dumps(o, JSON_COMPACT) : NULL;
        if (line)
            buf_addf(&b, "%s\n", line);
        free(line);
        json_decref(o);
    }
    if (f)
        httpd_answer(a->http, 200, NULL, buf_slice(&b));
    else
        answer(a, 404, u ? "no such folder" : "no such user");
    buf_clear(&b);
    free(user);
    free(folder);
}

static const struct {
    const char *method, *path;
    void (*run)(struct asked *);
} doors[] = {
    {"POST", "/inject", on_inject},
    {"POST", "/mischief", on_mischief},
    {"DELETE", "/mischief", on_mischief},
    {"GET", "/log", on_log},
    {"DELETE", "/log", on_log},
    {"POST", "/policy", on_policy},
    {"POST", "/versions", on_versions},
    {"POST", "/reload", on_reload},
    {"GET", "/violations", on_violations},
    {"DELETE", "/violations", on_violations},
    {"GET", "/folders", on_folders},
    {"GET", "/messages", on_messages},
};

void
admin_handle(void *arg, struct httpd_request *r)
{
    struct asked a = {.sandbox = arg, .http = r, .body = httpd_body(r)};
    struct slice path;

    a.query = slice_of(httpd_target(r));
    slice_next(&a.query, '?', &path);
    for (size_t i = 0; i < ARRAY_LEN(doors); i++)
        if (slice_is(path, doors[i].path) &&
            !strcmp(httpd_method(r), doors[i].method)) {
            doors[i].run(&a);
            return;
        }
    answer(&a, 404, "no such thing");
}
