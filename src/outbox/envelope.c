/*
 * The header's recipients made equal to the envelope's. EAS has no envelope:
 * the server delivers to To, Cc and Bcc, so whoever is in the envelope must
 * stand there, and whoever is not must not (SPEC section 7). Pure; called in
 * seal.c's jobs.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mime/address.h"
#include "mime/encoding.h"
#include "mime/header.h"
#include "outbox/private.h"

#define FIELD_MAX ((size_t)4 << 20)

/* ---- seven bits in the header ---- */

static bool
is_high(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 127)
            return true;
    return false;
}

static bool
holds_addresses(struct slice name)
{
    static const char *const names[] = {
        "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Resent-From",
        "Resent-Sender", "Resent-To", "Resent-Cc", "X-Sealpost-To",
        "X-Sealpost-Cc", "X-Sealpost-Resent-To", "X-Sealpost-Resent-Cc",
        "Disposition-Notification-To",
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (slice_iis(name, names[i]))
            return true;
    return false;
}

static int
field_seven(const struct mime_field *f, struct buf *out)
{
    char *name = slice_dup(f->name);
    struct buf text = BUF_INIT(FIELD_MAX), utf8 = BUF_INIT(FIELD_MAX);
    struct mime_addresses l = {0};
    int rc;

    if (holds_addresses(f->name)) {
        mime_addresses_parse(f->value, &l);
        rc = mime_write_addresses(name, &l, out);
        mime_addresses_clear(&l);
    } else {
        rc = mime_header_unfold(f->value, &text);
        if (rc == 0 && !mime_is_utf8(buf_slice(&text)))
            rc = mime_charset_utf8("iso-8859-1", buf_slice(&text), &utf8);
        if (rc == 0)
            rc = mime_write_field(name, buf_slice(utf8.len ? &utf8 : &text),
                                  out);
    }
    buf_clear(&text);
    buf_clear(&utf8);
    free(name);
    return rc;
}

/* ---- who stays in which field ---- */

/* One delivering field of the header and where its others go. */
struct delivering {
    const char *name, *kept;
    bool counts; /* the server delivers by it: who stands here is visible */
};
static const struct delivering fields[] = {
    {"To", "X-Sealpost-To", true},
    {"Cc", "X-Sealpost-Cc", true},
    {"Resent-To", "X-Sealpost-Resent-To", false},
    {"Resent-Cc", "X-Sealpost-Resent-Cc", false},
};

struct reading {
    struct slice header;
    const char *const *recipients;
    size_t n;
    bool *seen; /* of the recipients: stands in a field that counts */
    struct arena *arena;
    struct outbox_envelope *out;
    struct buf written;
    bool changed_inside; /* To or Cc differ outside */
    bool has_to;
    size_t left, left_to; /* addresses that stay in To and Cc; in To */
};

static ssize_t
recipient_find(const struct reading *r, const char *spec)
{
    for (size_t i = 0; i < r->n; i++)
        if (mime_address_equal(r->recipients[i], spec))
            return (ssize_t)i;
    return -1;
}

static void
change_add(struct reading *r, const char *name, const struct buf *field)
{
    struct outbox_envelope *out = r->out;

    assert(out->nchanges < ARRAY_LEN(out->changes));
    out->changes[out->nchanges++] = (struct mime_change){
        .name = name,
        .field = arena_slice(r->arena, buf_slice(field)),
    };
}

/* The complete fields of that name, as they stand. */
static void
written_add(const struct reading *r, const char *name, struct buf *out)
{
    struct slice rest = r->header;
    struct mime_field f;

    while (mime_field_next(&rest, &f))
        if (slice_iis(f.name, name)) {
            if (is_high(f.whole))
                field_seven(&f, out);
            else
                buf_add_slice(out, f.whole);
        }
}

static int
split(struct reading *r, const struct delivering *d,
      const struct mime_addresses *all, struct mime_addresses *stay,
      struct mime_addresses *gone, struct err *e)
{
    const struct mime_address *a;
    size_t at = 0;

    while ((a = mime_addresses_next(all, &at))) {
        struct buf spec = BUF_INIT(2048);
        ssize_t i = -1;

        if (mime_address_spec(a, &spec) == 0 && spec.data)
            i = recipient_find(r, spec.data);
        buf_clear(&spec);
        mime_addresses_add(i >= 0 ? stay : gone, a->name, a->local, a->domain);
        if (i >= 0 && d->counts)
            r->seen[i] = true;
    }
    if (all->cut || stay->cut || gone->cut)
        return err_set(e, E_LIMIT, "%s names too many addresses", d->name);
    return 0;
}

static int
field_read(struct reading *r, const struct delivering *d, struct err *e)
{
    struct mime_addresses all = {0}, stay = {0}, gone = {0};
    size_t n = mime_addresses_header(r->header, d->name, &all);
    struct buf field = BUF_INIT(FIELD_MAX), kept = BUF_INIT(FIELD_MAX);
    int rc = split(r, d, &all, &stay, &gone, e);

    if (d->counts) {
        written_add(r, d->name, &r->written);
        r->left += stay.count;
        if (strcmp(d->name, "To") == 0) {
            r->has_to = n > 0;
            r->left_to = stay.count;
        }
    }
    /* One that could be read in two ways is written anew, so that the server
     * has only ours; the others stay byte for byte. */
    if (rc == 0 && (n > 1 || all.broken || gone.count)) {
        mime_write_addresses(d->name, &stay, &field);
        mime_write_addresses(d->kept, &gone, &kept);
        change_add(r, d->name, &field);
        if (gone.count)
            change_add(r, d->kept, &kept);
        if (d->counts && gone.count)
            r->changed_inside = true;
    }
    if (rc == 0 && (field.over || kept.over))
        rc = err_set(e, E_LIMIT, "%s is too long", d->name);
    buf_clear(&field);
    buf_clear(&kept);
    mime_addresses_clear(&all);
    mime_addresses_clear(&stay);
    mime_addresses_clear(&gone);
    return rc;
}

/* To is never missing: a mail without any is written off as junk. */
static void
to_fill(struct reading *r)
{
    struct buf field = BUF_INIT(100);
    struct outbox_envelope *out = r->out;

    buf_adds(&field, "To: undisclosed-recipients:;\r\n");
    for (size_t i = 0; i < out->nchanges; i++)
        if (strcmp(out->changes[i].name, "To") == 0) {
            out->changes[i].field = arena_slice(r->arena, buf_slice(&field));
            buf_clear(&field);
            return;
        }
    change_add(r, "To", &field);
    buf_clear(&field);
}

static void
sort_out(struct reading *r)
{
    struct outbox_envelope *out = r->out;

    out->visible = arena_alloc(r->arena, (r->n + 1) * sizeof *out->visible);
    out->hidden = arena_alloc(r->arena, (r->n + 1) * sizeof *out->hidden);
    for (size_t i = 0; i < r->n; i++) {
        const char *a = arena_strdup(r->arena, r->recipients[i]);

        if (r->seen[i])
            out->visible[out->nvisible++] = a;
        else
            out->hidden[out->nhidden++] = a;
    }
}

int
outbox_envelope_read(struct slice header, const char *const *recipients,
                     size_t n, struct arena *arena,
                     struct outbox_envelope *out, struct err *e)
{
    struct reading r = {.header = header, .recipients = recipients, .n = n,
                        .arena = arena, .out = out,
                        .written = BUF_INIT(FIELD_MAX)};
    struct buf none = BUF_INIT(1);
    int rc = 0;

    *out = (struct outbox_envelope){0};
    r.seen = arena_alloc(arena, n + 1);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(fields); i++)
        rc = field_read(&r, &fields[i], e);
    if (rc == 0 && r.written.over)
        rc = err_set(e, E_LIMIT, "To and Cc are too long");
    if (rc == 0) {
        if (!r.left_to && (r.has_to || !r.left))
            to_fill(&r);
        change_add(&r, "Bcc", &none);
        change_add(&r, "Resent-Bcc", &none);
        sort_out(&r);
        out->written = arena_slice(arena, buf_slice(&r.written));
        if (r.changed_inside)
            out->inner = out->written;
    }
    buf_clear(&r.written);
    return rc;
}

void
outbox_envelope_bcc(const char *const *addresses, size_t n, struct buf *out)
{
    size_t column = 5;

    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(addresses[i]);

        if (!i)
            buf_adds(out, "Bcc: ");
        else if (column + len > 74)
            buf_adds(out, ",\r\n "), column = 1;
        else
            buf_adds(out, ", ");
        buf_adds(out, addresses[i]);
        column += len + 2;
    }
    if (n)
        buf_adds(out, "\r\n");
}

int
outbox_envelope_seven(struct slice mime, struct buf *out, struct err *e)
{
    size_t n = mime_header_length(mime);
    struct slice rest = slice_cut(mime, 0, n);
    struct mime_field f;
    int rc = 0;

    while (rc == 0 && mime_field_next(&rest, &f)) {
        if (!f.name.n)
            continue; /* no field: others might read one in it */
        rc = is_high(f.whole) ? field_seven(&f, out)
                              : buf_add_slice(out, f.whole);
    }
    if (rc == 0)
        rc = buf_adds(out, "\r\n");
    if (rc == 0)
        rc = buf_add_slice(out, slice_from(mime, n));
    return rc ? err_set(e, E_LIMIT, "the message is too large") : 0;
}
