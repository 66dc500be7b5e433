/*
 * Synchronisation against a model mailbox: what both sides hold at the end,
 * whatever happened between. A restart closes everything and opens it anew
 * from the disk, as after kill -9.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/now.h"
#include "base/secret.h"
#include "eas_model.h"
#include "eas_server.h"
#include "loop/loop.h"
#include "loop/worker.h"
#include "store/body.h"
#include "store/folder.h"
#include "store/journal.h"
#include "store/message.h"
#include "sync/sync.h"
#include "test.h"

#define DAY ((int64_t)86400)
#define T0 ((int64_t)1700000000)

static struct worker *disk;
static struct secret key;
static struct store *store;
static struct eas *eas;
static struct sync *sync_;
static char *dir;
static int boxes;
static int64_t relist_wait; /* seconds */

/* ---- the rig ---- */

static void
rig_open(void)
{
    struct store_config c = {.dir = dir, .loop = eas_server_loop(),
                             .disk = disk, .data_key = &key};
    struct eas_state state = eas_ready("16.1");
    struct sync_config s = {.loop = c.loop, .account = "alice",
                            .relist_wait = relist_wait};
    struct err e = {0};

    CHECK(!store_open(&c, &store, &e));
    CHECK_STR(e.text, "");
    eas = eas_client(&state, NULL);
    s.store = store;
    s.eas = eas;
    sync_ = sync_new(&s);
}

static void
rig_close(void)
{
    sync_free(&sync_);
    eas_free(&eas);
    store_close(&store);
}

static void
rig_begin(void)
{
    eas_server_start();
    model_start();
    free(dir);
    dir = xasprintf("%s/box%d", test_dir(), boxes++);
    disk = worker_new("disk", 1);
    rig_open();
}

static void
rig_end(void)
{
    rig_close();
    worker_free(&disk);
    model_stop();
    eas_server_stop();
}

/* Until nothing is due any more; false: it failed. */
static bool
settle(void)
{
    struct outcome o = {0};

    sync_settle(sync_, on_outcome_done, &o);
    turn(&o.runs, 1);
    return !o.err.code;
}

static void
flush(void)
{
    struct outcome o = {0};

    store_flush(store, on_outcome_done, &o);
    turn(&o.runs, 1);
}

static bool
run(void)
{
    sync_start(sync_);
    return settle();
}

static bool
restart(void)
{
    rig_close();
    rig_open();
    return run();
}

/* One folder, to its end. */
static bool
look(const char *path)
{
    const struct store_folder *f = store_folder_find(store, path);
    struct outcome o = {0};

    if (!CHECK(f != NULL))
        return false;
    sync_folder_now(sync_, f->id, on_outcome_done, &o);
    turn(&o.runs, 1);
    return !o.err.code;
}

/* ---- what is there ---- */

/* "UID:subject[flags] ..." of a folder. Static. */
static const char *
shown(const char *path)
{
    static char text[65536];
    const struct store_folder *f = store_folder_find(store, path);
    struct buf out = BUF_INIT(sizeof text - 1);
    struct arena *a;
    struct store_snapshot snap;
    struct err e;

    if (!f)
        return "(no folder)";
    a = arena_new();
    CHECK(!store_snapshot_load(store, f->id, &snap, &e));
    for (size_t i = 0; i < snap.n; i++) {
        struct store_message m;

        CHECK(!store_message_get(store, snap.entries[i].id, a, &m, &e));
        buf_addf(&out, "%s%u:%s", i ? " " : "", m.uid, m.subject);
        if (m.flags & STORE_SEEN)
            buf_addc(&out, 'S');
        if (m.flags & STORE_FLAGGED)
            buf_addc(&out, 'F');
        if (m.keywords && *m.keywords)
            buf_addf(&out, "[%s]", m.keywords);
    }
    store_snapshot_clear(&snap);
    arena_free(&a);
    snprintf(text, sizeof text, "%s", out.data ? out.data : "");
    buf_clear(&out);
    return text;
}

static int64_t
id_of(const char *path, uint32_t uid)
{
    const struct store_folder *f = store_folder_find(store, path);
    struct arena *a = arena_new();
    struct store_message m = {0};
    struct err e;

    CHECK(f && store_message_by_uid(store, f->id, uid, a, &m, &e) == 1);
    arena_free(&a);
    return m.id;
}

static uint64_t
journal(void)
{
    uint64_t n = 99;
    struct err e;

    CHECK(!store_journal_count(store, &n, &e));
    return n;
}

static void
edit(const char *path, uint32_t uid, enum store_flag_op op, unsigned flags,
     const char *words)
{
    struct store_flag_edit how = {op, flags, words};
    struct err e;

    CHECK(!store_message_edit_flags(store, id_of(path, uid), &how, &e));
}

/* ---- listing ---- */

/* Three windows, in an order that is not that of the dates. */
static void
test_first_listing(void)
{
    const struct store_folder *f;
    struct store_snapshot snap;
    struct arena *a = arena_new();
    struct err e;
    int64_t last = 0;

    rig_begin();
    for (int i = 0; i < 1200; i++) {
        char subject[20];

        snprintf(subject, sizeof subject, "m%d", i);
        model_add("1", subject, T0 + (i * 7919 % 1200) * 60);
    }
    CHECK(run());
    f = store_folder_find(store, "INBOX");
    REQUIRE(f != NULL);
    CHECK_INT(f->state, STORE_FOLDER_READY);
    CHECK_INT(f->uidnext, 1201);
    CHECK(!store_snapshot_load(store, f->id, &snap, &e));
    CHECK_INT(snap.n, 1200);
    for (size_t i = 0; i < snap.n; i++) {
        struct store_message m;

        CHECK(!store_message_get(store, snap.entries[i].id, a, &m, &e));
        if (m.uid != i + 1 || m.received < last)
            CHECK_INT(m.uid, (long long)i + 1);
        last = m.received;
        arena_reset(a);
    }
    store_snapshot_clear(&snap);
    /* Priming and three windows; two empty folders. */
    CHECK_INT(model_asked("Sync"), 4 + 2 + 2);
    arena_free(&a);
    rig_end();
}

