/*
 * From root to the configured user, for good. Started by anybody else nothing
 * changes. There is no way on as root by accident: a user that does not exist
 * is an error, and only run_as = 'root' says that it is meant.
 */
#include "daemon/private.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

int
rights_find(const char *user, bool *due, long *uid_out, long *gid_out,
            struct err *e)
{
    struct passwd *pw;

    *due = false;
    if (geteuid() != 0)
        return 0;
    errno = 0;
    pw = getpwnam(user);
    if (!pw)
        return err_set(e, E_MISSING,
                       "started as root, but the user \"%.60s\" to become "
                       "(run_as) does not exist: make it, or name another "
                       "with run_as (run_as = 'root' stays root)", user);
    *due = pw->pw_uid != 0;
    if (uid_out)
        *uid_out = (long)pw->pw_uid;
    if (gid_out)
        *gid_out = (long)pw->pw_gid;
    return 0;
}

int
rights_drop(const char *user, struct err *e)
{
    struct passwd *pw = getpwnam(user);

    if (!pw)
        return err_set(e, E_MISSING, "no user \"%.60s\"", user);
    if (initgroups(pw->pw_name, pw->pw_gid) || setgid(pw->pw_gid) ||
        setuid(pw->pw_uid))
        return err_errno(e, E_DENIED, errno, "becoming user %.60s", user);
    /* The saved ids must be gone as well. */
    if (pw->pw_uid && (setuid(0) == 0 || geteuid() != pw->pw_uid))
        return err_set(e, E_BUG, "root's rights could not be given up");
    /* For password_command, which looks for its files at home. */
    setenv("HOME", pw->pw_dir, 1);
    setenv("USER", pw->pw_name, 1);
    setenv("LOGNAME", pw->pw_name, 1);
    log_info("daemon", "now user %s", pw->pw_name);
    return 0;
}

void
rights_no_dumps(void)
{
    struct rlimit none = {0, 0};

    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || setrlimit(RLIMIT_CORE, &none))
        log_warn("daemon", "core dumps cannot be switched off");
}
