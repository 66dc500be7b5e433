/*
 * Room outbox, the whole way: from outbox_submit() to a scripted server of
 * Exchange, over queue, certificates, keys and the worker. What left is
 * judged by `openssl cms` and by what the server got.
 */
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
#include "outbox/outbox.h"
#include "settings/settings.h"
#include "store/body.h"
#include "store/folder.h"
#include "store/message.h"
#include "store/queue.h"
#include "store/store.h"
#include "outbox_world.h"
#include "test.h"
#include "wbxml/tree.h"

/* Is what was sent what openssl can read as `reader`, signed by alice? */
static bool
openssl_reads(int i, const char *reader, bool is_signed)
{
    char *base = xasprintf("%s/judge", test_dir()), *src = test_data(PKI);
    char *in = xasprintf("%s.eml", base), *cmd;
    struct err e;
    int rc;

    if (i >= nsent)
        return false;
    CHECK_INT(file_write(in, slice_make(sent[i].mime, sent[i].len), 0600,
                         false, &e), 0);
    cmd = xasprintf(
        "set -e; b='%s'; p='%s'; cur=$b.eml\n"
        "if [ -n '%s' ]; then openssl cms -decrypt -in $cur -inkey "
        "$p/keys/%s.key -recip $p/certs/%s.crt -out $b.dec 2>$b.err; "
        "cur=$b.dec; fi\n"
        "if [ %d = 1 ]; then openssl cms -verify -in $cur -CAfile "
        "$p/root/ca.crt -no_check_time -out $b.ver 2>$b.err; cur=$b.ver; fi\n"
        "grep -q unmistakable-text $cur",
        base, src, reader, reader, reader, is_signed);
    rc = system(cmd);
    free(cmd);
    free(in);
    free(src);
    free(base);
    return rc == 0;
}

/* Message 1, known by this Message-ID, is on the server as 5:9. */
static void
known_arrives(void)
{
    struct store_view v = {.opened = true,
                           .digest = SLICE("12345678901234567890123456789012"),
                           .envelope = "", .structure = "", .body = "",
                           .message_id = "<known@example.test>",
                           .verdict = ""};
    struct err e = {0};

    sent_arrives("5:9", SLICE("Subject: x\r\n\r\ny"));
    CHECK_INT(store_view_set(w.store, 1, &v, &e), 0);
}

static unsigned
known_flags(void)
{
    struct arena *a = arena_new();
    struct store_message m = {0};
    struct err e;

    CHECK_INT(store_message_get(w.store, 1, a, &m, &e), 0);
    arena_free(&a);
    return m.flags;
}

/* ---- cases ---- */

#define OK {.cmd = "SendMail"}
#define END {.cmd = NULL}

static void
accepted_clear(void)
{
    static const struct script play[] = {OK, END};

    account("clear", NULL);
    eas_server_play(play);
    submit("bob@example.test carol@example.test",
           "Bcc: carol@example.test\r\nX-Sealpost: sign=no\r\n");
    finish();
    CHECK_INT(done.err.code, E_NONE);
    CHECK_STR(done.err.text, "");
    CHECK(!result.queued && strlen(result.id) == 12);
    CHECK_INT(nsent, 1);
    CHECK_STR(field(0, "To"), "bob@example.test");
    CHECK_STR(field(0, "Bcc"), "carol@example.test");
    CHECK_STR(field(0, "X-Sealpost"), "(absent)");
    CHECK_STR(field(0, "X-Sealpost-Login"), "(absent)");
    CHECK_STR(field(0, "Content-Transfer-Encoding"), "quoted-printable");
    CHECK(sent[0].save);
    CHECK_INT(state_of(result.id), STORE_QUEUE_SENT);
    CHECK_INT(files(), 0);
    close_account();
}

static void
accepted_sealed(void)
{
    static const struct script play[] = {OK, OK, END};
    char main_id[41];

    account("sealed", "sign = always\nencrypt = always\n");
    eas_server_play(play);
    submit("bob@example.test carol@example.test", "");
    finish();
    CHECK_STR(done.err.text, "");
    until_sent(2);
    CHECK(sent[0].save && !sent[1].save);
    snprintf(main_id, sizeof main_id, "%s", sent[0].client_id);
    if (nsent < 2)
        return;
    CHECK(strcmp(main_id, sent[1].client_id) != 0);
    CHECK_STR(field(0, "To"), "bob@example.test");
    CHECK_STR(field(0, "Bcc"), "(absent)");
    CHECK_STR(field(1, "To"), "(absent)");
    CHECK_STR(field(1, "Bcc"), "carol@example.test");
    CHECK(!strstr(sent[0].mime, "unmistakable"));
    CHECK(!strstr(sent[0].mime, "carol@"));
    CHECK(!strstr(sent[1].mime, "bob@"));
    /* bob and alice read the first, carol and alice the second. */
    CHECK(openssl_reads(0, "bob-enc", true));
    CHECK(openssl_reads(0, "alice-enc", true));
    CHECK(!openssl_reads(0, "carol-enc", true));
    CHECK(openssl_reads(1, "carol-enc", true));
    CHECK(openssl_reads(1, "alice-enc", true));
    CHECK(!openssl_reads(1, "bob-enc", true));
    linger(100);
    CHECK_INT(files(), 0);
    CHECK_INT(rows(), 2);
    close_account();
}

