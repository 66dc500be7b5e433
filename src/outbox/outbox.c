/*
 * The outbox of an account: everything that was accepted and is not sent yet,
 * from the queue of an earlier run or just now, and when each is tried. The
 * account makes it; smtp and control call it. What the outcome of a try means
 * is in outcome.c.
 */
#include "outbox/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "eas/eas.h"
#include "eas/policy.h"
#include "keys/keys.h"
#include "mime/address.h"
#include "outbox/private.h"

/* Of what the queue holds, at one time; who waits comes on top. */
#define RUNNING_MAX 4u
#define TIMER_MAX_S 60
#define KEEP_SENT_S (7 * 86400)
#define PURGE_S 86400

static void on_timer(void *arg);

/* ---- the set ---- */

struct outbox *
outbox_new(const struct outbox_config *c)
{
    struct outbox *ob = xcalloc(1, sizeof *ob);

    ob->loop = c->loop;
    ob->crypto = c->crypto;
    ob->store = c->store;
    ob->eas = c->eas;
    ob->keys = c->keys;
    ob->certs = c->certs;
    ob->settings = c->settings;
    ob->look_into_sent = c->look_into_sent;
    ob->sent_arg = c->sent_arg;
    list_init(&ob->entries);
    list_init(&ob->submits);
    loop_timer_init(&ob->timer, on_timer, ob);
    return ob;
}

static void
aliases_clear(struct outbox *ob)
{
    for (size_t i = 0; i < ob->naliases; i++)
        free(ob->aliases[i]);
    free(ob->aliases);
    ob->aliases = NULL;
    ob->naliases = 0;
}

void
outbox_free(struct outbox **op)
{
    struct outbox *ob = *op;

    if (!ob)
        return;
    outbox_submit_clear(ob);
    while (!list_is_empty(&ob->entries))
        outbox_entry_free(
            LIST_OBJECT(ob->entries.next, struct outbox_entry, node));
    loop_timer_clear(&ob->timer);
    aliases_clear(ob);
    free(ob);
    *op = NULL;
}

void
outbox_settings(struct outbox *ob, const struct settings_account *s)
{
    ob->settings = s;
    outbox_pump(ob);
}

void
outbox_set_aliases(struct outbox *ob, const char *const *addresses, size_t n)
{
    aliases_clear(ob);
    ob->aliases = xcalloc(n + 1, sizeof *ob->aliases);
    for (size_t i = 0; i < n; i++)
        if (addresses[i] && *addresses[i])
            ob->aliases[ob->naliases++] = xstrdup(addresses[i]);
}

bool
outbox_is_own(const struct outbox *ob, const char *address)
{
    if (settings_is_own(ob->settings, slice_of(address)))
        return true;
    for (size_t i = 0; i < ob->naliases; i++)
        if (mime_address_equal(ob->aliases[i], address))
            return true;
    return false;
}

bool
outbox_knows_policy(const struct outbox *ob)
{
    struct eas_status_view v;

    eas_status_view(ob->eas, &v);
    return v.policy_known;
}

int
outbox_check_sender(struct outbox *ob, const char *address, struct err *e)
{
    if (!*address || ob->settings->from != SETTINGS_FROM_ENFORCE ||
        outbox_is_own(ob, address))
        return 0;
    return err_set(e, E_DENIED, "%.120s is not an address of this account",
                   address);
}

/* ---- entries ---- */

struct outbox_entry *
outbox_entry_add(struct outbox *ob, const struct store_submission *q)
{
    struct outbox_entry *en = xcalloc(1, sizeof *en);

    en->ob = ob;
    slice_copy(slice_of(q->id), en->id, sizeof en->id);
    slice_copy(slice_of(q->parent), en->parent, sizeof en->parent);
    slice_copy(slice_of(q->client_id), en->client_id, sizeof en->client_id);
    en->state = q->state;
    en->next_try = q->next_try;
    en->created = q->created;
    list_add(&ob->entries, &en->node);
    ob->nentries++;
    return en;
}

void
outbox_entry_free(struct outbox_entry *en)
{
    if (en->run)
        en->ob->running--;
    op_cancel(&en->run);
    list_remove(&en->node);
    en->ob->nentries--;
    free(en);
}

struct outbox_entry *
outbox_entry_find(struct outbox *ob, const char *id)
{
    struct list *node, *after;

    LIST_EACH(&ob->entries, node, after) {
        struct outbox_entry *en = LIST_OBJECT(node, struct outbox_entry, node);

        if (strcmp(en->id, id) == 0)
            return en;
    }
    return NULL;
}

void
outbox_recent_add(struct outbox *ob, const char *id, const char *client_id,
                  int64_t when)
{
    struct outbox_recent *r = &ob->recent[ob->nrecent++ % OUTBOX_RECENT];

    slice_copy(slice_of(id), r->id, sizeof r->id);
    slice_copy(slice_of(client_id), r->client_id, sizeof r->client_id);
    r->when = when;
}

/* ---- the queue runs ---- */

/* A copy for a hidden recipient goes when its main submission has gone. */
static bool
entry_may_run(const struct outbox_entry *en)
{
    if (en->run || en->state == STORE_QUEUE_HELD ||
        en->state == STORE_QUEUE_SENT)
        return false;
    return !*en->parent || !outbox_entry_find(en->ob, en->parent);
}

/* Rows of what was sent answer questions for a week. They stand in the order
 * of their creation. */
