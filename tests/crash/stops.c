/*
 * Stops a program at the n-th system call that changes the disk: put before
 * the C library (LD_PRELOAD), so that SQLite's own writes count as well, which
 * the fault points of src/base/fault.h do not see.
 *
 * SEALPOST_STOP=N ends the process at once before the N-th such call; N:half
 * writes the first half of what a write() or pwrite() was given and ends then
 * (calls of other kinds are not counted). 0 stops nothing: each call leaves a
 * line in the file named by SEALPOST_FAULT_LOG, to be counted. Flushes are not
 * counted, since they change nothing that a killed process leaves behind;
 * neither is a write to what is no regular file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define STATUS 99 /* as base/fault.c */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    bool read, on, half;
    long left;
} plan;

static void
note(const char *line)
{
    const char *path = getenv("SEALPOST_FAULT_LOG");
    long fd;

    if (!path)
        return;
    fd = syscall(SYS_openat, AT_FDCWD, path,
                 O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (syscall(SYS_write, fd, line, strlen(line)) < 0)
        _exit(98);
    syscall(SYS_close, fd);
}

static void
plan_read(void)
{
    const char *s = getenv("SEALPOST_STOP");
    char *end;

    plan.read = true;
    if (!s)
        return;
    plan.on = true;
    plan.left = strtol(s, &end, 10);
    plan.half = strcmp(end, ":half") == 0;
}

/* To be called before the change. True: now do half of it and end. */
static bool
stop(bool can_half)
{
    bool hit = false, count;

    pthread_mutex_lock(&lock);
    if (!plan.read)
        plan_read();
    count = plan.on && plan.left == 0;
    if (plan.on && plan.left > 0 && (can_half || !plan.half))
        hit = --plan.left == 0;
    if (hit)
        plan.on = false;
    if (count) {
        note("point syscall\n");
        if (can_half)
            note("point syscall-half\n");
    }
    if (hit) {
        note("fired syscall\n");
        if (!plan.half)
            _exit(STATUS); /* with the lock: nobody else gets further */
    }
    pthread_mutex_unlock(&lock);
    return hit;
}

static bool
is_file(int fd)
{
    struct stat st;

    return fd > 2 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

ssize_t
write(int fd, const void *p, size_t n)
{
    if (is_file(fd) && stop(n > 1)) {
        syscall(SYS_write, fd, p, n / 2);
        _exit(STATUS);
    }
    return syscall(SYS_write, fd, p, n);
}

ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    if (is_file(fd) && stop(n > 1)) {
        syscall(SYS_pwrite64, fd, p, n / 2, at);
        _exit(STATUS);
    }
    return syscall(SYS_pwrite64, fd, p, n, at);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
    return pwrite64(fd, p, n, at);
}

ssize_t
writev(int fd, const struct iovec *v, int n)
{
    if (is_file(fd))
        stop(false);
    return syscall(SYS_writev, fd, v, n);
}

int
ftruncate64(int fd, off64_t n)
{
    if (is_file(fd))
        stop(false);
    return (int)syscall(SYS_ftruncate, fd, n);
}

int
ftruncate(int fd, off_t n)
{
    return ftruncate64(fd, n);
}

int
posix_fallocate64(int fd, off64_t at, off64_t n)
{
    stop(false);
    return syscall(SYS_fallocate, fd, 0, at, n) ? errno : 0;
}

int
posix_fallocate(int fd, off_t at, off_t n)
{
    return posix_fallocate64(fd, at, n);
}

int
rename(const char *from, const char *to)
{
    stop(false);
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
unlink(const char *path)
{
    if (syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0)
        stop(false);
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int
rmdir(const char *path)
{
    stop(false);
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}

int
mkdir(const char *path, mode_t mode)
{
    if (syscall(SYS_faccessat, AT_FDCWD, path, F_OK))
        stop(false);
    return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

static int
opened(const char *path, int flags, mode_t mode)
{
    int kept = errno;

    /* Only what is made anew changes the disk. */
    if (flags & (O_CREAT | O_TRUNC) &&
        (flags & O_TRUNC || syscall(SYS_faccessat, AT_FDCWD, path, F_OK)))
        stop(false);
    errno = kept;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int
open(const char *path, int flags, ...)
{
    va_list ap;
    mode_t mode;

    va_start(ap, flags);
    mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return opened(path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
    va_list ap;
    mode_t mode;

    va_start(ap, flags);
    mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return opened(path, flags, mode);
}
