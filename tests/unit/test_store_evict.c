/*
 * Bodies that leave and come back: the limit, what never leaves, servers that
 * rebuild MIME, and content that changed on the server.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/now.h"
#include "loop/loop.h"
#include "loop/worker.h"
#include "store/body.h"
#include "store/folder.h"
#include "store/journal.h"
#include "store/message.h"
#include "store/private.h"
#include "store/store.h"
#include "test.h"

#define START ((int64_t)1000000000)
#define KB 1000

static struct loop *loop;
static struct worker *disk;
static int opened, runs;
static struct err got, e;

struct world {
    struct store *s;
    int64_t inbox, trash;
    int64_t mail[8];
    struct arena *a;
    char *dir;
};

static void
on_done(void *arg, const struct err *err)
{
    (void)arg;
    runs++;
    got = err ? *err : (struct err){0};
}

static struct store_item
item(const char *id, int64_t when)
{
    return (struct store_item){
        .server_id = id,
        .has = STORE_HAS_READ | STORE_HAS_FLAG | STORE_HAS_CATEGORIES |
               STORE_HAS_VERB | STORE_HAS_CONTENT,
        .from = "bob@example.test",
        .to = "alice@example.test",
        .subject = id,
        .received = when,
        .categories = "",
        .estimated_size = KB,
    };
}

/* Mails m0 to m7, a day apart, the last one the newest. */
static bool
world_new(struct world *w)
{
    struct store_folder_news in = {"5", "0", "Inbox", 2};
    struct store_folder_news out = {"6", "0", "Trash", 4};
    struct store_config c = {.loop = loop, .disk = disk};

    memset(w, 0, sizeof *w);
    now_fake(START + 86400);
    w->dir = xasprintf("%s/store%d", test_dir(), opened++);
    c.dir = w->dir;
    w->a = arena_new();
    if (store_open(&c, &w->s, &e) || store_folder_put(w->s, &in, &w->inbox,
                                                      &e) ||
        store_folder_put(w->s, &out, &w->trash, &e) ||
        store_message_number(w->s, w->inbox, &e) ||
        store_message_number(w->s, w->trash, &e))
        return CHECK(!"opened");
    for (int i = 0; i < 8; i++) {
        char id[3] = {'m', (char)('0' + i), 0};
        struct store_item it = item(id, START + (i - 8) * 86400);

        if (!CHECK_INT(store_message_add(w->s, w->inbox, &it, &w->mail[i],
                                         &e), 0))
            return false;
    }
    return true;
}

static void
world_end(struct world *w)
{
    arena_free(&w->a);
    store_close(&w->s);
    free(w->dir);
    now_fake(-1);
}

/* As from the server: KB bytes that begin with this word. */
static void
fetch(struct world *w, int i, const char *word)
{
    struct buf raw = BUF_INIT(2 * KB);
    int want = runs + 1;

    buf_adds(&raw, word);
    while (raw.len < KB)
        buf_addc(&raw, 'x');
    (void)store_body_save(w->s, w->mail[i], &raw, false, on_done, NULL);
    for (int k = 0; k < 5000 && runs < want; k++) {
        loop_turn(loop, false);
        usleep(200);
    }
    CHECK_INT(runs, want);
    CHECK_STR(got.text, "");
    buf_clear(&raw);
}

static void
evict(struct world *w)
{
    bool more = true, waits;

    while (more)
        if (!CHECK_INT(store_evict(w->s, &more, &waits, &e), 0))
            return;
}

/* "0:2 7:9": number and UID of those whose body is here. */
static const char *
here(struct world *w)
{
    struct buf b = BUF_INIT(1000);
    struct store_message m;
    const char *text;

    for (int i = 0; i < 8; i++)
        if (store_message_get(w->s, w->mail[i], w->a, &m, &e) == 0 &&
            m.body != STORE_BODY_ABSENT)
            buf_addf(&b, "%s%d:%u", b.len ? " " : "", i, m.uid);
    text = arena_dup(w->a, buf_slice(&b));
    buf_clear(&b);
    return text;
}

static size_t
missing(struct world *w)
{
    int64_t ids[50];
    size_t n = 0;

    CHECK_INT(store_message_missing(w->s, 50, ids, &n, &e), 0);
    return n;
}

static struct store_message
get(struct world *w, int i)
{
    struct store_message m = {0};

    CHECK_INT(store_message_get(w->s, w->mail[i], w->a, &m, &e), 0);
    return m;
}

/* So many body files are there. */
static bool
on_disk(struct world *w, int n)
{
    char *cmd = xasprintf("test $(find %s/body -type f | wc -l) = %d", w->dir,
                          n);
    bool ok = system(cmd) == 0;

    free(cmd);
    return ok;
}

static void
record(struct world *w, int i)
{
    struct store_view v = {.size = 1234,
                           .opened = true,
                           .digest = SLICE("0123456789abcdef0123456789abcdef"),
                           .envelope = "(envelope)",
                           .structure = "()",
                           .body = "()",
                           .verdict = ""};

