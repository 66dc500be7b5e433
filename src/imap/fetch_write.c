/*
 * One FETCH answer: small items as text, sections as literals that leave in
 * chunks, so that never more than a bounded amount waits to go out.
 */
#include "imap/fetch.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "imap/flags.h"
#include "imap/private.h"
#include "mime/date.h"
#include "mime/message.h"
#include "store/message.h"
#include "view/view.h"

struct imap_answer {
    struct imap_command *cmd;
    const struct imap_fetch_args *args;
    const struct imap_entry *entry;
    const char *keywords;
    int64_t received;
    struct view_summary record;
    struct view *view;
    struct arena *arena;
    size_t item;        /* the next one */
    struct slice rest;  /* of the literal being written */
    struct buf fields;  /* HEADER.FIELDS, what `rest` is of */
    bool begun, tell_flags;
};

/* Keywords as the store has them; only those that may have some are asked. */
static const char *
keywords_of(struct imap_answer *a, const struct store_message *row)
{
    struct imap_selected *s = a->cmd->client->selected;
    struct imap_entry *en = (struct imap_entry *)a->entry;
    struct store_message m;

    if (row)
        return arena_strdup(a->arena, row->keywords);
    if (!(en->marks & IMAP_WORDS) || (en->marks & IMAP_GONE) ||
        store_message_get(s->store, en->id, a->arena, &m, NULL))
        return "";
    if (!*m.keywords)
        en->marks &= (uint16_t)~IMAP_WORDS;
    return m.keywords;
}

struct imap_answer *
imap_answer_new(struct imap_command *cmd, size_t at,
                const struct store_message *row,
                const struct view_summary *record, struct view *view,
                bool tell_flags)
{
    struct imap_answer *a = xcalloc(1, sizeof *a);
    struct buf start = BUF_INIT(BUF_OURS);

    a->cmd = cmd;
    a->args = cmd->args;
    a->entry = &cmd->client->selected->entries[at];
    a->arena = arena_new();
    a->view = view;
    a->tell_flags = tell_flags;
    if (row)
        a->received = row->received;
    if (record)
        a->record = *record;
    for (size_t i = 0; i < a->args->n; i++)
        if (a->args->items[i].kind == IMAP_ITEM_FLAGS)
            a->tell_flags = true;
    a->keywords = a->tell_flags ? keywords_of(a, row) : "";
    buf_init(&a->fields, 0);
    buf_addf(&start, "* %zu FETCH (", at + 1);
    imap_write_buf(cmd->client, &start);
    buf_clear(&start);
    cmd->torn = true;
    return a;
}

void
imap_answer_free(struct imap_answer **ap)
{
    struct imap_answer *a = *ap;

    if (!a)
        return;
    *ap = NULL;
    if (a->view)
        view_unref(&a->view);
    buf_wipe(&a->fields);
    arena_free(&a->arena);
    free(a);
}

/* The bytes of a section; false: there is no such section. */
static bool
section_bytes(struct imap_answer *a, const struct imap_item *it,
              struct slice *out)
{
    struct slice s;

    if (!mime_section_range(view_mime(a->view), it->path, it->what, &s))
        return false;
    if (it->what == MIME_SECTION_FIELDS || it->what == MIME_SECTION_NOT) {
        buf_clear(&a->fields);
        buf_init(&a->fields, s.n * 3 + 16);
        mime_section_fields(s, it->names, it->n_names,
                            it->what == MIME_SECTION_NOT, &a->fields);
        s = buf_slice(&a->fields);
    }
    if (it->partial)
        s = it->from >= s.n
                ? SLICE("")
                : slice_cut(s, (size_t)it->from,
                            it->length < s.n - it->from
                                ? (size_t)(it->from + it->length)
                                : s.n);
    *out = s;
    return true;
}

static void
write_section(struct imap_answer *a, const struct imap_item *it,
              struct buf *b)
{
    struct slice s;

    if (!section_bytes(a, it, &s)) {
        buf_addf(b, "%s NIL", it->label);
        return;
    }
    /* A NUL cannot stand in a literal (RFC 3501 section 4.3.1); mail with
     * one is so rare that it is told with blanks of the same length. */
    if (s.n && memchr(s.p, '\0', s.n)) {
        char *copy = arena_dup(a->arena, s);

        for (size_t i = 0; i < s.n; i++)
            if (!copy[i])
                copy[i] = ' ';
        s.p = copy;
    }
    buf_addf(b, "%s {%zu}\r\n", it->label, s.n);
    a->rest = s;
}

static void
write_item(struct imap_answer *a, const struct imap_item *it, struct buf *b)
{
    switch (it->kind) {
    case IMAP_ITEM_UID:
        buf_addf(b, "UID %u", a->entry->uid);
        break;
    case IMAP_ITEM_FLAGS:
        buf_adds(b, "FLAGS (");
        imap_flags_write(a->entry->flags, a->keywords, b);
        buf_addc(b, ')');
        a->tell_flags = false;
        break;
    case IMAP_ITEM_INTERNALDATE:
        buf_adds(b, "INTERNALDATE \"");
        mime_date_write_imap(a->received, 0, b);
        buf_addc(b, '"');
        break;
    case IMAP_ITEM_SIZE:
        buf_addf(b, "RFC822.SIZE %llu", (unsigned long long)a->record.size);
        break;
    case IMAP_ITEM_ENVELOPE:
        buf_addf(b, "ENVELOPE %s", a->record.envelope);
        break;
    case IMAP_ITEM_BODY:
        buf_addf(b, "BODY %s", a->record.body);
        break;
    case IMAP_ITEM_BODYSTRUCTURE:
        buf_addf(b, "BODYSTRUCTURE %s", a->record.structure);
        break;
    case IMAP_ITEM_SECTION:
        write_section(a, it, b);
        break;
    }
}

/* The rest of a literal, as far as there is room. */
static bool
write_rest(struct imap_answer *a)
{
    struct imap_client *c = a->cmd->client;

    while (a->rest.n) {
        size_t n = a->rest.n < IMAP_OUT_CHUNK ? a->rest.n : IMAP_OUT_CHUNK;

        if (imap_is_full(c))
            return false;
        imap_write(c, a->rest.p, n);
        a->rest = slice_from(a->rest, n);
    }
    return true;
}

static void
write_end(struct imap_answer *a, struct buf *b)
{
    if (a->tell_flags) {
        const struct imap_item flags = {.kind = IMAP_ITEM_FLAGS};

        if (a->begun)
            buf_addc(b, ' ');
        write_item(a, &flags, b);
    }
    buf_adds(b, ")\r\n");
}

bool
imap_answer_write(struct imap_answer *a)
{
    struct imap_client *c = a->cmd->client;
    struct buf b = BUF_INIT(BUF_OURS);

    if (!write_rest(a))
        return false;
    while (a->item < a->args->n) {
        if (a->begun)
            buf_addc(&b, ' ');
        a->begun = true;
        write_item(a, &a->args->items[a->item++], &b);
        if (!a->rest.n)
            continue;
        imap_write_buf(c, &b);
        buf_clear(&b);
        if (!write_rest(a))
            return false;
    }
    write_end(a, &b);
    imap_write_buf(c, &b);
    buf_clear(&b);
    a->cmd->torn = false;
    return true;
}
