/*
 * Room outbox, its pure parts: what is decided, what a message wishes, and
 * how the envelope becomes the header.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eas/policy.h"
#include "mime/header.h"
#include "mime/message.h"
#include "outbox/private.h"
#include "test.h"

/* ---- policy: every combination against the rules, said another way ---- */

/* The certificates of two recipients. */
enum certs_case { ALL_HAVE, ONE_HAS_NOT, ONE_NOT_ASKED, BOTH_ILL, CERTS_CASES };

static const char *const certs_names[] = {"all have one", "one has none",
                                          "one not asked", "none and not asked"};

static struct certs_one ones[2];

static struct certs_found
found_of(enum certs_case c)
{
    static X509 *x;

    if (!x)
        x = X509_new();
    ones[0] = (struct certs_one){.address = (char *)"bob@example.test",
                                 .cert = x};
    ones[1] = (struct certs_one){.address = (char *)"carol@example.test",
                                 .cert = x};
    if (c == ONE_HAS_NOT || c == BOTH_ILL) {
        ones[0].cert = NULL;
        ones[0].why = (struct certs_judgment){CERTS_EXPIRED,
                                              "expired on 2026-01-02"};
    }
    if (c == ONE_NOT_ASKED || c == BOTH_ILL) {
        ones[1].cert = NULL;
        ones[1].why = (struct certs_judgment){CERTS_NOT_ASKED, "not asked"};
    }
    return (struct certs_found){ones, 2};
}

struct combination {
    enum settings_want sign, encrypt;
    enum settings_override override;
    enum outbox_choice wish_sign, wish_encrypt;
    bool demand_sign, demand_encrypt, secret_reply, guard, waited;
    enum certs_case certs;
};

enum end { SENT_CLEAR, SENT_SEALED, REFUSED_DENIED, REFUSED_NOCERT, WAITS };

/* SPEC section 8 in its own order: who demands, who wishes, who is set. */
static enum end
expected(const struct combination *c, bool *is_signed)
{
    bool sign, must = false, may = false;

    if ((c->demand_sign && c->wish_sign == OUTBOX_NO) ||
        (c->demand_encrypt && c->wish_encrypt == OUTBOX_NO))
        return REFUSED_DENIED;
    if (c->demand_sign) {
        sign = true;
    } else if (c->wish_sign == OUTBOX_UNSAID) {
        sign = c->sign == SETTINGS_ALWAYS;
    } else {
        bool yes = c->wish_sign == OUTBOX_YES;
        bool differs = (c->sign == SETTINGS_ALWAYS && !yes) ||
                       (c->sign == SETTINGS_NEVER && yes);

        if (differs && (c->override == SETTINGS_OVERRIDE_NO ||
                        (c->override == SETTINGS_OVERRIDE_STRICTER && !yes)))
            return REFUSED_DENIED;
        sign = yes;
    }
    if (c->demand_encrypt) {
        must = true;
    } else if (c->wish_encrypt == OUTBOX_UNSAID) {
        must = c->encrypt == SETTINGS_ALWAYS;
        may = c->encrypt == SETTINGS_IF_POSSIBLE;
    } else {
        bool yes = c->wish_encrypt == OUTBOX_YES;
        bool differs = c->encrypt == SETTINGS_IF_POSSIBLE ||
                       (c->encrypt == SETTINGS_ALWAYS && !yes) ||
                       (c->encrypt == SETTINGS_NEVER && yes);

        if (differs && (c->override == SETTINGS_OVERRIDE_NO ||
                        (c->override == SETTINGS_OVERRIDE_STRICTER && !yes)))
            return REFUSED_DENIED;
        must = yes;
    }
    if (c->secret_reply && c->guard) {
        if (c->wish_encrypt == OUTBOX_NO)
            return REFUSED_DENIED;
        must = true;
    }
    *is_signed = sign;
    if (!must && !may)
        return SENT_CLEAR;
    if (c->certs == ALL_HAVE) {
        /* "ask" and nobody asked: signed because it is encrypted. */
        *is_signed = sign || (c->sign == SETTINGS_ASK &&
                              c->wish_sign == OUTBOX_UNSAID);
        return SENT_SEALED;
    }
    if (must)
        return c->certs == ONE_NOT_ASKED ? WAITS : REFUSED_NOCERT;
    return c->certs == ONE_NOT_ASKED && !c->waited ? WAITS : SENT_CLEAR;
}

