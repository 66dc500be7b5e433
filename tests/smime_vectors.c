/*
 * The S/MIME vectors: opens each file named in an expected.tsv with the keys
 * and anchors of its line, and compares what the report says. Lines that are
 * known to be wrong stand in an expected-failures file with the reason; an
 * unexpected pass fails too. Run by tests/smime_vectors.sh, over our own
 * vectors in tests/data/smime and over those beside the tree if they are
 * there.
 *
 *     smime_vectors DIR EXPECTED.TSV FAILURES.TSV
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/buf.h"
#include "base/code.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/secret.h"
#include "certs/certs.h"
#include "keys/keys.h"
#include "mime/header.h"
#include "smime/json.h"
#include "smime/open.h"
#include "smime/verdict.h"
#include "test.h"

#define FILE_LIMIT ((size_t)64 << 20)
#define READERS 16u
#define KEYSETS 4u

enum column { C_FILE, C_TRUST, C_KEYS, C_AT, C_ENCRYPTED, C_DECRYPTED,
              C_SMIME, C_HEADERS, C_NOTE, COLUMNS };

struct vector {
    struct slice col[COLUMNS];
    const char *dir;
    struct smime_reader readers[READERS];
    struct smime_ring ring;
    struct keys *sets[KEYSETS];
    size_t nsets;
    char why[600];
};

static void
wrong(struct vector *v, const char *what, const char *got, struct slice want)
{
    size_t at = strlen(v->why);

    snprintf(v->why + at, sizeof v->why - at, "%s%s is %s, not %.*s",
             at ? "; " : "", what, got, SLICE_FMT(want));
}

static int
load(const struct vector *v, struct slice name, struct buf *out)
{
    struct buf path = BUF_INIT(4096);
    struct err e;
    int rc;

    buf_adds(&path, v->dir);
    buf_addc(&path, '/');
    buf_add_slice(&path, name);
    buf_init(out, FILE_LIMIT);
    rc = file_read(path.data, out, &e);
    if (rc)
        printf("# %s\n", e.text);
    buf_clear(&path);
    return rc;
}

/* ---- keys and anchors ---- */

static X509 *
cert_load(const struct vector *v, struct slice name)
{
    struct buf b;
    BIO *bio;
    X509 *x;

    if (load(v, name, &b))
        return NULL;
    bio = BIO_new_mem_buf(b.data, (int)b.len);
    x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (!x) {
        (void)BIO_reset(bio);
        x = d2i_X509_bio(bio, NULL);
    }
    BIO_free(bio);
    buf_clear(&b);
    ERR_clear_error();
    return x;
}

static EVP_PKEY *
key_load(const struct vector *v, struct slice name)
{
    struct buf b;
    BIO *bio;
    EVP_PKEY *k;

    if (load(v, name, &b))
        return NULL;
    bio = BIO_new_mem_buf(b.data, (int)b.len);
    k = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    if (!k) {
        (void)BIO_reset(bio);
        k = d2i_PrivateKey_bio(bio, NULL);
    }
    BIO_free(bio);
    buf_wipe(&b);
    ERR_clear_error();
    return k;
}

static int
reader_add(struct vector *v, X509 *cert, EVP_PKEY *key)
{
    if (!cert || !key || v->ring.n == READERS) {
        X509_free(cert);
        EVP_PKEY_free(key);
        return -1;
    }
    v->readers[v->ring.n++] = (struct smime_reader){cert, key};
    return 0;
}

/* A PFX goes through room keys, as a user's would. */
static int
pfx_add(struct vector *v, struct slice name, struct slice password)
{
    static unsigned serial;
    struct secret pw = {0}, wrap = {0};
    struct keys_import *in = NULL;
    struct keys *ks = NULL;
    struct buf b;
    char dir[200], *text = NULL;
    struct err e;
    int rc = -1;

    if (load(v, name, &b))
        return -1;
    secret_set(&pw, password.p, password.n);
    secret_set(&wrap, "0123456789abcdef0123456789abcdef", 32);
    snprintf(dir, sizeof dir, "%s/keys%u", test_dir(), serial++);
    if (v->nsets < KEYSETS &&
        keys_import_parse(buf_slice(&b), &pw, &in, &e) == 0 &&
        keys_open(dir, &wrap, &ks, &e) == 0 &&
        keys_import_add(ks, in, &text, &e) == 0)
        rc = 0;
    else
        printf("# %.*s: %s\n", SLICE_FMT(name), e.text);
    for (const struct key *k = NULL; rc == 0 && (k = keys_next(ks, k));) {
        X509_up_ref(key_cert(k));
        rc = reader_add(v, key_cert(k), key_private(k));
    }
    if (ks)
        v->sets[v->nsets++] = ks;
    free(text);
    keys_import_free(&in);
    secret_clear(&pw);
    secret_clear(&wrap);
    buf_wipe(&b);
    return rc;
}

