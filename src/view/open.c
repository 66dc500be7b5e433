/*
 * From a message's id to its view: the body from the store or the server, the
 * opening in a worker, the record before anyone is told. The only file beside
 * outbox/seal.c that makes CMS jobs.
 */
#include "view/view.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "certs/certs.h"
#include "eas/eas.h"
#include "keys/keys.h"
#include "loop/flow.h"
#include "loop/worker.h"
#include "mime/header.h"
#include "mime/imap.h"
#include "mime/message.h"
#include "settings/settings.h"
#include "smime/open.h"
#include "smime/verdict.h"
#include "store/body.h"
#include "store/folder.h"
#include "store/message.h"
#include "view/private.h"

#define CACHE_DEFAULT ((size_t)32 << 20)
#define READERS_MAX 64u
#define TEXT_MAX ((size_t)16 << 20)

/* ---- the set ---- */

int
views_new(const struct views_config *c, struct views **out, struct err *e)
{
    struct views *vs = xcalloc(1, sizeof *vs);

    if (!c->authserv_id || !*c->authserv_id) {
        free(vs);
        return err_set(e, E_BUG, "views need an authserv-id");
    }
    vs->loop = c->loop;
    vs->crypto = c->crypto;
    vs->store = c->store;
    vs->eas = c->eas;
    vs->keys = c->keys;
    vs->certs = c->certs;
    vs->authserv_id = xstrdup(c->authserv_id);
    vs->cache_limit = c->cache_bytes ? c->cache_bytes : CACHE_DEFAULT;
    list_init(&vs->cache);
    views_settings(vs, c->settings);
    *out = vs;
    return 0;
}

void
views_settings(struct views *vs, const struct settings_account *s)
{
    vs->original = s && s->undecryptable == SETTINGS_UNDECRYPTABLE_ORIGINAL;
}

void
views_free(struct views **vp)
{
    struct views *vs = *vp;

    if (!vs)
        return;
    view_prepare_free(&vs->prepare);
    view_cache_clear(vs);
    free(vs->authserv_id);
    free(vs);
    *vp = NULL;
}

int
views_summary(struct views *vs, int64_t message, struct arena *a,
              struct view_summary *out, struct err *e)
{
    struct store_view v;
    int rc = store_view_get(vs->store, message, a, &v, e);

    if (rc != 1)
        return rc;
    *out = (struct view_summary){
        .size = v.size,
        .envelope = v.envelope,
        .structure = v.structure,
        .body = v.body,
        .message_id = v.message_id,
        .in_reply_to = v.in_reply_to,
        .result = v.result,
        .encrypted = v.encrypted,
    };
    return 1;
}

/* ---- the job: all that is slow ---- */

struct open_job {
    struct worker_job job;
    /* in */
    struct buf raw;
    X509 *certs[READERS_MAX];
    EVP_PKEY *keys[READERS_MAX];
    size_t nkeys;
    struct certs_anchors *anchors;
    char *authserv_id, *top;
    int64_t now;
    bool original;
    bool was_opened; /* `top` is of a view that could be opened */
    /* out */
    struct smime_report report;
    struct smime_verdict verdict;
    struct buf shown, top_out, envelope, structure, body;
    char *message_id, *in_reply_to;
    unsigned char digest[32];
    struct mime_message *mime;
    /* who waits */
    struct open *open;
};

struct open {
    struct op *op;
    struct flow flow;
    struct views *views;
    int64_t message;
    struct view **out;
    struct arena *arena;
    struct buf raw;
    bool missing, fetched, refused;
    struct eas_place place;
    struct store_view record;
    bool recorded;
    struct open_job *job;
};

static void
job_free(struct open_job *j)
{
    for (size_t i = 0; i < j->nkeys; i++) {
        X509_free(j->certs[i]);
        EVP_PKEY_free(j->keys[i]);
    }
    certs_anchors_unref(&j->anchors);
    smime_report_clear(&j->report);
    mime_message_free(&j->mime);
    buf_wipe(&j->raw);
    buf_wipe(&j->shown);
    buf_wipe(&j->top_out);
    buf_wipe(&j->envelope);
    buf_wipe(&j->structure);
    buf_wipe(&j->body);
    free(j->message_id);
    free(j->in_reply_to);
    free(j->authserv_id);
    free(j->top);
    free(j);
}

