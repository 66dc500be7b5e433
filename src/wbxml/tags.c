/*
 * Names and numbers of the tags, both ways. Names are for people and tests;
 * the rest of the house compares numbers. The data is in tags_table.c.
 */
#include "wbxml/tags.h"

#include <string.h>

#include "base/slice.h"
#include "wbxml/private.h"

/* The prefixes of the XML text, as in our notes on the protocol. */
static const char *const prefixes[WBXML_PAGES] = {
    "airsync",  "contacts", "email",    "airnotify", "calendar", "move",
    "estimate", "folder",   "meeting",  "tasks",     "resolve",  "validate",
    "contacts2", "ping",    "provision", "search",   "gal",      "base",
    "settings", "doc",      "io",       "compose",   "email2",   "notes",
    "rm",       "find",
};

/* MS-ASDTYPE 2.7.1: content of type byte array. */
static const unsigned opaque_tags[] = {
    COMPOSE_MIME,
    EMAIL2_CONVERSATION_ID,
    EMAIL2_CONVERSATION_INDEX,
    SEARCH_CONVERSATION_ID,
    ITEMOPS_CONVERSATION_ID,
    BASE_CONTENT,
    RESOLVE_DATA,
    GAL_DATA,
};

const char *
wbxml_name(unsigned page, unsigned token)
{
    return page < WBXML_PAGES && token < 64 ? wbxml_tag_names[page][token]
                                            : NULL;
}

const char *
wbxml_tag_name(unsigned tag)
{
    const char *name = wbxml_name(WBXML_PAGE_OF(tag), WBXML_TOKEN_OF(tag));

    return name ? name : "Unknown";
}

const char *
wbxml_page_name(unsigned page)
{
    return page < WBXML_PAGES ? wbxml_page_names[page] : NULL;
}

const char *
wbxml_page_prefix(unsigned page)
{
    return page < WBXML_PAGES ? prefixes[page] : NULL;
}

int
wbxml_find_page(const char *page)
{
    for (int i = 0; i < WBXML_PAGES; i++)
        if (!ascii_icmp(page, wbxml_page_names[i]) ||
            !ascii_icmp(page, prefixes[i]))
            return i;
    return -1;
}

unsigned
wbxml_find_tag(const char *page, const char *name)
{
    int at = wbxml_find_page(page);

    if (at < 0)
        return 0;
    /* From the top: Find has three names twice, and the old tokens of
     * those, which are never sent, are the lower ones. */
    for (unsigned token = 63; token >= 5; token--)
        if (wbxml_tag_names[at][token] &&
            !ascii_icmp(wbxml_tag_names[at][token], name))
            return WBXML_TAG(at, token);
    return 0;
}

bool
wbxml_is_opaque(unsigned tag)
{
    for (size_t i = 0; i < sizeof(opaque_tags) / sizeof(opaque_tags[0]); i++)
        if (opaque_tags[i] == tag)
            return true;
    return false;
}
