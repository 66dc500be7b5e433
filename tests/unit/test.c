/*
 * The frame of the unit tests: runs a table of cases and writes TAP.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    bool failed;
    bool any_failed;
    const char *row;
    char dir[64];
} state;

static void
complain(const char *file, int line)
{
    const char *slash = strrchr(file, '/');

    state.failed = true;
    printf("# %s:%d%s%s: ", slash ? slash + 1 : file, line,
           state.row ? " row " : "", state.row ? state.row : "");
}

bool
test_passes(void)
{
    return !state.failed;
}

bool
test_check(bool ok, const char *what, const char *file, int line)
{
    if (!ok) {
        complain(file, line);
        printf("%s\n", what);
    }
    return ok;
}

static void
print_quoted(const char *s)
{
    if (!s) {
        fputs("NULL", stdout);
        return;
    }
    putchar('"');
    for (; *s; s++)
        if ((unsigned char)*s < 0x20)
            printf("\\x%02x", (unsigned char)*s);
        else
            putchar(*s);
    putchar('"');
}

bool
test_check_str(const char *got, const char *want, const char *what,
               const char *file, int line)
{
    bool ok = got && want ? strcmp(got, want) == 0 : got == want;

    if (!ok) {
        complain(file, line);
        printf("%s is ", what);
        print_quoted(got);
        fputs(", wanted ", stdout);
        print_quoted(want);
        putchar('\n');
    }
    return ok;
}

bool
test_check_int(long long got, long long want, const char *what,
               const char *file, int line)
{
    if (got != want) {
        complain(file, line);
        printf("%s is %lld, wanted %lld\n", what, got, want);
    }
    return got == want;
}

void
test_row(const char *name)
{
    state.row = name;
}

const char *
test_dir(void)
{
    if (!state.dir[0]) {
        snprintf(state.dir, sizeof state.dir, "/tmp/sealpost-test.XXXXXX");
        if (!mkdtemp(state.dir)) {
            perror("mkdtemp");
            exit(99);
        }
    }
    return state.dir;
}

char *
test_data(const char *path)
{
    const char *top = getenv("srcdir");
    char *full;

    if (asprintf(&full, "%s/%s", top ? top : ".", path) < 0)
        exit(99);
    return full;
}

static void
dir_remove(void)
{
    char cmd[128];

    if (!state.dir[0] || state.any_failed) {
        if (state.dir[0])
            printf("# kept %s\n", state.dir);
        return;
    }
    snprintf(cmd, sizeof cmd, "rm -rf %s", state.dir);
    if (system(cmd) != 0)
        printf("# could not remove %s\n", state.dir);
}

int
test_main(const struct test_case *cases, size_t n)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%zu\n", n);
    for (size_t i = 0; i < n; i++) {
        state.failed = false;
        state.row = NULL;
        cases[i].run();
        state.any_failed |= state.failed;
        printf("%s %zu - %s\n", state.failed ? "not ok" : "ok", i + 1,
               cases[i].name);
    }
    dir_remove();
    return state.any_failed;
}
