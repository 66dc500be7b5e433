/*
 * Running a command (password_command) without blocking the loop.
 */
#ifndef SEALPOST_LOOP_CHILD_H
#define SEALPOST_LOOP_CHILD_H

#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/slice.h"
#include "loop/op.h"

struct child_result {
    struct secret output; /* stdout, at most max_output bytes */
    int status;           /* exit status; 128 + signal */
};
/* Runs `sh -c command`; stdin is /dev/null, stderr ours. E_LIMIT: more output
 * than allowed; E_RETRY: timed out (killed) or could not be started;
 * E_MISSING: there is no such command (a shell says 127). An exit status is no
 * error. The caller clears result->output. */
struct op *child_run(const char *command, size_t max_output, int64_t ms,
                     struct child_result *out, op_done_fn *done, void *arg);
/* The same without a shell: argv[0] is looked for in PATH, NULL ends the
 * list; `input` (copied, wiped) is what the command reads from stdin. A
 * command that does not read all of it is no error. */
struct op *child_run_argv(const char *const *argv, struct slice input,
                          size_t max_output, int64_t ms,
                          struct child_result *out, op_done_fn *done,
                          void *arg);

#endif
