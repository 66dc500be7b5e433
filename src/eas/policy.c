/*
 * The policy document (MS-ASPROV 2.2.2): every element as it came, whether
 * Sealpost carries it out, and the few values that other rooms ask for.
 * Read by provision.c, shown by `sealpostctl policy`.
 */
#include "eas/policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eas/private.h"

#define VALUE_MAX 400
#define ENTRIES_MAX 400

/* What an element must say so that we fulfil it. */
enum rule {
    NEVER,      /* asks for nothing of a program like this */
    IF_ZERO,    /* fine as 0, empty or absent */
    IF_ONE,     /* fine as 1 or empty */
    IF_NONE,    /* a limit: fine when empty or 0 */
    IF_MINUS,   /* a limit: fine when empty or -1 */
    PASSWORD,   /* counts only while a device password is asked for */
    TWO_OR_ONE, /* not 0 */
};

static const struct {
    unsigned tag;
    enum rule rule;
} rules[] = {
    {PROVISION_DEVICE_PASSWORD_ENABLED, IF_ZERO},
    {PROVISION_ALPHANUMERIC_DEVICE_PASSWORD_REQUIRED, PASSWORD},
    {PROVISION_PASSWORD_RECOVERY_ENABLED, PASSWORD},
    {PROVISION_MIN_DEVICE_PASSWORD_LENGTH, PASSWORD},
    {PROVISION_MIN_DEVICE_PASSWORD_COMPLEX_CHARACTERS, PASSWORD},
    {PROVISION_MAX_INACTIVITY_TIME_DEVICE_LOCK, PASSWORD},
    {PROVISION_MAX_DEVICE_PASSWORD_FAILED_ATTEMPTS, PASSWORD},
    {PROVISION_ALLOW_SIMPLE_DEVICE_PASSWORD, PASSWORD},
    {PROVISION_DEVICE_PASSWORD_EXPIRATION, PASSWORD},
    {PROVISION_DEVICE_PASSWORD_HISTORY, PASSWORD},
    {PROVISION_DOCUMENT_BROWSE_ENABLED, NEVER},
    {PROVISION_ATTACHMENTS_ENABLED, IF_ONE},
    {PROVISION_MAX_ATTACHMENT_SIZE, IF_NONE},
    {PROVISION_MAX_CALENDAR_AGE_FILTER, NEVER}, /* mail only */
    {PROVISION_MAX_EMAIL_AGE_FILTER, NEVER},    /* carried out by sync */
    {PROVISION_MAX_EMAIL_BODY_TRUNCATION_SIZE, IF_MINUS},
    {PROVISION_MAX_EMAIL_HTML_BODY_TRUNCATION_SIZE, IF_MINUS},
    {PROVISION_REQUIRE_DEVICE_ENCRYPTION, IF_ZERO},
    {PROVISION_REQUIRE_STORAGE_CARD_ENCRYPTION, IF_ZERO},
    {PROVISION_REQUIRE_MANUAL_SYNC_WHEN_ROAMING, NEVER},
    {PROVISION_REQUIRE_SIGNED_SMIME_MESSAGES, NEVER},    /* by outbox */
    {PROVISION_REQUIRE_ENCRYPTED_SMIME_MESSAGES, NEVER}, /* by outbox */
    /* Older than SHA-2 and AES: SHA-1 and 3DES read as "not weaker than". */
    {PROVISION_REQUIRE_SIGNED_SMIME_ALGORITHM, IF_ZERO},
    {PROVISION_REQUIRE_ENCRYPTION_SMIME_ALGORITHM, IF_ZERO},
    {PROVISION_ALLOW_SMIME_ENCRYPTION_ALGORITHM_NEGOTIATION, TWO_OR_ONE},
    {PROVISION_ALLOW_SMIME_SOFT_CERTS, IF_ONE},
    {PROVISION_ALLOW_STORAGE_CARD, IF_ONE},
    {PROVISION_ALLOW_CAMERA, IF_ONE},
    {PROVISION_ALLOW_UNSIGNED_APPLICATIONS, IF_ONE},
    {PROVISION_ALLOW_UNSIGNED_INSTALLATION_PACKAGES, IF_ONE},
    {PROVISION_ALLOW_WI_FI, IF_ONE},
    {PROVISION_ALLOW_TEXT_MESSAGING, IF_ONE},
    {PROVISION_ALLOW_POPIMAP_EMAIL, IF_ONE},
    {PROVISION_ALLOW_BLUETOOTH, TWO_OR_ONE},
    {PROVISION_ALLOW_IR_DA, IF_ONE},
    {PROVISION_ALLOW_DESKTOP_SYNC, IF_ONE},
    {PROVISION_ALLOW_HTML_EMAIL, IF_ONE},
    {PROVISION_ALLOW_BROWSER, IF_ONE},
    {PROVISION_ALLOW_CONSUMER_EMAIL, IF_ONE},
    {PROVISION_ALLOW_REMOTE_DESKTOP, IF_ONE},
    {PROVISION_ALLOW_INTERNET_SHARING, IF_ONE},
    {PROVISION_UNAPPROVED_IN_ROM_APPLICATION_LIST, IF_NONE},
    {PROVISION_APPROVED_APPLICATION_LIST, IF_NONE},
};

