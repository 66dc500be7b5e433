/*
 * The control door: request lines, who is answered what, what waits, what is
 * refused. A real store and real accounts stand behind it; the outbox is
 * played here, so that what it is told can be seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

#include "account/account.h"
#include "base/code.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/private.h"
#include "control/server.h"
#include "loop/loop.h"
#include "loop/worker.h"
#include "outbox/outbox.h"
#include "settings/settings.h"
#include "store/certificate.h"
#include "store/folder.h"
#include "store/queue.h"
#include "store/store.h"
#include "test.h"

/* ---- the outbox that is played ---- */

struct outbox {
    int unused;
};
static struct outbox played;
static char told[100];

struct outbox *
outbox_new(const struct outbox_config *c)
{
    (void)c;
    return &played;
}

void
outbox_free(struct outbox **o)
{
    *o = NULL;
}

void
outbox_settings(struct outbox *o, const struct settings_account *s)
{
    (void)o;
    (void)s;
}

void
outbox_set_aliases(struct outbox *o, const char *const *list, size_t n)
{
    (void)o;
    (void)list;
    (void)n;
}

void
outbox_start(struct outbox *o)
{
    (void)o;
}

int
outbox_check_sender(struct outbox *o, const char *address, struct err *e)
{
    (void)o;
    return err_set(e, E_BUG, "not asked here: %s", address);
}

struct op *
outbox_check_recipient(struct outbox *o, const char *address,
                       op_done_fn *done, void *arg)
{
    (void)o;
    (void)address;
    return op_decided(NULL, done, arg);
}

void
outbox_mail_clear(struct outbox_mail *m)
{
    (void)m;
}

struct op *
outbox_submit(struct outbox *o, struct outbox_mail *m,
              struct outbox_result *out, op_done_fn *done, void *arg)
{
    (void)o;
    (void)m;
    (void)out;
    return op_decided(NULL, done, arg);
}

int
outbox_retry(struct outbox *o, const char *id, struct err *e)
{
    CHECK(o == &played);
    snprintf(told, sizeof told, "retry %s", id);
    return e ? 0 : -1;
}

int
outbox_hold(struct outbox *o, const char *id, struct err *e)
{
    CHECK(o == &played);
    snprintf(told, sizeof told, "hold %s", id);
    return err_set(e, E_DENIED, "it is being sent right now");
}

int
outbox_delete(struct outbox *o, const char *id, struct err *e)
{
    CHECK(o == &played);
    snprintf(told, sizeof told, "delete %s", id);
    return e ? 0 : -1;
}

/* ---- the daemon that is played ---- */

static struct settings *settings;
static struct loop *loop;
static struct worker *crypto, *disk;
static struct accounts *accounts;
static struct control_server *server;
static int reloads;
static bool reload_fails;

static int
on_reload(void *arg, struct err *e)
{
    (void)arg;
    reloads++;
    return reload_fails ? err_set(e, E_INPUT, "s.conf:3: no such setting")
                        : 0;
}

static const struct control_listener *
on_listeners(void *arg, size_t *n)
{
    static const struct control_listener list[] = {
        {"imap", false, "127.0.0.1:1143"}, {"smtp", true, "[::1]:1465"}};

    (void)arg;
    *n = 2;
    return list;
}

static size_t
on_clients(void *arg)
{
    (void)arg;
    return 3;
}

