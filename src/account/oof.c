/*
 * Out of office, for the control door, which does not see eas: asked of the
 * server, and changed there. Nothing of it is kept here.
 */
#include <stdlib.h>
#include <string.h>

#include "account/private.h"
#include "base/mem.h"
#include "eas/eas.h"
#include "loop/flow.h"

struct oof {
    struct op *op;
    struct flow flow;
    struct account *account;
    bool change;
    struct account_oof_edit edit; /* texts are ours */
    struct eas_oof got;
    struct account_oof made, *out;
};

static flow_step_fn oof_get, oof_merge, oof_set, oof_tell;
static flow_step_fn *const oof_steps[] = {
    oof_get,   /* what the server has: texts that nobody names stay */
    oof_merge, /* the change laid over it */
    oof_set,
    oof_get,
    oof_tell,
    NULL,
};

void
account_oof_clear(struct account_oof *o)
{
    for (size_t i = 0; i < ACCOUNT_OOF_AUDIENCES; i++)
        free(o->messages[i].text);
    *o = (struct account_oof){0};
}

static void
oof_end(void *self, const struct err *err)
{
    struct oof *o = self;
    struct op *op = o->op;
    struct err copy = err ? *err : (struct err){0};

    if (!err && op_wanted(op)) {
        *o->out = o->made;
        o->made = (struct account_oof){0};
    }
    account_oof_clear(&o->made);
    eas_oof_clear(&o->got);
    free((char *)(uintptr_t)o->edit.internal);
    free((char *)(uintptr_t)o->edit.external);
    account_unref(&o->account);
    free(o);
    op_finish(&op, copy.code ? &copy : NULL);
}

static void
oof_stop(void *self)
{
    struct oof *o = self;

    flow_cancel(&o->flow);
}

struct op *
account_oof(struct account *a, const struct account_oof_edit *edit,
            struct account_oof *out, op_done_fn *done, void *arg)
{
    struct oof *o;

    if (!a->eas)
        return op_decided(&a->error, done, arg);
    o = xcalloc(1, sizeof *o);
    o->account = account_ref(a);
    o->out = out;
    if (edit) {
        o->change = true;
        o->edit = *edit;
        o->edit.internal = edit->internal ? xstrdup(edit->internal) : NULL;
        o->edit.external = edit->external ? xstrdup(edit->external) : NULL;
    }
    o->op = op_new(oof_stop, o, done, arg);
    flow_start(&o->flow, oof_steps, oof_end, o);
    return o->op;
}

/* The account may have lost its server meanwhile: a wipe, a reload. */
static enum flow_next
oof_get(void *self)
{
    struct oof *o = self;

    if (!o->account->eas)
        return flow_fail(&o->flow, E_CANCELED, "the account was closed");
    eas_oof_clear(&o->got);
    return flow_wait(&o->flow, eas_oof_get(o->account->eas, &o->got, flow_wake,
                                           &o->flow));
}

/* ---- the change ---- */

static void
text_put(struct account_oof *o, enum account_oof_audience who,
         const char *text)
{
    free(o->messages[who].text);
    o->messages[who].text = xstrdup(text);
    o->messages[who].enabled = true;
}

int
account_oof_merge(struct account_oof *o, const struct account_oof_edit *ed,
                  struct err *e)
{
    bool any = false;

    o->state = ed->state;
    o->start = ed->state == ACCOUNT_OOF_TIMED ? ed->start : -1;
    o->end = ed->state == ACCOUNT_OOF_TIMED ? ed->end : -1;
    if (ed->state == ACCOUNT_OOF_TIMED && ed->start >= ed->end)
        return err_set(e, E_INPUT, "the absence ends before it begins");
    if (ed->internal)
        text_put(o, ACCOUNT_OOF_INTERNAL, ed->internal);
    if (ed->external) {
        text_put(o, ACCOUNT_OOF_KNOWN, ed->external);
        text_put(o, ACCOUNT_OOF_UNKNOWN, ed->external);
    }
    if (ed->outside >= ACCOUNT_OOF_CONTACTS)
        o->messages[ACCOUNT_OOF_KNOWN].enabled = true;
    if (ed->outside == ACCOUNT_OOF_ALL)
        o->messages[ACCOUNT_OOF_UNKNOWN].enabled = true;
    if (ed->outside == ACCOUNT_OOF_NOBODY)
        o->messages[ACCOUNT_OOF_KNOWN].enabled = false;
    if (ed->outside == ACCOUNT_OOF_NOBODY ||
        ed->outside == ACCOUNT_OOF_CONTACTS)
        o->messages[ACCOUNT_OOF_UNKNOWN].enabled = false;
    if (ed->state == ACCOUNT_OOF_OFF)
        return 0;
    for (size_t i = 0; i < ACCOUNT_OOF_AUDIENCES; i++) {
        const char *text = o->messages[i].text;

        /* Servers forget who is answered, but not the text, while off. */
        if (i == ACCOUNT_OOF_INTERNAL && text && *text)
            o->messages[i].enabled = true;
        if (o->messages[i].enabled && (!text || !*text))
            o->messages[i].enabled = false;
        any |= o->messages[i].enabled;
    }
    return any ? 0
               : err_set(e, E_INPUT, "there is no text to answer with yet: "
                                     "one has to be given");
}

static void
made_take(struct account_oof *to, const struct eas_oof *from)
{
    to->state = (enum account_oof_state)from->state;
    to->start = from->start;
    to->end = from->end;
    for (size_t i = 0; i < ACCOUNT_OOF_AUDIENCES; i++) {
        to->messages[i].enabled = from->messages[i].enabled;
        to->messages[i].text = from->messages[i].text
                                   ? xstrdup(from->messages[i].text)
                                   : NULL;
    }
}

static enum flow_next
oof_merge(void *self)
{
    struct oof *o = self;
    struct err e;

    made_take(&o->made, &o->got);
    if (!o->change)
        return FLOW_DONE;
    if (account_oof_merge(&o->made, &o->edit, &e))
        return flow_fail_err(&o->flow, &e);
    return FLOW_NEXT;
}

static enum flow_next
oof_set(void *self)
{
    struct oof *o = self;
    struct eas_oof set = {.state = (enum eas_oof_state)o->made.state,
                          .start = o->made.start, .end = o->made.end};

    if (!o->account->eas)
        return flow_fail(&o->flow, E_CANCELED, "the account was closed");
    for (size_t i = 0; i < ACCOUNT_OOF_AUDIENCES; i++) {
        set.messages[i].enabled = o->made.messages[i].enabled;
        set.messages[i].text = o->made.messages[i].text;
    }
    /* Copied there. */
    return flow_wait(&o->flow, eas_oof_set(o->account->eas, &set, flow_wake,
                                           &o->flow));
}

/* What the server made of it: it may know better. */
static enum flow_next
oof_tell(void *self)
{
    struct oof *o = self;

    account_oof_clear(&o->made);
    made_take(&o->made, &o->got);
    return FLOW_NEXT;
}
