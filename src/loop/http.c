/*
 * libcurl on the loop (LIBRARIES R7): sockets and the timer are the loop's,
 * libcurl is never entered from inside its own callbacks.
 */
#include "loop/http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/loop.h"

#define CONNECT_MS 30000
#define STALL_MS 90000
#define BODY_MAX ((uint64_t)64 << 20)
#define HEADERS_MAX ((size_t)256 << 10)
#define HOST_CONNECTIONS 8L

struct http {
    CURLM *multi;
    CURLSH *share; /* the cookie jar */
    struct loop_timer timer;
    struct loop_task drain;
    struct list calls;
    int inside; /* libcurl is on the stack */
};

struct call {
    struct list node;
    struct http *http;
    CURL *easy;
    struct curl_slist *headers;
    struct http_request req; /* callbacks and sizes */
    struct http_answer *out;
    struct op *op;
    uint64_t sent, body_got;
    bool all_sent; /* once, whatever was sent again later */
    bool dead;     /* canceled from one of its own callbacks */
    size_t header_got;
    int64_t stall_ms;
    struct err err;
    char reason[CURL_ERROR_SIZE];
};

struct sock {
    struct http *http;
    struct loop_fd *watch;
    int fd;
};

int
http_check_library(struct err *e)
{
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);

    if (!v->ssl_version || strncmp(v->ssl_version, "OpenSSL", 7) != 0)
        return err_set(e, E_BUG,
                       "libcurl %s uses %s, but Sealpost needs the OpenSSL "
                       "flavour (Debian: libcurl4)",
                       v->version, v->ssl_version ? v->ssl_version : "no TLS");
    if (!(v->features & CURL_VERSION_ASYNCHDNS))
        return err_set(e, E_BUG, "libcurl %s cannot look up names without "
                                 "blocking", v->version);
    return 0;
}

/* ---- the multi handle on the loop ---- */

static void call_done(CURL *easy, CURLcode code);
static void call_free(struct call *c);

static void
on_drain(void *arg)
{
    struct http *h = arg;
    struct list *n, *after;
    CURLMsg *m;
    int left;

    LIST_EACH(&h->calls, n, after) {
        struct call *c = LIST_OBJECT(n, struct call, node);

        if (c->dead)
            call_free(c);
    }
    while ((m = curl_multi_info_read(h->multi, &left)))
        if (m->msg == CURLMSG_DONE)
            call_done(m->easy_handle, m->data.result);
}

static void
multi_action(struct http *h, curl_socket_t fd, int what)
{
    int running;

    h->inside++;
    curl_multi_socket_action(h->multi, fd, what, &running);
    h->inside--;
    loop_task_soon(&h->drain);
}

static void
on_socket_ready(void *arg, unsigned what)
{
    struct sock *s = arg;

    multi_action(s->http, s->fd,
                 (what & LOOP_READ ? CURL_CSELECT_IN : 0) |
                     (what & LOOP_WRITE ? CURL_CSELECT_OUT : 0));
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *sockp)
{
    struct http *h = arg;
    struct sock *s = sockp;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s) {
            loop_fd_free(&s->watch);
            free(s);
            curl_multi_assign(h->multi, fd, NULL);
        }
        return 0;
    }
    if (!s) {
        s = xcalloc(1, sizeof *s);
        s->http = h;
        s->fd = fd;
        s->watch = loop_fd_new(fd, on_socket_ready, s);
        curl_multi_assign(h->multi, fd, s);
    }
    loop_fd_watch(s->watch, (what & CURL_POLL_IN ? LOOP_READ : 0) |
                                (what & CURL_POLL_OUT ? LOOP_WRITE : 0));
    return 0;
}

static int
on_timeout(CURLM *multi, long ms, void *arg)
{
    struct http *h = arg;

    (void)multi;
    if (ms < 0)
        loop_timer_stop(&h->timer);
    else
        loop_timer_set(&h->timer, ms);
    return 0;
}

static void
on_timer(void *arg)
{
    multi_action(arg, CURL_SOCKET_TIMEOUT, 0);
}

