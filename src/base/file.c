/*
 * Whole files. Called from rooms that keep state; all of it blocks, so the
 * large ones belong into workers.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/code.h"
#include "base/fault.h"
#include "base/mem.h"

char *
file_dir(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return xstrdup(".");
    return slash == path ? xstrdup("/")
                         : xstrndup(path, (size_t)(slash - path));
}

int
file_read(const char *path, struct buf *out, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = -1;

    if (fd < 0)
        return err_errno(e, E_RETRY, errno, "%s", path);
    for (;;) {
        size_t left = out->limit - out->len;
        char *to = buf_room(out, left < 65536 ? left : 65536);
        ssize_t n;
        char one;

        if (left == 0) { /* full: only the end of the file may follow */
            n = read(fd, &one, 1);
            if (n > 0) {
                err_set(e, E_LIMIT, "%s is larger than %zu bytes", path,
                        out->limit);
                break;
            }
        } else {
            n = read(fd, to, left < 65536 ? left : 65536);
            if (n > 0) {
                buf_added(out, (size_t)n);
                continue;
            }
        }
        if (n < 0 && errno == EINTR)
            continue;
        rc = n == 0 ? 0 : err_errno(e, E_RETRY, errno, "reading %s", path);
        break;
    }
    close(fd);
    return rc;
}

static int
write_all(int fd, struct slice bytes)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        bytes = slice_from(bytes, (size_t)n);
    }
    return 0;
}

static int
write_tmp(const char *tmp, struct slice bytes, mode_t mode, bool sync,
          struct err *e)
{
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                  mode);

    if (fd < 0)
        return err_errno(e, E_RETRY, errno, "creating %s", tmp);
    if (fault_point("write")) {
        close(fd);
        return err_set(e, E_FULL, "writing %s: fault", tmp);
    }
    if (write_all(fd, bytes)) {
        err_errno(e, E_RETRY, errno, "writing %s", tmp);
        close(fd);
        return -1;
    }
    if (sync && (fault_point("fsync") || fdatasync(fd))) {
        err_errno(e, E_RETRY, errno, "flushing %s", tmp);
        close(fd);
        return -1;
    }
    if (close(fd))
        return err_errno(e, E_RETRY, errno, "closing %s", tmp);
    return 0;
}

int
file_write(const char *path, struct slice bytes, mode_t mode, bool sync,
           struct err *e)
{
    char random[17];
    char *tmp, *dir;
    int rc;

    code_random_hex(random, 8);
    tmp = xasprintf("%s.%s.tmp", path, random);
    dir = file_dir(path);
    rc = write_tmp(tmp, bytes, mode, sync, e);
    if (rc == 0 && (fault_point("rename") || rename(tmp, path)))
        rc = err_errno(e, E_RETRY, errno, "renaming %s", tmp);
    if (rc)
        unlink(tmp);
    if (rc == 0 && sync)
        rc = file_sync(dir, e);
    free(tmp);
    free(dir);
    return rc;
}

int
file_sync(const char *path, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = 0;

    if (fd < 0)
        return err_errno(e, E_RETRY, errno, "%s", path);
    if (fdatasync(fd))
        rc = err_errno(e, E_RETRY, errno, "flushing %s", path);
    close(fd);
    return rc;
}

void
file_sync_begin(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    close(fd);
}

int
file_mkdirs(const char *path, struct err *e)
{
    char *copy = xstrdup(path);
    int rc = 0;

    for (char *p = copy + 1; rc == 0; p++) {
        char c = *p;

        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mkdir(copy, 0700) && errno != EEXIST)
            rc = err_errno(e, E_RETRY, errno, "making directory %s", copy);
        *p = c;
        if (c == '\0')
            break;
    }
    free(copy);
    return rc;
}

int
file_remove(const char *path, struct err *e)
{
    if (fault_point("unlink"))
        return err_set(e, E_RETRY, "removing %s: fault", path);
    if (unlink(path) && errno != ENOENT)
        return err_errno(e, E_RETRY, errno, "removing %s", path);
    return 0;
}

static int
on_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)at;
    if (fault_point("unlink"))
        return -1;
    return kind == FTW_DP ? rmdir(path) : unlink(path);
}

int
file_remove_tree(const char *path, struct err *e)
{
    char *dir;
    int rc;

    if (nftw(path, on_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) &&
        errno != ENOENT)
        return err_errno(e, E_RETRY, errno, "removing %s", path);
    dir = file_dir(path);
    rc = file_sync(dir, e);
    free(dir);
    return rc;
}
