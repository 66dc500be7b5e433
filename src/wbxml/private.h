/*
 * Shared by the files of wbxml: the tables and the integers.
 */
#ifndef SEALPOST_WBXML_PRIVATE_H
#define SEALPOST_WBXML_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "wbxml/tags.h"

extern const char *const wbxml_tag_names[WBXML_PAGES][64];
extern const char *const wbxml_page_names[WBXML_PAGES];

/* mb_u_int32 at *at; false when cut or above 32 bits. Moves *at. */
bool wbxml_mb_read(struct slice doc, size_t *at, uint32_t *out);

/* The command that a root element without prefix names; 0 for none. */
unsigned wbxml_text_root(const char *name);

#endif
