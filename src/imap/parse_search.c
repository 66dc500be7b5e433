/*
 * Arguments of SEARCH (RFC 3501 section 6.4.4, RFC 4731): a tree of keys.
 */
#include "imap/search.h"

#include <string.h>

#include "base/mem.h"
#include "mime/encoding.h"
#include "store/message.h"

enum argument { NOTHING, FLAG, NOFLAG, DATE, SIZE, TEXT, SPECIAL };

static const struct {
    const char *name;
    enum imap_key_kind kind;
    enum argument argument;
    unsigned bit;
} keys[] = {
    {"ALL", IMAP_KEY_ALL, NOTHING, 0},
    {"ANSWERED", IMAP_KEY_FLAG, FLAG, STORE_ANSWERED},
    {"BCC", IMAP_KEY_BCC, TEXT, 0},
    {"BEFORE", IMAP_KEY_BEFORE, DATE, 0},
    {"BODY", IMAP_KEY_BODY, TEXT, 0},
    {"CC", IMAP_KEY_CC, TEXT, 0},
    {"DELETED", IMAP_KEY_FLAG, FLAG, STORE_DELETED},
    {"DRAFT", IMAP_KEY_FLAG, FLAG, STORE_DRAFT},
    {"FLAGGED", IMAP_KEY_FLAG, FLAG, STORE_FLAGGED},
    {"FROM", IMAP_KEY_FROM, TEXT, 0},
    {"HEADER", IMAP_KEY_HEADER, SPECIAL, 0},
    {"KEYWORD", IMAP_KEY_WORD, SPECIAL, 0},
    {"LARGER", IMAP_KEY_LARGER, SIZE, 0},
    {"NEW", IMAP_KEY_NONE, NOTHING, 0}, /* \Recent is on no message */
    {"NOT", IMAP_KEY_AND, SPECIAL, 0},
    {"OLD", IMAP_KEY_ALL, NOTHING, 0},
    {"ON", IMAP_KEY_ON, DATE, 0},
    {"OR", IMAP_KEY_OR, SPECIAL, 0},
    {"RECENT", IMAP_KEY_NONE, NOTHING, 0},
    {"SEEN", IMAP_KEY_FLAG, FLAG, STORE_SEEN},
    {"SENTBEFORE", IMAP_KEY_SENTBEFORE, DATE, 0},
    {"SENTON", IMAP_KEY_SENTON, DATE, 0},
    {"SENTSINCE", IMAP_KEY_SENTSINCE, DATE, 0},
    {"SINCE", IMAP_KEY_SINCE, DATE, 0},
    {"SMALLER", IMAP_KEY_SMALLER, SIZE, 0},
    {"SUBJECT", IMAP_KEY_SUBJECT, TEXT, 0},
    {"TEXT", IMAP_KEY_TEXT, TEXT, 0},
    {"TO", IMAP_KEY_TO, TEXT, 0},
    {"UID", IMAP_KEY_UIDS, SPECIAL, 0},
    {"UNANSWERED", IMAP_KEY_FLAG, NOFLAG, STORE_ANSWERED},
    {"UNDELETED", IMAP_KEY_FLAG, NOFLAG, STORE_DELETED},
    {"UNDRAFT", IMAP_KEY_FLAG, NOFLAG, STORE_DRAFT},
    {"UNFLAGGED", IMAP_KEY_FLAG, NOFLAG, STORE_FLAGGED},
    {"UNKEYWORD", IMAP_KEY_WORD, SPECIAL, 0},
    {"UNSEEN", IMAP_KEY_FLAG, NOFLAG, STORE_SEEN},
};

struct search_parse {
    struct imap_parse *p;
    unsigned n, depth;
};

static int parse_key(struct search_parse *, struct imap_key **out);

static int
parse_text(struct search_parse *sp, struct imap_key *k)
{
    struct slice s;

    if (imap_parse_space(sp->p) || imap_parse_astring(sp->p, &s))
        return -1;
    if (s.n > 4096 || !mime_is_utf8(s))
        return imap_parse_fail(sp->p, "a text is too long, or no UTF-8");
    imap_needle_make(&k->needle, s, sp->p->arena);
    return 0;
}

static int
parse_keyword_key(struct search_parse *sp, struct imap_key *k, bool not)
{
    if (imap_parse_space(sp->p) ||
        imap_parse_keyword(sp->p, &k->bit, &k->word))
        return -1;
    k->not = not;
    if (k->bit)
        k->kind = IMAP_KEY_FLAG;
    return 0;
}

static int
parse_header_key(struct search_parse *sp, struct imap_key *k)
{
    struct slice name;

    if (imap_parse_space(sp->p) || imap_parse_astring(sp->p, &name))
        return -1;
    if (!name.n || name.n > 200)
        return imap_parse_fail(sp->p, "no name of a header field");
    k->word = arena_dup(sp->p->arena, name);
    return parse_text(sp, k);
}

static int
parse_nested(struct search_parse *sp, struct imap_key *k, unsigned n)
{
    struct imap_key **end = &k->child;

    for (unsigned i = 0; i < n; i++) {
        if (imap_parse_space(sp->p) || parse_key(sp, end))
            return -1;
        end = &(*end)->next;
    }
    return 0;
}