static void
signed_only(void)
{
    static const struct script play[] = {OK, END};

    account("signed", NULL);
    eas_server_play(play);
    submit("bob@example.test dave@example.test", "X-Sealpost: sign=yes\r\n");
    finish();
    CHECK_STR(done.err.text, "");
    CHECK(openssl_reads(0, "", true));
    CHECK_STR(field(0, "Bcc"), "dave@example.test");
    CHECK(strncmp(field(0, "Content-Type"), "multipart/signed", 16) == 0);
    close_account();
}

/* Asked to be encrypted, and nothing else: signed inside too. */
static void
signed_when_sealed(void)
{
    static const struct script play[] = {OK, OK, END};

    account("sealed2", NULL);
    eas_server_play(play);
    submit("bob@example.test", "X-Sealpost: encrypt=yes\r\n");
    finish();
    CHECK_STR(done.err.text, "");
    CHECK(openssl_reads(0, "bob-enc", true));
    submit("bob@example.test", "X-Sealpost: encrypt=yes; sign=no\r\n");
    finish();
    CHECK_STR(done.err.text, "");
    CHECK(openssl_reads(1, "bob-enc", false));
    CHECK(!openssl_reads(1, "bob-enc", true));
    close_account();
}

/* Each of these is refused before anything leaves, and nothing stays. */
static void
refused_here(void)
{
    static const struct {
        const char *name, *settings, *to, *fields;
        enum err_code code;
        const char *says;
    } cases[] = {
        {"no certificate", "encrypt = always\n", "bob@example.test dave@x.test",
         "", E_NOCERT, "dave@x.test"},
        {"wish", NULL, "dave@x.test", "X-Sealpost: encrypt=yes\r\n", E_NOCERT,
         "dave@x.test"},
        {"unknown wish", NULL, "bob@example.test", "X-Sealpost: later\r\n",
         E_INPUT, "X-Sealpost"},
        {"override", "sign = always\noverride = stricter\n",
         "bob@example.test", "X-Sealpost: sign=no\r\n", E_DENIED, "override"},
        {"two from", NULL, "bob@example.test", "From: bob@example.test\r\n",
         E_INPUT, "From"},
        {"hidden without", "encrypt = always\n",
         "bob@example.test hidden@x.test", "", E_NOCERT, "hidden@x.test"},
        {"bad address", NULL, "not an address", "", E_INPUT, ""},
        {"too many", "max_recipients = 1\n", "bob@example.test c@x.test", "",
         E_LIMIT, "recipients"},
    };
    static const struct script play[] = {END};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        test_row(cases[i].name);
        account(cases[i].name, cases[i].settings);
        eas_server_play(play);
        submit(cases[i].to, cases[i].fields);
        finish();
        CHECK_INT(done.err.code, cases[i].code);
        CHECK(strstr(done.err.text, cases[i].says) != NULL);
        CHECK_INT(nsent, 0);
        CHECK_INT(rows(), 0);
        CHECK_INT(files(), 0);
        close_account();
    }
    test_row(NULL);
}

static void
from_of_others(void)
{
    static const struct script play[] = {OK, OK, OK, END};
    static const char other[] = "From: Bob <bob@example.test>\r\n"
                                "To: carol@example.test\r\n"
                                "Subject: x\r\n\r\nb\r\n";
    static const char alias[] = "From: A.Smith@Example.test\r\n"
                                "To: carol@example.test\r\n"
                                "Subject: x\r\n\r\nb\r\n";
    struct err e = {0};

    account("from", NULL);
    eas_server_play(play);
    CHECK_INT(outbox_check_sender(w.ob, "", &e), 0);
    CHECK_INT(outbox_check_sender(w.ob, "ALICE@example.test", &e), 0);
    CHECK_INT(outbox_check_sender(w.ob, "bob@example.test", &e), -1);
    CHECK_INT(e.code, E_DENIED);
    submit_text("carol@example.test", other);
    finish();
    CHECK_INT(done.err.code, E_DENIED);
    CHECK_INT(nsent, 0);
    submit_text("carol@example.test", alias);
    finish();
    CHECK_STR(done.err.text, "");
    CHECK_INT(nsent, 1);
    CHECK(strstr(field(0, "Message-ID"), "@example.test>") != NULL);
    CHECK(strlen(field(0, "Date")) > 20);
    /* The server's own list counts as well. */
    {
        const char *more[] = {"bob@example.test"};

        outbox_set_aliases(w.ob, more, 1);
    }
    submit_text("carol@example.test", other);
    finish();
    CHECK_STR(done.err.text, "");
    outbox_set_aliases(w.ob, NULL, 0);
    settings_open("from = allow\n");
    outbox_settings(w.ob, w.settings->accounts[0]);
    CHECK_INT(outbox_check_sender(w.ob, "bob@example.test", &e), 0);
    submit_text("carol@example.test", other);
    finish();
    CHECK_STR(done.err.text, "");
    CHECK_STR(field(2, "From"), "Bob <bob@example.test>");
    close_account();
}

