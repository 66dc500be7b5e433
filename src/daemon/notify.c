/*
 * Talking to systemd, where it is: readiness, and sockets it has opened for
 * us (sd_notify(3), sd_listen_fds(3)). Without it all of this is nothing.
 */
#include "daemon/private.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>

void
notify_ready(const char *status)
{
    if (status)
        sd_notifyf(0, "READY=1\nSTATUS=%s", status);
    else
        sd_notify(0, "READY=1");
}

/* Type=notify-reload wants the time as well (sd_notify(3)). */
void
notify_reloading(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
               (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
}

void
notify_stopping(void)
{
    sd_notify(0, "STOPPING=1");
}

int
notify_sockets(char ***names_out)
{
    int n = sd_listen_fds_with_names(1, names_out);

    return n > 0 ? n : 0;
}

#else

void
notify_ready(const char *status)
{
    (void)status;
}

void
notify_reloading(void)
{
}

void
notify_stopping(void)
{
}

int
notify_sockets(char ***names_out)
{
    *names_out = NULL;
    return 0;
}

#endif
