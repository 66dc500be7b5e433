/*
 * Status codes of ActiveSync as data (MS-ASCMD 2.2.2 and 2.2.3.177): for a
 * command and a code its meaning, what a client does, and our error code.
 */
#ifndef SEALPOST_EAS_STATUS_H
#define SEALPOST_EAS_STATUS_H

#include "base/err.h"

enum eas_reaction {
    EAS_OK = 0,
    EAS_PROVISION,  /* handled inside eas */
    EAS_RETRY,      /* the same again, later */
    EAS_KEY0,       /* this key is lost: start again with "0", keep the UIDs */
    EAS_FOLDERSYNC, /* the folder list is out of date */
    EAS_FULL,       /* handled inside eas */
    EAS_DROP,       /* this one item is refused for good */
    EAS_GONE,       /* the item is not there any more */
    EAS_CONFLICT,   /* the server's version stands */
    EAS_USER,       /* a person has to act */
    EAS_BUG,        /* our request was wrong */
};

enum eas_command {
    EAS_CMD_ANY,
    EAS_CMD_FOLDERSYNC,
    EAS_CMD_FOLDERCREATE,
    EAS_CMD_FOLDERUPDATE,
    EAS_CMD_FOLDERDELETE,
    EAS_CMD_SYNC,
    EAS_CMD_GETITEMESTIMATE,
    EAS_CMD_PING,
    EAS_CMD_ITEMOPERATIONS,
    EAS_CMD_MOVEITEMS,
    EAS_CMD_SENDMAIL,
    EAS_CMD_SMARTREPLY,
    EAS_CMD_SMARTFORWARD,
    EAS_CMD_RESOLVERECIPIENTS,
    EAS_CMD_VALIDATECERT,
    EAS_CMD_SEARCH,
    EAS_CMD_FIND,
    EAS_CMD_SETTINGS,
    EAS_CMD_PROVISION,
    EAS_CMD_MEETINGRESPONSE,
    EAS_COMMANDS
};

struct eas_status {
    enum eas_command command; /* EAS_CMD_ANY for the common codes */
    int code;
    enum eas_reaction reaction;
    enum err_code err; /* what a caller reports */
    const char *text;
};

/* Never NULL: an unknown code is "unknown status", EAS_RETRY, E_RETRY. */
const struct eas_status *eas_status_find(enum eas_command, int code);
/* "Sync", as in the query string. */
const char *eas_command_name(enum eas_command);
/* err_set() from a status: "Sync status 12: the folder list changed". */
int eas_status_err(struct err *e, enum eas_command, int code);

#endif
