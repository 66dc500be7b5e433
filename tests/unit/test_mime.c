/*
 * Room mime, table by table: structure, ENVELOPE, sections, addresses, words,
 * parameters, dates, encodings, charsets, and what is written for signing.
 * libetpan judges where it knows better than we do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libetpan/libetpan.h>

#include "base/arena.h"
#include "base/mem.h"
#include "mime/address.h"
#include "mime/date.h"
#include "mime/header.h"
#include "mime/imap.h"
#include "mime/section.h"
#include "mime/write.h"
#include "test.h"

/* Lines as they are typed here; on the wire they end in CRLF. */
static struct buf
wire(const char *text)
{
    struct buf out = BUF_INIT(BUF_OURS);

    mime_write_crlf(slice_of(text), &out);
    return out;
}

static const char mixed[] =
    "From: a@example.test\n"
    "Content-Type: multipart/mixed; boundary=\"b1\"\n"
    "\n"
    "preamble\n"
    "--b1\n"
    "\n"
    "one\n"
    "--b1  \n"
    "Content-Type: message/rfc822\n"
    "\n"
    "Subject: inner\n"
    "From: b@example.test\n"
    "Content-Type: multipart/alternative; boundary=b2\n"
    "\n"
    "--b2\n"
    "Content-Type: text/plain; charset=utf-8; format=flowed\n"
    "Content-Transfer-Encoding: quoted-printable\n"
    "Content-ID: <i@example.test>\n"
    "Content-Description: some text\n"
    "\n"
    "gr=C3=BCn\n"
    "\n"
    "--b2\n"
    "Content-Type: text/html\n"
    "\n"
    "<p>\n"
    "--b2--\n"
    "--b1\n"
    "Content-Type: application/pdf; name=\"a b.pdf\"\n"
    "Content-Transfer-Encoding: base64\n"
    "Content-Disposition: attachment; filename=\"a b.pdf\"\n"
    "Content-Language: de, en\n"
    "Content-Location: http://example.test/x\n"
    "Content-MD5: xyz==\n"
    "\n"
    "AAEC\n"
    "--b1--\n"
    "epilogue\n";

/* ---- structure ---- */

static const struct {
    const char *name, *text, *body;
} structures[] = {
    {"plain", "Subject: x\n\nhello\nyou\n",
     "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 12 2)"},
    {"no header", "hello\n",
     "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 7 1)"},
    {"no body", "Subject: x\n",
     "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 0 0)"},
    {"nothing", "",
     "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 0 0)"},
    {"no last line end", "Subject: x\n\nhello",
     "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 5 1)"},
    {"boundary prefix of another",
     "Content-Type: multipart/mixed; boundary=x\n\n--xy\n--x\n\na\n--x--\n",
     "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 1 1) "
     "\"MIXED\")"},
    {"no parts", "Content-Type: multipart/mixed; boundary=x\n\nnone\n",
     "(\"TEXT\" \"PLAIN\" (\"BOUNDARY\" \"x\") NIL NIL \"7BIT\" 6 1)"},
    {"no boundary", "Content-Type: multipart/mixed\n\n--x\n\na\n",
     "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 10 3)"},
    {"unclosed", "Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\n",
     "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3 1) "
     "\"MIXED\")"},
    {"outer boundary closes the inner",
     "Content-Type: multipart/mixed; boundary=o\n\n--o\n"
     "Content-Type: multipart/mixed; boundary=i\n\n--i\n\na\n--o\n\nb\n--o--\n",
     "(((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 1 1) "
     "\"MIXED\")(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL "
     "\"7BIT\" 1 1) \"MIXED\")"},
    {"empty part", "Content-Type: multipart/mixed; boundary=x\n\n--x\n--x--\n",
     "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 0 0) "
     "\"MIXED\")"},
    {"quotes in a parameter",
     "Content-Type: text/plain; name=\"a \\\"b\\\" \\\\c\"\n\n",
     "(\"TEXT\" \"PLAIN\" (\"NAME\" \"a \\\"b\\\" \\\\c\") NIL NIL \"7BIT\" 0 0)"},
    {"unknown type kept", "Content-Type: x-a/x-b\n\nz",
     "(\"X-A\" \"X-B\" NIL NIL NIL \"7BIT\" 1)"},
    {"nonsense type", "Content-Type: nonsense\n\nz",
     "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 1 1)"},
    {"message under base64",
     "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nAAAA",
     "(\"APPLICATION\" \"OCTET-STREAM\" NIL NIL NIL \"BASE64\" 4)"},
    {"end of a header is also a line of the message around it",
     "Content-Type: multipart/digest; boundary=x\n\n--x\n\nSubject: a\n\n"
     "--x--\n",
     "((\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 14 (NIL \"a\" NIL NIL NIL "
     "NIL NIL NIL NIL NIL) (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL "
     "NIL \"7BIT\" 0 0) 2) \"DIGEST\")"},
};

static void
test_structure(void)
{
    for (size_t i = 0; i < ARRAY_LEN(structures); i++) {
        struct buf raw = wire(structures[i].text), out = BUF_INIT(65536);
        struct mime_message *m;
        struct err e;

        test_row(structures[i].name);
        REQUIRE(!mime_message_parse(buf_slice(&raw), NULL, &m, &e));
        CHECK(!mime_imap_structure(m, false, &out, &e));
        CHECK_STR(out.data, structures[i].body);
        mime_message_free(&m);
        buf_clear(&raw);
        buf_clear(&out);
    }
    test_row(NULL);
}

