/*
 * Room store: listing and numbering, changes from both sides, the journal,
 * resets, bodies, queue, flush, and what a crash leaves.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/now.h"
#include "loop/loop.h"
#include "loop/worker.h"
#include "store/body.h"
#include "store/certificate.h"
#include "store/folder.h"
#include "store/journal.h"
#include "store/message.h"
#include "store/private.h"
#include "store/queue.h"
#include "store/store.h"
#include "test.h"

static struct loop *loop;
static struct worker *disk;
static struct secret key;
static int opened;
static char *dir;

static struct store *
fresh(bool with_loop)
{
    struct store_config c = {.data_key = &key};
    struct store *s = NULL;
    struct err e = {0};

    free(dir);
    dir = xasprintf("%s/store%d", test_dir(), opened++);
    c.dir = dir;
    if (with_loop) {
        c.loop = loop;
        c.disk = disk;
    }
    if (store_open(&c, &s, &e))
        printf("# %s\n", e.text);
    return s;
}

static struct store *
again(struct store *s)
{
    struct store_config c = {.data_key = &key, .dir = dir};
    struct err e = {0};

    store_close(&s);
    if (store_open(&c, &s, &e))
        printf("# %s\n", e.text);
    return s;
}

static int64_t
folder(struct store *s, const char *id, const char *name, int type)
{
    struct store_folder_news n = {id, "0", name, type};
    struct err e = {0};
    int64_t out = 0;

    if (store_folder_put(s, &n, &out, &e))
        printf("# %s\n", e.text);
    return out;
}

static struct store_item
item(const char *id, int64_t when, const char *subject)
{
    return (struct store_item){
        .server_id = id,
        .has = STORE_HAS_READ | STORE_HAS_FLAG | STORE_HAS_CATEGORIES |
               STORE_HAS_VERB | STORE_HAS_CONTENT,
        .from = "bob@example.test",
        .to = "alice@example.test",
        .subject = subject,
        .received = when,
        .categories = "",
        .estimated_size = 100,
    };
}

static void
list(struct store *s, int64_t f, const char *id, int64_t when)
{
    struct store_item it = item(id, when, id);
    struct err e = {0};

    if (!CHECK_INT(store_message_list(s, f, &it, &e), 0))
        printf("# %s\n", e.text);
}

/* "id:uid id:uid" of a folder. */
static char *
shown(struct store *s, int64_t f)
{
    struct store_snapshot snap;
    struct arena *a = arena_new();
    struct buf b = BUF_INIT(BUF_OURS);
    struct err e = {0};

    if (store_snapshot_load(s, f, &snap, &e))
        return xstrdup(e.text);
    for (size_t i = 0; i < snap.n; i++) {
        struct store_message m;

        if (store_message_get(s, snap.entries[i].id, a, &m, &e))
            break;
        buf_addf(&b, "%s%s:%u", i ? " " : "",
                 *m.server_id ? m.server_id : "-", m.uid);
    }
    store_snapshot_clear(&snap);
    arena_free(&a);
    return buf_take(&b, NULL);
}

static int64_t
id_of(struct store *s, int64_t f, const char *server_id)
{
    struct arena *a = arena_new();
    struct store_message m = {0};
    struct err e;

    store_message_by_server(s, f, server_id, a, &m, &e);
    arena_free(&a);
    return m.id;
}

#define SHOWN(s, f, want)                  \
    do {                                   \
        char *got_ = shown((s), (f));      \
        CHECK_STR(got_, (want));           \
        free(got_);                        \
    } while (0)

static void
numbering(void)
{
    struct store *s = fresh(false);
    struct err e = {0};
    int64_t f;
    const struct store_folder *sf;
    uint32_t validity;

    REQUIRE(s);
    f = folder(s, "5", "Inbox", 2);
    list(s, f, "c", 300);
    list(s, f, "a", 100);
    list(s, f, "b2", 200);
    list(s, f, "b1", 200);
    list(s, f, "a", 100); /* twice is one */
    SHOWN(s, f, "");
    sf = store_folder_get(s, f);
    CHECK_INT(sf->state, STORE_FOLDER_LISTING);
    CHECK_STR(sf->path, "INBOX");
    REQUIRE(store_message_number(s, f, &e) == 0);
    SHOWN(s, f, "a:1 b2:2 b1:3 c:4");
    validity = store_folder_get(s, f)->uidvalidity;
    s = again(s);
    SHOWN(s, f, "a:1 b2:2 b1:3 c:4");
    CHECK_INT(store_folder_get(s, f)->uidvalidity, validity);
    CHECK_INT(store_folder_get(s, f)->uidnext, 5);
    CHECK(folder(s, "6", "Sent", 5) != f);
    CHECK(store_folder_by_role(s, STORE_ROLE_SENT)->uidvalidity > validity);
    store_close(&s);
}

/* What an answer said comes back in order, also what went over a megabyte
 * and so through the disk, and nothing of it is left when it was cleared. */
