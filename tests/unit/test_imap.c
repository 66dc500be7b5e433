/*
 * The parsers of the IMAP door, table driven; no client and no network.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "imap/append.h"
#include "imap/command.h"
#include "imap/compact.h"
#include "imap/envelope.h"
#include "imap/fetch.h"
#include "imap/flags.h"
#include "imap/input.h"
#include "imap/list.h"
#include "imap/private.h"
#include "imap/search.h"
#include "imap/status.h"
#include "imap/utf7.h"
#include "store/message.h"
#include "test.h"

/* ---- commands: what is taken and what is BAD ---- */

static const struct {
    const char *text;
    bool good;
} lines[] = {
    {"a NOOP", true},
    {"a noop", true},
    {"a NOOP ", false},
    {"a  NOOP", false},
    {"", false},
    {"a", false},
    {" NOOP", false},
    {"a+b NOOP", false},
    {"a]b NOOP", true},
    {"a FROBNICATE", false},
    {"a UID NOOP", false},
    {"a LOGIN u p", true},
    {"a LOGIN \"u\" \"p \\\"\\\\\"", true},
    {"a LOGIN \"u\" \"p\\x\"", false},
    {"a LOGIN {1}\r\nu {2+}\r\npw", true},
    {"a LOGIN {3}\r\nu", false},
    {"a LOGIN u", false},
    {"a LOGIN u p q", false},
    {"a AUTHENTICATE PLAIN", true},
    {"a AUTHENTICATE PLAIN AGEAYg==", true},
    {"a SELECT INBOX", true},
    {"a SELECT \"a b\"", true},
    {"a SELECT a(b", false},
    {"a SELECT \"&\"", false},
    {"a SELECT &ZeVnLIqe-", true},
    {"a EXAMINE {5}\r\nINBOX", true},
    {"a CREATE \"\"", true},
    {"a RENAME a b", true},
    {"a RENAME a", false},
    {"a LIST \"\" *", true},
    {"a LIST \"\" \"\"", true},
    {"a LIST \"\" %/%", true},
    {"a LIST (SUBSCRIBED) \"\" (\"a\" \"b*\") RETURN (CHILDREN STATUS "
     "(MESSAGES UNSEEN))", true},
    {"a LIST (RECURSIVEMATCH) \"\" *", false},
    {"a LIST (FOO) \"\" *", false},
    {"a LIST \"\" * RETURN (SPECIAL-USE)", true},
    {"a LSUB \"\" *", true},
    {"a LSUB (SUBSCRIBED) \"\" *", false},
    {"a STATUS INBOX (MESSAGES UIDNEXT SIZE)", true},
    {"a STATUS INBOX ()", false},
    {"a STATUS INBOX (WHATEVER)", false},
    {"a APPEND Sent {3}\r\nabc", true},
    {"a APPEND Sent (\\Seen $Forwarded foo) \" 1-Feb-2020 10:00:00 +0100\" "
     "{3+}\r\nabc", true},
    {"a APPEND Sent (\\Recent) {3}\r\nabc", false},
    {"a APPEND Sent \"1-Feb-2020\" {3}\r\nabc", false},
    {"a APPEND Sent abc", false},
    {"a EXPUNGE", true},
    {"a UID EXPUNGE 1:*", true},
    {"a UID EXPUNGE", false},
    {"a STORE 1 FLAGS (\\Seen)", true},
    {"a STORE 1 +FLAGS \\Seen \\Deleted", true},
    {"a STORE 1 -FLAGS.SILENT ()", true},
    {"a STORE 1 +FLAGS (\\Foo)", false},
    {"a STORE 0 +FLAGS (\\Seen)", false},
    {"a STORE 1 FLAGZ (\\Seen)", false},
    {"a COPY 1,3:5,* Trash", true},
    {"a MOVE 1: Trash", false},
    {"a UID MOVE 4294967295 Trash", true},
    {"a UID MOVE 4294967296 Trash", false},
    {"a FETCH 1 ALL", true},
    {"a FETCH 1 (ALL)", false},
    {"a FETCH 1 FLAGS", true},
    {"a FETCH 1 (FLAGS UID)", true},
    {"a FETCH 1 ()", false},
    {"a FETCH 1 BODY[]", true},
    {"a FETCH 1 BODY.PEEK[1.2.HEADER.FIELDS (From \"To\")]<0.10>", true},
    {"a FETCH 1 BODY[HEADER.FIELDS]", false},
    {"a FETCH 1 BODY[HEADER.FIELDS ()]", false},
    {"a FETCH 1 BODY[MIME]", false},
    {"a FETCH 1 BODY[.HEADER]", false},
    {"a FETCH 1 BODY[1.\r\n]", false},
    {"a FETCH 1 BODY[1..2]", false},
    {"a FETCH 1 BODY[]<0.0>", false},
    {"a FETCH 1 BODY[]<5>", false},
    {"a FETCH 1 RFC822.HEADER", true},
    {"a FETCH 1 RFC822[]", false},
    {"a FETCH 1 BODYSTRUCTURE", true},
    {"a UID FETCH 1:* (FLAGS BODY.PEEK[HEADER])", true},
    {"a SEARCH ALL", true},
    {"a SEARCH", false},
    {"a SEARCH CHARSET UTF-8 TEXT {2}\r\n\303\274", true},
    {"a SEARCH TEXT \"\303\274\"", false},
    {"a SEARCH OR SEEN NOT (DELETED FROM \"x\")", true},
    {"a SEARCH OR SEEN", false},
    {"a SEARCH BEFORE 1-Feb-1994 ON \"01-Jan-2020\"", true},
    {"a SEARCH SINCE 1994-02-01", false},
    {"a SEARCH RETURN (MIN MAX COUNT) 1:5 UID 7", true},
    {"a SEARCH RETURN () ALL", true},
    {"a SEARCH RETURN (FOO) ALL", false},
    {"a SEARCH HEADER Message-ID <x@y> LARGER 100 KEYWORD foo", true},
    {"a SEARCH LARGER x", false},
    {"a ID NIL", true},
    {"a ID (\"name\" \"x\" \"os\" NIL)", true},
    {"a ID (\"name\")", false},
    {"a ENABLE CONDSTORE QRESYNC", true},
    {"a ENABLE", false},
    {"a IDLE now", false},
};

