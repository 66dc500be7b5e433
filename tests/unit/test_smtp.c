/*
 * Room smtp, what needs no account: the command parser, the DATA machine,
 * SASL, replies, and what is added to a mail.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mime/header.h"
#include "smtp/command.h"
#include "smtp/data.h"
#include "smtp/private.h"
#include "smtp/reply.h"
#include "smtp/sasl.h"
#include "test.h"

/* ---- commands ---- */

static const struct {
    const char *line;
    int code; /* 0: understood */
    enum smtp_verb verb;
    const char *argument, *address, *initial;
    long long size; /* -1: none */
} commands[] = {
    {"EHLO client.example", 0, SMTP_EHLO, "client.example", "", NULL, -1},
    {"ehlo [127.0.0.1]", 0, SMTP_EHLO, "[127.0.0.1]", "", NULL, -1},
    {"EHLO", 501, 0, NULL, NULL, NULL, -1},
    {"EHLO two names", 501, 0, NULL, NULL, NULL, -1},
    {"HELO x ", 0, SMTP_HELO, "x", "", NULL, -1},
    {"MAIL FROM:<a@b.example>", 0, SMTP_MAIL, "", "a@b.example", NULL, -1},
    {"mail from: <a@b.example>", 0, SMTP_MAIL, "", "a@b.example", NULL, -1},
    {"MAIL FROM:<>", 0, SMTP_MAIL, "", "", NULL, -1},
    {"MAIL FROM:<> SIZE=0", 0, SMTP_MAIL, "", "", NULL, 0},
    {"MAIL FROM:<a@b.example> SIZE=1000 BODY=8BITMIME", 0, SMTP_MAIL, "",
     "a@b.example", NULL, 1000},
    {"MAIL FROM:<a@b.example> body=7bit AUTH=<>", 0, SMTP_MAIL, "",
     "a@b.example", NULL, -1},
    {"MAIL FROM:<@r.example,@s.example:a@b.example>", 0, SMTP_MAIL, "",
     "a@b.example", NULL, -1},
    {"MAIL FROM:<\"a > b\"@c.example>", 0, SMTP_MAIL, "",
     "\"a > b\"@c.example", NULL, -1},
    {"MAIL FROM:<\"a\\\"> b\"@c.example> SIZE=2", 0, SMTP_MAIL, "",
     "\"a\\\"> b\"@c.example", NULL, 2},
    {"MAIL FROM:<a@b.example> SIZE=99999999999999999999", 501, 0, NULL, NULL,
     NULL, -1},
    {"MAIL FROM:<a@b.example> SIZE=-1", 501, 0, NULL, NULL, NULL, -1},
    {"MAIL FROM:<a@b.example> SIZE", 501, 0, NULL, NULL, NULL, -1},
    {"MAIL FROM:<a@b.example> SIZE=", 501, 0, NULL, NULL, NULL, -1},
    {"MAIL FROM:<a@b.example> SIZE=1 SIZE=1", 501, 0, NULL, NULL, NULL, -1},
    {"MAIL FROM:<a@b.example> BODY=BINARYMIME", 501, 0, NULL, NULL, NULL, -1},
    {"MAIL FROM:<a@b.example> SMTPUTF8", 555, 0, NULL, NULL, NULL, -1},
    {"MAIL FROM:<a@b.example> RET=HDRS", 555, 0, NULL, NULL, NULL, -1},
    {"MAIL FROM:<a@b.example>SIZE=1", 501, 0, NULL, NULL, NULL, -1},
    {"MAIL FROM:<a@b.example> -X=1", 501, 0, NULL, NULL, NULL, -1},
    {"MAIL FROM:a@b.example", 501, 0, NULL, NULL, NULL, -1},
    {"MAIL FROM:<a@b.example", 501, 0, NULL, NULL, NULL, -1},
    {"MAIL FROM:<\"a@b.example>", 501, 0, NULL, NULL, NULL, -1},
    {"MAIL FROM:<a b@c.example>", 501, 0, NULL, NULL, NULL, -1},
    {"MAIL FROM:<@r.example:>", 501, 0, NULL, NULL, NULL, -1},
    {"MAIL FROM:<postmaster>", 501, 0, NULL, NULL, NULL, -1},
    {"MAIL FROM:<\xc3\xa4@b.example>", 553, 0, NULL, NULL, NULL, -1},
    {"MAIL TO:<a@b.example>", 501, 0, NULL, NULL, NULL, -1},
    {"MAIL", 501, 0, NULL, NULL, NULL, -1},
    {"RCPT TO:<a@b.example>", 0, SMTP_RCPT, "", "a@b.example", NULL, -1},
    {"RCPT TO:<a@[192.0.2.1]>", 0, SMTP_RCPT, "", "a@[192.0.2.1]", NULL, -1},
    {"RCPT TO:<>", 501, 0, NULL, NULL, NULL, -1},
    {"RCPT TO:<a@>", 501, 0, NULL, NULL, NULL, -1},
    {"RCPT TO:<a@b.example> NOTIFY=NEVER", 555, 0, NULL, NULL, NULL, -1},
    {"DATA", 0, SMTP_DATA, "", "", NULL, -1},
    {"DATA ", 0, SMTP_DATA, "", "", NULL, -1},
    {"DATA now", 501, 0, NULL, NULL, NULL, -1},
    {"RSET", 0, SMTP_RSET, "", "", NULL, -1},
    {"NOOP", 0, SMTP_NOOP, "", "", NULL, -1},
    {"noop a b", 0, SMTP_NOOP, "a b", "", NULL, -1},
    {"VRFY alice", 0, SMTP_VRFY, "alice", "", NULL, -1},
    {"HELP", 0, SMTP_HELP, "", "", NULL, -1},
    {"QUIT", 0, SMTP_QUIT, "", "", NULL, -1},
    {"QUIT x", 501, 0, NULL, NULL, NULL, -1},
    {"STARTTLS", 0, SMTP_STARTTLS, "", "", NULL, -1},
    {"STARTTLS x", 501, 0, NULL, NULL, NULL, -1},
    {"AUTH PLAIN", 0, SMTP_AUTH, "PLAIN", "", NULL, -1},
    {"AUTH plain AGEAYg==", 0, SMTP_AUTH, "plain", "", "AGEAYg==", -1},
    {"AUTH PLAIN =", 0, SMTP_AUTH, "PLAIN", "", "", -1},
    {"AUTH PLAIN a b", 501, 0, NULL, NULL, NULL, -1},
    {"AUTH", 501, 0, NULL, NULL, NULL, -1},
    {"BDAT 10 LAST", 502, 0, NULL, NULL, NULL, -1},
    {"EXPN list", 502, 0, NULL, NULL, NULL, -1},
    {"GET / HTTP/1.1", 500, 0, NULL, NULL, NULL, -1},
    {"", 500, 0, NULL, NULL, NULL, -1},
    {" EHLO x", 500, 0, NULL, NULL, NULL, -1},
    {"NOOP\r", 500, 0, NULL, NULL, NULL, -1},
    {"NOOP \x01", 500, 0, NULL, NULL, NULL, -1},
};

