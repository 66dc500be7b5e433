/*
 * Mailboxes by name, what LIST says of them, and what STATUS counts.
 */
#include "imap/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "imap/status.h"
#include "imap/utf7.h"
#include "settings/settings.h"
#include "store/folder.h"

const struct store_folder *
imap_mailbox_find(struct imap_client *c, const char *name, struct err *e)
{
    const struct store_folder *f = store_folder_find(imap_store(c), name);

    if (!f)
        err_set(e, E_MISSING, "there is no mailbox %s", name);
    return f;
}

bool
imap_mailbox_is_ready(const struct store_folder *f)
{
    return f->state == STORE_FOLDER_READY ||
           f->state == STORE_FOLDER_RELISTING;
}

/* Linear: on a mismatch only the last "*" is tried further on, and only the
 * last "%" behind it. */
bool
imap_mailbox_match(const char *p, const char *s)
{
    const char *star = NULL, *star_s = NULL, *part = NULL, *part_s = NULL;
    /* INBOX is the same in any letter case. */
    const char *fold = s + (strncmp(s, "INBOX", 5) == 0 &&
                            (!s[5] || s[5] == '/') ? 5 : 0);

    for (;;) {
        if (*p == '*') {
            star = ++p;
            star_s = s;
            part = NULL;
        } else if (*p == '%') {
            part = ++p;
            part_s = s;
        } else if (*s && (s < fold ? ascii_upper((unsigned char)*p)
                                     : (unsigned char)*p) ==
                             (unsigned char)*s) {
            p++;
            s++;
        } else if (!*s && !*p) {
            return true;
        } else if (part && *part_s && *part_s != '/') {
            s = ++part_s;
            p = part;
        } else if (star && *star_s) {
            s = ++star_s;
            p = star;
            part = NULL;
        } else {
            return false;
        }
    }
}

static bool
has_children(struct store *s, const struct store_folder *f)
{
    for (const struct store_folder *g = NULL; (g = store_folder_next(s, g));)
        if (g->parent == f->id)
            return true;
    return false;
}

void
imap_mailbox_attributes(struct store *s, const struct store_folder *f,
                        struct buf *out)
{
    static const char *const uses[] = {
        [STORE_ROLE_NONE] = "",           [STORE_ROLE_INBOX] = "",
        [STORE_ROLE_DRAFTS] = " \\Drafts", [STORE_ROLE_TRASH] = " \\Trash",
        [STORE_ROLE_SENT] = " \\Sent",    [STORE_ROLE_JUNK] = " \\Junk",
        [STORE_ROLE_ARCHIVE] = " \\Archive",
    };

    buf_adds(out, has_children(s, f) ? "\\HasChildren" : "\\HasNoChildren");
    if ((size_t)f->role < ARRAY_LEN(uses))
        buf_adds(out, uses[f->role]);
}

/* ---- STATUS ---- */

static const struct {
    const char *name;
    unsigned bit;
} items[] = {
    {"MESSAGES", IMAP_STATUS_MESSAGES},
    {"RECENT", IMAP_STATUS_RECENT},
    {"UIDNEXT", IMAP_STATUS_UIDNEXT},
    {"UIDVALIDITY", IMAP_STATUS_UIDVALIDITY},
    {"UNSEEN", IMAP_STATUS_UNSEEN},
    {"DELETED", IMAP_STATUS_DELETED},
    {"SIZE", IMAP_STATUS_SIZE},
    {"APPENDLIMIT", IMAP_STATUS_APPENDLIMIT},
};

int
imap_parse_status_items(struct imap_parse *p, unsigned *out)
{
    struct slice word;
    size_t i;

    *out = 0;
    if (imap_parse_char(p, '('))
        return -1;
    do {
        if (imap_parse_atom(p, &word))
            return -1;
        for (i = 0; i < ARRAY_LEN(items); i++)
            if (slice_iis(word, items[i].name))
                break;
        if (i == ARRAY_LEN(items))
            return err_set(p->e, E_INPUT, "unknown status item %.*s",
                           SLICE_FMT(word));
        *out |= items[i].bit;
    } while (imap_parse_is(p, ' '));
    return imap_parse_char(p, ')');
}

static uint64_t
item_value(const struct imap_client *c, const struct store_folder *f,
           const struct store_counts *n, unsigned bit)
{
    switch (bit) {
    case IMAP_STATUS_MESSAGES:
        return n->messages;
    case IMAP_STATUS_UIDNEXT:
        return f->uidnext;
    case IMAP_STATUS_UIDVALIDITY:
        return f->uidvalidity;
    case IMAP_STATUS_UNSEEN:
        return n->unseen;
    case IMAP_STATUS_DELETED:
        return n->deleted;
    case IMAP_STATUS_SIZE:
        return n->size;
    case IMAP_STATUS_APPENDLIMIT:
        return account_settings(c->account)->max_message_size;
    default:
        return 0; /* nothing is ever \Recent */
    }
}

int
imap_status_write(struct imap_client *c, const struct store_folder *f,
                  unsigned wanted, struct err *e)
{
    struct buf b = BUF_INIT(BUF_OURS);
    struct store_counts n;
    const char *sep = "";

    if (store_folder_counts(imap_store(c), f->id, &n, e))
        return -1;
    buf_adds(&b, "* STATUS ");
    imap_utf7_write(f->path, &b);
    buf_adds(&b, " (");
    for (size_t i = 0; i < ARRAY_LEN(items); i++)
        if (wanted & items[i].bit) {
            buf_addf(&b, "%s%s %llu", sep, items[i].name,
                     (unsigned long long)item_value(c, f, &n, items[i].bit));
            sep = " ";
        }
    buf_adds(&b, ")\r\n");
    imap_write_buf(c, &b);
    buf_clear(&b);
    return 0;
}
