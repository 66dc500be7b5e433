/*
 * The two clocks.
 */
#include "base/now.h"

#include <stdatomic.h>
#include <time.h>

#include "base/fault.h"

static _Atomic int64_t fake = -1;

int64_t
now_unix(void)
{
    int64_t f = atomic_load(&fake);
    struct timespec ts;

    if (f >= 0)
        return f;
    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec + fault_clock();
}

int64_t
now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
now_fake(int64_t t)
{
    atomic_store(&fake, t);
}
