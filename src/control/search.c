/*
 * What the server is asked to do for a person at the shell: mail looked for,
 * a folder emptied.
 */
#include "control/private.h"

#include <stdlib.h>

#include <jansson.h>

#include "account/account.h"
#include "base/mem.h"
#include "sync/sync.h"

#define WORDS_MAX 1024u
#define PATH_MAX_BYTES 2000u
#define FOUND_DEFAULT 100u

static json_t *
text_or_null(const char *text)
{
    json_t *s = text ? json_string(text) : NULL;

    return s ? s : json_null();
}

void
control_search_free(struct control_call *call)
{
    if (call->found)
        account_found_clear(call->found);
    free(call->found);
    call->found = NULL;
    free(call->emptied);
    call->emptied = NULL;
}

/* ---- search ---- */

/* {"total", "mails": [{"date", "from", "subject", "folder", "uid"}]} */
static json_t *
found_json(const struct account_found *f)
{
    json_t *o = json_object(), *rows = json_array();

    for (size_t i = 0; i < f->n; i++) {
        const struct account_found_mail *m = &f->mails[i];
        json_t *row = json_object();

        json_object_set_new(row, "date", m->received < 0
                                             ? json_null()
                                             : json_integer(m->received));
        json_object_set_new(row, "from", text_or_null(m->from));
        json_object_set_new(row, "subject", text_or_null(m->subject));
        json_object_set_new(row, "folder", text_or_null(m->folder));
        json_object_set_new(row, "uid",
                            m->uid ? json_integer(m->uid) : json_null());
        json_array_append_new(rows, row);
    }
    json_object_set_new(o, "total", json_integer((json_int_t)f->total));
    json_object_set_new(o, "mails", rows);
    return o;
}

static void
on_found(void *arg, const struct err *err)
{
    struct control_call *call = arg;

    if (!err)
        call->result = found_json(call->found);
    call->answer(call, err);
}

/* {"words", "folder", "max"}; the last two may be absent. */
int
control_search(struct control_call *call, struct json_t **out, struct err *e)
{
    const json_t *max = json_object_get(call->request, "max");
    const char *words, *folder;
    json_int_t n = max ? json_integer_value(max) : FOUND_DEFAULT;

    (void)out;
    if (control_text(call->request, "words", WORDS_MAX, true, &words, e) ||
        control_text(call->request, "folder", PATH_MAX_BYTES, false, &folder,
                     e))
        return -1;
    if (n < 1 || n > (json_int_t)ACCOUNT_FOUND_MAX)
        return err_set(e, E_INPUT, "\"max\" is 1 to %u", ACCOUNT_FOUND_MAX);
    call->found = xcalloc(1, sizeof *call->found);
    op_hold(&call->op, account_search(call->account, words, folder, (size_t)n,
                                      call->found, on_found, call));
    return CONTROL_WAITS;
}

/* ---- folder empty ---- */

static void
on_emptied(void *arg, const struct err *err)
{
    struct control_call *call = arg;
    json_t *o;

    if (!err) {
        o = call->result = json_object();
        json_object_set_new(o, "messages", json_integer((json_int_t)
                                               call->emptied->messages));
        json_object_set_new(o, "at_once",
                            json_boolean(call->emptied->at_once));
    }
    call->answer(call, err);
}

/* {"folder", "force"} */
int
control_folder_empty(struct control_call *call, struct json_t **out,
                     struct err *e)
{
    bool force = json_is_true(json_object_get(call->request, "force"));
    struct sync *sync = account_sync(call->account);
    const char *folder;

    (void)out;
    if (control_text(call->request, "folder", PATH_MAX_BYTES, true, &folder,
                     e))
        return -1;
    if (!sync)
        return err_set(e, E_RETRY, "the account is not connected");
    call->emptied = xcalloc(1, sizeof *call->emptied);
    op_hold(&call->op, sync_folder_empty(sync, folder, force, call->emptied,
                                         on_emptied, call));
    return CONTROL_WAITS;
}
