/*
 * Signing in otherwise than by Basic: NTLM, whose answer is checked as a
 * server would (MS-NLMP 3.3.2), and a TLS client certificate.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/x509.h>

#include "base/buf.h"
#include "base/code.h"
#include "base/mem.h"
#include "eas/eas.h"
#include "loop/httpd.h"
#include "loop/loop.h"
#include "loop/tls.h"
#include "test.h"
#include "wbxml/text.h"

static struct loop *loop;
static char *cert, *key, *client_cert, *client_key;
static int requests, challenges, proven;

static void
answer_folders(struct httpd_request *r)
{
    static const char *const type[] = {
        "Content-Type: application/vnd.ms-sync.wbxml", NULL};
    struct buf b = BUF_INIT(4096);
    struct err e = {0};

    CHECK(!wbxml_text_parse(
        SLICE("<FolderSync><Status>1</Status><SyncKey>7</SyncKey>"
              "</FolderSync>"),
        &b, &e));
    httpd_answer(r, 200, type, buf_slice(&b));
    buf_clear(&b);
}

/* ---- NTLM ---- */

static const char challenge[] = "\1\2\3\4\5\6\7\10";

static void
type2(struct buf *b64)
{
    /* Target name EXAMPLE; target info: MsvAvNbDomainName, then the end. */
    static const char name[] = "E\0X\0A\0M\0P\0L\0E";
    static const char info[] = "\2\0\16\0E\0X\0A\0M\0P\0L\0E\0\0\0\0\0";
    struct buf b = BUF_INIT(500);

    buf_add(&b, "NTLMSSP\0\2\0\0\0", 12);
    buf_add(&b, "\16\0\16\0\60\0\0\0", 8); /* 14 bytes at 48 */
    buf_add(&b, "\1\2\x88\0", 4); /* Unicode, NTLM, NTLMv2, target info */
    buf_add(&b, challenge, 8);
    buf_add(&b, "\0\0\0\0\0\0\0\0", 8);
    buf_add(&b, "\26\0\26\0\76\0\0\0", 8); /* 22 bytes at 62 */
    buf_add(&b, name, 14);
    buf_add(&b, info, 22);
    code_base64_write(b64, buf_slice(&b), 0);
    buf_clear(&b);
}

static struct slice
field_of(struct slice m, size_t at)
{
    const unsigned char *p = (const unsigned char *)m.p + at;
    size_t n = p[0] | (size_t)p[1] << 8, from = p[4] | (size_t)p[5] << 8;

    return from + n <= m.n ? slice_cut(m, from, from + n) : SLICE_NONE;
}

/* UTF-16LE of ASCII. */
static struct slice
wide(const char *s, char *dst)
{
    size_t n = 0;

    for (; *s; s++) {
        dst[n++] = *s;
        dst[n++] = 0;
    }
    return slice_make(dst, n);
}

static void
hmac_md5(const unsigned char *k, struct slice m, unsigned char out[16])
{
    unsigned n = 16;

    HMAC(EVP_md5(), k, 16, (const unsigned char *)m.p, m.n, out, &n);
}

/* NTLMv2: HMAC over the server's challenge and the client's blob. */
static bool
proof_is_right(struct slice response)
{
    EVP_MD *md4 = EVP_MD_fetch(NULL, "MD4", NULL);
    unsigned char hash[16], mac[16];
    char pass[100], who[100];
    struct slice p = wide("secret", pass), w = wide("ALICEEXAMPLE", who);
    struct buf b = BUF_INIT(4096);
    bool right;

    if (!CHECK(md4 != NULL) || response.n < 24)
        return false;
    EVP_Digest(p.p, p.n, hash, NULL, md4, NULL);
    hmac_md5(hash, w, hash);
    buf_add(&b, challenge, 8);
    buf_add_slice(&b, slice_from(response, 16));
    hmac_md5(hash, buf_slice(&b), mac);
    right = memcmp(mac, response.p, 16) == 0;
    buf_clear(&b);
    EVP_MD_free(md4);
    return right;
}

static void
type3(struct httpd_request *r, struct slice m)
{
    char user[100], domain[100];
    struct slice u = wide("alice", user), d = wide("EXAMPLE", domain);

    CHECK(slice_eq(field_of(m, 28), d));
    CHECK(slice_eq(field_of(m, 36), u));
    if (proof_is_right(field_of(m, 20))) {
        proven++;
        CHECK(httpd_body(r).n > 4);
        answer_folders(r);
    } else {
        httpd_answer(r, 401, NULL, SLICE_NONE);
    }
}

static void
on_ntlm(void *arg, struct httpd_request *r)
{
    const char *a = httpd_header(r, "Authorization");
    struct buf m = BUF_INIT(8192), b64 = BUF_INIT(1000);
    char line[1200];
    const char *headers[] = {line, NULL};

    (void)arg;
    requests++;
    snprintf(line, sizeof line, "WWW-Authenticate: NTLM");
    if (a && !strncmp(a, "NTLM ", 5) &&
        !code_base64_parse(&m, slice_of(a + 5), false) && m.len > 40 &&
        m.data[8] == 3) {
        type3(r, buf_slice(&m));
    } else {
        if (a && m.len > 8 && m.data[8] == 1) {
            challenges++;
            type2(&b64);
            snprintf(line, sizeof line, "WWW-Authenticate: NTLM %s", b64.data);
        }
        httpd_answer(r, 401, headers, SLICE_NONE);
    }
    buf_clear(&m);
    buf_clear(&b64);
}

/* ---- the client ---- */

struct outcome {
    int runs;
    struct err err;
};

