/*
 * Out of office, ValidateCert, EmptyFolderContents, Search and Find: what goes
 * out, as XML, and what is read of the answers.
 */
#include <stdlib.h>
#include <string.h>

#include "eas/eas.h"
#include "eas_server.h"
#include "test.h"

static struct eas *eas;
static struct outcome o;

static void
begin(const struct script *s, const char *version)
{
    struct eas_state ready = eas_ready(version);

    eas = eas_client(&ready, NULL);
    o = (struct outcome){0};
    eas_server_play(s);
}

static void
end(struct op *op)
{
    struct op *slot = NULL;

    op_hold(&slot, op);
    turn(&o.runs, 1);
}

static void
oof_read(void)
{
    struct script s[] = {
        {.cmd = "Settings",
         .want = "<Settings><Oof><Get><BodyType>TEXT</BodyType></Get></Oof>"
                 "</Settings>",
         .xml = "<Settings><Status>1</Status><Oof><Status>1</Status><Get>"
                "<OofState>2</OofState>"
                "<StartTime>2026-08-01T00:00:00.000Z</StartTime>"
                "<EndTime>2026-08-15T00:00:00.000Z</EndTime>"
                "<OofMessage><AppliesToInternal/><Enabled>1</Enabled>"
                "<ReplyMessage>Away</ReplyMessage><BodyType>TEXT</BodyType>"
                "</OofMessage><OofMessage><AppliesToExternalKnown/>"
                "<Enabled>0</Enabled></OofMessage></Get></Oof></Settings>"},
        {0}};
    struct eas_oof oof;

    begin(s, "16.1");
    end(eas_oof_get(eas, &oof, on_outcome_done, &o));
    CHECK_STR(o.err.text, "");
    CHECK_INT(oof.state, EAS_OOF_TIMED);
    CHECK_INT(oof.start, 1785542400);
    CHECK_INT(oof.end, 1786752000);
    CHECK(oof.messages[EAS_OOF_INTERNAL].enabled);
    CHECK_STR(oof.messages[EAS_OOF_INTERNAL].text, "Away");
    CHECK(!oof.messages[EAS_OOF_KNOWN].enabled);
    CHECK(!oof.messages[EAS_OOF_UNKNOWN].text);
    eas_oof_clear(&oof);
    eas_free(&eas);
}

/* SOGo says nothing but that it went well. */
static void
oof_silent(void)
{
    struct script s[] = {
        {.cmd = "Settings",
         .xml = "<Settings><Status>1</Status><Oof><Status>1</Status></Oof>"
                "</Settings>"},
        {.cmd = "Settings", .xml = "<Settings><Status>2</Status></Settings>"},
        {0}};
    struct eas_oof oof;

    begin(s, "14.1");
    end(eas_oof_get(eas, &oof, on_outcome_done, &o));
    CHECK_STR(o.err.text, "");
    CHECK_INT(oof.state, EAS_OOF_OFF);
    o = (struct outcome){0};
    end(eas_oof_get(eas, &oof, on_outcome_done, &o));
    CHECK(o.err.code != E_NONE);
    eas_free(&eas);
}

static void
oof_write(void)
{
    struct script s[] = {
        {.cmd = "Settings",
         .want = "<Settings><Oof><Set><OofState>2</OofState>"
                 "<StartTime>2026-08-01T00:00:00.000Z</StartTime>"
                 "<EndTime>2026-08-15T00:00:00.000Z</EndTime>"
                 "<OofMessage><AppliesToInternal/><Enabled>1</Enabled>"
                 "<ReplyMessage>In</ReplyMessage><BodyType>TEXT</BodyType>"
                 "</OofMessage><OofMessage><AppliesToExternalKnown/>"
                 "<Enabled>1</Enabled><ReplyMessage>Out</ReplyMessage>"
                 "<BodyType>TEXT</BodyType></OofMessage><OofMessage>"
                 "<AppliesToExternalUnknown/><Enabled>1</Enabled>"
                 "<ReplyMessage>Out</ReplyMessage><BodyType>TEXT</BodyType>"
                 "</OofMessage></Set></Oof></Settings>",
         .xml = "<Settings><Status>1</Status><Oof><Status>1</Status></Oof>"
                "</Settings>"},
        {.cmd = "Settings",
         .want = "<Settings><Oof><Set><OofState>0</OofState></Set></Oof>"
                 "</Settings>",
         .xml = "<Settings><Status>1</Status><Oof><Status>1</Status></Oof>"
                "</Settings>"},
        {0}};
    char in[] = "In", out[] = "Out";
    struct eas_oof oof = {.state = EAS_OOF_TIMED,
                          .start = 1785542400,
                          .end = 1786752000,
                          .messages = {{true, in}, {true, out}, {true, NULL}}};
    struct eas_oof off = {.state = EAS_OOF_OFF};

    begin(s, "14.1");
    end(eas_oof_set(eas, &oof, on_outcome_done, &o));
    CHECK_STR(o.err.text, "");
    o = (struct outcome){0};
    end(eas_oof_set(eas, &off, on_outcome_done, &o));
    CHECK_STR(o.err.text, "");
    o = (struct outcome){0};
    oof.end = oof.start;
    end(eas_oof_set(eas, &oof, on_outcome_done, &o));
    CHECK_INT(o.err.code, E_INPUT);
    CHECK_INT(eas_server_played(), 2);
    eas_free(&eas);
}