static void
test_bodystructure(void)
{
    struct buf raw = wire(mixed), out = BUF_INIT(65536);
    struct mime_message *m;
    struct err e;

    REQUIRE(!mime_message_parse(buf_slice(&raw), NULL, &m, &e));
    CHECK(!mime_imap_structure(m, true, &out, &e));
    CHECK_STR(
        out.data,
        "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3 1 "
        "NIL NIL NIL NIL)"
        "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 318 "
        "(NIL \"inner\" ((NIL NIL \"b\" \"example.test\")) "
        "((NIL NIL \"b\" \"example.test\")) ((NIL NIL \"b\" \"example.test\")) "
        "NIL NIL NIL NIL NIL) "
        "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\" \"FORMAT\" \"flowed\") "
        "\"<i@example.test>\" \"some text\" \"QUOTED-PRINTABLE\" 11 1 NIL NIL "
        "NIL NIL)"
        "(\"TEXT\" \"HTML\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 3 1 NIL "
        "NIL NIL NIL)"
        " \"ALTERNATIVE\" (\"BOUNDARY\" \"b2\") NIL NIL NIL) "
        "17 NIL NIL NIL NIL)"
        "(\"APPLICATION\" \"PDF\" (\"NAME\" \"a b.pdf\") NIL NIL \"BASE64\" 4 "
        "\"xyz==\" (\"ATTACHMENT\" (\"FILENAME\" \"a b.pdf\")) (\"de\" \"en\") "
        "\"http://example.test/x\")"
        " \"MIXED\" (\"BOUNDARY\" \"b1\") NIL NIL NIL)");
    mime_message_free(&m);
    buf_clear(&raw);
    buf_clear(&out);
}

/* Nesting, many parts, many fields: bounded, and the time is linear. */
static void
test_limits(void)
{
    struct buf raw = BUF_INIT(BUF_OURS), out = BUF_INIT(BUF_OURS);
    struct mime_limits limits = mime_limits_usual;
    struct mime_message *m;
    struct err e;

    for (int i = 0; i < 3000; i++)
        buf_addf(&raw, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n"
                       "--b%d\r\n", i, i);
    REQUIRE(!mime_message_parse(buf_slice(&raw), NULL, &m, &e));
    CHECK(mime_message_is_cut(m));
    CHECK_INT(mime_message_parts(m), 101);
    CHECK(mime_message_work(m) < 200 * (uint64_t)raw.len);
    CHECK(!mime_imap_structure(m, true, &out, &e));
    mime_message_free(&m);

    buf_reset(&raw);
    buf_adds(&raw, "Content-Type: multipart/mixed; boundary=x\r\n\r\n");
    for (int i = 0; i < 20000; i++)
        buf_adds(&raw, "--x\r\n\r\na\r\n");
    REQUIRE(!mime_message_parse(buf_slice(&raw), NULL, &m, &e));
    CHECK_INT(mime_message_parts(m), 10000);
    CHECK(mime_message_is_cut(m));
    mime_message_free(&m);

    limits.params = 3;
    buf_reset(&raw);
    buf_adds(&raw, "Content-Type: text/plain; a=1; b=2; c=3; d=4\r\n\r\n");
    REQUIRE(!mime_message_parse(buf_slice(&raw), &limits, &m, &e));
    CHECK(mime_message_is_cut(m));
    CHECK_STR(mime_part_param(mime_message_root(m), "c"), "3");
    CHECK(!mime_part_param(mime_message_root(m), "d"));
    mime_message_free(&m);

    buf_reset(&out);
    out.limit = 20;
    REQUIRE(!mime_message_parse(buf_slice(&raw), NULL, &m, &e));
    CHECK(mime_imap_structure(m, true, &out, &e) == -1 && e.code == E_LIMIT);
    mime_message_free(&m);
    buf_clear(&raw);
    buf_clear(&out);
}

/* ---- envelope ---- */

