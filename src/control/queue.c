/*
 * The queue: what waits, and what a person decides about it. An id is unique
 * in all accounts but for a chance nobody lives to see; the account may be
 * named to be sure.
 */
#include "control/private.h"

#include <string.h>

#include <jansson.h>

#include "account/account.h"
#include "base/arena.h"
#include "base/mem.h"
#include "outbox/outbox.h"
#include "store/queue.h"
#include "store/store.h"

static const char *const states[] = {
    [STORE_QUEUE_NEW] = "new",   [STORE_QUEUE_SEALED] = "sealed",
    [STORE_QUEUE_SENDING] = "sending", [STORE_QUEUE_HELD] = "held",
    [STORE_QUEUE_SENT] = "sent",
};

static json_t *
text(const char *s)
{
    json_t *j = json_string(s ? s : "");

    return j ? j : json_string("?");
}

static json_t *
recipients_json(const char *list)
{
    struct slice rest = slice_of(list), one;
    json_t *rows = json_array();

    while (slice_next(&rest, ' ', &one))
        if (one.n) {
            json_t *j = json_stringn(one.p, one.n);

            json_array_append_new(rows, j ? j : json_string("?"));
        }
    return rows;
}

static json_t *
submission_json(const struct account *a, const struct store_submission *s)
{
    json_t *o = json_object();

    json_object_set_new(o, "id", text(s->id));
    json_object_set_new(o, "account", text(account_name(a)));
    json_object_set_new(o, "state", json_string(states[s->state]));
    json_object_set_new(o, "sender", text(s->sender));
    json_object_set_new(o, "recipients", recipients_json(s->recipients));
    json_object_set_new(o, "message_id", text(s->message_id));
    json_object_set_new(o, "size", json_integer((json_int_t)s->size));
    json_object_set_new(o, "signed", json_boolean(s->signed_));
    json_object_set_new(o, "encrypted", json_boolean(s->encrypted));
    json_object_set_new(o, "created", json_integer(s->created));
    json_object_set_new(o, "next_try", s->next_try > 0
                                           ? json_integer(s->next_try)
                                           : json_null());
    json_object_set_new(o, "tries", json_integer(s->tries));
    json_object_set_new(o, "error", *s->error ? text(s->error) : json_null());
    json_object_set_new(o, "parent",
                        *s->parent ? text(s->parent) : json_null());
    return o;
}

/* Rows of one account into the page; 1: the page is full. */
static int
page_fill(const struct account *a, struct store *s, const char *after,
          json_t *rows, struct err *e)
{
    struct arena *arena = arena_new();
    struct store_submission row;
    char id[40];
    int rc = 0;

    snprintf(id, sizeof id, "%s", after);
    while (json_array_size(rows) < CONTROL_PAGE &&
           (rc = store_queue_next_open(s, id, arena, &row, e)) == 1) {
        json_array_append_new(rows, submission_json(a, &row));
        snprintf(id, sizeof id, "%s", row.id);
        arena_reset(arena);
    }
    arena_free(&arena);
    return rc;
}

/* {"rows": [...], "next": null, or what to send as "after" to go on}. */
int
control_queue_list(struct control_call *call, struct json_t **out,
                   struct err *e)
{
    struct accounts *set = call->server->config.accounts;
    const char *only, *after_account, *after;
    struct account *a = NULL;
    json_t *rows, *next = NULL;
    int rc = 0;

    if (control_text(call->request, "account", 400, false, &only, e) ||
        control_text(call->request, "after_account", 400, false,
                     &after_account, e) ||
        control_text(call->request, "after", 40, false, &after, e))
        return -1;
    if (only && !accounts_find(set, only))
        return err_set(e, E_MISSING, "there is no account \"%.60s\"", only);
    rows = json_array();
    while (rc == 0 && (a = accounts_next(set, a))) {
        bool here = !after_account ||
                    strcmp(after_account, account_name(a)) == 0;

        if (!here || (only && strcmp(only, account_name(a)) != 0) ||
            !account_store(a))
            continue;
        rc = page_fill(a, account_store(a), after && after_account ? after : "",
                       rows, e);
        after_account = after = NULL;
    }
    if (rc < 0) {
        json_decref(rows);
        return -1;
    }
    if (rc == 1) {
        json_t *last = json_array_get(rows, json_array_size(rows) - 1);

        next = json_object();
        json_object_set(next, "after_account",
                        json_object_get(last, "account"));
        json_object_set(next, "after", json_object_get(last, "id"));
    }
    *out = json_object();
    json_object_set_new(*out, "rows", rows);
    json_object_set_new(*out, "next", next ? next : json_null());
    return 0;
}

/* The account that has this id, as the call's; -1 E_MISSING. */
static int
id_find(struct control_call *call, const char **id_out, json_t **row_out,
        struct err *e)
{
    struct arena *arena = arena_new();
    struct store_submission row;
    struct account *a = NULL;
    int rc = 0;

    if (control_text(call->request, "id", 40, true, id_out, e)) {
        arena_free(&arena);
        return -1;
    }
    while (rc == 0 && (a = accounts_next(call->server->config.accounts, a)))
        if (account_store(a))
            rc = store_queue_get(account_store(a), *id_out, arena, &row, e);
    if (rc == 1) {
        call->account = account_ref(a);
        call->store = account_store(a);
        *row_out = submission_json(a, &row);
    } else if (rc == 0) {
        err_set(e, E_MISSING, "there is no message %.40s in the queue",
                *id_out);
    }
    arena_free(&arena);
    return rc == 1 ? 0 : -1;
}

int
control_queue_show(struct control_call *call, struct json_t **out,
                   struct err *e)
{
    const char *id;

    return id_find(call, &id, out, e);
}

/* What was decided is on the disk before it is told. */
static int
decide(struct control_call *call,
       int (*act)(struct outbox *, const char *, struct err *),
       const char *word, struct err *e)
{
    json_t *row, *result;
    const char *id;

    if (id_find(call, &id, &row, e))
        return -1;
    json_decref(row);
    if (act(account_outbox(call->account), id, e))
        return -1;
    result = json_object();
    json_object_set_new(result, "id", text(id));
    json_object_set_new(result, "account", text(account_name(call->account)));
    json_object_set_new(result, "done", json_string(word));
    return control_flush(call, result);
}

int
control_queue_retry(struct control_call *call, struct json_t **out,
                    struct err *e)
{
    (void)out;
    return decide(call, outbox_retry, "retried", e);
}

int
control_queue_hold(struct control_call *call, struct json_t **out,
                   struct err *e)
{
    (void)out;
    return decide(call, outbox_hold, "held", e);
}

int
control_queue_delete(struct control_call *call, struct json_t **out,
                     struct err *e)
{
    (void)out;
    return decide(call, outbox_delete, "deleted", e);
}