static void
staged(void)
{
    struct store *s = fresh(false);
    char *subject = xmalloc(2000), id[24];
    int64_t f, g, pos;
    struct store_item it;
    struct err e = {0};
    int kind, n;

    REQUIRE(s);
    f = folder(s, "5", "Inbox", 2);
    g = folder(s, "6", "Sent", 5);
    memset(subject, 'x', 1999);
    subject[1999] = '\0';
    for (int round = 0; round < 2; round++) {
        for (n = 0; n < 2000; n++) {
            snprintf(id, sizeof id, "5:%d", n);
            it = item(id, n, subject);
            it.read = n % 3 == 0;
            it.cc = NULL;
            it.thread = SLICE("a\0b");
            CHECK_INT(store_stage_add(s, f, n % 4, &it, &e), 0);
        }
        for (pos = 0, n = 0;
             store_stage_next(s, f, &pos, &kind, &it, &e) == 1; n++) {
            snprintf(id, sizeof id, "5:%d", n);
            if (!CHECK_STR(it.server_id, id) || !CHECK_INT(kind, n % 4) ||
                !CHECK_INT(it.read, n % 3 == 0) ||
                !CHECK_INT(it.received, n) || !CHECK_STR(it.cc, "") ||
                !CHECK_STR(it.subject, subject) ||
                !CHECK_INT(it.thread.n, 3))
                break;
        }
        CHECK_INT(n, 2000);
        pos = 0;
        CHECK_INT(store_stage_next(s, g, &pos, &kind, &it, &e), 0);
        CHECK_INT(store_stage_clear(s, f, &e), 0);
        CHECK_INT(store_stage_next(s, f, &pos, &kind, &it, &e), 0);
    }
    store_stage_add(s, f, 0, &(struct store_item){.server_id = "1"}, &e);
    store_stage_add(s, g, 0, &(struct store_item){.server_id = "2"}, &e);
    store_stage_add(s, f, 0, &(struct store_item){.server_id = "3"}, &e);
    /* Each folder has its own, though they come in one answer. */
    pos = 0;
    CHECK_INT(store_stage_next(s, f, &pos, &kind, &it, &e), 1);
    CHECK_STR(it.server_id, "1");
    CHECK_INT(store_stage_next(s, f, &pos, &kind, &it, &e), 1);
    CHECK_STR(it.server_id, "3");
    CHECK_INT(store_stage_clear(s, f, &e), 0);
    pos = 0;
    CHECK_INT(store_stage_next(s, f, &pos, &kind, &it, &e), 0);
    CHECK_INT(store_stage_next(s, g, &pos, &kind, &it, &e), 1);
    CHECK_STR(it.server_id, "2");
    free(subject);
    store_close(&s);
}

static void
paths(void)
{
    struct store *s = fresh(false);
    struct store_folder_news n = {"21", "20", "a/b%", 12};
    struct err e = {0};
    int64_t id;

    REQUIRE(s);
    folder(s, "20", "Projects", 12);
    store_folder_put(s, &n, &id, &e);
    CHECK_STR(store_folder_get(s, id)->path, "Projects/a%2Fb%25");
    folder(s, "22", "Junk Email", 12);
    CHECK_INT(store_folder_find(s, "Junk Email")->role, STORE_ROLE_JUNK);
    folder(s, "23", "Projects", 12);
    CHECK(store_folder_find(s, "Projects%20(2)") != NULL);
    CHECK(store_folder_find(s, "inbox") == NULL);
    folder(s, "1", "Posteingang", 2);
    CHECK(store_folder_find(s, "inbox") != NULL);
    /* listed anew under another id: the same folder */
    id = store_folder_find(s, "Junk Email")->id;
    REQUIRE(store_folder_unconfirm_all(s, &e) == 0);
    CHECK_INT(folder(s, "99", "Junk Email", 12), id);
    REQUIRE(store_folder_remove_unconfirmed(s, &e) == 0);
    CHECK(store_folder_find(s, "Projects") == NULL);
    CHECK(store_folder_get(s, id) != NULL);
    store_close(&s);
}

static struct store_row rows[20];

static size_t
journal(struct store *s, int64_t f, struct arena *a)
{
    int64_t after = 0;
    size_t n = 0;
    struct err e;

    while (n < ARRAY_LEN(rows) &&
           store_journal_next(s, f, &after, a, &rows[n], &e) == 1)
        n++;
    return n;
}

static void
flags_both_ways(void)
{
    struct store *s = fresh(false);
    struct arena *a = arena_new();
    struct err e = {0};
    struct store_flag_edit add = {STORE_FLAGS_ADD, STORE_SEEN | STORE_DELETED,
                                  "work $Phishing"};
    struct store_flag_edit del = {STORE_FLAGS_REMOVE, STORE_SEEN, "work"};
    struct store_item it = item("a", 100, "a");
    struct store_message m;
    int64_t f, id;

    REQUIRE(s);
    f = folder(s, "5", "Inbox", 2);
    list(s, f, "a", 100);
    REQUIRE(store_message_number(s, f, &e) == 0);
    id = id_of(s, f, "a");
    REQUIRE(store_message_edit_flags(s, id, &add, &e) == 0);
    CHECK_INT(journal(s, f, a), 2); /* \Deleted and $ words stay here */
    CHECK_INT(rows[0].field, STORE_FIELD_SEEN);
    CHECK_INT(rows[0].value, 1);
    CHECK_STR(rows[1].keywords, "work");
    /* undone before it went up: nothing to do */
    REQUIRE(store_message_edit_flags(s, id, &del, &e) == 0);
    CHECK_INT(journal(s, f, a), 0);
    /* the server's word while ours is open */
    REQUIRE(store_message_edit_flags(s, id, &add, &e) == 0);
    it.flagged = true;
    it.categories = "red";
    REQUIRE(store_message_update(s, id, &it, &e) == 0);
    store_message_get(s, id, a, &m, &e);
    CHECK_INT(m.flags, STORE_SEEN | STORE_FLAGGED | STORE_DELETED);
    CHECK_STR(m.keywords, "$Phishing red work");
    REQUIRE(journal(s, f, a) == 2);
    CHECK_STR(rows[1].keywords, "red work");
    REQUIRE(journal(s, f, a) == 2);
    REQUIRE(store_journal_sent(s, rows[0].id, &e) == 0);
    REQUIRE(store_journal_done(s, rows[0].id, NULL, &e) == 0);
    /* changed again while it was under way: the row stays */
    REQUIRE(store_journal_sent(s, rows[1].id, &e) == 0);
    REQUIRE(store_message_edit_flags(s, id, &del, &e) == 0);
    REQUIRE(store_journal_done(s, rows[1].id, NULL, &e) == 0);
    REQUIRE(journal(s, f, a) == 2);
    CHECK_INT(rows[1].field, STORE_FIELD_SEEN);
    REQUIRE(store_journal_refused(s, rows[1].id, "no", &e) == 0);
    store_message_get(s, id, a, &m, &e);
    CHECK_INT(m.flags & STORE_SEEN, STORE_SEEN);
    store_close(&s);
    arena_free(&a);
}

