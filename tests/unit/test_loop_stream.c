/*
 * Room loop: streams, listeners and TLS, over loopback and socket pairs; and
 * a child with input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/now.h"
#include "loop/child.h"
#include "loop/flow.h"
#include "loop/listener.h"
#include "loop/loop.h"
#include "loop/stream.h"
#include "loop/tls.h"
#include "test.h"

static struct loop *loop;
static char *cert, *key, *cert2, *key2;
static struct tls_server *server;

/* One end of a line and what it has heard. */
struct end {
    struct stream *s;
    struct buf got;
    int inputs, drains, closes, ups;
    size_t keep;      /* leaves so many bytes unread */
    bool free_on[4];  /* frees itself in on_input, _drain, _close, _tls */
    bool read_lines;  /* takes whole lines only */
    struct err err;
};

enum { INPUT, DRAIN, CLOSE, UP };

static void
end_check(struct end *x, int which)
{
    if (x->free_on[which])
        stream_free(&x->s);
}

static void
on_input(void *arg)
{
    struct end *x = arg;
    struct slice in = stream_input(x->s);

    x->inputs++;
    if (x->read_lines) {
        size_t at = slice_find(in, '\n');

        in.n = at < in.n ? at + 1 : 0;
    }
    if (in.n > x->keep)
        in.n -= x->keep;
    else if (x->keep)
        in.n = 0;
    buf_add_slice(&x->got, in);
    stream_consume(x->s, in.n);
    if (x->read_lines && in.n)
        stream_again(x->s);
    end_check(x, INPUT);
}

static void
on_drain(void *arg)
{
    struct end *x = arg;

    x->drains++;
    end_check(x, DRAIN);
}

static void
on_close(void *arg, const struct err *err)
{
    struct end *x = arg;

    x->closes++;
    x->err = err ? *err : (struct err){0};
    end_check(x, CLOSE);
}

static void
on_tls(void *arg)
{
    struct end *x = arg;

    x->ups++;
    end_check(x, UP);
}

static const struct stream_events events = {on_input, on_drain, on_close,
                                            on_tls};

static void
turns(int n)
{
    while (n--)
        loop_turn(loop, false);
}

#define WAIT_MS 20000

/* Until the number is reached; a busy machine has twenty seconds. */
static bool
turn_until(const int *n, int want)
{
    for (int64_t end = now_ms() + WAIT_MS; *n < want && now_ms() < end;) {
        loop_turn(loop, false);
        if (*n < want)
            usleep(200);
    }
    return *n >= want;
}

static bool
turn_until_got(struct end *x, size_t want)
{
    for (int64_t end = now_ms() + WAIT_MS;
         x->got.len < want && now_ms() < end;) {
        loop_turn(loop, false);
        if (x->got.len < want)
            usleep(200);
    }
    return x->got.len == want;
}

static void
end_init(struct end *x, int fd, const struct stream_limits *limits)
{
    *x = (struct end){.got = BUF_INIT(64 << 20)};
    x->s = stream_new(fd, limits, &events, x);
}

static void
end_clear(struct end *x)
{
    stream_free(&x->s);
    buf_clear(&x->got);
}

/* A TCP line over loopback: RST and friends exist only there. */
static void
tcp_pair(int fd[2])
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    socklen_t len = sizeof in;
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd[0] = fd[1] = -1;
    if (l < 0 || bind(l, (struct sockaddr *)&in, sizeof in) || listen(l, 1) ||
        getsockname(l, (struct sockaddr *)&in, &len))
        abort();
    fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd[0], (struct sockaddr *)&in, sizeof in))
        abort();
    fd[1] = accept(l, NULL, NULL);
    close(l);
}

static void
pair(struct end *a, struct end *b, const struct stream_limits *la)
{
    int fd[2];

    tcp_pair(fd);
    end_init(a, fd[1], la);
    end_init(b, fd[0], NULL);
}

/* ---- plain ---- */

