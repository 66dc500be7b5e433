/*
 * Each command of ActiveSync that Sealpost sends, at each version: it goes out
 * under that version, and a plain answer is understood. The rows of
 * doc/COMMANDS.md; what the commands do stands in the other tests of eas.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eas/eas.h"
#include "eas_server.h"
#include "test.h"

static struct eas *eas;
static struct outcome o;

/* What one command needs to be sent, and what it gave. */
static struct {
    struct eas_folders_answer folders;
    struct eas_folder_edit_answer edit;
    struct eas_sync_answer sync;
    struct eas_ping_answer ping;
    struct eas_moved moved;
    struct eas_send_answer send;
    struct eas_people people;
    struct eas_user user;
    struct eas_oof oof;
    struct eas_validate_answer validate;
    struct eas_empty_answer empty;
    struct eas_search_answer search;
    uint64_t estimate;
    int items, bodies;
} got;

static int
on_item(void *arg, const struct eas_item *it, struct err *e)
{
    (void)arg;
    (void)it;
    (void)e;
    got.items++;
    return 0;
}

static void
on_body(void *arg, size_t i, int status, struct slice mime, bool cut)
{
    (void)arg;
    (void)i;
    got.bodies += status == 1 && mime.n == 5 && !cut;
}

static struct op *
go_folders(void)
{
    return eas_folders_sync(eas, "0", &got.folders, on_outcome_done, &o);
}

static struct op *
go_create(void)
{
    return eas_folder_create(eas, "1", "0", "New", 12, &got.edit,
                             on_outcome_done, &o);
}

static struct op *
go_update(void)
{
    return eas_folder_update(eas, "1", "7", "0", "Newer", &got.edit,
                             on_outcome_done, &o);
}

static struct op *
go_delete(void)
{
    return eas_folder_delete(eas, "1", "7", &got.edit, on_outcome_done, &o);
}

static struct op *
go_sync(void)
{
    static const struct eas_change change = {
        .kind = EAS_CHANGE_EDIT, .server_id = "5:1", .read = 1, .flag = 1};
    struct eas_sync_ask ask = {.collection = "5", .key = "1",
                               .get_changes = true, .list_only = true,
                               .changes = &change, .nchanges = 1,
                               .on_item = on_item};

    return eas_sync(eas, &ask, &got.sync, on_outcome_done, &o);
}

static struct op *
go_estimate(void)
{
    return eas_estimate(eas, "5", "1", 0, &got.estimate, on_outcome_done, &o);
}

static struct op *
go_ping(void)
{
    static const char *const folders[] = {"5"};

    return eas_ping(eas, folders, 1, &got.ping, on_outcome_done, &o);
}

static struct op *
go_fetch(void)
{
    static const struct eas_place place = {"5", "5:1"};
    struct eas_fetch_ask ask = {.items = &place, .n = 1, .max_body = 1000,
                                .on_body = on_body};

    return eas_items_fetch(eas, &ask, on_outcome_done, &o);
}

static struct op *
go_empty(void)
{
    return eas_folder_empty(eas, "5", &got.empty, on_outcome_done, &o);
}

static struct op *
go_move(void)
{
    static const struct eas_move move = {"5:1", "5", "6"};

    return eas_move_items(eas, &move, 1, &got.moved, on_outcome_done, &o);
}

static struct op *
send(enum eas_verb verb)
{
    struct eas_mail mail = {.client_id = "c1", .save_in_sent = true,
                            .mime = SLICE("To: b@example.net\r\n\r\nYes\r\n"),
                            .verb = verb, .source = {"5", "5:1"}};

    return eas_send(eas, &mail, &got.send, on_outcome_done, &o);
}

static struct op *
go_send(void)
{
    return send(EAS_SEND);
}

static struct op *
go_reply(void)
{
    return send(EAS_REPLY);
}

static struct op *
go_forward(void)
{
    return send(EAS_FORWARD);
}

static struct op *
go_resolve(void)
{
    static const char *const who[] = {"bob@example.test"};

    return eas_resolve(eas, who, 1, &got.people, on_outcome_done, &o);
}

static struct op *
go_user(void)
{
    return eas_user_get(eas, &got.user, on_outcome_done, &o);
}

static struct op *
go_oof_get(void)
{
    return eas_oof_get(eas, &got.oof, on_outcome_done, &o);
}

static struct op *
go_oof_set(void)
{
    struct eas_oof off = {.state = EAS_OOF_OFF};

    return eas_oof_set(eas, &off, on_outcome_done, &o);
}

