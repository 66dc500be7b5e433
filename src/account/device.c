/*
 * Who we are to the server: a stable random DeviceId per account and
 * installation (eas/http.md section 8), and what eas has to remember between
 * runs.
 */
#include "account/private.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/code.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "settings/settings.h"
#include "store/store.h"

/* This machine and this very directory: a copied state directory differs in
 * one of them, and two devices with one id destroy each other's keys. A number
 * of an inode is soon used again, so where the file system knows when the
 * directory was made, that counts too. */
static char *
place_of(const char *dir)
{
    struct buf id = BUF_INIT(200);
    struct statx st;
    char *place;

    if (file_read("/etc/machine-id", &id, NULL))
        buf_adds(&id, "none");
    memset(&st, 0, sizeof st);
    (void)statx(AT_FDCWD, dir, 0, STATX_INO | STATX_BTIME, &st);
    place = xasprintf("%.*s %llu %lld.%09u",
                      SLICE_FMT(slice_trim(buf_slice(&id))),
                      (unsigned long long)st.stx_ino,
                      (long long)st.stx_btime.tv_sec, st.stx_btime.tv_nsec);
    buf_clear(&id);
    return place;
}

int
account_device_id(struct store *s, const char *dir, char out[33],
                  struct err *e)
{
    char *place = place_of(dir), *known = store_meta_get(s, "place");
    char *id = store_meta_get(s, "device-id");
    int rc = 0;

    if (*id && strcmp(place, known) == 0) {
        snprintf(out, 33, "%s", id);
    } else {
        if (*id)
            log_notice("account", "%s was copied here: it becomes another "
                                  "device to the server", dir);
        out[0] = 's'; /* not all digits, no word that servers reserve */
        out[1] = 'p';
        code_random_hex(out + 2, 11);
        rc = store_begin(s, e);
        if (rc == 0 && (store_meta_set(s, "device-id", out, e) ||
                        store_meta_set(s, "place", place, e) ||
                        store_meta_set(s, "policy-key", "0", e))) {
            store_rollback(s);
            rc = -1;
        } else if (rc == 0) {
            rc = store_commit(s, e);
        }
    }
    free(place);
    free(known);
    free(id);
    return rc;
}

static void
meta_copy(struct store *s, const char *name, char *to, size_t size)
{
    char *value = store_meta_get(s, name);

    snprintf(to, size, "%s", value);
    free(value);
}

void
account_eas_state_load(struct store *s, struct eas_state *out)
{
    char flag[4];

    memset(out, 0, sizeof *out);
    meta_copy(s, "eas-version", out->version, sizeof out->version);
    meta_copy(s, "policy-key", out->policy_key, sizeof out->policy_key);
    meta_copy(s, "location", out->location, sizeof out->location);
    meta_copy(s, "no-policy", flag, sizeof flag);
    out->no_policy = flag[0] == '1';
}

static int
state_set(struct store *s, const struct eas_state *st, struct err *e)
{
    return store_meta_set(s, "eas-version", st->version, e) ||
                   store_meta_set(s, "policy-key", st->policy_key, e) ||
                   store_meta_set(s, "location", st->location, e) ||
                   store_meta_set(s, "no-policy", st->no_policy ? "1" : "0",
                                  e)
               ? -1
               : 0;
}

int
account_server_note(struct store *s, const struct settings_account *set,
                    struct err *e)
{
    static const struct eas_state anew;
    char *server = store_meta_get(s, "server");
    char *user = store_meta_get(s, "user");
    bool known = *server || *user;
    bool same = strcmp(server, set->server) == 0 &&
                strcmp(user, set->user) == 0;
    int rc = 0;

    free(server);
    free(user);
    if (same || store_begin(s, e))
        return same ? 0 : -1;
    if (known)
        rc = state_set(s, &anew, e);
    if (rc || store_meta_set(s, "server", set->server, e) ||
        store_meta_set(s, "user", set->user, e)) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

int
account_eas_state_save(struct store *s, const struct eas_state *st,
                       struct err *e)
{
    if (store_begin(s, e))
        return -1;
    if (state_set(s, st, e)) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}
