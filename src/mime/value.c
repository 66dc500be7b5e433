/*
 * Structured values of Content-Type and Content-Disposition: a type, then
 * parameters (RFC 2045 section 5.1, RFC 2231), read as they occur in the
 * wild: missing quotes, missing semicolons, stray comments.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mime/encoding.h"
#include "mime/header.h"
#include "mime/private.h"

/* One parameter as it stands, before continuations are joined. */
struct piece {
    struct slice name; /* without any "*" */
    struct slice value;
    int index; /* of a continuation, else -1 */
    bool extended, used;
};

static bool
is_token(char c)
{
    return c > 32 && c < 127 && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

static struct slice
take_token(struct slice *rest)
{
    size_t n = 0;
    struct slice t;

    *rest = mime_header_skip(*rest);
    while (n < rest->n && is_token(rest->p[n]))
        n++;
    t = slice_cut(*rest, 0, n);
    *rest = slice_from(*rest, n);
    return t;
}

static char *
lower_dup(struct arena *a, struct slice s)
{
    char *t = arena_dup(a, s), *p;

    for (p = t; *p != '\0'; p++)
        *p = (char)ascii_lower((unsigned char)*p);
    return t;
}

const char *
mime_value_token(struct slice *rest, struct arena *a)
{
    struct slice t = take_token(rest);

    return t.n > 0 ? lower_dup(a, t) : NULL;
}

bool
mime_value_type(struct slice *rest, struct arena *a, const char **type,
                const char **subtype)
{
    struct slice t = take_token(rest), s;

    *rest = mime_header_skip(*rest);
    if (t.n == 0 || rest->n == 0 || rest->p[0] != '/')
        return false;
    *rest = slice_from(*rest, 1);
    s = take_token(rest);
    if (s.n == 0)
        return false;
    *type = lower_dup(a, t);
    *subtype = lower_dup(a, s);
    return true;
}

/* A quoted string at the start of *rest, unescaped and unfolded. */
static struct slice
take_quoted(struct slice *rest, struct arena *a)
{
    size_t i, n = 0, end;
    char *text;

    for (end = 1; end < rest->n && rest->p[end] != '"'; end++)
        if (rest->p[end] == '\\')
            end++;
    if (end > rest->n)
        end = rest->n;
    text = arena_alloc(a, end + 1);
    for (i = 1; i < end; i++) {
        if (rest->p[i] == '\\' && i + 1 < end)
            i++;
        if (rest->p[i] != '\r' && rest->p[i] != '\n' && rest->p[i] != '\0')
            text[n++] = rest->p[i];
    }
    *rest = slice_from(*rest, end < rest->n ? end + 1 : end);
    return slice_make(text, n);
}

/* Does "name=" stand here? Then a semicolon was forgotten. */
static bool
looks_like_param(struct slice s)
{
    size_t n = 0;

    while (n < s.n && is_token(s.p[n]))
        n++;
    return n > 0 && n < s.n && s.p[n] == '=';
}

/* Without quotes: to the next semicolon, and blanks may be inside
 * (`filename=my file.pdf` is common). */
static struct slice
take_bare(struct slice *rest, struct arena *a)
{
    size_t i, n = 0;
    char *text;
    struct slice s;

    for (i = 0; i < rest->n && rest->p[i] != ';'; i++) {
        struct slice after;

        if (!ascii_is_space(rest->p[i]))
            continue;
        if (i > 0 && ascii_is_space(rest->p[i - 1]))
            continue; /* looked at already */
        after = *rest;
        after = slice_from(after, i);
        while (after.n > 0 && ascii_is_space(after.p[0]))
            after = slice_from(after, 1);
        if (after.n == 0 || after.p[0] == '(' || looks_like_param(after))
            break;
    }
    s = slice_trim(slice_cut(*rest, 0, i));
    *rest = slice_from(*rest, i);
    text = arena_alloc(a, s.n + 1);
    for (i = 0; i < s.n; i++)
        if (s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != '\0')
            text[n++] = s.p[i];
    return slice_make(text, n);
}

/* "name*2*" -> name, 2, extended. */
static void
piece_name(struct piece *p, struct slice name)
{
    size_t star = slice_find(name, '*');
    uint32_t index;

    p->name = name;
    p->index = -1;
    p->extended = false;
    if (star == name.n || star == 0)
        return;
    p->name = slice_cut(name, 0, star);
    name = slice_from(name, star + 1);
    if (name.n == 0) {
        p->extended = true;
        return;
    }
    if (slice_ends(name, "*")) {
        p->extended = true;
        name.n--;
    }
    if (slice_u32(name, &index) && index < 1000)
        p->index = (int)index;
}

/* The next parameter; false at the end. */
static bool
piece_next(struct slice *rest, struct arena *a, struct piece *out)
{
    struct slice name, v;

    for (;;) {
        *rest = mime_header_skip(*rest);
        if (rest->n == 0)
            return false;
        name = take_token(rest);
        v = mime_header_skip(*rest);
        if (name.n > 0 && v.n > 0 && v.p[0] == '=')
            break;
        if (name.n == 0)
            *rest = slice_from(*rest, 1); /* ';' or garbage */
    }
    piece_name(out, name);
    v = slice_from(v, 1);
    while (v.n > 0 && ascii_is_space(v.p[0]))
        v = slice_from(v, 1);
    out->value = v.n > 0 && v.p[0] == '"' ? take_quoted(&v, a)
                                          : take_bare(&v, a);
    out->used = false;
    *rest = v;
    return true;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
percent_decode(struct slice s, struct buf *out)
{
    size_t i;

    for (i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '%' && i + 2 < s.n && hex_digit(s.p[i + 1]) >= 0 &&
            hex_digit(s.p[i + 2]) >= 0) {
            c = (char)(hex_digit(s.p[i + 1]) * 16 + hex_digit(s.p[i + 2]));
            i += 2;
        }
        if (c != '\0')
            buf_addc(out, c);
    }
}

/* Takes "charset'language'" off the front of an extended value. */
static const char *
take_charset(struct slice *v, struct arena *a)
{
    size_t one = slice_find(*v, '\''), two;
    struct slice rest;
    const char *charset;

    if (one == v->n)
        return NULL;
    rest = slice_from(*v, one + 1);
    two = slice_find(rest, '\'');
    if (two == rest.n)
        return NULL;
    charset = one > 0 ? arena_dup(a, slice_cut(*v, 0, one)) : NULL;
    *v = slice_from(rest, two + 1);
    return charset;
}

/* All pieces that belong to list[i], joined; UTF-8 if any is extended. */
static const char *
pieces_join(struct piece *list, size_t n, size_t i, struct arena *a,
            bool *extended)
{
    struct buf raw = BUF_INIT(BUF_OURS), text = BUF_INIT(BUF_OURS);
    const char *charset = NULL, *result;
    struct piece *p = &list[i];
    struct slice name = p->name, v;
    int want = p->index < 0 ? -1 : 0;
    size_t k;

    *extended = false;
    for (;;) {
        for (k = i; k < n; k++)
            if (!list[k].used && list[k].index == want &&
                slice_ieq(list[k].name, name))
                break;
        if (k == n)
            break;
        p = &list[k];
        p->used = true;
        v = p->value;
        if (p->extended && want <= 0)
            charset = take_charset(&v, a);
        if (p->extended)
            percent_decode(v, &raw);
        else
            buf_add_slice(&raw, v);
        *extended = *extended || p->extended;
        if (want < 0)
            break;
        want++;
    }
    if (*extended)
        mime_charset_utf8(charset != NULL ? charset : "utf-8",
                          buf_slice(&raw), &text);
    result = arena_dup(a, buf_slice(*extended ? &text : &raw));
    buf_clear(&raw);
    buf_clear(&text);
    return result;
}

static void
params_put(struct mime_field_params *out, struct mime_param ***tail,
           struct mime_param *param)
{
    struct mime_param *old;

    for (old = out->list; old != NULL; old = old->next)
        if (strcmp(old->name, param->name) == 0)
            break;
    if (old == NULL) {
        **tail = param;
        *tail = &param->next;
    } else if (param->extended && !old->extended) {
        /* RFC 2231: filename* is meant, filename is for the old. */
        old->value = param->value;
        old->extended = true;
    }
}

void
mime_value_params(struct slice rest, unsigned limit, struct arena *a,
                  struct mime_field_params *out)
{
    struct mime_param **tail = &out->list, *param;
    struct piece *list, extra;
    size_t n = 0, i;

    out->list = NULL;
    out->cut = false;
    if (limit == 0 || !slice_has(rest, '='))
        return;
    list = xcalloc(limit, sizeof(*list));
    while (n < limit && piece_next(&rest, a, &list[n]))
        n++;
    if (n == limit && piece_next(&rest, a, &extra))
        out->cut = true;
    for (i = 0; i < n; i++) {
        if (list[i].used)
            continue;
        param = arena_alloc(a, sizeof(*param));
        param->name = lower_dup(a, list[i].name);
        param->value = pieces_join(list, n, i, a, &param->extended);
        list[i].used = true;
        params_put(out, &tail, param);
    }
    free(list);
}
