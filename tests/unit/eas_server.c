/*
 * The scripted server of the eas tests: see eas_server.h.
 */
#include "eas_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "loop/httpd.h"
#include "loop/loop.h"
#include "loop/tls.h"
#include "test.h"
#include "wbxml/text.h"

static struct loop *loop;
static struct httpd *httpd;
static struct tls_server *tls;
static char *cert, *key, *url;
static const struct script *script;
static int played;
static void (*tap)(const char *target, struct slice body);
static struct {
    struct httpd_request *request;
    const struct script *step;
} parked[16];
static int nparked;

/* Blanks between elements go, so that scripts can be written in one line. */
static void
squeeze(char *xml)
{
    char *to = xml;
    bool markup = true;

    for (const char *p = xml; *p; p++) {
        if (markup && ascii_is_space((unsigned char)*p))
            continue;
        markup = *p == '>';
        *to++ = *p;
    }
    *to = '\0';
}

static void
check_body(const struct script *s, struct httpd_request *r)
{
    struct buf text = BUF_INIT(1 << 20);
    struct err e = {0};

    if (!s->want)
        return;
    if (!httpd_body(r).n) {
        CHECK_STR("", s->want);
        return;
    }
    CHECK(!wbxml_text_write(&text, httpd_body(r), &e));
    CHECK_STR(e.text, "");
    if (text.data) {
        squeeze(text.data);
        CHECK_STR(text.data, s->want);
    }
    buf_clear(&text);
}

static void
check_header(const struct script *s, struct httpd_request *r)
{
    char name[80];
    const char *colon = s->header ? strstr(s->header, ": ") : NULL;
    const char *value;

    if (!colon)
        return;
    snprintf(name, sizeof name, "%.*s", (int)(colon - s->header), s->header);
    value = httpd_header(r, name);
    CHECK_STR(value ? value : "(absent)", colon + 2);
}

static void
answer(const struct script *s, struct httpd_request *r)
{
    struct buf body = BUF_INIT(1 << 24);
    struct err e = {0};

    if (s->how == PLAY_DROP) {
        httpd_drop(r);
        return;
    }
    if (s->how == PLAY_RAW)
        buf_add_slice(&body, s->data ? slice_make(s->data, s->ndata)
                                     : slice_of(s->xml));
    else if (s->xml)
        CHECK(!wbxml_text_parse(slice_of(s->xml), &body, &e));
    CHECK_STR(e.text, "");
    if (s->how == PLAY_CUT)
        buf_truncate(&body, body.len - 2);
    httpd_answer(r, s->status ? s->status : 200, s->headers, buf_slice(&body));
    buf_clear(&body);
}

static void
on_gone(void *arg, struct httpd_request *r)
{
    (void)arg;
    for (int i = 0; i < nparked; i++)
        if (parked[i].request == r) {
            parked[i] = parked[--nparked];
            return;
        }
}

static void
on_request(void *arg, struct httpd_request *r)
{
    const struct script *s = script;
    const char *target = httpd_target(r), *cmd;
    char want[64];

    (void)arg;
    if (!s || !s->cmd) {
        CHECK_STR(target, "(no request was expected)");
        httpd_answer(r, 500, NULL, SLICE_NONE);
        return;
    }
    script++;
    played++;
    if (tap)
        tap(target, httpd_body(r));
    if (!strcmp(s->cmd, "OPTIONS")) {
        CHECK_STR(httpd_method(r), "OPTIONS");
    } else {
        cmd = strstr(target, "?Cmd=");
        snprintf(want, sizeof want, "?Cmd=%s&", s->cmd);
        CHECK(cmd && !strncmp(cmd, want, strlen(want)));
        if (!cmd || strncmp(cmd, want, strlen(want)) != 0)
            CHECK_STR(target, want);
        CHECK(strstr(target, "&User=alice%40example.org&DeviceId=") != NULL);
        CHECK(strstr(target, "&DeviceType=Sealpost") != NULL);
    }
    check_header(s, r);
    check_body(s, r);
    if (s->how == PLAY_PARK) {
        parked[nparked].request = r;
        parked[nparked++].step = s;
        httpd_on_gone(r, on_gone, NULL);
        return;
    }
    answer(s, r);
}

void
eas_server_start(void)
{
    struct err e = {0};
    struct httpd_options o = {.host = "127.0.0.1"};

    if (!loop)
        loop = loop_new();
    cert = xasprintf("%s/cert.pem", test_dir());
    key = xasprintf("%s/key.pem", test_dir());
    CHECK(!tls_make_loopback(cert, key, &e));
    CHECK(!tls_server_new(cert, key, &tls, &e));
    o.tls = tls;
    CHECK(!httpd_new(&o, on_request, NULL, &httpd, &e));
    CHECK_STR(e.text, "");
    url = xasprintf("https://localhost:%u", httpd_port(httpd));
}

void
eas_server_stop(void)
{
    httpd_free(&httpd);
    tls_server_free(&tls);
    loop_free(&loop);
    free(cert);
    free(key);
    free(url);
}

void
eas_server_play(const struct script *s)
{
    script = s;
    played = 0;
    nparked = 0;
}

void
eas_server_tap(void (*fn)(const char *target, struct slice body))
{
    tap = fn;
}

int
eas_server_played(void)
{
    return played;
}

int
eas_server_parked(void)
{
    return nparked;
}

void
eas_server_release(void)
{
    struct httpd_request *r;
    const struct script *s;

    if (!nparked)
        return;
    r = parked[0].request;
    s = parked[0].step;
    memmove(parked, parked + 1, sizeof parked - sizeof parked[0]);
    nparked--;
    httpd_on_gone(r, NULL, NULL);
    {
        struct script now = *s;

        now.how = PLAY;
        answer(&now, r);
    }
}

const char *
eas_server_url(void)
{
    return url;
}

const char *
eas_server_ca(void)
{
    return cert;
}

struct eas_state
eas_ready(const char *version)
{
    struct eas_state s = {.no_policy = true, .policy_key = "0"};

    snprintf(s.version, sizeof s.version, "%s", version);
    return s;
}

struct eas *
eas_client(const struct eas_state *state, struct eas_config *more)
{
    struct eas_config c = more ? *more : (struct eas_config){0};
    struct secret password = {0};
    struct eas *eas = NULL;
    struct err e = {0};

    c.loop = loop;
    c.account = "alice";
    if (!c.url)
        c.url = url;
    c.user = "alice@example.org";
    c.address = "alice@example.org";
    c.device_id = "dev0123";
    c.ca_file = cert;
    CHECK(!eas_new(&c, state, &eas, &e));
    CHECK_STR(e.text, "");
    secret_set(&password, "secret", 6);
    eas_set_password(eas, &password);
    secret_clear(&password);
    return eas;
}

void
turn(const int *done, int want)
{
    for (int i = 0; i < 50000 && *done < want; i++) {
        loop_turn(loop, false);
        usleep(200);
    }
    CHECK_INT(*done, want);
}

void
on_outcome_done(void *arg, const struct err *err)
{
    struct outcome *o = arg;

    o->runs++;
    o->err = err ? *err : (struct err){0};
}