static int
up(void)
{
    struct accounts_config a;
    struct control_server_config c;
    struct err e = {0};
    static int runs;
    char *text, *dir = xasprintf("%s/%d", test_dir(), runs++);

    log_open("test", LOG_LEVEL_ERROR);
    text = xasprintf("state_dir = '%s/state'\ncontrol = '%s/control'\n"
                     "machine_key = '%s/key'\nrun_as = 'root'\n"
                     "server = 'https://127.0.0.1:1/'\n"
                     "account \"alice\" { address = 'alice@example.test' }\n"
                     "account \"bob\" { address = 'bob@example.test' }\n",
                     dir, dir, dir);
    if (!CHECK(settings_load_text(slice_of(text), "t", dir, &settings, &e) ==
               0))
        printf("# %s\n", e.text);
    free(text);
    free(dir);
    if (!settings)
        return -1;
    loop = loop_new();
    crypto = worker_new("crypto", 1);
    disk = worker_new("disk", 1);
    a = (struct accounts_config){loop, crypto, disk, settings};
    c = (struct control_server_config){
        .loop = loop,
        .crypto = crypto,
        .settings = settings,
        .daemon = {on_reload, on_listeners, on_clients, on_clients, "AB:CD",
                   NULL}};
    if (!CHECK(accounts_new(&a, &accounts, &e) == 0))
        return -1;
    c.accounts = accounts;
    if (!CHECK(control_server_new(&c, &server, &e) == 0)) {
        printf("# %s\n", e.text);
        return -1;
    }
    return 0;
}

static void
down(void)
{
    control_server_free(&server);
    accounts_free(&accounts);
    worker_free(&crypto);
    worker_free(&disk);
    if (loop)
        loop_free(&loop);
    settings_free(&settings);
}

/* ---- the other end ---- */

static int
dial(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(to.sun_path, sizeof to.sun_path, "%s", settings->control);
    if (!CHECK(connect(fd, (struct sockaddr *)&to, sizeof to) == 0))
        return -1;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* Writes while the loop reads; then one line, or NULL when the other end
 * closed first. Heap. */
static char *
talk(int fd, const char *p, size_t n, bool answer)
{
    struct buf line = BUF_INIT(CONTROL_LINE * 2);
    char part[65536];

    for (int i = 0; i < 200000; i++) {
        ssize_t got = n ? send(fd, p, n, MSG_NOSIGNAL) : 0;
        struct pollfd pfd = {.fd = fd, .events = POLLIN};

        if (got > 0) {
            p += got;
            n -= (size_t)got;
        }
        loop_turn(loop, false);
        if (!n && !answer)
            break;
        if (poll(&pfd, 1, n ? 0 : 1) != 1)
            continue;
        got = recv(fd, part, sizeof part, 0);
        if (got == 0)
            break;
        if (got > 0)
            buf_add(&line, part, (size_t)got);
        if (line.len && line.data[line.len - 1] == '\n')
            return buf_take(&line, NULL);
    }
    buf_clear(&line);
    return NULL;
}

/* One request on a line of its own; the whole answer. */
static json_t *
ask(const char *request)
{
    int fd = dial();
    char *with_end = xasprintf("%s\n", request);
    char *line = talk(fd, with_end, strlen(with_end), true);
    json_t *o = line ? json_loads(line, 0, NULL) : NULL;

    CHECK(line != NULL && json_is_object(o));
    free(with_end);
    free(line);
    close(fd);
    return o;
}

/* Its result; NULL and a note when it was refused. */
static json_t *
good(const char *request)
{
    json_t *o = ask(request), *r = json_incref(json_object_get(o, "result"));

    if (!CHECK(json_is_true(json_object_get(o, "ok"))))
        printf("# %s: %s\n", request,
               json_string_value(json_object_get(o, "error")));
    json_decref(o);
    return r;
}

static void
refused(const char *request, const char *code, const char *says)
{
    json_t *o = ask(request);
    const char *text = json_string_value(json_object_get(o, "error"));

    test_row(request);
    CHECK(json_is_false(json_object_get(o, "ok")));
    CHECK(!json_object_get(o, "result"));
    CHECK_STR(json_string_value(json_object_get(o, "code")), code);
    if (!CHECK(text && strstr(text, says)))
        printf("# %s\n", text ? text : "no text");
    test_row(NULL);
    json_decref(o);
}

static const char *
text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "(none)";
}

/* ---- requests ---- */