static const struct {
    const char *name, *text, *envelope;
} envelopes[] = {
    {"usual",
     "Date: Mon, 2 Jan 2006 15:04:05 +0100\nSubject: hi\n"
     "From: \"Ann, A.\" <ann@example.test>\nTo: bob@example.test\n"
     "Message-ID: <1@example.test>\nIn-Reply-To: <0@example.test>\n\n",
     "(\"Mon, 2 Jan 2006 15:04:05 +0100\" \"hi\" "
     "((\"Ann, A.\" NIL \"ann\" \"example.test\")) "
     "((\"Ann, A.\" NIL \"ann\" \"example.test\")) "
     "((\"Ann, A.\" NIL \"ann\" \"example.test\")) "
     "((NIL NIL \"bob\" \"example.test\")) NIL NIL "
     "\"<0@example.test>\" \"<1@example.test>\")"},
    {"nothing", "\nx",
     "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"},
    {"empty subject is no NIL", "Subject:\n\n",
     "(NIL \"\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
    {"folded", "Subject: a\n  b\n\tc\n\n",
     "(NIL \"a  b\tc\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
    {"words stay words", "Subject: =?utf-8?q?=C3=A4?=\n\n",
     "(NIL \"=?utf-8?q?=C3=A4?=\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
    {"raw bytes are a literal", "Subject: \xc3\xa4\n\n",
     "(NIL {2}\r\n\xc3\xa4 NIL NIL NIL NIL NIL NIL NIL NIL)"},
    {"quotes", "Subject: a \"b\" \\c\n\n",
     "(NIL \"a \\\"b\\\" \\\\c\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
    {"group", "To: Us: a@example.test;, none:;\n\n",
     "(NIL NIL NIL NIL NIL ((NIL NIL \"Us\" NIL)(NIL NIL \"a\" "
     "\"example.test\")(NIL NIL NIL NIL)(NIL NIL \"none\" NIL)"
     "(NIL NIL NIL NIL)) NIL NIL NIL NIL)"},
    {"no domain", "To: bob\n\n",
     "(NIL NIL NIL NIL NIL ((NIL NIL \"bob\" \"MISSING_DOMAIN\")) "
     "NIL NIL NIL NIL)"},
    {"several To, one From",
     "To: a@x.test\nFrom: a@x.test\nFrom: b@x.test\nTo: b@x.test\n\n",
     "(NIL NIL ((NIL NIL \"a\" \"x.test\")) ((NIL NIL \"a\" \"x.test\")) "
     "((NIL NIL \"a\" \"x.test\")) ((NIL NIL \"a\" \"x.test\")(NIL NIL \"b\" "
     "\"x.test\")) NIL NIL NIL NIL)"},
};

static void
test_envelope(void)
{
    for (size_t i = 0; i < ARRAY_LEN(envelopes); i++) {
        struct buf raw = wire(envelopes[i].text), out = BUF_INIT(65536);
        struct mime_message *m;
        struct err e;

        test_row(envelopes[i].name);
        REQUIRE(!mime_message_parse(buf_slice(&raw), NULL, &m, &e));
        CHECK(!mime_imap_envelope(m, NULL, &out, &e));
        CHECK_STR(out.data, envelopes[i].envelope);
        mime_message_free(&m);
        buf_clear(&raw);
        buf_clear(&out);
    }
    test_row(NULL);
}

/* ---- sections ---- */

static const struct {
    const char *spec, *bytes; /* NULL: there is no such section */
} sections[] = {
    {"1", "one"},
    {"1.MIME", "\n"},
    {"1.1", NULL},
    {"2.HEADER",
     "Subject: inner\nFrom: b@example.test\n"
     "Content-Type: multipart/alternative; boundary=b2\n\n"},
    {"2.MIME", "Content-Type: message/rfc822\n\n"},
    {"2.1", "gr=C3=BCn\n"},
    {"2.2", "<p>"},
    {"2.2.MIME", "Content-Type: text/html\n\n"},
    {"2.2.HEADER", NULL},
    {"2.2.TEXT", NULL},
    {"2.3", NULL},
    {"3", "AAEC"},
    {"4", NULL},
    {"HEADER",
     "From: a@example.test\n"
     "Content-Type: multipart/mixed; boundary=\"b1\"\n\n"},
};

static void
test_sections(void)
{
    static const char *const wrong[] = {"1.", ".1", "1..2", "1HEADER", "X",
                                        "1.HEADERS", "HEADER.1", "1 "};
    struct buf raw = wire(mixed);
    struct mime_message *m;
    enum mime_section what;
    struct slice path, got;
    struct err e;

    REQUIRE(!mime_message_parse(buf_slice(&raw), NULL, &m, &e));
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        struct buf want = wire(sections[i].bytes ? sections[i].bytes : "");
        bool found;

        test_row(sections[i].spec);
        REQUIRE(!mime_section_parse(slice_of(sections[i].spec), &path, &what,
                                    &e));
        found = mime_section_range(m, path, what, &got);
        CHECK_INT(found, sections[i].bytes != NULL);
        if (found)
            CHECK(slice_eq(got, buf_slice(&want)));
        buf_clear(&want);
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        test_row(wrong[i]);
        CHECK(mime_section_parse(slice_of(wrong[i]), &path, &what, &e) == -1 &&
              e.code == E_INPUT);
    }
    test_row(NULL);
    CHECK(mime_section_range(m, SLICE(""), MIME_SECTION_ALL, &got) &&
          slice_eq(got, buf_slice(&raw)));
    mime_message_free(&m);
    buf_clear(&raw);
}

static void
test_fields(void)
{
    struct slice names[] = {SLICE("subject"), SLICE("X-A")};
    struct buf raw = wire("From: a\nSubject: b\n c\nx-a : d\nno field\n\n");
    struct buf out = BUF_INIT(1000);

    CHECK(!mime_section_fields(buf_slice(&raw), names, 2, false, &out));
    CHECK_STR(out.data, "Subject: b\r\n c\r\nx-a : d\r\n\r\n");
    buf_reset(&out);
    CHECK(!mime_section_fields(buf_slice(&raw), names, 2, true, &out));
    CHECK_STR(out.data, "From: a\r\n\r\n");
    buf_reset(&out);
    CHECK(!mime_section_fields(SLICE("Subject: x"), names, 1, false, &out));
    CHECK_STR(out.data, "Subject: x\r\n\r\n");
    buf_clear(&out);
    buf_clear(&raw);
}

/* ---- addresses ---- */

/* "name|spec" each, groups as "name:" and ";". */
static void
list_text(const struct mime_addresses *l, struct buf *out)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct mime_address *a = &l->list[i];

        if (i)
            buf_addc(out, ' ');
        if (a->kind == MIME_ADDRESS_END) {
            buf_addc(out, ';');
            continue;
        }
        if (a->name)
            buf_adds(out, a->name);
        buf_addc(out, a->kind == MIME_ADDRESS_GROUP ? ':' : '|');
        if (a->kind == MIME_ADDRESS_MAILBOX)
            mime_address_spec(a, out);
    }
    buf_adds(out, "");
}

static const struct {
    const char *text, *want;
    bool broken;
} lists[] = {
    {"a@example.test", "|a@example.test", false},
    {"a@example.test, b@example.test", "|a@example.test |b@example.test", false},
    {"Ann <a@example.test>", "Ann|a@example.test", false},
    {"\"Ann, A.\" <a@example.test>", "Ann, A.|a@example.test", false},
    {"\"q \\\"x\\\"\" <a@example.test>", "q \"x\"|a@example.test", false},
    {"a@example.test (Ann A)", "Ann A|a@example.test", false},
    {"Ann (x (y)) A <a@example.test>", "Ann A|a@example.test", false},
    {"<@r1,@r2:a@example.test>", "|a@example.test", false},
    {"Us: a@x.test, B <b@x.test>; , c@x.test",
     "Us: |a@x.test B|b@x.test ; |c@x.test", false},
    {"undisclosed-recipients:;", "undisclosed-recipients: ;", false},
    {"\"a b\"@x.test", "|\"a b\"@x.test", false},
    {"a @ x.test", "|a@x.test", false},
    {"a@[192.0.2.1]", "|a@[192.0.2.1]", false},
    {"=?utf-8?q?x?= <a@x.test>", "=?utf-8?q?x?=|a@x.test", false},
    {"", "", false},
    {",,a@x.test,,", "|a@x.test", false},
    /* As it occurs. */
    {"Ann a@x.test", "Ann|a@x.test", true},
    {"a@x.test b@x.test", "|a@x.test |b@x.test", true},
    {"Ann <a@x.test", "Ann|a@x.test", true},
    {"Ann", "|Ann", true},
    {"\"Ann <a@x.test>", "Ann|a@x.test", true},
    {"Ann (no end <a@x.test>", "Ann no end|a@x.test", true},
    {"<a@x.test> <b@x.test>", "|a@x.test |b@x.test", true},
    {"Us: a@x.test", "Us: |a@x.test ;", true},
    {"a@b@x.test", "|\"a@b\"@x.test", true},
    {"<>", "", true},
};

static void
test_addresses(void)
{
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct mime_addresses l = {0};
        struct buf out = BUF_INIT(1000);

        test_row(lists[i].text);
        mime_addresses_parse(slice_of(lists[i].text), &l);
        list_text(&l, &out);
        CHECK_STR(out.data, lists[i].want);
        CHECK_INT(l.broken, lists[i].broken);
        mime_addresses_clear(&l);
        buf_clear(&out);
    }
    test_row(NULL);
}

