/*
 * Room outbox killed at every commit, write, fsync, rename and request of a
 * submission, and started again: whoever got an answer lost nothing, whoever
 * got none submits again as mail programs do, and each recipient has exactly
 * one mail at the end, counted where the server accepts it.
 *
 * Each life is a process of its own; the server's memory of what it accepted
 * is a file, a line a mail: "ClientId save recipients", and the mail itself
 * beside it, from which Sent is filled.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/now.h"
#include "loop/loop.h"
#include "outbox_world.h"
#include "store/queue.h"
#include "store/store.h"
#include "test.h"

#define SETTINGS "sign = always\nencrypt = always\n"
#define LATER 200 /* seconds between two lives: a "no" of Sent counts */

static char *base; /* of this case */
static int copied; /* into Sent */

static char *
place(const char *name)
{
    return xasprintf("%s/%s", base, name);
}

/* ---- in a life ---- */

/* The server accepts: it remembers before it answers. */
static void
remember(void)
{
    static int known;
    char *log = place("accepted");
    FILE *f;

    for (; known < nsent; known++) {
        char *mail = xasprintf("%s/mail-%s", base, sent[known].client_id);
        struct err e;

        CHECK_INT(file_write(mail, slice_make(sent[known].mime,
                                              sent[known].len), 0600, false,
                             &e), 0);
        free(mail);
        f = fopen(log, "a");
        if (CHECK(f != NULL)) {
            fprintf(f, "%s %d %s", sent[known].client_id, sent[known].save,
                    field(known, "To"));
            fprintf(f, " %s\n", field(known, "Bcc"));
            fclose(f);
        }
    }
    free(log);
}

static void
tap(const char *target, struct slice body)
{
    world_tap(target, body);
    remember();
}

/* What was accepted with a wish for a copy stands in Sent. */
static void
fill_sent(void)
{
    char *log = place("accepted"), line[2000], id[20];
    FILE *f = fopen(log, "r");
    int n = 0;

    sent_arrives(NULL, SLICE_NONE);
    while (f && fgets(line, sizeof line, f)) {
        char client[64];
        int save;

        if (sscanf(line, "%63s %d", client, &save) != 2 || !save ||
            n++ < copied)
            continue;
        {
            char *mail = xasprintf("%s/mail-%s", base, client);
            struct buf b = BUF_INIT(1 << 20);
            struct err e;

            CHECK_INT(file_read(mail, &b, &e), 0);
            snprintf(id, sizeof id, "5:%d", n);
            sent_arrives(id, buf_slice(&b));
            copied = n;
            buf_clear(&b);
            free(mail);
        }
    }
    if (f)
        fclose(f);
    free(log);
}

static void
note(const char *name)
{
    char *path = place(name);
    struct err e;

    CHECK_INT(file_write(path, SLICE("x"), 0600, false, &e), 0);
    free(path);
}

static bool
noted(const char *name)
{
    char *path = place(name);
    bool yes = access(path, F_OK) == 0;

    free(path);
    return yes;
}

static uint64_t
open_rows(void)
{
    uint64_t n = 99;
    struct err e;

    CHECK_INT(store_queue_count(w.store, &n, &e), 0);
    return n;
}

static void
until_empty(void)
{
    for (int i = 0; i < 15000 && open_rows(); i++)
        linger(1);
    CHECK_INT(open_rows(), 0);
}

static void
life(int number, const char *fault)
{
    static const struct script ok[20] = {
        {.cmd = "SendMail"}, {.cmd = "SendMail"}, {.cmd = "SendMail"},
        {.cmd = "SendMail"}, {.cmd = "SendMail"}, {.cmd = "SendMail"},
    };

    world_setup();
    eas_server_tap(tap);
    world_open(base);
    now_fake(AT + number * LATER);
    w.on_look = fill_sent;
    eas_server_play(ok);
    sent_arrives(NULL, SLICE_NONE);
    if (fault) {
        setenv("SEALPOST_FAULT", fault, 1);
        fault_reset();
    }
    outbox_start(w.ob);
    if (!noted("answered")) {
        submit("bob@example.test carol@example.test", "");
        turn(&done.runs, 1);
        CHECK_STR(done.err.text, "");
        note("answered");
    }
    if (!fault)
        until_empty();
    else
        for (int i = 0; i < 300 && open_rows(); i++)
            linger(1);
    close_account();
    world_teardown();
}

/* ---- from outside ---- */

static int
live(int number, const char *fault)
{
    pid_t pid;
    int status = -1;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        bool ok;

        life(number, fault);
        ok = test_passes();
        fflush(stdout);
        _exit(ok ? 0 : 1);
    }
    if (pid > 0)
        waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

/* Mails to this recipient; another ClientId is another mail, the same one
 * without a copy in Sent the server knows to be one. */
static int
mails_to(const char *who, bool whole)
{
    char *log = place("accepted"), line[2000], first[64] = "";
    FILE *f = fopen(log, "r");
    int n = 0;

    while (f && fgets(line, sizeof line, f)) {
        char client[64] = "";

        if (!strstr(line, who) || sscanf(line, "%63s", client) != 1)
            continue;
        if (whole || strcmp(first, client) != 0)
            n++;
        memcpy(first, client, sizeof first);
    }
    if (f)
        fclose(f);
    free(log);
    return n;
}

static char *template;
static unsigned cases_n, lost, doubled;

/* false: the fault was never reached. */
static bool
one(const char *kind, int n)
{
    char *fault = xasprintf("%s:%d", kind, n), *copy;
    int rc, to_bob, to_carol;

    base = xasprintf("%s/%s-%d", test_dir(), kind, n);
    copy = xasprintf("cp -r '%s' '%s'", template, base);
    CHECK_INT(system(copy), 0);
    copied = 0;
    test_row(fault);
    rc = live(0, fault);
    if (rc == 99) {
        CHECK_INT(live(1, NULL), 0);
        to_bob = mails_to("bob@", true);
        to_carol = mails_to("carol@", false);
        CHECK_INT(to_bob, 1);
        CHECK_INT(to_carol, 1);
        cases_n++;
        lost += !to_bob + !to_carol;
        doubled += (to_bob > 1) + (to_carol > 1);
    } else {
        CHECK_INT(rc, 0); /* ran to its end */
    }
    test_row(NULL);
    free(copy);
    free(fault);
    free(base);
    return rc == 99;
}

static void
make_template(void)
{
    int status = -1;
    pid_t pid;

    template = xasprintf("%s/template", test_dir());
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        bool ok;

        world_setup();
        account("template", SETTINGS);
        close_account();
        ok = test_passes();
        fflush(stdout);
        _exit(ok ? 0 : 1);
    }
    if (pid > 0)
        waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void
killed_everywhere(void)
{
    static const struct {
        const char *kind;
        int least; /* so many there are at least, or the test is blind */
    } kinds[] = {
        {"commit-before", 6}, {"commit-after", 6}, {"write", 3},
        {"rename", 3},        {"fsync", 2},        {"unlink", 1},
        {"http", 2},          {"http-done", 2},
    };

    make_template();
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        int n = 1;

        while (n < 60 && one(kinds[i].kind, n))
            n++;
        printf("# %s: %d times\n", kinds[i].kind, n - 1);
        CHECK(n - 1 >= kinds[i].least && n < 60);
    }
    free(template);
    printf("# %u cases, %u lost, %u doubled\n", cases_n, lost, doubled);
    CHECK(cases_n > 20 && !lost && !doubled);
}

static const struct test_case cases[] = {TEST(killed_everywhere)};
TEST_MAIN(cases)
