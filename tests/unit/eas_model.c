/*
 * The model mailbox: see eas_model.h. A SyncKey is "EPOCH.CLOCK": what changed
 * after that clock is news. Windows cut the news in the order they happened.
 */
#include "eas_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "eas_server.h"
#include "loop/httpd.h"
#include "test.h"
#include "wbxml/text.h"
#include "wbxml/tree.h"

#define ITEMS_MAX 2000
#define FOLDERS_MAX 40

struct model_box {
    char id[16], parent[16], name[64];
    int type, added, removed;
    bool key_lost;
};

static struct {
    int clock, epoch, next_id;
    struct model_item items[ITEMS_MAX];
    int nitems;
    struct model_box boxes[FOLDERS_MAX];
    int nboxes;
    struct {
        char cmd[24];
        int n;
    } asked[16];
    char fault_cmd[24];
    enum model_fault fault;
    int skip, times, fired;
    struct httpd_request *ping;
    int ping_clock;
    bool hierarchy_lost;
    bool losing;       /* the answer to this Sync will be lost */
    char lost_key[24]; /* with which it came */
    enum model_several several;
    int shared;  /* Syncs with more than one collection */
    long window; /* of each collection, at most */
} m;

static struct model_box *
box_of(struct slice id)
{
    for (int i = 0; i < m.nboxes; i++)
        if (slice_is(id, m.boxes[i].id) && !m.boxes[i].removed)
            return &m.boxes[i];
    return NULL;
}

static struct model_item *
item_of(struct slice id, struct slice folder)
{
    for (int i = 0; i < m.nitems; i++)
        if (!m.items[i].gone && slice_is(id, m.items[i].id) &&
            (!folder.p || slice_is(folder, m.items[i].folder)))
            return &m.items[i];
    return NULL;
}

/* The folder stands in the same struct: a copy, so that they cannot overlap. */
static void
item_name(struct model_item *it)
{
    char folder[16];

    memcpy(folder, it->folder, sizeof folder);
    snprintf(it->id, sizeof it->id, "%s:%d", folder, ++m.next_id % 100000);
}

/* ---- answers ---- */

static void
reply_bytes(struct httpd_request *r, const char *type, struct slice body)
{
    char line[100];
    const char *headers[] = {line, NULL};

    snprintf(line, sizeof line, "Content-Type: %s", type);
    if (m.times && m.fault == MODEL_CUT && !m.skip) {
        m.times--;
        m.fired++;
        httpd_answer_cut(r, 200, headers, body, body.n / 2);
        return;
    }
    httpd_answer(r, 200, headers, body);
}

static void
reply(struct httpd_request *r, struct buf *xml)
{
    struct buf body = BUF_INIT(BUF_OURS);
    struct err e = {0};

    CHECK(!wbxml_text_parse(buf_slice(xml), &body, &e));
    CHECK_STR(e.text, "");
    reply_bytes(r, "application/vnd.ms-sync.wbxml", buf_slice(&body));
    buf_clear(&body);
}

static void
answer_folders(const struct wbxml_node *ask, struct buf *out)
{
    struct slice key = wbxml_text(ask, FOLDER_SYNC_KEY, 0);
    int since = atoi(key.p ? key.p : "0");

    if (m.hierarchy_lost && since) {
        buf_adds(out, "<FolderSync><Status>9</Status></FolderSync>");
        return;
    }
    m.hierarchy_lost = false;
    buf_addf(out, "<FolderSync><Status>1</Status><SyncKey>%d</SyncKey>"
                  "<Changes>", m.clock);
    for (int i = 0; i < m.nboxes; i++) {
        struct model_box *b = &m.boxes[i];

        if (b->removed > since && since)
            buf_addf(out, "<Delete><ServerId>%s</ServerId></Delete>", b->id);
        else if (b->added > since && !b->removed)
            buf_addf(out, "<Add><ServerId>%s</ServerId><ParentId>%s"
                          "</ParentId><DisplayName>%s</DisplayName>"
                          "<Type>%d</Type></Add>",
                     b->id, b->parent, b->name, b->type);
    }
    buf_adds(out, "</Changes></FolderSync>");
}

