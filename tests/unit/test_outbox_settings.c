/*
 * Room outbox: what each setting of an account changes in what leaves, or in
 * the answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/now.h"
#include "outbox_world.h"
#include "store/queue.h"
#include "test.h"

#define OK {.cmd = "SendMail"}
#define END {.cmd = NULL}
#define AWAY {.cmd = "SendMail", .status = 503,                            \
              .headers = {"Retry-After: 300"}}

static const struct script one_ok[] = {OK, END};
static const struct script none[] = {END};

/* Submits message 1 with a login's suffix. */
static void
submit_wish(const char *wish)
{
    struct outbox_mail m = {.sender = xstrdup(""), .wish = wish};

    buf_init(&m.mime, 10000);
    buf_adds(&m.mime, "From: alice@example.test\r\nTo: bob@example.test\r\n"
                      "Message-ID: <7@example.test>\r\n"
                      "X-Sealpost-Login: +clear\r\n"
                      "Subject: x\r\n\r\nunmistakable-text\r\n");
    m.recipients = xcalloc(1, sizeof *m.recipients);
    m.recipients[m.n++] = xstrdup("bob@example.test");
    done = (struct outcome){0};
    op_hold(&slot, outbox_submit(w.ob, &m, &result, on_outcome_done, &done));
    finish();
}

static void
from_rewrite(void)
{
    static const char foreign[] = "From: Printer <scan@device.test>\r\n"
                                  "To: bob@example.test\r\n\r\nx\r\n";
    static const char absent[] = "To: bob@example.test\r\nReply-To: r@x.test"
                                 "\r\n\r\nx\r\n";
    static const struct script play[] = {OK, OK, OK, END};

    account("rewrite", "from = rewrite\nsign = always\n");
    eas_server_play(play);
    submit_text("bob@example.test", foreign);
    finish();
    CHECK_STR(done.err.text, "");
    CHECK_STR(field(0, "From"), "alice@example.test");
    CHECK_STR(field(0, "Reply-To"), "Printer <scan@device.test>");
    submit_text("bob@example.test", absent);
    finish();
    CHECK_STR(done.err.text, "");
    CHECK_STR(field(1, "From"), "alice@example.test");
    CHECK_STR(field(1, "Reply-To"), "r@x.test");
    submit("bob@example.test", "");
    finish();
    CHECK_STR(field(2, "From"), "Alice <alice@example.test>");
    CHECK_STR(field(2, "Reply-To"), "(absent)");
    close_account();
}

static void
login_wishes(void)
{
    account("login", NULL);
    eas_server_play(one_ok);
    submit_wish("+raw");
    CHECK_INT(done.err.code, E_INPUT);
    submit_wish("+encrypt");
    CHECK_STR(done.err.text, "");
    CHECK_STR(field(0, "X-Sealpost-Login"), "(absent)");
    CHECK(strstr(field(0, "Content-Type"), "enveloped-data") != NULL);
    CHECK_INT(nsent, 1);
    close_account();
    /* A field of that name in the mail is no login: the account's setting
     * stands. */
    account("login2", "encrypt = always\n");
    eas_server_play(one_ok);
    submit_wish(NULL);
    CHECK_STR(done.err.text, "");
    CHECK(strstr(field(0, "Content-Type"), "enveloped-data") != NULL);
    close_account();
}

static void
if_possible(void)
{
    static const struct script play[] = {OK, OK, OK, END};

    account("possible", "encrypt = if-possible\n");
    eas_server_play(play);
    submit("bob@example.test", "");
    finish();
    CHECK_STR(done.err.text, "");
    CHECK(strstr(field(0, "Content-Type"), "enveloped-data") != NULL);
    submit("bob@example.test dave@x.test", "");
    finish();
    CHECK_STR(done.err.text, "");
    CHECK(strstr(field(1, "Content-Type"), "text/plain") != NULL);
    CHECK_STR(field(1, "Bcc"), "dave@x.test");
    /* Nobody is told at RCPT. */
    done = (struct outcome){0};
    op_hold(&slot, outbox_check_recipient(w.ob, "dave@x.test",
                                          on_outcome_done, &done));
    finish();
    CHECK_INT(done.err.code, E_NONE);
    close_account();
}

