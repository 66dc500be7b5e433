/*
 * The sender's copy in Sent Items: at once and as it was sent, unless there
 * is mischief.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/code.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "sandbox/call.h"
#include "sandbox/server.h"

struct late {
    struct list node;
    struct user *user;
    struct buf raw;
    struct loop_timer timer;
};

static int
put(struct user *u, struct slice raw)
{
    struct folder *sent = tree_find_type(u, 5);
    struct folder_adding what = {.raw = raw, .flags = MAIL_SEEN};
    struct err e;

    if (sent && !folder_add(sent, &what, NULL, &e))
        return 0;
    log_error("sent", "%s", sent ? e.text : "no Sent Items");
    return -1;
}

static void
late_free(struct late *l)
{
    list_remove(&l->node);
    loop_timer_clear(&l->timer);
    buf_clear(&l->raw);
    free(l);
}

static void
on_late(void *arg)
{
    struct late *l = arg;

    put(l->user, buf_slice(&l->raw));
    late_free(l);
}

static void
put_later(struct call *c, struct slice raw, long ms)
{
    struct late *l = xcalloc(1, sizeof *l);

    l->user = c->user;
    buf_init(&l->raw, raw.n + 1);
    buf_add_slice(&l->raw, raw);
    list_add(&c->sandbox->sent, &l->node);
    loop_timer_init(&l->timer, on_late, l);
    loop_timer_set(&l->timer, ms);
}

void
sent_drop(struct sandbox *s)
{
    while (!list_is_empty(&s->sent))
        late_free(LIST_OBJECT(s->sent.next, struct late, node));
}

int
sent_save(struct call *c, struct slice raw)
{
    struct folder *sent = tree_find_type(c->user, 5);
    struct buf other = BUF_INIT(raw.n + 4096);
    char id[80] = "<", hex[33];
    bool bytes, message_id;
    struct err e;
    long ms = 0;
    int rc = 0;

    if (call_quirk(c, QUIRK_SENT_NONE, sent, NULL, NULL))
        return 0;
    bytes = call_quirk(c, QUIRK_SENT_BYTES, sent, NULL, NULL);
    message_id = call_quirk(c, QUIRK_SENT_ID, sent, NULL, NULL);
    code_random_hex(hex, 16);
    snprintf(id, sizeof id, "<%s@replaced.sandbox.invalid>", hex);
    if (bytes || message_id) {
        if (rebuild(raw, bytes, message_id ? id : NULL, &other, &e))
            log_error("sent", "%s", e.text);
        else
            raw = buf_slice(&other);
    }
    if (call_quirk(c, QUIRK_SENT_LATE, sent, NULL, &ms))
        put_later(c, raw, ms);
    else
        rc = put(c->user, raw);
    buf_clear(&other);
    return rc;
}
