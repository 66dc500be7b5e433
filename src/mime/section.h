/*
 * IMAP body sections as byte ranges of the message (RFC 3501 and 9051,
 * section 6.4.5).
 */
#ifndef SEALPOST_MIME_SECTION_H
#define SEALPOST_MIME_SECTION_H

#include "base/buf.h"
#include "mime/message.h"

enum mime_section {
    MIME_SECTION_ALL,    /* BODY[] or BODY[1.2] */
    MIME_SECTION_HEADER, /* of the message or of an embedded one */
    MIME_SECTION_TEXT,   /* likewise */
    MIME_SECTION_MIME,   /* BODY[1.MIME] */
    MIME_SECTION_FIELDS, /* HEADER.FIELDS: mime_section_fields() on HEADER */
    MIME_SECTION_NOT,    /* HEADER.FIELDS.NOT */
};

/* The part at "1.2" (path without keyword); NULL when there is none. The
 * empty path is the message itself. */
const struct mime_part *mime_section_find(const struct mime_message *m,
                                          struct slice path);

/* The range; *out is set and true returned when the section exists. FIELDS
 * and NOT give the header they select from. Borrowed from the message. */
bool mime_section_range(const struct mime_message *m, struct slice path,
                        enum mime_section what, struct slice *out);

/* Splits "1.2.HEADER" (no field list) into path and keyword. E_INPUT. */
int mime_section_parse(struct slice spec, struct slice *path_out,
                       enum mime_section *what_out, struct err *e);

/* Adds the fields whose names are (not: are not) in the list, as they stand,
 * and an empty line. -1 over out's limit. */
int mime_section_fields(struct slice header, const struct slice *names,
                        size_t count, bool not, struct buf *out);

#endif
