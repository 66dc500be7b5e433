/*
 * Erasing what is known of an account for good: a marker first, then the
 * files, then the secrets, then the marker goes. After a crash whoever opens
 * accounts next goes on before it does (SPEC section 5). Called by
 * sealpostctl account remove and by accounts_new().
 */
#include "account/account.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "account/private.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "secrets/secrets.h"

#define DEPTH_MAX 16u
#define MARKER ".erase" /* file_write()'s temporary names end otherwise */

/* Never through a link, and no deeper than our own directories are. */
static int
tree_remove(int at, const char *name, unsigned depth, struct err *e)
{
    struct dirent *d;
    DIR *dp;
    int fd, rc = 0;

    if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return err_errno(e, E_DENIED, errno, "removing %s", name);
    fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    dp = fd >= 0 && depth < DEPTH_MAX ? fdopendir(fd) : NULL;
    if (!dp) {
        rc = err_errno(e, E_DENIED, errno, "removing %s", name);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    while (rc == 0 && (d = readdir(dp)))
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            rc = tree_remove(fd, d->d_name, depth + 1, e);
    closedir(dp);
    if (rc == 0 && unlinkat(at, name, AT_REMOVEDIR))
        rc = err_errno(e, E_DENIED, errno, "removing %s", name);
    return rc;
}

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
    int rc = tree_remove(AT_FDCWD, path, 0, e);

    if (rc == 0 && access(dir, F_OK) == 0)
        rc = file_sync(dir, e);
    if (rc == 0)
        rc = secrets_remove_all(secrets, prefix, e);
    if (rc == 0)
        rc = file_remove(marker, e);
    free(marker);
    free(prefix);
    free(dir);
    free(path);
    return rc;
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
