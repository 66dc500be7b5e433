/*
 * `sealpostctl smime seal FILE`: signs and encrypts a message as its flags
 * say, by the very function of the outbox. No daemon, no configuration.
 */
#include "ctl/private.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "base/mem.h"
#include "certs/certs.h"
#include "keys/keys.h"
#include "mime/address.h"
#include "mime/header.h"
#include "mime/write.h"
#include "smime/seal.h"

#define MESSAGE_MAX ((size_t)256 << 20)
#define TO_MAX 500u

struct sealing {
    struct ctl *c;
    struct keys *keys;
    struct buf raw, mime, sealed, from;
    struct smime_to to[TO_MAX + 1];
    struct smime_orders orders;
};

static const struct word {
    const char *text;
    int value;
} ciphers[] = {{"aes-256-cbc", SMIME_AES_256_CBC},
               {"aes-128-cbc", SMIME_AES_128_CBC},
               {"aes-256-gcm", SMIME_AES_256_GCM},
               {NULL, 0}},
  protections[] = {{"copy", SMIME_PROTECT_COPY},
                   {"hide", SMIME_PROTECT_HIDE},
                   {"off", SMIME_PROTECT_OFF},
                   {NULL, 0}};

/* The first word is the default. */
static int
word_of(const struct ctl *c, const char *option, const struct word *words,
        int *out, struct err *e)
{
    const char *text = ctl_option(c, option);

    *out = words->value;
    for (const struct word *w = words; text && w->text; w++)
        if (strcmp(w->text, text) == 0) {
            *out = w->value;
            return 0;
        }
    return text ? err_set(e, E_INPUT, "%s %.40s: allowed is %s, %s, %s",
                          option, text, words[0].text, words[1].text,
                          words[2].text)
                : 0;
}

static int
orders_fill(struct sealing *s, struct err *e)
{
    struct smime_orders *o = &s->orders;
    struct ctl *c = s->c;
    int cipher, protect;

    o->sign = ctl_has(c, "--sign");
    o->encrypt = ctl_has(c, "--encrypt");
    o->opaque = ctl_has(c, "--opaque");
    o->pss = ctl_has(c, "--pss");
    if (!o->sign && !o->encrypt) {
        c->status = CTL_USAGE;
        return err_set(e, E_INPUT, "smime seal: say --sign, --encrypt or both");
    }
    if (c->json && !ctl_option(c, "--out")) {
        c->status = CTL_USAGE;
        return err_set(e, E_INPUT, "--json needs --out, for the message goes "
                                   "to stdout without it");
    }
    if (word_of(c, "--cipher", ciphers, &cipher, e) ||
        word_of(c, "--protect", protections, &protect, e)) {
        c->status = CTL_USAGE;
        return -1;
    }
    o->cipher = (enum smime_cipher)cipher;
    o->protect = (enum smime_protect)protect;
    return 0;
}

static int
message_load(struct sealing *s, struct err *e)
{
    struct slice head;
    struct mime_addresses from = {0};
    const struct mime_address *one;
    size_t at = 0;
    int rc = 0;

    if (ctl_read(s->c->operand[0], &s->raw, e))
        return -1;
    if (mime_write_crlf(buf_slice(&s->raw), &s->mime))
        return err_set(e, E_LIMIT, "the message is too large");
    if (smime_seal_already(buf_slice(&s->mime)) != SMIME_PLAIN)
        return err_set(e, E_INPUT, "%s is signed or encrypted already: it "
                       "would pass as it is", s->c->operand[0]);
    if (ctl_option(s->c, "--from"))
        return buf_adds(&s->from, ctl_option(s->c, "--from"));
    head = slice_cut(buf_slice(&s->mime), 0,
                     mime_header_length(buf_slice(&s->mime)));
    if (mime_addresses_header(head, "from", &from) != 1 ||
        !(one = mime_addresses_next(&from, &at)) ||
        mime_address_spec(one, &s->from) || mime_addresses_next(&from, &at))
        rc = err_set(e, E_INPUT, "%s has not exactly one address in From: say "
                     "--from ADDRESS", s->c->operand[0]);
    mime_addresses_clear(&from);
    return rc;
}

static int
signer_find(struct sealing *s, int64_t now, struct err *e)
{
    const struct key *k;

    if (!s->orders.sign)
        return 0;
    k = keys_find_sender(s->keys, s->from.data, now, e);
    if (!k)
        return err_add(e, "--key");
    s->orders.signer = key_cert(k);
    s->orders.key = key_private(k);
    s->orders.chain = key_chain(k);
    return 0;
}

static int
to_add(struct sealing *s, X509 *take, struct err *e)
{
    if (s->orders.nto == TO_MAX) {
        X509_free(take);
        return err_set(e, E_LIMIT, "more than %u recipients", TO_MAX);
    }
    s->to[s->orders.nto++].cert = take;
    return 0;
}

