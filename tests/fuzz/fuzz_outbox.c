/*
 * A submission's header: wishes, and the header's recipients made equal to
 * the envelope's. The first line is the envelope, the rest the message. After
 * the changes exactly the envelope stands in To, Cc and Bcc, read anew from
 * the bytes that would leave; in the copy without Bcc no hidden one does.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mime/address.h"
#include "mime/header.h"
#include "mime/message.h"
#include "outbox/private.h"

#define RECIPIENTS_MAX 20u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(cond) must_hold((cond), #cond)

static void
must_hold(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "not so: %s\n", what);
    abort();
}

static size_t
envelope_take(struct slice line, struct arena *a, const char **out)
{
    struct slice one;
    size_t n = 0;

    while (n < RECIPIENTS_MAX && slice_next(&line, ' ', &one)) {
        struct buf spec = BUF_INIT(1 << 20);
        bool twice = false;
        char *text = arena_dup(a, one);

        if (mime_address_check(one, false, NULL, NULL, NULL) ||
            outbox_envelope_spec(text, &spec) || slice_has(one, ' ')) {
            buf_clear(&spec);
            continue;
        }
        text = arena_dup(a, buf_slice(&spec));
        buf_clear(&spec);
        for (size_t i = 0; i < n; i++)
            twice = twice || mime_address_equal(out[i], text);
        if (!twice)
            out[n++] = text;
    }
    return n;
}

/* Who would get it: each mailbox of these fields is marked, or unknown. */
static void
delivered(struct slice header, const char *name, const char *const *who,
          size_t n, bool *got)
{
    struct mime_addresses l = {0};
    const struct mime_address *m;
    size_t at = 0;

    mime_addresses_header(header, name, &l);
    while ((m = mime_addresses_next(&l, &at))) {
        struct buf spec = BUF_INIT(1 << 20);
        bool known = false;

        mime_address_spec(m, &spec);
        for (size_t i = 0; i < n && spec.data; i++)
            if (mime_address_equal(who[i], spec.data))
                known = got[i] = true;
        must(known);
        buf_clear(&spec);
    }
    mime_addresses_clear(&l);
}

static void
written(struct slice mime, const struct outbox_envelope *env, bool bcc,
        const char *const *who, size_t n)
{
    struct buf field = BUF_INIT(1 << 20), changed = BUF_INIT(1 << 24);
    struct buf seven = BUF_INIT(1 << 24);
    struct mime_change changes[16];
    bool got[RECIPIENTS_MAX] = {false};
    struct slice header, rest;
    struct mime_field f;
    bool refused = false;
    struct err e = {0};
    size_t k;

    if (bcc)
        outbox_envelope_bcc(env->hidden, env->nhidden, &field);
    for (k = 0; k < env->nchanges; k++) {
        changes[k] = env->changes[k];
        if (strcmp(changes[k].name, "Bcc") == 0)
            changes[k].field = buf_slice(&field);
    }
    must(mime_write_changed(mime, changes, k, &changed, &e) == 0);
    if (outbox_envelope_seven(buf_slice(&changed), &seven, &e)) {
        must(e.code == E_INPUT);
        goto out;
    }
    header = slice_cut(buf_slice(&seven), 0,
                       mime_header_length(buf_slice(&seven)));
    rest = header;
    while (mime_field_next(&rest, &f)) {
        bool high = false;

        must(f.name.n > 0);
        for (size_t i = 0; i < f.whole.n; i++)
            high = high || (unsigned char)f.whole.p[i] > 127;
        /* An address itself cannot be encoded: seal.c refuses the mail. */
        must(!high || (!slice_iis(f.name, "Subject") &&
                       !slice_istarts(f.name, "X-")));
        refused = refused || high;
    }
    if (refused)
        goto out;
    must(mime_header_count(header, "To") == 1 || env->nvisible);
    must(!mime_header_count(header, "Resent-Bcc"));
    delivered(header, "To", who, n, got);
    delivered(header, "Cc", who, n, got);
    for (size_t i = 0; i < env->nhidden && !bcc; i++)
        for (size_t j = 0; j < n; j++)
            must(!got[j] || strcmp(who[j], env->hidden[i]) != 0);
    delivered(header, "Bcc", who, n, got);
    for (size_t i = 0; i < n && bcc; i++)
        must(got[i]);
out:
    buf_clear(&field);
    buf_clear(&changed);
    buf_clear(&seven);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice all = slice_make(data, size), header;
    size_t nl = slice_find(all, '\n');
    struct slice mime = slice_from(all, nl + 1);
    struct arena *a = arena_new();
    const char *who[RECIPIENTS_MAX];
    size_t n = envelope_take(slice_trim(slice_cut(all, 0, nl)), a, who);
    struct outbox_envelope env;
    struct outbox_wish wish;
    struct buf subject = BUF_INIT(1 << 22);
    struct err e = {0};

    header = slice_cut(mime, 0, mime_header_length(mime));
    if (outbox_wish_read(header, "", &wish, &e))
        must(e.code == E_INPUT && e.text[0]);
    must(outbox_wish_subject(header, &subject) == 0);
    if (subject.len)
        must(slice_istarts(buf_slice(&subject), "Subject:") &&
             mime_header_count(buf_slice(&subject), "Subject") == 1);
    if (n) {
        if (outbox_envelope_read(header, who, n, a, &env, &e)) {
            must(e.code == E_LIMIT);
        } else {
            must(env.nvisible + env.nhidden == n);
            written(mime, &env, true, who, n);
            written(mime, &env, false, who, n);
        }
    }
    buf_clear(&subject);
    arena_free(&a);
    return 0;
}
