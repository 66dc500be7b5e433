/*
 * One message against the keys of a SEARCH. Three answers: what is unknown
 * may become known when more of the message is looked at; a NOT of it stays
 * unknown, so a message that is not here is never found by what it lacks.
 */
#include "imap/search.h"

#include <string.h>

#include "base/mem.h"
#include "imap/envelope.h"
#include "mime/date.h"
#include "mime/header.h"
#include "mime/message.h"
#include "store/message.h"
#include "view/view.h"

#define TEXT_MAX ((size_t)16 << 20)
#define DAY 86400

/* ---- texts ---- */

void
imap_needle_make(struct imap_needle *nd, struct slice text, struct arena *a)
{
    char *low = arena_dup(a, text);
    uint32_t k = 0;

    for (size_t i = 0; i < text.n; i++)
        low[i] = (char)ascii_lower((unsigned char)low[i]);
    nd->text = low;
    nd->n = text.n;
    nd->back = arena_alloc(a, (text.n + 1) * sizeof *nd->back);
    for (size_t i = 1; i < text.n; i++) {
        while (k && low[i] != low[k])
            k = nd->back[k - 1];
        if (low[i] == low[k])
            k++;
        nd->back[i] = k;
    }
}

bool
imap_needle_in(const struct imap_needle *nd, struct slice text)
{
    size_t k = 0;

    if (!nd->n)
        return true;
    for (size_t i = 0; i < text.n; i++) {
        char c = (char)ascii_lower((unsigned char)text.p[i]);

        while (k && c != nd->text[k])
            k = nd->back[k - 1];
        if (c == nd->text[k] && ++k == nd->n)
            return true;
    }
    return false;
}

static enum imap_match
as_match(bool yes)
{
    return yes ? IMAP_YES : IMAP_NO;
}

/* ---- keys of the listing and the record ---- */

static enum imap_match
match_date(const struct imap_key *k, int64_t day)
{
    switch (k->kind) {
    case IMAP_KEY_BEFORE:
    case IMAP_KEY_SENTBEFORE:
        return as_match(day < k->day);
    case IMAP_KEY_ON:
    case IMAP_KEY_SENTON:
        return as_match(day == k->day);
    default:
        return as_match(day >= k->day);
    }
}

static int64_t
day_of(int64_t t)
{
    return t >= 0 ? t / DAY : -((-t + DAY - 1) / DAY);
}

/* The date as the sender wrote it, in the sender's zone. */
static enum imap_match
match_sent(const struct imap_key *k, const struct imap_candidate *c)
{
    struct slice s;
    int64_t t;
    int zone = 0;

    if (!c->record || !imap_envelope_text(c->record->envelope,
                                          IMAP_ENVELOPE_DATE, c->arena, &s))
        return IMAP_UNKNOWN;
    if (!mime_date_parse(s, &t, &zone))
        return IMAP_NO;
    return match_date(k, day_of(t + (int64_t)zone * 60));
}

static enum imap_match
match_word(const struct imap_key *k, const struct imap_candidate *c)
{
    struct slice rest, w;

    if (c->no_words)
        return IMAP_NO;
    if (!c->row)
        return IMAP_UNKNOWN;
    rest = slice_of(c->row->keywords);
    while (slice_next(&rest, ' ', &w))
        if (slice_iis(w, k->word))
            return IMAP_YES;
    return IMAP_NO;
}

/* What the listing says stands for a message that is not here. */
static enum imap_match
match_envelope(const struct imap_key *k, const struct imap_candidate *c)
{
    static const struct {
        enum imap_key_kind kind;
        enum imap_envelope_field field;
    } fields[] = {
        {IMAP_KEY_FROM, IMAP_ENVELOPE_FROM}, {IMAP_KEY_TO, IMAP_ENVELOPE_TO},
        {IMAP_KEY_CC, IMAP_ENVELOPE_CC},     {IMAP_KEY_BCC, IMAP_ENVELOPE_BCC},
        {IMAP_KEY_SUBJECT, IMAP_ENVELOPE_SUBJECT},
    };
    const char *listed = NULL;
    struct slice s;

    for (size_t i = 0; c->record && i < ARRAY_LEN(fields); i++)
        if (fields[i].kind == k->kind &&
            imap_envelope_text(c->record->envelope, fields[i].field, c->arena,
                               &s))
            return as_match(imap_needle_in(&k->needle, s));
    if (!c->missing || !c->row)
        return IMAP_UNKNOWN;
    if (k->kind == IMAP_KEY_FROM)
        listed = c->row->from;
    else if (k->kind == IMAP_KEY_TO)
        listed = c->row->to;
    else if (k->kind == IMAP_KEY_CC)
        listed = c->row->cc;
    else if (k->kind == IMAP_KEY_SUBJECT)
        listed = c->row->subject;
    return listed ? as_match(imap_needle_in(&k->needle, slice_of(listed)))
                  : IMAP_UNKNOWN;
}

/* ---- keys of the message itself ---- */

static bool
field_has(const struct imap_needle *nd, const struct mime_field *f, bool name)
{
    struct buf flat = BUF_INIT(TEXT_MAX), text = BUF_INIT(TEXT_MAX);
    bool found;

    if (name) {
        buf_add_slice(&text, f->name);
        buf_adds(&text, ": ");
    }
    mime_header_unfold(f->value, &flat);
    mime_words_decode(buf_slice(&flat), &text);
    found = imap_needle_in(nd, buf_slice(&text));
    buf_clear(&flat);
    buf_clear(&text);
    return found;
}

