/*
 * Loading: the file is parsed (file.c), then each account's settings are
 * resolved: default, outside of blocks, domain block, account block; the last
 * that speaks wins. Called by the daemon at start and on reload, and by
 * sealpostctl.
 */
#include "settings/private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

/* What the caller gets, with the arena that everything lies in. */
struct loaded {
    struct settings s;
    struct arena *arena;
};

static int
apply_list(const struct setting *s, const char *const *text, size_t n,
           const struct value_at *at, void *base, struct err *e)
{
    const char **list =
        arena_alloc(at->arena, sizeof(*list) * (n + 1));

    for (size_t i = 0; i < n; i++)
        if (settings_value_parse(s, slice_of(text[i]), at, NULL, &list[i], e))
            return -1;
    *(const char *const **)((char *)base + s->field) = list;
    return 0;
}

/* The value found nearest, or the default, into the struct at `base`. */
static int
apply(const struct setting *s, const struct found_section *const *from,
      size_t n_from, const struct value_at *at, void *base, struct err *e)
{
    const struct found_value *v = NULL;
    struct slice text = slice_of(s->fallback);

    for (size_t i = 0; !v && i < n_from; i++)
        v = from[i] ? settings_file_value(from[i], s) : NULL;
    if (s->field == SETTING_NO_FIELD)
        return 0;
    if (settings_table_is_list(s))
        return apply_list(s, v ? v->text : NULL, v ? v->n : 0, at, base, e);
    if (v)
        text = slice_of(v->text[0]);
    if (!text.n)
        return 0;
    /* a default of what is not built yet is still the value in force */
    struct setting in_force = *s;
    if (!v)
        in_force.unbuilt = NULL;
    if (!v && s->kind == SETTING_SIZE && s->max == 0)
        in_force.max = UINT64_MAX;
    if (!v && s->kind == SETTING_TIME && s->max == 0)
        in_force.max = UINT32_MAX;
    return settings_value_parse(&in_force, text, at, (char *)base + s->field,
                                NULL, e);
}

static char *
lower(struct arena *arena, const char *text)
{
    char *out = arena_strdup(arena, text);

    for (char *p = out; *p; p++)
        *p = (char)ascii_lower((unsigned char)*p);
    return out;
}

static const struct found_section *
domain_of(const struct found_section *first, const char *address)
{
    const char *at = strchr(address, '@');

    for (const struct found_section *f = first->next; f; f = f->next)
        if (!f->is_account && at && ascii_icmp(f->title, at + 1) == 0)
            return f;
    return NULL;
}

static int
resolve_account(const struct found_section *first,
                const struct found_section *f, const struct value_at *at,
                struct settings_account *out, struct err *e)
{
    const struct found_value *address =
        settings_file_value(f, settings_table_find(SLICE("address")));

    if (!address)
        return err_set(e, E_INPUT, "account \"%s\" has no address", f->title);
    const struct found_section *from[] = {
        f, domain_of(first, address->text[0]), first};
    for (size_t i = 0; i < settings_table_n; i++)
        if (settings_table[i].where != SETTING_GLOBAL &&
            apply(&settings_table[i], from, ARRAY_LEN(from), at, out, e))
            return -1;
    out->name = f->title;
    out->domain = lower(at->arena, strchr(out->address, '@') + 1);
    if (!out->user)
        out->user = out->address;
    return 0;
}

static int
resolve_accounts(struct settings *s, const struct found_section *first,
                 const struct value_at *at, const char *name, struct err *e)
{
    struct settings_account **list;
    size_t n = 0;

    for (const struct found_section *f = first->next; f; f = f->next)
        n += f->is_account;
    if (n > SETTINGS_MAX_ACCOUNTS)
        return err_set(e, E_LIMIT, "%s: %zu accounts, at most %d are allowed",
                       settings_place(name, 0), n, SETTINGS_MAX_ACCOUNTS);
    list = arena_alloc(at->arena, sizeof(struct settings_account *) * (n + 1));
    for (const struct found_section *f = first->next; f; f = f->next) {
        if (!f->is_account)
            continue;
        list[s->n_accounts] = arena_alloc(at->arena, sizeof(**list));
        if (resolve_account(first, f, at, list[s->n_accounts++], e))
            return err_add(e, "%s", settings_place(name, f->line));
    }
    s->accounts = (const struct settings_account *const *)list;
    return 0;
}

static void
add_listeners(struct settings_listen *to, size_t *n, const char *name,
              struct slice text, struct arena *arena)
{
    struct settings_listen l;
    size_t len = strlen(name);

    if (slice_is(text, "off") ||
        settings_value_listen(text, name[len - 1] == 's', arena, &l, NULL))
        return; /* checked when it was read */
    l.door = strstr(name, "imap") ? SETTINGS_IMAP : SETTINGS_SMTP;
    to[(*n)++] = l;
}

static void
resolve_listeners(struct settings *s, const struct found_section *first,
                  struct arena *arena)
{
    struct settings_listen *list;
    size_t max = 2 * settings_table_n;

    for (const struct found_value *v = first->values; v; v = v->next)
        max += v->n;
    list = arena_alloc(arena, sizeof(*list) * max);
    for (size_t i = 0; i < settings_table_n; i++) {
        const struct setting *t = &settings_table[i];
        const struct found_value *v = settings_file_value(first, t);
        struct slice rest = slice_of(t->fallback), piece;
        if (t->kind != SETTING_LISTEN)
            continue;
        for (size_t k = 0; v && k < v->n; k++)
            add_listeners(list, &s->n_listen, t->name, slice_of(v->text[k]),
                          arena);
        while (!v && slice_next(&rest, ' ', &piece))
            add_listeners(list, &s->n_listen, t->name, piece, arena);
    }
    s->listen = list;
}

