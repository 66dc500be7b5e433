/*
 * Arguments of LIST and LSUB (RFC 3501 section 6.3.8, RFC 5258, RFC 5819,
 * RFC 6154).
 */
#include "imap/list.h"

#include <string.h>

#include "base/mem.h"
#include "imap/utf7.h"

struct option {
    const char *name;
    unsigned bit;
};
static const struct option selections[] = {
    {"SUBSCRIBED", IMAP_LIST_SUBSCRIBED},
    {"REMOTE", IMAP_LIST_REMOTE},
    {"RECURSIVEMATCH", IMAP_LIST_RECURSIVE},
    {"SPECIAL-USE", IMAP_LIST_SPECIAL},
};
static const struct option returns[] = {
    {"SUBSCRIBED", IMAP_LIST_SUBSCRIBED},
    {"CHILDREN", IMAP_LIST_CHILDREN},
    {"SPECIAL-USE", IMAP_LIST_SPECIAL},
    {"STATUS", IMAP_LIST_STATUS},
};

static int
parse_options(struct imap_parse *p, const struct option *o, size_t n,
              struct imap_list_args *a, unsigned *out)
{
    struct slice word;
    size_t i;

    if (imap_parse_char(p, '('))
        return -1;
    if (imap_parse_is(p, ')'))
        return 0;
    do {
        if (imap_parse_atom(p, &word))
            return -1;
        for (i = 0; i < n; i++)
            if (slice_iis(word, o[i].name))
                break;
        if (i == n)
            return err_set(p->e, E_INPUT, "unknown option %.*s of LIST",
                           SLICE_FMT(word));
        *out |= o[i].bit;
        if (o[i].bit == IMAP_LIST_STATUS &&
            (imap_parse_space(p) || imap_parse_status_items(p, &a->status)))
            return -1;
    } while (imap_parse_is(p, ' '));
    return imap_parse_char(p, ')');
}

static int
parse_pattern(struct imap_parse *p, struct imap_list_args *a)
{
    const char *pattern, *full;
    struct err ignored;
    struct slice s;

    if (a->n == IMAP_LIST_PATTERNS)
        return imap_parse_fail(p, "too many patterns");
    if (imap_parse_pattern(p, &s))
        return -1;
    /* What is no modified UTF-7 matches nothing. */
    if (imap_utf7_decode(s, p->arena, &pattern, &ignored))
        return 0;
    full = arena_printf(p->arena, "%s%s", a->reference, pattern);
    a->asks_root = !a->extended && !*pattern;
    a->patterns[a->n++] = full;
    return 0;
}

static int
parse_patterns(struct imap_parse *p, struct imap_list_args *a)
{
    if (!imap_parse_is(p, '('))
        return parse_pattern(p, a);
    a->extended = true;
    do
        if (parse_pattern(p, a))
            return -1;
    while (imap_parse_is(p, ' '));
    return imap_parse_char(p, ')');
}

int
imap_parse_list(struct imap_parse *p, struct imap_command *cmd)
{
    struct imap_list_args *a = arena_alloc(cmd->arena, sizeof *a);
    struct slice reference;
    struct err ignored;

    cmd->args = a;
    a->lsub = strcmp(cmd->def->name, "LSUB") == 0;
    if (imap_parse_space(p))
        return -1;
    if (!a->lsub && imap_parse_peek(p) == '(') {
        a->extended = true;
        if (parse_options(p, selections, ARRAY_LEN(selections), a,
                          &a->select) ||
            imap_parse_space(p))
            return -1;
    }
    if (imap_parse_astring(p, &reference))
        return -1;
    if (imap_utf7_decode(reference, cmd->arena, &a->reference, &ignored))
        a->reference = "\001"; /* a name that nothing has */
    if (imap_parse_space(p) || parse_patterns(p, a))
        return -1;
    if (!a->lsub && imap_parse_is(p, ' ')) {
        a->extended = true;
        if (!imap_parse_word(p, "RETURN"))
            return imap_parse_fail(p, "RETURN is missing");
        if (imap_parse_space(p) || parse_options(p, returns,
                                                 ARRAY_LEN(returns), a,
                                                 &a->ret))
            return -1;
    }
    if ((a->select & IMAP_LIST_RECURSIVE) &&
        !(a->select & ~(IMAP_LIST_RECURSIVE | IMAP_LIST_REMOTE)))
        return imap_parse_fail(p, "RECURSIVEMATCH needs another option");
    return 0;
}
