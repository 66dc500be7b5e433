/*
 * One submission whose bytes are there: to Exchange, exactly once. That a try
 * begins is booked before it begins; a try whose outcome is not known is
 * settled by looking into Sent before there is another (SPEC section 7).
 * Called by send.c and, for what the queue holds, by outbox.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "eas/eas.h"
#include "eas/status.h"
#include "mime/address.h"
#include "mime/header.h"
#include "outbox/private.h"
#include "store/sent.h"

/* 118: this ClientId was sent before, and it is ours alone. */
#define STATUS_SENT_BEFORE 118
/* The submission failed: nothing was sent. */
#define STATUS_NOT_SENT 120
/* A SmartReply or SmartForward is tried so often, then a plain SendMail. */
#define SMART_TRIES 2
#define HEAD_PIECE ((size_t)64 << 10)

struct deliver {
    struct op *op;
    struct flow flow;
    struct outbox *ob;
    struct arena *arena;
    char id[16];
    struct store_submission row;
    /* What leaves is `head`, the header, then the file from body_at on, piece
     * by piece; the whole of it only where Sent is looked into. */
    struct store_reader *file;
    struct buf head, mime;
    uint64_t body_at;
    struct eas_send_answer answer;
    struct err failed; /* of the SendMail, when it got an error */
    bool booked;       /* SENDING, by us */
    bool found, stale;
    bool toless; /* the empty group in To was taken out */
    struct outbox_source source;
    bool smart; /* the server is told what is answered or forwarded */
    int64_t looked;
};

static flow_step_fn deliver_row, deliver_open, deliver_prepare, deliver_source,
    deliver_load, deliver_look, deliver_sure, deliver_book, deliver_flush,
    deliver_send, deliver_answer;

static flow_step_fn *const deliver_steps[] = {
    deliver_row,
    deliver_open,    /* its file */
    deliver_prepare, /* what Sent will show */
    deliver_source,  /* what does it answer or forward? */
    deliver_load,
    deliver_look,  /* an earlier try may have arrived: what is in Sent? */
    deliver_sure,
    deliver_book,  /* SENDING */
    deliver_flush, /* on the disk before the first byte leaves */
    deliver_send,
    deliver_answer,
    NULL,
};

static int
state_set(struct deliver *d, enum store_queue_state state, int64_t next,
          const char *error)
{
    struct err e;
    int rc = store_queue_set(d->ob->store, d->id, state, next, error, &e);

    if (rc)
        log_error("outbox", "id=%s could not be booked: %s", d->id, e.text);
    return rc;
}

/* What is known after a SendMail that did not work. */
static void
book_failure(struct deliver *d, const struct err *err)
{
    struct err e;

    if (err->code == E_CANCELED)
        return; /* SENDING stays: it may be on its way */
    if (d->stale && store_sent_drop(d->ob->store, d->id, &e))
        log_warn("outbox", "id=%s %s", d->id, e.text);
    if (d->stale)
        state_set(d, *d->row.parent ? STORE_QUEUE_SEALED : STORE_QUEUE_NEW,
                  now_unix(), err->text);
    else if (d->answer.maybe)
        state_set(d, STORE_QUEUE_SENDING,
                  now_unix() + fault_wait(OUTBOX_SURE_S), err->text);
    else
        state_set(d, STORE_QUEUE_SEALED, now_unix(), err->text);
}

static void
deliver_end(void *self, const struct err *err)
{
    struct deliver *d = self;
    struct op *op = d->op;
    struct err copy = err ? *err : (struct err){0};
    struct outbox_entry *en = outbox_entry_find(d->ob, d->id);

    if (err && d->booked)
        book_failure(d, err);
    if (d->stale && !*d->row.parent)
        copy.code = E_RETRY; /* the same message, decided again */
    if (d->stale && !*d->row.parent && en)
        en->anew = true;
    store_reader_close(&d->file);
    buf_wipe(&d->head);
    buf_wipe(&d->mime);
    arena_free(&d->arena);
    free(d);
    op_finish(&op, copy.code ? &copy : NULL);
}