struct http *
http_new(void)
{
    static bool ready;
    struct http *h = xcalloc(1, sizeof *h);

    if (!ready) {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        ready = true;
    }
    h->multi = curl_multi_init();
    h->share = curl_share_init();
    if (!h->multi || !h->share)
        abort();
    list_init(&h->calls);
    loop_timer_init(&h->timer, on_timer, h);
    loop_task_init(&h->drain, on_drain, h);
    curl_share_setopt(h->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                      HOST_CONNECTIONS);
    return h;
}

static void
call_free(struct call *c)
{
    list_remove(&c->node);
    if (c->easy) {
        curl_multi_remove_handle(c->http->multi, c->easy);
        curl_easy_cleanup(c->easy);
    }
    curl_slist_free_all(c->headers);
    free(c);
}

void
http_free(struct http **hp)
{
    struct http *h = *hp;

    if (!h)
        return;
    while (!list_is_empty(&h->calls)) {
        struct call *c = LIST_OBJECT(h->calls.next, struct call, node);
        struct op *op = c->op;
        struct err e;

        if (c->dead) {
            call_free(c);
            continue;
        }
        call_free(c);
        err_set(&e, E_CANCELED, "shutting down");
        op_finish(&op, &e);
    }
    curl_multi_cleanup(h->multi);
    curl_share_cleanup(h->share);
    loop_timer_clear(&h->timer);
    loop_task_cancel(&h->drain);
    free(h);
    *hp = NULL;
}

/* ---- one request ---- */

static size_t
on_header(char *p, size_t size, size_t n, void *arg)
{
    struct call *c = arg;
    struct slice line = slice_make(p, size * n);
    size_t colon;
    long status = 0;

    if (c->dead)
        return 0;
    c->header_got += line.n;
    if (c->header_got > HEADERS_MAX) {
        err_set(&c->err, E_LIMIT, "the answer's header is over %zu bytes",
                HEADERS_MAX);
        return 0;
    }
    if (slice_starts(line, "HTTP/")) {
        curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
        if (c->req.on_status)
            c->req.on_status(c->req.arg, (int)status);
        return c->dead ? 0 : line.n;
    }
    colon = slice_find(line, ':');
    if (colon < line.n && c->req.on_header)
        c->req.on_header(c->req.arg, slice_cut(line, 0, colon),
                         slice_trim(slice_from(line, colon + 1)));
    return c->dead ? 0 : line.n;
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
    struct call *c = arg;
    struct slice piece = slice_make(p, size * n);

    if (c->dead)
        return 0;
    c->body_got += piece.n;
    if (c->body_got > c->req.max_body) {
        err_set(&c->err, E_LIMIT, "the answer is over %llu bytes",
                (unsigned long long)c->req.max_body);
        return 0;
    }
    if (c->req.on_body && c->req.on_body(c->req.arg, piece, &c->err)) {
        if (!c->err.code && !c->dead)
            err_set(&c->err, E_BUG, "the answer was refused without reason");
        return 0;
    }
    if (c->dead)
        return 0;
    return piece.n;
}

static size_t
on_read(char *to, size_t size, size_t n, void *arg)
{
    struct call *c = arg;
    size_t room = size * n;

    if (c->dead)
        return CURL_READFUNC_ABORT;
    if (room > c->req.body_size - c->sent)
        room = (size_t)(c->req.body_size - c->sent);
    if (!room)
        return 0;
    if (c->req.read)
        room = c->req.read(c->req.arg, c->sent, to, room);
    else
        memcpy(to, c->req.body.p + c->sent, room);
    if (c->dead)
        return CURL_READFUNC_ABORT;
    if (!room) {
        err_set(&c->err, E_BUG, "the body of the request ends early");
        return CURL_READFUNC_ABORT;
    }
    c->sent += room;
    if (c->sent == c->req.body_size)
        c->all_sent = true;
    return room;
}

