/*
 * The commands there are. `broken` is what a request gets that breaks the
 * schema: the command's own "protocol error" where it has one, else 103.
 */
#include <string.h>

#include "base/mem.h"
#include "sandbox/call.h"

const struct command commands[] = {
    {"Sync", 0, AIRSYNC_SYNC, AIRSYNC_STATUS, 4, 140, true, cmd_sync},
    {"SendMail", 1, COMPOSE_SEND_MAIL, COMPOSE_STATUS, 103, 140, false,
     cmd_send},
    {"SmartForward", 2, COMPOSE_SMART_FORWARD, COMPOSE_STATUS, 103, 140, false,
     cmd_send},
    {"SmartReply", 3, COMPOSE_SMART_REPLY, COMPOSE_STATUS, 103, 140, false,
     cmd_send},
    {"FolderSync", 9, FOLDER_FOLDER_SYNC, FOLDER_STATUS, 10, 140, false,
     cmd_folder_sync},
    {"FolderCreate", 10, FOLDER_FOLDER_CREATE, FOLDER_STATUS, 10, 140, false,
     cmd_folder_create},
    {"FolderDelete", 11, FOLDER_FOLDER_DELETE, FOLDER_STATUS, 10, 140, false,
     cmd_folder_delete},
    {"FolderUpdate", 12, FOLDER_FOLDER_UPDATE, FOLDER_STATUS, 10, 140, false,
     cmd_folder_update},
    {"MoveItems", 13, MOVE_MOVE_ITEMS, MOVE_STATUS, 103, 140, false, cmd_move},
    {"GetItemEstimate", 14, ESTIMATE_GET_ITEM_ESTIMATE, ESTIMATE_STATUS, 103,
     140, false, cmd_estimate},
    {"Settings", 17, SETTINGS_SETTINGS, SETTINGS_STATUS, 2, 140, false,
     cmd_settings},
    {"Ping", 18, PING_PING, PING_STATUS, 4, 140, true, cmd_ping},
    {"ItemOperations", 19, ITEMOPS_ITEM_OPERATIONS, ITEMOPS_STATUS, 2, 140,
     false, cmd_items},
    {"Provision", 20, PROVISION_PROVISION, PROVISION_STATUS, 2, 140, false,
     cmd_provision},
    {"ResolveRecipients", 21, RESOLVE_RESOLVE_RECIPIENTS, RESOLVE_STATUS, 5,
     140, false, cmd_resolve},
    {"Search", 16, SEARCH_SEARCH, SEARCH_STATUS, 2, 140, false, cmd_search},
    {"ValidateCert", 22, VALIDATE_VALIDATE_CERT, VALIDATE_STATUS, 103, 140,
     false, cmd_validate},
    {"Find", 23, FIND_FIND, FIND_STATUS, 2, 161, false, cmd_find},
    /* Known, but not served: Status 137, and not in the list of OPTIONS. */
    {"MeetingResponse", 15, MEETING_MEETING_RESPONSE, MEETING_STATUS, 103, 140,
     true, NULL},
};

const struct command *
command_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (!ascii_icmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

const struct command *
command_find_code(int code)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (commands[i].code == code)
            return &commands[i];
    return NULL;
}

void
commands_list(struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (commands[i].handle)
            buf_addf(out, "%s%s", i ? "," : "", commands[i].name);
}
