/*
 * Log lines to stderr. Safe from any thread: one write() a line.
 */
#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/slice.h"

static struct {
    const char *program;
    enum log_level max;
    bool journal; /* stderr goes to journald */
    bool addresses;
    uint64_t salt;
} state = {"sealpost", LOG_LEVEL_INFO, false, true, 0};

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",   [LOG_LEVEL_WARN] = "warning",
    [LOG_LEVEL_NOTICE] = "notice", [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

void
log_open(const char *program, enum log_level max)
{
    state.program = program;
    state.max = max;
    state.journal = getenv("JOURNAL_STREAM") != NULL;
    if (getrandom(&state.salt, sizeof state.salt, GRND_NONBLOCK) < 0)
        state.salt = (uint64_t)time(NULL) * 0x9e3779b97f4a7c15u;
}

void
log_set_level(enum log_level max)
{
    state.max = max;
}

bool
log_wants(enum log_level level)
{
    return level <= state.max;
}

void
log_set_addresses(bool shown)
{
    state.addresses = shown;
}

bool
log_shows_addresses(void)
{
    return state.addresses;
}

static size_t
line_start(char *line, size_t size, enum log_level level)
{
    struct timespec ts;
    struct tm tm;
    char when[40];

    if (state.journal)
        return (size_t)snprintf(line, size, "<%d>", (int)level);
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
    return (size_t)snprintf(line, size, "%s.%03ldZ %s[%ld] %s ", when,
                            ts.tv_nsec / 1000000, state.program,
                            (long)getpid(), level_names[level]);
}

void
log_msg(enum log_level level, const char *what, const char *fmt, ...)
{
    char line[1024];
    size_t n, room = sizeof line - 1; /* for the newline */
    va_list ap;
    int k;

    if (!log_wants(level))
        return;
    n = line_start(line, room, level);
    n += (size_t)snprintf(line + n, room - n, "%s: ", what);
    va_start(ap, fmt);
    k = vsnprintf(line + n, room - n, fmt, ap);
    va_end(ap);
    if (k > 0)
        n = n + (size_t)k < room ? n + (size_t)k : room - 1;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = ' ';
    line[n++] = '\n';
    /* Nothing can be done about a log that cannot be written. */
    if (write(STDERR_FILENO, line, n) < 0)
        return;
}

const char *
log_address(const char *address)
{
    static _Thread_local char text[4][24];
    static _Thread_local unsigned turn;
    uint64_t h = state.salt ^ 0xcbf29ce484222325u;
    char *out;

    if (!address)
        return "-";
    if (state.addresses)
        return address;
    for (const char *p = address; *p; p++)
        h = (h ^ (unsigned char)ascii_lower((unsigned char)*p)) *
            0x100000001b3u;
    out = text[turn++ % 4];
    snprintf(out, sizeof text[0], "#%016" PRIx64, h);
    return out;
}