static void
deliver_stop(void *self)
{
    struct deliver *d = self;

    flow_cancel(&d->flow);
}

struct op *
outbox_deliver(struct outbox *ob, const char *id, op_done_fn *done, void *arg)
{
    struct deliver *d = xcalloc(1, sizeof *d);

    d->ob = ob;
    d->arena = arena_new();
    slice_copy(slice_of(id), d->id, sizeof d->id);
    buf_init(&d->mime, OUTBOX_MAX);
    buf_init(&d->head, OUTBOX_MAX);
    d->op = op_new(deliver_stop, d, done, arg);
    flow_start(&d->flow, deliver_steps, deliver_end, d);
    return d->op;
}

static enum flow_next
deliver_row(void *self)
{
    struct deliver *d = self;
    struct err e;
    int rc = store_queue_get(d->ob->store, d->id, d->arena, &d->row, &e);

    if (rc < 0)
        return flow_fail_err(&d->flow, &e);
    if (rc == 0)
        return flow_fail(&d->flow, E_MISSING, "it is not in the queue");
    if (d->row.state == STORE_QUEUE_SENT)
        return FLOW_DONE;
    if (d->row.state != STORE_QUEUE_SEALED &&
        d->row.state != STORE_QUEUE_SENDING)
        return flow_fail(&d->flow, E_BUG, "its bytes are not made yet");
    return FLOW_NEXT;
}

/* The header section, for that is looked at; what follows it stays where it
 * is. */
static int
head_read(struct deliver *d, struct err *e)
{
    uint64_t size = store_reader_size(d->file);
    size_t got, end = SIZE_MAX;

    while (end >= d->head.len && d->head.len < size) {
        char *to = buf_room(&d->head, HEAD_PIECE);

        if (!to)
            return err_set(e, E_LIMIT, "the message is too large");
        if (store_reader_read(d->file, d->head.len, to, HEAD_PIECE, &got, e))
            return -1;
        if (!got)
            break;
        buf_added(&d->head, got);
        end = mime_header_length(buf_slice(&d->head));
    }
    if (end < d->head.len)
        buf_truncate(&d->head, end);
    d->body_at = d->head.len;
    return 0;
}

/* Until SENDING is on the disk, the bytes that leave need not be: after a
 * power cut the row may be there without them. They are made again. */
static void
make_again(struct deliver *d, const struct err *why)
{
    if (d->row.state != STORE_QUEUE_SEALED || *d->row.parent ||
        (why->code != E_MISSING && why->code != E_CRYPTO))
        return;
    log_warn("outbox", "id=%s its sealed bytes are not whole, they are made "
                       "again: %s", d->id, why->text);
    d->stale = state_set(d, STORE_QUEUE_NEW, now_unix(), why->text) == 0;
}

/* Of a copy for a hidden recipient the first file is what leaves. */
static enum flow_next
deliver_open(void *self)
{
    struct deliver *d = self;
    struct err e;

    if (store_reader_open(d->ob->store, d->id, !*d->row.parent, &d->file,
                          &e) ||
        head_read(d, &e)) {
        make_again(d, &e);
        return flow_fail_err(&d->flow, &e);
    }
    return FLOW_NEXT;
}

static enum flow_next
deliver_prepare(void *self)
{
    struct deliver *d = self;
    struct slice head = buf_slice(&d->head);
    struct store_sent_print print = {0};
    char *people;
    struct op *op;

    if (!d->row.save_in_sent)
        return FLOW_NEXT;
    people = mime_people(head);
    print.people = people;
    print.subject = mime_header_value(head, "subject", d->arena);
    op = store_sent_prepare(d->ob->store, d->id, !*d->row.parent, head,
                            d->body_at, &print, flow_wake, &d->flow);
    free(people);
    return flow_wait(&d->flow, op);
}

/* A copy for a hidden recipient is no second answer. */
static enum flow_next
deliver_source(void *self)
{
    struct deliver *d = self;
    struct err e;

    if (*d->row.parent)
        return FLOW_NEXT;
    if (outbox_source_find(d->ob, buf_slice(&d->head), d->arena, &d->source,
                           &e) < 0)
        return flow_fail_err(&d->flow, &e);
    d->smart = d->source.server_id && !d->row.signed_ && !d->row.encrypted &&
               d->row.tries < SMART_TRIES;
    return FLOW_NEXT;
}

