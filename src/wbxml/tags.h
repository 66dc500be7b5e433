/*
 * The tags of ActiveSync (MS-ASWBXML 2.1.2.1) as numbers, page << 8 | token:
 * AIRSYNC_SYNC_KEY is 0x000B, tag 0x0B of page 0. Code compares these, never
 * names: one name stands on many pages.
 */
#ifndef SEALPOST_WBXML_TAGS_H
#define SEALPOST_WBXML_TAGS_H

#include <stdbool.h>

#include "wbxml/tags_list.h"

#define WBXML_TAG(page, token) ((unsigned)(page) << 8 | (unsigned)(token))
#define WBXML_PAGE_OF(tag) ((unsigned)(tag) >> 8)
#define WBXML_TOKEN_OF(tag) ((unsigned)(tag) & 0x3f)
/* Pages 0 to 25. */
#define WBXML_PAGES 26

/* "SyncKey"; NULL for a tag that is not in the tables. */
const char *wbxml_name(unsigned page, unsigned token);
/* The same of a whole tag, but never NULL: "Unknown" instead. */
const char *wbxml_tag_name(unsigned tag);
/* "AirSync"; NULL for no such page. */
const char *wbxml_page_name(unsigned page);
/* wbxml_find_tag("Email", "Subject") is EMAIL_SUBJECT; 0 if there is none.
 * Upper and lower case are the same. The page may be given by the short form
 * of the XML text too ("base", see wbxml/text.h). */
unsigned wbxml_find_tag(const char *page, const char *name);
/* Page by its long or short name, -1 if there is none. */
int wbxml_find_page(const char *page);
/* The short name that the XML text uses as prefix: "airsync", "base". */
const char *wbxml_page_prefix(unsigned page);
/* The content is bytes, not text: always written as OPAQUE. */
bool wbxml_is_opaque(unsigned tag);

#endif
