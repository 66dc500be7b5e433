/*
 * The two jobs of the outbox in the crypto worker: reading a message once for
 * all that has to be decided, and making the bytes of one submission. The
 * only file beside view/open.c that makes CMS jobs. Nothing that went wrong
 * here leaves bytes behind.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "keys/keys.h"
#include "loop/worker.h"
#include "mime/address.h"
#include "mime/header.h"
#include "mime/message.h"
#include "outbox/private.h"

#define REFERENCES_MAX 200u
#define FIELD_MAX ((size_t)1 << 20)

/* ---- reading ---- */

struct read_job {
    struct worker_job job;
    struct buf mime, *back;
    char **recipients;
    size_t n;
    struct outbox_letter letter, *out;
};

void
outbox_letter_clear(struct outbox_letter *l)
{
    arena_free(&l->arena);
    *l = (struct outbox_letter){0};
}

static enum outbox_already
already(struct slice mime, struct slice header)
{
    struct mime_field f;

    switch (smime_seal_already(mime)) {
    case SMIME_PLAIN:
        return OUTBOX_PLAIN;
    case SMIME_IS_SIGNED:
        return OUTBOX_SIGNED;
    case SMIME_IS_ENCRYPTED:
        return OUTBOX_ENCRYPTED;
    case SMIME_IS_PGP:
        break;
    }
    return mime_header_find(header, "Content-Type", 0, &f) &&
                   slice_istarts(slice_trim(mime_header_skip(f.value)),
                                 "multipart/encrypted")
               ? OUTBOX_PGP_ENCRYPTED
               : OUTBOX_PGP_SIGNED;
}

static void
read_from(struct outbox_letter *l)
{
    struct mime_addresses all = {0};
    const struct mime_address *a;
    struct mime_field f;
    size_t at = 0;

    l->from_fields = mime_addresses_header(l->header, "From", &all);
    l->from = arena_alloc(l->arena, (all.count + 1) * sizeof *l->from);
    while ((a = mime_addresses_next(&all, &at))) {
        struct buf spec = BUF_INIT(2048);

        if (mime_address_spec(a, &spec) == 0 && spec.len)
            l->from[l->nfrom++] = arena_strdup(l->arena, spec.data);
        else
            l->from[l->nfrom++] = "";
        buf_clear(&spec);
    }
    mime_addresses_clear(&all);
    if (mime_header_find(l->header, "From", 0, &f))
        l->from_written = slice_trim(f.value);
}

/* "<id>" by "<id>", whatever stands between. */
static void
read_references(struct outbox_letter *l, const char *name)
{
    const char *value = mime_header_value(l->header, name, l->arena);
    struct slice rest = slice_of(value);

    while (rest.n && l->nreferences < REFERENCES_MAX) {
        size_t from = slice_find(rest, '<');
        struct slice id = slice_from(rest, from);
        size_t to = slice_find(id, '>');

        if (to >= id.n)
            return;
        id = slice_cut(id, 0, to + 1);
        l->references[l->nreferences++] = arena_dup(l->arena, id);
        rest = slice_from(rest, from + id.n);
    }
}

static int
read_wish(struct outbox_letter *l, struct err *e)
{
    const char *login =
        mime_header_value(l->header, OUTBOX_LOGIN_FIELD, l->arena);
    struct buf subject = BUF_INIT(FIELD_MAX);
    int rc = outbox_wish_read(l->header, login ? login : "", &l->facts.wish,
                              e);

    if (rc == 0 && outbox_wish_subject(l->header, &subject))
        rc = err_set(e, E_LIMIT, "the Subject is too long");
    if (rc == 0 && subject.len) {
        l->has_subject_tag = true;
        l->subject = arena_slice(l->arena, buf_slice(&subject));
    }
    buf_clear(&subject);
    return rc;
}