static enum end
decided(const struct combination *c, bool *is_signed, struct err *e)
{
    struct outbox_policy p = {
        .sign = c->sign,
        .encrypt = c->encrypt,
        .override = c->override,
        .reply_guard = c->guard,
        .demand_sign = c->demand_sign,
        .demand_encrypt = c->demand_encrypt,
        .soft_keys = true,
    };
    struct outbox_facts f = {
        .wish = {c->wish_sign, c->wish_encrypt},
        .secret_reply = c->secret_reply,
    };
    struct certs_found found = found_of(c->certs);
    struct outbox_want want;
    struct outbox_verdict v;

    *e = (struct err){0};
    if (outbox_policy_want(&p, &f, &want, e) ||
        outbox_policy_settle(&want, &found, c->waited, &v, e))
        return e->code == E_DENIED   ? REFUSED_DENIED
               : e->code == E_NOCERT ? REFUSED_NOCERT
               : e->code == E_RETRY  ? WAITS
                                     : SENT_CLEAR;
    *is_signed = v.sign;
    /* What was decided passes the check before sending, or nothing does. */
    CHECK(outbox_policy_check(&p, v.sign, v.encrypt, e) == 0);
    return v.encrypt ? SENT_SEALED : SENT_CLEAR;
}

static void
policy_all(void)
{
    static const enum settings_want signs[] = {SETTINGS_ASK, SETTINGS_ALWAYS,
                                               SETTINGS_NEVER};
    static const enum settings_want encrypts[] = {
        SETTINGS_ASK, SETTINGS_ALWAYS, SETTINGS_NEVER, SETTINGS_IF_POSSIBLE};
    unsigned n = 0, bad = 0, ends[5] = {0};

    for (unsigned i = 0; i < 3 * 4 * 3 * 3 * 3 * 32 * CERTS_CASES; i++) {
        unsigned k = i;
        struct combination c;
        bool signed_want = false, signed_got = false;
        enum end want, got;
        struct err e;

        c.sign = signs[k % 3], k /= 3;
        c.encrypt = encrypts[k % 4], k /= 4;
        c.override = (enum settings_override)(k % 3), k /= 3;
        c.wish_sign = (enum outbox_choice)(k % 3), k /= 3;
        c.wish_encrypt = (enum outbox_choice)(k % 3), k /= 3;
        c.demand_sign = k % 2, k /= 2;
        c.demand_encrypt = k % 2, k /= 2;
        c.secret_reply = k % 2, k /= 2;
        c.guard = k % 2, k /= 2;
        c.waited = k % 2, k /= 2;
        c.certs = (enum certs_case)k;
        want = expected(&c, &signed_want);
        got = decided(&c, &signed_got, &e);
        n++;
        ends[got]++;
        if (want == got && (got > SENT_SEALED || signed_want == signed_got) &&
            (got < REFUSED_DENIED || e.text[0]))
            continue;
        if (bad++ < 5)
            printf("# sign=%d encrypt=%d override=%d wish=%d/%d demand=%d/%d "
                   "reply=%d guard=%d, %s: want %d, got %d (%s)\n",
                   c.sign, c.encrypt, c.override, c.wish_sign, c.wish_encrypt,
                   c.demand_sign, c.demand_encrypt, c.secret_reply, c.guard,
                   certs_names[c.certs], want, got, e.text);
    }
    printf("# %u combinations: %u clear, %u sealed, %u denied, %u without "
           "certificate, %u wait\n",
           n, ends[0], ends[1], ends[2], ends[3], ends[4]);
    CHECK_INT(bad, 0);
    CHECK_INT(n, 3 * 4 * 27 * 32 * 4);
    for (int i = 0; i < 5; i++)
        CHECK(ends[i] > 100);
}

