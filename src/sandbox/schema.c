/*
 * The rules of requests as a table: which elements stand in which, how many,
 * in what order, what they may hold and since which version. A request that
 * breaks one is answered with the status of its command for that
 * (`command.broken`), never with what was probably meant. What depends on
 * values or on the mailbox is checked by the commands.
 *
 * Sources: MS-ASCMD 2.2.3 (each element), order: 2.2.3.29.2 for Collection,
 * MS-ASAIRS 2.2.2.12 for BodyPreference.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sandbox/call.h"

enum kind {
    TREE,   /* children by the rules of this tag */
    FLAG,   /* empty */
    TEXT,   /* at most `size` bytes, no children */
    ID,     /* the same, not empty, no control characters */
    BOOL,   /* 0 or 1 */
    SWITCH, /* 0, 1, or empty, which is 1 */
    NUMBER, /* decimal */
    BYTES,  /* any bytes */
    OPEN,   /* whatever: looked at by the command */
};

#define MANY 100000

struct rule {
    unsigned parent, child;
    enum kind kind;
    unsigned min, max;
    unsigned size;  /* bytes of TEXT and ID; 0: 1024 */
    unsigned since; /* version; 0: all */
};

/* Children in any order unless the parent is in `ordered`. */
static const struct rule rules[] = {
    /* Sync */
    {AIRSYNC_SYNC, AIRSYNC_COLLECTIONS, TREE, 0, 1, 0, 0},
    {AIRSYNC_SYNC, AIRSYNC_WAIT, NUMBER, 0, 1, 0, 0},
    {AIRSYNC_SYNC, AIRSYNC_HEARTBEAT_INTERVAL, NUMBER, 0, 1, 0, 0},
    {AIRSYNC_SYNC, AIRSYNC_WINDOW_SIZE, NUMBER, 0, 1, 0, 0},
    {AIRSYNC_SYNC, AIRSYNC_PARTIAL, FLAG, 0, 1, 0, 0},
    {AIRSYNC_COLLECTIONS, AIRSYNC_COLLECTION, TREE, 1, MANY, 0, 0},
    {AIRSYNC_COLLECTION, AIRSYNC_SYNC_KEY, ID, 1, 1, 64, 0},
    {AIRSYNC_COLLECTION, AIRSYNC_COLLECTION_ID, ID, 1, 1, 64, 0},
    {AIRSYNC_COLLECTION, AIRSYNC_SUPPORTED, OPEN, 0, 1, 0, 0},
    {AIRSYNC_COLLECTION, AIRSYNC_DELETES_AS_MOVES, SWITCH, 0, 1, 0, 0},
    {AIRSYNC_COLLECTION, AIRSYNC_GET_CHANGES, SWITCH, 0, 1, 0, 0},
    {AIRSYNC_COLLECTION, AIRSYNC_WINDOW_SIZE, NUMBER, 0, 1, 0, 0},
    {AIRSYNC_COLLECTION, AIRSYNC_CONVERSATION_MODE, SWITCH, 0, 1, 0, 0},
    {AIRSYNC_COLLECTION, AIRSYNC_OPTIONS, TREE, 0, 2, 0, 0},
    {AIRSYNC_COLLECTION, AIRSYNC_COMMANDS, TREE, 0, 1, 0, 0},
    {AIRSYNC_OPTIONS, AIRSYNC_FILTER_TYPE, NUMBER, 0, 1, 0, 0},
    {AIRSYNC_OPTIONS, AIRSYNC_CLASS, ID, 0, 1, 64, 0},
    {AIRSYNC_OPTIONS, BASE_BODY_PREFERENCE, TREE, 0, 4, 0, 0},
    {AIRSYNC_OPTIONS, BASE_BODY_PART_PREFERENCE, TREE, 0, 1, 0, 141},
    {AIRSYNC_OPTIONS, AIRSYNC_CONFLICT, BOOL, 0, 1, 0, 0},
    {AIRSYNC_OPTIONS, AIRSYNC_MIME_SUPPORT, NUMBER, 0, 1, 0, 0},
    {AIRSYNC_OPTIONS, AIRSYNC_MIME_TRUNCATION, NUMBER, 0, 1, 0, 0},
    {AIRSYNC_OPTIONS, AIRSYNC_MAX_ITEMS, NUMBER, 0, 1, 0, 0},
    {AIRSYNC_OPTIONS, RIGHTS_RIGHTS_MANAGEMENT_SUPPORT, BOOL, 0, 1, 0, 141},
    {BASE_BODY_PREFERENCE, BASE_TYPE, NUMBER, 1, 1, 0, 0},
    {BASE_BODY_PREFERENCE, BASE_TRUNCATION_SIZE, NUMBER, 0, 1, 0, 0},
    {BASE_BODY_PREFERENCE, BASE_ALL_OR_NONE, BOOL, 0, 1, 0, 0},
    {BASE_BODY_PREFERENCE, BASE_PREVIEW, NUMBER, 0, 1, 0, 0},
    {BASE_BODY_PART_PREFERENCE, BASE_TYPE, NUMBER, 1, 1, 0, 0},
    {BASE_BODY_PART_PREFERENCE, BASE_TRUNCATION_SIZE, NUMBER, 0, 1, 0, 0},
    {BASE_BODY_PART_PREFERENCE, BASE_ALL_OR_NONE, BOOL, 0, 1, 0, 0},
    {BASE_BODY_PART_PREFERENCE, BASE_PREVIEW, NUMBER, 0, 1, 0, 0},
    {AIRSYNC_COMMANDS, AIRSYNC_ADD, TREE, 0, MANY, 0, 0},
    {AIRSYNC_COMMANDS, AIRSYNC_CHANGE, TREE, 0, MANY, 0, 0},
    {AIRSYNC_COMMANDS, AIRSYNC_DELETE, TREE, 0, MANY, 0, 0},
    {AIRSYNC_COMMANDS, AIRSYNC_FETCH, TREE, 0, MANY, 0, 0},
    {AIRSYNC_ADD, AIRSYNC_CLASS, ID, 0, 1, 64, 0},
    {AIRSYNC_ADD, AIRSYNC_CLIENT_ID, ID, 1, 1, 64, 0},
    {AIRSYNC_ADD, AIRSYNC_APPLICATION_DATA, OPEN, 1, 1, 0, 0},
    {AIRSYNC_ADD, EMAIL2_SEND, FLAG, 0, 1, 0, 160},
    {AIRSYNC_CHANGE, AIRSYNC_SERVER_ID, ID, 1, 1, 64, 0},
    {AIRSYNC_CHANGE, BASE_INSTANCE_ID, ID, 0, 1, 64, 160},
    {AIRSYNC_CHANGE, AIRSYNC_APPLICATION_DATA, OPEN, 1, 1, 0, 0},
    {AIRSYNC_CHANGE, EMAIL2_SEND, FLAG, 0, 1, 0, 160},
    {AIRSYNC_DELETE, AIRSYNC_SERVER_ID, ID, 1, 1, 64, 0},
    {AIRSYNC_DELETE, BASE_INSTANCE_ID, ID, 0, 1, 64, 160},
    {AIRSYNC_FETCH, AIRSYNC_SERVER_ID, ID, 1, 1, 64, 0},
    /* GetItemEstimate */
    {ESTIMATE_GET_ITEM_ESTIMATE, ESTIMATE_COLLECTIONS, TREE, 1, 1, 0, 0},
    {ESTIMATE_COLLECTIONS, ESTIMATE_COLLECTION, TREE, 1, 300, 0, 0},
    {ESTIMATE_COLLECTION, AIRSYNC_SYNC_KEY, ID, 1, 1, 64, 0},
    {ESTIMATE_COLLECTION, ESTIMATE_COLLECTION_ID, ID, 1, 1, 64, 0},
    {ESTIMATE_COLLECTION, AIRSYNC_CONVERSATION_MODE, SWITCH, 0, 1, 0, 0},
    {ESTIMATE_COLLECTION, AIRSYNC_OPTIONS, TREE, 0, 2, 0, 0},
    /* FolderSync and its family */
    {FOLDER_FOLDER_SYNC, FOLDER_SYNC_KEY, ID, 1, 1, 64, 0},
    {FOLDER_FOLDER_CREATE, FOLDER_SYNC_KEY, ID, 1, 1, 64, 0},
    {FOLDER_FOLDER_CREATE, FOLDER_PARENT_ID, ID, 1, 1, 64, 0},
    {FOLDER_FOLDER_CREATE, FOLDER_DISPLAY_NAME, ID, 1, 1, 256, 0},
    {FOLDER_FOLDER_CREATE, FOLDER_TYPE, NUMBER, 1, 1, 0, 0},
    {FOLDER_FOLDER_UPDATE, FOLDER_SYNC_KEY, ID, 1, 1, 64, 0},
    {FOLDER_FOLDER_UPDATE, FOLDER_SERVER_ID, ID, 1, 1, 64, 0},
    {FOLDER_FOLDER_UPDATE, FOLDER_PARENT_ID, ID, 1, 1, 64, 0},
    {FOLDER_FOLDER_UPDATE, FOLDER_DISPLAY_NAME, ID, 1, 1, 256, 0},
    {FOLDER_FOLDER_DELETE, FOLDER_SYNC_KEY, ID, 1, 1, 64, 0},
    {FOLDER_FOLDER_DELETE, FOLDER_SERVER_ID, ID, 1, 1, 64, 0},
    /* Ping */
    {PING_PING, PING_HEARTBEAT_INTERVAL, NUMBER, 0, 1, 0, 0},
    {PING_PING, PING_FOLDERS, TREE, 0, 1, 0, 0},
    {PING_FOLDERS, PING_FOLDER, TREE, 1, MANY, 0, 0},
    {PING_FOLDER, PING_ID, ID, 1, 1, 64, 0},
    {PING_FOLDER, PING_CLASS, ID, 1, 1, 64, 0},
    /* ItemOperations */
    {ITEMOPS_ITEM_OPERATIONS, ITEMOPS_FETCH, TREE, 0, MANY, 0, 0},
    {ITEMOPS_ITEM_OPERATIONS, ITEMOPS_EMPTY_FOLDER_CONTENTS, TREE, 0, MANY, 0,
     0},
    {ITEMOPS_ITEM_OPERATIONS, ITEMOPS_MOVE, TREE, 0, MANY, 0, 0},
    {ITEMOPS_FETCH, ITEMOPS_STORE, ID, 1, 1, 256, 0},
    {ITEMOPS_FETCH, AIRSYNC_COLLECTION_ID, ID, 0, 1, 64, 0},
    {ITEMOPS_FETCH, AIRSYNC_SERVER_ID, ID, 0, 1, 64, 0},
    {ITEMOPS_FETCH, SEARCH_LONG_ID, ID, 0, 1, 256, 0},
    {ITEMOPS_FETCH, BASE_FILE_REFERENCE, TEXT, 0, 1, 0, 0},
    {ITEMOPS_FETCH, ITEMOPS_OPTIONS, TREE, 0, 1, 0, 0},
    {ITEMOPS_FETCH, RIGHTS_REMOVE_RIGHTS_MANAGEMENT_PROTECTION, FLAG, 0, 1, 0,
     141},
    {ITEMOPS_OPTIONS, AIRSYNC_MIME_SUPPORT, NUMBER, 0, 1, 0, 0},
    {ITEMOPS_OPTIONS, BASE_BODY_PREFERENCE, TREE, 0, 4, 0, 0},
    {ITEMOPS_OPTIONS, BASE_BODY_PART_PREFERENCE, TREE, 0, 1, 0, 141},
    {ITEMOPS_OPTIONS, ITEMOPS_SCHEMA, OPEN, 0, 1, 0, 0},
    {ITEMOPS_OPTIONS, ITEMOPS_RANGE, ID, 0, 1, 64, 0},
    {ITEMOPS_OPTIONS, ITEMOPS_DELETE_SUB_FOLDERS, FLAG, 0, 1, 0, 0},
    {ITEMOPS_OPTIONS, ITEMOPS_MOVE_ALWAYS, FLAG, 0, 1, 0, 0},
    {ITEMOPS_OPTIONS, RIGHTS_RIGHTS_MANAGEMENT_SUPPORT, BOOL, 0, 1, 0, 141},
    {ITEMOPS_EMPTY_FOLDER_CONTENTS, AIRSYNC_COLLECTION_ID, ID, 1, 1, 64, 0},
    {ITEMOPS_EMPTY_FOLDER_CONTENTS, ITEMOPS_OPTIONS, TREE, 0, 1, 0, 0},
    {ITEMOPS_MOVE, ITEMOPS_CONVERSATION_ID, BYTES, 1, 1, 0, 0},
    {ITEMOPS_MOVE, ITEMOPS_DST_FLD_ID, ID, 1, 1, 64, 0},
    {ITEMOPS_MOVE, ITEMOPS_OPTIONS, TREE, 0, 1, 0, 0},
    /* MoveItems */
    {MOVE_MOVE_ITEMS, MOVE_MOVE, TREE, 1, 1000, 0, 0},
    {MOVE_MOVE, MOVE_SRC_MSG_ID, ID, 1, 1, 64, 0},
    {MOVE_MOVE, MOVE_SRC_FLD_ID, ID, 1, 1, 64, 0},
    {MOVE_MOVE, MOVE_DST_FLD_ID, ID, 1, 1, 64, 0},
    /* ComposeMail */
    {COMPOSE_SEND_MAIL, COMPOSE_CLIENT_ID, ID, 1, 1, 40, 0},
    {COMPOSE_SEND_MAIL, COMPOSE_ACCOUNT_ID, ID, 0, 1, 0, 141},
    {COMPOSE_SEND_MAIL, COMPOSE_SAVE_IN_SENT_ITEMS, FLAG, 0, 1, 0, 0},
    {COMPOSE_SEND_MAIL, COMPOSE_MIME, BYTES, 1, 1, 0, 0},
    {COMPOSE_SEND_MAIL, RIGHTS_TEMPLATE_ID, ID, 0, 1, 0, 141},
    {COMPOSE_SMART_REPLY, COMPOSE_CLIENT_ID, ID, 1, 1, 40, 0},
    {COMPOSE_SMART_REPLY, COMPOSE_SOURCE, TREE, 1, 1, 0, 0},
    {COMPOSE_SMART_REPLY, COMPOSE_ACCOUNT_ID, ID, 0, 1, 0, 141},
    {COMPOSE_SMART_REPLY, COMPOSE_SAVE_IN_SENT_ITEMS, FLAG, 0, 1, 0, 0},
    {COMPOSE_SMART_REPLY, COMPOSE_REPLACE_MIME, FLAG, 0, 1, 0, 0},
    {COMPOSE_SMART_REPLY, COMPOSE_MIME, BYTES, 1, 1, 0, 0},
    {COMPOSE_SMART_REPLY, RIGHTS_TEMPLATE_ID, ID, 0, 1, 0, 141},
    {COMPOSE_SMART_FORWARD, COMPOSE_CLIENT_ID, ID, 1, 1, 40, 0},
    {COMPOSE_SMART_FORWARD, COMPOSE_SOURCE, TREE, 1, 1, 0, 0},
    {COMPOSE_SMART_FORWARD, COMPOSE_ACCOUNT_ID, ID, 0, 1, 0, 141},
    {COMPOSE_SMART_FORWARD, COMPOSE_SAVE_IN_SENT_ITEMS, FLAG, 0, 1, 0, 0},
    {COMPOSE_SMART_FORWARD, COMPOSE_REPLACE_MIME, FLAG, 0, 1, 0, 0},
    {COMPOSE_SMART_FORWARD, COMPOSE_MIME, BYTES, 0, 1, 0, 0},
    {COMPOSE_SMART_FORWARD, RIGHTS_TEMPLATE_ID, ID, 0, 1, 0, 141},
    {COMPOSE_SMART_FORWARD, BASE_BODY, OPEN, 0, 1, 0, 160},
    {COMPOSE_SMART_FORWARD, COMPOSE_FORWARDEES, OPEN, 0, 1, 0, 160},
    {COMPOSE_SOURCE, COMPOSE_FOLDER_ID, ID, 0, 1, 64, 0},
    {COMPOSE_SOURCE, COMPOSE_ITEM_ID, ID, 0, 1, 64, 0},
    {COMPOSE_SOURCE, COMPOSE_LONG_ID, ID, 0, 1, 256, 0},
    {COMPOSE_SOURCE, COMPOSE_INSTANCE_ID, ID, 0, 1, 64, 0},
    /* Provision */
    {PROVISION_PROVISION, SETTINGS_DEVICE_INFORMATION, TREE, 0, 1, 0, 141},
    {PROVISION_PROVISION, PROVISION_POLICIES, TREE, 0, 1, 0, 0},
    {PROVISION_PROVISION, PROVISION_REMOTE_WIPE, TREE, 0, 1, 0, 0},
    {PROVISION_PROVISION, PROVISION_ACCOUNT_ONLY_REMOTE_WIPE, OPEN, 0, 1, 0,
     161},
    {PROVISION_POLICIES, PROVISION_POLICY, TREE, 1, 1, 0, 0},
    {PROVISION_POLICY, PROVISION_POLICY_TYPE, ID, 1, 1, 0, 0},
    {PROVISION_POLICY, PROVISION_POLICY_KEY, NUMBER, 0, 1, 0, 0},
    {PROVISION_POLICY, PROVISION_STATUS, NUMBER, 0, 1, 0, 0},
    {PROVISION_REMOTE_WIPE, PROVISION_STATUS, NUMBER, 1, 1, 0, 0},
    /* Settings */
    {SETTINGS_SETTINGS, SETTINGS_RIGHTS_MANAGEMENT_INFORMATION, OPEN, 0, 1, 0,
     141},
    {SETTINGS_SETTINGS, SETTINGS_OOF, TREE, 0, 1, 0, 0},
    {SETTINGS_SETTINGS, SETTINGS_DEVICE_PASSWORD, OPEN, 0, 1, 0, 0},
    {SETTINGS_SETTINGS, SETTINGS_DEVICE_INFORMATION, TREE, 0, 1, 0, 0},
    {SETTINGS_SETTINGS, SETTINGS_USER_INFORMATION, TREE, 0, 1, 0, 0},
    {SETTINGS_OOF, SETTINGS_GET, TREE, 0, 1, 0, 0},
    {SETTINGS_OOF, SETTINGS_SET, OPEN, 0, 1, 0, 0},
    {SETTINGS_GET, SETTINGS_BODY_TYPE, ID, 0, 1, 0, 0},
    {SETTINGS_USER_INFORMATION, SETTINGS_GET, TREE, 1, 1, 0, 0},
    {SETTINGS_DEVICE_INFORMATION, SETTINGS_SET, TREE, 1, 1, 0, 0},
    {SETTINGS_SET, SETTINGS_MODEL, TEXT, 0, 1, 0, 0},
    {SETTINGS_SET, SETTINGS_IMEI, TEXT, 0, 1, 0, 0},
    {SETTINGS_SET, SETTINGS_FRIENDLY_NAME, TEXT, 0, 1, 0, 0},
    {SETTINGS_SET, SETTINGS_OS, TEXT, 0, 1, 0, 0},
    {SETTINGS_SET, SETTINGS_OS_LANGUAGE, TEXT, 0, 1, 0, 0},
    {SETTINGS_SET, SETTINGS_PHONE_NUMBER, TEXT, 0, 1, 0, 0},
    {SETTINGS_SET, SETTINGS_USER_AGENT, TEXT, 0, 1, 0, 0},
    {SETTINGS_SET, SETTINGS_ENABLE_OUTBOUND_SMS, BOOL, 0, 1, 0, 0},
    {SETTINGS_SET, SETTINGS_MOBILE_OPERATOR, TEXT, 0, 1, 0, 0},
    /* Search */
    {SEARCH_SEARCH, SEARCH_STORE, TREE, 1, 1, 0, 0},
    {SEARCH_STORE, SEARCH_NAME, ID, 1, 1, 64, 0},
    {SEARCH_STORE, SEARCH_QUERY, OPEN, 1, 1, 0, 0},
    {SEARCH_STORE, SEARCH_OPTIONS, TREE, 0, 1, 0, 0},
    {SEARCH_OPTIONS, SEARCH_RANGE, ID, 0, 1, 64, 0},
    {SEARCH_OPTIONS, SEARCH_DEEP_TRAVERSAL, FLAG, 0, 1, 0, 0},
    {SEARCH_OPTIONS, SEARCH_REBUILD_RESULTS, FLAG, 0, 1, 0, 0},
    {SEARCH_OPTIONS, SEARCH_USER_NAME, TEXT, 0, 1, 0, 0},
    {SEARCH_OPTIONS, SEARCH_PASSWORD, TEXT, 0, 1, 0, 0},
    {SEARCH_OPTIONS, SEARCH_PICTURE, OPEN, 0, 1, 0, 141},
    {SEARCH_OPTIONS, AIRSYNC_MIME_SUPPORT, NUMBER, 0, 1, 0, 0},
    {SEARCH_OPTIONS, BASE_BODY_PREFERENCE, TREE, 0, 4, 0, 0},
    {SEARCH_OPTIONS, BASE_BODY_PART_PREFERENCE, TREE, 0, 1, 0, 141},
    {SEARCH_OPTIONS, RIGHTS_RIGHTS_MANAGEMENT_SUPPORT, BOOL, 0, 1, 0, 141},
    /* Find */
    {FIND_FIND, FIND_SEARCH_ID, ID, 1, 1, 63, 0},
    {FIND_FIND, FIND_EXECUTE_SEARCH, TREE, 1, 1, 0, 0},
    {FIND_EXECUTE_SEARCH, FIND_MAIL_BOX_SEARCH_CRITERION, TREE, 0, 1, 0, 0},
    {FIND_EXECUTE_SEARCH, FIND_GAL_SEARCH_CRITERION, TREE, 0, 1, 0, 0},
    {FIND_MAIL_BOX_SEARCH_CRITERION, FIND_QUERY, TREE, 1, 1, 0, 0},
    {FIND_MAIL_BOX_SEARCH_CRITERION, FIND_OPTIONS, TREE, 0, 1, 0, 0},
    {FIND_QUERY, AIRSYNC_CLASS, ID, 0, 1, 64, 0},
    {FIND_QUERY, AIRSYNC_COLLECTION_ID, ID, 0, 1, 64, 0},
    {FIND_QUERY, FIND_FREE_TEXT, TEXT, 1, 1, 4096, 0},
    {FIND_GAL_SEARCH_CRITERION, FIND_QUERY, TEXT, 1, 1, 256, 0},
    {FIND_GAL_SEARCH_CRITERION, FIND_OPTIONS, TREE, 0, 1, 0, 0},
    {FIND_OPTIONS, FIND_RANGE, ID, 0, 1, 64, 0},
    {FIND_OPTIONS, FIND_DEEP_TRAVERSAL, FLAG, 0, 1, 0, 0},
    {FIND_OPTIONS, FIND_PICTURE, OPEN, 0, 1, 0, 0},
    /* ValidateCert */
    {VALIDATE_VALIDATE_CERT, VALIDATE_CERTIFICATE_CHAIN, TREE, 0, 1, 0, 0},
    {VALIDATE_VALIDATE_CERT, VALIDATE_CERTIFICATES, TREE, 1, 1, 0, 0},
    {VALIDATE_VALIDATE_CERT, VALIDATE_CHECK_CRL, BOOL, 0, 1, 0, 0},
    {VALIDATE_CERTIFICATE_CHAIN, VALIDATE_CERTIFICATE, BYTES, 1, MANY, 0, 0},
    {VALIDATE_CERTIFICATES, VALIDATE_CERTIFICATE, BYTES, 1, MANY, 0, 0},
    /* ResolveRecipients */
    {RESOLVE_RESOLVE_RECIPIENTS, RESOLVE_TO, ID, 1, 100, 256, 0},
    {RESOLVE_RESOLVE_RECIPIENTS, RESOLVE_OPTIONS, TREE, 0, 1, 0, 0},
    {RESOLVE_OPTIONS, RESOLVE_CERTIFICATE_RETRIEVAL, NUMBER, 0, 1, 0, 0},
    {RESOLVE_OPTIONS, RESOLVE_MAX_CERTIFICATES, NUMBER, 0, 1, 0, 0},
    {RESOLVE_OPTIONS, RESOLVE_MAX_AMBIGUOUS_RECIPIENTS, NUMBER, 0, 1, 0, 0},
    {RESOLVE_OPTIONS, RESOLVE_AVAILABILITY, OPEN, 0, 1, 0, 0},
    {RESOLVE_OPTIONS, RESOLVE_PICTURE, OPEN, 0, 1, 0, 141},
};

