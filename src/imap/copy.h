/*
 * What COPY and MOVE have in common: which messages, where to, and COPYUID.
 */
#ifndef SEALPOST_IMAP_COPY_H
#define SEALPOST_IMAP_COPY_H

#include "imap/private.h"

struct imap_opener;

struct imap_copy_args {
    struct imap_set set;
    const char *mailbox;
};
struct imap_copy {
    struct imap_picked picked;
    int64_t folder;         /* the target */
    size_t next, n;
    uint32_t *from, *to;    /* UIDs of those that are done */
    bool issued;            /* some are gone */
    struct imap_opener *opener;
    struct err trouble;
};
/* Sets cmd->state; NULL: the command has ended with an error. */
struct imap_copy *imap_copy_begin(struct imap_command *);
/* "COPYUID 7 1:2 5:6" in the arena; NULL when nothing was done. */
char *imap_copy_code(struct imap_command *);

#endif