static void
test_lines(void)
{
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct imap_command cmd = {.arena = arena_new()};
        size_t n = strlen(lines[i].text);
        char *text = xmemdup(lines[i].text, n);
        struct err e = {0};
        int rc = imap_command_parse(&cmd, text, n, &e);

        test_row(lines[i].text);
        CHECK_INT(rc, lines[i].good ? 0 : -1);
        if (rc)
            CHECK(e.code == E_INPUT || e.code == E_MISSING);
        free(text);
        arena_free(&cmd.arena);
    }
    test_row(NULL);
}

/* Parses; the caller frees the arena (and the text, which is in it). */
static struct imap_command
parsed(const char *line)
{
    struct imap_command cmd = {.arena = arena_new()};
    char *text = arena_strdup(cmd.arena, line);
    struct err e = {0};

    if (!CHECK_INT(imap_command_parse(&cmd, text, strlen(text), &e), 0))
        exit(1);
    return cmd;
}

static void
test_fetch_items(void)
{
    struct imap_command cmd = parsed(
        "x UID FETCH 3,1:2,9:* (RFC822.SIZE BODY[1.HEADER.FIELDS (A b)]<5.7> "
        "BODY.PEEK[TEXT])");
    struct imap_fetch_args *a = cmd.args;

    CHECK(cmd.uid);
    CHECK_STR(cmd.tag, "x");
    REQUIRE(a->n == 4);
    CHECK_INT(a->items[0].kind, IMAP_ITEM_UID);
    CHECK_STR(a->items[2].label, "BODY[1.HEADER.FIELDS (A b)]<5>");
    CHECK_INT(a->items[2].from, 5);
    CHECK_INT(a->items[2].length, 7);
    CHECK_INT(a->items[2].n_names, 2);
    CHECK_STR(a->items[3].label, "BODY[TEXT]");
    CHECK(a->sees && a->needs_record && a->needs_view && !a->needs_row);
    imap_set_settle(&a->set, 5);
    CHECK_INT(a->set.n, 2); /* 1:3 and 5:9 */
    CHECK(imap_set_has(&a->set, 3) && !imap_set_has(&a->set, 4) &&
          imap_set_has(&a->set, 5) && imap_set_has(&a->set, 9) &&
          !imap_set_has(&a->set, 10) && !imap_set_has(&a->set, 0));
    arena_free(&cmd.arena);
    cmd = parsed("x FETCH 1 BODY.PEEK[]");
    CHECK(!((struct imap_fetch_args *)cmd.args)->sees);
    arena_free(&cmd.arena);
}

