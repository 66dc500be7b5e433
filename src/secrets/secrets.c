/*
 * The file of secrets and its machine key. One process changes it at a time
 * (a lock file beside it); who only reads notices a change of another by the
 * file's identity and reads it anew. Called by account, keys and sealpostctl.
 */
#include "secrets/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/code.h"
#include "base/file.h"
#include "base/mem.h"
#include "secrets/private.h"

struct secrets {
    char *key_file, *file, *lock_file;
    struct secret key;
    struct secret plain; /* what the entries point into */
    struct secrets_entry *entries;
    size_t n;
    char **names; /* of secrets_name_at(), made when asked for */
    struct stat seen;
    bool there; /* the file, when last looked */
};

/* ---- the machine key ---- */

/* Nobody else may read it. */
static int
check_mode(int fd, const char *path, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st))
        return err_errno(e, E_CRYPTO, errno, "%s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, E_CRYPTO, "%s is not a plain file", path);
    if (st.st_mode & 077)
        return err_set(e, E_CRYPTO, "%s may be read by others: chmod 600 it",
                       path);
    return 0;
}

static int
key_read(struct secrets *s, struct err *e)
{
    int fd = open(s->key_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    char raw[SECRETS_KEY_LEN + 1];
    ssize_t n;
    int ret;

    if (fd < 0)
        return err_errno(e, E_CRYPTO, errno, "machine key %s", s->key_file);
    ret = check_mode(fd, s->key_file, e);
    n = ret ? 0 : read(fd, raw, sizeof(raw));
    close(fd);
    if (ret == 0 && n != SECRETS_KEY_LEN)
        ret = err_set(e, E_CRYPTO, "machine key %s does not have %d bytes",
                      s->key_file, SECRETS_KEY_LEN);
    if (ret == 0)
        secret_set(&s->key, raw, SECRETS_KEY_LEN);
    mem_wipe(raw, sizeof(raw));
    return ret;
}

static int
key_make(const char *path, struct err *e)
{
    char raw[SECRETS_KEY_LEN], *dir = file_dir(path);
    int ret = file_mkdirs(dir, e);

    code_random(raw, sizeof(raw));
    if (ret == 0)
        ret = file_write(path, slice_make(raw, sizeof(raw)), 0600, true, e);
    mem_wipe(raw, sizeof(raw));
    free(dir);
    return ret;
}

/* Under the lock. A file without its key is not begun anew: that would throw
 * away what a restored key could open. */
static int
key_open(struct secrets *s, struct err *e)
{
    bool have_key = access(s->key_file, F_OK) == 0;
    bool have_file = access(s->file, F_OK) == 0;

    if (!have_key && have_file)
        return err_set(e, E_CRYPTO,
                       "machine key %s is missing: put it back, or remove %s "
                       "and enter all passwords again", s->key_file, s->file);
    if (!have_key && key_make(s->key_file, e))
        return err_add(e, "machine key");
    return key_read(s, e);
}

/* ---- root's part ---- */

static int
key_give(const char *path, long uid, long gid, struct err *e)
{
    char *dir = file_dir(path);
    bool fresh = access(dir, F_OK) != 0;
    int rc = key_make(path, e);

    if (rc == 0 && (chown(path, (uid_t)uid, (gid_t)gid) ||
                    (fresh && chown(dir, (uid_t)uid, (gid_t)gid))))
        rc = err_errno(e, E_DENIED, errno, "giving %s away", path);
    free(dir);
    return rc;
}

int
secrets_give(const char *key_file, const char *file, const char *user,
             long uid, long gid, struct err *e)
{
    const char *const paths[] = {key_file, file};
    struct stat st;

    if (access(key_file, F_OK) && access(file, F_OK))
        return key_give(key_file, uid, gid, e);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (stat(paths[i], &st) == 0 && (long)st.st_uid != uid)
            return err_set(e, E_DENIED,
                           "%s belongs to user %ld, and %.60s (run_as) could "
                           "not read it: chown %.60s %s", paths[i],
                           (long)st.st_uid, user, user, paths[i]);
    return 0;
}

/* ---- reading ---- */

static void
forget(struct secrets *s)
{
    for (size_t i = 0; s->names && i < s->n; i++)
        free(s->names[i]);
    free(s->names);
    s->names = NULL;
    free(s->entries);
    s->entries = NULL;
    s->n = 0;
    secret_clear(&s->plain);
}

static bool
is_seen(const struct secrets *s, const struct stat *now)
{
    return s->there && s->seen.st_ino == now->st_ino &&
        s->seen.st_dev == now->st_dev && s->seen.st_size == now->st_size &&
        s->seen.st_mtim.tv_sec == now->st_mtim.tv_sec &&
        s->seen.st_mtim.tv_nsec == now->st_mtim.tv_nsec;
}

static int
take_plain(struct secrets *s, struct secret *plain, struct err *e)
{
    struct secrets_entry *entries;
    size_t n;

    if (secrets_form_parse(secret_slice(plain), &entries, &n, e))
        return -1;
    forget(s);
    s->plain = *plain;
    *plain = (struct secret){0};
    s->entries = entries;
    s->n = n;
    return 0;
}

/* The file as it is now. */
static int
refresh(struct secrets *s, struct err *e)
{
    struct buf file = BUF_INIT(SECRETS_MAX_FILE);
    struct secret plain = {0};
    struct stat st;
    int ret;

    if (stat(s->file, &st)) {
        if (errno != ENOENT)
            return err_errno(e, E_RETRY, errno, "%s", s->file);
        forget(s);
        s->there = false;
        return 0;
    }
    if (is_seen(s, &st))
        return 0;
    ret = file_read(s->file, &file, e);
    if (ret == 0 && secrets_form_open(buf_slice(&file), &s->key, &plain, e))
        ret = err_add(e, "%s", s->file);
    if (ret == 0 && take_plain(s, &plain, e))
        ret = err_add(e, "%s", s->file);
    if (ret == 0) {
        s->seen = st;
        s->there = true;
    }
    secret_clear(&plain);
    buf_clear(&file);
    return ret;
}

/* ---- the lock ---- */

/* Others hold it for milliseconds only; a second is a hang. */
static int
lock(struct secrets *s, int *fd_out, struct err *e)
{
    const struct timespec pause = {0, 10000000};
    int fd = open(s->lock_file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                  0600);

    if (fd < 0)
        return err_errno(e, E_RETRY, errno, "%s", s->lock_file);
    for (int i = 0; i < 300; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            *fd_out = fd;
            return 0;
        }
        nanosleep(&pause, NULL);
    }
    close(fd);
    return err_set(e, E_RETRY, "another program keeps %s locked",
                   s->lock_file);
}

