/*
 * sealpostd: options, start, loop, stop. The order of the start is in
 * daemon.c.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "daemon/private.h"
#include "loop/loop.h"

#define EXIT_USAGE 64 /* EX_USAGE of sysexits.h */

static const char usage_text[] =
    "usage: sealpostd [-c FILE] [-v]\n"
    "  -c, --config FILE  the configuration (default: see sealpost.conf(5))\n"
    "  -v, --verbose      log everything, whatever log_level says\n"
    "      --help         this text\n"
    "      --version      the version\n"
    "It stays in the foreground and logs to stderr. SIGHUP reloads, SIGTERM\n"
    "stops.\n";

enum { OPTION_HELP = 256, OPTION_VERSION };

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

/* A text that the shell asked for; a full disk behind stdout is an error. */
static int
print_out(const char *text)
{
    return fputs(text, stdout) < 0 || fflush(stdout) ? EXIT_FAILURE
                                                     : EXIT_SUCCESS;
}

/* -1: go on; else the exit status. */
static int
options_parse(int argc, char **argv, struct daemon *d)
{
    int c;

    while ((c = getopt_long(argc, argv, "c:v", options, NULL)) != -1) {
        switch (c) {
        case 'c':
            d->path = optarg;
            break;
        case 'v':
            d->verbose = true;
            break;
        case OPTION_HELP:
            return print_out(usage_text);
        case OPTION_VERSION:
            return print_out("sealpostd " PACKAGE_VERSION "\n");
        default:
            fputs(usage_text, stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "sealpostd: \"%s\" is not understood\n%s",
                argv[optind], usage_text);
        return EXIT_USAGE;
    }
    return -1;
}

int
main(int argc, char **argv)
{
    struct daemon d = {.lock = -1};
    char *path = NULL;
    struct err e;
    int status = options_parse(argc, argv, &d);

    if (status >= 0)
        return status;
    umask(077);
    log_open("sealpostd", d.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
    if (!d.path)
        d.path = path = settings_default_path();
    if (daemon_start(&d, &e)) {
        log_error("daemon", "%s", e.text);
        status = EXIT_FAILURE;
    } else {
        loop_run(d.loop);
        status = EXIT_SUCCESS;
    }
    daemon_stop(&d);
    free(path);
    return status;
}
