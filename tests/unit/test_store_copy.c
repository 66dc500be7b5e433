/*
 * Room store, copies: entries of the same bytes that share at most one item
 * on the server, and who holds it; moves whose answer was lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/now.h"
#include "loop/loop.h"
#include "store/body.h"
#include "store/folder.h"
#include "store/journal.h"
#include "store/message.h"
#include "store/private.h"
#include "test.h"

static struct secret key;
static int opened;
static char *dir;

/* A mailbox of three folders, one mail "x" in the first, its body here. */
struct world {
    struct store *s;
    struct arena *a;
    int64_t inbox, work, trash, mail;
    struct err e;
};

static int64_t
folder(struct store *s, const char *id, const char *name, int type)
{
    struct store_folder_news n = {id, "0", name, type};
    struct err e = {0};
    int64_t out = 0;

    if (store_folder_put(s, &n, &out, &e) || store_message_number(s, out, &e))
        printf("# %s\n", e.text);
    return out;
}

static int64_t
add(struct world *w, int64_t f, const char *id)
{
    struct store_item it = {
        .server_id = id,
        .has = STORE_HAS_READ | STORE_HAS_FLAG | STORE_HAS_CATEGORIES |
               STORE_HAS_CONTENT,
        .from = "bob@example.test",
        .subject = "one of a family",
        .categories = "red",
        .received = 1000000,
    };
    int64_t out = 0;

    CHECK_INT(store_message_add(w->s, f, &it, &out, &w->e), 0);
    return out;
}

static void
reopen(struct world *w)
{
    struct store_config c = {.data_key = &key, .dir = dir};

    store_close(&w->s);
    if (store_open(&c, &w->s, &w->e))
        printf("# %s\n", w->e.text);
}

static void
begin(struct world *w)
{
    struct store_view v = {.size = 11, .digest = SLICE("12345678901234567890"
                                                       "123456789012"),
                           .envelope = "(e)", .structure = "(s)", .body = "(b)",
                           .message_id = "<x@example.test>", .verdict = "v"};

    *w = (struct world){.a = arena_new()};
    free(dir);
    dir = xasprintf("%s/copy%d", test_dir(), opened++);
    reopen(w);
    w->inbox = folder(w->s, "1", "Inbox", 2);
    w->work = folder(w->s, "2", "Work", 12);
    w->trash = folder(w->s, "3", "Trash", 4);
    w->mail = add(w, w->inbox, "x");
    CHECK_INT(store_body_write(w->s, w->mail, SLICE("the bytes\r\n"), &w->e),
              0);
    CHECK_INT(store_view_set(w->s, w->mail, &v, &w->e), 0);
}

static void
end(struct world *w)
{
    arena_free(&w->a);
    store_close(&w->s);
}

static int64_t
copy(struct world *w, int64_t id, int64_t f)
{
    struct store_message m = {0};
    uint32_t uid = 0;

    if (!CHECK_INT(store_message_copy(w->s, id, f, &uid, &w->e), 0))
        printf("# %s\n", w->e.text);
    CHECK_INT(store_message_by_uid(w->s, f, uid, w->a, &m, &w->e), 1);
    return m.id;
}

/* "FOLDER:UID SERVERID flags keywords", all entries by folder and UID. */
static char *
view(struct world *w)
{
    int64_t all[] = {w->inbox, w->work, w->trash};
    struct buf b = BUF_INIT(BUF_OURS);

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct store_snapshot snap;

        if (store_snapshot_load(w->s, all[i], &snap, &w->e))
            return xstrdup(w->e.text);
        for (size_t k = 0; k < snap.n; k++) {
            struct store_message m;

            if (store_message_get(w->s, snap.entries[k].id, w->a, &m, &w->e))
                break;
            buf_addf(&b, "%s%c%u:%s%s", b.len ? " " : "", "IWT"[i], m.uid,
                     *m.server_id ? m.server_id : "-",
                     m.flags & STORE_LOCALONLY ? "L" : "");
        }
        store_snapshot_clear(&snap);
    }
    return buf_take(&b, NULL);
}

