/*
 * Looking for messages, for Search and Find: words that begin a word of the
 * header or of the text, the folder, and a span of time. Kept simple: no
 * index, each file is read.
 */
#include "sandbox/look.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "mime/message.h"
#include "sandbox/body.h"
#include "sandbox/call.h"

#define FILE_MAX ((size_t)200 << 20)
#define TEXT_MAX ((size_t)16 << 20)

static bool
is_word(unsigned char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c >= 0x80;
}

/* Does a word of the text begin with this? */
static bool
has_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    bool inside = false;

    for (; *text; text++) {
        if (!inside && slice_istarts(slice_make(text, strlen(text)), word))
            return n > 0;
        inside = is_word((unsigned char)*text);
    }
    return false;
}

int64_t
look_day(const char *text)
{
    int year, month, day;
    int64_t days;

    if (sscanf(text, "%4d-%2d-%2d", &year, &month, &day) != 3)
        return -1;
    year -= month <= 2;
    days = 365L * year + year / 4 - year / 100 + year / 400 +
           (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1 - 719468;
    return days * 86400;
}

static void
term_add(struct look *l, const char *where, const char *what)
{
    if (l->count < LOOK_TERMS && what[0])
        l->term[l->count++] = (struct look_term){where, what};
}

/* One piece: a word, from:bob, received>=2026-01-31. */
static void
piece_take(struct look *l, struct arena *a, struct slice piece)
{
    static const char *const fields[] = {"from", "to", "cc", "subject"};
    char *text = arena_dup(a, piece);

    if (slice_istarts(piece, "received>=")) {
        l->since = look_day(text + 10);
        return;
    }
    if (slice_istarts(piece, "received<=")) {
        l->until = look_day(text + 10) + 86399;
        return;
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        size_t n = strlen(fields[i]);

        if (slice_istarts(piece, fields[i]) && text[n] == ':') {
            term_add(l, fields[i], text + n + 1);
            return;
        }
    }
    term_add(l, NULL, text);
}

void
look_parse(struct look *l, struct arena *a, struct slice text, bool kql)
{
    struct buf piece = BUF_INIT(4096);
    bool quoted = false;

    for (size_t i = 0; i <= text.n; i++) {
        char ch = i < text.n ? text.p[i] : ' ';

        if (kql && ch == '"') {
            quoted = !quoted;
        } else if (ch != ' ' || (quoted && i < text.n)) {
            buf_addc(&piece, ch);
        } else if (piece.len) {
            if (kql)
                piece_take(l, a, buf_slice(&piece));
            else
                term_add(l, NULL, arena_dup(a, buf_slice(&piece)));
            buf_reset(&piece);
        }
    }
    buf_clear(&piece);
}

static const char *
field_of(const struct listing *l, const char *name)
{
    return !strcmp(name, "from") ? l->from
           : !strcmp(name, "to") ? l->to
           : !strcmp(name, "cc") ? l->cc
                                 : l->subject;
}

static bool
header_has(const struct listing *l, const char *word)
{
    return has_word(l->subject, word) || has_word(l->from, word) ||
           has_word(l->to, word) || has_word(l->cc, word);
}

static bool
text_has(const struct message *m, const char *word)
{
    struct buf raw = BUF_INIT(FILE_MAX), text = BUF_INIT(TEXT_MAX);
    struct mime_message *mime = NULL;
    bool has = false;
    struct err e;

    if (!folder_read(m, &raw, &e) &&
        !mime_message_parse(buf_slice(&raw), NULL, &mime, &e)) {
        body_text(mime, 1, &text);
        has = text.len && has_word(text.data, word);
    }
    mime_message_free(&mime);
    buf_clear(&raw);
    buf_clear(&text);
    return has;
}

bool
look_fits(const struct look *l, const struct message *m)
{
    if (m->gone || (l->since >= 0 && m->received < l->since) ||
        (l->until >= 0 && m->received > l->until))
        return false;
    for (size_t i = 0; i < l->count; i++) {
        const struct look_term *t = &l->term[i];

        if (t->where
                ? !has_word(field_of(m->listing, t->where), t->what)
                : !header_has(m->listing, t->what) && !text_has(m, t->what))
            return false;
    }
    return l->count > 0 || l->since >= 0 || l->until >= 0;
}

/* Newest first, as servers give them. */
size_t
look_all(const struct look *l, struct user *u, struct message **out,
         size_t room)
{
    struct list *n, *after;
    size_t count = 0;

    LIST_EACH(&u->folders, n, after)
    {
        struct folder *f = LIST_OBJECT(n, struct folder, node);

        if (l->folder && f != l->folder &&
            !(l->deep && tree_is_below(f, l->folder)))
            continue;
        for (uint32_t i = f->count; i > 0 && count < room; i--)
            if (look_fits(l, f->list[i - 1]))
                out[count++] = f->list[i - 1];
    }
    return count;
}
