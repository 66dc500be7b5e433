/*
 * The HTTP/1.1 server. Strict where laxness has been used for smuggling: one
 * Content-Length or chunked, never both; no folded headers; no bare CR.
 */
#include "loop/httpd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/httpd_parse.h"
#include "loop/listener.h"
#include "loop/loop.h"
#include "loop/stream.h"

#define BODY_MAX ((size_t)64 << 20)
#define CLIENTS_MAX 256u
#define IDLE_MS 120000L

struct httpd {
    struct httpd_options opt;
    httpd_handler_fn *handler;
    void *arg;
    struct listener *listener;
    struct list clients;
    unsigned count;
};

struct httpd_request {
    struct list node; /* as a client of httpd */
    struct httpd *httpd;
    struct stream *stream;
    struct httpd_parse *parse;
    bool handling; /* the handler has it, no answer yet */
    bool close;
    void (*gone)(void *arg, struct httpd_request *);
    void *gone_arg;
};

static void
client_free(struct httpd_request *r)
{
    struct httpd *h = r->httpd;

    if (r->handling && r->gone)
        r->gone(r->gone_arg, r);
    list_remove(&r->node);
    h->count--;
    listener_pause(h->listener, 0);
    httpd_parse_free(&r->parse);
    stream_free(&r->stream);
    free(r);
}

static void
client_refuse(struct httpd_request *r, int status, const char *text)
{
    stream_printf(r->stream,
                  "HTTP/1.1 %d %s\r\nContent-Length: 0\r\n"
                  "Connection: close\r\n\r\n",
                  status, text);
    stream_finish(r->stream);
}

static void
on_input(void *arg)
{
    struct httpd_request *r = arg;
    struct err e;
    size_t used;
    int rc = httpd_parse_feed(r->parse, stream_input(r->stream), &used, &e);

    stream_consume(r->stream, used);
    if (rc < 0) {
        client_refuse(r, e.code == E_LIMIT ? 413 : 400, "Refused");
        return;
    }
    if (httpd_parse_wants_continue(r->parse))
        stream_puts(r->stream, "HTTP/1.1 100 Continue\r\n\r\n");
    if (rc == 0)
        return;
    r->handling = true;
    r->close = httpd_parse_closes(r->parse);
    stream_set_idle(r->stream, 0);
    stream_suspend(r->stream);
    r->httpd->handler(r->httpd->arg, r);
}

static void
on_close(void *arg, const struct err *err)
{
    (void)err;
    client_free(arg);
}

static void
on_accept(void *arg, int fd)
{
    struct httpd *h = arg;
    static const struct stream_events events = {
        .on_input = on_input, .on_close = on_close};
    struct stream_limits limits = {.input = 262144, .output = 512u << 20};
    struct httpd_request *r = xcalloc(1, sizeof *r);

    r->httpd = h;
    r->parse = httpd_parse_new(h->opt.max_body ? h->opt.max_body : BODY_MAX);
    r->stream = stream_new(fd, &limits, &events, r);
    if (h->opt.tls)
        stream_start_tls(r->stream, h->opt.tls);
    stream_set_idle(r->stream, h->opt.idle_ms ? h->opt.idle_ms : IDLE_MS);
    list_add(&h->clients, &r->node);
    h->count++;
    if (h->count >= (h->opt.max_clients ? h->opt.max_clients : CLIENTS_MAX))
        listener_pause(h->listener, 1);
}

int
httpd_new(const struct httpd_options *opt, httpd_handler_fn *handler,
          void *arg, struct httpd **out, struct err *e)
{
    struct httpd *h = xcalloc(1, sizeof *h);

    h->opt = *opt;
    h->handler = handler;
    h->arg = arg;
    list_init(&h->clients);
    if (listener_tcp(opt->host, opt->port, on_accept, h, &h->listener, e)) {
        free(h);
        return -1;
    }
    *out = h;
    return 0;
}

void
httpd_free(struct httpd **hp)
{
    struct httpd *h = *hp;

    if (!h)
        return;
    while (!list_is_empty(&h->clients))
        client_free(LIST_OBJECT(h->clients.next, struct httpd_request, node));
    listener_free(&h->listener);
    free(h);
    *hp = NULL;
}

unsigned
httpd_port(const struct httpd *h)
{
    return listener_port(h->listener);
}

const char *
httpd_method(const struct httpd_request *r)
{
    return httpd_parse_method(r->parse);
}

const char *
httpd_target(const struct httpd_request *r)
{
    return httpd_parse_target(r->parse);
}

struct slice
httpd_body(const struct httpd_request *r)
{
    return httpd_parse_body(r->parse);
}

const char *
httpd_header(const struct httpd_request *r, const char *name)
{
    return httpd_parse_header(r->parse, name);
}

const char *
httpd_peer(const struct httpd_request *r)
{
    return stream_peer(r->stream);
}

void
httpd_on_gone(struct httpd_request *r,
              void (*gone)(void *arg, struct httpd_request *), void *arg)
{
    r->gone = gone;
    r->gone_arg = arg;
}

static void
answer_head(struct httpd_request *r, int status, const char *const *headers,
            size_t length)
{
    bool none = status == 204 || status == 304;

    stream_printf(r->stream, "HTTP/1.1 %d %s\r\n", status,
                  status < 300 ? "OK" : status < 400 ? "Elsewhere" : "Error");
    for (size_t i = 0; headers && headers[i]; i++)
        stream_printf(r->stream, "%s\r\n", headers[i]);
    if (!none)
        stream_printf(r->stream, "Content-Length: %zu\r\n", length);
    stream_printf(r->stream, "Connection: %s\r\n\r\n",
                  r->close ? "close" : "keep-alive");
}

void
httpd_answer(struct httpd_request *r, int status, const char *const *headers,
             struct slice body)
{
    bool head = strcmp(httpd_method(r), "HEAD") == 0;

    r->handling = false;
    r->gone = NULL;
    answer_head(r, status, headers, body.n);
    if (!head)
        stream_write(r->stream, body.p, body.n);
    if (r->close) {
        stream_finish(r->stream);
        return;
    }
    httpd_parse_reset(r->parse);
    stream_set_idle(r->stream,
                    r->httpd->opt.idle_ms ? r->httpd->opt.idle_ms : IDLE_MS);
    stream_resume(r->stream);
}

void
httpd_answer_cut(struct httpd_request *r, int status,
                 const char *const *headers, struct slice body, size_t cut)
{
    r->handling = false;
    r->gone = NULL;
    answer_head(r, status, headers, body.n);
    stream_write(r->stream, body.p, cut < body.n ? cut : body.n);
    stream_finish(r->stream);
}

void
httpd_drop(struct httpd_request *r)
{
    r->handling = false;
    r->gone = NULL;
    stream_break(r->stream);
}