static void
talk(void)
{
    struct end a, b;

    pair(&a, &b, NULL);
    CHECK(strncmp(stream_peer(a.s), "127.0.0.1:", 10) == 0);
    stream_puts(b.s, "one\ntwo\nthr");
    CHECK_INT(a.inputs, 0);
    a.read_lines = true;
    CHECK(turn_until_got(&a, 8));
    CHECK(slice_is(stream_input(a.s), "thr"));
    stream_puts(b.s, "ee\n");
    CHECK(turn_until_got(&a, 14));
    CHECK(slice_is(buf_slice(&a.got), "one\ntwo\nthree\n"));
    stream_printf(a.s, "%d %s", 7, "seven");
    stream_finish(a.s);
    CHECK(turn_until(&b.closes, 1));
    CHECK_INT(b.err.code, E_NONE);
    CHECK(slice_is(buf_slice(&b.got), "7 seven"));
    end_clear(&b);
    CHECK(turn_until(&a.closes, 1));
    CHECK_INT(a.err.code, E_NONE);
    end_clear(&a);
}

/* The peer leaves in the middle of a line that the reader will not take. */
static void
half_a_line(void)
{
    struct end a, b;

    pair(&a, &b, NULL);
    a.read_lines = true;
    stream_puts(b.s, "whole\nhal");
    CHECK(turn_until_got(&a, 6));
    turns(5);
    stream_free(&b.s);
    CHECK(turn_until(&a.closes, 1));
    turns(5);
    CHECK_INT(a.closes, 1);
    CHECK(slice_is(buf_slice(&a.got), "whole\n"));
    end_clear(&a);
    end_clear(&b);
}

/* All that came before the end is shown, however slowly it is taken. */
static void
late_reader(void)
{
    struct end a, b;

    pair(&a, &b, NULL);
    for (int i = 0; i < 100; i++)
        stream_puts(b.s, "0123456789\n");
    stream_finish(b.s);
    a.read_lines = true;
    CHECK(turn_until(&a.closes, 1));
    CHECK_INT(a.got.len, 1100);
    CHECK(a.inputs >= 100);
    end_clear(&a);
    end_clear(&b);
}

static long long
cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A suspended stream shows nothing, does not spin, and notices each way of
 * leaving: FIN, FIN behind data, RST, RST behind data. */
static void
suspended(void)
{
    for (int how = 0; how < 4; how++) {
        struct end a, b;
        long long cpu;

        test_row((const char *[]){"fin", "data fin", "rst", "data rst"}[how]);
        pair(&a, &b, NULL);
        stream_suspend(a.s);
        CHECK(stream_is_suspended(a.s));
        if (how & 1)
            stream_puts(b.s, "more\n");
        cpu = cpu_ms();
        for (int i = 0; i < 100; i++) {
            loop_turn(loop, false);
            usleep(200);
        }
        CHECK_INT(a.inputs, 0);
        CHECK_INT(a.closes, 0);
        if (how & 2)
            stream_break(b.s);
        stream_free(&b.s);
        CHECK(turn_until(&a.closes, 1));
        turns(10);
        CHECK_INT(a.closes, 1);
        CHECK(cpu_ms() - cpu < 500);
        end_clear(&a);
        end_clear(&b);
    }
    test_row(NULL);
}

static void
resumed(void)
{
    struct end a, b;

    pair(&a, &b, NULL);
    stream_suspend(a.s);
    stream_puts(b.s, "later");
    turns(20);
    CHECK_INT(a.inputs, 0);
    stream_resume(a.s);
    CHECK_INT(a.inputs, 0); /* never from inside the call */
    CHECK(turn_until_got(&a, 5));
    end_clear(&a);
    end_clear(&b);
}

/* A full input buffer stops the peer, and an end behind it does not make the
 * loop spin or get lost. */
static void
full_input(void)
{
    struct stream_limits limits = {.input = 1000};
    struct end a, b;
    char data[5000];
    int n = 0;

    memset(data, 'x', sizeof data);
    pair(&a, &b, &limits);
    a.keep = SIZE_MAX;
    stream_write(b.s, data, sizeof data);
    stream_finish(b.s);
    for (int i = 0; i < 50; i++) {
        loop_turn(loop, false);
        usleep(200);
    }
    CHECK_INT(stream_input(a.s).n, 1000);
    CHECK_INT(a.closes, 0);
    a.keep = 0;
    while (a.got.len < 5000 && n++ < 1000) {
        stream_again(a.s);
        loop_turn(loop, false);
    }
    CHECK_INT(a.got.len, 5000);
    CHECK(turn_until(&a.closes, 1));
    end_clear(&a);
    end_clear(&b);
}

