/*
 * The account of the outbox tests: see outbox_world.h.
 */
#include "outbox_world.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/now.h"
#include "certs/certs.h"
#include "keys/keys.h"
#include "loop/loop.h"
#include "loop/worker.h"
#include "mime/header.h"
#include "mime/message.h"
#include "mime/write.h"
#include "settings/settings.h"
#include "store/body.h"
#include "store/folder.h"
#include "store/message.h"
#include "store/queue.h"
#include "store/store.h"
#include "test.h"
#include "wbxml/tree.h"

/* ---- what the server got ---- */

struct sent sent[SENDS_MAX];
int nsent;

void
sent_clear(void)
{
    for (int i = 0; i < nsent; i++) {
        free(sent[i].client_id);
        free(sent[i].mime);
        free(sent[i].source);
    }
    nsent = 0;
}

void
world_tap(const char *target, struct slice body)
{
    struct arena *a;
    struct wbxml_node *root;
    struct slice mime;
    struct err e;

    if ((!strstr(target, "Cmd=SendMail") && !strstr(target, "Cmd=Smart")) ||
        nsent == SENDS_MAX)
        return;
    a = arena_new();
    if (CHECK(wbxml_tree_parse(a, body, NULL, &root, &e) == 0)) {
        mime = wbxml_text(root, COMPOSE_MIME, 0);
        sent[nsent].client_id =
            slice_dup(wbxml_text(root, COMPOSE_CLIENT_ID, 0));
        sent[nsent].mime = slice_dup(mime);
        sent[nsent].len = mime.n;
        sent[nsent].source =
            slice_dup(wbxml_text(root, COMPOSE_SOURCE, COMPOSE_ITEM_ID, 0));
        sent[nsent].replace = wbxml_has(root, COMPOSE_REPLACE_MIME, 0);
        sent[nsent].save = wbxml_has(root, COMPOSE_SAVE_IN_SENT_ITEMS, 0);
        nsent++;
    }
    arena_free(&a);
}

const char *
field(int i, const char *name)
{
    static char value[1000];
    struct arena *a = arena_new();
    const char *v = i < nsent ? mime_header_value(
                                    slice_make(sent[i].mime, sent[i].len),
                                    name, a)
                              : "(nothing was sent)";

    snprintf(value, sizeof value, "%s", v ? v : "(absent)");
    arena_free(&a);
    return value;
}

/* ---- an account ---- */

struct outbox_world w;
struct certs_anchors *anchors;
struct secret data_key;

static struct op *
look_into_sent(void *arg, op_done_fn *wake, void *done_arg)
{
    (void)arg;
    w.looks++;
    if (w.on_look)
        w.on_look();
    return op_decided(w.look_err.code ? &w.look_err : NULL, wake, done_arg);
}

void
settings_open(const char *more)
{
    char *text = xasprintf("state_dir = '%s'\naccount \"alice\" {\n"
                           "address = 'alice@example.test'\n"
                           "aliases = {'a.smith@example.test'}\n"
                           "server = 'https://localhost'\n"
                           "queue_retry_min = 60s\n%s}\n",
                           w.dir, more ? more : "");
    struct err e = {0};

    settings_free(&w.settings);
    CHECK_INT(settings_load_text(slice_of(text), "test", w.dir, &w.settings,
                                 &e), 0);
    CHECK_STR(e.text, "");
    free(text);
}

void
open_parts(const char *more)
{
    struct loop *loop = loop_current();
    struct store_config sc = {.dir = w.dir, .loop = loop, .disk = w.disk,
                              .data_key = &data_key};
    struct eas_state state = eas_ready("14.1");
    struct certs_config cc = {.loop = loop, .anchors = anchors};
    struct outbox_config oc = {.loop = loop, .crypto = w.crypto,
                               .look_into_sent = look_into_sent};
    char *keys = xasprintf("%s/keys", w.dir);
    struct err e = {0};

    settings_open(more);
    CHECK_INT(store_open(&sc, &w.store, &e), 0);
    CHECK_INT(keys_open(keys, &data_key, &w.keys, &e), 0);
    CHECK_STR(e.text, "");
    free(keys);
    w.eas = eas_client(&state, NULL);
    cc.store = w.store;
    w.certs = certs_new(&cc);
    oc.store = w.store;
    oc.eas = w.eas;
    oc.keys = w.keys;
    oc.certs = w.certs;
    oc.settings = w.settings->accounts[0];
    w.ob = outbox_new(&oc);
}

