/*
 * ENVELOPE and BODYSTRUCTURE. Made once per message by view and store, sent
 * word for word by the IMAP door. Field values go out as they stand in the
 * message (unfolded, not decoded), as RFC 3501 wants it.
 *
 * The walk over the tree recurses; message.c bounds its depth.
 */
#include "mime/imap.h"

#include <string.h>

#include "base/mem.h"
#include "mime/address.h"
#include "mime/header.h"

static int
over(const struct buf *out, struct err *e)
{
    if (!out->over)
        return 0;
    return err_set(e, E_LIMIT, "IMAP structure exceeds %zu bytes", out->limit);
}

int
mime_imap_nstring(struct slice s, struct buf *out)
{
    size_t i, zeros = 0, escapes = 0;
    bool quoted = s.n <= 1000;

    if (s.p == NULL)
        return buf_adds(out, "NIL");
    for (i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        zeros += c == 0;
        escapes += c == '"' || c == '\\';
        if (c > 126 || c == '\r' || c == '\n' || (c < 32 && c != '\t'))
            quoted = false;
    }
    if (!quoted)
        buf_addf(out, "{%zu}\r\n", s.n - zeros);
    else
        buf_addc(out, '"');
    if (zeros == 0 && (escapes == 0 || !quoted)) {
        buf_add_slice(out, s);
    } else {
        for (i = 0; i < s.n; i++) {
            if (s.p[i] == '\0')
                continue;
            if (quoted && (s.p[i] == '"' || s.p[i] == '\\'))
                buf_addc(out, '\\');
            buf_addc(out, s.p[i]);
        }
    }
    if (quoted)
        buf_addc(out, '"');
    return out->over ? -1 : 0;
}

static void
put(const char *s, struct buf *out)
{
    mime_imap_nstring(s != NULL ? slice_of(s) : SLICE_NONE, out);
}

/* ---- envelope */

enum { DATE, SUBJECT, FROM, SENDER, REPLY_TO, TO, CC, BCC, IN_REPLY_TO,
       MESSAGE_ID, FIELDS };

static const char *const field_names[FIELDS] = {
    "Date", "Subject", "From", "Sender", "Reply-To",
    "To", "Cc", "Bcc", "In-Reply-To", "Message-ID",
};

static bool
is_addresses(int field)
{
    return field >= FROM && field <= BCC;
}

struct envelope {
    struct slice text[FIELDS];
    bool has[FIELDS];
    struct mime_addresses list[FIELDS];
};

static void
envelope_read(struct slice head, struct envelope *env)
{
    struct mime_field f;
    int i;

    while (mime_field_next(&head, &f)) {
        for (i = 0; i < FIELDS; i++)
            if (slice_iis(f.name, field_names[i]))
                break;
        if (i == FIELDS)
            continue;
        /* To, Cc and Bcc may be split over several fields in the wild; of
         * all others the first counts. */
        if (is_addresses(i) && (i >= TO || !env->has[i]))
            mime_addresses_parse(f.value, &env->list[i]);
        if (!env->has[i])
            env->text[i] = f.value;
        env->has[i] = true;
    }
}

static void
put_unfolded(struct slice value, struct buf *out)
{
    struct buf text = BUF_INIT(value.n + 1);

    buf_adds(&text, ""); /* an empty field is "", not NIL */
    mime_header_unfold(value, &text);
    mime_imap_nstring(text.data != NULL ? buf_slice(&text) : SLICE(""), out);
    buf_clear(&text);
}

static void
put_address(const struct mime_address *a, struct buf *out)
{
    buf_addc(out, '(');
    if (a->kind == MIME_ADDRESS_GROUP) {
        buf_adds(out, "NIL NIL ");
        put(a->name != NULL ? a->name : "", out);
        buf_adds(out, " NIL");
    } else if (a->kind == MIME_ADDRESS_END) {
        buf_adds(out, "NIL NIL NIL NIL");
    } else {
        put(a->name, out);
        buf_adds(out, " NIL ");
        /* NIL here would mean a group (RFC 3501 section 7.4.2). */
        put(a->local[0] != '\0' ? a->local : "MISSING_MAILBOX", out);
        buf_addc(out, ' ');
        put(a->domain[0] != '\0' ? a->domain : "MISSING_DOMAIN", out);
    }
    buf_addc(out, ')');
}

