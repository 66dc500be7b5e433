/*
 * ResolveRecipients (MS-ASCMD 2.2.1.15): addresses to people and their
 * certificates. Of a list the members' certificates, without their names.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "sandbox/call.h"

#define LIMIT_DEFAULT 9999

struct wish {
    long retrieval; /* 1 none, 2 full, 3 mini */
    long max;
    long ambiguous; /* suggestions */
};

/* MS-ASCMD 2.2.3.101: over the limit an address gets none, and the count
 * says how many that would have been. */
static void
write_certificates(struct call *c, const struct people_found *f,
                   const struct wish *w)
{
    struct slice rest = buf_slice(&f->certificates), line;
    bool over = (long)f->count > w->max;
    int status = !f->count ? 7 : over ? 8 : 1;

    wbxml_write_start(&c->w, RESOLVE_CERTIFICATES);
    wbxml_write_number(&c->w, RESOLVE_STATUS, status);
    wbxml_write_number(&c->w, RESOLVE_CERTIFICATE_COUNT, f->count);
    if (f->members != 1)
        wbxml_write_number(&c->w, RESOLVE_RECIPIENT_COUNT, f->members);
    while (status == 1 && slice_next(&rest, '\n', &line))
        if (line.n)
            wbxml_write_slice(&c->w, RESOLVE_CERTIFICATE, line);
    wbxml_write_end(&c->w);
}

static void
write_recipient(struct call *c, const struct people_found *f,
                const struct wish *w)
{
    wbxml_write_start(&c->w, RESOLVE_RECIPIENT);
    wbxml_write_text(&c->w, RESOLVE_TYPE, "1");
    wbxml_write_text(&c->w, RESOLVE_DISPLAY_NAME, f->name);
    wbxml_write_text(&c->w, RESOLVE_EMAIL_ADDRESS, f->address);
    if (wbxml_has(c->root, RESOLVE_OPTIONS, RESOLVE_AVAILABILITY, 0)) {
        wbxml_write_start(&c->w, RESOLVE_AVAILABILITY);
        wbxml_write_text(&c->w, RESOLVE_STATUS, "163");
        wbxml_write_end(&c->w);
    }
    if (w->retrieval > 1)
        write_certificates(c, f, w);
    if (wbxml_has(c->root, RESOLVE_OPTIONS, RESOLVE_PICTURE, 0)) {
        wbxml_write_start(&c->w, RESOLVE_PICTURE);
        wbxml_write_text(&c->w, RESOLVE_STATUS, "173");
        wbxml_write_end(&c->w);
    }
    wbxml_write_end(&c->w);
}

/* Names alone: certificates come for an exact address only
 * (MS-ASCMD 2.2.3.177.12). */
static void
write_suggestions(struct call *c, struct slice to, unsigned count,
                  const struct wish *w)
{
    char *all = people_suggest(c->sandbox, to.p);
    struct slice rest = slice_of(all), line;
    bool partial = (long)count > w->ambiguous;
    long left = w->ambiguous;

    wbxml_write_number(&c->w, RESOLVE_STATUS, partial ? 3 : 2);
    wbxml_write_number(&c->w, RESOLVE_RECIPIENT_COUNT, count);
    while (slice_next(&rest, '\n', &line) && line.n && left-- > 0) {
        wbxml_write_start(&c->w, RESOLVE_RECIPIENT);
        wbxml_write_text(&c->w, RESOLVE_TYPE, "1");
        wbxml_write_slice(&c->w, RESOLVE_DISPLAY_NAME, line);
        wbxml_write_slice(&c->w, RESOLVE_EMAIL_ADDRESS, line);
        wbxml_write_end(&c->w);
    }
    free(all);
}

static void
resolve_one(struct call *c, struct slice to, const struct wish *w)
{
    struct people_found f;
    unsigned count = people_find(c->sandbox, to.p, &f);

    wbxml_write_start(&c->w, RESOLVE_RESPONSE);
    wbxml_write_slice(&c->w, RESOLVE_TO, to);
    if (count > 1) {
        write_suggestions(c, to, count, w);
    } else {
        wbxml_write_number(&c->w, RESOLVE_STATUS, count ? 1 : 4);
        wbxml_write_number(&c->w, RESOLVE_RECIPIENT_COUNT, count);
    }
    if (count == 1) {
        write_recipient(c, &f, w);
        people_found_clear(&f);
    }
    wbxml_write_end(&c->w);
}

enum answer
cmd_resolve(struct call *c)
{
    const struct wbxml_node *o = wbxml_find(c->root, RESOLVE_OPTIONS, 0);
    struct wish w = {
        .retrieval = wbxml_number(o, 1, RESOLVE_CERTIFICATE_RETRIEVAL, 0),
        .max = wbxml_number(o, LIMIT_DEFAULT, RESOLVE_MAX_CERTIFICATES, 0),
        .ambiguous =
            wbxml_number(o, LIMIT_DEFAULT, RESOLVE_MAX_AMBIGUOUS_RECIPIENTS, 0),
    };
    const struct wbxml_node *n = wbxml_find(c->root, RESOLVE_TO, 0);

    if (w.retrieval < 1 || w.retrieval > 3 || w.max > 9999 ||
        w.ambiguous > 9999)
        return call_breach(c, 5, "a value of Options");
    call_start(c, 1);
    for (; n; n = wbxml_again(n))
        resolve_one(c, n->text, &w);
    wbxml_write_end(&c->w);
    return ANSWER_WBXML;
}