static void
policy_sealed_already(void)
{
    static const struct {
        const char *name;
        enum outbox_already already;
        enum settings_want encrypt;
        enum outbox_choice wish_encrypt;
        bool demand_sign, demand_encrypt, secret_reply;
        bool passes;
        const char *says;
    } rows[] = {
        {"signed", OUTBOX_SIGNED, .passes = true},
        {"encrypted", OUTBOX_ENCRYPTED, .passes = true},
        {"pgp", OUTBOX_PGP_ENCRYPTED, .passes = true},
        {"signed, demanded", OUTBOX_SIGNED, .demand_sign = true,
         .passes = true},
        {"pgp signed, demanded", OUTBOX_PGP_SIGNED, .demand_sign = true,
         .says = "RequireSigned"},
        {"encrypted, demanded", OUTBOX_ENCRYPTED, .demand_encrypt = true,
         .passes = true},
        {"pgp encrypted, demanded", OUTBOX_PGP_ENCRYPTED,
         .demand_encrypt = true, .says = "RequireEncrypted"},
        {"signed, encryption demanded", OUTBOX_SIGNED, .demand_encrypt = true,
         .says = "RequireEncrypted"},
        {"encrypted, signature demanded", OUTBOX_ENCRYPTED,
         .demand_sign = true, .says = "RequireSigned"},
        {"signed, account encrypts", OUTBOX_SIGNED, SETTINGS_ALWAYS,
         .says = "to be encrypted"},
        {"the same, wished clear", OUTBOX_SIGNED, SETTINGS_ALWAYS, OUTBOX_NO,
         .passes = true},
        {"encrypted, account encrypts", OUTBOX_ENCRYPTED, SETTINGS_ALWAYS,
         .passes = true},
        {"pgp encrypted, account encrypts", OUTBOX_PGP_ENCRYPTED,
         SETTINGS_ALWAYS, .passes = true},
        {"pgp signed, account encrypts", OUTBOX_PGP_SIGNED, SETTINGS_ALWAYS,
         .says = "to be encrypted"},
        {"signed, wished", OUTBOX_SIGNED, SETTINGS_ASK, OUTBOX_YES,
         .says = "to be encrypted"},
        {"signed reply", OUTBOX_SIGNED, .secret_reply = true,
         .says = "arrived encrypted"},
        {"encrypted reply", OUTBOX_ENCRYPTED, .secret_reply = true,
         .passes = true},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct outbox_policy p = {
            .encrypt = rows[i].encrypt,
            .reply_guard = true,
            .soft_keys = true,
            .demand_sign = rows[i].demand_sign,
            .demand_encrypt = rows[i].demand_encrypt,
        };
        struct outbox_facts f = {
            .already = rows[i].already,
            .wish = {OUTBOX_UNSAID, rows[i].wish_encrypt},
            .secret_reply = rows[i].secret_reply,
        };
        struct outbox_want want;
        struct err e = {0};
        int rc = outbox_policy_want(&p, &f, &want, &e);

        test_row(rows[i].name);
        CHECK_INT(rc, rows[i].passes ? 0 : -1);
        if (rc) {
            CHECK_INT(e.code, E_DENIED);
            CHECK(strstr(e.text, rows[i].says) != NULL);
        } else {
            CHECK(want.pass && !want.sign && want.encrypt == OUTBOX_CLEAR);
        }
    }
    test_row(NULL);
}

