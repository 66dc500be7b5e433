/*
 * The reverse of mime/imap.c's writing of envelopes.
 */
#include "imap/envelope.h"

#include <string.h>

#include "imap/parse.h"
#include "mime/encoding.h"

#define TEXT_MAX ((size_t)1 << 20)

/* nstring; NIL is empty. */
static int
parse_nstring(struct imap_parse *p, struct slice *out)
{
    *out = SLICE("");
    if (imap_parse_peek(p) != '"' && imap_parse_peek(p) != '{' &&
        imap_parse_word(p, "NIL"))
        return 0;
    return imap_parse_string(p, out);
}

/* Most text is what it seems to be. */
static void
add_decoded(struct slice s, struct buf *out)
{
    bool plain = true;

    for (size_t i = 0; i < s.n && plain; i++)
        plain = (unsigned char)s.p[i] >= ' ' && (unsigned char)s.p[i] < 127 &&
                (s.p[i] != '=' || i + 1 == s.n || s.p[i + 1] != '?');
    if (plain)
        buf_add_slice(out, s);
    else
        mime_words_decode(s, out);
}

static int
parse_address(struct imap_parse *p, struct buf *out)
{
    struct slice name, route, mailbox, host;

    if (imap_parse_char(p, '(') || parse_nstring(p, &name) ||
        imap_parse_space(p) || parse_nstring(p, &route) ||
        imap_parse_space(p) || parse_nstring(p, &mailbox) ||
        imap_parse_space(p) || parse_nstring(p, &host) ||
        imap_parse_char(p, ')'))
        return -1;
    if (!out)
        return 0;
    if (out->len)
        buf_adds(out, ", ");
    add_decoded(name, out);
    if (name.n)
        buf_addc(out, ' ');
    buf_addc(out, '<');
    buf_add_slice(out, mailbox);
    if (host.n)
        buf_addc(out, '@');
    buf_add_slice(out, host);
    buf_addc(out, '>');
    return 0;
}

/* NIL, a string, or a list of addresses. Adds; out NULL: goes past it. */
static int
parse_field(struct imap_parse *p, struct buf *out)
{
    struct slice s;

    if (imap_parse_peek(p) != '(') {
        if (parse_nstring(p, &s))
            return -1;
        if (out)
            add_decoded(s, out);
        return 0;
    }
    p->p++;
    while (imap_parse_peek(p) == '(')
        if (parse_address(p, out))
            return -1;
    return imap_parse_char(p, ')');
}

bool
imap_envelope_text(const char *envelope, enum imap_envelope_field field,
                   struct arena *a, struct slice *out)
{
    size_t n = strlen(envelope);
    struct err ignored;
    struct imap_parse p = {.arena = a, .e = &ignored};
    struct buf b = BUF_INIT(TEXT_MAX);
    int rc;

    p.p = arena_dup(a, slice_make(envelope, n));
    p.end = p.p + n;
    rc = imap_parse_char(&p, '(');
    for (int i = 0; i <= (int)field && !rc; i++)
        rc = (i && imap_parse_space(&p)) ||
             parse_field(&p, i == (int)field ? &b : NULL);
    if (!rc)
        *out = arena_slice(a, buf_slice(&b));
    buf_clear(&b);
    return !rc;
}
