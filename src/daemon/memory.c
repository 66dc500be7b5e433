/*
 * Memory goes back to the system when the work is done: few arenas, large
 * blocks by themselves, and what is free in between is given back by a look
 * every few seconds that finds the daemon quiet. Called by daemon.c.
 */
#include "daemon/private.h"

#include <stdlib.h>
#include <sys/resource.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/mem.h"
#include "loop/op.h"
#include "loop/worker.h"

#define LOOK_MS 5000
#define WORTH ((size_t)4 << 20) /* bytes free, more than the last time */
#define QUIET_MS 50   /* of CPU since the last look: nothing much runs */

/* By default there are eight arenas a core, each with its own holes, and the
 * size from which blocks are mapped grows with the largest one ever freed. */
void
memory_settle(void)
{
#ifdef __GLIBC__
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    mallopt(M_TRIM_THRESHOLD, 512 << 10);
#endif
}

static int64_t
cpu_ms(void)
{
    struct rusage r;

    if (getrusage(RUSAGE_SELF, &r))
        return 0;
    return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * (int64_t)1000 +
           (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1000;
}

/* Free inside malloc's arenas, whether the system has the pages or not. */
static size_t
unused(void)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    return mallinfo2().fordblks;
#else
    return 0;
#endif
}

static void
trim_run(struct worker_job *job)
{
    (void)job;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static void
trim_done(struct worker_job *job, bool wanted)
{
    (void)wanted;
    free(job);
}

static void
on_trimmed(void *arg, const struct err *err)
{
    struct daemon *d = arg;

    (void)err;
    d->unused = unused();
    d->looked = cpu_ms();
}

/* The pages of a large heap take some milliseconds: in the worker. */
static void
on_look(void *arg)
{
    struct daemon *d = arg;
    int64_t now = cpu_ms();
    bool quiet = now - d->looked < QUIET_MS;
    size_t idle;
    struct worker_job *job;

    d->looked = now;
    loop_timer_set(&d->look, LOOK_MS);
    if (!quiet || d->trim)
        return;
    idle = unused();
    if (idle < d->unused)
        d->unused = idle; /* what was given back is in use again */
    if (idle - d->unused < WORTH)
        return;
    job = xcalloc(1, sizeof *job);
    job->run = trim_run;
    job->done = trim_done;
    op_hold(&d->trim, worker_run(d->disk, job, on_trimmed, d));
}

void
memory_start(struct daemon *d)
{
    loop_timer_init(&d->look, on_look, d);
    loop_timer_set(&d->look, LOOK_MS);
}

void
memory_stop(struct daemon *d)
{
    op_cancel(&d->trim);
    if (d->look.run)
        loop_timer_clear(&d->look);
}