static void
shapes(void)
{
    static const struct {
        const char *name, *settings, *type, *subject;
    } rows[] = {
        {"opaque", "sign = always\nsignature = opaque\n",
         "smime-type=signed-data", "a plum"},
        {"clear", "sign = always\n", "multipart/signed", "a plum"},
        {"hide", "encrypt = always\nprotect_headers = hide\n",
         "smime-type=enveloped-data", "[...]"},
        {"copy", "encrypt = always\nprotect_headers = copy\n",
         "smime-type=enveloped-data", "a plum"},
        {"hide of signed", "sign = always\nprotect_headers = hide\n",
         "multipart/signed", "a plum"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        test_row(rows[i].name);
        account(rows[i].name, rows[i].settings);
        eas_server_play(one_ok);
        submit("bob@example.test", "");
        finish();
        CHECK_STR(done.err.text, "");
        CHECK(strstr(field(0, "Content-Type"), rows[i].type) != NULL);
        CHECK_STR(field(0, "Subject"), rows[i].subject);
        close_account();
    }
    test_row(NULL);
}

/* The wish in the Subject goes with it. */
static void
subject_tag(void)
{
    static const char text[] = "From: alice@example.test\r\n"
                               "To: bob@example.test\r\n"
                               "Subject: [encrypt] [sign] hello\r\n"
                               "\r\nunmistakable-text\r\n";

    account("tag", NULL);
    eas_server_play(one_ok);
    submit_text("bob@example.test", text);
    finish();
    CHECK_STR(done.err.text, "");
    CHECK_STR(field(0, "Subject"), "hello");
    CHECK(strstr(field(0, "Content-Type"), "enveloped-data") != NULL);
    close_account();
}

static void
without_keys(void)
{
    static const struct {
        const char *name, *settings, *says;
        bool sent;
    } rows[] = {
        {"nosign", "signing_key = '0000000000000000000000000000000000000000"
                   "000000000000000000000000'\n",
         "signing key", false},
        {"noself", "encrypt = always\n"
                   "encryption_key = '000000000000000000000000000000000000000"
                   "0000000000000000000000000'\n",
         "encrypt_to_self", false},
        {"noself2", "encrypt = always\nencrypt_to_self = no\n"
                    "encryption_key = '00000000000000000000000000000000000000"
                    "00000000000000000000000000'\n",
         "", true},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        test_row(rows[i].name);
        account(rows[i].name, rows[i].settings);
        world_choose_keys();
        eas_server_play(one_ok);
        submit("bob@example.test",
               i ? "" : "X-Sealpost: sign=yes\r\n");
        finish();
        if (rows[i].sent) {
            CHECK_STR(done.err.text, "");
            CHECK_INT(nsent, 1);
        } else {
            CHECK_INT(done.err.code, E_NOCERT);
            CHECK(strstr(done.err.text, rows[i].says) != NULL);
            CHECK_INT(nsent, 0);
            CHECK_INT(rows_open(), 0);
        }
        close_account();
    }
    test_row(NULL);
}

/* A refused sign-in is told at the first try, and nothing stays; with locked =
 * queue it waits. */
static void
sign_in_refused(void)
{
    static const struct script play[] = {
        {.cmd = "SendMail", .status = 401}, END};

    account("login401", NULL);
    eas_server_play(play);
    submit("bob@example.test", "");
    finish();
    CHECK_INT(done.err.code, E_LOGIN);
    CHECK_INT(rows_open(), 0);
    CHECK_INT(files(), 0);
    close_account();
    account("login401q", "locked = queue\n");
    eas_server_play(play);
    submit("bob@example.test", "");
    finish();
    CHECK_INT(done.err.code, E_NONE);
    CHECK(result.queued);
    CHECK_INT(rows_open(), 1);
    close_account();
}

static void
waits(void)
{
    static const struct script park[] = {
        {.cmd = "SendMail", .how = PLAY_PARK}, END};

    account("wait", "submit_wait = 1s\n");
    eas_server_play(park);
    submit("bob@example.test", "");
    finish();
    CHECK_STR(done.err.text, "");
    CHECK(result.queued);
    CHECK_INT(nsent, 1);
    CHECK_INT(state_of(result.id), STORE_QUEUE_SENDING);
    eas_server_release();
    until_state(result.id, STORE_QUEUE_SENT);
    close_account();
}

static void
limits(void)
{
    static const struct script play[] = {AWAY, END};
    struct outbox_mail big = {.sender = xstrdup("alice@example.test")};

    account("limits", "max_queue = 1\nmax_message_size = 64K\n");
    eas_server_play(play);
    submit("bob@example.test", "");
    finish();
    CHECK(result.queued);
    submit("carol@example.test", "");
    finish();
    CHECK_INT(done.err.code, E_FULL);
    CHECK_INT(rows_open(), 1);
    close_account();
    account("limits2", "max_message_size = 64K\n");
    eas_server_play(none);
    buf_init(&big.mime, 1 << 20);
    while (big.mime.len < 70000)
        buf_adds(&big.mime, "From: alice@example.test\r\n");
    big.recipients = xcalloc(1, sizeof *big.recipients);
    big.recipients[big.n++] = xstrdup("bob@example.test");
    done = (struct outcome){0};
    op_hold(&slot, outbox_submit(w.ob, &big, &result, on_outcome_done, &done));
    finish();
    CHECK_INT(done.err.code, E_LIMIT);
    CHECK_INT(rows_open(), 0);
    close_account();
}

/* Over its time by the clock: the delays grow from min to max. */
static void
back_off(void)
{
    static const struct script play[] = {AWAY, AWAY, AWAY, AWAY, END};
    static const struct {
        int64_t age, delay;
    } rows[] = {{100, 100}, {1000, 1000}, {50000, 3600}};
    struct arena *a = arena_new();
    struct store_submission q;
    struct err e;

    account("backoff", NULL);
    eas_server_play(play);
    submit("bob@example.test", "");
    finish();
    CHECK_INT(store_queue_get(w.store, result.id, a, &q, &e), 1);
    CHECK_INT(q.next_try, AT + 60);
    CHECK(strstr(q.error, "no requests") != NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        now_fake(AT + rows[i].age);
        CHECK_INT(outbox_retry(w.ob, result.id, &e), 0);
        until_sent((int)i + 2);
        linger(50);
        CHECK_INT(store_queue_get(w.store, result.id, a, &q, &e), 1);
        CHECK_INT(q.next_try, AT + rows[i].age + rows[i].delay);
    }
    arena_free(&a);
    close_account();
}

/* All in Bcc: To is the empty group; a server that cannot submit that (120)
 * gets it once more without, and only then is it a failure. */
static void
empty_group(void)
{
    static const struct script play[] = {
        {.cmd = "SendMail",
         .xml = "<SendMail><Status>120</Status></SendMail>"},
        OK,
        {.cmd = "SendMail",
         .xml = "<SendMail><Status>120</Status></SendMail>"},
        END};
    static const char text[] = "From: alice@example.test\r\n"
                               "Bcc: bob@example.test\r\n"
                               "Subject: x\r\n\r\ny\r\n";

    account("group", NULL);
    eas_server_play(play);
    submit_text("bob@example.test", text);
    finish();
    CHECK_STR(done.err.text, "");
    CHECK(!result.queued);
    CHECK_INT(nsent, 2);
    CHECK_STR(field(0, "To"), "undisclosed-recipients:;");
    CHECK_STR(field(1, "To"), "(absent)");
    CHECK_STR(field(1, "Bcc"), "bob@example.test");
    CHECK_STR(sent[1].client_id, sent[0].client_id);
    submit("bob@example.test", "");
    finish();
    CHECK(result.queued || done.err.code);
    CHECK_INT(nsent, 3);
    close_account();
}

/* Rows of what was sent stay a week. */
static void
purge(void)
{
    char first[16];

    account("purge", NULL);
    eas_server_play(one_ok);
    submit("bob@example.test", "");
    finish();
    memcpy(first, result.id, sizeof first);
    linger(50);
    now_fake(AT + 6 * 86400);
    outbox_start(w.ob);
    CHECK_INT(state_of(first), STORE_QUEUE_SENT);
    now_fake(AT + 8 * 86400);
    outbox_start(w.ob);
    CHECK_INT(state_of(first), -1);
    close_account();
}

static const struct test_case cases[] = {
    TEST(world_setup),  TEST(from_rewrite),    TEST(login_wishes),
    TEST(if_possible),  TEST(shapes),          TEST(subject_tag),
    TEST(without_keys), TEST(sign_in_refused), TEST(waits),
    TEST(limits),       TEST(back_off),        TEST(empty_group),
    TEST(purge),        TEST(world_teardown),
};
TEST_MAIN(cases)
