/*
 * The small commands: CAPABILITY, NOOP and CHECK, LOGOUT, ID, STARTTLS,
 * ENABLE, NAMESPACE.
 */
#include "imap/private.h"

#include <string.h>

#include "base/log.h"
#include "config.h"
#include "loop/stream.h"
#include "settings/settings.h"
#include "sync/sync.h"

void
imap_capability_write(const struct imap_client *c, struct buf *out)
{
    buf_adds(out, "IMAP4rev1 LITERAL+ SASL-IR ID");
    if (c->state == IMAP_STATE_FRESH) {
        if (!stream_is_tls(c->stream))
            buf_adds(out, " STARTTLS");
        buf_adds(out, imap_client_may_login(c) ? " AUTH=PLAIN AUTH=LOGIN"
                                               : " LOGINDISABLED");
        return;
    }
    buf_adds(out, " ENABLE IDLE NAMESPACE CHILDREN UNSELECT UIDPLUS MOVE"
                  " SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE"
                  " ESEARCH INPROGRESS");
    if (c->account)
        buf_addf(out, " APPENDLIMIT=%llu",
                 (unsigned long long)account_settings(c->account)
                     ->max_message_size);
}

void
imap_cmd_capability(struct imap_command *cmd)
{
    struct buf b = BUF_INIT(BUF_OURS);

    imap_capability_write(cmd->client, &b);
    imap_printf(cmd->client, "* CAPABILITY %s\r\n", b.data);
    buf_clear(&b);
    imap_command_end(cmd, NULL);
}

void
imap_cmd_noop(struct imap_command *cmd)
{
    struct imap_client *c = cmd->client;

    if (c->selected)
        sync_pull_soon(account_sync(c->account), c->selected->folder);
    imap_command_end(cmd, NULL);
}

void
imap_cmd_logout(struct imap_command *cmd)
{
    struct imap_client *c = cmd->client;

    imap_client_unselect(c);
    imap_puts(c, "* BYE Until next time\r\n");
    imap_command_end(cmd, NULL);
    imap_client_bye(c, NULL);
}

/* ---- ID (RFC 2971) ---- */

int
imap_args_id(struct imap_parse *p, struct imap_command *cmd)
{
    const char *name = "", *version = "";
    struct slice key, value;
    unsigned n = 0;

    if (imap_parse_space(p))
        return -1;
    if (imap_parse_word(p, "NIL"))
        return 0;
    if (imap_parse_char(p, '('))
        return -1;
    while (!imap_parse_is(p, ')')) {
        if (n++ == 30)
            return imap_parse_fail(p, "more than 30 pairs");
        if ((n > 1 && imap_parse_space(p)) || imap_parse_string(p, &key) ||
            imap_parse_space(p))
            return -1;
        value = SLICE_NONE;
        if (!imap_parse_word(p, "NIL") && imap_parse_string(p, &value))
            return -1;
        if (key.n > 30 || value.n > 1024)
            return imap_parse_fail(p, "a key or value that is too long");
        if (slice_iis(key, "name"))
            name = arena_dup(cmd->arena, value);
        else if (slice_iis(key, "version"))
            version = arena_dup(cmd->arena, value);
    }
    cmd->args = arena_printf(cmd->arena, "%.60s %.30s", name, version);
    return 0;
}

void
imap_cmd_id(struct imap_command *cmd)
{
    struct imap_client *c = cmd->client;

    if (cmd->args)
        log_info("imap", "from=%s client is %s", c->host,
                 (const char *)cmd->args);
    imap_printf(c, "* ID (\"name\" \"Sealpost\" \"version\" \"%s\")\r\n",
                PACKAGE_VERSION);
    imap_command_end(cmd, NULL);
}

/* ---- STARTTLS ---- */

void
imap_cmd_starttls(struct imap_command *cmd)
{
    struct imap_client *c = cmd->client;
    struct err e;

    if (stream_is_tls(c->stream)) {
        err_set(&e, E_INPUT, "TLS is on already");
        imap_command_end(cmd, &e);
        return;
    }
    cmd->ok_text = "Begin TLS negotiation now";
    imap_command_end(cmd, NULL);
    /* What was sent in clear after the command is dropped. */
    stream_start_tls(c->stream, c->server->tls);
}

/* ---- ENABLE (RFC 5161): nothing of ours needs it yet ---- */

int
imap_args_enable(struct imap_parse *p, struct imap_command *cmd)
{
    struct slice word;

    (void)cmd;
    do
        if (imap_parse_space(p) || imap_parse_atom(p, &word))
            return -1;
    while (!imap_parse_at_end(p));
    return 0;
}

void
imap_cmd_enable(struct imap_command *cmd)
{
    imap_puts(cmd->client, "* ENABLED\r\n");
    imap_command_end(cmd, NULL);
}

/* ---- NAMESPACE (RFC 2342) ---- */

void
imap_cmd_namespace(struct imap_command *cmd)
{
    imap_puts(cmd->client, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
    imap_command_end(cmd, NULL);
}