static int
on_seek(void *arg, curl_off_t offset, int origin)
{
    struct call *c = arg;

    if (origin != SEEK_SET || offset < 0 ||
        (uint64_t)offset > c->req.body_size)
        return CURL_SEEKFUNC_FAIL;
    c->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static void
call_error(struct call *c, CURLcode code)
{
    const char *why = c->reason[0] ? c->reason : curl_easy_strerror(code);

    if (c->err.code)
        return; /* a callback of ours said it better */
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        err_set(&c->err, E_REMOTE,
                "the server's certificate is not accepted (%s); if it has an "
                "own authority, name its file in ca_file",
                why);
        break;
    case CURLE_SSL_CERTPROBLEM:
        err_set(&c->err, E_CRYPTO,
                "our client certificate or its key is not usable (%s)", why);
        break;
    case CURLE_OPERATION_TIMEDOUT:
        err_set(&c->err, E_RETRY, "no answer in time (%s)", why);
        break;
    default:
        err_set(&c->err, E_RETRY, "%s", why);
        break;
    }
}

static void
call_done(CURL *easy, CURLcode code)
{
    struct call *c = NULL;
    struct op *op;
    struct err err;
    long status = 0, bytes = 0;
    char *url = NULL;

    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&c) || !c)
        return;
    if (c->dead) {
        call_free(c);
        return;
    }
    if (code != CURLE_OK)
        call_error(c, code);
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &bytes);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
    if (op_wanted(c->op)) {
        c->out->status = (int)status;
        c->out->maybe_acted = code != CURLE_OK && bytes > 0 &&
                              (c->all_sent || !c->req.body_size);
        c->out->url[0] = '\0';
        if (url)
            slice_copy(slice_of(url), c->out->url, sizeof c->out->url);
    }
    err = c->err;
    op = c->op;
    call_free(c);
    op_finish(&op, err.code ? &err : NULL);
}

static void
call_stop(void *self)
{
    struct call *c = self;
    struct op *op = c->op;

    if (c->http->inside) {
        c->dead = true;
        loop_task_soon(&c->http->drain);
    } else {
        call_free(c);
    }
    op_finish(&op, NULL);
}

static void
call_options(struct call *c, const struct http_request *r)
{
    CURL *e = c->easy;

    curl_easy_setopt(e, CURLOPT_PRIVATE, c);
    curl_easy_setopt(e, CURLOPT_URL, r->url);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(e, CURLOPT_PIPEWAIT, r->fresh_connection ? 0L : 1L);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->reason);
    curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_SHARE, c->http->share);
    curl_easy_setopt(e, CURLOPT_COOKIEFILE, "");
    if (r->cookie)
        curl_easy_setopt(e, CURLOPT_COOKIE, r->cookie);
    curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(r->connect_ms ? r->connect_ms : CONNECT_MS));
    if (r->total_ms)
        curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)r->total_ms);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME,
                     (long)((c->stall_ms + 999) / 1000));
    curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, r->fresh_connection ? 1L : 0L);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, 262144L);
    if (r->user_agent)
        curl_easy_setopt(e, CURLOPT_USERAGENT, r->user_agent);
    if (r->ca_file) {
        curl_easy_setopt(e, CURLOPT_CAINFO, r->ca_file);
        curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
    }
    if (r->client_cert) {
        curl_easy_setopt(e, CURLOPT_SSLCERT, r->client_cert);
        curl_easy_setopt(e, CURLOPT_SSLKEY,
                         r->client_key ? r->client_key : r->client_cert);
        /* Never ask on a terminal. */
        curl_easy_setopt(e, CURLOPT_KEYPASSWD,
                         r->client_key_password && r->client_key_password->data
                             ? r->client_key_password->data : "");
    }
}

static void
call_method(struct call *c, const struct http_request *r)
{
    CURL *e = c->easy;

    c->req.body_size = r->read ? r->body_size : r->body.n;
    if (strcmp(r->method, "GET") == 0) {
        curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
        return;
    }
    if (strcmp(r->method, "POST") != 0) {
        curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
        if (!c->req.body_size)
            return;
    }
    curl_easy_setopt(e, CURLOPT_POST, 1L);
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)c->req.body_size);
    curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(e, CURLOPT_READDATA, c);
    curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(e, CURLOPT_SEEKDATA, c);
}