static void
refused_upstream(void)
{
    static const struct script play[] = {
        {.cmd = "SendMail",
         .xml = "<SendMail><Status>107</Status></SendMail>"},
        {.cmd = "SendMail",
         .xml = "<SendMail><Status>115</Status></SendMail>"},
        END};

    account("refused", "encrypt = always\n");
    eas_server_play(play);
    submit("bob@example.test carol@example.test", "");
    finish();
    CHECK(done.err.code == E_REMOTE || done.err.code == E_INPUT);
    CHECK(strstr(done.err.text, "107") != NULL);
    CHECK_INT(rows(), 0);
    CHECK_INT(files(), 0);
    /* 4xx: nothing stays queued either. */
    submit("bob@example.test", "");
    finish();
    CHECK(done.err.code != E_NONE && done.err.code != E_RETRY);
    linger(50);
    CHECK_INT(rows(), 0);
    CHECK_INT(files(), 0);
    CHECK_INT(nsent, 2);
    close_account();
}

/* A server that is away: queued, and later the same ClientId. */
static void
server_away(void)
{
    static const struct script away[] = {
        {.cmd = "SendMail", .status = 503, .headers = {"Retry-After: 300"}},
        END};
    static const struct script back[] = {OK, END};

    account("away", "sign = always\nencrypt = always\n");
    eas_server_play(away);
    submit("bob@example.test", "");
    finish();
    CHECK_STR(done.err.text, "");
    CHECK(result.queued);
    CHECK_INT(state_of(result.id), STORE_QUEUE_SEALED);
    CHECK_INT(nsent, 1);
    /* On disk, and not in clear. */
    CHECK_INT(files(), 2);
    {
        char *cmd = xasprintf("! grep -rq unmistakable-text '%s'", w.dir);

        CHECK_INT(system(cmd), 0);
        free(cmd);
    }
    close_parts();
    open_parts("sign = always\nencrypt = always\n");
    eas_server_play(back);
    outbox_start(w.ob);
    until_state(result.id, STORE_QUEUE_SENT);
    CHECK_INT(nsent, 2);
    CHECK_STR(sent[1].client_id, sent[0].client_id);
    CHECK_INT(sent[1].len, sent[0].len);
    CHECK(memcmp(sent[1].mime, sent[0].mime, sent[0].len) == 0);
    CHECK_INT(w.looks, 0);
    close_account();
}
/* The row says sealed, and the bytes are not there: they are made again from
 * what was accepted. */
static void
power_cut(void)
{
    static const struct script away[] = {
        {.cmd = "SendMail", .status = 503, .headers = {"Retry-After: 300"}},
        END};
    static const struct script back[] = {OK, END};

    for (int gone = 0; gone < 2; gone++) {
        char *cmd;

        account(gone ? "gone" : "empty", "sign = always\nencrypt = always\n");
        eas_server_play(away);
        submit("bob@example.test", "");
        finish();
        CHECK_INT(state_of(result.id), STORE_QUEUE_SEALED);
        close_parts();
        cmd = xasprintf("set -- $(find '%s' -name '%s.out') && [ $# = 1 ] && "
                        "%s \"$1\"",
                        w.dir, result.id, gone ? "rm" : "truncate -s 0");
        CHECK_INT(system(cmd), 0);
        free(cmd);
        open_parts("sign = always\nencrypt = always\n");
        eas_server_play(back);
        outbox_start(w.ob);
        until_state(result.id, STORE_QUEUE_SENT);
        CHECK_INT(nsent, 2);
        CHECK_STR(sent[1].client_id, sent[0].client_id);
        CHECK(sent[1].len > 1000);
        close_account();
    }
}


