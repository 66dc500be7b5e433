/*
 * The configuration file as sections and values, by libconfuse. Its options
 * are made from our table, all of them as text: the words are checked by our
 * own parser in a callback, where the line is known.
 *
 * libconfuse expands "${NAME}" from the environment inside double quotes (an
 * unset one silently to nothing) and takes the last of two equal settings;
 * both are refused here.
 */
#include "settings/private.h"

#include <confuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* The default of each list: tells "{}" from "not there", and its callback
 * comes with the line where a section starts. */
#define UNSET "\001"
#define MAX_LIST 1000
#define MAX_DEPTH 8

struct work {
    struct arena *arena;
    struct value_at at;
    const char *name;
    struct err *e;
    bool failed;
    cfg_t *root;
    struct open_section {
        cfg_t *cfg;
        struct found_section found;
        struct open_section *next;
    } *sections;
};

/* libconfuse's callbacks have no argument of ours; parsing is not reentrant
 * there either (its lexer is global). */
static __thread struct work *parsing;

const char *
settings_place(const char *name, int line)
{
    static __thread char place[120];
    size_t n = strlen(name);

    if (n > 80)
        name += n - 80;
    if (line > 0)
        snprintf(place, sizeof(place), "%s%s:%d", n > 80 ? "..." : "", name,
                 line);
    else
        snprintf(place, sizeof(place), "%s%s", n > 80 ? "..." : "", name);
    return place;
}

const struct found_value *
settings_file_value(const struct found_section *f, const struct setting *s)
{
    for (const struct found_value *v = f->values; v; v = v->next)
        if (v->s == s)
            return v;
    return NULL;
}

/* The first error counts; what the library says after it does not. */
static int
fail(struct work *w, int line, const struct err *why)
{
    if (!w->failed && w->e) {
        *w->e = *why;
        err_add(w->e, "%s", settings_place(w->name, line));
    }
    w->failed = true;
    return -1;
}

static struct open_section *
section_of(struct work *w, cfg_t *cfg)
{
    struct open_section *o = w->sections, **end = &w->sections;

    for (; o; end = &o->next, o = o->next)
        if (o->cfg == cfg)
            return o;
    o = arena_alloc(w->arena, sizeof(*o));
    o->cfg = cfg;
    o->found.line = cfg->line;
    o->found.is_account = strcmp(cfg->name, "account") == 0;
    *end = o;
    return o;
}

static struct found_value *
value_new(struct work *w, struct open_section *o, const struct setting *s,
          int line)
{
    struct found_value *v = arena_alloc(w->arena, sizeof(*v));

    v->s = s;
    v->line = line;
    v->next = o->found.values;
    o->found.values = v;
    return v;
}

static void
value_add(struct work *w, struct found_value *v, const char *text)
{
    /* doubles when full; the old arrays stay in the arena */
    if ((v->n & (v->n - 1)) == 0) {
        const char **more =
            arena_alloc(w->arena, sizeof(*more) * (v->n ? v->n * 2 : 1));
        if (v->n)
            memcpy(more, v->text, sizeof(*more) * v->n);
        v->text = more;
    }
    v->text[v->n++] = text;
}

/* A value, as libconfuse finds it. */
static int
on_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
    struct work *w = parsing;
    const struct setting *s = settings_table_find(slice_of(opt->name));
    struct open_section *o = section_of(w, cfg);
    struct found_value *v;
    struct err why = {0};

    *(const char **)result = text;
    if (strcmp(text, UNSET) == 0)
        return 0;
    v = (struct found_value *)settings_file_value(&o->found, s);
    if (v && opt->nvalues == 1) {
        err_set(&why, E_INPUT, "%s is set twice, first in line %d", s->name,
                v->line);
        return fail(w, cfg->line, &why);
    }
    if (!v && opt->nvalues > 1) {
        err_set(&why, E_INPUT, "%s: give the whole list with =, not +=",
                s->name);
        return fail(w, cfg->line, &why);
    }
    if (v && v->n >= MAX_LIST) {
        err_set(&why, E_INPUT, "%s: more than %d values", s->name, MAX_LIST);
        return fail(w, cfg->line, &why);
    }
    if (settings_value_parse(s, slice_of(text), &w->at, NULL, NULL, &why))
        return fail(w, cfg->line, &why);
    if (!v)
        v = value_new(w, o, s, cfg->line);
    value_add(w, v, arena_strdup(w->arena, text));
    return 0;
}