static void
test_bodies(void)
{
    struct sync_status st;
    struct buf body = BUF_INIT(10000);
    struct err e;
    int left = 0;

    rig_begin();
    for (int i = 0; i < 70; i++) {
        char subject[20];

        snprintf(subject, sizeof subject, "m%d", i);
        model_add("1", subject, T0 + i * 60);
    }
    CHECK(run());
    for (int i = 0; i < 50000 && !left; i++) {
        loop_turn(eas_server_loop(), false);
        usleep(100);
        sync_status(sync_, &st);
        left = st.bodies_missing == 0;
    }
    CHECK_INT(st.bodies_missing, 0);
    CHECK(model_asked("ItemOperations") >= 2);
    CHECK(!store_body_read(store, id_of("INBOX", 70), &body, &e));
    CHECK_STR(body.data, "From: a@example.test\r\nSubject: m69\r\n\r\n"
                         "body of m69\r\n");
    buf_clear(&body);
    rig_end();
}

/* The line breaks in each window of the first listing; then all is done from
 * the disk: each message once, numbered by date. */
static void
test_interrupted_listing(void)
{
    static const enum model_fault faults[] = {MODEL_DROP_BEFORE,
                                              MODEL_DROP_AFTER, MODEL_CUT};
    const struct store_folder *f;

    for (size_t k = 0; k < ARRAY_LEN(faults); k++)
        for (int skip = 0; skip < 4; skip++) {
            char row[40];

            snprintf(row, sizeof row, "fault %zu in Sync %d", k, skip + 1);
            test_row(row);
            rig_begin();
            for (int i = 0; i < 1100; i++)
                model_add("1", "x", T0 - i * 60);
            model_add("1", "newest", T0 + 1);
            model_break("Sync", faults[k], skip, 1);
            run();
            CHECK_INT(model_fired(), 1);
            CHECK(restart());
            f = store_folder_find(store, "INBOX");
            CHECK(f && f->state == STORE_FOLDER_READY);
            CHECK(f && f->uidnext == 1102);
            CHECK_INT((long long)strlen(shown("INBOX")) > 0, 1);
            CHECK(strstr(shown("INBOX"), " 1101:newest") != NULL);
            rig_end();
        }
    test_row(NULL);
}

/* How much is still to come is asked once, of what takes several windows; a
 * server that will not say is not asked again, and nothing is worse for it. */
static void
test_estimate(void)
{
    struct sync_status st = {0};

    rig_begin();
    for (int i = 0; i < 700; i++)
        model_add("1", "x", T0 + i);
    model_add("2", "y", T0);
    sync_start(sync_);
    for (int i = 0; i < 20000 && !st.estimate; i++) {
        loop_turn(eas_server_loop(), false);
        usleep(100);
        sync_status(sync_, &st);
    }
    CHECK_INT((long long)st.estimate, 700);
    CHECK(st.listed >= 512 && st.listed <= 700);
    CHECK(settle());
    CHECK_INT(model_asked("GetItemEstimate"), 1);
    CHECK_INT(store_folder_find(store, "INBOX")->uidnext, 701);
    rig_end();
    for (int k = 0; k < 2; k++) {
        rig_begin();
        model_folder("9", "0", "Work", 12);
        for (int i = 0; i < 600; i++) {
            model_add("1", "x", T0 + i);
            model_add("9", "w", T0 + i);
        }
        model_break("GetItemEstimate", k ? MODEL_STATUS_12 : MODEL_DROP_BEFORE,
                    0, 99);
        CHECK(run());
        /* A line that breaks before any answer is tried again below us. */
        CHECK(model_asked("GetItemEstimate") <= 2 - k);
        CHECK_INT(store_folder_find(store, "INBOX")->uidnext, 601);
        CHECK_INT(store_folder_find(store, "Work")->uidnext, 601);
        rig_end();
    }
}

static void
test_new_mail(void)
{
    rig_begin();
    model_add("1", "a", T0);
    CHECK(run());
    CHECK_STR(shown("INBOX"), "1:a");
    for (int i = 0; i < 20000 && !model_asked("Ping"); i++) {
        loop_turn(eas_server_loop(), false);
        usleep(100);
    }
    /* An older date is no reason for a lower number. */
    model_add("1", "b", T0 - DAY);
    for (int i = 0; i < 20000 && !strstr(shown("INBOX"), "b"); i++) {
        loop_turn(eas_server_loop(), false);
        usleep(100);
    }
    CHECK_STR(shown("INBOX"), "1:a 2:b");
    rig_end();
}

static const char *
body_of(int64_t id)
{
    static char text[4096];
    struct buf raw = BUF_INIT(sizeof text - 1);
    struct err e;

    if (store_body_read(store, id, &raw, &e))
        snprintf(text, sizeof text, "(%s)", err_name(e.code));
    else
        snprintf(text, sizeof text, "%s", raw.data);
    buf_clear(&raw);
    return text;
}

static void
bodies_until(int64_t id, const char *words)
{
    sync_push_soon(sync_);
    for (int i = 0; i < 10000 && !strstr(body_of(id), words); i++) {
        loop_turn(eas_server_loop(), false);
        usleep(200);
    }
    CHECK(strstr(body_of(id), words));
}

/* Listed and never handed out: three tries over a minute, then a stand-in
 * under the same UID; the true one comes a day later, under a new one. */
static void
test_standin(void)
{
    struct model_item *it;
    int64_t id, now = now_unix();

    now_fake(now);
    rig_begin();
    it = model_add("1", "odd \303\274", T0);
    it->withheld = true;
    model_add("1", "b", T0 + 1);
    CHECK(run());
    id = id_of("INBOX", 1);
    bodies_until(id_of("INBOX", 2), "body of b");
    for (int k = 0; k < 3; k++) {
        int asked = model_asked("ItemOperations");

        CHECK_STR(body_of(id), "(E_MISSING)");
        /* Asking sooner counts for nothing. */
        now_fake(now += 31);
        sync_push_soon(sync_);
        for (int i = 0; k < 2 && i < 10000 &&
                        model_asked("ItemOperations") == asked; i++) {
            loop_turn(eas_server_loop(), false);
            usleep(200);
        }
        settle();
    }
    bodies_until(id, "This is not the message");
    CHECK(strstr(body_of(id), "Subject: =?"));
    CHECK(strstr(body_of(id), "From: a@example.test"));
    CHECK_STR(shown("INBOX"), "1:odd \303\274 2:b");
    edit("INBOX", 1, STORE_FLAGS_ADD, STORE_FLAGGED, NULL);
    it->withheld = false;
    now_fake(now + 86500);
    bodies_until(id, "body of odd");
    CHECK_STR(shown("INBOX"), "2:b 3:odd \303\274F");
    CHECK(settle());
    CHECK(it->flagged);
    now_fake(-1);
    rig_end();
}