static void
test_append_args(void)
{
    struct imap_command cmd = parsed(
        "x APPEND \"Sent Items\" (\\Seen work $Forwarded) "
        "\"02-Jan-2006 15:04:05 +0100\" {3}\r\nabc");
    struct imap_append_args *a = cmd.args;

    CHECK_STR(a->mailbox, "Sent Items");
    CHECK_INT(a->flags.flags, STORE_SEEN | STORE_FORWARDED);
    CHECK_STR(a->flags.keywords, "work");
    CHECK_INT(a->date, 1136210645);
    CHECK(slice_is(a->message, "abc"));
    arena_free(&cmd.arena);
}

/* ---- modified UTF-7 ---- */

static const struct {
    const char *wire, *utf8; /* utf8 NULL: refused */
} names[] = {
    {"INBOX", "INBOX"},
    {"a&-b", "a&b"},
    {"Entw&APw-rfe", "Entw\303\274rfe"},
    {"~peter/mail/&U,BTFw-/&ZeVnLIqe-",
     "~peter/mail/\345\217\260\345\214\227/\346\227\245\346\234\254\350\252\236"},
    {"&2D3eAA-", "\360\237\230\200"},
    {"&", NULL},
    {"&AGE-", NULL},          /* "a" in base64 */
    {"&APw", NULL},
    {"&2D0-", NULL},          /* half a pair */
    {"&APwA5A-&APw-", NULL},  /* two runs where one will do */
    {"\303\274", NULL},
    {"&AAA-", NULL},          /* NUL */
};

static void
test_utf7(void)
{
    struct arena *a = arena_new();

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *got = NULL;
        struct buf b = BUF_INIT(1000);
        struct err e;
        int rc = imap_utf7_decode(slice_of(names[i].wire), a, &got, &e);

        test_row(names[i].wire);
        CHECK_INT(rc, names[i].utf8 ? 0 : -1);
        if (rc == 0) {
            CHECK_STR(got, names[i].utf8);
            imap_utf7_encode(got, &b);
            CHECK_STR(b.data, names[i].wire);
        }
        buf_clear(&b);
    }
    test_row(NULL);
    arena_free(&a);
}

static void
test_names_quoted(void)
{
    struct buf b = BUF_INIT(1000);

    imap_utf7_write("plain", &b);
    buf_addc(&b, '|');
    imap_utf7_write("a b", &b);
    buf_addc(&b, '|');
    imap_utf7_write("q\"\\", &b);
    buf_addc(&b, '|');
    imap_utf7_write("nil", &b);
    CHECK_STR(b.data, "plain|\"a b\"|\"q\\\"\\\\\"|\"nil\"");
    buf_clear(&b);
}

/* ---- wildcards ---- */

static const struct {
    const char *pattern, *name;
    bool yes;
} globs[] = {
    {"*", "a/b/c", true},      {"%", "a", true},
    {"%", "a/b", false},       {"%/%", "a/b", true},
    {"a*c", "a/b/c", true},    {"a%c", "a/b/c", false},
    {"*b%", "a/b/bx", true},   {"*b%", "a/b/c", false},
    {"%b*d", "ab/c/d", true},  {"", "", true},
    {"", "a", false},          {"INBOX", "INBOX", true},
    {"*%", "a/b", true},       {"a/%", "a/", true},
    {"%%%", "abc", true},      {"*/x", "a/b/x", true},
    {"a%/c*", "ab/cd/e", true}, {"inb%", "INBOX", true},
    {"inbox/a*", "INBOX/ab", true}, {"INBOX/A*", "INBOX/ab", false},
    {"inboxes", "INBOXES", false},
};

