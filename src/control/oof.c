/*
 * Out of office: what the server has, and a change of it.
 */
#include "control/private.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "account/account.h"
#include "base/mem.h"

#define TEXT_MAX ((size_t)64 << 10)

static const char *const states[] = {
    [ACCOUNT_OOF_OFF] = "off",
    [ACCOUNT_OOF_ON] = "on",
    [ACCOUNT_OOF_TIMED] = "timed",
};
static const char *const audiences[ACCOUNT_OOF_AUDIENCES] = {
    [ACCOUNT_OOF_INTERNAL] = "internal",
    [ACCOUNT_OOF_KNOWN] = "contacts",
    [ACCOUNT_OOF_UNKNOWN] = "others",
};
static const char *const outsides[] = {
    [ACCOUNT_OOF_AS_IT_IS] = "", [ACCOUNT_OOF_NOBODY] = "nobody",
    [ACCOUNT_OOF_CONTACTS] = "contacts", [ACCOUNT_OOF_ALL] = "all"};

/* {"state", "start", "end", "internal": {"enabled", "text"}, ...} */
static json_t *
oof_json(const struct account_oof *o)
{
    json_t *j = json_object();
    bool timed = o->state == ACCOUNT_OOF_TIMED;

    json_object_set_new(j, "state", json_string(states[o->state]));
    json_object_set_new(j, "start",
                        timed ? json_integer(o->start) : json_null());
    json_object_set_new(j, "end", timed ? json_integer(o->end) : json_null());
    for (size_t i = 0; i < ACCOUNT_OOF_AUDIENCES; i++) {
        json_t *m = json_object();
        const char *text = o->messages[i].text;
        json_t *s = text ? json_string(text) : NULL;

        json_object_set_new(m, "enabled",
                            json_boolean(o->messages[i].enabled));
        json_object_set_new(m, "text", s ? s : json_null());
        json_object_set_new(j, audiences[i], m);
    }
    return j;
}

static void
on_oof(void *arg, const struct err *err)
{
    struct control_call *call = arg;

    if (!err)
        call->result = oof_json(call->oof);
    call->answer(call, err);
}

static int
oof_begin(struct control_call *call, const struct account_oof_edit *edit)
{
    call->oof = xcalloc(1, sizeof *call->oof);
    op_hold(&call->op, account_oof(call->account, edit, call->oof, on_oof,
                                   call));
    return CONTROL_WAITS;
}

void
control_oof_free(struct control_call *call)
{
    if (call->oof)
        account_oof_clear(call->oof);
    free(call->oof);
    call->oof = NULL;
}

int
control_oof_get(struct control_call *call, struct json_t **out, struct err *e)
{
    (void)out;
    (void)e;
    return oof_begin(call, NULL);
}

static int
word_take(const json_t *request, const char *name, const char *const *words,
          size_t n, int *out, struct err *e)
{
    const char *word;

    if (control_text(request, name, 40, false, &word, e))
        return -1;
    for (size_t i = 0; word && i < n; i++)
        if (strcmp(words[i], word) == 0) {
            *out = (int)i;
            return 0;
        }
    return word ? err_set(e, E_INPUT, "\"%s\" is not %.40s", name, word) : 0;
}

/* {"state", "start", "end", "internal": text, "external": text, "outside":
 * "nobody", "contacts" or "all"}; what is absent stays as it is. */
int
control_oof_set(struct control_call *call, struct json_t **out, struct err *e)
{
    struct account_oof_edit edit = {.start = -1, .end = -1};
    const json_t *r = call->request, *start = json_object_get(r, "start"),
                 *end = json_object_get(r, "end");
    int state = -1, outside = ACCOUNT_OOF_AS_IT_IS;

    (void)out;
    if (word_take(r, "state", states, ARRAY_LEN(states), &state, e) ||
        word_take(r, "outside", outsides, ARRAY_LEN(outsides), &outside, e) ||
        control_text(r, "internal", TEXT_MAX, false, &edit.internal, e) ||
        control_text(r, "external", TEXT_MAX, false, &edit.external, e))
        return -1;
    if (state < 0)
        return err_set(e, E_INPUT, "\"state\" is off, on or timed");
    if (state == ACCOUNT_OOF_TIMED &&
        (!json_is_integer(start) || !json_is_integer(end)))
        return err_set(e, E_INPUT, "\"timed\" needs \"start\" and \"end\"");
    if (state == ACCOUNT_OOF_TIMED) {
        edit.start = json_integer_value(start);
        edit.end = json_integer_value(end);
    }
    edit.state = (enum account_oof_state)state;
    edit.outside = (enum account_oof_outside)outside;
    return oof_begin(call, &edit);
}