#define VIEW(w, want)                 \
    do {                              \
        char *got_ = view(w);         \
        CHECK_STR(got_, (want));      \
        free(got_);                   \
    } while (0)

/* The due row of a collection with this field. */
static int
due(struct world *w, int64_t collection, enum store_field field,
    struct store_row *out)
{
    int64_t after = 0;
    int rc;

    while ((rc = store_journal_next(w->s, collection, &after, w->a, out,
                                    &w->e)) == 1)
        if (out->field == field)
            return 1;
    return rc;
}

static uint64_t
rows(struct world *w)
{
    uint64_t n = 99;

    CHECK_INT(store_journal_count(w->s, &n, &w->e), 0);
    return n;
}

static void
copy_then_delete(void)
{
    struct store_flag_edit seen = {STORE_FLAGS_ADD, STORE_SEEN, "blue"};
    struct world w;
    struct store_row r;
    struct store_message m;
    struct buf body = BUF_INIT(1000);
    struct store_view v;
    int64_t c;

    begin(&w);
    c = copy(&w, w.mail, w.work);
    VIEW(&w, "I1:x W1:-L");
    CHECK_INT(rows(&w), 0);
    CHECK_INT(store_message_has_copies(w.s, w.mail, &w.e), 1);
    CHECK_INT(store_message_has_copies(w.s, c, &w.e), 1);
    /* Own flags, the same bytes, and what was told of them. */
    CHECK_INT(store_message_edit_flags(w.s, c, &seen, &w.e), 0);
    CHECK_INT(rows(&w), 0);
    CHECK_INT(store_message_get(w.s, w.mail, w.a, &m, &w.e), 0);
    CHECK_INT(m.flags, 0);
    CHECK_STR(m.keywords, "red");
    CHECK_INT(store_body_read(w.s, c, &body, &w.e), 0);
    CHECK(slice_is(buf_slice(&body), "the bytes\r\n"));
    CHECK_INT(store_view_get(w.s, c, w.a, &v, &w.e), 1);
    CHECK_STR(v.envelope, "(e)");
    CHECK_STR(v.message_id, "<x@example.test>");
    /* The original goes: the copy's folder and flags are what is wanted. */
    CHECK_INT(store_message_expunge(w.s, w.mail, &w.e), 0);
    reopen(&w);
    VIEW(&w, "W1:x");
    CHECK_INT(due(&w, w.inbox, STORE_FIELD_PLACE, &r), 1);
    CHECK_INT(r.folder, w.work);
    CHECK_STR(r.server_id, "x");
    CHECK_INT(due(&w, w.inbox, STORE_FIELD_SEEN, &r), 1);
    CHECK_INT(r.value, 1);
    CHECK_INT(due(&w, w.inbox, STORE_FIELD_KEYWORDS, &r), 1);
    CHECK_STR(r.keywords, "blue red");
    CHECK_INT(store_message_has_copies(w.s, c, &w.e), 0);
    CHECK_INT(due(&w, w.inbox, STORE_FIELD_PLACE, &r), 1);
    CHECK_INT(store_journal_sent(w.s, r.id, &w.e), 0);
    CHECK_INT(store_journal_done(w.s, r.id, "x2", &w.e), 0);
    /* the Sync of the target shows it */
    CHECK_INT(store_message_confirm(w.s, r.message, &w.e), 0);
    VIEW(&w, "W1:x2");
    buf_truncate(&body, 0);
    CHECK_INT(store_body_read(w.s, c, &body, &w.e), 0);
    CHECK(slice_is(buf_slice(&body), "the bytes\r\n"));
    /* The last one deletes. */
    CHECK_INT(store_message_expunge(w.s, c, &w.e), 0);
    VIEW(&w, "");
    CHECK_INT(due(&w, w.work, STORE_FIELD_PLACE, &r), 1);
    CHECK_INT(r.folder, 0);
    buf_clear(&body);
    end(&w);
}

