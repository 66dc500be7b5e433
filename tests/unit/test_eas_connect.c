/*
 * The account towards a scripted server: versions, Provision, the statuses
 * of HTTP, what is repeated and what stops.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eas/policy.h"
#include "eas_server.h"
#include "loop/loop.h"
#include "test.h"

#define OPTIONS_OK                                                            \
    {                                                                         \
        .cmd = "OPTIONS", .header = "authorization: Basic "                   \
                                    "YWxpY2VAZXhhbXBsZS5vcmc6c2VjcmV0",       \
        .headers = {"MS-ASProtocolVersions: 2.5,12.1,14.0,14.1,16.0,16.1",   \
                    "MS-ASProtocolCommands: Sync,FolderSync", NULL}           \
    }
#define DEVICE                                                                \
    "<settings:DeviceInformation><settings:Set>"                             \
    "<settings:Model>Sealpost mail gateway</settings:Model>"                 \
    "<settings:FriendlyName>Sealpost</settings:FriendlyName>"                \
    "<settings:OS>Linux</settings:OS>"                                       \
    "<settings:OSLanguage>en-us</settings:OSLanguage>"                       \
    "<settings:UserAgent>Sealpost/0.1</settings:UserAgent>"                  \
    "</settings:Set></settings:DeviceInformation>"
#define TYPE "<PolicyType>MS-EAS-Provisioning-WBXML</PolicyType>"
#define ASK "<Provision>" DEVICE "<Policies><Policy>" TYPE \
            "</Policy></Policies></Provision>"
#define ACK(key) "<Provision><Policies><Policy>" TYPE "<PolicyKey>" key \
                 "</PolicyKey><Status>1</Status></Policy></Policies></Provision>"
#define GIVE(key, doc) \
    "<Provision><Status>1</Status><Policies><Policy>" TYPE "<Status>1</Status>" \
    "<PolicyKey>" key "</PolicyKey><Data><EASProvisionDoc>" doc \
    "</EASProvisionDoc></Data></Policy></Policies></Provision>"
#define FINAL(key) \
    "<Provision><Status>1</Status><Policies><Policy>" TYPE "<Status>1</Status>" \
    "<PolicyKey>" key "</PolicyKey></Policy></Policies></Provision>"
#define NO_POLICY \
    "<Provision><Status>1</Status><Policies><Policy>" TYPE \
    "<Status>2</Status></Policy></Policies></Provision>"
#define FOLDERS_ASK "<FolderSync><SyncKey>0</SyncKey></FolderSync>"
#define FOLDERS_OK \
    "<FolderSync><Status>1</Status><SyncKey>1</SyncKey></FolderSync>"
#define FOLDERS(key) {.cmd = "FolderSync", .want = FOLDERS_ASK, \
                      .header = "x-ms-policykey: " key, .xml = FOLDERS_OK}

static struct eas_state told;
static struct err stop_told;
static int states, stops, policies, anews;
static bool signed_wanted;

static void
on_state(void *arg, const struct eas_state *s)
{
    (void)arg;
    told = *s;
    states++;
}

static void
on_policy(void *arg, const struct eas_policy *p)
{
    (void)arg;
    policies++;
    signed_wanted = p->require_signed;
}

static void
on_stop(void *arg, const struct err *why)
{
    (void)arg;
    stops++;
    stop_told = why ? *why : (struct err){0};
}

static void
on_anew(void *arg)
{
    (void)arg;
    anews++;
}

static struct eas *
client(const struct eas_state *state, bool accept, const char *version)
{
    struct eas_config more = {.accept_policy = accept,
                              .version = version,
                              .watcher = {.on_state = on_state,
                                          .on_policy = on_policy,
                                          .on_stop = on_stop,
                                          .on_begin_anew = on_anew}};

    states = stops = policies = anews = 0;
    told = (struct eas_state){0};
    stop_told = (struct err){0};
    return eas_client(state, &more);
}

/* Plays a script against one FolderSync and gives its outcome. */
static struct outcome
run(const struct script *s, const struct eas_state *state, bool accept,
    const char *version)
{
    struct eas *eas = client(state, accept, version);
    struct eas_folders_answer out = {0};
    struct outcome o = {0};
    int steps = 0;

    while (s[steps].cmd)
        steps++;
    eas_server_play(s);
    eas_folders_sync(eas, "0", &out, on_outcome_done, &o);
    CHECK_INT(o.runs, 0); /* never before it returned */
    turn(&o.runs, 1);
    CHECK_INT(eas_server_played(), steps);
    if (!o.err.code) {
        CHECK_INT(out.status, 1);
        CHECK_STR(out.key, "1");
    }
    eas_folders_answer_clear(&out);
    eas_free(&eas);
    return o;
}

