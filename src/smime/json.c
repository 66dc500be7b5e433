/*
 * A report as JSON, for sealpostctl and the scripts that judge it. Names and
 * fields come from strangers' mail: what is not UTF-8 becomes "?".
 */
#include "smime/json.h"

#include <stdlib.h>

#include <jansson.h>
#include <openssl/x509v3.h>

#include "mime/encoding.h"
#include "mime/header.h"

static json_t *
text(struct slice s)
{
    json_t *j = mime_is_utf8(s) ? json_stringn(s.p ? s.p : "", s.n) : NULL;

    return j ? j : json_string("?");
}

static json_t *
text_or_null(const char *s)
{
    return s && *s ? text(slice_of(s)) : json_null();
}

/* The address that the certificate names first. */
static json_t *
signer_address(X509 *x)
{
    STACK_OF(OPENSSL_STRING) *list = x ? X509_get1_email(x) : NULL;
    json_t *j = sk_OPENSSL_STRING_num(list) > 0
                    ? text_or_null(sk_OPENSSL_STRING_value(list, 0))
                    : json_null();

    X509_email_free(list);
    return j;
}

static json_t *
signer_json(const struct smime_signer *s)
{
    json_t *o;

    if (!s)
        return json_null();
    o = json_object();
    json_object_set_new(o, "address", signer_address(s->cert));
    json_object_set_new(o, "issuer", text_or_null(s->issuer));
    json_object_set_new(o, "serial", text_or_null(s->serial));
    return o;
}

static json_t *
recipients_json(const struct smime_layer *l)
{
    json_t *list = json_array();

    for (size_t i = 0; i < l->nrecipients; i++) {
        const struct smime_recipient *r = &l->recipients[i];
        json_t *o = json_object();

        json_object_set_new(o, "issuer", text_or_null(r->issuer));
        json_object_set_new(o, "serial", text_or_null(r->serial));
        json_object_set_new(o, "key_id", text_or_null(r->key_id));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *
layers_json(const struct smime_report *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->n; i++) {
        const struct smime_layer *l = &r->layers[i];
        json_t *o = json_object(), *signers = json_array();

        json_object_set_new(o, "type", json_string(smime_layer_name(l->type)));
        json_object_set_new(o, "algorithm", text_or_null(l->algorithm));
        json_object_set_new(o, "opened", json_boolean(l->opened));
        json_object_set_new(o, "authenticated",
                            json_boolean(l->authenticated));
        json_object_set_new(o, "broken", json_boolean(l->broken));
        json_object_set_new(o, "reason", text_or_null(l->reason));
        for (size_t k = 0; k < l->nsigners; k++) {
            const struct smime_signer *s = &l->signers[k];
            json_t *one = signer_json(s);

            json_object_set_new(one, "good", json_boolean(s->good));
            json_object_set_new(one, "weak", json_boolean(s->weak));
            json_object_set_new(one, "algorithm", text_or_null(s->algorithm));
            json_object_set_new(one, "time",
                                s->time < 0 ? json_null()
                                            : json_integer(s->time));
            json_object_set_new(one, "reason", text_or_null(s->reason));
            json_array_append_new(signers, one);
        }
        json_object_set_new(o, "signers", signers);
        json_object_set_new(o, "recipients", recipients_json(l));
        json_array_append_new(list, o);
    }
    return list;
}

/* The first field of each name, decoded. */
static json_t *
headers_json(struct slice shown)
{
    struct slice rest = slice_cut(shown, 0, mime_header_length(shown));
    struct slice head = rest;
    struct mime_field f;
    json_t *o = json_object();

    while (mime_field_next(&rest, &f)) {
        struct buf value = BUF_INIT(f.value.n * 4 + 64);
        char *name = slice_dup(f.name);

        for (char *c = name; *c; c++)
            *c = (char)ascii_lower((unsigned char)*c);
        if (*name && !json_object_get(o, name) &&
            mime_header_text(head, name, &value))
            json_object_set_new(o, name, text(buf_slice(&value)));
        buf_wipe(&value);
        free(name);
    }
    return o;
}

int
smime_report_json(const struct smime_report *r, const struct smime_verdict *v,
                  const char *harvest, struct buf *out, struct err *e)
{
    json_t *o = json_object();
    char *line;
    int rc;

    json_object_set_new(o, "encrypted", json_boolean(r->encrypted));
    json_object_set_new(o, "decrypted",
                        json_boolean(r->encrypted && r->decrypted));
    json_object_set_new(o, "smime",
                        json_string(smime_result_name(v->result)));
    json_object_set_new(o, "reason", text(slice_of(v->reason)));
    json_object_set_new(o, "signer", signer_json(v->signer));
    json_object_set_new(o, "layers", layers_json(r));
    json_object_set_new(o, "headers", headers_json(buf_slice(&r->shown)));
    json_object_set_new(o, "harvest", text_or_null(harvest));
    line = json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(o);
    rc = line ? buf_adds(out, line) | buf_addc(out, '\n') : -1;
    free(line);
    return rc ? err_set(e, E_LIMIT, "the report is too large") : 0;
}