/* Another program changed the message itself: it comes back under a new UID,
 * with what is not yet on the server. A whole item that is the same as before
 * (some servers send it for a mere flag) changes nothing. */
static void
test_content_changed(void)
{
    struct model_item *it;
    int asked;
    int64_t id;

    rig_begin();
    it = model_add("1", "draft", T0);
    model_add("1", "b", T0 + 1);
    CHECK(run());
    id = id_of("INBOX", 1);
    bodies_until(id, "body of draft");
    bodies_until(id_of("INBOX", 2), "body of b");
    asked = model_asked("ItemOperations");
    it->edited = it->read = true;
    model_changed(it);
    CHECK(look("INBOX"));
    CHECK(settle());
    CHECK_INT(model_asked("ItemOperations"), asked);
    CHECK_STR(shown("INBOX"), "1:draftS 2:b");
    edit("INBOX", 1, STORE_FLAGS_ADD, STORE_FLAGGED, "work");
    snprintf(it->subject, sizeof it->subject, "letter");
    model_changed(it);
    bodies_until(id, "body of letter");
    CHECK(settle());
    CHECK_STR(shown("INBOX"), "2:b 3:letterSF[work]");
    CHECK(it->flagged);
    CHECK_STR(it->keyword, "work");
    CHECK_INT(journal(), 0);
    CHECK(restart());
    CHECK_STR(shown("INBOX"), "2:b 3:letterSF[work]");
    rig_end();
}

/* ---- keys and ids are lost ---- */

static void
test_key_lost(void)
{
    uint32_t validity;

    rig_begin();
    model_add("1", "a", T0);
    model_add("1", "b", T0 + 1)->read = true;
    model_add("1", "c", T0 + 2);
    CHECK(run());
    CHECK_STR(shown("INBOX"), "1:a 2:bS 3:c");
    validity = store_folder_find(store, "INBOX")->uidvalidity;
    model_break("Sync", MODEL_KEY_LOST, 0, 1);
    model_gone(model_find("1", "a"));
    model_add("1", "d", T0 - 5);
    /* Done means: listed anew, to its end. */
    CHECK(look("INBOX"));
    CHECK_INT(model_fired(), 1);
    CHECK_STR(shown("INBOX"), "2:bS 3:c 100004:d");
    CHECK(settle());
    CHECK_INT(store_folder_find(store, "INBOX")->uidvalidity, validity);
    rig_end();
}

/* A restored mailbox: other ids. Who has the same date, sender and subject
 * is the same; two that cannot be told apart keep their number of messages. */
static void
test_reborn(void)
{
    rig_begin();
    model_add("1", "a", T0)->read = true;
    model_add("1", "b", T0 + 1);
    model_add("1", "twin", T0 + 2);
    model_add("1", "twin", T0 + 2);
    CHECK(run());
    CHECK_STR(shown("INBOX"), "1:aS 2:b 3:twin 4:twin");
    model_reborn();
    CHECK(look("INBOX"));
    CHECK(settle());
    CHECK(strstr(shown("INBOX"), "1:aS 2:b ") == shown("INBOX"));
    CHECK_INT(model_count("1"), 4);
    {
        const char *first = strstr(shown("INBOX"), "twin");

        CHECK(first && strstr(first + 1, "twin"));
        CHECK(first && !strstr(strstr(first + 1, "twin") + 1, "twin"));
    }
    /* Changes go to the new ids. */
    {
        struct store_flag_edit seen = {STORE_FLAGS_ADD, STORE_SEEN, NULL};
        struct err e;

        CHECK(!store_message_edit_flags(store, id_of("INBOX", 2), &seen, &e));
        sync_push_soon(sync_);
        CHECK(settle());
        CHECK(model_find("1", "b")->read);
    }
    rig_end();
}

/* A relist that confirms less than half is not believed at once. */
static void
test_relist_of_nothing(void)
{
    rig_begin();
    for (int i = 0; i < 20; i++)
        model_add("1", "x", T0 + i);
    CHECK(run());
    model_break("Sync", MODEL_KEY_LOST, 0, 1);
    while (model_find("1", "x"))
        model_gone(model_find("1", "x"));
    CHECK(!look("INBOX")); /* it waits before it is listed a second time */
    CHECK(settle());
    CHECK(strstr(shown("INBOX"), "1:x ") && strstr(shown("INBOX"), "20:x"));
    rig_end();
}

/* ... nor by those who look, nor after a restart; but the second time it is,
 * once the time is over. Changes made here meanwhile are kept. */
static void
test_relist_twice(void)
{
    struct sync_status st;
    int syncs;

    relist_wait = 4;
    rig_begin();
    for (int i = 0; i < 20; i++)
        model_add("1", i == 7 ? "kept" : "x", T0 + i);
    CHECK(run());
    model_break("Sync", MODEL_KEY_LOST, 0, 1);
    while (model_find("1", "x"))
        model_gone(model_find("1", "x"));
    edit("INBOX", 8, STORE_FLAGS_ADD, STORE_FLAGGED, NULL);
    CHECK(!look("INBOX"));
    syncs = model_asked("Sync");
    CHECK(!look("INBOX"));
    CHECK_INT(model_asked("Sync"), syncs);
    sync_status(sync_, &st);
    CHECK(strstr(st.error.text, "INBOX rests") != NULL);
    CHECK(restart());
    CHECK(!look("INBOX"));
    CHECK(strstr(shown("INBOX"), "1:x ") && strstr(shown("INBOX"), "20:x"));
    for (int i = 0; i < 40000 && strcmp(shown("INBOX"), "8:keptF"); i++) {
        loop_turn(eas_server_loop(), false);
        usleep(200);
    }
    CHECK(settle());
    CHECK_STR(shown("INBOX"), "8:keptF");
    CHECK(model_find("1", "kept")->flagged);
    CHECK_INT(journal(), 0);
    rig_end();
    relist_wait = 0;
}

