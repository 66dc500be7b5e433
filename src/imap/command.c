/*
 * The table of commands, from a command's text to its arguments, and its
 * end. What a command does is in cmd_*.c.
 */
#include "imap/command.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "imap/private.h"
#include "store/folder.h"
#include "sync/sync.h"

#define ARG imap_parse_one_mailbox
#define FOLDERS IMAP_CMD_FOLDERS

static const struct imap_command_def commands[] = {
    {"CAPABILITY", IMAP_IN_ANY, 0, NULL, imap_cmd_capability},
    {"NOOP", IMAP_IN_ANY, 0, NULL, imap_cmd_noop},
    {"LOGOUT", IMAP_IN_ANY, 0, NULL, imap_cmd_logout},
    {"ID", IMAP_IN_ANY, 0, imap_args_id, imap_cmd_id},
    {"STARTTLS", IMAP_IN_FRESH, 0, NULL, imap_cmd_starttls},
    {"LOGIN", IMAP_IN_FRESH, IMAP_CMD_SECRET, imap_args_login,
     imap_cmd_login},
    {"AUTHENTICATE", IMAP_IN_FRESH, IMAP_CMD_SECRET, imap_args_authenticate,
     imap_cmd_authenticate},
    {"ENABLE", IMAP_IN_AUTH, 0, imap_args_enable, imap_cmd_enable},
    {"SELECT", IMAP_IN_AUTH, FOLDERS, ARG, imap_cmd_select},
    {"EXAMINE", IMAP_IN_AUTH, FOLDERS, ARG, imap_cmd_select},
    {"CREATE", IMAP_IN_AUTH, FOLDERS, ARG, imap_cmd_create},
    {"DELETE", IMAP_IN_AUTH, FOLDERS, ARG, imap_cmd_delete},
    {"RENAME", IMAP_IN_AUTH, FOLDERS, imap_args_rename, imap_cmd_rename},
    {"SUBSCRIBE", IMAP_IN_AUTH, FOLDERS, ARG, imap_cmd_subscribe},
    {"UNSUBSCRIBE", IMAP_IN_AUTH, FOLDERS, ARG, imap_cmd_subscribe},
    {"LIST", IMAP_IN_AUTH, FOLDERS, imap_parse_list, imap_cmd_list},
    {"LSUB", IMAP_IN_AUTH, FOLDERS, imap_parse_list, imap_cmd_list},
    {"NAMESPACE", IMAP_IN_AUTH, 0, NULL, imap_cmd_namespace},
    {"STATUS", IMAP_IN_AUTH, FOLDERS, imap_args_status, imap_cmd_status},
    {"APPEND", IMAP_IN_AUTH, 0, imap_parse_append, imap_cmd_append},
    {"IDLE", IMAP_IN_AUTH, 0, NULL, imap_cmd_idle},
    {"CHECK", IMAP_IN_SELECTED, 0, NULL, imap_cmd_noop},
    {"CLOSE", IMAP_IN_SELECTED, 0, NULL, imap_cmd_close},
    {"UNSELECT", IMAP_IN_SELECTED, 0, NULL, imap_cmd_close},
    {"EXPUNGE", IMAP_IN_SELECTED, IMAP_CMD_UID, imap_args_expunge,
     imap_cmd_expunge},
    {"SEARCH", IMAP_IN_SELECTED, IMAP_CMD_UID | IMAP_CMD_KEEP,
     imap_parse_search, imap_cmd_search},
    {"FETCH", IMAP_IN_SELECTED, IMAP_CMD_UID | IMAP_CMD_KEEP,
     imap_parse_fetch, imap_cmd_fetch},
    {"STORE", IMAP_IN_SELECTED, IMAP_CMD_UID | IMAP_CMD_KEEP, imap_args_store,
     imap_cmd_store},
    {"COPY", IMAP_IN_SELECTED, IMAP_CMD_UID, imap_args_copy, imap_cmd_copy},
    {"MOVE", IMAP_IN_SELECTED, IMAP_CMD_UID, imap_args_copy, imap_cmd_move},
};

const struct imap_command_def *
imap_command_find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (slice_iis(name, commands[i].name))
            return &commands[i];
    return NULL;
}

/* ---- text to arguments ---- */

int
imap_parse_one_mailbox(struct imap_parse *p, struct imap_command *cmd)
{
    const char *name;

    if (imap_parse_space(p) || imap_parse_mailbox(p, &name))
        return -1;
    cmd->args = arena_strdup(cmd->arena, name);
    return 0;
}

static int
parse_name(struct imap_parse *p, struct imap_command *cmd)
{
    struct slice name;

    if (imap_parse_space(p) || imap_parse_atom(p, &name))
        return -1;
    if (slice_iis(name, "UID")) {
        cmd->uid = true;
        if (imap_parse_space(p) || imap_parse_atom(p, &name))
            return -1;
    }
    cmd->def = imap_command_find(name);
    if (cmd->def && cmd->uid && !(cmd->def->flags & IMAP_CMD_UID))
        cmd->def = NULL;
    if (!cmd->def)
        return imap_parse_fail(p, "there is no such command");
    return 0;
}