static void
handshake(void)
{
    static const struct script s[] = {
        OPTIONS_OK,
        {.cmd = "Provision", .want = ASK, .header = "x-ms-policykey: 0",
         .xml = GIVE("111", "<RequireSignedSMIMEMessages>1"
                            "</RequireSignedSMIMEMessages>"
                            "<DevicePasswordEnabled>0</DevicePasswordEnabled>")},
        {.cmd = "Provision", .want = ACK("111"),
         .header = "x-ms-policykey: 111", .xml = FINAL("222")},
        FOLDERS("222"),
        {0}};
    struct outcome o = run(s, NULL, false, NULL);

    CHECK_STR(o.err.text, "");
    CHECK_STR(told.version, "16.1");
    CHECK_STR(told.policy_key, "222");
    CHECK(!told.no_policy);
    CHECK_INT(policies, 1);
    CHECK(signed_wanted);
}

static void
handshake_14_0(void)
{
    static const struct script s[] = {
        {.cmd = "OPTIONS", .headers = {"MS-ASProtocolVersions: 12.1,14.0"}},
        {.cmd = "Provision", .header = "ms-asprotocolversion: 14.0",
         .want = "<Provision><Policies><Policy>" TYPE
                 "</Policy></Policies></Provision>",
         .xml = GIVE("1", "")},
        {.cmd = "Provision", .want = ACK("1"), .xml = FINAL("2")},
        {.cmd = "Settings", .want = "<Settings><DeviceInformation><Set>"
                 "<Model>Sealpost mail gateway</Model>"
                 "<FriendlyName>Sealpost</FriendlyName><OS>Linux</OS>"
                 "<OSLanguage>en-us</OSLanguage>"
                 "<UserAgent>Sealpost/0.1</UserAgent></Set>"
                 "</DeviceInformation></Settings>",
         .header = "x-ms-policykey: 2",
         .xml = "<Settings><Status>1</Status></Settings>"},
        FOLDERS("2"),
        {0}};
    struct outcome o = run(s, NULL, false, NULL);

    CHECK_STR(o.err.text, "");
    CHECK_STR(told.version, "14.0");
}

static void
versions(void)
{
    static const struct script no_list[] = {
        {.cmd = "OPTIONS"}, /* a front end swallowed the header */
        {.cmd = "Provision", .xml = NO_POLICY, .header =
             "ms-asprotocolversion: 16.1"},
        FOLDERS("0"),
        {0}};
    static const struct script forced[] = {
        {.cmd = "OPTIONS", .headers = {"MS-ASProtocolVersions: 14.1,16.1",
                                       "MS-ASProtocolVersions: 14.1,16.1"}},
        {.cmd = "Provision", .xml = NO_POLICY, .header =
             "ms-asprotocolversion: 14.1"},
        FOLDERS("0"),
        {0}};
    static const struct script old[] = {
        {.cmd = "OPTIONS", .headers = {"MS-ASProtocolVersions: 2.5,12.1"}},
        {0}};
    struct outcome o;

    o = run(no_list, NULL, false, NULL);
    CHECK_STR(o.err.text, "");
    CHECK(told.no_policy);
    CHECK_INT(policies, 0);
    o = run(forced, NULL, false, "14.1");
    CHECK_STR(o.err.text, "");
    o = run(old, NULL, false, NULL);
    CHECK_INT(o.err.code, E_REMOTE);
    CHECK_INT(stops, 0);
}

