/*
 * `sealpostctl account remove NAME`: the block of the configuration, then all
 * that is kept here: the local copy of the mail, the queue, the keys, the
 * passwords. Nothing is changed on the server.
 */
#include "ctl/private.h"

#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "account/account.h"
#include "secrets/secrets.h"
#include "settings/append.h"
#include "settings/settings.h"

static int
is_meant(struct ctl *c, const char *name, struct err *e)
{
    char prompt[300];

    if (ctl_has(c, "--yes"))
        return 0;
    snprintf(prompt, sizeof prompt,
             "The local mail, the queue and the keys of %.60s go for good "
             "(the server keeps its mail).\nType the name of the account to "
             "remove it", name);
    if (ctl_confirm(prompt, name))
        return 0;
    return err_set(e, E_INPUT, "nothing was removed: say --yes, or type the "
                               "name when asked");
}

/* Under the daemon's lock, so that none opens what goes; a daemon that runs
 * has closed the account with its reload. */
static int
erase(struct ctl *c, const char *name, bool running, struct err *e)
{
    const struct settings *s = c->settings;
    struct secrets *secrets = NULL;
    int lock = running ? -1 : ctl_state_lock(s, e);
    int rc = -1;

    if ((running || lock >= 0) &&
        secrets_open(s->machine_key, s->secrets_file, &secrets, e) == 0)
        rc = account_erase_finish(secrets, s->state_dir, name, e);
    secrets_close(&secrets);
    if (lock >= 0)
        close(lock);
    return rc;
}

/* Steps that a crash may cut anywhere: what was begun is finished by whoever
 * comes next. */
static int
account_remove(struct ctl *c, const char *name, bool configured,
               struct err *e)
{
    bool running = false;
    int rc = ctl_rights_enter(c, e);

    if (rc == 0)
        rc = account_erase_begin(c->settings->state_dir, name, e);
    ctl_rights_back();
    if (rc == 0 && configured)
        rc = settings_remove_account(c->config, name, e);
    if (rc == 0 && ctl_daemon_reload(c, &running, e))
        rc = err_add(e, "the account is taken out of %s, but the daemon did "
                        "not reload", c->config);
    if (rc == 0)
        rc = ctl_rights_enter(c, e);
    if (rc == 0)
        rc = erase(c, name, running, e);
    ctl_rights_back();
    return rc;
}

static void
show(const json_t *o, FILE *to)
{
    char name[100];

    fprintf(to, "account %s is removed\n",
            ctl_text(o, "account", name, sizeof name));
}

int
ctl_cmd_account_remove(struct ctl *c, struct err *e)
{
    const char *name = c->operand[0];
    bool configured;
    json_t *o;

    if (ctl_settings(c, false, e))
        return -1;
    configured = settings_find(c->settings, name) != NULL;
    if (!configured &&
        (strchr(name, '/') ||
         !account_erase_is_due(c->settings->state_dir, name)))
        return err_set(e, E_MISSING, "there is no account \"%.60s\" in %s",
                       name, c->config);
    if (is_meant(c, name, e) || account_remove(c, name, configured, e))
        return -1;
    o = json_object();
    json_object_set_new(o, "account", json_string(name));
    json_object_set_new(o, "removed", json_true());
    return ctl_print(c, o, show, e);
}
