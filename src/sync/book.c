/*
 * Booking: what one answer of Sync said becomes part of the store, in one
 * transaction with its SyncKey. Called by pull.c with the items staged.
 *
 * Who is who (SPEC section 5): items are known by collection, server id and a
 * print (date received, From, Subject). A known id with another print is
 * another message; an unknown id takes over a message that misses its item
 * only if the print fits exactly one.
 */
#include "sync/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/now.h"
#include "store/journal.h"

/* A folder whose relist confirms less than half is listed twice; below this
 * many messages a person may well have emptied it. */
#define RELIST_SMALL 10

struct book {
    struct store *store;
    const struct sync_book *how;
    int64_t folder, relist_wait;
    enum store_folder_state state;
    struct arena *arena; /* of one item */
};

int
sync_book_stage(struct store *store, int64_t folder, const struct eas_item *it,
                struct err *e)
{
    struct buf words = BUF_INIT(65536);
    char *detail = slice_dup(it->flag_detail);
    struct store_item item = {
        .server_id = it->server_id,
        .has = it->has,
        .from = it->from,
        .to = it->to,
        .cc = it->cc,
        .subject = it->subject,
        .message_class = it->message_class,
        .received = it->received,
        .read = it->read,
        .flagged = it->flag_status == 2,
        .draft = it->draft,
        .flag_detail = detail,
        .estimated_size = it->estimated_size,
        .last_verb = it->last_verb,
        .thread = it->conversation_id,
    };
    int rc;

    for (size_t i = 0; i < it->ncategories; i++)
        sync_keyword_add(&words, it->categories[i]);
    item.categories = words.len ? words.data : "";
    rc = store_stage_add(store, folder, (int)it->kind, &item, e);
    buf_clear(&words);
    free(detail);
    return rc;
}

static bool
same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* An item that tells no content (a mere flag) cannot contradict. */
static bool
print_fits(const struct store_message *m, const struct store_item *it)
{
    if (!(it->has & STORE_HAS_CONTENT))
        return true;
    if (it->received >= 0 && m->received != it->received)
        return false;
    return same_text(m->from, it->from) && same_text(m->subject, it->subject);
}

static int
item_known(struct book *b, const struct store_message *m,
           const struct store_item *it, struct err *e)
{
    /* In a relist, and where MoveItems told this id. */
    if (store_message_confirm(b->store, m->id, e))
        return -1;
    return store_message_update(b->store, m->id, it, e);
}

/* An id that we do not know: perhaps a message that lost its item (a reset, a
 * move whose answer was lost), else a new one. */
static int
item_new(struct book *b, const struct store_item *it, struct err *e)
{
    size_t n;
    int64_t id;

    int found = store_message_aged_find(b->store, b->folder, it, &id, e);

    n = 1;
    if (found < 0 ||
        (!found && store_message_match(b->store, b->folder, it, &n, &id, e)))
        return -1;
    if (n != 1)
        return store_message_add(b->store, b->folder, it, &id, e);
    if (store_message_bind(b->store, id, b->folder, it->server_id, e) ||
        store_message_confirm(b->store, id, e))
        return -1;
    return store_message_update(b->store, id, it, e);
}

static int
item_there(struct book *b, int kind, const struct store_item *it,
           struct err *e)
{
    struct store_message m;
    int found;

    if (b->state == STORE_FOLDER_NEW || b->state == STORE_FOLDER_LISTING)
        return store_message_list(b->store, b->folder, it, e);
    found = store_message_by_server(b->store, b->folder, it->server_id,
                                    b->arena, &m, e);
    if (found < 0)
        return -1;
    if (found && (kind == EAS_ITEM_CHANGE || print_fits(&m, it)))
        return item_known(b, &m, it, e);
    if (!found && kind == EAS_ITEM_CHANGE && !(it->has & STORE_HAS_CONTENT))
        return 0; /* a flag of something that we never saw */
    /* The id was given to another message. In a relist the old one may come
     * under another id yet: it only loses this one. */
    if (found && store_message_displaced(
                     b->store, m.id, b->state == STORE_FOLDER_RELISTING, e))
        return -1;
    return item_new(b, it, e);
}

static int
item_gone(struct book *b, int kind, const struct store_item *it, struct err *e)
{
    struct store_message m;
    int64_t target;
    bool sent, soft;
    int found = store_message_by_server(b->store, b->folder, it->server_id,
                                        b->arena, &m, e);

    if (found <= 0)
        return found;
    soft = kind == EAS_ITEM_SOFT_DELETE && !b->how->drop;
    /* It fell out of the window. */
    if (soft && m.folder == b->folder)
        return store_message_age(b->store, m.id, e);
    found = store_journal_place(b->store, m.id, &target, &sent, e);
    if (found < 0)
        return -1;
    /* A move of ours is under way: the Delete may be its own effect. */
    if (found && sent && target)
        return store_message_adrift(b->store, m.id, e);
    /* The client has moved it, which can be told no more: it stays there. */
    return soft ? store_message_bind(b->store, m.id, 0, "", e)
                : store_message_gone(b->store, m.id, e);
}

