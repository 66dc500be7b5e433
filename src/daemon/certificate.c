/*
 * The certificate of the doors: one of the settings, or the one for localhost
 * that is made at the first start. A reload takes the files anew when
 * somebody renewed them; connections that are open keep what they began with.
 */
#include "daemon/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "loop/tls.h"

/* The paths are those of the start: `fixed` in the table of settings. */
static void
paths_of(const struct daemon *d, char **cert, char **key)
{
    const struct settings *s = d->boot;

    *cert = s->tls_certificate ? xstrdup(s->tls_certificate)
                               : xasprintf("%s/tls.crt", s->state_dir);
    *key = s->tls_certificate ? xstrdup(s->tls_key)
                              : xasprintf("%s/tls.key", s->state_dir);
}

/* Another file, or other bytes in it; -1: it cannot be looked at. */
static int
print_file(const char *path, uint64_t out[4])
{
    struct stat st;

    if (stat(path, &st))
        return -1;
    out[0] = st.st_ino;
    out[1] = (uint64_t)st.st_size;
    out[2] = (uint64_t)st.st_mtim.tv_sec;
    out[3] = (uint64_t)st.st_mtim.tv_nsec;
    return 0;
}

static int
print_both(const char *cert, const char *key, struct daemon_print *out)
{
    memset(out, 0, sizeof *out);
    return print_file(cert, out->cert) || print_file(key, out->key) ? -1 : 0;
}

/* An own certificate may be for root's eyes only: read before the drop. */
int
certificate_open(struct daemon *d, struct err *e)
{
    const struct settings *s = d->settings;

    if (!s->tls_certificate)
        return 0;
    (void)print_both(s->tls_certificate, s->tls_key, &d->tls_print);
    return tls_server_new(s->tls_certificate, s->tls_key, &d->tls, e);
}

/* The one for localhost lies with the state, so it is made after it. */
int
certificate_make(struct daemon *d, struct err *e)
{
    char *cert, *key;
    int rc = 0;

    if (!d->tls) {
        paths_of(d, &cert, &key);
        rc = tls_make_loopback(cert, key, e);
        if (rc == 0) {
            (void)print_both(cert, key, &d->tls_print);
            rc = tls_server_new(cert, key, &d->tls, e);
        }
        free(cert);
        free(key);
    }
    if (rc == 0)
        tls_server_fingerprint(d->tls, d->fingerprint);
    return rc;
}

int
certificate_renew(struct daemon *d, struct err *e)
{
    struct daemon_print now;
    char *cert, *key;
    int rc = 0;

    paths_of(d, &cert, &key);
    if (print_both(cert, key, &now)) {
        log_warn("daemon", "whether %s was renewed cannot be seen (%s): it "
                           "counts after the next start", cert,
                 strerror(errno));
    } else if (memcmp(&now, &d->tls_print, sizeof now) != 0) {
        rc = tls_server_renew(d->tls, cert, key, e);
        if (rc && e->code == E_DENIED) {
            /* Root's, and we are not root any more: no reason to refuse the
             * other settings. */
            log_warn("daemon", "the renewed certificate counts after the "
                               "next start: %s", e->text);
            rc = 0;
        } else if (rc == 0) {
            d->tls_print = now;
            tls_server_fingerprint(d->tls, d->fingerprint);
            log_notice("daemon", "certificate %s, renewed", d->fingerprint);
        }
    }
    free(cert);
    free(key);
    return rc;
}
