/*
 * The loop: one thread waits here for everything. One loop per process.
 */
#ifndef SEALPOST_LOOP_LOOP_H
#define SEALPOST_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct loop;

struct loop *loop_new(void);
/* Everything that hangs on it must be gone. */
void loop_free(struct loop **);
/* The one that loop_new() made last; op and flow use it. */
struct loop *loop_current(void);
/* Until loop_stop(). */
void loop_run(struct loop *);
void loop_stop(struct loop *);
/* One round: what is ready now, or (wait) the next thing. For tests. */
void loop_turn(struct loop *, bool wait);

/* ---- soon: run from the loop, never before the caller returned ---- */

struct loop_task {
    struct list node;
    void (*run)(void *arg);
    void *arg;
};
void loop_task_init(struct loop_task *, void (*run)(void *arg), void *arg);
/* Once, however often it is asked for before it ran. */
void loop_task_soon(struct loop_task *);
void loop_task_cancel(struct loop_task *);
bool loop_task_is_waiting(const struct loop_task *);

/* ---- timers: one shot, milliseconds ---- */

struct loop_timer {
    void *event; /* libevent's, made when first set */
    void (*run)(void *arg);
    void *arg;
    bool set;
};
void loop_timer_init(struct loop_timer *, void (*run)(void *arg), void *arg);
/* Sets anew; an earlier time is forgotten. */
void loop_timer_set(struct loop_timer *, int64_t ms);
void loop_timer_stop(struct loop_timer *); /* stays usable */
void loop_timer_clear(struct loop_timer *); /* gives its memory back */
bool loop_timer_is_set(const struct loop_timer *);

/* ---- file descriptors ---- */

#define LOOP_READ 1u
#define LOOP_WRITE 2u
#define LOOP_CLOSED 4u /* the peer has gone, even while nothing is read */

struct loop_fd;
/* `what` of the callback has the LOOP_ bits that are ready. */
struct loop_fd *loop_fd_new(int fd, void (*ready)(void *arg, unsigned what),
                            void *arg);
void loop_fd_watch(struct loop_fd *, unsigned what); /* 0: nothing */
void loop_fd_free(struct loop_fd **);                /* does not close */

/* ---- signals ---- */

struct loop_signal;
struct loop_signal *loop_signal_new(int signo, void (*run)(void *arg),
                                    void *arg);
void loop_signal_free(struct loop_signal **);

#endif
