/*
 * Directories of ours, and the lock that keeps a second daemon off them.
 */
#include "daemon/private.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/slice.h"
#include "secrets/secrets.h"

/* uid, gid: -1 leaves them. What is there already stays as it is: whoever
 * made it knew why. */
static int
make_dir(const char *dir, long uid, long gid, mode_t mode, struct err *e)
{
    struct stat st;

    if (stat(dir, &st) == 0)
        return 0;
    if (file_mkdirs(dir, e))
        return -1;
    if ((uid >= 0 || gid >= 0) && chown(dir, (uid_t)uid, (gid_t)gid))
        return err_errno(e, E_DENIED, errno, "giving %s away", dir);
    if (chmod(dir, mode))
        return err_errno(e, E_DENIED, errno, "mode of %s", dir);
    return 0;
}

int
places_make(const struct settings *s, struct err *e)
{
    long uid = -1, gid = -1, group = -1;
    bool due = false;
    struct group *gr = NULL;
    char *dir;
    int rc;

    if (rights_find(s->user, &due, &uid, &gid, e))
        return -1;
    if (!due)
        uid = gid = -1;
    if (make_dir(s->state_dir, uid, gid, 0700, e))
        return -1;
    /* The configuration's directory may be root's alone. */
    if (due && secrets_give(s->machine_key, s->secrets_file, s->user, uid,
                            gid, e))
        return -1;
    /* The group must get through the directory to the socket. */
    if (s->control_group) {
        gr = getgrnam(s->control_group);
        if (!gr)
            return err_set(e, E_MISSING, "control_group = \"%.60s\": there "
                           "is no such group", s->control_group);
        group = (long)gr->gr_gid;
    }
    dir = file_dir(s->control);
    rc = make_dir(dir, uid, gr ? group : gid, gr ? 0750 : 0700, e);
    free(dir);
    return rc;
}

/* The number that the other one wrote, for the message. */
static long
lock_holder(int fd)
{
    char text[24] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);

    return n > 0 ? strtol(text, NULL, 10) : 0;
}

int
places_lock(struct daemon *d, struct err *e)
{
    char *path = xasprintf("%s/lock", d->settings->state_dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        err_errno(e, E_DENIED, errno, "%s", path);
    free(path);
    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        int why = errno;
        long pid = lock_holder(fd);

        close(fd);
        if (why == EWOULDBLOCK)
            return err_set(e, E_DENIED, "another sealpostd (process %ld) "
                           "uses %s; stop it or choose another state_dir",
                           pid, d->settings->state_dir);
        return err_errno(e, E_DENIED, why, "locking %s",
                         d->settings->state_dir);
    }
    /* Only for people: what counts is the lock. */
    if (ftruncate(fd, 0) || dprintf(fd, "%ld\n", (long)getpid()) < 0) {
        close(fd);
        return err_set(e, E_FULL, "cannot write to %s",
                       d->settings->state_dir);
    }
    d->lock = fd;
    return 0;
}

void
places_unlock(struct daemon *d)
{
    if (d->lock >= 0)
        close(d->lock);
    d->lock = -1;
}
