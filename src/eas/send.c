/*
 * SendMail (MS-ASCMD 2.2.1.17): the message goes out as it is, streamed from
 * the caller's memory between a few bytes of WBXML. An empty answer is
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
    struct slice mime;
    int (*may_go)(void *arg, struct err *e);
    void *may_go_arg;
    struct eas_send_answer *out;
};

static int
send_build(struct eas_call *c, struct err *e)
{
    struct send_call *s = (struct send_call *)c;
    struct wbxml_writer *w = &c->req.w;

    if (s->may_go && s->may_go(s->may_go_arg, e))
        return -1;
    c->req.payload = s->mime;
    c->req.stall_ms = STALL_MS;
    wbxml_write_start(w, COMPOSE_SEND_MAIL);
    wbxml_write_text(w, COMPOSE_CLIENT_ID, s->client_id);
    if (s->save)
        wbxml_write_empty(w, COMPOSE_SAVE_IN_SENT_ITEMS);
    wbxml_write_splice(w, COMPOSE_MIME, s->mime.n);
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
        rc = eas_answer_tree(a, body, COMPOSE_SEND_MAIL, &root, e);
        if (!rc)
            status = wbxml_number(root, 1, COMPOSE_STATUS, 0);
        arena_free(&a);
    }
    if (rc) {
        s->out->maybe = true; /* it was answered, but what? */
        return -1;
    }
    eas_status_set(EAS_CMD_SENDMAIL, (int)status, &s->out->status,
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
    free(((struct send_call *)c)->client_id);
}

struct op *
eas_send(struct eas *eas, const struct eas_mail *mail,
         struct eas_send_answer *out, op_done_fn *done, void *arg)
{
    static const struct eas_call_kind kind = {.command = EAS_CMD_SENDMAIL,
                                              .build = send_build,
                                              .answer = send_answer,
                                              .failed = send_failed,
                                              .clear = send_clear};
    struct send_call *s;

    *out = (struct eas_send_answer){0};
    if (!mail->client_id || !mail->client_id[0] ||
        strlen(mail->client_id) > CLIENT_ID_MAX || !mail->mime.n)
        return op_decided(&(struct err){E_BUG, "SendMail needs a ClientId of "
                                               "at most 40 and a message"},
                          done, arg);
    if (mail->mime.n > UINT32_MAX)
        return op_decided(&(struct err){E_LIMIT, "a message of over 4 GiB"},
                          done, arg);
    s = eas_call_new(eas, &kind, sizeof *s);
    s->out = out;
    s->client_id = xstrdup(mail->client_id);
    s->save = mail->save_in_sent;
    s->mime = mail->mime;
    s->may_go = mail->may_go;
    s->may_go_arg = mail->may_go_arg;
    return eas_call_start(&s->call, done, arg);
}
