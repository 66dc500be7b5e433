/*
 * What is to go wrong, per user and command, so many times. Set over the
 * admin endpoint.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/slice.h"
#include "sandbox/call.h"
#include "sandbox/server.h"

struct rule {
    struct list node;
    char *user, *command;
    struct trick trick;
    long times; /* left; 0: for ever */
};

struct mischief {
    struct list rules;
};

static const struct word {
    const char *text; /* up to the colon */
    int kind;
    bool number, words; /* what must follow it */
} words[] = {
    {"status", TRICK_STATUS, true, false},
    {"retry-after", TRICK_RETRY_AFTER, true, false},
    {"throttle", TRICK_THROTTLE, true, false},
    {"drop-before", TRICK_DROP_BEFORE, false, false},
    {"drop-after", TRICK_DROP_AFTER, false, false},
    {"reset-key", TRICK_RESET_KEY, false, false},
    {"truncate", TRICK_TRUNCATE, false, false},
    {"cut", TRICK_CUT, false, false},
    {"corrupt", TRICK_CORRUPT, false, false},
    {"delay", TRICK_DELAY, true, false},
    {"451", TRICK_MOVED, false, true},
    {"inline", TRICK_INLINE, true, false},
    {"wipe", TRICK_WIPE, false, false},
};

struct mischief *
mischief_new(void)
{
    struct mischief *m = xcalloc(1, sizeof *m);

    list_init(&m->rules);
    return m;
}

static void
rule_free(struct rule *r)
{
    list_remove(&r->node);
    free(r->user);
    free(r->command);
    free(r->trick.text);
    free(r);
}

void
mischief_reset(struct mischief *m)
{
    while (!list_is_empty(&m->rules))
        rule_free(LIST_OBJECT(m->rules.next, struct rule, node));
}

void
mischief_free(struct mischief **mp)
{
    if (!*mp)
        return;
    mischief_reset(*mp);
    free(*mp);
    *mp = NULL;
}

static int
trick_parse(const char *text, struct trick *out, struct err *e)
{
    struct slice rest = slice_of(text), word;
    uint32_t number = 0;

    *out = (struct trick){TRICK_NONE, 0, NULL};
    if (!strcmp(text, "449")) {
        *out = (struct trick){TRICK_STATUS, 449, NULL};
        return 0;
    }
    slice_next(&rest, ':', &word);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!slice_is(word, words[i].text))
            continue;
        if ((words[i].number && !slice_u32(rest, &number)) ||
            (words[i].words && !rest.n))
            return err_set(e, E_INPUT, "%s needs a value", words[i].text);
        out->kind = words[i].kind;
        out->number = (long)number;
        out->text = words[i].words ? slice_dup(rest) : NULL;
        if (out->kind == TRICK_STATUS && (number < 300 || number > 599))
            return err_set(e, E_INPUT, "HTTP status %u", number);
        return 0;
    }
    return err_set(e, E_INPUT, "do: %.100s is not known", text);
}

int
mischief_add(struct mischief *m, const char *json, size_t n, struct err *e)
{
    json_error_t why;
    json_t *o = json_loadb(json, n, 0, &why);
    const char *user = "*", *command = "*", *what = NULL;
    json_int_t times = 1;
    struct rule *r;
    struct trick t;
    int rc = 0;

    if (!o)
        return err_set(e, E_INPUT, "JSON: %.150s", why.text);
    if (json_unpack_ex(o, &why, JSON_STRICT, "{s?s, s?s, s:s, s?I}", "user",
                       &user, "command", &command, "do", &what, "times",
                       &times))
        rc = err_set(e, E_INPUT, "%.150s", why.text);
    else
        rc = trick_parse(what, &t, e);
    if (!rc) {
        r = xcalloc(1, sizeof *r);
        r->user = xstrdup(user);
        r->command = xstrdup(command);
        r->trick = t;
        r->times = times > 0 ? (long)times : 0;
        list_add(&m->rules, &r->node);
    }
    json_decref(o);
    return rc;
}

static bool
fits(const char *pattern, const char *text)
{
    return !strcmp(pattern, "*") || !ascii_icmp(pattern, text);
}

void
mischief_take(struct mischief *m, const char *user, const char *command,
              struct trick *out)
{
    struct list *n, *after;

    LIST_EACH(&m->rules, n, after)
    {
        struct rule *r = LIST_OBJECT(n, struct rule, node);

        if (!fits(r->user, user) || !fits(r->command, command))
            continue;
        *out = r->trick;
        if (out->text)
            out->text = xstrdup(out->text);
        if (r->times && --r->times == 0)
            rule_free(r);
        return;
    }
}