/* The line broke after the server had acted: what is in Sent decides. */
static void
lost_reply(void)
{
    static const struct script drop[] = {
        {.cmd = "SendMail", .how = PLAY_DROP}, END};

    account("lost", NULL);
    eas_server_play(drop);
    submit("bob@example.test carol@example.test", "");
    finish();
    CHECK_STR(done.err.text, "");
    CHECK(result.queued);
    CHECK_INT(state_of(result.id), STORE_QUEUE_SENDING);
    CHECK_INT(nsent, 1);
    sent_arrives("5:1", slice_make(sent[0].mime, sent[0].len));
    now_fake(AT + 61);
    outbox_start(w.ob);
    until_state(result.id, STORE_QUEUE_SENT);
    CHECK_INT(w.looks, 1);
    CHECK_INT(nsent, 1);
    CHECK_INT(eas_server_played(), 1);
    close_account();
}

/* It had not acted: not before a minute is over, then again with the same
 * ClientId. Other messages in Sent are not taken for ours. */
static void
lost_request(void)
{
    static const struct script play[] = {
        {.cmd = "SendMail", .how = PLAY_DROP}, OK, END};
    static const char other_id[] = "Message-ID: <2@example.test>\r\n"
                                   "To: bob@example.test\r\n\r\nx";
    static const char other_people[] = "Message-ID: <1@example.test>\r\n"
                                       "To: erin@example.test\r\n\r\nx";

    account("lost2", NULL);
    eas_server_play(play);
    submit("bob@example.test", "");
    finish();
    CHECK(result.queued);
    sent_arrives("5:1", slice_of(other_id));
    sent_arrives("5:2", slice_of(other_people));
    outbox_start(w.ob);
    for (int i = 0; i < 2000 && !w.looks; i++)
        linger(1);
    linger(200);
    CHECK_INT(w.looks, 1);
    CHECK_INT(nsent, 1);
    CHECK_INT(state_of(result.id), STORE_QUEUE_SENDING);
    /* Sent cannot be looked at: nothing is sent either. */
    now_fake(AT + 61);
    w.look_err = (struct err){E_RETRY, "away"};
    {
        struct err e;

        CHECK_INT(outbox_retry(w.ob, result.id, &e), 0);
    }
    for (int i = 0; i < 2000 && w.looks < 2; i++)
        linger(1);
    linger(200);
    CHECK_INT(nsent, 1);
    CHECK_INT(state_of(result.id), STORE_QUEUE_SENDING);
    w.look_err = (struct err){0};
    {
        struct err e;

        CHECK_INT(outbox_retry(w.ob, result.id, &e), 0);
    }
    until_state(result.id, STORE_QUEUE_SENT);
    CHECK_INT(nsent, 2);
    CHECK_STR(sent[1].client_id, sent[0].client_id);
    close_account();
}

/* Two equal messages whose fates are not known, one copy: it is the first
 * one's, and the second is sent again. */
static void
claims(void)
{
    static const struct script play[] = {
        {.cmd = "SendMail", .how = PLAY_DROP},
        {.cmd = "SendMail", .how = PLAY_DROP}, OK, END};
    char first[16];

    account("claims", NULL);
    eas_server_play(play);
    submit("bob@example.test", "");
    finish();
    memcpy(first, result.id, sizeof first);
    submit("bob@example.test", "X-Other: bytes\r\n");
    finish();
    CHECK(strcmp(first, result.id) != 0);
    CHECK_INT(nsent, 2);
    sent_arrives("5:1", slice_make(sent[0].mime, sent[0].len));
    now_fake(AT + 61);
    outbox_start(w.ob);
    until_state(first, STORE_QUEUE_SENT);
    until_state(result.id, STORE_QUEUE_SENT);
    CHECK_INT(nsent, 3);
    CHECK(strcmp(sent[2].client_id, sent[0].client_id) == 0 ||
          strcmp(sent[2].client_id, sent[1].client_id) == 0);
    close_account();
}

/* Killed while a SendMail was under way: the row is SENDING at the start. */
static void
restart_sending(bool arrived)
{
    static const struct script park[] = {
        {.cmd = "SendMail", .how = PLAY_PARK}, END};
    static const struct script again[] = {OK, END};
    struct arena *a = arena_new();
    struct store_submission q;
    char id[16] = "";
    struct err e;

    account(arrived ? "killed" : "killed2", "encrypt = always\n");
    eas_server_play(park);
    submit("bob@example.test", "");
    until_sent(1);
    CHECK_INT(store_queue_next(w.store, "", a, &q, &e), 1);
    snprintf(id, sizeof id, "%s", q.id);
    CHECK_INT(q.state, STORE_QUEUE_SENDING);
    close_parts();
    op_cancel(&slot);
    open_parts("encrypt = always\n");
    sent_arrives(arrived ? "5:1" : NULL,
                 slice_make(sent[0].mime, sent[0].len));
    eas_server_play(again);
    outbox_start(w.ob);
    for (int i = 0; i < 2000 && !w.looks; i++)
        linger(1);
    if (!arrived) {
        linger(100);
        CHECK_INT(state_of(id), STORE_QUEUE_SENDING);
        now_fake(AT + 61);
        CHECK_INT(outbox_retry(w.ob, id, &e), 0);
    }
    until_state(id, STORE_QUEUE_SENT);
    CHECK_INT(nsent, arrived ? 1 : 2);
    if (!arrived)
        CHECK_STR(sent[1].client_id, sent[0].client_id);
    arena_free(&a);
    close_account();
}

