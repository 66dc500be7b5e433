/*
 * ResolveRecipients with certificates (MS-ASCMD 2.2.1.15). What comes back
 * is only what the directory says: certs judges it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/code.h"
#include "base/mem.h"
#include "eas/private.h"

#define TO_MAX 100
#define TO_LEN 256
#define CERTS_MAX 200
#define CERT_MAX ((size_t)64 << 10)

struct resolve_call {
    struct eas_call call;
    char **to;
    size_t n;
    bool was_empty; /* the answer, once */
    struct eas_people *out;
};

static int
resolve_build(struct eas_call *c, struct err *e)
{
    struct resolve_call *r = (struct resolve_call *)c;
    struct wbxml_writer *w = &c->req.w;

    (void)e;
    wbxml_write_start(w, RESOLVE_RESOLVE_RECIPIENTS);
    for (size_t i = 0; i < r->n; i++)
        wbxml_write_text(w, RESOLVE_TO, r->to[i]);
    wbxml_write_start(w, RESOLVE_OPTIONS);
    wbxml_write_text(w, RESOLVE_CERTIFICATE_RETRIEVAL, "2");
    wbxml_write_text(w, RESOLVE_MAX_CERTIFICATES, "100");
    wbxml_write_text(w, RESOLVE_MAX_AMBIGUOUS_RECIPIENTS, "5");
    wbxml_write_end(w);
    wbxml_write_end(w);
    return 0;
}

static void
cert_add(struct eas_person *p, struct slice text)
{
    struct buf der = BUF_INIT(CERT_MAX);
    size_t n;
    char *bytes;

    if (p->ncerts >= CERTS_MAX || !text.n ||
        code_base64_parse(&der, text, true) || !der.len) {
        buf_clear(&der);
        return;
    }
    bytes = buf_take(&der, &n);
    p->certs = xrealloc(p->certs, (p->ncerts + 1) * sizeof *p->certs);
    p->certs[p->ncerts++] = slice_make(bytes, n);
}

static void
certificates_take(struct eas_person *p, const struct wbxml_node *certs)
{
    const struct wbxml_node *n = wbxml_find(certs, RESOLVE_CERTIFICATE, 0);
    long members = wbxml_number(certs, 0, RESOLVE_RECIPIENT_COUNT, 0);

    if (!certs)
        return;
    p->certs_status = (int)wbxml_number(certs, 1, RESOLVE_STATUS, 0);
    if (members > 1 || (members == 1 && p->is_list)) {
        p->is_list = true;
        p->members = (size_t)members;
    }
    for (; n; n = wbxml_again(n))
        cert_add(p, n->text);
}

/* One Response; certificates count only when the address is certain. */
static void
person_take(struct eas_person *p, const struct wbxml_node *response)
{
    const struct wbxml_node *n = wbxml_find(response, RESOLVE_RECIPIENT, 0);

    p->status = (int)wbxml_number(response, 4, RESOLVE_STATUS, 0);
    if (p->status != 1)
        return;
    for (; n; n = wbxml_again(n))
        certificates_take(p, wbxml_find(n, RESOLVE_CERTIFICATES, 0));
}

static struct eas_person *
person_find(struct eas_people *people, struct slice asked)
{
    for (size_t i = 0; i < people->n; i++)
        if (!people->people[i].status &&
            slice_ieq(slice_of(people->people[i].asked), slice_trim(asked)))
            return &people->people[i];
    return NULL;
}

static int
resolve_read(struct resolve_call *r, struct arena *a, struct slice body,
             struct err *e)
{
    struct eas_people *out = r->out;
    const struct wbxml_node *n;
    struct wbxml_node *root;
    struct eas_person *p;
    long status;

    if (eas_answer_tree(a, body, RESOLVE_RESOLVE_RECIPIENTS, &root, e))
        return -1;
    status = wbxml_number(root, 1, RESOLVE_STATUS, 0);
    if (status != 1)
        return eas_status_err(e, EAS_CMD_RESOLVERECIPIENTS, (int)status);
    out->people = xcalloc(r->n, sizeof *out->people);
    out->n = r->n;
    for (size_t i = 0; i < r->n; i++)
        out->people[i].asked = xstrdup(r->to[i]);
    n = wbxml_find(root, RESOLVE_RESPONSE, 0);
    for (; n; n = wbxml_again(n))
        if ((p = person_find(out, wbxml_text(n, RESOLVE_TO, 0))))
            person_take(p, n);
    /* A server that knows the command but no certificates (SOGo knows only
     * free and busy times) never says a word about them. */
    for (size_t i = 0; i < out->n; i++) {
        out->answered = out->answered || out->people[i].certs_status ||
                        out->people[i].status > 1;
        if (!out->people[i].status)
            out->people[i].status = 4;
    }
    return 0;
}

static int
resolve_answer(struct eas_call *c, struct slice body, struct err *e)
{
    struct resolve_call *r = (struct resolve_call *)c;
    struct arena *a;
    int rc;

    /* Either an accident, or a server that knows the command but nothing of
     * certificates (SOGo always answers so): the second time tells. */
    if (!body.n && !r->was_empty) {
        r->was_empty = true;
        return 1;
    }
    if (!body.n) {
        r->out->answered = false;
        return 0;
    }
    a = arena_new();
    rc = resolve_read(r, a, body, e);
    if (rc)
        eas_people_clear(r->out);
    arena_free(&a);
    return rc;
}

static void
resolve_clear(struct eas_call *c)
{
    struct resolve_call *r = (struct resolve_call *)c;

    for (size_t i = 0; i < r->n; i++)
        free(r->to[i]);
    free(r->to);
}

struct op *
eas_resolve(struct eas *eas, const char *const *addresses, size_t n,
            struct eas_people *out, op_done_fn *done, void *arg)
{
    static const struct eas_call_kind kind = {
        .command = EAS_CMD_RESOLVERECIPIENTS,
        .build = resolve_build,
        .answer = resolve_answer,
        .clear = resolve_clear};
    struct resolve_call *r;

    *out = (struct eas_people){0};
    if (!n || n > TO_MAX)
        return op_decided(&(struct err){E_BUG, "ResolveRecipients of nobody, "
                                               "or of more than 100"},
                          done, arg);
    for (size_t i = 0; i < n; i++)
        if (!addresses[i][0] || strlen(addresses[i]) > TO_LEN)
            return op_decided(&(struct err){E_INPUT, "an address is empty or "
                                                     "longer than 256"},
                              done, arg);
    r = eas_call_new(eas, &kind, sizeof *r);
    r->out = out;
    r->n = n;
    r->to = xcalloc(n, sizeof *r->to);
    for (size_t i = 0; i < n; i++)
        r->to[i] = xstrdup(addresses[i]);
    return eas_call_start(&r->call, done, arg);
}

void
eas_people_clear(struct eas_people *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->people[i].asked);
        for (size_t k = 0; k < p->people[i].ncerts; k++)
            free((char *)(uintptr_t)p->people[i].certs[k].p);
        free(p->people[i].certs);
    }
    free(p->people);
    *p = (struct eas_people){0};
}