/* ---- places ---- */

static bool
is_service(void)
{
    return geteuid() == 0 || getenv("STATE_DIRECTORY");
}

/* An absolute directory from the environment; else NULL, as the XDG rules
 * want it. */
static const char *
env_dir(const char *name)
{
    const char *dir = getenv(name);

    return dir && dir[0] == '/' ? dir : NULL;
}

static char *
state_default(struct arena *arena)
{
    const char *dir;

    if (is_service()) {
        dir = env_dir("STATE_DIRECTORY");
        return arena_strdup(arena, dir ? dir : "/var/lib/sealpost");
    }
    if ((dir = env_dir("XDG_STATE_HOME")))
        return arena_printf(arena, "%s/sealpost", dir);
    dir = env_dir("HOME");
    return arena_printf(arena, "%s/.local/state/sealpost", dir ? dir : "");
}

static void
resolve_places(struct settings *s, const struct value_at *at)
{
    const char *run = env_dir("XDG_RUNTIME_DIR");

    if (!s->state_dir)
        s->state_dir = state_default(at->arena);
    if (!s->control && is_service())
        s->control = "/run/sealpost/control";
    if (!s->control && run)
        s->control = arena_printf(at->arena, "%s/sealpost/control", run);
    if (!s->control)
        s->control = arena_printf(at->arena, "%s/control", s->state_dir);
    if (!s->machine_key)
        s->machine_key = arena_printf(at->arena, "%s/machine.key", at->dir);
    if (!s->secrets_file)
        s->secrets_file = arena_printf(at->arena, "%s/secrets", s->state_dir);
}

char *
settings_default_path(void)
{
    const char *dir = env_dir("CONFIGURATION_DIRECTORY"), *home;

    if (dir)
        return xasprintf("%s/sealpost.conf", dir);
    if (is_service())
        return xstrdup("/etc/sealpost/sealpost.conf");
    if ((dir = env_dir("XDG_CONFIG_HOME")))
        return xasprintf("%s/sealpost/sealpost.conf", dir);
    home = env_dir("HOME");
    return xasprintf("%s/.config/sealpost/sealpost.conf", home ? home : "");
}

/* ---- loading ---- */

static int
load(struct loaded *l, struct slice text, const char *name, const char *dir,
     struct err *e)
{
    struct value_at at = {l->arena, arena_strdup(l->arena, dir)};
    struct found_section *first;

    if (text.n > SETTINGS_MAX_FILE)
        return err_set(e, E_LIMIT, "%s: more than %zu bytes",
                       settings_place(name, 0), SETTINGS_MAX_FILE);
    if (settings_file_parse(text, name, at.dir, l->arena, &first, e))
        return -1;
    const struct found_section *from[] = {first};
    for (size_t i = 0; i < settings_table_n; i++)
        if (settings_table[i].where == SETTING_GLOBAL &&
            settings_table[i].kind != SETTING_LISTEN &&
            apply(&settings_table[i], from, 1, &at, &l->s, e))
            return -1;
    resolve_listeners(&l->s, first, l->arena);
    resolve_places(&l->s, &at);
    if (resolve_accounts(&l->s, first, &at, name, e))
        return -1;
    return settings_check_all(&l->s, first, name, e);
}

int
settings_load_text(struct slice text, const char *name, const char *dir,
                   struct settings **out, struct err *e)
{
    struct loaded *l = xcalloc(1, sizeof(*l));
    struct settings *s = &l->s;

    l->arena = arena_new();
    if (load(l, text, name, dir, e)) {
        settings_free(&s);
        return -1;
    }
    *out = s;
    return 0;
}

int
settings_load(const char *path, struct settings **out, struct err *e)
{
    struct buf text = BUF_INIT(SETTINGS_MAX_FILE);
    char *full = realpath(path, NULL), *dir;
    int ret = -1;

    if (file_read(path, &text, e)) {
        free(full);
        return -1;
    }
    dir = file_dir(full ? full : path);
    if (settings_load_text(buf_slice(&text), path, dir, out, e) == 0) {
        struct loaded *l = (struct loaded *)*out;
        l->s.path = arena_strdup(l->arena, full ? full : path);
        ret = 0;
    }
    free(dir);
    free(full);
    buf_clear(&text);
    return ret;
}

void
settings_free(struct settings **s)
{
    struct loaded *l = (struct loaded *)*s;

    if (!l)
        return;
    arena_free(&l->arena);
    free(l);
    *s = NULL;
}

/* ---- looking up ---- */

const struct settings_account *
settings_find(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->n_accounts; i++)
        if (strcmp(s->accounts[i]->name, name) == 0)
            return s->accounts[i];
    return NULL;
}

const struct settings_account *
settings_find_login(const struct settings *s, struct slice login)
{
    for (size_t i = 0; i < s->n_accounts; i++)
        if (slice_is(login, s->accounts[i]->name) ||
            slice_iis(login, s->accounts[i]->address))
            return s->accounts[i];
    return NULL;
}

bool
settings_is_own(const struct settings_account *a, struct slice address)
{
    if (slice_iis(address, a->address))
        return true;
    for (size_t i = 0; a->aliases[i]; i++)
        if (slice_iis(address, a->aliases[i]))
            return true;
    return false;
}
