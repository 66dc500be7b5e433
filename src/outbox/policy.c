/*
 * What happens to a message: first from the server's demands, the message's
 * wish and the account's settings, then knowing the certificates of its
 * recipients. Pure; called by send.c. In doubt the answer is an error, and
 * an error means "not sent".
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "eas/policy.h"
#include "outbox/private.h"

/* RequireEncryptionSMIMEAlgorithm of MS-ASPROV; all are older than AES. */
static const char *const ciphers[] = {"3DES", "DES", "RC2-128", "RC2-64",
                                      "RC2-40"};

void
outbox_policy_of(const struct settings_account *s, const struct eas_policy *p,
                 struct outbox_policy *out)
{
    *out = (struct outbox_policy){
        .sign = s->sign,
        .encrypt = s->encrypt,
        .override = s->override,
        .reply_guard = s->reply_guard,
        .soft_keys = true,
    };
    if (!p)
        return;
    out->demand_sign = p->require_signed;
    out->demand_encrypt = p->require_encrypted;
    out->soft_keys = p->soft_certs;
    /* The names of algorithms read as "not weaker than"; only with negotiation
     * forbidden do they mean the one named (SPEC section 9). The weak ones
     * are not built, so allow_weak, which would let them pass, changes only
     * the answer. */
    if (p->require_encrypted && p->negotiation == 0 &&
        p->encryption_algorithm >= 0)
        out->weak = s->allow_weak ? "a weak cipher, which is not built yet"
                    : p->encryption_algorithm < (int)ARRAY_LEN(ciphers)
                        ? ciphers[p->encryption_algorithm]
                        : "an unknown cipher";
}

bool
outbox_policy_is_certain(const struct outbox_policy *p)
{
    return p->demand_encrypt || p->encrypt == SETTINGS_ALWAYS;
}

int
outbox_policy_check(const struct outbox_policy *p, bool is_signed,
                    bool encrypted, struct err *e)
{
    if (p->demand_sign && !is_signed)
        return err_set(e, E_DENIED, "the server's policy demands signed mail "
                                    "(RequireSignedSMIMEMessages)");
    if (p->demand_encrypt && !encrypted)
        return err_set(e, E_DENIED, "the server's policy demands encrypted "
                                    "mail (RequireEncryptedSMIMEMessages)");
    if (p->weak && encrypted)
        return err_set(e, E_DENIED,
                       "the server's policy insists on %s and forbids any "
                       "other cipher; it is too weak to be used", p->weak);
    return 0;
}

/* ---- sealed by the mail program ---- */

static int
want_pass(const struct outbox_policy *p, const struct outbox_facts *f,
          struct outbox_want *out, struct err *e)
{
    bool sealed = f->already == OUTBOX_ENCRYPTED ||
                  f->already == OUTBOX_PGP_ENCRYPTED;

    *out = (struct outbox_want){.pass = true};
    if (p->demand_encrypt && f->already != OUTBOX_ENCRYPTED)
        return err_set(e, E_DENIED,
                       "the server's policy demands S/MIME encryption "
                       "(RequireEncryptedSMIMEMessages), and the mail program "
                       "has %s the message already",
                       sealed ? "encrypted" : "signed");
    if (p->demand_sign && f->already != OUTBOX_SIGNED)
        return err_set(e, E_DENIED,
                       "the server's policy demands S/MIME signatures "
                       "(RequireSignedSMIMEMessages), which cannot be seen in "
                       "what the mail program has sealed already");
    if (p->weak && f->already == OUTBOX_ENCRYPTED)
        return outbox_policy_check(p, true, true, e);
    if (sealed)
        return 0;
    if (f->secret_reply && p->reply_guard)
        return err_set(e, E_DENIED,
                       "this answers mail that arrived encrypted, and the "
                       "mail program has signed it without encrypting");
    if (f->wish.encrypt == OUTBOX_YES ||
        (p->encrypt == SETTINGS_ALWAYS && f->wish.encrypt != OUTBOX_NO))
        return err_set(e, E_DENIED,
                       "the message is to be encrypted, and the mail program "
                       "has signed it already: let it encrypt as well, or "
                       "leave both to Sealpost");
    if (p->encrypt == SETTINGS_ALWAYS && p->override != SETTINGS_OVERRIDE_YES)
        return err_set(e, E_DENIED, "this account encrypts always, and "
                                    "override forbids to wish otherwise");
    return 0;
}

/* ---- one of the two questions ---- */

struct question {
    const char *verb, *element;
    enum settings_want setting;
    enum outbox_choice wish;
    bool demanded;
};

