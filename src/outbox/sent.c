/*
 * Looking into Sent after a lost reply: is there a copy of this submission
 * that no other one has claimed? A Sync of Sent that begins now, then the new
 * messages there, newest first. Called by deliver.c.
 *
 * A copy is ours when it has our Message-ID and our recipients. Servers that
 * replace the Message-ID still keep the body: of sealed mail, whose bytes
 * nobody else can have made, the same body is enough.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "eas/eas.h"
#include "mime/address.h"
#include "mime/header.h"
#include "outbox/private.h"
#include "store/body.h"
#include "store/folder.h"
#include "store/message.h"
#include "store/sent.h"

/* The clock that `saved` was taken by may have been set since. */
#define SLACK_S 3600
#define CANDIDATES_MAX 2000u

struct look {
    struct op *op;
    struct flow flow;
    struct outbox *ob;
    struct arena *arena;
    char id[16];
    struct store_submission row;
    struct slice mime; /* borrowed */
    bool *out, found;
    size_t claimed; /* copies that belong to others */
    size_t copies;  /* with our Message-ID and recipients */
    int64_t entry;  /* the one that is ours */
    int64_t sure;   /* has our body, which nobody else can have made */
    int64_t *ids;
    size_t n, at;
    bool loaded;
    struct store_message one;
    struct buf body;
    struct eas_place place;
};

static flow_step_fn look_sync, look_list, look_each, look_judge;

static flow_step_fn *const look_steps[] = {
    look_sync,  /* one that begins after this */
    look_list,  /* what came since */
    look_each,  /* message after message */
    look_judge,
    NULL,
};

static void
look_end(void *self, const struct err *err)
{
    struct look *l = self;
    struct op *op = l->op;
    struct err copy = err ? *err : (struct err){0};

    if (!err && op_wanted(op))
        *l->out = l->found;
    buf_wipe(&l->body);
    arena_free(&l->arena);
    free(l->ids);
    free(l);
    op_finish(&op, copy.code ? &copy : NULL);
}

static void
look_stop(void *self)
{
    struct look *l = self;

    flow_cancel(&l->flow);
}

struct op *
outbox_sent_find(struct outbox *ob, const char *id, struct slice mime,
                 bool *found, op_done_fn *done, void *arg)
{
    struct look *l = xcalloc(1, sizeof *l);

    l->ob = ob;
    l->arena = arena_new();
    slice_copy(slice_of(id), l->id, sizeof l->id);
    l->mime = mime;
    l->out = found;
    buf_init(&l->body, OUTBOX_MAX);
    l->op = op_new(look_stop, l, done, arg);
    flow_start(&l->flow, look_steps, look_end, l);
    return l->op;
}

static enum flow_next
look_sync(void *self)
{
    struct look *l = self;
    struct err e;
    int rc = store_queue_get(l->ob->store, l->id, l->arena, &l->row, &e);

    if (rc < 0)
        return flow_fail_err(&l->flow, &e);
    if (rc == 0)
        return flow_fail(&l->flow, E_MISSING, "it is not in the queue");
    if (!l->ob->look_into_sent)
        return flow_fail(&l->flow, E_RETRY, "Sent cannot be looked at");
    return flow_wait(&l->flow, l->ob->look_into_sent(l->ob->sent_arg,
                                                     flow_wake, &l->flow));
}

/* Could the copy of one with these recipients look like ours? Its To and Cc
 * are among them; who was in Bcc may be gone from it. */
static bool
may_look_like(const struct look *l, const char *recipients)
{
    struct slice head = slice_cut(l->mime, 0, mime_header_length(l->mime));
    struct mime_addresses ours = {0};
    const struct mime_address *a;
    size_t at = 0;
    bool all = true;

    mime_addresses_header(head, "To", &ours);
    mime_addresses_header(head, "Cc", &ours);
    while (all && (a = mime_addresses_next(&ours, &at))) {
        struct buf spec = BUF_INIT(2048);
        struct slice rest = slice_of(recipients), one;

        mime_address_spec(a, &spec);
        all = false;
        while (!all && spec.data && slice_next(&rest, ' ', &one))
            all = slice_iis(one, spec.data);
        buf_clear(&spec);
    }
    mime_addresses_clear(&ours);
    return all;
}

/* Other submissions with this Message-ID: since when there may be copies, and
 * how many belong to the ones that were accepted. */
static int
others_count(struct look *l, int64_t *since, struct err *e)
{
    struct store_submission q;
    const char *after = "";
    int64_t entry;
    int rc;

    *since = l->row.created;
    while ((rc = store_queue_next(l->ob->store, after, l->arena, &q, e)) ==
           1) {
        after = q.id;
        if (strcmp(q.id, l->id) == 0 || !q.save_in_sent ||
            strcmp(q.message_id, l->row.message_id) != 0 ||
            !may_look_like(l, q.recipients))
            continue;
        if (q.created < *since)
            *since = q.created;
        if (q.state != STORE_QUEUE_SENT)
            continue;
        if (store_sent_entry(l->ob->store, q.id, &entry, e) < 0)
            return -1;
        if (!entry)
            l->claimed++;
    }
    return rc;
}