/* Copies in Sent are compared with the whole of it. */
static enum flow_next
deliver_load(void *self)
{
    struct deliver *d = self;

    if (d->row.state != STORE_QUEUE_SENDING || !d->row.save_in_sent)
        return FLOW_NEXT;
    return flow_wait(&d->flow,
                     store_queue_load(d->ob->store, d->id, !*d->row.parent,
                                      &d->mime, flow_wake, &d->flow));
}

static enum flow_next
deliver_look(void *self)
{
    struct deliver *d = self;

    if (d->row.state != STORE_QUEUE_SENDING)
        return FLOW_NEXT;
    d->looked = now_unix();
    if (!d->row.save_in_sent) {
        log_warn("outbox", "id=%s to=%s may have arrived already, no copy in "
                           "Sent would tell: it is sent again", d->id,
                 log_address(d->row.recipients));
        return FLOW_NEXT;
    }
    return flow_wait(&d->flow,
                     outbox_sent_find(d->ob, d->id, buf_slice(&d->mime),
                                      &d->found, flow_wake, &d->flow));
}

/* Its next_try says since when a "no" of Sent counts. */
static enum flow_next
deliver_sure(void *self)
{
    struct deliver *d = self;

    if (d->row.state != STORE_QUEUE_SENDING)
        return FLOW_NEXT;
    if (d->found) {
        log_notice("outbox", "id=%s was found in Sent: it had arrived", d->id);
        outbox_source_mark(d->ob, &d->source);
        return FLOW_DONE;
    }
    if (d->looked < d->row.next_try)
        return flow_fail(&d->flow, E_RETRY, "it may have arrived; Sent is "
                                            "looked at again");
    return FLOW_NEXT;
}

static enum flow_next
deliver_book(void *self)
{
    struct deliver *d = self;

    if (state_set(d, STORE_QUEUE_SENDING,
                  now_unix() + fault_wait(OUTBOX_SURE_S), NULL))
        return flow_fail(&d->flow, E_FULL, "the queue cannot be written");
    return FLOW_NEXT;
}

static enum flow_next
deliver_flush(void *self)
{
    struct deliver *d = self;

    return flow_wait(&d->flow,
                     store_flush(d->ob->store, flow_wake, &d->flow));
}

/* The policy may have become stricter since the message was sealed, even
 * while its SendMail waits: the server answers 449, and after provisioning
 * the same bytes would go. */
static int
may_go(void *arg, struct err *e)
{
    struct deliver *d = arg;
    struct outbox_policy p;

    if (!outbox_knows_policy(d->ob))
        return err_set(e, E_RETRY, "the server's policy is not known");
    outbox_policy_of(d->ob->settings, eas_policy(d->ob->eas), &p);
    d->stale = outbox_policy_check(&p, d->row.signed_, d->row.encrypted, e);
    return d->stale ? -1 : 0;
}

/* An error is looked at by deliver_answer(), with what the answer knows. */
static void
on_sent(void *arg, const struct err *err)
{
    struct deliver *d = arg;

    if (err)
        d->failed = *err;
    flow_wake(&d->flow, NULL);
}

static size_t
piece_read(void *arg, uint64_t offset, char *to, size_t n, struct err *e)
{
    struct deliver *d = arg;
    size_t got = 0;

    if (offset < d->head.len) {
        struct slice s = slice_cut(
            slice_from(buf_slice(&d->head), (size_t)offset), 0, n);

        memcpy(to, s.p, s.n);
        return s.n;
    }
    if (store_reader_read(d->file, d->body_at + (offset - d->head.len), to, n,
                          &got, e))
        return 0;
    return got;
}

