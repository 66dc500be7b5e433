/*
 * The words of the IMAP grammar (RFC 3501 section 9, RFC 9051 section 9). A
 * parser moves over one whole command; quoted strings are unescaped where
 * they stand, so the text is the parser's to change, and what it returns
 * points into it. All give 0, or -1 with E_INPUT and what was wrong.
 */
#ifndef SEALPOST_IMAP_PARSE_H
#define SEALPOST_IMAP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

struct imap_parse {
    char *p, *end;
    struct arena *arena;
    struct err *e;
    bool no_text; /* the literal at the end has only been announced */
};

/* Lists have at most so many members. */
#define IMAP_LIST_MAX 2000u

int imap_parse_fail(struct imap_parse *, const char *what);
bool imap_parse_at_end(const struct imap_parse *);
/* The next byte, 0 at the end. */
char imap_parse_peek(const struct imap_parse *);
/* Takes c if it comes next. */
bool imap_parse_is(struct imap_parse *, char c);
int imap_parse_char(struct imap_parse *, char c);
int imap_parse_space(struct imap_parse *);
int imap_parse_end(struct imap_parse *);
/* Takes this word (letter case ignored) if a whole atom of it comes next. */
bool imap_parse_word(struct imap_parse *, const char *word);

int imap_parse_tag(struct imap_parse *, struct slice *out);
int imap_parse_atom(struct imap_parse *, struct slice *out);
/* atom, quoted or literal */
int imap_parse_astring(struct imap_parse *, struct slice *out);
/* quoted or literal */
int imap_parse_string(struct imap_parse *, struct slice *out);
/* list-mailbox: wildcards may stand in an atom */
int imap_parse_pattern(struct imap_parse *, struct slice *out);
int imap_parse_number(struct imap_parse *, uint32_t *out);
int imap_parse_number64(struct imap_parse *, uint64_t *out);
/* Heap of the arena: a mailbox name in UTF-8, INBOX in capitals. A name that
 * is no modified UTF-7 is E_MISSING: no mailbox can have it. */
int imap_parse_mailbox(struct imap_parse *, const char **out);

/* Ranges as given; 0 stands for "*". */
struct imap_range {
    uint32_t from, to;
};
struct imap_set {
    struct imap_range *ranges;
    size_t n;
};
#define IMAP_RANGES_MAX 50000u
int imap_parse_set(struct imap_parse *, struct imap_set *out);
/* "*" replaced by `top`; ranges the right way round, sorted and joined. */
void imap_set_settle(struct imap_set *, uint32_t top);
/* Of a settled set. */
bool imap_set_has(const struct imap_set *, uint32_t n);

/* Flags as the store has them; keywords "a b". `list`: in brackets, else
 * also without (STORE). \Recent and unknown \Flags are refused. */
struct imap_flags {
    unsigned flags;
    const char *keywords;
};
int imap_parse_flags(struct imap_parse *, bool brackets, struct imap_flags *);
/* One keyword; *bit_out is its bit, or 0 and the word. */
int imap_parse_keyword(struct imap_parse *, unsigned *bit_out,
                       const char **word_out);
/* "1-Feb-1994", quoted or not: days since 1970. */
int imap_parse_date(struct imap_parse *, int64_t *days_out);
/* date-time in quotes. */
int imap_parse_date_time(struct imap_parse *, int64_t *unix_out);

#endif