/* Each category is a difference of its own. */
static void
categories_on_both_sides(void)
{
    struct store *s = fresh(false);
    struct arena *a = arena_new();
    struct err e = {0};
    struct store_flag_edit add = {STORE_FLAGS_ADD, 0, "mine"};
    struct store_flag_edit del = {STORE_FLAGS_REMOVE, 0, "old"};
    struct store_item it = item("a", 100, "a");
    struct store_message m;
    int64_t f, id;

    REQUIRE(s);
    f = folder(s, "5", "Inbox", 2);
    list(s, f, "a", 100);
    REQUIRE(store_message_number(s, f, &e) == 0);
    id = id_of(s, f, "a");
    it.categories = "old kept";
    REQUIRE(store_message_update(s, id, &it, &e) == 0);
    REQUIRE(store_message_edit_flags(s, id, &add, &e) == 0);
    REQUIRE(store_message_edit_flags(s, id, &del, &e) == 0);
    it.categories = "old theirs"; /* one came, another one went */
    REQUIRE(store_message_update(s, id, &it, &e) == 0);
    store_message_get(s, id, a, &m, &e);
    CHECK_STR(m.keywords, "mine theirs");
    REQUIRE(journal(s, f, a) == 1);
    CHECK_STR(rows[0].keywords, "mine theirs");
    /* sent, and what came of it is not known: the same once more */
    REQUIRE(store_journal_sent(s, rows[0].id, &e) == 0);
    it.categories = "mine theirs late";
    REQUIRE(store_message_update(s, id, &it, &e) == 0);
    store_message_get(s, id, a, &m, &e);
    CHECK_STR(m.keywords, "late mine theirs");
    /* a change of mind after that: the last word is ours */
    add.op = STORE_FLAGS_REMOVE;
    REQUIRE(store_message_edit_flags(s, id, &add, &e) == 0);
    REQUIRE(store_message_update(s, id, &it, &e) == 0);
    store_message_get(s, id, a, &m, &e);
    CHECK_STR(m.keywords, "late theirs");
    store_close(&s);
    arena_free(&a);
}

/* On, sent, off before the answer, and after it on and off once more: the
 * server has "on", so the row must outlive the return to what we know. */
static void
flags_undone_late(void)
{
    struct store *s = fresh(false);
    struct arena *a = arena_new();
    struct err e = {0};
    struct store_flag_edit on = {STORE_FLAGS_ADD, STORE_FLAGGED, NULL};
    struct store_flag_edit off = {STORE_FLAGS_REMOVE, STORE_FLAGGED, NULL};
    int64_t f, id;

    REQUIRE(s);
    f = folder(s, "5", "Inbox", 2);
    list(s, f, "a", 100);
    REQUIRE(store_message_number(s, f, &e) == 0);
    id = id_of(s, f, "a");
    REQUIRE(store_message_edit_flags(s, id, &on, &e) == 0);
    REQUIRE(journal(s, f, a) == 1);
    REQUIRE(store_journal_sent(s, rows[0].id, &e) == 0);
    REQUIRE(store_message_edit_flags(s, id, &off, &e) == 0);
    REQUIRE(store_journal_done(s, rows[0].id, NULL, &e) == 0);
    REQUIRE(store_message_edit_flags(s, id, &on, &e) == 0);
    REQUIRE(store_message_edit_flags(s, id, &off, &e) == 0);
    REQUIRE(journal(s, f, a) == 1);
    CHECK_INT(rows[0].value, 0);
    REQUIRE(store_journal_sent(s, rows[0].id, &e) == 0);
    REQUIRE(store_journal_done(s, rows[0].id, NULL, &e) == 0);
    CHECK_INT(journal(s, f, a), 0);
    store_close(&s);
    arena_free(&a);
}

static void
moves(void)
{
    struct store *s = fresh(false);
    struct arena *a = arena_new();
    struct err e = {0};
    int64_t in, trash, other, id;
    uint32_t uid;
    struct store_item it = item("t7", 100, "a");
    size_t n;
    uint32_t *gone;

    REQUIRE(s);
    in = folder(s, "5", "Inbox", 2);
    trash = folder(s, "6", "Trash", 4);
    other = folder(s, "7", "Other", 12);
    list(s, in, "a", 100);
    list(s, in, "b", 200);
    REQUIRE(store_message_number(s, in, &e) == 0);
    REQUIRE(store_message_number(s, trash, &e) == 0);
    REQUIRE(store_message_number(s, other, &e) == 0);
    id = id_of(s, in, "a");
    REQUIRE(store_message_move(s, id, other, &uid, &e) == 0);
    REQUIRE(store_message_move(s, id, trash, &uid, &e) == 0);
    SHOWN(s, in, "b:2");
    SHOWN(s, other, "");
    SHOWN(s, trash, "a:1");
    REQUIRE(store_message_expunged(s, in, 0, &gone, &n, &e) == 0);
    CHECK(n == 1 && gone[0] == 1);
    free(gone);
    CHECK_INT(journal(s, in, a), 1); /* A, B, C: one step from A to C */
    CHECK_INT(rows[0].folder, trash);
    REQUIRE(store_journal_sent(s, rows[0].id, &e) == 0);
    REQUIRE(store_journal_done(s, rows[0].id, "t7", &e) == 0);
    CHECK_INT(journal(s, in, a) + journal(s, trash, a), 0);
    SHOWN(s, trash, "t7:1");
    /* back before anything went up: nothing to do */
    REQUIRE(store_message_move(s, id, in, &uid, &e) == 0);
    REQUIRE(store_message_move(s, id, trash, &uid, &e) == 0);
    CHECK_INT(journal(s, trash, a), 0);
    SHOWN(s, trash, "t7:2");
    /* a lost answer: adrift, recognised in the target by its print */
    id = id_of(s, in, "b");
    REQUIRE(store_message_move(s, id, trash, &uid, &e) == 0);
    REQUIRE(journal(s, in, a) == 1);
    REQUIRE(store_journal_sent(s, rows[0].id, &e) == 0);
    REQUIRE(store_message_adrift(s, id, &e) == 0);
    it = item("t8", 200, "b");
    REQUIRE(store_message_match(s, trash, &it, &n, &id, &e) == 0);
    CHECK_INT(n, 1);
    REQUIRE(store_message_bind(s, id, trash, "t8", &e) == 0);
    SHOWN(s, trash, "t7:2 t8:3");
    CHECK_INT(journal(s, trash, a) + journal(s, in, a), 0);
    REQUIRE(store_message_adrift_gone(s, trash, now_ms() + 1, &e) == 0);
    SHOWN(s, trash, "t7:2 t8:3");
    /* for good */
    REQUIRE(store_message_expunge(s, id, &e) == 0);
    SHOWN(s, trash, "t7:2");
    REQUIRE(journal(s, trash, a) == 1);
    CHECK_INT(rows[0].folder, 0);
    /* refused: it comes back under a new UID */
    REQUIRE(store_journal_sent(s, rows[0].id, &e) == 0);
    REQUIRE(store_journal_refused(s, rows[0].id, "policy", &e) == 0);
    SHOWN(s, trash, "t7:2 t8:4");
    REQUIRE(store_message_expunge(s, id, &e) == 0);
    REQUIRE(journal(s, trash, a) == 1);
    REQUIRE(store_journal_sent(s, rows[0].id, &e) == 0);
    REQUIRE(store_journal_done(s, rows[0].id, NULL, &e) == 0);
    CHECK_INT(id_of(s, trash, "t8"), 0);
    store_close(&s);
    arena_free(&a);
}

