/*
 * From what was found and whom we trust to one word and a reason (RFC 7281,
 * SMIME.md R9 to R16 and R22).
 */
#include "smime/verdict.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define SKEW 300 /* seconds */

static const char *const names[] = {
    [SMIME_NONE] = "none",           [SMIME_PASS] = "pass",
    [SMIME_FAIL] = "fail",           [SMIME_POLICY] = "policy",
    [SMIME_NEUTRAL] = "neutral",     [SMIME_TEMPERROR] = "temperror",
    [SMIME_PERMERROR] = "permerror",
};

const char *
smime_result_name(enum smime_result r)
{
    return names[r];
}

static void
say(struct smime_verdict *v, enum smime_result result, const char *reason)
{
    v->result = result;
    snprintf(v->reason, sizeof v->reason, "%s", reason);
}

/* One signer alone. */
static void
judge_signer(const struct smime_report *r, const struct smime_signer *s,
             const struct smime_trust *t, int64_t now,
             struct smime_verdict *v)
{
    static const struct smime_trust nobody = {
        .reason = "the signer is not trusted"};

    if (!t)
        t = &nobody;
    if (!s->cert)
        say(v, SMIME_PERMERROR, s->reason);
    else if (!s->good)
        say(v, SMIME_FAIL, s->reason);
    else if (t->revoked)
        say(v, SMIME_FAIL, "the signer's certificate was revoked");
    else if (s->weak)
        say(v, SMIME_POLICY, "signed with an algorithm or key that is too "
                             "weak");
    else if (!t->chain)
        say(v, SMIME_POLICY, t->reason);
    else if (r->headers_broken)
        say(v, SMIME_POLICY, "a protected header field stands there twice");
    else if (!r->from)
        say(v, SMIME_POLICY, "From is not exactly one address, so nothing "
                             "can hold for it");
    else if (!t->address)
        say(v, SMIME_POLICY,
            t->sender ? "the signer is the Sender, not From"
                      : "the signer's certificate is not for the From "
                        "address");
    else if (s->time > now + SKEW)
        say(v, SMIME_POLICY, "signed in the future");
    else if (t->unsure)
        say(v, SMIME_TEMPERROR, "revocation could not be asked");
    else
        say(v, SMIME_PASS, "");
    v->signer = s;
}

/* The most severe one is told; pass needs all. */
static int
rank(enum smime_result r)
{
    static const int ranks[] = {
        [SMIME_NONE] = 0,      [SMIME_PASS] = 1,    [SMIME_TEMPERROR] = 2,
        [SMIME_POLICY] = 3,    [SMIME_NEUTRAL] = 4, [SMIME_PERMERROR] = 5,
        [SMIME_FAIL] = 6,
    };

    return ranks[r];
}

static void
part_number(const struct smime_report *r, size_t layer, char *out, size_t n)
{
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i <= layer && at + 4 < n; i++) {
        enum smime_layer_type t = r->layers[i].type;
        bool last = i == layer;
        const char *step = t == SMIME_SIGNED_CLEAR ? (last ? "2" : "1") : "1";

        at += (size_t)snprintf(out + at, n - at, "%s%s", at ? "/" : "", step);
    }
}

/* A signature around an encryption layer covers ciphertext: whoever made it
 * need not have known the text (SMIME.md section 3, R13). */
static bool
covers_ciphertext(const struct smime_report *r, size_t layer)
{
    for (size_t i = layer + 1; i < r->n; i++)
        if (r->layers[i].type == SMIME_ENVELOPED ||
            r->layers[i].type == SMIME_AUTH_ENVELOPED)
            return true;
    return false;
}

void
smime_judge(const struct smime_report *r, const struct smime_trust *trust,
            size_t ntrust, int64_t now, struct smime_verdict *out)
{
    struct smime_verdict best = {.result = SMIME_NONE};
    size_t at = 0, signed_layers = 0;

    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < r->n; i++) {
        const struct smime_layer *l = &r->layers[i];
        bool is_signed = l->type == SMIME_SIGNED_CLEAR ||
                         l->type == SMIME_SIGNED_OPAQUE;
        struct smime_verdict v = {0}, one = {.result = SMIME_NONE};

        if (!is_signed)
            continue;
        signed_layers++;
        if (!l->opened)
            say(&one, SMIME_NEUTRAL, l->reason);
        for (size_t k = 0; k < l->nsigners; k++, at++) {
            memset(&v, 0, sizeof v);
            judge_signer(r, &l->signers[k],
                         trust && at < ntrust ? &trust[at] : NULL, now, &v);
            /* Of several signers one must hold for From and none be bad. */
            if (one.result == SMIME_NONE || rank(v.result) > 3 ||
                (v.result == SMIME_PASS && rank(one.result) <= 3))
                one = v;
        }
        if (one.result == SMIME_PASS && covers_ciphertext(r, i))
            say(&one, SMIME_POLICY, "the signature covers only encrypted "
                                    "text, not what is read");
        part_number(r, i, one.part, sizeof one.part);
        /* The innermost speaks for the text; a bad outer one spoils it. */
        if (best.result == SMIME_NONE || rank(one.result) >= 3 ||
            rank(best.result) < 3)
            if (rank(one.result) >= rank(best.result) ||
                one.result == SMIME_PASS)
                best = one;
    }
    if (!signed_layers) {
        if (r->damaged || r->unsupported)
            say(&best, r->encrypted ? SMIME_NONE : SMIME_NEUTRAL,
                r->problem[0] ? r->problem : "its S/MIME could not be read");
        else
            say(&best, SMIME_NONE, "");
    }
    *out = best;
}
