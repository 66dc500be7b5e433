/*
 * A wipe that the administrator orders: what is erased, what the server
 * hears, and that a crash in between changes nothing of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "account/account.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "eas_server.h"
#include "loop/loop.h"
#include "loop/worker.h"
#include "secrets/secrets.h"
#include "settings/settings.h"
#include "store/store.h"
#include "test.h"

#define STATE_16                                                            \
    {.cmd = "OPTIONS",                                                      \
     .headers = {"MS-ASProtocolVersions: 14.1,16.1",                        \
                 "MS-ASProtocolCommands: Sync,FolderSync,Provision", NULL}}
#define NO_POLICY                                                           \
    {.cmd = "Provision",                                                    \
     .xml = "<Provision><Status>1</Status><Policies><Policy>"               \
            "<PolicyType>MS-EAS-Provisioning-WBXML</PolicyType>"            \
            "<Status>2</Status></Policy></Policies></Provision>"}
#define ACK(element)                                                        \
    {.cmd = "Provision",                                                    \
     .want = "<Provision><" element "><Status>1</Status></" element         \
             "></Provision>",                                               \
     .header = "X-MS-PolicyKey: 0",                                         \
     .xml = "<Provision><Status>1</Status></Provision>"}

struct world {
    char *dir;
    struct worker *crypto, *disk;
    struct settings *settings;
    struct accounts *accounts;
};

static char *
path_in(const struct world *w, const char *rest)
{
    return xasprintf("%s/%s", w->dir, rest);
}

static bool
is_there(const struct world *w, const char *rest)
{
    char *path = path_in(w, rest);
    bool yes = access(path, F_OK) == 0;

    free(path);
    return yes;
}

static struct secrets *
secrets_of(struct world *w)
{
    struct secrets *s = NULL;
    struct err e = {0};

    CHECK(!secrets_open(w->settings->machine_key, w->settings->secrets_file,
                        &s, &e));
    CHECK_STR(e.text, "");
    return s;
}

static bool
has_secret(struct world *w, const char *name)
{
    struct secrets *s = secrets_of(w);
    bool yes = secrets_has(s, name);

    secrets_close(&s);
    return yes;
}

static void
password_store(struct world *w)
{
    struct secrets *s = secrets_of(w);
    struct err e;

    CHECK(!secrets_set(s, "account/alice/password", SLICE("secret"), &e));
    CHECK(!secrets_set(s, "account/bob/password", SLICE("other"), &e));
    secrets_close(&s);
}

static void
world_open(struct world *w, const char *name)
{
    struct err e = {0};
    char *text;

    *w = (struct world){0};
    w->dir = xasprintf("%s/%s", test_dir(), name);
    CHECK(!file_mkdirs(w->dir, &e));
    text = xasprintf("state_dir = '%s'\nmachine_key = '%s/machine.key'\n"
                     "secrets_file = '%s/secrets'\nlisten_imap = {off}\nmax_requests = 1\n"
                     "account \"alice\" {\naddress = 'alice@example.org'\n"
                     "server = '%s'\nca_file = '%s'\n}\n",
                     w->dir, w->dir, w->dir, eas_server_url(),
                     eas_server_ca());
    CHECK(!settings_load_text(slice_of(text), "test", w->dir, &w->settings,
                              &e));
    CHECK_STR(e.text, "");
    free(text);
}

static void
world_start(struct world *w)
{
    struct accounts_config c = {.loop = loop_current(),
                                .settings = w->settings};
    struct err e = {0};

    w->crypto = worker_new("crypto", 1);
    w->disk = worker_new("disk", 1);
    c.crypto = w->crypto;
    c.disk = w->disk;
    CHECK(!accounts_new(&c, &w->accounts, &e));
    accounts_start(w->accounts);
}

static void
world_stop(struct world *w)
{
    accounts_free(&w->accounts);
    worker_free(&w->crypto);
    worker_free(&w->disk);
}

static void
world_close(struct world *w)
{
    settings_free(&w->settings);
    free(w->dir);
}

static bool
is_done(const struct world *w)
{
    char *path = path_in(w, "wipes/alice");
    struct buf b = BUF_INIT(4096);
    bool yes;

    yes = file_read(path, &b, NULL) == 0 &&
          slice_starts(buf_slice(&b), "stage done\n");
    buf_clear(&b);
    free(path);
    return yes;
}

static void
turn_until_done(const struct world *w)
{
    for (int i = 0; i < 5000 && !is_done(w); i++) {
        loop_turn(loop_current(), false);
        usleep(1000);
    }
    CHECK(is_done(w));
}

struct end {
    struct account_session session;
    int ends;
};

static void
on_end(void *arg, const char *why)
{
    struct end *end = arg;

    end->ends++;
    CHECK_STR(why, "the account was wiped");
}

static void
ordered(void)
{
    struct script s[] = {
        STATE_16, NO_POLICY,
        {.cmd = "Settings",
         .xml = "<Settings><Status>140</Status></Settings>"},
        {.cmd = "Provision",
         .want = "<Provision/>",
         .header = "X-MS-PolicyKey: 0",
         .xml = "<Provision><Status>1</Status><RemoteWipe/></Provision>"},
        ACK("RemoteWipe"), {0}};
    struct world w;
    struct end end = {.session = {.on_end = on_end, .arg = &end}};
    struct account *a;

    world_open(&w, "ordered");
    password_store(&w);
    eas_server_play(s);
    world_start(&w);
    a = accounts_find(w.accounts, "alice");
    CHECK(is_there(&w, "accounts/alice/store.db"));
    account_session_add(a, &end.session);
    turn_until_done(&w);
    CHECK_INT(eas_server_played(), 5);
    CHECK_INT(end.ends, 1);
    CHECK(!is_there(&w, "accounts/alice"));
    CHECK(is_there(&w, "accounts"));
    CHECK(!has_secret(&w, "account/alice/password"));
    CHECK(!has_secret(&w, "account/alice/data-key"));
    CHECK(has_secret(&w, "account/bob/password"));
    CHECK_INT(account_error(a)->code, E_DENIED);
    CHECK(!account_store(a));
    world_stop(&w);

    /* It stays closed, and asks the server for nothing. */
    eas_server_play(s + 5);
    world_start(&w);
    a = accounts_find(w.accounts, "alice");
    CHECK_INT(account_error(a)->code, E_DENIED);
    CHECK(!is_there(&w, "accounts/alice"));
    for (int i = 0; i < 50; i++)
        loop_turn(loop_current(), false);
    CHECK_INT(eas_server_played(), 0);
    world_stop(&w);

    /* Until somebody signs in again: another device, an empty store. */
    password_store(&w);
    eas_server_play((struct script[]){
        {.cmd = "OPTIONS", .how = PLAY_PARK}, {0}});
    world_start(&w);
    a = accounts_find(w.accounts, "alice");
    CHECK_INT(account_error(a)->code, E_NONE);
    CHECK(is_there(&w, "accounts/alice/store.db"));
    CHECK(!is_there(&w, "wipes/alice"));
    world_stop(&w);
    world_close(&w);
}