static struct op *
go_validate(void)
{
    struct eas_validate_ask ask = {.cert = SLICE("leaf")};

    return eas_validate_cert(eas, &ask, &got.validate, on_outcome_done, &o);
}

static struct op *
go_search(void)
{
    struct eas_search_ask ask = {"5", "plan", -1, -1, 0, NULL};

    return eas_search(eas, &ask, &got.search, on_outcome_done, &o);
}

#define OOF(inside)                                                         \
    "<Settings><Status>1</Status><Oof><Status>1</Status>" inside             \
    "</Oof></Settings>"
#define EDIT(name, more)                                                    \
    "<" name "><Status>1</Status><SyncKey>2</SyncKey>" more "</" name ">"

static const struct {
    const char *name, *cmd;
    int from, to; /* versions, as 140 */
    struct op *(*go)(void);
    const char *xml;
} commands[] = {
    {"FolderSync", "FolderSync", 140, 161, go_folders,
     EDIT("FolderSync", "<Changes><Count>1</Count><Add><ServerId>5</ServerId>"
                        "<ParentId>0</ParentId><DisplayName>Inbox"
                        "</DisplayName><Type>2</Type></Add></Changes>")},
    {"FolderCreate", "FolderCreate", 140, 161, go_create,
     EDIT("FolderCreate", "<ServerId>7</ServerId>")},
    {"FolderUpdate", "FolderUpdate", 140, 161, go_update,
     EDIT("FolderUpdate", "")},
    {"FolderDelete", "FolderDelete", 140, 161, go_delete,
     EDIT("FolderDelete", "")},
    {"Sync", "Sync", 140, 161, go_sync,
     "<Sync><Collections><Collection><SyncKey>2</SyncKey>"
     "<CollectionId>5</CollectionId><Status>1</Status><Commands><Add>"
     "<ServerId>5:2</ServerId><ApplicationData><email:Subject>s"
     "</email:Subject></ApplicationData></Add></Commands></Collection>"
     "</Collections></Sync>"},
    {"GetItemEstimate", "GetItemEstimate", 140, 161, go_estimate,
     "<GetItemEstimate><Response><Status>1</Status><Collection>"
     "<CollectionId>5</CollectionId><Estimate>42</Estimate></Collection>"
     "</Response></GetItemEstimate>"},
    {"Ping", "Ping", 140, 161, go_ping,
     "<Ping><Status>2</Status><Folders><Folder>5</Folder></Folders></Ping>"},
    {"ItemOperations Fetch", "ItemOperations", 140, 161, go_fetch,
     "<ItemOperations><Status>1</Status><Response><Fetch><Status>1</Status>"
     "<airsync:CollectionId>5</airsync:CollectionId>"
     "<airsync:ServerId>5:1</airsync:ServerId><Properties><base:Body>"
     "<base:Type>4</base:Type><base:EstimatedDataSize>5"
     "</base:EstimatedDataSize><base:Data>bytes</base:Data></base:Body>"
     "</Properties></Fetch></Response></ItemOperations>"},
    {"ItemOperations EmptyFolderContents", "ItemOperations", 140, 161,
     go_empty,
     "<ItemOperations><Status>1</Status><Response><EmptyFolderContents>"
     "<Status>1</Status><airsync:CollectionId>5</airsync:CollectionId>"
     "</EmptyFolderContents></Response></ItemOperations>"},
    {"MoveItems", "MoveItems", 140, 161, go_move,
     "<MoveItems><Response><SrcMsgId>5:1</SrcMsgId><Status>3</Status>"
     "<DstMsgId>6:1</DstMsgId></Response></MoveItems>"},
    {"SendMail", "SendMail", 140, 161, go_send, NULL},
    {"SmartReply", "SmartReply", 140, 161, go_reply, NULL},
    {"SmartForward", "SmartForward", 140, 161, go_forward, NULL},
    {"ResolveRecipients", "ResolveRecipients", 140, 161, go_resolve,
     "<ResolveRecipients><Status>1</Status><Response><To>bob@example.test"
     "</To><Status>4</Status></Response></ResolveRecipients>"},
    {"Settings UserInformation", "Settings", 140, 161, go_user,
     "<Settings><Status>1</Status><UserInformation><Status>1</Status><Get>"
     "<EmailAddresses><SMTPAddress>alice@example.org</SMTPAddress>"
     "</EmailAddresses></Get></UserInformation></Settings>"},
    {"Settings Oof Get", "Settings", 140, 161, go_oof_get,
     OOF("<Get><OofState>1</OofState></Get>")},
    {"Settings Oof Set", "Settings", 140, 161, go_oof_set, OOF("")},
    {"ValidateCert", "ValidateCert", 140, 161, go_validate,
     "<ValidateCert><Status>1</Status><Certificate><Status>1</Status>"
     "</Certificate></ValidateCert>"},
    {"Search", "Search", 140, 160, go_search,
     "<Search><Status>1</Status><Response><Store><Status>1</Status><Result>"
     "<airsync:Class>Email</airsync:Class><LongId>Rg1</LongId>"
     "<airsync:CollectionId>5</airsync:CollectionId><Properties>"
     "<email:Subject>s</email:Subject></Properties></Result><Range>0-0</Range><Total>1</Total>"
     "</Store></Response></Search>"},
    {"Find", "Find", 161, 161, go_search,
     "<Find><Status>1</Status><Response><io:Store>Mailbox</io:Store>"
     "<Status>1</Status><Result><airsync:ServerId>5:12</airsync:ServerId>"
     "<airsync:CollectionId>5</airsync:CollectionId><Properties>"
     "<email:Subject>s</email:Subject></Properties></Result>"
     "<Range>0-0</Range><Total>1</Total></Response></Find>"},
};