/* What is written names whom the list names: nobody more. Names and domains
 * come from outside (a reply takes the name of the sender). */
static const struct {
    const char *name, *local, *domain, *field;
} written[] = {
    {"Ann", "a", "x.test", "To: Ann <a@x.test>\r\n"},
    {NULL, "a", "x.test", "To: a@x.test\r\n"},
    {"Ann, A.", "a", "x.test", "To: \"Ann, A.\" <a@x.test>\r\n"},
    {"J\303\266rg", "a", "x.test", "To: =?utf-8?B?SsO2cmc=?= <a@x.test>\r\n"},
    {"=?utf-8?q?x?= =?utf-8?b?eA==?=", "a", "x.test",
     "To: =?utf-8?q?x?= =?utf-8?b?eA==?= <a@x.test>\r\n"},
    {"=?x?= <eve@x.test>, =?y?=", "a", "x.test",
     "To: \"=?x?= <eve@x.test>, =?y?=\" <a@x.test>\r\n"},
    {"=?u?q?<eve@x.test>,?=", "a", "x.test",
     "To: \"=?u?q?<eve@x.test>,?=\" <a@x.test>\r\n"},
    {"a\r\nBcc: eve@x.test", "a", "x.test",
     "To: \"a  Bcc: eve@x.test\" <a@x.test>\r\n"},
    {NULL, "a b", "x.test", "To: \"a b\"@x.test\r\n"},
    {NULL, "a", "x.test>, eve@x.test", "To: \"a@x.test>, eve@x.test\"\r\n"},
    {"N", "a", "x.test,eve@x.test", "To: N <\"a@x.test,eve@x.test\">\r\n"},
    {NULL, "a", "[IPv6:2001:db8::1]", "To: a@[IPv6:2001:db8::1]\r\n"},
};

static void
test_addresses_written(void)
{
    for (size_t i = 0; i < ARRAY_LEN(written); i++) {
        struct mime_addresses l = {0}, again = {0};
        struct buf out = BUF_INIT(1000);
        size_t at = 0;

        test_row(written[i].field);
        mime_addresses_add(&l, written[i].name, written[i].local,
                           written[i].domain);
        mime_write_addresses("To", &l, &out);
        CHECK_STR(out.data, written[i].field);
        mime_addresses_header(buf_slice(&out), "to", &again);
        CHECK(mime_addresses_next(&again, &at) != NULL);
        CHECK(mime_addresses_next(&again, &at) == NULL);
        mime_addresses_clear(&l);
        mime_addresses_clear(&again);
        buf_clear(&out);
    }
    test_row(NULL);
}

static void
test_addresses_folded(void)
{
    struct mime_addresses l = {0}, again = {0};
    struct buf out = BUF_INIT(BUF_OURS), x = BUF_INIT(BUF_OURS),
               y = BUF_INIT(BUF_OURS);
    struct slice rest, line;

    for (int i = 0; i < 300; i++) {
        char local[40];

        snprintf(local, sizeof local, "somebody.%d", i);
        mime_addresses_add(&l, i % 3 ? "Some Body" : NULL, local,
                           "example.test");
    }
    CHECK(!mime_write_addresses("Cc", &l, &out));
    rest = buf_slice(&out);
    while (slice_next(&rest, '\n', &line))
        CHECK(line.n <= 79);
    CHECK_INT(mime_addresses_header(buf_slice(&out), "cc", &again), 1);
    list_text(&l, &x);
    list_text(&again, &y);
    CHECK_STR(y.data, x.data);
    CHECK(!again.broken);
    mime_addresses_clear(&l);
    mime_addresses_clear(&again);
    buf_clear(&out);
    buf_clear(&x);
    buf_clear(&y);
}

static const struct {
    const char *spec;
    bool utf8, good;
} specs[] = {
    {"a@example.test", false, true},
    {"a.b+c@example.test", false, true},
    {"\"a b\"@example.test", false, true},
    {"a@[192.0.2.1]", false, true},
    {"a@[IPv6:2001:db8::1]", false, true},
    {"\303\244@example.test", true, true},
    {"\303\244@example.test", false, false},
    {"a@\303\244.test", true, true},
    {"\344@example.test", true, false},
    {"a", false, false},
    {"@example.test", false, false},
    {"a@", false, false},
    {".a@example.test", false, false},
    {"a..b@example.test", false, false},
    {"a b@example.test", false, false},
    {"a@example..test", false, false},
    {"a@example.test.", false, false},
    {"a@-x.test", false, false},
    {"a@exa mple.test", false, false},
    {"a@example.test>", false, false},
    {"a@[1>2]", false, false},
    {"a@[", false, false},
    {"a@b@example.test", false, false},
    {"\"a\r\nb\"@example.test", false, false},
    {"\"a@example.test", false, false},
    {"\"a\"b@example.test", false, false},
    {"", false, false},
};