static void
resets(void)
{
    struct store *s = fresh(false);
    struct err e = {0};
    int64_t f, id;
    size_t n, of;
    struct store_item it = item("new-a", 100, "a");

    REQUIRE(s);
    f = folder(s, "5", "Inbox", 2);
    list(s, f, "a", 100);
    list(s, f, "b", 200);
    list(s, f, "c", 300);
    REQUIRE(store_message_number(s, f, &e) == 0);
    REQUIRE(store_folder_set_key(s, f, "k1", &e) == 0);
    REQUIRE(store_folder_reset(s, f, &e) == 0);
    CHECK_STR(store_folder_get(s, f)->key, "0");
    CHECK_INT(store_folder_get(s, f)->state, STORE_FOLDER_RELISTING);
    SHOWN(s, f, "a:1 b:2 c:3"); /* the old view stays in use */
    REQUIRE(store_message_confirm(s, id_of(s, f, "b"), &e) == 0);
    REQUIRE(store_message_match(s, f, &it, &n, &id, &e) == 0);
    CHECK_INT(n, 1);
    REQUIRE(store_message_bind(s, id, f, "new-a", &e) == 0);
    REQUIRE(store_message_confirm(s, id, &e) == 0);
    REQUIRE(store_folder_unconfirmed(s, f, &n, &of, &e) == 0);
    CHECK(n == 1 && of == 3);
    REQUIRE(store_folder_finish_relist(s, f, &e) == 0);
    SHOWN(s, f, "new-a:1 b:2");
    it = item("d", 400, "d");
    REQUIRE(store_message_add(s, f, &it, &id, &e) == 0);
    SHOWN(s, f, "new-a:1 b:2 d:100004");
    store_close(&s);
}

static int runs;
static struct err got;
static size_t changes_seen, added_seen;

static void
on_done(void *arg, const struct err *err)
{
    (void)arg;
    runs++;
    got = err ? *err : (struct err){0};
}

static void
on_changes(void *arg, const struct store_change *c, size_t n)
{
    (void)arg;
    changes_seen += n;
    for (size_t i = 0; i < n; i++)
        added_seen += c[i].kind == STORE_MESSAGE_ADDED;
}

static void
turn_until(int want)
{
    for (int i = 0; i < 5000 && runs < want; i++) {
        loop_turn(loop, false);
        usleep(200);
    }
    CHECK_INT(runs, want);
    CHECK_STR(got.text, "");
}

static void
told_after_flush(void)
{
    struct store *s = fresh(true);
    struct store_watcher w = {.on_changes = on_changes};
    struct store_item it = item("x", 100, "x");
    struct err e = {0};
    int64_t f, id;

    REQUIRE(s);
    runs = 0;
    store_watch(s, &w);
    f = folder(s, "5", "Inbox", 2);
    REQUIRE(store_message_number(s, f, &e) == 0);
    REQUIRE(store_message_add(s, f, &it, &id, &e) == 0);
    CHECK_INT(changes_seen, 0);
    (void)store_flush(s, on_done, NULL);
    (void)store_flush(s, on_done, NULL);
    turn_until(2);
    CHECK_INT(added_seen, 1);
    store_unwatch(s, &w);
    store_close(&s);
}

