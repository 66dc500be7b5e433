/*
 * ItemOperations Fetch: multipart and inline answers, small and large ones,
 * what the server refuses, forgets, cuts or makes up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "eas/eas.h"
#include "eas/private.h"
#include "eas_server.h"
#include "test.h"
#include "wbxml/text.h"

#define BIG 300000
#define HEAD_MULTI {"Content-Type: application/vnd.ms-sync.multipart", NULL}

struct body {
    int status, told;
    size_t n;
    bool truncated, right;
};
struct got {
    struct body body[4];
};

/* The i-th body: all its bytes are the letter 'a' + i. */
static void
on_body(void *arg, size_t i, int status, struct slice mime, bool truncated)
{
    struct got *g = arg;

    if (i >= 4)
        return;
    g->body[i].told++;
    g->body[i].status = status;
    g->body[i].n = mime.n;
    g->body[i].truncated = truncated;
    g->body[i].right = true;
    for (size_t k = 0; k < mime.n; k++)
        g->body[i].right &= mime.p[k] == (char)('a' + i);
}

static void
le32(struct buf *b, size_t v)
{
    for (int i = 0; i < 4; i++)
        buf_addc(b, (char)(v >> (8 * i)));
}

/* Part 0 is the XML, the others the letters of `sizes`. */
static void
multipart(struct buf *out, const char *xml, const size_t *sizes, size_t n)
{
    struct buf doc = BUF_INIT(1 << 20);
    struct err e = {0};
    size_t at = 4 + 8 * (n + 1);

    CHECK(!wbxml_text_parse(slice_of(xml), &doc, &e));
    CHECK_STR(e.text, "");
    le32(out, n + 1);
    le32(out, at);
    le32(out, doc.len);
    at += doc.len;
    for (size_t i = 0; i < n; i++) {
        le32(out, at);
        le32(out, sizes[i]);
        at += sizes[i];
    }
    buf_add_slice(out, buf_slice(&doc));
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            buf_addc(out, (char)('a' + i));
    buf_clear(&doc);
}

static struct outcome
fetch(const struct script *s, size_t n, uint64_t max, struct got *g)
{
    static const struct eas_place places[] = {
        {"5", "5:1"}, {"5", "5:2"}, {"6", "5:1"}, {"6", "6:9"}};
    struct eas_state ready = eas_ready("16.1");
    struct eas *eas = eas_client(&ready, NULL);
    struct outcome o = {0};
    struct op *op = NULL;
    struct eas_fetch_ask ask = {.items = places,
                                .n = n,
                                .max_body = max,
                                .on_body = on_body,
                                .body_arg = g};

    *g = (struct got){0};
    eas_server_play(s);
    op_hold(&op, eas_items_fetch(eas, &ask, on_outcome_done, &o));
    turn(&o.runs, 1);
    eas_free(&eas);
    return o;
}

#define FETCH(status, folder, id, rest)                                      \
    "<Fetch><Status>" status "</Status><airsync:CollectionId>" folder         \
    "</airsync:CollectionId><airsync:ServerId>" id "</airsync:ServerId>" rest \
    "</Fetch>"
#define BODY(rest)                                                     \
    "<Properties><base:Body><base:Type>4</base:Type>" rest             \
    "</base:Body></Properties>"
#define XML(fetches)                                                   \
    "<ItemOperations><Status>1</Status><Response>" fetches             \
    "</Response></ItemOperations>"

static const char three[] =
    XML(FETCH("1", "5", "5:1", BODY("<Part>1</Part>"))
            FETCH("1", "5", "5:2",
                  BODY("<base:Truncated>1</base:Truncated><Part>2</Part>"))
                FETCH("6", "6", "5:1", ""));

static void
parts(void)
{
    static const size_t sizes[][2] = {{10, 20}, {BIG, BIG}, {0, 5}, {5, 0}};

    for (size_t k = 0; k < 4; k++) {
        struct buf b = BUF_INIT(1 << 22);
        struct script s[2] = {
            {.cmd = "ItemOperations",
             .header = "MS-ASAcceptMultiPart: T",
             .headers = HEAD_MULTI,
             .how = PLAY_RAW}};
        struct got g;
        struct outcome o;

        multipart(&b, three, sizes[k], 2);
        s[0].data = b.data;
        s[0].ndata = b.len;
        o = fetch(s, 4, 1 << 20, &g);
        CHECK_STR(o.err.text, "");
        for (size_t i = 0; i < 4; i++)
            CHECK_INT(g.body[i].told, 1);
        for (size_t i = 0; i < 2; i++) {
            CHECK_INT(g.body[i].status, 1);
            CHECK_INT(g.body[i].n, sizes[k][i]);
            CHECK(g.body[i].right);
        }
        CHECK(!g.body[0].truncated);
        CHECK(g.body[1].truncated);
        CHECK_INT(g.body[2].status, 6);
        CHECK_INT(g.body[3].status, 6); /* forgotten: not found */
        buf_clear(&b);
    }
}