/* Two resets in a row: the folder rests and says so; the view stays. */
static void
test_resets_rest(void)
{
    struct sync_status st;
    int syncs;

    rig_begin();
    model_add("1", "a", T0);
    model_add("1", "b", T0 + 1);
    CHECK(run());
    model_break("Sync", MODEL_KEY_LOST, 0, 1000);
    CHECK(!look("INBOX"));
    sync_status(sync_, &st);
    CHECK(strstr(st.error.text, "INBOX rests") != NULL);
    CHECK_STR(shown("INBOX"), "1:a 2:b");
    syncs = model_asked("Sync");
    for (int i = 0; i < 5; i++)
        CHECK(!look("INBOX"));
    CHECK_INT(model_asked("Sync"), syncs);
    rig_end();
}

/* All folders have other ids, two of them each other's: names and UIDs stay,
 * changes of days before go to the right ones. */
static void
test_folders_reborn(void)
{
    uint32_t validity[4];
    static const char *const paths[] = {"INBOX", "Sent Items", "Work", "Work/Sub"};

    rig_begin();
    model_folder("5", "0", "Work", 12);
    model_folder("6", "5", "Sub", 12);
    model_add("1", "in", T0);
    model_add("2", "out", T0 + 1);
    model_add("5", "work", T0 + 2);
    model_add("6", "sub", T0 + 3);
    CHECK(run());
    for (size_t i = 0; i < 4; i++) {
        REQUIRE(store_folder_find(store, paths[i]));
        validity[i] = store_folder_find(store, paths[i])->uidvalidity;
        edit(paths[i], 1, STORE_FLAGS_ADD, STORE_FLAGGED, NULL);
    }
    model_folders_reborn();
    CHECK(restart());
    CHECK(settle());
    CHECK_STR(shown("INBOX"), "1:inF");
    CHECK_STR(shown("Sent Items"), "1:outF");
    CHECK_STR(shown("Work"), "1:workF");
    CHECK_STR(shown("Work/Sub"), "1:subF");
    for (size_t i = 0; i < 4; i++)
        CHECK_INT(store_folder_find(store, paths[i])->uidvalidity,
                  validity[i]);
    CHECK(model_find("2", "in")->flagged && model_find("1", "out")->flagged);
    CHECK(model_find("n5", "work")->flagged &&
          model_find("n6", "sub")->flagged);
    CHECK_INT(journal(), 0);
    rig_end();
}

/* Moved here into a folder that is deleted elsewhere: it comes back. */
static void
test_target_deleted(void)
{
    uint32_t uid;
    struct err e;

    rig_begin();
    model_folder("5", "0", "Work", 12);
    model_add("1", "a", T0);
    CHECK(run());
    CHECK(!store_message_move(store, id_of("INBOX", 1),
                              store_folder_find(store, "Work")->id, &uid, &e));
    model_folder_gone("5");
    CHECK(restart());
    CHECK_STR(shown("Work"), "(no folder)");
    CHECK_STR(shown("INBOX"), "2:a");
    CHECK_INT(model_count("1"), 1);
    CHECK_INT(journal(), 0);
    rig_end();
}

/* ---- changes ---- */

static void
test_flags_down(void)
{
    struct model_item *a, *b;

    rig_begin();
    a = model_add("1", "a", T0);
    b = model_add("1", "b", T0 + 1);
    CHECK(run());
    a->read = true;
    a->flagged = true;
    snprintf(a->keyword, sizeof a->keyword, "Red category");
    model_changed(a);
    model_gone(b);
    CHECK(look("INBOX"));
    CHECK_STR(shown("INBOX"), "1:aSF[Red&ACA-category]");
    a->read = a->flagged = false;
    a->keyword[0] = '\0';
    model_changed(a);
    CHECK(look("INBOX"));
    CHECK_STR(shown("INBOX"), "1:a");
    rig_end();
}

static void
test_flags_up(void)
{
    struct model_item *a, *b;

    rig_begin();
    a = model_add("1", "a", T0);
    b = model_add("1", "b", T0 + 1);
    b->read = true;
    CHECK(run());
    edit("INBOX", 1, STORE_FLAGS_ADD, STORE_SEEN | STORE_FLAGGED,
         "Red&ACA-category");
    edit("INBOX", 2, STORE_FLAGS_REMOVE, STORE_SEEN, NULL);
    sync_push_soon(sync_);
    CHECK(settle());
    CHECK(a->read && a->flagged && !b->read);
    CHECK_STR(a->keyword, "Red category");
    CHECK_INT(journal(), 0);
    /* There and back before anything was sent is nothing. */
    edit("INBOX", 1, STORE_FLAGS_REMOVE, STORE_SEEN, NULL);
    edit("INBOX", 1, STORE_FLAGS_ADD, STORE_SEEN, NULL);
    sync_push_soon(sync_);
    CHECK(settle());
    CHECK(a->read);
    CHECK_INT(journal(), 0);
    CHECK(look("INBOX"));
    CHECK_STR(shown("INBOX"), "1:aSF[Red&ACA-category] 2:b");
    rig_end();
}

/* Each fault in the Sync that carries the change; restart; the end is one. */
static void
test_flags_up_broken(void)
{
    static const enum model_fault faults[] = {
        MODEL_DROP_BEFORE, MODEL_DROP_AFTER, MODEL_CUT, MODEL_KEY_LOST};
    struct model_item *a;

    for (size_t k = 0; k < ARRAY_LEN(faults); k++) {
        char row[20];

        snprintf(row, sizeof row, "fault %zu", k);
        test_row(row);
        rig_begin();
        a = model_add("1", "a", T0);
        CHECK(run());
        edit("INBOX", 1, STORE_FLAGS_ADD, STORE_SEEN, NULL);
        model_break("Sync", faults[k], 0, 1);
        sync_push_soon(sync_);
        settle();
        CHECK_INT(model_fired(), 1);
        CHECK(restart());
        CHECK(settle());
        CHECK(a->read);
        CHECK_INT(journal(), 0);
        CHECK_STR(shown("INBOX"), "1:aS");
        rig_end();
    }
    test_row(NULL);
}

/* The answer to a change is lost, the client changes its mind, and a server
 * that knows the key does not look at the second value. */