static void
consent(void)
{
#define HARD GIVE("7", "<DevicePasswordEnabled>1</DevicePasswordEnabled>" \
                       "<MinDevicePasswordLength>8</MinDevicePasswordLength>")
    static const struct script no[] = {
        OPTIONS_OK, {.cmd = "Provision", .xml = HARD}, {0}};
    static const struct script yes[] = {
        OPTIONS_OK,
        {.cmd = "Provision", .xml = HARD},
        {.cmd = "Provision", .want = ACK("7"), .xml = FINAL("8")},
        FOLDERS("8"),
        {0}};
    struct outcome o = run(no, NULL, false, NULL);

    CHECK_INT(o.err.code, E_DENIED);
    CHECK(strstr(o.err.text, "DevicePasswordEnabled, MinDevicePasswordLength"));
    CHECK(strstr(o.err.text, "accept_policy"));
    o = run(yes, NULL, true, NULL);
    CHECK_STR(o.err.text, "");
}

static void
wipe(void)
{
    static const struct script in_provision[] = {
        OPTIONS_OK,
        {.cmd = "Provision",
         .xml = "<Provision><Status>1</Status><RemoteWipe/></Provision>"},
        {0}};
    static const struct script account_only[] = {
        OPTIONS_OK,
        {.cmd = "Provision", .xml = "<Provision><Status>1</Status>"
                                    "<AccountOnlyRemoteWipe/></Provision>"},
        {0}};
    static const struct script by_status[] = {
        {.cmd = "FolderSync",
         .xml = "<FolderSync><Status>140</Status></FolderSync>"},
        {.cmd = "Provision", .want = "<Provision/>",
         .xml = "<Provision><Status>1</Status><RemoteWipe/></Provision>"},
        {0}};
    struct eas_state ready = eas_ready("16.1");
    const struct script *all[] = {in_provision, account_only, by_status};

    for (int i = 0; i < 3; i++) {
        struct outcome o = run(all[i], i == 2 ? &ready : NULL, true, NULL);

        CHECK_INT(o.err.code, E_DENIED);
        CHECK_STR(o.err.text, "the server's administrator has ordered that "
                              "this account be wiped here");
    }
}

/* Each way to ask for provisioning leads to one handshake and one
 * repetition, and no more than that. */
static void
provision_again(void)
{
    static const struct script by_449[] = {
        {.cmd = "FolderSync", .status = 449},
        {.cmd = "Provision", .want = ASK, .header = "x-ms-policykey: 0",
         .xml = GIVE("5", "")},
        {.cmd = "Provision", .want = ACK("5"), .xml = FINAL("6")},
        FOLDERS("6"), {0}};
    static const struct script by_142[] = {
        {.cmd = "FolderSync",
         .xml = "<FolderSync><Status>142</Status></FolderSync>"},
        {.cmd = "Provision", .xml = GIVE("5", "")},
        {.cmd = "Provision", .xml = FINAL("6")},
        FOLDERS("6"), {0}};
    static const struct script by_144_none[] = {
        {.cmd = "FolderSync",
         .xml = "<FolderSync><Status>144</Status></FolderSync>"},
        {.cmd = "Provision", .xml = NO_POLICY},
        FOLDERS("0"), {0}};
    static const struct script for_ever[] = {
        {.cmd = "FolderSync", .status = 449},
        {.cmd = "Provision", .xml = GIVE("5", "")},
        {.cmd = "Provision", .xml = FINAL("6")},
        {.cmd = "FolderSync",
         .xml = "<FolderSync><Status>143</Status></FolderSync>"},
        {0}};
    struct eas_state ready = eas_ready("16.1");
    struct outcome o;

    o = run(by_449, &ready, false, NULL);
    CHECK_STR(o.err.text, "");
    CHECK_STR(told.policy_key, "6");
    o = run(by_142, &ready, false, NULL);
    CHECK_STR(o.err.text, "");
    o = run(by_144_none, &ready, false, NULL);
    CHECK_STR(o.err.text, "");
    o = run(for_ever, &ready, false, NULL);
    CHECK_INT(o.err.code, E_DENIED);
    /* Tencent leaves the root status out; ack answered with a wrong key */
    {
        static const struct script odd[] = {
            OPTIONS_OK,
            {.cmd = "Provision",
             .xml = "<Provision><Policies><Policy>" TYPE "<Status>1</Status>"
                    "<PolicyKey>9</PolicyKey></Policy></Policies></Provision>"},
            {.cmd = "Provision",
             .xml = "<Provision><Status>1</Status><Policies><Policy>" TYPE
                    "<Status>5</Status></Policy></Policies></Provision>"},
            {0}};

        o = run(odd, NULL, false, NULL);
        CHECK_INT(o.err.code, E_RETRY);
    }
}