static void
test_address_check(void)
{
    char local[80];
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        test_row(specs[i].spec);
        CHECK_INT(mime_address_check(slice_of(specs[i].spec), specs[i].utf8,
                                     NULL, NULL, &e) == 0,
                  specs[i].good);
    }
    test_row(NULL);
    memset(local, 'a', 65);
    strcpy(local + 65, "@x.test");
    CHECK(mime_address_check(slice_of(local), false, NULL, NULL, &e) == -1);
    CHECK(mime_address_check(slice_of(local + 1), false, NULL, NULL, &e) == 0);
    CHECK(mime_address_equal("A@Example.Test", "a@example.test."));
    CHECK(mime_address_equal("\"a\"@x.test", "a@x.test"));
    CHECK(!mime_address_equal("\"a b\"@x.test", "a@x.test"));
    CHECK(!mime_address_equal("@x.test", "@x.test"));
    CHECK(!mime_address_equal("a@x.test", "a@y.test"));
}

/* ---- words and parameters ---- */

static const struct {
    const char *in, *out;
} words[] = {
    {"plain", "plain"},
    {"=?utf-8?q?=C3=A4_b?=", "\303\244 b"},
    {"=?UTF-8?B?w6Q=?=", "\303\244"},
    {"=?iso-8859-1?Q?a=E4?=", "a\303\244"},
    {"=?iso-8859-1*de?Q?a=E4?=", "a\303\244"},
    {"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
    {"=?utf-8?q?a?=  \t=?utf-8?q?b?= c", "ab c"},
    {"=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b"},
    {"=?utf-8?q?=C3?= =?utf-8?q?=A4?=", "\303\244"},
    {"=?nowhere?q?x?=", "x"},
    {"=?utf-8?x?y?=", "=?utf-8?x?y?="},
    {"=?utf-8?q?open", "=?utf-8?q?open"},
    {"=?utf-8?q?" "?=", ""},
    {"=?iso-2022-jp?B?GyRCJUYlOSVIGyhC?=", "\343\203\206\343\202\271\343\203\210"},
    /* iconv keeps the last letter back, for a mark that could follow. */
    {"=?windows-1258?q?abo?=", "abo"},
    {"=?windows-1258?q?a=EC?=", "\303\241"},
    {"\344 raw", "\303\244 raw"},
    {"a=?utf-8?q?b?=c", "abc"},
};

static void
test_words(void)
{
    struct buf out = BUF_INIT(1000);

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        test_row(words[i].in);
        buf_reset(&out);
        buf_adds(&out, "");
        CHECK(!mime_words_decode(slice_of(words[i].in), &out));
        CHECK_STR(out.data, words[i].out);
    }
    test_row(NULL);
    buf_clear(&out);
}

/* Written fields: short lines, ASCII, and libetpan reads the same text. */
static void
test_words_written(void)
{
    static const char *const texts[] = {
        "hello", "gr\303\274n", "=?utf-8?q?x?= is not meant",
        "a very long subject with many many words in it, so that it must be "
        "folded more than once, and then some",
        "\343\203\206\343\202\271\343\203\210\343\203\206\343\202\271\343\203"
        "\210\343\203\206\343\202\271\343\203\210\343\203\206\343\202\271\343"
        "\203\210\343\203\206\343\202\271\343\203\210",
        "\360\237\220\210 cats and gr\303\274n and \360\237\220\210 cats and "
        "gr\303\274n and \360\237\220\210 cats and gr\303\274n",
        "tab\tand\r\nBcc: eve@x.test",
    };
    char run[2001];

    memset(run, 'x', sizeof run - 1);
    run[sizeof run - 1] = '\0';
    for (size_t i = 0; i <= ARRAY_LEN(texts); i++) {
        const char *text = i < ARRAY_LEN(texts) ? texts[i] : run;
        struct buf out = BUF_INIT(BUF_OURS), again = BUF_INIT(BUF_OURS);
        struct slice rest, line;
        struct mime_field f;
        char *clean = xstrdup(text), *judged = NULL;
        size_t at = 0;

        test_row(text);
        for (char *p = clean; *p; p++)
            if ((unsigned char)*p < 32)
                *p = ' ';
        CHECK(!mime_write_field("Subject", slice_of(text), &out));
        CHECK(mime_is_ascii(buf_slice(&out)));
        rest = buf_slice(&out);
        CHECK(mime_field_next(&rest, &f) && !rest.n);
        rest = buf_slice(&out);
        while (slice_next(&rest, '\n', &line))
            CHECK(line.n <= 79);
        CHECK(mime_header_text(buf_slice(&out), "Subject", &again));
        CHECK_STR(again.data, clean);
        if (strstr(out.data, "=?utf-8?")) {
            char *value = slice_dup(slice_trim(f.value));

            CHECK_INT(mailmime_encoded_phrase_parse(
                          "us-ascii", value, strlen(value), &at, "utf-8",
                          &judged), MAILIMF_NO_ERROR);
            CHECK_STR(judged, clean);
            free(value);
        }
        free(judged);
        free(clean);
        buf_clear(&out);
        buf_clear(&again);
    }
    test_row(NULL);
}

static const struct {
    const char *field, *name, *value;
} params[] = {
    {"a/b; name=x", "name", "x"},
    {"a/b; NAME=\"x y\"", "name", "x y"},
    {"a/b; name=x y.pdf; z=1", "name", "x y.pdf"},
    {"a/b; name=x z=1", "z", "1"},
    {"a/b; name*=utf-8'de'%C3%A4", "name", "\303\244"},
    {"a/b; name*=iso-8859-1''%E4", "name", "\303\244"},
    {"a/b; name*0*=utf-8''%C3; name*1*=%A4; name*2=b", "name", "\303\244b"},
    {"a/b; name*1=b; name*0=a", "name", "ab"},
    {"a/b; name=old; name*=utf-8''new", "name", "new"},
    {"a/b; name=one; name=two", "name", "one"},
    {"a/b (comment); (c) name=x (c)", "name", "x"},
    {"a/b;;; name=x", "name", "x"},
    {"a/b; name=\"open", "name", "open"},
    {"a/b; x", "x", NULL},
    {"a/b; name=", "name", ""},
    {"a/b name=x", "name", "x"},
};

