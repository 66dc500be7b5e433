/*
 * Other people's certificates: listed, shown, given by hand, decided about.
 */
#include "control/private.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "account/account.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/code.h"
#include "base/now.h"
#include "certs/certs.h"
#include "store/certificate.h"

#define FILE_MAX ((size_t)1 << 20)

static const char *const sources[] = {
    [STORE_CERT_PINNED] = "pinned",     [STORE_CERT_HARVESTED] = "harvested",
    [STORE_CERT_EXCHANGE] = "exchange", [STORE_CERT_LDAP] = "ldap",
    [STORE_CERT_SMIMEA] = "smimea",
};

static json_t *
text(const char *s)
{
    json_t *j = json_string(s);

    return j ? j : json_string("?");
}

static const char *
state_of(const struct store_cert *row, const struct certs_facts *f)
{
    if (row->refused)
        return "refused";
    if (row->candidate)
        return "candidate";
    if (f->not_after < now_unix())
        return "expired";
    return "known";
}

static json_t *
row_json(const struct store_cert *row)
{
    struct certs_facts f = {0};
    json_t *o = json_object();

    certs_facts_der(row->der, &f);
    json_object_set_new(o, "fingerprint", text(row->fingerprint));
    json_object_set_new(o, "address", text(row->address));
    json_object_set_new(o, "state", json_string(state_of(row, &f)));
    json_object_set_new(o, "source", json_string(sources[row->source]));
    json_object_set_new(o, "candidate", json_boolean(row->candidate));
    json_object_set_new(o, "refused", json_boolean(row->refused));
    json_object_set_new(o, "subject", text(f.subject));
    json_object_set_new(o, "issuer", text(f.issuer));
    json_object_set_new(o, "serial", text(f.serial));
    json_object_set_new(o, "key", text(f.key));
    json_object_set_new(o, "addresses", text(f.addresses));
    json_object_set_new(o, "not_before", json_integer(f.not_before));
    json_object_set_new(o, "not_after", json_integer(f.not_after));
    json_object_set_new(o, "first_seen", json_integer(row->first_seen));
    json_object_set_new(o, "last_seen", json_integer(row->last_seen));
    return o;
}

/* In small letters, as certificates are kept. */
static int
address_take(struct control_call *call, bool required, char *dst, size_t size,
             struct err *e)
{
    const char *address;

    if (control_text(call->request, "address", size - 1, required, &address,
                     e))
        return -1;
    snprintf(dst, size, "%s", address ? address : "");
    for (char *c = dst; *c; c++)
        *c = (char)ascii_lower((unsigned char)*c);
    return 0;
}

/* {"rows": [...], "next": null, or the number to send as "after"}. */
int
control_cert_list(struct control_call *call, struct json_t **out,
                  struct err *e)
{
    const json_t *from = json_object_get(call->request, "after");
    int64_t after = json_is_integer(from) ? json_integer_value(from) : 0;
    struct arena *a = arena_new();
    struct store_cert row;
    char address[400];
    json_t *rows = json_array();
    int rc = address_take(call, false, address, sizeof address, e);

    while (rc == 0 && json_array_size(rows) < CONTROL_PAGE) {
        rc = store_cert_next(call->store, address, &after, a, &row, e);
        if (rc != 1)
            break;
        json_array_append_new(rows, row_json(&row));
        arena_reset(a);
        rc = 0;
    }
    arena_free(&a);
    if (rc < 0) {
        json_decref(rows);
        return -1;
    }
    *out = json_object();
    json_object_set_new(*out, "next",
                        json_array_size(rows) == CONTROL_PAGE
                            ? json_integer(after)
                            : json_null());
    json_object_set_new(*out, "rows", rows);
    return 0;
}

/* The row whose fingerprint begins so, and no other does: 0, -1. */
static int
fingerprint_find(struct control_call *call, struct arena *a,
                 struct store_cert *out, struct err *e)
{
    struct store_cert row;
    const char *start;
    int64_t after = 0;
    bool found = false;
    int rc;

