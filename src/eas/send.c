/*
 * SendMail, and SmartReply and SmartForward with ReplaceMime (MS-ASCMD
 * 2.2.1.17, .19, .20): the message goes out as it is, streamed from
 * the caller's memory or file between a few bytes of WBXML. An empty answer is
 * success. The ClientId makes a repetition safe, so the queue may repeat it
 * after provisioning or a 503, and the caller after a broken line.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eas/private.h"

#define CLIENT_ID_MAX 40
/* The server reads all of it before it answers, and may have to think. */
#define STALL_MS 300000

struct send_call {
    struct eas_call call;
    char *client_id;
    bool save;
    char *folder, *item; /* of the source */
    struct eas_mail mail; /* what is borrowed of it: the bytes */
    int (*may_go)(void *arg, struct err *e);
    void *may_go_arg;
    struct eas_send_answer *out;
};

static unsigned
root_of(const struct eas_call *c)
{
    switch (c->kind->command) {
    case EAS_CMD_SMARTREPLY:
        return COMPOSE_SMART_REPLY;
    case EAS_CMD_SMARTFORWARD:
        return COMPOSE_SMART_FORWARD;
    default:
        return COMPOSE_SEND_MAIL;
    }
}

static int
send_build(struct eas_call *c, struct err *e)
{
    struct send_call *s = (struct send_call *)c;
    struct wbxml_writer *w = &c->req.w;

    if (s->may_go && s->may_go(s->may_go_arg, e))
        return -1;
    c->req.payload = s->mail.mime;
    c->req.payload_read = s->mail.read;
    c->req.payload_arg = s->mail.read_arg;
    c->req.payload_size = s->mail.size;
    c->req.stall_ms = STALL_MS;
    wbxml_write_start(w, root_of(c));
    wbxml_write_text(w, COMPOSE_CLIENT_ID, s->client_id);
    if (s->item) {
        wbxml_write_start(w, COMPOSE_SOURCE);
        wbxml_write_text(w, COMPOSE_FOLDER_ID, s->folder);
        wbxml_write_text(w, COMPOSE_ITEM_ID, s->item);
        wbxml_write_end(w);
    }
    if (s->save)
        wbxml_write_empty(w, COMPOSE_SAVE_IN_SENT_ITEMS);
    if (s->item) /* nothing of the original may be added by the server */
        wbxml_write_empty(w, COMPOSE_REPLACE_MIME);
    wbxml_write_splice(w, COMPOSE_MIME,
                       s->mail.read ? s->mail.size : s->mail.mime.n);
    wbxml_write_end(w);
    return 0;
}

static int
send_answer(struct eas_call *c, struct slice body, struct err *e)
{
    struct send_call *s = (struct send_call *)c;
    struct arena *a;
    struct wbxml_node *root;
    long status = 1;
    int rc = 0;

    if (body.n) {
        a = arena_new();
        rc = eas_answer_tree(a, body, root_of(c), &root, e);
        if (!rc)
            status = wbxml_number(root, 1, COMPOSE_STATUS, 0);
        arena_free(&a);
    }
    if (rc) {
        s->out->maybe = true; /* it was answered, but what? */
        return -1;
    }
    eas_status_set(c->kind->command, (int)status, &s->out->status,
                   &s->out->reaction);
    return 0;
}

/* Not sent for sure: the request never got out whole, or the server turned
 * it away. A fault of the server can come after the deed. */
static void
send_failed(struct eas_call *c, const struct err *e)
{
    struct send_call *s = (struct send_call *)c;
    int http = c->req.http.status;

    (void)e;
    if (c->req.http.maybe_acted || http == 500 || http == 502 || http == 504)
        s->out->maybe = true;
}

static void
send_clear(struct eas_call *c)
{
    struct send_call *s = (struct send_call *)c;

    free(s->client_id);
    free(s->folder);
    free(s->item);
}

struct op *
eas_send(struct eas *eas, const struct eas_mail *mail,
         struct eas_send_answer *out, op_done_fn *done, void *arg)
{
#define KIND(name)                                                          \
    {.command = name,                                                       \
     .build = send_build,                                                   \
     .answer = send_answer,                                                 \
     .failed = send_failed,                                                 \
     .clear = send_clear}
    static const struct eas_call_kind kinds[] = {
        [EAS_SEND] = KIND(EAS_CMD_SENDMAIL),
        [EAS_REPLY] = KIND(EAS_CMD_SMARTREPLY),
        [EAS_FORWARD] = KIND(EAS_CMD_SMARTFORWARD)};
#undef KIND
    uint64_t size = mail->read ? mail->size : mail->mime.n;
    struct send_call *s;

    *out = (struct eas_send_answer){0};
    if (!mail->client_id || !mail->client_id[0] ||
        strlen(mail->client_id) > CLIENT_ID_MAX || !size)
        return op_decided(&(struct err){E_BUG, "SendMail needs a ClientId of "
                                               "at most 40 and a message"},
                          done, arg);
    if (size > UINT32_MAX)
        return op_decided(&(struct err){E_LIMIT, "a message of over 4 GiB"},
                          done, arg);
    if (mail->verb != EAS_SEND &&
        (!mail->source.collection || !mail->source.server_id))
        return op_decided(&(struct err){E_BUG, "a reply to nothing"}, done,
                          arg);
    s = eas_call_new(eas, &kinds[mail->verb], sizeof *s);
    if (mail->verb != EAS_SEND) {
        s->folder = xstrdup(mail->source.collection);
        s->item = xstrdup(mail->source.server_id);
    }
    s->out = out;
    s->client_id = xstrdup(mail->client_id);
    s->save = mail->save_in_sent;
    s->mail.mime = mail->mime;
    s->mail.size = mail->size;
    s->mail.read = mail->read;
    s->mail.read_arg = mail->read_arg;
    s->may_go = mail->may_go;
    s->may_go_arg = mail->may_go_arg;
    return eas_call_start(&s->call, done, arg);
}
