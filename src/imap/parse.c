/*
 * The words of the grammar: atoms, strings, literals, numbers. Sets, flags
 * and dates are in parse_value.c; commands have their own parse_*.c.
 */
#include "imap/parse.h"

#include <string.h>

#include "imap/utf7.h"

int
imap_parse_fail(struct imap_parse *p, const char *what)
{
    return err_set(p->e, E_INPUT, "%s", what);
}

bool
imap_parse_at_end(const struct imap_parse *p)
{
    return p->p == p->end;
}

char
imap_parse_peek(const struct imap_parse *p)
{
    return p->p < p->end ? *p->p : 0;
}

bool
imap_parse_is(struct imap_parse *p, char c)
{
    if (p->p == p->end || *p->p != c)
        return false;
    p->p++;
    return true;
}

int
imap_parse_char(struct imap_parse *p, char c)
{
    if (imap_parse_is(p, c))
        return 0;
    return err_set(p->e, E_INPUT, "'%c' is missing", c);
}

int
imap_parse_space(struct imap_parse *p)
{
    return imap_parse_is(p, ' ') ? 0
                                 : imap_parse_fail(p, "a space is missing");
}

int
imap_parse_end(struct imap_parse *p)
{
    return imap_parse_at_end(p)
               ? 0
               : imap_parse_fail(p, "too much behind the command");
}

/* ---- atoms ---- */

enum { ATOM = 1, ASTRING = 2, PATTERN = 4, TAG = 8 };

/* atom-specials, and what the other kinds of word allow besides. */
static bool
is_word(unsigned char c, int kind)
{
    if (c <= 0x20 || c >= 0x7f)
        return false;
    switch (c) {
    case '(': case ')': case '{': case '"': case '\\':
        return false;
    case '%': case '*':
        return kind == PATTERN;
    case ']':
        return kind != ATOM;
    case '+':
        return kind != TAG;
    default:
        return true;
    }
}

static int
parse_word(struct imap_parse *p, int kind, const char *what,
           struct slice *out)
{
    char *start = p->p;

    while (p->p < p->end && is_word((unsigned char)*p->p, kind))
        p->p++;
    if (p->p == start)
        return err_set(p->e, E_INPUT, "%s is missing", what);
    *out = slice_make(start, (size_t)(p->p - start));
    return 0;
}

int
imap_parse_tag(struct imap_parse *p, struct slice *out)
{
    return parse_word(p, TAG, "a tag", out);
}

int
imap_parse_atom(struct imap_parse *p, struct slice *out)
{
    return parse_word(p, ATOM, "a word", out);
}

bool
imap_parse_word(struct imap_parse *p, const char *word)
{
    struct imap_parse at = *p;
    struct slice s;
    struct err ignored;

    at.e = &ignored;
    if (imap_parse_atom(&at, &s) || !slice_iis(s, word))
        return false;
    p->p = at.p;
    return true;
}

/* ---- strings ---- */

/* Unescapes in place: only \" and \\ may be escaped. */
static int
parse_quoted(struct imap_parse *p, struct slice *out)
{
    char *to = ++p->p, *start = to;

    while (p->p < p->end && *p->p != '"') {
        if (*p->p == '\r' || *p->p == '\n')
            return imap_parse_fail(p, "a line end in a quoted string");
        if ((unsigned char)*p->p >= 0x80)
            return imap_parse_fail(p, "8-bit bytes need a literal");
        if (*p->p == '\\') {
            p->p++;
            if (p->p == p->end || (*p->p != '"' && *p->p != '\\'))
                return imap_parse_fail(p, "a bad escape in a quoted string");
        }
        *to++ = *p->p++;
    }
    if (p->p == p->end)
        return imap_parse_fail(p, "a quoted string has no end");
    p->p++;
    *out = slice_make(start, (size_t)(to - start));
    return 0;
}

/* "{n}" CRLF n bytes; input.c has seen to it that they are there. */
static int
parse_literal(struct imap_parse *p, struct slice *out)
{
    struct slice rest, digits;
    uint64_t size;
    size_t n;

    p->p++;
    rest = slice_make(p->p, (size_t)(p->end - p->p));
    for (n = 0; n < rest.n && ascii_is_digit((unsigned char)rest.p[n]); n++)
        ;
    digits = slice_cut(rest, 0, n);
    if (n < rest.n && rest.p[n] == '+')
        n++;
    if (!slice_u64(digits, &size) ||
        !slice_starts(slice_from(rest, n), "}\r\n") ||
        size > rest.n - n - 3)
        return imap_parse_fail(p, "a malformed literal");
    p->p += n + 3;
    *out = slice_make(p->p, (size_t)size);
    p->p += size;
    return 0;
}

int
imap_parse_string(struct imap_parse *p, struct slice *out)
{
    switch (imap_parse_peek(p)) {
    case '"':
        return parse_quoted(p, out);
    case '{':
        return parse_literal(p, out);
    default:
        return imap_parse_fail(p, "a string is missing");
    }
}

int
imap_parse_astring(struct imap_parse *p, struct slice *out)
{
    char c = imap_parse_peek(p);

    if (c == '"' || c == '{')
        return imap_parse_string(p, out);
    return parse_word(p, ASTRING, "a word or string", out);
}

int
imap_parse_pattern(struct imap_parse *p, struct slice *out)
{
    char c = imap_parse_peek(p);

    if (c == '"' || c == '{')
        return imap_parse_string(p, out);
    return parse_word(p, PATTERN, "a mailbox pattern", out);
}

int
imap_parse_mailbox(struct imap_parse *p, const char **out)
{
    struct slice name;

    if (imap_parse_astring(p, &name))
        return -1;
    if (slice_iis(name, "INBOX")) {
        *out = "INBOX";
        return 0;
    }
    return imap_utf7_decode(name, p->arena, out, p->e);
}

/* ---- numbers ---- */

int
imap_parse_number64(struct imap_parse *p, uint64_t *out)
{
    char *start = p->p;

    while (p->p < p->end && ascii_is_digit((unsigned char)*p->p))
        p->p++;
    if (!slice_u64(slice_make(start, (size_t)(p->p - start)), out))
        return imap_parse_fail(p, "a number is missing or too large");
    return 0;
}

int
imap_parse_number(struct imap_parse *p, uint32_t *out)
{
    uint64_t n;

    if (imap_parse_number64(p, &n))
        return -1;
    if (n > UINT32_MAX)
        return imap_parse_fail(p, "a number is too large");
    *out = (uint32_t)n;
    return 0;
}