static void
requests_parsed(void)
{
    static const struct {
        const char *line;
        bool good;
    } rows[] = {
        {"{\"command\":\"status\"}", true},
        {" {\"command\":\"status\",\"x\":[1,{}]} \r", true},
        {"", false},
        {"status", false},
        {"[]", false},
        {"\"status\"", false},
        {"{}", false},
        {"{\"command\":5}", false},
        {"{\"command\":null}", false},
        {"{\"command\":\"status\"", false},
        {"{\"command\":\"status\"}{}", false},
        {"{\"command\":\"a\",\"command\":\"b\"}", false},
        {"{\"command\":\"a\\u0000b\"}", false},
        {"{\"command\":\"\xff\"}", false},
    };
    struct err e;
    char *deep = xmalloc(200001);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *o = control_request_parse(slice_of(rows[i].line), &e);

        test_row(rows[i].line);
        CHECK((o != NULL) == rows[i].good);
        if (!o)
            CHECK_INT(e.code, E_INPUT);
        json_decref(o);
    }
    test_row(NULL);
    memset(deep, '[', 200000);
    deep[200000] = '\0';
    CHECK(control_request_parse(slice_of(deep), &e) == NULL);
    free(deep);
}

static void
answers_refuse(void)
{
    REQUIRE(up() == 0);
    refused("hello", "E_INPUT", "one line with a JSON object");
    refused("{\"command\":\"frobnicate\"}", "E_INPUT", "no command");
    refused("{\"command\":\"key list\"}", "E_INPUT", "needs \"account\"");
    refused("{\"command\":\"oof set\",\"account\":\"alice\"}", "E_INPUT",
            "\"state\" is");
    refused("{\"command\":\"oof set\",\"account\":\"alice\","
            "\"state\":\"timed\",\"start\":1}", "E_INPUT", "\"end\"");
    refused("{\"command\":\"oof set\",\"account\":\"alice\","
            "\"state\":\"on\",\"outside\":\"me\"}", "E_INPUT",
            "\"outside\" is not me");
    refused("{\"command\":\"key list\",\"account\":7}", "E_INPUT", "no text");
    refused("{\"command\":\"key list\",\"account\":\"carol\"}", "E_MISSING",
            "no account \"carol\"");
    refused("{\"command\":\"queue show\",\"id\":\"beef\"}", "E_MISSING",
            "no message beef");
    refused("{\"command\":\"cert show\",\"account\":\"alice\","
            "\"fingerprint\":\"abc\"}", "E_INPUT", "64 hex digits");
    refused("{\"command\":\"cert show\",\"account\":\"alice\","
            "\"fingerprint\":\"abcdef0123\"}", "E_MISSING", "no certificate");
    refused("{\"command\":\"cert add\",\"account\":\"alice\","
            "\"address\":\"x@y\",\"file\":\"AAAA\"}", "E_INPUT",
            "not a certificate");
    refused("{\"command\":\"cert add\",\"account\":\"alice\","
            "\"address\":\"x@y\",\"file\":\"?\"}", "E_INPUT", "no base64");
    refused("{\"command\":\"key import\",\"account\":\"alice\","
            "\"file\":\"AAAA\",\"password\":\"p\"}", "E_INPUT", "PFX");
    refused("{\"command\":\"key remove\",\"account\":\"alice\","
            "\"fingerprint\":\"00\"}", "E_MISSING", "no key");
    down();
}

/* ---- what is told ---- */

