/*
 * A usable certificate for each address: what the store knows first, then
 * Exchange, whose answers are kept. The outbox calls this.
 */
#include "certs/certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "certs/private.h"
#include "eas/eas.h"
#include "loop/flow.h"
#include "store/certificate.h"

#define TIMEOUT_MS 20000
#define FRESH_S (7 * 86400) /* an answer of Exchange stands so long */
#define NEGATIVE_S 300      /* and its "none" so long */
#define ASK_MAX 100u

struct find {
    struct op *op;
    struct flow flow;
    struct certs *certs;
    struct certs_found found, *out;
    struct loop_timer timer;
    const char **ask; /* addresses for Exchange, borrowed from found */
    size_t nask;
    struct eas_people people;
    bool asked, failed;
    size_t at, member; /* whose certificate is validated */
    struct eas_validate_answer answer;
    char validating[65]; /* its fingerprint, while the server is asked */
};

static flow_step_fn find_known, find_ask, find_keep, find_decide, find_validate;
static flow_step_fn *const find_steps[] = {
    find_known,  /* what the store has; whom to ask Exchange about */
    find_ask,
    find_keep,   /* its answer goes into the store */
    find_decide, /* the newest usable one of each */
    find_validate, /* has the server heard that it was revoked? */
    NULL,
};

struct certs *
certs_new(const struct certs_config *c)
{
    struct certs *cs = xcalloc(1, sizeof *cs);

    cs->loop = c->loop;
    cs->store = c->store;
    cs->eas = c->eas;
    cs->anchors = certs_anchors_ref(c->anchors);
    cs->timeout_ms = c->timeout_ms ? c->timeout_ms : TIMEOUT_MS;
    cs->harvest = c->harvest;
    return cs;
}

void
certs_free(struct certs **cp)
{
    if (!*cp)
        return;
    certs_anchors_unref(&(*cp)->anchors);
    certs_issuers_clear(*cp);
    free(*cp);
    *cp = NULL;
}

void
certs_set_anchors(struct certs *cs, struct certs_anchors *a)
{
    certs_anchors_unref(&cs->anchors);
    cs->anchors = certs_anchors_ref(a);
    certs_judged_clear(cs);
}

void
certs_set_manners(struct certs *cs, int64_t timeout_ms, bool harvest)
{
    cs->timeout_ms = timeout_ms ? timeout_ms : TIMEOUT_MS;
    cs->harvest = harvest;
}

struct certs_anchors *
certs_anchors(struct certs *cs)
{
    return cs->anchors;
}

void
certs_found_clear(struct certs_found *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->list[i].address);
        certs_one_drop(&f->list[i]);
        free(f->list[i].capabilities);
    }
    free(f->list);
    *f = (struct certs_found){0};
}

static void
find_end(void *self, const struct err *err)
{
    struct find *f = self;
    struct op *op = f->op;
    struct err copy = err ? *err : (struct err){0};

    if (op_wanted(op) && !err)
        *f->out = f->found;
    else
        certs_found_clear(&f->found);
    loop_timer_clear(&f->timer);
    eas_people_clear(&f->people);
    free(f->ask);
    free(f);
    op_finish(&op, copy.code ? &copy : NULL);
}

static void
find_stop(void *self)
{
    struct find *f = self;

    flow_cancel(&f->flow);
}

struct op *
certs_find(struct certs *cs, const char *const *addresses, size_t n,
           struct certs_found *out, op_done_fn *done, void *arg)
{
    struct find *f = xcalloc(1, sizeof *f);

    f->certs = cs;
    f->out = out;
    f->found.list = xcalloc(n, sizeof *f->found.list);
    f->found.n = n;
    f->ask = xcalloc(n, sizeof *f->ask);
    for (size_t i = 0; i < n; i++) {
        char *a = f->found.list[i].address = xstrdup(addresses[i]);

        for (; *a; a++) /* as they are kept */
            *a = (char)ascii_lower((unsigned char)*a);
    }
    f->op = op_new(find_stop, f, done, arg);
    flow_start(&f->flow, find_steps, find_end, f);
    return f->op;
}

/* ---- what the store knows ---- */

static X509 *
cert_parse(struct slice der)
{
    const unsigned char *p = (const unsigned char *)der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);

    ERR_clear_error();
    return x;
}