static void
test_flags_up_twice(void)
{
    static const bool ends[] = {false, true};
    struct model_item *a;

    for (size_t k = 0; k < ARRAY_LEN(ends); k++) {
        rig_begin();
        a = model_add("1", "a", T0);
        a->flagged = !ends[k];
        CHECK(run());
        edit("INBOX", 1, ends[k] ? STORE_FLAGS_ADD : STORE_FLAGS_REMOVE,
             STORE_FLAGGED, NULL);
        edit("INBOX", 1, STORE_FLAGS_ADD, 0, "work");
        model_break("Sync", MODEL_DROP_AFTER, 0, 1);
        sync_push_soon(sync_);
        settle();
        CHECK_INT(model_fired(), 1);
        CHECK_INT(a->flagged, ends[k]);
        edit("INBOX", 1, ends[k] ? STORE_FLAGS_REMOVE : STORE_FLAGS_ADD,
             STORE_FLAGGED, NULL);
        edit("INBOX", 1, STORE_FLAGS_REMOVE, 0, "work");
        CHECK(restart());
        CHECK(settle());
        CHECK_INT(a->flagged, !ends[k]);
        CHECK_STR(a->keyword, "");
        CHECK_INT(journal(), 0);
        rig_end();
    }
}

/* One change among thirty that the server refuses with the whole request. */
static void
test_poison(void)
{
    struct store_refusal refusals[4];
    struct arena *a = arena_new();
    struct err e;
    size_t n = 0;
    int flagged = 0;

    rig_begin();
    for (int i = 0; i < 30; i++)
        model_add("1", i == 17 ? "poison" : "x", T0 + i);
    CHECK(run());
    model_find("1", "poison")->poison = true;
    for (uint32_t uid = 1; uid <= 30; uid++)
        edit("INBOX", uid, STORE_FLAGS_ADD, STORE_FLAGGED, NULL);
    sync_push_soon(sync_);
    CHECK(settle());
    CHECK_INT(journal(), 0);
    CHECK(!model_find("1", "poison")->flagged);
    CHECK(strstr(shown("INBOX"), "17:xF 18:poison 19:xF"));
    for (const char *at = shown("INBOX"); (at = strstr(at, ":xF")); at++)
        flagged++;
    CHECK_INT(flagged, 29);
    CHECK(!store_journal_refusals(store, a, refusals, 4, &n, &e));
    CHECK_INT(n, 1);
    CHECK(model_asked("Sync") < 40);
    arena_free(&a);
    rig_end();
}

/* A server that wants the list of folders first gets it before the change
 * goes up again, and no request after request. */
static void
test_list_first(void)
{
    int asked, listed;

    rig_begin();
    model_add("1", "a", T0);
    CHECK(run());
    asked = model_asked("Sync");
    listed = model_asked("FolderSync");
    model_break("Sync", MODEL_STATUS_12, 0, 100000);
    edit("INBOX", 1, STORE_FLAGS_ADD, STORE_FLAGGED, NULL);
    sync_push_soon(sync_);
    for (int64_t end = now_ms() + 500; now_ms() < end; usleep(200))
        loop_turn(eas_server_loop(), false);
    CHECK_INT(journal(), 1); /* it waits */
    CHECK(model_asked("FolderSync") > listed);
    CHECK(model_fired() > 0 && model_asked("Sync") - asked < 6);
    rig_end();
}

static void
test_expunge(void)
{
    struct err e;

    rig_begin();
    model_add("1", "a", T0);
    model_add("1", "b", T0 + 1);
    CHECK(run());
    CHECK(!store_message_expunge(store, id_of("INBOX", 1), &e));
    CHECK_STR(shown("INBOX"), "2:b");
    flush();
    sync_push_soon(sync_);
    CHECK(settle());
    CHECK_INT(model_count("1"), 1);
    CHECK(model_find("1", "b") != NULL);
    CHECK_INT(journal(), 0);
    /* Gone there already: no trouble. */
    CHECK(!store_message_expunge(store, id_of("INBOX", 2), &e));
    model_gone(model_find("1", "b"));
    sync_push_soon(sync_);
    CHECK(settle());
    CHECK_INT(journal(), 0);
    CHECK_STR(shown("INBOX"), "");
    rig_end();
}

/* ---- moves ---- */

static void
test_move(void)
{
    const struct store_folder *trash;
    uint32_t uid;
    struct err e;

    rig_begin();
    model_add("3", "old", T0);
    model_add("1", "a", T0);
    CHECK(run());
    trash = store_folder_by_role(store, STORE_ROLE_TRASH);
    REQUIRE(trash != NULL);
    CHECK(!store_message_move(store, id_of("INBOX", 1), trash->id, &uid, &e));
    CHECK_INT(uid, 2);
    sync_push_soon(sync_);
    CHECK(settle());
    CHECK(look("Deleted Items"));
    CHECK(look("INBOX"));
    CHECK_STR(shown("INBOX"), "");
    CHECK_STR(shown("Deleted Items"), "1:old 2:a");
    CHECK_INT(model_count("1"), 0);
    CHECK_INT(model_count("3"), 2);
    CHECK_INT(model_find("3", "a")->copies, 2); /* once */
    CHECK_INT(journal(), 0);
    rig_end();
}

static void
test_move_broken(void)
{
    static const enum model_fault faults[] = {MODEL_DROP_BEFORE,
                                              MODEL_DROP_AFTER, MODEL_CUT};
    const struct store_folder *trash;
    uint32_t uid;
    struct err e;

    for (size_t k = 0; k < ARRAY_LEN(faults); k++) {
        char row[20];

        snprintf(row, sizeof row, "fault %zu", k);
        test_row(row);
        rig_begin();
        model_add("1", "a", T0);
        model_add("1", "b", T0 + 1);
        CHECK(run());
        trash = store_folder_by_role(store, STORE_ROLE_TRASH);
        REQUIRE(trash != NULL);
        edit("INBOX", 1, STORE_FLAGS_ADD, STORE_FLAGGED, NULL);
        CHECK(!store_message_move(store, id_of("INBOX", 1), trash->id, &uid,
                                  &e));
        model_break("MoveItems", faults[k], 0, 1);
        sync_push_soon(sync_);
        settle();
        CHECK_INT(model_fired(), 1);
        CHECK(restart());
        CHECK(settle());
        CHECK(look("Deleted Items"));
        CHECK(look("INBOX"));
        CHECK(settle());
        CHECK_STR(shown("INBOX"), "2:b");
        CHECK_STR(shown("Deleted Items"), "1:aF");
        CHECK_INT(model_count("1"), 1);
        CHECK_INT(model_count("3"), 1);
        CHECK(model_find("3", "a") && model_find("3", "a")->flagged);
        CHECK_INT(journal(), 0);
        /* It is bound: a change finds it. */
        edit("Deleted Items", 1, STORE_FLAGS_ADD, STORE_SEEN, NULL);
        sync_push_soon(sync_);
        CHECK(settle());
        CHECK(model_find("3", "a") && model_find("3", "a")->read);
        rig_end();
    }
    test_row(NULL);
}

