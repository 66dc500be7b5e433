/*
 * A message as ApplicationData or Properties (MS-ASEMAIL 2.2.2), whole or
 * only what changed.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "sandbox/call.h"
#include "sandbox/changes.h"

void
item_write_date(struct wbxml_writer *w, unsigned tag, int64_t when)
{
    struct tm tm;
    time_t t = (time_t)when;
    char text[64];

    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
    wbxml_write_text(w, tag, text);
}

static void
write_unless_empty(struct wbxml_writer *w, unsigned tag, const char *text)
{
    if (text[0])
        wbxml_write_text(w, tag, text);
}

static void
write_categories(struct wbxml_writer *w, const struct message *m)
{
    struct slice rest = slice_of(m->category_lines), line;

    if (!rest.n) {
        wbxml_write_empty(w, EMAIL_CATEGORIES);
        return;
    }
    wbxml_write_start(w, EMAIL_CATEGORIES);
    while (slice_next(&rest, '\n', &line))
        if (line.n)
            wbxml_write_slice(w, EMAIL_CATEGORY, line);
    wbxml_write_end(w);
}

static void
write_verb(struct wbxml_writer *w, const struct message *m)
{
    if (m->last_verb)
        wbxml_write_number(w, EMAIL2_LAST_VERB_EXECUTED, m->last_verb);
}

/* The subject without reply marks: the conversation's name. */
static const char *
topic_of(const char *subject)
{
    static const char *const marks[] = {"re:", "fw:", "fwd:", "aw:", "wg:"};
    bool again = true;

    while (again) {
        again = false;
        while (*subject == ' ')
            subject++;
        for (size_t i = 0; i < ARRAY_LEN(marks); i++)
            if (slice_istarts(slice_of(subject), marks[i])) {
                subject += strlen(marks[i]);
                again = true;
            }
    }
    return subject;
}

/* 16 bytes that are the same within a conversation. */
static void
write_conversation(struct wbxml_writer *w, const char *topic)
{
    unsigned char id[16];
    uint64_t h = 1469598103934665603u;

    for (size_t k = 0; k < sizeof id; k++) {
        for (const char *p = topic; *p; p++)
            h = (h ^ (unsigned char)ascii_lower((unsigned char)*p)) *
                1099511628211u;
        h = (h ^ k) * 1099511628211u;
        id[k] = (unsigned char)(h >> 32);
    }
    wbxml_write_opaque(w, EMAIL2_CONVERSATION_ID, slice_make(id, sizeof id));
}

static void
write_header(struct wbxml_writer *w, const struct message *m, unsigned version)
{
    const struct listing *l = m->listing;

    write_unless_empty(w, EMAIL_TO, l->to);
    write_unless_empty(w, EMAIL_CC, l->cc);
    write_unless_empty(w, EMAIL_FROM, l->from);
    write_unless_empty(w, EMAIL_REPLY_TO, l->reply_to);
    wbxml_write_text(w, EMAIL_SUBJECT, l->subject);
    item_write_date(w, EMAIL_DATE_RECEIVED, m->received);
    write_unless_empty(w, EMAIL_THREAD_TOPIC, topic_of(l->subject));
    wbxml_write_number(w, EMAIL_IMPORTANCE, l->importance);
    wbxml_write_number(w, EMAIL_READ, m->flags & MAIL_SEEN ? 1 : 0);
    if (version >= 160 && (m->folder->type == 3 || m->folder->type == 5))
        write_unless_empty(w, EMAIL2_BCC, l->bcc);
}

void
item_write(struct call *c, const struct message *m, const struct prefs *p,
           bool parts_allowed)
{
    struct wbxml_writer *w = &c->w;
    const struct listing *l = m->listing;

    write_header(w, m, c->version);
    body_write(c, m, p, parts_allowed);
    wbxml_write_text(w, EMAIL_MESSAGE_CLASS, l->message_class);
    wbxml_write_text(w, EMAIL_INTERNET_CPID, "65001");
    flag_write(w, m);
    wbxml_write_text(w, EMAIL_CONTENT_CLASS, "urn:content-classes:message");
    wbxml_write_number(w, BASE_NATIVE_BODY_TYPE, l->native);
    if (m->category_lines[0])
        write_categories(w, m);
    write_conversation(w, topic_of(l->subject));
    write_verb(w, m);
    if (c->version >= 160)
        wbxml_write_number(w, EMAIL2_IS_DRAFT, m->folder->type == 3);
}

/* MS-ASEMAIL 3.2.5.4.1: only Read, only Flag, only Categories. */
bool
item_write_changes(struct call *c, const struct message *m, uint64_t seq)
{
    struct wbxml_writer *w = &c->w;
    unsigned me = c->device->number;
    size_t before = w->out.len;

    if (m->read.seq > seq && m->read.by != me)
        wbxml_write_number(w, EMAIL_READ, m->flags & MAIL_SEEN ? 1 : 0);
    if (m->flag.seq > seq && m->flag.by != me)
        flag_write(w, m);
    if (m->categories.seq > seq && m->categories.by != me)
        write_categories(w, m);
    if (m->verb.seq > seq)
        write_verb(w, m);
    return w->out.len > before;
}
