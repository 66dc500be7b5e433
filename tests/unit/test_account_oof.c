/*
 * Out of office through an account: a change laid over what the server has.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/account.h"
#include "base/mem.h"
#include "eas_server.h"
#include "loop/loop.h"
#include "loop/worker.h"
#include "settings/settings.h"
#include "test.h"

/* ---- the change, pure ---- */

static void
merged(void)
{
    static const struct {
        const char *name;
        struct account_oof_edit edit;
        const char *enabled, *texts; /* of the three audiences; NULL refused */
    } cases[] = {
        {"on, as it was", {ACCOUNT_OOF_ON, -1, -1, NULL, NULL, 0}, "101",
         "in|-|out"},
        {"off", {ACCOUNT_OOF_OFF, -1, -1, NULL, NULL, 0}, "001", "in|-|out"},
        {"a new text", {ACCOUNT_OOF_ON, -1, -1, "new", NULL, 0}, "101",
         "new|-|out"},
        {"texts", {ACCOUNT_OOF_ON, -1, -1, "new", "far", 0}, "111",
         "new|far|far"},
        {"nobody outside",
         {ACCOUNT_OOF_ON, -1, -1, NULL, "far", ACCOUNT_OOF_NOBODY}, "100",
         "in|far|far"},
        {"contacts",
         {ACCOUNT_OOF_ON, -1, -1, NULL, "far", ACCOUNT_OOF_CONTACTS}, "110",
         "in|far|far"},
        {"all, of whom one has no text",
         {ACCOUNT_OOF_ON, -1, -1, NULL, NULL, ACCOUNT_OOF_ALL}, "101",
         "in|-|out"},
        {"in that time", {ACCOUNT_OOF_TIMED, 10, 20, NULL, NULL, 0}, "101",
         "in|-|out"},
        {"no time", {ACCOUNT_OOF_TIMED, 20, 20, NULL, NULL, 0}, NULL, NULL},
        {"no text", {ACCOUNT_OOF_ON, -1, -1, "", "", 0}, NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct account_oof o = {.start = -1, .end = -1};
        char enabled[4] = "", *texts;
        struct err e = {0};
        int rc;

        test_row(cases[i].name);
        o.messages[0].text = xstrdup("in");
        o.messages[2].text = xstrdup("out");
        o.messages[2].enabled = true;
        rc = account_oof_merge(&o, &cases[i].edit, &e);
        CHECK_INT(rc, cases[i].texts ? 0 : -1);
        CHECK_INT(e.code, cases[i].texts ? E_NONE : E_INPUT);
        for (int k = 0; k < 3; k++)
            enabled[k] = o.messages[k].enabled ? '1' : '0';
        texts = xasprintf("%s|%s|%s", o.messages[0].text ?: "-",
                          o.messages[1].text ?: "-",
                          o.messages[2].text ?: "-");
        if (rc == 0) {
            CHECK_STR(enabled, cases[i].enabled);
            CHECK_STR(texts, cases[i].texts);
            CHECK_INT(o.state, cases[i].edit.state);
            CHECK_INT(o.start, cases[i].edit.start);
        }
        free(texts);
        account_oof_clear(&o);
    }
    test_row(NULL);
}

/* ---- with a server ---- */

#define HAS(state, text)                                                    \
    {.cmd = "Settings",                                                     \
     .want = "<Settings><Oof><Get><BodyType>TEXT</BodyType></Get></Oof>"     \
             "</Settings>",                                                 \
     .xml = "<Settings><Status>1</Status><Oof><Status>1</Status><Get>"       \
            "<OofState>" state "</OofState><OofMessage>"                     \
            "<AppliesToInternal/><Enabled>0</Enabled><ReplyMessage>" text    \
            "</ReplyMessage><BodyType>TEXT</BodyType></OofMessage></Get>"     \
            "</Oof></Settings>"}

static void
changed(void)
{
    struct script s[] = {
        {.cmd = "OPTIONS",
         .headers = {"MS-ASProtocolVersions: 14.1,16.1",
                     "MS-ASProtocolCommands: Sync,FolderSync,Provision",
                     NULL}},
        {.cmd = "Provision",
         .xml = "<Provision><Status>1</Status><Policies><Policy>"
                "<PolicyType>MS-EAS-Provisioning-WBXML</PolicyType>"
                "<Status>2</Status></Policy></Policies></Provision>"},
        HAS("0", "Away"),
        HAS("0", "Away"),
        {.cmd = "Settings",
         .want = "<Settings><Oof><Set><OofState>1</OofState><OofMessage>"
                 "<AppliesToInternal/><Enabled>1</Enabled>"
                 "<ReplyMessage>Away</ReplyMessage><BodyType>TEXT</BodyType>"
                 "</OofMessage><OofMessage><AppliesToExternalKnown/>"
                 "<Enabled>1</Enabled><ReplyMessage>Out</ReplyMessage>"
                 "<BodyType>TEXT</BodyType></OofMessage><OofMessage>"
                 "<AppliesToExternalUnknown/><Enabled>0</Enabled>"
                 "</OofMessage></Set></Oof></Settings>",
         .xml = "<Settings><Status>1</Status><Oof><Status>1</Status></Oof>"
                "</Settings>"},
        HAS("1", "Away from my desk"),
        HAS("0", ""),
        {0}};
    struct account_oof_edit on = {.state = ACCOUNT_OOF_ON, .external = "Out",
                                  .outside = ACCOUNT_OOF_CONTACTS};
    char *dir = xasprintf("%s/changed", test_dir());
    char *text = xasprintf(
        "state_dir = '%s'\nmachine_key = '%s/key'\nsecrets_file = '%s/s'\n"
        "account \"alice\" {\naddress = 'alice@example.org'\n"
        "server = '%s'\nca_file = '%s'\n}\n",
        dir, dir, dir, eas_server_url(), eas_server_ca());
    struct accounts_config c = {.loop = loop_current()};
    struct settings *settings = NULL;
    struct accounts *set = NULL;
    struct account_oof got = {0};
    struct secret password = {0};
    struct outcome o = {0};
    struct op *slot = NULL;
    struct account *a;
    struct err e = {0};

    CHECK(!settings_load_text(slice_of(text), "test", dir, &settings, &e));
    CHECK_STR(e.text, "");
    c.settings = settings;
    c.crypto = worker_new("crypto", 1);
    c.disk = worker_new("disk", 1);
    CHECK(!accounts_new(&c, &set, &e));
    a = accounts_find(set, "alice");
    secret_set(&password, "secret", 6);
    eas_set_password(account_eas(a), &password);
    eas_server_play(s);
    op_hold(&slot, account_oof(a, NULL, &got, on_outcome_done, &o));
    turn(&o.runs, 1);
    CHECK_STR(o.err.text, "");
    CHECK_INT(got.state, ACCOUNT_OOF_OFF);
    CHECK_STR(got.messages[0].text, "Away");
    account_oof_clear(&got);

    op_hold(&slot, account_oof(a, &on, &got, on_outcome_done, &o));
    turn(&o.runs, 2);
    CHECK_STR(o.err.text, "");
    CHECK_INT(got.state, ACCOUNT_OOF_ON);
    CHECK_STR(got.messages[0].text, "Away from my desk"); /* the server's */
    account_oof_clear(&got);

    /* Refused before anything is set. */
    on.external = NULL;
    op_hold(&slot, account_oof(a, &on, &got, on_outcome_done, &o));
    turn(&o.runs, 3);
    CHECK_INT(o.err.code, E_INPUT);
    CHECK_INT(eas_server_played(), 7);
    /* Cancelled: nothing is written, nothing is left. */
    op_hold(&slot, account_oof(a, NULL, &got, on_outcome_done, &o));
    op_cancel(&slot);

    secret_clear(&password);
    accounts_free(&set);
    worker_free(&c.crypto);
    worker_free(&c.disk);
    settings_free(&settings);
    free(text);
    free(dir);
}

static const struct test_case cases[] = {
    TEST(merged),
    TEST(changed),
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