/* The target is gone on the server: back, under a new UID. */
static void
test_move_refused(void)
{
    const struct store_folder *f;
    uint32_t uid;
    struct err e;

    rig_begin();
    model_folder("9", "0", "Work", 12);
    model_add("1", "a", T0);
    CHECK(run());
    f = store_folder_find(store, "Work");
    REQUIRE(f != NULL);
    CHECK(!store_message_move(store, id_of("INBOX", 1), f->id, &uid, &e));
    CHECK_STR(shown("INBOX"), "");
    model_folder_gone("9");
    sync_push_soon(sync_);
    settle();
    CHECK_STR(shown("INBOX"), "2:a");
    CHECK_STR(shown("Work"), "(no folder)");
    CHECK_INT(journal(), 0);
    CHECK_INT(model_count("1"), 1);
    rig_end();
}

/* ---- folders ---- */

static void
folder_op(struct op *(*fn)(struct sync *, const char *, op_done_fn *, void *),
          const char *path, enum err_code want)
{
    struct outcome o = {0};

    fn(sync_, path, on_outcome_done, &o);
    turn(&o.runs, 1);
    CHECK_INT(o.err.code, want);
}

static void
test_folders(void)
{
    struct outcome o = {0};
    uint32_t validity;

    rig_begin();
    model_folder("7", "0", "Calendar", 8); /* not shown */
    CHECK(run());
    CHECK_STR(shown("Calendar"), "(no folder)");
    folder_op(sync_folder_create, "Work", E_NONE);
    folder_op(sync_folder_create, "Work", E_INPUT);
    folder_op(sync_folder_create, "Work/a%2Fb", E_NONE);
    folder_op(sync_folder_create, "None/x", E_MISSING);
    folder_op(sync_folder_delete, "INBOX", E_DENIED);
    CHECK(settle());
    CHECK_STR(shown("Work/a%2Fb"), "");
    validity = store_folder_find(store, "Work")->uidvalidity;
    sync_folder_rename(sync_, "Work", "Play", on_outcome_done, &o);
    turn(&o.runs, 1);
    CHECK_INT(o.err.code, E_NONE);
    CHECK(settle());
    REQUIRE(store_folder_find(store, "Play") != NULL);
    CHECK_INT(store_folder_find(store, "Play")->uidvalidity, validity);
    CHECK_STR(shown("Play/a%2Fb"), "");
    CHECK_STR(shown("Work"), "(no folder)");
    folder_op(sync_folder_delete, "Play/a%2Fb", E_NONE);
    folder_op(sync_folder_delete, "Play", E_NONE);
    CHECK_STR(shown("Play"), "(no folder)");
    /* The server's own doing. */
    model_folder("8", "0", "New", 12);
    model_add("8", "n", T0);
    sync_pull_soon(sync_, 0);
    for (int i = 0; i < 50000 && strcmp(shown("New"), "1:n") != 0; i++) {
        loop_turn(eas_server_loop(), false);
        usleep(200);
    }
    CHECK(settle());
    CHECK_STR(shown("New"), "1:n");
    model_folder_gone("8");
    CHECK(restart());
    CHECK_STR(shown("New"), "(no folder)");
    rig_end();
}

/* ---- waiting ---- */

/* The server is away: who waits is told, and it goes on by itself later. */
static void
test_away(void)
{
    const struct store_folder *f;
    struct sync_status st;
    struct outcome o = {0};

    rig_begin();
    model_add("1", "a", T0);
    CHECK(run());
    f = store_folder_find(store, "INBOX");
    REQUIRE(f != NULL);
    model_break("Sync", MODEL_DROP_BEFORE, 0, 100);
    sync_folder_now(sync_, f->id, on_outcome_done, &o);
    turn(&o.runs, 1);
    CHECK_INT(o.err.code, E_RETRY);
    sync_status(sync_, &st);
    CHECK_INT(st.state, SYNC_BACKOFF);
    CHECK_INT(st.error.code, E_RETRY);
    CHECK(st.next_try > 0);
    o = (struct outcome){0};
    sync_settle(sync_, on_outcome_done, &o);
    turn(&o.runs, 1);
    CHECK_INT(o.err.code, E_RETRY);
    o = (struct outcome){0};
    sync_wait_ready(sync_, f->id, on_outcome_done, &o);
    turn(&o.runs, 1);
    CHECK_INT(o.err.code, E_NONE); /* it is listed */
    o = (struct outcome){0};
    sync_wait_ready(sync_, 4711, on_outcome_done, &o);
    turn(&o.runs, 1);
    CHECK_INT(o.err.code, E_MISSING);
    rig_end();
}

/* A Ping that fails at once is not asked again at once. */
static void
test_odd_ping(void)
{
    rig_begin();
    model_add("1", "a", T0);
    model_break("Ping", MODEL_STATUS_8, 0, 1000);
    CHECK(run());
    for (int64_t end = now_ms() + 1000; now_ms() < end; usleep(200))
        loop_turn(eas_server_loop(), false);
    CHECK_INT(model_fired(), 1);
    /* New mail is found meanwhile when somebody looks. */
    model_add("1", "b", T0 + 1);
    CHECK(look("INBOX"));
    CHECK_STR(shown("INBOX"), "1:a 2:b");
    rig_end();
}

/* Somebody waits for a pull of a folder that goes meanwhile: told, not
 * forgotten. */
