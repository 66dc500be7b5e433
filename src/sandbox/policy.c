/*
 * The policy document of a user: DIR/policy/ADDRESS.xml, else
 * DIR/policy.xml, else none. Read at each request, so that a change is seen
 * at once and a device that acknowledged another one is sent to fetch it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "sandbox/call.h"
#include "sandbox/policy.h"
#include "sandbox/server.h"
#include "wbxml/text.h"

#define POLICY_MAX ((size_t)1 << 20)

char *
policy_path(struct sandbox *s, const char *address)
{
    const char *dir = mailroot_dir(s->mail);

    return address ? xasprintf("%s/policy/%s.xml", dir, address)
                   : xasprintf("%s/policy.xml", dir);
}

char *
policy_read(struct call *c)
{
    const char *places[] = {c->user->address, NULL};
    struct buf b = BUF_INIT(POLICY_MAX);

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        char *path = policy_path(c->sandbox, places[i]);
        struct err e;
        int rc = file_read(path, &b, &e);

        free(path);
        if (!rc && slice_trim(buf_slice(&b)).n)
            return buf_take(&b, NULL);
        buf_reset(&b);
    }
    buf_clear(&b);
    return NULL;
}

/* Only to tell documents apart. */
void
policy_hash(const char *text, char out[POLICY_HASH])
{
    uint64_t h = 1469598103934665603u;

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    snprintf(out, POLICY_HASH, "%016llx", (unsigned long long)h);
}

const struct wbxml_node *
policy_parse(struct arena *a, const char *text)
{
    struct buf doc = BUF_INIT(POLICY_MAX);
    struct wbxml_node *root = NULL;
    const struct wbxml_node *found;
    struct slice kept;
    struct err e;

    if (wbxml_text_parse(slice_of(text), &doc, &e)) {
        buf_clear(&doc);
        return NULL;
    }
    kept = arena_slice(a, buf_slice(&doc));
    buf_clear(&doc);
    if (wbxml_tree_parse(a, kept, NULL, &root, &e))
        return NULL;
    if (root->tag == PROVISION_EAS_PROVISION_DOC)
        return root;
    found = wbxml_find(root, PROVISION_EAS_PROVISION_DOC, 0);
    return found ? found
                 : wbxml_find(root, PROVISION_POLICIES, PROVISION_POLICY,
                              PROVISION_DATA, PROVISION_EAS_PROVISION_DOC, 0);
}

static long
kilobytes(const struct wbxml_node *doc, unsigned tag)
{
    long v = wbxml_number(doc, -1, tag, 0);

    return v < 0 ? -1 : v * 1024;
}

bool
policy_limits(struct call *c, struct policy_limits *out)
{
    char *text = policy_read(c);
    const struct wbxml_node *doc = text ? policy_parse(c->arena, text) : NULL;

    free(text);
    if (!doc)
        return false;
    out->no_files = !wbxml_number(doc, 1, PROVISION_ATTACHMENTS_ENABLED, 0);
    out->max_file = wbxml_number(doc, 0, PROVISION_MAX_ATTACHMENT_SIZE, 0);
    out->text = kilobytes(doc, PROVISION_MAX_EMAIL_BODY_TRUNCATION_SIZE);
    out->html = kilobytes(doc, PROVISION_MAX_EMAIL_HTML_BODY_TRUNCATION_SIZE);
    return out->no_files || out->max_file > 0 || out->text >= 0 ||
           out->html >= 0;
}

/* MS-ASPROV 3.1.5.1, MS-ASCMD 2.2.2. */
int
policy_judge(struct call *c)
{
    struct device *d = c->device;
    bool ping = c->command->handle == cmd_ping;
    char hash[POLICY_HASH], *text;

    if (c->command->handle == cmd_provision)
        return 0;
    if (d->wipe)
        return 140;
    text = policy_read(c);
    if (!text)
        return 0;
    policy_hash(text, hash);
    free(text);
    if (!d->policy_key || (!c->policy_key && !ping))
        return 142;
    if (c->policy_key && c->policy_key != d->policy_key)
        return 144;
    return strcmp(d->policy, hash) ? 143 : 0;
}
