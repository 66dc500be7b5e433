/*
 * Own keys: which there are, which comes in, which goes.
 */
#include "control/private.h"

#include <string.h>

#include <jansson.h>

#include "account/account.h"
#include "base/buf.h"
#include "base/code.h"
#include "base/secret.h"

#define FILE_MAX ((size_t)4 << 20)
#define PASSWORD_MAX 65536u

static json_t *
text(const char *s)
{
    json_t *j = json_string(s);

    return j ? j : json_string("?");
}

static json_t *
key_json(const struct account_key *k)
{
    json_t *o = json_object();

    json_object_set_new(o, "fingerprint", text(k->facts.fingerprint));
    json_object_set_new(o, "subject", text(k->facts.subject));
    json_object_set_new(o, "issuer", text(k->facts.issuer));
    json_object_set_new(o, "serial", text(k->facts.serial));
    json_object_set_new(o, "key", text(k->facts.key));
    json_object_set_new(o, "addresses", text(k->facts.addresses));
    json_object_set_new(o, "not_before", json_integer(k->facts.not_before));
    json_object_set_new(o, "not_after", json_integer(k->facts.not_after));
    json_object_set_new(o, "use", text(k->use));
    return o;
}

int
control_key_list(struct control_call *call, struct json_t **out,
                 struct err *e)
{
    struct account_key k;

    (void)e;
    *out = json_array();
    for (size_t i = 0; account_key_at(call->account, i, &k); i++)
        json_array_append_new(*out, key_json(&k));
    return 0;
}

/* The import's text: a line each. */
static void
on_imported(void *arg, const struct err *err)
{
    struct control_call *call = arg;
    struct slice rest = slice_of(call->text), line;

    call->result = json_array();
    while (!err && slice_next(&rest, '\n', &line))
        if (line.n) {
            json_t *j = json_stringn(line.p, line.n);

            json_array_append_new(call->result, j ? j : json_string("?"));
        }
    call->answer(call, err);
}

int
control_key_import(struct control_call *call, struct json_t **out,
                   struct err *e)
{
    struct buf file = BUF_INIT(FILE_MAX);
    struct secret password = {0};
    const char *coded, *pw;
    int rc = -1;

    (void)out;
    if (control_text(call->request, "file", FILE_MAX * 4 / 3 + 4, true, &coded,
                     e) ||
        control_text(call->request, "password", PASSWORD_MAX, false, &pw, e))
        return -1;
    secret_set(&password, pw ? pw : "", pw ? strlen(pw) : 0);
    if (code_base64_parse(&file, slice_of(coded), false)) {
        err_set(e, E_INPUT, "\"file\" of the request is no base64");
    } else {
        op_hold(&call->op, account_key_import(call->account, buf_slice(&file),
                                              &password, &call->text,
                                              on_imported, call));
        rc = CONTROL_WAITS;
    }
    secret_clear(&password);
    buf_wipe(&file);
    return rc;
}

int
control_key_remove(struct control_call *call, struct json_t **out,
                   struct err *e)
{
    const char *fingerprint;

    if (control_text(call->request, "fingerprint", 64, true, &fingerprint, e) ||
        account_key_remove(call->account, fingerprint, e))
        return -1;
    *out = json_object();
    json_object_set_new(*out, "removed", text(fingerprint));
    return 0;
}
