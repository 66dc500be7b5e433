/*
 * What the files of room ctl share: one run of sealpostctl, its arguments,
 * input, output and the line to the daemon.
 */
#ifndef SEALPOST_CTL_PRIVATE_H
#define SEALPOST_CTL_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/slice.h"

struct ctl;
struct json_t;
struct settings;

/* Exit statuses: sysexits' EX_USAGE and EX_UNAVAILABLE. */
enum ctl_exit {
    CTL_OK = 0,
    CTL_ERROR = 1,
    CTL_USAGE = 64,
    CTL_NO_DAEMON = 69,
};

/* ---- args.c ---- */

#define CTL_OPERANDS 8u
#define CTL_GIVEN 1100u

struct ctl_option {
    const char *name;    /* with its dashes; NULL ends the list */
    const char *metavar; /* of its value; NULL: a switch */
    const char *help;
};
struct ctl_command {
    const char *name;     /* one or two words */
    const char *operands; /* for the usage line */
    unsigned min, max;    /* how many of them */
    const struct ctl_option *options; /* NULL: none */
    const char *help;
    /* 0, or -1 with e; the exit status is CTL_ERROR unless it set
     * ctl->status. */
    int (*run)(struct ctl *, struct err *e);
};
struct ctl_given {
    const struct ctl_option *option;
    const char *value; /* borrowed from argv; NULL for a switch */
};
struct ctl {
    const struct ctl_command *command; /* NULL: none was named */
    char *config;    /* path of the configuration; -c or the usual place */
    bool json, help, version;
    const char *operand[CTL_OPERANDS];
    unsigned operands;
    struct ctl_given given[CTL_GIVEN]; /* in the order of the line */
    unsigned ngiven;
    struct settings *settings; /* ctl_settings() */
    int status;      /* of the exit, when a command fails */
    bool quiet;      /* the answer was already written */
    struct buf stdin_rest; /* read ahead by ctl_stdin_line() */
};

/* The commands end with one whose name is NULL. argv[0] is skipped. Options
 * may stand anywhere, "--opt=value" and "--opt value"; "--" ends them; "-" is
 * an operand. E_INPUT with the remedy; then c->command may be set, for the
 * usage line. */
int ctl_args_parse(const struct ctl_command *commands, int argc, char **argv,
                   struct ctl *c, struct err *e);
/* The value of the last one given; NULL. */
const char *ctl_option(const struct ctl *, const char *name);
bool ctl_has(const struct ctl *, const char *name);
/* "sealpostctl key import ACCOUNT FILE [--password-stdin]" and what it does. */
void ctl_args_help(const struct ctl_command *, FILE *to);
void ctl_args_list(const struct ctl_command *commands, FILE *to);

/* ---- input.c ---- */

/* The whole file, or stdin for "-". E_LIMIT over out's limit. */
int ctl_read(const char *path, struct buf *out, struct err *e);
/* The next line of stdin, without its end: for passwords. E_INPUT at the end
 * of input. */
int ctl_stdin_line(struct ctl *, struct secret *out, struct err *e);
/* A file's bytes without a final line end. */
int ctl_secret_file(const char *path, struct secret *out, struct err *e);
/* Asks on the terminal, nothing is shown. E_INPUT when there is none: `remedy`
 * says what to do instead. */
int ctl_ask(const char *prompt, const char *remedy, struct secret *out,
            struct err *e);
bool ctl_has_terminal(void);
/* Does the person type this word? false without a terminal too. */
bool ctl_confirm(const char *prompt, const char *word);

/* ---- print.c ---- */

/* Gives the result away: with --json its one line, else show() writes it for
 * people. */
int ctl_print(struct ctl *, struct json_t *take,
              void (*show)(const struct json_t *, FILE *), struct err *e);
/* A list of objects as aligned columns; an empty list prints `none`. */
struct ctl_column {
    const char *title, *key;
    bool right; /* numbers */
};
void ctl_table(const struct json_t *rows, const struct ctl_column *columns,
               size_t n, const char *none, FILE *to);
/* The member as text: strings as they are, numbers, yes and no; "-" for null
 * or absent. dst is returned. */
const char *ctl_text(const struct json_t *object, const char *key, char *dst,
                     size_t size);
/* Any bytes as a JSON string: what is not UTF-8 becomes U+FFFD. */
struct json_t *ctl_json_text(struct slice s);
/* Control characters become blanks, except line ends where `lines`. */
void ctl_put(FILE *to, struct slice s, bool lines);
/* "2026-11-25 03:57" in local time; "-" for 0. */
const char *ctl_time_text(int64_t t, char *dst, size_t size);

/* ---- keyfiles.c ---- */

