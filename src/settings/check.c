/*
 * Rules that concern more than one setting; the last step of loading.
 */
#include "settings/private.h"

#include <string.h>

#include "base/mem.h"

/* Where this account's setting stands, or its block; 0 when not in the
 * file. */
static int
line_of(const struct found_section *first, const char *account,
        const char *setting)
{
    const struct setting *s = settings_table_find(slice_of(setting));
    const struct found_value *v;

    for (const struct found_section *f = first; account && f; f = f->next)
        if (f->is_account && strcmp(f->title, account) == 0) {
            v = settings_file_value(f, s);
            return v ? v->line : f->line;
        }
    v = settings_file_value(first, s);
    return v ? v->line : 0;
}

static int
check_one(const struct settings_account *a, const char **setting,
          struct err *e)
{
    static const char *const versions[] = {"14.0", "14.1", "16.0", "16.1"};
    bool known = !a->eas_version;

    *setting = "server";
    if (!a->server)
        return err_set(e, E_INPUT,
                       "server is missing: finding the server by itself is "
                       "not built yet; write server = "
                       "'https://mail.%s/Microsoft-Server-ActiveSync'",
                       a->domain);
    *setting = "eas_version";
    for (size_t i = 0; a->eas_version && i < ARRAY_LEN(versions); i++)
        known |= strcmp(a->eas_version, versions[i]) == 0;
    if (!known)
        return err_set(e, E_INPUT, "eas_version = \"%.20s\": allowed is "
                       "14.0, 14.1, 16.0, 16.1", a->eas_version);
    *setting = "auth";
    if (a->auth == SETTINGS_AUTH_CERTIFICATE && !a->client_certificate)
        return err_set(e, E_INPUT, "auth = certificate needs "
                                   "client_certificate, a PEM file");
    *setting = "client_certificate";
    if (a->auth != SETTINGS_AUTH_CERTIFICATE && a->client_certificate)
        return err_set(e, E_INPUT, "client_certificate is shown with auth = "
                                   "certificate only");
    *setting = "heartbeat_max";
    if (a->heartbeat_max < a->heartbeat_min)
        return err_set(e, E_INPUT, "heartbeat_max = %us is below "
                       "heartbeat_min = %us", a->heartbeat_max,
                       a->heartbeat_min);
    *setting = "queue_retry_max";
    if (a->queue_retry_max < a->queue_retry_min)
        return err_set(e, E_INPUT, "queue_retry_max = %us is below "
                       "queue_retry_min = %us", a->queue_retry_max,
                       a->queue_retry_min);
    /* What has left the window cannot be fetched any more, and stays shown:
     * it would have to be fetched once more in time. */
    *setting = "cache_size";
    if (a->cache_size && a->sync_window != 0)
        return err_set(e, E_INPUT, "cache_size together with a sync_window is "
                                   "not built yet");
    *setting = "authserv_id";
    for (const char *p = a->authserv_id ? a->authserv_id : ""; *p; p++)
        if (!ascii_is_alpha(*p) && !ascii_is_digit(*p) && !strchr("._-", *p))
            return err_set(e, E_INPUT, "authserv_id = \"%.60s\": allowed are "
                           "letters, digits, \".\", \"_\" and \"-\"",
                           a->authserv_id);
    *setting = "local_password";
    if (a->local_password && a->local_password[0] != '$')
        return err_set(e, E_INPUT, "local_password: allowed is a hash as "
                       "`sealpostctl account hash` prints it, never the "
                       "password itself");
    return 0;
}

/* A login must mean one account. */
static int
check_unique(const struct settings *s, size_t i, const char **setting,
             struct err *e)
{
    const struct settings_account *a = s->accounts[i], *b;

    *setting = "address";
    for (size_t k = 0; k < i; k++) {
        b = s->accounts[k];
        if (ascii_icmp(a->name, b->name) == 0)
            return err_set(e, E_INPUT, "account \"%s\" differs from account "
                           "\"%s\" in nothing but letter case", a->name,
                           b->name);
        if (ascii_icmp(a->address, b->address) == 0)
            return err_set(e, E_INPUT, "address = \"%.80s\": account \"%s\" "
                           "has it already", a->address, b->name);
    }
    return 0;
}

static int
check_listeners(const struct settings *s, struct err *e)
{
    for (size_t i = 0; i < s->n_listen; i++)
        for (size_t k = 0; k < i; k++)
            if (s->listen[i].port && s->listen[i].port == s->listen[k].port &&
                strcmp(s->listen[i].host, s->listen[k].host) == 0)
                return err_set(e, E_INPUT, "two listeners on %s port %u",
                               s->listen[i].host, s->listen[i].port);
    return 0;
}

int
settings_check_all(const struct settings *s,
                   const struct found_section *found, const char *name,
                   struct err *e)
{
    const char *setting = "listen_imap";

    if (check_listeners(s, e))
        return err_add(e, "%s", settings_place(name, line_of(found, NULL,
                                                             setting)));
    if (!s->tls_certificate != !s->tls_key) {
        setting = s->tls_key ? "tls_key" : "tls_certificate";
        err_set(e, E_INPUT, "tls_certificate and tls_key: both are needed, "
                "or neither");
        return err_add(e, "%s", settings_place(name, line_of(found, NULL,
                                                             setting)));
    }
    for (size_t i = 0; i < s->n_accounts; i++) {
        const char *account = s->accounts[i]->name;
        if (check_unique(s, i, &setting, e) ||
            check_one(s->accounts[i], &setting, e)) {
            err_add(e, "account \"%s\"", account);
            return err_add(e, "%s",
                           settings_place(name, line_of(found, account,
                                                        setting)));
        }
    }
    return 0;
}
