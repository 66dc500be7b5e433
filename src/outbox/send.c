/*
 * One message on its way out, from the accepted DATA to Exchange: what is
 * wanted, whether it can be done, sealing, and handing over. Called by
 * outbox.c for each submission that is NEW, at the first try and after a
 * restart alike; nothing has left before the last step.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/code.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "eas/eas.h"
#include "keys/keys.h"
#include "mime/address.h"
#include "outbox/private.h"
#include "store/body.h"

struct send {
    struct op *op;
    struct flow flow;
    struct outbox *ob;
    struct arena *arena;
    char id[16];
    struct store_submission row;
    const char **recipients;
    size_t n;
    struct buf mime;
    struct outbox_letter letter;
    const char *sender; /* the address in From as it leaves */
    const char *from;   /* the field when it is rewritten */
    struct outbox_policy policy;
    struct outbox_want want;
    struct outbox_verdict verdict;
    struct certs_found found;
    const struct key *signer, *own;
    size_t copies; /* still to be made; the last one is the main one */
    bool counted;
    size_t size; /* as it was submitted */
    const struct store_submission *child; /* just booked */
    struct buf sealed;
};

static flow_step_fn send_row, send_load, send_read, send_from, send_guard,
    send_connect, send_want, send_certs, send_settle, send_unlock, send_seal,
    send_deliver;

static flow_step_fn *const send_steps[] = {
    send_row,
    send_load,
    send_read,    /* wish, envelope and headers made equal, in a worker */
    send_from,    /* may it be sent in this name? */
    send_guard,   /* does it answer mail that arrived encrypted? */
    send_connect, /* what does the server's policy demand? */
    send_want,    /* is it to be signed, sealed? */
    send_certs,   /* a certificate for every recipient */
    send_settle,  /* knowing them: clear, signed, sealed or refused */
    send_unlock,  /* our keys */
    send_seal,    /* sign and encrypt, in a worker; once per submission */
    send_deliver, /* EAS SendMail */
    NULL,
};

static void
send_end(void *self, const struct err *err)
{
    struct send *s = self;
    struct op *op = s->op;
    struct err copy = err ? *err : (struct err){0};

    outbox_letter_clear(&s->letter);
    certs_found_clear(&s->found);
    buf_wipe(&s->mime);
    buf_wipe(&s->sealed);
    arena_free(&s->arena);
    free(s);
    op_finish(&op, copy.code ? &copy : NULL);
}

static void
send_stop(void *self)
{
    struct send *s = self;

    flow_cancel(&s->flow);
}

struct op *
outbox_send(struct outbox *ob, const char *id, op_done_fn *done, void *arg)
{
    struct send *s = xcalloc(1, sizeof *s);

    s->ob = ob;
    s->arena = arena_new();
    slice_copy(slice_of(id), s->id, sizeof s->id);
    buf_init(&s->mime, OUTBOX_MAX);
    buf_init(&s->sealed, OUTBOX_MAX);
    s->op = op_new(send_stop, s, done, arg);
    flow_start(&s->flow, send_steps, send_end, s);
    return s->op;
}

/* ---- what it is ---- */

/* Copies that an earlier try left behind: none of them has left, since they
 * wait for this one. */
static int
children_remove(struct send *s, struct err *e)
{
    struct list *node, *after;

    LIST_EACH(&s->ob->entries, node, after) {
        struct outbox_entry *en = LIST_OBJECT(node, struct outbox_entry, node);

        if (strcmp(en->parent, s->id) != 0)
            continue;
        if (store_queue_remove(s->ob->store, en->id, e))
            return -1;
        outbox_entry_free(en);
    }
    return 0;
}

static enum flow_next
send_row(void *self)
{
    struct send *s = self;
    struct slice rest, one;
    struct err e;
    int rc = store_queue_get(s->ob->store, s->id, s->arena, &s->row, &e);

    if (rc == 0)
        return flow_fail(&s->flow, E_MISSING, "it is not in the queue");
    if (rc < 0 || children_remove(s, &e))
        return flow_fail_err(&s->flow, &e);
    s->recipients = arena_alloc(s->arena, (strlen(s->row.recipients) + 1) *
                                              sizeof *s->recipients);
    rest = slice_of(s->row.recipients);
    while (rest.n && slice_next(&rest, ' ', &one))
        if (one.n)
            s->recipients[s->n++] = arena_dup(s->arena, one);
    return FLOW_NEXT;
}

static enum flow_next
send_load(void *self)
{
    struct send *s = self;

    return flow_wait(&s->flow, store_queue_load(s->ob->store, s->id, false,
                                                &s->mime, flow_wake,
                                                &s->flow));
}

static enum flow_next
send_read(void *self)
{
    struct send *s = self;

    return flow_wait(&s->flow,
                     outbox_seal_read(s->ob->crypto, &s->mime, s->recipients,
                                      s->n, &s->letter, flow_wake, &s->flow));
}