static void
same_folder_and_more(void)
{
    struct world w;
    struct store_row r;
    int64_t c, d, t;

    begin(&w);
    c = copy(&w, w.mail, w.inbox);
    d = copy(&w, c, w.work); /* a copy of the copy */
    t = copy(&w, d, w.trash);
    VIEW(&w, "I1:x I2:-L W1:-L T1:-L");
    /* A copy that goes takes nothing along. */
    CHECK_INT(store_message_expunge(w.s, d, &w.e), 0);
    CHECK_INT(rows(&w), 0);
    VIEW(&w, "I1:x I2:-L T1:-L");
    /* Outside the trash comes first; in the same folder nothing moves. */
    CHECK_INT(store_message_expunge(w.s, w.mail, &w.e), 0);
    VIEW(&w, "I2:x T1:-L");
    CHECK_INT(due(&w, w.inbox, STORE_FIELD_PLACE, &r), 0);
    /* Only the trash is left: there it goes. */
    CHECK_INT(store_message_expunge(w.s, c, &w.e), 0);
    VIEW(&w, "T1:x");
    CHECK_INT(due(&w, w.inbox, STORE_FIELD_PLACE, &r), 1);
    CHECK_INT(r.folder, w.trash);
    CHECK_INT(store_message_expunge(w.s, t, &w.e), 0);
    VIEW(&w, "");
    CHECK_INT(due(&w, w.inbox, STORE_FIELD_PLACE, &r), 1);
    CHECK_INT(r.folder, 0);
    end(&w);
}

static void
trash_is_last(void)
{
    struct world w;
    int64_t t;

    begin(&w);
    t = copy(&w, w.mail, w.trash);
    copy(&w, w.mail, w.work);
    CHECK(t < w.mail + 2);
    CHECK_INT(store_message_expunge(w.s, w.mail, &w.e), 0);
    VIEW(&w, "W1:x T1:-L");
    end(&w);
}

static void
no_body(void)
{
    struct store_local list[1];
    struct world w;
    uint32_t uid = 77;
    uint64_t total;
    int64_t y;
    size_t n;

    begin(&w);
    y = add(&w, w.inbox, "y");
    CHECK_INT(store_message_copy(w.s, y, w.work, &uid, &w.e), -1);
    CHECK_INT(w.e.code, E_RETRY);
    CHECK_INT(uid, 77);
    CHECK_INT(store_message_copy(w.s, w.mail, 999, &uid, &w.e), -1);
    CHECK_INT(w.e.code, E_MISSING);
    CHECK_INT(store_message_has_copies(w.s, y, &w.e), 0);
    VIEW(&w, "I1:x I2:y");
    CHECK_INT(store_message_local(w.s, list, 1, &n, &total, &w.e), 0);
    CHECK_INT(n, 0);
    copy(&w, w.mail, w.work);
    copy(&w, w.mail, w.trash);
    CHECK_INT(store_message_local(w.s, list, 1, &n, &total, &w.e), 0);
    CHECK_INT(n, 1);
    CHECK_INT(total, 2);
    CHECK_INT(list[0].folder, w.work);
    CHECK_INT(list[0].uid, 1);
    end(&w);
}