/* YES, NO, or UNSAID for "if possible"; -1. */
static int
decide(const struct outbox_policy *p, const struct question *q,
       enum outbox_choice *out, struct err *e)
{
    if (q->demanded && q->wish == OUTBOX_NO)
        return err_set(e, E_DENIED,
                       "the message wishes not to be %s, but the server's "
                       "policy demands it (%s)", q->verb, q->element);
    if (q->demanded) {
        *out = OUTBOX_YES;
        return 0;
    }
    *out = q->setting == SETTINGS_ALWAYS        ? OUTBOX_YES
           : q->setting == SETTINGS_IF_POSSIBLE ? OUTBOX_UNSAID
                                                : OUTBOX_NO;
    /* "ask" asks: a wish does not differ from it. */
    if (q->wish == OUTBOX_UNSAID || q->wish == *out)
        return 0;
    if (q->setting != SETTINGS_ASK) {
        if (p->override == SETTINGS_OVERRIDE_NO)
            return err_set(e, E_DENIED,
                           "the message's wish (%s: %s) differs from the "
                           "account's settings, and override = no",
                           q->verb, q->wish == OUTBOX_YES ? "yes" : "no");
        if (p->override == SETTINGS_OVERRIDE_STRICTER &&
            q->wish == OUTBOX_NO)
            return err_set(e, E_DENIED,
                           "the message wishes not to be %s, and override = "
                           "stricter lets it only ask for more", q->verb);
    }
    *out = q->wish;
    return 0;
}

static int
barred(struct err *e)
{
    return err_set(e, E_DENIED,
                   "the server's policy lets only keys on cards sign "
                   "(AllowSMIMESoftCerts), and those are not built yet");
}

int
outbox_policy_want(const struct outbox_policy *p, const struct outbox_facts *f,
                   struct outbox_want *out, struct err *e)
{
    struct question sign = {"signed", "RequireSignedSMIMEMessages", p->sign,
                            f->wish.sign, p->demand_sign};
    struct question encrypt = {"encrypted", "RequireEncryptedSMIMEMessages",
                               p->encrypt, f->wish.encrypt,
                               p->demand_encrypt};
    enum outbox_choice s, c;

    if (f->already != OUTBOX_PLAIN)
        return want_pass(p, f, out, e);
    if (decide(p, &sign, &s, e) || decide(p, &encrypt, &c, e))
        return -1;
    *out = (struct outbox_want){
        .sign = s == OUTBOX_YES,
        .encrypt = c == OUTBOX_YES      ? OUTBOX_ENCRYPT
                   : c == OUTBOX_UNSAID ? OUTBOX_IF_POSSIBLE
                                        : OUTBOX_CLEAR,
    };
    if (f->secret_reply && p->reply_guard) {
        if (f->wish.encrypt == OUTBOX_NO)
            return err_set(e, E_DENIED,
                           "this answers mail that arrived encrypted: it is "
                           "encrypted or not sent (reply_guard)");
        out->encrypt = OUTBOX_ENCRYPT;
    }
    out->hide_subject = f->secret_reply && out->encrypt != OUTBOX_CLEAR;
    /* CBC hides, but protects from no change: what is encrypted is signed
     * inside (SMIME.md section 6) unless a setting or a wish says no. */
    out->sign_sealed = !out->sign && p->sign == SETTINGS_ASK &&
                       f->wish.sign == OUTBOX_UNSAID &&
                       out->encrypt != OUTBOX_CLEAR;
    out->sign_barred = !p->soft_keys;
    if (out->sign && out->sign_barred)
        return barred(e);
    if (p->weak && out->encrypt != OUTBOX_CLEAR)
        return outbox_policy_check(p, true, true, e);
    return 0;
}

/* ---- knowing the certificates ---- */

static int
missing_err(const struct certs_found *found, struct err *e)
{
    struct buf text = BUF_INIT(sizeof e->text - 1);
    size_t named = 0, missing = 0;

    for (size_t i = 0; i < found->n; i++) {
        const struct certs_one *one = &found->list[i];
        size_t before = text.len;

        if (one->cert)
            continue;
        missing++;
        if (buf_addf(&text, "%s%s: %s", text.len ? "; " : "", one->address,
                     one->why.text[0] ? one->why.text
                                      : "no certificate was found") == 0 &&
            text.len < sizeof e->text - 30)
            named++;
        else
            buf_truncate(&text, before);
    }
    if (!named)
        err_set(e, E_NOCERT, "%zu recipients have no usable certificate",
                missing);
    else if (named < missing)
        err_set(e, E_NOCERT, "%s; and %zu more", text.data, missing - named);
    else
        err_set(e, E_NOCERT, "%s", text.data);
    buf_clear(&text);
    return -1;
}

static int
barred_sealed(struct err *e)
{
    barred(e);
    return err_add(e, "encrypted mail is signed too, unless it says sign=no");
}

int
outbox_policy_settle(const struct outbox_want *w,
                     const struct certs_found *found, bool waited,
                     struct outbox_verdict *out, struct err *e)
{
    size_t none = 0, not_asked = 0;

    *out = (struct outbox_verdict){.sign = w->sign};
    if (w->pass || w->encrypt == OUTBOX_CLEAR)
        return 0;
    for (size_t i = 0; i < found->n; i++)
        if (!found->list[i].cert) {
            if (found->list[i].why.why == CERTS_NOT_ASKED)
                not_asked++;
            else
                none++;
        }
    if (!found->n)
        return err_set(e, E_NOCERT, "there is nobody to encrypt to");
    if (!none && !not_asked) {
        out->encrypt = true;
        out->sign |= w->sign_sealed;
        return w->sign_sealed && w->sign_barred ? barred_sealed(e) : 0;
    }
    if (w->encrypt == OUTBOX_IF_POSSIBLE && (none || waited))
        return 0;
    if (!none)
        return err_set(e, E_RETRY, "the certificates of %zu recipients cannot "
                                   "be asked for now", not_asked);
    return missing_err(found, e);
}