static void
from_rewrite(struct send *s)
{
    s->sender = arena_strdup(s->arena, s->ob->settings->address);
    s->from = arena_printf(s->arena, "From: %s\r\n", s->sender);
}

static enum flow_next
send_from(void *self)
{
    struct send *s = self;
    const struct outbox_letter *l = &s->letter;
    enum settings_from how = s->ob->settings->from;

    if (l->from_fields > 1)
        return flow_fail(&s->flow, E_INPUT, "the message has several From "
                                            "fields");
    if (!l->nfrom && how == SETTINGS_FROM_REWRITE) {
        from_rewrite(s);
        return FLOW_NEXT;
    }
    if (!l->nfrom)
        return flow_fail(&s->flow, E_INPUT, "the message has no From");
    s->sender = l->from[0];
    for (size_t i = 0; i < l->nfrom && how != SETTINGS_FROM_ALLOW; i++) {
        if (outbox_is_own(s->ob, l->from[i]))
            continue;
        if (how == SETTINGS_FROM_REWRITE) {
            from_rewrite(s);
            return FLOW_NEXT;
        }
        return flow_fail(&s->flow, E_DENIED,
                         "From %.120s is not an address of this account",
                         l->from[i]);
    }
    return FLOW_NEXT;
}

static enum flow_next
send_guard(void *self)
{
    struct send *s = self;
    struct err e;

    for (size_t i = 0; i < s->letter.nreferences; i++) {
        int rc = store_view_was_encrypted(s->ob->store,
                                          s->letter.references[i], &e);

        if (rc < 0)
            return flow_fail_err(&s->flow, &e);
        if (rc)
            s->letter.facts.secret_reply = true;
    }
    return FLOW_NEXT;
}

/* ---- what is to become of it ---- */

static void
on_connected(void *arg, const struct err *err)
{
    struct send *s = arg;

    if (err)
        outbox_transport_failed(s->ob, s->id);
    flow_wake(&s->flow, err);
}

/* The server's policy comes with the first connection of a run. */
static enum flow_next
send_connect(void *self)
{
    struct send *s = self;

    if (outbox_knows_policy(s->ob))
        return FLOW_NEXT;
    return flow_wait(&s->flow, eas_connect(s->ob->eas, on_connected, s));
}

static enum flow_next
send_want(void *self)
{
    struct send *s = self;
    struct err e;

    if (!outbox_knows_policy(s->ob))
        return flow_fail(&s->flow, E_RETRY, "the server's policy is not "
                                            "known");
    outbox_policy_of(s->ob->settings, eas_policy(s->ob->eas), &s->policy);
    if (outbox_policy_want(&s->policy, &s->letter.facts, &s->want, &e))
        return flow_fail_err(&s->flow, &e);
    return FLOW_NEXT;
}

static enum flow_next
send_certs(void *self)
{
    struct send *s = self;

    if (s->want.pass || s->want.encrypt == OUTBOX_CLEAR)
        return FLOW_NEXT;
    return flow_wait(&s->flow,
                     certs_find(s->ob->certs, s->recipients, s->n, &s->found,
                                flow_wake, &s->flow));
}

static enum flow_next
send_settle(void *self)
{
    struct send *s = self;
    int64_t age = now_unix() - s->row.created;
    bool waited = age >= s->ob->settings->lookup_wait;
    struct err e;

    /* Another way to deal with a missing one is not built; the settings
     * refuse it, and so does this. */
    if (s->ob->settings->missing_certificate != SETTINGS_MISSING_REJECT)
        return flow_fail(&s->flow, E_BUG, "missing_certificate is not built");
    if (outbox_policy_settle(&s->want, &s->found, waited, &s->verdict, &e))
        return flow_fail_err(&s->flow, &e);
    return FLOW_NEXT;
}

static const struct key *
own_find(const struct send *s, struct err *e)
{
    const struct key *k =
        keys_find_own(s->ob->keys, s->sender, now_unix(), e);

    return k ? k
             : keys_find_own(s->ob->keys, s->ob->settings->address,
                             now_unix(), NULL);
}

/* Keys in files are always awake; that they are there at all is seen here. */
static enum flow_next
send_unlock(void *self)
{
    struct send *s = self;
    struct err e;

    if (!s->verdict.sign && !s->verdict.encrypt)
        return FLOW_NEXT;
    if (s->verdict.sign &&
        !(s->signer =
              keys_find_sender(s->ob->keys, s->sender, now_unix(), &e))) {
        if (s->want.sign_sealed)
            err_add(&e, "encrypted mail is signed too, unless it says "
                        "sign=no");
        return flow_fail_err(&s->flow, &e);
    }
    s->own = own_find(s, &e);
    if (!s->own && s->verdict.encrypt && s->ob->settings->encrypt_to_self) {
        err_add(&e, "encrypt_to_self");
        return flow_fail_err(&s->flow, &e);
    }
    return FLOW_NEXT;
}

/* ---- sealing: the copies of hidden recipients, then the main one ---- */

