/*
 * Room loop: httpd and the client against each other, over TLS.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/code.h"
#include "base/mem.h"
#include "loop/http.h"
#include "loop/httpd.h"
#include "loop/httpd_parse.h"
#include "loop/loop.h"
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