static void
killed_arrived(void)
{
    restart_sending(true);
}

static void
killed_not_arrived(void)
{
    restart_sending(false);
}

/* A client that lost our answer comes again: one mail. */
static void
came_again(void)
{
    static const struct script play[] = {OK, OK, END};
    char first[16];

    account("again", NULL);
    eas_server_play(play);
    submit("bob@example.test", "");
    finish();
    memcpy(first, result.id, sizeof first);
    submit("bob@example.test", "Received: from x by y; at another time\r\n");
    finish();
    CHECK_STR(result.id, first);
    CHECK_INT(nsent, 1);
    /* Also after a restart; but another envelope is another message. */
    close_parts();
    open_parts(NULL);
    outbox_start(w.ob);
    submit("bob@example.test", "");
    finish();
    CHECK_STR(result.id, first);
    submit("carol@example.test", "");
    finish();
    CHECK(strcmp(result.id, first) != 0);
    CHECK_INT(nsent, 2);
    close_account();
}

#define REPLY "In-Reply-To: <known@example.test>\r\n"
#define FORWARD "X-Forwarded-Message-Id: <known@example.test>\r\n"

/* SPEC section 6: who marks what is answered or forwarded. */
static void
answers(void)
{
    static const struct {
        const char *name, *fields, *cmd, *source;
        unsigned flag;
    } cases[] = {
        {"reply", REPLY, "SmartReply", "5:9", STORE_ANSWERED},
        {"forward", FORWARD, "SmartForward", "5:9", STORE_FORWARDED},
        {"forward in a thread", REPLY FORWARD, "SmartForward", "5:9",
         STORE_FORWARDED},
        {"unknown", "In-Reply-To: <other@example.test>\r\n", "SendMail", "",
         0},
        {"no id", "In-Reply-To: your mail\r\n", "SendMail", "", 0},
        {"signed", REPLY "X-Sealpost: sign=yes\r\n", "SendMail", "",
         STORE_ANSWERED},
        {"encrypted", FORWARD "X-Sealpost: encrypt=yes\r\n", "SendMail", "",
         STORE_FORWARDED},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct script play[] = {{.cmd = cases[i].cmd}, END};

        test_row(cases[i].name);
        sent_clear();
        account(cases[i].name, NULL);
        known_arrives();
        eas_server_play(play);
        submit("bob@example.test", cases[i].fields);
        finish();
        CHECK_STR(done.err.text, "");
        CHECK_INT(nsent, 1);
        CHECK_STR(sent[0].source ? sent[0].source : "", cases[i].source);
        CHECK(sent[0].save && sent[0].replace == (*cases[i].source != 0));
        CHECK_INT(known_flags() & (STORE_ANSWERED | STORE_FORWARDED),
                  cases[i].flag);
        close_account();
    }
}

/* It is gone on the server (150): the mail goes plainly, with its ClientId. A
 * full mailbox is an answer to the mail itself. A lost reply is settled as
 * that of SendMail. */
static void
answers_refused(void)
{
    static const struct script gone[] = {
        {.cmd = "SmartReply",
         .xml = "<SmartReply><Status>150</Status>"
                "</SmartReply>"},
        {.cmd = "SendMail"}, END};
    static const struct script full[] = {
        {.cmd = "SmartReply",
         .xml = "<SmartReply><Status>113</Status>"
                "</SmartReply>"},
        END};
    static const struct script lost[] = {
        {.cmd = "SmartReply", .how = PLAY_DROP}, END};
    char id[16];

    account("gone", NULL);
    known_arrives();
    eas_server_play(gone);
    submit("bob@example.test", REPLY);
    finish();
    CHECK_STR(done.err.text, "");
    CHECK_INT(nsent, 2);
    CHECK_STR(sent[0].client_id, sent[1].client_id);
    CHECK_STR(sent[1].source ? sent[1].source : "", "");
    CHECK(known_flags() & STORE_ANSWERED);
    close_account();

    account("full", NULL);
    known_arrives();
    eas_server_play(full);
    submit("bob@example.test", REPLY);
    finish();
    CHECK_INT(done.err.code, E_QUOTA);
    CHECK(!(known_flags() & STORE_ANSWERED));
    close_account();

    sent_clear();
    account("lost reply", "submit_wait = 1s\n");
    known_arrives();
    eas_server_play(lost);
    submit("bob@example.test", REPLY);
    until_sent(1);
    finish();
    CHECK(result.queued);
    snprintf(id, sizeof id, "%s", result.id);
    CHECK_INT(state_of(id), STORE_QUEUE_SENDING);
    CHECK(!(known_flags() & STORE_ANSWERED));
    /* It had arrived: the copy in Sent tells, and it is not sent again. */
    sent_arrives("5:10", slice_make(sent[0].mime, sent[0].len));
    now_fake(AT + 120);
    outbox_retry(w.ob, id, &done.err);
    until_state(id, STORE_QUEUE_SENT);
    for (int i = 0; i < 2000 && !(known_flags() & STORE_ANSWERED); i++)
        linger(1);
    CHECK_INT(nsent, 1);
    CHECK(known_flags() & STORE_ANSWERED);
    close_account();
}

