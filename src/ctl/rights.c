/*
 * What root makes in the daemon's directories must belong to the daemon's
 * user (run_as), or the daemon could not read it after it has dropped its
 * rights. Only the effective ids change, so that the configuration can still
 * be written after.
 */
#include "ctl/private.h"

#include <errno.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "secrets/secrets.h"
#include "settings/settings.h"

/* Made by us, it is given to the user; one that is there stays as it is. */
static int
state_dir_make(const char *dir, const struct passwd *pw, struct err *e)
{
    struct stat st;

    if (stat(dir, &st) == 0)
        return 0;
    if (file_mkdirs(dir, e))
        return -1;
    if (chown(dir, pw->pw_uid, pw->pw_gid))
        return err_errno(e, E_DENIED, errno, "giving %s away", dir);
    return 0;
}

int
ctl_rights_enter(struct ctl *c, struct err *e)
{
    struct passwd *pw;

    if (geteuid() != 0)
        return 0;
    pw = getpwnam(c->settings->user);
    if (!pw || pw->pw_uid == 0)
        return 0;
    if (state_dir_make(c->settings->state_dir, pw, e) ||
        secrets_give(c->settings->machine_key, c->settings->secrets_file,
                     pw->pw_name, (long)pw->pw_uid, (long)pw->pw_gid, e))
        return -1;
    if (setegid(pw->pw_gid) || seteuid(pw->pw_uid))
        return err_errno(e, E_DENIED, errno, "becoming user %.60s",
                         pw->pw_name);
    return 0;
}

void
ctl_rights_back(void)
{
    if (getuid() == 0 && geteuid() != 0 && (seteuid(0) || setegid(getgid())))
        _exit(CTL_ERROR); /* nothing may go on with half of the rights */
}