/* Whatever is missing, the answer is none, and the next try is the same. */
static void
parts_cut(void)
{
    static const size_t sizes[] = {3000, 3000};
    struct buf b = BUF_INIT(1 << 20);

    multipart(&b, three, sizes, 2);
    for (size_t n = 1; n < b.len; n += n < 200 ? 7 : 977) {
        struct script s[2] = {{.cmd = "ItemOperations",
                               .headers = HEAD_MULTI,
                               .how = PLAY_RAW,
                               .data = b.data,
                               .ndata = n}};
        struct got g;
        struct outcome o = fetch(s, 4, 1 << 20, &g);

        CHECK_INT(o.err.code, E_RETRY);
        CHECK(g.body[1].told == 0 || !g.body[1].n);
    }
    buf_clear(&b);
}

/* An order to the whole account is heard in a multipart answer, too. */
static void
parts_wipe(void)
{
    struct buf b = BUF_INIT(1 << 16);
    struct script s[] = {
        {.cmd = "ItemOperations", .headers = HEAD_MULTI, .how = PLAY_RAW},
        {.cmd = "Provision",
         .xml = "<Provision><Status>1</Status><RemoteWipe/></Provision>"},
        {0}};
    struct got g;
    struct outcome o;

    multipart(&b, "<ItemOperations><Status>140</Status></ItemOperations>",
              NULL, 0);
    s[0].data = b.data;
    s[0].ndata = b.len;
    o = fetch(s, 2, 1 << 20, &g);
    CHECK_INT(o.err.code, E_DENIED);
    CHECK_STR(o.err.text, "the server's administrator has ordered that this "
                          "account be wiped here");
    buf_clear(&b);
}

static void
parts_bad(void)
{
    static const struct {
        const char *name, *bytes;
        size_t n;
    } rows[] = {
        {"no parts", "\0\0\0\0\0\0\0\0\0\0\0\0", 12},
        {"many parts", "\xff\xff\xff\xff\0\0\0\0\0\0\0\0", 12},
        {"into the head", "\1\0\0\0\4\0\0\0\5\0\0\0\3\1\x6a\0\5", 17},
        {"backwards", "\2\0\0\0\x14\0\0\0\5\0\0\0\x14\0\0\0\1\0\0\0\3\1\x6a\0\5",
         25},
        {"no wbxml", "\1\0\0\0\x0c\0\0\0\5\0\0\0hello", 17},
        {"far away", "\1\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\3\1\x6a\0\5",
         17},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct script s[2] = {{.cmd = "ItemOperations",
                               .headers = HEAD_MULTI,
                               .how = PLAY_RAW,
                               .data = rows[i].bytes,
                               .ndata = rows[i].n}};
        struct got g;
        struct outcome o;

        test_row(rows[i].name);
        o = fetch(s, 1, 1 << 20, &g);
        CHECK_INT(o.err.code, E_RETRY);
        CHECK_INT(g.body[0].told, 0);
    }
    test_row(NULL);
}

static void
inline_form(void)
{
    struct buf xml = BUF_INIT(1 << 22);
    struct script s[2] = {{.cmd = "ItemOperations"}};
    struct got g;
    struct outcome o;

    buf_adds(&xml, "<ItemOperations><Status>1</Status><Response>"
                   "<Fetch><Status>1</Status>"
                   "<airsync:ServerId>5:1</airsync:ServerId><Properties>"
                   "<base:Body><base:Type>4</base:Type><base:Data>");
    for (int i = 0; i < BIG; i++)
        buf_addc(&xml, 'a');
    buf_adds(&xml, "</base:Data></base:Body></Properties></Fetch>");
    buf_adds(&xml, FETCH("1", "5", "5:2", BODY("<base:Data>bbb</base:Data>")));
    buf_adds(&xml, "</Response></ItemOperations>");
    s[0].xml = xml.data;
    o = fetch(s, 2, 1 << 20, &g);
    CHECK_STR(o.err.text, "");
    CHECK_INT(g.body[0].n, BIG);
    CHECK(g.body[0].right);
    CHECK_INT(g.body[1].n, 3);
    CHECK(g.body[1].right);

    /* Larger than asked for: that one only. */
    o = fetch(s, 2, 1000, &g);
    CHECK_STR(o.err.text, "");
    CHECK_INT(g.body[0].status, -1);
    CHECK_INT(g.body[1].status, 1);
    buf_clear(&xml);
}

