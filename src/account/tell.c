/*
 * What the control door may know and do about an account's keys, policy and
 * connection, as plain data: doors see neither keys nor eas.
 */
#include "account/account.h"

#include <stdio.h>
#include <string.h>

#include "account/private.h"
#include "base/now.h"
#include "certs/certs.h"
#include "eas/policy.h"
#include "keys/keys.h"

void
account_link(const struct account *a, struct account_link *out)
{
    struct eas_status_view v;

    memset(out, 0, sizeof *out);
    if (!a->eas)
        return;
    eas_status_view(a->eas, &v);
    snprintf(out->version, sizeof out->version, "%s", v.version);
    snprintf(out->url, sizeof out->url, "%s", v.url);
    out->running = v.running;
    out->waiting = v.waiting;
    out->pinging = v.pinging;
    out->held_until = v.held_until;
    out->stopped = v.stopped;
}

bool
account_request_at(const struct account *a, size_t i,
                   struct account_request *out)
{
    struct eas_work work[ACCOUNT_REQUESTS];
    size_t n = a->eas ? eas_work(a->eas, work, ACCOUNT_REQUESTS) : 0;

    if (i >= n || i >= ACCOUNT_REQUESTS)
        return false;
    *out = (struct account_request){
        .command = work[i].command,
        .running = work[i].running,
        .background = work[i].background,
        .ms = work[i].ms,
    };
    return true;
}

bool
account_policy_at(const struct account *a, size_t i,
                  struct account_policy_entry *out)
{
    const struct eas_policy *p = a->eas ? eas_policy(a->eas) : NULL;

    if (!p || i >= p->n)
        return false;
    out->name = p->entries[i].name;
    out->value = p->entries[i].value;
    out->enforced = p->entries[i].enforced;
    out->how = p->entries[i].how;
    return true;
}

bool
account_key_at(const struct account *a, size_t i, struct account_key *out)
{
    const struct key *k = NULL;

    if (!a->keys)
        return false;
    do
        k = keys_next(a->keys, k);
    while (k && i--);
    if (!k || certs_facts(key_cert(k), &out->facts))
        return false;
    key_describe(a->keys, k, a->address, now_unix(), out->use,
                 sizeof out->use);
    return true;
}

const char *
account_key_problem(const struct account *a)
{
    return a->keys ? keys_problem(a->keys) : NULL;
}

int
account_key_remove(struct account *a, const char *fingerprint, struct err *e)
{
    if (!a->keys)
        return err_set(e, a->error.code, "%s", a->error.text);
    return keys_remove(a->keys, fingerprint, e);
}