static void
test_wait_for_gone(void)
{
    const struct store_folder *f;
    struct outcome o = {0};
    struct err e;

    rig_begin();
    model_folder("9", "0", "Work", 12);
    CHECK(run());
    f = store_folder_find(store, "Work");
    REQUIRE(f != NULL);
    sync_folder_now(sync_, f->id, on_outcome_done, &o);
    CHECK(!store_folder_remove(store, f->id, &e));
    turn(&o.runs, 1);
    CHECK_INT(o.err.code, E_MISSING);
    rig_end();
}

/* ---- the window ---- */

static void
set_window(int filter, int policy, bool drop)
{
    sync_set_window(sync_, &(struct sync_window){filter, policy, drop});
}

/* Three of now, two that are old. */
static void
window_begin(void)
{
    int64_t now = now_unix();

    rig_begin();
    model_add("1", "old1", now - 40 * DAY);
    model_add("1", "old2", now - 40 * DAY + 1);
    model_add("1", "a", now - 100);
    model_add("1", "b", now - 50);
    CHECK(run());
    CHECK_STR(shown("INBOX"), "1:old1 2:old2 3:a 4:b");
}

/* What falls out stays, with its bytes and what a client does to it, and
 * nothing of that is sent; a wider window lets it in under its UID. */
static void
test_window(void)
{
    struct model_item *old1, *old2;
    int asked;

    window_begin();
    old1 = model_find("1", "old1");
    old2 = model_find("1", "old2");
    set_window(5, 0, false);
    model_window(old1, false);
    model_window(old2, false);
    CHECK(look("INBOX"));
    CHECK_STR(shown("INBOX"), "1:old1 2:old2 3:a 4:b");
    CHECK(restart());
    set_window(5, 0, false);
    CHECK(settle());
    asked = model_asked("Sync") + model_asked("MoveItems");
    edit("INBOX", 1, STORE_FLAGS_ADD, STORE_SEEN, NULL);
    sync_push_soon(sync_);
    CHECK(settle());
    CHECK_INT(model_asked("Sync") + model_asked("MoveItems"), asked);
    CHECK_STR(shown("INBOX"), "1:old1S 2:old2 3:a 4:b");
    CHECK(!old1->read);
    /* One that came meanwhile, one that is let in for the first time. */
    model_add("1", "new", now_unix());
    model_window(old2, true);
    model_add("1", "older", now_unix() - 60 * DAY);
    set_window(0, 0, false);
    CHECK(look("INBOX"));
    CHECK_STR(shown("INBOX"), "1:old1S 2:old2 3:a 4:b 5:new 6:older");
    /* It is one of the server's again. */
    old2->read = true;
    model_changed(old2);
    CHECK(look("INBOX"));
    CHECK_STR(shown("INBOX"), "1:old1S 2:old2S 3:a 4:b 5:new 6:older");
    model_gone(old2);
    CHECK(look("INBOX"));
    CHECK_STR(shown("INBOX"), "1:old1S 3:a 4:b 5:new 6:older");
    rig_end();
}

/* A lost key under a narrow window: the listing cannot confirm what is older,
 * which is no deletion. What is not older, and not there, is gone. */
static void
test_window_reset(void)
{
    window_begin();
    set_window(5, 0, false);
    model_find("1", "old1")->gone = true; /* not in the window any more */
    model_find("1", "old2")->gone = true;
    model_gone(model_find("1", "a"));
    model_break("Sync", MODEL_KEY_LOST, 0, 1);
    CHECK(look("INBOX"));
    CHECK_STR(shown("INBOX"), "1:old1 2:old2 4:b");
    rig_end();
}

/* window_end = drop, and a policy that caps the window. */
static void
test_window_drop(void)
{
    window_begin();
    set_window(5, 0, true);
    model_window(model_find("1", "old1"), false);
    CHECK(look("INBOX"));
    CHECK_STR(shown("INBOX"), "2:old2 3:a 4:b");
    set_window(5, 0, false);
    model_window(model_find("1", "old2"), false);
    CHECK(look("INBOX"));
    CHECK_STR(shown("INBOX"), "2:old2 3:a 4:b");
    /* What stayed goes as soon as the policy says so. */
    set_window(5, 4, false);
    CHECK(look("INBOX"));
    CHECK_STR(shown("INBOX"), "3:a 4:b");
    rig_end();
}

/* What Ping does not tell is seen by the clock, each kind of folder by its
 * own, and those that are due together by one request. */
static void
test_timed(void)
{
    static const char *const boxes_of[] = {"1", "9", "10"};
    static const char *const names[] = {"i", "w", "p"};
    const struct store_folder *f;
    struct err e;
    int shared;

    rig_begin();
    model_folder("9", "0", "Work", 12);
    model_folder("10", "0", "Play", 12);
    for (size_t i = 0; i < 3; i++)
        model_add(boxes_of[i], names[i], T0);
    CHECK(run());
    f = store_folder_find(store, "Play");
    REQUIRE(f != NULL);
    CHECK(!store_folder_set_subscribed(store, f->id, false, &e));
    for (size_t i = 0; i < 3; i++) {
        model_find(boxes_of[i], names[i])->read = true;
        model_changed(model_find(boxes_of[i], names[i]));
    }
    shared = model_shared();
    sync_set_intervals(sync_, (const int64_t[SYNC_KINDS]){1, 3600, 1});
    for (int i = 0; i < 20000 && !strstr(shown("Play"), "pS"); i++) {
        loop_turn(eas_server_loop(), false);
        usleep(200);
    }
    CHECK(settle());
    CHECK_STR(shown("INBOX"), "1:iS");
    CHECK_STR(shown("Play"), "1:pS");
    CHECK_STR(shown("Work"), "1:w");
    CHECK(model_shared() - shared <= 2);
    sync_set_intervals(sync_, (const int64_t[SYNC_KINDS]){0, 1, 0});
    for (int i = 0; i < 20000 && !strstr(shown("Work"), "wS"); i++) {
        loop_turn(eas_server_loop(), false);
        usleep(200);
    }
    CHECK_STR(shown("Work"), "1:wS");
    rig_end();
}

/* ---- several folders in one Sync ---- */

