/*
 * One HTTP/1.1 request out of a stream of bytes, in whatever pieces it comes.
 */
#include "loop/httpd_parse.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"

#define LINE_MAX_BYTES ((size_t)65536)
#define HEADERS_MAX 100u

enum state { START, HEADER, BODY, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER, DONE };

struct httpd_parse {
    enum state state;
    struct arena *arena;
    struct buf line, body;
    size_t left; /* of the body or the chunk */
    const char *method, *target;
    const char *names[HEADERS_MAX], *values[HEADERS_MAX];
    unsigned nheaders, ntrailers;
    bool http10, expect;
};

struct httpd_parse *
httpd_parse_new(size_t max_body)
{
    struct httpd_parse *p = xcalloc(1, sizeof *p);

    p->arena = arena_new();
    buf_init(&p->line, LINE_MAX_BYTES);
    buf_init(&p->body, max_body);
    return p;
}

void
httpd_parse_free(struct httpd_parse **pp)
{
    struct httpd_parse *p = *pp;

    if (!p)
        return;
    arena_free(&p->arena);
    buf_wipe(&p->line);
    buf_wipe(&p->body);
    free(p);
    *pp = NULL;
}

void
httpd_parse_reset(struct httpd_parse *p)
{
    arena_reset(p->arena);
    buf_clear(&p->line);
    buf_clear(&p->body);
    p->state = START;
    p->method = p->target = NULL;
    p->nheaders = p->ntrailers = 0;
    p->left = 0;
    p->http10 = p->expect = false;
}

