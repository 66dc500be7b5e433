/*
 * What is to go wrong, per user and command, so many times. Set over the
 * admin endpoint, and by DIR/mischief at the start.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/slice.h"
#include "sandbox/call.h"
#include "sandbox/server.h"

struct rule {
    struct list node;
    char *user, *command;
    char *subject; /* part of it; NULL: all messages */
    struct trick trick;
    long times; /* left; 0: for ever */
    long skip;  /* so many that it would fit pass first */
};

struct mischief {
    struct list rules;
};

static const struct word {
    const char *text; /* up to the colon */
    int kind;
    enum { ALONE, NUMBER, MAYBE, WORDS } more; /* what follows it */
} words[] = {
    {"status", TRICK_STATUS, NUMBER},
    {"retry-after", TRICK_RETRY_AFTER, NUMBER},
    {"throttle", TRICK_THROTTLE, NUMBER},
    {"drop-before", TRICK_DROP_BEFORE, ALONE},
    {"drop-after", TRICK_DROP_AFTER, ALONE},
    {"reset-key", TRICK_RESET_KEY, ALONE},
    {"truncate", TRICK_TRUNCATE, ALONE},
    {"cut", TRICK_CUT, MAYBE},
    {"corrupt", TRICK_CORRUPT, ALONE},
    {"delay", TRICK_DELAY, NUMBER},
    {"late", TRICK_LATE, NUMBER},
    {"451", TRICK_MOVED, WORDS},
    {"inline", TRICK_INLINE, NUMBER},
    {"empty", TRICK_EMPTY, ALONE},
    {"type", TRICK_TYPE, WORDS},
    {"html", TRICK_HTML, ALONE},
    {"wipe", TRICK_WIPE, ALONE},
    {"wipe-account", TRICK_WIPE_ACCOUNT, ALONE},
    {"policy", TRICK_POLICY, ALONE},
    {"forget-device", TRICK_FORGET, ALONE},
    {"renumber", TRICK_RENUMBER, ALONE},
    {"swap-ids", TRICK_SWAP, ALONE},
    {"small-ids", QUIRK_SMALL_IDS, ALONE},
    {"reuse-ids", QUIRK_REUSE_IDS, ALONE},
    {"rebuild", QUIRK_REBUILD, ALONE},
    {"message-id", QUIRK_MESSAGE_ID, ALONE},
    {"whole-items", QUIRK_WHOLE, ALONE},
    {"never", QUIRK_NEVER, MAYBE},
    {"move-no-id", QUIRK_MOVE_NO_ID, ALONE},
    {"move-wrong-id", QUIRK_MOVE_WRONG_ID, ALONE},
    {"move-old-id", QUIRK_MOVE_OLD_ID, ALONE},
    {"list-empty", QUIRK_LIST_EMPTY, ALONE},
    {"twice", QUIRK_TWICE, ALONE},
    {"again", QUIRK_AGAIN, NUMBER},
    {"reverse", QUIRK_REVERSE, ALONE},
    {"delete-unknown", QUIRK_DELETE_UNKNOWN, ALONE},
    {"sent-none", QUIRK_SENT_NONE, ALONE},
    {"sent-late", QUIRK_SENT_LATE, NUMBER},
    {"sent-message-id", QUIRK_SENT_ID, ALONE},
    {"sent-bytes", QUIRK_SENT_BYTES, ALONE},
    {"forget-client-ids", QUIRK_FORGET_CLIENT, ALONE},
    {"drafts-die", QUIRK_DRAFTS_DIE, ALONE},
};

const char *
mischief_name(int kind)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (words[i].kind == kind)
            return words[i].text;
    return "";
}

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
    free(r->subject);
    free(r->trick.text);
    free(r->trick.folder);
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

    *out = (struct trick){TRICK_NONE, -1, NULL, NULL};
    if (!strcmp(text, "449")) {
        *out = (struct trick){TRICK_STATUS, 449, NULL, NULL};
        return 0;
    }
    slice_next(&rest, ':', &word);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!slice_is(word, words[i].text))
            continue;
        if ((words[i].more == NUMBER || (words[i].more == MAYBE && rest.n)) &&
            !slice_u32(rest, &number))
            return err_set(e, E_INPUT, "%s needs a number", words[i].text);
        if (words[i].more == WORDS && !rest.n)
            return err_set(e, E_INPUT, "%s needs a value", words[i].text);
        if (words[i].kind == TRICK_STATUS && (number < 300 || number > 599))
            return err_set(e, E_INPUT, "HTTP status %u", number);
        out->kind = words[i].kind;
        if (rest.n)
            out->number = (long)number;
        out->text = words[i].more == WORDS ? slice_dup(rest) : NULL;
        return 0;
    }
    return err_set(e, E_INPUT, "do: %.100s is not known", text);
}