static void
gone_elsewhere(void)
{
    struct buf body = BUF_INIT(1000);
    struct store_row r;
    struct world w;
    int64_t c, d;

    begin(&w);
    c = copy(&w, w.mail, w.work);
    d = copy(&w, c, w.trash);
    CHECK_INT(store_message_gone(w.s, w.mail, &w.e), 0);
    VIEW(&w, "W1:-L T1:-L");
    CHECK_INT(store_body_read(w.s, d, &body, &w.e), 0);
    CHECK(slice_is(buf_slice(&body), "the bytes\r\n"));
    /* No server has it: nothing is sent when they go, the last one either. */
    CHECK_INT(store_message_expunge(w.s, c, &w.e), 0);
    CHECK_INT(store_message_expunge(w.s, d, &w.e), 0);
    CHECK_INT(rows(&w), 0);
    VIEW(&w, "");
    end(&w);

    /* Deleted elsewhere while the takeover waits: the copy stays. */
    begin(&w);
    c = copy(&w, w.mail, w.work);
    CHECK_INT(store_message_expunge(w.s, w.mail, &w.e), 0);
    CHECK_INT(store_message_gone(w.s, c, &w.e), 0);
    VIEW(&w, "W1:-L");
    CHECK_INT(rows(&w), 0);
    end(&w);

    /* But not once the item has come to it. */
    begin(&w);
    c = copy(&w, w.mail, w.work);
    CHECK_INT(store_message_expunge(w.s, w.mail, &w.e), 0);
    CHECK_INT(due(&w, w.inbox, STORE_FIELD_PLACE, &r), 1);
    CHECK_INT(store_journal_sent(w.s, r.id, &w.e), 0);
    CHECK_INT(store_journal_done(w.s, r.id, "x2", &w.e), 0);
    /* the Sync of the target shows it */
    CHECK_INT(store_message_confirm(w.s, r.message, &w.e), 0);
    VIEW(&w, "W1:x2");
    CHECK_INT(store_message_gone(w.s, c, &w.e), 0);
    VIEW(&w, "");
    buf_clear(&body);
    end(&w);

    /* The folder that the item is still in is removed elsewhere. */
    begin(&w);
    c = copy(&w, w.mail, w.trash);
    CHECK_INT(store_message_move(w.s, w.mail, w.work, &(uint32_t){0}, &w.e),
              0);
    CHECK_INT(store_message_bind(w.s, w.mail, w.work, "w", &w.e), 0);
    CHECK_INT(store_message_expunge(w.s, w.mail, &w.e), 0);
    CHECK_INT(store_folder_remove(w.s, w.work, &w.e), 0);
    w.work = w.inbox;
    VIEW(&w, "T1:-L");
    end(&w);
}

static void
refused(void)
{
    struct store_refusal list[2];
    struct store_row r;
    struct world w;
    size_t n = 0;
    int64_t c;

    begin(&w);
    c = copy(&w, w.mail, w.work);
    CHECK_INT(store_message_expunge(w.s, w.mail, &w.e), 0);
    VIEW(&w, "W1:x");
    CHECK_INT(due(&w, w.inbox, STORE_FIELD_PLACE, &r), 1);
    CHECK_INT(store_journal_sent(w.s, r.id, &w.e), 0);
    CHECK_INT(store_journal_refused(w.s, r.id, "it may not go", &w.e), 0);
    /* Undone: the original comes back, the copy is one again. */
    VIEW(&w, "I2:x W1:-L");
    CHECK_INT(rows(&w), 0);
    CHECK_INT(store_message_has_copies(w.s, c, &w.e), 1);
    CHECK_INT(store_journal_refusals(w.s, w.a, list, 2, &n, &w.e), 0);
    CHECK_INT(n, 1);
    end(&w);
}

