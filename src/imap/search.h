/*
 * What SEARCH asks for: a tree of keys, and how one message is held against
 * it with as little as is needed: flags, the listing, the record, the bytes.
 */
#ifndef SEALPOST_IMAP_SEARCH_H
#define SEALPOST_IMAP_SEARCH_H

#include "imap/command.h"

enum imap_key_kind {
    IMAP_KEY_ALL,
    IMAP_KEY_NONE,    /* OLD's and RECENT's like: never */
    IMAP_KEY_FLAG,    /* bit; `not`: without it */
    IMAP_KEY_WORD,    /* keyword */
    IMAP_KEY_NUMBERS, /* sequence-set */
    IMAP_KEY_UIDS,
    IMAP_KEY_BEFORE,  /* INTERNALDATE against `day` */
    IMAP_KEY_ON,
    IMAP_KEY_SINCE,
    IMAP_KEY_SENTBEFORE,
    IMAP_KEY_SENTON,
    IMAP_KEY_SENTSINCE,
    IMAP_KEY_LARGER,
    IMAP_KEY_SMALLER,
    IMAP_KEY_FROM,    /* texts from here on */
    IMAP_KEY_TO,
    IMAP_KEY_CC,
    IMAP_KEY_BCC,
    IMAP_KEY_SUBJECT,
    IMAP_KEY_HEADER,
    IMAP_KEY_BODY,
    IMAP_KEY_TEXT,
    IMAP_KEY_AND,     /* of `child` and its `next`s */
    IMAP_KEY_OR,
};

/* A text to be found, letter case of ASCII ignored, in linear time. */
struct imap_needle {
    const char *text; /* in small letters */
    size_t n;
    uint32_t *back;   /* Knuth, Morris, Pratt */
};

struct imap_key {
    enum imap_key_kind kind;
    bool not;
    unsigned bit;
    const char *word;   /* keyword, or the name of a header field */
    struct imap_set set;
    int64_t day;
    uint64_t size;
    struct imap_needle needle;
    struct imap_key *child, *next;
};

#define IMAP_RETURN_MIN 1u
#define IMAP_RETURN_MAX 2u
#define IMAP_RETURN_ALL 4u
#define IMAP_RETURN_COUNT 8u

struct imap_search_args {
    struct imap_key *key;  /* an AND */
    bool extended;         /* RETURN: answered by ESEARCH (RFC 4731) */
    unsigned ret;
    bool bad_charset;
};
/* Keys in one SEARCH, and how deep they nest. */
#define IMAP_KEYS_MAX 2000u
#define IMAP_KEYS_DEEP 50u

/* ---- search_match.c ---- */

struct store_message;
struct view;
struct view_summary;
enum imap_match { IMAP_NO, IMAP_YES, IMAP_UNKNOWN };
struct imap_candidate {
    uint32_t number, uid;
    unsigned flags;
    bool no_words;                     /* it has no keywords */
    const struct store_message *row;   /* NULL: not looked at yet */
    const struct view_summary *record; /* likewise, or there is none */
    struct view *view;
    bool missing;                      /* its body is not here */
    struct arena *arena;
};
/* IMAP_UNKNOWN: more of it has to be known. Sets are settled. */
enum imap_match imap_match(const struct imap_key *,
                           const struct imap_candidate *);
void imap_needle_make(struct imap_needle *, struct slice text, struct arena *);
bool imap_needle_in(const struct imap_needle *, struct slice text);

#endif
