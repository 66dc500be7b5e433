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
    {"--no-password", NULL, "there is none to keep"},
    {"--local-password-stdin", NULL, "and the local one the next line"},
    {"--set", "NAME=VALUE", "any setting of the account; may be repeated"},
    END};
static const struct ctl_option password_options[] = {
    {"--password-stdin", NULL, "the Exchange password is a line of stdin"},
    {"--local", NULL, "make a new password for the mail program"},
    {"--local-password-stdin", NULL, "or take it from a line of stdin"},
    END};

static const struct ctl_option import_options[] = {
    {"--password-stdin", NULL, "its password is a line of stdin"},
    {"--password-file", "FILE", "its password is in this file"},
    END};
static const struct ctl_option cert_options[] = {
    {"--address", "ADDRESS", "whom it is used for"}, END};

static const struct ctl_option oof_options[] = {
    {"--on", NULL, "set: answer from now on"},
    {"--off", NULL, "set: answer no more"},
    {"--from", "TIME", "set: answer from 2026-12-22T08:00:00Z"},
    {"--until", "TIME", "set: until then"},
    {"--text", "TEXT", "the answer to colleagues"},
    {"--text-file", "FILE", "the same from a file, - for stdin"},
    {"--external", "TEXT", "the answer to people outside"},
    {"--external-file", "FILE", "the same from a file, - for stdin"},
    {"--outside", "WHO", "who is answered there: nobody, contacts, all"},
    END};

static const struct ctl_option remove_options[] = {
    {"--yes", NULL, "do not ask"}, END};

static const struct ctl_option search_options[] = {
    {"--folder", "FOLDER", "only there; else everywhere"},
    {"--max", "N", "at most so many, 1 to 1000; else 100"},
    END};
static const struct ctl_option empty_options[] = {
    {"--force", NULL, "also a folder that is neither trash nor junk"}, END};

const struct ctl_command ctl_commands[] = {
    {"account add", "NAME", 1, 1, add_options,
     "adds an account to the configuration", ctl_cmd_account_add},
    {"account list", "", 0, 0, NULL, "the accounts of the configuration",
     ctl_cmd_account_list},
    {"account password", "NAME", 1, 1, password_options,
     "keeps a new password", ctl_cmd_account_password},
    {"account remove", "NAME", 1, 1, remove_options,
     "removes an account and all that is kept of it here",
     ctl_cmd_account_remove},
    {"cert accept", "ACCOUNT FINGERPRINT", 2, 2, NULL,
     "uses a certificate that waits", ctl_cmd_cert_accept},
    {"cert add", "ACCOUNT FILE", 2, 2, cert_options,
     "pins a certificate for an address", ctl_cmd_cert_add},
    {"cert list", "ACCOUNT [ADDRESS]", 1, 2, NULL,
     "the certificates that are known", ctl_cmd_cert_list},
    {"cert refuse", "ACCOUNT FINGERPRINT", 2, 2, NULL,
     "never uses a certificate", ctl_cmd_cert_refuse},
    {"cert remove", "ACCOUNT FINGERPRINT", 2, 2, NULL,
     "forgets a certificate", ctl_cmd_cert_remove},
    {"cert show", "ACCOUNT FINGERPRINT", 2, 2, NULL,
     "all about a certificate", ctl_cmd_cert_show},
    {"config check", "", 0, 0, NULL, "reads the configuration, changes nothing",
     ctl_cmd_config_check},
    {"config show", "[ACCOUNT]", 0, 1, NULL, "every setting in force",
     ctl_cmd_config_show},
    {"folder empty", "ACCOUNT FOLDER", 2, 2, empty_options,
     "deletes all mail of a folder for good", ctl_cmd_folder_empty},
    {"folder list", "ACCOUNT", 1, 1, NULL, "the folders of an account",
     ctl_cmd_folder_list},
    {"key import", "ACCOUNT FILE", 2, 2, import_options,
     "takes in a PFX or PEM file", ctl_cmd_key_import},
    {"key list", "ACCOUNT", 1, 1, NULL,
     "which key is used for what, and why not the others", ctl_cmd_key_list},
    {"key remove", "ACCOUNT FINGERPRINT", 2, 2, NULL, "removes a key for good",
     ctl_cmd_key_remove},
    {"mime", "FILE", 1, 1, NULL,
     "ENVELOPE, BODYSTRUCTURE, sizes and tree of a message", ctl_cmd_mime},
    {"oof", "ACCOUNT [get|set]", 1, 2, oof_options,
     "the automatic answer while one is away", ctl_cmd_oof},
    {"policy", "ACCOUNT", 1, 1, NULL, "what the server demands",
     ctl_cmd_policy},
    {"queue delete", "ID", 1, 1, NULL, "throws a message away",
     ctl_cmd_queue_delete},
    {"queue hold", "ID", 1, 1, NULL, "keeps a message from being sent",
     ctl_cmd_queue_hold},
    {"queue list", "[ACCOUNT]", 0, 1, NULL, "what waits to be sent",
     ctl_cmd_queue_list},
    {"queue release", "ID", 1, 1, NULL, "sends a message that is held",
     ctl_cmd_queue_release},
    {"queue retry", "ID", 1, 1, NULL, "tries a message now",
     ctl_cmd_queue_retry},
    {"queue show", "ID", 1, 1, NULL, "all about a message in the queue",
     ctl_cmd_queue_show},
    {"reload", "", 0, 0, NULL, "the daemon reads its configuration anew",
     ctl_cmd_reload},
    {"search", "ACCOUNT WORDS", 2, 2, search_options,
     "looks for mail at the server", ctl_cmd_search},
    {"smime open", "FILE", 1, 1, open_options,
     "layers, verdict and readable form of a message", ctl_cmd_smime_open},
    {"smime seal", "FILE", 1, 1, seal_options, "signs and encrypts a message",
     ctl_cmd_smime_seal},
    {"status", "", 0, 0, NULL, "the daemon, its accounts and their progress",
     ctl_cmd_status},
    {"wbxml", "FILE", 1, 1, wbxml_options,
     "a captured request or answer in readable form", ctl_cmd_wbxml},
    {NULL, NULL, 0, 0, NULL, NULL, NULL},
};
