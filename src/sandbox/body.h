/*
 * Bodies and attachments of stored messages.
 */
#ifndef SEALPOST_SANDBOX_BODY_H
#define SEALPOST_SANDBOX_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct call;
struct message;
struct mime_message;
struct mime_part;

/* The readable text in this form (1 text, 2 HTML), made from the other if
 * need be. Adds; nothing for a message without text. */
void body_text(const struct mime_message *, int type, struct buf *out);
/* Not part of the text. */
bool body_is_attachment(const struct mime_part *);

/* ---- attachment.c */

/* base:Attachments, if there are any. */
void attachments_write(struct call *, const struct message *,
                       const struct mime_message *);
/* Is there any over this many bytes? */
bool attachments_over(const struct mime_message *, uint64_t most);
/* The part that a FileReference names, decoded into out; type_out gets its
 * content type (call's arena). 0, or the status of ItemOperations. */
int attachment_read(struct call *, const char *reference, struct buf *out,
                    const char **type_out);

#endif