/* The holder has rows under way when it is expunged. */
static void
under_way(void)
{
    struct store_flag_edit seen = {STORE_FLAGS_ADD, STORE_SEEN, NULL};
    struct store_row flag, place;
    struct world w;
    uint32_t uid;
    int64_t c;

    begin(&w);
    c = copy(&w, w.mail, w.trash);
    CHECK_INT(store_message_edit_flags(w.s, w.mail, &seen, &w.e), 0);
    CHECK_INT(store_message_move(w.s, w.mail, w.work, &uid, &w.e), 0);
    CHECK_INT(due(&w, w.inbox, STORE_FIELD_SEEN, &flag), 1);
    CHECK_INT(due(&w, w.inbox, STORE_FIELD_PLACE, &place), 1);
    CHECK_INT(store_journal_sent(w.s, flag.id, &w.e), 0);
    CHECK_INT(store_journal_sent(w.s, place.id, &w.e), 0);
    CHECK_INT(store_message_expunge(w.s, w.mail, &w.e), 0);
    VIEW(&w, "T1:x");
    CHECK_INT(store_journal_done(w.s, flag.id, NULL, &w.e), 0);
    CHECK_INT(store_journal_done(w.s, place.id, "x2", &w.e), 0);
    CHECK_INT(store_message_confirm(w.s, c, &w.e), 0);
    /* In Work now; wanted in the trash, and unread as the copy is. */
    VIEW(&w, "T1:x2");
    CHECK_INT(due(&w, w.work, STORE_FIELD_PLACE, &place), 1);
    CHECK_INT(place.folder, w.trash);
    CHECK_INT(place.message, c);
    CHECK_INT(due(&w, w.work, STORE_FIELD_SEEN, &flag), 1);
    CHECK_INT(flag.value, 0);
    end(&w);
}

/* The target's Sync shows the item before MoveItems answers, and a client has
 * copied that entry. */
static void
shown_first(void)
{
    struct store_row r;
    struct world w;
    uint32_t uid;
    int64_t other;

    begin(&w);
    CHECK_INT(store_message_move(w.s, w.mail, w.work, &uid, &w.e), 0);
    CHECK_INT(due(&w, w.inbox, STORE_FIELD_PLACE, &r), 1);
    CHECK_INT(store_journal_sent(w.s, r.id, &w.e), 0);
    other = add(&w, w.work, "x2");
    CHECK_INT(store_body_write(w.s, other, SLICE("the bytes\r\n"), &w.e), 0);
    copy(&w, other, w.trash);
    CHECK_INT(store_journal_done(w.s, r.id, "x2", &w.e), 0);
    /* the Sync of the target shows it */
    CHECK_INT(store_message_confirm(w.s, r.message, &w.e), 0);
    VIEW(&w, "W1:x2 T1:-L");
    CHECK_INT(store_message_has_copies(w.s, w.mail, &w.e), 1);
    CHECK_INT(rows(&w), 0);
    end(&w);
}

/* The answer of a move was lost and the client has moved on: the same request
 * goes out again, the item is found where that one put it, and goes on. */
static void
moved_on(void)
{
    struct store_item it = {.server_id = "x2", .has = STORE_HAS_CONTENT,
                            .from = "bob@example.test",
                            .subject = "one of a family",
                            .received = 1000000};
    struct store_row r;
    struct world w;
    uint32_t uid;
    int64_t id = 0;
    size_t n = 0;

    begin(&w);
    CHECK_INT(store_message_move(w.s, w.mail, w.work, &uid, &w.e), 0);
    CHECK_INT(due(&w, w.inbox, STORE_FIELD_PLACE, &r), 1);
    CHECK_INT(store_journal_sent(w.s, r.id, &w.e), 0);
    CHECK_INT(store_message_move(w.s, w.mail, w.trash, &uid, &w.e), 0);
    reopen(&w);
    CHECK_INT(due(&w, w.inbox, STORE_FIELD_PLACE, &r), 1);
    CHECK_INT(r.folder, w.work);
    CHECK(r.sent);
    CHECK_INT(store_journal_sent(w.s, r.id, &w.e), 0);
    CHECK_INT(store_journal_adrift(w.s, r.id, &w.e), 0);
    CHECK_INT(store_message_match(w.s, w.trash, &it, &n, &id, &w.e), 0);
    CHECK_INT(n, 0);
    CHECK_INT(store_message_match(w.s, w.work, &it, &n, &id, &w.e), 0);
    CHECK_INT(n, 1);
    CHECK_INT(id, w.mail);
    CHECK_INT(store_message_bind(w.s, id, w.work, "x2", &w.e), 0);
    /* A late "unknown" changes nothing any more. */
    CHECK_INT(store_journal_adrift(w.s, r.id, &w.e), 0);
    VIEW(&w, "T1:x2");
    CHECK_INT(due(&w, w.work, STORE_FIELD_PLACE, &r), 1);
    CHECK_INT(r.folder, w.trash);
    CHECK_INT(store_journal_sent(w.s, r.id, &w.e), 0);
    CHECK_INT(store_journal_done(w.s, r.id, "x3", &w.e), 0);
    /* the Sync of the target shows it */
    CHECK_INT(store_message_confirm(w.s, r.message, &w.e), 0);
    VIEW(&w, "T1:x3");
    CHECK_INT(rows(&w), 0);

    /* It turns up nowhere: gone, once the old target was looked through. */
    CHECK_INT(store_message_move(w.s, w.mail, w.inbox, &uid, &w.e), 0);
    CHECK_INT(due(&w, w.trash, STORE_FIELD_PLACE, &r), 1);
    CHECK_INT(store_journal_sent(w.s, r.id, &w.e), 0);
    CHECK_INT(store_message_move(w.s, w.mail, w.work, &uid, &w.e), 0);
    CHECK_INT(store_journal_adrift(w.s, r.id, &w.e), 0);
    CHECK_INT(store_message_adrift_gone(w.s, w.work, now_ms() + 1, &w.e), 0);
    VIEW(&w, "W2:-");
    CHECK_INT(store_message_adrift_gone(w.s, w.inbox, now_ms() + 1, &w.e), 0);
    VIEW(&w, "");
    end(&w);
}

