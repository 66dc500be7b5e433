/*
 * `password_command`: the upstream password is the first line that a command
 * prints.
 */
#ifndef SEALPOST_SECRETS_COMMAND_H
#define SEALPOST_SECRETS_COMMAND_H

#include "base/secret.h"
#include "loop/op.h"

/* Runs the command with `sh -c`, at most 60 s; a final line end is cut off,
 * further lines are dropped. E_LOGIN: it failed, or printed nothing (text
 * names the exit status, never the output). E_RETRY: could not be run, timed
 * out. The caller clears *out. */
struct op *secrets_command(const char *command, struct secret *out,
                           op_done_fn *done, void *arg);

#endif
