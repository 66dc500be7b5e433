/*
 * Options read from a request. Wrong values are Status 4, as a server should
 * check (MS-ASAIRS 3.2.5.1); a BodyPartPreference of another type than HTML
 * is 164.
 */
#include "sandbox/prefs.h"

#include <stddef.h>

#include "wbxml/tree.h"

void
prefs_init(struct prefs *p)
{
    *p = (struct prefs){.conflict = 1, .mime_truncation = 8};
}

/* 0, or -1 for a wrong value. */
static int
body_read(const struct wbxml_node *n, struct prefs *p)
{
    struct body_pref b = {
        .type = (int)wbxml_number(n, 0, BASE_TYPE, 0),
        .truncation = wbxml_number(n, -1, BASE_TRUNCATION_SIZE, 0),
        .all_or_none = wbxml_number(n, 0, BASE_ALL_OR_NONE, 0) == 1,
        .preview = (int)wbxml_number(n, -1, BASE_PREVIEW, 0),
    };

    if (b.type < 1 || b.type > 4 || b.preview > 255)
        return -1;
    for (unsigned i = 0; i < p->bodies; i++)
        if (p->body[i].type == b.type)
            return -1; /* one per type */
    p->body[p->bodies++] = b;
    return 0;
}

int
prefs_read(const struct wbxml_node *options, struct prefs *out)
{
    struct prefs p;
    const struct wbxml_node *n;

    prefs_init(&p);
    p.filter = (int)wbxml_number(options, 0, AIRSYNC_FILTER_TYPE, 0);
    p.conflict = (int)wbxml_number(options, 1, AIRSYNC_CONFLICT, 0);
    p.mime_support = (int)wbxml_number(options, 0, AIRSYNC_MIME_SUPPORT, 0);
    p.mime_truncation =
        (int)wbxml_number(options, 8, AIRSYNC_MIME_TRUNCATION, 0);
    /* 6 to 8 are for calendars and tasks. */
    if (p.filter > 5 || p.mime_support > 2 || p.mime_truncation > 8)
        return 4;
    for (n = wbxml_find(options, BASE_BODY_PREFERENCE, 0); n;
         n = wbxml_again(n))
        if (body_read(n, &p))
            return 4;
    n = wbxml_find(options, BASE_BODY_PART_PREFERENCE, 0);
    if (n && wbxml_number(n, 0, BASE_TYPE, 0) != 2)
        return 164;
    *out = p;
    return 1;
}

int64_t
prefs_cutoff(const struct prefs *p, int64_t now)
{
    static const int days[] = {0, 1, 3, 7, 14, 31};

    return p->filter >= 1 && p->filter <= 5 ? now - 86400 * days[p->filter]
                                            : 0;
}