static void
status_tells(void)
{
    json_t *o, *a;

    REQUIRE(up() == 0);
    o = good("{\"command\":\"status\"}");
    CHECK_STR(text_of(o, "version"), PACKAGE_VERSION);
    CHECK_STR(text_of(o, "fingerprint"), "AB:CD");
    CHECK_INT(json_integer_value(json_object_get(o, "imap_clients")), 3);
    CHECK_INT(json_array_size(json_object_get(o, "listeners")), 2);
    a = json_array_get(json_object_get(o, "listeners"), 1);
    CHECK_STR(text_of(a, "door"), "smtp");
    CHECK_STR(text_of(a, "address"), "[::1]:1465");
    CHECK(json_is_true(json_object_get(a, "tls")));
    CHECK_INT(json_array_size(json_object_get(o, "accounts")), 2);
    a = json_array_get(json_object_get(o, "accounts"), 0);
    CHECK_STR(text_of(a, "name"), "alice");
    CHECK_STR(text_of(a, "address"), "alice@example.test");
    CHECK_STR(text_of(a, "state"), "stopped");
    CHECK_INT(json_integer_value(json_object_get(a, "messages")), 0);
    CHECK(json_is_array(json_object_get(a, "refusals")));
    CHECK(json_is_array(json_object_get(a, "local")));
    CHECK(json_is_integer(json_object_get(a, "local_count")));
    CHECK(json_is_object(json_object_get(a, "sync")));
    CHECK(json_is_array(json_object_get(a, "requests")));
    json_decref(o);

    o = good("{\"command\":\"reload\"}");
    CHECK_INT(reloads, 1);
    json_decref(o);
    reload_fails = true;
    refused("{\"command\":\"reload\"}", "E_INPUT", "s.conf:3");
    reload_fails = false;
    down();
}

static void
folders_told(void)
{
    struct store_folder_news news = {"5", "0", "Inbox", 2};
    json_t *rows;
    struct err e;
    int64_t id;

    REQUIRE(up() == 0);
    rows = good("{\"command\":\"folder list\",\"account\":\"alice\"}");
    CHECK_INT(json_array_size(rows), 0);
    json_decref(rows);
    REQUIRE(store_folder_put(account_store(accounts_find(accounts, "alice")),
                             &news, &id, &e) == 0);
    rows = good("{\"command\":\"folder list\",\"account\":"
                "\"Alice@Example.Test\"}");
    CHECK_INT(json_array_size(rows), 1);
    CHECK_STR(text_of(json_array_get(rows, 0), "path"), "INBOX");
    CHECK_STR(text_of(json_array_get(rows, 0), "role"), "inbox");
    CHECK_STR(text_of(json_array_get(rows, 0), "state"), "new");
    json_decref(rows);
    down();
}

/* ---- the queue ---- */

static void
on_done(void *arg, const struct err *err)
{
    *(int *)arg = err ? -1 : 1;
}

static void
enqueue(const char *account, const char *id, int state)
{
    struct store *s = account_store(accounts_find(accounts, account));
    struct store_submission row = {.id = id,
                                   .client_id = id,
                                   .sender = "alice@example.test",
                                   .recipients = "bob@example.test carol@x",
                                   .message_id = "<1@x>",
                                   .error = "",
                                   .parent = "",
                                   .created = 1000};
    struct buf mime = BUF_INIT(100);
    struct op *op = NULL;
    struct err e;
    int done = 0;

    buf_adds(&mime, "Subject: x\r\n\r\n");
    op_hold(&op, store_queue_add(s, &row, &mime, on_done, &done));
    while (!done)
        loop_turn(loop, true);
    CHECK_INT(done, 1);
    if (state)
        CHECK_INT(store_queue_set(s, id, (enum store_queue_state)state, 0, "",
                                  &e), 0);
    buf_clear(&mime);
}