int
secrets_open(const char *key_file, const char *file, struct secrets **out,
             struct err *e)
{
    struct secrets *s = xcalloc(1, sizeof(*s));
    char *dir = file_dir(file);
    int fd = -1, ret;

    s->key_file = xstrdup(key_file);
    s->file = xstrdup(file);
    s->lock_file = xasprintf("%s.lock", file);
    ret = file_mkdirs(dir, e);
    free(dir);
    if (ret == 0)
        ret = lock(s, &fd, e);
    if (ret == 0)
        ret = key_open(s, e);
    if (ret == 0)
        ret = refresh(s, e);
    if (fd >= 0)
        close(fd);
    if (ret) {
        secrets_close(&s);
        return -1;
    }
    *out = s;
    return 0;
}

void
secrets_close(struct secrets **ps)
{
    struct secrets *s = *ps;

    if (!s)
        return;
    forget(s);
    secret_clear(&s->key);
    free(s->key_file);
    free(s->file);
    free(s->lock_file);
    free(s);
    *ps = NULL;
}

/* ---- looking up ---- */

static const struct secrets_entry *
find(const struct secrets *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (slice_is(s->entries[i].name, name))
            return &s->entries[i];
    return NULL;
}

int
secrets_get(struct secrets *s, const char *name, struct secret *out,
            struct err *e)
{
    const struct secrets_entry *entry;

    if (refresh(s, e))
        return -1;
    entry = find(s, name);
    if (!entry)
        return err_set(e, E_MISSING, "there is no secret %s", name);
    secret_set(out, entry->value.p, entry->value.n);
    return 0;
}

bool
secrets_has(struct secrets *s, const char *name)
{
    return refresh(s, NULL) == 0 && find(s, name);
}

const char *
secrets_name_at(struct secrets *s, size_t i)
{
    if (i >= s->n)
        return NULL;
    if (!s->names)
        s->names = xcalloc(s->n, sizeof(*s->names));
    if (!s->names[i])
        s->names[i] = slice_dup(s->entries[i].name);
    return s->names[i];
}

/* ---- changing ---- */