void
eas_policy_clear(struct eas_policy *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->entries[i].name);
        free(p->entries[i].value);
    }
    free(p->entries);
    *p = (struct eas_policy){0};
}

static bool
is_enforced(const struct wbxml_node *n, bool password)
{
    struct slice v = slice_trim(n->text);
    enum rule rule = IF_NONE; /* an element we never heard of */

    if (n->child) /* a list of programs */
        return false;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (rules[i].tag == n->tag)
            rule = rules[i].rule;
    switch (rule) {
    case NEVER:
        return true;
    case IF_ZERO:
    case IF_NONE:
        return !v.n || slice_is(v, "0");
    case IF_ONE:
        return !v.n || slice_is(v, "1");
    case IF_MINUS:
        return !v.n || slice_is(v, "-1");
    case TWO_OR_ONE:
        return !v.n || slice_is(v, "1") || slice_is(v, "2");
    case PASSWORD:
        return !password;
    }
    return false;
}

static char *
entry_value(const struct wbxml_node *n)
{
    struct buf text = BUF_INIT(VALUE_MAX);
    char *value;

    /* A list shows its members. */
    for (const struct wbxml_node *c = n->child; c; c = c->next)
        if (buf_addf(&text, "%s%.*s", text.len ? " " : "",
                     SLICE_FMT(c->text)))
            break;
    value = n->child ? buf_take(&text, NULL)
                     : eas_dup_text(n->text, VALUE_MAX);
    buf_clear(&text);
    return value;
}

static void
entry_add(struct eas_policy *p, const struct wbxml_node *n, bool password)
{
    const char *name =
        wbxml_name(WBXML_PAGE_OF(n->tag), WBXML_TOKEN_OF(n->tag));

    if (p->n >= ENTRIES_MAX)
        return;
    p->entries = xrealloc(p->entries, (p->n + 1) * sizeof *p->entries);
    p->entries[p->n++] = (struct eas_policy_entry){
        .name = name ? xstrdup(name) : xasprintf("tag 0x%04X", n->tag),
        .value = entry_value(n),
        .enforced = is_enforced(n, password)};
}

void
eas_policy_parse(const struct wbxml_node *doc, struct eas_policy *out)
{
    bool password;
    long age;

    *out = (struct eas_policy){0};
    password = wbxml_number(doc, 0, PROVISION_DEVICE_PASSWORD_ENABLED, 0) == 1;
    for (const struct wbxml_node *n = doc ? doc->child : NULL; n; n = n->next)
        entry_add(out, n, password);
    out->require_signed =
        wbxml_number(doc, 0, PROVISION_REQUIRE_SIGNED_SMIME_MESSAGES, 0) == 1;
    out->require_encrypted =
        wbxml_number(doc, 0, PROVISION_REQUIRE_ENCRYPTED_SMIME_MESSAGES, 0) ==
        1;
    out->signed_algorithm = (int)wbxml_number(
        doc, -1, PROVISION_REQUIRE_SIGNED_SMIME_ALGORITHM, 0);
    out->encryption_algorithm = (int)wbxml_number(
        doc, -1, PROVISION_REQUIRE_ENCRYPTION_SMIME_ALGORITHM, 0);
    out->negotiation = (int)wbxml_number(
        doc, -1, PROVISION_ALLOW_SMIME_ENCRYPTION_ALGORITHM_NEGOTIATION, 0);
    out->soft_certs =
        wbxml_number(doc, 1, PROVISION_ALLOW_SMIME_SOFT_CERTS, 0) != 0;
    age = wbxml_number(doc, 0, PROVISION_MAX_EMAIL_AGE_FILTER, 0);
    out->max_age_filter = age >= 0 && age <= 5 ? (int)age : 0;
}

void
eas_policy_gaps(const struct eas_policy *p, char *out, size_t size)
{
    struct buf text;

    buf_init(&text, size - 1);
    for (size_t i = 0; i < p->n; i++)
        if (!p->entries[i].enforced)
            buf_addf(&text, "%s%s", text.len ? ", " : "", p->entries[i].name);
    memcpy(out, text.data ? text.data : "", text.len + 1);
    buf_clear(&text);
}

bool
eas_policy_is_same(const struct eas_policy *a, const struct eas_policy *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->entries[i].name, b->entries[i].name) != 0 ||
            strcmp(a->entries[i].value, b->entries[i].value) != 0)
            return false;
    return true;
}