/* The newest usable one; else the best reason why not. */
static int
known_best(struct certs *cs, struct certs_one *one, struct err *e)
{
    struct arena *a = arena_new();
    struct store_cert row;
    int64_t after = 0, now = now_unix();
    int rc;

    certs_one_drop(one);
    one->why = (struct certs_judgment){CERTS_NOT_FOUND,
                                       "no certificate was found"};
    while ((rc = store_cert_next(cs->store, one->address, &after, a, &row,
                                 e)) == 1) {
        X509 *x = cert_parse(row.der);
        struct certs_judgment j;

        if (!x)
            continue;
        if (row.refused || row.candidate)
            j = (struct certs_judgment){
                CERTS_CANDIDATE, "waits to be accepted (sealpostctl cert "
                                 "accept)"};
        else if (certs_validated(cs, row.fingerprint) == CERTS_SAID_NO)
            j = (struct certs_judgment){CERTS_REVOKED,
                                        "revoked, says the server"};
        else if (certs_judged_good(cs, &row, one->address, now))
            j = (struct certs_judgment){.why = CERTS_OK};
        else
            certs_trust_judge(cs->anchors, x, certs_issuers(cs),
                              CERTS_ENCRYPT, one->address, now,
                              row.source == STORE_CERT_PINNED, &j);
        if (j.why == CERTS_OK && !certs_judged_good(cs, &row, one->address,
                                                    now))
            certs_judged_keep(cs, &row, one->address, now);
        if (j.why == CERTS_OK &&
            (!one->cert || ASN1_TIME_compare(X509_get0_notBefore(x),
                                             X509_get0_notBefore(one->cert)) >
                               0)) {
            X509_free(one->cert);
            X509_up_ref(x);
            one->cert = x;
            one->why = j;
            free(one->capabilities);
            one->capabilities =
                row.capabilities.n
                    ? xmemdup(row.capabilities.p, row.capabilities.n)
                    : NULL;
            one->capabilities_len = row.capabilities.n;
        } else if (!one->cert && one->why.why == CERTS_NOT_FOUND) {
            one->why = j;
        }
        X509_free(x);
    }
    arena_free(&a);
    return rc;
}

static bool
worth_asking(struct certs *cs, const struct certs_one *one)
{
    struct store_lookup l;

    if (!cs->eas)
        return false;
    if (store_lookup_get(cs->store, one->address, STORE_CERT_EXCHANGE, &l,
                         NULL) != 1)
        return true;
    return now_unix() - l.when > (l.found ? FRESH_S : NEGATIVE_S) ||
           l.when > now_unix();
}

static enum flow_next
find_known(void *self)
{
    struct find *f = self;
    struct err e;

    for (size_t i = 0; i < f->found.n; i++) {
        struct certs_one *one = &f->found.list[i];

        if (known_best(f->certs, one, &e))
            return flow_fail_err(&f->flow, &e);
        if (!one->cert && worth_asking(f->certs, one) && f->nask < ASK_MAX)
            f->ask[f->nask++] = one->address;
    }
    return FLOW_NEXT;
}

/* ---- Exchange ---- */

/* Its failure is not ours: the address then counts as "not asked". */
static void
on_people(void *arg, const struct err *err)
{
    struct find *f = arg;

    loop_timer_stop(&f->timer);
    f->failed = err != NULL;
    if (err)
        log_info("certs", "Exchange could not be asked: %s", err->text);
    flow_wake(&f->flow, NULL);
}

static void
on_timeout(void *arg)
{
    struct find *f = arg;
    struct op *op;

    op_cancel(&f->flow.op);
    f->failed = true;
    op = op_decided(NULL, flow_wake, &f->flow);
    op_hold(&f->flow.op, op);
}

static enum flow_next
find_ask(void *self)
{
    struct find *f = self;

    if (!f->nask)
        return FLOW_NEXT;
    f->asked = true;
    loop_timer_init(&f->timer, on_timeout, f);
    loop_timer_set(&f->timer, f->certs->timeout_ms);
    return flow_wait(&f->flow, eas_resolve(f->certs->eas, f->ask, f->nask,
                                           &f->people, on_people, f));
}

static int
person_keep(struct certs *cs, const struct eas_person *p, struct err *e)
{
    char address[400];
    size_t kept = 0;

    if (!slice_copy(slice_of(p->asked), address, sizeof address))
        return 0;
    for (char *c = address; *c; c++)
        *c = (char)ascii_lower((unsigned char)*c);
    if (p->is_list) /* members.c; who is in it may change every day */
        return 0;
    for (size_t i = 0; i < p->ncerts && p->status == 1; i++) {
        X509 *x = cert_parse(p->certs[i]);
        char fp[65];
        struct store_cert row = {
            .fingerprint = fp,
            .address = address,
            .der = p->certs[i],
            .source = STORE_CERT_EXCHANGE,
        };

        if (!x || certs_fingerprint(x, fp)) {
            X509_free(x);
            continue;
        }
        X509_free(x);
        if (store_cert_put(cs->store, &row, e))
            return -1;
        kept++;
    }
    return store_lookup_set(cs->store, address, STORE_CERT_EXCHANGE, kept > 0,
                            e);
}