static void
read_run(struct worker_job *job)
{
    struct read_job *j = (struct read_job *)job;
    struct outbox_letter *l = &j->letter;
    struct slice mime = buf_slice(&j->mime);
    struct mime_field f;

    l->arena = arena_new();
    l->header = arena_slice(
        l->arena, slice_cut(mime, 0, mime_header_length(mime)));
    l->references =
        arena_alloc(l->arena, REFERENCES_MAX * sizeof *l->references);
    if (read_wish(l, &job->err) ||
        outbox_envelope_read(l->header, (const char *const *)j->recipients,
                             j->n, l->arena, &l->envelope, &job->err))
        return;
    read_from(l);
    read_references(l, "In-Reply-To");
    read_references(l, "References");
    l->has_date = mime_header_find(l->header, "Date", 0, &f);
    l->has_id = mime_header_find(l->header, "Message-ID", 0, &f);
    l->has_reply_to = mime_header_find(l->header, "Reply-To", 0, &f);
    l->facts.already = already(mime, l->header);
}

/* A job owns the message while it runs, for its flow may end meanwhile. */
static void
mime_back(struct buf *mime, struct buf *to, bool wanted)
{
    if (wanted)
        *to = *mime;
    else
        buf_wipe(mime);
}

static void
mime_take(struct buf *from, struct buf *to)
{
    *to = *from;
    *from = BUF_INIT(to->limit);
}

static void
read_done(struct worker_job *job, bool wanted)
{
    struct read_job *j = (struct read_job *)job;

    if (wanted && !job->err.code)
        *j->out = j->letter;
    else
        outbox_letter_clear(&j->letter);
    mime_back(&j->mime, j->back, wanted);
    for (size_t i = 0; i < j->n; i++)
        free(j->recipients[i]);
    free(j->recipients);
    free(j);
}

/* ---- making one submission ---- */

struct copy_job {
    struct worker_job job;
    struct buf mime, *back;
    /* the letter's parts, copied: the flow may end before the thread does */
    struct arena *arena;
    struct mime_change changes[32];
    size_t nchanges;
    enum outbox_already already;
    struct smime_orders orders;
    struct smime_to *to;
    bool pass, last;
    struct buf made, *out;
};

static void
copy_free(struct copy_job *j)
{
    for (size_t i = 0; i < j->orders.nto; i++)
        X509_free(j->to[i].cert);
    free(j->to);
    X509_free(j->orders.signer);
    X509_free(j->orders.own_encryption);
    EVP_PKEY_free(j->orders.key);
    sk_X509_pop_free(j->orders.chain, X509_free);
    buf_wipe(&j->made);
    arena_free(&j->arena);
    free(j);
}

/* The last look at what leaves: no bare CR or LF, no byte over 127, no NUL. */
static int
made_check(const struct buf *made, struct err *e)
{
    for (size_t i = 0; i < made->len; i++) {
        unsigned char c = (unsigned char)made->data[i];

        if (c > 127 || !c)
            return err_set(e, E_INPUT, "bytes over 127 or NUL in a place of "
                                       "the message that cannot be encoded");
    }
    if (!made->len || !mime_is_crlf(buf_slice(made)))
        return err_set(e, E_BUG, "the message has bare line ends");
    return 0;
}

/* Sealed already: its body stays as it is, byte for byte. */
static int
pass_check(struct slice mime, struct err *e)
{
    struct slice body = slice_from(mime, mime_header_length(mime));

    for (size_t i = 0; i < body.n; i++)
        if ((unsigned char)body.p[i] > 127)
            return err_set(e, E_INPUT,
                           "the mail program has sealed the message with "
                           "8-bit bytes in it, which servers re-encode");
    return 0;
}

static void
copy_run(struct worker_job *job)
{
    struct copy_job *j = (struct copy_job *)job;
    struct buf changed = BUF_INIT(OUTBOX_MAX), seven = BUF_INIT(OUTBOX_MAX);
    struct err *e = &job->err;
    int rc;

    buf_init(&j->made, OUTBOX_MAX);
    rc = mime_write_changed(buf_slice(&j->mime), j->changes, j->nchanges,
                            &changed, e);
    /* Each form of it goes as soon as the next one is there: a large message
     * is in memory twice, not as often as there are forms. */
    if (j->last)
        buf_wipe(&j->mime);
    if (rc == 0)
        rc = outbox_envelope_seven(buf_slice(&changed), &seven, e);
    buf_wipe(&changed);
    if (rc == 0 && j->pass)
        rc = pass_check(buf_slice(&seven), e);
    if (rc == 0 && j->pass) {
        buf_wipe(&j->made);
        j->made = seven;
        seven = BUF_INIT(OUTBOX_MAX);
    } else if (rc == 0 && (j->orders.sign || j->orders.encrypt))
        rc = smime_seal(&j->orders, buf_slice(&seven), &j->made, e);
    else if (rc == 0)
        rc = mime_write_7bit(buf_slice(&seven), NULL, &j->made, e);
    if (rc == 0)
        rc = made_check(&j->made, e);
    if (rc && !e->code)
        err_set(e, E_BUG, "sealing failed without a reason");
    buf_wipe(&seven);
}

