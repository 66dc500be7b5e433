/*
 * One command without a socket: sealpostctl runs it so where no daemon
 * runs, by the very same table.
 */
#include "control/server.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "account/account.h"
#include "base/buf.h"
#include "base/mem.h"
#include "control/private.h"
#include "loop/loop.h"

struct alone {
    struct control_call call;
    struct err err;
    bool done;
};

static void
on_answer(struct control_call *call, const struct err *err)
{
    struct alone *a = call->client;

    if (err)
        a->err = *err;
    a->done = true;
}

int
control_alone(const struct control_server_config *config,
              struct slice request, struct buf *answer_out)
{
    struct control_server server = {.config = *config};
    struct alone a = {.call = {.server = &server, .answer = on_answer}};
    json_t *o = control_request_parse(request, &a.err), *result = NULL;
    char *line;
    size_t len;
    int rc = -1;

    a.call.client = &a;
    a.call.request = o;
    if (o)
        rc = control_command_run(&a.call, &result, &a.err);
    if (rc == CONTROL_WAITS) {
        while (!a.done)
            loop_turn(config->loop, true);
        rc = a.err.code ? -1 : 0;
        result = a.call.result;
        a.call.result = NULL;
    }
    line = rc ? control_answer_error(&a.err, &len)
              : control_answer_ok(result, &len);
    rc = buf_add(answer_out, line, len);
    mem_wipe(line, len);
    free(line);
    json_decref(result);
    json_decref(a.call.result);
    free(a.call.text);
    control_oof_free(&a.call);
    control_search_free(&a.call);
    account_unref(&a.call.account);
    if (o) {
        control_wipe(o, "password");
        json_decref(o);
    }
    return rc;
}
