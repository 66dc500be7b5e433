/*
 * ValidateCert (MS-ASCMD 2.2.1.22): the server's opinion on a certificate.
 * Its no counts, its yes does not: servers exist that check nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "base/code.h"
#include "base/mem.h"
#include "eas/private.h"

#define CHAIN_MAX 10
#define CERT_MAX ((size_t)64 << 10)

struct validate_call {
    struct eas_call call;
    struct buf chain[CHAIN_MAX], cert; /* base64 */
    size_t n;
    bool check_crl;
    struct eas_validate_answer *out;
};

static int
validate_build(struct eas_call *c, struct err *e)
{
    struct validate_call *v = (struct validate_call *)c;
    struct wbxml_writer *w = &c->req.w;

    (void)e;
    wbxml_write_start(w, VALIDATE_VALIDATE_CERT);
    if (v->n) {
        wbxml_write_start(w, VALIDATE_CERTIFICATE_CHAIN);
        for (size_t i = 0; i < v->n; i++)
            wbxml_write_slice(w, VALIDATE_CERTIFICATE, buf_slice(&v->chain[i]));
        wbxml_write_end(w);
    }
    wbxml_write_start(w, VALIDATE_CERTIFICATES);
    wbxml_write_slice(w, VALIDATE_CERTIFICATE, buf_slice(&v->cert));
    wbxml_write_end(w);
    wbxml_write_text(w, VALIDATE_CHECK_CRL, v->check_crl ? "1" : "0");
    wbxml_write_end(w);
    return 0;
}

static int
validate_answer(struct eas_call *c, struct slice body, struct err *e)
{
    struct validate_call *v = (struct validate_call *)c;
    struct arena *a = arena_new();
    struct wbxml_node *root;
    long status;
    int rc = eas_answer_tree(a, body, VALIDATE_VALIDATE_CERT, &root, e);

    if (!rc) {
        status = wbxml_number(root, 1, VALIDATE_STATUS, 0);
        if (status == 1)
            status = wbxml_number(root, 17, VALIDATE_CERTIFICATE,
                                  VALIDATE_STATUS, 0);
        eas_status_set(EAS_CMD_VALIDATECERT, (int)status, &v->out->status,
                       &v->out->reaction);
    }
    arena_free(&a);
    return rc;
}

static void
validate_clear(struct eas_call *c)
{
    struct validate_call *v = (struct validate_call *)c;

    for (size_t i = 0; i < v->n; i++)
        buf_clear(&v->chain[i]);
    buf_clear(&v->cert);
}

struct op *
eas_validate_cert(struct eas *eas, const struct eas_validate_ask *ask,
                  struct eas_validate_answer *out, op_done_fn *done, void *arg)
{
    static const struct eas_call_kind kind = {.command = EAS_CMD_VALIDATECERT,
                                              .build = validate_build,
                                              .answer = validate_answer,
                                              .clear = validate_clear};
    struct validate_call *v;

    *out = (struct eas_validate_answer){0};
    if (!ask->cert.n || ask->cert.n > CERT_MAX)
        return op_decided(&(struct err){E_INPUT, "a certificate of no bytes, "
                                                 "or of over 64 KiB"},
                          done, arg);
    v = eas_call_new(eas, &kind, sizeof *v);
    v->out = out;
    v->check_crl = ask->check_crl;
    buf_init(&v->cert, 2 * CERT_MAX);
    code_base64_write(&v->cert, ask->cert, 0);
    for (size_t i = 0; i < ask->nchain && v->n < CHAIN_MAX; i++) {
        if (!ask->chain[i].n || ask->chain[i].n > CERT_MAX)
            continue;
        buf_init(&v->chain[v->n], 2 * CERT_MAX);
        code_base64_write(&v->chain[v->n++], ask->chain[i], 0);
    }
    v->call.background = true;
    return eas_call_start(&v->call, done, arg);
}
