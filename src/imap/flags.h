/*
 * Flags and keywords: their names, both ways.
 */
#ifndef SEALPOST_IMAP_FLAGS_H
#define SEALPOST_IMAP_FLAGS_H

#include "base/buf.h"
#include "base/slice.h"

/* The bit of a flag without its backslash that a client may set; 0 none. */
unsigned imap_flags_system(struct slice name);
/* The bit of a keyword that has one ($Forwarded); 0: it is a word. */
unsigned imap_flags_bit(struct slice keyword);
/* "\Seen \Flagged $Forwarded work", no brackets. Adds. */
void imap_flags_write(unsigned flags, const char *keywords, struct buf *out);

#endif
