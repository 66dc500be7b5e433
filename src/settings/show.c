/*
 * A setting's value as one would write it, for `sealpostctl config show`.
 */
#include "settings/private.h"

#include <string.h>

#include "base/mem.h"

static void
add_word(struct buf *out, const struct setting_word *words, int value)
{
    for (const struct setting_word *w = words; w->text; w++)
        if (w->value == value) {
            buf_adds(out, w->text);
            return;
        }
    buf_addf(out, "%d", value);
}

/* In the largest unit that loses nothing. */
static void
add_unit(struct buf *out, uint64_t n, bool time)
{
    static const struct {
        uint64_t n;
        const char *unit;
    } times[] = {{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}},
      sizes[] = {{(uint64_t)1 << 30, "G"}, {1 << 20, "M"}, {1024, "K"},
                 {1, ""}};

    for (size_t i = 0; n && i < ARRAY_LEN(times); i++) {
        uint64_t per = time ? times[i].n : sizes[i].n;

        if (n % per == 0) {
            buf_addf(out, "%llu%s", (unsigned long long)(n / per),
                     time ? times[i].unit : sizes[i].unit);
            return;
        }
    }
    buf_addf(out, "0");
}

static void
add_list(struct buf *out, const char *const *list)
{
    for (size_t i = 0; list && list[i]; i++)
        buf_addf(out, "%s%s", i ? ", " : "", list[i]);
}

/* The listeners of one setting: door and tls by its name. */
static void
add_listeners(struct buf *out, const struct settings *s, const char *name)
{
    bool tls = name[strlen(name) - 1] == 's', any = false;
    enum settings_door door =
        strstr(name, "imap") ? SETTINGS_IMAP : SETTINGS_SMTP;

    for (size_t i = 0; i < s->n_listen; i++) {
        const struct settings_listen *l = &s->listen[i];
        bool six = strchr(l->host, ':');

        if (l->door != door || l->tls != tls)
            continue;
        buf_addf(out, "%s%s%s%s:%u", any ? ", " : "", six ? "[" : "", l->host,
                 six ? "]" : "", l->port);
        any = true;
    }
    if (!any)
        buf_adds(out, "off");
}

static void
add_value(struct buf *out, const struct setting *s, const void *base)
{
    const char *field = (const char *)base + s->field;
    const char *text;

    switch (s->kind) {
    case SETTING_WORD:
        add_word(out, s->words, *(const int *)field);
        break;
    case SETTING_BOOL:
        buf_adds(out, *(const bool *)field ? "yes" : "no");
        break;
    case SETTING_TIME:
        add_unit(out, *(const unsigned *)field, true);
        break;
    case SETTING_NUMBER:
        buf_addf(out, "%u", *(const unsigned *)field);
        break;
    case SETTING_SIZE:
        add_unit(out, *(const uint64_t *)field, false);
        break;
    case SETTING_ADDRESSES:
    case SETTING_PATHS:
        add_list(out, *(const char *const *const *)field);
        break;
    default:
        text = *(const char *const *)field;
        buf_adds(out, text ? text : "");
    }
}

bool
settings_value_at(const struct settings *all,
                  const struct settings_account *account, size_t i,
                  struct buf *out)
{
    const struct setting *s = &settings_table[i];

    if (i >= settings_table_n ||
        (s->where == SETTING_GLOBAL) != (account == NULL))
        return false;
    if (s->kind == SETTING_LISTEN)
        add_listeners(out, all, s->name);
    else if (s->field == SETTING_NO_FIELD)
        return false;
    else if (strcmp(s->name, "local_password") == 0)
        buf_adds(out, account->local_password ? "(a hash)" : "");
    else
        add_value(out, s, account ? (const void *)account : all);
    return true;
}
