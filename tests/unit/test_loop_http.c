/*
 * Room loop: httpd and the client against each other, over TLS.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/code.h"
#include "base/mem.h"
#include "loop/http.h"
#include "loop/httpd.h"
#include "loop/httpd_parse.h"
#include "loop/loop.h"
#include "loop/stream.h"
#include "loop/tls.h"
#include "test.h"

static struct loop *loop;
static struct httpd *httpd;
static struct http *http;
static struct tls_server *tls;
static char *cert, *key;
static struct httpd_request *parked;
static int gone, runs;
static struct err got;
static struct buf body = {.limit = 64 << 20};
static char header_seen[100];

/* "hello, hello, hello", packed. */
static const unsigned char gzipped[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
    0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xd7, 0x51, 0xc8, 0x40, 0xa2,
    0x00, 0x9f, 0xa1, 0xca, 0x09, 0x13, 0x00, 0x00, 0x00,
};

static void
on_gone(void *arg, struct httpd_request *r)
{
    (void)arg;
    (void)r;
    gone++;
    parked = NULL;
}

static void
handler(void *arg, struct httpd_request *r)
{
    const char *t = httpd_target(r);
    const char *headers[] = {"X-Test: yes", NULL};

    (void)arg;
    if (strcmp(t, "/echo") == 0) {
        httpd_answer(r, 200, headers, httpd_body(r));
    } else if (strcmp(t, "/auth") == 0) {
        const char *a = httpd_header(r, "authorization");

        httpd_answer(r, a ? 200 : 401, NULL, slice_of(a ? a : ""));
    } else if (strcmp(t, "/park") == 0) {
        parked = r;
        httpd_on_gone(r, on_gone, NULL);
    } else if (strcmp(t, "/cut") == 0) {
        httpd_answer_cut(r, 200, NULL, SLICE("1234567890"), 4);
    } else if (strcmp(t, "/big-header") == 0) {
        char *line = xmalloc(60001);
        const char *many[] = {line, line, line, line, line, NULL};

        memcpy(line, "X-Big: ", 7);
        memset(line + 7, 'x', 59993);
        line[60000] = '\0';
        httpd_answer(r, 200, many, SLICE("x"));
        free(line);
    } else if (strcmp(t, "/gzip") == 0) {
        static const char *const packed[] = {"Content-Encoding: gzip", NULL};

        httpd_answer(r, 200, packed, slice_make(gzipped, sizeof gzipped));
    } else if (strcmp(t, "/cookie") == 0) {
        static const char *const set[] = {"Set-Cookie: a=b; Secure", NULL};
        const char *c = httpd_header(r, "cookie");

        httpd_answer(r, 200, set, slice_of(c ? c : "none"));
    } else if (strcmp(t, "/peer") == 0) {
        httpd_answer(r, 200, NULL, slice_of(httpd_peer(r)));
    } else if (strcmp(t, "/moved") == 0) {
        static const char *const to[] = {"Location: https://localhost/x",
                                         NULL};

        httpd_answer(r, 302, to, SLICE("elsewhere"));
    } else if (strcmp(t, "/drop") == 0) {
        httpd_drop(r);
    } else {
        httpd_answer(r, 404, NULL, SLICE("none"));
    }
}

static void
on_done(void *arg, const struct err *err)
{
    (void)arg;
    runs++;
    got = err ? *err : (struct err){0};
}

static void
on_header(void *arg, struct slice name, struct slice value)
{
    (void)arg;
    if (slice_iis(name, "x-test"))
        slice_copy(value, header_seen, sizeof header_seen);
}

static int
on_body(void *arg, struct slice piece, struct err *e)
{
    (void)arg;
    if (buf_add_slice(&body, piece))
        return err_set(e, E_LIMIT, "too much");
    return 0;
}

static void
turn_until(int want)
{
    for (int i = 0; i < 10000 && runs < want; i++) {
        loop_turn(loop, false);
        usleep(200);
    }
    CHECK_INT(runs, want);
}