static void
copy_done(struct worker_job *job, bool wanted)
{
    struct copy_job *j = (struct copy_job *)job;

    if (wanted && !job->err.code) {
        buf_wipe(j->out);
        *j->out = j->made;
        j->made = BUF_INIT(1);
    }
    mime_back(&j->mime, j->back, wanted);
    copy_free(j);
}

static void
change(struct copy_job *j, const char *name, struct slice field)
{
    j->changes[j->nchanges++] = (struct mime_change){
        .name = name, .field = arena_slice(j->arena, field)};
}

static void
change_text(struct copy_job *j, const char *name, const char *field)
{
    change(j, name, slice_of(field));
}

/* The delivering fields: the common copy keeps To and Cc, one for a hidden
 * recipient names nobody else. */
static void
changes_envelope(struct copy_job *j, const struct outbox_envelope *env,
                 const struct outbox_copy *c)
{
    struct buf bcc = BUF_INIT(FIELD_MAX);

    if (c->hidden) {
        /* Bcc alone (SMIME.md S5): a real server was seen to refuse a mail
         * whose To is an empty group. */
        change_text(j, "To", "");
        change_text(j, "Cc", "");
        change_text(j, "Resent-*", "");
        outbox_envelope_bcc(&c->only, 1, &bcc);
    } else if (!c->encrypt) {
        outbox_envelope_bcc(env->hidden, env->nhidden, &bcc);
    }
    for (size_t i = 0; i < env->nchanges && !c->hidden; i++)
        if (strcmp(env->changes[i].name, "Bcc") != 0)
            change(j, env->changes[i].name, env->changes[i].field);
    change(j, "Bcc", buf_slice(&bcc));
    buf_clear(&bcc);
}

static void
changes_make(struct copy_job *j, const struct outbox_letter *l,
             const struct outbox_copy *c)
{
    struct buf date = BUF_INIT(100), id = BUF_INIT(1000);

    changes_envelope(j, &l->envelope, c);
    if (c->from)
        change_text(j, "From", c->from);
    if (c->from && !l->has_reply_to) {
        struct buf reply = BUF_INIT(FIELD_MAX);

        buf_adds(&reply, "Reply-To: ");
        buf_add_slice(&reply, l->from_written);
        buf_adds(&reply, "\r\n");
        change(j, "Reply-To", buf_slice(&reply));
        buf_clear(&reply);
    }
    if (l->has_subject_tag)
        change(j, "Subject", l->subject);
    if (!l->has_date) {
        mime_write_date("Date", c->date, 0, &date);
        change(j, "Date", buf_slice(&date));
    }
    if (!l->has_id) {
        buf_addf(&id, "Message-ID: %s\r\n", c->message_id);
        change(j, "Message-ID", buf_slice(&id));
    }
    change_text(j, "Return-Path", "");
    change_text(j, "X-Sealpost*", "");
    buf_clear(&date);
    buf_clear(&id);
}

static enum smime_protect
protect_of(const struct outbox_copy *c)
{
    if (c->hide_subject && c->encrypt)
        return SMIME_PROTECT_HIDE;
    switch (c->settings->protect_headers) {
    case SETTINGS_PROTECT_OFF:
        return SMIME_PROTECT_OFF;
    case SETTINGS_PROTECT_HIDE:
        return SMIME_PROTECT_HIDE;
    default:
        return SMIME_PROTECT_COPY;
    }
}

