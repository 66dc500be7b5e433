/*
 * Crypto, large parses and disk floods leave the loop and come back
 * (DESIGN section 8).
 */
#ifndef SEALPOST_LOOP_WORKER_H
#define SEALPOST_LOOP_WORKER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/list.h"
#include "loop/op.h"

struct worker;

/* First member of the real job. A job owns all it needs; handing it over
 * gives it away. */
struct worker_job {
    /* In a thread: sees only this job. Sets err.code on failure. */
    void (*run)(struct worker_job *);
    /* In the loop: give the result (if wanted and err.code is not set), free
     * the job. Also called for a job that was never run: with E_RETRY wanted
     * (the queue is full), with E_CANCELED not. What it finds itself to be
     * wrong it tells with worker_job_fail(): `err` was read before. */
    void (*done)(struct worker_job *, bool wanted);
    struct err err;
    struct list node; /* the worker's */
    struct op *op;    /* the worker's */
    struct err *end;  /* the worker's */
    struct worker *worker;
    int state;
};

/* `name` is borrowed for good. */
struct worker *worker_new(const char *name, unsigned threads);
/* Waits for running jobs; those that wait are dropped. */
void worker_free(struct worker **);
/* Finishes with job->err if its code is set; E_RETRY, without having run, when
 * WORKER_QUEUE jobs are there already. */
#define WORKER_QUEUE 4096u
struct op *worker_run(struct worker *, struct worker_job *take,
                      op_done_fn *done, void *arg);
/* Only from `done`: the operation ends with this error. */
void worker_job_fail(struct worker_job *, const struct err *);
/* Jobs that wait or run. */
size_t worker_load(const struct worker *);

#endif