static void
put_addresses(const struct mime_addresses *l, struct buf *out)
{
    size_t i;

    if (l->count == 0) {
        buf_adds(out, "NIL");
        return;
    }
    buf_addc(out, '(');
    for (i = 0; i < l->count && !out->over; i++)
        put_address(&l->list[i], out);
    buf_addc(out, ')');
}

static void
envelope_write(struct envelope *env, struct buf *out)
{
    int i;

    buf_addc(out, '(');
    for (i = 0; i < FIELDS; i++) {
        const struct mime_addresses *l = &env->list[i];

        if (i > 0)
            buf_addc(out, ' ');
        if ((i == SENDER || i == REPLY_TO) && l->count == 0)
            l = &env->list[FROM];
        if (is_addresses(i))
            put_addresses(l, out);
        else if (env->has[i])
            put_unfolded(env->text[i], out);
        else
            buf_adds(out, "NIL");
    }
    buf_addc(out, ')');
}

static void
put_envelope(struct slice head, struct buf *out)
{
    struct envelope env = {0};
    int i;

    envelope_read(head, &env);
    envelope_write(&env, out);
    for (i = 0; i < FIELDS; i++)
        mime_addresses_clear(&env.list[i]);
}

int
mime_imap_envelope(const struct mime_message *m,
                   const struct mime_part *root, struct buf *out,
                   struct err *e)
{
    if (root == NULL)
        root = mime_message_root(m);
    put_envelope(mime_part_head(m, root), out);
    return over(out, e);
}

/* ---- structure */

static void
put_upper(const char *s, struct buf *out)
{
    char upper[128];
    size_t i;

    for (i = 0; s[i] != '\0' && i + 1 < sizeof(upper); i++)
        upper[i] = (char)ascii_upper((unsigned char)s[i]);
    upper[i] = '\0';
    put(s[i] == '\0' ? upper : s, out);
}

/* A value that came as RFC 2231 and is not ASCII goes out that way again,
 * with its continuations joined (RFC 2231 section 6). */
static void
put_param(const struct mime_param *p, struct buf *out)
{
    struct buf text = BUF_INIT(BUF_OURS);
    const unsigned char *c;

    if (!p->extended || mime_is_ascii(slice_of(p->value))) {
        put_upper(p->name, out);
        buf_addc(out, ' ');
        put(p->value, out);
        return;
    }
    buf_addf(&text, "%s*", p->name);
    put_upper(text.data, out);
    buf_addc(out, ' ');
    buf_reset(&text);
    buf_adds(&text, "utf-8''");
    for (c = (const unsigned char *)p->value; *c != '\0'; c++) {
        if (*c < 128 && (ascii_is_alpha(*c) || ascii_is_digit(*c) ||
                         strchr("-._", *c) != NULL))
            buf_addc(&text, (char)*c);
        else
            buf_addf(&text, "%%%02X", *c);
    }
    put(text.data, out);
    buf_clear(&text);
}

static void
put_params(const struct mime_param *p, struct buf *out)
{
    if (p == NULL) {
        buf_adds(out, "NIL");
        return;
    }
    buf_addc(out, '(');
    for (; p != NULL; p = p->next) {
        put_param(p, out);
        if (p->next != NULL)
            buf_addc(out, ' ');
    }
    buf_addc(out, ')');
}

static void
put_language(const char *language, struct buf *out)
{
    struct slice rest = slice_of(language), one;
    size_t n = 0;

    if (language == NULL || !slice_has(rest, ',')) {
        put(language, out);
        return;
    }
    buf_addc(out, '(');
    while (slice_next(&rest, ',', &one)) {
        one = slice_trim(one);
        if (one.n == 0)
            continue;
        if (n++ > 0)
            buf_addc(out, ' ');
        mime_imap_nstring(one, out);
    }
    if (n == 0)
        buf_adds(out, "\"\"");
    buf_addc(out, ')');
}

/* The tail that multiparts and leaves share. */
static void
put_extension(const struct mime_part *p, struct buf *out)
{
    buf_addc(out, ' ');
    if (p->disposition == NULL) {
        buf_adds(out, "NIL");
    } else {
        buf_addc(out, '(');
        put_upper(p->disposition, out);
        buf_addc(out, ' ');
        put_params(p->disposition_params, out);
        buf_addc(out, ')');
    }
    buf_addc(out, ' ');
    put_language(p->language, out);
    buf_addc(out, ' ');
    put(p->location, out);
}