/* Encrypted and not told whether to sign, where no key may sign. */
static void
policy_document_sealed(const struct settings_account *s,
                       const struct eas_policy *doc)
{
    struct outbox_facts f = {.wish = {.encrypt = OUTBOX_YES}};
    struct certs_found found = found_of(ALL_HAVE);
    struct outbox_policy p;
    struct outbox_verdict v;
    struct outbox_want want;
    struct err e;

    outbox_policy_of(s, doc, &p);
    CHECK_INT(outbox_policy_want(&p, &f, &want, &e), 0);
    CHECK_INT(outbox_policy_settle(&want, &found, false, &v, &e), -1);
    CHECK_INT(e.code, E_DENIED);
    CHECK(strstr(e.text, "sign=no") != NULL);
    f.wish.sign = OUTBOX_NO;
    CHECK_INT(outbox_policy_want(&p, &f, &want, &e), 0);
    CHECK_INT(outbox_policy_settle(&want, &found, false, &v, &e), 0);
    CHECK(v.encrypt && !v.sign);
}

static void
policy_document(void)
{
    struct settings_account s = {.encrypt = SETTINGS_ASK};
    struct eas_policy doc = {.soft_certs = true, .negotiation = -1,
                             .encryption_algorithm = -1,
                             .signed_algorithm = -1};
    struct outbox_facts f = {.wish = {OUTBOX_YES, OUTBOX_YES}};
    struct outbox_policy p;
    struct outbox_want want;
    struct err e;

    outbox_policy_of(&s, NULL, &p);
    CHECK(!p.demand_sign && !p.demand_encrypt && p.soft_keys && !p.weak);
    /* Nearly every policy names 3DES and SHA-1: AES and SHA-256 fulfil it. */
    doc.require_encrypted = doc.require_signed = true;
    doc.encryption_algorithm = 0;
    doc.signed_algorithm = 0;
    doc.negotiation = 1;
    outbox_policy_of(&s, &doc, &p);
    CHECK(p.demand_sign && p.demand_encrypt && !p.weak);
    CHECK_INT(outbox_policy_want(&p, &f, &want, &e), 0);
    CHECK(outbox_policy_is_certain(&p));
    /* Exactly the one named: refused, and the conflict has a name. */
    doc.negotiation = 0;
    outbox_policy_of(&s, &doc, &p);
    CHECK_INT(outbox_policy_want(&p, &f, &want, &e), -1);
    CHECK_INT(e.code, E_DENIED);
    CHECK(strstr(e.text, "3DES") != NULL);
    s.allow_weak = true;
    outbox_policy_of(&s, &doc, &p);
    CHECK_INT(outbox_policy_want(&p, &f, &want, &e), -1);
    CHECK(strstr(e.text, "not built yet") != NULL);
    /* Keys on cards only. */
    doc.negotiation = 2;
    doc.soft_certs = false;
    outbox_policy_of(&s, &doc, &p);
    CHECK_INT(outbox_policy_want(&p, &f, &want, &e), -1);
    CHECK(strstr(e.text, "AllowSMIMESoftCerts") != NULL);
    doc.require_signed = false;
    policy_document_sealed(&s, &doc);
    doc.require_signed = true;
    /* The check right before sending. */
    CHECK_INT(outbox_policy_check(&p, false, true, &e), -1);
    CHECK_INT(outbox_policy_check(&p, true, false, &e), -1);
    CHECK_INT(outbox_policy_check(&p, true, true, &e), 0);
}

static void
policy_names_all(void)
{
    struct certs_one many[40];
    struct certs_found found = {many, 40};
    struct outbox_want want = {.encrypt = OUTBOX_ENCRYPT};
    struct outbox_verdict v;
    char names[40][60];
    struct err e;

    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "somebody%d@example.test", i);
        many[i] = (struct certs_one){.address = names[i],
                                     .why = {CERTS_NOT_FOUND, "none found"}};
    }
    CHECK_INT(outbox_policy_settle(&want, &found, false, &v, &e), -1);
    CHECK_INT(e.code, E_NOCERT);
    CHECK(strstr(e.text, "somebody0@example.test: none found; ") == e.text);
    CHECK(strstr(e.text, " more") != NULL);
    found.n = 0;
    CHECK_INT(outbox_policy_settle(&want, &found, false, &v, &e), -1);
}