static int
candidates_list(struct look *l, int64_t folder, int64_t since, struct err *e)
{
    struct store_snapshot snap;
    struct arena *a;
    int rc = 0;

    /* The Sync of Sent may have shown it, and then it is known. */
    rc = store_sent_entry(l->ob->store, l->id, &l->entry, e);
    if (rc)
        l->found = rc > 0;
    if (rc)
        return rc < 0 ? -1 : 0;
    if (store_snapshot_load(l->ob->store, folder, &snap, e))
        return -1;
    a = arena_new();
    l->ids = xcalloc(snap.n + 1, sizeof *l->ids);
    for (size_t i = snap.n; i-- > 0 && rc == 0;) {
        struct store_message m;

        arena_reset(a);
        if (store_message_get(l->ob->store, snap.entries[i].id, a, &m, e))
            rc = -1;
        else if (m.saved < since - SLACK_S)
            break; /* UIDs are given in the order of arrival */
        else if (!store_sent_is_entry(l->ob->store, m.id))
            l->ids[l->n++] = m.id;
        if (l->n > CANDIDATES_MAX)
            rc = err_set(e, E_RETRY, "too much is new in Sent to be looked "
                                     "through");
    }
    arena_free(&a);
    store_snapshot_clear(&snap);
    return rc;
}

static enum flow_next
look_list(void *self)
{
    struct look *l = self;
    const struct store_folder *sent =
        store_folder_by_role(l->ob->store, STORE_ROLE_SENT);
    int64_t since;
    struct err e;

    if (!sent || (sent->state != STORE_FOLDER_READY &&
                  sent->state != STORE_FOLDER_RELISTING))
        return flow_fail(&l->flow, E_RETRY, "Sent is not listed yet");
    if (others_count(l, &since, &e) < 0 ||
        candidates_list(l, sent->id, since, &e))
        return flow_fail_err(&l->flow, &e);
    return FLOW_NEXT;
}

/* ---- one candidate ---- */

static void
on_body(void *arg, size_t index, int status, struct slice mime, bool cut)
{
    struct look *l = arg;

    (void)index;
    (void)cut; /* the head is what counts */
    if (status == 1)
        buf_add_slice(&l->body, mime);
}

static struct op *
body_get(struct look *l)
{
    const struct store_folder *f =
        store_folder_get(l->ob->store, l->one.collection);
    struct eas_fetch_ask ask = {
        .items = &l->place,
        .n = 1,
        .max_body = OUTBOX_MAX,
        .unlimited = true, /* what left here is only looked for */
        .on_body = on_body,
        .body_arg = l,
    };

    if (l->one.body == STORE_BODY_PRESENT)
        return store_body_load(l->ob->store, l->one.id, &l->body, flow_wake,
                               &l->flow);
    if (!f || !*l->one.server_id)
        return op_decided(NULL, flow_wake, &l->flow);
    l->place.collection = arena_strdup(l->arena, f->server_id);
    l->place.server_id = l->one.server_id;
    return eas_items_fetch(l->ob->eas, &ask, flow_wake, &l->flow);
}

/* Same members, whatever order and case. */
static bool
same_people(const struct mime_addresses *a, const struct mime_addresses *b)
{
    const struct mime_address *x, *y;
    size_t at = 0, n = 0, m = 0;

    while ((x = mime_addresses_next(a, &at))) {
        struct buf sx = BUF_INIT(2048);
        size_t k = 0;
        bool there = false;

        mime_address_spec(x, &sx);
        while (!there && (y = mime_addresses_next(b, &k))) {
            struct buf sy = BUF_INIT(2048);

            mime_address_spec(y, &sy);
            there = sx.data && sy.data && mime_address_equal(sx.data, sy.data);
            buf_clear(&sy);
        }
        buf_clear(&sx);
        if (!there)
            return false;
        n++;
    }
    at = 0;
    while (mime_addresses_next(b, &at))
        m++;
    return n == m;
}

static bool
same_recipients(struct slice ours, struct slice copy)
{
    struct mime_addresses a = {0}, b = {0};
    bool same;

    mime_addresses_header(ours, "To", &a);
    mime_addresses_header(ours, "Cc", &a);
    mime_addresses_header(copy, "To", &b);
    mime_addresses_header(copy, "Cc", &b);
    same = same_people(&a, &b);
    mime_addresses_clear(&a);
    mime_addresses_clear(&b);
    /* Servers keep Bcc in Sent, or take it out. */
    if (same && mime_header_count(copy, "Bcc")) {
        mime_addresses_header(ours, "Bcc", &a);
        mime_addresses_header(copy, "Bcc", &b);
        same = same_people(&a, &b);
        mime_addresses_clear(&a);
        mime_addresses_clear(&b);
    }
    return same;
}

