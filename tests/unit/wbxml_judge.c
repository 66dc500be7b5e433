/*
 * libwbxml's opinion, for tests only: see wbxml_judge.h.
 */
#include "wbxml_judge.h"

#include <pthread.h>

#include "wbxml/private.h"

#define TOKENS (0x40 - 5)
static struct wbxml_lib_tag lib_tags[WBXML_PAGES * TOKENS + 1];
static pthread_once_t lib_once = PTHREAD_ONCE_INIT;

struct decode {
    const struct wbxml_events *events;
    struct err err;
    bool failed;
};

static void
lib_tags_fill(void)
{
    struct wbxml_lib_tag *t = lib_tags;

    /* The named ones first, for the library searches from the start. */
    for (int named = 1; named >= 0; named--)
        for (unsigned page = 0; page < WBXML_PAGES; page++)
            for (unsigned token = 5; token < 64; token++) {
                const char *name = wbxml_tag_names[page][token];

                if ((name != NULL) != named)
                    continue;
                *t++ = (struct wbxml_lib_tag){
                    .name = name ? name : "Unknown",
                    .page = (WB_UTINY)page,
                    .token = (WB_UTINY)token,
                    .options = wbxml_is_opaque(WBXML_TAG(page, token))};
            }
}

const struct wbxml_lib_lang *
wbxml_lib_table(void)
{
    static const struct wbxml_lib_public public_id = {1, NULL, NULL, NULL};
    static const struct wbxml_lib_lang table[2] = {
        {.lang = WBXML_LANG_ACTIVESYNC,
         .public_id = &public_id,
         .tags = lib_tags},
    };

    pthread_once(&lib_once, lib_tags_fill);
    return table;
}

/* ---- libwbxml's callbacks; after a failure they fall silent */

static unsigned
element_tag(const struct wbxml_lib_element *el)
{
    return el->type == 0 && el->u.token
               ? WBXML_TAG(el->u.token->page, el->u.token->token)
               : 0;
}

static void
on_lib_start(void *user, struct wbxml_lib_element *el, void **attrs)
{
    struct decode *d = user;
    unsigned tag = element_tag(el);

    (void)attrs;
    if (d->failed)
        return;
    if (!tag) {
        d->failed = true;
        err_set(&d->err, E_INPUT, "a WBXML tag that is no token");
    } else if (d->events->on_start) {
        d->failed = d->events->on_start(d->events->arg, tag, &d->err) != 0;
    }
}

static void
on_lib_end(void *user, struct wbxml_lib_element *el)
{
    struct decode *d = user;

    if (!d->failed && d->events->on_end)
        d->failed = d->events->on_end(d->events->arg, element_tag(el),
                                      &d->err) != 0;
}

static void
on_lib_chars(void *user, WB_UTINY *data, WB_ULONG off, WB_ULONG len)
{
    struct decode *d = user;

    if (!d->failed && len && d->events->on_bytes)
        d->failed = d->events->on_bytes(d->events->arg,
                                        slice_make(data + off, len),
                                        &d->err) != 0;
}

int
wbxml_judge(struct slice doc, const struct wbxml_events *events, struct err *e)
{
    static struct wbxml_lib_handlers handlers = {
        .start = on_lib_start, .end = on_lib_end, .chars = on_lib_chars};
    struct decode d = {.events = events};
    struct wbxml_lib_parser *parser = wbxml_parser_create();
    WBXMLError rc;

    if (!parser)
        return err_set(e, E_BUG, "libwbxml has no memory");
    wbxml_parser_set_user_data(parser, &d);
    wbxml_parser_set_content_handler(parser, &handlers);
    wbxml_parser_set_main_table(parser, wbxml_lib_table());
    wbxml_parser_set_language(parser, WBXML_LANG_ACTIVESYNC);
    /* It takes a copy; the pointer is not const by oversight only. */
    rc = wbxml_parser_parse(parser, (WB_UTINY *)(uintptr_t)doc.p,
                            (WB_ULONG)doc.n);
    wbxml_parser_destroy(parser);
    if (d.failed) {
        if (e)
            *e = d.err;
        return -1;
    }
    if (rc != WBXML_OK)
        return err_set(e, E_INPUT, "libwbxml refuses the document: %s",
                       (const char *)wbxml_errors_string(rc));
    return 0;
}