static void
orders_sign(struct copy_job *j, const struct outbox_copy *c)
{
    struct smime_orders *o = &j->orders;

    o->signer = key_cert(c->signer);
    X509_up_ref(o->signer);
    o->key = key_private(c->signer);
    if (key_chain(c->signer))
        o->chain = X509_chain_up_ref(key_chain(c->signer));
    if (c->own && c->own != c->signer) {
        o->own_encryption = key_cert(c->own);
        X509_up_ref(o->own_encryption);
    }
}

/* The recipients of this copy and ourselves, one cipher for all. */
static int
orders_encrypt(struct copy_job *j, const struct outbox_copy *c, struct err *e)
{
    struct smime_orders *o = &j->orders;
    size_t n = c->found->n, more = 0;
    bool *oaep = arena_alloc(j->arena, n + 1);

    if (!n)
        return err_set(e, E_NOCERT, "there is nobody to encrypt to");
    if (certs_cipher(c->found, &o->cipher, oaep, e))
        return -1;
    if (o->cipher == SMIME_AES_256_GCM && c->to_self &&
        !c->settings->announce_gcm)
        o->cipher = SMIME_AES_256_CBC; /* our own devices may not read it */
    for (size_t i = 0; i < n; i++)
        more += c->found->list[i].nmore;
    j->to = xcalloc(n + more + 1, sizeof *j->to);
    o->to = j->to;
    for (size_t i = 0; i < n; i++) {
        X509 *x = c->found->list[i].cert;

        if (!x)
            return err_set(e, E_NOCERT, "%.80s has no certificate",
                           c->found->list[i].address);
        X509_up_ref(x);
        j->to[o->nto++] = (struct smime_to){x, oaep[i]};
        for (size_t k = 0; k < c->found->list[i].nmore; k++) {
            x = c->found->list[i].more[k]; /* a list's members */
            X509_up_ref(x);
            j->to[o->nto++] = (struct smime_to){x, false};
        }
    }
    if (c->to_self) {
        X509_up_ref(key_cert(c->own));
        j->to[o->nto++] = (struct smime_to){key_cert(c->own), false};
    }
    return 0;
}

static int
orders_make(struct copy_job *j, const struct outbox_letter *l,
            const struct outbox_copy *c, struct err *e)
{
    struct smime_orders *o = &j->orders;

    j->pass = c->pass;
    j->last = c->last;
    o->sign = c->sign;
    o->encrypt = c->encrypt;
    o->opaque = c->settings->signature == SETTINGS_SIGNATURE_OPAQUE;
    o->announce_gcm = c->settings->announce_gcm;
    o->protect = protect_of(c);
    o->inner_fields = arena_slice(
        j->arena, c->hidden ? l->envelope.written : l->envelope.inner);
    if (c->sign)
        orders_sign(j, c);
    return c->encrypt ? orders_encrypt(j, c, e) : 0;
}

struct op *
outbox_seal_copy(struct worker *w, struct buf *mime,
                 const struct outbox_letter *l, const struct outbox_copy *c,
                 struct buf *out, op_done_fn *done, void *arg)
{
    struct copy_job *j = xcalloc(1, sizeof *j);
    struct err e;

    j->job.run = copy_run;
    j->job.done = copy_done;
    j->arena = arena_new();
    j->out = out;
    changes_make(j, l, c);
    if (orders_make(j, l, c, &e)) {
        copy_free(j);
        return op_decided(&e, done, arg);
    }
    mime_take(mime, &j->mime);
    j->back = mime;
    return worker_run(w, &j->job, done, arg);
}

struct op *
outbox_seal_read(struct worker *w, struct buf *mime,
                 const char *const *recipients, size_t n,
                 struct outbox_letter *out, op_done_fn *done, void *arg)
{
    struct read_job *j = xcalloc(1, sizeof *j);

    j->job.run = read_run;
    j->job.done = read_done;
    mime_take(mime, &j->mime);
    j->back = mime;
    j->recipients = xcalloc(n + 1, sizeof *j->recipients);
    for (size_t i = 0; i < n; i++)
        j->recipients[i] = xstrdup(recipients[i]);
    j->n = n;
    j->out = out;
    return worker_run(w, &j->job, done, arg);
}
