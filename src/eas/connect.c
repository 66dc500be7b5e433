/*
 * Before the first command, and again when the server says so: OPTIONS and
 * the choice of a version (MS-ASHTTP 2.2.3), the handshake of Provision
 * (MS-ASPROV 3.1.5.1), and with 14.0 the device's description by Settings.
 * A flow that queue.c starts; while it runs no command goes out.
 */
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/now.h"
#include "eas/private.h"

#define MAX_HOPS 4
#define RETRY_FIRST_MS 2000
#define RETRY_MAX_MS ((int64_t)300 * 1000)

static flow_step_fn connect_options, connect_ask, connect_ack, connect_device;
static flow_end_fn connect_end;

static flow_step_fn *const connect_steps[] = {
    connect_options, /* which versions; picks one */
    connect_ask,     /* Provision: which policy */
    connect_ack,     /* Provision: accepted; the key for all that follows */
    connect_device,  /* 14.0 only: Settings DeviceInformation */
    NULL};

/* Best first. */
static const char *const ours[] = {"16.1", "16.0", "14.1", "14.0"};

bool
eas_connect_is_due(const struct eas *eas)
{
    return !eas->state.version[0] || eas->want_version ||
           eas->need_provision ||
           (!eas->state.policy_key[0] && !eas->state.no_policy);
}

const char *
eas_connect_choose(const char *versions, const char *forced)
{
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        struct slice rest = slice_of(versions), piece;

        if (forced && strcmp(forced, ours[i]) != 0)
            continue;
        while (slice_next(&rest, ',', &piece))
            if (slice_is(slice_trim(piece), ours[i]))
                return ours[i];
    }
    return NULL;
}

void
eas_connect_begin(struct eas *eas)
{
    if (flow_is_running(&eas->connect))
        return;
    eas->connect_sent = false;
    eas->connect_hops = 0;
    eas->has_asked = false;
    eas_policy_clear(&eas->asked);
    flow_start(&eas->connect, connect_steps, connect_end, eas);
}

void
eas_connect_clear(struct eas *eas)
{
    flow_cancel(&eas->connect);
}

/* ---- one request of the flow; the step runs again with its outcome */

static void
on_outcome(struct eas_request *r, enum eas_outcome outcome)
{
    r->eas->connect_outcome = outcome;
    op_finish(&r->eas->connect_op, NULL);
}

static void
on_stop(void *self)
{
    struct eas *eas = self;

    op_finish(&eas->connect_op, NULL);
}

static void
connect_prepare(struct eas *eas, enum eas_command command)
{
    eas_request_clear(&eas->connect_req);
    eas_request_init(&eas->connect_req, eas, command);
    eas->connect_req.max_body = (uint64_t)4 << 20;
}

static enum flow_next
connect_send(struct eas *eas)
{
    eas->connect_sent = true;
    eas->connect_op = op_new(on_stop, eas, flow_wake, &eas->connect);
    eas_request_send(&eas->connect_req, on_outcome);
    return flow_wait_again(&eas->connect, eas->connect_op);
}

/* The outcomes that are alike for all steps; FLOW_NEXT for a body to read,
 * FLOW_AGAIN to send anew. */
static enum flow_next
connect_judge(struct eas *eas)
{
    struct eas_request *r = &eas->connect_req;
    struct err e;

    eas->connect_sent = false;
    switch (eas->connect_outcome) {
    case EAS_GOT:
        eas->busy = 0;
        return FLOW_NEXT;
    case EAS_MOVED:
        if (++eas->connect_hops > MAX_HOPS)
            return flow_fail(&eas->connect, E_REMOTE,
                             "the server sends us round in circles (451)");
        if (eas_move_to(eas, r->location, &e))
            return flow_fail_err(&eas->connect, &e);
        return FLOW_AGAIN;
    case EAS_REFUSED:
        if (eas_auth_refused(&eas->auth) == EAS_AUTH_RENEW)
            return FLOW_AGAIN;
        eas_stop(eas, &r->err);
        break;
    case EAS_BUSY:
        eas_queue_hold(eas, r->wait_ms);
        break;
    case EAS_NEED_PROVISION: /* 403 to OPTIONS, or in the handshake itself */
        eas_stop(eas, &r->err);
        break;
    case EAS_STOPPED:
        eas_stop(eas, &r->err);
        break;
    case EAS_NEED_VERSION:
    case EAS_FAILED:
        break;
    }
    return flow_fail_err(&eas->connect, &r->err);
}

/* ---- OPTIONS */

static enum flow_next
connect_choose(struct eas *eas)
{
    const char *listed = eas->connect_req.versions, *version;
    bool changed;

    /* Front ends were seen that leave the list out: the newest is then the
     * best guess, and the server says 138 if it is wrong. */
    if (!listed[0])
        listed = eas->forced_version ? eas->forced_version : ours[0];
    version = eas_connect_choose(listed, eas->forced_version);
    if (!version)
        return flow_fail(&eas->connect, E_REMOTE,
                         "the server speaks ActiveSync %s, but %s is wanted",
                         listed,
                         eas->forced_version ? eas->forced_version
                                             : "14.0 to 16.1");
    changed = strcmp(version, eas->state.version) != 0;
    snprintf(eas->state.version, sizeof eas->state.version, "%s", version);
    eas->want_version = false;
    if (changed)
        eas_state_changed(eas);
    return FLOW_NEXT;
}

