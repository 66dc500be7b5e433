/*
 * The server as a whole: opened, closed, and each HTTP request sent on its
 * way: OPTIONS is answered here, commands go to call.c.
 */
#include "sandbox/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/httpd.h"
#include "loop/tls.h"
#include "sandbox/call.h"

static const struct {
    unsigned bit;
    const char *text;
} version_texts[] = {
    {VERSION_140, "14.0"},
    {VERSION_141, "14.1"},
    {VERSION_160, "16.0"},
    {VERSION_161, "16.1"},
};

unsigned
sandbox_versions_parse(const char *text)
{
    struct slice rest = slice_of(text), piece;
    unsigned bits = 0;

    while (slice_next(&rest, ',', &piece)) {
        unsigned bit = 0;

        for (size_t i = 0; i < ARRAY_LEN(version_texts); i++)
            if (slice_is(slice_trim(piece), version_texts[i].text))
                bit = version_texts[i].bit;
        if (!bit)
            return 0;
        bits |= bit;
    }
    return bits;
}

/* MS-ASHTTP 2.2.4.1.2. */
static void
options_answer(struct sandbox *s, struct httpd_request *r)
{
    struct buf versions = BUF_INIT(256), names = BUF_INIT(1024);
    const char *headers[4];

    buf_adds(&versions, "MS-ASProtocolVersions: ");
    for (size_t i = 0; i < ARRAY_LEN(version_texts); i++)
        if (s->versions & version_texts[i].bit)
            buf_addf(&versions, "%s%s",
                     versions.data[versions.len - 1] == ' ' ? "" : ",",
                     version_texts[i].text);
    buf_adds(&names, "MS-ASProtocolCommands: ");
    commands_list(&names);
    headers[0] = versions.data;
    headers[1] = names.data;
    headers[2] = "MS-Server-ActiveSync: 15.2";
    headers[3] = NULL;
    httpd_answer(r, 200, headers, SLICE_NONE);
    buf_clear(&versions);
    buf_clear(&names);
}

static void
refuse(struct sandbox *s, struct httpd_request *r, const char *user,
       const char *command, int status)
{
    static const char *const ask[] = {
        "WWW-Authenticate: Basic realm=\"sandbox\"", NULL};

    record_add_refused(s->record, user, command, status);
    httpd_answer(r, status, status == 401 ? ask : NULL, SLICE_NONE);
}

/* MS-ASHTTP 2.2.1.1.1.2.3-4: DeviceId and DeviceType belong to every command;
 * from 14.0 on their fault is told in the document. */
static void
status_answer(struct sandbox *s, struct httpd_request *r,
              const struct command *c, const char *user, int status)
{
    static const char *const type[] = {
        "Content-Type: application/vnd.ms-sync.wbxml", NULL};
    struct wbxml_writer w;

    wbxml_writer_init(&w, 4096);
    wbxml_write_start(&w, c->root);
    wbxml_write_number(&w, c->status, status);
    wbxml_write_end(&w);
    record_add_refused(s->record, user, c->name, 200);
    httpd_answer(r, 200, type, buf_slice(&w.out));
    wbxml_writer_clear(&w);
}

static void
on_options(struct sandbox *s, struct user *u, struct httpd_request *r)
{
    struct trick t = {0};
    char retry[64];
    const char *headers[] = {NULL, NULL};

    mischief_take(s->mischief, u->address, "OPTIONS", &t);
    if (t.kind == TRICK_STATUS || t.kind == TRICK_RETRY_AFTER) {
        snprintf(retry, sizeof retry, "Retry-After: %ld", t.number);
        headers[0] = t.kind == TRICK_RETRY_AFTER ? retry : NULL;
        record_add_refused(s->record, u->address, "OPTIONS",
                           t.kind == TRICK_STATUS ? (int)t.number : 503);
        httpd_answer(r, t.kind == TRICK_STATUS ? (int)t.number : 503, headers,
                     SLICE_NONE);
    } else if (t.kind == TRICK_DROP_BEFORE || t.kind == TRICK_DROP_AFTER) {
        record_add_refused(s->record, u->address, "OPTIONS", 0);
        httpd_drop(r);
    } else {
        record_add_refused(s->record, u->address, "OPTIONS", 200);
        options_answer(s, r);
    }
    free(t.text);
    free(t.folder);
}

static void
on_request(void *arg, struct httpd_request *r)
{
    struct sandbox *s = arg;
    struct query q;
    int status = 0, http = query_read(r, &q, &status);
    struct user *u;
    const struct command *c;

    if (http == 404 || http == 501) {
        refuse(s, r, "", q.command, http);
        return;
    }
    u = query_user(s, r);
    if (!u) {
        refuse(s, r, q.user, q.command, 401);
        return;
    }
    if (!strcmp(httpd_method(r), "OPTIONS")) {
        on_options(s, u, r);
        return;
    }
    if (http) {
        breach_add(s->breaches, u->address, q.device, q.command, q.version,
                   "the query or the version is not understood");
        refuse(s, r, u->address, q.command, http);
        return;
    }
    if (q.user[0] && ascii_icmp(q.user, u->address)) {
        refuse(s, r, u->address, q.command, 403);
        return;
    }
    c = command_find(q.command);
    if (!c || q.version < 140)
        refuse(s, r, u->address, q.command, c ? 400 : 501);
    else if (status) {
        breach_add(s->breaches, u->address, q.device, q.command, q.version,
                   "DeviceId or DeviceType");
        status_answer(s, r, c, u->address, status);
    } else
        call_begin(s, u, &q, r);
}