static const struct setting *
setting_in(const char *text)
{
    const char *from = strchr(text, '\''), *to = from ? strchr(from + 1, '\'')
                                                      : NULL;
    return to ? settings_table_find(
                    slice_make(from + 1, (size_t)(to - from - 1)))
              : NULL;
}

static void
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
    struct work *w = parsing;
    const struct setting *s;
    struct err why = {.code = E_INPUT};

    vsnprintf(why.text, sizeof(why.text), fmt, ap);
    for (char *p = why.text; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
    if (strncmp(why.text, "no such option", 14) == 0) {
        s = setting_in(why.text);
        if (s && s->where == SETTING_GLOBAL)
            err_set(&why, E_INPUT, "%s may only stand outside of blocks",
                    s->name);
        else if (s)
            err_set(&why, E_INPUT, "%s may only stand in an account block",
                    s->name);
        else
            memcpy(why.text, "unknown option", 14);
    }
    fail(w, cfg->line, &why);
}

static void
opt_of(const struct setting *s, cfg_opt_t *o)
{
    o->name = s->name;
    o->type = CFGT_STR;
    o->flags = CFGF_NODEFAULT;
    o->parsecb = on_value;
    if (settings_table_is_list(s)) {
        static char unset[] = "{\"" UNSET "\"}";
        o->flags = CFGF_LIST;
        o->def.parsed = unset;
    }
}

/* The options that may stand outside of blocks, in a domain, in an account. */
static cfg_opt_t *
opts_of(bool outside, bool account)
{
    cfg_opt_t *opts = xcalloc(settings_table_n + 3, sizeof(*opts));
    size_t n = 0;

    for (size_t i = 0; i < settings_table_n; i++) {
        const struct setting *s = &settings_table[i];
        if (s->where == SETTING_ANYWHERE ||
            (s->where == SETTING_GLOBAL && outside) ||
            (s->where == SETTING_ACCOUNT && account))
            opt_of(s, &opts[n++]);
    }
    return opts;
}

static void
opts_section(cfg_opt_t *opts, const char *name, cfg_opt_t *sub)
{
    while (opts->name)
        opts++;
    opts->name = name;
    opts->type = CFGT_SEC;
    opts->flags = CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES;
    opts->subopts = sub;
}

/* ---- what the library would take without a word ---- */

struct scan {
    const char *p, *end;
    int line, depth;
};

static void
skip_comment(struct scan *sc)
{
    if (*sc->p == '/' && sc->p[1] == '*') {
        sc->p += 2;
        while (sc->end - sc->p > 1 && !(sc->p[0] == '*' && sc->p[1] == '/'))
            sc->line += *sc->p++ == '\n';
        sc->p += sc->end - sc->p > 1 ? 1 : 0;
        return;
    }
    while (sc->p + 1 < sc->end && sc->p[1] != '\n')
        sc->p++;
}

/* From the opening quote to the closing one. */
static int
skip_quoted(struct scan *sc, struct err *e)
{
    char quote = *sc->p++;

    for (; sc->p < sc->end && *sc->p != quote; sc->p++) {
        sc->line += *sc->p == '\n';
        if (*sc->p == '\\') {
            /* The library drops a single one without a word. */
            if (sc->p + 1 >= sc->end || (sc->p[1] != quote &&
                                         sc->p[1] != '\\'))
                return err_set(e, E_INPUT, "in quotes a backslash is written "
                               "\\\\, and stands alone only before a quote");
            sc->p++;
        } else if (quote == '"' && *sc->p == '$' && sc->p + 1 < sc->end &&
                 sc->p[1] == '{')
            return err_set(e, E_INPUT,
                           "\"${...}\": variables are not expanded; use "
                           "single quotes if it is meant as it stands");
    }
    return 0;
}

