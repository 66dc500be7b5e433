/*
 * A message as a client sees it: what is put on top and what is taken out,
 * what is recorded when it is first opened, and that the bytes of one UID
 * never change, whatever becomes known later.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/secret.h"
#include "certs/certs.h"
#include "eas_model.h"
#include "eas_server.h"
#include "keys/keys.h"
#include "loop/loop.h"
#include "loop/worker.h"
#include "mime/header.h"
#include "mime/imap.h"
#include "mime/message.h"
#include "mime/section.h"
#include "mime/write.h"
#include "settings/settings.h"
#include "smime/open.h"
#include "smime/verdict.h"
#include "store/body.h"
#include "store/folder.h"
#include "store/message.h"
#include "store/store.h"
#include "test.h"
#include "view/view.h"

#define NOW ((int64_t)1795334400) /* 2026-11-22 */
#define PKI "tests/data/smime/generated/pki/"

static struct secret key;

static struct buf
file(const char *path)
{
    struct buf b = BUF_INIT((size_t)16 << 20);
    char *full = test_data(path), chunk[4096];
    FILE *f = fopen(full, "rb");
    size_t n;

    CHECK(f != NULL);
    while (f && (n = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_add(&b, chunk, n);
    if (f)
        fclose(f);
    free(full);
    return b;
}

/* ---- rendering ---- */

static int
render(struct slice raw, const char *top, bool original, struct buf *out,
       struct buf *top_out)
{
    struct smime_ring ring = {0};
    struct smime_report report;
    struct smime_verdict verdict;
    struct view_render_ask ask = {.raw = raw, .authserv_id = "here.test",
                                  .top = slice_of(top),
                                  .undecryptable_original = original};
    struct err e = {0};
    int rc;

    *out = BUF_INIT((size_t)16 << 20);
    *top_out = BUF_INIT(1 << 20);
    if (!CHECK(!smime_open(&ring, raw, &report, &e)))
        return -1;
    smime_judge(&report, NULL, 0, NOW, &verdict);
    ask.report = &report;
    ask.verdict = &verdict;
    rc = view_render(&ask, out, top_out, &e);
    CHECK_STR(e.text, "");
    smime_report_clear(&report);
    return rc;
}

#define NONE "Authentication-Results: here.test; smime=none\r\n"

static const struct {
    const char *name, *in, *out;
} renders[] = {
    {"plain", "From: a@x.test\r\nSubject: s\r\n\r\nbody\r\n",
     NONE "From: a@x.test\r\nSubject: s\r\n\r\nbody\r\n"},
    {"ours is forged",
     "Authentication-Results: here.test; smime=pass\r\nSubject: s\r\n\r\nb",
     NONE "Subject: s\r\n\r\nb"},
    {"in another spelling",
     "authentication-RESULTS :  (c) HERE.test ;\r\n smime=pass\r\nA: s\r\n\r\nb",
     NONE "A: s\r\n\r\nb"},
    {"quoted",
     "Authentication-Results: \"here.test\"; smime=pass\r\nA: s\r\n\r\nb",
     NONE "A: s\r\n\r\nb"},
    {"folded before the name",
     "Authentication-Results:\r\n here.test; smime=pass\r\nA: s\r\n\r\nb",
     NONE "A: s\r\n\r\nb"},
    {"without a name", "Authentication-Results: ; x=pass\r\nA: s\r\n\r\nb",
     NONE "A: s\r\n\r\nb"},
    {"that of another host stays",
     "Authentication-Results: there.test; spf=pass\r\nA: s\r\n\r\nb",
     NONE "Authentication-Results: there.test; spf=pass\r\nA: s\r\n\r\nb"},
    {"our own fields",
     "X-Sealpost-SMIME: encrypted=yes;\r\nx-sealpost: 1\r\nA: s\r\n\r\nb",
     NONE "A: s\r\n\r\nb"},
    {"in the body it is text",
     "A: s\r\n\r\nAuthentication-Results: here.test; smime=pass\r\n",
     NONE "A: s\r\n\r\nAuthentication-Results: here.test; smime=pass\r\n"},
    {"no header: the text stays text", "hello there\r\nyou\r\n",
     NONE "\r\nhello there\r\nyou\r\n"},
    {"an empty header", "\r\nhello\r\n", NONE "\r\nhello\r\n"},
    {"only a header", "A: s\r\n", NONE "A: s\r\n"},
    {"bare line ends", "A: s\n\nhello\n", NONE "A: s\r\n\r\nhello\r\n"},
};

static void
test_render(void)
{
    for (size_t i = 0; i < ARRAY_LEN(renders); i++) {
        struct buf out, top;

        test_row(renders[i].name);
        CHECK(!render(slice_of(renders[i].in), NULL, false, &out, &top));
        CHECK_STR(out.data, renders[i].out);
        CHECK_STR(top.data, NONE);
        buf_clear(&out);
        buf_clear(&top);
    }
    test_row(NULL);
}

/* Recorded fields are used word for word. */
static void
test_render_top(void)
{
    static const char old[] = "Authentication-Results: here.test; smime=pass\r\n";
    struct buf out, top;

    CHECK(!render(SLICE("A: s\r\n\r\nb"), old, false, &out, &top));
    CHECK_STR(out.data, "Authentication-Results: here.test; smime=pass\r\n"
                        "A: s\r\n\r\nb");
    CHECK_STR(top.data, old);
    buf_clear(&out);
    buf_clear(&top);
}

static void
test_render_undecryptable(void)
{
    struct buf raw = file("tests/data/smime/generated/e01-aes128-cbc-rsa.eml");
    struct buf crlf = BUF_INIT((size_t)16 << 20), out, top, again, top2;
    struct mime_message *m, *n;
    struct slice text, att, body;
    struct err e;

    mime_write_crlf(buf_slice(&raw), &crlf);
    CHECK(!render(buf_slice(&raw), NULL, false, &out, &top));
    REQUIRE(!mime_message_parse(buf_slice(&out), NULL, &m, &e));
    CHECK(mime_part_is(mime_message_root(m), "multipart", "mixed"));
    CHECK_INT(mime_message_root(m)->children, 2);
    CHECK(mime_section_range(m, SLICE("1"), MIME_SECTION_ALL, &text));
    CHECK(text.n && strstr(text.p, "no key that opens"));
    CHECK(strstr(text.p, "serial ") != NULL);
    /* The original is in it, to the byte. */
    CHECK(mime_section_range(m, SLICE("2"), MIME_SECTION_ALL, &att));
    REQUIRE(!mime_message_parse(buf_slice(&crlf), NULL, &n, &e));
    body = mime_part_body(n, mime_message_root(n));
    CHECK(att.n + 2 >= body.n && body.n >= att.n);
    CHECK(memcmp(att.p, body.p, att.n) == 0);
    mime_message_free(&m);
    mime_message_free(&n);
    /* The same each time. */
    CHECK(!render(buf_slice(&raw), NULL, false, &again, &top2));
    CHECK(slice_eq(buf_slice(&out), buf_slice(&again)));
    buf_clear(&again);
    buf_clear(&top2);
    buf_clear(&out);
    buf_clear(&top);
    /* Or as it came. */
    CHECK(!render(buf_slice(&raw), NULL, true, &out, &top));
    CHECK(out.len == top.len + crlf.len);
    CHECK(!memcmp(out.data + top.len, crlf.data, crlf.len));
    CHECK(strstr(top.data, "decrypted=no") != NULL);
    buf_clear(&out);
    buf_clear(&top);
    buf_clear(&raw);
    buf_clear(&crlf);
}

/* ---- opening ---- */

static struct worker *disk, *crypto;
static struct store *store;
static struct eas *eas;
static struct keys *keys;
static struct certs *certs;
static struct views *views;
static char *dir;
static int64_t inbox;
static int boxes;

static void
trust(const char *root)
{
    char *path = root ? test_data(root) : NULL;
    const char *files[] = {path, NULL};
    struct certs_anchors *anchors;
    struct err e = {0};

    CHECK(!certs_anchors_new(files, false, &anchors, &e));
    CHECK_STR(e.text, "");
    certs_set_anchors(certs, anchors);
    certs_anchors_unref(&anchors);
    free(path);
}

/* Everything but the keys' and trust's contents comes from the disk. */
static void
rig_open(bool online)
{
    struct store_config c = {.dir = dir, .loop = eas_server_loop(),
                             .disk = disk, .data_key = &key};
    struct views_config v = {.loop = c.loop, .crypto = crypto,
                             .authserv_id = "here.test"};
    struct certs_config t = {.loop = c.loop, .harvest = true};
    struct certs_anchors *none;
    struct eas_state state = eas_ready("16.1");
    const char *files[] = {NULL};
    char *keydir = xasprintf("%s/keys", dir);
    struct err e = {0};

    CHECK(!store_open(&c, &store, &e));
    CHECK(!keys_open(keydir, &key, &keys, &e));
    eas = online ? eas_client(&state, NULL) : NULL;
    CHECK(!certs_anchors_new(files, false, &none, &e));
    t.store = v.store = store;
    t.eas = v.eas = eas;
    t.anchors = none;
    v.certs = certs = certs_new(&t);
    v.keys = keys;
    certs_anchors_unref(&none);
    CHECK(!views_new(&v, &views, &e));
    CHECK_STR(e.text, "");
    free(keydir);
}

static void
rig_close(void)
{
    views_free(&views);
    certs_free(&certs);
    keys_free(&keys);
    eas_free(&eas);
    store_close(&store);
}

static void
rig_begin(bool online)
{
    struct store_folder_news inbox_news = {"1", "0", "Inbox", 2};
    struct err e;

    eas_server_start();
    model_start();
    free(dir);
    dir = xasprintf("%s/box%d", test_dir(), boxes++);
    disk = worker_new("disk", 1);
    crypto = worker_new("crypto", 2);
    rig_open(online);
    CHECK(!store_folder_put(store, &inbox_news, &inbox, &e));
    CHECK(!store_message_number(store, inbox, &e));
}

static void
rig_end(void)
{
    rig_close();
    worker_free(&crypto);
    worker_free(&disk);
    model_stop();
    eas_server_stop();
}

static int64_t
message(const char *server_id, struct slice raw)
{
    struct store_item item = {.server_id = server_id, .has = ~0u,
                              .from = "a@x.test", .subject = "s",
                              .received = NOW};
    int64_t id = 0;
    struct err e = {0};

    CHECK(!store_message_add(store, inbox, &item, &id, &e));
    if (raw.n)
        CHECK(!store_body_write(store, id, raw, &e));
    CHECK_STR(e.text, "");
    return id;
}

static struct outcome
open_it(int64_t id, struct buf *bytes)
{
    struct outcome o = {0};
    struct view *v = NULL;

    buf_reset(bytes);
    view_open(views, id, &v, on_outcome_done, &o);
    CHECK_INT(o.runs, 0);
    turn(&o.runs, 1);
    if (!o.err.code && CHECK(v != NULL)) {
        CHECK_INT(view_message(v), id);
        buf_add_slice(bytes, view_bytes(v));
        view_unref(&v);
    }
    CHECK(v == NULL);
    return o;
}

/* What is recorded is what the bytes say. */
static void
check_summary(int64_t id, struct slice bytes, const char *result)
{
    struct arena *a = arena_new();
    struct view_summary s;
    struct mime_message *m;
    struct buf b = BUF_INIT(1 << 20);
    struct err e;

    REQUIRE(views_summary(views, id, a, &s, &e) == 1);
    CHECK_INT(s.size, bytes.n);
    CHECK_STR(s.result, result);
    REQUIRE(!mime_message_parse(bytes, NULL, &m, &e));
    CHECK(!mime_imap_envelope(m, NULL, &b, &e));
    CHECK_STR(s.envelope, b.data);
    buf_reset(&b);
    CHECK(!mime_imap_structure(m, true, &b, &e));
    CHECK_STR(s.structure, b.data);
    buf_reset(&b);
    CHECK(!mime_imap_structure(m, false, &b, &e));
    CHECK_STR(s.body, b.data);
    mime_message_free(&m);
    buf_clear(&b);
    arena_free(&a);
}

static void
test_open(void)
{
    struct buf bytes = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20);
    struct view_summary s;
    struct arena *a = arena_new();
    struct err e;
    int64_t id;

    rig_begin(false);
    id = message("1:1", SLICE("From: a@x.test\r\nMessage-ID: <1@x.test>\r\n"
                              "In-Reply-To: <0@x.test>\r\n\r\nhello\r\n"));
    CHECK_INT(views_summary(views, id, a, &s, &e), 0);
    CHECK_INT(open_it(id, &bytes).err.code, E_NONE);
    CHECK_STR(bytes.data, NONE "From: a@x.test\r\nMessage-ID: <1@x.test>\r\n"
                               "In-Reply-To: <0@x.test>\r\n\r\nhello\r\n");
    check_summary(id, buf_slice(&bytes), "none");
    CHECK(views_summary(views, id, a, &s, &e) == 1);
    CHECK_STR(s.message_id, "<1@x.test>");
    CHECK_STR(s.in_reply_to, "<0@x.test>");
    CHECK(!s.encrypted);
    /* From memory, then from the disk after a restart. */
    CHECK_INT(open_it(id, &again).err.code, E_NONE);
    CHECK(slice_eq(buf_slice(&bytes), buf_slice(&again)));
    rig_close();
    rig_open(false);
    CHECK_INT(open_it(id, &again).err.code, E_NONE);
    CHECK(slice_eq(buf_slice(&bytes), buf_slice(&again)));
    CHECK_INT(open_it(4711, &again).err.code, E_MISSING);
    buf_clear(&bytes);
    buf_clear(&again);
    arena_free(&a);
    rig_end();
}

/* A client that leaves while it is opened: nothing is written to it. */
static void
test_open_cancelled(void)
{
    struct outcome o = {0};
    struct view *v = NULL;
    struct op *slot = NULL;
    struct buf bytes = BUF_INIT(1 << 20);
    int64_t id;

    rig_begin(false);
    id = message("1:1", SLICE("A: b\r\n\r\nhello\r\n"));
    for (int turns = 0; turns < 8; turns++) {
        op_hold(&slot, view_open(views, id, &v, on_outcome_done, &o));
        for (int i = 0; i < turns; i++)
            loop_turn(eas_server_loop(), false);
        op_cancel(&slot);
        if (v)
            view_unref(&v);
    }
    CHECK_INT(open_it(id, &bytes).err.code, E_NONE);
    CHECK_STR(bytes.data, NONE "A: b\r\n\r\nhello\r\n");
    buf_clear(&bytes);
    rig_end();
}

/* Two at once: one record, the same bytes. */
static void
test_open_twice(void)
{
    struct outcome a = {0}, b = {0};
    struct view *v = NULL, *w = NULL;
    int64_t id;

    rig_begin(false);
    id = message("1:1", SLICE("A: b\r\n\r\nhello\r\n"));
    view_open(views, id, &v, on_outcome_done, &a);
    view_open(views, id, &w, on_outcome_done, &b);
    turn(&a.runs, 1);
    turn(&b.runs, 1);
    CHECK(!a.err.code && !b.err.code);
    REQUIRE(v && w);
    CHECK(slice_eq(view_bytes(v), view_bytes(w)));
    view_unref(&v);
    view_unref(&w);
    rig_end();
}

/* The body comes from the server, once, and stays. */
static void
test_open_fetches(void)
{
    struct buf bytes = BUF_INIT(1 << 20);
    struct model_item *it;
    int64_t id, gone;

    rig_begin(true);
    it = model_add("1", "here", NOW);
    id = message(it->id, SLICE_NONE);
    gone = message("1:999", SLICE_NONE);
    CHECK_INT(open_it(id, &bytes).err.code, E_NONE);
    CHECK(strstr(bytes.data, "\r\n\r\nbody of here\r\n") != NULL);
    CHECK_INT(model_asked("ItemOperations"), 1);
    CHECK_INT(open_it(gone, &bytes).err.code, E_RETRY);
    CHECK_INT(model_asked("ItemOperations"), 2);
    rig_close();
    rig_open(false);
    CHECK_INT(open_it(id, &bytes).err.code, E_NONE);
    CHECK(strstr(bytes.data, "body of here") != NULL);
    CHECK_INT(open_it(gone, &bytes).err.code, E_RETRY);
    CHECK_INT(model_asked("ItemOperations"), 2);
    buf_clear(&bytes);
    rig_end();
}

/* A verdict stands: the anchor goes, the record stays, so do the bytes. */
static void
test_verdict_stays(void)
{
    struct buf raw =
        file("tests/data/smime/generated/s01-rsa2048-sha256-detached.eml");
    struct buf bytes = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20);
    int64_t id, other;

    rig_begin(false);
    trust(PKI "root/ca.crt");
    id = message("1:1", buf_slice(&raw));
    other = message("1:2", buf_slice(&raw));
    CHECK_INT(open_it(id, &bytes).err.code, E_NONE);
    CHECK(strstr(bytes.data, "smime=pass") != NULL);
    check_summary(id, buf_slice(&bytes), "pass");
    rig_close();
    rig_open(false);
    trust(NULL);
    CHECK_INT(open_it(id, &again).err.code, E_NONE);
    CHECK(slice_eq(buf_slice(&bytes), buf_slice(&again)));
    /* It was not asked about the other one before. */
    CHECK_INT(open_it(other, &again).err.code, E_NONE);
    CHECK(strstr(again.data, "smime=pass") == NULL);
    buf_clear(&raw);
    buf_clear(&bytes);
    buf_clear(&again);
    rig_end();
}

