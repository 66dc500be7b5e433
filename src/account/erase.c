/*
 * Erasing what is known of an account that a person removes: a marker first,
 * then the files, then the secrets, then the marker goes (a wipe that the
 * server orders is wipe.c's). After a crash whoever opens accounts next goes
 * on before it does (SPEC section 5). Called by sealpostctl account remove and
 * by accounts_new().
 */
#include "account/account.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "account/private.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "secrets/secrets.h"

#define MARKER ".erase" /* file_write()'s temporary names end otherwise */

int
account_erase_begin(const char *state_dir, const char *name, struct err *e)
{
    char *dir = xasprintf("%s/removed", state_dir);
    char *path = xasprintf("%s/%s" MARKER, dir, name);
    int rc = file_mkdirs(dir, e) ||
                     file_write(path, SLICE("being erased\n"), 0600, true, e)
                 ? -1
                 : 0;

    free(path);
    free(dir);
    return rc;
}

bool
account_erase_is_due(const char *state_dir, const char *name)
{
    char *path = xasprintf("%s/removed/%s" MARKER, state_dir, name);
    bool due = access(path, F_OK) == 0;

    free(path);
    return due;
}

int
account_erase_finish(struct secrets *secrets, const char *state_dir,
                     const char *name, struct err *e)
{
    char *path = xasprintf("%s/accounts/%s", state_dir, name);
    char *dir = xasprintf("%s/accounts", state_dir);
    char *prefix = secrets_account_name(name, "");
    char *marker = xasprintf("%s/removed/%s" MARKER, state_dir, name);
    char *wipe = xasprintf("%s/wipes/%s", state_dir, name);
    int rc = file_remove_tree(path, e);

    if (rc == 0 && access(dir, F_OK) == 0)
        rc = file_sync(dir, e);
    if (rc == 0)
        rc = secrets_remove_all(secrets, prefix, e);
    if (rc == 0)
        rc = file_remove(wipe, e) || file_remove(marker, e);
    free(wipe);
    free(marker);
    free(prefix);
    free(dir);
    free(path);
    return rc ? -1 : 0;
}

int
account_erase_pending(struct secrets *secrets, const char *state_dir,
                      struct err *e)
{
    char *dir = xasprintf("%s/removed", state_dir);
    DIR *dp = opendir(dir);
    struct dirent *d;
    int rc = 0;

    free(dir);
    while (dp && rc == 0 && (d = readdir(dp))) {
        char *name;

        if (!slice_ends(slice_of(d->d_name), MARKER))
            continue;
        name = xstrndup(d->d_name, strlen(d->d_name) - strlen(MARKER));
        rc = account_erase_finish(secrets, state_dir, name, e);
        if (rc == 0)
            log_notice("account", "account=%s what was left of it is erased",
                       name);
        free(name);
    }
    if (dp)
        closedir(dp);
    return rc;
}