/* Did that command bring what its answer had? */
static bool
understood(size_t i)
{
    struct op *(*go)(void) = commands[i].go;

    if (go == go_folders)
        return got.folders.n == 1 && got.folders.folders[0].type == 2;
    if (go == go_create)
        return got.edit.server_id && strcmp(got.edit.server_id, "7") == 0;
    if (go == go_update || go == go_delete)
        return got.edit.key && strcmp(got.edit.key, "2") == 0;
    if (go == go_sync)
        return got.items == 1 && got.sync.status == 1 && !got.sync.nfailures;
    if (go == go_estimate)
        return got.estimate == 42;
    if (go == go_ping)
        return got.ping.status == 2 && got.ping.n == 1;
    if (go == go_fetch)
        return got.bodies == 1;
    if (go == go_empty)
        return got.empty.status == 1;
    if (go == go_move)
        return got.moved.status == 3 && strcmp(got.moved.new_id, "6:1") == 0;
    if (go == go_send || go == go_reply || go == go_forward)
        return got.send.status == 1;
    if (go == go_resolve)
        return got.people.answered && got.people.people[0].status == 4;
    if (go == go_user)
        return got.user.n == 1;
    if (go == go_oof_get)
        return got.oof.state == EAS_OOF_ON;
    if (go == go_oof_set)
        return true;
    if (go == go_validate)
        return got.validate.status == 1;
    return got.search.n == 1 && got.search.total == 1;
}

static void
got_clear(void)
{
    eas_folders_answer_clear(&got.folders);
    eas_folder_edit_answer_clear(&got.edit);
    eas_sync_answer_clear(&got.sync);
    eas_ping_answer_clear(&got.ping);
    eas_moved_clear(&got.moved, 1);
    eas_people_clear(&got.people);
    eas_user_clear(&got.user);
    eas_oof_clear(&got.oof);
    eas_search_answer_clear(&got.search);
    memset(&got, 0, sizeof got);
}

static void
at(int number)
{
    char *version = xasprintf("%d.%d", number / 10, number % 10);
    char *header = xasprintf("ms-asprotocolversion: %s", version);
    struct eas_state ready = eas_ready(version);
    int n = 0;

    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        const struct script play[] = {{.cmd = commands[i].cmd,
                                       .header = header,
                                       .xml = commands[i].xml}, {0}};
        struct op *slot = NULL;

        if (number < commands[i].from || number > commands[i].to)
            continue;
        test_row(commands[i].name);
        eas = eas_client(&ready, NULL);
        o = (struct outcome){0};
        eas_server_play(play);
        op_hold(&slot, commands[i].go());
        turn(&o.runs, 1);
        CHECK_STR(o.err.text, "");
        CHECK_INT(eas_server_played(), 1);
        CHECK(understood(i));
        got_clear();
        eas_free(&eas);
        n++;
    }
    test_row(NULL);
    CHECK_INT(n, (int)ARRAY_LEN(commands) - 1); /* Search or Find */
    free(header);
    free(version);
}

static void
version_14_0(void)
{
    at(140);
}

static void
version_14_1(void)
{
    at(141);
}

static void
version_16_0(void)
{
    at(160);
}

static void
version_16_1(void)
{
    at(161);
}

static const struct test_case cases[] = {
    TEST(version_14_0), TEST(version_14_1), TEST(version_16_0),
    TEST(version_16_1)};

int
main(void)
{
    int rc;

    eas_server_start();
    rc = test_main(cases, ARRAY_LEN(cases));
    eas_server_stop();
    return rc;
}
