/*
 * The splitter: one walk over the lines of a message with a stack of open
 * multiparts and messages. Called by everybody who needs structure; values
 * of fields are read by value.c, ranges are handed out by section.c.
 *
 * Rejected: libetpan's parser for this. It recurses without limit and is
 * quadratic in nesting; structure must be right for mail made to hurt.
 *
 * How far each rule goes (RFC 2046 section 5.1.1): a delimiter is a whole
 * line, "--" boundary, "--" at the last one, then blanks only; the innermost
 * open multipart that fits takes it and closes all within. Boundaries over
 * BOUNDARY_MAX bytes count as none. message/global stays a leaf: IMAP4rev1
 * has no structure for it.
 */
#include "mime/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "mime/header.h"
#include "mime/private.h"

#define BOUNDARY_MAX 1000
#define DEPTH_MAX 500

const struct mime_limits mime_limits_usual = {
    .depth = 100,
    .parts = 10000,
    .fields = 10000,
    .header_bytes = 1 << 20,
    .params = 100,
};

struct mime_message {
    struct slice raw;
    struct arena *arena;
    struct mime_part *root;
    unsigned parts;
    bool cut;
    uint64_t work;
};

/* An open multipart, or (boundary.p == NULL) an open message. */
struct frame {
    struct mime_part *part;
    struct mime_part *last; /* newest child */
    struct slice boundary;  /* n == 0: none, or already closed */
    uint32_t hash;
};

enum mode { IN_HEADER, IN_BODY };

struct split {
    struct mime_message *m;
    const struct mime_limits *limits;
    struct frame *frames;
    unsigned depth, depth_max;
    struct mime_part *cur; /* whose header or body we are in */
    enum mode mode;
    size_t lines;             /* complete lines before the current one */
    size_t last_at, last_end; /* content of the line before */
};