/* A key that was kept without its document is not trusted. */
static void
restart(void)
{
    static const struct script s[] = {
        {.cmd = "Provision", .xml = GIVE("5", "<RequireSignedSMIMEMessages>1"
                                              "</RequireSignedSMIMEMessages>")},
        {.cmd = "Provision", .xml = FINAL("6")},
        FOLDERS("6"), {0}};
    struct eas_state state = {.version = "16.1", .policy_key = "4"};
    struct outcome o = run(s, &state, false, NULL);

    CHECK_STR(o.err.text, "");
    CHECK_INT(policies, 1);
}

static void
moved(void)
{
    static char location[700], circle[4][700];
    struct script s[] = {
        {.cmd = "FolderSync", .status = 451, .headers = {location}},
        OPTIONS_OK,
        /* Without it outlook.com would go on like this. */
        {.cmd = "FolderSync", .xml = FOLDERS_OK,
         .header = "cookie: DefaultAnchorMailbox=alice@example.org"},
        {0}};
    struct script bad[] = {
        {.cmd = "FolderSync", .status = 451,
         .headers = {"X-MS-Location: http://evil.example/"}}, {0}};
    struct script none[] = {{.cmd = "FolderSync", .status = 451}, {0}};
    struct script round[] = {
        {.cmd = "FolderSync", .status = 451, .headers = {location}},
        {.cmd = "OPTIONS", .status = 451, .headers = {circle[0]}},
        {.cmd = "OPTIONS", .status = 451, .headers = {circle[1]}},
        {.cmd = "OPTIONS", .status = 451, .headers = {circle[2]}},
        {.cmd = "OPTIONS", .status = 451, .headers = {circle[3]}},
        {.cmd = "OPTIONS", .status = 451, .headers = {circle[3]}},
        {0}};
    struct eas_state ready = eas_ready("16.1");
    struct outcome o;

    snprintf(location, sizeof location, "X-MS-Location: %s/elsewhere",
             eas_server_url());
    for (int i = 0; i < 4; i++)
        snprintf(circle[i], sizeof circle[i], "X-MS-Location: %s/c%d",
                 eas_server_url(), i);
    o = run(s, &ready, false, NULL);
    CHECK_STR(o.err.text, "");
    CHECK(strstr(told.location, "/elsewhere") != NULL);
    o = run(bad, &ready, false, NULL);
    CHECK_INT(o.err.code, E_REMOTE);
    CHECK_STR(told.location, "");
    o = run(none, &ready, false, NULL);
    CHECK_INT(o.err.code, E_REMOTE);
    o = run(round, &ready, false, NULL);
    CHECK_INT(o.err.code, E_REMOTE);
}

/* ---- what ends a command, and what the account */

static void
http_statuses(void)
{
    static const struct {
        int status;
        enum err_code want;
        bool stops;
    } rows[] = {
        {400, E_REMOTE, false}, {404, E_REMOTE, false},
        {413, E_LIMIT, false},  {440, E_REMOTE, false},
        {456, E_LOGIN, true},   {457, E_LOGIN, true},
        {500, E_RETRY, false},  {501, E_REMOTE, false},
        {502, E_RETRY, false},  {507, E_QUOTA, false},
    };
    struct eas_state ready = eas_ready("14.1");

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct script s[] = {{.cmd = "FolderSync",
                              .status = rows[i].status,
                              .how = PLAY_RAW,
                              .xml = "<html>no</html>"},
                             {0}};
        struct outcome o = run(s, &ready, false, NULL);

        CHECK_INT(o.err.code, rows[i].want);
        CHECK_INT(stops > 0, rows[i].stops);
    }
}