int
mischief_add(struct mischief *m, const char *json, size_t n, struct err *e)
{
    json_error_t why;
    json_t *o = json_loadb(json, n, 0, &why);
    const char *user = "*", *command = "*", *what = NULL, *folder = NULL;
    const char *subject = NULL;
    json_int_t times = 1, skip = 0;
    struct rule *r;
    struct trick t;
    int rc = 0;

    if (!o)
        return err_set(e, E_INPUT, "JSON: %.150s", why.text);
    if (json_unpack_ex(o, &why, JSON_STRICT,
                       "{s?s, s?s, s:s, s?I, s?I, s?s, s?s}", "user", &user,
                       "command", &command, "do", &what, "times", &times,
                       "skip", &skip, "folder", &folder, "subject", &subject))
        rc = err_set(e, E_INPUT, "%.150s", why.text);
    else
        rc = trick_parse(what, &t, e);
    if (!rc) {
        r = xcalloc(1, sizeof *r);
        r->user = xstrdup(user);
        r->command = xstrdup(command);
        r->trick = t;
        r->trick.folder = folder ? xstrdup(folder) : NULL;
        r->subject = subject ? xstrdup(subject) : NULL;
        r->skip = skip > 0 ? (long)skip : 0;
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

static bool
is_skipped(struct rule *r)
{
    if (!r->skip)
        return false;
    r->skip--;
    return true;
}

static void
rule_used(struct rule *r)
{
    if (r->times && --r->times == 0)
        rule_free(r);
}

void
mischief_take(struct mischief *m, const char *user, const char *command,
              struct trick *out)
{
    struct list *n, *after;

    LIST_EACH(&m->rules, n, after)
    {
        struct rule *r = LIST_OBJECT(n, struct rule, node);

        if (r->trick.kind > TRICK_LAST || !fits(r->user, user) ||
            !fits(r->command, command) || is_skipped(r))
            continue;
        *out = r->trick;
        if (out->text)
            out->text = xstrdup(out->text);
        if (out->folder)
            out->folder = xstrdup(out->folder);
        rule_used(r);
        return;
    }
}

static bool
quirk_fits(const struct rule *r, struct user *u, const char *command,
           const struct folder *f, const struct message *m)
{
    if (!fits(r->user, u->address) || !fits(r->command, command))
        return false;
    if (r->trick.folder && f != tree_find_path(u, r->trick.folder))
        return false;
    return !r->subject ||
           (m && m->listing && strstr(m->listing->subject, r->subject));
}

bool
mischief_quirk(struct mischief *m, struct user *u, const char *command,
               int kind, const struct folder *f, const struct message *message,
               long *number_out)
{
    struct list *n, *after;

    LIST_EACH(&m->rules, n, after)
    {
        struct rule *r = LIST_OBJECT(n, struct rule, node);

        if ((int)r->trick.kind != kind ||
            !quirk_fits(r, u, command, f, message) || is_skipped(r))
            continue;
        if (number_out)
            *number_out = r->trick.number;
        rule_used(r);
        return true;
    }
    return false;
}

int
mischief_load(struct mischief *m, const char *path, struct err *e)
{
    struct buf b = BUF_INIT((size_t)1 << 20);
    struct slice rest, line;
    unsigned number = 0;
    int rc = file_read(path, &b, e);

    if (rc && e->code == E_MISSING)
        rc = 0;
    for (rest = buf_slice(&b); !rc && slice_next(&rest, '\n', &line);) {
        number++;
        line = slice_trim(line);
        if (line.n && line.p[0] != '#' && mischief_add(m, line.p, line.n, e))
            rc = err_add(e, "%s:%u", path, number);
    }
    buf_clear(&b);
    return rc;
}