static void
refused(void)
{
    static const struct {
        const char *name, *xml;
        enum err_code err; /* E_NONE: status of the first body instead */
        int status;
    } rows[] = {
        {"root status", "<ItemOperations><Status>3</Status></ItemOperations>",
         E_RETRY, 0},
        {"another body",
         XML(FETCH("1", "5", "5:1",
                   "<Properties><base:Body><base:Type>2</base:Type>"
                   "<base:Data>x</base:Data></base:Body></Properties>")),
         E_NONE, 14},
        {"no body", XML(FETCH("1", "5", "5:1", "<Properties/>")), E_NONE, 14},
        {"another item",
         XML(FETCH("1", "5", "5:7", BODY("<base:Data>x</base:Data>"))), E_NONE,
         6},
        {"the same twice",
         XML(FETCH("1", "5", "5:1", BODY("<base:Data>aa</base:Data>"))
                 FETCH("1", "5", "5:1", BODY("<base:Data>xx</base:Data>"))),
         E_NONE, 1},
        {"another command", "<Sync><Status>1</Status></Sync>", E_RETRY, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct script s[2] = {{.cmd = "ItemOperations", .xml = rows[i].xml}};
        struct got g;
        struct outcome o;

        test_row(rows[i].name);
        o = fetch(s, 1, 1 << 20, &g);
        if (rows[i].err) {
            CHECK(o.err.code != E_NONE);
            CHECK_INT(g.body[0].told, 0);
        } else {
            CHECK_STR(o.err.text, "");
            CHECK_INT(g.body[0].told, 1);
            CHECK_INT(g.body[0].status, rows[i].status);
            CHECK(g.body[0].right);
        }
    }
    test_row(NULL);
}

/* ---- under a policy that lets no attachments in, and 2 KB of text */

#define LOOK(type, rest)                                               \
    "<Properties><email:From>Bob &lt;bob@example.test&gt;</email:From>" \
    "<email:Subject>Hello</email:Subject><base:Body><base:Type>" type  \
    "</base:Type>" rest "</base:Body>"
#define DATA(text) "<base:Data>" text "</base:Data>"
#define ASK_LOOK                                                           \
    "<ItemOperations><Fetch><Store>Mailbox</Store><airsync:CollectionId>"  \
    "5</airsync:CollectionId><airsync:ServerId>5:1</airsync:ServerId>"     \
    "<Options><airsync:MIMESupport>1</airsync:MIMESupport>"                \
    "<base:BodyPreference><base:Type>1</base:Type><base:TruncationSize>"   \
    "2048</base:TruncationSize></base:BodyPreference>"                     \
    "<base:BodyPreference><base:Type>2</base:Type></base:BodyPreference>"  \
    "<base:BodyPreference><base:Type>4</base:Type></base:BodyPreference>"  \
    "</Options></Fetch></ItemOperations>"
#define ASK_MIME                                                          \
    "<ItemOperations><Fetch><Store>Mailbox</Store><airsync:CollectionId>" \
    "5</airsync:CollectionId><airsync:ServerId>5:1</airsync:ServerId>"    \
    "<Options><airsync:MIMESupport>2</airsync:MIMESupport>"               \
    "<base:BodyPreference><base:Type>4</base:Type></base:BodyPreference>" \
    "</Options></Fetch></ItemOperations>"

struct kept {
    int status, told;
    bool truncated;
    char text[4000];
};

static void
keep_body(void *arg, size_t i, int status, struct slice mime, bool truncated)
{
    struct kept *k = arg;

    (void)i;
    k->told++;
    k->status = status;
    k->truncated = truncated;
    slice_copy(mime, k->text, sizeof k->text);
}

static struct kept
look(const struct script *s, bool unlimited)
{
    static const struct eas_place place = {"5", "5:1"};
    struct eas_state ready = eas_ready("16.1");
    struct eas *eas = eas_client(&ready, NULL);
    struct kept k = {0};
    struct outcome o = {0};
    struct op *op = NULL;
    struct eas_fetch_ask ask = {.items = &place,
                                .n = 1,
                                .max_body = 100000,
                                .unlimited = unlimited,
                                .on_body = keep_body,
                                .body_arg = &k};

    eas->has_policy = true;
    eas->policy.no_attachments = true;
    eas->policy.max_text = 2;
    eas->policy.max_html = -1;
    eas_server_play(s);
    op_hold(&op, eas_items_fetch(eas, &ask, on_outcome_done, &o));
    turn(&o.runs, 1);
    CHECK_STR(o.err.text, "");
    CHECK_INT(k.told, 1);
    eas_free(&eas);
    return k;
}

#define SCRIPT(request, rest) \
    {.cmd = "ItemOperations", .want = request, \
     .xml = XML(FETCH("1", "5", "5:1", rest))}

/* Nothing is withheld: the MIME, in a second request. */
static void
look_fits(void)
{
    struct script s[] = {
        SCRIPT(ASK_LOOK, LOOK("1", DATA("Hi")) "</Properties>"),
        SCRIPT(ASK_MIME, LOOK("4", DATA("the MIME")) "</Properties>"),
        {0}};
    struct script at_once[] = {
        SCRIPT(ASK_MIME, LOOK("4", DATA("the MIME")) "</Properties>"), {0}};
    struct kept k = look(s, false);

    CHECK_INT(k.status, 1);
    CHECK_STR(k.text, "the MIME");
    k = look(at_once, true);
    CHECK_STR(k.text, "the MIME");
}

static void
look_withheld(void)
{
    struct script s[] = {
        SCRIPT(ASK_LOOK,
               LOOK("1", DATA("Hi"))
               "<base:Attachments><base:Attachment><base:DisplayName>a&#10;b"
               "</base:DisplayName><base:EstimatedDataSize>12"
               "</base:EstimatedDataSize></base:Attachment>"
               "<base:Attachment/></base:Attachments></Properties>"),
        {0}};
    struct kept k = look(s, false), again = look(s, false);

    CHECK_INT(k.status, 1);
    CHECK(!k.truncated);
    CHECK(strstr(k.text, "From: Bob <bob@example.test>\r\n"));
    CHECK(strstr(k.text, "Subject: Hello\r\n"));
    CHECK(strstr(k.text, "X-Sealpost-Withheld: attachments\r\n"));
    CHECK(strstr(k.text, "\r\nHi\r\n"));
    CHECK(strstr(k.text, "  a b (about 12 bytes)\r\n"));
    CHECK(strstr(k.text, "  without a name\r\n"));
    CHECK_STR(again.text, k.text); /* the same bytes each time */
}

/* The text fits, but the MIME comes cut: the text it is, and it says so. */
static void
look_cut(void)
{
    struct script s[] = {
        SCRIPT(ASK_LOOK, LOOK("1", DATA("Hi")) "</Properties>"),
        SCRIPT(ASK_MIME,
               LOOK("4", "<base:Truncated>1</base:Truncated>" DATA("the M"))
               "</Properties>"),
        SCRIPT(ASK_LOOK, LOOK("1", DATA("Hi")) "</Properties>"),
        {0}};
    struct kept k = look(s, false);

    CHECK_INT(k.status, 1);
    CHECK(!k.truncated);
    CHECK(strstr(k.text, "X-Sealpost-Withheld: text\r\n"));
    CHECK(strstr(k.text, "was cut by the server"));
}

/* A server that gives MIME to whom asked for text: only S/MIME counts. */
static void
look_mime(void)
{
    static const struct {
        const char *type;
        int status;
    } rows[] = {
        {"application/pkcs7-mime; smime-type=enveloped-data", 1},
        {"application/x-pkcs7-mime", 1},
        {"multipart/signed; protocol=\"application/pkcs7-signature\"", 1},
        {"multipart/signed; protocol=\"application/pgp-signature\"", 14},
        {"multipart/mixed; boundary=x", 14},
        {"text/plain", 14},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *xml = xasprintf(
            XML(FETCH("1", "5", "5:1",
                      LOOK("4", DATA("Content-Type: %s&#13;&#10;&#13;&#10;x"))
                      "</Properties>")),
            rows[i].type);
        struct script s[] = {
            {.cmd = "ItemOperations", .want = ASK_LOOK, .xml = xml}, {0}};
        struct kept k;

        test_row(rows[i].type);
        k = look(s, false);
        CHECK_INT(k.status, rows[i].status);
        CHECK_INT(k.text[0] != 0, rows[i].status == 1);
        free(xml);
    }
    test_row(NULL);
}

static const struct test_case cases[] = {
    TEST(parts),       TEST(parts_cut), TEST(parts_wipe), TEST(parts_bad),
    TEST(inline_form), TEST(refused),   TEST(look_fits),
    TEST(look_withheld), TEST(look_cut), TEST(look_mime),
};

int
main(void)
{
    int rc;

    eas_server_start();
    rc = test_main(cases, sizeof cases / sizeof cases[0]);
    eas_server_stop();
    return rc;
}
