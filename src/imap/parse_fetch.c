/*
 * Arguments of FETCH (RFC 3501 section 6.4.5).
 */
#include "imap/fetch.h"

#include <string.h>

#include "base/mem.h"

static const struct {
    const char *name;
    enum imap_item_kind kind;
} plain[] = {
    {"UID", IMAP_ITEM_UID},
    {"FLAGS", IMAP_ITEM_FLAGS},
    {"INTERNALDATE", IMAP_ITEM_INTERNALDATE},
    {"RFC822.SIZE", IMAP_ITEM_SIZE},
    {"ENVELOPE", IMAP_ITEM_ENVELOPE},
    {"BODYSTRUCTURE", IMAP_ITEM_BODYSTRUCTURE},
};
static const struct {
    const char *name;
    enum mime_section what;
    bool sees;
} old_sections[] = {
    {"RFC822", MIME_SECTION_ALL, true},
    {"RFC822.HEADER", MIME_SECTION_HEADER, false},
    {"RFC822.TEXT", MIME_SECTION_TEXT, true},
};
static const struct {
    const char *name;
    enum imap_item_kind kinds[5];
    size_t n;
} macros[] = {
    {"FAST",
     {IMAP_ITEM_FLAGS, IMAP_ITEM_INTERNALDATE, IMAP_ITEM_SIZE}, 3},
    {"ALL",
     {IMAP_ITEM_FLAGS, IMAP_ITEM_INTERNALDATE, IMAP_ITEM_SIZE,
      IMAP_ITEM_ENVELOPE}, 4},
    {"FULL",
     {IMAP_ITEM_FLAGS, IMAP_ITEM_INTERNALDATE, IMAP_ITEM_SIZE,
      IMAP_ITEM_ENVELOPE, IMAP_ITEM_BODY}, 5},
};

static const char *const labels[] = {
    [IMAP_ITEM_UID] = "UID",
    [IMAP_ITEM_FLAGS] = "FLAGS",
    [IMAP_ITEM_INTERNALDATE] = "INTERNALDATE",
    [IMAP_ITEM_SIZE] = "RFC822.SIZE",
    [IMAP_ITEM_ENVELOPE] = "ENVELOPE",
    [IMAP_ITEM_BODY] = "BODY",
    [IMAP_ITEM_BODYSTRUCTURE] = "BODYSTRUCTURE",
};

/* ---- items into the list ---- */

static bool
is_same(const struct imap_item *a, const struct imap_item *b)
{
    return a->kind == b->kind && strcmp(a->label, b->label) == 0 &&
           a->partial == b->partial && a->from == b->from &&
           a->length == b->length;
}

static int
item_add(struct imap_parse *p, struct imap_fetch_args *a,
         const struct imap_item *item)
{
    for (size_t i = 0; i < a->n; i++)
        if (is_same(&a->items[i], item))
            return 0;
    if (a->n == IMAP_ITEMS_MAX)
        return imap_parse_fail(p, "too many items");
    if (!a->items)
        a->items = arena_alloc(p->arena, IMAP_ITEMS_MAX * sizeof *a->items);
    a->items[a->n++] = *item;
    switch (item->kind) {
    case IMAP_ITEM_UID:
    case IMAP_ITEM_FLAGS:
        break;
    case IMAP_ITEM_INTERNALDATE:
        a->needs_row = true;
        break;
    case IMAP_ITEM_SECTION:
        a->needs_view = true;
        break;
    default:
        a->needs_record = true;
        break;
    }
    return 0;
}

static int
plain_add(struct imap_parse *p, struct imap_fetch_args *a,
          enum imap_item_kind kind)
{
    struct imap_item item = {.kind = kind, .label = labels[kind]};

    return item_add(p, a, &item);
}

/* ---- BODY[...] ---- */

/* " (A B)" of HEADER.FIELDS. */
static int
parse_names(struct imap_parse *p, struct imap_item *item, struct buf *label)
{
    size_t max = 1;

    if (imap_parse_space(p) || imap_parse_char(p, '('))
        return -1;
    for (char *c = p->p; c < p->end && *c != ')'; c++)
        max += *c == ' ';
    if (max > IMAP_LIST_MAX)
        return imap_parse_fail(p, "too many header fields");
    item->names = arena_alloc(p->arena, max * sizeof *item->names);
    buf_adds(label, " (");
    do {
        struct slice name;

        if (item->n_names == max || imap_parse_astring(p, &name))
            return -1;
        for (size_t i = 0; i < name.n; i++)
            if (name.p[i] <= 0x20 || name.p[i] >= 0x7f || name.p[i] == ':')
                return imap_parse_fail(p, "no name of a header field");
        if (!name.n)
            return imap_parse_fail(p, "an empty header field name");
        if (item->n_names)
            buf_addc(label, ' ');
        item->names[item->n_names++] = name;
        /* Names with special characters go back as they could have come. */
        if (slice_has(name, '"') || slice_has(name, '\\'))
            return imap_parse_fail(p, "no name of a header field");
        if (slice_has(name, '(') || slice_has(name, ')') ||
            slice_has(name, '{') || slice_has(name, '%') ||
            slice_has(name, '*') || slice_has(name, ']')) {
            buf_addc(label, '"');
            buf_add_slice(label, name);
            buf_addc(label, '"');
        } else {
            buf_add_slice(label, name);
        }
    } while (imap_parse_is(p, ' '));
    buf_addc(label, ')');
    return imap_parse_char(p, ')');
}