static void
queue_told(void)
{
    json_t *o, *rows;

    REQUIRE(up() == 0);
    enqueue("alice", "aaaa00000001", 0);
    enqueue("alice", "aaaa00000002", STORE_QUEUE_SENT);
    enqueue("bob", "bbbb00000001", STORE_QUEUE_HELD);
    o = good("{\"command\":\"queue list\"}");
    rows = json_object_get(o, "rows");
    CHECK(json_is_null(json_object_get(o, "next")));
    CHECK_INT(json_array_size(rows), 2); /* not what was sent */
    CHECK_STR(text_of(json_array_get(rows, 0), "id"), "aaaa00000001");
    CHECK_STR(text_of(json_array_get(rows, 0), "account"), "alice");
    CHECK_STR(text_of(json_array_get(rows, 1), "state"), "held");
    CHECK_INT(json_array_size(
                  json_object_get(json_array_get(rows, 0), "recipients")), 2);
    json_decref(o);
    o = good("{\"command\":\"queue list\",\"account\":\"bob\"}");
    CHECK_INT(json_array_size(json_object_get(o, "rows")), 1);
    json_decref(o);
    o = good("{\"command\":\"queue list\",\"after_account\":\"alice\","
             "\"after\":\"aaaa00000001\"}");
    CHECK_INT(json_array_size(json_object_get(o, "rows")), 1);
    json_decref(o);
    o = good("{\"command\":\"queue show\",\"id\":\"bbbb00000001\"}");
    CHECK_STR(text_of(o, "account"), "bob");
    json_decref(o);

    o = good("{\"command\":\"queue retry\",\"id\":\"aaaa00000001\"}");
    CHECK_STR(told, "retry aaaa00000001");
    CHECK_STR(text_of(o, "done"), "retried");
    json_decref(o);
    o = good("{\"command\":\"queue release\",\"id\":\"bbbb00000001\"}");
    CHECK_STR(told, "retry bbbb00000001");
    json_decref(o);
    o = good("{\"command\":\"queue delete\",\"id\":\"bbbb00000001\"}");
    CHECK_STR(told, "delete bbbb00000001");
    json_decref(o);
    refused("{\"command\":\"queue hold\",\"id\":\"aaaa00000001\"}",
            "E_DENIED", "being sent");
    down();
}

/* A queue longer than one answer comes in pages, nothing twice. */
static void
queue_pages(void)
{
    json_t *o, *next;
    char id[20], request[300];
    unsigned n = 0;

    REQUIRE(up() == 0);
    for (unsigned i = 0; i < CONTROL_PAGE + 3; i++) {
        snprintf(id, sizeof id, "cccc%08x", i);
        enqueue("alice", id, 0);
    }
    enqueue("bob", "dddd00000000", 0);
    o = good("{\"command\":\"queue list\"}");
    n = (unsigned)json_array_size(json_object_get(o, "rows"));
    CHECK_INT(n, CONTROL_PAGE);
    next = json_object_get(o, "next");
    snprintf(request, sizeof request,
             "{\"command\":\"queue list\",\"after_account\":\"%s\","
             "\"after\":\"%s\"}", text_of(next, "after_account"),
             text_of(next, "after"));
    json_decref(o);
    o = good(request);
    CHECK_INT(json_array_size(json_object_get(o, "rows")), 4);
    CHECK_STR(text_of(json_array_get(json_object_get(o, "rows"), 0), "id"),
              "cccc000001f4");
    CHECK(json_is_null(json_object_get(o, "next")));
    json_decref(o);
    down();
}

/* ---- keys and certificates ---- */

static char *
coded_file(const char *path)
{
    char *full = test_data(path);
    struct buf file = BUF_INIT(1 << 20), coded = BUF_INIT(1 << 21);
    struct err e;

    CHECK_INT(file_read(full, &file, &e), 0);
    code_base64_write(&coded, buf_slice(&file), 0);
    buf_clear(&file);
    free(full);
    return buf_take(&coded, NULL);
}

#define PKI "tests/data/smime/generated/pki/"

static void
keys_come_and_go(void)
{
    char *file = coded_file(PKI "pfx/alice-sign.p12"), *request, fp[65];
    json_t *rows;

    REQUIRE(up() == 0);
    request = xasprintf("{\"command\":\"key import\",\"account\":\"alice\","
                        "\"file\":\"%s\",\"password\":\"%s\"}", file, "wrong");
    refused(request, "E_LOGIN", "does not open");
    free(request);
    request = xasprintf("{\"command\":\"key import\",\"account\":\"alice\","
                        "\"file\":\"%s\",\"password\":\"test\"}", file);
    rows = good(request);
    CHECK_INT(json_array_size(rows), 1);
    CHECK(strstr(json_string_value(json_array_get(rows, 0)), "imported"));
    json_decref(rows);
    free(request);
    free(file);
    rows = good("{\"command\":\"key list\",\"account\":\"alice\"}");
    CHECK_INT(json_array_size(rows), 1);
    CHECK(strstr(text_of(json_array_get(rows, 0), "use"), "signs"));
    CHECK_STR(text_of(json_array_get(rows, 0), "addresses"),
              "alice@example.test");
    CHECK_STR(text_of(json_array_get(rows, 0), "key"), "RSA 2048");
    snprintf(fp, sizeof fp, "%s",
             text_of(json_array_get(rows, 0), "fingerprint"));
    json_decref(rows);
    request = xasprintf("{\"command\":\"key remove\",\"account\":\"alice\","
                        "\"fingerprint\":\"%s\"}", fp);
    rows = good(request);
    json_decref(rows);
    free(request);
    rows = good("{\"command\":\"key list\",\"account\":\"alice\"}");
    CHECK_INT(json_array_size(rows), 0);
    json_decref(rows);
    down();
}

