/*
 * The Commands of a Sync request (MS-ASCMD 2.2.3.32): what the device did.
 * Success of a Change or a Delete is silent; an Add is always answered.
 *
 * The same request again (its answer was lost) is not acted on twice: what
 * became of each command is kept with the newest key.
 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "sandbox/call.h"
#include "sandbox/changes.h"
#include "sandbox/server.h"

struct doing {
    struct call *c;
    struct folder *folder;
    struct collection *col;
    const struct point *base;
    struct bits *known;
    bool deletes_as_moves, client_wins;
};

/* ---- Change */

static bool
is_bit(struct slice s)
{
    return slice_is(s, "0") || slice_is(s, "1");
}

/* "\n"-separated; NULL when there is something wrong. */
static const char *
categories_read(struct call *c, const struct wbxml_node *n)
{
    struct buf b = BUF_INIT(1 << 20);
    unsigned count = 0;
    const char *lines;
    bool good = !n->text.n;

    for (n = n->child; n && good; n = n->next) {
        good = n->tag == EMAIL_CATEGORY && n->text.n && !n->child &&
               !slice_has(n->text, '\n') && !slice_has(n->text, '\0') &&
               ++count <= 300;
        buf_add_slice(&b, n->text);
        buf_addc(&b, '\n');
    }
    lines = good ? arena_dup(c->arena, buf_slice(&b)) : NULL;
    buf_clear(&b);
    return lines;
}

static bool
is_newer(const struct doing *d, const struct touch *t)
{
    return t->seq > d->base->seq && t->by != d->c->device->number;
}

/* What a Change wants, all checked before any of it is done. */
struct wish {
    int read;         /* -1: nothing */
    const char *flag; /* lines, NULL: nothing */
    bool active;
    const char *categories;
};

/* 0 or the status of the item. Of received mail only these may be changed
 * (MS-ASEMAIL 3.1.5.4). */
static int
wish_read(struct call *c, const struct wbxml_node *data, struct wish *out)
{
    *out = (struct wish){.read = -1};
    for (const struct wbxml_node *n = data->child; n; n = n->next) {
        if (wbxml_again(n))
            return 6;
        if (n->tag == EMAIL_READ && is_bit(n->text))
            out->read = n->text.p[0] == '1';
        else if (n->tag == EMAIL_FLAG) {
            if (!flag_read(c, n, &out->flag, &out->active))
                return 6;
        } else if (n->tag == EMAIL_CATEGORIES) {
            if (!(out->categories = categories_read(c, n)))
                return 6;
        } else
            return 6;
    }
    return data->child ? 0 : 6;
}

/* Somebody else wrote the same since the device's state (option Conflict). */
static bool
is_conflict(const struct doing *d, const struct message *m,
            const struct wish *w)
{
    if (d->client_wins)
        return false;
    return (w->read >= 0 && is_newer(d, &m->read) &&
            w->read != !!(m->flags & MAIL_SEEN)) ||
           (w->flag && is_newer(d, &m->flag) &&
            w->active != !!(m->flags & MAIL_FLAGGED)) ||
           (w->categories && is_newer(d, &m->categories) &&
            strcmp(w->categories, m->category_lines));
}

static int
change_do(struct doing *d, struct message *m, const struct wbxml_node *data)
{
    unsigned me = d->c->device->number;
    struct wish w;
    struct err e = {0};
    int status = wish_read(d->c, data, &w), rc = 0;

    if (status) {
        call_note_breach(d->c, "a Change of what may not be changed");
        return status;
    }
    if (is_conflict(d, m, &w))
        return 7;
    if (w.read >= 0)
        rc = folder_set_flags(m, w.read ? MAIL_SEEN : 0, w.read ? 0 : MAIL_SEEN,
                              me, &e);
    if (!rc && w.flag)
        rc = folder_set_flag(m, w.flag, w.active, me, &e);
    if (!rc && w.categories)
        rc = folder_set_categories(m, w.categories, me, &e);
    if (rc)
        log_warn("sync", "%s", e.text);
    return rc ? 5 : 1;
}

/* ---- drafts */

static int
draft_store(struct doing *d, const struct wbxml_node *n, struct slice client,
            struct message **out)
{
    const struct wbxml_node *data = wbxml_find(n, AIRSYNC_APPLICATION_DATA, 0);
    struct call *c = d->c;
    struct buf raw = BUF_INIT((size_t)64 << 20);
    struct folder_adding what = {.by = c->device->number};
    struct err e = {0};
    int status = draft_build(c, data, &raw);