static void
found_pick(const struct send *s, const char *const *who, size_t n,
           struct certs_found *out)
{
    out->list = arena_alloc(s->arena, (n + 1) * sizeof *out->list);
    out->n = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < s->n && k < s->found.n; k++)
            if (strcmp(s->recipients[k], who[i]) == 0) {
                out->list[out->n++] = s->found.list[k];
                break;
            }
}

static size_t
copies_count(const struct send *s)
{
    const struct outbox_envelope *env = &s->letter.envelope;

    if (!s->verdict.encrypt)
        return 1;
    return env->nhidden + (env->nvisible ? 1 : 0);
}

/* The hidden recipient that copy i (0 is the main one) is for, or NULL. */
static const char *
copy_hidden(const struct send *s, size_t i)
{
    const struct outbox_envelope *env = &s->letter.envelope;

    if (!s->verdict.encrypt || (!i && env->nvisible))
        return NULL;
    return env->hidden[env->nvisible ? i - 1 : i];
}

static enum flow_next
copy_make(struct send *s, size_t i)
{
    const struct outbox_envelope *env = &s->letter.envelope;
    const char *only = copy_hidden(s, i);
    struct certs_found found = {0};
    struct outbox_copy c = {
        .sign = s->verdict.sign,
        .encrypt = s->verdict.encrypt,
        .pass = s->want.pass,
        .hidden = only != NULL,
        .only = only,
        .from = s->from,
        .message_id = s->row.message_id,
        .date = s->row.created,
        .settings = s->ob->settings,
        .signer = s->signer,
        .own = s->own,
        .to_self = s->own && s->ob->settings->encrypt_to_self,
        .found = &found,
        .hide_subject = s->want.hide_subject,
        .last = i == 0,
    };

    if (s->verdict.encrypt && only)
        found_pick(s, &only, 1, &found);
    else if (s->verdict.encrypt)
        found_pick(s, env->visible, env->nvisible, &found);
    if (s->verdict.encrypt && found.n != (only ? 1 : env->nvisible))
        return flow_fail(&s->flow, E_BUG, "a recipient was lost");
    return flow_wait_again(&s->flow,
                           outbox_seal_copy(s->ob->crypto, &s->mime,
                                            &s->letter, &c, &s->sealed,
                                            flow_wake, &s->flow));
}

/* Its own submission: it hangs on the main one and waits for it. */
static enum flow_next
copy_add(struct send *s, size_t i)
{
    char *id = arena_alloc(s->arena, 13);
    char *client_id = arena_alloc(s->arena, 33);
    struct store_submission *q = arena_alloc(s->arena, sizeof *q);

    code_random_hex(id, 6);
    code_random_hex(client_id, 16);
    *q = (struct store_submission){
        .id = id,
        .client_id = client_id,
        .state = STORE_QUEUE_SEALED,
        .sender = s->row.sender,
        .recipients = copy_hidden(s, i),
        .message_id = s->row.message_id,
        .encrypted = s->verdict.encrypt,
        .signed_ = s->verdict.sign,
        .created = s->row.created,
        .next_try = s->row.created,
        .parent = s->id,
    };
    s->child = q;
    return flow_wait_again(&s->flow,
                           store_queue_add(s->ob->store, q, &s->sealed,
                                           flow_wake, &s->flow));
}

static enum flow_next
copy_keep(struct send *s, size_t i)
{
    bool is_signed = s->verdict.sign, encrypted = s->verdict.encrypt;
    struct err e;

    if (i)
        return copy_add(s, i);
    if (s->want.pass) {
        is_signed = s->letter.facts.already == OUTBOX_SIGNED;
        encrypted = s->letter.facts.already == OUTBOX_ENCRYPTED;
    }
    if (store_queue_mark(s->ob->store, s->id, encrypted, is_signed, &e))
        return flow_fail_err(&s->flow, &e);
    return flow_wait_again(&s->flow,
                           store_queue_seal(s->ob->store, s->id, &s->sealed,
                                            flow_wake, &s->flow));
}

static enum flow_next
send_seal(void *self)
{
    struct send *s = self;

    if (s->child)
        outbox_entry_add(s->ob, s->child);
    s->child = NULL;
    if (!s->counted) {
        s->copies = copies_count(s);
        s->size = s->mime.len;
    }
    s->counted = true;
    if (s->sealed.len)
        return copy_keep(s, --s->copies);
    if (s->copies)
        return copy_make(s, s->copies - 1);
    log_info("outbox", "id=%s size=%zu signed=%s encrypted=%s%s", s->id,
             s->size, s->verdict.sign ? "yes" : "no",
             s->verdict.encrypt ? "yes" : "no",
             s->want.pass ? " sealed by the mail program" : "");
    buf_wipe(&s->mime);
    return FLOW_NEXT;
}

static enum flow_next
send_deliver(void *self)
{
    struct send *s = self;

    return flow_wait(&s->flow,
                     outbox_deliver(s->ob, s->id, flow_wake, &s->flow));
}