static void
call_auth(struct call *c, const struct http_request *r)
{
    if (r->auth == HTTP_AUTH_NONE || !r->secret || !r->secret->data)
        return;
    if (r->auth == HTTP_AUTH_BEARER) {
        curl_easy_setopt(c->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(c->easy, CURLOPT_XOAUTH2_BEARER, r->secret->data);
        return;
    }
    if (r->auth == HTTP_AUTH_NTLM) {
        curl_easy_setopt(c->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_NTLM);
        curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION,
                         (long)CURL_HTTP_VERSION_1_1);
    } else {
        curl_easy_setopt(c->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    }
    curl_easy_setopt(c->easy, CURLOPT_USERNAME, r->user ? r->user : "");
    curl_easy_setopt(c->easy, CURLOPT_PASSWORD, r->secret->data);
}

struct op *
http_send(struct http *h, const struct http_request *r,
          struct http_answer *out, op_done_fn *done, void *arg)
{
    struct call *c = xcalloc(1, sizeof *c);
    struct op *op = op_new(call_stop, c, done, arg), *failed = op;
    struct err e;

    c->http = h;
    c->op = op;
    c->out = out;
    *out = (struct http_answer){0};
    c->req = *r;
    c->req.max_body = r->max_body ? r->max_body : BODY_MAX;
    c->stall_ms = r->stall_ms ? r->stall_ms : STALL_MS;
    list_init(&c->node);
    if (h->inside) { /* libcurl takes no new request from a callback */
        err_set(&e, E_BUG, "a request from inside a request's callback");
        call_free(c);
        op_finish(&failed, &e);
        return op;
    }
    c->easy = curl_easy_init();
    if (!c->easy)
        abort();
    call_options(c, r);
    call_method(c, r);
    call_auth(c, r);
    for (size_t i = 0; r->headers && r->headers[i]; i++)
        c->headers = curl_slist_append(c->headers, r->headers[i]);
    c->headers = curl_slist_append(c->headers, "Expect:");
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
    list_add(&h->calls, &c->node);
    if (curl_multi_add_handle(h->multi, c->easy) == CURLM_OK)
        return op;
    err_set(&e, E_BUG, "libcurl did not take the request");
    call_free(c);
    op_finish(&failed, &e);
    return op;
}

/* ---- URLs ---- */

int
http_url_parse(const char *url, struct http_url *out, struct err *e)
{
    CURLU *u = curl_url();
    char *host = NULL, *port = NULL, *path = NULL, *user = NULL;
    char *scheme = NULL;
    int rc = -1;

    if (!u)
        abort();
    if (curl_url_set(u, CURLUPART_URL, url, 0) ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) ||
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT))
        err_set(e, E_INPUT, "%s is not a URL like https://host/path", url);
    else if (strcmp(scheme, "https") != 0)
        err_set(e, E_INPUT, "%s: only https is allowed, %s is not", url,
                scheme);
    else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK)
        err_set(e, E_INPUT, "a URL with a user name in it is not taken");
    else if (strchr(url, '#')) /* an empty one is none to libcurl, but what
                                 is added behind it would be one */
        err_set(e, E_INPUT, "%s: a URL with # is not taken", url);
    else if (curl_url_get(u, CURLUPART_PATH, &path, 0) ||
             !slice_copy(slice_of(host), out->host, sizeof out->host) ||
             !slice_copy(slice_of(strcmp(path, "/") == 0 ? "" : path),
                         out->path, sizeof out->path))
        err_set(e, E_LIMIT, "the URL is too long");
    else if ((out->port = (unsigned)strtoul(port, NULL, 10)) == 0)
        err_set(e, E_INPUT, "%s: port 0 is none", url);
    else
        rc = 0;
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_free(user);
    curl_url_cleanup(u);
    return rc;
}

int
http_url_encode(struct buf *out, struct slice text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        char code[3] = {'%', digits[c >> 4], digits[c & 15]};

        if (ascii_is_alpha(c) || ascii_is_digit(c) ||
            (c && strchr("-._~", c))) {
            if (buf_addc(out, (char)c))
                return -1;
        } else if (buf_add(out, code, 3)) {
            return -1;
        }
    }
    return 0;
}
