/*
 * The status codes as data (MS-ASCMD 2.2.2 and 2.2.3.177): what each means,
 * what a client does, and which of our errors a caller reports. A command's
 * own rows come before the common ones.
 */
#include "eas/status.h"

#include <stddef.h>

#include "base/mem.h"
#include "eas/private.h"

#define ANY EAS_CMD_ANY
#define FS EAS_CMD_FOLDERSYNC
#define FC EAS_CMD_FOLDERCREATE
#define FU EAS_CMD_FOLDERUPDATE
#define FD EAS_CMD_FOLDERDELETE
#define SY EAS_CMD_SYNC
#define GE EAS_CMD_GETITEMESTIMATE
#define PI EAS_CMD_PING
#define IO EAS_CMD_ITEMOPERATIONS
#define MI EAS_CMD_MOVEITEMS
#define RR EAS_CMD_RESOLVERECIPIENTS
#define VC EAS_CMD_VALIDATECERT
#define SE EAS_CMD_SEARCH
#define FI EAS_CMD_FIND
#define ST EAS_CMD_SETTINGS
#define PR EAS_CMD_PROVISION
#define MR EAS_CMD_MEETINGRESPONSE

static const struct eas_status table[] = {
    {FS, 1, EAS_OK, E_NONE, "ok"},
    {FS, 6, EAS_RETRY, E_RETRY, "server error"},
    {FS, 9, EAS_KEY0, E_RETRY, "the key of the folder list does not fit"},
    {FS, 10, EAS_BUG, E_BUG, "malformed request"},
    {FS, 11, EAS_RETRY, E_RETRY, "unknown error"},
    {FS, 12, EAS_RETRY, E_RETRY, "code unknown to the server"},

    {FC, 1, EAS_OK, E_NONE, "ok"},
    {FC, 2, EAS_DROP, E_REMOTE, "a folder of that name exists"},
    {FC, 3, EAS_DROP, E_DENIED, "the parent is a special folder"},
    {FC, 5, EAS_FOLDERSYNC, E_MISSING, "the parent folder was not found"},
    {FC, 6, EAS_RETRY, E_RETRY, "server error"},
    {FC, 9, EAS_KEY0, E_RETRY, "the key of the folder list does not fit"},
    {FC, 10, EAS_BUG, E_BUG, "malformed request or a default folder"},
    {FC, 11, EAS_RETRY, E_RETRY, "unknown error"},
    {FC, 12, EAS_RETRY, E_RETRY, "code unknown to the server"},

    {FU, 1, EAS_OK, E_NONE, "ok"},
    {FU, 2, EAS_DROP, E_REMOTE, "the name exists or the folder is special"},
    {FU, 3, EAS_DROP, E_DENIED, "a special folder cannot be changed"},
    {FU, 4, EAS_FOLDERSYNC, E_MISSING, "the folder was not found"},
    {FU, 5, EAS_FOLDERSYNC, E_MISSING, "the parent folder was not found"},
    {FU, 6, EAS_RETRY, E_RETRY, "server error"},
    {FU, 9, EAS_KEY0, E_RETRY, "the key of the folder list does not fit"},
    {FU, 10, EAS_BUG, E_BUG, "malformed request"},
    {FU, 11, EAS_RETRY, E_RETRY, "unknown error"},

    {FD, 1, EAS_OK, E_NONE, "ok"},
    {FD, 3, EAS_DROP, E_DENIED, "a special folder cannot be deleted"},
    {FD, 4, EAS_FOLDERSYNC, E_MISSING, "the folder was not found"},
    {FD, 6, EAS_RETRY, E_RETRY, "server error"},
    {FD, 9, EAS_KEY0, E_RETRY, "the key of the folder list does not fit"},
    {FD, 10, EAS_BUG, E_BUG, "malformed request"},
    {FD, 11, EAS_RETRY, E_RETRY, "unknown error"},

    {SY, 1, EAS_OK, E_NONE, "ok"},
    {SY, 3, EAS_KEY0, E_RETRY, "the synchronisation key is invalid"},
    {SY, 4, EAS_BUG, E_BUG, "protocol error"},
    {SY, 5, EAS_RETRY, E_RETRY, "server error"},
    {SY, 6, EAS_DROP, E_REMOTE, "the item could not be converted"},
    {SY, 7, EAS_CONFLICT, E_REMOTE, "conflict, the server's version stands"},
    {SY, 8, EAS_GONE, E_MISSING, "the object was not found"},
    {SY, 9, EAS_USER, E_QUOTA, "the mailbox is out of space"},
    {SY, 12, EAS_FOLDERSYNC, E_RETRY, "the folder list changed"},
    {SY, 13, EAS_FULL, E_RETRY, "the request is not complete"},
    {SY, 14, EAS_BUG, E_BUG, "the waiting time is out of range"},
    {SY, 15, EAS_BUG, E_LIMIT, "too many collections"},
    {SY, 16, EAS_RETRY, E_RETRY, "try again"},

    {GE, 1, EAS_OK, E_NONE, "ok"},
    {GE, 2, EAS_FOLDERSYNC, E_MISSING, "the collection is invalid"},
    {GE, 3, EAS_KEY0, E_RETRY, "the collection was not primed"},
    {GE, 4, EAS_KEY0, E_RETRY, "the synchronisation key is invalid"},

    {PI, 1, EAS_OK, E_NONE, "nothing new"},
    {PI, 2, EAS_OK, E_NONE, "changes"},
    {PI, 3, EAS_FULL, E_RETRY, "parameters are missing"},
    {PI, 4, EAS_BUG, E_BUG, "syntax error"},
    {PI, 5, EAS_FULL, E_RETRY, "the heartbeat is out of range"},
    {PI, 6, EAS_FULL, E_RETRY, "too many folders"},
    {PI, 7, EAS_FOLDERSYNC, E_RETRY, "the folder list changed"},
    {PI, 8, EAS_RETRY, E_RETRY, "server error"},

    {IO, 1, EAS_OK, E_NONE, "ok"},
    {IO, 2, EAS_BUG, E_BUG, "protocol error"},
    {IO, 3, EAS_RETRY, E_RETRY, "server error"},
    {IO, 4, EAS_DROP, E_REMOTE, "bad document address"},
    {IO, 5, EAS_DROP, E_DENIED, "access to the document was denied"},
    {IO, 6, EAS_GONE, E_MISSING, "the item was not found"},
    {IO, 7, EAS_DROP, E_RETRY, "the document server cannot be reached"},
    {IO, 8, EAS_BUG, E_BUG, "the byte range is bad"},
    {IO, 9, EAS_BUG, E_BUG, "the store is unknown"},
    {IO, 10, EAS_DROP, E_MISSING, "the file is empty"},
    {IO, 11, EAS_DROP, E_LIMIT, "too large, or too many operations"},
    {IO, 12, EAS_RETRY, E_RETRY, "the download failed"},
    {IO, 14, EAS_DROP, E_REMOTE, "the item could not be converted"},
    {IO, 15, EAS_GONE, E_MISSING, "the attachment is invalid"},
    {IO, 16, EAS_DROP, E_DENIED, "access denied"},
    {IO, 17, EAS_RETRY, E_RETRY, "only a part succeeded"},
    {IO, 18, EAS_DROP, E_DENIED, "credentials are required"},

    {MI, 1, EAS_GONE, E_MISSING, "the source is invalid or already moved"},
    {MI, 2, EAS_FOLDERSYNC, E_MISSING, "the destination is invalid"},
    {MI, 3, EAS_OK, E_NONE, "moved"},
    {MI, 4, EAS_OK, E_NONE, "source and destination are the same"},
    {MI, 5, EAS_RETRY, E_RETRY, "a lock, or several destinations"},
    {MI, 7, EAS_RETRY, E_RETRY, "locked"},

    {RR, 1, EAS_OK, E_NONE, "ok"},
    {RR, 5, EAS_BUG, E_BUG, "protocol error or too many recipients"},
    {RR, 6, EAS_RETRY, E_RETRY, "server error"},

    {VC, 1, EAS_OK, E_NONE, "ok"},
    {VC, 2, EAS_BUG, E_BUG, "protocol error"},
    {VC, 3, EAS_DROP, E_DENIED, "the signature cannot be validated"},
    {VC, 4, EAS_DROP, E_DENIED, "the issuer is not trusted"},
    {VC, 5, EAS_DROP, E_DENIED, "the chain is malformed"},
    {VC, 6, EAS_DROP, E_DENIED, "not valid for signing mail"},
    {VC, 7, EAS_DROP, E_DENIED, "expired or not yet valid"},
    {VC, 8, EAS_DROP, E_DENIED, "the validity periods do not nest"},
    {VC, 9, EAS_DROP, E_DENIED, "used for a purpose that is not allowed"},
    {VC, 10, EAS_DROP, E_DENIED, "information is missing or wrong"},
    {VC, 11, EAS_DROP, E_DENIED, "an authority used as end entity"},
    {VC, 12, EAS_DROP, E_DENIED, "does not match the address"},
    {VC, 13, EAS_DROP, E_DENIED, "revoked"},
    {VC, 14, EAS_RETRY, E_RETRY, "the revocation server is away"},
    {VC, 15, EAS_DROP, E_DENIED, "a member of the chain is revoked"},
    {VC, 16, EAS_DROP, E_DENIED, "the revocation state is unknown"},
    {VC, 17, EAS_RETRY, E_RETRY, "unknown server error"},

    {SE, 1, EAS_OK, E_NONE, "ok"},
    {SE, 2, EAS_BUG, E_BUG, "invalid request"},
    {SE, 3, EAS_RETRY, E_RETRY, "server error"},
    {SE, 4, EAS_DROP, E_REMOTE, "bad link"},
    {SE, 5, EAS_DROP, E_DENIED, "access denied"},
    {SE, 6, EAS_GONE, E_MISSING, "not found"},
    {SE, 7, EAS_RETRY, E_RETRY, "connection failed"},
    {SE, 8, EAS_DROP, E_LIMIT, "the query is too complex"},
    {SE, 10, EAS_RETRY, E_RETRY, "timed out"},
    {SE, 11, EAS_FOLDERSYNC, E_RETRY, "the folder list changed"},
    {SE, 12, EAS_DROP, E_LIMIT, "the end of what can be found"},
    {SE, 13, EAS_DROP, E_DENIED, "blocked"},
    {SE, 14, EAS_DROP, E_DENIED, "credentials are required"},

    {FI, 1, EAS_OK, E_NONE, "ok"},
    {FI, 2, EAS_BUG, E_BUG, "invalid request"},
    {FI, 3, EAS_FOLDERSYNC, E_RETRY, "the folder list changed"},
    {FI, 4, EAS_BUG, E_BUG, "the first range does not begin with 0"},

    {ST, 1, EAS_OK, E_NONE, "ok"},
    {ST, 2, EAS_BUG, E_BUG, "protocol error"},
    {ST, 3, EAS_USER, E_DENIED, "access denied"},
    {ST, 4, EAS_RETRY, E_RETRY, "the server is unavailable"},
    {ST, 5, EAS_BUG, E_BUG, "invalid arguments"},
    {ST, 6, EAS_BUG, E_BUG, "conflicting arguments"},
    {ST, 7, EAS_USER, E_DENIED, "denied by policy"},

    {PR, 1, EAS_OK, E_NONE, "ok"},
    {PR, 2, EAS_BUG, E_BUG, "protocol error"},
    {PR, 3, EAS_RETRY, E_RETRY, "server error"},

    {MR, 1, EAS_OK, E_NONE, "ok"},
    {MR, 2, EAS_DROP, E_REMOTE, "no valid meeting request"},
    {MR, 3, EAS_RETRY, E_RETRY, "mailbox error"},
    {MR, 4, EAS_RETRY, E_RETRY, "server error"},

    {ANY, 1, EAS_OK, E_NONE, "ok"},
    {ANY, 101, EAS_BUG, E_BUG, "invalid content"},
    {ANY, 102, EAS_BUG, E_BUG, "invalid WBXML"},
    {ANY, 103, EAS_BUG, E_BUG, "invalid XML, or too many elements"},
    {ANY, 104, EAS_BUG, E_BUG, "invalid date"},
    {ANY, 105, EAS_BUG, E_BUG, "invalid combination of ids"},
    {ANY, 106, EAS_FOLDERSYNC, E_MISSING, "invalid ids"},
    {ANY, 107, EAS_DROP, E_INPUT, "invalid MIME"},
    {ANY, 108, EAS_BUG, E_BUG, "the device id is missing or bad"},
    {ANY, 109, EAS_BUG, E_BUG, "the device type is missing or bad"},
    {ANY, 110, EAS_RETRY, E_RETRY, "server error, not to be repeated soon"},
    {ANY, 111, EAS_RETRY, E_RETRY, "server error, try later"},
    {ANY, 112, EAS_USER, E_DENIED, "access to the directory was denied"},
    {ANY, 113, EAS_USER, E_QUOTA, "the mailbox is full"},
    {ANY, 114, EAS_RETRY, E_RETRY, "the mailbox server is offline"},
    {ANY, 115, EAS_USER, E_QUOTA, "the quota for sending is used up"},
    {ANY, 116, EAS_DROP, E_MISSING, "a recipient could not be resolved"},
    {ANY, 117, EAS_DROP, E_DENIED, "a reply to this message is not allowed"},
    {ANY, 118, EAS_CONFLICT, E_REMOTE, "this ClientId was already sent"},
    {ANY, 119, EAS_DROP, E_INPUT, "there is no recipient"},
    {ANY, 120, EAS_RETRY, E_RETRY, "the submission failed"},
    {ANY, 121, EAS_DROP, E_REMOTE, "the reply or forward failed"},
    {ANY, 122, EAS_DROP, E_LIMIT, "an attachment is too large"},
    {ANY, 123, EAS_USER, E_REMOTE, "the user has no mailbox"},
    {ANY, 124, EAS_USER, E_LOGIN, "anonymous access is not allowed"},
    {ANY, 125, EAS_USER, E_REMOTE, "the user is not in the directory"},
    {ANY, 126, EAS_USER, E_DENIED, "the user may not use ActiveSync"},
    {ANY, 127, EAS_USER, E_DENIED, "the server refuses users"},
    {ANY, 128, EAS_USER, E_DENIED, "the server refuses this mailbox"},
    {ANY, 129, EAS_USER, E_DENIED,
     "the device is blocked; an administrator has to allow it"},
    {ANY, 130, EAS_USER, E_DENIED, "access denied"},
    {ANY, 131, EAS_USER, E_DENIED, "the account is disabled"},
    {ANY, 132, EAS_KEY0, E_RETRY, "the server lost the state"},
    {ANY, 133, EAS_RETRY, E_RETRY, "the mailbox is being moved"},
    {ANY, 134, EAS_KEY0, E_RETRY, "the server's state is corrupt"},
    {ANY, 135, EAS_RETRY, E_RETRY, "the state exists already"},
    {ANY, 136, EAS_KEY0, E_RETRY, "the state is of another version"},
    {ANY, 137, EAS_DROP, E_REMOTE, "the server does not know the command"},
    {ANY, 138, EAS_DROP, E_REMOTE,
     "this protocol version does not know the command"},
    {ANY, 139, EAS_USER, E_DENIED, "the device cannot be fully provisioned"},
    {ANY, 140, EAS_USER, E_DENIED, "remote wipe requested"},
    {ANY, 141, EAS_PROVISION, E_RETRY, "provisioning is required"},
    {ANY, 142, EAS_PROVISION, E_RETRY, "not provisioned"},
    {ANY, 143, EAS_PROVISION, E_RETRY, "the policy must be refreshed"},
    {ANY, 144, EAS_PROVISION, E_RETRY, "the policy key is invalid"},
    {ANY, 145, EAS_USER, E_DENIED, "externally managed devices are refused"},
    {ANY, 146, EAS_BUG, E_BUG, "the item has no recurrence"},
    {ANY, 147, EAS_DROP, E_REMOTE, "unexpected class of item"},
    {ANY, 148, EAS_USER, E_REMOTE, "the remote server has no TLS"},
    {ANY, 149, EAS_FULL, E_RETRY, "the stored request is invalid"},
    {ANY, 150, EAS_GONE, E_MISSING, "the item was not found"},
    {ANY, 151, EAS_USER, E_LIMIT, "more than 1000 folders"},
    {ANY, 152, EAS_FOLDERSYNC, E_RETRY, "no folders"},
    {ANY, 153, EAS_USER, E_REMOTE, "items were lost in a move"},
    {ANY, 154, EAS_RETRY, E_RETRY, "the move failed"},
    {ANY, 155, EAS_BUG, E_BUG, "a move of a conversation without MoveAlways"},
    {ANY, 156, EAS_DROP, E_DENIED, "the destination is not permitted"},
    {ANY, 160, EAS_DROP, E_LIMIT, "too many recipients"},
    {ANY, 161, EAS_DROP, E_LIMIT, "the distribution list is too large"},
    {ANY, 162, EAS_RETRY, E_RETRY, "availability failed for a moment"},
    {ANY, 163, EAS_DROP, E_DENIED, "no permission to see availability"},
    {ANY, 164, EAS_BUG, E_BUG, "unsupported BodyPartPreference"},
    {ANY, 165, EAS_BUG, E_BUG, "DeviceInformation is missing"},
    {ANY, 166, EAS_DROP, E_REMOTE, "invalid AccountId"},
    {ANY, 167, EAS_USER, E_DENIED, "sending is disabled for the account"},
    {ANY, 168, EAS_DROP, E_REMOTE, "rights management is disabled"},
    {ANY, 169, EAS_RETRY, E_RETRY, "rights management failed for a moment"},
    {ANY, 170, EAS_DROP, E_REMOTE, "rights management failed"},
    {ANY, 171, EAS_DROP, E_REMOTE, "unknown rights template"},
    {ANY, 172, EAS_DROP, E_DENIED, "the rights of the item forbid it"},
    {ANY, 173, EAS_DROP, E_MISSING, "there is no picture"},
    {ANY, 174, EAS_DROP, E_LIMIT, "the picture is too large"},
    {ANY, 175, EAS_DROP, E_LIMIT, "too many pictures"},
    {ANY, 176, EAS_DROP, E_LIMIT, "the conversation is too large"},
    {ANY, 177, EAS_USER, E_DENIED,
     "the mailbox has too many devices; remove an old one"},
    {ANY, 178, EAS_BUG, E_BUG, "Mime and Body are both there"},
    {ANY, 179, EAS_BUG, E_BUG, "parameters of SmartForward do not fit"},
    {ANY, 183, EAS_DROP, E_INPUT, "the draft has no good recipient"},
    {ANY, 184, EAS_DROP, E_REMOTE, "an exception of a series failed"},
};