/* A peer that reads slowly: the output waits, on_drain tells, nothing is
 * lost; one that never reads is dropped at the limit. */
static void
slow_reader(void)
{
    struct stream_limits limits = {.output = 8 << 20, .low = 1000};
    size_t n = 6 << 20;
    struct end a, b;
    char *data = xmalloc(n);
    int fd[2];

    for (size_t i = 0; i < n; i++)
        data[i] = (char)(i * 7 + (i >> 11));
    tcp_pair(fd);
    setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &(int){16384}, sizeof(int));
    end_init(&a, fd[1], &limits);
    end_init(&b, fd[0], NULL);
    stream_suspend(b.s);
    stream_write(a.s, data, n);
    CHECK_INT(stream_pending(a.s), n);
    turns(50);
    CHECK(stream_pending(a.s) > 1 << 20);
    CHECK_INT(a.drains, 0);
    stream_resume(b.s);
    CHECK(turn_until_got(&b, n));
    CHECK(b.got.len == n && memcmp(b.got.data, data, n) == 0);
    CHECK_INT(a.drains, 1);
    CHECK_INT(stream_pending(a.s), 0);
    stream_suspend(b.s);
    stream_write(a.s, data, n);
    turns(10);
    stream_write(a.s, data, n);
    CHECK(turn_until(&a.closes, 1));
    CHECK_INT(a.err.code, E_LIMIT);
    end_clear(&a);
    end_clear(&b);
    free(data);
}

/* Each callback may free its stream (the sanitizers look on). */
static void
freed_inside(void)
{
    struct stream_limits limits = {.low = 10};
    struct end a, b;

    for (int which = INPUT; which <= CLOSE; which++) {
        pair(&a, &b, &limits);
        a.free_on[which] = true;
        stream_puts(b.s, "hello\n");
        stream_puts(a.s, "more than ten bytes");
        turns(10);
        if (which == CLOSE)
            stream_free(&b.s);
        for (int i = 0; i < 100 && a.s; i++) {
            loop_turn(loop, false);
            usleep(200);
        }
        CHECK(!a.s);
        end_clear(&a);
        end_clear(&b);
    }
}

static void
idle(void)
{
    struct end a, b;

    pair(&a, &b, NULL);
    stream_set_idle(a.s, 500);
    for (int i = 0; i < 5; i++) {
        stream_puts(b.s, "x");
        CHECK(turn_until_got(&a, (size_t)i + 1));
        for (int k = 0; k < 10; k++) {
            usleep(15000);
            loop_turn(loop, false);
        }
    }
    CHECK_INT(a.closes, 0); /* 750 ms, but never 500 without a byte */
    CHECK(turn_until(&a.closes, 1));
    CHECK_INT(a.err.code, E_RETRY);
    CHECK(strstr(a.err.text, "idle") != NULL);
    end_clear(&a);
    end_clear(&b);
}

/* The last words arrive though the peer was still sending (no RST). */
static void
last_words(void)
{
    struct stream_limits limits = {.input = 100};
    struct end a, b;
    char data[200000];

    memset(data, 'x', sizeof data);
    pair(&a, &b, &limits);
    a.free_on[CLOSE] = true;
    stream_write(b.s, data, sizeof data);
    CHECK(turn_until(&a.inputs, 1));
    stream_puts(a.s, "too much");
    stream_finish(a.s);
    CHECK(turn_until(&b.closes, 1));
    CHECK_INT(b.err.code, E_NONE);
    CHECK(slice_is(buf_slice(&b.got), "too much"));
    end_clear(&b);
    for (int i = 0; i < 10000 && a.s; i++) {
        loop_turn(loop, false);
        usleep(200);
    }
    CHECK(!a.s);
    end_clear(&a);
    /* A peer that does not go away is left after a second. */
    pair(&a, &b, NULL);
    stream_suspend(b.s);
    stream_free(&b.s);
    end_clear(&a);
    end_clear(&b);
    {
        int64_t t;
        int fd[2];

        tcp_pair(fd);
        end_init(&a, fd[1], NULL);
        t = now_ms();
        stream_finish(a.s);
        CHECK(turn_until(&a.closes, 1));
        CHECK(now_ms() - t >= 900);
        end_clear(&a);
        close(fd[0]);
    }
}