static bool
header_has(const struct imap_needle *nd, struct slice header)
{
    struct mime_field f;

    while (mime_field_next(&header, &f))
        if (field_has(nd, &f, true))
            return true;
    return false;
}

static enum imap_match
match_header(const struct imap_key *k, const struct imap_candidate *c)
{
    struct slice rest;
    struct mime_field f;

    /* What threading clients ask for all the time is in the record. */
    if (c->record && ascii_icmp(k->word, "message-id") == 0)
        return as_match(*c->record->message_id &&
                        imap_needle_in(&k->needle,
                                       slice_of(c->record->message_id)));
    if (c->record && ascii_icmp(k->word, "in-reply-to") == 0)
        return as_match(*c->record->in_reply_to &&
                        imap_needle_in(&k->needle,
                                       slice_of(c->record->in_reply_to)));
    if (!c->view)
        return IMAP_UNKNOWN;
    rest = mime_part_head(view_mime(c->view),
                          mime_message_root(view_mime(c->view)));
    while (mime_field_next(&rest, &f))
        if (slice_iis(f.name, k->word) && field_has(&k->needle, &f, false))
            return IMAP_YES;
    return IMAP_NO;
}

static bool
part_has(const struct imap_needle *nd, const struct mime_message *m,
         const struct mime_part *p)
{
    struct buf text = BUF_INIT(TEXT_MAX);
    bool found;

    if (!mime_part_is(p, "text", NULL))
        return false;
    mime_part_text(m, p, &text); /* what fits is searched */
    found = imap_needle_in(nd, buf_slice(&text));
    buf_clear(&text);
    return found;
}

static enum imap_match
match_text(const struct imap_key *k, const struct imap_candidate *c)
{
    const struct mime_message *m;
    const struct mime_part *root, *p = NULL;

    if (!c->view)
        return IMAP_UNKNOWN;
    m = view_mime(c->view);
    root = mime_message_root(m);
    while ((p = mime_part_next(m, p))) {
        if ((p != root || k->kind == IMAP_KEY_TEXT) &&
            header_has(&k->needle, mime_part_head(m, p)))
            return IMAP_YES;
        if (part_has(&k->needle, m, p))
            return IMAP_YES;
    }
    return IMAP_NO;
}

/* ---- the tree ---- */

static enum imap_match
match_all(const struct imap_key *k, const struct imap_candidate *c)
{
    enum imap_match all = IMAP_YES;

    for (const struct imap_key *at = k->child; at; at = at->next) {
        enum imap_match m = imap_match(at, c);

        if (m == IMAP_NO)
            return IMAP_NO;
        if (m == IMAP_UNKNOWN)
            all = IMAP_UNKNOWN;
    }
    return all;
}

static enum imap_match
match_any(const struct imap_key *k, const struct imap_candidate *c)
{
    enum imap_match any = IMAP_NO;

    for (const struct imap_key *at = k->child; at; at = at->next) {
        enum imap_match m = imap_match(at, c);

        if (m == IMAP_YES)
            return IMAP_YES;
        if (m == IMAP_UNKNOWN)
            any = IMAP_UNKNOWN;
    }
    return any;
}

static enum imap_match
match_plain(const struct imap_key *k, const struct imap_candidate *c)
{
    switch (k->kind) {
    case IMAP_KEY_ALL:
        return IMAP_YES;
    case IMAP_KEY_NONE:
        return IMAP_NO;
    case IMAP_KEY_FLAG:
        return as_match(c->flags & k->bit);
    case IMAP_KEY_WORD:
        return match_word(k, c);
    case IMAP_KEY_NUMBERS:
        return as_match(imap_set_has(&k->set, c->number));
    case IMAP_KEY_UIDS:
        return as_match(imap_set_has(&k->set, c->uid));
    case IMAP_KEY_BEFORE:
    case IMAP_KEY_ON:
    case IMAP_KEY_SINCE:
        return c->row ? match_date(k, day_of(c->row->received))
                      : IMAP_UNKNOWN;
    case IMAP_KEY_SENTBEFORE:
    case IMAP_KEY_SENTON:
    case IMAP_KEY_SENTSINCE:
        return match_sent(k, c);
    case IMAP_KEY_LARGER:
        return c->record ? as_match(c->record->size > k->size) : IMAP_UNKNOWN;
    case IMAP_KEY_SMALLER:
        return c->record ? as_match(c->record->size < k->size) : IMAP_UNKNOWN;
    case IMAP_KEY_HEADER:
        return match_header(k, c);
    case IMAP_KEY_BODY:
    case IMAP_KEY_TEXT:
        return match_text(k, c);
    case IMAP_KEY_AND:
        return match_all(k, c);
    case IMAP_KEY_OR:
        return match_any(k, c);
    default:
        return match_envelope(k, c);
    }
}

enum imap_match
imap_match(const struct imap_key *k, const struct imap_candidate *c)
{
    enum imap_match m = match_plain(k, c);

    if (!k->not || m == IMAP_UNKNOWN)
        return m;
    return m == IMAP_YES ? IMAP_NO : IMAP_YES;
}