static void
test_params(void)
{
    for (size_t i = 0; i < ARRAY_LEN(params); i++) {
        struct buf raw = BUF_INIT(1000);
        struct mime_message *m;
        struct err e;

        test_row(params[i].field);
        buf_addf(&raw, "Content-Type: %s\r\n\r\n", params[i].field);
        REQUIRE(!mime_message_parse(buf_slice(&raw), NULL, &m, &e));
        CHECK_STR(mime_part_param(mime_message_root(m), params[i].name),
                  params[i].value);
        mime_message_free(&m);
        buf_clear(&raw);
    }
    test_row(NULL);
}

static void
test_filename(void)
{
    static const struct {
        const char *head, *want;
    } rows[] = {
        {"Content-Disposition: attachment; filename=a.txt\n\n", "a.txt"},
        {"Content-Type: a/b; name=b.txt\n\n", "b.txt"},
        {"Content-Type: a/b; name=b\nContent-Disposition: x; filename=a\n\n",
         "a"},
        {"Content-Disposition: x; filename=\"=?utf-8?q?=C3=A4?=\"\n\n",
         "\303\244"},
        {"Content-Disposition: attachment\n\n", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf raw = wire(rows[i].head), out = BUF_INIT(1000);
        struct mime_message *m;
        struct err e;

        test_row(rows[i].head);
        REQUIRE(!mime_message_parse(buf_slice(&raw), NULL, &m, &e));
        CHECK_INT(mime_part_filename(mime_message_root(m), &out),
                  rows[i].want != NULL);
        if (rows[i].want)
            CHECK_STR(out.data, rows[i].want);
        mime_message_free(&m);
        buf_clear(&raw);
        buf_clear(&out);
    }
    test_row(NULL);
}

/* ---- dates ---- */

static const struct {
    const char *text;
    int64_t unix_time; /* -1: none */
    int zone;
} dates[] = {
    {"Mon, 02 Jan 2006 15:04:05 +0100", 1136210645, 60},
    {"2 Jan 2006 15:04:05 -0730", 1136241245, -450},
    {"Mon, 2 Jan 06 15:04 EST", 1136232240, -300},
    {"Mon, 2 Jan 2006 15:04:05 GMT", 1136214245, 0},
    {"Mon (day), 2 (x) Jan 2006 15:04:05 (c) +0000 (UTC)", 1136214245, 0},
    {"Mon Jan  2 15:04:05 2006", 1136214245, 0},
    {"2006-01-02T15:04:05Z", 1136214245, 0},
    {"2006-01-02 15:04:05.123 +02:00", 1136207045, 120},
    {"1 Jan 1970 00:00:00 +0000", 0, 0},
    {"31 Dec 1969 23:59:58 +0000", -2, 0},
    {"29 Feb 2000 12:00:00 +0000", 951825600, 0},
    {"31 Dec 2016 23:59:60 +0000", 1483228800, 0},
    {"2 Jan 106 15:04:05 +0000", 1136214245, 0},
    {"", -1, 0},
    {"yesterday", -1, 0},
    {"32 Jan 2006 15:04:05 +0000", -1, 0},
    {"2 Foo 2006 15:04:05 +0000", -1, 0},
    {"2 Jan 2006 15:60:05 +0000", -1, 0},
};

static void
test_dates(void)
{
    for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
        int64_t t = -1;
        int zone = 0;
        bool good;

        test_row(dates[i].text);
        good = mime_date_parse(slice_of(dates[i].text), &t, &zone);
        CHECK_INT(good, dates[i].unix_time != -1);
        CHECK_INT(t, dates[i].unix_time);
        CHECK_INT(zone, dates[i].zone);
    }
    test_row(NULL);
}

static void
test_dates_written(void)
{
    static const struct {
        const char *text;
        bool good;
    } strict[] = {
        {"02-Jan-2006 15:04:05 +0100", true},
        {" 2-Jan-2006 15:04:05 +0100", true},
        {"2-Jan-2006 15:04:05 +0100", false},
        {"02-Foo-2006 15:04:05 +0100", false},
        {"02-Jan-2006 24:04:05 +0100", false},
        {"02-Jan-2006 15:04:05 +0160", false},
        {"00-Jan-2006 15:04:05 +0000", false},
        {"02-Jan-2006 15:04:05 0100", false},
    };
    struct buf out = BUF_INIT(100);
    int64_t t;
    int zone;

    CHECK(!mime_date_write(1136210645, 60, &out));
    CHECK_STR(out.data, "Mon, 02 Jan 2006 15:04:05 +0100");
    buf_reset(&out);
    CHECK(!mime_date_write_imap(-1, -330, &out));
    CHECK_STR(out.data, "31-Dec-1969 18:29:59 -0530");
    buf_reset(&out);
    CHECK(!mime_date_write(INT64_MAX, 0, &out));
    CHECK(mime_date_parse(buf_slice(&out), &t, &zone));
    buf_reset(&out);
    CHECK(!mime_date_write(INT64_MIN, 0, &out));
    for (size_t i = 0; i < ARRAY_LEN(strict); i++) {
        test_row(strict[i].text);
        CHECK_INT(mime_date_parse_imap(slice_of(strict[i].text), &t, &zone),
                  strict[i].good);
    }
    test_row(NULL);
    for (int64_t day = -800000; day < 800000; day += 97) {
        int y, m, d;

        mime_date_civil(day, &y, &m, &d);
        if (mime_date_days(y, m, d) != day || d < 1 || d > 31)
            CHECK_INT(day, -1);
    }
    buf_clear(&out);
}

/* ---- encodings and charsets ---- */