/* Their children stand in the order of the table. */
static const unsigned ordered[] = {
    AIRSYNC_COLLECTION,  BASE_BODY_PREFERENCE, BASE_BODY_PART_PREFERENCE,
    ESTIMATE_COLLECTION, PROVISION_POLICY,     AIRSYNC_CHANGE,
};

static bool
is_ordered(unsigned tag)
{
    for (size_t i = 0; i < ARRAY_LEN(ordered); i++)
        if (ordered[i] == tag)
            return true;
    return false;
}

static const struct rule *
rule_find(unsigned parent, unsigned child)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (rules[i].parent == parent && rules[i].child == child)
            return &rules[i];
    return NULL;
}

static bool
text_is_clean(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 32 || s.p[i] == 127)
            return false;
    return true;
}

static bool
content_fits(const struct rule *r, const struct wbxml_node *n)
{
    uint32_t number;
    size_t size = r->size ? r->size : 1024;
    bool bit = slice_is(n->text, "0") || slice_is(n->text, "1");

    if (r->kind == TREE || r->kind == OPEN)
        return r->kind == OPEN || !n->text.n;
    if (n->child)
        return false;
    switch (r->kind) {
    case FLAG:
        return !n->text.n;
    case TEXT:
        return n->text.n <= size;
    case ID:
        return n->text.n && n->text.n <= size && text_is_clean(n->text);
    case BOOL:
        return bit;
    case SWITCH:
        return bit || !n->text.n;
    case NUMBER:
        return slice_u32(n->text, &number);
    default:
        return true;
    }
}