void
close_parts(void)
{
    outbox_free(&w.ob);
    certs_free(&w.certs);
    keys_free(&w.keys);
    eas_free(&w.eas);
    store_close(&w.store);
}

static void
key_import(const char *name)
{
    char *rel = xasprintf(PKI "pfx/%s.p12", name), *path = test_data(rel);
    char *pass = test_data(PKI "pfx/password"), *text = NULL;
    struct buf b = BUF_INIT(1 << 20), p = BUF_INIT(1000);
    struct secret pw = {0};
    struct keys_import *in = NULL;
    struct slice word;
    struct err e = {0};

    CHECK(file_read(path, &b, &e) == 0 && file_read(pass, &p, &e) == 0);
    word = slice_trim(buf_slice(&p));
    secret_set(&pw, word.p, word.n);
    CHECK_INT(keys_import_parse(buf_slice(&b), &pw, &in, &e), 0);
    CHECK_INT(keys_import_add(w.keys, in, &text, &e), 0);
    CHECK_STR(e.text, "");
    keys_import_free(&in);
    secret_clear(&pw);
    buf_clear(&b);
    buf_clear(&p);
    free(text);
    free(pass);
    free(path);
    free(rel);
}

static void
cert_add(const char *name, const char *address)
{
    char *rel = xasprintf(PKI "certs/%s.crt", name), *path = test_data(rel);
    struct buf b = BUF_INIT(1 << 20);
    char fp[65];
    struct err e = {0};

    CHECK(file_read(path, &b, &e) == 0);
    CHECK_INT(certs_add(w.certs, buf_slice(&b), address, fp, &e), 0);
    CHECK_STR(e.text, "");
    buf_clear(&b);
    free(path);
    free(rel);
}

static void
world_start(const char *more)
{
    w.looks = 0;
    w.look_err = (struct err){0};
    w.disk = worker_new("disk", 1);
    w.crypto = worker_new("crypto", 2);
    sent_clear();
    now_fake(AT);
    open_parts(more);
}

void
account(const char *name, const char *more)
{
    w.dir = xasprintf("%s/%s", test_dir(), name);
    world_start(more);
    key_import("alice-sign");
    key_import("alice-enc");
    cert_add("bob-enc", "bob@example.test");
    cert_add("carol-enc", "carol@example.test");
    outbox_start(w.ob);
}

void
world_open(const char *dir)
{
    w.dir = xstrdup(dir);
    world_start("sign = always\nencrypt = always\n");
}

void
close_account(void)
{
    close_parts();
    settings_free(&w.settings);
    worker_free(&w.disk);
    worker_free(&w.crypto);
    free(w.dir);
    w.dir = NULL;
}

/* ---- submitting ---- */

struct outcome done;
struct outbox_result result;
struct op *slot;

void
submit_text(const char *to, const char *text)
{
    struct outbox_mail m = {.sender = xstrdup("alice@example.test")};
    struct slice rest = slice_of(to), one;

    buf_init(&m.mime, 1 << 20);
    buf_adds(&m.mime, text);
    m.recipients = xcalloc(20, sizeof *m.recipients);
    while (slice_next(&rest, ' ', &one))
        m.recipients[m.n++] = slice_dup(one);
    done = (struct outcome){0};
    memset(&result, 0, sizeof result);
    op_hold(&slot, outbox_submit(w.ob, &m, &result, on_outcome_done, &done));
    CHECK(!m.mime.len && !m.recipients);
}