    if (!status && wbxml_has(n, EMAIL2_SEND, 0)) {
        status = deliver(c, buf_slice(&raw), true);
        status = status == 119 ? 183 : status;
        *out = NULL;
    } else if (!status) {
        what.raw = buf_slice(&raw);
        what.flags = MAIL_DRAFT | MAIL_SEEN;
        what.client =
            client.n ? arena_printf(c->arena, "%s/%s", c->device->id, client.p)
                     : NULL;
        if (wbxml_number(data, 1, EMAIL_READ, 0) == 0)
            what.flags &= ~(unsigned)MAIL_SEEN;
        if (folder_add(d->folder, &what, out, &e)) {
            log_warn("sync", "%s", e.text);
            status = 5;
        }
    }
    buf_clear(&raw);
    return status ? status : 1;
}

/* A changed draft is a new message under a new id (which servers do). */
static int
draft_change(struct doing *d, struct message *m, const struct wbxml_node *n)
{
    struct message *new = NULL;
    struct err e = {0};
    int status;
    struct wish w;

    /* Only flags: as with any message. */
    if (!wbxml_has(n, EMAIL2_SEND, 0) &&
        !wish_read(d->c, wbxml_find(n, AIRSYNC_APPLICATION_DATA, 0), &w))
        return change_do(d, m, wbxml_find(n, AIRSYNC_APPLICATION_DATA, 0));
    status = draft_store(d, n, SLICE(""), &new);
    if (status != 1)
        return status;
    if (new)
        new->added.by = 0; /* the device does not know its id yet */
    if (folder_remove(m, 0, &e))
        log_warn("sync", "%s", e.text);
    return 1;
}

/* ---- one command */

static void
answer(struct responses *out, struct response r)
{
    out->list[out->count++] = r;
}

static void
add_one(struct doing *d, const struct wbxml_node *n, struct responses *out)
{
    struct slice client = wbxml_text(n, AIRSYNC_CLIENT_ID, 0);
    struct call *c = d->c;
    const char *key = arena_printf(c->arena, "%s/%s", c->device->id, client.p);
    struct message *m = folder_find_client(d->folder, key);
    int status = 1;

    if (d->folder->type != 3 || c->version < 160)
        status = 6; /* no mail is made by clients (2.2.3.7.2) */
    if (status == 6)
        call_note_breach(c, "an Add outside of the drafts of 16.x");
    else if (!m || m->gone)
        status = draft_store(d, n, client, &m);
    if (status == 1 && m)
        bits_set(d->known, m->uid, true);
    outcome_add(d->col, 'a', client.p, status, status == 1 && m ? m->uid : 0);
    answer(out,
           (struct response){'a', client.p, status, status == 1 ? m : NULL});
}

/* The message with this ServerId in this collection. */
static struct message *
own_message(struct doing *d, struct slice id)
{
    return call_message(d->c, d->folder, id);
}

static void
change_one(struct doing *d, const struct wbxml_node *n, struct responses *out)
{
    struct slice id = wbxml_text(n, AIRSYNC_SERVER_ID, 0);
    struct message *m = own_message(d, id);
    int status = 8;

    if (m && wbxml_has(n, BASE_INSTANCE_ID, 0))
        status = 6; /* of recurring meetings */
    else if (m && d->folder->type == 3 && d->c->version >= 160)
        status = draft_change(d, m, n);
    else if (m && wbxml_has(n, EMAIL2_SEND, 0))
        status = 6;
    else if (m)
        status = change_do(d, m, wbxml_find(n, AIRSYNC_APPLICATION_DATA, 0));
    outcome_add(d->col, 'c', id.p, status, 0);
    if (status != 1)
        answer(out, (struct response){'c', id.p, status, NULL});
}

static void
delete_one(struct doing *d, const struct wbxml_node *n, struct responses *out)
{
    struct slice id = wbxml_text(n, AIRSYNC_SERVER_ID, 0);
    struct message *m = own_message(d, id);
    struct folder *trash = tree_find_type(d->c->user, 4);
    unsigned me = d->c->device->number;
    struct err e = {0};
    int status = 1, rc = 0;

    if (!m) {
        status = 8;
    } else {
        bits_set(d->known, m->uid, false);
        if (d->deletes_as_moves && trash && d->folder != trash)
            rc = folder_move(m, trash, me, NULL, &e);
        else
            rc = folder_remove(m, me, &e);
    }
    if (rc) {
        log_warn("sync", "%s", e.text);
        status = 5;
    }
    outcome_add(d->col, 'd', id.p, status, 0);
    if (status != 1)
        answer(out, (struct response){'d', id.p, status, NULL});
}

static void
fetch_one(struct doing *d, const struct wbxml_node *n, struct responses *out)
{
    struct slice id = wbxml_text(n, AIRSYNC_SERVER_ID, 0);
    struct message *m = own_message(d, id);

    answer(out, (struct response){'f', id.p, m ? 1 : 8, m});
}

