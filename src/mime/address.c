/*
 * Reading address lists. One walk over the bytes: words gather until a comma,
 * an angle, a colon or a semicolon says what they were. Never recursive:
 * comments are counted, groups do not nest. Comparing and checking are in
 * address_check.c.
 */
#include "mime/address.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "mime/encoding.h"
#include "mime/header.h"

/* A word of the current member, in `text`. at: offset of its last unquoted
 * "@" in text, or NO_AT. */
struct word {
    size_t start, end, at;
};
#define NO_AT ((size_t)-1)

struct reader {
    struct slice in;
    size_t pos;
    struct mime_addresses *out;
    struct buf text;    /* the words, one after the other */
    struct buf comment; /* the first one of this member */
    struct word *words;
    size_t count, cap;
    bool in_word, glue;
    bool has_angle; /* this member gave an address in <> already */
    bool in_group;
    bool no_quotes, no_comments; /* no closing one follows any more */
};

static void
list_put(struct mime_addresses *l, enum mime_address_kind kind,
         const char *name, const char *local, const char *domain)
{
    if (l->count >= MIME_ADDRESSES_MAX) {
        l->cut = true;
        return;
    }
    if (l->count == l->cap) {
        l->cap = l->cap == 0 ? 8 : l->cap * 2;
        l->list = xrealloc(l->list, l->cap * sizeof(*l->list));
    }
    l->list[l->count++] = (struct mime_address){
        .kind = kind, .name = name, .local = local, .domain = domain};
}

static struct arena *
list_arena(struct mime_addresses *l)
{
    if (l->arena == NULL)
        l->arena = arena_new();
    return l->arena;
}

/* ---- words */

static void
word_begin(struct reader *r)
{
    if (r->in_word)
        return;
    r->in_word = true;
    if (r->glue && r->count > 0) {
        r->glue = false;
        return; /* "a @ b": goes on in the last word */
    }
    if (r->count == r->cap) {
        r->cap = r->cap == 0 ? 8 : r->cap * 2;
        r->words = xrealloc(r->words, r->cap * sizeof(*r->words));
    }
    r->words[r->count++] = (struct word){r->text.len, r->text.len, NO_AT};
}

static void
word_add(struct reader *r, char c)
{
    struct word *w;

    if (c == '@' && !r->in_word && r->count > 0)
        r->glue = true;
    word_begin(r);
    w = &r->words[r->count - 1];
    if (c == '@') {
        if (w->at != NO_AT)
            r->out->broken = true;
        w->at = r->text.len;
    }
    buf_addc(&r->text, c);
    w->end = r->text.len;
}

static void
word_end(struct reader *r)
{
    struct word *w;

    if (!r->in_word)
        return;
    r->in_word = false;
    w = &r->words[r->count - 1];
    r->glue = w->at != NO_AT && w->at + 1 == w->end;
}

static void
member_reset(struct reader *r)
{
    buf_reset(&r->text);
    buf_reset(&r->comment);
    r->count = 0;
    r->in_word = r->glue = r->has_angle = false;
}

static struct slice
word_text(struct reader *r, size_t i)
{
    return slice_cut(buf_slice(&r->text), r->words[i].start,
                     r->words[i].end);
}

/* Words [from, to) with blanks between, or the comment, or NULL. */
static const char *
words_name(struct reader *r, size_t from, size_t to)
{
    struct buf name = BUF_INIT(r->in.n * 2 + 16);
    const char *text = NULL;
    size_t i;

    for (i = from; i < to; i++) {
        if (name.len > 0)
            buf_addc(&name, ' ');
        buf_add_slice(&name, word_text(r, i));
    }
    if (name.len == 0)
        buf_add_slice(&name, slice_trim(buf_slice(&r->comment)));
    if (name.len > 0)
        text = arena_dup(list_arena(r->out), buf_slice(&name));
    buf_clear(&name);
    return text;
}

/* ---- members */

static void
put_mailbox(struct reader *r, const char *name, struct slice local,
            struct slice domain)
{
    struct arena *a = list_arena(r->out);

    if (local.n == 0 || domain.n == 0)
        r->out->broken = true;
    list_put(r->out, MIME_ADDRESS_MAILBOX, name, arena_dup(a, local),
             arena_dup(a, domain));
}

