/*
 * The documents of Provision (MS-ASPROV): the question, the answer with the
 * policy, the acknowledgement. connect.c sends them; policy.c reads the
 * policy itself.
 *
 * What the policy asks for and Sealpost cannot carry out is acknowledged
 * only when the configuration consents; else the account stops and names it.
 * A wipe is never acknowledged here, for nothing is wiped yet.
 */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "eas/private.h"

#define POLICY_TYPE "MS-EAS-Provisioning-WBXML"

/* Settings:DeviceInformation, the same at each time: administrators see it
 * and make rules by it. */
void
eas_provision_device(struct eas *eas, struct wbxml_writer *w)
{
    struct utsname host;

    (void)eas;
    wbxml_write_start(w, SETTINGS_DEVICE_INFORMATION);
    wbxml_write_start(w, SETTINGS_SET);
    wbxml_write_text(w, SETTINGS_MODEL, "Sealpost mail gateway");
    wbxml_write_text(w, SETTINGS_FRIENDLY_NAME, "Sealpost");
    wbxml_write_text(w, SETTINGS_OS,
                     uname(&host) ? "Linux" : host.sysname);
    wbxml_write_text(w, SETTINGS_OS_LANGUAGE, "en-us");
    wbxml_write_text(w, SETTINGS_USER_AGENT, EAS_USER_AGENT);
    wbxml_write_end(w);
    wbxml_write_end(w);
}

int
eas_provision_ask(struct eas *eas, struct wbxml_writer *w)
{
    /* MS-ASPROV 3.1.5.1.2.2: an empty question after status 140. */
    if (eas->wipe_told) {
        wbxml_write_empty(w, PROVISION_PROVISION);
        return 0;
    }
    wbxml_write_start(w, PROVISION_PROVISION);
    /* From 14.1 on inside and first; with 14.0 it must not be here. */
    if (eas_version_is(eas, 141))
        eas_provision_device(eas, w);
    wbxml_write_start(w, PROVISION_POLICIES);
    wbxml_write_start(w, PROVISION_POLICY);
    wbxml_write_text(w, PROVISION_POLICY_TYPE, POLICY_TYPE);
    wbxml_write_end(w);
    wbxml_write_end(w);
    wbxml_write_end(w);
    return 0;
}

void
eas_provision_ack(struct eas *eas, struct wbxml_writer *w)
{
    wbxml_write_start(w, PROVISION_PROVISION);
    wbxml_write_start(w, PROVISION_POLICIES);
    wbxml_write_start(w, PROVISION_POLICY);
    wbxml_write_text(w, PROVISION_POLICY_TYPE, POLICY_TYPE);
    wbxml_write_text(w, PROVISION_POLICY_KEY, eas->asked_key);
    wbxml_write_text(w, PROVISION_STATUS, "1");
    wbxml_write_end(w);
    wbxml_write_end(w);
    wbxml_write_end(w);
}

/* Root and policy status of either answer; the policy element. Some servers
 * leave the root status out. */
static int
answer_policy(struct eas *eas, struct arena *a, struct slice body,
              const struct wbxml_node **policy_out, long *status_out,
              struct err *e)
{
    struct wbxml_node *root;
    const struct wbxml_node *policy;
    long status;

    if (eas_answer_tree(a, body, PROVISION_PROVISION, &root, e))
        return -1;
    eas->wipe_told = false;
    if (wbxml_has(root, PROVISION_REMOTE_WIPE, 0))
        eas->wipe = EAS_WIPE_DEVICE;
    else if (wbxml_has(root, PROVISION_ACCOUNT_ONLY_REMOTE_WIPE, 0))
        eas->wipe = EAS_WIPE_ACCOUNT;
    if (eas->wipe)
        return err_set(e, E_DENIED, "the server's administrator has ordered "
                                    "that this account be wiped here");
    status = wbxml_number(root, 1, PROVISION_STATUS, 0);
    if (status != 1)
        return eas_status_err(e, EAS_CMD_PROVISION, (int)status);
    policy = wbxml_find(root, PROVISION_POLICIES, PROVISION_POLICY, 0);
    if (!policy)
        return err_set(e, E_RETRY, "Provision was answered without a policy");
    *policy_out = policy;
    *status_out = wbxml_number(policy, 1, PROVISION_STATUS, 0);
    return 0;
}

static int
answer_key(const struct wbxml_node *policy, char *out, size_t size,
           struct err *e)
{
    struct slice key = slice_trim(wbxml_text(policy, PROVISION_POLICY_KEY, 0));
    uint32_t number;

    /* It goes into a header: digits only (MS-ASPROV 2.2.2.42). */
    if (!slice_u32(key, &number) || !slice_copy(key, out, size))
        return err_set(e, E_RETRY, "Provision was answered without a good "
                                   "policy key");
    return 0;
}

static int
policy_status_err(long status, struct err *e)
{
    switch (status) {
    case 3:
        return err_set(e, E_REMOTE, "the server does not know the type of "
                                    "policy that we ask for");
    case 4:
        return err_set(e, E_REMOTE, "the policy is corrupt on the server; an "
                                    "administrator has to mend it");
    default: /* 5: a wrong key; all else is unknown */
        return err_set(e, E_RETRY, "Provision: policy status %ld", status);
    }
}

static int
policy_accept(struct eas *eas, struct err *e)
{
    char gaps[160];

    eas_policy_gaps(&eas->asked, gaps, sizeof gaps);
    if (!gaps[0] || eas->accept_policy)
        return 0;
    return err_set(e, E_DENIED,
                   "the server's policy asks for what Sealpost cannot carry "
                   "out (%s); accept_policy = yes acknowledges it all the "
                   "same",
                   gaps);
}

static int
asked_read(struct eas *eas, struct arena *a, struct slice body,
           enum eas_provisioned *out, struct err *e)
{
    const struct wbxml_node *policy;
    long status;

    if (answer_policy(eas, a, body, &policy, &status, e))
        return -1;
    if (status == 2) {
        *out = EAS_PROV_NONE;
        return 0;
    }
    if (status != 1)
        return policy_status_err(status, e);
    if (answer_key(policy, eas->asked_key, sizeof eas->asked_key, e))
        return -1;
    eas_policy_clear(&eas->asked);
    eas_policy_parse(wbxml_find(policy, PROVISION_DATA,
                                PROVISION_EAS_PROVISION_DOC, 0),
                     &eas->asked);
    if (policy_accept(eas, e))
        return -1;
    eas->has_asked = true;
    *out = EAS_PROV_ACK;
    return 0;
}

int
eas_provision_asked(struct eas *eas, struct slice body,
                    enum eas_provisioned *out, struct err *e)
{
    struct arena *a = arena_new();
    int rc = asked_read(eas, a, body, out, e);

    arena_free(&a);
    return rc;
}

int
eas_provision_acked(struct eas *eas, struct slice body, struct err *e)
{
    struct arena *a = arena_new();
    const struct wbxml_node *policy;
    long status;
    char key[sizeof eas->state.policy_key];
    int rc = answer_policy(eas, a, body, &policy, &status, e);

    if (!rc && status != 1)
        rc = policy_status_err(status, e);
    if (!rc)
        rc = answer_key(policy, key, sizeof key, e);
    if (!rc)
        memcpy(eas->state.policy_key, key, sizeof key);
    arena_free(&a);
    return rc;
}