/* ---- */

static char
kind_of(unsigned tag)
{
    return tag == AIRSYNC_ADD      ? 'a'
           : tag == AIRSYNC_CHANGE ? 'c'
           : tag == AIRSYNC_DELETE ? 'd'
                                   : 'f';
}

/* Of a message that may be gone; 0 for none. */
static uint32_t
uid_of(struct doing *d, struct slice server_id)
{
    struct message *m;
    uint32_t id;

    if (!id_read(d->c->sandbox, d->folder, server_id, &id))
        return 0;
    m = folder_find_id_any(d->folder, id);
    return m ? m->uid : 0;
}

/* Done before, by the same request: say the same again. */
static bool
replay(struct doing *d, char kind, struct slice id,
       const struct outcome *before, size_t count, struct responses *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct outcome *o = &before[i];
        struct message *m;

        if (o->kind != kind || !slice_is(id, o->id))
            continue;
        m = o->uid ? folder_find(d->folder, o->uid) : NULL;
        if (m)
            bits_set(d->known, m->uid, true);
        if (kind == 'd' && o->status == 1)
            bits_set(d->known, uid_of(d, id), false);
        outcome_add(d->col, kind, o->id, o->status, o->uid);
        if (kind == 'a' || o->status != 1)
            answer(out, (struct response){kind, id.p, o->status, m});
        return true;
    }
    return false;
}

void
sync_commands_do(struct call *c, struct folder *f, struct collection *col,
                 const struct wbxml_node *node, const struct point *base,
                 struct bits *known, bool repeated, struct responses *out)
{
    struct doing d = {
        .c = c,
        .folder = f,
        .col = col,
        .base = base,
        .known = known,
        .client_wins = col->prefs.conflict == 0,
        .deletes_as_moves =
            wbxml_number(node, 1, AIRSYNC_DELETES_AS_MOVES, 0) == 1,
    };
    const struct wbxml_node *list = wbxml_find(node, AIRSYNC_COMMANDS, 0);
    struct collection before = {.outcomes = col->outcomes,
                                .outcome_count = col->outcome_count};
    size_t count = 0;

    col->outcomes = NULL;
    col->outcome_count = 0;
    for (const struct wbxml_node *n = list ? list->child : NULL; n; n = n->next)
        count++;
    out->count = 0;
    out->list = arena_alloc(c->arena, (count + 1) * sizeof *out->list);
    for (const struct wbxml_node *n = list ? list->child : NULL; n;
         n = n->next) {
        char kind = kind_of(n->tag);
        struct slice id = kind == 'a' ? wbxml_text(n, AIRSYNC_CLIENT_ID, 0)
                                      : wbxml_text(n, AIRSYNC_SERVER_ID, 0);

        if (repeated &&
            replay(&d, kind, id, before.outcomes, before.outcome_count, out))
            continue;
        if (kind == 'a')
            add_one(&d, n, out);
        else if (kind == 'c')
            change_one(&d, n, out);
        else if (kind == 'd')
            delete_one(&d, n, out);
        else
            fetch_one(&d, n, out);
    }
    outcomes_clear(&before);
}

static void
write_one(struct call *c, const struct collection *col,
          const struct response *r)
{
    static const char kinds[] = "acdf";
    static const unsigned tags[] = {AIRSYNC_ADD, AIRSYNC_CHANGE, AIRSYNC_DELETE,
                                    AIRSYNC_FETCH};

    wbxml_write_start(&c->w, tags[strchr(kinds, r->kind) - kinds]);
    if (r->kind == 'a') {
        wbxml_write_text(&c->w, AIRSYNC_CLIENT_ID, r->id);
        if (r->message)
            call_write_id(c, AIRSYNC_SERVER_ID, r->message);
    } else {
        wbxml_write_text(&c->w, AIRSYNC_SERVER_ID, r->id);
    }
    wbxml_write_number(&c->w, AIRSYNC_STATUS, r->status);
    if (r->kind == 'f' && r->message) {
        wbxml_write_start(&c->w, AIRSYNC_APPLICATION_DATA);
        item_write(c, r->message, &col->prefs, false);
        wbxml_write_end(&c->w);
    }
    wbxml_write_end(&c->w);
}

void
sync_commands_write(struct call *c, const struct collection *col,
                    const struct responses *r)
{
    if (!r->count)
        return;
    wbxml_write_start(&c->w, AIRSYNC_RESPONSES);
    for (size_t i = 0; i < r->count; i++)
        write_one(c, col, &r->list[i]);
    wbxml_write_end(&c->w);
}
