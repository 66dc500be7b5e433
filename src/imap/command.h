/*
 * Commands: the table of them, one command on its way, and how it ends.
 */
#ifndef SEALPOST_IMAP_COMMAND_H
#define SEALPOST_IMAP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "imap/parse.h"
#include "loop/flow.h"

struct imap_client;
struct imap_command;

/* The states of RFC 3501 section 3, as bits. */
enum imap_state {
    IMAP_STATE_FRESH = 1, /* not authenticated */
    IMAP_STATE_AUTH = 2,
    IMAP_STATE_SELECTED = 4,
    IMAP_STATE_LOGOUT = 8,
};
#define IMAP_IN_FRESH IMAP_STATE_FRESH
#define IMAP_IN_AUTH (IMAP_STATE_AUTH | IMAP_STATE_SELECTED)
#define IMAP_IN_SELECTED IMAP_STATE_SELECTED
#define IMAP_IN_ANY (IMAP_STATE_FRESH | IMAP_IN_AUTH)

#define IMAP_CMD_UID 1u       /* has a UID form */
#define IMAP_CMD_KEEP 2u      /* no EXPUNGE while it runs without UID */
#define IMAP_CMD_SECRET 4u    /* its arguments are never logged */
#define IMAP_CMD_FOLDERS 8u   /* names mailboxes: waits for the first list */

struct imap_command_def {
    const char *name;
    unsigned states, flags;
    /* Arguments to a struct in the arena (cmd->args); E_INPUT is BAD. NULL:
     * there are none. Reads nothing but the text. */
    int (*parse)(struct imap_parse *, struct imap_command *);
    /* Does it, or starts what does; ends with imap_command_end(). */
    void (*run)(struct imap_command *);
};

struct imap_command {
    struct imap_client *client; /* NULL in tests of parsers */
    const struct imap_command_def *def;
    struct arena *arena;
    const char *tag;
    bool uid;           /* the UID form */
    void *args;         /* parse()'s */
    void *state;        /* run()'s */
    struct flow flow;
    struct op *op;      /* waited for without a flow */
    /* Frees what is not in the arena; runs once, whatever the end. */
    void (*clear)(struct imap_command *);
    /* For the tagged OK: "READ-WRITE" and a text; NULL: none, "NAME done". */
    const char *ok_code, *ok_text;
    const char *missing_code; /* for E_MISSING: "TRYCREATE", NULL: usual */
    uint64_t done, goal;      /* for INPROGRESS; goal 0: not known */
    bool torn;          /* in the middle of a response: nothing between */
};

/* NULL: no such command. */
const struct imap_command_def *imap_command_find(struct slice name);
/* The whole text of a command: tag, name, arguments. 0; -1 with e (E_INPUT).
 * cmd->tag is set as soon as it is known. Pure but for the text, which it
 * may change. */
int imap_command_parse(struct imap_command *, char *text, size_t n,
                       struct err *e);
/* Runs it; what names mailboxes waits until there are any. */
void imap_command_run(struct imap_command *);
/* Runs steps with the command as `self`; ends it after them. */
void imap_command_flow(struct imap_command *, flow_step_fn *const *steps);
/* Tagged OK, or the error's NO or BAD, and what it may tell before that. Frees
 * the command. E_CANCELED: nothing is sent. */
void imap_command_end(struct imap_command *, const struct err *err);
/* The same with a NO of one's own. */
void imap_command_no(struct imap_command *, const char *code,
                     const char *text);
/* Only ever from outside the command: the client goes. */
void imap_command_cancel(struct imap_command *);

/* ---- parsers with a file of their own ---- */

struct imap_fetch_args;
struct imap_search_args;
int imap_parse_fetch(struct imap_parse *, struct imap_command *);
int imap_parse_search(struct imap_parse *, struct imap_command *);
int imap_parse_list(struct imap_parse *, struct imap_command *);
int imap_parse_append(struct imap_parse *, struct imap_command *);
int imap_parse_status_items(struct imap_parse *, unsigned *items_out);

/* One mailbox name: cmd->args is the const char *. */
int imap_parse_one_mailbox(struct imap_parse *, struct imap_command *);

/* ---- what runs; one file each, named cmd_NAME.c ---- */

void imap_cmd_capability(struct imap_command *);
void imap_cmd_noop(struct imap_command *);
void imap_cmd_logout(struct imap_command *);
void imap_cmd_id(struct imap_command *);
void imap_cmd_starttls(struct imap_command *);
void imap_cmd_login(struct imap_command *);
void imap_cmd_authenticate(struct imap_command *);
void imap_cmd_enable(struct imap_command *);
void imap_cmd_select(struct imap_command *);
void imap_cmd_create(struct imap_command *);
void imap_cmd_delete(struct imap_command *);
void imap_cmd_rename(struct imap_command *);
void imap_cmd_subscribe(struct imap_command *);
void imap_cmd_list(struct imap_command *);
void imap_cmd_namespace(struct imap_command *);
void imap_cmd_status(struct imap_command *);
void imap_cmd_append(struct imap_command *);
void imap_cmd_idle(struct imap_command *);
void imap_cmd_close(struct imap_command *);
void imap_cmd_expunge(struct imap_command *);
void imap_cmd_search(struct imap_command *);
void imap_cmd_fetch(struct imap_command *);
void imap_cmd_store(struct imap_command *);
void imap_cmd_copy(struct imap_command *);
void imap_cmd_move(struct imap_command *);

int imap_args_id(struct imap_parse *, struct imap_command *);
int imap_args_login(struct imap_parse *, struct imap_command *);
int imap_args_authenticate(struct imap_parse *, struct imap_command *);
int imap_args_enable(struct imap_parse *, struct imap_command *);
int imap_args_rename(struct imap_parse *, struct imap_command *);
int imap_args_status(struct imap_parse *, struct imap_command *);
int imap_args_expunge(struct imap_parse *, struct imap_command *);
int imap_args_store(struct imap_parse *, struct imap_command *);
int imap_args_copy(struct imap_parse *, struct imap_command *);

#endif
