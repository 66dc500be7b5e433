/*
 * Worker threads. The only locks outside libraries: jobs go in under one,
 * come back under the same, and an eventfd wakes the loop.
 */
#include "loop/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "loop/loop.h"

#define THREADS_MAX 16

enum { JOB_WAITS, JOB_RUNS, JOB_DONE };

struct worker {
    const char *name;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct list waiting, done; /* under lock */
    bool stop;                 /* under lock */
    size_t load;               /* loop's thread only */
    int wake;
    struct loop_fd *wake_fd;
    unsigned threads;
    pthread_t thread[THREADS_MAX];
};

static void
wake_loop(struct worker *w)
{
    uint64_t one = 1;

    while (write(w->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void *
thread_main(void *arg)
{
    struct worker *w = arg;

    pthread_mutex_lock(&w->lock);
    for (;;) {
        struct worker_job *job;

        while (list_is_empty(&w->waiting) && !w->stop)
            pthread_cond_wait(&w->more, &w->lock);
        if (w->stop)
            break;
        job = LIST_OBJECT(w->waiting.next, struct worker_job, node);
        list_remove(&job->node);
        job->state = JOB_RUNS;
        pthread_mutex_unlock(&w->lock);
        job->run(job);
        pthread_mutex_lock(&w->lock);
        job->state = JOB_DONE;
        list_add(&w->done, &job->node);
        wake_loop(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void
job_finish(struct worker *w, struct worker_job *job)
{
    struct op *op = job->op;
    struct err err = job->err;

    w->load--;
    job->end = &err;
    job->done(job, op_wanted(op));
    op_finish(&op, err.code ? &err : NULL);
}

/* A job that was never run has no result to give. */
static void
job_refuse(struct worker *w, struct worker_job *job)
{
    struct op *op = job->op;
    struct err err = job->err;

    w->load--;
    job->end = &err;
    job->done(job, err.code == E_RETRY);
    op_finish(&op, &err);
}

static void
on_wake(void *arg, unsigned what)
{
    struct worker *w = arg;
    uint64_t n;

    (void)what;
    if (read(w->wake, &n, sizeof n) < 0)
        return;
    for (;;) {
        struct worker_job *job = NULL;

        pthread_mutex_lock(&w->lock);
        if (!list_is_empty(&w->done)) {
            job = LIST_OBJECT(w->done.next, struct worker_job, node);
            list_remove(&job->node);
        }
        pthread_mutex_unlock(&w->lock);
        if (!job)
            return;
        job_finish(w, job);
    }
}

struct worker *
worker_new(const char *name, unsigned threads)
{
    struct worker *w = xcalloc(1, sizeof *w);
    sigset_t all, old;

    w->name = name;
    list_init(&w->waiting);
    list_init(&w->done);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->wake < 0)
        abort();
    w->wake_fd = loop_fd_new(w->wake, on_wake, w);
    loop_fd_watch(w->wake_fd, LOOP_READ);
    /* Signals belong to the loop's thread. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if (threads < 1)
        threads = 1;
    if (threads > THREADS_MAX)
        threads = THREADS_MAX;
    for (; w->threads < threads; w->threads++)
        if (pthread_create(&w->thread[w->threads], NULL, thread_main, w))
            break;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!w->threads)
        abort();
    return w;
}

void
worker_free(struct worker **wp)
{
    struct worker *w = *wp;

    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->threads; i++)
        pthread_join(w->thread[i], NULL);
    while (!list_is_empty(&w->waiting)) {
        struct worker_job *job =
            LIST_OBJECT(w->waiting.next, struct worker_job, node);

        list_remove(&job->node);
        err_set(&job->err, E_CANCELED, "shutting down");
        job_refuse(w, job);
    }
    while (!list_is_empty(&w->done)) {
        struct worker_job *job =
            LIST_OBJECT(w->done.next, struct worker_job, node);

        list_remove(&job->node);
        job_finish(w, job);
    }
    loop_fd_free(&w->wake_fd);
    close(w->wake);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->more);
    free(w);
    *wp = NULL;
}

/* A job that has not begun is taken back at once. */
static void
job_stop(void *self)
{
    struct worker_job *job = self;
    struct worker *w = job->worker;
    bool waits;

    pthread_mutex_lock(&w->lock);
    waits = job->state == JOB_WAITS;
    if (waits)
        list_remove(&job->node);
    pthread_mutex_unlock(&w->lock);
    if (!waits)
        return;
    err_set(&job->err, E_CANCELED, "canceled");
    job_refuse(w, job);
}

struct op *
worker_run(struct worker *w, struct worker_job *job, op_done_fn *done,
           void *arg)
{
    struct op *op = op_new(job_stop, job, done, arg);

    job->worker = w;
    job->op = op;
    job->err = (struct err){0};
    list_init(&job->node);
    job->state = JOB_WAITS;
    w->load++;
    if (w->load > WORKER_QUEUE) {
        err_set(&job->err, E_RETRY, "worker %s has %u jobs waiting", w->name,
                WORKER_QUEUE);
        job_refuse(w, job);
        return op;
    }
    pthread_mutex_lock(&w->lock);
    list_add(&w->waiting, &job->node);
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
    return op;
}

void
worker_job_fail(struct worker_job *job, const struct err *err)
{
    *job->end = *err;
}

size_t
worker_load(const struct worker *w)
{
    return w->load;
}