static bool
is_token(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (!ascii_is_alpha(c) && !ascii_is_digit(c) &&
            (!c || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return s.n > 0;
}

static int
line_start(struct httpd_parse *p, struct slice line, struct err *e)
{
    struct slice method, target;

    if (!line.n)
        return 0; /* RFC 9112 2.2: an empty line before the request */
    if (!slice_next(&line, ' ', &method) || !is_token(method) ||
        method.n > 20 || !slice_next(&line, ' ', &target) || !target.n)
        return err_set(e, E_INPUT, "no HTTP request line");
    for (size_t i = 0; i < target.n; i++)
        if ((unsigned char)target.p[i] <= ' ' || target.p[i] == 0x7f)
            return err_set(e, E_INPUT, "control byte in the request target");
    if (slice_is(line, "HTTP/1.0"))
        p->http10 = true;
    else if (!slice_is(line, "HTTP/1.1"))
        return err_set(e, E_INPUT, "not HTTP/1.1");
    p->method = arena_dup(p->arena, method);
    p->target = arena_dup(p->arena, target);
    p->state = HEADER;
    return 0;
}

const char *
httpd_parse_header(const struct httpd_parse *p, const char *name)
{
    for (unsigned i = 0; i < p->nheaders; i++)
        if (ascii_icmp(p->names[i], name) == 0)
            return p->values[i];
    return NULL;
}

static unsigned
header_count(const struct httpd_parse *p, const char *name)
{
    unsigned n = 0;

    for (unsigned i = 0; i < p->nheaders; i++)
        n += ascii_icmp(p->names[i], name) == 0;
    return n;
}

/* RFC 9112 6.3: how long the body is. */
static int
head_end(struct httpd_parse *p, struct err *e)
{
    const char *te = httpd_parse_header(p, "Transfer-Encoding");
    const char *cl = httpd_parse_header(p, "Content-Length");
    const char *expect = httpd_parse_header(p, "Expect");
    uint64_t n = 0;

    /* RFC 9112 3.2 */
    if (header_count(p, "Host") > 1 ||
        (!p->http10 && !header_count(p, "Host")))
        return err_set(e, E_INPUT, "one Host header is needed");
    if (header_count(p, "Transfer-Encoding") + header_count(p, "Content-Length")
        > 1)
        return err_set(e, E_INPUT, "the length of the body is told twice");
    if (te && (ascii_icmp(te, "chunked") != 0 || p->http10))
        return err_set(e, E_INPUT, "unknown transfer encoding");
    if (cl && !slice_u64(slice_of(cl), &n))
        return err_set(e, E_INPUT, "bad Content-Length");
    if (n > p->body.limit)
        return err_set(e, E_LIMIT, "the body is over %zu bytes",
                       p->body.limit);
    p->expect = expect && ascii_icmp(expect, "100-continue") == 0 && (te || n);
    p->left = (size_t)n;
    p->state = te ? CHUNK_SIZE : n ? BODY : DONE;
    return 0;
}

static int
line_header(struct httpd_parse *p, struct slice line, struct err *e)
{
    size_t colon = slice_find(line, ':');
    struct slice value = slice_trim(slice_from(line, colon + 1));

    if (!line.n)
        return head_end(p, e);
    if (colon == line.n || !is_token(slice_cut(line, 0, colon)))
        return err_set(e, E_INPUT, "malformed header");
    if (p->nheaders == HEADERS_MAX || arena_used(p->arena) > 4 * LINE_MAX_BYTES)
        return err_set(e, E_LIMIT, "too many headers");
    for (size_t i = 0; i < value.n; i++)
        if (((unsigned char)value.p[i] < ' ' && value.p[i] != '\t') ||
            value.p[i] == 0x7f)
            return err_set(e, E_INPUT, "control byte in a header");
    p->names[p->nheaders] = arena_dup(p->arena, slice_cut(line, 0, colon));
    p->values[p->nheaders++] = arena_dup(p->arena, value);
    return 0;
}

static int
line_chunk(struct httpd_parse *p, struct slice line, struct err *e)
{
    size_t n = 0;
    size_t digits = 0;

    size_t ext = slice_find(line, ';');

    if (ext < line.n) /* RFC 9112 7.1.1: blanks may stand before it */
        while (ext && (line.p[ext - 1] == ' ' || line.p[ext - 1] == '\t'))
            ext--;
    line = slice_cut(line, 0, ext);
    for (size_t i = 0; i < line.n; i++, digits++) {
        int c = ascii_lower((unsigned char)line.p[i]);
        int d = ascii_is_digit(c) ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

        if (d < 0 || digits >= 8)
            return err_set(e, E_INPUT, "bad chunk size");
        n = n * 16 + (size_t)d;
    }
    if (!digits)
        return err_set(e, E_INPUT, "bad chunk size");
    if (n > p->body.limit - p->body.len)
        return err_set(e, E_LIMIT, "the body is over %zu bytes",
                       p->body.limit);
    p->left = n;
    p->state = n ? CHUNK : TRAILER;
    return 0;
}

static int
line_done(struct httpd_parse *p, struct slice line, struct err *e)
{
    switch (p->state) {
    case START:
        return line_start(p, line, e);
    case HEADER:
        return line_header(p, line, e);
    case CHUNK_SIZE:
        return line_chunk(p, line, e);
    case CHUNK_END:
        if (line.n)
            return err_set(e, E_INPUT, "chunk without its end");
        p->state = CHUNK_SIZE;
        return 0;
    case TRAILER:
        if (!line.n)
            p->state = DONE;
        else if (++p->ntrailers > HEADERS_MAX)
            return err_set(e, E_LIMIT, "too many trailers");
        return 0;
    default:
        return err_set(e, E_BUG, "line in state %d", (int)p->state);
    }
}

/* Takes bytes up to and with the line end; 1: a line is whole. */
static int
line_feed(struct httpd_parse *p, struct slice in, size_t *used, struct err *e)
{
    size_t at = slice_find(in, '\n');
    struct slice line;

    *used = at < in.n ? at + 1 : in.n;
    if (buf_add(&p->line, in.p, at))
        return err_set(e, E_LIMIT, "header line too long");
    if (at == in.n)
        return 0;
    line = buf_slice(&p->line);
    if (!line.n || line.p[line.n - 1] != '\r')
        return err_set(e, E_INPUT, "a line that does not end in CRLF");
    line.n--;
    if (slice_has(line, '\r'))
        return err_set(e, E_INPUT, "bare CR");
    at = (size_t)line_done(p, line, e);
    buf_reset(&p->line);
    return at ? -1 : 1;
}

int
httpd_parse_feed(struct httpd_parse *p, struct slice in, size_t *used_out,
                 struct err *e)
{
    *used_out = 0;
    while (p->state != DONE) {
        struct slice rest = slice_from(in, *used_out);
        size_t n;

        if (!rest.n)
            return 0;
        if (p->state == BODY || p->state == CHUNK) {
            n = rest.n < p->left ? rest.n : p->left;
            if (buf_add(&p->body, rest.p, n))
                return err_set(e, E_LIMIT, "the body is too large");
            p->left -= n;
            if (!p->left)
                p->state = p->state == BODY ? DONE : CHUNK_END;
        } else if (line_feed(p, rest, &n, e) < 0) {
            *used_out += n;
            return -1;
        }
        *used_out += n;
    }
    return 1;
}

bool
httpd_parse_wants_continue(struct httpd_parse *p)
{
    bool yes = p->expect && !p->body.len && p->state != DONE;

    if (yes)
        p->expect = false;
    return yes;
}

bool
httpd_parse_closes(const struct httpd_parse *p)
{
    const char *c = httpd_parse_header(p, "Connection");

    return p->http10 || (c && ascii_icmp(c, "close") == 0);
}

const char *
httpd_parse_method(const struct httpd_parse *p)
{
    return p->method;
}

const char *
httpd_parse_target(const struct httpd_parse *p)
{
    return p->target;
}

struct slice
httpd_parse_body(const struct httpd_parse *p)
{
    return buf_slice(&p->body);
}