static int
parse_special(struct search_parse *sp, struct imap_key *k, const char *name)
{
    switch (k->kind) {
    case IMAP_KEY_HEADER:
        return parse_header_key(sp, k);
    case IMAP_KEY_WORD:
        return parse_keyword_key(sp, k, name[0] == 'U');
    case IMAP_KEY_UIDS:
        return imap_parse_space(sp->p) || imap_parse_set(sp->p, &k->set) ? -1
                                                                         : 0;
    case IMAP_KEY_OR:
        return parse_nested(sp, k, 2);
    default: /* NOT */
        k->not = true;
        return parse_nested(sp, k, 1);
    }
}

static int
parse_named(struct search_parse *sp, struct imap_key *k)
{
    struct slice name;
    size_t i;

    if (imap_parse_atom(sp->p, &name))
        return -1;
    for (i = 0; i < ARRAY_LEN(keys); i++)
        if (slice_iis(name, keys[i].name))
            break;
    if (i == ARRAY_LEN(keys))
        return err_set(sp->p->e, E_INPUT, "unknown search key %.*s",
                       SLICE_FMT(name));
    k->kind = keys[i].kind;
    k->bit = keys[i].bit;
    k->not = keys[i].argument == NOFLAG;
    switch (keys[i].argument) {
    case DATE:
        return imap_parse_space(sp->p) || imap_parse_date(sp->p, &k->day) ? -1
                                                                          : 0;
    case SIZE:
        return imap_parse_space(sp->p) || imap_parse_number64(sp->p, &k->size)
                   ? -1
                   : 0;
    case TEXT:
        return parse_text(sp, k);
    case SPECIAL:
        return parse_special(sp, k, keys[i].name);
    default:
        return 0;
    }
}

/* Keys with a space between them, all of which must hold. */
static int
parse_all(struct search_parse *sp, struct imap_key *k)
{
    struct imap_key **end = &k->child;

    k->kind = IMAP_KEY_AND;
    do {
        if (parse_key(sp, end))
            return -1;
        end = &(*end)->next;
    } while (imap_parse_is(sp->p, ' '));
    return 0;
}

static int
parse_one(struct search_parse *sp, struct imap_key *k)
{
    char c = imap_parse_peek(sp->p);

    if (imap_parse_is(sp->p, '('))
        return parse_all(sp, k) || imap_parse_char(sp->p, ')') ? -1 : 0;
    if (c == '*' || ascii_is_digit((unsigned char)c)) {
        k->kind = IMAP_KEY_NUMBERS;
        return imap_parse_set(sp->p, &k->set);
    }
    return parse_named(sp, k);
}

static int
parse_key(struct search_parse *sp, struct imap_key **out)
{
    struct imap_key *k = arena_alloc(sp->p->arena, sizeof *k);
    int rc;

    *out = k;
    if (++sp->n > IMAP_KEYS_MAX || sp->depth >= IMAP_KEYS_DEEP)
        return imap_parse_fail(sp->p, "too many or too deep search keys");
    sp->depth++;
    rc = parse_one(sp, k);
    sp->depth--;
    return rc;
}

static int
parse_return(struct imap_parse *p, struct imap_search_args *a)
{
    static const struct {
        const char *name;
        unsigned bit;
    } options[] = {{"MIN", IMAP_RETURN_MIN},
                   {"MAX", IMAP_RETURN_MAX},
                   {"ALL", IMAP_RETURN_ALL},
                   {"COUNT", IMAP_RETURN_COUNT}};
    struct slice word;
    size_t i;

    a->extended = true;
    if (imap_parse_space(p) || imap_parse_char(p, '('))
        return -1;
    while (!imap_parse_is(p, ')')) {
        if ((a->ret && imap_parse_space(p)) || imap_parse_atom(p, &word))
            return -1;
        for (i = 0; i < ARRAY_LEN(options); i++)
            if (slice_iis(word, options[i].name))
                break;
        if (i == ARRAY_LEN(options))
            return err_set(p->e, E_INPUT, "unknown option %.*s of RETURN",
                           SLICE_FMT(word));
        a->ret |= options[i].bit;
    }
    if (!a->ret)
        a->ret = IMAP_RETURN_ALL;
    return imap_parse_space(p);
}

int
imap_parse_search(struct imap_parse *p, struct imap_command *cmd)
{
    struct imap_search_args *a = arena_alloc(cmd->arena, sizeof *a);
    struct search_parse sp = {.p = p};
    struct slice charset;

    cmd->args = a;
    if (imap_parse_space(p) ||
        (imap_parse_word(p, "RETURN") && parse_return(p, a)))
        return -1;
    if (imap_parse_word(p, "CHARSET")) {
        if (imap_parse_space(p) || imap_parse_astring(p, &charset) ||
            imap_parse_space(p))
            return -1;
        a->bad_charset = !slice_iis(charset, "UTF-8") &&
                         !slice_iis(charset, "US-ASCII");
    }
    if (a->bad_charset) {
        p->p = p->end; /* in which charset the rest is cannot be known */
        return 0;
    }
    a->key = arena_alloc(cmd->arena, sizeof *a->key);
    return parse_all(&sp, a->key);
}