static struct op *
ask(const char *method, const char *path, struct slice what, const char *ca,
    struct http_answer *a)
{
    char *url = xasprintf("https://localhost:%u%s", httpd_port(httpd), path);
    struct secret pw = {0};
    struct http_request r = {
        .method = method,
        .url = url,
        .ca_file = ca,
        .auth = HTTP_AUTH_BASIC,
        .user = "alice",
        .secret = &pw,
        .body = what,
        .on_body = on_body,
        .on_header = on_header,
        .max_body = 30 << 20,
    };
    struct op *op;

    secret_set(&pw, "secret", 6);
    buf_reset(&body);
    op = http_send(http, &r, a, on_done, NULL);
    secret_clear(&pw);
    free(url);
    return op;
}

static void
echo(void)
{
    struct http_answer a;
    size_t n = 20 << 20;
    char *big = xmalloc(n);

    for (size_t i = 0; i < n; i++)
        big[i] = (char)(i * 31 + (i >> 13));
    runs = 0;
    ask("POST", "/echo", SLICE("hello"), cert, &a);
    turn_until(1);
    CHECK_STR(got.text, "");
    CHECK_INT(a.status, 200);
    CHECK(slice_is(buf_slice(&body), "hello"));
    CHECK_STR(header_seen, "yes");
    ask("POST", "/echo", slice_make(big, n), cert, &a);
    turn_until(2);
    CHECK_INT(a.status, 200);
    CHECK(body.len == n && memcmp(body.data, big, n) == 0);
    ask("POST", "/auth", SLICE("x"), cert, &a);
    turn_until(3);
    CHECK(slice_is(buf_slice(&body), "Basic YWxpY2U6c2VjcmV0"));
    ask("OPTIONS", "/nothing", SLICE_NONE, cert, &a);
    turn_until(4);
    CHECK_INT(a.status, 404);
    free(big);
}

static void
failures(void)
{
    struct http_answer a;
    struct op *slot = NULL;

    runs = 0;
    ask("POST", "/echo", SLICE("x"), NULL, &a);
    turn_until(1);
    CHECK_INT(got.code, E_REMOTE);
    CHECK(strstr(got.text, "ca_file") != NULL);
    ask("POST", "/cut", SLICE("x"), cert, &a);
    turn_until(2);
    CHECK_INT(got.code, E_RETRY);
    CHECK(a.maybe_acted);
    ask("POST", "/drop", SLICE("x"), cert, &a);
    turn_until(3);
    CHECK_INT(got.code, E_RETRY);
    CHECK(a.maybe_acted);
    op_hold(&slot, ask("POST", "/park", SLICE("x"), cert, &a));
    for (int i = 0; i < 2000 && !parked; i++) {
        loop_turn(loop, false);
        usleep(200);
    }
    CHECK(parked != NULL);
    op_cancel(&slot);
    for (int i = 0; i < 2000 && !gone; i++) {
        loop_turn(loop, false);
        usleep(200);
    }
    CHECK_INT(gone, 1);
    CHECK_INT(runs, 3);
}

/* ---- the finer points of a request ---- */

struct ask {
    struct http_request r;
    struct http_answer a;
    struct op *op;
    char *url;
    int statuses, last_status, headers;
    size_t reads, rewinds;
    uint64_t next; /* offset that the next read should have */
    size_t body;
    enum { PLAIN, REFUSE, CANCEL_BODY, CANCEL_HEADER, CANCEL_READ } how;
};

static char
upload_byte(uint64_t at)
{
    return (char)(at * 11 + (at >> 10));
}

static size_t
ask_read(void *arg, uint64_t offset, char *to, size_t n)
{
    struct ask *q = arg;

    q->reads++;
    if (offset != q->next)
        q->rewinds++;
    if (q->how == CANCEL_READ)
        op_cancel(&q->op);
    for (size_t i = 0; i < n; i++)
        to[i] = upload_byte(offset + i);
    q->next = offset + n;
    return n;
}

static void
ask_status(void *arg, int status)
{
    struct ask *q = arg;

    q->statuses++;
    q->last_status = status;
    q->headers = 0;
}

static void
ask_header(void *arg, struct slice name, struct slice value)
{
    struct ask *q = arg;

    (void)name;
    (void)value;
    q->headers++;
    if (q->how == CANCEL_HEADER)
        op_cancel(&q->op);
}