static void
key_import(const char *pfx)
{
    struct buf raw = file(pfx), pass = file(PKI "pfx/password");
    struct secret password = {0};
    struct keys_import *parsed;
    char *text = NULL;
    struct err e = {0};

    secret_set(&password, pass.data, strcspn(pass.data, "\r\n"));
    CHECK(!keys_import_parse(buf_slice(&raw), &password, &parsed, &e));
    CHECK_STR(e.text, "");
    CHECK(!keys_import_add(keys, parsed, &text, &e));
    keys_import_free(&parsed);
    secret_clear(&password);
    free(text);
    buf_clear(&raw);
    buf_clear(&pass);
}

static uint32_t
uid_of(int64_t id)
{
    struct arena *a = arena_new();
    struct store_message m = {0};
    struct err e;

    CHECK(!store_message_get(store, id, a, &m, &e));
    arena_free(&a);
    return m.uid;
}

/* No key, then a key: what was told under the UID is never other bytes; it
 * comes back readable under a new one. And when the key goes: nothing else. */
static void
test_key_comes_and_goes(void)
{
    struct buf raw = file("tests/data/smime/generated/c01-sign-then-encrypt.eml");
    struct buf bytes = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20);
    char *fingerprint;
    struct err e;
    uint32_t uid;
    int64_t id;

    rig_begin(false);
    trust(PKI "root/ca.crt");
    id = message("1:1", buf_slice(&raw));
    uid = uid_of(id);
    CHECK_INT(open_it(id, &bytes).err.code, E_NONE);
    CHECK(strstr(bytes.data, "no key that opens") != NULL);
    check_summary(id, buf_slice(&bytes), "none");
    rig_close();
    rig_open(false);
    trust(PKI "root/ca.crt");
    CHECK_INT(open_it(id, &again).err.code, E_NONE);
    CHECK(slice_eq(buf_slice(&bytes), buf_slice(&again)));
    CHECK_INT(uid_of(id), uid);
    rig_close();
    rig_open(false);
    trust(PKI "root/ca.crt");
    key_import(PKI "pfx/bob-enc.p12");
    CHECK_INT(open_it(id, &again).err.code, E_MISSING);
    CHECK(uid_of(id) > uid);
    uid = uid_of(id);
    CHECK_INT(open_it(id, &again).err.code, E_NONE);
    CHECK_INT(uid_of(id), uid);
    CHECK(strstr(again.data, "smime=pass") != NULL);
    CHECK(strstr(again.data, "decrypted=yes") != NULL);
    CHECK(strstr(again.data, "no key that opens") == NULL);
    check_summary(id, buf_slice(&again), "pass");
    fingerprint = xstrdup(key_fingerprint(keys_next(keys, NULL)));
    CHECK(!keys_remove(keys, fingerprint, &e));
    free(fingerprint);
    rig_close();
    rig_open(false);
    trust(PKI "root/ca.crt");
    CHECK_INT(open_it(id, &again).err.code, E_LOCKED);
    CHECK_INT(uid_of(id), uid);
    buf_clear(&raw);
    buf_clear(&bytes);
    buf_clear(&again);
    rig_end();
}