/* Whoever names the file vouches for its chain; dates and usage count. */
static int
to_load(struct sealing *s, const char *path, int64_t now, struct err *e)
{
    const char *none[] = {NULL};
    struct certs_anchors *anchors;
    struct certs_judgment j;
    X509 *x;

    if (ctl_cert(path, &x, e))
        return -1;
    if (certs_anchors_new(none, false, &anchors, e)) {
        X509_free(x);
        return -1;
    }
    certs_trust_judge(anchors, x, NULL, CERTS_ENCRYPT, NULL, now, true, &j);
    certs_anchors_unref(&anchors);
    if (j.why != CERTS_OK) {
        X509_free(x);
        return err_set(e, E_NOCERT, "%s: %s", path, j.text);
    }
    return to_add(s, x, e);
}

static int
recipients_load(struct sealing *s, int64_t now, struct err *e)
{
    const struct ctl *c = s->c;
    const struct key *own;

    s->orders.to = s->to;
    if (!s->orders.encrypt)
        return 0;
    for (unsigned i = 0; i < c->ngiven; i++)
        if (strcmp(c->given[i].option->name, "--to") == 0 &&
            to_load(s, c->given[i].value, now, e))
            return -1;
    if (!s->orders.nto)
        return err_set(e, E_INPUT, "--encrypt needs --to CERTIFICATE");
    if (ctl_has(c, "--no-self"))
        return 0;
    own = keys_find_own(s->keys, s->from.data, now, e);
    if (!own)
        return err_add(e, "the sender could not read it (--no-self does "
                          "without)");
    if (s->orders.signer && X509_cmp(s->orders.signer, key_cert(own)) != 0)
        s->orders.own_encryption = key_cert(own);
    X509_up_ref(key_cert(own));
    return to_add(s, key_cert(own), e);
}

static void
show(const json_t *o, FILE *to)
{
    char size[40];

    fprintf(to, "%s%s%s, %s bytes\n",
            json_is_string(json_object_get(o, "signer")) ? "signed" : "",
            json_is_string(json_object_get(o, "signer")) &&
                    json_array_size(json_object_get(o, "recipients"))
                ? " and "
                : "",
            json_array_size(json_object_get(o, "recipients")) ? "encrypted"
                                                              : "",
            ctl_text(o, "size", size, sizeof size));
}

static int
answer(struct sealing *s, struct err *e)
{
    const char *path = ctl_option(s->c, "--out");
    json_t *o, *list;
    char fp[65];

    if (!path) {
        if (fwrite(s->sealed.data, 1, s->sealed.len, stdout) !=
                s->sealed.len || fflush(stdout))
            return err_set(e, E_FULL, "stdout could not be written");
        return 0;
    }
    if (file_write(path, buf_slice(&s->sealed), 0644, false, e))
        return -1;
    o = json_object();
    list = json_array();
    json_object_set_new(o, "from", ctl_json_text(buf_slice(&s->from)));
    json_object_set_new(o, "signer",
                        s->orders.signer &&
                                certs_fingerprint(s->orders.signer, fp) == 0
                            ? json_string(fp)
                            : json_null());
    for (size_t i = 0; i < s->orders.nto; i++)
        if (certs_fingerprint(s->to[i].cert, fp) == 0)
            json_array_append_new(list, json_string(fp));
    json_object_set_new(o, "recipients", list);
    json_object_set_new(o, "size", json_integer((json_int_t)s->sealed.len));
    return ctl_print(s->c, o, show, e);
}

int
ctl_cmd_smime_seal(struct ctl *c, struct err *e)
{
    struct sealing *s = xcalloc(1, sizeof *s);
    int64_t now = 0;
    int rc;

    s->c = c;
    buf_init(&s->raw, MESSAGE_MAX);
    buf_init(&s->mime, MESSAGE_MAX * 2);
    buf_init(&s->sealed, MESSAGE_MAX * 4);
    buf_init(&s->from, 1000);
    rc = orders_fill(s, e) || ctl_at(c, &now, e) || message_load(s, e) ||
         ctl_keys(c, &s->keys, e) || signer_find(s, now, e) ||
         recipients_load(s, now, e) ||
         smime_seal(&s->orders, buf_slice(&s->mime), &s->sealed, e) ||
         answer(s, e);
    EVP_PKEY_free(s->orders.key);
    for (size_t i = 0; i < s->orders.nto; i++)
        X509_free(s->to[i].cert);
    keys_free(&s->keys);
    buf_wipe(&s->raw);
    buf_wipe(&s->mime);
    buf_wipe(&s->sealed);
    buf_clear(&s->from);
    free(s);
    return rc ? -1 : 0;
}