static void
test_globs(void)
{
    for (size_t i = 0; i < ARRAY_LEN(globs); i++) {
        test_row(globs[i].pattern);
        CHECK_INT(imap_mailbox_match(globs[i].pattern, globs[i].name),
                  globs[i].yes);
    }
    test_row(NULL);
}

/* ---- input: bytes to commands, in any pieces ---- */

/* Feeds `bytes` in pieces of `step`; notes events as letters. */
static void
feed(const char *bytes, size_t n, size_t step, struct buf *out)
{
    struct imap_input in;

    imap_input_init(&in, 100);
    for (size_t at = 0; at < n;) {
        size_t used, k = n - at < step ? n - at : step;
        enum imap_input_event what =
            imap_input_feed(&in, slice_make(bytes + at, k), &used);

        at += used;
        if (what == IMAP_INPUT_LITERAL) {
            buf_addf(out, "L%u%s,", (unsigned)in.size, in.plus ? "+" : "");
            if (in.size == 7)
                imap_input_skip(&in);
            else if (!imap_input_take(&in, in.size == 300)) {
                buf_adds(out, "no,");
                imap_input_skip(&in);
            }
        } else if (what == IMAP_INPUT_COMMAND) {
            buf_addf(out, "C%zu%s%s,", in.text.len, in.bare ? "b" : "",
                     in.skipped ? "s" : "");
            imap_input_reset(&in);
        } else if (what == IMAP_INPUT_LONG) {
            buf_adds(out, "long");
            break;
        }
    }
    imap_input_reset(&in);
}

static void
test_input(void)
{
    static const struct {
        const char *bytes, *want;
    } rows[] = {
        {"a NOOP\r\nb NOOP\r\n", "C6,C6,"},
        {"a NOOP\nb NOOP\r\n", "C6b,C6,"},
        {"a L {3}\r\nabc x\r\n", "L3,C14,"},
        {"a L {3+}\r\na\r\n {2}\r\nxy\r\n", "L3+,L2,C21,"},
        {"a L \"{3}\r\n", "C8,"},
        {"a L \"x\" {3}\r\nabc\r\n", "L3,C16,"},
        {"a L {0}\r\n\r\n", "L0,C9,"},
        {"a L {7}\r\n1234567 x\r\n", "L7,C11s,"},
        {"a L {99}\r\n", "L99,no,"},
        {"a L {99999999999}\r\n", "C17,"},
        {"a L {+}\r\n", "C7,"},
        {"a L {3}x\r\n", "C8,"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t step = 1; step < 30; step += 7) {
            struct buf b = BUF_INIT(1000);

            test_row(rows[i].bytes);
            feed(rows[i].bytes, strlen(rows[i].bytes), step, &b);
            CHECK_STR(b.data, rows[i].want);
            buf_clear(&b);
        }
    test_row(NULL);
}

static void
test_input_limits(void)
{
    struct buf line = BUF_INIT(2000), b = BUF_INIT(1000);

    for (int i = 0; i < 120; i++)
        buf_addc(&line, 'x');
    feed(line.data, line.len, 50, &b);
    CHECK_STR(b.data, "long");
    buf_clear(&b);
    buf_reset(&line);
    /* A message does not count against the line. */
    buf_adds(&line, "a APPEND x {300}\r\n");
    for (int i = 0; i < 300; i++)
        buf_addc(&line, 'y');
    buf_adds(&line, "\r\n");
    feed(line.data, line.len, 13, &b);
    CHECK_STR(b.data, "L300,C318,");
    buf_clear(&b);
    buf_clear(&line);
}

/* ---- searching ---- */

static void
test_needle(void)
{
    static const struct {
        const char *needle, *text;
        bool yes;
    } rows[] = {
        {"", "", true},          {"abc", "xABCx", true},
        {"abc", "ab", false},    {"aab", "aaaab", true},
        {"abab", "abaabab", true}, {"abac", "abababac", true},
        {"abac", "ababab", false},
    };
    struct arena *a = arena_new();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct imap_needle nd;

        test_row(rows[i].needle);
        imap_needle_make(&nd, slice_of(rows[i].needle), a);
        CHECK_INT(imap_needle_in(&nd, slice_of(rows[i].text)), rows[i].yes);
    }
    test_row(NULL);
    arena_free(&a);
}