static void
reply_guard(void)
{
    static const struct script play[] = {OK, OK, END};
    struct store_view v = {.encrypted = true, .opened = true,
                           .digest = SLICE("12345678901234567890123456789012"),
                           .envelope = "", .structure = "", .body = "",
                           .message_id = "<secret@example.test>",
                           .verdict = ""};
    struct err e = {0};
    static const char reply[] = "In-Reply-To: <secret@example.test>\r\n";

    account("guard", NULL);
    sent_arrives("5:9", SLICE("Subject: x\r\n\r\ny"));
    CHECK_INT(store_view_set(w.store, 1, &v, &e), 0);
    CHECK_INT(store_view_was_encrypted(w.store, "<secret@example.test>", &e),
              1);
    eas_server_play(play);
    submit("bob@example.test dave@x.test", reply);
    finish();
    CHECK_INT(done.err.code, E_NOCERT);
    submit("bob@example.test",
           "References: <a@b> <secret@example.test>\r\n"
           "X-Sealpost: encrypt=no\r\n");
    finish();
    CHECK_INT(done.err.code, E_DENIED);
    CHECK_INT(nsent, 0);
    submit("bob@example.test", reply);
    finish();
    CHECK_STR(done.err.text, "");
    CHECK(openssl_reads(0, "bob-enc", false));
    CHECK_STR(field(0, "Subject"), "[...]");
    settings_open("reply_guard = no\n");
    outbox_settings(w.ob, w.settings->accounts[0]);
    submit("bob@example.test", "References: <secret@example.test>\r\n");
    finish();
    CHECK_STR(done.err.text, "");
    CHECK_STR(field(1, "Subject"), "a plum");
    close_account();
}

/* Signed by the mail program: not one byte of it changes. */
static void
sealed_already(void)
{
    static const struct script play[] = {OK, OK, END};
    char *path = test_data(
        "tests/data/smime/generated/s01-rsa2048-sha256-detached.eml");
    struct buf b = BUF_INIT(1 << 20), crlf = BUF_INIT(1 << 20);
    struct slice body, out;
    char *text;
    struct err e;

    account("pass", "sign = always\nfrom = allow\n");
    eas_server_play(play);
    CHECK_INT(file_read(path, &b, &e), 0);
    mime_write_crlf(buf_slice(&b), &crlf);
    text = xasprintf("X-Sealpost: sign=yes\r\n%s", crlf.data);
    body = slice_from(buf_slice(&crlf), mime_header_length(buf_slice(&crlf)));
    submit_text("bob@example.test dave@x.test", text);
    finish();
    CHECK_STR(done.err.text, "");
    CHECK_INT(nsent, 1);
    if (nsent) {
        out = slice_make(sent[0].mime, sent[0].len);
        CHECK(slice_eq(slice_from(out, mime_header_length(out)), body));
    }
    CHECK(strstr(field(0, "Bcc"), "dave@x.test") != NULL);
    free(text);
    /* Eight bits in what it signed: refused. */
    text = xasprintf("%s\xc3\xbc\r\n", crlf.data);
    submit_text("bob@example.test", text);
    finish();
    CHECK_INT(done.err.code, E_INPUT);
    CHECK_INT(nsent, 1);
    free(text);
    buf_clear(&b);
    buf_clear(&crlf);
    free(path);
    close_account();
}

