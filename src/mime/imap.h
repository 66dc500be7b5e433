/*
 * ENVELOPE and BODYSTRUCTURE as IMAP text (RFC 3501 and 9051, sections 7.4.2
 * and 7.5.2): strings are quoted where that is safe, else literals in the
 * text ("{5}\r\nbytes"). The same message always gives the same text.
 */
#ifndef SEALPOST_MIME_IMAP_H
#define SEALPOST_MIME_IMAP_H

#include "base/buf.h"
#include "mime/message.h"

/* All add to out; E_LIMIT over its limit. */
/* Of the message, or (root != NULL) of an embedded one. */
int mime_imap_envelope(const struct mime_message *m,
                       const struct mime_part *root, struct buf *out,
                       struct err *e);
/* extended: BODYSTRUCTURE; else BODY. */
int mime_imap_structure(const struct mime_message *m, bool extended,
                        struct buf *out, struct err *e);
/* nstring / string of IMAP. p == NULL gives NIL. NUL bytes are dropped. */
int mime_imap_nstring(struct slice s, struct buf *out);

/* For people (`sealpostctl mime`): the tree with ranges, types, flags. */
int mime_describe(const struct mime_message *m, struct buf *out,
                  struct err *e);

#endif
