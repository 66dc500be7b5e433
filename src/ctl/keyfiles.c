/*
 * Keys, certificates and times that the offline commands name on their line.
 */
#include "ctl/private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/now.h"
#include "certs/certs.h"
#include "keys/keys.h"

#define KEY_FILE_MAX ((size_t)4 << 20)

/* What belongs to the --key at `at`: the files' bytes one after the other,
 * and its password. */
static int
key_gather(struct ctl *c, unsigned at, struct buf *bytes, struct secret *pw,
           bool *asked_out, struct err *e)
{
    if (file_read(c->given[at].value, bytes, e))
        return -1;
    for (unsigned i = at + 1; i < c->ngiven; i++) {
        const char *name = c->given[i].option->name;

        if (strcmp(name, "--key") == 0)
            break;
        if (strcmp(name, "--cert") == 0) {
            if (buf_addc(bytes, '\n') || file_read(c->given[i].value, bytes, e))
                return -1;
        } else if (strcmp(name, "--password-file") == 0) {
            secret_clear(pw);
            *asked_out = true;
            if (ctl_secret_file(c->given[i].value, pw, e))
                return -1;
        }
    }
    return 0;
}

static int
key_add(struct ctl *c, unsigned at, struct keys *ks, struct err *e)
{
    struct buf bytes = BUF_INIT(KEY_FILE_MAX);
    struct keys_import *in = NULL;
    struct secret pw = {0};
    const char *path = c->given[at].value;
    char *text = NULL, prompt[300];
    bool given = false;
    int rc = key_gather(c, at, &bytes, &pw, &given, e);

    if (rc == 0 && keys_import_parse(buf_slice(&bytes), &pw, &in, e)) {
        rc = -1;
        if (e->code == E_LOGIN && !given && ctl_has_terminal()) {
            snprintf(prompt, sizeof prompt, "Password of %.200s", path);
            rc = ctl_ask(prompt, "--password-file", &pw, e) ||
                         keys_import_parse(buf_slice(&bytes), &pw, &in, e)
                     ? -1
                     : 0;
        }
    }
    if (rc == 0)
        rc = keys_import_add(ks, in, &text, e);
    if (rc && e->code == E_LOGIN && !given)
        err_add(e, "%s (--password-file names the file with its password)",
                path);
    else if (rc && !strstr(e->text, path))
        err_add(e, "%s", path);
    keys_import_free(&in);
    free(text);
    secret_clear(&pw);
    buf_wipe(&bytes);
    return rc;
}

int
ctl_keys(struct ctl *c, struct keys **out, struct err *e)
{
    struct keys *ks;

    if (keys_open(NULL, NULL, &ks, e))
        return -1;
    for (unsigned i = 0; i < c->ngiven; i++)
        if (strcmp(c->given[i].option->name, "--key") == 0 &&
            key_add(c, i, ks, e)) {
            keys_free(&ks);
            return -1;
        }
    *out = ks;
    return 0;
}

int
ctl_cert(const char *path, struct x509_st **out, struct err *e)
{
    struct buf b = BUF_INIT(KEY_FILE_MAX);
    int rc = file_read(path, &b, e);

    if (rc == 0 && certs_read(buf_slice(&b), out, e))
        rc = err_add(e, "%s", path);
    buf_clear(&b);
    return rc;
}

int
ctl_at(const struct ctl *c, int64_t *out, struct err *e)
{
    const char *text = ctl_option(c, "--at");

    if (text)
        return ctl_time(text, "--at", out, e);
    *out = now_unix();
    return 0;
}

int
ctl_time(const char *text, const char *option, int64_t *out, struct err *e)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%SZ",
                                        "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"};
    uint64_t n;

    if (*text == '@' && slice_u64(slice_of(text + 1), &n) &&
        n < (uint64_t)1 << 40) {
        *out = (int64_t)n;
        return 0;
    }
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm tm = {0};
        const char *end = strptime(text, forms[i], &tm);

        if (end && !*end) {
            *out = timegm(&tm);
            return 0;
        }
    }
    return err_set(e, E_INPUT, "%s %.40s: allowed is 2026-11-22, "
                   "2026-11-22T08:00:00Z (UTC) or @SECONDS", option, text);
}
