/*
 * What the files of room settings share: the table, values, and what was
 * found in the file before it is resolved.
 */
#ifndef SEALPOST_SETTINGS_PRIVATE_H
#define SEALPOST_SETTINGS_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "settings/settings.h"

/* What a setting's value is, and the type of its field. */
enum setting_kind {
    SETTING_WORD,      /* int (an enum) */
    SETTING_BOOL,      /* bool; words all the same, some are not built */
    SETTING_TIME,      /* unsigned, seconds */
    SETTING_NUMBER,    /* unsigned */
    SETTING_SIZE,      /* uint64_t, bytes */
    SETTING_TEXT,      /* const char * */
    SETTING_PATH,      /* const char *, absolute in the end */
    SETTING_ADDRESS,   /* const char * */
    SETTING_URL,       /* const char *, https */
    SETTING_KEY,       /* const char *, auto or fingerprint */
    SETTING_ADDRESSES, /* const char *const *, NULL at the end */
    SETTING_PATHS,     /* the same */
    SETTING_LISTEN,    /* a list, checked here, gathered in settings.c */
};

enum setting_where {
    SETTING_GLOBAL,   /* outside of blocks only; field in struct settings */
    SETTING_ANYWHERE, /* inherited; field in struct settings_account */
    SETTING_ACCOUNT,  /* in account blocks only; there, too */
};

struct setting_word {
    const char *text; /* NULL ends the list */
    int value;
    bool unbuilt;
};

#define SETTING_NO_FIELD ((size_t)-1)

struct setting {
    const char *name;
    enum setting_kind kind;
    enum setting_where where;
    size_t field;         /* offset, or SETTING_NO_FIELD */
    const char *fallback; /* as written in the file; "" leaves the field 0 */
    const struct setting_word *words;
    uint64_t min, max;
    const char *unbuilt; /* what it belongs to; NULL: it is built */
    bool fixed;          /* a reload cannot change it */
};

extern const struct setting settings_table[];
extern const size_t settings_table_n;

const struct setting *settings_table_find(struct slice name);
bool settings_table_is_list(const struct setting *s);
/* What may be written, for people. */
void settings_table_allowed(const struct setting *s, char *out, size_t size);

/* ---- value.c ---- */

struct value_at {
    struct arena *arena;
    const char *dir; /* relative paths start here */
};
/* Checks one value (of a list: one element) and, with `field`, writes it.
 * Lists: the caller gathers, this checks and gives the element as text. */
int settings_value_parse(const struct setting *s, struct slice text,
                         const struct value_at *at, void *field,
                         const char **element_out, struct err *e);
/* "127.0.0.1:1143", "[::1]:1143" */
int settings_value_listen(struct slice text, bool tls, struct arena *arena,
                          struct settings_listen *out, struct err *e);
bool settings_value_is_name(struct slice name);
bool settings_value_is_address(struct slice address);

/* ---- file.c: what the file says ---- */

struct found_value {
    const struct setting *s;
    const char **text; /* n of them */
    size_t n;
    int line;
    struct found_value *next;
};
struct found_section {
    const char *title; /* NULL: outside of blocks */
    bool is_account;
    int line;
    struct found_value *values;
    struct found_section *next;
};
/* The first section is the outside. All in the arena. */
int settings_file_parse(struct slice text, const char *name, const char *dir,
                        struct arena *arena, struct found_section **out,
                        struct err *e);
const struct found_value *settings_file_value(const struct found_section *,
                                              const struct setting *s);

/* ---- check.c: rules that concern more than one setting ---- */

/* `line_of` is for the text of errors: 0 when unknown. */
int settings_check_all(const struct settings *s,
                       const struct found_section *found, const char *name,
                       struct err *e);

/* "name:line: " with the start of a long name cut off. Borrowed until the
 * next call in this thread. */
const char *settings_place(const char *name, int line);

#endif