static void
date_text(int64_t t, char out[40])
{
    time_t when = (time_t)t;
    struct tm tm;

    gmtime_r(&when, &tm);
    strftime(out, 40, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
}

static void
item_xml(const struct model_item *it, bool whole, struct buf *out)
{
    char date[40];

    date_text(it->received, date);
    if (whole)
        buf_addf(out, "<email:From>a@example.test</email:From><email:Subject>"
                      "%s</email:Subject><email:DateReceived>%s"
                      "</email:DateReceived><base:Body><base:Type>4"
                      "</base:Type><base:EstimatedDataSize>100"
                      "</base:EstimatedDataSize></base:Body>",
                 it->subject, date);
    buf_addf(out, "<email:Read>%d</email:Read>", it->read);
    if (it->flagged)
        buf_adds(out, "<email:Flag><email:Status>2</email:Status>"
                      "</email:Flag>");
    else
        buf_adds(out, "<email:Flag/>");
    buf_adds(out, "<email:Categories>");
    if (it->keyword[0])
        buf_addf(out, "<email:Category>%s</email:Category>", it->keyword);
    buf_adds(out, "</email:Categories>");
}

/* News of a folder after `since`; the clock up to which they were told. */
static int
news_xml(const char *folder, int since, int window, struct buf *out,
         bool *more_out)
{
    int upto = m.clock, n = 0;

    *more_out = false;
    for (int c = since + 1; c <= m.clock; c++) {
        for (int i = 0; i < m.nitems; i++) {
            struct model_item *it = &m.items[i];

            if (strcmp(it->folder, folder) != 0 ||
                (it->added != c && it->changed != c && it->removed != c))
                continue;
            if (n == window) {
                *more_out = true;
                return upto;
            }
            if (it->removed == c) {
                if (it->added <= since)
                    buf_addf(out, "<%s><ServerId>%s</ServerId></%s>",
                             it->old ? "SoftDelete" : "Delete", it->id,
                             it->old ? "SoftDelete" : "Delete");
                else
                    continue;
            } else if (it->gone) {
                continue;
            } else if (it->added == c || it->changed == c) {
                bool add = it->added > since;

                if (add && it->added != c)
                    continue;
                buf_addf(out, "<%s><ServerId>%s</ServerId><ApplicationData>",
                         add ? "Add" : "Change", it->id);
                item_xml(it, add || it->edited, out);
                buf_addf(out, "</ApplicationData></%s>",
                         add ? "Add" : "Change");
            }
            n++;
        }
        upto = c;
    }
    return upto;
}

/* A server that books what it did under a key does not do it a second time
 * when the key comes again, whatever the value is by then (Z-Push). */
static bool
done_before(struct model_item *it, struct slice key)
{
    if (m.losing) {
        slice_copy(key, m.lost_key, sizeof m.lost_key);
        it->done_lost = true;
        return false;
    }
    return it->done_lost && m.lost_key[0] && slice_is(key, m.lost_key);
}

static void
take_change(const struct wbxml_node *n, struct slice folder, struct slice key,
            struct buf *out)
{
    struct slice id = wbxml_text(n, AIRSYNC_SERVER_ID, 0);
    const struct wbxml_node *data = wbxml_find(n, AIRSYNC_APPLICATION_DATA, 0);
    const struct wbxml_node *flag = wbxml_find(data, EMAIL_FLAG, 0);
    struct model_item *it = item_of(id, folder);
    struct slice word;

    if (!it) {
        if (n->tag == AIRSYNC_CHANGE)
            buf_addf(out, "<Change><ServerId>%.*s</ServerId><Status>8</Status>"
                          "</Change>", SLICE_FMT(id));
        return;
    }
    if (done_before(it, key))
        return;
    if (n->tag == AIRSYNC_DELETE) {
        it->gone = true;
        it->removed = ++m.clock;
        return;
    }
    it->read = wbxml_number(data, it->read, EMAIL_READ, 0) == 1;
    if (flag)
        it->flagged = wbxml_number(flag, 0, EMAIL_STATUS, 0) == 2;
    if (wbxml_has(data, EMAIL_CATEGORIES, 0)) {
        word = wbxml_text(data, EMAIL_CATEGORIES, EMAIL_CATEGORY, 0);
        slice_copy(word, it->keyword, sizeof it->keyword);
    }
    it->changed = ++m.clock;
}

static bool
is_poisoned(const struct wbxml_node *n, struct slice folder)
{
    for (; n; n = n->next) {
        struct model_item *it =
            item_of(wbxml_text(n, AIRSYNC_SERVER_ID, 0), folder);

        if (it && it->poison)
            return true;
    }
    return false;
}

static void
answer_collection(const struct wbxml_node *c, struct buf *out)
{
    const struct wbxml_node *n =
        wbxml_find(c, AIRSYNC_COMMANDS, 0) ?
            wbxml_find(c, AIRSYNC_COMMANDS, 0)->child : NULL;
    struct slice key = wbxml_text(c, AIRSYNC_SYNC_KEY, 0);
    struct slice folder = wbxml_text(c, AIRSYNC_COLLECTION_ID, 0);
    struct model_box *b = box_of(folder);
    struct buf news = BUF_INIT(BUF_OURS), told = BUF_INIT(BUF_OURS);
    long window = wbxml_number(c, 100, AIRSYNC_WINDOW_SIZE, 0);
    int epoch = atoi(key.p), since, upto;
    const char *dot = strchr(key.p, '.');
    bool more = false, zero = slice_is(key, "0");

    window = window < m.window ? window : m.window;
    buf_adds(out, "<Collection>");
    if (!b || (!zero && (b->key_lost || epoch != m.epoch || !dot))) {
        buf_addf(out, "<SyncKey>0</SyncKey><CollectionId>%.*s</CollectionId>"
                      "<Status>%d</Status>", SLICE_FMT(folder), b ? 3 : 8);
        goto out;
    }
    if (is_poisoned(n, folder)) {
        buf_addf(out, "<SyncKey>%.*s</SyncKey><CollectionId>%s</CollectionId>"
                      "<Status>4</Status>", SLICE_FMT(key), b->id);
        goto out;
    }
    if (zero) {
        b->key_lost = false;
        buf_addf(out, "<SyncKey>%d.0</SyncKey><CollectionId>%s</CollectionId>"
                      "<Status>1</Status>", m.epoch, b->id);
        goto out;
    }
    since = upto = atoi(dot + 1);
    if (n && !wbxml_number(c, 0, AIRSYNC_GET_CHANGES, 0)) {
        /* Changes alone: what they do is no news, what else there is stays. */
        int before = m.clock;

        if (m.losing)
            for (int i = 0; i < m.nitems; i++)
                m.items[i].done_lost = false;
        for (; n; n = n->next)
            take_change(n, folder, key, &told);
        if (since == before)
            upto = m.clock;
        if (!m.losing)
            m.lost_key[0] = '\0';
    } else {
        upto = news_xml(b->id, since, (int)window, &news, &more);
    }
    buf_addf(out, "<SyncKey>%d.%d</SyncKey><CollectionId>%s</CollectionId>"
                  "<Status>1</Status>%s", m.epoch, upto, b->id,
             more || m.window == 1 ? "<MoreAvailable/>" : "");
    if (news.len)
        buf_addf(out, "<Commands>%s</Commands>", news.data);
    if (told.len)
        buf_addf(out, "<Responses>%s</Responses>", told.data);
out:
    buf_adds(out, "</Collection>");
    buf_clear(&news);
    buf_clear(&told);
}

static void
answer_sync(const struct wbxml_node *ask, struct buf *out)
{
    const struct wbxml_node *c =
        wbxml_find(ask, AIRSYNC_COLLECTIONS, AIRSYNC_COLLECTION, 0);

    int n = 0;

    for (const struct wbxml_node *o = c; o; o = wbxml_again(o))
        n++;
    m.shared += n > 1;
    m.window = 512;
    if (n > 1 && m.several == MODEL_REFUSED) {
        buf_adds(out, "<Sync><Status>15</Status><Limit>1</Limit></Sync>");
        return;
    }
    buf_adds(out, "<Sync><Collections>");
    if (n > 1 && m.several == MODEL_FULL) {
        m.window = 1;
        answer_collection(c, out);
    } else {
        for (; c; c = wbxml_again(c))
            answer_collection(c, out);
    }
    buf_adds(out, "</Collections></Sync>");
}

/* What a Sync from this key would add. */
static void
answer_estimate(const struct wbxml_node *ask, struct buf *out)
{
    const struct wbxml_node *c =
        wbxml_find(ask, ESTIMATE_COLLECTIONS, ESTIMATE_COLLECTION, 0);
    struct slice key = wbxml_text(c, AIRSYNC_SYNC_KEY, 0);
    struct slice folder = wbxml_text(c, ESTIMATE_COLLECTION_ID, 0);
    const char *dot = key.p ? strchr(key.p, '.') : NULL;
    int n = 0;

    for (int i = 0; dot && i < m.nitems; i++)
        n += slice_is(folder, m.items[i].folder) && !m.items[i].gone &&
            m.items[i].added > atoi(dot + 1);
    buf_addf(out, "<GetItemEstimate><Response><Status>%d</Status><Collection>"
                  "<CollectionId>%.*s</CollectionId><Estimate>%d</Estimate>"
                  "</Collection></Response></GetItemEstimate>", dot ? 1 : 3,
             SLICE_FMT(folder), n);
}

static void
answer_move(const struct wbxml_node *ask, struct buf *out)
{
    const struct wbxml_node *n = wbxml_find(ask, MOVE_MOVE, 0);

    buf_adds(out, "<MoveItems>");
    for (; n; n = wbxml_again(n)) {
        struct slice id = wbxml_text(n, MOVE_SRC_MSG_ID, 0);
        struct slice from = wbxml_text(n, MOVE_SRC_FLD_ID, 0);
        struct slice to = wbxml_text(n, MOVE_DST_FLD_ID, 0);
        struct model_item *it = item_of(id, from), *made;

        buf_addf(out, "<Response><SrcMsgId>%.*s</SrcMsgId>", SLICE_FMT(id));
        if (!it || !box_of(to)) {
            buf_addf(out, "<Status>%d</Status></Response>", it ? 2 : 1);
            continue;
        }
        made = &m.items[m.nitems++];
        *made = *it;
        it->gone = true;
        it->removed = ++m.clock;
        slice_copy(to, made->folder, sizeof made->folder);
        item_name(made);
        made->added = m.clock;
        made->changed = made->removed = 0;
        made->copies++;
        buf_addf(out, "<Status>3</Status><DstMsgId>%s</DstMsgId></Response>",
                 made->id);
    }
    buf_adds(out, "</MoveItems>");
}

static void
put32(struct buf *b, size_t v)
{
    char le[4] = {(char)v, (char)(v >> 8), (char)(v >> 16), (char)(v >> 24)};

    buf_add(b, le, 4);
}

/* One part a message, behind the WBXML. */
static void
answer_fetch(struct httpd_request *r, const struct wbxml_node *ask)
{
    const struct wbxml_node *n = wbxml_find(ask, ITEMOPS_FETCH, 0);
    struct buf xml = BUF_INIT(BUF_OURS), parts[64], all = BUF_INIT(BUF_OURS);
    size_t count = 1, at;
    struct err e = {0};

    buf_adds(&xml, "<ItemOperations><Status>1</Status><Response>");
    for (; n && count < 64; n = wbxml_again(n)) {
        struct slice id = wbxml_text(n, AIRSYNC_SERVER_ID, 0);
        struct model_item *it =
            item_of(id, wbxml_text(n, AIRSYNC_COLLECTION_ID, 0));

        if (it && it->withheld) {
            buf_addf(&xml, "<Fetch><Status>14</Status><airsync:ServerId>%.*s"
                           "</airsync:ServerId></Fetch>", SLICE_FMT(id));
            continue;
        }
        buf_addf(&xml, "<Fetch><Status>%d</Status><airsync:ServerId>%.*s"
                       "</airsync:ServerId>", it ? 1 : 6, SLICE_FMT(id));
        if (it) {
            buf_addf(&xml, "<Properties><base:Body><base:Type>4</base:Type>"
                           "<Part>%zu</Part></base:Body></Properties>", count);
            parts[count] = BUF_INIT(10000);
            buf_addf(&parts[count++], "From: a@example.test\r\nSubject: %s\r\n"
                                      "\r\nbody of %s\r\n",
                     it->subject, it->subject);
        }
        buf_adds(&xml, "</Fetch>");
    }
    buf_adds(&xml, "</Response></ItemOperations>");
    parts[0] = BUF_INIT(BUF_OURS);
    CHECK(!wbxml_text_parse(buf_slice(&xml), &parts[0], &e));
    CHECK_STR(e.text, "");
    put32(&all, count);
    at = 4 + 8 * count;
    for (size_t i = 0; i < count; i++) {
        put32(&all, at);
        put32(&all, parts[i].len);
        at += parts[i].len;
    }
    for (size_t i = 0; i < count; i++) {
        buf_add_slice(&all, buf_slice(&parts[i]));
        buf_clear(&parts[i]);
    }
    reply_bytes(r, "application/vnd.ms-sync.multipart", buf_slice(&all));
    buf_clear(&all);
    buf_clear(&xml);
}

static void
answer_edit(const struct wbxml_node *ask, struct buf *out)
{
    struct slice id = wbxml_text(ask, FOLDER_SERVER_ID, 0);
    struct slice name = wbxml_text(ask, FOLDER_DISPLAY_NAME, 0);
    struct slice parent = wbxml_text(ask, FOLDER_PARENT_ID, 0);
    const char *what = wbxml_tag_name(ask->tag);
    char new_id[16];

    snprintf(new_id, sizeof new_id, "f%d", m.next_id + 1);
    if (ask->tag == FOLDER_FOLDER_CREATE) {
        char p[16], n[64];

        slice_copy(parent, p, sizeof p);
        slice_copy(name, n, sizeof n);
        m.next_id++;
        model_folder(new_id, p, n, 12);
    } else {
        struct model_box *b = box_of(id);

        CHECK(b != NULL);
        if (b && ask->tag == FOLDER_FOLDER_DELETE) {
            b->removed = ++m.clock;
        } else if (b) {
            slice_copy(name, b->name, sizeof b->name);
            slice_copy(parent, b->parent, sizeof b->parent);
            b->added = ++m.clock;
        }
    }
    buf_addf(out, "<%s><Status>1</Status><SyncKey>%d</SyncKey>", what, m.clock);
    if (ask->tag == FOLDER_FOLDER_CREATE)
        buf_addf(out, "<ServerId>%s</ServerId>", new_id);
    buf_addf(out, "</%s>", what);
}

/* ---- Ping: waits for the clock ---- */

static void
on_ping_gone(void *arg, struct httpd_request *r)
{
    (void)arg;
    (void)r;
    m.ping = NULL;
}

static void
ping_wake(void)
{
    struct buf xml = BUF_INIT(10000);
    struct httpd_request *r = m.ping;

    if (!r)
        return;
    m.ping = NULL;
    httpd_on_gone(r, NULL, NULL);
    buf_adds(&xml, "<Ping><Status>2</Status><Folders>");
    for (int b = 0; b < m.nboxes; b++)
        for (int i = 0; i < m.nitems; i++)
            if (!strcmp(m.items[i].folder, m.boxes[b].id) &&
                m.items[i].added > m.ping_clock) {
                buf_addf(&xml, "<Folder>%s</Folder>", m.boxes[b].id);
                break;
            }
    buf_adds(&xml, "</Folders></Ping>");
    reply(r, &xml);
    buf_clear(&xml);
}

/* ---- requests ---- */

static void
count(const char *cmd)
{
    for (int i = 0; i < 16; i++)
        if (!m.asked[i].cmd[0] || !strcmp(m.asked[i].cmd, cmd)) {
            snprintf(m.asked[i].cmd, sizeof m.asked[i].cmd, "%s", cmd);
            m.asked[i].n++;
            return;
        }
}

/* Is this request to be broken, and how? -1: no. */
static int
fault_now(const char *cmd)
{
    if (!m.times || strcmp(cmd, m.fault_cmd) != 0)
        return -1;
    if (m.skip) {
        m.skip--;
        return -1;
    }
    if (m.fault != MODEL_CUT) {
        m.times--;
        m.fired++;
    }
    return (int)m.fault;
}

static void
serve(struct httpd_request *r, const char *cmd, const struct wbxml_node *ask)
{
    struct buf xml = BUF_INIT(BUF_OURS);
    int fault = fault_now(cmd);

    if (fault == MODEL_DROP_BEFORE) {
        httpd_drop(r);
        return;
    }
    if (fault == MODEL_BUSY) {
        httpd_answer(r, 503, NULL, SLICE_NONE);
        return;
    }
    if (fault == MODEL_STATUS_8 || fault == MODEL_STATUS_12) {
        buf_addf(&xml, "<%s><Status>%d</Status></%s>", cmd,
                 fault == MODEL_STATUS_8 ? 8 : 12, cmd);
        reply(r, &xml);
        buf_clear(&xml);
        return;
    }
    if (fault == MODEL_KEY_LOST)
        for (int i = 0; i < m.nboxes; i++)
            m.boxes[i].key_lost = true;
    m.losing = fault == MODEL_DROP_AFTER;
    if (!strcmp(cmd, "FolderSync"))
        answer_folders(ask, &xml);
    else if (!strcmp(cmd, "Sync"))
        answer_sync(ask, &xml);
    else if (!strcmp(cmd, "GetItemEstimate"))
        answer_estimate(ask, &xml);
    else if (!strcmp(cmd, "MoveItems"))
        answer_move(ask, &xml);
    else if (!strncmp(cmd, "Folder", 6))
        answer_edit(ask, &xml);
    if (fault == MODEL_DROP_AFTER) {
        httpd_drop(r);
    } else if (!strcmp(cmd, "ItemOperations")) {
        answer_fetch(r, ask);
    } else if (!strcmp(cmd, "Ping")) {
        m.ping = r;
        m.ping_clock = m.clock;
        httpd_on_gone(r, on_ping_gone, NULL);
    } else {
        CHECK(xml.len > 0);
        reply(r, &xml);
    }
    buf_clear(&xml);
}

static void
on_model_request(struct httpd_request *r, const char *cmd)
{
    struct arena *a = arena_new();
    struct wbxml_node *ask = NULL;
    struct err e = {0};

    count(cmd);
    if (httpd_body(r).n)
        CHECK(!wbxml_tree_parse(a, httpd_body(r), NULL, &ask, &e));
    CHECK_STR(e.text, "");
    serve(r, cmd, ask);
    arena_free(&a);
}

/* ---- public ---- */

void
model_start(void)
{
    memset(&m, 0, sizeof m);
    m.epoch = 1;
    model_folder("1", "0", "Inbox", 2);
    model_folder("2", "0", "Sent Items", 5);
    model_folder("3", "0", "Deleted Items", 4);
    eas_server_serve(on_model_request);
}

void
model_stop(void)
{
    eas_server_serve(NULL);
}

void
model_folder(const char *id, const char *parent, const char *name, int type)
{
    struct model_box *b = &m.boxes[m.nboxes++];

    snprintf(b->id, sizeof b->id, "%s", id);
    snprintf(b->parent, sizeof b->parent, "%s", parent);
    snprintf(b->name, sizeof b->name, "%s", name);
    b->type = type;
    b->added = ++m.clock;
}

void
model_folder_gone(const char *id)
{
    struct model_box *b = box_of(slice_of(id));

    CHECK(b != NULL);
    if (b)
        b->removed = ++m.clock;
}

struct model_item *
model_add(const char *folder, const char *subject, int64_t received)
{
    struct model_item *it = &m.items[m.nitems++];

    snprintf(it->folder, sizeof it->folder, "%s", folder);
    item_name(it);
    snprintf(it->subject, sizeof it->subject, "%s", subject);
    it->received = received;
    it->copies = 1;
    it->added = ++m.clock;
    ping_wake();
    return it;
}

void
model_changed(struct model_item *it)
{
    it->changed = ++m.clock;
}

void
model_gone(struct model_item *it)
{
    it->gone = true;
    it->removed = ++m.clock;
}

void
model_reborn(void)
{
    m.epoch++;
    for (int i = 0; i < m.nitems; i++)
        if (!m.items[i].gone)
            item_name(&m.items[i]);
}

static void
reborn_id(char *id, size_t size)
{
    char old[16];

    snprintf(old, sizeof old, "%s", id);
    if (strcmp(old, "0") == 0)
        return;
    if (strcmp(old, "1") == 0 || strcmp(old, "2") == 0)
        id[0] = old[0] == '1' ? '2' : '1';
    else
        snprintf(id, size, "n%.10s", old);
}

void
model_folders_reborn(void)
{
    for (int i = 0; i < m.nboxes; i++) {
        reborn_id(m.boxes[i].id, sizeof m.boxes[i].id);
        reborn_id(m.boxes[i].parent, sizeof m.boxes[i].parent);
    }
    for (int i = 0; i < m.nitems; i++)
        reborn_id(m.items[i].folder, sizeof m.items[i].folder);
    m.hierarchy_lost = true;
    m.clock++;
    model_reborn();
}

void
model_window(struct model_item *it, bool inside)
{
    it->old = it->gone = !inside;
    *(inside ? &it->added : &it->removed) = ++m.clock;
    if (inside)
        it->changed = it->removed = 0;
}

struct model_item *
model_find(const char *folder, const char *subject)
{
    for (int i = 0; i < m.nitems; i++)
        if (!m.items[i].gone && !strcmp(m.items[i].folder, folder) &&
            !strcmp(m.items[i].subject, subject))
            return &m.items[i];
    return NULL;
}

int
model_count(const char *folder)
{
    int n = 0;

    for (int i = 0; i < m.nitems; i++)
        n += !m.items[i].gone && !strcmp(m.items[i].folder, folder);
    return n;
}

void
model_break(const char *cmd, enum model_fault fault, int skip, int times)
{
    snprintf(m.fault_cmd, sizeof m.fault_cmd, "%s", cmd);
    m.fault = fault;
    m.skip = skip;
    m.times = times;
    m.fired = 0;
}

int
model_asked(const char *cmd)
{
    for (int i = 0; i < 16; i++)
        if (!strcmp(m.asked[i].cmd, cmd))
            return m.asked[i].n;
    return 0;
}

int
model_fired(void)
{
    return m.fired;
}

void
model_several(enum model_several how)
{
    m.several = how;
}

int
model_shared(void)
{
    return m.shared;
}
