/*
 * A recorded ENVELOPE taken apart again, so that messages can be searched
 * without being opened.
 */
#ifndef SEALPOST_IMAP_ENVELOPE_H
#define SEALPOST_IMAP_ENVELOPE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/slice.h"

enum imap_envelope_field {
    IMAP_ENVELOPE_DATE,
    IMAP_ENVELOPE_SUBJECT,
    IMAP_ENVELOPE_FROM,
    IMAP_ENVELOPE_SENDER,
    IMAP_ENVELOPE_REPLY_TO,
    IMAP_ENVELOPE_TO,
    IMAP_ENVELOPE_CC,
    IMAP_ENVELOPE_BCC,
    IMAP_ENVELOPE_IN_REPLY_TO,
    IMAP_ENVELOPE_MESSAGE_ID,
    IMAP_ENVELOPE_FIELDS
};
/* One field as text: encoded words in UTF-8, addresses as "Name <a@b>, ...".
 * false: it is no envelope. An absent field is "". In the arena. */
bool imap_envelope_text(const char *envelope, enum imap_envelope_field,
                        struct arena *, struct slice *out);

#endif