static int
scan_char(struct scan *sc, struct err *e)
{
    const char *p = sc->p;
    bool more = p + 1 < sc->end;

    if (*p == '\n')
        sc->line++;
    else if (*p == '#' || (*p == '/' && more && (p[1] == '/' || p[1] == '*')))
        skip_comment(sc);
    else if (*p == '"' || *p == '\'')
        return skip_quoted(sc, e);
    else if (*p == '$' && more && p[1] == '{')
        return err_set(e, E_INPUT, "${...}: variables are not expanded; use "
                       "single quotes if it is meant as it stands");
    else if (*p == '\\') /* the library echoes it to stdout and goes on */
        return err_set(e, E_INPUT, "a backslash outside of quotes");
    else if (*p == '{' && ++sc->depth > MAX_DEPTH)
        return err_set(e, E_INPUT, "too many braces within each other");
    else if (*p == '}')
        sc->depth--;
    return 0;
}

static int
scan(struct work *w, struct slice text)
{
    struct scan sc = {text.p, text.p + text.n, 1, 0};
    struct err why = {0};

    for (size_t i = 0; i < text.n; i++)
        if (!text.p[i] || (unsigned char)text.p[i] == 127 ||
            ((unsigned char)text.p[i] < ' ' && !strchr("\t\r\n", text.p[i]))) {
            err_set(&why, E_INPUT, "a control character");
            return fail(w, 0, &why);
        }
    for (; sc.p < sc.end; sc.p++)
        if (scan_char(&sc, &why))
            return fail(w, sc.line, &why);
    return 0;
}

/* ---- the walk over what was read ---- */

/* Lists given as {}; sections in the order of the file. */
static void
gather_section(struct work *w, cfg_t *cfg, struct found_section **end)
{
    struct open_section *o = section_of(w, cfg);

    o->found.title =
        cfg == w->root ? NULL : arena_strdup(w->arena, cfg_title(cfg));
    for (cfg_opt_t *opt = cfg->opts; opt->name; opt++) {
        const struct setting *s = settings_table_find(slice_of(opt->name));
        if (opt->type == CFGT_STR && s && settings_table_is_list(s) &&
            opt->nvalues == 0)
            value_new(w, o, s, o->found.line);
    }
    *end = &o->found;
}

static int
check_title(struct work *w, const struct found_section *f)
{
    struct err why = {0};

    if (f->is_account && !settings_value_is_name(slice_of(f->title)))
        err_set(&why, E_INPUT,
                "account \"%.60s\": a name is 1 to 64 letters, digits, "
                "\".\", \"_\" or \"-\"", f->title);
    else if (!f->is_account && (!f->title[0] || strchr(f->title, '@')))
        err_set(&why, E_INPUT, "domain \"%.60s\": a domain such as "
                "example.com is needed", f->title);
    else
        return 0;
    return fail(w, f->line, &why);
}

static int
gather(struct work *w, struct found_section **out)
{
    static const char *const kinds[] = {"domain", "account"};
    struct found_section **end = out;

    gather_section(w, w->root, end);
    end = &(*end)->next;
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
        for (unsigned i = 0; i < cfg_size(w->root, kinds[k]); i++) {
            gather_section(w, cfg_getnsec(w->root, kinds[k], i), end);
            if (check_title(w, *end))
                return -1;
            end = &(*end)->next;
        }
    *end = NULL;
    return 0;
}

static int
read_all(struct work *w, cfg_opt_t *opts, struct slice text,
         struct found_section **out)
{
    struct err why = {0};
    char *copy;
    int ret;

    w->root = cfg_init(opts, CFGF_NONE);
    cfg_set_error_function(w->root, on_error);
    copy = slice_dup(text);
    ret = text.n ? cfg_parse_buf(w->root, copy) : CFG_SUCCESS;
    free(copy);
    if (ret != CFG_SUCCESS || w->failed) {
        err_set(&why, E_INPUT, "the text is not understood");
        return fail(w, w->root->line, &why);
    }
    return gather(w, out);
}

int
settings_file_parse(struct slice text, const char *name, const char *dir,
                    struct arena *arena, struct found_section **out,
                    struct err *e)
{
    struct work w = {.arena = arena, .at = {arena, dir}, .name = name, .e = e};
    cfg_opt_t *opts = opts_of(true, false), *domain = opts_of(false, false),
              *account = opts_of(false, true);
    int ret;

    opts_section(opts, "domain", domain);
    opts_section(opts, "account", account);
    parsing = &w;
    ret = scan(&w, text) || read_all(&w, opts, text, out) ? -1 : 0;
    parsing = NULL;
    if (w.root)
        cfg_free(w.root);
    free(opts);
    free(domain);
    free(account);
    return ret;
}
