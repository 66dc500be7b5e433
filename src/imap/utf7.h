/*
 * Mailbox names on the wire: modified UTF-7 (RFC 3501 section 5.1.3).
 */
#ifndef SEALPOST_IMAP_UTF7_H
#define SEALPOST_IMAP_UTF7_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

/* UTF-8 in the arena. E_MISSING for what is no modified UTF-7 in its only
 * correct form (a second spelling of a name would be a second mailbox). */
int imap_utf7_decode(struct slice name, struct arena *, const char **out,
                     struct err *e);
/* Adds the name, not quoted. */
void imap_utf7_encode(const char *utf8, struct buf *out);
/* Adds the name as an astring: quoted where it has to be. */
void imap_utf7_write(const char *utf8, struct buf *out);

#endif
