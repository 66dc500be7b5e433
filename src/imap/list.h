/*
 * The arguments of LIST and LSUB.
 */
#ifndef SEALPOST_IMAP_LIST_H
#define SEALPOST_IMAP_LIST_H

#include "imap/command.h"

#define IMAP_LIST_SUBSCRIBED 1u
#define IMAP_LIST_REMOTE 2u
#define IMAP_LIST_RECURSIVE 4u
#define IMAP_LIST_SPECIAL 8u
#define IMAP_LIST_CHILDREN 16u
#define IMAP_LIST_STATUS 32u

#define IMAP_LIST_PATTERNS 50u

struct imap_list_args {
    bool lsub, extended;
    bool asks_root;          /* LIST "" "": the separator is wanted */
    const char *reference;
    const char *patterns[IMAP_LIST_PATTERNS]; /* with the reference */
    size_t n;
    unsigned select, ret;    /* IMAP_LIST_* */
    unsigned status;         /* IMAP_STATUS_* */
};

#endif