static void
check_slice(struct slice got, const char *want)
{
    char *text = slice_dup(got);

    CHECK_STR(text, want);
    free(text);
}

static void
test_commands(void)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        struct smtp_command cmd;
        struct smtp_reply bad = {0};
        int rc;

        test_row(commands[i].line);
        rc = smtp_command_parse(slice_of(commands[i].line), &cmd, &bad);
        CHECK_INT(rc ? bad.code : 0, commands[i].code);
        if (rc || commands[i].code) {
            CHECK(!rc || (bad.enhanced && bad.enhanced[0] == '5'));
            continue;
        }
        CHECK_INT(cmd.verb, commands[i].verb);
        check_slice(cmd.argument, commands[i].argument);
        check_slice(cmd.address, commands[i].address);
        CHECK_INT(cmd.initial.p != NULL, commands[i].initial != NULL);
        if (commands[i].initial)
            check_slice(cmd.initial, commands[i].initial);
        CHECK_INT(cmd.has_size ? (long long)cmd.size : -1, commands[i].size);
    }
    test_row(NULL);
}

static void
test_command_nul(void)
{
    struct smtp_command cmd;
    struct smtp_reply bad;

    CHECK_INT(smtp_command_parse(slice_make("NOOP\0x", 6), &cmd, &bad), -1);
    CHECK_INT(bad.code, 500);
}

static void
test_command_long_address(void)
{
    struct buf b = BUF_INIT(4096);
    struct smtp_command cmd;
    struct smtp_reply bad;

    buf_adds(&b, "RCPT TO:<a@");
    while (b.len < 600)
        buf_adds(&b, "label.");
    buf_adds(&b, "example>");
    CHECK_INT(smtp_command_parse(buf_slice(&b), &cmd, &bad), -1);
    CHECK_INT(bad.code, 501);
    buf_clear(&b);
}

/* ---- DATA ---- */

