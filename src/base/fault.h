/*
 * Faults on purpose (`configure --enable-faults`, see tests/crash). Without
 * it the calls compile to nothing.
 *
 * SEALPOST_FAULT=KIND:N[:ACTION] makes the N-th call of fault_point(KIND)
 * end the process at once (ACTION `kill`, the default: _exit without any
 * clean-up, as kill -9 would) or return true (`fail`). KIND `any` counts all
 * kinds. With ACTION `full` the disk is full from the N-th call on, for
 * SEALPOST_FAULT_FULL milliseconds (1000): each "commit-before" and "write"
 * returns true. When the fault fires, the file named by SEALPOST_FAULT_LOG gets a
 * line, so that a test can tell a stop that was never reached.
 * SEALPOST_FAULT=count stops nothing: each point leaves a line there, so that
 * a test knows how many there are.
 *
 * SEALPOST_FAULT_HURRY=N makes waiting after trouble N times shorter, so that
 * a test of many faults takes seconds where people would wait for minutes.
 *
 * SEALPOST_FAULT_CLOCK names a file that holds a number of seconds: so much
 * later (or earlier) is it than the system says, from the moment on at which
 * the file says so.
 */
#ifndef SEALPOST_BASE_FAULT_H
#define SEALPOST_BASE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#ifdef SEALPOST_FAULTS
/* Kinds in use: "commit-before", "commit-after", "write", "fsync", "rename",
 * "unlink", "http" (request, before it is sent) and "http-done". */
bool fault_point(const char *kind);
/* Reads the environment anew (a test that forked). */
void fault_reset(void);
/* The value of an environment variable from 1 to `otherwise`, else that: what
 * is slow on purpose may be quicker in a test of some thousand starts. */
long fault_number(const char *name, long otherwise);
/* A time to wait after trouble, in any unit; at least 1 stays. */
int64_t fault_wait(int64_t wait);
/* Seconds to be added to the time of the day. */
int64_t fault_clock(void);
#else
static inline long
fault_number(const char *name, long otherwise)
{
    (void)name;
    return otherwise;
}
static inline bool
fault_point(const char *kind)
{
    (void)kind;
    return false;
}
static inline int64_t
fault_wait(int64_t wait)
{
    return wait;
}
static inline int64_t
fault_clock(void)
{
    return 0;
}
#endif

#endif