static void
login(void)
{
    static const struct script s[] = {
        {.cmd = "FolderSync", .status = 401}, {0}};
    static const struct script again[] = {FOLDERS("0"), {0}};
    struct eas_state ready = eas_ready("16.1");
    struct eas *eas = client(&ready, false, NULL);
    struct eas_folders_answer out = {0}, out2 = {0};
    struct eas_status_view view;
    struct secret password = {0};
    struct outcome o = {0}, o2 = {0};

    eas_server_play(s);
    eas_folders_sync(eas, "0", &out, on_outcome_done, &o);
    turn(&o.runs, 1);
    CHECK_INT(o.err.code, E_LOGIN);
    turn(&stops, 1);
    CHECK_INT(stop_told.code, E_LOGIN);
    eas_status_view(eas, &view);
    CHECK_INT(view.stopped.code, E_LOGIN);

    /* no further request goes out, eas_wake() or not */
    eas_wake(eas);
    eas_folders_sync(eas, "0", &out2, on_outcome_done, &o2);
    turn(&o2.runs, 1);
    CHECK_INT(o2.err.code, E_LOGIN);
    CHECK_INT(eas_server_played(), 1);

    eas_server_play(again);
    secret_set(&password, "secret", 6);
    eas_set_password(eas, &password);
    secret_clear(&password);
    eas_folders_sync(eas, "0", &out2, on_outcome_done, &o2);
    turn(&o2.runs, 2);
    CHECK_STR(o2.err.text, "");
    turn(&stops, 2);
    CHECK_INT(stop_told.code, E_NONE);
    eas_folders_answer_clear(&out);
    eas_folders_answer_clear(&out2);
    eas_free(&eas);
}

static void
nobody_signed_in(void)
{
    struct eas_state ready = eas_ready("16.1");
    struct eas_config c = {.account = "a", .url = eas_server_url(),
                           .user = "alice@example.org", .device_id = "dev0123",
                           .ca_file = eas_server_ca()};
    struct eas_folders_answer out = {0};
    struct outcome o = {0};
    struct eas *eas = NULL;
    struct err e = {0};

    eas_server_play(NULL);
    REQUIRE(!eas_new(&c, &ready, &eas, &e));
    eas_folders_sync(eas, "0", &out, on_outcome_done, &o);
    turn(&o.runs, 1);
    CHECK_INT(o.err.code, E_LOGIN);
    eas_free(&eas);

    c.url = "http://localhost/";
    CHECK_INT(eas_new(&c, &ready, &eas, &e), -1);
    CHECK_INT(e.code, E_INPUT);
    c.url = eas_server_url();
    c.device_id = "with blank";
    CHECK_INT(eas_new(&c, &ready, &eas, &e), -1);
    c.device_id = "dev0123";
    c.version = "12.1";
    CHECK_INT(eas_new(&c, &ready, &eas, &e), -1);
}

static void
busy(void)
{
    static const struct script soon[] = {
        {.cmd = "FolderSync", .status = 503, .headers = {"Retry-After: 1"}},
        FOLDERS("0"), {0}};
    static const struct script throttled[] = {
        {.cmd = "FolderSync", .status = 503,
         .headers = {"Retry-After: 1", "X-MS-ASThrottle: CommandFrequency"}},
        {0}};
    struct eas_state ready = eas_ready("16.1");
    struct eas_status_view view;
    struct eas_folders_answer out = {0};
    struct outcome o;
    struct eas *eas;

    o = run(soon, &ready, false, NULL);
    CHECK_STR(o.err.text, "");

    /* throttled: ten minutes at least; a person is told at once */
    eas = client(&ready, false, NULL);
    o = (struct outcome){0};
    eas_server_play(throttled);
    eas_folders_sync(eas, "0", &out, on_outcome_done, &o);
    turn(&o.runs, 1);
    CHECK_INT(o.err.code, E_RETRY);
    CHECK(strstr(o.err.text, "no requests") != NULL);
    eas_status_view(eas, &view);
    CHECK(view.held_until > 0);
    CHECK_INT(eas_server_played(), 1);
    eas_folders_answer_clear(&out);
    eas_free(&eas);
}