static const struct {
    enum mime_encoding enc;
    const char *in, *out;
} decodes[] = {
    {MIME_QP, "a=C3=A4=\r\nb", "a\303\244b"},
    {MIME_QP, "a \t\r\nb", "a\r\nb"},
    {MIME_QP, "a=\nb", "ab"},
    {MIME_QP, "a=zz=", "a=zz"},
    {MIME_BASE64, "aGVs\r\nbG8=", "hello"},
    {MIME_BASE64, "aGVsbG8", "hello"},
    {MIME_BASE64, "aGVs!bG8=aGVsbG8=", "hellohello"},
    {MIME_UU, "x\r\nbegin 644 f\r\n#0V%T\r\n`\r\nend\r\n", "Cat"},
    {MIME_7BIT, "a=C3", "a=C3"},
    {MIME_UNKNOWN, "a=C3", "a=C3"},
};

static void
test_decode(void)
{
    struct buf out = BUF_INIT(1000);

    for (size_t i = 0; i < ARRAY_LEN(decodes); i++) {
        test_row(decodes[i].in);
        buf_reset(&out);
        CHECK(!mime_decode(decodes[i].enc, slice_of(decodes[i].in), &out));
        CHECK_STR(out.data, decodes[i].out);
    }
    test_row(NULL);
    buf_clear(&out);
    out.limit = 3;
    CHECK(mime_decode(MIME_BASE64, SLICE("aGVsbG8="), &out) == -1);
    buf_clear(&out);
}

/* libetpan decodes what we encode. */
static void
test_encode_judged(void)
{
    char bytes[3000];
    struct buf qp = BUF_INIT(BUF_OURS), b64 = BUF_INIT(BUF_OURS);
    struct slice rest, line;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * i * 31 + i / 7);
    memcpy(bytes + 100, "\r\nFrom x\r\n.\r\nend \r\n", 19);
    mime_encode_qp(slice_make(bytes, sizeof bytes), false, &qp);
    mime_encode_base64(slice_make(bytes, sizeof bytes), &b64);
    for (int k = 0; k < 2; k++) {
        struct buf *enc = k ? &b64 : &qp;
        char *result;
        size_t at = 0, n;

        test_row(k ? "base64" : "quoted-printable");
        CHECK_INT(mailmime_part_parse(enc->data, enc->len, &at,
                                      k ? MAILMIME_MECHANISM_BASE64
                                        : MAILMIME_MECHANISM_QUOTED_PRINTABLE,
                                      &result, &n), MAILIMF_NO_ERROR);
        CHECK(slice_eq(slice_make(result, n),
                       slice_make(bytes, sizeof bytes)));
        mailmime_decoded_part_free(result);
        rest = buf_slice(enc);
        while (slice_next(&rest, '\n', &line))
            CHECK(line.n <= 77);
    }
    test_row(NULL);
    buf_clear(&qp);
    buf_clear(&b64);
}

static void
test_charsets(void)
{
    static const struct {
        const char *charset, *in, *out;
    } rows[] = {
        {NULL, "\303\244 \344", "\303\244 \303\244"},
        {"iso-8859-1", "\200", "\342\202\254"},
        {"gb2312", "\304\343", "\344\275\240"},
        {"utf-8//IGNORE", "\344", "\303\244"},
        {"koi8-r", "\301", "\320\260"},
        {"utf-16be", "\001\004\001", "\304\204\357\277\275"},
        {"windows-1255", "\340", "\327\220"},
    };
    struct buf out = BUF_INIT(1000);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        test_row(rows[i].charset);
        buf_reset(&out);
        CHECK(!mime_charset_utf8(rows[i].charset, slice_of(rows[i].in), &out));
        CHECK_STR(out.data, rows[i].out);
    }
    test_row(NULL);
    CHECK(mime_charset_known("utf-8") && !mime_charset_known("utf-8//x"));
    buf_clear(&out);
}

/* ---- seven bits ---- */

static const struct {
    const char *name, *in, *out; /* out NULL: refused */
} sevens[] = {
    {"nothing to do", "Subject: x\n\nhello\n", "Subject: x\n\nhello\n"},
    {"8bit", "Content-Type: text/plain; charset=utf-8\n"
             "Content-Transfer-Encoding: 8bit\n\ngr\303\274n and plain text\n",
     "Content-Type: text/plain; charset=utf-8\n"
     "Content-Transfer-Encoding: quoted-printable\n\n"
     "gr=C3=BCn and plain text\n"},
    {"8bit declared only",
     "Content-Transfer-Encoding: 8bit\n\nplain\n",
     "Content-Transfer-Encoding: 7bit\n\nplain\n"},
    {"From and blanks", "Subject: x\n\nFrom here\nend \n",
     "Subject: x\nContent-Transfer-Encoding: quoted-printable\n\n"
     "=46rom here\nend=20\n"},
    {"8bit multipart",
     "Content-Type: multipart/mixed; boundary=b\n"
     "Content-Transfer-Encoding: 8bit\n\n--b\n\n\303\274 a a a a a\n--b--\n",
     "Content-Type: multipart/mixed; boundary=b\n"
     "Content-Transfer-Encoding: 7bit\n\n--b\n"
     "Content-Transfer-Encoding: quoted-printable\n\n=C3=BC a a a a a\n"
     "--b--\n"},
    {"binary, not text",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
     "Content-Type: a/b\nContent-Transfer-Encoding: binary\n\n\303\274\n"
     "--b--\n",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
     "Content-Type: a/b\nContent-Transfer-Encoding: base64\n\nw7w=\n"
     "--b--\n"},
    {"a delimiter that only quoted-printable hid",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
     "Content-Transfer-Encoding: quoted-printable\n\n"
     "=2D-b\n\303\274 a a a a\n--b--\n",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
     "Content-Transfer-Encoding: quoted-printable\n\n"
     "=2D-b\n=C3=BC a a a a\n--b--\n"},
    {"8bit under a signature",
     "Content-Type: multipart/signed; boundary=b\n\n--b\n\n\303\274\n--b--\n",
     NULL},
    {"a signature stays as it is",
     "Content-Type: multipart/signed; boundary=b\n\n--b\n\nFrom \n--b--\n",
     "Content-Type: multipart/signed; boundary=b\n\n--b\n\nFrom \n--b--\n"},
    {"a message without a header of its own, in a digest",
     "Content-Type: multipart/digest; boundary=b\n\n--b\n"
     "no field \303\274 here\n--b--\n",
     "Content-Type: multipart/digest; boundary=b\n\n--b\n\n"
     "Content-Transfer-Encoding: quoted-printable\n\n"
     "no field =C3=BC here\n--b--\n"},
};