/* INBOX, Sent, Trash, Work and Play, all listed, with a message each. */
static void
five_folders(void)
{
    rig_begin();
    model_folder("9", "0", "Work", 12);
    model_folder("10", "0", "Play", 12);
    model_add("1", "i", T0);
    model_add("2", "s", T0);
    model_add("3", "t", T0);
    model_add("9", "w", T0);
    model_add("10", "p", T0);
    CHECK(run());
    CHECK_STR(shown("Play"), "1:p");
}

/* All of them are due at once, as after the timer; done: all were looked at. */
static bool
look_at_all(void)
{
    static const char *const paths[] = {"INBOX", "Sent Items",
                                        "Deleted Items", "Work", "Play"};
    struct outcome o[ARRAY_LEN(paths)] = {0};
    bool good = true;

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const struct store_folder *f = store_folder_find(store, paths[i]);

        if (!CHECK(f != NULL))
            return false;
        sync_folder_now(sync_, f->id, on_outcome_done, &o[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        turn(&o[i].runs, 1);
        good &= !o[i].err.code;
    }
    return good;
}

static void
test_several(void)
{
    int asked;

    five_folders();
    asked = model_asked("Sync");
    model_add("1", "i2", T0 + 1);
    model_add("10", "p2", T0 + 1);
    model_find("9", "w")->read = true;
    model_changed(model_find("9", "w"));
    model_gone(model_find("2", "s"));
    CHECK(look_at_all());
    CHECK_INT(model_asked("Sync") - asked, 1);
    CHECK_INT(model_shared(), 1);
    CHECK_STR(shown("INBOX"), "1:i 2:i2");
    CHECK_STR(shown("Play"), "1:p 2:p2");
    CHECK_STR(shown("Work"), "1:wS");
    CHECK_STR(shown("Sent Items"), "");
    CHECK_STR(shown("Deleted Items"), "1:t");
    rig_end();
}

/* What is wrong with one folder is its own affair. */
static void
test_several_one_gone(void)
{
    five_folders();
    model_folder_gone("9");
    model_add("1", "i2", T0 + 1);
    model_add("10", "p2", T0 + 1);
    CHECK(!look_at_all()); /* one went */
    CHECK(settle());
    CHECK(model_shared() >= 1);
    CHECK_STR(shown("INBOX"), "1:i 2:i2");
    CHECK_STR(shown("Play"), "1:p 2:p2");
    CHECK(!store_folder_find(store, "Work"));
    rig_end();
}

static void
test_several_keys_lost(void)
{
    five_folders();
    model_break("Sync", MODEL_KEY_LOST, 0, 1);
    model_add("1", "i2", T0 + 1);
    CHECK(look_at_all());
    CHECK_INT(model_shared(), 1); /* listed anew one by one */
    CHECK_STR(shown("INBOX"), "1:i 100002:i2");
    CHECK_STR(shown("Play"), "1:p");
    rig_end();
}

/* Half an answer, and a line that breaks: asked again, nothing comes twice. */
static void
test_several_broken(void)
{
    static const enum model_fault faults[] = {MODEL_CUT, MODEL_DROP_BEFORE,
                                              MODEL_DROP_AFTER};

    five_folders();
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        char name[8];

        snprintf(name, sizeof name, "n%zu", i);
        model_break("Sync", faults[i], 0, 1);
        model_add("1", name, T0 + 1 + (int64_t)i);
        model_add("10", name, T0 + 1 + (int64_t)i);
        if (!look_at_all())
            CHECK(restart());
        CHECK_INT(model_fired(), 1);
    }
    CHECK_STR(shown("INBOX"), "1:i 2:n0 3:n1 4:n2");
    CHECK_STR(shown("Play"), "1:p 2:n0 3:n1 4:n2");
    rig_end();
}

/* A server that wants one at a time is asked so; nothing is lost. */
static void
test_several_refused(void)
{
    five_folders();
    model_several(MODEL_REFUSED);
    for (int i = 0; i < 2; i++) {
        model_add("1", i ? "i3" : "i2", T0 + 1 + i);
        model_add("10", i ? "p3" : "p2", T0 + 1 + i);
        CHECK(look_at_all());
    }
    CHECK_INT(model_shared(), 1); /* tried once */
    CHECK_STR(shown("INBOX"), "1:i 2:i2 3:i3");
    CHECK_STR(shown("Play"), "1:p 2:p2 3:p3");
    rig_end();
}

/* No room for some in the answer: they are not taken for unchanged. */
static void
test_several_full(void)
{
    five_folders();
    model_several(MODEL_FULL);
    model_add("1", "i2", T0 + 1);
    model_add("1", "i3", T0 + 2);
    model_add("10", "p2", T0 + 1);
    CHECK(look_at_all());
    CHECK(model_shared() > 1);
    CHECK_STR(shown("INBOX"), "1:i 2:i2 3:i3");
    CHECK_STR(shown("Play"), "1:p 2:p2");
    rig_end();
}

static const struct test_case cases[] = {
    TEST(test_first_listing),
    TEST(test_bodies),
    TEST(test_standin),
    TEST(test_content_changed),
    TEST(test_interrupted_listing),
    TEST(test_estimate),
    TEST(test_new_mail),
    TEST(test_key_lost),
    TEST(test_reborn),
    TEST(test_relist_of_nothing),
    TEST(test_relist_twice),
    TEST(test_resets_rest),
    TEST(test_folders_reborn),
    TEST(test_target_deleted),
    TEST(test_flags_down),
    TEST(test_flags_up),
    TEST(test_flags_up_broken),
    TEST(test_flags_up_twice),
    TEST(test_poison),    TEST(test_list_first),
    TEST(test_expunge),
    TEST(test_move),
    TEST(test_move_broken),
    TEST(test_move_refused),
    TEST(test_folders),
    TEST(test_away),
    TEST(test_odd_ping),
    TEST(test_wait_for_gone),
    TEST(test_window),
    TEST(test_window_reset),
    TEST(test_window_drop),
    TEST(test_timed),
    TEST(test_several),
    TEST(test_several_one_gone),
    TEST(test_several_keys_lost),
    TEST(test_several_broken),
    TEST(test_several_refused),
    TEST(test_several_full),
};

int
main(void)
{
    secret_set(&key, "0123456789abcdef0123456789abcdef", 32);
    return test_main(cases, ARRAY_LEN(cases));
}