static void
at_rcpt(void)
{
    static const struct script play[] = {END};
    static const struct {
        const char *settings, *address;
        enum err_code code;
    } cases[] = {
        {"encrypt = always\n", "bob@example.test", E_NONE},
        {"encrypt = always\n", "dave@x.test", E_NOCERT},
        {"encrypt = ask\n", "dave@x.test", E_NONE},
        {"encrypt = never\n", "dave@x.test", E_NONE},
        {"encrypt = ask\n", "no address", E_INPUT},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char name[20];

        snprintf(name, sizeof name, "rcpt%zu", i);
        test_row(name);
        account(name, cases[i].settings);
        eas_server_play(play);
        done = (struct outcome){0};
        op_hold(&slot, outbox_check_recipient(w.ob, cases[i].address,
                                              on_outcome_done, &done));
        finish();
        CHECK_INT(done.err.code, cases[i].code);
        close_account();
    }
    test_row(NULL);
}

static void
by_hand(void)
{
    static const struct script away[] = {
        {.cmd = "SendMail", .status = 503, .headers = {"Retry-After: 300"}},
        END};
    static const struct script back[] = {OK, END};
    char id[16];
    struct err e;

    account("hand", NULL);
    eas_server_play(away);
    submit("bob@example.test", "");
    finish();
    CHECK(result.queued);
    memcpy(id, result.id, sizeof id);
    CHECK_INT(outbox_hold(w.ob, id, &e), 0);
    CHECK_INT(state_of(id), STORE_QUEUE_HELD);
    CHECK_INT(outbox_hold(w.ob, "000000000000", &e), -1);
    CHECK_INT(e.code, E_MISSING);
    /* Held over a restart, released by hand. */
    close_parts();
    open_parts(NULL);
    eas_server_play(back);
    outbox_start(w.ob);
    linger(100);
    CHECK_INT(nsent, 1);
    CHECK_INT(outbox_retry(w.ob, id, &e), 0);
    until_state(id, STORE_QUEUE_SENT);
    CHECK_INT(nsent, 2);
    CHECK_INT(w.looks, 0);
    linger(50);
    CHECK_INT(outbox_delete(w.ob, id, &e), -1);
    CHECK_INT(e.code, E_MISSING);
    /* Deleted: row and files. */
    eas_server_play(away);
    submit("carol@example.test", "");
    finish();
    CHECK(result.queued);
    CHECK_INT(outbox_delete(w.ob, result.id, &e), 0);
    CHECK_INT(state_of(result.id), -1);
    CHECK_INT(files(), 0);
    close_account();
}

/* ---- the server's policy ---- */

#define TYPE "<PolicyType>MS-EAS-Provisioning-WBXML</PolicyType>"
#define GIVE(key, doc) \
    "<Provision><Status>1</Status><Policies><Policy>" TYPE "<Status>1</Status>" \
    "<PolicyKey>" key "</PolicyKey><Data><EASProvisionDoc>" doc \
    "</EASProvisionDoc></Data></Policy></Policies></Provision>"
#define FINAL(key) \
    "<Provision><Status>1</Status><Policies><Policy>" TYPE "<Status>1</Status>" \
    "<PolicyKey>" key "</PolicyKey></Policy></Policies></Provision>"
#define SIGNED "<RequireSignedSMIMEMessages>1</RequireSignedSMIMEMessages>"
#define SEALED \
    "<RequireEncryptedSMIMEMessages>1</RequireEncryptedSMIMEMessages>"

/* It comes while a clear mail is on its way: that one never leaves, the same
 * message is decided anew. */
static void
policy_while_sending(void)
{
    static const struct script play[] = {
        {.cmd = "SendMail", .status = 449},
        {.cmd = "Provision", .xml = GIVE("11", SIGNED SEALED)},
        {.cmd = "Provision", .xml = FINAL("12")},
        OK, END};
    static const struct script none[] = {END};

    account("policy", NULL);
    eas_server_play(play);
    submit("bob@example.test", "");
    finish();
    CHECK_STR(done.err.text, "");
    CHECK_INT(nsent, 2); /* the first was turned away with 449 */
    CHECK(openssl_reads(1, "bob-enc", true));
    eas_server_play(none);
    submit("bob@example.test", "X-Sealpost: encrypt=no\r\n");
    finish();
    CHECK_INT(done.err.code, E_DENIED);
    CHECK(strstr(done.err.text, "RequireEncrypted") != NULL);
    submit("dave@x.test", "");
    finish();
    CHECK_INT(done.err.code, E_NOCERT);
    done = (struct outcome){0};
    op_hold(&slot, outbox_check_recipient(w.ob, "dave@x.test",
                                          on_outcome_done, &done));
    finish();
    CHECK_INT(done.err.code, E_NOCERT);
    CHECK_INT(nsent, 2);
    close_account();
}

/* The client leaves before the answer: the mail goes all the same. */
static void
client_leaves(void)
{
    static const struct script play[] = {OK, END};

    account("leaves", NULL);
    eas_server_play(play);
    submit("bob@example.test", "");
    op_cancel(&slot);
    until_sent(1);
    linger(100);
    CHECK_INT(done.runs, 0);
    CHECK_INT(files(), 0);
    CHECK_INT(rows(), 1);
    close_account();
}