static void
test_envelope(void)
{
    static const char text[] =
        "(\"Mon, 2 Jan 2006 15:04:05 +0100\" \"=?utf-8?q?Gr=C3=BC=C3=9Fe?=\" "
        "((\"Alice \\\"A\\\"\" NIL \"alice\" \"example.test\")"
        "(NIL NIL \"b\" \"c.test\")) NIL NIL ((NIL NIL {3}\r\nbob \"x\")) NIL "
        "NIL \"<r@x>\" \"<m@x>\")";
    struct arena *a = arena_new();
    struct slice s;

    REQUIRE(imap_envelope_text(text, IMAP_ENVELOPE_SUBJECT, a, &s));
    CHECK(slice_is(s, "Gr\303\274\303\237e"));
    REQUIRE(imap_envelope_text(text, IMAP_ENVELOPE_FROM, a, &s));
    CHECK(slice_is(s, "Alice \"A\" <alice@example.test>, <b@c.test>"));
    REQUIRE(imap_envelope_text(text, IMAP_ENVELOPE_TO, a, &s));
    CHECK(slice_is(s, "<bob@x>"));
    REQUIRE(imap_envelope_text(text, IMAP_ENVELOPE_CC, a, &s));
    CHECK_INT(s.n, 0);
    REQUIRE(imap_envelope_text(text, IMAP_ENVELOPE_MESSAGE_ID, a, &s));
    CHECK(slice_is(s, "<m@x>"));
    CHECK(!imap_envelope_text("NIL", IMAP_ENVELOPE_FROM, a, &s));
    arena_free(&a);
}

/* The tree, against what is known of a message without opening it. */
static void
test_match(void)
{
    static const struct store_message row = {
        .keywords = "home work",
        .received = 1136210645, /* 2006-01-02 */
        .from = "Alice <alice@example.test>",
        .to = "",
        .cc = "",
        .subject = "Lunch",
        .body = STORE_BODY_ABSENT,
    };
    static const struct {
        const char *keys;
        enum imap_match early, listed;
    } rows[] = {
        {"ALL", IMAP_YES, IMAP_YES},
        {"SEEN", IMAP_YES, IMAP_YES},
        {"UNSEEN", IMAP_NO, IMAP_NO},
        {"NOT SEEN", IMAP_NO, IMAP_NO},
        {"NEW", IMAP_NO, IMAP_NO},
        {"OLD", IMAP_YES, IMAP_YES},
        {"KEYWORD work", IMAP_UNKNOWN, IMAP_YES},
        {"UNKEYWORD work", IMAP_UNKNOWN, IMAP_NO},
        {"KEYWORD $Forwarded", IMAP_NO, IMAP_NO},
        {"3", IMAP_YES, IMAP_YES},
        {"1:2,4:*", IMAP_NO, IMAP_NO},
        {"UID 30", IMAP_YES, IMAP_YES},
        {"ON 2-Jan-2006", IMAP_UNKNOWN, IMAP_YES},
        {"BEFORE 2-Jan-2006", IMAP_UNKNOWN, IMAP_NO},
        {"SINCE 2-Jan-2006", IMAP_UNKNOWN, IMAP_YES},
        {"SUBJECT lunch", IMAP_UNKNOWN, IMAP_YES},
        {"FROM bob", IMAP_UNKNOWN, IMAP_NO},
        {"BCC bob", IMAP_UNKNOWN, IMAP_UNKNOWN},
        {"TEXT x", IMAP_UNKNOWN, IMAP_UNKNOWN},
        {"NOT TEXT x", IMAP_UNKNOWN, IMAP_UNKNOWN},
        {"UNSEEN TEXT x", IMAP_NO, IMAP_NO},
        {"OR SEEN TEXT x", IMAP_YES, IMAP_YES},
        {"OR UNSEEN TEXT x", IMAP_UNKNOWN, IMAP_UNKNOWN},
        {"LARGER 5", IMAP_UNKNOWN, IMAP_UNKNOWN},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *line = xasprintf("a SEARCH %s", rows[i].keys);
        struct imap_command cmd = parsed(line);
        struct imap_search_args *a = cmd.args;
        struct imap_candidate c = {.number = 3, .uid = 30,
                                   .flags = STORE_SEEN, .arena = cmd.arena};

        test_row(rows[i].keys);
        for (struct imap_key *k = a->key->child; k; k = k->next)
            imap_set_settle(&k->set, 5);
        CHECK_INT(imap_match(a->key, &c), rows[i].early);
        c.row = &row;
        c.missing = true;
        CHECK_INT(imap_match(a->key, &c), rows[i].listed);
        arena_free(&cmd.arena);
        free(line);
    }
    test_row(NULL);
}

