/*
 * `sealpostctl account add`, `list` and `password`: the configuration and the
 * secrets, with or without a daemon; one that runs is told to reload.
 */
#include "ctl/private.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "account/account.h"
#include "base/mem.h"
#include "secrets/hash.h"
#include "secrets/secrets.h"
#include "settings/append.h"
#include "settings/settings.h"

#define PAIRS_MAX 200u

struct adding {
    struct ctl *c;
    const char *name;
    struct secrets *secrets;
    struct secret password, local;
    bool made; /* the local password is ours: to be shown once */
};

/* ---- passwords ---- */

static int
local_password(struct adding *a, struct err *e)
{
    if (ctl_has(a->c, "--local-password-stdin"))
        return ctl_stdin_line(a->c, &a->local, e);
    secrets_hash_password(&a->local);
    a->made = true;
    return 0;
}

/* Some sign-ins need no password of ours. */
static bool
needs_no_password(const struct ctl *c)
{
    static const char *const starts[] = {"password_command=",
                                         "auth=certificate"};

    if (ctl_has(c, "--no-password"))
        return true;
    for (unsigned i = 0; i < c->ngiven; i++)
        for (size_t k = 0; k < ARRAY_LEN(starts); k++)
            if (strcmp(c->given[i].option->name, "--set") == 0 &&
                slice_starts(slice_of(c->given[i].value), starts[k]))
                return true;
    return false;
}

static int
upstream_password(struct adding *a, struct err *e)
{
    char prompt[300];

    if (ctl_has(a->c, "--password-stdin"))
        return ctl_stdin_line(a->c, &a->password, e);
    snprintf(prompt, sizeof prompt, "Exchange password of %.200s", a->name);
    return ctl_ask(prompt,
                   "give it on stdin with --password-stdin, or say --set "
                   "password_command=...", &a->password, e);
}

static int
secret_put(struct adding *a, const char *what, struct slice value,
           struct err *e)
{
    char *name = secrets_account_name(a->name, what);
    int rc = secrets_set(a->secrets, name, value, e);

    free(name);
    return rc;
}

static void
secret_drop(struct adding *a, const char *what)
{
    char *name = secrets_account_name(a->name, what);

    secrets_remove(a->secrets, name, NULL);
    free(name);
}

/* As the daemon's user, who has to read them. */
static int
secrets_put_inside(struct adding *a, struct err *e)
{
    const struct settings *s = a->c->settings;
    char hash[SECRETS_HASH_SIZE];

    if (secrets_open(s->machine_key, s->secrets_file, &a->secrets, e))
        return -1;
    if (a->local.data &&
        (secrets_hash_make(secret_slice(&a->local), hash, e) ||
         secret_put(a, "local-password", slice_of(hash), e)))
        return -1;
    if (a->password.data &&
        secret_put(a, "password", secret_slice(&a->password), e))
        return -1;
    return 0;
}

static int
secrets_put(struct adding *a, struct err *e)
{
    int rc = ctl_rights_enter(a->c, e);

    if (rc == 0)
        rc = secrets_put_inside(a, e);
    ctl_rights_back();
    return rc;
}

static void
adding_clear(struct adding *a)
{
    secrets_close(&a->secrets);
    secret_clear(&a->password);
    secret_clear(&a->local);
}

/* ---- the configuration ---- */

/* Only one name and value; heap. */
static int
pair_split(const char *text, struct settings_pair *p, char **name_out,
           struct err *e)
{
    const char *eq = strchr(text, '=');

    if (!eq || eq == text)
        return err_set(e, E_INPUT, "--set %.60s: it is --set NAME=VALUE",
                       text);
    *name_out = xstrndup(text, (size_t)(eq - text));
    p->name = *name_out;
    p->value = eq + 1;
    return 0;
}

/* Lists of the file are written --set NAME=one --set NAME=two. */
static int
block_append(struct adding *a, struct err *e)
{
    static const struct {
        const char *option, *setting;
    } own[] = {{"--address", "address"}, {"--server", "server"},
               {"--user", "user"}, {"--ca-file", "ca_file"}};
    struct settings_pair pairs[PAIRS_MAX];
    char *names[PAIRS_MAX], *full = NULL;
    const struct ctl *c = a->c;
    size_t n = 0, nnames = 0;
    int rc = 0;

    memset(pairs, 0, sizeof pairs);
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (ctl_option(c, own[i].option))
            pairs[n++] = (struct settings_pair){
                .name = own[i].setting, .value = ctl_option(c, own[i].option)};
    for (size_t i = 0; i < n; i++)
        if (strcmp(pairs[i].name, "ca_file") == 0 && *pairs[i].value != '/') {
            full = realpath(pairs[i].value, NULL); /* from here, not from the
                                                      file's directory */
            if (!full)
                return err_set(e, E_MISSING, "--ca-file %.200s is not there",
                               pairs[i].value);
            pairs[i].value = full;
        }
    for (unsigned i = 0; rc == 0 && i < c->ngiven; i++) {
        if (strcmp(c->given[i].option->name, "--set") != 0)
            continue;
        if (n == PAIRS_MAX)
            rc = err_set(e, E_LIMIT, "more than %u settings", PAIRS_MAX);
        else if ((rc = pair_split(c->given[i].value, &pairs[n],
                                  &names[nnames], e)) == 0)
            n++, nnames++;
    }
    if (rc == 0)
        rc = settings_append_account(c->config, a->name, pairs, n, e);
    while (nnames)
        free(names[--nnames]);
    free(full);
    return rc;
}