static void
validate(void)
{
    struct script s[] = {
        {.cmd = "ValidateCert",
         .want = "<ValidateCert><CertificateChain>"
                 "<Certificate>Y2E=</Certificate></CertificateChain>"
                 "<Certificates><Certificate>bGVhZg==</Certificate>"
                 "</Certificates><CheckCRL>1</CheckCRL></ValidateCert>",
         .xml = "<ValidateCert><Status>1</Status><Certificate>"
                "<Status>1</Status></Certificate></ValidateCert>"},
        {.cmd = "ValidateCert",
         .xml = "<ValidateCert><Status>1</Status><Certificate>"
                "<Status>13</Status></Certificate></ValidateCert>"},
        {.cmd = "ValidateCert",
         .xml = "<ValidateCert><Status>1</Status></ValidateCert>"},
        {0}};
    struct slice chain[] = {SLICE("ca")};
    struct eas_validate_ask ask = {SLICE("leaf"), chain, 1, true};
    struct eas_validate_answer a;

    begin(s, "16.1");
    end(eas_validate_cert(eas, &ask, &a, on_outcome_done, &o));
    CHECK_INT(a.status, 1);
    o = (struct outcome){0};
    end(eas_validate_cert(eas, &ask, &a, on_outcome_done, &o));
    CHECK_INT(a.status, 13);
    /* silence is no yes */
    o = (struct outcome){0};
    end(eas_validate_cert(eas, &ask, &a, on_outcome_done, &o));
    CHECK_INT(a.status, 17);
    eas_free(&eas);
}

static void
empty(void)
{
    struct script s[] = {
        {.cmd = "ItemOperations",
         .want = "<ItemOperations><EmptyFolderContents>"
                 "<airsync:CollectionId>4</airsync:CollectionId>"
                 "</EmptyFolderContents></ItemOperations>",
         .xml = "<ItemOperations><Status>1</Status><Response>"
                "<EmptyFolderContents><Status>1</Status>"
                "<airsync:CollectionId>4</airsync:CollectionId>"
                "</EmptyFolderContents></Response></ItemOperations>"},
        {.cmd = "ItemOperations",
         .xml = "<ItemOperations><Status>1</Status></ItemOperations>"},
        {0}};
    struct eas_empty_answer a;

    begin(s, "14.0");
    end(eas_folder_empty(eas, "4", &a, on_outcome_done, &o));
    CHECK_INT(a.status, 1);
    CHECK_INT(a.reaction, 0);
    o = (struct outcome){0};
    end(eas_folder_empty(eas, "4", &a, on_outcome_done, &o));
    CHECK(a.reaction != 0);
    eas_free(&eas);
}

static void
search(void)
{
    struct script s[] = {
        {.cmd = "Search",
         .want = "<Search><Store><Name>Mailbox</Name><Query><And>"
                 "<airsync:Class>Email</airsync:Class>"
                 "<airsync:CollectionId>5</airsync:CollectionId>"
                 "<FreeText>budget</FreeText><GreaterThan>"
                 "<email:DateReceived/><Value>2026-01-01T00:00:00.000Z</Value>"
                 "</GreaterThan></And></Query><Options><RebuildResults/>"
                 "<Range>0-99</Range></Options></Store></Search>",
         .xml = "<Search><Status>1</Status><Response><Store><Status>1</Status>"
                "<Result><airsync:Class>Email</airsync:Class>"
                "<LongId>Rg1</LongId>"
                "<airsync:CollectionId>5</airsync:CollectionId><Properties>"
                "<email:Subject>Budget 2026</email:Subject></Properties>"
                "</Result><Range>0-0</Range><Total>1</Total></Store>"
                "</Response></Search>"},
        {.cmd = "Search",
         .xml = "<Search><Status>1</Status><Response><Store><Status>1</Status>"
                "<Result/></Store></Response></Search>"},
        {0}};
    struct eas_search_ask ask = {"5", "budget", 1767225600, -1, 0, NULL};
    struct eas_search_answer a;

    begin(s, "14.1");
    end(eas_search(eas, &ask, &a, on_outcome_done, &o));
    CHECK_STR(o.err.text, "");
    REQUIRE(a.n == 1);
    CHECK_STR(a.hits[0].long_id, "Rg1");
    CHECK_STR(a.hits[0].collection, "5");
    CHECK(!a.hits[0].server_id);
    CHECK_STR(a.hits[0].subject, "Budget 2026");
    CHECK_INT(a.hits[0].received, -1);
    CHECK_INT(a.total, 1);
    eas_search_answer_clear(&a);
    o = (struct outcome){0};
    end(eas_search(eas, &ask, &a, on_outcome_done, &o));
    CHECK_INT(a.n, 0);
    CHECK_INT(a.reaction, 0);
    eas_search_answer_clear(&a);
    eas_free(&eas);
}