/* Writes the entries and takes them over; on failure all is as before. */
static int
store_entries(struct secrets *s, const struct secrets_entry *list, size_t n,
              struct err *e)
{
    struct buf file = BUF_INIT(SECRETS_MAX_FILE);
    struct secret plain = {0};
    int ret;

    secrets_form_write(list, n, &plain);
    ret = secrets_form_seal(&plain, &s->key, &file, e);
    if (ret == 0)
        ret = file_write(s->file, buf_slice(&file), 0600, true, e);
    if (ret == 0) {
        ret = take_plain(s, &plain, e);
        s->there = stat(s->file, &s->seen) == 0;
    }
    secret_clear(&plain);
    buf_clear(&file);
    return ret;
}

/* The entries without those that `drops` names, with the new one in its
 * place (value.p NULL: none). */
struct change {
    const char *name;
    bool prefix; /* all that start with name */
    struct slice value;
};

static bool
change_hits(const struct change *c, struct slice name)
{
    return c->prefix ? slice_starts(name, c->name) : slice_is(name, c->name);
}

static bool
is_before(struct slice a, struct slice b)
{
    int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

    return c ? c < 0 : a.n < b.n;
}

static int
change_list(struct secrets *s, const struct change *c, struct err *e)
{
    struct secrets_entry *list = xcalloc(s->n + 1, sizeof(*list)), one;
    bool placed = !c->value.p;
    size_t n = 0;
    int ret = 0;

    one = (struct secrets_entry){slice_of(c->name), c->value};
    for (size_t i = 0; i < s->n; i++) {
        if (!placed && is_before(one.name, s->entries[i].name)) {
            list[n++] = one;
            placed = true;
        }
        if (!change_hits(c, s->entries[i].name))
            list[n++] = s->entries[i];
    }
    if (!placed)
        list[n++] = one;
    if (n > SECRETS_MAX_COUNT)
        ret = err_set(e, E_LIMIT, "more than %d secrets", SECRETS_MAX_COUNT);
    else if (c->value.p || n != s->n)
        ret = store_entries(s, list, n, e);
    free(list);
    return ret;
}

static int
change(struct secrets *s, const struct change *c, struct err *e)
{
    int fd, ret;

    if (lock(s, &fd, e))
        return -1;
    ret = refresh(s, e);
    if (ret == 0)
        ret = change_list(s, c, e);
    close(fd);
    return ret;
}

int
secrets_set(struct secrets *s, const char *name, struct slice value,
            struct err *e)
{
    struct change c = {name, false, value};

    if (!name[0] || strlen(name) > SECRETS_MAX_NAME)
        return err_set(e, E_INPUT, "a secret's name has 1 to %d bytes",
                       SECRETS_MAX_NAME);
    if (value.n > SECRETS_MAX_VALUE)
        return err_set(e, E_LIMIT, "secret %s: more than %zu bytes", name,
                       SECRETS_MAX_VALUE);
    if (!value.p)
        c.value = SLICE("");
    return change(s, &c, e);
}

int
secrets_remove(struct secrets *s, const char *name, struct err *e)
{
    struct change c = {name, false, SLICE_NONE};

    return change(s, &c, e);
}

int
secrets_remove_all(struct secrets *s, const char *prefix, struct err *e)
{
    struct change c = {prefix, true, SLICE_NONE};

    if (!prefix[0])
        return err_set(e, E_INPUT, "an empty prefix would remove everything");
    return change(s, &c, e);
}

/* ---- an account's ---- */

char *
secrets_account_name(const char *account, const char *what)
{
    return xasprintf("account/%s/%s", account, what);
}

int
secrets_data_key(struct secrets *s, const char *account, bool make,
                 struct secret *out, struct err *e)
{
    char *name = secrets_account_name(account, "data-key");
    char raw[SECRETS_DATA_KEY_LEN];
    struct err why = {0};
    int ret = secrets_get(s, name, out, &why);

    if (ret && why.code == E_MISSING && make) {
        code_random(raw, sizeof(raw));
        ret = secrets_set(s, name, slice_make(raw, sizeof(raw)), &why);
        if (ret == 0)
            secret_set(out, raw, sizeof(raw));
        mem_wipe(raw, sizeof(raw));
    } else if (ret == 0 && out->len != SECRETS_DATA_KEY_LEN) {
        secret_clear(out);
        ret = err_set(&why, E_CRYPTO, "%s does not have %d bytes", name,
                      SECRETS_DATA_KEY_LEN);
    }
    free(name);
    if (ret && e)
        *e = why;
    return ret;
}