struct keys;
struct x509_st;
/* The keys named by --key, each with the --cert and --password-file that
 * follow it, as a set in memory. */
int ctl_keys(struct ctl *, struct keys **out, struct err *e);
/* One certificate, PEM or DER; the caller frees. */
int ctl_cert(const char *path, struct x509_st **out, struct err *e);
/* --at: "2026-11-22", "2026-11-22T08:00:00Z", "@1795334400"; now without. */
int ctl_at(const struct ctl *, int64_t *out, struct err *e);
/* The same of another option's value. */
int ctl_time(const char *text, const char *option, int64_t *out,
             struct err *e);

/* ---- call.c ---- */

/* One request to the daemon: "command" and the members of args (may be NULL,
 * is taken). *out is the result. CTL_NO_DAEMON when none listens. */
int ctl_call(struct ctl *, const char *command, struct json_t *args_take,
             struct json_t **out, struct err *e);
/* The same, or where no daemon runs by the daemon's code in this process. */
int ctl_call_anyway(struct ctl *, const char *command,
                    struct json_t *args_take, struct json_t **out,
                    struct err *e);
/* All pages of a list: result.rows, asked for until result.next is null. */
int ctl_call_rows(struct ctl *, const char *command, struct json_t *args_take,
                  struct json_t **rows_out, struct err *e);
/* Does a daemon listen on the control socket? */
bool ctl_daemon_runs(struct ctl *);
/* A daemon that runs takes what was written; one that does not comes to it
 * when it starts. */
int ctl_daemon_reload(struct ctl *, bool *running_out, struct err *e);

/* ---- alone.c ---- */

/* Opens the account that the request names (all of them when none is) and
 * runs it. */
int ctl_alone(struct ctl *, const char *account, struct slice request,
              struct buf *answer_out, struct err *e);

/* The lock of the state as a daemon takes it: a descriptor to close, or -1. */
int ctl_state_lock(const struct settings *, struct err *e);

/* ---- rights.c ---- */

/* Started as root with a run_as that exists, what follows touches files of
 * the daemon as its user; back ends that. Nothing for anybody else. */
int ctl_rights_enter(struct ctl *, struct err *e);
void ctl_rights_back(void);

/* ---- the configuration ---- */

/* Loads it once; a file that is not there is all defaults when `absent_ok`. */
int ctl_settings(struct ctl *, bool absent_ok, struct err *e);

/* ---- cmd_*.c ---- */

int ctl_cmd_mime(struct ctl *, struct err *e);
int ctl_cmd_wbxml(struct ctl *, struct err *e);
int ctl_cmd_search(struct ctl *, struct err *e);
int ctl_cmd_smime_open(struct ctl *, struct err *e);
int ctl_cmd_smime_seal(struct ctl *, struct err *e);
int ctl_cmd_config_check(struct ctl *, struct err *e);
int ctl_cmd_config_show(struct ctl *, struct err *e);
int ctl_cmd_account_add(struct ctl *, struct err *e);
int ctl_cmd_account_list(struct ctl *, struct err *e);
int ctl_cmd_account_password(struct ctl *, struct err *e);
int ctl_cmd_account_remove(struct ctl *, struct err *e);
int ctl_cmd_cert_accept(struct ctl *, struct err *e);
int ctl_cmd_cert_add(struct ctl *, struct err *e);
int ctl_cmd_cert_list(struct ctl *, struct err *e);
int ctl_cmd_cert_refuse(struct ctl *, struct err *e);
int ctl_cmd_cert_remove(struct ctl *, struct err *e);
int ctl_cmd_cert_show(struct ctl *, struct err *e);
int ctl_cmd_folder_empty(struct ctl *, struct err *e);
int ctl_cmd_folder_list(struct ctl *, struct err *e);
int ctl_cmd_key_import(struct ctl *, struct err *e);
int ctl_cmd_key_list(struct ctl *, struct err *e);
int ctl_cmd_key_remove(struct ctl *, struct err *e);
int ctl_cmd_oof(struct ctl *, struct err *e);
int ctl_cmd_policy(struct ctl *, struct err *e);
int ctl_cmd_queue_delete(struct ctl *, struct err *e);
int ctl_cmd_queue_hold(struct ctl *, struct err *e);
int ctl_cmd_queue_list(struct ctl *, struct err *e);
int ctl_cmd_queue_release(struct ctl *, struct err *e);
int ctl_cmd_queue_retry(struct ctl *, struct err *e);
int ctl_cmd_queue_show(struct ctl *, struct err *e);
int ctl_cmd_reload(struct ctl *, struct err *e);
int ctl_cmd_status(struct ctl *, struct err *e);

extern const struct ctl_command ctl_commands[];

#endif
