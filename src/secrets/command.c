/*
 * password_command: asks a password manager. Called by account when it needs
 * the upstream password.
 */
#include "secrets/command.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "loop/child.h"

#define MAX_OUTPUT 4096
#define MAX_MS 60000

struct ask {
    struct op *op, *child;
    struct child_result result;
    struct secret *out;
};

static void
ask_end(struct ask *a, const struct err *err)
{
    struct op *op = a->op;

    secret_clear(&a->result.output);
    free(a);
    op_finish(&op, err);
}

static void
on_child(void *arg, const struct err *err)
{
    struct ask *a = arg;
    struct slice text = secret_slice(&a->result.output);
    struct err why = {0};

    text.n = slice_find(text, '\n');
    if (text.n && text.p[text.n - 1] == '\r')
        text.n--;
    if (err) {
        why = *err;
        err_add(&why, "password_command");
    } else if (a->result.status) {
        err_set(&why, E_LOGIN, "password_command ended with status %d",
                a->result.status);
    } else if (!text.n) {
        err_set(&why, E_LOGIN, "password_command printed nothing");
    } else if (slice_has(text, '\0')) {
        err_set(&why, E_LOGIN, "password_command printed a zero byte");
    } else if (op_wanted(a->op)) {
        secret_set(a->out, text.p, text.n);
    }
    ask_end(a, why.code ? &why : NULL);
}

static void
on_stop(void *self)
{
    struct ask *a = self;
    struct err why;

    op_cancel(&a->child);
    err_set(&why, E_CANCELED, "nobody waits");
    ask_end(a, &why);
}

struct op *
secrets_command(const char *command, struct secret *out, op_done_fn *done,
                void *arg)
{
    struct ask *a = xcalloc(1, sizeof(*a));
    struct op *op = op_new(on_stop, a, done, arg);

    a->op = op;
    a->out = out;
    op_hold(&a->child, child_run(command, MAX_OUTPUT, MAX_MS, &a->result,
                                 on_child, a));
    return op;
}