static void
bodies_and_queue(void)
{
    struct store *s = fresh(true);
    struct store_item it = item("x", 100, "x");
    struct store_view v = {.encrypted = true,
                           .size = 77,
                           .digest = SLICE("0123456789abcdef0123456789abcdef"),
                           .envelope = "(\"secret subject\")",
                           .structure = "()",
                           .body = "()",
                           .verdict = "A: b\r\n",
                           .message_id = "<1@x>",
                           .result = "pass"},
                      back;
    struct store_submission sub = {.id = "abc", .client_id = "cid",
                                   .sender = "a@x", .recipients = "b@x"},
                            sback;
    struct arena *a = arena_new();
    struct buf raw = BUF_INIT(1000), out = BUF_INIT(1000);
    struct err e = {0};
    int64_t f, id;
    char *cmd;

    REQUIRE(s);
    runs = 0;
    f = folder(s, "5", "Inbox", 2);
    REQUIRE(store_message_number(s, f, &e) == 0);
    REQUIRE(store_message_add(s, f, &it, &id, &e) == 0);
    buf_adds(&raw, "From: bob\r\n\r\nhello");
    (void)store_body_save(s, id, &raw, false, on_done, NULL);
    turn_until(1);
    (void)store_body_load(s, id, &out, on_done, NULL);
    turn_until(2);
    CHECK_STR(out.data, "From: bob\r\n\r\nhello");
    buf_adds(&raw, "other");
    (void)store_body_save(s, id, &raw, false, on_done, NULL); /* first stays */
    turn_until(3);
    buf_reset(&out);
    CHECK_INT(store_body_read(s, id, &out, &e), 0);
    CHECK_STR(out.data, "From: bob\r\n\r\nhello");
    CHECK_INT(store_view_get(s, id, a, &back, &e), 0);
    REQUIRE(store_view_set(s, id, &v, &e) == 0);
    REQUIRE(store_view_get(s, id, a, &back, &e) == 1);
    CHECK_STR(back.envelope, "(\"secret subject\")");
    CHECK_STR(back.verdict, "A: b\r\n");
    buf_adds(&raw, "plaintext-marker");
    (void)store_queue_add(s, &sub, &raw, on_done, NULL);
    turn_until(4);
    REQUIRE(store_queue_get(s, "abc", a, &sback, &e) == 1);
    CHECK_STR(sback.client_id, "cid");
    buf_reset(&out);
    (void)store_queue_load(s, "abc", false, &out, on_done, NULL);
    turn_until(5);
    CHECK_STR(out.data, "plaintext-marker");
    /* nothing of it in clear on the disk */
    cmd = xasprintf("grep -rqa -e 'secret subject' -e plaintext-marker %s",
                    dir);
    CHECK(system(cmd) != 0);
    free(cmd);
    REQUIRE(store_queue_remove(s, "abc", &e) == 0);
    CHECK_INT(store_queue_get(s, "abc", a, &sback, &e), 0);
    buf_clear(&raw);
    buf_clear(&out);
    arena_free(&a);
    store_close(&s);
}

static void
cipher(void)
{
    struct buf sealed = BUF_INIT(300000), plain = BUF_INIT(300000);
    struct secret other = {0};
    struct err e;
    size_t sizes[] = {0, 1, 65535, 65536, 65537, 200000};
    char *text = xmalloc(200000);

    memset(text, 'q', 200000);
    secret_set(&other, "ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ", 32);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        buf_reset(&sealed);
        buf_reset(&plain);
        CHECK_INT(store_cipher_seal(&key, slice_make(text, sizes[i]), &sealed,
                                    &e), 0);
        CHECK_INT(store_cipher_open(&key, buf_slice(&sealed), &plain, &e), 0);
        CHECK_INT(plain.len, sizes[i]);
        CHECK_INT(store_cipher_open(&other, buf_slice(&sealed), &plain, &e),
                  -1);
        CHECK_INT(e.code, E_CRYPTO);
        CHECK_INT(plain.len, 0);
        sealed.data[sealed.len - 1] ^= 1;
        CHECK_INT(store_cipher_open(&key, buf_slice(&sealed), &plain, &e), -1);
        sealed.data[sealed.len - 1] ^= 1;
        /* cut at a chunk's border: the last mark is missing */
        if (sizes[i] > 65536)
            CHECK_INT(store_cipher_open(
                          &key, slice_cut(buf_slice(&sealed), 0, 36 + 65552),
                          &plain, &e), -1);
    }
    secret_clear(&other);
    CHECK_INT(store_cipher_seal(&other, SLICE("x"), &sealed, &e), -1);
    CHECK_INT(e.code, E_LOCKED);
    buf_clear(&sealed);
    buf_clear(&plain);
    free(text);
}

static void
two_daemons_and_newer(void)
{
    struct store *s = fresh(false), *t = NULL;
    struct store_config c = {.dir = dir};
    struct err e = {0};
    char *cmd;

    REQUIRE(s);
    CHECK_INT(store_open(&c, &t, &e), -1);
    CHECK_INT(e.code, E_RETRY);
    db_exec(s->db, "PRAGMA user_version = 99", &e);
    store_close(&s);
    CHECK_INT(store_open(&c, &t, &e), -1);
    CHECK_INT(e.code, E_RETRY);
    CHECK(strstr(e.text, "99") != NULL);
    cmd = xasprintf("printf garbage-garbage-garbage-garbage >%s/store.db; "
                    "rm -f %s/store.db-*", dir, dir);
    CHECK_INT(system(cmd), 0);
    free(cmd);
    CHECK_INT(store_open(&c, &t, &e), -1);
    CHECK_INT(e.code, E_INPUT);
}

static void
certificates(void)
{
    struct store *s = fresh(false);
    struct store_cert c = {.fingerprint = "aa",
                           .address = "bob@x",
                           .der = SLICE("der"),
                           .source = STORE_CERT_HARVESTED,
                           .capabilities = SLICE("caps1"),
                           .capabilities_time = 10},
                      back;
    struct store_lookup l;
    struct arena *a = arena_new();
    struct err e = {0};
    int64_t after = 0;

    REQUIRE(s);
    REQUIRE(store_cert_put(s, &c, &e) == 0);
    c.source = STORE_CERT_PINNED;
    c.capabilities = SLICE("older");
    c.capabilities_time = 5;
    REQUIRE(store_cert_put(s, &c, &e) == 0);
    REQUIRE(store_cert_next(s, "bob@x", &after, a, &back, &e) == 1);
    CHECK_INT(back.source, STORE_CERT_PINNED);
    CHECK(slice_is(back.capabilities, "caps1"));
    CHECK_INT(store_cert_next(s, "bob@x", &after, a, &back, &e), 0);
    CHECK_INT(store_cert_remove(s, "bb", &e), -1);
    CHECK_INT(e.code, E_MISSING);
    CHECK_INT(store_lookup_get(s, "bob@x", STORE_CERT_EXCHANGE, &l, &e), 0);
    REQUIRE(store_lookup_set(s, "bob@x", STORE_CERT_EXCHANGE, true, &e) == 0);
    CHECK_INT(store_lookup_get(s, "bob@x", STORE_CERT_EXCHANGE, &l, &e), 1);
    CHECK(l.found);
    arena_free(&a);
    store_close(&s);
}

