/*
 * A message's own wish to be signed or encrypted: the header X-Sealpost, tags
 * at the very front of the Subject, the suffix of the login (SPEC section 8).
 * Pure; called by seal.c's first job. What is not understood is an error:
 * a wish that was not read must not become mail in clear.
 */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mime/header.h"
#include "mime/write.h"
#include "outbox/private.h"

#define HEADER_MAX ((size_t)1 << 20)

static const struct {
    const char *tag;
    struct outbox_wish wish;
} tags[] = {
    {"[encrypt]", {OUTBOX_UNSAID, OUTBOX_YES}},
    {"[sign]", {OUTBOX_YES, OUTBOX_UNSAID}},
    {"[clear]", {OUTBOX_NO, OUTBOX_NO}},
};

/* Two sources may say the same, or speak of different things. */
static int
merge(struct outbox_wish *to, struct outbox_wish from, struct err *e)
{
    if ((to->sign && from.sign && to->sign != from.sign) ||
        (to->encrypt && from.encrypt && to->encrypt != from.encrypt))
        return err_set(e, E_INPUT, "the message has two wishes that "
                                   "contradict each other");
    to->sign = from.sign ? from.sign : to->sign;
    to->encrypt = from.encrypt ? from.encrypt : to->encrypt;
    return 0;
}

int
outbox_wish_login(const char *suffix, struct outbox_wish *out, struct err *e)
{
    struct slice all = slice_of(suffix), word;

    *out = (struct outbox_wish){0};
    if (slice_starts(all, "+"))
        all = slice_from(all, 1);
    while (all.n && slice_next(&all, '+', &word)) {
        struct outbox_wish one = {0};

        if (slice_iis(word, "encrypt"))
            one.encrypt = OUTBOX_YES;
        else if (slice_iis(word, "sign"))
            one.sign = OUTBOX_YES;
        else if (slice_iis(word, "clear"))
            one = (struct outbox_wish){OUTBOX_NO, OUTBOX_NO};
        else
            return err_set(e, E_INPUT, "the login's \"+%.*s\" is not known "
                                       "or not built yet", SLICE_FMT(word));
        if (merge(out, one, e))
            return -1;
    }
    return 0;
}

/* ---- X-Sealpost ---- */

static int
field_item(struct slice item, struct outbox_wish *out, struct err *e)
{
    size_t eq = slice_find(item, '=');
    struct slice key = slice_trim(slice_cut(item, 0, eq));
    struct slice value = slice_trim(slice_from(item, eq + 1));
    enum outbox_choice c = slice_iis(value, "yes")  ? OUTBOX_YES
                           : slice_iis(value, "no") ? OUTBOX_NO
                                                    : OUTBOX_UNSAID;
    struct outbox_wish one = {0};

    if (c == OUTBOX_UNSAID)
        return err_set(e, E_INPUT, "X-Sealpost: \"%.*s\" is neither yes nor "
                                   "no", SLICE_FMT(slice_cut(item, 0, 60)));
    if (slice_iis(key, "sign"))
        one.sign = c;
    else if (slice_iis(key, "encrypt"))
        one.encrypt = c;
    else
        return err_set(e, E_INPUT, "X-Sealpost: \"%.*s\" is not known or not "
                                   "built yet; known are sign and encrypt",
                       SLICE_FMT(slice_cut(key, 0, 40)));
    return merge(out, one, e);
}

static int
field_read(struct slice header, struct outbox_wish *out, struct err *e)
{
    struct buf text = BUF_INIT(HEADER_MAX);
    struct mime_field f;
    struct slice rest, item;
    int rc = 0;

    if (!mime_header_find(header, "X-Sealpost", 0, &f))
        return 0;
    if (mime_header_count(header, "X-Sealpost") > 1)
        return err_set(e, E_INPUT, "the message has several X-Sealpost "
                                   "fields");
    if (mime_header_unfold(f.value, &text))
        rc = err_set(e, E_INPUT, "X-Sealpost is too long");
    rest = buf_slice(&text);
    while (rc == 0 && rest.n && slice_next(&rest, ';', &item))
        if (slice_trim(item).n)
            rc = field_item(item, out, e);
    buf_clear(&text);
    return rc;
}

/* ---- the Subject ---- */

/* Takes one tag off the front. */
static bool
tag_next(struct slice *text, struct outbox_wish *out)
{
    for (size_t i = 0; i < ARRAY_LEN(tags); i++)
        if (slice_istarts(*text, tags[i].tag)) {
            *text = slice_from(*text, strlen(tags[i].tag));
            *out = tags[i].wish;
            return true;
        }
    return false;
}

/* Blanks between tags and after them belong to them; in front of the first
 * one there is nothing but the blank of the field. */
static struct slice
blanks_skip(struct slice s)
{
    while (s.n && ascii_is_space((unsigned char)s.p[0]))
        s = slice_from(s, 1);
    return s;
}

static bool
has_resent(struct slice header)
{
    struct mime_field f;

    while (mime_field_next(&header, &f))
        if (slice_istarts(f.name, "Resent-"))
            return true;
    return false;
}

static int
subject_read(struct slice header, struct outbox_wish *out, struct err *e)
{
    struct buf text = BUF_INIT(HEADER_MAX);
    struct outbox_wish one;
    struct slice rest;
    int rc = 0;

    if (mime_header_text(header, "Subject", &text)) {
        rest = blanks_skip(buf_slice(&text));
        while (rc == 0 && tag_next(&rest, &one)) {
            rc = merge(out, one, e);
            rest = blanks_skip(rest);
        }
    }
    buf_clear(&text);
    return rc;
}

int
outbox_wish_subject(struct slice header, struct buf *out)
{
    struct buf text = BUF_INIT(HEADER_MAX);
    struct outbox_wish one;
    struct slice rest;
    bool tagged = false;
    int rc = 0;

    if (!has_resent(header) && mime_header_text(header, "Subject", &text)) {
        rest = blanks_skip(buf_slice(&text));
        while (tag_next(&rest, &one)) {
            tagged = true;
            rest = blanks_skip(rest);
        }
        if (tagged)
            rc = mime_write_field("Subject", rest, out);
    }
    buf_clear(&text);
    return rc;
}

int
outbox_wish_read(struct slice header, const char *login,
                 struct outbox_wish *out, struct err *e)
{
    if (outbox_wish_login(login, out, e))
        return -1;
    if (has_resent(header))
        return 0;
    return field_read(header, out, e) || subject_read(header, out, e) ? -1 : 0;
}