static int
keys_load(struct vector *v)
{
    struct slice rest = v->col[C_KEYS], one;
    int rc = 0;

    v->ring.readers = v->readers;
    if (slice_is(rest, "-"))
        return 0;
    while (slice_next(&rest, ' ', &one)) {
        size_t hash = slice_find(one, '#'), colon = slice_find(one, ':');

        if (hash < one.n)
            rc |= pfx_add(v, slice_cut(one, 0, hash),
                          slice_from(one, hash + 1));
        else
            rc |= reader_add(v, cert_load(v, slice_from(one, colon + 1)),
                             key_load(v, slice_cut(one, 0, colon)));
    }
    return rc;
}

/* Room certs takes PEM files; some of the anchors are DER. */
static struct certs_anchors *
anchors_load(const struct vector *v)
{
    struct slice rest = v->col[C_TRUST], one;
    struct certs_anchors *a = NULL;
    const char *files[2] = {NULL, NULL};
    char path[200];
    struct err e;
    BIO *out;
    int n = 0;

    snprintf(path, sizeof path, "%s/anchors.pem", test_dir());
    out = BIO_new_file(path, "w");
    while (!slice_is(v->col[C_TRUST], "-") && slice_next(&rest, ' ', &one)) {
        X509 *x = cert_load(v, one);

        if (x && PEM_write_bio_X509(out, x))
            n++;
        X509_free(x);
    }
    BIO_free(out);
    if (n)
        files[0] = path;
    return certs_anchors_new(files, false, &a, &e) ? NULL : a;
}

static int64_t
at_time(struct slice s)
{
    struct tm tm = {0};
    char text[32];

    if (slice_is(s, "now") || !slice_copy(s, text, sizeof text) ||
        !strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm))
        return (int64_t)time(NULL);
    return timegm(&tm);
}

/* ---- one line ---- */

/* Bare CMS is judged as if it stood in application/pkcs7-mime. */
static int
message_load(const struct vector *v, struct buf *out)
{
    struct slice note = v->col[C_NOTE], s;
    struct buf b, der = BUF_INIT(FILE_LIMIT);

    if (load(v, v->col[C_FILE], &b))
        return -1;
    buf_init(out, FILE_LIMIT * 2);
    s = buf_slice(&b);
    if (slice_starts(note, "mbox")) {
        s = slice_from(s, slice_find(s, '\n') + 1);
        buf_add_slice(out, s);
    } else if (slice_starts(note, "raw")) {
        if (slice_starts(s, "-----BEGIN")) {
            const char *end;

            s = slice_from(s, slice_find(s, '\n') + 1);
            end = memmem(s.p, s.n, "-----END", 8);
            s = slice_cut(s, 0, end ? (size_t)(end - s.p) : s.n);
            code_base64_parse(&der, s, true);
            s = buf_slice(&der);
        }
        buf_adds(out, "MIME-Version: 1.0\r\n"
                      "Content-Type: application/pkcs7-mime\r\n"
                      "Content-Transfer-Encoding: base64\r\n\r\n");
        code_base64_write(out, s, 76);
    } else {
        buf_add_slice(out, s);
    }
    buf_clear(&der);
    buf_clear(&b);
    return 0;
}

static bool
one_of(struct slice wanted, const char *got)
{
    struct slice one;

    while (slice_next(&wanted, '|', &one))
        if (slice_is(one, got))
            return true;
    return false;
}

static void
compare_header(struct vector *v, const struct smime_report *r)
{
    struct slice want = v->col[C_HEADERS], shown = buf_slice(&r->shown);
    size_t eq = slice_find(want, '=');
    struct buf got = BUF_INIT(65536);
    char *name;

    if (slice_is(want, "-"))
        return;
    name = slice_dup(slice_cut(want, 0, eq));
    want = slice_from(want, eq + 1);
    shown = slice_cut(shown, 0, mime_header_length(shown));
    if (mime_header_count(shown, name) != 1 ||
        !mime_header_text(shown, name, &got) ||
        !slice_eq(buf_slice(&got), want))
        wrong(v, name, got.len ? got.data : "missing or double", want);
    buf_clear(&got);
    free(name);
}

static void
compare(struct vector *v, const struct smime_report *r,
        const struct smime_verdict *verdict)
{
    const char *enc = r->encrypted ? "yes" : "no";
    const char *dec = r->encrypted && r->decrypted ? "yes" : "no";

    if (!slice_is(v->col[C_ENCRYPTED], "-") &&
        !slice_is(v->col[C_ENCRYPTED], enc))
        wrong(v, "encrypted", enc, v->col[C_ENCRYPTED]);
    if (!slice_is(v->col[C_DECRYPTED], "-") &&
        !slice_is(v->col[C_DECRYPTED], dec))
        wrong(v, "decrypted", dec, v->col[C_DECRYPTED]);
    if (!one_of(v->col[C_SMIME], smime_result_name(verdict->result))) {
        char got[260];

        snprintf(got, sizeof got, "%s (%s)",
                 smime_result_name(verdict->result), verdict->reason);
        wrong(v, "smime", got, v->col[C_SMIME]);
    }
    compare_header(v, r);
}