static void
find(void)
{
    struct script s[] = {
        {.cmd = "Find",
         .xml = "<Find><Status>1</Status><Response>"
                "<io:Store>Mailbox</io:Store><Status>1</Status><Result>"
                "<airsync:Class>Email</airsync:Class>"
                "<airsync:ServerId>5:12</airsync:ServerId>"
                "<airsync:CollectionId>5</airsync:CollectionId><Properties>"
                "<email:Subject>Plan</email:Subject>"
                "<email:DateReceived>2026-03-02T08:15:30.000Z"
                "</email:DateReceived></Properties></Result>"
                "<Range>0-0</Range><Total>240</Total></Response></Find>"},
        {.cmd = "Find",
         .xml = "<Find><Status>1</Status><Response><Status>3</Status>"
                "</Response></Find>"},
        {0}};
    struct eas_search_ask ask = {NULL, "plan", -1, -1, 100,
                                 "12345678-1234-1234-1234-123456789abc"};
    struct eas_search_answer a;

    begin(s, "16.1");
    end(eas_search(eas, &ask, &a, on_outcome_done, &o));
    CHECK_STR(o.err.text, "");
    REQUIRE(a.n == 1);
    CHECK_STR(a.hits[0].server_id, "5:12");
    CHECK(!a.hits[0].long_id);
    CHECK_INT(a.hits[0].received, 1772439330);
    CHECK_INT(a.total, 240);
    eas_search_answer_clear(&a);
    o = (struct outcome){0};
    end(eas_search(eas, &ask, &a, on_outcome_done, &o));
    CHECK_INT(a.n, 0);
    CHECK_INT(a.status, 3);
    CHECK(a.reaction != 0);
    o = (struct outcome){0};
    ask.text = "";
    end(eas_search(eas, &ask, &a, on_outcome_done, &o));
    CHECK_INT(o.err.code, E_INPUT);
    eas_free(&eas);
}

static void
smart(void)
{
    struct script s[] = {
        {.cmd = "SmartReply",
         .want = "<SmartReply><ClientId>c1</ClientId><Source>"
                 "<FolderId>5</FolderId><ItemId>5:12</ItemId></Source>"
                 "<SaveInSentItems/><ReplaceMime/>"
                 "<Mime>To: b@example.net&#13;\n&#13;\nYes&#13;\n"
                 "</Mime></SmartReply>"},
        {.cmd = "SmartForward",
         .xml = "<SmartForward><Status>150</Status></SmartForward>"},
        {0}};
    struct eas_mail mail = {.client_id = "c1",
                            .save_in_sent = true,
                            .mime = SLICE("To: b@example.net\r\n\r\nYes\r\n"),
                            .verb = EAS_REPLY,
                            .source = {"5", "5:12"}};
    struct eas_send_answer a;

    begin(s, "16.1");
    end(eas_send(eas, &mail, &a, on_outcome_done, &o));
    CHECK_STR(o.err.text, "");
    CHECK_INT(a.status, 1);
    o = (struct outcome){0};
    mail.verb = EAS_FORWARD;
    end(eas_send(eas, &mail, &a, on_outcome_done, &o));
    CHECK_STR(o.err.text, "");
    CHECK_INT(a.status, 150);
    CHECK(!a.maybe);
    CHECK(a.reaction != 0);
    eas_free(&eas);
}

static const struct test_case cases[] = {
    TEST(smart),
    TEST(oof_read), TEST(oof_silent), TEST(oof_write), TEST(validate),
    TEST(empty),    TEST(search),     TEST(find),
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