static void
job_ids(struct open_job *j)
{
    struct slice head = slice_cut(buf_slice(&j->shown), 0,
                                  mime_header_length(buf_slice(&j->shown)));
    struct arena *a = arena_new();
    const char *id = mime_header_value(head, "message-id", a);
    const char *reply = mime_header_value(head, "in-reply-to", a);

    j->message_id = xstrdup(id ? id : "");
    j->in_reply_to = xstrdup(reply ? reply : "");
    arena_free(&a);
}

static int
job_describe(struct open_job *j, struct err *e)
{
    unsigned n;

    if (EVP_Digest(j->shown.data, j->shown.len, j->digest, &n, EVP_sha256(),
                   NULL) != 1)
        return err_set(e, E_CRYPTO, "digest failed");
    job_ids(j);
    return mime_message_parse(buf_slice(&j->shown), NULL, &j->mime, e) ||
                   mime_imap_envelope(j->mime, NULL, &j->envelope, e) ||
                   mime_imap_structure(j->mime, true, &j->structure, e) ||
                   mime_imap_structure(j->mime, false, &j->body, e)
               ? -1
               : 0;
}

static void
job_run(struct worker_job *job)
{
    struct open_job *j = (struct open_job *)job;
    struct smime_reader readers[READERS_MAX];
    struct smime_ring ring = {.readers = readers, .n = j->nkeys};
    struct view_render_ask ask = {0};
    struct smime_trust *trust;
    size_t ntrust;

    for (size_t i = 0; i < j->nkeys; i++)
        readers[i] = (struct smime_reader){j->certs[i], j->keys[i]};
    if (smime_open(&ring, buf_slice(&j->raw), &j->report, &job->err))
        return;
    trust = certs_trust_report(j->anchors, &j->report, j->now, &ntrust);
    smime_judge(&j->report, trust, ntrust, j->now, &j->verdict);
    free(trust);
    ask.raw = buf_slice(&j->raw);
    ask.report = &j->report;
    ask.verdict = &j->verdict;
    ask.authserv_id = j->authserv_id;
    /* The text on top of an explanation does not fit the readable message. */
    if (j->was_opened || !j->report.encrypted || !j->report.decrypted)
        ask.top = slice_of(j->top);
    ask.undecryptable_original = j->original;
    buf_init(&j->shown, j->raw.len * 2 + j->report.shown.len + (1 << 20));
    buf_init(&j->top_out, 1 << 20);
    buf_init(&j->envelope, TEXT_MAX);
    buf_init(&j->structure, TEXT_MAX);
    buf_init(&j->body, TEXT_MAX);
    if (view_render(&ask, &j->shown, &j->top_out, &job->err) == 0)
        job_describe(j, &job->err);
}

/* ---- the flow ---- */

static flow_step_fn open_find, open_load, open_fetch, open_save, open_reload,
    open_run, open_record, open_flush, open_give;

static flow_step_fn *const open_steps[] = {
    open_find,   /* where it is, what was recorded */
    open_load,   /* the body, if it is here */
    open_fetch,  /* else from the server, ahead of the backfill */
    open_save,   /* kept even if the client leaves */
    open_reload,
    open_run,    /* decrypt, verify, render, in a worker */
    open_record, /* before anyone is told */
    open_flush,
    open_give,
    NULL,
};

static void
open_end(void *self, const struct err *err)
{
    struct open *o = self;
    struct op *op = o->op;
    struct err copy = err ? *err : (struct err){0};

    if (o->job)
        job_free(o->job);
    buf_wipe(&o->raw);
    arena_free(&o->arena);
    free(o);
    op_finish(&op, copy.code ? &copy : NULL);
}

static void
open_stop(void *self)
{
    struct open *o = self;

    flow_cancel(&o->flow);
}

struct op *
view_open(struct views *vs, int64_t message, struct view **out,
          op_done_fn *done, void *arg)
{
    store_body_touch(vs->store, message, NULL);
    return view_open_ahead(vs, message, out, done, arg);
}

