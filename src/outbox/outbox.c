/*
 * The outbox of an account: everything that was accepted and is not sent yet,
 * from the queue of an earlier run or just now; when each is tried, and what
 * its outcome means. The account makes it; smtp and control call it.
 *
 * An outcome that is not known leaves the row SENDING, and such a row is never
 * given up before its lifetime is over. Whoever waits (submit.c) is told a
 * refusal only when the row is gone for good from the disk.
 */
#include "outbox/outbox.h"

#include <stdlib.h>
#include <string.h>

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
#define ANEW_MAX 3u
#define KEEP_SENT_S (7 * 86400)

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

static void
entry_tell(struct outbox_entry *en, const struct err *err, bool queued)
{
    void (*tell)(void *, const struct err *, bool) = en->on_outcome;

    en->on_outcome = NULL;
    if (tell)
        tell(en->arg, err, queued);
}

/* ---- what an outcome means ---- */

enum outcome_kind {
    AGAIN,      /* later, however long it takes */
    SAY_OR_WAIT, /* 4xx to the one who waits; in the queue: later */
    FOR_GOOD,
};
static const struct {
    enum err_code code;
    enum outcome_kind kind;
} kinds[] = {
    {E_RETRY, AGAIN},        {E_CANCELED, AGAIN},
    {E_LOGIN, SAY_OR_WAIT},  {E_LOCKED, SAY_OR_WAIT},
    {E_QUOTA, SAY_OR_WAIT},  {E_FULL, SAY_OR_WAIT},
    {E_BUG, SAY_OR_WAIT},
};

void
outbox_transport_failed(struct outbox *ob, const char *id)
{
    struct outbox_entry *en = outbox_entry_find(ob, id);

    if (en)
        en->transport = true;
}

static enum outcome_kind
kind_of(enum err_code code)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].code == code)
            return kinds[i].kind;
    return FOR_GOOD;
}

/* The row, its copies and, with `why`, the report: all or nothing. */
static int
rows_remove(struct outbox *ob, const char *id,
            const struct store_submission *row, const struct err *why,
            struct err *e)
{
    struct list *node, *after;

    if ((why && outbox_report(ob, row, why, e)) ||
        store_queue_remove(ob->store, id, e))
        return -1;
    LIST_EACH(&ob->entries, node, after) {
        struct outbox_entry *en = LIST_OBJECT(node, struct outbox_entry, node);

        if (strcmp(en->parent, id) == 0 &&
            store_queue_remove(ob->store, en->id, e))
            return -1;
    }
    return 0;
}

static int
remove_all(struct outbox *ob, const char *id,
           const struct store_submission *row, const struct err *why,
           struct err *e)
{
    struct list *node, *after;

    if (store_begin(ob->store, e))
        return -1;
    if (rows_remove(ob, id, row, why, e)) {
        store_rollback(ob->store);
        return -1;
    }
    if (store_commit(ob->store, e))
        return -1;
    LIST_EACH(&ob->entries, node, after) {
        struct outbox_entry *en = LIST_OBJECT(node, struct outbox_entry, node);

        if (strcmp(en->parent, id) == 0)
            outbox_entry_free(en);
        else if (strcmp(en->id, id) == 0)
            en->state = STORE_QUEUE_SENT; /* nothing to be done any more */
    }
    return 0;
}

/* The time it has waited is doubled, within the account's bounds. */
static int64_t
back_off(const struct outbox_entry *en)
{
    const struct settings_account *s = en->ob->settings;
    int64_t age = now_unix() - en->created;

    return age < s->queue_retry_min   ? s->queue_retry_min
           : age > s->queue_retry_max ? s->queue_retry_max
                                      : age;
}

/* The row's next_try of a SENDING one says since when a "no" of Sent counts:
 * it stays, and when to look again is only remembered here. */
static void
entry_postpone(struct outbox_entry *en, const struct store_submission *row,
               const struct err *err)
{
    int64_t sure = row->next_try;
    struct err e;

    en->next_try = now_unix() + back_off(en);
    if (en->state == STORE_QUEUE_SENDING && now_unix() < sure &&
        en->next_try > sure)
        en->next_try = sure;
    if (store_queue_set(en->ob->store, en->id, en->state,
                        en->state == STORE_QUEUE_SENDING ? sure : en->next_try,
                        err->text, &e))
        log_warn("outbox", "id=%s: %s", en->id, e.text);
    log_notice("outbox", "id=%s %s: again in %lld s", en->id, err->text,
               (long long)(en->next_try - now_unix()));
    entry_tell(en, NULL, true);
    en->fresh = false;
    outbox_pump(en->ob);
}

static void
on_removed(void *arg, const struct err *err)
{
    struct outbox_entry *en = arg;
    struct outbox *ob = en->ob;
    struct err why = en->err;

    (void)err; /* the commit stands; a full disk is not news to the client */
    ob->running--;
    entry_tell(en, &why, false);
    outbox_entry_free(en);
    outbox_pump(ob);
}