static void
certs_decided(void)
{
    char *file = coded_file(PKI "certs/bob-enc.crt"), *request, fp[65];
    static const char *const words[][2] = {{"refuse", "refused"},
                                           {"accept", "known"}};
    json_t *o, *row;

    REQUIRE(up() == 0);
    request = xasprintf("{\"command\":\"cert add\",\"account\":\"alice\","
                        "\"address\":\"Bob@Example.test\",\"file\":\"%s\"}",
                        file);
    o = good(request);
    snprintf(fp, sizeof fp, "%s", text_of(o, "fingerprint"));
    CHECK_STR(text_of(o, "address"), "bob@example.test");
    json_decref(o);
    free(request);
    free(file);
    o = good("{\"command\":\"cert list\",\"account\":\"alice\"}");
    row = json_array_get(json_object_get(o, "rows"), 0);
    CHECK_INT(json_array_size(json_object_get(o, "rows")), 1);
    CHECK_STR(text_of(row, "source"), "pinned");
    CHECK_STR(text_of(row, "state"), "known");
    CHECK_STR(text_of(row, "key"), "RSA 3072");
    json_decref(o);
    /* The first digits are enough, in any letter case. */
    request = xasprintf("{\"command\":\"cert show\",\"account\":\"alice\","
                        "\"fingerprint\":\"%.10s\"}", fp);
    for (char *c = request + 52; *c; c++)
        *c = (char)(*c >= 'a' && *c <= 'f' && c > strstr(request, "print\":")
                        ? *c - 32
                        : *c);
    o = good(request);
    CHECK_STR(text_of(o, "fingerprint"), fp);
    CHECK(json_is_true(json_object_get(o, "usable")));
    CHECK(strstr(text_of(o, "pem"), "-----BEGIN CERTIFICATE-----\nMI"));
    json_decref(o);
    free(request);
    for (size_t i = 0; i < 2; i++) {
        request = xasprintf("{\"command\":\"cert %s\",\"account\":\"alice\","
                            "\"fingerprint\":\"%s\"}", words[i][0], fp);
        json_decref(good(request));
        free(request);
        o = good("{\"command\":\"cert list\",\"account\":\"alice\","
                 "\"address\":\"bob@example.test\"}");
        CHECK_STR(text_of(json_array_get(json_object_get(o, "rows"), 0),
                          "state"), words[i][1]);
        json_decref(o);
    }
    request = xasprintf("{\"command\":\"cert remove\",\"account\":\"alice\","
                        "\"fingerprint\":\"%s\"}", fp);
    json_decref(good(request));
    free(request);
    o = good("{\"command\":\"cert list\",\"account\":\"alice\"}");
    CHECK_INT(json_array_size(json_object_get(o, "rows")), 0);
    json_decref(o);
    down();
}

/* ---- the socket ---- */

