/*
 * What the files of mime share: lines, and structured field values.
 */
#ifndef SEALPOST_MIME_PRIVATE_H
#define SEALPOST_MIME_PRIVATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"
#include "mime/message.h"

/* One line of `raw` that starts at `at`: its content ends at `*end`, the next
 * line starts at `*next`. CRLF, bare LF and bare CR end lines. `lf` caches the
 * place of the next LF (start with 0), so that a walk over all lines looks at
 * each byte at most twice. false at the end of the bytes. */
bool mime_line(struct slice raw, size_t at, size_t *lf, size_t *end,
               size_t *next);
/* May this line stand in a header section: a field, a folded line, or the
 * "From " line of a mailbox file? */
bool mime_line_is_field(struct slice line);

struct mime_field_params {
    struct mime_param *list;
    bool cut;
};

/* "type/subtype; a=b" -> lower-case type and subtype (false when there are
 * none), then parameters. */
bool mime_value_type(struct slice *rest, struct arena *a, const char **type,
                     const char **subtype);
/* A token in lower case, or NULL. */
const char *mime_value_token(struct slice *rest, struct arena *a);
void mime_value_params(struct slice rest, unsigned limit, struct arena *a,
                       struct mime_field_params *out);

#endif
