/*
 * The table of the control door's commands, and how one runs: the account is
 * found, the command answers or waits. What a command is for a person stands
 * in sealpostctl(1).
 */
#include "control/private.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "account/account.h"
#include "base/mem.h"
#include "store/store.h"

#define NAME_MAX_BYTES 400u

static const struct control_command commands[] = {
    {"account list", false, control_account_list},
    {"cert accept", true, control_cert_accept},
    {"cert add", true, control_cert_add},
    {"cert list", true, control_cert_list},
    {"cert refuse", true, control_cert_refuse},
    {"cert remove", true, control_cert_remove},
    {"cert show", true, control_cert_show},
    {"folder empty", true, control_folder_empty},
    {"folder list", true, control_folder_list},
    {"key import", true, control_key_import},
    {"key list", true, control_key_list},
    {"key remove", true, control_key_remove},
    {"oof get", true, control_oof_get},
    {"oof set", true, control_oof_set},
    {"policy", true, control_policy},
    {"queue delete", false, control_queue_delete},
    {"queue hold", false, control_queue_hold},
    {"queue list", false, control_queue_list},
    {"queue release", false, control_queue_retry},
    {"queue retry", false, control_queue_retry},
    {"queue show", false, control_queue_show},
    {"reload", false, control_reload},
    {"search", true, control_search},
    {"status", false, control_status},
};

const struct control_command *
control_command_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* By name, or by address as a login is. */
static struct account *
account_named(struct accounts *set, const char *name)
{
    struct account *a = accounts_find(set, name);

    if (a)
        return a;
    while ((a = accounts_next(set, a)))
        if (ascii_icmp(account_address(a), name) == 0)
            return a;
    return NULL;
}

static int
account_take(struct control_call *call, struct err *e)
{
    const char *name;
    struct account *a;

    if (control_text(call->request, "account", NAME_MAX_BYTES, true, &name, e))
        return -1;
    a = account_named(call->server->config.accounts, name);
    if (!a)
        return err_set(e, E_MISSING, "there is no account \"%.60s\"", name);
    if (!account_store(a)) {
        *e = *account_error(a);
        return err_add(e, "account %.60s cannot be used", account_name(a));
    }
    call->account = account_ref(a);
    call->store = account_store(a);
    return 0;
}

int
control_command_run(struct control_call *call, struct json_t **out,
                    struct err *e)
{
    const struct control_command *k;
    const char *name;

    if (control_text(call->request, "command", NAME_MAX_BYTES, true, &name, e))
        return -1;
    k = control_command_find(name);
    if (!k)
        return err_set(e, E_INPUT, "this daemon has no command \"%.60s\"",
                       name);
    if (k->account && account_take(call, e))
        return -1;
    return k->run(call, out, e);
}

void
control_done(void *arg, const struct err *err)
{
    struct control_call *call = arg;

    call->answer(call, err);
}

int
control_flush(struct control_call *call, struct json_t *result)
{
    call->result = result;
    op_hold(&call->op, store_flush(call->store, control_done, call));
    return CONTROL_WAITS;
}
