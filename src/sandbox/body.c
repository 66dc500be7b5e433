/*
 * base:Body: which of the client's preferences is met, and the data of it
 * (MS-ASAIRS 2.2.2.9, 2.2.2.12; MIMESupport: MS-ASCMD 2.2.3.110).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "mime/encoding.h"
#include "mime/message.h"
#include "sandbox/body.h"
#include "sandbox/call.h"
#include "sandbox/policy.h"

#define FILE_MAX ((size_t)200 << 20)

static bool
mime_is_allowed(const struct message *m, const struct prefs *p)
{
    return p->mime_support == 2 ||
           (p->mime_support == 1 &&
            strcasestr(m->listing->message_class, ".SMIME"));
}

/* MIME when it may be given, else the type it is stored in, else the first
 * that can be made. */
static struct body_pref
choose(const struct message *m, const struct prefs *p)
{
    static const long cuts[] = {0,     4096,  5120,   7168, 10240,
                                20480, 51200, 102400, -1};
    struct body_pref usual = {.type = m->listing->native,
                              .truncation = cuts[p->mime_truncation],
                              .preview = -1};
    const struct body_pref *best = NULL;

    for (unsigned i = 0; i < p->bodies; i++) {
        const struct body_pref *b = &p->body[i];

        if (b->type == 3 || (b->type == 4 && !mime_is_allowed(m, p)))
            continue;
        if (b->type == 4 && b->all_or_none && b->truncation >= 0 &&
            m->size > (uint64_t)b->truncation)
            continue;
        if (b->type == 4 || !best ||
            (best->type != 4 && b->type == m->listing->native))
            best = b;
    }
    if (best)
        return *best;
    if (!p->bodies && mime_is_allowed(m, p))
        usual.type = 4;
    if (p->bodies) {
        usual.truncation = p->body[0].truncation;
        usual.preview = p->body[0].preview;
    }
    return usual;
}

/* ---- text of the message */

bool
body_is_attachment(const struct mime_part *part)
{
    return (part->disposition && !strcmp(part->disposition, "attachment")) ||
           strcmp(part->type, "text");
}

static const struct mime_part *
text_part(const struct mime_message *mime, const char *subtype)
{
    const struct mime_part *part = NULL;

    while ((part = mime_part_next(mime, part)))
        if (!part->child && !body_is_attachment(part) &&
            !strcmp(part->subtype, subtype))
            return part;
    return NULL;
}

/* Markup goes, breaks stay: enough to read. */
static void
html_to_text(struct slice html, struct buf *out)
{
    bool markup = false;

    for (size_t i = 0; i < html.n; i++) {
        char ch = html.p[i];

        if (ch == '<') {
            struct slice at = slice_from(html, i);

            markup = true;
            if (slice_istarts(at, "<br") || slice_istarts(at, "</p") ||
                slice_istarts(at, "</div") || slice_istarts(at, "</tr"))
                buf_adds(out, "\r\n");
        } else if (ch == '>') {
            markup = false;
        } else if (!markup) {
            buf_addc(out, ch);
        }
    }
}

static void
text_to_html(struct slice text, struct buf *out)
{
    buf_adds(out, "<html><body><pre>");
    for (size_t i = 0; i < text.n; i++)
        switch (text.p[i]) {
        case '<':
            buf_adds(out, "&lt;");
            break;
        case '>':
            buf_adds(out, "&gt;");
            break;
        case '&':
            buf_adds(out, "&amp;");
            break;
        default:
            buf_addc(out, text.p[i]);
        }
    buf_adds(out, "</pre></body></html>");
}

void
body_text(const struct mime_message *mime, int type, struct buf *out)
{
    const char *const wanted = type == 2 ? "html" : "plain";
    const struct mime_part *part = text_part(mime, wanted);
    struct buf other = BUF_INIT(out->limit);

    if (part) {
        mime_part_text(mime, part, out);
    } else if ((part = text_part(mime, type == 2 ? "plain" : "html"))) {
        mime_part_text(mime, part, &other);
        if (type == 2)
            text_to_html(buf_slice(&other), out);
        else
            html_to_text(buf_slice(&other), out);
    }
    buf_clear(&other);
    for (size_t i = 0; i < out->len; i++)
        if (!out->data[i])
            out->data[i] = ' '; /* a string ends at NUL */
}

/* ---- writing */