/* Nothing stays queued before anyone hears so. */
static void
entry_give_up(struct outbox_entry *en, const struct store_submission *row,
              const struct err *err)
{
    struct err e;

    log_warn("outbox", "id=%s from=%s refused: %s", en->id,
             log_address(row->sender), err->text);
    if (remove_all(en->ob, en->id, row, en->on_outcome ? NULL : err, &e)) {
        err_add(&e, "given up, but it cannot be removed");
        entry_postpone(en, row, &e);
        return;
    }
    en->err = *err;
    en->ob->running++;
    op_hold(&en->run, store_flush(en->ob->store, on_removed, en));
}

static void
entry_accepted(struct outbox_entry *en)
{
    struct outbox *ob = en->ob;
    struct err e;

    log_info("outbox", "id=%s accepted by the server", en->id);
    if (store_queue_strip(ob->store, en->id, &e))
        log_warn("outbox", "id=%s files stay: %s", en->id, e.text);
    if (!*en->parent)
        outbox_recent_add(ob, en->id, en->client_id, now_unix());
    entry_tell(en, NULL, false);
    outbox_entry_free(en);
    outbox_pump(ob);
}

/* locked = queue: for devices that give up at a 4xx. */
static bool
may_queue(const struct outbox_entry *en, const struct err *err)
{
    return (err->code == E_LOCKED || err->code == E_LOGIN) &&
           en->ob->settings->locked == SETTINGS_LOCKED_QUEUE;
}

static void
entry_failed(struct outbox_entry *en, const struct store_submission *row,
             const struct err *err)
{
    enum outcome_kind kind = kind_of(err->code);
    struct eas_status_view account;
    bool old = now_unix() - en->created > en->ob->settings->queue_lifetime;
    struct err late = *err;

    /* Trouble of the account, not of this message: it may pass. */
    eas_status_view(en->ob->eas, &account);
    if (kind == FOR_GOOD && err->code != E_LIMIT &&
        (en->transport || account.stopped.code))
        kind = SAY_OR_WAIT;
    if (en->state != STORE_QUEUE_SENDING &&
        (kind == FOR_GOOD ||
         (kind == SAY_OR_WAIT && en->fresh && en->on_outcome &&
          !may_queue(en, err)))) {
        entry_give_up(en, row, err);
    } else if (old) {
        err_add(&late, en->state == STORE_QUEUE_SENDING
                           ? "given up; it may have arrived all the same"
                           : "given up after queue_lifetime");
        entry_give_up(en, row, &late);
    } else {
        entry_postpone(en, row, err);
    }
}

static void
on_run(void *arg, const struct err *err)
{
    struct outbox_entry *en = arg;
    struct arena *a;
    struct store_submission row;
    struct err e;
    int rc;

    en->ob->running--;
    if (!err) {
        entry_accepted(en);
        return;
    }
    a = arena_new();
    rc = store_queue_get(en->ob->store, en->id, a, &row, &e);
    if (rc == 1) {
        en->state = row.state;
        if (en->anew && row.state == STORE_QUEUE_NEW &&
            en->anews++ < ANEW_MAX)
            outbox_entry_run(en);
        else
            entry_failed(en, &row, err);
    } else {
        log_error("outbox", "id=%s is gone from the queue: %s", en->id,
                  rc ? e.text : err->text);
        entry_tell(en, err, false);
        outbox_entry_free(en);
    }
    arena_free(&a);
}

void
outbox_entry_run(struct outbox_entry *en)
{
    struct outbox *ob = en->ob;

    ob->running++;
    en->transport = en->anew = false;
    op_hold(&en->run, en->state == STORE_QUEUE_NEW
                          ? outbox_send(ob, en->id, on_run, en)
                          : outbox_deliver(ob, en->id, on_run, en));
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

void
outbox_pump(struct outbox *ob)
{
    int64_t now = now_unix(), next = INT64_MAX;
    struct list *node, *after;

    if (!ob->started)
        return;
    LIST_EACH(&ob->entries, node, after) {
        struct outbox_entry *en = LIST_OBJECT(node, struct outbox_entry, node);

        if (!entry_may_run(en))
            continue;
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

/* Rows of what was sent answer questions for a week. */
static int
sent_row(struct outbox *ob, const struct store_submission *q, struct err *e)
{
    int64_t age = now_unix() - q->created;

    if (age > KEEP_SENT_S)
        return store_queue_remove(ob->store, q->id, e);
    if (age < OUTBOX_RECENT_S && !*q->parent)
        outbox_recent_add(ob, q->id, q->client_id, q->created);
    return 0;
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
        if (q.state == STORE_QUEUE_SENT)
            rc = sent_row(ob, &q, &e);
        else if (!outbox_entry_find(ob, q.id))
            outbox_entry_add(ob, &q);
        arena_reset(a);
        if (rc < 0)
            break;
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
                                          ? OUTBOX_SURE_S : 0),
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

    if (!en || remove_all(ob, id, NULL, NULL, e))
        return -1;
    log_notice("outbox", "id=%s deleted by hand", id);
    outbox_entry_free(en);
    outbox_pump(ob);
    return 0;
}