struct op *
view_open_ahead(struct views *vs, int64_t message, struct view **out,
                op_done_fn *done, void *arg)
{
    struct view *v = view_cache_find(vs, message);
    struct open *o;

    if (v) {
        *out = v;
        return op_decided(NULL, done, arg);
    }
    o = xcalloc(1, sizeof *o);
    o->views = vs;
    o->message = message;
    o->out = out;
    o->arena = arena_new();
    buf_init(&o->raw, STORE_BODY_MAX);
    o->op = op_new(open_stop, o, done, arg);
    flow_start(&o->flow, open_steps, open_end, o);
    return o->op;
}

static enum flow_next
open_find(void *self)
{
    struct open *o = self;
    struct store *s = o->views->store;
    const struct store_folder *f;
    struct store_message m;
    struct err e;
    int rc;

    if (store_message_get(s, o->message, o->arena, &m, &e))
        return flow_fail_err(&o->flow, &e);
    rc = store_view_get(s, o->message, o->arena, &o->record, &e);
    if (rc < 0)
        return flow_fail_err(&o->flow, &e);
    o->recorded = rc == 1;
    o->missing = m.body == STORE_BODY_ABSENT;
    f = store_folder_get(s, m.collection);
    if (o->missing && (!f || !*m.server_id))
        return flow_fail(&o->flow, E_MISSING,
                         "the message is not here and its place on the "
                         "server is not known");
    if (f) {
        o->place.collection = arena_strdup(o->arena, f->server_id);
        o->place.server_id = m.server_id;
    }
    return FLOW_NEXT;
}

static enum flow_next
open_load(void *self)
{
    struct open *o = self;

    if (o->missing)
        return FLOW_NEXT;
    return flow_wait(&o->flow, store_body_load(o->views->store, o->message,
                                               &o->raw, flow_wake, &o->flow));
}

static void
on_body(void *arg, size_t index, int status, struct slice mime, bool truncated)
{
    struct open *o = arg;

    (void)index;
    buf_reset(&o->raw);
    if (status == 1 && !truncated)
        o->fetched = buf_add_slice(&o->raw, mime) == 0;
    else
        o->refused = true;
}

static enum flow_next
open_fetch(void *self)
{
    struct open *o = self;
    struct eas_fetch_ask ask = {
        .items = &o->place,
        .n = 1,
        .max_body = STORE_BODY_MAX,
        .on_body = on_body,
        .body_arg = o,
    };

    if (!o->missing)
        return FLOW_NEXT;
    if (!o->views->eas)
        return flow_fail(&o->flow, E_RETRY,
                         "the message is not here and the server cannot be "
                         "asked");
    return flow_wait(&o->flow, eas_items_fetch(o->views->eas, &ask, flow_wake,
                                               &o->flow));
}

static enum flow_next
open_save(void *self)
{
    struct open *o = self;
    int tries;

    if (!o->missing)
        return FLOW_NEXT;
    if (!o->fetched) {
        store_body_failed(o->views->store, o->message, &tries, NULL);
        return flow_fail(&o->flow, E_RETRY,
                         "the server does not hand this message out");
    }
    return flow_wait(&o->flow,
                     store_body_save(o->views->store, o->message, &o->raw,
                                     false, flow_wake, &o->flow));
}

/* Saving took the bytes away; the backfill may have been first with others. */
static enum flow_next
open_reload(void *self)
{
    struct open *o = self;
    struct arena *a;
    struct store_view v;
    int rc;

    if (!o->missing)
        return FLOW_NEXT;
    /* It was evicted, and is another one now. */
    a = arena_new();
    rc = o->recorded ? store_view_get(o->views->store, o->message, a, &v, NULL)
                     : 1;
    arena_free(&a);
    if (rc == 0)
        return flow_fail(&o->flow, E_MISSING,
                         "the message came back under a new UID");
    store_body_touch(o->views->store, o->message, NULL);
    return flow_wait(&o->flow, store_body_load(o->views->store, o->message,
                                               &o->raw, flow_wake, &o->flow));
}

static void
job_done(struct worker_job *job, bool wanted)
{
    struct open_job *j = (struct open_job *)job;

    if (wanted && !job->err.code)
        j->open->job = j;
    else
        job_free(j);
}