    CHECK_INT(store_view_set(w->s, w->mail[i], &v, &e), 0);
}

static bool
recorded(struct world *w, int i)
{
    struct store_view v;

    return store_view_get(w->s, w->mail[i], w->a, &v, &e) == 1 &&
           v.size == 1234 && strcmp(v.envelope, "(envelope)") == 0;
}

/* The client's fetch and the backfill brought it both: written once. */
static void
saved_once(void)
{
    struct buf a = BUF_INIT(100), b = BUF_INIT(100), out = BUF_INIT(100);
    struct world w;
    int64_t last = -1;

    if (!world_new(&w))
        return;
    buf_adds(&a, "one");
    buf_adds(&b, "two");
    runs = 0;
    (void)store_body_save(w.s, w.mail[0], &a, false, on_done, NULL);
    (void)store_body_save(w.s, w.mail[0], &b, false, on_done, NULL);
    for (int k = 0; k < 5000 && runs < 2; k++) {
        loop_turn(loop, false);
        usleep(200);
    }
    CHECK_INT(runs, 2);
    CHECK_STR(got.text, "");
    CHECK_INT(store_body_read(w.s, w.mail[0], &out, &e), 0);
    CHECK_STR(out.data, "one");
    fetch(&w, 0, "three");
    CHECK(db_int(w.s->db, &e, &last, "SELECT seq FROM sqlite_sequence WHERE"
                                     " name = 'body'", "") == 1);
    CHECK_INT(last, 1);
    buf_clear(&out);
    world_end(&w);
}

static void
least_recently_used(void)
{
    struct store_usage u;
    struct world w;

    if (!world_new(&w))
        return;
    CHECK_INT(missing(&w), 8);
    for (int i = 0; i < 8; i++)
        fetch(&w, i, "first");
    record(&w, 0);
    evict(&w); /* no limit */
    CHECK_STR(here(&w), "0:1 1:2 2:3 3:4 4:5 5:6 6:7 7:8");
    store_cache_limit(w.s, 5 * KB);
    /* looked at long ago, and just now */
    REQUIRE(store_body_touch(w.s, w.mail[2], &e) == 0);
    now_fake(START + 2 * 86400);
    evict(&w);
    CHECK_STR(here(&w), "2:3 4:5 5:6 6:7 7:8");
    CHECK(on_disk(&w, 5));
    REQUIRE(store_usage(w.s, &u, &e) == 0);
    CHECK_INT(u.body_bytes, 5 * KB);
    CHECK_INT(u.bodies, 5);
    CHECK(recorded(&w, 0));
    CHECK_INT(missing(&w), 0); /* the backfill does not bring them back */
    fetch(&w, 0, "first");
    REQUIRE(store_body_touch(w.s, w.mail[0], &e) == 0);
    evict(&w);
    CHECK_STR(here(&w), "0:1 2:3 5:6 6:7 7:8"); /* the same UID */
    CHECK(recorded(&w, 0));
    store_cache_limit(w.s, 1);
    evict(&w);
    CHECK_STR(here(&w), "0:1"); /* somebody is at it */
    now_fake(START + 3 * 86400);
    evict(&w);
    CHECK_STR(here(&w), "");
    world_end(&w);
}

static void
first_sync_stops_at_the_limit(void)
{
    struct world w;
    uint64_t n;

    if (!world_new(&w))
        return;
    store_cache_limit(w.s, 3 * KB);
    for (int i = 7; i >= 5; i--)
        fetch(&w, i, "first");
    CHECK_INT(missing(&w), 0);
    REQUIRE(store_message_missing_count(w.s, &n, &e) == 0);
    CHECK_INT(n, 0);
    CHECK_STR(here(&w), "5:6 6:7 7:8");
    store_cache_limit(w.s, 6 * KB);
    CHECK_INT(missing(&w), 5);
    world_end(&w);
}

static void
what_never_leaves(void)
{
    struct world w;
    uint32_t uid;

    if (!world_new(&w))
        return;
    for (int i = 0; i < 4; i++)
        fetch(&w, i, "first");
    /* born here; a copy; no item any more; a move of unknown outcome */
    REQUIRE(store_body_write(w.s, w.mail[4], SLICE("born here"), &e) == 0);
    REQUIRE(store_message_copy(w.s, w.mail[0], w.trash, &uid, &e) == 0);
    REQUIRE(store_message_bind(w.s, w.mail[1], 0, "", &e) == 0);
    REQUIRE(store_message_adrift(w.s, w.mail[2], &e) == 0);
    store_cache_limit(w.s, 1);
    now_fake(START + 2 * 86400);
    evict(&w);
    CHECK_STR(here(&w), "0:1 1:2 2:3 4:5");
    /* one that left cannot be copied before it is here */
    CHECK_INT(store_message_copy(w.s, w.mail[3], w.trash, &uid, &e), -1);
    CHECK_INT(e.code, E_RETRY);
    world_end(&w);
}

