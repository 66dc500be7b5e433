/*
 * Provision (MS-ASPROV 3.2.5): the policy is given out under a temporary
 * key, which the device acknowledges for the final one; and the wipe.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "sandbox/call.h"
#include "sandbox/policy.h"

#define POLICY_TYPE "MS-EAS-Provisioning-WBXML"

static void
keep(struct call *c)
{
    struct err e;

    if (device_save(c->device, &e))
        log_error("provision", "%s", e.text);
}

static void
write_node(struct wbxml_writer *w, const struct wbxml_node *n)
{
    if (!n->child) {
        wbxml_write_slice(w, n->tag, n->text);
        return;
    }
    wbxml_write_start(w, n->tag);
    for (const struct wbxml_node *child = n->child; child; child = child->next)
        write_node(w, child);
    wbxml_write_end(w);
}

/* Root and DeviceInformation's own status come first. */
static void
answer_start(struct call *c)
{
    wbxml_write_start(&c->w, PROVISION_PROVISION);
    if (wbxml_has(c->root, SETTINGS_DEVICE_INFORMATION, 0)) {
        wbxml_write_start(&c->w, SETTINGS_DEVICE_INFORMATION);
        wbxml_write_text(&c->w, SETTINGS_STATUS, "1");
        wbxml_write_end(&c->w);
    }
    wbxml_write_text(&c->w, PROVISION_STATUS, "1");
    c->status = 1;
}

static enum answer
answer_policy(struct call *c, struct slice type, int status, uint32_t key,
              const struct wbxml_node *document)
{
    char text[16];

    answer_start(c);
    wbxml_write_start(&c->w, PROVISION_POLICIES);
    wbxml_write_start(&c->w, PROVISION_POLICY);
    wbxml_write_slice(&c->w, PROVISION_POLICY_TYPE, type);
    wbxml_write_number(&c->w, PROVISION_STATUS, status);
    if (key) {
        snprintf(text, sizeof text, "%u", key);
        wbxml_write_text(&c->w, PROVISION_POLICY_KEY, text);
    }
    if (document) {
        wbxml_write_start(&c->w, PROVISION_DATA);
        write_node(&c->w, document);
        wbxml_write_end(&c->w);
    }
    wbxml_write_end(&c->w);
    wbxml_write_end(&c->w);
    wbxml_write_end(&c->w);
    return ANSWER_WBXML;
}

static enum answer
give_out(struct call *c, struct slice type, char *text)
{
    const struct wbxml_node *document = policy_parse(c->arena, text);
    char hash[POLICY_HASH];

    if (!document)
        return answer_policy(c, type, 4, 0, NULL);
    policy_hash(text, hash);
    free(c->device->offered);
    c->device->offered = xstrdup(hash);
    c->device->temporary_key = device_key(c->device);
    keep(c);
    return answer_policy(c, type, 1, c->device->temporary_key, document);
}

/* The device says what it made of it (MS-ASPROV 2.2.2.54.1). */
static enum answer
acknowledge(struct call *c, struct slice type, const char *text)
{
    const struct wbxml_node *policy =
        wbxml_find(c->root, PROVISION_POLICIES, PROVISION_POLICY, 0);
    uint32_t key = 0;
    long said = wbxml_number(policy, 0, PROVISION_STATUS, 0);
    struct device *d = c->device;
    char hash[POLICY_HASH];

    slice_u32(wbxml_text(policy, PROVISION_POLICY_KEY, 0), &key);
    if (!d->temporary_key || key != d->temporary_key ||
        c->policy_key != d->temporary_key)
        return answer_policy(c, type, 5, 0, NULL);
    if (said == 4)
        return call_fail(c, 145);
    if (said == 2 || said == 3)
        return call_fail(c, 139);
    if (said != 1)
        return call_breach(c, 2, "Status %ld in the acknowledgement", said);
    policy_hash(text, hash);
    free(d->policy);
    d->policy = xstrdup(d->offered[0] ? d->offered : hash);
    d->temporary_key = 0;
    d->policy_key = device_key(d);
    keep(c);
    return answer_policy(c, type, 1, d->policy_key, NULL);
}

/* MS-ASPROV 3.1.5.1.2.2: asked for by Status 140, told by RemoteWipe, done
 * when the device says so. Afterwards it is an unknown device. */
static enum answer
wipe(struct call *c)
{
    unsigned tag = c->device->wipe_account && c->version >= 161
                       ? PROVISION_ACCOUNT_ONLY_REMOTE_WIPE
                       : PROVISION_REMOTE_WIPE;
    const struct wbxml_node *said = wbxml_find(c->root, tag, 0);

    if (said && wbxml_number(said, 0, PROVISION_STATUS, 0) == 1) {
        c->device->wipe = false;
        c->device->policy_key = 0;
        keep(c);
    }
    answer_start(c);
    if (!said)
        wbxml_write_empty(&c->w, tag);
    wbxml_write_end(&c->w);
    return ANSWER_WBXML;
}

enum answer
cmd_provision(struct call *c)
{
    const struct wbxml_node *policy =
        wbxml_find(c->root, PROVISION_POLICIES, PROVISION_POLICY, 0);
    struct slice type = wbxml_text(policy, PROVISION_POLICY_TYPE, 0);
    bool key = wbxml_has(policy, PROVISION_POLICY_KEY, 0);
    bool status = wbxml_has(policy, PROVISION_STATUS, 0);
    enum answer how;
    char *text;

    if (c->device->wipe)
        return wipe(c);
    if (!policy || key != status)
        return call_breach(c, 2, "neither a question nor an answer");
    /* MS-ASCMD 2.2.2, 165: from 14.1 on it travels in the first request. */
    if (!key && c->version >= 141 &&
        !wbxml_has(c->root, SETTINGS_DEVICE_INFORMATION, 0))
        return call_breach(c, 165, "no DeviceInformation");
    if (!slice_is(type, POLICY_TYPE))
        return answer_policy(c, type, 3, 0, NULL);
    text = policy_read(c);
    if (!text)
        return answer_policy(c, type, 2, 0, NULL);
    how = key ? acknowledge(c, type, text) : give_out(c, type, text);
    free(text);
    return how;
}