    if (control_text(call->request, "fingerprint", 64, true, &start, e))
        return -1;
    if (strlen(start) < 8)
        return err_set(e, E_INPUT, "a fingerprint has 64 hex digits; the "
                                   "first 8 are needed at least");
    while ((rc = store_cert_next(call->store, "", &after, a, &row, e)) == 1) {
        struct slice s = slice_cut(slice_of(row.fingerprint), 0,
                                   strlen(start));

        if (!slice_iis(s, start))
            continue;
        if (found && strcmp(out->fingerprint, row.fingerprint) != 0)
            return err_set(e, E_INPUT, "more than one certificate begins with "
                           "%.64s", start);
        *out = row;
        found = true;
    }
    if (rc < 0)
        return -1;
    return found ? 0
                 : err_set(e, E_MISSING, "there is no certificate %.64s",
                           start);
}

/* PEM, for a person to save or look into. */
static json_t *
pem_json(struct slice der)
{
    struct buf b = BUF_INIT(der.n * 2 + 200), lines;
    json_t *j;

    buf_init(&lines, der.n * 2 + 100);
    code_base64_write(&lines, der, 64);
    buf_adds(&b, "-----BEGIN CERTIFICATE-----\n");
    for (size_t i = 0; i < lines.len; i++)
        if (lines.data[i] != '\r')
            buf_addc(&b, lines.data[i]);
    buf_adds(&b, "-----END CERTIFICATE-----\n");
    j = json_stringn(b.data, b.len);
    buf_clear(&b);
    buf_clear(&lines);
    return j;
}

int
control_cert_show(struct control_call *call, struct json_t **out,
                  struct err *e)
{
    struct certs *cs = account_certs(call->account);
    struct arena *a = arena_new();
    struct certs_judgment j;
    struct store_cert row;
    int rc = fingerprint_find(call, a, &row, e);

    if (rc == 0) {
        *out = row_json(&row);
        certs_judge_der(cs, row.der, row.address, now_unix(),
                        row.source == STORE_CERT_PINNED, &j);
        json_object_set_new(*out, "usable", json_boolean(j.why == CERTS_OK));
        json_object_set_new(*out, "why", j.why == CERTS_OK ? json_null()
                                                           : text(j.text));
        json_object_set_new(*out, "pem", pem_json(row.der));
    }
    arena_free(&a);
    return rc;
}

int
control_cert_add(struct control_call *call, struct json_t **out,
                 struct err *e)
{
    struct buf file = BUF_INIT(FILE_MAX);
    char address[400], fp[65];
    const char *coded;
    json_t *result;
    int rc;

    (void)out;
    if (control_text(call->request, "file", FILE_MAX * 4 / 3 + 4, true, &coded,
                     e) ||
        address_take(call, true, address, sizeof address, e))
        return -1;
    rc = code_base64_parse(&file, slice_of(coded), false);
    if (rc)
        err_set(e, E_INPUT, "\"file\" of the request is no base64");
    else
        rc = certs_add(account_certs(call->account), buf_slice(&file),
                       address, fp, e);
    buf_clear(&file);
    if (rc)
        return -1;
    result = json_object();
    json_object_set_new(result, "fingerprint", json_string(fp));
    json_object_set_new(result, "address", text(address));
    return control_flush(call, result);
}

static int
decide(struct control_call *call, const char *word, struct err *e)
{
    bool remove = strcmp(word, "removed") == 0;
    bool refuse = strcmp(word, "refused") == 0;
    struct arena *a = arena_new();
    struct store_cert row;
    json_t *result = NULL;
    int rc = fingerprint_find(call, a, &row, e);

    if (rc == 0)
        rc = remove ? store_cert_remove(call->store, row.fingerprint, e)
                    : store_cert_set(call->store, row.fingerprint, false,
                                     refuse, e);
    if (rc == 0) {
        result = json_object();
        json_object_set_new(result, "fingerprint", text(row.fingerprint));
        json_object_set_new(result, "address", text(row.address));
        json_object_set_new(result, "done", json_string(word));
    }
    arena_free(&a);
    return rc ? -1 : control_flush(call, result);
}

int
control_cert_accept(struct control_call *call, struct json_t **out,
                    struct err *e)
{
    (void)out;
    return decide(call, "accepted", e);
}

int
control_cert_refuse(struct control_call *call, struct json_t **out,
                    struct err *e)
{
    (void)out;
    return decide(call, "refused", e);
}

int
control_cert_remove(struct control_call *call, struct json_t **out,
                    struct err *e)
{
    (void)out;
    return decide(call, "removed", e);
}