#ifdef SEALPOST_FAULTS
/* A child lists, numbers, moves and is killed at the n-th commit; whatever
 * was reached must be whole. */
static void
crash_child(const char *path)
{
    struct store_config c = {.data_key = &key, .dir = path};
    struct store *s = NULL;
    struct err e;
    int64_t f, t;
    uint32_t uid;

    if (store_open(&c, &s, &e))
        _exit(1);
    f = folder(s, "5", "Inbox", 2);
    t = folder(s, "6", "Trash", 4);
    list(s, f, "b", 200);
    list(s, f, "a", 100);
    store_message_number(s, f, &e);
    store_message_number(s, t, &e);
    store_body_write(s, id_of(s, f, "a"), SLICE("body of a"), &e);
    store_message_move(s, id_of(s, f, "a"), t, &uid, &e);
    store_message_expunge(s, id_of(s, f, "b"), &e);
    _exit(0);
}

static void
crash_check(const char *path, int n)
{
    struct store_config c = {.data_key = &key, .dir = path};
    struct store *s = NULL;
    struct err e = {0};
    int64_t in = 0, bad = 0, files = 0;
    char row[20], *cmd, out[20] = "";
    FILE *p;

    snprintf(row, sizeof row, "commit %d", n);
    test_row(row);
    if (!CHECK_INT(store_open(&c, &s, &e), 0)) {
        printf("# %s\n", e.text);
        return;
    }
    /* each message is in at most one place, each moved one has its row */
    db_int(s->db, &e, &in, "SELECT count(*) FROM message", "");
    CHECK(in <= 2);
    db_int(s->db, &e, &bad,
           "SELECT count(*) FROM message m WHERE folder <> collection AND NOT"
           " EXISTS (SELECT 1 FROM journal j WHERE j.message = m.id)",
           "");
    CHECK_INT(bad, 0);
    db_int(s->db, &e, &bad,
           "SELECT count(*) FROM body b WHERE ready = 0 OR NOT EXISTS"
           " (SELECT 1 FROM message m WHERE m.body = b.id)",
           "");
    CHECK_INT(bad, 0);
    db_int(s->db, &e, &files, "SELECT count(*) FROM body", "");
    store_close(&s);
    cmd = xasprintf("find %s/body -type f | wc -l", path);
    p = popen(cmd, "r");
    CHECK(p && fgets(out, sizeof out, p));
    if (p)
        pclose(p);
    CHECK_INT(atoi(out), files);
    free(cmd);
    test_row(NULL);
}