static int
parse_partial(struct imap_parse *p, struct imap_item *item, struct buf *label)
{
    if (!imap_parse_is(p, '<'))
        return 0;
    if (imap_parse_number64(p, &item->from) || imap_parse_char(p, '.') ||
        imap_parse_number64(p, &item->length))
        return -1;
    if (!item->length || item->from > UINT32_MAX || item->length > UINT32_MAX)
        return imap_parse_fail(p, "a partial range is empty or too large");
    item->partial = true;
    buf_addf(label, "<%u>", (unsigned)item->from);
    return imap_parse_char(p, '>');
}

static int
parse_section(struct imap_parse *p, struct imap_item *item, struct buf *label)
{
    char *start = p->p;
    struct slice spec;

    while (p->p < p->end && *p->p != ']' && *p->p != ' ')
        p->p++;
    spec = slice_make(start, (size_t)(p->p - start));
    if (mime_section_parse(spec, &item->path, &item->what, p->e))
        return -1;
    if (item->what == MIME_SECTION_MIME && !item->path.n)
        return imap_parse_fail(p, "MIME needs a part number");
    if (item->path.n > 1000)
        return imap_parse_fail(p, "a part number is too long");
    buf_adds(label, "BODY[");
    buf_add_slice(label, spec);
    if ((item->what == MIME_SECTION_FIELDS || item->what == MIME_SECTION_NOT) &&
        parse_names(p, item, label))
        return -1;
    if (imap_parse_char(p, ']'))
        return -1;
    buf_addc(label, ']');
    return parse_partial(p, item, label);
}

static int
section_add(struct imap_parse *p, struct imap_fetch_args *a, bool peek)
{
    struct imap_item item = {.kind = IMAP_ITEM_SECTION};
    struct buf label = BUF_INIT(IMAP_LIST_MAX * 100);
    int rc;

    p->p++; /* the bracket */
    rc = parse_section(p, &item, &label);
    if (rc == 0 && label.over)
        rc = imap_parse_fail(p, "too many header fields");
    item.label = arena_dup(p->arena, buf_slice(&label));
    buf_clear(&label);
    if (rc)
        return -1;
    a->sees |= !peek;
    return item_add(p, a, &item);
}

/* ---- the list ---- */

/* A word of letters, digits and dots: atoms here may touch a bracket. */
static struct slice
take_name(struct imap_parse *p)
{
    char *start = p->p;

    while (p->p < p->end &&
           (ascii_is_alpha((unsigned char)*p->p) || *p->p == '.' ||
            ascii_is_digit((unsigned char)*p->p)))
        p->p++;
    return slice_make(start, (size_t)(p->p - start));
}

static int
parse_item(struct imap_parse *p, struct imap_fetch_args *a)
{
    struct slice name = take_name(p);
    bool section = imap_parse_peek(p) == '[';

    if (section && (slice_iis(name, "BODY") || slice_iis(name, "BODY.PEEK")))
        return section_add(p, a, name.n > 4);
    if (section)
        return imap_parse_fail(p, "unknown item of FETCH");
    if (slice_iis(name, "BODY"))
        return plain_add(p, a, IMAP_ITEM_BODY);
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        if (slice_iis(name, plain[i].name))
            return plain_add(p, a, plain[i].kind);
    for (size_t i = 0; i < ARRAY_LEN(old_sections); i++)
        if (slice_iis(name, old_sections[i].name)) {
            struct imap_item item = {.kind = IMAP_ITEM_SECTION,
                                     .label = old_sections[i].name,
                                     .path = SLICE(""),
                                     .what = old_sections[i].what};

            a->sees |= old_sections[i].sees;
            return item_add(p, a, &item);
        }
    return err_set(p->e, E_INPUT, "unknown item %.*s of FETCH",
                   SLICE_FMT(name));
}

static int
parse_macro(struct imap_parse *p, struct imap_fetch_args *a)
{
    struct imap_parse at = *p;
    struct slice name = take_name(&at);

    for (size_t i = 0; i < ARRAY_LEN(macros); i++)
        if (slice_iis(name, macros[i].name)) {
            p->p = at.p;
            for (size_t k = 0; k < macros[i].n; k++)
                plain_add(p, a, macros[i].kinds[k]);
            return 1;
        }
    return 0;
}

int
imap_parse_fetch(struct imap_parse *p, struct imap_command *cmd)
{
    struct imap_fetch_args *a = arena_alloc(cmd->arena, sizeof *a);

    cmd->args = a;
    if (imap_parse_space(p) || imap_parse_set(p, &a->set) ||
        imap_parse_space(p))
        return -1;
    if (cmd->uid)
        plain_add(p, a, IMAP_ITEM_UID);
    if (parse_macro(p, a))
        return 0;
    if (!imap_parse_is(p, '('))
        return parse_item(p, a);
    do
        if (parse_item(p, a))
            return -1;
    while (imap_parse_is(p, ' '));
    return imap_parse_char(p, ')');
}