/* ---- TLS ---- */

static void
upgrade(void)
{
    struct tls_client *client;
    struct end a, b;
    struct err e;
    char print[96];
    size_t n = 3 << 20;
    char *data = xcalloc(1, n);

    REQUIRE(tls_client_new(cert, &client, &e) == 0);
    pair(&a, &b, NULL);
    a.read_lines = true;
    /* The injected command must not be seen as if it had come over TLS. */
    stream_puts(b.s, "STARTTLS\nINJECTED\n");
    for (int i = 0; i < 1000 && a.got.len < 9; i++)
        on_input(&a), loop_turn(loop, false);
    CHECK(slice_is(stream_input(a.s), "INJECTED\n"));
    buf_reset(&a.got);
    stream_puts(a.s, "220 go\n");
    stream_start_tls(a.s, server);
    CHECK(stream_is_tls(a.s));
    CHECK_INT(stream_input(a.s).n, 0);
    stream_puts(a.s, "over tls\n");
    CHECK(turn_until_got(&b, 7));
    CHECK(slice_is(buf_slice(&b.got), "220 go\n"));
    stream_connect_tls(b.s, client, "localhost");
    stream_puts(b.s, "EHLO\n");
    CHECK(turn_until(&a.ups, 1));
    CHECK(turn_until_got(&a, 5));
    CHECK(slice_is(buf_slice(&a.got), "EHLO\n"));
    CHECK(turn_until_got(&b, 16));
    CHECK_INT(b.ups, 1);
    CHECK(stream_tls_peer(b.s, print));
    {
        char own[96];

        tls_server_fingerprint(server, own);
        CHECK_STR(print, own);
        CHECK_INT(strlen(print), 95);
    }
    CHECK(!stream_tls_peer(a.s, print));
    /* Much data both ways, through small buffers. */
    for (size_t i = 0; i < n; i++)
        data[i] = (char)(i * 13 + (i >> 9));
    a.read_lines = false;
    buf_reset(&a.got);
    buf_reset(&b.got);
    stream_write(a.s, data, n);
    stream_write(b.s, data, n);
    CHECK(turn_until_got(&a, n));
    CHECK(turn_until_got(&b, n));
    CHECK(memcmp(a.got.data, data, n) == 0);
    CHECK(memcmp(b.got.data, data, n) == 0);
    stream_finish(b.s);
    CHECK(turn_until(&a.closes, 1));
    CHECK_INT(a.err.code, E_NONE);
    end_clear(&a);
    end_clear(&b);
    tls_client_free(&client);
    free(data);
}

/* Suspended under TLS: bytes inside OpenSSL must be shown after resume. */
static void
tls_suspended(void)
{
    struct stream_limits limits = {.input = 1000};
    struct tls_client *client;
    struct end a, b;
    struct err e;
    char data[9000];

    memset(data, 'y', sizeof data);
    REQUIRE(tls_client_new(cert, &client, &e) == 0);
    pair(&a, &b, &limits);
    stream_start_tls(a.s, server);
    stream_connect_tls(b.s, client, "127.0.0.1");
    CHECK(turn_until(&a.ups, 1));
    CHECK(turn_until(&b.ups, 1));
    a.keep = 500;
    stream_write(b.s, data, sizeof data);
    CHECK(turn_until(&a.inputs, 1));
    stream_suspend(a.s);
    turns(20);
    a.keep = 0;
    stream_resume(a.s);
    CHECK(turn_until_got(&a, sizeof data));
    stream_suspend(a.s);
    stream_break(b.s);
    stream_free(&b.s);
    CHECK(turn_until(&a.closes, 1));
    end_clear(&a);
    end_clear(&b);
    tls_client_free(&client);
}

