/*
 * `sealpostctl smime open FILE`: the layers of a message, the verdict and its
 * reason, and the message as a reader gets it, by the very functions of the
 * daemon. No daemon, no configuration, no network: nothing is asked about
 * revocation.
 */
#include "ctl/private.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "base/mem.h"
#include "certs/certs.h"
#include "keys/keys.h"
#include "smime/json.h"
#include "smime/open.h"
#include "smime/verdict.h"
#include "view/view.h"

#define MESSAGE_MAX ((size_t)256 << 20)
#define READERS_MAX 64u
#define ANCHORS_MAX 100u

struct opened {
    struct ctl *c;
    int64_t at;
    struct buf raw, json, shown;
    struct keys *keys;
    struct certs_anchors *anchors;
    struct smime_report report;
    struct smime_verdict verdict;
    char harvest[65];
};

/* Those named; without any the system's. */
static int
anchors_load(struct opened *o, struct err *e)
{
    const char *files[ANCHORS_MAX + 1] = {NULL};
    const struct ctl *c = o->c;
    size_t n = 0;

    for (unsigned i = 0; i < c->ngiven; i++) {
        if (strcmp(c->given[i].option->name, "--trust") != 0)
            continue;
        if (n == ANCHORS_MAX)
            return err_set(e, E_LIMIT, "more than %u files of anchors",
                           ANCHORS_MAX);
        files[n++] = c->given[i].value;
    }
    return certs_anchors_new(files, !n || ctl_has(c, "--trust-system"),
                             &o->anchors, e);
}

static int
message_open(struct opened *o, struct err *e)
{
    struct smime_reader readers[READERS_MAX];
    struct smime_ring ring = {.readers = readers};
    const struct key *k = NULL;
    int rc;

    while ((k = keys_next(o->keys, k)) && ring.n < READERS_MAX)
        readers[ring.n++] =
            (struct smime_reader){key_cert(k), key_private(k)};
    rc = smime_open(&ring, buf_slice(&o->raw), &o->report, e);
    for (size_t i = 0; i < ring.n; i++)
        EVP_PKEY_free(readers[i].key);
    return rc;
}

static void
message_judge(struct opened *o)
{
    size_t n = 0;
    struct smime_trust *trust =
        certs_trust_report(o->anchors, &o->report, o->at, &n);
    X509 *x;

    smime_judge(&o->report, trust, n, o->at, &o->verdict);
    free(trust);
    if (o->verdict.result != SMIME_PASS)
        return;
    x = certs_learnable(o->anchors, &o->report, o->at);
    if (!x || certs_fingerprint(x, o->harvest))
        o->harvest[0] = '\0';
}

static int
message_render(struct opened *o, struct err *e)
{
    const char *id = ctl_option(o->c, "--authserv-id");
    struct buf top = BUF_INIT(1 << 20);
    struct view_render_ask ask = {
        .raw = buf_slice(&o->raw),
        .report = &o->report,
        .verdict = &o->verdict,
        .authserv_id = id ? id : "sealpostctl.invalid",
        .harvest = *o->harvest ? o->harvest : NULL,
        .undecryptable_original = ctl_has(o->c, "--original"),
    };
    int rc = view_render(&ask, &o->shown, &top, e);

    buf_clear(&top);
    return rc;
}

/* ---- for people ---- */

static void
show_line(FILE *to, const char *title, const char *text)
{
    fprintf(to, "%-11s", title);
    ctl_put(to, slice_of(text), false);
    fputc('\n', to);
}

static void
show_signer(const json_t *s, const char *indent, FILE *to)
{
    char text[600];

    fputs(indent, to);
    ctl_put(to, slice_of(ctl_text(s, "address", text, sizeof text)), false);
    fputs(", serial ", to);
    ctl_put(to, slice_of(ctl_text(s, "serial", text, sizeof text)), false);
    fputs(", issued by ", to);
    ctl_put(to, slice_of(ctl_text(s, "issuer", text, sizeof text)), false);
    if (json_object_get(s, "good"))
        fprintf(to, ": %s signature",
                json_is_true(json_object_get(s, "good")) ? "good" : "bad");
    if (json_is_true(json_object_get(s, "weak")))
        fputs(", weak", to);
    if (json_is_string(json_object_get(s, "reason"))) {
        fputs(" (", to);
        ctl_put(to, slice_of(ctl_text(s, "reason", text, sizeof text)), false);
        fputc(')', to);
    }
    fputc('\n', to);
}