/* Killed after the marker, before anything else. */
static void
after_a_crash(void)
{
    struct script s[] = {ACK("AccountOnlyRemoteWipe"), {0}};
    struct world w;
    struct err e = {0};
    char *path, *dir;
    struct account *a;

    world_open(&w, "crash");
    password_store(&w);
    dir = path_in(&w, "accounts/alice/body/00");
    CHECK(!file_mkdirs(dir, &e));
    path = xasprintf("%s/17", dir);
    CHECK(!file_write(path, SLICE("a mail"), 0600, false, &e));
    free(path);
    free(dir);
    dir = path_in(&w, "wipes");
    CHECK(!file_mkdirs(dir, &e));
    path = path_in(&w, "wipes/alice");
    CHECK(!file_write(path,
                      SLICE("stage erase\nkind 2\nwhen 1790000000\n"
                            "version 16.1\ndevice dev0123\nlocation \n"),
                      0600, false, &e));
    free(path);
    free(dir);
    eas_server_play(s);
    world_start(&w);
    a = accounts_find(w.accounts, "alice");
    CHECK(!is_there(&w, "accounts/alice")); /* before anything listens */
    CHECK_INT(account_error(a)->code, E_DENIED);
    CHECK(strstr(account_error(a)->text, "2026-09-21") != NULL);
    turn_until_done(&w);
    CHECK_INT(eas_server_played(), 1);
    CHECK(!has_secret(&w, "account/alice/password"));
    world_stop(&w);
    world_close(&w);
}