static void
tls_refused(void)
{
    struct tls_client *client, *stranger;
    struct end a, b;
    struct err e;

    REQUIRE(tls_client_new(cert, &client, &e) == 0);
    REQUIRE(tls_client_new(cert2, &stranger, &e) == 0);
    for (int how = 0; how < 4; how++) {
        test_row((const char *[]){"authority", "name", "no TLS", "gone"}[how]);
        pair(&a, &b, NULL);
        stream_start_tls(a.s, server);
        stream_puts(a.s, "secret greeting");
        a.free_on[CLOSE] = true;
        if (how == 0)
            stream_connect_tls(b.s, stranger, "localhost");
        else if (how == 1)
            stream_connect_tls(b.s, client, "mail.example.com");
        else if (how == 2)
            stream_puts(b.s, "a1 LOGIN me here\r\n");
        else
            stream_finish(b.s);
        CHECK(turn_until(&a.closes, 1));
        CHECK(how == 3 || a.err.code == E_RETRY);
        CHECK(turn_until(&b.closes, 1));
        if (how < 2)
            CHECK(strstr(b.err.text, "certificate") != NULL);
        CHECK(!b.got.len || !memmem(b.got.data, b.got.len, "secret", 6));
        CHECK_INT(a.ups + b.ups, 0);
        end_clear(&a);
        end_clear(&b);
    }
    test_row(NULL);
    tls_client_free(&client);
    tls_client_free(&stranger);
}

/* Test key and certificate of a client. */
static void
client_files(const char *cert_path, const char *key_path)
{
    EVP_PKEY *k = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    FILE *f;

    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"test client", -1, -1,
                               0);
    X509_set_issuer_name(x, name);
    X509_set_pubkey(x, k);
    X509_sign(x, k, EVP_sha256());
    f = fopen(cert_path, "w");
    CHECK(f && PEM_write_X509(f, x) && fclose(f) == 0);
    f = fopen(key_path, "w");
    CHECK(f && PEM_write_PrivateKey(f, k, NULL, NULL, 0, NULL, NULL) &&
          fclose(f) == 0);
    X509_free(x);
    EVP_PKEY_free(k);
}

static void
client_certificate(void)
{
    char *cert3 = xasprintf("%s/cert3.pem", test_dir());
    char *key3 = xasprintf("%s/key3.pem", test_dir());

    struct tls_server *asks;
    struct tls_client *client;
    struct end a, b;
    struct err e;
    char print[96];

    client_files(cert3, key3);
    for (int how = 0; how < 3; how++) {
        test_row((const char *[]){"right", "none", "foreign"}[how]);
        REQUIRE(tls_server_new(cert, key, &asks, &e) == 0);
        REQUIRE(tls_server_ask_client(asks, cert3, true, &e) == 0);
        REQUIRE(tls_client_new(cert, &client, &e) == 0);
        if (how != 1)
            REQUIRE(tls_client_use(client, how ? cert2 : cert3,
                                   how ? key2 : key3, &e) == 0);
        pair(&a, &b, NULL);
        stream_start_tls(a.s, asks);
        stream_connect_tls(b.s, client, "localhost");
        turn_until(how ? &a.closes : &a.ups, 1);
        CHECK_INT(a.ups, how == 0);
        CHECK_INT(stream_tls_peer(a.s, print), how == 0);
        end_clear(&a);
        end_clear(&b);
        tls_server_free(&asks);
        tls_client_free(&client);
    }
    test_row(NULL);
    free(cert3);
    free(key3);
}

static void
tls_files(void)
{
    struct tls_server *s = NULL;
    struct stat st;
    struct err e;

    CHECK(stat(key, &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK(stat(cert, &st) == 0 && (st.st_mode & 0777) == 0644);
    CHECK_INT(tls_server_new("/nonexistent", key, &s, &e), -1);
    CHECK(strstr(e.text, "/nonexistent") != NULL);
    CHECK_INT(tls_server_new(cert, key2, &s, &e), -1);
    CHECK(s == NULL);
    /* Kept when there. */
    CHECK_INT(tls_make_loopback(cert, key, &e), 0);
    CHECK_INT(tls_server_new(cert, key, &s, &e), 0);
    tls_server_free(&s);
}

/* ---- listeners ---- */

static int accepted[64], naccepted;

static void
on_accept(void *arg, int fd)
{
    (void)arg;
    if (naccepted < 64)
        accepted[naccepted++] = fd;
    else
        close(fd);
}

static void
accepted_close(void)
{
    while (naccepted)
        close(accepted[--naccepted]);
}

static int
dial(unsigned port)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&in, sizeof in)) {
        close(fd);
        return -1;
    }
    return fd;
}