/* The cache is bounded; what is out of it is opened again, the same. */
static void
test_cache(void)
{
    struct buf bytes = BUF_INIT(1 << 22), big = BUF_INIT(1 << 22);
    struct views_config v = {.crypto = crypto};
    int64_t ids[12];
    struct err e;

    rig_begin(false);
    views_free(&views);
    v = (struct views_config){.loop = eas_server_loop(), .crypto = crypto,
                              .store = store, .keys = keys, .certs = certs,
                              .authserv_id = "here.test",
                              .cache_bytes = 200000};
    CHECK(!views_new(&v, &views, &e));
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        char id[16];

        buf_reset(&big);
        buf_addf(&big, "Subject: %zu\r\n\r\n", i);
        for (int k = 0; k < 1000; k++)
            buf_addf(&big, "line %d of the %zuth message, and so on\r\n", k, i);
        snprintf(id, sizeof id, "1:%zu", i);
        ids[i] = message(id, buf_slice(&big));
    }
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
            char want[64];

            CHECK_INT(open_it(ids[i], &bytes).err.code, E_NONE);
            snprintf(want, sizeof want, NONE "Subject: %zu\r\n", i);
            CHECK(!strncmp(bytes.data, want, strlen(want)));
        }
    buf_clear(&bytes);
    buf_clear(&big);
    rig_end();
}

static const struct test_case cases[] = {
    TEST(test_render),
    TEST(test_render_top),
    TEST(test_render_undecryptable),
    TEST(test_open),
    TEST(test_open_cancelled),
    TEST(test_open_twice),
    TEST(test_open_fetches),
    TEST(test_verdict_stays),
    TEST(test_key_comes_and_goes),
    TEST(test_cache),
};

int
main(void)
{
    secret_set(&key, "0123456789abcdef0123456789abcdef", 32);
    return test_main(cases, ARRAY_LEN(cases));
}
