/*
 * SendMail, SmartReply, SmartForward (MS-ASCMD 2.2.1.17, .19, .20). Success
 * is an empty answer. A ClientId that was sent already is 118 and nothing
 * happens, so a client may repeat what it had no answer to.
 *
 * Smart commands need ReplaceMime: the server does not compose. Without it
 * the answer is 121, as when composing fails, and the client is to send the
 * whole message by SendMail.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "sandbox/call.h"

#define MEMORY 500 /* ClientIds; how many Exchange keeps is not published */
#define MEMORY_BYTES ((size_t)1 << 20)

static char *
memory_path(struct call *c)
{
    return xasprintf("%s/sent", c->user->state);
}

/* Lines "DEVICE/ClientId", oldest first. */
static bool
was_sent(struct call *c, const char *key)
{
    struct buf b = BUF_INIT(MEMORY_BYTES);
    char *path = memory_path(c);
    struct slice rest, line;
    struct err e;
    bool found = false;

    if (!file_read(path, &b, &e))
        for (rest = buf_slice(&b); slice_next(&rest, '\n', &line);)
            found |= slice_is(line, key);
    free(path);
    buf_clear(&b);
    return found;
}

static void
remember(struct call *c, const char *key)
{
    struct buf was = BUF_INIT(MEMORY_BYTES), now = BUF_INIT(MEMORY_BYTES);
    char *path = memory_path(c);
    struct slice rest, line;
    size_t lines = 0;
    struct err e = {0};

    if (!file_read(path, &was, &e))
        for (size_t i = 0; i < was.len; i++)
            lines += was.data[i] == '\n';
    for (rest = buf_slice(&was); slice_next(&rest, '\n', &line);)
        if (line.n && lines-- < MEMORY) {
            buf_add_slice(&now, line);
            buf_addc(&now, '\n');
        }
    buf_addf(&now, "%s\n", key);
    if (file_write(path, buf_slice(&now), 0600, false, &e))
        log_error("send", "%s", e.text);
    free(path);
    buf_clear(&was);
    buf_clear(&now);
}

/* ---- the message that is answered or forwarded */

/* 0 or a status; *out is NULL for SendMail. */
static int
source_find(struct call *c, struct message **out)
{
    const struct wbxml_node *n = wbxml_find(c->root, COMPOSE_SOURCE, 0);
    bool folder = wbxml_has(n, COMPOSE_FOLDER_ID, 0);
    bool item = wbxml_has(n, COMPOSE_ITEM_ID, 0);
    bool found = wbxml_has(n, COMPOSE_LONG_ID, 0);
    struct folder *f;

    *out = NULL;
    if (!n)
        return 0;
    if (folder != item || item == found)
        return 105; /* neither or both ways to name it */
    if (found)
        return 150;
    f = call_folder(c, wbxml_text(n, COMPOSE_FOLDER_ID, 0));
    *out = call_message(c, f, wbxml_text(n, COMPOSE_ITEM_ID, 0));
    return *out ? 0 : 150;
}

/* 16.x: MIME and Body are two ways to say it (178); a meeting that is
 * forwarded by Forwardees alone is not served (179). */
static int
forward_judge(struct call *c)
{
    bool mime = wbxml_has(c->root, COMPOSE_MIME, 0);
    bool body = wbxml_has(c->root, BASE_BODY, 0) ||
                wbxml_has(c->root, COMPOSE_FORWARDEES, 0);

    return mime && body ? 178 : mime ? 0 : 179;
}

static void
mark_source(struct call *c, struct message *m)
{
    struct err e;
    int verb = c->command->root == COMPOSE_SMART_FORWARD ? 3 : 1;

    if (m && folder_set_verb(m, verb, &e))
        log_warn("send", "%s", e.text);
}

enum answer
cmd_send(struct call *c)
{
    struct slice id = wbxml_text(c->root, COMPOSE_CLIENT_ID, 0);
    struct slice mime = wbxml_text(c->root, COMPOSE_MIME, 0);
    char *key = xasprintf("%s/%s", c->device->id, id.p);
    struct message *source;
    int status = source_find(c, &source);

    if (!status && c->command->root == COMPOSE_SMART_FORWARD)
        status = forward_judge(c);
    if (!status && wbxml_has(c->root, COMPOSE_ACCOUNT_ID, 0))
        status = 166; /* there are no further accounts */
    if (!status && was_sent(c, key))
        status = 118;
    if (!status && source && !wbxml_has(c->root, COMPOSE_REPLACE_MIME, 0))
        status = 121;
    if (!status)
        status =
            deliver(c, mime, wbxml_has(c->root, COMPOSE_SAVE_IN_SENT_ITEMS, 0));
    if (!status) {
        if (!call_quirk(c, QUIRK_FORGET_CLIENT, NULL, NULL, NULL))
            remember(c, key);
        mark_source(c, source);
    }
    free(key);
    if (status == 105 || status == 178 || status == 179)
        return call_breach(c, status, "Source, or MIME and Body");
    if (status)
        return call_fail(c, status);
    c->status = 1;
    return ANSWER_EMPTY;
}
