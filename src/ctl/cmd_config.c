/*
 * `sealpostctl config check` and `config show`: the configuration as this
 * version understands it. No daemon.
 */
#include "ctl/private.h"

#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "settings/settings.h"

static void
show_check(const json_t *o, FILE *to)
{
    char path[1024], n[40];

    fprintf(to, "%s is good: %s account%s\n",
            ctl_text(o, "file", path, sizeof path),
            ctl_text(o, "accounts", n, sizeof n),
            json_integer_value(json_object_get(o, "accounts")) == 1 ? "" : "s");
}

int
ctl_cmd_config_check(struct ctl *c, struct err *e)
{
    json_t *o;

    if (ctl_settings(c, false, e))
        return -1;
    o = json_object();
    json_object_set_new(o, "file", ctl_json_text(slice_of(c->config)));
    json_object_set_new(o, "accounts",
                        json_integer((json_int_t)c->settings->n_accounts));
    return ctl_print(c, o, show_check, e);
}

static json_t *
values_json(const struct settings *s, const struct settings_account *a)
{
    struct settings_entry entry;
    json_t *o = json_object();

    for (size_t i = 0; settings_entry_at(i, &entry); i++) {
        struct buf b = BUF_INIT(BUF_OURS);

        if (settings_value_at(s, a, i, &b))
            json_object_set_new(o, entry.name, ctl_json_text(buf_slice(&b)));
        buf_clear(&b);
    }
    return o;
}

/* In the table's order, each with its default and what is allowed. */
static void
show_values(const json_t *o, const char *indent, FILE *to)
{
    struct settings_entry entry;

    for (size_t i = 0; settings_entry_at(i, &entry); i++) {
        const char *value =
            json_string_value(json_object_get(o, entry.name));

        if (!value)
            continue;
        fprintf(to, "%s%s = ", indent, entry.name);
        ctl_put(to, slice_of(value), false);
        fprintf(to, "\n%s    # ", indent);
        if (entry.fallback && *entry.fallback)
            fprintf(to, "default %s; ", entry.fallback);
        fprintf(to, "%s\n", entry.allowed);
    }
}

static void
show_all(const json_t *o, FILE *to)
{
    const char *name;
    const json_t *account;

    if (json_object_get(o, "settings"))
        show_values(json_object_get(o, "settings"), "", to);
    json_object_foreach(json_object_get(o, "accounts"), name, account) {
        fprintf(to, "%saccount %s\n",
                json_object_get(o, "settings") ? "\n" : "", name);
        show_values(account, "    ", to);
    }
}

int
ctl_cmd_config_show(struct ctl *c, struct err *e)
{
    const char *only = c->operands ? c->operand[0] : NULL;
    json_t *o, *accounts;

    if (ctl_settings(c, false, e))
        return -1;
    if (only && !settings_find(c->settings, only))
        return err_set(e, E_MISSING, "there is no account \"%.60s\" in %s",
                       only, c->config);
    o = json_object();
    accounts = json_object();
    if (!only)
        json_object_set_new(o, "settings", values_json(c->settings, NULL));
    for (size_t i = 0; i < c->settings->n_accounts; i++) {
        const struct settings_account *a = c->settings->accounts[i];

        if (!only || strcmp(a->name, only) == 0)
            json_object_set_new(accounts, a->name,
                                values_json(c->settings, a));
    }
    json_object_set_new(o, "accounts", accounts);
    return ctl_print(c, o, show_all, e);
}