static void
show_added(const json_t *o, FILE *to)
{
    char text[400];

    fprintf(to, "account %s", ctl_text(o, "account", text, sizeof text));
    fprintf(to, " (%s) is set up%s\n",
            ctl_text(o, "address", text, sizeof text),
            json_is_true(json_object_get(o, "running"))
                ? " and runs"
                : "; it runs when sealpostd is started");
    if (json_is_string(json_object_get(o, "password")))
        fprintf(to, "\npassword for the mail program: %s\n"
                    "It is shown this once; sealpostctl account password "
                    "--local makes another.\n",
                json_string_value(json_object_get(o, "password")));
}

int
ctl_cmd_account_add(struct ctl *c, struct err *e)
{
    struct adding a = {.c = c, .name = c->operand[0]};
    const char *address = ctl_option(c, "--address");
    bool running = false;
    json_t *o;
    int rc;

    if (!address || !ctl_option(c, "--server")) {
        c->status = CTL_USAGE;
        return err_set(e, E_INPUT, "account add needs --address and --server");
    }
    if (ctl_settings(c, true, e))
        return -1;
    if (settings_find(c->settings, a.name))
        return err_set(e, E_INPUT, "%.100s has an account \"%.60s\" already",
                       c->config, a.name);
    if (account_erase_is_due(c->settings->state_dir, a.name))
        return err_set(e, E_RETRY, "an account of this name is not wholly "
                       "erased yet: sealpostctl account remove %.60s",
                       a.name);
    /* Secrets first: an account without its password would start and fail. */
    rc = (needs_no_password(c) ? 0 : upstream_password(&a, e)) ||
         local_password(&a, e) || secrets_put(&a, e);
    if (rc == 0 && block_append(&a, e)) {
        if (ctl_rights_enter(c, NULL) == 0) {
            secret_drop(&a, "local-password");
            secret_drop(&a, "password");
        }
        ctl_rights_back();
        rc = -1;
    }
    if (rc == 0 && ctl_daemon_reload(c, &running, e))
        rc = err_add(e, "the account is written, but the daemon did not "
                        "reload");
    if (rc == 0) {
        o = json_object();
        json_object_set_new(o, "account", json_string(a.name));
        json_object_set_new(o, "address", ctl_json_text(slice_of(address)));
        json_object_set_new(o, "password",
                            a.made ? json_string(a.local.data) : json_null());
        json_object_set_new(o, "running", json_boolean(running));
        rc = ctl_print(c, o, show_added, e);
    }
    adding_clear(&a);
    return rc ? -1 : 0;
}

/* ---- list ---- */

static void
show_list(const json_t *list, FILE *to)
{
    static const struct ctl_column columns[] = {
        {"ACCOUNT", "name", false},
        {"ADDRESS", "address", false},
        {"SERVER", "server", false}};

    ctl_table(list, columns, ARRAY_LEN(columns),
              "there is no account: sealpostctl account add makes one", to);
}

int
ctl_cmd_account_list(struct ctl *c, struct err *e)
{
    json_t *list;

    if (ctl_settings(c, false, e))
        return -1;
    list = json_array();
    for (size_t i = 0; i < c->settings->n_accounts; i++) {
        const struct settings_account *a = c->settings->accounts[i];
        json_t *o = json_object();

        json_object_set_new(o, "name", json_string(a->name));
        json_object_set_new(o, "address", ctl_json_text(slice_of(a->address)));
        json_object_set_new(o, "server", ctl_json_text(slice_of(a->server)));
        json_object_set_new(o, "user", ctl_json_text(slice_of(a->user)));
        json_array_append_new(list, o);
    }
    return ctl_print(c, list, show_list, e);
}

/* ---- password ---- */

static void
show_password(const json_t *o, FILE *to)
{
    const char *made = json_string_value(json_object_get(o, "password"));

    if (made)
        fprintf(to, "new password for the mail program: %s\n"
                    "It is shown this once.\n", made);
    else
        fprintf(to, "the password is kept%s\n",
                json_is_true(json_object_get(o, "running"))
                    ? "; sealpostd tries it now"
                    : "");
}

/* The upstream password by default; --local makes (or with
 * --local-password-stdin takes) the one of the mail program. */
int
ctl_cmd_account_password(struct ctl *c, struct err *e)
{
    struct adding a = {.c = c, .name = c->operand[0]};
    bool local = ctl_has(c, "--local") || ctl_has(c, "--local-password-stdin");
    const struct settings_account *s;
    bool running = false;
    json_t *o;
    int rc;

    if (ctl_settings(c, false, e))
        return -1;
    s = settings_find(c->settings, a.name);
    if (!s)
        return err_set(e, E_MISSING, "there is no account \"%.60s\" in %s",
                       a.name, c->config);
    if (local && s->local_password)
        return err_set(e, E_DENIED, "local_password of this account stands in "
                       "%s: change it there, or take it out", c->config);
    if (!local && s->password_command)
        return err_set(e, E_DENIED, "this account's password comes from its "
                       "password_command");
    rc = local ? local_password(&a, e) : upstream_password(&a, e);
    if (rc == 0 && local && ctl_has(c, "--password-stdin"))
        rc = upstream_password(&a, e);
    if (rc == 0)
        rc = secrets_put(&a, e);
    if (rc == 0 && ctl_daemon_reload(c, &running, e))
        rc = err_add(e, "the password is kept, but the daemon did not reload");
    if (rc == 0) {
        o = json_object();
        json_object_set_new(o, "account", json_string(a.name));
        json_object_set_new(o, "password",
                            a.made ? json_string(a.local.data) : json_null());
        json_object_set_new(o, "running", json_boolean(running));
        rc = ctl_print(c, o, show_password, e);
    }
    adding_clear(&a);
    return rc ? -1 : 0;
}