static int
ask_body(void *arg, struct slice piece, struct err *e)
{
    struct ask *q = arg;

    if (q->how == REFUSE)
        return err_set(e, E_QUOTA, "enough of this");
    if (q->how == CANCEL_BODY)
        op_cancel(&q->op);
    for (size_t i = 0; q->r.read && i < piece.n; i++)
        if (piece.p[i] != upload_byte(q->body + i)) {
            CHECK(!"the body came back changed");
            break;
        }
    buf_add_slice(&body, piece);
    q->body += piece.n;
    return 0;
}

static void
ask_init(struct ask *q, const char *path)
{
    *q = (struct ask){.r = {.method = "POST", .ca_file = cert}};
    q->url = xasprintf("https://localhost:%u%s", httpd_port(httpd), path);
    q->r.url = q->url;
    q->r.on_status = ask_status;
    q->r.on_header = ask_header;
    q->r.on_body = ask_body;
    q->r.arg = q;
    buf_reset(&body);
    runs = 0;
}

static void
ask_send(struct ask *q)
{
    op_hold(&q->op, http_send(http, &q->r, &q->a, on_done, NULL));
    free(q->url);
}

static void
streamed(void)
{
    struct ask q;

    ask_init(&q, "/echo");
    q.r.read = ask_read;
    q.r.body_size = 20 << 20;
    ask_send(&q);
    turn_until(1);
    CHECK_STR(got.text, "");
    CHECK_INT(q.a.status, 200);
    CHECK_INT(q.body, 20 << 20);
    CHECK_INT(q.rewinds, 0);
    CHECK(q.reads > 20); /* in pieces */
    CHECK_INT(q.statuses, 1);
    CHECK_INT(q.last_status, 200);
    CHECK(q.headers >= 2);
}

static void
bounds(void)
{
    struct ask q;

    ask_init(&q, "/echo");
    q.r.body = SLICE("0123456789");
    q.r.max_body = 9;
    ask_send(&q);
    turn_until(1);
    CHECK_INT(got.code, E_LIMIT);
    CHECK(q.a.maybe_acted);
    ask_init(&q, "/big-header");
    ask_send(&q);
    turn_until(1);
    CHECK_INT(got.code, E_LIMIT);
    ask_init(&q, "/echo");
    q.how = REFUSE;
    q.r.body = SLICE("0123456789");
    ask_send(&q);
    turn_until(1);
    CHECK_INT(got.code, E_QUOTA);
    CHECK_STR(got.text, "enough of this");
}

/* Cancelled in each of its callbacks: libcurl is on the stack then. */
static void
cancel_inside(void)
{
    for (int how = CANCEL_BODY; how <= CANCEL_READ; how++) {
        struct ask q;

        ask_init(&q, "/echo");
        q.how = how;
        q.r.read = ask_read;
        q.r.body_size = 3 << 20;
        ask_send(&q);
        for (int i = 0; i < 5000 && q.op; i++) {
            loop_turn(loop, false);
            usleep(200);
        }
        CHECK(!q.op);
        for (int i = 0; i < 20; i++)
            loop_turn(loop, false);
        CHECK_INT(runs, 0);
    }
    /* The house still stands. */
    streamed();
}

static void
timeouts(void)
{
    struct ask q;

    ask_init(&q, "/park");
    q.r.total_ms = 150;
    ask_send(&q);
    turn_until(1);
    CHECK_INT(got.code, E_RETRY);
    CHECK(strstr(got.text, "in time") != NULL);
    CHECK(q.a.maybe_acted); /* it had gone out */
    ask_init(&q, "/echo");
    free(q.url);
    q.url = xstrdup("https://127.0.0.1:1/");
    q.r.url = q.url;
    q.r.body = SLICE("x");
    ask_send(&q);
    turn_until(1);
    CHECK_INT(got.code, E_RETRY);
    CHECK(!q.a.maybe_acted);
    ask_init(&q, "/echo");
    free(q.url);
    q.url = xasprintf("http://localhost:%u/", httpd_port(httpd));
    q.r.url = q.url;
    ask_send(&q);
    turn_until(1);
    CHECK(got.code != E_NONE); /* https only */
    CHECK_INT(q.a.status, 0);
}