static const char *const names[EAS_COMMANDS] = {
    [EAS_CMD_ANY] = "command",
    [EAS_CMD_FOLDERSYNC] = "FolderSync",
    [EAS_CMD_FOLDERCREATE] = "FolderCreate",
    [EAS_CMD_FOLDERUPDATE] = "FolderUpdate",
    [EAS_CMD_FOLDERDELETE] = "FolderDelete",
    [EAS_CMD_SYNC] = "Sync",
    [EAS_CMD_GETITEMESTIMATE] = "GetItemEstimate",
    [EAS_CMD_PING] = "Ping",
    [EAS_CMD_ITEMOPERATIONS] = "ItemOperations",
    [EAS_CMD_MOVEITEMS] = "MoveItems",
    [EAS_CMD_SENDMAIL] = "SendMail",
    [EAS_CMD_SMARTREPLY] = "SmartReply",
    [EAS_CMD_SMARTFORWARD] = "SmartForward",
    [EAS_CMD_RESOLVERECIPIENTS] = "ResolveRecipients",
    [EAS_CMD_VALIDATECERT] = "ValidateCert",
    [EAS_CMD_SEARCH] = "Search",
    [EAS_CMD_FIND] = "Find",
    [EAS_CMD_SETTINGS] = "Settings",
    [EAS_CMD_PROVISION] = "Provision",
    [EAS_CMD_MEETINGRESPONSE] = "MeetingResponse",
};

const struct eas_status *
eas_status_find(enum eas_command command, int code)
{
    static const struct eas_status unknown = {
        EAS_CMD_ANY, 0, EAS_RETRY, E_RETRY, "unknown status"};
    const struct eas_status *common = NULL;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (table[i].code != code)
            continue;
        if (table[i].command == command)
            return &table[i];
        /* 1 is not success everywhere: MoveItems has its own. */
        if (table[i].command == EAS_CMD_ANY)
            common = &table[i];
    }
    return common ? common : &unknown;
}

const char *
eas_command_name(enum eas_command command)
{
    return (unsigned)command < EAS_COMMANDS ? names[command] : names[0];
}

int
eas_status_err(struct err *e, enum eas_command command, int code)
{
    const struct eas_status *s = eas_status_find(command, code);

    return err_set(e, s->err ? s->err : E_BUG, "%s status %d: %s",
                   eas_command_name(command), code, s->text);
}

void
eas_status_set(enum eas_command command, int code, int *status_out,
               int *reaction_out)
{
    *status_out = code;
    *reaction_out = (int)eas_status_find(command, code)->reaction;
}
