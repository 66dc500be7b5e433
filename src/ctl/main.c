/*
 * sealpostctl: one command, then the end. 0: done; 1: failed, the message
 * names the thing and the remedy; 64: used wrongly; 69: no daemon.
 */
#include "ctl/private.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "settings/settings.h"

static void
complain(const struct err *e)
{
    fputs("sealpostctl: ", stderr);
    ctl_put(stderr, slice_of(e->text), false);
    fputc('\n', stderr);
}

static int
run(struct ctl *c)
{
    struct err e = {0};

    c->status = CTL_ERROR;
    if (c->command->run(c, &e) == 0)
        return CTL_OK;
    complain(&e);
    return c->status;
}

static int
start(struct ctl *c, int argc, char **argv)
{
    struct err e;

    if (ctl_args_parse(ctl_commands, argc, argv, c, &e)) {
        complain(&e);
        if (c->command)
            ctl_args_help(c->command, stderr);
        return CTL_USAGE;
    }
    if (c->version) {
        puts("sealpostctl " PACKAGE_VERSION);
        return CTL_OK;
    }
    if (c->help || !c->command) {
        FILE *to = c->help ? stdout : stderr;

        if (c->command)
            ctl_args_help(c->command, to);
        else
            ctl_args_list(ctl_commands, to);
        return c->help ? CTL_OK : CTL_USAGE;
    }
    if (!c->config)
        c->config = settings_default_path();
    return run(c);
}

int
main(int argc, char **argv)
{
    struct ctl *c = xcalloc(1, sizeof *c);
    int status;

    signal(SIGPIPE, SIG_IGN);
    log_open("sealpostctl", LOG_LEVEL_WARN);
    status = start(c, argc, argv);
    settings_free(&c->settings);
    buf_wipe(&c->stdin_rest);
    free(c->config);
    free(c);
    return status;
}