/* The JSON object says the same as the report. */
static void
compare_json(struct vector *v, const struct smime_report *r,
             const struct smime_verdict *verdict)
{
    struct buf b = BUF_INIT(FILE_LIMIT);
    struct err e;
    json_t *o;

    if (smime_report_json(r, verdict, "", &b, &e)) {
        wrong(v, "the JSON", e.text, SLICE("an object"));
        return;
    }
    o = json_loads(b.data, 0, NULL);
    if (!o || json_is_true(json_object_get(o, "encrypted")) != r->encrypted ||
        json_array_size(json_object_get(o, "layers")) != r->n ||
        json_is_null(json_object_get(o, "signer")) != !verdict->signer ||
        !json_is_object(json_object_get(o, "headers")) ||
        !json_is_null(json_object_get(o, "harvest")))
        wrong(v, "the JSON", "another", SLICE("the report"));
    json_decref(o);
    buf_clear(&b);
}

static void
vector_run(struct vector *v)
{
    struct smime_report r;
    struct smime_verdict verdict;
    struct smime_trust *trust;
    struct certs_anchors *a = anchors_load(v);
    int64_t at = at_time(v->col[C_AT]);
    struct buf mail;
    struct err e;
    size_t n = 0;

    if (!a || keys_load(v)) {
        wrong(v, "the key or anchor", "unreadable", v->col[C_KEYS]);
    } else if (message_load(v, &mail)) {
        wrong(v, "the file", "missing", v->col[C_FILE]);
    } else {
        if (smime_open(&v->ring, buf_slice(&mail), &r, &e)) {
            wrong(v, "opening", e.text, SLICE("a report"));
        } else {
            trust = certs_trust_report(a, &r, at, &n);
            smime_judge(&r, trust, n, at, &verdict);
            compare(v, &r, &verdict);
            compare_json(v, &r, &verdict);
            free(trust);
            smime_report_clear(&r);
        }
        buf_wipe(&mail);
    }
    certs_anchors_unref(&a);
    for (size_t i = 0; i < v->ring.n; i++) {
        X509_free(v->readers[i].cert);
        EVP_PKEY_free(v->readers[i].key);
    }
    for (size_t i = 0; i < v->nsets; i++)
        keys_free(&v->sets[i]);
}

/* The reason why this file is expected to fail, or nothing. */
static struct slice
known_failure(struct slice list, struct slice file)
{
    struct slice line, name;

    while (slice_next(&list, '\n', &line))
        if (slice_next(&line, '\t', &name) && slice_eq(name, file))
            return line;
    return SLICE_NONE;
}

static struct {
    const char *dir;
    struct slice failures;
    struct slice line;
    unsigned n, bad;
} run;

static void
line_run(void)
{
    struct vector v = {.dir = run.dir};
    struct slice rest = run.line, known;
    const char *note = "";
    bool ok;

    for (int i = 0; i < COLUMNS; i++)
        if (!slice_next(&rest, '\t', &v.col[i]))
            v.col[i] = SLICE("-");
    if (slice_starts(v.col[C_NOTE], "p12"))
        return; /* a key file: there is no message in it */
    vector_run(&v);
    known = known_failure(run.failures, v.col[C_FILE]);
    ok = !v.why[0] == !known.n;
    if (known.n && ok)
        note = " (fails as expected)";
    else if (known.n)
        note = " (PASSES, but is listed as an expected failure)";
    if (v.why[0])
        printf("# %s\n", v.why);
    if (known.n)
        printf("# expected: %.*s\n", SLICE_FMT(known));
    printf("%sok %u - %.*s%s\n", ok ? "" : "not ", ++run.n,
           SLICE_FMT(v.col[C_FILE]), note);
    run.bad += !ok;
}

int
main(int argc, char **argv)
{
    struct buf table = BUF_INIT(1 << 20), failures = BUF_INIT(1 << 20);
    struct slice rest, line;
    struct err e;

    if (argc != 4) {
        fprintf(stderr, "usage: smime_vectors DIR EXPECTED FAILURES\n");
        return 64;
    }
    if (file_read(argv[2], &table, &e) || file_read(argv[3], &failures, &e)) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    run.dir = argv[1];
    run.failures = buf_slice(&failures);
    rest = buf_slice(&table);
    slice_next(&rest, '\n', &line);
    while (slice_next(&rest, '\n', &line))
        if (line.n) {
            run.line = line;
            line_run();
        }
    printf("1..%u\n", run.n);
    buf_clear(&table);
    buf_clear(&failures);
    return run.bad || !run.n;
}