static void
sent_purge(struct outbox *ob)
{
    struct arena *a = arena_new();
    struct store_submission q;
    char after[16] = "";
    struct err e;
    int rc;

    ob->purged = now_unix();
    while ((rc = store_queue_next(ob->store, after, a, &q, &e)) == 1 &&
           ob->purged - q.created > KEEP_SENT_S) {
        if (q.state != STORE_QUEUE_SENT)
            slice_copy(slice_of(q.id), after, sizeof after);
        else if ((rc = store_queue_remove(ob->store, q.id, &e)) < 0)
            break;
        arena_reset(a);
    }
    if (rc < 0)
        log_warn("outbox", "old rows of the queue stay: %s", e.text);
    arena_free(&a);
}

void
outbox_pump(struct outbox *ob)
{
    int64_t now = now_unix(), next = INT64_MAX;
    int64_t wait_max = ob->settings->queue_retry_max;
    struct list *node, *after;

    if (!ob->started)
        return;
    if (now - ob->purged > PURGE_S || now < ob->purged)
        sent_purge(ob);
    LIST_EACH(&ob->entries, node, after) {
        struct outbox_entry *en = LIST_OBJECT(node, struct outbox_entry, node);

        if (!entry_may_run(en))
            continue;
        /* The clock was set back. */
        if (en->next_try > now + wait_max)
            en->next_try = now + wait_max;
        if (en->next_try <= now && ob->running < RUNNING_MAX)
            outbox_entry_run(en);
        else if (en->next_try < next)
            next = en->next_try;
    }
    if (next == INT64_MAX) {
        loop_timer_stop(&ob->timer);
        return;
    }
    next = next <= now ? 1 : next - now;
    loop_timer_set(&ob->timer,
                   (next < TIMER_MAX_S ? next : TIMER_MAX_S) * 1000);
}

static void
on_timer(void *arg)
{
    outbox_pump(arg);
}

static void
queue_load(struct outbox *ob)
{
    struct arena *a = arena_new();
    struct store_submission q;
    char after[16] = "";
    struct err e;
    int rc;

    while ((rc = store_queue_next(ob->store, after, a, &q, &e)) == 1) {
        slice_copy(slice_of(q.id), after, sizeof after);
        if (q.state != STORE_QUEUE_SENT && !outbox_entry_find(ob, q.id))
            outbox_entry_add(ob, &q);
        else if (q.state == STORE_QUEUE_SENT && !*q.parent &&
                 now_unix() - q.created < OUTBOX_RECENT_S)
            outbox_recent_add(ob, q.id, q.client_id, q.created);
        arena_reset(a);
    }
    if (rc < 0)
        log_error("outbox", "the queue cannot be read: %s", e.text);
    arena_free(&a);
    if (ob->nentries)
        log_notice("outbox", "%zu in the queue", ob->nentries);
}

void
outbox_start(struct outbox *ob)
{
    struct list *node, *after;

    if (!ob->started)
        queue_load(ob);
    ob->started = true;
    /* At once: what may have arrived is looked for, and the rest was promised
     * by an earlier run. */
    LIST_EACH(&ob->entries, node, after) {
        struct outbox_entry *en = LIST_OBJECT(node, struct outbox_entry, node);

        if (en->state != STORE_QUEUE_HELD)
            en->next_try = now_unix();
    }
    outbox_pump(ob);
}

/* ---- for `sealpostctl queue` ---- */

static struct outbox_entry *
entry_by_hand(struct outbox *ob, const char *id, struct err *e)
{
    struct outbox_entry *en = outbox_entry_find(ob, id);

    if (!en || en->state == STORE_QUEUE_SENT) {
        err_set(e, E_MISSING, "%.20s is not in the queue", id);
        return NULL;
    }
    if (en->run) {
        err_set(e, E_RETRY, "%.20s is being sent just now", id);
        return NULL;
    }
    return en;
}

/* A held row keeps what it was in next_try: -1 - state. */
int
outbox_hold(struct outbox *ob, const char *id, struct err *e)
{
    struct outbox_entry *en = entry_by_hand(ob, id, e);

    if (!en)
        return -1;
    if (en->state == STORE_QUEUE_HELD)
        return 0;
    if (store_queue_set(ob->store, en->id, STORE_QUEUE_HELD,
                        -1 - (int64_t)en->state, NULL, e))
        return -1;
    en->next_try = -1 - (int64_t)en->state;
    en->state = STORE_QUEUE_HELD;
    return 0;
}

static int
entry_release(struct outbox_entry *en, struct err *e)
{
    int64_t was = -1 - en->next_try;
    enum store_queue_state state =
        was == STORE_QUEUE_NEW      ? STORE_QUEUE_NEW
        : was == STORE_QUEUE_SEALED ? STORE_QUEUE_SEALED
                                    : STORE_QUEUE_SENDING;

    /* Of one that may have arrived, a "no" of Sent counts a minute from now. */
    if (store_queue_set(en->ob->store, en->id, state,
                        now_unix() + (state == STORE_QUEUE_SENDING
                                          ? fault_wait(OUTBOX_SURE_S) : 0),
                        NULL, e))
        return -1;
    en->state = state;
    return 0;
}

int
outbox_retry(struct outbox *ob, const char *id, struct err *e)
{
    struct outbox_entry *en = entry_by_hand(ob, id, e);

    if (!en || (en->state == STORE_QUEUE_HELD && entry_release(en, e)))
        return -1;
    en->next_try = now_unix();
    eas_wake(ob->eas);
    outbox_pump(ob);
    return 0;
}

int
outbox_delete(struct outbox *ob, const char *id, struct err *e)
{
    struct outbox_entry *en = entry_by_hand(ob, id, e);

    if (!en || outbox_remove(ob, id, NULL, NULL, e))
        return -1;
    log_notice("outbox", "id=%s deleted by hand", id);
    outbox_entry_free(en);
    outbox_pump(ob);
    return 0;
}