static const struct {
    const char *name, *in, *out, *rest;
    bool bare, nul;
} texts[] = {
    {"plain", "a\r\nb\r\n.\r\nQUIT", "a\r\nb\r\n", "QUIT", false, false},
    {"empty", ".\r\nX", "", "X", false, false},
    {"one empty line", "\r\n.\r\n", "\r\n", "", false, false},
    {"dots", "..\r\n...\r\n.a\r\n.\r\n", ".\r\n..\r\na\r\n", "", false, false},
    {"dots inside", "a.\r\na..b\r\n.\r\n", "a.\r\na..b\r\n", "", false,
     false},
    {"LF.LF is no end", "a\n.\nb\r\n.\r\n", "a\r\n.\r\nb\r\n", "", true,
     false},
    {"LF.CRLF is no end", "a\n.\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n", "", true,
     false},
    {"CR.CRLF is no end", "a\r.\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n", "", true,
     false},
    {"CRLF.LF is no end", "a\r\n.\nb\r\n.\r\n", "a\r\n\r\nb\r\n", "", true,
     false},
    {"CRLF.CR is no end", "a\r\n.\rb\r\n.\r\n", "a\r\n\r\nb\r\n", "", true,
     false},
    {"CRCRLF", "a\r\r\n.\r\n", "a\r\n\r\n", "", true, false},
    {"bare LF", "a\nb\r\n.\r\n", "a\r\nb\r\n", "", true, false},
    {"bare CR", "a\rb\r\n.\r\n", "a\r\nb\r\n", "", true, false},
    {"LF CR", "a\n\rb\r\n.\r\n", "a\r\n\r\nb\r\n", "", true, false},
    {"8 bit", "\xe4\r\n.\r\n", "\xe4\r\n", "", false, false},
};

/* In pieces of `piece` bytes; what is behind the end goes to *rest. */
static int
feed(struct smtp_data *d, struct slice in, size_t piece, struct buf *out,
     struct slice *rest)
{
    int rc = 0;

    smtp_data_init(d);
    while (rc == 0 && in.n) {
        struct slice part = slice_cut(in, 0, piece);
        size_t used;

        rc = smtp_data_feed(d, part, out, &used);
        CHECK(rc || used == part.n);
        in = slice_from(in, used);
    }
    *rest = in;
    return rc;
}

static void
test_text(void)
{
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        for (size_t piece = 1; piece < 9; piece++) {
            struct buf out = BUF_INIT(1000);
            struct smtp_data d;
            struct slice rest;

            test_row(texts[i].name);
            CHECK_INT(feed(&d, slice_of(texts[i].in), piece, &out, &rest), 1);
            check_slice(buf_slice(&out), texts[i].out);
            check_slice(rest, texts[i].rest);
            CHECK_INT(d.bare, texts[i].bare);
            CHECK_INT(d.bytes, out.len);
            CHECK(!d.nul && !d.wide);
            buf_clear(&out);
        }
    test_row(NULL);
}

static void
test_data_open(void)
{
    static const char *const open[] = {"", "a", "a\r\n", "a\r\n.", "a\r\n.\r",
                                       ".\n", ".\n.\n", "\n.\r\n", ". \r\n"};

    for (size_t i = 0; i < ARRAY_LEN(open); i++) {
        struct buf out = BUF_INIT(100);
        struct smtp_data d;
        struct slice rest;

        test_row(open[i]);
        CHECK_INT(feed(&d, slice_of(open[i]), 1, &out, &rest), 0);
        buf_clear(&out);
    }
    test_row(NULL);
}

static void
test_data_limits(void)
{
    struct buf in = BUF_INIT((size_t)8 << 20), out = BUF_INIT(100);
    struct smtp_data d;
    struct slice rest;

    CHECK_INT(feed(&d, slice_make("a\0b\r\n.\r\n", 8), 100, NULL, &rest), 1);
    CHECK(d.nul);
    while (in.len < SMTP_LINE_WARN)
        buf_addc(&in, 'x');
    buf_adds(&in, "\r\n.\r\n");
    CHECK_INT(feed(&d, buf_slice(&in), 7, NULL, &rest), 1);
    CHECK(!d.long_line);
    buf_reset(&in);
    while (in.len < SMTP_LINE_MAX)
        buf_addc(&in, 'x');
    buf_adds(&in, "\r\n");
    buf_adds(&in, "y\r\n.\r\n");
    CHECK_INT(feed(&d, buf_slice(&in), 4096, NULL, &rest), 1);
    CHECK(d.long_line && !d.wide);
    CHECK_INT(d.bytes, SMTP_LINE_MAX + 5);
    CHECK_INT(feed(&d, buf_slice(&in), 4096, &out, &rest), 1);
    CHECK(out.over);
    buf_reset(&in);
    while (in.len < SMTP_LINE_MAX + 1)
        buf_addc(&in, 'x');
    buf_adds(&in, "\r\n.\r\n");
    CHECK_INT(feed(&d, buf_slice(&in), 4096, NULL, &rest), 1);
    CHECK(d.wide);
    buf_clear(&in);
    buf_clear(&out);
}

