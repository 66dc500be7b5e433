/*
 * Shared by the files of wbxml: the tables, and the entry points of libwbxml
 * that its shared object exports but whose headers Debian does not install
 * (layout of 0.11.8 to 0.11.10).
 */
#ifndef SEALPOST_WBXML_PRIVATE_H
#define SEALPOST_WBXML_PRIVATE_H

#include <wbxml/wbxml.h>

#include "base/slice.h"
#include "wbxml/tags.h"

extern const char *const wbxml_tag_names[WBXML_PAGES][64];
extern const char *const wbxml_page_names[WBXML_PAGES];

/* mb_u_int32 at *at; false when cut or above 32 bits. Moves *at. */
bool wbxml_mb_read(struct slice doc, size_t *at, uint32_t *out);

/* The command that a root element without prefix names; 0 for none. */
unsigned wbxml_text_root(const char *name);

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

/* Exported by libwbxml2.so.1. */
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

#endif