static void
manners(void)
{
    struct ask q;
    char first[64];

    ask_init(&q, "/gzip");
    ask_send(&q);
    turn_until(1);
    CHECK(slice_is(buf_slice(&body), "hello, hello, hello"));
    ask_init(&q, "/moved");
    ask_send(&q);
    turn_until(1);
    CHECK_INT(q.a.status, 302); /* not followed */
    CHECK(slice_is(buf_slice(&body), "elsewhere"));
    ask_init(&q, "/cookie");
    ask_send(&q);
    turn_until(1);
    CHECK(slice_is(buf_slice(&body), "none"));
    ask_init(&q, "/cookie");
    ask_send(&q);
    turn_until(1);
    CHECK(slice_is(buf_slice(&body), "a=b"));
    ask_init(&q, "/peer");
    ask_send(&q);
    turn_until(1);
    slice_copy(buf_slice(&body), first, sizeof first);
    ask_init(&q, "/peer");
    ask_send(&q);
    turn_until(1);
    CHECK_STR(body.data, first); /* the line was kept */
    ask_init(&q, "/peer");
    q.r.fresh_connection = true;
    ask_send(&q);
    turn_until(1);
    CHECK(strcmp(body.data, first) != 0);
    ask_init(&q, "/echo");
    q.r.client_cert = "/nonexistent.pem";
    ask_send(&q);
    turn_until(1);
    CHECK_INT(got.code, E_CRYPTO);
    CHECK(!q.a.maybe_acted);
}

/* ---- the server, seen from a bare line ---- */

static struct httpd *bare;
static struct buf heard = {.limit = 1 << 20};
static int ended;

static void
line_input(void *arg)
{
    struct stream **s = arg;
    struct slice in = stream_input(*s);

    buf_add_slice(&heard, in);
    stream_consume(*s, in.n);
}

static void
line_close(void *arg, const struct err *err)
{
    (void)arg;
    (void)err;
    ended++;
}

static void
server_line(void)
{
    static const struct stream_events line = {.on_input = line_input,
                                              .on_close = line_close};
    static const struct {
        const char *text;
        int oks;       /* answers with 200 or 404 */
        const char *has;
        bool ends;
    } rows[] = {
        {"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
         "GET /b HTTP/1.1\r\nHost: a\r\n\r\n",
         2, "keep-alive", false},
        {"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
         "GET /b HTTP/1.1\r\nHost: a\r\n\r\n",
         1, "close", true},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n", 0,
         "HTTP/1.1 413", true},
        {"rubbish\r\n\r\n", 0, "HTTP/1.1 400", true},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
         "Content-Length: 2\r\n\r\n",
         0, "100 Continue", false},
        {"HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n", 1, "Content-Length: 4",
         false},
        {"GET /drop HTTP/1.1\r\nHost: a\r\n\r\n", 0, "", true},
    };
    struct httpd_options opt = {.host = "127.0.0.1", .max_body = 1000};
    struct err e;

    REQUIRE(httpd_new(&opt, handler, NULL, &bare, &e) == 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sockaddr_in in = {.sin_family = AF_INET};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), oks = 0;
        struct stream *s;

        test_row(rows[i].text);
        in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        in.sin_port = htons((uint16_t)httpd_port(bare));
        REQUIRE(connect(fd, (struct sockaddr *)&in, sizeof in) == 0);
        ended = 0;
        buf_reset(&heard);
        buf_adds(&heard, "");
        s = stream_new(fd, NULL, &line, &s);
        stream_puts(s, rows[i].text);
        for (int k = 0; k < 150; k++) {
            loop_turn(loop, false);
            usleep(200);
        }
        for (const char *p = heard.data; (p = strstr(p, "HTTP/1.1 ")); p++)
            oks += p[9] == '4' && p[11] == '4';
        CHECK_INT(oks, rows[i].oks);
        CHECK(strstr(heard.data, rows[i].has) != NULL);
        CHECK_INT(ended, rows[i].ends);
        if (rows[i].text[0] == 'H')
            CHECK(slice_ends(buf_slice(&heard), "\r\n\r\n"));
        stream_free(&s);
    }
    test_row(NULL);
    httpd_free(&bare);
    buf_clear(&heard);
}