/* ---- SASL ---- */

static void
test_sasl(void)
{
    static const struct {
        const char *text;
        size_t n;
        int code;
        const char *login, *password;
    } rows[] = {
        {"\0alice\0secret", 13, 0, "alice", "secret"},
        {"alice\0alice\0secret", 18, 0, "alice", "secret"},
        {"bob\0alice\0secret", 16, 535, NULL, NULL},
        {"\0alice\0", 7, 501, NULL, NULL},
        {"\0\0secret", 8, 501, NULL, NULL},
        {"\0alice", 6, 501, NULL, NULL},
        {"alice", 5, 501, NULL, NULL},
        {"", 0, 501, NULL, NULL},
        {"\0a\0b\0c", 6, 501, NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice login, password;
        struct smtp_reply bad;
        int rc = smtp_sasl_plain(slice_make(rows[i].text, rows[i].n), &login,
                                 &password, &bad);

        CHECK_INT(rc ? bad.code : 0, rows[i].code);
        if (rc == 0) {
            check_slice(login, rows[i].login);
            check_slice(password, rows[i].password);
        }
    }
}

static void
test_sasl_decode(void)
{
    struct buf out = BUF_INIT(SMTP_SASL_MAX), big = BUF_INIT(1 << 20);
    struct smtp_reply bad;

    CHECK_INT(smtp_sasl_decode(slice_of("YWxpY2U="), &out, &bad), 0);
    CHECK_STR(out.data, "alice");
    CHECK_INT(smtp_sasl_decode(slice_of("*"), &out, &bad), -1);
    CHECK_INT(bad.code, 501);
    CHECK_INT(smtp_sasl_decode(slice_of("YWxp Y2U="), &out, &bad), -1);
    CHECK_INT(smtp_sasl_decode(slice_of("YWx"), &out, &bad), -1);
    CHECK_INT(smtp_sasl_decode(SLICE_NONE, &out, &bad), 0);
    CHECK_INT(out.len, 0);
    while (big.len < 16000)
        buf_adds(&big, "AAAA");
    CHECK_INT(smtp_sasl_decode(buf_slice(&big), &out, &bad), -1);
    buf_wipe(&out);
    buf_clear(&big);
}

/* ---- replies ---- */

static void
test_reply_table(void)
{
    static const struct {
        enum err_code code;
        enum smtp_reply_at at;
        int want;
        const char *enhanced;
    } rows[] = {
        {E_RETRY, SMTP_AT_MESSAGE, 451, "4.4.1"},
        {E_LOGIN, SMTP_AT_MESSAGE, 451, "4.7.0"},
        {E_LOCKED, SMTP_AT_MESSAGE, 451, "4.7.0"},
        {E_DENIED, SMTP_AT_COMMAND, 550, "5.7.1"},
        {E_NOCERT, SMTP_AT_RCPT, 550, "5.7.5"},
        {E_NOCERT, SMTP_AT_MESSAGE, 554, "5.7.5"},
        {E_CRYPTO, SMTP_AT_MESSAGE, 554, "5.7.5"},
        {E_INPUT, SMTP_AT_RCPT, 501, "5.5.4"},
        {E_INPUT, SMTP_AT_MESSAGE, 554, "5.6.0"},
        {E_MISSING, SMTP_AT_RCPT, 550, "5.1.1"},
        {E_LIMIT, SMTP_AT_MESSAGE, 552, "5.3.4"},
        {E_FULL, SMTP_AT_MESSAGE, 452, "4.3.1"},
        {E_QUOTA, SMTP_AT_MESSAGE, 452, "4.2.2"},
        {E_REMOTE, SMTP_AT_MESSAGE, 554, "5.0.0"},
        {E_BUG, SMTP_AT_MESSAGE, 451, "4.3.0"},
        {E_CANCELED, SMTP_AT_MESSAGE, 451, "4.3.0"},
        {E_NONE, SMTP_AT_MESSAGE, 451, "4.3.0"},
        {(enum err_code)99, SMTP_AT_MESSAGE, 451, "4.3.0"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {.code = rows[i].code, .text = "why"};
        struct smtp_reply r;

        smtp_reply_of(&e, rows[i].at, &r);
        CHECK_INT(r.code, rows[i].want);
        CHECK_STR(r.enhanced, rows[i].enhanced);
        CHECK_STR(r.text, "why");
    }
}

static void
test_reply_write(void)
{
    char line[SMTP_REPLY_LINE + 1];
    struct smtp_reply r;
    unsigned n;

    smtp_reply_set(&r, 550, "5.1.1", "no\r\n250 \x7f \xc3\xa4");
    n = smtp_reply_write(&r, line);
    CHECK_STR(line, "550 5.1.1 no  250   ??\r\n");
    CHECK_INT(n, strlen(line));
    smtp_reply_set(&r, 334, NULL, "%s", "");
    smtp_reply_write(&r, line);
    CHECK_STR(line, "334 \r\n");
    memset(r.text, 'x', sizeof r.text - 1);
    r.text[sizeof r.text - 1] = '\0';
    n = smtp_reply_write(&r, line);
    CHECK(n <= SMTP_REPLY_LINE && strcmp(line + n - 2, "\r\n") == 0);
}

/* ---- what is added ---- */

static void
test_trace(void)
{
    struct buf b = BUF_INIT(1000);

    smtp_receive_trace("192.0.2.1", true, 0, &b);
    CHECK_STR(b.data, "Received: from [192.0.2.1] by localhost with ESMTPSA; "
                      "Thu, 01 Jan 1970 00:00:00 +0000\r\n");
    buf_reset(&b);
    smtp_receive_trace("::1", false, 0, &b);
    CHECK_STR(b.data, "Received: from [IPv6:::1] by localhost with ESMTPA; "
                      "Thu, 01 Jan 1970 00:00:00 +0000\r\n");
    buf_clear(&b);
}

static void
test_complete(void)
{
    static const struct {
        const char *text;
        bool id, date; /* is added */
    } rows[] = {
        {"Subject: x\r\n\r\nMessage-ID: <body@x>\r\nDate: no\r\n", true, true},
        {"Message-ID: <a@b>\r\n\r\n", false, true},
        {"date: Thu, 01 Jan 1970 00:00:00 +0000\r\n\r\n", true, false},
        {"Message-Id: <a@b>\r\nDate: x\r\n\r\nbody\r\n", false, false},
        {"\r\nbody\r\n", true, true},
        {"", true, true},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = BUF_INIT(2000);
        struct smtp_reply bad;
        struct mime_field f;
        struct slice all;

        test_row(rows[i].text);
        buf_adds(&b, "X-Head: 1\r\n");
        buf_adds(&b, rows[i].text);
        CHECK_INT(smtp_receive_complete(&b, 11, "b.example", 0, &bad), 0);
        all = buf_slice(&b);
        CHECK(slice_starts(all, "X-Head: 1\r\n"));
        CHECK(slice_ends(all, rows[i].text));
        all.n = mime_header_length(all);
        CHECK_INT(mime_header_count(all, "Message-ID"), 1);
        CHECK_INT(mime_header_count(all, "Date"), 1);
        if (rows[i].id && mime_header_find(all, "Message-ID", 0, &f))
            CHECK(slice_ends(slice_trim(f.value), "@b.example>"));
        if (!rows[i].id && !rows[i].date)
            CHECK_INT(b.len, 11 + strlen(rows[i].text));
        buf_clear(&b);
    }
    test_row(NULL);
}

static void
test_circles(void)
{
    struct buf b = BUF_INIT(20000);
    struct smtp_reply bad;

    for (unsigned i = 0; i < SMTP_HOPS_MAX; i++)
        buf_adds(&b, "Received: from x by y; z\r\n");
    buf_adds(&b, "\r\n");
    CHECK_INT(smtp_receive_complete(&b, 0, "b.example", 0, &bad), 0);
    buf_reset(&b);
    for (unsigned i = 0; i <= SMTP_HOPS_MAX; i++)
        buf_adds(&b, "Received: from x by y; z\r\n");
    buf_adds(&b, "\r\n");
    CHECK_INT(smtp_receive_complete(&b, 0, "b.example", 0, &bad), -1);
    CHECK_INT(bad.code, 554);
    buf_clear(&b);
}

static const struct test_case cases[] = {
    TEST(test_commands),    TEST(test_command_nul),
    TEST(test_command_long_address),
    TEST(test_text),        TEST(test_data_open),
    TEST(test_data_limits), TEST(test_sasl),
    TEST(test_sasl_decode), TEST(test_reply_table),
    TEST(test_reply_write), TEST(test_trace),
    TEST(test_complete),    TEST(test_circles),
};
TEST_MAIN(cases)
