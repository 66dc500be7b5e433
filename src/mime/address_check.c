/*
 * Single addresses: as text, compared, and judged strictly for SMTP paths
 * (RFC 5321 section 4.1.2, RFC 6531 section 3.3). Used by smtp, outbox and
 * certs.
 */
#include "mime/address.h"

#include <string.h>

#include "mime/encoding.h"

static bool
is_atext(unsigned char c)
{
    return c > 127 || ascii_is_alpha(c) || ascii_is_digit(c) ||
           (c != 0 && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool
is_dot_atom(struct slice s)
{
    size_t i;

    if (s.n == 0 || s.p[0] == '.' || s.p[s.n - 1] == '.')
        return false;
    for (i = 0; i < s.n; i++)
        if (!is_atext((unsigned char)s.p[i]) &&
            (s.p[i] != '.' || s.p[i - 1] == '.'))
            return false;
    return true;
}

static int
add_local(struct slice local, struct buf *out)
{
    size_t i;

    if (is_dot_atom(local))
        return buf_add_slice(out, local);
    buf_addc(out, '"');
    for (i = 0; i < local.n; i++) {
        if (local.p[i] == '"' || local.p[i] == '\\')
            buf_addc(out, '\\');
        buf_addc(out, local.p[i]);
    }
    return buf_addc(out, '"');
}

int
mime_address_spec(const struct mime_address *a, struct buf *out)
{
    add_local(slice_of(a->local), out);
    if (a->domain[0] != '\0') {
        buf_addc(out, '@');
        buf_adds(out, a->domain);
    }
    return out->over ? -1 : 0;
}

int
mime_address_normal(const struct mime_address *a, struct buf *out)
{
    struct slice domain = slice_of(a->domain);
    size_t i;

    if (slice_ends(domain, "."))
        domain.n--;
    add_local(slice_of(a->local), out);
    buf_addc(out, '@');
    for (i = 0; i < domain.n; i++)
        buf_addc(out, (char)ascii_lower((unsigned char)domain.p[i]));
    return out->over ? -1 : 0;
}

/* Place of the last "@", or s.n. */
static size_t
last_at(struct slice s)
{
    size_t i = s.n;

    while (i > 0 && s.p[i - 1] != '@')
        i--;
    return i > 0 ? i - 1 : s.n;
}

/* "a b"@x and a\ b@x aside, only needless quotes are undone. */
static struct slice
unquote(struct slice local)
{
    struct slice in;

    if (local.n < 2 || local.p[0] != '"' || local.p[local.n - 1] != '"')
        return local;
    in = slice_cut(local, 1, local.n - 1);
    return is_dot_atom(in) ? in : local;
}

bool
mime_address_equal(const char *a, const char *b)
{
    struct slice x = slice_of(a), y = slice_of(b), dx, dy;
    size_t i = last_at(x), k = last_at(y);

    dx = slice_from(x, i);
    dy = slice_from(y, k);
    if (slice_ends(dx, "."))
        dx.n--;
    if (slice_ends(dy, "."))
        dy.n--;
    return i > 0 && slice_ieq(dx, dy) &&
           slice_ieq(unquote(slice_cut(x, 0, i)),
                     unquote(slice_cut(y, 0, k)));
}

int
mime_address_name(const struct mime_address *a, struct buf *out)
{
    struct buf text = BUF_INIT(BUF_OURS);
    size_t i;
    int rc;

    if (a->name == NULL)
        return 0;
    mime_words_decode(slice_of(a->name), &text);
    for (i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < 32 || text.data[i] == 127)
            text.data[i] = ' ';
    rc = buf_add_slice(out, slice_trim(buf_slice(&text)));
    buf_clear(&text);
    return rc;
}

/* ---- strict */

/* Length of the quoted string at the front, or 0. */
static size_t
quoted_length(struct slice s)
{
    size_t i;

    if (s.n == 0 || s.p[0] != '"')
        return 0;
    for (i = 1; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == '"')
            return i + 1;
        if (c == '\\' && ++i < s.n)
            c = (unsigned char)s.p[i];
        if (c < 32 || c == 127)
            return 0;
    }
    return 0;
}

static int
check_literal(struct slice d, struct err *e)
{
    size_t i;

    if (d.n < 3 || d.p[d.n - 1] != ']')
        return err_set(e, E_INPUT, "address literal lacks its \"]\"");
    for (i = 1; i + 1 < d.n; i++) {
        unsigned char c = (unsigned char)d.p[i];

        /* IPv4, IPv6 and tags; RFC 5321 would allow more, nobody uses it. */
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) &&
            (c == 0 || strchr(".:-", c) == NULL))
            return err_set(e, E_INPUT, "address literal is malformed");
    }
    return 0;
}

static int
check_domain(struct slice d, struct err *e)
{
    struct slice label;
    size_t i;

    if (d.n == 0)
        return err_set(e, E_INPUT, "address has no domain");
    if (d.n > 255)
        return err_set(e, E_INPUT, "domain is longer than 255 bytes");
    if (d.p[0] == '[')
        return check_literal(d, e);
    if (d.p[d.n - 1] == '.')
        return err_set(e, E_INPUT, "domain ends with a dot");
    while (slice_next(&d, '.', &label)) {
        if (label.n == 0)
            return err_set(e, E_INPUT, "domain has an empty label");
        if (label.p[0] == '-' || label.p[label.n - 1] == '-')
            return err_set(e, E_INPUT, "domain label begins or ends with -");
        if (label.n > 63 && mime_is_ascii(label))
            return err_set(e, E_INPUT, "domain label is longer than 63");
        for (i = 0; i < label.n; i++) {
            unsigned char c = (unsigned char)label.p[i];

            if (c < 128 && !ascii_is_alpha(c) && !ascii_is_digit(c) &&
                c != '-' && c != '_')
                return err_set(e, E_INPUT, "domain has a bad character");
        }
    }
    return 0;
}

int
mime_address_check(struct slice spec, bool utf8, struct slice *local_out,
                   struct slice *domain_out, struct err *e)
{
    size_t n = quoted_length(spec);
    struct slice local, domain;

    if (!utf8 && !mime_is_ascii(spec))
        return err_set(e, E_INPUT, "address is not ASCII and SMTPUTF8 was "
                                   "not asked for");
    if (!mime_is_utf8(spec))
        return err_set(e, E_INPUT, "address is not UTF-8");
    if (n == 0)
        n = slice_find(spec, '@');
    local = slice_cut(spec, 0, n);
    if (n >= spec.n || spec.p[n] != '@')
        return err_set(e, E_INPUT, "address has no @");
    domain = slice_from(spec, n + 1);
    if (local.n == 0)
        return err_set(e, E_INPUT, "address has no local part");
    if (local.n > 64)
        return err_set(e, E_INPUT, "local part is longer than 64 bytes");
    if (quoted_length(local) != local.n && !is_dot_atom(local))
        return err_set(e, E_INPUT, "local part has a bad character or dot");
    if (check_domain(domain, e) < 0)
        return -1;
    if (local_out != NULL)
        *local_out = local;
    if (domain_out != NULL)
        *domain_out = domain;
    return 0;
}
