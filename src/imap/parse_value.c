/*
 * Sets of messages, flags and dates.
 */
#include "imap/parse.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "imap/flags.h"
#include "mime/date.h"

/* ---- sequence-set ---- */

static int
parse_set_number(struct imap_parse *p, uint32_t *out)
{
    if (imap_parse_is(p, '*')) {
        *out = 0;
        return 0;
    }
    if (imap_parse_number(p, out))
        return -1;
    return *out ? 0 : imap_parse_fail(p, "0 is no message number");
}

int
imap_parse_set(struct imap_parse *p, struct imap_set *out)
{
    struct imap_range *r;
    size_t n = 1;

    for (char *c = p->p; c < p->end && *c != ' '; c++)
        n += *c == ',';
    if (n > IMAP_RANGES_MAX)
        return imap_parse_fail(p, "too many ranges");
    r = arena_alloc(p->arena, n * sizeof *r);
    out->ranges = r;
    out->n = 0;
    do {
        if (out->n == n || parse_set_number(p, &r->from))
            return -1;
        r->to = r->from;
        if (imap_parse_is(p, ':') && parse_set_number(p, &r->to))
            return -1;
        out->n++;
        r++;
    } while (imap_parse_is(p, ','));
    return 0;
}

static int
by_from(const void *a, const void *b)
{
    const struct imap_range *x = a, *y = b;

    return (x->from > y->from) - (x->from < y->from);
}

void
imap_set_settle(struct imap_set *s, uint32_t top)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        struct imap_range *r = &s->ranges[i];
        uint32_t from = r->from ? r->from : top, to = r->to ? r->to : top;

        r->from = from < to ? from : to;
        r->to = from < to ? to : from;
    }
    if (s->n)
        qsort(s->ranges, s->n, sizeof *s->ranges, by_from);
    for (size_t i = 1; i < s->n; i++) {
        struct imap_range *last = &s->ranges[n], *r = &s->ranges[i];

        if (last->to == UINT32_MAX || r->from <= last->to + 1) {
            if (r->to > last->to)
                last->to = r->to;
        } else {
            s->ranges[++n] = *r;
        }
    }
    s->n = s->n ? n + 1 : 0;
}

bool
imap_set_has(const struct imap_set *s, uint32_t n)
{
    size_t lo = 0, hi = s->n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (s->ranges[mid].to < n)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < s->n && s->ranges[lo].from <= n;
}

/* ---- flags ---- */

int
imap_parse_keyword(struct imap_parse *p, unsigned *bit_out,
                   const char **word_out)
{
    struct slice s;

    if (imap_parse_atom(p, &s))
        return -1;
    *bit_out = imap_flags_bit(s);
    *word_out = *bit_out ? "" : arena_dup(p->arena, s);
    return 0;
}

static int
parse_flag(struct imap_parse *p, struct imap_flags *f, struct buf *words)
{
    const char *word;
    struct slice s;
    unsigned bit;

    if (imap_parse_is(p, '\\')) {
        if (imap_parse_atom(p, &s))
            return -1;
        bit = imap_flags_system(s);
        if (!bit)
            return err_set(p->e, E_INPUT, "the flag \\%.*s cannot be set",
                           SLICE_FMT(s));
        f->flags |= bit;
        return 0;
    }
    if (imap_parse_keyword(p, &bit, &word))
        return -1;
    f->flags |= bit;
    if (bit)
        return 0;
    if (words->len)
        buf_addc(words, ' ');
    if (strlen(word) > 255 || buf_adds(words, word))
        return imap_parse_fail(p, "too many keywords");
    return 0;
}

int
imap_parse_flags(struct imap_parse *p, bool brackets, struct imap_flags *f)
{
    struct buf words = BUF_INIT(4096);
    bool list = imap_parse_is(p, '(');
    int rc = 0;

    *f = (struct imap_flags){0};
    if (!list && brackets)
        return imap_parse_fail(p, "a list of flags is missing");
    if (!list || imap_parse_peek(p) != ')')
        do
            rc = parse_flag(p, f, &words);
        while (rc == 0 && imap_parse_is(p, ' '));
    if (rc == 0 && list)
        rc = imap_parse_char(p, ')');
    f->keywords = arena_dup(p->arena, buf_slice(&words));
    buf_clear(&words);
    return rc;
}

/* ---- dates ---- */

static int
parse_month(struct slice s)
{
    static const char names[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_iis(s, names[i]))
            return (int)i + 1;
    return 0;
}

int
imap_parse_date(struct imap_parse *p, int64_t *days_out)
{
    struct slice s, day, month;
    uint32_t d, y;
    int m;

    if (imap_parse_astring(p, &s))
        return -1;
    if (!slice_next(&s, '-', &day) || !slice_next(&s, '-', &month) ||
        day.n > 2 || !slice_u32(day, &d) || d < 1 || d > 31 || s.n != 4 ||
        !slice_u32(s, &y) || !(m = parse_month(month)))
        return imap_parse_fail(p, "a date is like 1-Feb-1994");
    *days_out = mime_date_days((int)y, m, (int)d);
    return 0;
}

int
imap_parse_date_time(struct imap_parse *p, int64_t *unix_out)
{
    struct slice s;

    if (imap_parse_peek(p) != '"')
        return imap_parse_fail(p, "a date-time in quotes is missing");
    if (imap_parse_string(p, &s))
        return -1;
    if (!mime_date_parse_imap(s, unix_out, NULL))
        return imap_parse_fail(
            p, "a date-time is like \" 1-Feb-1994 12:00:00 +0000\"");
    return 0;
}
