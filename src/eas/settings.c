/*
 * Two questions with short answers: Settings UserInformation, the account's
 * own addresses (MS-ASCMD 2.2.3.192), and GetItemEstimate (2.2.1.9).
 */
#include <stdlib.h>

#include "base/mem.h"
#include "eas/private.h"

#define ADDRESSES_MAX 400
#define ADDRESS_LEN 320

struct user_call {
    struct eas_call call;
    struct eas_user *out;
};

struct estimate_call {
    struct eas_call call;
    char *collection, *key;
    int filter;
    uint64_t *out;
};

/* ---- UserInformation */

static int
user_build(struct eas_call *c, struct err *e)
{
    struct wbxml_writer *w = &c->req.w;

    (void)e;
    wbxml_write_start(w, SETTINGS_SETTINGS);
    wbxml_write_start(w, SETTINGS_USER_INFORMATION);
    wbxml_write_empty(w, SETTINGS_GET);
    wbxml_write_end(w);
    wbxml_write_end(w);
    return 0;
}

static void
address_add(struct eas_user *u, struct slice s)
{
    s = slice_trim(s);
    if (!s.n || s.n > ADDRESS_LEN || slice_has(s, '\0') ||
        u->n >= ADDRESSES_MAX)
        return;
    for (size_t i = 0; i < u->n; i++)
        if (slice_iis(s, u->addresses[i]))
            return;
    u->addresses = xrealloc(u->addresses, (u->n + 1) * sizeof *u->addresses);
    u->addresses[u->n++] = slice_dup(s);
}

static void
addresses_take(struct eas_user *u, const struct wbxml_node *list, unsigned tag)
{
    const struct wbxml_node *n = wbxml_find(list, tag, 0);

    for (; n; n = wbxml_again(n))
        address_add(u, n->text);
}

/* Under Get directly up to 14.0, by account from 14.1 on; read both. */
static void
user_take(struct eas_user *u, const struct wbxml_node *get)
{
    const struct wbxml_node *account;
    const struct wbxml_node *list =
        wbxml_find(get, SETTINGS_EMAIL_ADDRESSES, 0);

    addresses_take(u, list, SETTINGS_PRIMARY_SMTP_ADDRESS);
    addresses_take(u, list, SETTINGS_SMTP_ADDRESS);
    account = wbxml_find(get, SETTINGS_ACCOUNTS, SETTINGS_ACCOUNT, 0);
    for (; account; account = wbxml_again(account)) {
        list = wbxml_find(account, SETTINGS_EMAIL_ADDRESSES, 0);
        addresses_take(u, list, SETTINGS_PRIMARY_SMTP_ADDRESS);
        addresses_take(u, list, SETTINGS_SMTP_ADDRESS);
    }
}

static int
user_answer(struct eas_call *c, struct slice body, struct err *e)
{
    struct eas_user *out = ((struct user_call *)c)->out;
    struct arena *a = arena_new();
    const struct wbxml_node *info;
    struct wbxml_node *root;
    long status = 1;
    int rc = eas_answer_tree(a, body, SETTINGS_SETTINGS, &root, e);

    if (!rc) {
        info = wbxml_find(root, SETTINGS_USER_INFORMATION, 0);
        status = wbxml_number(root, 1, SETTINGS_STATUS, 0);
        if (status == 1)
            status = wbxml_number(info, 1, SETTINGS_STATUS, 0);
        if (status == 1)
            user_take(out, wbxml_find(info, SETTINGS_GET, 0));
        else
            rc = eas_status_err(e, EAS_CMD_SETTINGS, (int)status);
    }
    arena_free(&a);
    return rc;
}

struct op *
eas_user_get(struct eas *eas, struct eas_user *out, op_done_fn *done,
             void *arg)
{
    static const struct eas_call_kind kind = {.command = EAS_CMD_SETTINGS,
                                              .build = user_build,
                                              .answer = user_answer};
    struct user_call *u = eas_call_new(eas, &kind, sizeof *u);

    *out = (struct eas_user){0};
    u->out = out;
    return eas_call_start(&u->call, done, arg);
}

void
eas_user_clear(struct eas_user *u)
{
    for (size_t i = 0; i < u->n; i++)
        free(u->addresses[i]);
    free(u->addresses);
    *u = (struct eas_user){0};
}

/* ---- GetItemEstimate */

/* Order for 14.0 and later: SyncKey, CollectionId, Options. */
static int
estimate_build(struct eas_call *c, struct err *e)
{
    struct estimate_call *g = (struct estimate_call *)c;
    struct wbxml_writer *w = &c->req.w;

    (void)e;
    wbxml_write_start(w, ESTIMATE_GET_ITEM_ESTIMATE);
    wbxml_write_start(w, ESTIMATE_COLLECTIONS);
    wbxml_write_start(w, ESTIMATE_COLLECTION);
    wbxml_write_text(w, AIRSYNC_SYNC_KEY, g->key);
    wbxml_write_text(w, ESTIMATE_COLLECTION_ID, g->collection);
    wbxml_write_start(w, AIRSYNC_OPTIONS);
    wbxml_write_number(w, AIRSYNC_FILTER_TYPE, g->filter);
    wbxml_write_end(w);
    wbxml_write_end(w);
    wbxml_write_end(w);
    wbxml_write_end(w);
    return 0;
}

static int
estimate_answer(struct eas_call *c, struct slice body, struct err *e)
{
    struct estimate_call *g = (struct estimate_call *)c;
    struct arena *a = arena_new();
    const struct wbxml_node *response;
    struct wbxml_node *root;
    long status, n = -1;
    int rc = eas_answer_tree(a, body, ESTIMATE_GET_ITEM_ESTIMATE, &root, e);

    if (!rc) {
        response = wbxml_find(root, ESTIMATE_RESPONSE, 0);
        status = wbxml_number(response, 0, ESTIMATE_STATUS, 0);
        if (!status)
            status = wbxml_number(root, 1, ESTIMATE_STATUS, 0);
        n = wbxml_number(response, -1, ESTIMATE_COLLECTION, ESTIMATE_ESTIMATE,
                         0);
        if (status != 1)
            rc = eas_status_err(e, EAS_CMD_GETITEMESTIMATE, (int)status);
        else if (n < 0)
            rc = err_set(e, E_RETRY, "GetItemEstimate was answered without a "
                                     "number");
    }
    if (!rc)
        *g->out = (uint64_t)n;
    arena_free(&a);
    return rc;
}

static void
estimate_clear(struct eas_call *c)
{
    free(((struct estimate_call *)c)->collection);
    free(((struct estimate_call *)c)->key);
}

struct op *
eas_estimate(struct eas *eas, const char *collection, const char *key,
             int filter, uint64_t *out, op_done_fn *done, void *arg)
{
    static const struct eas_call_kind kind = {
        .command = EAS_CMD_GETITEMESTIMATE,
        .build = estimate_build,
        .answer = estimate_answer,
        .clear = estimate_clear};
    struct estimate_call *g = eas_call_new(eas, &kind, sizeof *g);

    g->out = out;
    g->collection = xstrdup(collection);
    g->key = xstrdup(key);
    g->filter = filter;
    eas_call_lane(&g->call, collection);
    return eas_call_start(&g->call, done, arg);
}
