/*
 * sealpost-sandbox: an ActiveSync server to try and to test with. See
 * sealpost-sandbox(1).
 */
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/slice.h"
#include "loop/httpd.h"
#include "loop/loop.h"
#include "sandbox/server.h"

static const char usage[] =
    "usage: sealpost-sandbox --root DIR [--listen ADDRESS:PORT]\n"
    "       [--admin ADDRESS:PORT] [--cert FILE --key FILE]\n"
    "       [--versions LIST] [--max-request BYTES] [--ping-adds]\n"
    "       [--exchange-names] [-v]\n";

enum {
    O_ROOT = 256,
    O_LISTEN,
    O_ADMIN,
    O_CERT,
    O_KEY,
    O_VERSIONS,
    O_MAX,
    O_ADDS,
    O_NAMES,
    O_VERSION
};

static const struct option options[] = {
    {"root", required_argument, NULL, O_ROOT},
    {"listen", required_argument, NULL, O_LISTEN},
    {"admin", required_argument, NULL, O_ADMIN},
    {"cert", required_argument, NULL, O_CERT},
    {"key", required_argument, NULL, O_KEY},
    {"versions", required_argument, NULL, O_VERSIONS},
    {"max-request", required_argument, NULL, O_MAX},
    {"version", no_argument, NULL, O_VERSION},
    {"ping-adds", no_argument, NULL, O_ADDS},
    {"exchange-names", no_argument, NULL, O_NAMES},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int
usage_wrong(void)
{
    fputs(usage, stderr);
    return 3;
}

/* 0 go on, else the exit status + 1. */
static int
arguments_read(int argc, char **argv, struct sandbox_options *o)
{
    uint32_t bytes;
    int c;

    while ((c = getopt_long(argc, argv, "vh", options, NULL)) >= 0)
        switch (c) {
        case O_ROOT:
            o->root = optarg;
            break;
        case O_LISTEN:
            o->listen = optarg;
            break;
        case O_ADMIN:
            o->admin = optarg;
            break;
        case O_CERT:
            o->cert = optarg;
            break;
        case O_KEY:
            o->key = optarg;
            break;
        case O_VERSIONS:
            o->versions = optarg;
            break;
        case O_MAX:
            if (!slice_u32(slice_of(optarg), &bytes) || !bytes)
                return usage_wrong();
            o->max_request = bytes;
            break;
        case O_VERSION:
            puts("sealpost-sandbox " PACKAGE_VERSION);
            return 1;
        case O_ADDS:
            o->ping_adds = true;
            break;
        case O_NAMES:
            o->exchange_names = true;
            break;
        case 'v':
            o->verbose = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 1;
        default:
            return usage_wrong();
        }
    if (o->root && optind == argc && !o->cert == !o->key)
        return 0;
    return usage_wrong();
}

static void
on_signal(void *arg)
{
    loop_stop(arg);
}

/* What is written where the listening address stood. */
static void
print_where(const struct sandbox *s, const struct sandbox_options *o)
{
    int host = (int)(strrchr(o->listen, ':') - o->listen);
    int admin = (int)(strrchr(o->admin, ':') - o->admin);
    char *ca = realpath(s->ca, NULL);

    printf("{\"url\":\"https://%.*s:%u/Microsoft-Server-ActiveSync\","
           "\"admin\":\"http://%.*s:%u\",\"ca\":\"%s\"}\n",
           host, o->listen, httpd_port(s->httpd), admin, o->admin,
           httpd_port(s->admin), ca ? ca : s->ca);
    fflush(stdout);
    free(ca);
}

int
main(int argc, char **argv)
{
    struct sandbox_options o = {
        .listen = "127.0.0.1:0",
        .admin = "127.0.0.1:0",
        .versions = "14.0,14.1,16.0,16.1",
    };
    int done = arguments_read(argc, argv, &o);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct loop *loop;
    struct loop_signal *stop[2];
    struct sandbox *s;
    struct err e = {0};

    if (done)
        return done - 1;
    log_open("sealpost-sandbox",
             o.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_NOTICE);
    log_set_addresses(true);
    sigaction(SIGPIPE, &ignore, NULL);
    loop = loop_new();
    stop[0] = loop_signal_new(SIGTERM, on_signal, loop);
    stop[1] = loop_signal_new(SIGINT, on_signal, loop);
    if (!sandbox_open(&o, &s, &e)) {
        print_where(s, &o);
        loop_run(loop);
        sandbox_close(&s);
    } else {
        fprintf(stderr, "sealpost-sandbox: %s\n", e.text);
        done = 1;
    }
    loop_signal_free(&stop[0]);
    loop_signal_free(&stop[1]);
    loop_free(&loop);
    return done;
}