/* A member without angles: "a@b", "Name a@b", "name only". */
static void
member_bare(struct reader *r)
{
    size_t i, from = 0, found = 0;

    for (i = 0; i < r->count; i++) {
        struct word *w = &r->words[i];
        struct slice text = word_text(r, i);

        if (w->at == NO_AT)
            continue;
        put_mailbox(r, words_name(r, from, i),
                    slice_cut(text, 0, w->at - w->start),
                    slice_from(text, w->at - w->start + 1));
        /* More than one word: a name without angles, a missing comma. */
        if (found++ > 0 || i > 0)
            r->out->broken = true;
        buf_reset(&r->comment);
        from = i + 1;
    }
    if (from < r->count && found > 0)
        r->out->broken = true; /* stray words behind */
    if (found > 0)
        return;
    r->out->broken = true;
    if (r->count == 1) {
        struct slice text = word_text(r, 0);
        const char *name = words_name(r, 1, 1);

        put_mailbox(r, name, text, SLICE_NONE);
    } else {
        put_mailbox(r, words_name(r, 0, r->count), SLICE_NONE, SLICE_NONE);
    }
}

static void
member_end(struct reader *r)
{
    word_end(r);
    if (r->has_angle) {
        struct mime_addresses *l = r->out;

        if (r->count > 0)
            l->broken = true; /* text after <a@b> */
        else if (r->comment.len > 0 && l->count > 0 && !l->cut &&
                 l->list[l->count - 1].name == NULL)
            l->list[l->count - 1].name = words_name(r, 0, 0);
    } else if (r->count > 0) {
        member_bare(r);
    }
    member_reset(r);
}

/* The bytes between < and >: route, local part, domain. */
static void
angle_parse(struct reader *r, struct slice in, const char *name)
{
    struct buf spec = BUF_INIT(in.n + 1);
    size_t i, at = NO_AT;
    bool quoted = false;
    struct slice s;

    in = mime_header_skip(in);
    if (slice_starts(in, "@") && slice_has(in, ':'))
        in = slice_from(in, slice_find(in, ':') + 1); /* RFC 5322 4.4 */
    for (i = 0; i < in.n; i++) {
        unsigned char c = (unsigned char)in.p[i];

        if (c == '"' && !r->no_quotes) {
            quoted = !quoted;
        } else if (c == '\\' && quoted && i + 1 < in.n) {
            buf_addc(&spec, in.p[++i]);
        } else if (c == '(' && !quoted && !r->no_comments) {
            struct slice rest = slice_from(in, i);
            struct slice after = mime_header_skip(rest);

            i += rest.n - after.n - 1;
        } else if (c < 32 || c == 127 || (c == ' ' && !quoted)) {
            continue;
        } else {
            if (c == '@' && !quoted) {
                if (at != NO_AT)
                    r->out->broken = true;
                at = spec.len;
            }
            buf_addc(&spec, (char)c);
        }
    }
    s = buf_slice(&spec);
    if (s.n == 0 && name == NULL)
        r->out->broken = true; /* <> is nobody */
    else if (at == NO_AT)
        put_mailbox(r, name, s, SLICE_NONE);
    else
        put_mailbox(r, name, slice_cut(s, 0, at), slice_from(s, at + 1));
    buf_clear(&spec);
}

/* Where the angle that opens at r->pos ends: at '>', or without one before
 * the next '<', comma (not in a route) or semicolon. *open: in a quote. */
static size_t
angle_end(struct reader *r, bool *open)
{
    bool route = r->pos + 1 < r->in.n && r->in.p[r->pos + 1] == '@';
    size_t i;

    *open = false;
    for (i = r->pos + 1; i < r->in.n; i++) {
        char c = r->in.p[i];

        if (c == '"' && !r->no_quotes)
            *open = !*open;
        else if (c == '\\' && *open)
            i++;
        else if (!*open && (c == '>' || c == '<' || c == ';' ||
                            (c == ',' && !route)))
            return i;
    }
    return r->in.n;
}

/* At '<'. */
static void
on_angle(struct reader *r)
{
    bool open;
    size_t end;

    word_end(r);
    if (r->has_angle)
        r->out->broken = true;
    end = angle_end(r, &open);
    if (open) {
        r->no_quotes = true; /* for all that follows, so this is done once */
        end = angle_end(r, &open);
    }
    if (end == r->in.n || r->in.p[end] != '>')
        r->out->broken = true;
    angle_parse(r, slice_cut(r->in, r->pos + 1, end),
                words_name(r, 0, r->count));
    r->count = 0;
    buf_reset(&r->text);
    r->has_angle = true;
    r->pos = end < r->in.n && r->in.p[end] == '>' ? end + 1 : end;
}

/* At '('. */
static void
on_comment(struct reader *r)
{
    bool keep = r->comment.len == 0;
    size_t depth = 0, i;

    for (i = r->pos; i < r->in.n; i++) {
        char c = r->in.p[i];

        if (c == '\\' && i + 1 < r->in.n)
            c = r->in.p[++i];
        else if (c == '(' && depth++ == 0)
            continue;
        else if (c == ')' && --depth == 0)
            break;
        if (keep && (unsigned char)c >= 32 && c != 127)
            buf_addc(&r->comment, c);
    }
    if (i >= r->in.n) {
        r->no_comments = r->out->broken = true;
        buf_reset(&r->comment);
        r->pos++;
        return;
    }
    r->pos = i + 1;
}