/* From the loop, since a change comes in the middle of other work. */
static void
on_changed(void *arg, struct user *u, struct folder *f)
{
    struct sandbox *s = arg;

    (void)u;
    (void)f;
    loop_task_soon(&s->changed);
}

static void
on_arrived(void *arg, struct message *m)
{
    struct sandbox *s = arg;

    if (mischief_quirk(s->mischief, m->folder->user, "*", QUIRK_REUSE_IDS,
                       m->folder, NULL, NULL))
        ids_reuse(m);
}

static void
on_changed_soon(void *arg)
{
    calls_changed(arg);
}

/* ---- */

/* "127.0.0.1:0" */
static int
listen_on(const char *where, struct tls_server *tls, size_t max_body,
          httpd_handler_fn *handler, struct sandbox *s, struct httpd **out,
          struct err *e)
{
    char *host = xstrdup(where), *colon = strrchr(host, ':'), *bare = host;
    struct httpd_options opt = {
        .tls = tls, .max_clients = 2000, .max_body = max_body};
    uint32_t port;
    int rc;

    if (!colon || !slice_u32(slice_of(colon + 1), &port) || port > 65535) {
        free(host);
        return err_set(e, E_INPUT, "%s: want ADDRESS:PORT", where);
    }
    *colon = '\0';
    if (bare[0] == '[') { /* [::1]:0 */
        bare++;
        bare[strcspn(bare, "]")] = '\0';
    }
    opt.host = bare;
    opt.port = port;
    rc = httpd_new(&opt, handler, s, out, e);
    free(host);
    return rc;
}

static int
certificate_load(struct sandbox *s, const struct sandbox_options *o,
                 struct err *e)
{
    char *cert = o->cert ? xstrdup(o->cert) : xasprintf("%s/tls.crt", o->root);
    char *key = o->key ? xstrdup(o->key) : xasprintf("%s/tls.key", o->root);
    int rc = (!o->cert && tls_make_loopback(cert, key, e)) ||
                     tls_server_new(cert, key, &s->tls, e)
                 ? -1
                 : 0;

    s->ca = cert;
    free(key);
    return rc;
}

static int
mischief_open(struct sandbox *s, const struct sandbox_options *o, struct err *e)
{
    char *path = xasprintf("%s/mischief", o->root);
    int rc = mischief_load(s->mischief, path, e);

    free(path);
    return rc;
}

int
sandbox_open(const struct sandbox_options *o, struct sandbox **out,
             struct err *e)
{
    struct sandbox *s = xcalloc(1, sizeof *s);

    list_init(&s->calls);
    list_init(&s->sent);
    loop_task_init(&s->changed, on_changed_soon, s);
    s->mischief = mischief_new();
    s->record = record_new();
    s->breaches = breaches_new(o->root);
    s->ping_adds = o->ping_adds;
    s->verbose = o->verbose;
    s->versions = sandbox_versions_parse(o->versions);
    if (!s->versions)
        err_set(e, E_INPUT, "--versions: %s is not understood", o->versions);
    else if (!mailroot_open(o->root, o->exchange_names, on_changed, s, &s->mail,
                            e) &&
             !certificate_load(s, o, e) && !mischief_open(s, o, e) &&
             !listen_on(o->listen, s->tls, o->max_request, on_request, s,
                        &s->httpd, e) &&
             !listen_on(o->admin, NULL, 0, admin_handle, s, &s->admin, e)) {
        mailroot_on_arrival(s->mail, on_arrived);
        *out = s;
        return 0;
    }
    sandbox_close(&s);
    return -1;
}

void
sandbox_close(struct sandbox **sp)
{
    struct sandbox *s = *sp;
    struct list *n, *after;

    if (!s)
        return;
    loop_task_cancel(&s->changed);
    httpd_free(&s->httpd); /* calls that wait end with their peers */
    calls_drop(s);
    sent_drop(s);
    httpd_free(&s->admin);
    if (s->mail)
        LIST_EACH(mailroot_users(s->mail), n, after)
    device_close_all(LIST_OBJECT(n, struct user, node));
    mailroot_close(&s->mail);
    loop_task_cancel(&s->changed);
    tls_server_free(&s->tls);
    mischief_free(&s->mischief);
    record_free(&s->record);
    breaches_free(&s->breaches);
    free(s->ca);
    free(s);
    *sp = NULL;
}