static size_t
cut_at(struct slice data, long truncation, int type)
{
    size_t n = truncation >= 0 && (size_t)truncation < data.n
                   ? (size_t)truncation
                   : data.n;

    /* Not within a character, where it is text. */
    while (type != 4 && n < data.n && n > 0 && (data.p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

static void
write_data(struct call *c, struct slice data, bool part)
{
    struct buf copy = BUF_INIT(FILE_MAX);

    if (part) {
        buf_add_slice(&copy, data);
        wbxml_write_number(&c->w, ITEMOPS_PART, (long)call_part(c, &copy));
    } else if (slice_has(data, '\0')) {
        wbxml_write_opaque(&c->w, BASE_DATA, data);
    } else if (data.n) {
        wbxml_write_slice(&c->w, BASE_DATA, data);
    }
}

static void
write_preview(struct call *c, const struct mime_message *mime, int characters)
{
    struct buf text = BUF_INIT((size_t)1 << 20);
    size_t n = 0;

    body_text(mime, 1, &text);
    for (int count = 0; n < text.len; n++)
        if ((text.data[n] & 0xc0) != 0x80 && count++ == characters)
            break;
    wbxml_write_slice(&c->w, BASE_PREVIEW, slice_cut(buf_slice(&text), 0, n));
    buf_clear(&text);
}

static void
write_body(struct call *c, struct slice data, const struct body_pref *b,
           const struct mime_message *mime, bool part)
{
    size_t n = cut_at(data, b->truncation, b->type);
    bool cut = n < data.n;

    if (cut && b->all_or_none)
        n = 0;
    wbxml_write_start(&c->w, BASE_BODY);
    wbxml_write_number(&c->w, BASE_TYPE, b->type);
    wbxml_write_number(&c->w, BASE_ESTIMATED_DATA_SIZE, (long)data.n);
    if (cut)
        wbxml_write_text(&c->w, BASE_TRUNCATED, "1");
    if (n)
        write_data(c, slice_cut(data, 0, n), part);
    if (b->preview > 0 && mime)
        write_preview(c, mime, b->preview);
    wbxml_write_end(&c->w);
}

/* Nothing of the file is wanted: a listing. */
static bool
is_listing(const struct body_pref *b)
{
    return b->type == 4 && b->truncation == 0 && b->preview <= 0;
}

static void
write_listed(struct call *c, const struct message *m)
{
    wbxml_write_start(&c->w, BASE_BODY);
    wbxml_write_text(&c->w, BASE_TYPE, "4");
    wbxml_write_number(&c->w, BASE_ESTIMATED_DATA_SIZE, (long)m->size);
    wbxml_write_text(&c->w, BASE_TRUNCATED, "1");
    wbxml_write_end(&c->w);
}

/* Never handed out: Sync says that there is something, no more. */
static bool
is_withheld(struct call *c, const struct message *m)
{
    return call_quirk(c, QUIRK_NEVER, m->folder, m, NULL);
}

/* Mischief with the bytes. */
static void
spoil(struct call *c, const struct message *m, struct buf *raw)
{
    bool boundary = call_quirk(c, QUIRK_REBUILD, m->folder, m, NULL);
    bool other_id = call_quirk(c, QUIRK_MESSAGE_ID, m->folder, m, NULL);
    struct buf made = BUF_INIT(FILE_MAX);
    char id[80];
    struct err e;

    if (!boundary && !other_id)
        return;
    rebuild_message_id(m, id, sizeof id);
    if (rebuild(buf_slice(raw), boundary, other_id ? id : NULL, &made, &e)) {
        log_warn("body", "%s", e.text);
        buf_clear(&made);
        return;
    }
    buf_clear(raw);
    *raw = made;
}

/* The text is cut as the policy says, also for who asks for more. A client that
 * has acknowledged the policy must not ask for a MIME which brings what the
 * policy keeps out. */
static void
limit(struct call *c, const struct message *m, const struct mime_message *mime,
      struct body_pref *b)
{
    struct policy_limits l;
    struct buf text = BUF_INIT(FILE_MAX);
    long most;

    if (!policy_limits(c, &l))
        return;
    most = (b->type == 4 ? m->listing->native : b->type) == 2 ? l.html : l.text;
    if (b->type != 4) {
        if (most >= 0 && (b->truncation < 0 || b->truncation > most))
            b->truncation = most;
        return;
    }
    if (!mime || strcasestr(m->listing->message_class, ".SMIME"))
        return;
    if (l.no_files && attachments_over(mime, 0))
        call_note_breach(c, "fetches attachments against the policy");
    if (l.max_file > 0 && attachments_over(mime, (uint64_t)l.max_file))
        call_note_breach(c, "fetches a large attachment against the policy");
    body_text(mime, m->listing->native == 2 ? 2 : 1, &text);
    if (most >= 0 && text.len > (size_t)most)
        call_note_breach(c, "fetches a long text against the policy");
    buf_clear(&text);
}

void
body_write(struct call *c, const struct message *m, const struct prefs *p,
           bool parts_allowed)
{
    struct body_pref b = choose(m, p);
    struct buf raw = BUF_INIT(FILE_MAX), text = BUF_INIT(FILE_MAX);
    struct mime_message *mime = NULL;
    struct policy_limits limits;
    struct err e;

    if (is_listing(&b) || (!parts_allowed && is_withheld(c, m))) {
        write_listed(c, m);
        return;
    }
    if (folder_read(m, &raw, &e)) {
        log_warn("body", "%s", e.text);
        return;
    }
    spoil(c, m, &raw);
    if (b.type != 4 || b.preview > 0 || policy_limits(c, &limits))
        mime_message_parse(buf_slice(&raw), NULL, &mime, &e);
    limit(c, m, mime, &b);
    if (b.type != 4)
        body_text(mime, b.type, &text);
    write_body(c, b.type == 4 ? buf_slice(&raw) : buf_slice(&text), &b, mime,
               parts_allowed && c->multipart);
    if (b.type != 4)
        attachments_write(c, m, mime);
    mime_message_free(&mime);
    buf_clear(&raw);
    buf_clear(&text);
}