/* ---- wishes ---- */

static void
wishes(void)
{
    static const struct {
        const char *header, *login;
        int sign, encrypt; /* -1: refused */
        const char *subject; /* the field that leaves; NULL: as it is */
    } rows[] = {
        {"Subject: hello\r\n", "", 0, 0, NULL},
        {"X-Sealpost: sign=yes; encrypt=no\r\n", "", 2, 1, NULL},
        {"x-sealpost : SIGN = Yes;\r\n\tEncrypt=YES;\r\n", "", 2, 2, NULL},
        {"X-Sealpost:\r\n", "", 0, 0, NULL},
        {"X-Sealpost: sign=maybe\r\n", "", -1, -1, NULL},
        {"X-Sealpost: sign\r\n", "", -1, -1, NULL},
        {"X-Sealpost: delay=3h\r\n", "", -1, -1, NULL},
        {"X-Sealpost: sign=yes; sign=no\r\n", "", -1, -1, NULL},
        {"X-Sealpost: sign=yes\r\nX-Sealpost: sign=yes\r\n", "", -1, -1,
         NULL},
        {"Subject: [encrypt] hello\r\n", "", 0, 2, "Subject: hello\r\n"},
        {"Subject:[ENCRYPT][sign]hello\r\n", "", 2, 2, "Subject: hello\r\n"},
        {"Subject: [sign] [encrypt]\r\n hello\r\n", "", 2, 2,
         "Subject: hello\r\n"},
        {"Subject: [clear] hello\r\n", "", 1, 1, "Subject: hello\r\n"},
        {"Subject: Re: [encrypt] hello\r\n", "", 0, 0, NULL},
        {"Subject: Fwd: x [sign]\r\n", "", 0, 0, NULL},
        {"Subject: =?utf-8?q?[encrypt]_gr=C3=BCn?=\r\n", "", 0, 2,
         "Subject: =?utf-8?B?Z3LDvG4=?=\r\n"},
        {"Subject: [encrypt]\r\nX-Sealpost: encrypt=no\r\n", "", -1, -1,
         NULL},
        {"Subject: [sign] a\r\nX-Sealpost: encrypt=yes\r\n", "", 2, 2,
         "Subject: a\r\n"},
        {"Subject: [clear] [sign] a\r\n", "", -1, -1, NULL},
        {"Subject: a\r\n", "+encrypt", 0, 2, NULL},
        {"Subject: a\r\n", "encrypt+sign", 2, 2, NULL},
        {"Subject: a\r\n", "+clear", 1, 1, NULL},
        {"Subject: a\r\n", "+raw", -1, -1, NULL},
        {"Subject: [clear] a\r\n", "+encrypt", -1, -1, NULL},
        /* What a correspondent wrote is no wish of ours. */
        {"Resent-From: a@b\r\nX-Sealpost: encrypt=no\r\n", "", 0, 0, NULL},
        {"Subject: [clear] a\r\nresent-to: a@b\r\n", "", 0, 0, NULL},
        {"Subject: [clear] a\r\nResent-To: a@b\r\n", "+encrypt", 0, 2, NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice header = slice_of(rows[i].header);
        struct buf subject = BUF_INIT(1000);
        struct outbox_wish w = {0};
        struct err e = {0};
        int rc = outbox_wish_read(header, rows[i].login, &w, &e);

        test_row(rows[i].header);
        CHECK_INT(rc, rows[i].sign < 0 ? -1 : 0);
        if (rc) {
            CHECK_INT(e.code, E_INPUT);
            continue;
        }
        CHECK_INT(w.sign, rows[i].sign);
        CHECK_INT(w.encrypt, rows[i].encrypt);
        CHECK_INT(outbox_wish_subject(header, &subject), 0);
        if (rows[i].subject)
            CHECK(subject.len && ascii_icmp(subject.data, rows[i].subject) == 0);
        else
            CHECK_INT(subject.len, 0);
        buf_clear(&subject);
    }
    test_row(NULL);
}

/* ---- envelope ---- */

static void
envelope_one(const char *name, const char *header, const char *const *rcpt,
             const char *want, const char *hidden, bool inner)
{
    struct arena *a = arena_new();
    struct outbox_envelope env;
    struct buf out = BUF_INIT(1 << 20), bcc = BUF_INIT(1 << 20);
    struct mime_change changes[16];
    struct slice mime = slice_of(header);
    struct err e = {0};
    size_t n = 0, k = 0;

    test_row(name);
    while (rcpt[n])
        n++;
    CHECK_INT(outbox_envelope_read(
                  slice_cut(mime, 0, mime_header_length(mime)), rcpt, n, a,
                  &env, &e), 0);
    CHECK_STR(e.text, "");
    outbox_envelope_bcc(env.hidden, env.nhidden, &bcc);
    for (size_t i = 0; i < env.nchanges; i++) {
        changes[k] = env.changes[i];
        if (strcmp(changes[k].name, "Bcc") == 0)
            changes[k].field = buf_slice(&bcc);
        k++;
    }
    CHECK_INT(mime_write_changed(mime, changes, k, &out, &e), 0);
    CHECK_STR(out.data, want);
    CHECK_INT(env.nhidden + env.nvisible, n);
    CHECK_STR(bcc.len ? bcc.data : "", hidden);
    CHECK_INT(env.inner.n > 0, inner);
    buf_clear(&out);
    buf_clear(&bcc);
    arena_free(&a);
}

static void
envelopes(void)
{
    static const char *const bob[] = {"bob@example.test", NULL};
    static const char *const two[] = {"bob@example.test",
                                      "CAROL@example.TEST", NULL};

    envelope_one("equal", "To: Bob <bob@example.test>\r\nSubject: x\r\n\r\nb",
                 bob, "To: Bob <bob@example.test>\r\nSubject: x\r\n\r\nb", "",
                 false);
    envelope_one("case and layout stay",
                 "To: Bob <BOB@Example.test>,\r\n\tcarol@example.test\r\n\r\n",
                 two,
                 "To: Bob <BOB@Example.test>,\r\n\tcarol@example.test\r\n\r\n",
                 "", false);
    envelope_one("hidden", "To: bob@example.test\r\n\r\nb", two,
                 "To: bob@example.test\r\nBcc: CAROL@example.TEST\r\n\r\nb",
                 "Bcc: CAROL@example.TEST\r\n", false);
    envelope_one("bcc of the client goes",
                 "Bcc: dave@example.test, carol@example.test\r\n"
                 "To: bob@example.test\r\n\r\nb", two,
                 "Bcc: CAROL@example.TEST\r\nTo: bob@example.test\r\n\r\nb",
                 "Bcc: CAROL@example.TEST\r\n", false);
    envelope_one("not in the envelope",
                 "To: bob@example.test, Dave <dave@example.test>\r\n\r\nb",
                 bob, "To: bob@example.test\r\n"
                      "X-Sealpost-To: Dave <dave@example.test>\r\n\r\nb",
                 "", true);
    envelope_one("nothing left",
                 "To: dave@example.test\r\nCc: erin@example.test\r\n\r\nb",
                 bob,
                 "To: undisclosed-recipients:;\r\n"
                 "X-Sealpost-To: dave@example.test\r\n"
                 "X-Sealpost-Cc: erin@example.test\r\n"
                 "Bcc: bob@example.test\r\n\r\nb",
                 "Bcc: bob@example.test\r\n", true);
    envelope_one("cc alone is left",
                 "To: dave@example.test\r\nCc: bob@example.test\r\n\r\nb",
                 bob,
                 "To: undisclosed-recipients:;\r\nCc: bob@example.test\r\n"
                 "X-Sealpost-To: dave@example.test\r\n\r\nb", "", true);
    envelope_one("no to at all", "Subject: x\r\n\r\nb", bob,
                 "Subject: x\r\nTo: undisclosed-recipients:;\r\n"
                 "Bcc: bob@example.test\r\n\r\nb",
                 "Bcc: bob@example.test\r\n", false);
    envelope_one("two to fields become one",
                 "To: bob@example.test\r\nSubject: x\r\n"
                 "To: carol@example.test\r\n\r\nb", two,
                 "To: bob@example.test, carol@example.test\r\n"
                 "Subject: x\r\n\r\nb", "", false);
    envelope_one("groups",
                 "To: friends: bob@example.test, dave@example.test;\r\n\r\nb",
                 bob,
                 "To: bob@example.test\r\nX-Sealpost-To: dave@example.test\r\n"
                 "\r\nb", "", true);
    envelope_one("a forged field goes",
                 "To: bob@example.test\r\nResent-Bcc: x@y\r\n\r\nb", bob,
                 "To: bob@example.test\r\n\r\nb", "", false);
    envelope_one("resent",
                 "Resent-To: carol@example.test, eve@example.test\r\n"
                 "Resent-Bcc: bob@example.test\r\n"
                 "To: dave@example.test\r\n\r\nb", two,
                 "Resent-To: carol@example.test\r\n"
                 "To: undisclosed-recipients:;\r\n"
                 "X-Sealpost-To: dave@example.test\r\n"
                 "X-Sealpost-Resent-To: eve@example.test\r\n"
                 "Bcc: bob@example.test, CAROL@example.TEST\r\n\r\nb",
                 "Bcc: bob@example.test, CAROL@example.TEST\r\n", true);
    envelope_one("read in two ways",
                 "To: bob@example.test eve@example.test, <\r\n\r\nb", bob,
                 "To: bob@example.test\r\nX-Sealpost-To: eve@example.test\r\n"
                 "\r\nb", "", true);
    test_row(NULL);
}

static void
seven_bits(void)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"Subject: plain\r\n\r\nb\xc3\xbc", "Subject: plain\r\n\r\nb\xc3\xbc"},
        {"Subject: gr\xc3\xbcn\r\n\r\nb", "Subject: =?utf-8?B?Z3LDvG4=?=\r\n"
                                          "\r\nb"},
        {"Subject: gr\xfcn\r\n\r\nb", "Subject: =?utf-8?B?Z3LDvG4=?=\r\n"
                                      "\r\nb"},
        {"To: J\xc3\xbcrgen <j@example.test>\r\n\r\nb",
         "To: =?utf-8?q?J=C3=BCrgen?= <j@example.test>\r\n\r\nb"},
        {"A: b\r\nno field\r\nC: d\r\n\r\nb", NULL},
        {"A: b\r\nbody of a program that forgot\r\nthe empty line", NULL},
        {"\x01\r\nA: b\r\n\r\nb", NULL},
        {"From bob Mon Jan  1\r\nA: b\r\n\r\nb", "A: b\r\n\r\nb"},
        {"A: b\r\n\r\n", "A: b\r\n\r\n"},
        {"A: b", "A: b\r\n\r\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT(10000);
        struct err e = {0};

        test_row(rows[i].in);
        CHECK_INT(outbox_envelope_seven(slice_of(rows[i].in), &out, &e),
                  rows[i].out ? 0 : -1);
        CHECK_INT(e.code, rows[i].out ? E_NONE : E_INPUT);
        if (rows[i].out && ascii_icmp(out.data, rows[i].out) != 0)
            CHECK_STR(out.data, rows[i].out);
        buf_clear(&out);
    }
    test_row(NULL);
}

static const struct test_case cases[] = {
    TEST(policy_all),       TEST(policy_sealed_already), TEST(policy_document),
    TEST(policy_names_all), TEST(wishes),                TEST(envelopes),
    TEST(seven_bits),
};
TEST_MAIN(cases)