void
submit(const char *to, const char *fields)
{
    char *text = xasprintf("%sFrom: Alice <alice@example.test>\r\n"
                           "To: bob@example.test\r\n"
                           "Subject: a plum\r\n"
                           "Message-ID: <1@example.test>\r\n"
                           "Date: Wed, 25 Nov 2026 08:00:00 +0000\r\n"
                           "Content-Type: text/plain; charset=utf-8\r\n"
                           "Content-Transfer-Encoding: 8bit\r\n"
                           "\r\n"
                           "unmistakable-text gr\xc3\xbcn\r\n",
                           fields);

    submit_text(to, text);
    free(text);
}

void
finish(void)
{
    turn(&done.runs, 1);
}

/* Turns until the row has this state, or is gone (-1). */
int
state_of(const char *id)
{
    struct arena *a = arena_new();
    struct store_submission q;
    struct err e;
    int rc = store_queue_get(w.store, id, a, &q, &e);
    int state = rc == 1 ? (int)q.state : -1;

    arena_free(&a);
    return state;
}

void
until_state(const char *id, int state)
{
    for (int i = 0; i < 20000 && state_of(id) != state; i++) {
        loop_turn(loop_current(), false);
        usleep(200);
    }
    CHECK_INT(state_of(id), state);
}

void
until_sent(int n)
{
    for (int i = 0; i < 20000 && nsent < n; i++) {
        loop_turn(loop_current(), false);
        usleep(200);
    }
    CHECK_INT(nsent, n);
}

void
linger(int ms)
{
    for (int i = 0; i < ms; i++) {
        loop_turn(loop_current(), false);
        usleep(1000);
    }
}

size_t
rows(void)
{
    struct arena *a = arena_new();
    struct store_submission q;
    const char *after = "";
    size_t n = 0;
    struct err e;

    while (store_queue_next(w.store, after, a, &q, &e) == 1) {
        after = q.id;
        n++;
    }
    arena_free(&a);
    return n;
}

size_t
rows_open(void)
{
    uint64_t n = 0;
    struct err e;

    CHECK_INT(store_queue_count(w.store, &n, &e), 0);
    return (size_t)n;
}

void
world_choose_keys(void)
{
    const struct settings_account *a = w.settings->accounts[0];

    keys_choose(w.keys, a->signing_key, a->encryption_key);
}

size_t
files(void)
{
    char *dir = xasprintf("%s/queue", w.dir);
    DIR *d = opendir(dir);
    struct dirent *de;
    size_t n = 0;

    while (d && (de = readdir(d)))
        n += de->d_name[0] != '.';
    if (d)
        closedir(d);
    free(dir);
    return n;
}

static int64_t sent_folder;

void
sent_arrives(const char *id, struct slice mime)
{
    struct store_folder_news news = {"5", "0", "Sent Items", 5};
    struct store_item item = {.server_id = id, .has = STORE_HAS_CONTENT,
                              .from = "a", .to = "b", .cc = "",
                              .subject = "c", .message_class = "IPM.Note",
                              .received = now_unix(), .categories = ""};
    int64_t message;
    struct err e = {0};

    CHECK_INT(store_folder_put(w.store, &news, &sent_folder, &e), 0);
    if (store_folder_get(w.store, sent_folder)->state == STORE_FOLDER_NEW)
        CHECK_INT(store_message_number(w.store, sent_folder, &e), 0);
    if (!id)
        return;
    CHECK_INT(store_message_add(w.store, sent_folder, &item, &message, &e), 0);
    CHECK_INT(store_body_write(w.store, message, mime, &e), 0);
    CHECK_STR(e.text, "");
}

void
world_setup(void)
{
    char *root = test_data(PKI "root/ca.crt");
    const char *list[] = {root, NULL};
    struct err e;

    CHECK_INT(certs_anchors_new(list, false, &anchors, &e), 0);
    secret_set(&data_key, "a data key of a test, 32 bytes..", 32);
    eas_server_start();
    eas_server_tap(world_tap);
    free(root);
}

void
world_teardown(void)
{
    sent_clear();
    eas_server_stop();
    certs_anchors_unref(&anchors);
    secret_clear(&data_key);
    now_fake(-1);
}