static uint32_t
hash_bytes(struct slice s)
{
    uint32_t h = 2166136261u;
    size_t i;

    for (i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 16777619u;
    return h;
}

static struct mime_part *
part_new(struct split *s, struct mime_part *parent, size_t head)
{
    struct mime_part *p = arena_alloc(s->m->arena, sizeof(*p));

    p->parent = parent;
    p->head = p->body = p->end = head;
    p->type = "text";
    p->subtype = "plain";
    p->encoding_name = "7bit";
    s->m->parts++;
    return p;
}

/* ---- the fields that matter for structure */

static const char *
field_text(struct split *s, struct slice value)
{
    struct buf b = BUF_INIT(value.n + 1);
    const char *text;

    mime_header_unfold(value, &b);
    text = arena_dup(s->m->arena, buf_slice(&b));
    buf_clear(&b);
    return text;
}

static void
read_type(struct split *s, struct mime_part *p, struct slice v)
{
    struct mime_field_params params;

    if (!mime_value_type(&v, s->m->arena, &p->type, &p->subtype))
        return;
    p->declared = arena_printf(s->m->arena, "%s/%s", p->type, p->subtype);
    mime_value_params(v, s->limits->params, s->m->arena, &params);
    p->params = params.list;
    if (params.cut)
        p->flags |= MIME_PART_CUT;
}

static void
read_disposition(struct split *s, struct mime_part *p, struct slice v)
{
    struct mime_field_params params;

    p->disposition = mime_value_token(&v, s->m->arena);
    if (p->disposition == NULL)
        p->disposition = "attachment"; /* RFC 2183 section 2.8 */
    mime_value_params(v, s->limits->params, s->m->arena, &params);
    p->disposition_params = params.list;
    if (params.cut)
        p->flags |= MIME_PART_CUT;
}

static void
read_encoding(struct split *s, struct mime_part *p, struct slice v)
{
    const char *name = mime_value_token(&v, s->m->arena);

    if (name == NULL)
        return;
    p->encoding_name = name;
    p->encoding = mime_encoding_of(slice_of(name));
}

enum {
    SEEN_TYPE = 1,
    SEEN_DISPOSITION = 2,
    SEEN_ENCODING = 4,
};

/* The first field of a name counts. */
static void
read_field(struct split *s, struct mime_part *p, const struct mime_field *f,
           unsigned *seen)
{
    struct slice name = slice_from(f->name, 8);
    const char **text = NULL;

    if (slice_iis(name, "type") && !(*seen & SEEN_TYPE)) {
        *seen |= SEEN_TYPE;
        read_type(s, p, f->value);
    } else if (slice_iis(name, "disposition") &&
               !(*seen & SEEN_DISPOSITION)) {
        *seen |= SEEN_DISPOSITION;
        read_disposition(s, p, f->value);
    } else if (slice_iis(name, "transfer-encoding") &&
               !(*seen & SEEN_ENCODING)) {
        *seen |= SEEN_ENCODING;
        read_encoding(s, p, f->value);
    } else if (slice_iis(name, "id")) {
        text = &p->id;
    } else if (slice_iis(name, "description")) {
        text = &p->description;
    } else if (slice_iis(name, "md5")) {
        text = &p->md5;
    } else if (slice_iis(name, "language")) {
        text = &p->language;
    } else if (slice_iis(name, "location")) {
        text = &p->location;
    }
    if (text != NULL && *text == NULL)
        *text = field_text(s, f->value);
}

static void
read_header(struct split *s, struct mime_part *p)
{
    struct slice rest = slice_cut(s->m->raw, p->head, p->body);
    struct mime_field f;
    unsigned n = 0, seen = 0;

    if (rest.n > s->limits->header_bytes) {
        rest.n = s->limits->header_bytes;
        p->flags |= MIME_PART_CUT;
    }
    s->m->work += rest.n;
    while (mime_field_next(&rest, &f)) {
        if (n++ == s->limits->fields) {
            p->flags |= MIME_PART_CUT;
            break;
        }
        if (slice_istarts(f.name, "content-"))
            read_field(s, p, &f, &seen);
    }
    if (p->declared == NULL && p->parent != NULL &&
        mime_part_is(p->parent, "multipart", "digest")) {
        p->type = "message"; /* RFC 2046 section 5.1.5 */
        p->subtype = "rfc822";
    }
    s->m->cut = s->m->cut || (p->flags & MIME_PART_CUT) != 0;
}

/* ---- opening and closing */

static void
make_leaf(struct mime_part *p, const char *type, const char *subtype,
          unsigned flag)
{
    p->type = type;
    p->subtype = subtype;
    p->flags |= flag;
}

/* p ends at `end`, or where its body starts, if that is later; says where.
 * Its last line was s->lines - 1. */
static size_t
part_close(struct split *s, struct mime_part *p, size_t end)
{
    size_t first = p->body_lines; /* kept here while open */

    p->end = end < p->body ? p->body : end;
    p->body_lines = s->lines > first ? s->lines - first : 0;
    /* The delimiter took the line end of an empty last line (unless that
     * line is the end of a header within). */
    if (p->body_lines > 0 && s->last_at == s->last_end &&
        p->end <= s->last_end)
        p->body_lines--;
    if (p->end == p->body)
        p->body_lines = 0;
    return p->end;
}

static size_t
frame_pop(struct split *s, size_t end)
{
    struct frame *f = &s->frames[--s->depth];

    if (f->boundary.p != NULL && f->boundary.n > 0)
        f->part->flags |= MIME_PART_UNCLOSED;
    if (f->boundary.p != NULL && f->part->child == NULL)
        make_leaf(f->part, "text", "plain", MIME_PART_BROKEN);
    return part_close(s, f->part, end);
}

/* Closes what is open down to frame `keep`. */
static void
close_to(struct split *s, unsigned keep, size_t end)
{
    if (s->cur != NULL && s->mode == IN_HEADER) {
        s->cur->body = end > s->cur->head ? end : s->cur->head;
        s->cur->body_lines = s->lines;
        read_header(s, s->cur);
        if (mime_part_is(s->cur, "multipart", NULL))
            make_leaf(s->cur, "text", "plain", MIME_PART_BROKEN);
        else if (mime_part_is(s->cur, "message", "rfc822"))
            make_leaf(s->cur, "application", "octet-stream",
                      MIME_PART_OPAQUE);
    }
    if (s->cur != NULL)
        end = part_close(s, s->cur, end);
    s->cur = NULL;
    while (s->depth > keep)
        end = frame_pop(s, end);
}

static void
frame_push(struct split *s, struct mime_part *p, struct slice boundary)
{
    struct frame *f = &s->frames[s->depth++];

    f->part = p;
    f->last = NULL;
    f->boundary = boundary;
    f->hash = hash_bytes(boundary);
}

static bool
may_descend(struct split *s)
{
    if (s->depth < s->depth_max && s->m->parts < s->limits->parts)
        return true;
    s->m->cut = true;
    make_leaf(s->cur, "application", "octet-stream", MIME_PART_OPAQUE);
    return false;
}

static void
open_multipart(struct split *s)
{
    struct slice b = slice_of(mime_part_param(s->cur, "boundary"));

    while (b.n > 0 && ascii_is_space(b.p[b.n - 1]))
        b.n--;
    if (b.n == 0 || b.n > BOUNDARY_MAX) {
        make_leaf(s->cur, "text", "plain", MIME_PART_BROKEN);
        return;
    }
    if (!may_descend(s))
        return;
    frame_push(s, s->cur, b);
    s->cur = NULL; /* preamble */
}

static void
open_message(struct split *s, size_t at)
{
    struct mime_part *p = s->cur;

    /* RFC 2046 section 5.2.1 forbids it; then the bytes are no message. */
    if (p->encoding != MIME_7BIT && p->encoding != MIME_8BIT &&
        p->encoding != MIME_BINARY) {
        make_leaf(p, "application", "octet-stream", MIME_PART_OPAQUE);
        return;
    }
    if (!may_descend(s))
        return;
    frame_push(s, p, SLICE_NONE);
    p->children = 1;
    p->child = s->cur = part_new(s, p, at);
    s->cur->flags |= MIME_PART_ROOT;
    s->mode = IN_HEADER;
}

/* The header of cur ended; its body starts at `at`. */
static void
header_end(struct split *s, size_t at)
{
    struct mime_part *p = s->cur;

    p->body = p->end = at;
    p->body_lines = s->lines;
    s->mode = IN_BODY;
    read_header(s, p);
    if (mime_part_is(p, "multipart", NULL))
        open_multipart(s);
    else if (mime_part_is(p, "message", "rfc822"))
        open_message(s, at);
}

/* ---- lines */

static int
frame_find(struct split *s, struct slice name)
{
    uint32_t hash = hash_bytes(name);
    unsigned i;

    s->m->work += name.n + s->depth;
    for (i = s->depth; i-- > 0;) {
        struct frame *f = &s->frames[i];

        if (f->boundary.n != name.n || name.n == 0 || f->hash != hash)
            continue;
        s->m->work += name.n;
        if (memcmp(f->boundary.p, name.p, name.n) == 0)
            return (int)i;
    }
    return -1;
}

/* The frame whose delimiter this line is, or -1. */
static int
line_match(struct split *s, struct slice line, bool *closes)
{
    struct slice name = slice_from(line, 2);
    int open, close = -1;

    while (name.n > 0 && (name.p[name.n - 1] == ' ' ||
                          name.p[name.n - 1] == '\t'))
        name.n--;
    if (name.n == 0 || name.n > BOUNDARY_MAX + 2)
        return -1;
    open = frame_find(s, name);
    if (slice_ends(name, "--"))
        close = frame_find(s, slice_cut(name, 0, name.n - 2));
    *closes = close > open;
    return *closes ? close : open;
}

static void
child_add(struct split *s, struct frame *f, size_t at)
{
    struct mime_part *p = part_new(s, f->part, at);

    if (f->last == NULL)
        f->part->child = p;
    else
        f->last->next = p;
    f->last = p;
    p->number = ++f->part->children;
    s->cur = p;
    s->mode = IN_HEADER;
}

/* true when the line was a delimiter. `at` is where it starts. */
static bool
on_delimiter(struct split *s, struct slice line, size_t at, size_t next)
{
    bool closes = false;
    int i;
    size_t end;

    if (s->depth == 0 || line.n < 3 || line.p[0] != '-' || line.p[1] != '-')
        return false;
    i = line_match(s, line, &closes);
    if (i < 0)
        return false;
    if (!closes && s->m->parts >= s->limits->parts) {
        s->m->cut = true; /* the part before keeps all that follows */
        return false;
    }
    /* A header without empty line keeps its last line end. */
    end = s->cur != NULL && s->mode == IN_HEADER ? at : s->last_end;
    close_to(s, (unsigned)i + 1, end);
    if (closes)
        s->frames[i].boundary.n = 0;
    else
        child_add(s, &s->frames[i], next);
    return true;
}

static void
on_line(struct split *s, size_t at, size_t end, size_t next)
{
    struct slice line = slice_cut(s->m->raw, at, end);
    bool root;

    if (on_delimiter(s, line, at, next))
        return;
    if (s->cur == NULL || s->mode != IN_HEADER)
        return;
    if (end == at) {
        s->lines++; /* the body starts with the next line */
        header_end(s, next);
        s->lines--;
        return;
    }
    root = s->cur->parent == NULL || (s->cur->flags & MIME_PART_ROOT);
    if ((at == s->cur->head || !root) && !mime_line_is_field(line)) {
        header_end(s, at); /* text without a header before it */
        if (s->cur != NULL && s->mode == IN_HEADER)
            on_line(s, at, end, next); /* at most once: a digest's message */
    }
}

int
mime_message_parse(struct slice raw, const struct mime_limits *limits,
                   struct mime_message **out, struct err *e)
{
    struct mime_message *m = xcalloc(1, sizeof(*m));
    struct split s = {.m = m};
    size_t at = 0, end, next, lf = 0;

    (void)e;
    s.limits = limits != NULL ? limits : &mime_limits_usual;
    s.depth_max = s.limits->depth < DEPTH_MAX ? s.limits->depth : DEPTH_MAX;
    s.frames = xcalloc(s.depth_max + 1, sizeof(*s.frames));
    m->raw = raw;
    m->arena = arena_new();
    m->root = s.cur = part_new(&s, NULL, 0);
    m->root->flags |= MIME_PART_ROOT;
    while (mime_line(raw, at, &lf, &end, &next)) {
        on_line(&s, at, end, next);
        m->work += next - at;
        s.lines++;
        s.last_at = at;
        s.last_end = end;
        at = next;
    }
    s.last_at = 0; /* at the end no line end was taken */
    s.last_end = 1;
    close_to(&s, 0, raw.n);
    free(s.frames);
    *out = m;
    return 0;
}

void
mime_message_free(struct mime_message **m)
{
    if (*m == NULL)
        return;
    arena_free(&(*m)->arena);
    free(*m);
    *m = NULL;
}

/* ---- asking */

const struct mime_part *
mime_message_root(const struct mime_message *m)
{
    return m->root;
}

struct slice
mime_message_raw(const struct mime_message *m)
{
    return m->raw;
}

unsigned
mime_message_parts(const struct mime_message *m)
{
    return m->parts;
}

bool
mime_message_is_cut(const struct mime_message *m)
{
    return m->cut;
}

uint64_t
mime_message_work(const struct mime_message *m)
{
    return m->work;
}
