/*
 * The question at RCPT: is it certain already that this recipient cannot be
 * served? Then the mail program marks exactly that one. Called by the SMTP
 * door.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "eas/eas.h"
#include "mime/address.h"
#include "outbox/private.h"

#define RCPT_PATIENCE_MS 20000

struct rcpt {
    struct op *op;
    struct flow flow;
    struct outbox *ob;
    char *address;
    struct certs_found found;
    struct loop_timer patience;
};

static flow_step_fn rcpt_connect, rcpt_find, rcpt_judge;
static flow_step_fn *const rcpt_steps[] = {
    rcpt_connect, /* what does the server's policy demand? */
    rcpt_find,
    rcpt_judge,
    NULL,
};

static void
rcpt_end(void *self, const struct err *err)
{
    struct rcpt *r = self;
    struct op *op = r->op;
    /* Only what is certain counts; the rest is seen when the mail is there. */
    bool certain = err && (err->code == E_NOCERT || err->code == E_INPUT);
    struct err copy = certain ? *err : (struct err){0};

    loop_timer_clear(&r->patience);
    certs_found_clear(&r->found);
    free(r->address);
    free(r);
    op_finish(&op, certain ? &copy : NULL);
}

static void
rcpt_stop(void *self)
{
    struct rcpt *r = self;

    flow_cancel(&r->flow);
}

/* A mail program has little patience at RCPT: what takes longer is not
 * certain, and the verdict falls when the mail is there. */
static void
on_impatient(void *arg)
{
    rcpt_stop(arg);
}

struct op *
outbox_check_recipient(struct outbox *ob, const char *address,
                       op_done_fn *done, void *arg)
{
    struct rcpt *r;
    struct err e;

    if (mime_address_check(slice_of(address), true, NULL, NULL, &e))
        return op_decided(&e, done, arg);
    r = xcalloc(1, sizeof *r);
    r->ob = ob;
    r->address = xstrdup(address);
    r->op = op_new(rcpt_stop, r, done, arg);
    loop_timer_init(&r->patience, on_impatient, r);
    loop_timer_set(&r->patience, RCPT_PATIENCE_MS);
    flow_start(&r->flow, rcpt_steps, rcpt_end, r);
    return r->op;
}

static enum flow_next
rcpt_connect(void *self)
{
    struct rcpt *r = self;

    if (outbox_knows_policy(r->ob) ||
        r->ob->settings->encrypt == SETTINGS_ALWAYS)
        return FLOW_NEXT;
    return flow_wait(&r->flow, eas_connect(r->ob->eas, flow_wake, &r->flow));
}

static enum flow_next
rcpt_find(void *self)
{
    struct rcpt *r = self;
    const char *who[1] = {r->address};
    struct outbox_policy p;

    outbox_policy_of(r->ob->settings, eas_policy(r->ob->eas), &p);
    if (!outbox_policy_is_certain(&p))
        return FLOW_DONE;
    return flow_wait(&r->flow, certs_find(r->ob->certs, who, 1, &r->found,
                                          flow_wake, &r->flow));
}

static enum flow_next
rcpt_judge(void *self)
{
    struct rcpt *r = self;
    struct outbox_want want = {.encrypt = OUTBOX_ENCRYPT};
    struct outbox_verdict verdict;
    struct err e;

    if (outbox_policy_settle(&want, &r->found, false, &verdict, &e))
        return flow_fail_err(&r->flow, &e);
    return FLOW_NEXT;
}