static void
test_seven(void)
{
    for (size_t i = 0; i < ARRAY_LEN(sevens); i++) {
        struct buf in = wire(sevens[i].in), out = BUF_INIT(BUF_OURS),
                   want = wire(sevens[i].out ? sevens[i].out : "");
        struct err e;

        test_row(sevens[i].name);
        CHECK_INT(mime_write_7bit(buf_slice(&in), NULL, &out, &e),
                  sevens[i].out ? 0 : -1);
        if (sevens[i].out)
            CHECK_STR(out.data, want.data);
        else
            CHECK_INT(e.code, E_INPUT);
        buf_clear(&in);
        buf_clear(&out);
        buf_clear(&want);
    }
    test_row(NULL);
}

/* Bytes stay bytes: bare line ends in a binary part, "=" CR in a text that
 * says it is quoted-printable. */
static void
test_seven_bare(void)
{
    static const char *const in[] = {
        "Content-Type: a/b\r\nContent-Transfer-Encoding: binary\r\n\r\na\nb\rc",
        "Content-Transfer-Encoding: quoted-printable\r\n\r\na=\rb",
    };
    static const char *const want[] = {"a\nb\rc", "a=\r\nb"};

    for (size_t i = 0; i < 2; i++) {
        struct buf out = BUF_INIT(BUF_OURS), body = BUF_INIT(BUF_OURS);
        struct mime_message *m;
        struct err e;

        test_row(want[i]);
        CHECK(!mime_write_7bit(slice_of(in[i]), NULL, &out, &e));
        CHECK(mime_is_crlf(buf_slice(&out)));
        REQUIRE(!mime_message_parse(buf_slice(&out), NULL, &m, &e));
        CHECK(!mime_part_decode(m, mime_message_root(m), &body));
        CHECK_STR(body.data, want[i]);
        mime_message_free(&m);
        buf_clear(&out);
        buf_clear(&body);
    }
    test_row(NULL);
}

/* ---- writing ---- */

static void
test_changed(void)
{
    struct buf raw = wire("A: 1\nSubject: old\nb: 2\nsubject: older\nX-Y: 3\n"
                          "\nbody\n");
    struct mime_change c[] = {
        {.name = "Subject", .field = SLICE("Subject: new\r\n")},
        {.name = "x-*", .field = SLICE_NONE},
        {.name = "Top", .field = SLICE("Top: 1\r\n"), .top = true},
        {.name = "B", .field = SLICE("B: 3\r\n"), .keep = true},
    };
    struct buf out = BUF_INIT(1000), head = BUF_INIT(1000),
               entity = BUF_INIT(1000);
    struct err e;

    CHECK(!mime_write_changed(buf_slice(&raw), c, 4, &out, &e));
    CHECK_STR(out.data, "Top: 1\r\nA: 1\r\nSubject: new\r\nb: 2\r\n"
                        "B: 3\r\n\r\nbody\r\n");
    buf_reset(&out);
    CHECK(!mime_write_changed(SLICE("A: 1"), c, 1, &out, &e));
    CHECK_STR(out.data, "A: 1\r\nSubject: new\r\n\r\n");
    buf_clear(&raw);
    raw = wire("From: a\nMIME-Version: 1.0\nContent-Type: text/plain\n"
               "Subject: s\n\nbody\n");
    CHECK(!mime_write_split(buf_slice(&raw), &head, &entity, &e));
    CHECK_STR(head.data, "From: a\r\nSubject: s\r\n");
    CHECK_STR(entity.data, "Content-Type: text/plain\r\n\r\nbody\r\n");
    buf_clear(&raw);
    buf_clear(&out);
    buf_clear(&head);
    buf_clear(&entity);
}

static void
test_multipart(void)
{
    struct slice parts[] = {SLICE("\r\none"), SLICE("\r\ntwo\r\n")};
    char boundary[MIME_BOUNDARY_SIZE];
    struct buf out = BUF_INIT(10000);
    struct mime_message *m;
    struct slice got;
    struct err e;

    mime_write_boundary(boundary);
    CHECK(!mime_write_multipart("mixed", boundary, NULL, parts, 2, &out));
    REQUIRE(!mime_message_parse(buf_slice(&out), NULL, &m, &e));
    CHECK_INT(mime_message_root(m)->children, 2);
    CHECK(mime_section_range(m, SLICE("1"), MIME_SECTION_ALL, &got) &&
          slice_is(got, "one"));
    CHECK(mime_section_range(m, SLICE("2"), MIME_SECTION_ALL, &got) &&
          slice_is(got, "two\r\n"));
    mime_message_free(&m);
    buf_reset(&out);
    CHECK(!mime_write_text(SLICE("gr\303\274n\n.\nFrom x"), &out));
    CHECK_STR(out.data, "Content-Type: text/plain; charset=utf-8\r\n"
                        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                        "gr=C3=BCn\r\n=2E\r\n=46rom x");
    buf_clear(&out);
}

static const struct test_case cases[] = {
    TEST(test_structure),
    TEST(test_bodystructure),
    TEST(test_limits),
    TEST(test_envelope),
    TEST(test_sections),
    TEST(test_fields),
    TEST(test_addresses),
    TEST(test_addresses_written),
    TEST(test_addresses_folded),
    TEST(test_address_check),
    TEST(test_words),
    TEST(test_words_written),
    TEST(test_params),
    TEST(test_filename),
    TEST(test_dates),
    TEST(test_dates_written),
    TEST(test_decode),
    TEST(test_encode_judged),
    TEST(test_charsets),
    TEST(test_seven),
    TEST(test_seven_bare),
    TEST(test_changed),
    TEST(test_multipart),
};
TEST_MAIN(cases)
