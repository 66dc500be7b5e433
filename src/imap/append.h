/*
 * APPEND's arguments, and the judgement before its message is received.
 */
#ifndef SEALPOST_IMAP_APPEND_H
#define SEALPOST_IMAP_APPEND_H

#include "imap/command.h"

struct imap_append_args {
    const char *mailbox;
    struct imap_flags flags;
    bool has_date;
    int64_t date;
    bool announced;       /* the message has only been announced */
    struct slice message;
};

/* A literal of `size` bytes was announced at the end of `text`. 1: it is the
 * message of an APPEND that can be taken; 0: it is some other literal; -1
 * with e: the message is refused (c->refusal_code may be set). */
int imap_append_judge(struct imap_client *, struct slice text, uint64_t size,
                      struct err *e);

#endif