/* ---- answers ---- */

static void
test_answers(void)
{
    static const uint32_t uids[] = {1, 2, 3, 7, 9, 10};
    struct buf b = BUF_INIT(1000);

    imap_uids_write(uids, ARRAY_LEN(uids), &b);
    CHECK_STR(b.data, "1:3,7,9:10");
    buf_reset(&b);
    imap_flags_write(STORE_SEEN | STORE_FORWARDED, "work", &b);
    CHECK_STR(b.data, "\\Seen $Forwarded work");
    buf_clear(&b);
    for (int code = E_RETRY; code < ERR_CODES; code++) {
        struct err e = {.code = (enum err_code)code};
        const char *rc, *kind = imap_reply_kind(&e, &rc);

        CHECK((kind == NULL) == (code == E_CANCELED));
    }
}

/* ---- the numbering of a client that idles ---- */

static void
test_compact(void)
{
    enum { N = 5000 };
    struct imap_entry *in = xcalloc(N + 2, sizeof *in);
    struct imap_entry *out = xcalloc(N + 2, sizeof *out);
    struct imap_compact *c;

    for (unsigned i = 0; i < N + 2; i++)
        in[i] = (struct imap_entry){
            .id = i < 2000   ? 100000 - i
                  : i < 4000 ? INT64_MAX - 1 - i
                             : (int64_t)i * 3,
            .uid = i < 3000 ? i + 1 : UINT32_MAX - 9000 + i * (i > 3500),
            .flags = i % 997 ? STORE_SEEN : 0xffff,
            .marks = i % 500 ? 0 : IMAP_WORDS,
        };
    for (unsigned i = 3001; i < N + 2; i++) /* rising, with a gap */
        in[i].uid = UINT32_MAX - 9000 + i;
    REQUIRE((c = imap_compact_new(in, N)) != NULL);
    CHECK_INT(imap_compact_uid(c), in[N - 1].uid);
    imap_compact_add(c, &in[N]);
    imap_compact_add(c, &in[N + 1]);
    CHECK_INT(imap_compact_uid(c), in[N + 1].uid);
    imap_compact_unpack(c, out, N + 2);
    for (unsigned i = 0; i < N + 2; i++)
        if (!CHECK_INT(out[i].id, in[i].id) ||
            !CHECK_INT(out[i].uid, in[i].uid) ||
            !CHECK_INT(out[i].flags, in[i].flags) ||
            !CHECK_INT(out[i].marks, in[i].marks))
            break;
    imap_compact_free(&c);
    for (unsigned i = 0; i < N; i++) { /* nothing goes on as before */
        in[i].id = (int64_t)i * i * 7919 * 7919;
        in[i].uid = i * i;
        in[i].flags = (uint16_t)(i * 31 % 127);
    }
    CHECK(!imap_compact_new(in, N));
    CHECK(!imap_compact_new(in, 0));
    free(in);
    free(out);
}

static const struct test_case cases[] = {
    TEST(test_lines),       TEST(test_fetch_items), TEST(test_append_args),
    TEST(test_utf7),        TEST(test_names_quoted), TEST(test_globs),
    TEST(test_input),       TEST(test_input_limits), TEST(test_needle),
    TEST(test_envelope),    TEST(test_match),       TEST(test_answers),
    TEST(test_compact),
};
TEST_MAIN(cases)
