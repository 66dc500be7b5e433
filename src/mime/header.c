/*
 * Header sections: lines, fields, unfolding. Used by every file of the room
 * and by whoever needs one field of a message. Values are left to those who
 * know their syntax.
 */
#include "mime/header.h"

#include <string.h>

#include "mime/encoding.h"
#include "mime/private.h"

bool
mime_line(struct slice raw, size_t at, size_t *lf, size_t *end, size_t *next)
{
    const char *p;
    size_t stop;

    if (at >= raw.n)
        return false;
    if (*lf < at || *lf == 0) {
        p = memchr(raw.p + at, '\n', raw.n - at);
        *lf = p != NULL ? (size_t)(p - raw.p) : raw.n;
    }
    stop = *lf;
    p = stop > at ? memchr(raw.p + at, '\r', stop - at) : NULL;
    if (p != NULL) {
        *end = (size_t)(p - raw.p);
        *next = *end + 1 == stop && stop < raw.n ? stop + 1 : *end + 1;
    } else {
        *end = stop;
        *next = stop < raw.n ? stop + 1 : raw.n;
    }
    return true;
}

/* Length of the field name and the place of the colon; false when the line
 * is no field. */
static bool
line_name(struct slice line, size_t *name, size_t *colon)
{
    size_t i = 0;

    while (i < line.n && line.p[i] > 32 && line.p[i] < 127 &&
           line.p[i] != ':')
        i++;
    *name = i;
    while (i < line.n && (line.p[i] == ' ' || line.p[i] == '\t'))
        i++;
    *colon = i;
    return *name > 0 && i < line.n && line.p[i] == ':';
}

bool
mime_line_is_field(struct slice line)
{
    size_t name, colon;

    if (line.n == 0)
        return false;
    if (line.p[0] == ' ' || line.p[0] == '\t')
        return true;
    if (slice_starts(line, "From ") || slice_starts(line, ">From "))
        return true;
    return line_name(line, &name, &colon);
}

/* mime_line() for one line alone: it looks no further than that line, so a
 * header of bare CRs stays linear too. */
static void
one_line(struct slice raw, size_t at, size_t *end, size_t *next)
{
    while (at < raw.n && raw.p[at] != '\r' && raw.p[at] != '\n')
        at++;
    *end = *next = at;
    if (at < raw.n)
        *next = at + 1;
    if (at + 1 < raw.n && raw.p[at] == '\r' && raw.p[at + 1] == '\n')
        *next = at + 2;
}

bool
mime_field_next(struct slice *rest, struct mime_field *out)
{
    size_t end, next, last, name, colon;
    struct slice line;

    one_line(*rest, 0, &end, &next);
    if (end == 0)
        return false;
    last = end;
    line = slice_cut(*rest, 0, end);
    while (next < rest->n &&
           (rest->p[next] == ' ' || rest->p[next] == '\t')) {
        one_line(*rest, next, &end, &next);
        last = end;
    }
    out->whole = slice_cut(*rest, 0, next);
    if (line_name(line, &name, &colon)) {
        out->name = slice_cut(*rest, 0, name);
        out->value = slice_cut(*rest, colon + 1, last);
    } else {
        out->name = slice_cut(*rest, 0, 0);
        out->value = slice_cut(*rest, 0, last);
    }
    *rest = slice_from(*rest, next);
    return true;
}

size_t
mime_header_length(struct slice raw)
{
    size_t at = 0, lf = 0, end, next;

    while (mime_line(raw, at, &lf, &end, &next)) {
        if (end == at)
            return next;
        if (at == 0 && !mime_line_is_field(slice_cut(raw, 0, end)))
            return 0;
        at = next;
    }
    return raw.n;
}

bool
mime_header_find(struct slice header, const char *name, size_t nth,
                 struct mime_field *out)
{
    struct mime_field f;

    while (mime_field_next(&header, &f)) {
        if (!slice_iis(f.name, name))
            continue;
        if (nth-- == 0) {
            *out = f;
            return true;
        }
    }
    return false;
}

size_t
mime_header_count(struct slice header, const char *name)
{
    struct mime_field f;
    size_t n = 0;

    while (mime_field_next(&header, &f))
        n += slice_iis(f.name, name);
    return n;
}

int
mime_header_unfold(struct slice value, struct buf *out)
{
    size_t i, from = 0;

    value = slice_trim(value);
    for (i = 0; i <= value.n; i++) {
        if (i < value.n && value.p[i] != '\r' && value.p[i] != '\n' &&
            value.p[i] != '\0')
            continue;
        if (i > from && buf_add(out, value.p + from, i - from) < 0)
            return -1;
        from = i + 1;
    }
    return 0;
}

char *
mime_header_value(struct slice header, const char *name, struct arena *a)
{
    struct mime_field f;
    struct buf text;
    char *copy;

    if (!mime_header_find(header, name, 0, &f))
        return NULL;
    text = BUF_INIT(f.value.n + 1);
    mime_header_unfold(f.value, &text);
    copy = arena_dup(a, buf_slice(&text));
    buf_clear(&text);
    return copy;
}

bool
mime_header_text(struct slice header, const char *name, struct buf *out)
{
    struct mime_field f;
    struct buf text;

    if (!mime_header_find(header, name, 0, &f))
        return false;
    text = BUF_INIT(f.value.n + 1);
    mime_header_unfold(f.value, &text);
    mime_words_decode(buf_slice(&text), out);
    buf_clear(&text);
    return true;
}

struct slice
mime_header_skip(struct slice v)
{
    size_t depth = 0;

    while (v.n > 0) {
        char c = v.p[0];

        if (c == '\\' && depth > 0 && v.n > 1)
            v = slice_from(v, 1);
        else if (c == '(')
            depth++;
        else if (c == ')' && depth > 0)
            depth--;
        else if (depth == 0 && !ascii_is_space(c))
            break;
        v = slice_from(v, 1);
    }
    return v;
}
