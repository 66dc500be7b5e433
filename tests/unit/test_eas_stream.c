/*
 * Large answers of Sync are read while they arrive: the items come in their
 * order, nothing is kept, and an answer that breaks off is no answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "eas/eas.h"
#include "eas_server.h"
#include "test.h"

#define ITEMS 3000

struct seen {
    int items, wrong, stop_at;
};

static int
on_item(void *arg, const struct eas_item *it, struct err *e)
{
    struct seen *s = arg;
    char id[32], subject[64];

    snprintf(id, sizeof id, "5:%d", s->items);
    snprintf(subject, sizeof subject, "Subject %d", s->items);
    if (strcmp(it->server_id, id) != 0 || !it->subject ||
        strcmp(it->subject, subject) != 0)
        s->wrong++;
    if (++s->items == s->stop_at)
        return err_set(e, E_FULL, "no space");
    return 0;
}

static char *
big_answer(void)
{
    struct buf b = BUF_INIT((size_t)16 << 20);

    buf_adds(&b, "<Sync><Collections><Collection><SyncKey>k2</SyncKey>"
                 "<CollectionId>5</CollectionId><Status>1</Status>"
                 "<MoreAvailable/><Commands>");
    for (int i = 0; i < ITEMS; i++)
        buf_addf(&b, "<Add><ServerId>5:%d</ServerId><ApplicationData>"
                     "<email:From>a@example.org</email:From>"
                     "<email:Subject>Subject %d</email:Subject>"
                     "<email:Read>0</email:Read></ApplicationData></Add>",
                 i, i);
    buf_adds(&b, "</Commands></Collection></Collections></Sync>");
    return buf_take(&b, NULL);
}

static struct outcome
sync_once(const struct script *s, struct seen *seen,
          struct eas_sync_answer *answer)
{
    struct eas_state ready = eas_ready("16.1");
    struct eas *eas = eas_client(&ready, NULL);
    struct outcome o = {0};
    struct op *op = NULL;
    struct eas_sync_ask ask = {.collection = "5",
                               .key = "k1",
                               .get_changes = true,
                               .list_only = true,
                               .window = 512,
                               .on_item = on_item,
                               .item_arg = seen};

    eas_server_play(s);
    op_hold(&op, eas_sync(eas, &ask, answer, on_outcome_done, &o));
    turn(&o.runs, 1);
    eas_free(&eas);
    return o;
}

static void
in_order(void)
{
    char *xml = big_answer();
    struct script s[] = {{.cmd = "Sync", .xml = xml}, {0}};
    struct seen seen = {0};
    struct eas_sync_answer answer;
    struct outcome o = sync_once(s, &seen, &answer);

    CHECK_STR(o.err.text, "");
    CHECK_INT(seen.items, ITEMS);
    CHECK_INT(seen.wrong, 0);
    CHECK_STR(answer.key, "k2");
    CHECK(answer.more);
    eas_sync_answer_clear(&answer);
    free(xml);
}

static void
torn_off(void)
{
    char *xml = big_answer();
    struct script s[] = {{.cmd = "Sync", .xml = xml, .how = PLAY_CUT}, {0}};
    struct seen seen = {0};
    struct eas_sync_answer answer;
    struct outcome o = sync_once(s, &seen, &answer);

    CHECK_INT(o.err.code, E_RETRY);
    CHECK_INT(seen.items, ITEMS);
    CHECK(!answer.key);
    CHECK(!answer.more);
    free(xml);
}

/* The caller's own trouble ends the request and comes back as it is. */
static void
no_space(void)
{
    char *xml = big_answer();
    struct script s[] = {{.cmd = "Sync", .xml = xml}, {0}};
    struct seen seen = {.stop_at = 100};
    struct eas_sync_answer answer;
    struct outcome o = sync_once(s, &seen, &answer);

    CHECK_INT(o.err.code, E_FULL);
    CHECK_INT(seen.items, 100);
    CHECK(!answer.key);
    free(xml);
}

/* A refusal is short and never streamed, whatever the command. */
static void
refusal(void)
{
    struct script s[] = {
        {.cmd = "Sync", .xml = "<Sync><Status>3</Status></Sync>"}, {0}};
    struct seen seen = {0};
    struct eas_sync_answer answer;
    struct outcome o = sync_once(s, &seen, &answer);

    CHECK_STR(o.err.text, "");
    CHECK_INT(answer.status, 3);
    CHECK_INT(seen.items, 0);
    eas_sync_answer_clear(&answer);
}

/* A long page of HTML with status 200 is no answer of ActiveSync. */
static void
portal(void)
{
    char *page = malloc(100001);
    struct script s[] = {{.cmd = "Sync", .xml = page, .how = PLAY_RAW}, {0}};
    struct seen seen = {0};
    struct eas_sync_answer answer;
    struct outcome o;

    memset(page, 'x', 100000);
    memcpy(page, "<html>", 6);
    page[100000] = 0;
    o = sync_once(s, &seen, &answer);
    CHECK_INT(o.err.code, E_RETRY);
    CHECK(strstr(o.err.text, "portal") != NULL);
    free(page);
}

static const struct test_case cases[] = {
    TEST(in_order), TEST(torn_off), TEST(no_space),
    TEST(refusal),  TEST(portal),
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
