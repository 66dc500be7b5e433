/*
 * libwbxml as the judge of our reader and writer: our table in its form, and
 * a document decoded by it as our events. The entry points are exported by
 * its shared object, but Debian does not install their headers (layout of
 * 0.11.8 to 0.11.10).
 */
#ifndef SEALPOST_TESTS_WBXML_JUDGE_H
#define SEALPOST_TESTS_WBXML_JUDGE_H

#include <wbxml/wbxml.h>

#include "wbxml/read.h"

struct wbxml_lib_tag {
    const char *name;
    WB_UTINY page, token;
    WB_ULONG options; /* 1: binary, encoded as OPAQUE */
};
struct wbxml_lib_public {
    WB_ULONG id;
    const char *xml_id, *root, *dtd;
};
struct wbxml_lib_lang {
    WBXMLLanguage lang;
    const struct wbxml_lib_public *public_id;
    const struct wbxml_lib_tag *tags;
    const void *namespaces, *attrs, *attr_values, *ext_values;
};
struct wbxml_lib_element {
    int type; /* 0: a token of the table */
    union {
        const struct wbxml_lib_tag *token;
        void *literal;
    } u;
};
struct wbxml_lib_handlers {
    void (*start_doc)(void *, WBXMLCharsetMIBEnum,
                      const struct wbxml_lib_lang *);
    void (*end_doc)(void *);
    void (*start)(void *, struct wbxml_lib_element *, void **attrs);
    void (*end)(void *, struct wbxml_lib_element *);
    void (*chars)(void *, WB_UTINY *data, WB_ULONG off, WB_ULONG len);
    void (*pi)(void *, const WB_UTINY *, WB_UTINY *);
};
struct wbxml_lib_parser;

struct wbxml_lib_parser *wbxml_parser_create(void);
void wbxml_parser_destroy(struct wbxml_lib_parser *);
void wbxml_parser_set_user_data(struct wbxml_lib_parser *, void *);
void wbxml_parser_set_content_handler(struct wbxml_lib_parser *,
                                      struct wbxml_lib_handlers *);
void wbxml_parser_set_main_table(struct wbxml_lib_parser *,
                                 const struct wbxml_lib_lang *);
WB_BOOL wbxml_parser_set_language(struct wbxml_lib_parser *, WBXMLLanguage);
WBXMLError wbxml_parser_parse(struct wbxml_lib_parser *, WB_UTINY *, WB_ULONG);

/* Our table in the library's form: [0] is it, [1] ends the list. Every token
 * of every page is in it, named or not, so that none is ever reported as the
 * library's literal "unknown", which would lose page and token. */
const struct wbxml_lib_lang *wbxml_lib_table(void);

/* The document must have passed wbxml_gate() (the library aborts on entities
 * and recurses without bound). 0, or -1 with e. */
int wbxml_judge(struct slice doc, const struct wbxml_events *events,
                struct err *e);

#endif
