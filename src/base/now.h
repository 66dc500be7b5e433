/*
 * The time. Tests set it with now_fake().
 */
#ifndef SEALPOST_BASE_NOW_H
#define SEALPOST_BASE_NOW_H

#include <stdint.h>

/* Seconds since 1970, UTC; jumps when the clock is set. */
int64_t now_unix(void);
/* Milliseconds of a clock that never jumps and goes on during suspend. */
int64_t now_ms(void);
/* From now on now_unix() is `t` (now_ms() keeps running); a negative value
 * goes back to the real clock. For tests and `--at`. */
void now_fake(int64_t t);

#endif