static void
lines_in_order(void)
{
    static const char both[] =
        "{\"command\":\"cert accept\",\"account\":\"alice\","
        "\"fingerprint\":\"%s\"}\n\n{\"command\":\"nothing\"}\n";
    char *file = coded_file(PKI "certs/bob-enc.crt"), *request, *line;
    json_t *o;
    int fd;

    REQUIRE(up() == 0);
    request = xasprintf("{\"command\":\"cert add\",\"account\":\"alice\","
                        "\"address\":\"b@x\",\"file\":\"%s\"}", file);
    o = good(request);
    free(request);
    free(file);
    /* Two at once, the first has to wait for the disk. */
    request = xasprintf(both, text_of(o, "fingerprint"));
    json_decref(o);
    fd = dial();
    line = talk(fd, request, strlen(request), true);
    for (int i = 0; line && !strstr(line, "nothing") && i < 100; i++) {
        char *more = talk(fd, "", 0, true), *all;

        if (!more)
            break;
        all = xasprintf("%s%s", line, more);
        free(line);
        free(more);
        line = all;
    }
    CHECK(line && strncmp(line, "{\"ok\":true", 10) == 0);
    CHECK(line && strstr(line, "}\n{\"ok\":false"));
    free(line);
    free(request);
    close(fd);
    down();
}

/* Gone while a request waits: nothing is written after it. */
static void
peer_leaves(void)
{
    static const char request[] =
        "{\"command\":\"key import\",\"account\":\"alice\",\"file\":\"AAAA\","
        "\"password\":\"p\"}\n";
    int fd;

    REQUIRE(up() == 0);
    for (int i = 0; i < 20; i++) {
        fd = dial();
        talk(fd, request, sizeof request - 1, false);
        close(fd);
    }
    for (int i = 0; i < 100; i++)
        loop_turn(loop, false);
    json_decref(good("{\"command\":\"status\"}"));
    down();
}

static void
line_too_long(void)
{
    char *big = xmalloc(CONTROL_LINE + 100), *line;
    int fd;

    REQUIRE(up() == 0);
    memset(big, ' ', CONTROL_LINE + 100);
    fd = dial();
    line = talk(fd, big, CONTROL_LINE + 1, true);
    CHECK(line && strstr(line, "E_LIMIT"));
    free(line);
    free(big);
    close(fd);
    json_decref(good("{\"command\":\"status\"}"));
    down();
}

static void
socket_is_ours(void)
{
    struct control_server_config c = {0};
    struct control_server *second = NULL;
    struct stat st;
    struct err e;

    REQUIRE(up() == 0);
    CHECK(stat(settings->control, &st) == 0 && S_ISSOCK(st.st_mode));
    CHECK_INT(st.st_mode & 0777, 0600);
    c.settings = settings;
    c.loop = loop;
    CHECK_INT(control_server_new(&c, &second, &e), -1);
    CHECK_INT(e.code, E_DENIED);
    json_decref(good("{\"command\":\"status\"}"));
    down();
}

/* The same answers without a socket. */
static void
alone(void)
{
    struct control_server_config c = {0};
    struct buf out = BUF_INIT(1 << 20);

    REQUIRE(up() == 0);
    c.loop = loop;
    c.crypto = crypto;
    c.accounts = accounts;
    c.settings = settings;
    CHECK_INT(control_alone(&c, SLICE("{\"command\":\"key list\","
                                      "\"account\":\"alice\"}"), &out), 0);
    CHECK_STR(out.data, "{\"ok\":true,\"result\":[]}\n");
    buf_reset(&out);
    CHECK_INT(control_alone(&c, SLICE("{\"command\":\"key import\","
                                      "\"account\":\"alice\","
                                      "\"file\":\"AAAA\"}"), &out), 0);
    CHECK(strstr(out.data, "\"code\":\"E_INPUT\""));
    buf_reset(&out);
    CHECK_INT(control_alone(&c, SLICE("nonsense"), &out), 0);
    CHECK(strstr(out.data, "\"code\":\"E_INPUT\""));
    buf_clear(&out);
    down();
}

static const struct test_case cases[] = {
    TEST(requests_parsed), TEST(answers_refuse),   TEST(status_tells),
    TEST(folders_told),    TEST(queue_told),       TEST(queue_pages),
    TEST(keys_come_and_go), TEST(certs_decided),   TEST(lines_in_order),
    TEST(peer_leaves),     TEST(line_too_long),    TEST(socket_is_ours),
    TEST(alone),
};
TEST_MAIN(cases)