/* Other bytes: a new UID with all that belongs to the message. */
static void
other_bytes(void)
{
    struct store_flag_edit edit = {STORE_FLAGS_ADD, STORE_FLAGGED, "work"};
    struct store_message before, after;
    struct world w;
    uint64_t rows;

    if (!world_new(&w))
        return;
    for (int i = 0; i < 8; i++) {
        fetch(&w, i, "first");
        record(&w, i);
    }
    REQUIRE(store_message_edit_flags(w.s, w.mail[0], &edit, &e) == 0);
    before = get(&w, 0);
    store_cache_limit(w.s, 1);
    now_fake(START + 2 * 86400);
    evict(&w);
    CHECK_STR(here(&w), "");
    fetch(&w, 0, "second");
    after = get(&w, 0);
    CHECK_INT(after.uid, 9);
    CHECK(after.modseq > before.modseq);
    CHECK_INT(after.flags, before.flags);
    CHECK_STR(after.keywords, "work");
    CHECK_INT(after.received, before.received);
    CHECK_INT(after.saved, before.saved);
    CHECK(!recorded(&w, 0));
    REQUIRE(store_journal_count(w.s, &rows, &e) == 0);
    CHECK_INT(rows, 2);
    fetch(&w, 1, "first");
    CHECK_INT(get(&w, 1).uid, 2);
    fetch(&w, 0, "third"); /* it was not evicted: the first bytes stay */
    CHECK_INT(get(&w, 0).uid, 9);
    now_fake(START + 3 * 86400);
    evict(&w);
    fetch(&w, 0, "third"); /* nobody was told of the second ones */
    CHECK_INT(get(&w, 0).uid, 9);
    CHECK(!store_cache_is_fickle(w.s));
    now_fake(START + 4 * 86400);
    evict(&w);
    CHECK_STR(here(&w), "");
    fetch(&w, 3, "second");
    CHECK(store_cache_is_fickle(w.s));
    now_fake(START + 6 * 86400);
    evict(&w); /* it cannot repeat itself: nothing leaves any more */
    CHECK_STR(here(&w), "3:10");
    world_end(&w);
}

static void
content_changed(void)
{
    struct store_item it = item("m1", START - 7 * 86400);
    struct store_flag_edit edit = {STORE_FLAGS_ADD, STORE_FLAGGED, NULL};
    struct world w;
    uint64_t rows;

    if (!world_new(&w))
        return;
    for (int i = 0; i < 8; i++)
        fetch(&w, i, "first");
    record(&w, 1);
    REQUIRE(store_message_update(w.s, w.mail[1], &it, &e) == 0);
    CHECK_INT(missing(&w), 0); /* a whole item, and nothing new in it */
    REQUIRE(store_message_edit_flags(w.s, w.mail[1], &edit, &e) == 0);
    it.estimated_size = KB + 1;
    REQUIRE(store_message_update(w.s, w.mail[1], &it, &e) == 0);
    CHECK_INT(missing(&w), 1);
    CHECK_STR(here(&w), "0:1 1:2 2:3 3:4 4:5 5:6 6:7 7:8");
    fetch(&w, 1, "first"); /* the same after all */
    CHECK_INT(missing(&w), 0);
    CHECK_INT(get(&w, 1).uid, 2);
    CHECK(recorded(&w, 1));
    it.subject = "another";
    REQUIRE(store_message_update(w.s, w.mail[1], &it, &e) == 0);
    fetch(&w, 1, "second");
    CHECK_INT(missing(&w), 0);
    CHECK_INT(get(&w, 1).uid, 9);
    CHECK_INT(get(&w, 1).flags, STORE_FLAGGED);
    CHECK(!recorded(&w, 1));
    CHECK(!store_cache_is_fickle(w.s));
    REQUIRE(store_journal_count(w.s, &rows, &e) == 0);
    CHECK_INT(rows, 1);
    /* a deletion of what is another message now is dropped */
    it = item("m2", START - 6 * 86400);
    REQUIRE(store_message_expunge(w.s, w.mail[2], &e) == 0);
    it.read = true;
    REQUIRE(store_message_update(w.s, w.mail[2], &it, &e) == 0);
    CHECK_INT(get(&w, 2).uid, 0); /* a mere flag does not keep it */
    it.estimated_size = 7;
    REQUIRE(store_message_update(w.s, w.mail[2], &it, &e) == 0);
    CHECK_INT(get(&w, 2).uid, 10);
    REQUIRE(store_journal_count(w.s, &rows, &e) == 0);
    CHECK_INT(rows, 1);
    world_end(&w);
}

static const struct test_case cases[] = {
    TEST(least_recently_used), TEST(first_sync_stops_at_the_limit),
    TEST(what_never_leaves),   TEST(other_bytes),
    TEST(content_changed),     TEST(saved_once),
};

int
main(void)
{
    int rc;

    loop = loop_new();
    disk = worker_new("disk", 1);
    rc = test_main(cases, ARRAY_LEN(cases));
    worker_free(&disk);
    loop_free(&loop);
    return rc;
}
