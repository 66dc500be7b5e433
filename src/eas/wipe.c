/*
 * The acknowledgement of a wipe (MS-ASPROV 3.1.5.1.2): one request beside the
 * queue, for the account is stopped, and nothing may follow it.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "eas/private.h"

struct wipe_ack {
    struct op *op;
    struct eas_request req; /* gives the struct, see ack_of() */
};

static struct wipe_ack *
ack_of(struct eas_request *r)
{
    return (struct wipe_ack *)(void *)((char *)r -
                                       offsetof(struct wipe_ack, req));
}

static void
ack_end(struct wipe_ack *a, const struct err *err)
{
    struct op *op = a->op;
    struct err copy = err ? *err : (struct err){0};

    eas_request_clear(&a->req);
    free(a);
    op_finish(&op, copy.code ? &copy : NULL);
}

static void
ack_stop(void *self)
{
    ack_end(self, NULL);
}

/* Any answer of ActiveSync will do: Exchange 2010 orders the wipe once more
 * in it, and what is erased is erased. */
static void
on_outcome(struct eas_request *r, enum eas_outcome outcome)
{
    ack_end(ack_of(r), outcome == EAS_GOT ? NULL : &r->err);
}

static void
ack_write(struct wbxml_writer *w, enum eas_wipe kind, bool erased)
{
    wbxml_write_start(w, PROVISION_PROVISION);
    wbxml_write_start(w, kind == EAS_WIPE_ACCOUNT
                             ? PROVISION_ACCOUNT_ONLY_REMOTE_WIPE
                             : PROVISION_REMOTE_WIPE);
    wbxml_write_text(w, PROVISION_STATUS, erased ? "1" : "2");
    wbxml_write_end(w);
    wbxml_write_end(w);
}

struct op *
eas_wipe_acknowledge(struct eas *eas, enum eas_wipe kind, bool erased,
                     op_done_fn *done, void *arg)
{
    struct wipe_ack *a = xcalloc(1, sizeof *a);

    a->op = op_new(ack_stop, a, done, arg);
    eas_request_init(&a->req, eas, EAS_CMD_PROVISION);
    a->req.policy_key = "0";
    a->req.max_body = (uint64_t)1 << 20;
    ack_write(&a->req.w, kind, erased);
    eas_request_send(&a->req, on_outcome);
    return a->op;
}