/* At '"'. */
static void
on_quote(struct reader *r)
{
    size_t i, end;

    for (end = r->pos + 1; end < r->in.n && r->in.p[end] != '"'; end++)
        if (r->in.p[end] == '\\')
            end++;
    if (end >= r->in.n) {
        r->no_quotes = r->out->broken = true;
        r->pos++;
        return;
    }
    word_begin(r);
    for (i = r->pos + 1; i < end; i++) {
        if (r->in.p[i] == '\\' && i + 1 < end)
            i++;
        if ((unsigned char)r->in.p[i] >= 32 && r->in.p[i] != 127)
            buf_addc(&r->text, r->in.p[i]);
    }
    r->words[r->count - 1].end = r->text.len;
    r->pos = end + 1;
}

static void
on_colon(struct reader *r)
{
    size_t i;

    word_end(r);
    for (i = 0; i < r->count; i++)
        if (r->words[i].at != NO_AT)
            break;
    if (r->in_group || r->has_angle || i < r->count || r->count == 0) {
        r->out->broken = true; /* no group may start here */
        return;
    }
    list_put(r->out, MIME_ADDRESS_GROUP, words_name(r, 0, r->count), "", "");
    r->in_group = true;
    member_reset(r);
}

static void
on_semicolon(struct reader *r)
{
    member_end(r);
    if (!r->in_group) {
        r->out->broken = true;
        return;
    }
    list_put(r->out, MIME_ADDRESS_END, NULL, "", "");
    r->in_group = false;
}

/* "[...]" of a domain literal, as one run. */
static void
on_literal(struct reader *r)
{
    size_t end = r->pos;

    while (end < r->in.n && end < r->pos + 255 && r->in.p[end] != ']' &&
           r->in.p[end] != ',' && r->in.p[end] != '<')
        end++;
    if (end >= r->in.n || r->in.p[end] != ']')
        end = r->pos;
    for (; r->pos <= end; r->pos++)
        if (!ascii_is_space((unsigned char)r->in.p[r->pos]))
            word_add(r, r->in.p[r->pos]);
}

static void
on_char(struct reader *r)
{
    unsigned char c = (unsigned char)r->in.p[r->pos];

    switch (c) {
    case '(':
        if (!r->no_comments) {
            on_comment(r);
            return;
        }
        break;
    case '"':
        if (!r->no_quotes) {
            on_quote(r);
            return;
        }
        break;
    case '<':
        on_angle(r);
        return;
    case '[':
        on_literal(r);
        return;
    case ',':
        member_end(r);
        break;
    case ':':
        on_colon(r);
        break;
    case ';':
        on_semicolon(r);
        break;
    case '\\':
        if (r->pos + 1 < r->in.n && (unsigned char)r->in.p[r->pos + 1] > 32)
            r->pos++;
        word_add(r, r->in.p[r->pos]);
        break;
    default:
        if (c <= 32 || c == 127)
            word_end(r);
        else
            word_add(r, (char)c);
        break;
    }
    r->pos++;
}

void
mime_addresses_parse(struct slice value, struct mime_addresses *out)
{
    struct reader r = {.in = value, .out = out};

    r.text = BUF_INIT(value.n + 1);
    r.comment = BUF_INIT(value.n + 1);
    while (r.pos < r.in.n && !out->cut)
        on_char(&r);
    member_end(&r);
    if (r.in_group) {
        out->broken = true;
        list_put(out, MIME_ADDRESS_END, NULL, "", "");
    }
    buf_clear(&r.text);
    buf_clear(&r.comment);
    free(r.words);
}

size_t
mime_addresses_header(struct slice header, const char *name,
                      struct mime_addresses *out)
{
    struct mime_field f;
    size_t n = 0;

    while (mime_field_next(&header, &f)) {
        if (!slice_iis(f.name, name))
            continue;
        mime_addresses_parse(f.value, out);
        n++;
    }
    return n;
}

void
mime_addresses_add(struct mime_addresses *l, const char *name,
                   const char *local, const char *domain)
{
    struct arena *a = list_arena(l);

    list_put(l, MIME_ADDRESS_MAILBOX,
             name != NULL ? arena_strdup(a, name) : NULL,
             arena_strdup(a, local), arena_strdup(a, domain));
}

void
mime_addresses_clear(struct mime_addresses *l)
{
    arena_free(&l->arena);
    free(l->list);
    *l = (struct mime_addresses){0};
}

const struct mime_address *
mime_addresses_next(const struct mime_addresses *l, size_t *at)
{
    while (*at < l->count) {
        const struct mime_address *a = &l->list[(*at)++];

        if (a->kind == MIME_ADDRESS_MAILBOX)
            return a;
    }
    return NULL;
}
