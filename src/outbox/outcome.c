/*
 * One try of a submission, and what its outcome means: accepted, later,
 * refused, given up. Called by outbox.c, which knows when to try.
 *
 * An outcome that is not known leaves the row SENDING, and such a row is never
 * given up before its lifetime is over. Whoever waits (submit.c) is told a
 * refusal only when the row is gone for good from the disk.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "eas/eas.h"
#include "outbox/private.h"

/* Times in a row that a new policy may change what is decided. */
#define ANEW_MAX 3u

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

int
outbox_remove(struct outbox *ob, const char *id,
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
    if (outbox_remove(en->ob, en->id, row, en->on_outcome ? NULL : err, &e)) {
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
    struct err late = *err, said = *err;

    /* Trouble of the account, not of this message: it may pass. */
    eas_status_view(en->ob->eas, &account);
    if (kind == FOR_GOOD && err->code != E_LIMIT &&
        (en->transport || account.stopped.code)) {
        kind = SAY_OR_WAIT;
        said.code = E_LOGIN; /* a door makes a 4xx of that */
    }
    if (en->state != STORE_QUEUE_SENDING &&
        (kind == FOR_GOOD ||
         (kind == SAY_OR_WAIT && en->fresh && en->on_outcome &&
          !may_queue(en, err)))) {
        entry_give_up(en, row, &said);
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