static void put_body(const struct mime_message *m, const struct mime_part *p,
                     bool extended, struct buf *out);

static void
put_multipart(const struct mime_message *m, const struct mime_part *p,
              bool extended, struct buf *out)
{
    const struct mime_part *child;

    for (child = p->child; child != NULL && !out->over; child = child->next)
        put_body(m, child, extended, out);
    buf_addc(out, ' ');
    put_upper(p->subtype, out);
    if (!extended)
        return;
    buf_addc(out, ' ');
    put_params(p->params, out);
    put_extension(p, out);
}

static void
put_leaf(const struct mime_message *m, const struct mime_part *p,
         bool extended, struct buf *out)
{
    put_upper(p->type, out);
    buf_addc(out, ' ');
    put_upper(p->subtype, out);
    buf_addc(out, ' ');
    if (p->params == NULL && mime_part_is(p, "text", NULL))
        buf_adds(out, "(\"CHARSET\" \"US-ASCII\")");
    else
        put_params(p->params, out);
    buf_addc(out, ' ');
    put(p->id, out);
    buf_addc(out, ' ');
    put(p->description, out);
    buf_addc(out, ' ');
    put_upper(p->encoding_name, out);
    buf_addf(out, " %zu", p->end - p->body);
    if (mime_part_is_message(p)) {
        buf_addc(out, ' ');
        put_envelope(mime_part_head(m, p->child), out);
        buf_addc(out, ' ');
        put_body(m, p->child, extended, out);
    }
    if (mime_part_is_message(p) || mime_part_is(p, "text", NULL))
        buf_addf(out, " %zu", p->body_lines);
    if (!extended)
        return;
    buf_addc(out, ' ');
    put(p->md5, out);
    put_extension(p, out);
}

static void
put_body(const struct mime_message *m, const struct mime_part *p,
         bool extended, struct buf *out)
{
    buf_addc(out, '(');
    if (mime_part_is_multipart(p))
        put_multipart(m, p, extended, out);
    else
        put_leaf(m, p, extended, out);
    buf_addc(out, ')');
}

int
mime_imap_structure(const struct mime_message *m, bool extended,
                    struct buf *out, struct err *e)
{
    put_body(m, mime_message_root(m), extended, out);
    return over(out, e);
}

/* ---- for people */

static void
describe_path(const struct mime_part *p, struct buf *out)
{
    if (p->parent != NULL)
        describe_path(p->parent, out);
    if (p->number > 0)
        buf_addf(out, "%s%u", out->len > 0 ? "." : "", p->number);
    else if (p->parent != NULL && !mime_part_is_multipart(p))
        buf_addf(out, "%s1", out->len > 0 ? "." : "");
}

static void
describe_flags(const struct mime_part *p, struct buf *out)
{
    static const struct {
        unsigned flag;
        const char *name;
    } flags[] = {
        {MIME_PART_OPAQUE, "opaque"},     {MIME_PART_BROKEN, "broken"},
        {MIME_PART_UNCLOSED, "unclosed"}, {MIME_PART_CUT, "cut"},
        {MIME_PART_ROOT, "root"},
    };
    size_t i;

    for (i = 0; i < ARRAY_LEN(flags); i++)
        if (p->flags & flags[i].flag)
            buf_addf(out, " %s", flags[i].name);
}

/* One line a part: section, type, [head,body,end), lines, encoding, flags. */
int
mime_describe(const struct mime_message *m, struct buf *out, struct err *e)
{
    const struct mime_part *p = NULL;
    struct buf path = BUF_INIT(64 << 10);

    buf_addf(out, "size %zu\nparts %u\n", mime_message_raw(m).n,
             mime_message_parts(m));
    while ((p = mime_part_next(m, p)) != NULL && !out->over) {
        buf_reset(&path);
        describe_path(p, &path);
        buf_addf(out, "part %s %s/%s head %zu body %zu end %zu lines %zu %s",
                 path.len > 0 ? path.data : "-", p->type, p->subtype, p->head,
                 p->body, p->end, p->body_lines, p->encoding_name);
        describe_flags(p, out);
        buf_addc(out, '\n');
    }
    buf_clear(&path);
    return over(out, e);
}