struct walk {
    unsigned version;
    char *why;
    size_t size;
};

static bool
refuse(struct walk *w, const struct wbxml_node *at, const char *what)
{
    snprintf(w->why, w->size, "%s in %s: %s", wbxml_tag_name(at->tag),
             at->parent ? wbxml_tag_name(at->parent->tag) : "nothing", what);
    return false;
}

static bool
count_fits(struct walk *w, const struct wbxml_node *n)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        unsigned count = 0;

        if (rules[i].parent != n->tag)
            continue;
        for (const struct wbxml_node *c = n->child; c; c = c->next)
            count += c->tag == rules[i].child;
        if (count < rules[i].min || count > rules[i].max) {
            snprintf(w->why, w->size, "%u times %s in %s", count,
                     wbxml_tag_name(rules[i].child), wbxml_tag_name(n->tag));
            return false;
        }
    }
    return true;
}

static bool
tree_fits(struct walk *w, const struct wbxml_node *n)
{
    const struct rule *r, *last = NULL;
    bool in_order = is_ordered(n->tag);

    for (const struct wbxml_node *c = n->child; c; c = c->next) {
        r = rule_find(n->tag, c->tag);
        if (!r)
            return refuse(w, c, "not allowed");
        if (r->since > w->version)
            return refuse(w, c, "not in this version");
        if (in_order && last && r < last)
            return refuse(w, c, "out of order");
        if (!content_fits(r, c))
            return refuse(w, c, "content");
        if (r->kind == TREE && !tree_fits(w, c))
            return false;
        last = r;
    }
    return count_fits(w, n);
}

bool
schema_check(const struct wbxml_node *root, unsigned version, char *why,
             size_t size)
{
    struct walk w = {version, why, size};

    return tree_fits(&w, root);
}