static void
listen_tcp(void)
{
    struct listener *l, *other = NULL;
    struct err e;
    int fd[3];

    REQUIRE(listener_tcp("127.0.0.1", 0, on_accept, NULL, &l, &e) == 0);
    CHECK(listener_port(l) > 0);
    CHECK(strncmp(listener_name(l), "127.0.0.1:", 10) == 0);
    for (int i = 0; i < 2; i++)
        fd[i] = dial(listener_port(l));
    CHECK(turn_until(&naccepted, 2));
    listener_pause(l, 1);
    fd[2] = dial(listener_port(l));
    turns(10);
    CHECK_INT(naccepted, 2);
    listener_pause(l, 0);
    CHECK(turn_until(&naccepted, 3));
    CHECK_INT(listener_tcp("127.0.0.1", listener_port(l), on_accept, NULL,
                           &other, &e),
              -1);
    CHECK_INT(e.code, E_DENIED);
    CHECK(strstr(e.text, "127.0.0.1") && strstr(e.text, "taken"));
    CHECK_INT(listener_tcp("192.0.2.1", 0, on_accept, NULL, &other, &e), -1);
    CHECK_INT(e.code, E_MISSING);
    CHECK_INT(listener_tcp("nowhere", 0, on_accept, NULL, &other, &e), -1);
    CHECK_INT(e.code, E_INPUT);
    CHECK_INT(listener_tcp("127.0.0.1", 65536, on_accept, NULL, &other, &e),
              -1);
    if (listener_tcp("::1", 0, on_accept, NULL, &other, &e) == 0) {
        CHECK(strncmp(listener_name(other), "[::1]:", 6) == 0);
        listener_free(&other);
    } else {
        CHECK_INT(e.code, E_MISSING);
    }
    accepted_close();
    for (int i = 0; i < 3; i++)
        close(fd[i]);
    listener_free(&l);
}

/* A socket that somebody else has opened (socket activation). */
static void
listen_given(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    int given = socket(AF_INET, SOCK_STREAM, 0), fd;
    struct listener *l;
    char want[40];

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(given, (struct sockaddr *)&in, sizeof in) == 0 &&
            listen(given, 5) == 0);
    l = listener_fd(given, on_accept, NULL);
    snprintf(want, sizeof want, "127.0.0.1:%u", listener_port(l));
    CHECK_STR(listener_name(l), want);
    CHECK(fcntl(given, F_GETFD) & FD_CLOEXEC);
    fd = dial(listener_port(l));
    CHECK(turn_until(&naccepted, 1));
    close(fd);
    accepted_close();
    listener_free(&l);
}

static void
listen_unix(void)
{
    char *path = xasprintf("%s/sock", test_dir());
    char *file = xasprintf("%s/file", test_dir());
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    struct listener *l = NULL, *other = NULL;
    struct stat st;
    struct err e;
    int fd, stale;

    memcpy(sun.sun_path, path, strlen(path) + 1);
    stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(stale, (struct sockaddr *)&sun, sizeof sun) == 0);
    close(stale); /* the file stays, nobody serves it */
    REQUIRE(listener_unix(path, 0600, on_accept, NULL, &l, &e) == 0);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK_STR(listener_name(l), path);
    CHECK_INT(listener_unix(path, 0600, on_accept, NULL, &other, &e), -1);
    CHECK_INT(e.code, E_DENIED);
    CHECK(stat(path, &st) == 0);
    accepted_close();
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0);
    naccepted = 0;
    CHECK(turn_until(&naccepted, 1));
    CHECK_INT(listener_peer_uid(accepted[naccepted - 1]), getuid());
    accepted_close();
    close(fd);
    listener_free(&l);
    CHECK(stat(path, &st) != 0);
    /* What is no socket is not thrown away. */
    CHECK_INT(file_write(file, SLICE("precious"), 0600, false, &e), 0);
    CHECK_INT(listener_unix(file, 0600, on_accept, NULL, &l, &e), -1);
    CHECK_INT(e.code, E_DENIED);
    CHECK(stat(file, &st) == 0 && st.st_size == 8);
    free(path);
    free(file);
}

/* ---- the loop's fairness, children with input ---- */

static int steps, rang;
static bool enough;