static void
broken(void)
{
    struct eas_state ready = eas_ready("16.1");
    struct script s[] = {{.cmd = "FolderSync", .how = PLAY_DROP}, {0}};
    struct outcome o = run(s, &ready, false, NULL);

    CHECK_INT(o.err.code, E_RETRY);
    s[0] = (struct script){.cmd = "FolderSync", .how = PLAY_CUT,
                           .xml = FOLDERS_OK};
    o = run(s, &ready, false, NULL);
    CHECK_INT(o.err.code, E_RETRY);
    s[0] = (struct script){.cmd = "FolderSync", .how = PLAY_RAW,
                           .xml = "<html>please sign in</html>"};
    o = run(s, &ready, false, NULL);
    CHECK_INT(o.err.code, E_RETRY);
    CHECK(strstr(o.err.text, "portal") != NULL);
    s[0] = (struct script){.cmd = "FolderSync"};
    o = run(s, &ready, false, NULL);
    CHECK_INT(o.err.code, E_RETRY);
    s[0] = (struct script){.cmd = "FolderSync",
                           .xml = "<Ping><Status>1</Status></Ping>"};
    o = run(s, &ready, false, NULL);
    CHECK_INT(o.err.code, E_RETRY);
    s[0] = (struct script){.cmd = "FolderSync", .xml =
                           "<FolderSync><Status>129</Status></FolderSync>"};
    o = run(s, &ready, false, NULL);
    CHECK_INT(o.err.code, E_DENIED);
}

static void
begin_anew(void)
{
    static const struct script s[] = {
        {.cmd = "Settings", .headers = {"X-MS-RP: 14.1,16.1"},
         .xml = "<Settings><Status>1</Status></Settings>"},
        OPTIONS_OK,
        FOLDERS("0"), {0}};
    static const struct script unknown[] = {
        {.cmd = "FolderSync",
         .xml = "<FolderSync><Status>138</Status></FolderSync>"},
        {.cmd = "OPTIONS", .headers = {"MS-ASProtocolVersions: 14.1"}},
        {.cmd = "FolderSync", .header = "ms-asprotocolversion: 14.1",
         .xml = FOLDERS_OK},
        {0}};
    struct eas_state ready = eas_ready("16.1");
    struct eas *eas = client(&ready, false, NULL);
    struct eas_folders_answer out = {0};
    struct eas_user user = {0};
    struct outcome o = {0};

    eas_server_play(s);
    eas_user_get(eas, &user, on_outcome_done, &o);
    turn(&o.runs, 1);
    CHECK_INT(anews, 1);
    eas_folders_sync(eas, "0", &out, on_outcome_done, &o);
    turn(&o.runs, 2);
    CHECK_STR(o.err.text, "");
    CHECK_INT(eas_server_played(), 3);
    eas_user_clear(&user);
    eas_folders_answer_clear(&out);
    eas_free(&eas);
    o = run(unknown, &ready, false, NULL);
    CHECK_STR(o.err.text, "");
    CHECK_STR(told.version, "14.1");
}

/* The server's bounds are kept from then on, a second Ping waits for the end
 * of the first. */
