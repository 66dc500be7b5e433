/*
 * The table of sealpostctl's commands: names, operands, options, help. A new
 * command is a line here, a cmd_*.c, and a paragraph in sealpostctl(1).
 */
#include "ctl/private.h"

#define END {NULL, NULL, NULL}

static const struct ctl_option open_options[] = {
    {"--key", "FILE", "a key to read with, PFX or PEM; may be repeated"},
    {"--cert", "FILE", "its certificate, when the PEM file lacks it"},
    {"--password-file", "FILE", "the password of the --key before it"},
    {"--trust", "FILE", "an anchor (PEM, DER); then the system's do not count"},
    {"--trust-system", NULL, "the system's anchors count as well"},
    {"--at", "TIME", "judge as of 2026-11-22T08:00:00Z"},
    {"--authserv-id", "NAME", "of Authentication-Results"},
    {"--original", NULL, "leave what cannot be decrypted as it came"},
    {"--out", "FILE", "write the message as a reader gets it"},
    END};
static const struct ctl_option seal_options[] = {
    {"--sign", NULL, "sign"},
    {"--encrypt", NULL, "encrypt"},
    {"--from", "ADDRESS", "the sender; else the address in From"},
    {"--key", "FILE", "the sender's keys, PFX or PEM; may be repeated"},
    {"--cert", "FILE", "its certificate, when the PEM file lacks it"},
    {"--password-file", "FILE", "the password of the --key before it"},
    {"--to", "FILE", "a recipient's certificate; may be repeated"},
    {"--no-self", NULL, "do not encrypt to the sender too"},
    {"--opaque", NULL, "not multipart/signed"},
    {"--pss", NULL, "RSASSA-PSS instead of PKCS#1 v1.5"},
    {"--cipher", "NAME", "aes-256-cbc (default), aes-128-cbc, aes-256-gcm"},
    {"--protect", "HOW", "header fields inside: copy (default), hide, off"},
    {"--at", "TIME", "choose keys as of this time"},
    {"--out", "FILE", "instead of stdout"},
    END};
static const struct ctl_option wbxml_options[] = {
    {"--encode", NULL, "the other way: from the text to WBXML"},
    {"--out", "FILE", "with --encode, instead of stdout"},
    END};
static const struct ctl_option add_options[] = {
    {"--address", "ADDRESS", "of the mailbox"},
    {"--server", "URL", "https://HOST[/PATH]"},
    {"--user", "NAME", "sign-in name; else the address"},
    {"--ca-file", "FILE", "anchors for the server's certificate"},
    {"--password-stdin", NULL, "the Exchange password is a line of stdin"},
    {"--local-password-stdin", NULL, "and the local one the next line"},
    {"--set", "NAME=VALUE", "any setting of the account; may be repeated"},
    END};
static const struct ctl_option password_options[] = {
    {"--password-stdin", NULL, "the Exchange password is a line of stdin"},
    {"--local", NULL, "make a new password for the mail program"},
    {"--local-password-stdin", NULL, "or take it from a line of stdin"},
    END};

const struct ctl_command ctl_commands[] = {
    {"account add", "NAME", 1, 1, add_options,
     "adds an account to the configuration", ctl_cmd_account_add},
    {"account list", "", 0, 0, NULL, "the accounts of the configuration",
     ctl_cmd_account_list},
    {"account password", "NAME", 1, 1, password_options,
     "keeps a new password", ctl_cmd_account_password},
    {"config check", "", 0, 0, NULL, "reads the configuration, changes nothing",
     ctl_cmd_config_check},
    {"config show", "[ACCOUNT]", 0, 1, NULL, "every setting in force",
     ctl_cmd_config_show},
    {"mime", "FILE", 1, 1, NULL,
     "ENVELOPE, BODYSTRUCTURE, sizes and tree of a message", ctl_cmd_mime},
    {"smime open", "FILE", 1, 1, open_options,
     "layers, verdict and readable form of a message", ctl_cmd_smime_open},
    {"smime seal", "FILE", 1, 1, seal_options, "signs and encrypts a message",
     ctl_cmd_smime_seal},
    {"wbxml", "FILE", 1, 1, wbxml_options,
     "a captured request or answer in readable form", ctl_cmd_wbxml},
    {NULL, NULL, 0, 0, NULL, NULL, NULL},
};
