/*
 * The fault counter.
 */
#include "base/fault.h"

#ifdef SEALPOST_FAULTS

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/now.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    bool read, fail, count, full;
    int64_t full_ms, full_until; /* now_ms(), 0: not yet */
    char kind[32];
    long left, hurry;
} plan;

static void
plan_read(void)
{
    const char *s = getenv("SEALPOST_FAULT");
    const char *hurry = getenv("SEALPOST_FAULT_HURRY");
    const char *full = getenv("SEALPOST_FAULT_FULL");
    char action[8] = "";

    plan.hurry = hurry ? strtol(hurry, NULL, 10) : 1;
    plan.read = true;
    plan.left = -1;
    if (!s || sscanf(s, "%31[^:]:%ld:%7s", plan.kind, &plan.left, action) < 2)
        plan.left = -1;
    plan.count = s && strcmp(s, "count") == 0;
    plan.full = strcmp(action, "full") == 0;
    plan.fail = plan.full || strcmp(action, "fail") == 0;
    plan.full_ms = full ? strtol(full, NULL, 10) : 1000;
    plan.full_until = 0;
}

static void
note(const char *word, const char *kind)
{
    const char *path = getenv("SEALPOST_FAULT_LOG");
    char line[80];
    int fd, n;

    if (!path)
        return;
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    n = snprintf(line, sizeof line, "%s %s\n", word, kind);
    if (write(fd, line, (size_t)n) < 0)
        perror("fault log");
    close(fd);
}

void
fault_reset(void)
{
    pthread_mutex_lock(&lock);
    plan_read();
    pthread_mutex_unlock(&lock);
}

int64_t
fault_wait(int64_t wait)
{
    long by;

    pthread_mutex_lock(&lock);
    if (!plan.read)
        plan_read();
    by = plan.hurry;
    pthread_mutex_unlock(&lock);
    return by < 2 || wait < 2 ? wait : wait / by + 1;
}

/* What a full disk cannot do. */
static bool
needs_room(const char *kind)
{
    return strcmp(kind, "commit-before") == 0 || strcmp(kind, "write") == 0;
}

int64_t
fault_clock(void)
{
    const char *path = getenv("SEALPOST_FAULT_CLOCK");
    char text[24] = "";
    ssize_t n;
    int fd;

    if (!path)
        return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0; /* it has not jumped yet */
    n = read(fd, text, sizeof text - 1);
    close(fd);
    return n > 0 ? strtoll(text, NULL, 10) : 0;
}

bool
fault_point(const char *kind)
{
    bool hit = false, full;

    pthread_mutex_lock(&lock);
    if (!plan.read)
        plan_read();
    if (plan.left > 0 &&
        (strcmp(plan.kind, "any") == 0 || strcmp(plan.kind, kind) == 0))
        hit = --plan.left == 0;
    if (hit && plan.full)
        plan.full_until = now_ms() + plan.full_ms;
    full = !hit && needs_room(kind) && now_ms() < plan.full_until;
    if (plan.count)
        note("point", kind);
    pthread_mutex_unlock(&lock);
    if (!hit)
        return full;
    note("fired", kind);
    if (!plan.fail)
        _exit(99);
    return true;
}

long
fault_number(const char *name, long otherwise)
{
    const char *s = getenv(name);
    long n = s ? strtol(s, NULL, 10) : otherwise;

    return n >= 1 && n <= otherwise ? n : otherwise;
}

#else
/* An empty translation unit is not ISO C. */
typedef int fault_unused;
#endif