static int
stage_apply(struct book *b, struct err *e)
{
    int64_t pos = 0;
    int kind, rc;

    for (;;) {
        struct store_item it;

        arena_reset(b->arena);
        rc = store_stage_next(b->store, b->folder, &pos, &kind, &it, e);
        if (rc <= 0)
            return rc;
        if (kind == EAS_ITEM_ADD || kind == EAS_ITEM_CHANGE)
            rc = item_there(b, kind, &it, e);
        else
            rc = item_gone(b, kind, &it, e);
        if (rc)
            return -1;
    }
}

/* ---- a relist that is not believed at once ---- */

/* The unix time of the first doubtful relist stands in the store. */
static char *
doubt_name(int64_t folder)
{
    return xasprintf("doubt:%lld", (long long)folder);
}

int64_t
sync_book_doubt(struct store *store, int64_t folder, int64_t wait)
{
    char *name = doubt_name(folder), *text = store_meta_get(store, name);
    int64_t since = strtoll(text, NULL, 10), left;

    free(name);
    free(text);
    if (!since)
        return 0;
    left = since + wait - now_unix();
    return left < 0 ? 0 : left > wait ? wait : left; /* clocks jump */
}

static int
doubt_set(struct book *b, int64_t since, struct err *e)
{
    char *name = doubt_name(b->folder), text[24];
    int rc;

    snprintf(text, sizeof text, "%lld", (long long)since);
    rc = store_meta_set(b->store, name, since ? text : "", e);
    free(name);
    return rc;
}

/* 1: it must be made again. */
static int
relist_doubt(struct book *b, struct err *e)
{
    size_t n, of;
    char *name, *text;
    bool first;

    if (store_folder_unconfirmed(b->store, b->folder, &n, &of, e))
        return -1;
    if (of <= RELIST_SMALL || n * 2 <= of)
        return 0;
    name = doubt_name(b->folder);
    text = store_meta_get(b->store, name);
    first = !*text;
    free(name);
    free(text);
    if (first)
        return doubt_set(b, now_unix(), e) ? -1 : 1;
    return sync_book_doubt(b->store, b->folder, b->relist_wait) ? 1 : 0;
}

/* The last window of a listing. */
static int
listing_end(struct book *b, bool *again_out, struct err *e)
{
    int doubt;

    if (b->state == STORE_FOLDER_NEW || b->state == STORE_FOLDER_LISTING)
        return store_message_number(b->store, b->folder, e);
    if (b->state != STORE_FOLDER_RELISTING)
        return 0;
    /* It lists the window only: what is older cannot be in it. */
    if (b->how->window && !b->how->drop &&
        store_message_age_unconfirmed(b->store, b->folder, b->how->window, e))
        return -1;
    doubt = relist_doubt(b, e);
    if (doubt) {
        *again_out = doubt > 0;
        return doubt < 0 ? -1 : 0;
    }
    return doubt_set(b, 0, e) ||
                   store_folder_finish_relist(b->store, b->folder, e)
               ? -1
               : 0;
}

static int
book_all(struct book *b, const struct sync_book *how, bool *again_out,
         struct err *e)
{
    if (stage_apply(b, e) || store_stage_clear(b->store, b->folder, e))
        return -1;
    if (how->key && store_folder_set_key(b->store, b->folder, how->key, e))
        return -1;
    if (how->more)
        return 0;
    if (listing_end(b, again_out, e))
        return -1;
    /* The policy wants it to be here no longer. */
    if (how->leave && store_message_aged_gone(b->store, b->folder, how->leave,
                                              e))
        return -1;
    return store_message_adrift_gone(b->store, b->folder, how->began, e);
}

int
sync_book_commit(struct store *store, int64_t folder,
                 const struct sync_book *how, bool *again_out, struct err *e)
{
    const struct store_folder *f = store_folder_get(store, folder);
    struct book b = {.store = store,
                     .how = how,
                     .folder = folder,
                     .relist_wait = how->relist_wait};
    int rc;

    *again_out = false;
    if (!f)
        return err_set(e, E_MISSING, "the folder is gone");
    b.state = f->state;
    if (store_begin(store, e))
        return -1;
    b.arena = arena_new();
    rc = book_all(&b, how, again_out, e);
    arena_free(&b.arena);
    if (rc) {
        store_rollback(store);
        return -1;
    }
    return store_commit(store, e);
}
