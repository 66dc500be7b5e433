/*
 * What the files of room control share.
 */
#ifndef SEALPOST_CONTROL_PRIVATE_H
#define SEALPOST_CONTROL_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/slice.h"
#include "control/server.h"
#include "loop/op.h"

struct account;
struct account_found;
struct account_oof;
struct sync_emptied;
struct listener;
struct json_t;
struct store;

#define CONTROL_LINE ((size_t)16 << 20)
#define CONTROL_PAGE 500u /* rows of one answer */

/* ---- request.c: pure ---- */

/* The object of a request line (without its end), with its "command". NULL
 * and E_INPUT for anything else. The caller wipes the line. */
struct json_t *control_request_parse(struct slice line, struct err *e);
/* The answer's line with its end; heap. */
char *control_answer_ok(const struct json_t *result, size_t *len_out);
char *control_answer_error(const struct err *e, size_t *len_out);
/* A text of the request, borrowed. `required`: E_INPUT when it is not there;
 * else NULL. E_LIMIT over `max` bytes. */
int control_text(const struct json_t *request, const char *name, size_t max,
                 bool required, const char **out, struct err *e);
/* Overwrites a text of the request: passwords, keys. */
void control_wipe(struct json_t *request, const char *name);

/* ---- one request under way ---- */

struct control_server {
    struct control_server_config config;
    struct listener *listener;
    struct list clients;
    unsigned n;
};

struct control_call {
    struct control_server *server;
    const struct json_t *request; /* as long as the call lives */
    struct account *account;      /* of commands that name one */
    struct store *store;          /* its; NULL when it cannot be used */
    /* What a command waits with. */
    struct op *op;
    struct json_t *result;
    char *text;
    struct account_oof *oof;
    struct account_found *found;
    struct sync_emptied *emptied;
    void (*answer)(struct control_call *, const struct err *err);
    void *client;
};

/* Returns 0 with *out (given away), -1 with e, or CONTROL_WAITS: then
 * control_done() comes, with call->result kept until then. */
#define CONTROL_WAITS 1
typedef int control_run_fn(struct control_call *, struct json_t **out,
                           struct err *e);
struct control_command {
    const char *name;
    bool account; /* needs "account", and that it can be used */
    control_run_fn *run;
};
const struct control_command *control_command_find(const char *name);
/* Runs the request's command, as control_run_fn. */
int control_command_run(struct control_call *, struct json_t **out,
                        struct err *e);
/* Ends what waits: an op_done_fn whose arg is the call; the answer is
 * call->result, or the error. */
op_done_fn control_done;
/* Answers call->result when what was committed is on the disk. */
int control_flush(struct control_call *, struct json_t *result_take);

/* ---- the commands ---- */

control_run_fn control_status, control_reload, control_account_list;
control_run_fn control_folder_list;
control_run_fn control_queue_list, control_queue_show, control_queue_retry;
control_run_fn control_queue_hold, control_queue_delete;
control_run_fn control_key_list, control_key_import, control_key_remove;
control_run_fn control_cert_list, control_cert_show, control_cert_add;
control_run_fn control_cert_accept, control_cert_refuse, control_cert_remove;
control_run_fn control_policy, control_oof_get, control_oof_set;

control_run_fn control_search, control_folder_empty;

/* What an oof command waits for. */
void control_oof_free(struct control_call *);
/* What search and folder empty wait for. */
void control_search_free(struct control_call *);

#endif