static void
pings(void)
{
#define FOLDER(id) "<Folder><Id>" id "</Id><Class>Email</Class></Folder>"
#define PING(heartbeat, folders)                                              \
    "<Ping><HeartbeatInterval>" heartbeat "</HeartbeatInterval><Folders>"     \
    folders "</Folders></Ping>"
    static const char *const folders[] = {"5", "7"};
    static const struct script s[] = {
        {.cmd = "Ping", .xml = "<Ping><Status>5</Status><HeartbeatInterval>120"
                               "</HeartbeatInterval></Ping>"},
        {.cmd = "Ping", .want = PING("120", FOLDER("5") FOLDER("7")),
         .xml = "<Ping><Status>6</Status><MaxFolders>1</MaxFolders></Ping>"},
        {.cmd = "Ping", .want = PING("120", FOLDER("5")), .how = PLAY_PARK,
         .xml = "<Ping><Status>1</Status></Ping>"},
        {.cmd = "Ping", .want = PING("120", FOLDER("5")),
         .xml = "<Ping><Status>1</Status></Ping>"},
        {0}};
    struct eas_state ready = eas_ready("16.1");
    struct eas *eas = client(&ready, false, NULL);
    struct eas_ping_answer out[2] = {0};
    struct outcome o = {0};

    eas_server_play(s);
    eas_ping(eas, folders, 2, &out[0], on_outcome_done, &o);
    eas_ping(eas, folders, 2, &out[1], on_outcome_done, &o);
    for (int i = 0; i < 50000 && !eas_server_parked(); i++)
        loop_turn(eas_server_loop(), false);
    for (int i = 0; i < 2000; i++)
        loop_turn(eas_server_loop(), false);
    CHECK_INT(eas_server_parked(), 1);
    CHECK_INT(eas_server_played(), 3);
    eas_server_release();
    turn(&o.runs, 2);
    CHECK_STR(o.err.text, "");
    CHECK_INT(eas_server_played(), 4);
    CHECK_INT(out[0].status, 1);
    CHECK_INT(out[1].status, 1);
    eas_ping_answer_clear(&out[0]);
    eas_ping_answer_clear(&out[1]);
    eas_free(&eas);
}

/* What failed goes out again at once one time, then later and later, however
 * often it is asked for; another request does not wait for it. */
static void
same_again(void)
{
    static const struct script s[] = {
        {.cmd = "FolderSync"}, {.cmd = "FolderSync"},
        {.cmd = "Settings", .xml = "<Settings><Status>1</Status></Settings>"},
        {0}};
    struct eas_state ready = eas_ready("16.1");
    struct eas *eas = client(&ready, false, NULL);
    struct eas_folders_answer out = {0};
    struct eas_user user = {0};
    struct outcome o = {0}, other = {0};
    struct op *waits;

    eas_server_play(s);
    for (int i = 1; i <= 2; i++) {
        eas_folders_sync(eas, "0", &out, on_outcome_done, &o);
        turn(&o.runs, i);
        CHECK_INT(o.err.code, E_RETRY);
    }
    waits = eas_folders_sync(eas, "0", &out, on_outcome_done, &o);
    eas_user_get(eas, &user, on_outcome_done, &other);
    turn(&other.runs, 1);
    CHECK_STR(other.err.text, "");
    CHECK_INT(o.runs, 2);
    CHECK_INT(eas_server_played(), 3);
    op_cancel(&waits);
    eas_user_clear(&user);
    eas_folders_answer_clear(&out);
    eas_free(&eas);
}

static void
connect_only(void)
{
    static const struct script s[] = {
        OPTIONS_OK, {.cmd = "Provision", .xml = NO_POLICY}, {0}};
    static const struct script bad[] = {
        {.cmd = "OPTIONS", .status = 401}, {0}};
    struct eas *eas = client(NULL, false, NULL);
    struct outcome o = {0};

    eas_server_play(s);
    eas_connect(eas, on_outcome_done, &o);
    turn(&o.runs, 1);
    CHECK_STR(o.err.text, "");
    CHECK_INT(eas_server_played(), 2);
    eas_server_play(bad);
    eas_connect(eas, on_outcome_done, &o);
    turn(&o.runs, 2);
    CHECK_INT(o.err.code, E_LOGIN);
    eas_free(&eas);
}

static void
stop_server(void)
{
    eas_server_stop();
}

static const struct test_case cases[] = {
    {"start", eas_server_start},
    TEST(handshake),
    TEST(handshake_14_0),
    TEST(versions),
    TEST(consent),
    TEST(wipe),
    TEST(provision_again),
    TEST(restart),
    TEST(moved),
    TEST(http_statuses),
    TEST(login),
    TEST(nobody_signed_in),
    TEST(busy),
    TEST(broken),
    TEST(begin_anew),
    TEST(pings), TEST(same_again),
    TEST(connect_only),
    TEST(stop_server),
};
TEST_MAIN(cases)
