/*
 * SendMail, SmartReply, SmartForward (MS-ASCMD 2.2.1.17, .19, .20). Success
 * is an empty answer. A ClientId that was sent already is 118 and nothing
 * happens, so a client may repeat what it had no answer to.
 *
 * Smart commands need ReplaceMime: the server does not compose. Without it
 * the answer is 121, as when composing fails, and the client is to send the
 * whole message by SendMail.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "mime/header.h"
#include "sandbox/call.h"

#define MEMORY 500 /* ClientIds; how many Exchange keeps is not published */
#define MEMORY_BYTES ((size_t)1 << 20)

static char *
memory_path(struct call *c)
{
    return xasprintf("%s/sent", c->user->state);
}

/* Of what was sent under it: the same id for other mail is a client's fault,
 * and 118 would make it lose that mail. Mail that is sealed anew for another
 * try is the same mail: its Message-ID tells. */
static void
fingerprint(struct slice mime, char out[17])
{
    struct slice header = slice_cut(mime, 0, mime_header_length(mime));
    struct arena *a = arena_new();
    const char *id = mime_header_value(header, "message-id", a);
    struct slice what = id ? slice_of(id) : mime;
    uint64_t h = 1469598103934665603u;

    for (size_t i = 0; i < what.n; i++)
        h = (h ^ (unsigned char)what.p[i]) * 1099511628211u;
    snprintf(out, 17, "%016llx", (unsigned long long)h);
    arena_free(&a);
}

/* Lines "DEVICE/ClientId FINGERPRINT", oldest first. */
static bool
was_sent(struct call *c, const char *key, const char *print)
{
    struct buf b = BUF_INIT(MEMORY_BYTES);
    char *path = memory_path(c);
    struct slice rest, line, word;
    struct err e;
    bool found = false;

    if (!file_read(path, &b, &e))
        for (rest = buf_slice(&b); slice_next(&rest, '\n', &line);) {
            if (!slice_next(&line, ' ', &word) || !slice_is(word, key))
                continue;
            found = true;
            if (!slice_is(line, print))
                call_note_breach(c, "this ClientId was another message's");
        }
    free(path);
    buf_clear(&b);
    return found;
}

static void
remember(struct call *c, const char *key, const char *print)
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
    buf_addf(&now, "%s %s\n", key, print);
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
    if (found) {
        *out = long_id_find(c, wbxml_text(n, COMPOSE_LONG_ID, 0));
        return *out ? 0 : 150;
    }
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
    char print[17], *key = xasprintf("%s/%s", c->device->id, id.p);
    struct message *source;
    int status = source_find(c, &source);

    if (!status && c->command->root == COMPOSE_SMART_FORWARD)
        status = forward_judge(c);
    if (!status && wbxml_has(c->root, COMPOSE_ACCOUNT_ID, 0))
        status = 166; /* there are no further accounts */
    fingerprint(mime, print);
    if (!status && was_sent(c, key, print))
        status = 118;
    if (!status && source && !wbxml_has(c->root, COMPOSE_REPLACE_MIME, 0))
        status = 121;
    if (!status)
        status =
            deliver(c, mime, wbxml_has(c->root, COMPOSE_SAVE_IN_SENT_ITEMS, 0));
    if (!status) {
        if (!call_quirk(c, QUIRK_FORGET_CLIENT, NULL, NULL, NULL))
            remember(c, key, print);
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