/* ---- the lifetime ---- */

static int64_t inbox;

static void
inbox_open(void)
{
    struct store_folder_news news = {"1", "0", "Inbox", 2};
    struct err e = {0};

    CHECK_INT(store_folder_put(w.store, &news, &inbox, &e), 0);
    CHECK_INT(store_message_number(w.store, inbox, &e), 0);
    CHECK_STR(e.text, "");
}

/* One local message, readable, that names both and says why. */
static void
report_check(const char *why)
{
    struct arena *a = arena_new();
    struct store_snapshot snap;
    struct store_message m;
    struct buf b = BUF_INIT(1 << 20);
    struct mime_message *mime = NULL;
    struct err e = {0};

    CHECK_INT(store_snapshot_load(w.store, inbox, &snap, &e), 0);
    CHECK_INT(snap.n, 1);
    if (snap.n == 1 &&
        store_message_get(w.store, snap.entries[0].id, a, &m, &e) == 0) {
        CHECK(m.flags & STORE_LOCALONLY);
        CHECK_INT(m.collection, 0);
        CHECK_INT(store_body_read(w.store, m.id, &b, &e), 0);
        CHECK(strstr(b.data, why) && strstr(b.data, "bob@example.test"));
        CHECK(strstr(b.data, "<1@example.test>") != NULL);
        CHECK(!strstr(b.data, "plum"));
        CHECK_INT(mime_message_parse(buf_slice(&b), NULL, &mime, &e), 0);
        CHECK(mime_part_is(mime_message_root(mime), "multipart", "report"));
        CHECK_INT(mime_message_root(mime)->children, 3);
        mime_message_free(&mime);
    }
    buf_clear(&b);
    store_snapshot_clear(&snap);
    arena_free(&a);
}

static void
too_old(void)
{
    struct err e;

    static const struct script away[] = {
        {.cmd = "SendMail", .status = 503, .headers = {"Retry-After: 300"}},
        {.cmd = "SendMail", .status = 503, .headers = {"Retry-After: 300"}},
        END};

    account("old", "queue_lifetime = 1h\n");
    eas_server_play(away);
    submit("bob@example.test", "");
    finish();
    CHECK(result.queued);
    close_parts();
    now_fake(AT + 3700);
    open_parts("queue_lifetime = 1h\n");
    eas_server_play(away);
    outbox_start(w.ob);
    /* There is no INBOX yet to take the report: it stays. */
    linger(100);
    CHECK_INT(state_of(result.id), STORE_QUEUE_SEALED);
    inbox_open();
    CHECK_INT(outbox_retry(w.ob, result.id, &e), 0);
    until_state(result.id, -1);
    CHECK_INT(files(), 0);
    report_check("given up after queue_lifetime");
    close_account();
}

/* Refused after it had been taken over; and with an empty MAIL FROM, which
 * may be a report itself: no report. */
static void
refused_late(void)
{
    static const struct script away[] = {
        {.cmd = "SendMail", .status = 503, .headers = {"Retry-After: 300"}},
        END};
    static const struct script no[] = {
        {.cmd = "SendMail",
         .xml = "<SendMail><Status>107</Status></SendMail>"},
        END};
    struct err e;

    account("late", "encrypt = always\n");
    inbox_open();
    eas_server_play(away);
    submit("bob@example.test carol@example.test", "");
    finish();
    CHECK(result.queued);
    CHECK_INT(rows(), 2);
    close_parts();
    open_parts("encrypt = always\n");
    eas_server_play(no);
    outbox_start(w.ob);
    until_state(result.id, -1);
    CHECK_INT(rows(), 0);
    CHECK_INT(files(), 0);
    report_check("107");
    CHECK_INT(outbox_retry(w.ob, result.id, &e), -1);
    close_account();
}

static const struct test_case cases[] = {
    TEST(world_setup),
    TEST(accepted_clear),
    TEST(accepted_sealed),
    TEST(signed_only),
    TEST(signed_when_sealed),
    TEST(refused_here),
    TEST(from_of_others),
    TEST(refused_upstream),
    TEST(server_away),
    TEST(power_cut),
    TEST(lost_reply),
    TEST(lost_request),
    TEST(claims),
    TEST(killed_arrived),
    TEST(killed_not_arrived),
    TEST(came_again),
    TEST(answers),
    TEST(answers_refused),
    TEST(reply_guard),
    TEST(sealed_already),
    TEST(at_rcpt),
    TEST(by_hand),
    TEST(policy_while_sending),
    TEST(client_leaves),
    TEST(too_old),
    TEST(refused_late),
    TEST(world_teardown),
};
TEST_MAIN(cases)