static enum flow_next
connect_options(void *self)
{
    struct eas *eas = self;
    enum flow_next next;

    if (eas->state.version[0] && !eas->want_version)
        return FLOW_NEXT;
    if (eas->connect_sent) {
        next = connect_judge(eas);
        return next == FLOW_NEXT ? connect_choose(eas) : next;
    }
    connect_prepare(eas, EAS_CMD_ANY);
    eas->connect_req.options = true;
    return connect_send(eas);
}

/* ---- Provision */

static bool
provision_is_due(const struct eas *eas)
{
    return eas->need_provision ||
           (!eas->state.policy_key[0] && !eas->state.no_policy);
}

static enum flow_next
connect_asked(struct eas *eas)
{
    enum eas_provisioned what;
    struct err e = {0};

    if (eas_provision_asked(eas, buf_slice(&eas->connect_req.body), &what,
                            &e)) {
        if (e.code != E_RETRY)
            eas_stop(eas, &e);
        return flow_fail_err(&eas->connect, &e);
    }
    if (what == EAS_PROV_ACK)
        return FLOW_NEXT;
    eas->need_provision = false;
    eas->state.no_policy = true;
    snprintf(eas->state.policy_key, sizeof eas->state.policy_key, "0");
    eas_state_changed(eas);
    return FLOW_NEXT;
}

static enum flow_next
connect_ask(void *self)
{
    struct eas *eas = self;
    enum flow_next next;

    if (eas->connect_sent) {
        next = connect_judge(eas);
        return next == FLOW_NEXT ? connect_asked(eas) : next;
    }
    if (!eas->state.version[0]) /* moved: another server */
        return FLOW_BACK;
    if (!provision_is_due(eas))
        return FLOW_DONE;
    connect_prepare(eas, EAS_CMD_PROVISION);
    eas->connect_req.policy_key = "0";
    eas_provision_ask(eas, &eas->connect_req.w);
    return connect_send(eas);
}

static void
policy_keep(struct eas *eas)
{
    bool same =
        eas->has_policy && eas_policy_is_same(&eas->policy, &eas->asked);

    eas_policy_clear(&eas->policy);
    eas->policy = eas->asked;
    eas->asked = (struct eas_policy){0};
    eas->has_asked = false;
    eas->has_policy = true;
    if (!same && eas->watcher.on_policy)
        eas->watcher.on_policy(eas->watcher.arg, &eas->policy);
}

static enum flow_next
connect_acked(struct eas *eas)
{
    struct err e = {0};

    if (eas_provision_acked(eas, buf_slice(&eas->connect_req.body), &e)) {
        if (e.code != E_RETRY)
            eas_stop(eas, &e);
        return flow_fail_err(&eas->connect, &e);
    }
    eas->need_provision = false;
    eas->state.no_policy = false;
    policy_keep(eas);
    eas_state_changed(eas);
    return FLOW_NEXT;
}

static enum flow_next
connect_ack(void *self)
{
    struct eas *eas = self;
    enum flow_next next;

    if (eas->connect_sent) {
        next = connect_judge(eas);
        return next == FLOW_NEXT ? connect_acked(eas) : next;
    }
    if (!eas->state.version[0])
        return FLOW_BACK;
    if (!eas->has_asked)
        return FLOW_NEXT;
    connect_prepare(eas, EAS_CMD_PROVISION);
    eas->connect_req.policy_key = eas->asked_key;
    eas_provision_ack(eas, &eas->connect_req.w);
    return connect_send(eas);
}

/* ---- 14.0 describes the device afterwards (MS-ASPROV 3.1.5.1) */

static enum flow_next
connect_device(void *self)
{
    struct eas *eas = self;

    if (eas->connect_sent) {
        /* What it says is for administrators only; a server that will not
         * hear it is no reason to stop. */
        if (eas->connect_outcome == EAS_NEED_PROVISION && !eas->wipe_told) {
            eas->connect_sent = false;
            return FLOW_NEXT;
        }
        return connect_judge(eas);
    }
    if (!eas->state.version[0])
        return FLOW_BACK;
    if (eas_version_is(eas, 141))
        return FLOW_NEXT;
    connect_prepare(eas, EAS_CMD_SETTINGS);
    eas->connect_req.policy_key = eas->state.policy_key;
    wbxml_write_start(&eas->connect_req.w, SETTINGS_SETTINGS);
    eas_provision_device(eas, &eas->connect_req.w);
    wbxml_write_end(&eas->connect_req.w);
    return connect_send(eas);
}

/* ---- */

static void
connect_end(void *self, const struct err *err)
{
    struct eas *eas = self;
    int64_t wait;

    eas_request_clear(&eas->connect_req);
    eas_policy_clear(&eas->asked);
    eas->has_asked = false;
    if (err && err->code == E_CANCELED)
        return;
    if (!err) {
        eas->connect_tries = 0;
        eas->connect_not_before = 0;
    } else {
        wait = fault_wait(RETRY_FIRST_MS << (eas->connect_tries < 8
                                                 ? eas->connect_tries
                                                 : 8));
        if (!eas->connect_tries++)
            wait = 0;
        eas->connect_not_before =
            now_ms() + (wait < RETRY_MAX_MS ? wait : RETRY_MAX_MS);
        if (eas->hold_until <= now_ms()) /* a 503 lets them wait instead */
            eas_queue_fail(eas, err);
    }
    eas_queue_wake(eas);
}
