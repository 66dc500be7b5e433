/*
 * Old and new settings side by side, for a reload: which accounts came, went
 * or changed, and what only a new start can change.
 */
#include "settings/private.h"

#include <string.h>

#include "base/mem.h"

static bool
same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool
same_list(const char *const *a, const char *const *b)
{
    size_t i = 0;

    for (; a[i] && b[i]; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return !a[i] && !b[i];
}

static bool
same_field(const struct setting *s, const void *x, const void *y)
{
    const char *a = (const char *)x + s->field, *b = (const char *)y + s->field;

    switch (s->kind) {
    case SETTING_WORD:
        return *(const int *)a == *(const int *)b;
    case SETTING_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case SETTING_TIME:
    case SETTING_NUMBER:
        return *(const unsigned *)a == *(const unsigned *)b;
    case SETTING_SIZE:
        return *(const uint64_t *)a == *(const uint64_t *)b;
    case SETTING_ADDRESSES:
    case SETTING_PATHS:
        return same_list(*(const char *const *const *)a,
                         *(const char *const *const *)b);
    default:
        return same_text(*(const char *const *)a, *(const char *const *)b);
    }
}

bool
settings_account_equal(const struct settings_account *a,
                       const struct settings_account *b)
{
    for (size_t i = 0; i < settings_table_n; i++) {
        const struct setting *s = &settings_table[i];
        if (s->where != SETTING_GLOBAL && s->field != SETTING_NO_FIELD &&
            !same_field(s, a, b))
            return false;
    }
    return strcmp(a->name, b->name) == 0;
}

static bool
same_listeners(const struct settings *a, const struct settings *b)
{
    if (a->n_listen != b->n_listen)
        return false;
    for (size_t i = 0; i < a->n_listen; i++)
        if (a->listen[i].door != b->listen[i].door ||
            a->listen[i].tls != b->listen[i].tls ||
            a->listen[i].port != b->listen[i].port ||
            strcmp(a->listen[i].host, b->listen[i].host) != 0)
            return false;
    return true;
}

char *
settings_fixed_changes(const struct settings *old, const struct settings *new_)
{
    struct buf out = BUF_INIT(BUF_OURS);

    for (size_t i = 0; i < settings_table_n; i++) {
        const struct setting *s = &settings_table[i];
        if (s->where != SETTING_GLOBAL || !s->fixed ||
            s->field == SETTING_NO_FIELD || same_field(s, old, new_))
            continue;
        buf_addf(&out, "%s%s", out.len ? ", " : "", s->name);
    }
    if (!same_listeners(old, new_))
        buf_addf(&out, "%slisteners", out.len ? ", " : "");
    return buf_take(&out, NULL);
}

static size_t
field_size(const struct setting *s)
{
    switch (s->kind) {
    case SETTING_WORD:
        return sizeof(int);
    case SETTING_BOOL:
        return sizeof(bool);
    case SETTING_TIME:
    case SETTING_NUMBER:
        return sizeof(unsigned);
    case SETTING_SIZE:
        return sizeof(uint64_t);
    default:
        return sizeof(void *);
    }
}

void
settings_fixed_keep(const struct settings *boot, struct settings *new_)
{
    for (size_t i = 0; i < settings_table_n; i++) {
        const struct setting *s = &settings_table[i];

        if (s->where == SETTING_GLOBAL && s->fixed &&
            s->field != SETTING_NO_FIELD)
            memcpy((char *)new_ + s->field, (const char *)boot + s->field,
                   field_size(s));
    }
    new_->listen = boot->listen;
    new_->n_listen = boot->n_listen;
}

bool
settings_diff_next(const struct settings *old, const struct settings *new_,
                   size_t *i, struct settings_diff *out)
{
    size_t n_old = old ? old->n_accounts : 0;

    *out = (struct settings_diff){.kind = SETTINGS_ADDED};
    if (*i < n_old) {
        out->was = old->accounts[(*i)++];
        out->now = settings_find(new_, out->was->name);
        if (!out->now)
            out->kind = SETTINGS_REMOVED;
        else
            out->kind = settings_account_equal(out->was, out->now)
                ? SETTINGS_SAME
                : SETTINGS_CHANGED;
        return true;
    }
    while (*i - n_old < new_->n_accounts) {
        out->now = new_->accounts[(*i)++ - n_old];
        if (!old || !settings_find(old, out->now->name))
            return true;
    }
    return false;
}
