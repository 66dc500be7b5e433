/*
 * Body sections: paths to parts, parts to byte ranges. Called by the IMAP
 * door for every FETCH BODY[...]; the numbers are those of RFC 3501 section
 * 6.4.5, where a message that is no multipart has one part, 1.
 */
#include "mime/section.h"

#include "mime/header.h"

/* Part n of what `at` holds: at is a multipart, or the root of a message. */
static const struct mime_part *
nth_part(const struct mime_part *at, uint32_t n)
{
    const struct mime_part *p;

    if (!mime_part_is_multipart(at))
        return n == 1 ? at : NULL;
    for (p = at->child; p != NULL && p->number != n; p = p->next)
        ;
    return p;
}

const struct mime_part *
mime_section_find(const struct mime_message *m, struct slice path)
{
    const struct mime_part *at = mime_message_root(m);
    struct slice piece;
    uint32_t n;
    bool first = true;

    while (slice_next(&path, '.', &piece)) {
        if (piece.n == 0 && first && path.n == 0)
            return at;
        if (!slice_u32(piece, &n) || n == 0)
            return NULL;
        if (!first) {
            if (mime_part_is_message(at))
                at = at->child;
            else if (!mime_part_is_multipart(at))
                return NULL;
        }
        at = nth_part(at, n);
        if (at == NULL)
            return NULL;
        first = false;
    }
    return at;
}

bool
mime_section_range(const struct mime_message *m, struct slice path,
                   enum mime_section what, struct slice *out)
{
    const struct mime_part *p = mime_section_find(m, path);

    if (p == NULL)
        return false;
    if (what == MIME_SECTION_MIME) {
        if (path.n == 0)
            return false;
        *out = mime_part_head(m, p);
        return true;
    }
    if (what == MIME_SECTION_ALL) {
        *out = path.n == 0 ? mime_part_whole(m, p) : mime_part_body(m, p);
        return true;
    }
    if (path.n > 0) {
        if (!mime_part_is_message(p))
            return false;
        p = p->child;
    }
    *out = what == MIME_SECTION_TEXT ? mime_part_body(m, p)
                                     : mime_part_head(m, p);
    return true;
}

static const struct {
    const char *name;
    enum mime_section what;
} keywords[] = {
    {"", MIME_SECTION_ALL},
    {"HEADER", MIME_SECTION_HEADER},
    {"TEXT", MIME_SECTION_TEXT},
    {"MIME", MIME_SECTION_MIME},
    {"HEADER.FIELDS", MIME_SECTION_FIELDS},
    {"HEADER.FIELDS.NOT", MIME_SECTION_NOT},
};

int
mime_section_parse(struct slice spec, struct slice *path_out,
                   enum mime_section *what_out, struct err *e)
{
    struct slice path = spec, word;
    size_t n = 0, i;

    while (n < spec.n && (ascii_is_digit((unsigned char)spec.p[n]) ||
                          spec.p[n] == '.'))
        n++;
    word = slice_from(spec, n);
    path.n = n;
    if (word.n > 0 && n > 0) {
        if (spec.p[n - 1] != '.')
            return err_set(e, E_INPUT, "body section is malformed");
        path.n--;
    }
    for (i = 0; i < path.n; i++)
        if (path.p[i] == '.' && (i == 0 || i + 1 == path.n ||
                                 path.p[i + 1] == '.'))
            return err_set(e, E_INPUT, "part number is malformed");
    for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
        if (!slice_iis(word, keywords[i].name))
            continue;
        *path_out = path;
        *what_out = keywords[i].what;
        return 0;
    }
    return err_set(e, E_INPUT, "unknown body section %.*s", SLICE_FMT(word));
}

int
mime_section_fields(struct slice header, const struct slice *names,
                    size_t count, bool not, struct buf *out)
{
    struct mime_field f;
    size_t i;

    while (mime_field_next(&header, &f)) {
        for (i = 0; i < count; i++)
            if (f.name.n > 0 && slice_ieq(f.name, names[i]))
                break;
        if ((i < count) == not)
            continue;
        if (f.name.n == 0)
            continue; /* no field, so neither one to be named nor one not */
        if (buf_add_slice(out, f.whole) < 0)
            return -1;
        if (f.whole.n > 0 && f.whole.p[f.whole.n - 1] != '\n' &&
            f.whole.p[f.whole.n - 1] != '\r' && buf_adds(out, "\r\n") < 0)
            return -1;
    }
    return buf_adds(out, "\r\n");
}