static void
show_layer(size_t i, const json_t *l, FILE *to)
{
    char type[100], algorithm[100], reason[300];
    const json_t *s;
    size_t k;

    fprintf(to, "%2zu  %s, %s, %s", i + 1, ctl_text(l, "type", type,
            sizeof type), ctl_text(l, "algorithm", algorithm,
            sizeof algorithm),
            json_is_true(json_object_get(l, "opened")) ? "opened"
                                                       : "not opened");
    if (json_is_string(json_object_get(l, "reason"))) {
        fputs(": ", to);
        ctl_put(to, slice_of(ctl_text(l, "reason", reason, sizeof reason)),
                false);
    }
    fputc('\n', to);
    json_array_foreach(json_object_get(l, "signers"), k, s)
        show_signer(s, "      signer ", to);
    json_array_foreach(json_object_get(l, "recipients"), k, s) {
        fputs("      for ", to);
        if (json_is_string(json_object_get(s, "key_id"))) {
            fputs("key id ", to);
            ctl_put(to, slice_of(ctl_text(s, "key_id", type, sizeof type)),
                    false);
        } else {
            fputs("serial ", to);
            ctl_put(to, slice_of(ctl_text(s, "serial", type, sizeof type)),
                    false);
            fputs(" of ", to);
            ctl_put(to, slice_of(ctl_text(s, "issuer", reason,
                                          sizeof reason)), false);
        }
        fputc('\n', to);
    }
}

static void
show(const json_t *o, FILE *to)
{
    char text[400];
    const json_t *l;
    size_t i;

    show_line(to, "smime", ctl_text(o, "smime", text, sizeof text));
    show_line(to, "reason", ctl_text(o, "reason", text, sizeof text));
    show_line(to, "encrypted", ctl_text(o, "encrypted", text, sizeof text));
    show_line(to, "decrypted", ctl_text(o, "decrypted", text, sizeof text));
    if (json_is_object(json_object_get(o, "signer")))
        show_signer(json_object_get(o, "signer"), "signer     ", to);
    show_line(to, "harvest", ctl_text(o, "harvest", text, sizeof text));
    json_array_foreach(json_object_get(o, "layers"), i, l)
        show_layer(i, l, to);
}

/* CRLF of mail becomes LF of Unix. */
static void
show_message(struct slice mail)
{
    struct buf text = BUF_INIT(BUF_OURS);

    for (size_t i = 0; i < mail.n; i++)
        if (mail.p[i] != '\r' || i + 1 == mail.n || mail.p[i + 1] != '\n')
            buf_addc(&text, mail.p[i]);
    fputc('\n', stdout);
    ctl_put(stdout, buf_slice(&text), true);
    buf_wipe(&text);
}

/* ---- all of it ---- */

static int
answer(struct opened *o, struct err *e)
{
    const char *path = ctl_option(o->c, "--out");
    json_t *report;

    if (path && file_write(path, buf_slice(&o->shown), 0600, false, e))
        return -1;
    report = json_loadb(o->json.data, o->json.len, 0, NULL);
    if (!report)
        return err_set(e, E_BUG, "the report is no JSON");
    if (ctl_print(o->c, report, show, e))
        return -1;
    if (o->c->json || path)
        return 0;
    show_message(buf_slice(&o->shown));
    return fflush(stdout) ? err_set(e, E_FULL, "stdout could not be written")
                          : 0;
}

int
ctl_cmd_smime_open(struct ctl *c, struct err *e)
{
    struct opened *o = xcalloc(1, sizeof *o);
    int rc;

    o->c = c;
    buf_init(&o->raw, MESSAGE_MAX);
    buf_init(&o->json, MESSAGE_MAX);
    buf_init(&o->shown, MESSAGE_MAX * 2);
    rc = ctl_at(c, &o->at, e) || ctl_read(c->operand[0], &o->raw, e) ||
         anchors_load(o, e) || ctl_keys(c, &o->keys, e) || message_open(o, e);
    if (!rc) {
        message_judge(o);
        rc = smime_report_json(&o->report, &o->verdict, o->harvest, &o->json,
                               e) ||
             message_render(o, e) || answer(o, e);
        smime_report_clear(&o->report);
    }
    keys_free(&o->keys);
    certs_anchors_unref(&o->anchors);
    buf_wipe(&o->raw);
    buf_wipe(&o->json);
    buf_wipe(&o->shown);
    free(o);
    return rc ? -1 : 0;
}