/* The server is away: erased at once, told later; the secrets stay so long. */
static void
server_away(void)
{
    struct script s[] = {
        STATE_16, NO_POLICY,
        {.cmd = "Settings",
         .xml = "<Settings><Status>140</Status></Settings>"},
        {.cmd = "Provision",
         .xml = "<Provision><Status>1</Status><RemoteWipe/></Provision>"},
        {.cmd = "Provision", .how = PLAY_DROP}, {0}};
    struct script again[] = {ACK("RemoteWipe"), {0}};
    struct world w;

    world_open(&w, "away");
    password_store(&w);
    eas_server_play(s);
    world_start(&w);
    for (int i = 0; i < 5000 && eas_server_played() < 5; i++) {
        loop_turn(loop_current(), false);
        usleep(1000);
    }
    for (int i = 0; i < 50; i++) {
        loop_turn(loop_current(), false);
        usleep(1000);
    }
    CHECK_INT(eas_server_played(), 5);
    CHECK(!is_there(&w, "accounts/alice"));
    CHECK(has_secret(&w, "account/alice/password"));
    world_stop(&w);

    eas_server_play(again);
    world_start(&w);
    turn_until_done(&w);
    CHECK(!has_secret(&w, "account/alice/password"));
    world_stop(&w);
    world_close(&w);
}

/* X-MS-RP: the key of the folder list that is here is not sent again, not
 * even when a FolderSync with it was already under way. */
static void
server_changed(void)
{
    static const struct script s[] = {
        STATE_16, NO_POLICY,
        {.cmd = "Settings", .headers = {"X-MS-RP: 14.1,16.1"},
         .xml = "<Settings><Status>1</Status></Settings>"},
        STATE_16,
        {.cmd = "FolderSync",
         .want = "<FolderSync><SyncKey>17</SyncKey></FolderSync>",
         .xml = "<FolderSync><Status>1</Status><SyncKey>18</SyncKey>"
                "<Changes><Count>0</Count></Changes></FolderSync>"},
        {.cmd = "FolderSync",
         .want = "<FolderSync><SyncKey>0</SyncKey></FolderSync>",
         .how = PLAY_PARK},
        {0}};
    struct world w;
    struct store *store;
    struct err e;

    world_open(&w, "changed");
    password_store(&w);
    eas_server_play(s);
    world_start(&w);
    store = account_store(accounts_find(w.accounts, "alice"));
    CHECK(!store_begin(store, &e) &&
          !store_meta_set(store, "hierarchy-key", "17", &e) &&
          !store_commit(store, &e));
    for (int i = 0; i < 5000 && eas_server_played() < 6; i++) {
        loop_turn(loop_current(), false);
        usleep(1000);
    }
    CHECK_INT(eas_server_played(), 6);
    world_stop(&w);
    world_close(&w);
}

static const struct test_case cases[] = {
    TEST(server_changed),
    TEST(ordered),
    TEST(after_a_crash),
    TEST(server_away),
};

int
main(void)
{
    int rc;

    eas_server_start();
    rc = test_main(cases, sizeof cases / sizeof cases[0]);
    eas_server_stop();
    return rc;
}