#ifdef SEALPOST_FAULTS
/* Copies and a takeover, killed at each commit: all or nothing of each, and
 * never two that hold the item, or none. */
static void
crash_child(void)
{
    struct store_config c = {.data_key = &key, .dir = dir};
    struct arena *a = arena_new();
    struct store_message m;
    struct store *s;
    uint32_t uid;
    struct err e;

    if (store_open(&c, &s, &e) ||
        store_message_by_server(s, 1, "x", a, &m, &e) != 1 ||
        store_message_copy(s, m.id, 2, &uid, &e) ||
        store_message_copy(s, m.id, 3, &uid, &e) ||
        store_message_expunge(s, m.id, &e))
        _exit(1);
    _exit(0);
}

static void
crashes(void)
{
    static const char *const kinds[] = {"commit-before", "commit-after"};

    for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
        for (int n = 1; n <= 3; n++) {
            char fault[40];
            struct world w;
            char *got;
            int status = 0;
            pid_t pid;

            begin(&w);
            store_close(&w.s);
            snprintf(fault, sizeof fault, "%s:%d", kinds[k], n);
            test_row(fault);
            fflush(stdout);
            pid = fork();
            if (pid == 0) {
                setenv("SEALPOST_FAULT", fault, 1);
                fault_reset();
                crash_child();
            }
            waitpid(pid, &status, 0);
            CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
            reopen(&w);
            got = view(&w);
            CHECK(strcmp(got, "I1:x") == 0 || strcmp(got, "I1:x W1:-L") == 0 ||
                  strcmp(got, "I1:x W1:-L T1:-L") == 0 ||
                  strcmp(got, "W1:x T1:-L") == 0);
            CHECK_INT(rows(&w), strcmp(got, "W1:x T1:-L") == 0);
            free(got);
            end(&w);
        }
    test_row(NULL);
}
#endif

static const struct test_case cases[] = {
    TEST(copy_then_delete), TEST(same_folder_and_more),
    TEST(trash_is_last),    TEST(no_body),
    TEST(gone_elsewhere),   TEST(refused),
    TEST(under_way),        TEST(shown_first),
    TEST(moved_on),
#ifdef SEALPOST_FAULTS
    TEST(crashes),
#endif
};

int
main(void)
{
    int rc;

    secret_set(&key, "0123456789abcdef0123456789abcdef", 32);
    rc = test_main(cases, ARRAY_LEN(cases));
    secret_clear(&key);
    free(dir);
    return rc;
}