static enum flow_next
find_keep(void *self)
{
    struct find *f = self;
    struct err e;

    if (!f->asked || f->failed)
        return FLOW_NEXT;
    if (store_begin(f->certs->store, &e))
        return flow_fail_err(&f->flow, &e);
    for (size_t i = 0; i < f->people.n; i++)
        if (person_keep(f->certs, &f->people.people[i], &e)) {
            store_rollback(f->certs->store);
            return flow_fail_err(&f->flow, &e);
        }
    /* A server that knows no certificates answers nothing at all. */
    for (size_t i = 0; i < f->nask && !f->people.n; i++)
        store_lookup_set(f->certs->store, f->ask[i], STORE_CERT_EXCHANGE,
                         false, NULL);
    if (store_commit(f->certs->store, &e))
        return flow_fail_err(&f->flow, &e);
    return FLOW_NEXT;
}

static bool
was_asked(const struct find *f, const char *address)
{
    for (size_t i = 0; i < f->nask; i++)
        if (f->ask[i] == address)
            return true;
    return false;
}

/* Is it a list, and has every member one? */
static void
list_take(struct find *f, struct certs_one *one)
{
    for (size_t i = 0; i < f->people.n; i++) {
        const struct eas_person *p = &f->people.people[i];

        if (p->is_list && strcmp(p->asked, one->address) == 0)
            certs_members_take(f->certs, p, one);
    }
}

static enum flow_next
find_decide(void *self)
{
    struct find *f = self;
    struct err e;

    for (size_t i = 0; i < f->found.n; i++) {
        struct certs_one *one = &f->found.list[i];

        if (one->cert || !was_asked(f, one->address))
            continue;
        if (!f->failed && known_best(f->certs, one, &e))
            return flow_fail_err(&f->flow, &e);
        if (!f->failed && !one->cert)
            list_take(f, one);
        if (f->failed && one->why.why == CERTS_NOT_FOUND)
            one->why = (struct certs_judgment){
                CERTS_NOT_ASKED,
                "the server could not be asked for a certificate"};
    }
    return FLOW_NEXT;
}

/* ---- ValidateCert ---- */

static void
on_validated(void *arg, const struct err *err)
{
    struct find *f = arg;

    loop_timer_stop(&f->timer);
    certs_validate_book(f->certs, f->validating, err ? NULL : &f->answer,
                        err);
    flow_wake(&f->flow, NULL);
}

static void
on_validate_timeout(void *arg)
{
    struct find *f = arg;
    struct err e;

    op_cancel(&f->flow.op);
    err_set(&e, E_RETRY, "ValidateCert: no answer in time");
    certs_validate_book(f->certs, f->validating, NULL, &e);
    op_hold(&f->flow.op, op_decided(NULL, flow_wake, &f->flow));
}

/* A no that is old is asked for again, and stands while nobody answers. */
static void
refuse_revoked(struct certs *cs, struct certs_one *one, const char *fp)
{
    if (certs_validated(cs, fp) != CERTS_SAID_NO_LONG_AGO)
        return;
    certs_one_drop(one);
    one->why = (struct certs_judgment){CERTS_REVOKED,
                                       "revoked, said the server"};
}

/* What the server just said. After a no the next best is chosen, and asked
 * about; a list that has such a member does not count. */
static int
validated_take(struct find *f, struct err *e)
{
    struct certs_one *one = &f->found.list[f->at];
    bool no = *f->validating &&
              certs_validated(f->certs, f->validating) == CERTS_SAID_NO;

    if (*f->validating)
        refuse_revoked(f->certs, one, f->validating);
    f->validating[0] = '\0';
    if (!no)
        return 0;
    f->member = 0;
    return known_best(f->certs, one, e);
}

/* The next certificate that was chosen and not looked at yet; NULL. */
static X509 *
validate_next(struct find *f)
{
    for (; f->at < f->found.n; f->at++, f->member = 0) {
        struct certs_one *one = &f->found.list[f->at];

        size_t i = f->member++;

        if (one->cert && i == 0)
            return one->cert;
        if (one->cert && i - 1 < one->nmore)
            return one->more[i - 1];
    }
    return NULL;
}

static enum flow_next
find_validate(void *self)
{
    struct find *f = self;
    struct certs *cs = f->certs;
    struct err e;
    X509 *x;

    if (f->at < f->found.n && validated_take(f, &e))
        return flow_fail_err(&f->flow, &e);
    while ((x = validate_next(f))) {
        struct op *op;

        if (certs_fingerprint(x, f->validating))
            continue;
        op = certs_validate(cs, x, f->validating, &f->answer, on_validated, f);
        if (op) {
            loop_timer_clear(&f->timer);
            loop_timer_init(&f->timer, on_validate_timeout, f);
            loop_timer_set(&f->timer, cs->timeout_ms);
            return flow_wait_again(&f->flow, op);
        }
        refuse_revoked(cs, &f->found.list[f->at], f->validating);
        f->validating[0] = '\0';
    }
    return FLOW_NEXT;
}