static bool
same_id(const struct look *l, struct slice head)
{
    struct arena *a = arena_new();
    const char *id = mime_header_value(head, "Message-ID", a);
    bool same = id && *id && strcmp(id, l->row.message_id) == 0;

    arena_free(&a);
    return same;
}

/* The same but for blanks and line ends. */
static bool
same_body(struct slice a, struct slice b)
{
    size_t i = 0, k = 0;

    for (;;) {
        while (i < a.n && ascii_is_space((unsigned char)a.p[i]))
            i++;
        while (k < b.n && ascii_is_space((unsigned char)b.p[k]))
            k++;
        if (i == a.n || k == b.n)
            return i && i == a.n && k == b.n;
        if (a.p[i++] != b.p[k++])
            return false;
    }
}

static void
candidate_judge(struct look *l)
{
    struct slice copy = buf_slice(&l->body);
    size_t ours = mime_header_length(l->mime), n = mime_header_length(copy);

    if (same_id(l, slice_cut(copy, 0, n))) {
        if (same_recipients(slice_cut(l->mime, 0, ours),
                            slice_cut(copy, 0, n))) {
            l->ids[l->copies++] = l->one.id; /* never ahead of `at` */
        }
        return;
    }
    if ((l->row.signed_ || l->row.encrypted) &&
        same_body(slice_from(l->mime, ours), slice_from(copy, n))) {
        l->found = true;
        l->sure = l->one.id;
    }
}

static enum flow_next
look_each(void *self)
{
    struct look *l = self;
    struct err e;

    if (l->loaded)
        candidate_judge(l);
    l->loaded = false;
    buf_wipe(&l->body);
    if (l->found || l->at == l->n)
        return FLOW_NEXT;
    if (store_message_get(l->ob->store, l->ids[l->at++], l->arena, &l->one,
                          &e))
        return e.code == E_MISSING ? FLOW_AGAIN : flow_fail_err(&l->flow, &e);
    l->loaded = true;
    return flow_wait_again(&l->flow, body_get(l));
}

int
outbox_sent_enter(struct outbox *ob, const char *id, struct slice head,
                  struct err *e)
{
    struct arena *a = arena_new();
    struct store_item item = {
        .server_id = "",
        .has = STORE_HAS_CONTENT | STORE_HAS_READ,
        .from = mime_header_value(head, "from", a),
        .to = mime_header_value(head, "to", a),
        .cc = mime_header_value(head, "cc", a),
        .subject = mime_header_value(head, "subject", a),
        .received = now_unix(),
        .read = true,
    };
    int rc = store_sent_enter(ob->store, id, &item, e);

    arena_free(&a);
    return rc;
}

/* The copy shows it; where the Sync did not see whose it is, that one does. */
static int
found_book(struct look *l, struct err *e)
{
    struct store *s = l->ob->store;
    int64_t entry;
    int bound, rc;

    if (store_begin(s, e))
        return -1;
    bound = store_sent_entry(s, l->id, &entry, e);
    rc = bound < 0 ||
         store_queue_set(s, l->id, STORE_QUEUE_SENT, 0, "", e) ||
         (!bound && l->entry && store_sent_claim(s, l->id, l->entry, e));
    if (rc) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

/* Without those that others have taken meanwhile. */
static void
copies_free(struct look *l)
{
    struct store *s = l->ob->store;
    size_t n = 0;

    for (size_t i = 0; i < l->copies; i++)
        if (!store_sent_is_entry(s, l->ids[i]))
            l->ids[n++] = l->ids[i];
    l->copies = n;
    if (l->sure && store_sent_is_entry(s, l->sure))
        l->found = false;
    else if (l->sure)
        l->entry = l->sure;
    else if (n)
        l->entry = l->ids[0];
}

/* Claiming is counting the others' claims and booking ours in one step: two
 * that look at the same time must not take the same copy. */
static enum flow_next
look_judge(void *self)
{
    struct look *l = self;
    int64_t since;
    struct err e;

    l->claimed = 0;
    if (others_count(l, &since, &e) < 0)
        return flow_fail_err(&l->flow, &e);
    copies_free(l);
    if (l->copies > l->claimed)
        l->found = true;
    if (l->found && found_book(l, &e))
        return flow_fail_err(&l->flow, &e);
    log_debug("outbox", "id=%s copies in Sent: %zu of %zu messages, %zu "
                        "claimed by others", l->id, l->copies, l->n,
              l->claimed);
    return FLOW_NEXT;
}