int
imap_command_parse(struct imap_command *cmd, char *text, size_t n,
                   struct err *e)
{
    struct imap_parse p = {
        .p = text, .end = text + n, .arena = cmd->arena, .e = e};
    struct slice tag;

    if (imap_parse_tag(&p, &tag))
        return -1;
    cmd->tag = arena_dup(cmd->arena, tag);
    if (parse_name(&p, cmd) ||
        (cmd->def->parse && cmd->def->parse(&p, cmd)))
        return -1;
    return imap_parse_end(&p);
}

/* ---- running and ending ---- */

static void
on_folders(void *arg, const struct err *err)
{
    struct imap_command *cmd = arg;

    if (err)
        imap_command_end(cmd, err);
    else
        cmd->def->run(cmd);
}

void
imap_command_run(struct imap_command *cmd)
{
    struct imap_client *c = cmd->client;

    /* An account that was just added: to a client "no INBOX" or an empty
     * list would be a mailbox that lost everything. */
    if ((cmd->def->flags & IMAP_CMD_FOLDERS) &&
        !store_folder_next(imap_store(c), NULL))
        op_hold(&cmd->op, sync_wait_ready(account_sync(c->account), 0,
                                          on_folders, cmd));
    else
        cmd->def->run(cmd);
}

static void
on_flow_end(void *self, const struct err *err)
{
    imap_command_end(self, err);
}

void
imap_command_flow(struct imap_command *cmd, flow_step_fn *const *steps)
{
    flow_start(&cmd->flow, steps, on_flow_end, cmd);
}

static void
command_free(struct imap_command *cmd)
{
    struct imap_client *c = cmd->client;

    op_cancel(&cmd->op);
    if (cmd->clear)
        cmd->clear(cmd);
    cmd->clear = NULL;
    c->on_line = NULL;
    arena_free(&cmd->arena);
    free(cmd);
}

static void
command_answer(struct imap_command *cmd, const char *kind, const char *code,
               const char *text)
{
    struct imap_client *c = cmd->client;
    bool keep = cmd->def && (cmd->def->flags & IMAP_CMD_KEEP) && !cmd->uid;

    imap_updates_send(c, !keep);
    if (c->closing) /* the mailbox was deleted: it has its BYE */
        return;
    imap_printf(c, "%s %s ", cmd->tag ? cmd->tag : "*", kind);
    if (code)
        imap_printf(c, "[%s] ", code);
    imap_text(c, text);
    imap_puts(c, "\r\n");
}

static void
command_error(struct imap_command *cmd, const struct err *err)
{
    struct imap_client *c = cmd->client;
    const char *code, *kind = imap_reply_kind(err, &code);

    if (err->code == E_MISSING && cmd->missing_code)
        code = cmd->missing_code;
    if (err->code == E_INPUT)
        c->wrong++;
    log_msg(err->code == E_BUG ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "imap",
            "account=%s from=%s %s failed: %s",
            c->account ? account_name(c->account) : "-", c->host,
            cmd->def ? cmd->def->name : "command",
            cmd->def && (cmd->def->flags & IMAP_CMD_SECRET) &&
                    err->code == E_INPUT
                ? "malformed"
                : err->text);
    command_answer(cmd, kind, code, err->text);
}

void
imap_command_end(struct imap_command *cmd, const struct err *err)
{
    struct imap_client *c = cmd->client;

    c->command = NULL;
    if (err && err->code == E_CANCELED && c->closing) {
        command_free(cmd);
        return;
    }
    if (cmd->torn) {
        /* A response was begun and cannot be ended. */
        command_free(cmd);
        imap_client_bye(c, NULL);
        return;
    }
    if (err && err->code == E_CANCELED) {
        struct err away = *err;

        away.code = E_RETRY; /* a part of the account was closed */
        command_error(cmd, &away);
    } else if (err) {
        command_error(cmd, err);
    } else {
        c->wrong = 0;
        if (!cmd->ok_text)
            cmd->ok_text = arena_printf(cmd->arena, "%s%s done",
                                        cmd->uid ? "UID " : "",
                                        cmd->def->name);
        command_answer(cmd, "OK", cmd->ok_code, cmd->ok_text);
    }
    command_free(cmd);
    imap_client_resume(c);
}

void
imap_command_no(struct imap_command *cmd, const char *code, const char *text)
{
    struct imap_client *c = cmd->client;

    c->command = NULL;
    log_info("imap", "account=%s from=%s %s refused: %s",
             c->account ? account_name(c->account) : "-", c->host,
             cmd->def->name, text);
    command_answer(cmd, "NO", code, text);
    command_free(cmd);
    imap_client_resume(c);
}

void
imap_command_cancel(struct imap_command *cmd)
{
    struct err e;

    if (flow_is_running(&cmd->flow)) {
        flow_cancel(&cmd->flow); /* ends it with E_CANCELED */
        return;
    }
    err_set(&e, E_CANCELED, "the client goes");
    imap_command_end(cmd, &e);
}