static enum flow_next
deliver_send(void *self)
{
    struct deliver *d = self;
    struct eas_mail mail = {
        .client_id = d->row.client_id,
        .save_in_sent = d->row.save_in_sent,
        .size = d->head.len + store_reader_size(d->file) - d->body_at,
        .read = piece_read,
        .read_arg = d,
        .may_go = may_go,
        .may_go_arg = d,
    };

    d->booked = true;
    if (d->smart) {
        mail.verb = (enum eas_verb)d->source.verb;
        mail.source = (struct eas_place){d->source.collection,
                                         d->source.server_id};
    }
    return flow_wait(&d->flow, eas_send(d->ob->eas, &mail, &d->answer, on_sent,
                                        d));
}

/* There are servers that cannot submit a mail whose To is the empty group,
 * "undisclosed-recipients:;": they get it once more without any To. The header
 * outside is not signed, and nobody was named in it. */
static bool
to_drop(struct deliver *d)
{
    static const struct mime_change change = {.name = "To"};
    struct slice mime = buf_slice(&d->head);
    struct mime_addresses to = {0};
    struct buf less = BUF_INIT(OUTBOX_MAX);
    size_t at = 0, n;
    bool empty;

    if (d->toless)
        return false;
    n = mime_addresses_header(mime, "To", &to);
    empty = n > 0 && !mime_addresses_next(&to, &at);
    mime_addresses_clear(&to);
    if (!empty || mime_write_changed(mime, &change, 1, &less, NULL)) {
        buf_wipe(&less);
        return false;
    }
    buf_wipe(&d->head);
    d->head = less;
    d->toless = true;
    return true;
}

/* A refusal that may be about the message that is answered, or about the
 * command: it is not there any more (150), SmartReply is not served. The mail
 * itself may go all the same. A full mailbox or a throttle is not of these. */
static bool
smart_drop(struct deliver *d)
{
    const struct eas_status *s =
        eas_status_find(EAS_CMD_SMARTREPLY, d->answer.status);

    bool about_it = d->answer.status == STATUS_NOT_SENT ||
                    s->err == E_MISSING || s->err == E_REMOTE ||
                    s->err == E_DENIED || s->err == E_BUG ||
                    s->err == E_INPUT;

    if (!d->smart || d->answer.reaction == EAS_OK || !about_it ||
        d->answer.status == STATUS_SENT_BEFORE)
        return false;
    log_info("outbox", "id=%s status %d, is sent plainly", d->id,
             d->answer.status);
    d->smart = false;
    return true;
}

/* SENT, and what it answers is marked, in one commit. */
static int
sent_book(struct deliver *d)
{
    struct err e;

    if (store_begin(d->ob->store, &e)) {
        log_error("outbox", "id=%s could not be booked: %s", d->id, e.text);
        return -1;
    }
    if (state_set(d, STORE_QUEUE_SENT, 0, "") ||
        (d->row.save_in_sent &&
         outbox_sent_enter(d->ob, d->id, buf_slice(&d->head), &e))) {
        store_rollback(d->ob->store);
        return -1;
    }
    outbox_source_mark(d->ob, &d->source);
    return store_commit(d->ob->store, &e);
}

static enum flow_next
deliver_answer(void *self)
{
    struct deliver *d = self;
    struct err e;

    if (d->failed.code && !d->stale)
        outbox_transport_failed(d->ob, d->id);
    if (d->failed.code)
        return flow_fail_err(&d->flow, &d->failed);
    if (smart_drop(d))
        return FLOW_BACK;
    if (d->answer.status == STATUS_NOT_SENT && to_drop(d)) {
        log_info("outbox", "id=%s is tried without To", d->id);
        return FLOW_BACK;
    }
    if (d->answer.reaction != EAS_OK &&
        d->answer.status != STATUS_SENT_BEFORE) {
        eas_status_err(&e, EAS_CMD_SENDMAIL, d->answer.status);
        if (!e.code)
            e.code = E_REMOTE;
        return flow_fail_err(&d->flow, &e);
    }
    if (sent_book(d)) {
        /* It stays SENDING, and Sent will tell. */
        d->answer.maybe = true;
        return flow_fail(&d->flow, E_FULL, "it was accepted, which could not "
                                           "be booked");
    }
    return FLOW_NEXT;
}