static void
urls(void)
{
    struct http_url u;
    struct err e;
    struct buf b = BUF_INIT(100);

    CHECK_INT(http_url_parse("https://mail.example.com", &u, &e), 0);
    CHECK_STR(u.host, "mail.example.com");
    CHECK_INT(u.port, 443);
    CHECK_STR(u.path, "");
    CHECK_INT(http_url_parse("https://[::1]:8443/x", &u, &e), 0);
    CHECK_INT(u.port, 8443);
    CHECK_INT(http_url_parse("http://localhost/", &u, &e), -1);
    CHECK_INT(http_url_parse("https://a:b@host/", &u, &e), -1);
    CHECK_INT(http_url_parse("https://host/#x", &u, &e), -1);
    CHECK_INT(http_url_parse("mail", &u, &e), -1);
    http_url_encode(&b, SLICE("a b@x"));
    CHECK_STR(b.data, "a%20b%40x");
    buf_clear(&b);
    CHECK_INT(http_check_library(&e), 0);
}

#define CHUNKED                                                      \
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

static void
parser(void)
{
    static const struct {
        const char *text;
        int want;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1},
        {"\r\nGET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n", 1},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 1},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab", 0},
        {CHUNKED "2\r\nab\r\n1 ;x=y\r\nc\r\n0\r\nT: x\r\n\r\n", 1},
        {"GET / HTTP/1.0\r\n\r\n", 1},
        {"GET / HTTP/1.1\r\n\r\n", -1},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", -1},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
         "Content-Length: 3\r\n\r\n",
         -1},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
         "Content-Length: 3\r\n\r\n",
         -1},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\n", -1},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\n", -1},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n", -1},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n",
         -1},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked"
         "\r\n\r\n",
         -1},
        {"GET / HTTP/1.1\nHost: a\n\n", -1},
        {"GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n", -1},
        {"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", -1},
        {"GET / HTTP/1.1\r\nHost: a\r\nA: b\001\r\n\r\n", -1},
        {"GET / HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n", -1},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", -1},
        {"GET /\r\n\r\n", -1},
        {CHUNKED "fffffffff\r\n", -1},
        {CHUNKED "0x2\r\nab\r\n0\r\n\r\n", -1},
        {CHUNKED " 2\r\nab\r\n0\r\n\r\n", -1},
        {CHUNKED "2 \r\nab\r\n0\r\n\r\n", -1},
        {CHUNKED "2\r\nabc\r\n0\r\n\r\n", -1},
        {CHUNKED "\r\n", -1},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (int step = 1; step <= 1000; step += 999) {
            struct httpd_parse *p = httpd_parse_new(1000);
            struct slice rest = slice_of(rows[i].text);
            struct err e;
            int rc = 0;

            test_row(rows[i].text);
            while (rc == 0 && rest.n) {
                size_t used;

                rc = httpd_parse_feed(p, slice_cut(rest, 0, (size_t)step),
                                      &used, &e);
                rest = slice_from(rest, used);
            }
            CHECK_INT(rc, rows[i].want);
            if (i == 4)
                CHECK(slice_is(httpd_parse_body(p), "abc"));
            httpd_parse_free(&p);
        }
    test_row(NULL);
}

static const struct test_case cases[] = {
    TEST(parser),
    TEST(urls),
    TEST(echo),
    TEST(failures),
    TEST(streamed),
    TEST(bounds),
    TEST(cancel_inside),
    TEST(timeouts),
    TEST(manners),
    TEST(server_line),
};

int
main(void)
{
    struct httpd_options opt = {.host = "127.0.0.1"};
    struct err e;
    int rc;

    loop = loop_new();
    cert = xasprintf("%s/cert.pem", test_dir());
    key = xasprintf("%s/key.pem", test_dir());
    http = http_new();
    if (tls_make_loopback(cert, key, &e) ||
        tls_server_new(cert, key, &tls, &e))
        return 99;
    opt.tls = tls;
    if (httpd_new(&opt, handler, NULL, &httpd, &e))
        return 99;
    rc = test_main(cases, ARRAY_LEN(cases));
    http_free(&http);
    httpd_free(&httpd);
    tls_server_free(&tls);
    loop_free(&loop);
    buf_clear(&body);
    free(cert);
    free(key);
    return rc;
}