static enum flow_next
open_run(void *self)
{
    struct open *o = self;
    struct views *vs = o->views;
    struct open_job *j = xcalloc(1, sizeof *j);
    const struct key *k = NULL;

    j->job.run = job_run;
    j->job.done = job_done;
    j->open = o;
    j->raw = o->raw;
    o->raw = BUF_INIT(STORE_BODY_MAX);
    while (vs->keys && j->nkeys < READERS_MAX &&
           (k = keys_next(vs->keys, k))) {
        j->keys[j->nkeys] = key_private(k);
        if (!j->keys[j->nkeys])
            continue;
        j->certs[j->nkeys] = key_cert(k);
        X509_up_ref(j->certs[j->nkeys++]);
    }
    j->anchors = certs_anchors_ref(certs_anchors(vs->certs));
    j->authserv_id = xstrdup(vs->authserv_id);
    j->top = o->recorded ? xstrdup(o->record.verdict) : NULL;
    j->was_opened = o->recorded && o->record.opened;
    j->now = now_unix();
    j->original = vs->original;
    return flow_wait(&o->flow,
                     worker_run(vs->crypto, &j->job, flow_wake, &o->flow));
}

static int
record_new(struct open *o, struct err *e)
{
    struct open_job *j = o->job;
    struct store_view v = {
        .encrypted = j->report.encrypted,
        .opened = !j->report.encrypted || j->report.decrypted,
        .size = j->shown.len,
        .digest = slice_make(j->digest, sizeof j->digest),
        .envelope = buf_slice(&j->envelope).p,
        .structure = buf_slice(&j->structure).p,
        .body = buf_slice(&j->body).p,
        .message_id = j->message_id,
        .in_reply_to = j->in_reply_to,
        .verdict = buf_slice(&j->top_out).p,
        .result = smime_result_name(j->verdict.result),
    };
    char fingerprint[65];
    struct err local;

    if (store_view_set(o->views->store, o->message, &v, e))
        return -1;
    if (j->verdict.result == SMIME_PASS &&
        certs_learn(o->views->certs, &j->report, j->now, fingerprint, &local))
        log_warn("view", "message=%lld certificate not harvested: %s",
                 (long long)o->message, local.text);
    return 0;
}

/* What was told before: the bytes must be the same for this UID. */
static enum flow_next
record_compare(struct open *o)
{
    struct open_job *j = o->job;
    bool opened = !j->report.encrypted || j->report.decrypted;
    struct err e;

    if (slice_eq(o->record.digest, slice_make(j->digest, sizeof j->digest)))
        return FLOW_NEXT;
    if (o->record.opened && !opened)
        return flow_fail(&o->flow, E_LOCKED,
                         "the key for this message is not at hand");
    /* A key came: it leaves under its UID and comes back readable. */
    if (store_begin(o->views->store, &e))
        return flow_fail_err(&o->flow, &e);
    if (store_message_renew(o->views->store, o->message, &e) ||
        record_new(o, &e)) {
        store_rollback(o->views->store);
        return flow_fail_err(&o->flow, &e);
    }
    if (store_commit(o->views->store, &e))
        return flow_fail_err(&o->flow, &e);
    return flow_fail(&o->flow, E_MISSING,
                     "the message came back under a new UID");
}

static enum flow_next
open_record(void *self)
{
    struct open *o = self;
    struct err e;
    int rc;

    if (o->recorded)
        return record_compare(o);
    /* Somebody else may have opened it meanwhile, and told of it. */
    rc = store_view_get(o->views->store, o->message, o->arena, &o->record, &e);
    if (rc == 1 && !slice_eq(o->record.digest,
                             slice_make(o->job->digest, 32)))
        return flow_fail(&o->flow, E_RETRY,
                         "the message was opened twice at one time");
    if (rc < 0 || (rc == 0 && record_new(o, &e)))
        return flow_fail_err(&o->flow, &e);
    return FLOW_NEXT;
}

static enum flow_next
open_flush(void *self)
{
    struct open *o = self;

    if (o->recorded)
        return FLOW_NEXT;
    return flow_wait(&o->flow,
                     store_flush(o->views->store, flow_wake, &o->flow));
}

static enum flow_next
open_give(void *self)
{
    struct open *o = self;
    struct open_job *j = o->job;
    struct view *v = xcalloc(1, sizeof *v);

    v->refs = 1;
    v->message = o->message;
    list_init(&v->node);
    v->bytes = buf_take(&j->shown, &v->len);
    v->mime = j->mime;
    j->mime = NULL;
    view_cache_add(o->views, v);
    if (op_wanted(o->op))
        *o->out = v;
    else
        view_unref(&v);
    return FLOW_NEXT;
}
