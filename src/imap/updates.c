/*
 * What has changed in the selected mailbox, told when it may be told: EXPUNGE
 * never while numbers are in use (RFC 3501 sections 5.5 and 7.4.1).
 */
#include "imap/private.h"

#include "imap/flags.h"
#include "store/message.h"

bool
imap_updates_due(const struct imap_client *c)
{
    const struct imap_selected *s = c->selected;

    return s && (s->lost || s->gone || s->changed || s->n > s->told);
}

/* Gone entries leave the numbering, one answer each. */
static void
send_expunges(struct imap_client *c, struct buf *b)
{
    struct imap_selected *s = c->selected;
    size_t to = 0;

    for (size_t i = 0; i < s->n; i++) {
        struct imap_entry *en = &s->entries[i];

        if (en->marks & IMAP_GONE) {
            buf_addf(b, "* %zu EXPUNGE\r\n", to + 1);
            if (en->marks & IMAP_CHANGED)
                s->changed--;
            s->told--;
        } else {
            if (to != i)
                s->entries[to] = *en;
            to++;
        }
        /* `told` shrinks while the gone are among the first told. */
    }
    s->n = to;
    s->gone = 0;
}

void
imap_updates_flags(struct imap_client *c, size_t at)
{
    struct imap_entry *en = &c->selected->entries[at];
    struct arena *a = arena_new();
    struct buf b = BUF_INIT(BUF_OURS);
    struct store_message m;
    const char *words = "";

    if ((en->marks & IMAP_WORDS) && !(en->marks & IMAP_GONE)) {
        if (store_message_get(c->selected->store, en->id, a, &m, NULL) == 0)
            words = m.keywords;
        if (!*words)
            en->marks &= (uint16_t)~IMAP_WORDS;
    }
    buf_addf(&b, "* %zu FETCH (UID %u FLAGS (", at + 1, en->uid);
    imap_flags_write(en->flags, words, &b);
    buf_adds(&b, "))\r\n");
    imap_write_buf(c, &b);
    buf_clear(&b);
    arena_free(&a);
}

static void
send_flags(struct imap_client *c)
{
    struct imap_selected *s = c->selected;

    for (size_t i = 0; i < s->told && s->changed; i++) {
        struct imap_entry *en = &s->entries[i];

        if (!(en->marks & IMAP_CHANGED))
            continue;
        en->marks &= (uint16_t)~IMAP_CHANGED;
        s->changed--;
        if (!(en->marks & IMAP_GONE))
            imap_updates_flags(c, i);
    }
}

void
imap_updates_send(struct imap_client *c, bool expunge)
{
    struct imap_selected *s = c->selected;
    struct buf b = BUF_INIT(BUF_OURS);

    if (!s || c->closing)
        return;
    if (s->lost) {
        imap_client_bye(c, "the selected mailbox was deleted");
        return;
    }
    if (expunge && s->gone)
        send_expunges(c, &b);
    if (s->n > s->told) {
        s->told = s->n;
        buf_addf(&b, "* %zu EXISTS\r\n", s->told);
    }
    imap_write_buf(c, &b);
    buf_clear(&b);
    if (s->changed)
        send_flags(c);
}
