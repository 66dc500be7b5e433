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
    FULFILLED,  /* whatever it says */
    IF_ZERO,    /* fine as 0, empty or absent */
    IF_ONE,     /* fine as 1 or empty */
    IF_NONE,    /* a limit: fine when empty or 0 */
    PASSWORD,   /* counts only while a device password is asked for */
    TWO_OR_ONE, /* not 0 */
};

/* How, for people; `not` when the rule says no. */
#define BY_OUTBOX "by what is sent"
#define NOT_MAIL "this is a gateway for mail only"
#define NOT_DEVICE "a gateway has no power over the machine"
static const struct {
    unsigned tag;
    enum rule rule;
    const char *how, *not;
} rules[] = {
#define PASS(name) {name, PASSWORD, "no device password is asked for", NOT_DEVICE}
    {PROVISION_DEVICE_PASSWORD_ENABLED, IF_ZERO, "none is asked for",
     NOT_DEVICE},
    PASS(PROVISION_ALPHANUMERIC_DEVICE_PASSWORD_REQUIRED),
    PASS(PROVISION_PASSWORD_RECOVERY_ENABLED),
    PASS(PROVISION_MIN_DEVICE_PASSWORD_LENGTH),
    PASS(PROVISION_MIN_DEVICE_PASSWORD_COMPLEX_CHARACTERS),
    PASS(PROVISION_MAX_INACTIVITY_TIME_DEVICE_LOCK),
    PASS(PROVISION_MAX_DEVICE_PASSWORD_FAILED_ATTEMPTS),
    PASS(PROVISION_ALLOW_SIMPLE_DEVICE_PASSWORD),
    PASS(PROVISION_DEVICE_PASSWORD_EXPIRATION),
    PASS(PROVISION_DEVICE_PASSWORD_HISTORY),
#undef PASS
    {PROVISION_DOCUMENT_BROWSE_ENABLED, FULFILLED, NOT_MAIL, NULL},
    {PROVISION_ATTACHMENTS_ENABLED, FULFILLED,
     "0: mail comes without its attachments", NULL},
    {PROVISION_MAX_ATTACHMENT_SIZE, FULFILLED,
     "larger ones are withheld", NULL},
    {PROVISION_MAX_CALENDAR_AGE_FILTER, FULFILLED, NOT_MAIL, NULL},
    {PROVISION_MAX_EMAIL_AGE_FILTER, FULFILLED, "by what is synchronised",
     NULL},
    {PROVISION_MAX_EMAIL_BODY_TRUNCATION_SIZE, FULFILLED,
     "longer text is cut by the server", NULL},
    {PROVISION_MAX_EMAIL_HTML_BODY_TRUNCATION_SIZE, FULFILLED,
     "longer text is cut by the server", NULL},
    {PROVISION_REQUIRE_DEVICE_ENCRYPTION, IF_ZERO, "not asked for",
     "encrypting the whole store is not built yet"},
    {PROVISION_REQUIRE_STORAGE_CARD_ENCRYPTION, IF_ZERO, "not asked for",
     NOT_DEVICE},
    {PROVISION_REQUIRE_MANUAL_SYNC_WHEN_ROAMING, FULFILLED,
     "ignored: a gateway does not roam", NULL},
    {PROVISION_REQUIRE_SIGNED_SMIME_MESSAGES, FULFILLED, BY_OUTBOX, NULL},
    {PROVISION_REQUIRE_ENCRYPTED_SMIME_MESSAGES, FULFILLED, BY_OUTBOX, NULL},
    /* Older than SHA-2 and AES (SPEC section 9). */
    {PROVISION_REQUIRE_SIGNED_SMIME_ALGORITHM, FULFILLED,
     "reads as: not weaker; SHA-256 fulfils it", NULL},
    {PROVISION_REQUIRE_ENCRYPTION_SMIME_ALGORITHM, FULFILLED,
     "reads as: not weaker; AES fulfils it", NULL},
    {PROVISION_ALLOW_SMIME_ENCRYPTION_ALGORITHM_NEGOTIATION, FULFILLED,
     "0: what must be encrypted is refused", NULL},
    {PROVISION_ALLOW_SMIME_SOFT_CERTS, FULFILLED,
     "0: keys in files do not sign", NULL},
    {PROVISION_ALLOW_STORAGE_CARD, IF_ONE, "allowed",
     NOT_DEVICE},
    {PROVISION_ALLOW_CAMERA, IF_ONE, "allowed",
     NOT_DEVICE},
    {PROVISION_ALLOW_UNSIGNED_APPLICATIONS, IF_ONE, "allowed",
     NOT_DEVICE},
    {PROVISION_ALLOW_UNSIGNED_INSTALLATION_PACKAGES, IF_ONE, "allowed",
     NOT_DEVICE},
    {PROVISION_ALLOW_WI_FI, IF_ONE, "allowed",
     NOT_DEVICE},
    {PROVISION_ALLOW_TEXT_MESSAGING, IF_ONE, "allowed",
     NOT_DEVICE},
    {PROVISION_ALLOW_POPIMAP_EMAIL, IF_ONE, "allowed",
     NOT_DEVICE},
    {PROVISION_ALLOW_BLUETOOTH, TWO_OR_ONE, "allowed",
     NOT_DEVICE},
    {PROVISION_ALLOW_IR_DA, IF_ONE, "allowed",
     NOT_DEVICE},
    {PROVISION_ALLOW_DESKTOP_SYNC, IF_ONE, "allowed",
     NOT_DEVICE},
    {PROVISION_ALLOW_HTML_EMAIL, IF_ONE, "allowed",
     NOT_DEVICE},
    {PROVISION_ALLOW_BROWSER, IF_ONE, "allowed",
     NOT_DEVICE},
    {PROVISION_ALLOW_CONSUMER_EMAIL, IF_ONE, "allowed",
     NOT_DEVICE},
    {PROVISION_ALLOW_REMOTE_DESKTOP, IF_ONE, "allowed",
     NOT_DEVICE},
    {PROVISION_ALLOW_INTERNET_SHARING, IF_ONE, "allowed",
     NOT_DEVICE},
    {PROVISION_UNAPPROVED_IN_ROM_APPLICATION_LIST, IF_NONE, "empty",
     NOT_DEVICE},
    {PROVISION_APPROVED_APPLICATION_LIST, IF_NONE, "empty",
     NOT_DEVICE},
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
is_fulfilled(enum rule rule, struct slice v, bool password)
{
    switch (rule) {
    case FULFILLED:
        return true;
    case IF_ZERO:
    case IF_NONE:
        return !v.n || slice_is(v, "0");
    case IF_ONE:
        return !v.n || slice_is(v, "1");
    case TWO_OR_ONE:
        return !v.n || slice_is(v, "1") || slice_is(v, "2");
    case PASSWORD:
        return !password;
    }
    return false;
}

static bool
is_enforced(const struct wbxml_node *n, bool password, const char **how)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        bool yes = !n->child && is_fulfilled(rules[i].rule,
                                             slice_trim(n->text), password);

        if (rules[i].tag != n->tag)
            continue;
        *how = yes ? rules[i].how : rules[i].not;
        return yes;
    }
    /* An element we never heard of: fine when it asks for nothing. */
    *how = "not known";
    return !n->child && is_fulfilled(IF_NONE, slice_trim(n->text), password);
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
    const char *how;
    bool enforced = is_enforced(n, password, &how);

    if (p->n >= ENTRIES_MAX)
        return;
    p->entries = xrealloc(p->entries, (p->n + 1) * sizeof *p->entries);
    p->entries[p->n++] = (struct eas_policy_entry){
        .name = name ? xstrdup(name) : xasprintf("tag 0x%04X", n->tag),
        .value = entry_value(n),
        .enforced = enforced,
        .how = how};
}

/* A size in KB; what is absent, empty or below 0 is no limit. */
static int64_t
size_limit(const struct wbxml_node *doc, unsigned tag)
{
    long v = wbxml_number(doc, -1, tag, 0);

    return v >= 0 ? v : -1;
}

static void
parse_limits(const struct wbxml_node *doc, struct eas_policy *out)
{
    long size = wbxml_number(doc, 0, PROVISION_MAX_ATTACHMENT_SIZE, 0);

    out->no_attachments =
        wbxml_number(doc, 1, PROVISION_ATTACHMENTS_ENABLED, 0) == 0;
    out->max_attachment = size > 0 ? (uint64_t)size : 0;
    out->max_text = size_limit(doc, PROVISION_MAX_EMAIL_BODY_TRUNCATION_SIZE);
    out->max_html =
        size_limit(doc, PROVISION_MAX_EMAIL_HTML_BODY_TRUNCATION_SIZE);
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
    parse_limits(doc, out);
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