static void
crashes(void)
{
    int n, status = 0;

    for (n = 1; n < 200; n++) {
        char *path = xasprintf("%s/crash%d", test_dir(), n);
        char fault[40];
        pid_t pid;

        snprintf(fault, sizeof fault, "any:%d", n);
        fflush(stdout);
        pid = fork();
        if (pid == 0) {
            setenv("SEALPOST_FAULT", fault, 1);
            fault_reset();
            crash_child(path);
        }
        waitpid(pid, &status, 0);
        crash_check(path, n);
        free(path);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            break; /* the fault was never reached: all have been */
    }
    CHECK(n > 15);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif

/* The file of a body is gone or cut (a power cut before its flush): the
 * message counts as not fetched, and the row is gone with it. */
static void
body_lost_and_found(void)
{
    struct store *s = fresh(true);
    struct store_item it = item("x", 100, "x");
    struct buf raw = BUF_INIT(1000), out = BUF_INIT(1000);
    struct arena *a = arena_new();
    struct store_message m;
    struct err e = {0};
    int64_t f, id;
    char *cmd;

    REQUIRE(s);
    runs = 0;
    f = folder(s, "5", "Inbox", 2);
    REQUIRE(store_message_number(s, f, &e) == 0);
    REQUIRE(store_message_add(s, f, &it, &id, &e) == 0);
    for (int how = 0; how < 3; how++) {
        test_row(how == 0 ? "cut" : how == 1 ? "gone" : "gone, blocking");
        buf_adds(&raw, "Subject: x\r\n\r\nbody");
        runs = 0;
        (void)store_body_save(s, id, &raw, false, on_done, NULL);
        turn_until(1);
        CHECK_INT(store_body_read(s, id, &out, &e), 0);
        CHECK_STR(out.data, "Subject: x\r\n\r\nbody");
        cmd = xasprintf(how ? "rm %s/body/*/*" : "truncate -s 5 %s/body/*/*",
                        dir);
        CHECK_INT(system(cmd), 0);
        free(cmd);
        buf_reset(&out);
        if (how == 2) {
            CHECK_INT(store_body_read(s, id, &out, &e), -1);
            CHECK_INT(e.code, E_MISSING);
        } else {
            (void)store_body_load(s, id, &out, on_done, NULL);
            for (int i = 0; i < 5000 && runs < 2; i++) {
                loop_turn(loop, false);
                usleep(200);
            }
            CHECK_INT(runs, 2);
            CHECK_INT(got.code, E_MISSING);
        }
        CHECK_INT(out.len, 0);
        REQUIRE(store_message_get(s, id, a, &m, &e) == 0);
        CHECK_INT(m.body, STORE_BODY_ABSENT);
    }
    test_row(NULL);
    buf_clear(&raw);
    buf_clear(&out);
    arena_free(&a);
    store_close(&s);
}

static int ended;

static void
on_end(void *arg, const struct err *err)
{
    (void)arg;
    ended++;
    got = err ? *err : (struct err){0};
}

/* Closing while the disk worker still has jobs of every kind: each ends, none
 * touches the store, and the next opening finds only what was committed. */
static void
closed_under_way(void)
{
    struct store *s = fresh(true);
    struct store_item it = item("x", 100, "x");
    struct store_submission sub = {.id = "q1", .client_id = "cid",
                                   .sender = "a@x", .recipients = "b@x"};
    struct buf raw = BUF_INIT(1000), out = BUF_INIT(1000);
    struct arena *a = arena_new();
    struct err e = {0};
    int64_t f, id, other, n = -1;

    REQUIRE(s);
    f = folder(s, "5", "Inbox", 2);
    REQUIRE(store_message_number(s, f, &e) == 0);
    REQUIRE(store_message_add(s, f, &it, &id, &e) == 0);
    it.server_id = "y";
    REQUIRE(store_message_add(s, f, &it, &other, &e) == 0);
    REQUIRE(store_body_write(s, other, SLICE("there"), &e) == 0);
    ended = 0;
    buf_adds(&raw, "body");
    (void)store_body_save(s, id, &raw, false, on_end, NULL);
    (void)store_body_load(s, other, &out, on_end, NULL);
    buf_adds(&raw, "queued");
    (void)store_queue_add(s, &sub, &raw, on_end, NULL);
    (void)store_flush(s, on_end, NULL);
    store_close(&s);
    for (int i = 0; i < 5000 && ended < 4; i++) {
        loop_turn(loop, false);
        usleep(200);
    }
    CHECK_INT(ended, 4);
    s = again(NULL);
    REQUIRE(s);
    CHECK_INT(store_body_read(s, id, &out, &e), -1);
    db_int(s->db, &e, &n, "SELECT count(*) FROM body", "");
    CHECK_INT(n, 1);
    db_int(s->db, &e, &n, "SELECT count(*) FROM submission", "");
    CHECK_INT(n, 0);
    char *cmd = xasprintf("test -z \"$(ls %s/queue)\"", dir);
    CHECK_INT(system(cmd), 0);
    free(cmd);
    buf_clear(&raw);
    buf_clear(&out);
    arena_free(&a);
    store_close(&s);
}

/* A full disk: a file-size limit stands for it, so no root is needed. What
 * fails changes nothing; when there is room again the same call works. */
static void
full_disk_child(void)
{
    struct store *s = fresh(false);
    struct rlimit limit = {64 << 10, RLIM_INFINITY};
    struct err e = {0};
    int64_t f, before = 0, after = 0;
    int failed = 0, first = -1;
    char id[20], *text = xmalloc(200000);

    signal(SIGXFSZ, SIG_IGN);
    memset(text, 'x', 200000);
    f = folder(s, "5", "Inbox", 2);
    store_message_number(s, f, &e);
    if (setrlimit(RLIMIT_FSIZE, &limit))
        _exit(2);
    for (int i = 0; i < 2000 && failed < 5; i++) {
        struct store_item it = item(id, 100 + i, "a subject of some length");
        int64_t mid;
        snprintf(id, sizeof id, "m%d", i);
        db_int(s->db, &e, &before, "SELECT count(*) FROM message", "");
        e.code = E_NONE;
        if (store_message_add(s, f, &it, &mid, &e)) {
            first = first < 0 ? i : first;
            failed++;
            db_int(s->db, NULL, &after, "SELECT count(*) FROM message", "");
            if (after != before || s->depth)
                _exit(3);
        }
    }
    if (!failed)
        _exit(4);
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    struct store_item it = item("late", 5, "late");
    int64_t mid;
    if (store_message_add(s, f, &it, &mid, &e))
        _exit(5);
    db_int(s->db, &e, &after, "SELECT count(*) FROM message", "");
    if (after != before + 1)
        _exit(6);
    limit.rlim_cur = 64 << 10;
    setrlimit(RLIMIT_FSIZE, &limit);
    if (store_body_write(s, mid, slice_make(text, 200000), &e) == 0)
        _exit(7);
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    if (store_body_write(s, mid, slice_make(text, 200000), &e))
        _exit(8);
    db_int(s->db, &e, &after, "SELECT count(*) FROM body", "");
    _exit(after == 1 ? 0 : 9);
}

static void
full_disk(void)
{
    int status = 0;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0)
        full_disk_child();
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
}

/* A file system that is really full; needs root for the mount. */
static void
full_tmpfs(void)
{
    char *mnt = xasprintf("%s/tmpfs", test_dir()), *fill, *reserve;
    struct store_config c = {.data_key = &key};
    struct store *s = NULL;
    struct err e = {0};
    int64_t f, id;
    int failed = 0;
    struct stat st;
    char name[20];

    mkdir(mnt, 0700);
    if (geteuid() || mount("tmpfs", mnt, "tmpfs", 0, "size=24m")) {
        printf("# skipped: no right to mount a tmpfs\n");
        free(mnt);
        return;
    }
    c.dir = mnt;
    CHECK_INT(store_open(&c, &s, &e), 0);
    if (s) {
        reserve = xasprintf("%s/reserve", mnt);
        CHECK(stat(reserve, &st) == 0 && st.st_size == 16 << 20);
        f = folder(s, "5", "Inbox", 2);
        store_message_number(s, f, &e);
        fill = xasprintf("cat /dev/zero >%s/fill 2>/dev/null", mnt);
        (void)!system(fill);
        free(fill);
        for (int i = 0; i < 3000 && !failed; i++) {
            struct store_item it = item(name, 100 + i, "a subject");
            snprintf(name, sizeof name, "m%d", i);
            e.code = E_NONE;
            failed = store_message_add(s, f, &it, &id, &e) != 0;
        }
        CHECK(failed);
        CHECK_INT(e.code, E_FULL);
        /* the reserve went, and what could not be booked now can */
        CHECK(stat(reserve, &st) != 0);
        struct store_item it = item("late", 5, "late");
        CHECK_INT(store_message_add(s, f, &it, &id, &e), 0);
        free(reserve);
        store_close(&s);
    }
    CHECK_INT(umount(mnt), 0);
    free(mnt);
}

#ifdef SEALPOST_FAULTS
/* A flush that fails: who waited gets the error, no watcher is told, and it
 * is tried again until both are true. */