static enum flow_next
step_long(void *self)
{
    (void)self;
    steps++;
    return enough ? FLOW_DONE : FLOW_AGAIN;
}

static void
step_end(void *self, const struct err *err)
{
    (void)self;
    (void)err;
}

static void
on_ring(void *arg)
{
    (void)arg;
    rang++;
    enough = true;
}

/* A flow that goes on for long leaves the sockets and timers their turn. */
static void
fair(void)
{
    static flow_step_fn *const list[] = {step_long, NULL};
    struct loop_timer t;
    struct flow f = {0};
    struct end a, b;

    pair(&a, &b, NULL);
    loop_timer_init(&t, on_ring, NULL);
    loop_timer_set(&t, 30);
    flow_start(&f, list, step_end, NULL);
    stream_puts(b.s, "hello");
    loop_turn(loop, false);
    loop_turn(loop, false);
    CHECK(steps < 10);
    CHECK(turn_until(&rang, 1));
    CHECK_INT(a.got.len, 5);
    turns(3);
    CHECK(!flow_is_running(&f));
    CHECK(steps > 0);
    loop_timer_clear(&t);
    end_clear(&a);
    end_clear(&b);
}

static int dones;
static struct err done_err;

static void
on_done(void *arg, const struct err *err)
{
    (void)arg;
    dones++;
    done_err = err ? *err : (struct err){0};
}

static void
child_input(void)
{
    static const char *const cat[] = {"cat", NULL};
    static const char *const none[] = {"true", NULL};
    static const char *const odd[] = {"printf", "%s", "$HOME;'x", NULL};
    static const char *const missing[] = {"/nonexistent/command", NULL};
    struct child_result r = {0};
    size_t n = 1 << 20;
    char *data = xmalloc(n);

    memset(data, 'd', n);
    child_run_argv(cat, slice_make(data, n), n, 5000, &r, on_done, NULL);
    CHECK(turn_until(&dones, 1));
    CHECK_INT(done_err.code, E_NONE);
    CHECK(secret_is(&r.output, data, n));
    secret_clear(&r.output);
    /* One that does not read. */
    child_run_argv(none, slice_make(data, n), n, 5000, &r, on_done, NULL);
    CHECK(turn_until(&dones, 2));
    CHECK_INT(done_err.code, E_NONE);
    CHECK_INT(r.status, 0);
    secret_clear(&r.output);
    child_run_argv(odd, SLICE_NONE, 100, 5000, &r, on_done, NULL);
    CHECK(turn_until(&dones, 3));
    CHECK(secret_is(&r.output, "$HOME;'x", 8)); /* no shell */
    secret_clear(&r.output);
    child_run_argv(missing, SLICE_NONE, 100, 5000, &r, on_done, NULL);
    CHECK_INT(dones, 3);
    CHECK(turn_until(&dones, 4));
    CHECK_INT(done_err.code, E_MISSING);
    CHECK(strstr(done_err.text, "/nonexistent/command") != NULL);
    free(data);
}

static const struct test_case cases[] = {
    TEST(talk),          TEST(half_a_line),  TEST(late_reader),
    TEST(suspended),     TEST(resumed),      TEST(full_input),
    TEST(slow_reader),   TEST(freed_inside), TEST(idle),
    TEST(last_words),    TEST(upgrade),      TEST(tls_suspended),
    TEST(tls_refused),   TEST(client_certificate),
    TEST(tls_files),     TEST(listen_tcp),   TEST(listen_unix),
    TEST(listen_given),
    TEST(fair),          TEST(child_input),
};

int
main(void)
{
    struct err e;
    int rc;

    loop = loop_new();
    cert = xasprintf("%s/cert.pem", test_dir());
    key = xasprintf("%s/key.pem", test_dir());
    cert2 = xasprintf("%s/cert2.pem", test_dir());
    key2 = xasprintf("%s/key2.pem", test_dir());
    if (tls_make_loopback(cert, key, &e) ||
        tls_make_loopback(cert2, key2, &e) ||
        tls_server_new(cert, key, &server, &e))
        return 99;
    rc = test_main(cases, ARRAY_LEN(cases));
    tls_server_free(&server);
    loop_free(&loop);
    free(cert);
    free(key);
    free(cert2);
    free(key2);
    return rc;
}