static void
on_done(void *arg, const struct err *err)
{
    struct outcome *o = arg;

    o->runs++;
    if (err)
        o->err = *err;
}

static struct outcome
folders(httpd_handler_fn *handler, struct tls_server *tls,
        struct eas_config *c, const char *password)
{
    struct eas_state state = {.version = "16.1", .policy_key = "0",
                              .no_policy = true};
    struct httpd_options o = {.host = "127.0.0.1", .tls = tls};
    struct eas_folders_answer answer;
    struct secret secret = {0};
    struct outcome out = {0};
    struct httpd *httpd;
    struct op *op = NULL;
    struct eas *eas;
    char *url;

    requests = challenges = proven = 0;
    CHECK(!httpd_new(&o, handler, NULL, &httpd, &out.err));
    url = xasprintf("https://localhost:%u", httpd_port(httpd));
    c->loop = loop;
    c->url = url;
    c->device_id = "dev0123";
    c->ca_file = cert;
    CHECK(!eas_new(c, &state, &eas, &out.err));
    if (password) {
        secret_set(&secret, password, strlen(password));
        eas_set_password(eas, &secret);
        secret_clear(&secret);
    }
    op_hold(&op, eas_folders_sync(eas, "0", &answer, on_done, &out));
    for (int i = 0; i < 10000 && !out.runs; i++) {
        loop_turn(loop, false);
        usleep(500);
    }
    CHECK_INT(out.runs, 1);
    if (!out.err.code)
        CHECK_STR(answer.key, "7");
    eas_folders_answer_clear(&answer);
    eas_free(&eas);
    httpd_free(&httpd);
    free(url);
    return out;
}

static void
ntlm(void)
{
    struct eas_config c = {.auth = EAS_AUTH_NTLM, .user = "EXAMPLE\\alice"};
    struct tls_server *tls = NULL;
    struct err e;
    struct outcome o;

    REQUIRE(!tls_server_new(cert, key, &tls, &e));
    o = folders(on_ntlm, tls, &c, "secret");
    CHECK_STR(o.err.text, "");
    CHECK_INT(challenges, 1);
    CHECK_INT(proven, 1);

    o = folders(on_ntlm, tls, &c, "wrong");
    CHECK_INT(o.err.code, E_LOGIN);
    CHECK_INT(proven, 0);
    CHECK(requests <= 3); /* a wrong password is not tried again */
    tls_server_free(&tls);
}

/* ---- a client certificate ---- */

static void
on_plain(void *arg, struct httpd_request *r)
{
    (void)arg;
    requests++;
    CHECK(!httpd_header(r, "Authorization"));
    answer_folders(r);
}

static void
client_files(void)
{
    EVP_PKEY *k = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    FILE *f;

    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"test client", -1, -1,
                               0);
    X509_set_issuer_name(x, name);
    X509_set_pubkey(x, k);
    X509_sign(x, k, EVP_sha256());
    f = fopen(client_cert, "w");
    CHECK(f && PEM_write_X509(f, x) && fclose(f) == 0);
    f = fopen(client_key, "w");
    CHECK(f && PEM_write_PrivateKey(f, k, NULL, NULL, 0, NULL, NULL) &&
          fclose(f) == 0);
    X509_free(x);
    EVP_PKEY_free(k);
}

static void
certificate(void)
{
    struct eas_config c = {.auth = EAS_AUTH_CERTIFICATE,
                           .user = "alice",
                           .client_cert = client_cert,
                           .client_key = client_key};
    struct tls_server *tls = NULL;
    struct err e;
    struct outcome o;

    REQUIRE(!tls_server_new(cert, key, &tls, &e));
    REQUIRE(!tls_server_ask_client(tls, client_cert, true, &e));
    /* Nobody has to give a password. */
    o = folders(on_plain, tls, &c, NULL);
    CHECK_STR(o.err.text, "");
    CHECK_INT(requests, 1);

    /* Without it there is no connection at all. */
    c = (struct eas_config){.auth = EAS_AUTH_BASIC, .user = "alice"};
    o = folders(on_plain, tls, &c, "secret");
    CHECK(o.err.code != E_NONE);
    CHECK_INT(requests, 0);

    /* A file that is not there is named as ours. */
    c = (struct eas_config){.auth = EAS_AUTH_CERTIFICATE,
                            .user = "alice",
                            .client_cert = "/nonexistent.pem"};
    o = folders(on_plain, tls, &c, NULL);
    CHECK_INT(o.err.code, E_CRYPTO);
    CHECK_INT(requests, 0);
    tls_server_free(&tls);
}

static const struct test_case cases[] = {TEST(ntlm), TEST(certificate)};

int
main(void)
{
    OSSL_PROVIDER *legacy, *usual;
    struct err e;
    int rc;

    legacy = OSSL_PROVIDER_load(NULL, "legacy"); /* MD4, for NTLM */
    usual = OSSL_PROVIDER_load(NULL, "default");
    loop = loop_new();
    cert = xasprintf("%s/cert.pem", test_dir());
    key = xasprintf("%s/key.pem", test_dir());
    client_cert = xasprintf("%s/client.pem", test_dir());
    client_key = xasprintf("%s/client.key", test_dir());
    if (tls_make_loopback(cert, key, &e))
        return 99;
    client_files();
    rc = test_main(cases, sizeof cases / sizeof cases[0]);
    loop_free(&loop);
    OSSL_PROVIDER_unload(legacy);
    OSSL_PROVIDER_unload(usual);
    free(cert);
    free(key);
    free(client_cert);
    free(client_key);
    return rc;
}