static void
flush_fails(void)
{
    struct store *s = fresh(true);
    struct store_watcher w = {.on_changes = on_changes};
    struct store_item it = item("x", 100, "x");
    struct err e = {0};
    int64_t f, id;

    REQUIRE(s);
    f = folder(s, "5", "Inbox", 2);
    REQUIRE(store_message_number(s, f, &e) == 0);
    ended = 0;
    (void)store_flush(s, on_end, NULL);
    for (int i = 0; i < 5000 && ended < 1; i++)
        loop_turn(loop, true);
    CHECK_INT(got.code, E_NONE);
    store_watch(s, &w);
    added_seen = 0;
    setenv("SEALPOST_FAULT", "fsync:1:fail", 1);
    fault_reset();
    REQUIRE(store_message_add(s, f, &it, &id, &e) == 0);
    (void)store_flush(s, on_end, NULL);
    for (int i = 0; i < 5000 && ended < 2; i++)
        loop_turn(loop, true);
    unsetenv("SEALPOST_FAULT");
    fault_reset();
    CHECK_INT(ended, 2);
    CHECK_INT(got.code, E_RETRY);
    CHECK_INT(added_seen, 0);
    for (int i = 0; i < 5000 && !added_seen; i++)
        loop_turn(loop, true);
    CHECK_INT(added_seen, 1);
    (void)store_flush(s, on_end, NULL);
    for (int i = 0; i < 5000 && ended < 3; i++)
        loop_turn(loop, true);
    CHECK_INT(got.code, E_NONE);
    CHECK_INT(added_seen, 1);
    store_unwatch(s, &w);
    store_close(&s);
}

/* The n-th fault of each kind fails (instead of ending the process): the call
 * says so, the store goes on, and the end state is whole. */
static void
fail_child(const char *path)
{
    struct store_config c = {.data_key = &key, .dir = path};
    struct store *s = NULL;
    struct err e = {0};
    int64_t f = 0, t = 0, n = 0;
    uint32_t uid;

    for (int i = 0; i < 3 && !s; i++)
        store_open(&c, &s, &e);
    if (!s)
        _exit(10);
    for (int i = 0; i < 3; i++) { /* each again until it worked */
        struct store_item a = item("a", 100, "a"), b = item("b", 200, "b");
        struct store_folder_news nf = {"5", "0", "Inbox", 2},
                                 nt = {"6", "0", "Trash", 4};
        if (!f)
            store_folder_put(s, &nf, &f, &e);
        if (!t)
            store_folder_put(s, &nt, &t, &e);
        if (f && !id_of(s, f, "a"))
            store_message_list(s, f, &a, &e);
        if (f && !id_of(s, f, "b"))
            store_message_list(s, f, &b, &e);
    }
    for (int i = 0; i < 3; i++) {
        store_message_number(s, f, &e);
        store_message_number(s, t, &e);
    }
    struct buf out = BUF_INIT(100);
    int64_t a = id_of(s, f, "a");
    for (int i = 0; i < 3; i++)
        if (store_body_read(s, a, &out, &e))
            store_body_write(s, a, SLICE("body of a"), &e);
    for (int i = 0; i < 3; i++)
        if (store_message_move(s, a, t, &uid, &e) == 0)
            break;
    if (s->depth)
        _exit(11);
    db_int(s->db, &e, &n, "SELECT count(*) FROM message WHERE uid IS NOT NULL"
                          " AND (folder = ?1) = (server_id = 'a')", "i", t);
    if (n != 2)
        _exit(12);
    buf_reset(&out);
    if (store_body_read(s, a, &out, &e) || out.len != 9)
        _exit(13);
    store_close(&s);
    if (store_open(&c, &s, &e))
        _exit(14);
    db_int(s->db, &e, &n, "SELECT count(*) FROM body WHERE ready = 1", "");
    _exit(n == 1 ? 0 : 15);
}

static void
failures(void)
{
    static const char *const kinds[] = {"commit-before", "write", "fsync",
                                        "rename"};

    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        for (int n = 1; n < 60; n++) {
            char *path = xasprintf("%s/fail-%s-%d", test_dir(), kinds[k], n);
            char *log = xasprintf("%s.log", path), fault[40];
            int status = 0;
            pid_t pid;

            snprintf(fault, sizeof fault, "%s:%d:fail", kinds[k], n);
            test_row(fault);
            fflush(stdout);
            pid = fork();
            if (pid == 0) {
                setenv("SEALPOST_FAULT", fault, 1);
                setenv("SEALPOST_FAULT_LOG", log, 1);
                fault_reset();
                fail_child(path);
            }
            waitpid(pid, &status, 0);
            CHECK(WIFEXITED(status));
            CHECK_INT(WEXITSTATUS(status), 0);
            bool fired = access(log, F_OK) == 0;
            if (n == 1 && strcmp(kinds[k], "fsync") != 0)
                CHECK(fired);
            free(log);
            free(path);
            if (!fired)
                break;
        }
    }
    test_row(NULL);
}
#endif

static const struct test_case cases[] = {
    TEST(numbering),        TEST(staged), TEST(paths),
    TEST(categories_on_both_sides),
    TEST(flags_both_ways),  TEST(flags_undone_late),
    TEST(moves),
    TEST(resets),           TEST(told_after_flush),
    TEST(bodies_and_queue), TEST(cipher),
    TEST(two_daemons_and_newer), TEST(certificates),
    TEST(body_lost_and_found), TEST(closed_under_way),
    TEST(full_disk),        TEST(full_tmpfs),
#ifdef SEALPOST_FAULTS
    TEST(crashes),          TEST(failures),
    TEST(flush_fails),
#endif
};

int
main(void)
{
    int rc;

    secret_set(&key, "0123456789abcdef0123456789abcdef", 32);
    loop = loop_new();
    disk = worker_new("disk", 1);
    rc = test_main(cases, ARRAY_LEN(cases));
    worker_free(&disk);
    loop_free(&loop);
    secret_clear(&key);
    free(dir);
    return rc;
}
