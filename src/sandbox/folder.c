/*
 * One Maildir: its files and what is known of them. Changes go to the file
 * first (rename(2) is the commit), then into the index, then to whoever
 * waits (mailroot_changed()). What others do to the files comes in through
 * folder_scan() at the start and folder_appeared()/folder_vanished() from
 * inotify.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/code.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "mime/header.h"
#include "sandbox/mail.h"

#define HEAD_MAX ((size_t)256 << 10)

static const char letters[] = "SFRPDT"; /* by bit of MAIL_* */
static const char sorted[] = "DFPRST";  /* Maildir wants them in ASCII order */

static char *
file_path(const struct folder *f, bool in_new, const char *name)
{
    return xasprintf("%s/%s/%s", f->path, in_new ? "new" : "cur", name);
}

static unsigned
flags_of(const char *name)
{
    const char *info = strstr(name, ":2,"), *at;
    unsigned flags = 0;

    for (info = info ? info + 3 : ""; *info; info++)
        if ((at = strchr(letters, *info)))
            flags |= 1u << (at - letters);
    return flags;
}

/* base:2,FS; letters that we do not know (Dovecot's keywords) stay. */
static char *
name_with(const char *name, unsigned flags)
{
    const char *info = strstr(name, ":2,");
    struct buf b = BUF_INIT(4096);

    buf_add(&b, name, table_base(name));
    buf_adds(&b, ":2,");
    for (const char *c = sorted; *c; c++)
        if (flags & (1u << (strchr(letters, *c) - letters)))
            buf_addc(&b, *c);
    for (info = info ? info + 3 : ""; *info; info++)
        if (!strchr(letters, *info))
            buf_addc(&b, *info);
    return buf_take(&b, NULL);
}

static uint64_t
changed(struct message *m, struct touch *part, unsigned by)
{
    struct folder *f = m->folder;

    *part = (struct touch){f->last_seq + 1, by};
    table_log(f, m, part == &m->removed ? 'd' : 'c', part->seq);
    return part->seq;
}

static void
told(struct message *m)
{
    index_note(m);
    mailroot_changed(m->folder->user, m->folder);
}

/* ---- files that are there */

static struct listing *
head_read(const char *path)
{
    struct buf b = BUF_INIT(HEAD_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct listing *l;
    ssize_t n = 1;

    while (fd >= 0 && n > 0 && b.len < HEAD_MAX &&
           mime_header_length(buf_slice(&b)) == b.len) {
        char *to = buf_room(&b, 16384);

        n = to ? read(fd, to, 16384) : 0;
        if (n > 0)
            buf_added(&b, (size_t)n);
    }
    if (fd >= 0)
        close(fd);
    l = listing_read(
        slice_cut(buf_slice(&b), 0, mime_header_length(buf_slice(&b))));
    buf_clear(&b);
    return l;
}

/* A file becomes a message. NULL: it is gone again, or no file. */
static struct message *
file_take(struct folder *f, const char *name, bool in_new)
{
    char *path = file_path(f, in_new, name);
    struct message *m = NULL;
    struct stat st;

    if (!stat(path, &st) && S_ISREG(st.st_mode)) {
        m = table_append(f);
        free(m->name);
        m->name = xstrdup(name);
        m->in_new = in_new;
        m->flags = flags_of(name);
        m->size = (uint64_t)st.st_size;
        m->received = (int64_t)st.st_mtime;
        m->listing = head_read(path);
        if (m->flags & MAIL_ANSWERED)
            m->last_verb = 1;
        else if (m->flags & MAIL_FORWARDED)
            m->last_verb = 3;
        m->added.seq = f->last_seq + 1;
        table_add(f, m);
        table_log(f, m, 'a', m->added.seq);
        mailroot_arrived(m);
    }
    free(path);
    return m;
}

/* Somebody else renamed it: other flags, or from new/ to cur/. */
static bool
file_renamed(struct message *m, const char *name, bool in_new)
{
    unsigned was = m->flags;

    if (!strcmp(m->name, name) && m->in_new == in_new)
        return false;
    free(m->name);
    m->name = xstrdup(name);
    m->in_new = in_new;
    m->flags = flags_of(name);
    if ((was ^ m->flags) & MAIL_SEEN)
        changed(m, &m->read, 0);
    if ((was ^ m->flags) & MAIL_FLAGGED)
        changed(m, &m->flag, 0);
    return true;
}

static void
forget(struct message *m, unsigned by)
{
    table_remove(m->folder, m);
    m->gone = true;
    listing_free(&m->listing);
    changed(m, &m->removed, by);
}

struct found {
    char *name;
    bool in_new;
    int64_t when;
};

struct founds {
    struct found *list;
    size_t count, cap;
};

/* Known files are marked in `seen`; the others are gathered. */
static int
directory_read(struct folder *f, bool in_new, bool *seen, struct founds *out,
               struct err *e)
{
    char *path = file_path(f, in_new, ".");
    DIR *dir = opendir(path);
    struct dirent *d;
    struct stat st;

    if (!dir) {
        err_errno(e, E_RETRY, errno, "%s", path);
        free(path);
        return -1;
    }
    while ((d = readdir(dir))) {
        struct message *m;

        if (d->d_name[0] == '.')
            continue;
        m = folder_find_name(f, d->d_name, table_base(d->d_name));
        if (m) {
            seen[m->uid] = true;
            if (file_renamed(m, d->d_name, in_new))
                index_note(m);
            continue;
        }
        if (fstatat(dirfd(dir), d->d_name, &st, 0))
            continue;
        if (out->count == out->cap) {
            out->cap = out->cap ? out->cap * 2 : 64;
            out->list = xrealloc(out->list, out->cap * sizeof *out->list);
        }
        out->list[out->count++] =
            (struct found){xstrdup(d->d_name), in_new, (int64_t)st.st_mtime};
    }
    closedir(dir);
    free(path);
    return 0;
}

static int
by_date(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    if (x->when != y->when)
        return x->when < y->when ? -1 : 1;
    return strcmp(x->name, y->name);
}

int
folder_scan(struct folder *f, struct err *e)
{
    uint32_t known = f->count;
    bool *seen = xcalloc(known + 1, sizeof *seen);
    struct founds new = {0};
    struct message *m;
    int rc = directory_read(f, true, seen, &new, e) ||
             directory_read(f, false, seen, &new, e);

    for (uint32_t i = 0; !rc && i < known; i++)
        if (!f->list[i]->gone && !seen[i + 1]) {
            forget(f->list[i], 0);
            index_note(f->list[i]);
        }
    if (new.count)
        qsort(new.list, new.count, sizeof *new.list, by_date);
    for (size_t i = 0; i < new.count; i++) {
        /* In new/ and cur/ at once: somebody moved it while we looked. */
        if (!rc &&
            !folder_find_name(f, new.list[i].name,
                              table_base(new.list[i].name)) &&
            (m = file_take(f, new.list[i].name, new.list[i].in_new)))
            index_note(m);
        free(new.list[i].name);
    }
    free(new.list);
    free(seen);
    index_tidy(f);
    mailroot_changed(f->user, f);
    return rc ? -1 : 0;
}

int
folder_open(struct folder *f, struct err *e)
{
    static const char *const dirs[] = {"cur", "new", "tmp"};

    f->index_fd = f->watch_new = f->watch_cur = -1;
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        char *path = xasprintf("%s/%s", f->path, dirs[i]);
        int rc = file_mkdirs(path, e);

        free(path);
        if (rc)
            return -1;
    }
    if (index_load(f, e))
        return err_add(e, "%s", f->path);
    watch_add(mailroot_watch(f->user->root), f);
    return folder_scan(f, e);
}

void
folder_close(struct folder *f)
{
    watch_remove(mailroot_watch(f->user->root), f);
    for (uint32_t i = 0; i < f->count; i++)
        table_message_free(f->list[i]);
    free(f->list);
    free(f->ids);
    free(f->table);
    free(f->log);
    if (f->index_fd >= 0)
        close(f->index_fd);
}

/* ---- from inotify */

static bool
is_there(const struct folder *f, const char *name, bool in_new)
{
    char *path = file_path(f, in_new, name);
    bool there = !access(path, F_OK);

    free(path);
    return there;
}

void
folder_appeared(struct folder *f, const char *name, bool in_new)
{
    struct message *m = folder_find_name(f, name, table_base(name));

    if (name[0] == '.' || (m && !is_there(f, name, in_new)))
        return; /* an event of a name that it has no more */
    if (m ? file_renamed(m, name, in_new)
          : (m = file_take(f, name, in_new)) != NULL)
        told(m);
}

void
folder_vanished(struct folder *f, const char *name)
{
    struct message *m = folder_find_name(f, name, table_base(name));

    if (!m || strcmp(m->name, name) || is_there(f, m->name, m->in_new))
        return;
    forget(m, 0);
    told(m);
}

/* ---- our own changes */

static int
raw_write(const char *path, struct slice raw, int64_t when, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct timespec times[2] = {{.tv_sec = when}, {.tv_sec = when}};
    int failed = fd < 0 ? errno : 0;

    while (!failed && raw.n) {
        ssize_t n = write(fd, raw.p, raw.n);

        if (n < 0)
            failed = errno;
        else
            raw = slice_from(raw, (size_t)n);
    }
    if (!failed && futimens(fd, times))
        failed = errno;
    if (fd >= 0)
        close(fd);
    return failed ? err_errno(e, E_RETRY, failed, "%s", path) : 0;
}

int
folder_add(struct folder *f, const struct folder_adding *what,
           struct message **out, struct err *e)
{
    int64_t when = what->received ? what->received : now_unix();
    char unique[17], *base, *name, *tmp, *path;
    bool in_new = !what->flags;
    struct message *m = NULL;
    int rc;

    code_random_hex(unique, 8);
    base = xasprintf("%lld.R%s.sandbox", (long long)when, unique);
    name = in_new ? xstrdup(base) : name_with(base, what->flags);
    tmp = xasprintf("%s/tmp/%s", f->path, base);
    path = file_path(f, in_new, name);
    rc = raw_write(tmp, what->raw, when, e);
    if (!rc && rename(tmp, path))
        rc = err_errno(e, E_RETRY, errno, "%s", path);
    if (rc)
        unlink(tmp);
    else if (!(m = file_take(f, name, in_new)))
        rc = err_set(e, E_RETRY, "%s is gone again", path);
    free(base);
    free(name);
    free(tmp);
    free(path);
    if (rc)
        return -1;
    m->added.by = what->by;
    free(m->client);
    m->client = xstrdup(what->client ? what->client : "");
    told(m);
    if (out)
        *out = m;
    return 0;
}

/* Gives the file its name for these flags; out of new/ at the same time. */
static int
rename_to(struct message *m, unsigned flags, struct err *e)
{
    struct folder *f = m->folder;
    char *name = name_with(m->name, flags);
    char *from = file_path(f, m->in_new, m->name);
    char *to = file_path(f, false, name);
    int rc = 0;

    if ((m->in_new || strcmp(name, m->name)) && rename(from, to))
        rc = err_errno(e, E_RETRY, errno, "%s", from);
    free(from);
    free(to);
    if (rc) {
        free(name);
        return -1;
    }
    free(m->name);
    m->name = name;
    m->in_new = false;
    m->flags = flags;
    return 0;
}

int
folder_set_flags(struct message *m, unsigned set, unsigned clear, unsigned by,
                 struct err *e)
{
    unsigned was = m->flags;

    if (rename_to(m, (was | set) & ~clear, e))
        return -1;
    /* Also without a difference: the device has said what it is. */
    if ((set | clear) & MAIL_SEEN)
        changed(m, &m->read, by);
    if ((set | clear) & MAIL_FLAGGED)
        changed(m, &m->flag, by);
    told(m);
    return 0;
}

int
folder_set_flag(struct message *m, const char *lines, bool active, unsigned by,
                struct err *e)
{
    char *copy = xstrdup(lines);

    free(m->flag_lines);
    m->flag_lines = copy;
    return folder_set_flags(m, active ? MAIL_FLAGGED : 0,
                            active ? 0 : MAIL_FLAGGED, by, e);
}

int
folder_set_categories(struct message *m, const char *lines, unsigned by,
                      struct err *e)
{
    char *copy = xstrdup(lines);

    (void)e;
    free(m->category_lines);
    m->category_lines = copy;
    changed(m, &m->categories, by);
    told(m);
    return 0;
}

int
folder_set_verb(struct message *m, int verb, struct err *e)
{
    unsigned flag = verb == 3 ? MAIL_FORWARDED : MAIL_ANSWERED;

    if (rename_to(m, m->flags | flag, e))
        return -1;
    m->last_verb = verb;
    changed(m, &m->verb, 0);
    told(m);
    return 0;
}

int
folder_remove(struct message *m, unsigned by, struct err *e)
{
    char *path = file_path(m->folder, m->in_new, m->name);

    if (unlink(path) && errno != ENOENT) {
        err_errno(e, E_RETRY, errno, "%s", path);
        free(path);
        return -1;
    }
    free(path);
    forget(m, by);
    told(m);
    return 0;
}

int
folder_move(struct message *m, struct folder *to, unsigned by,
            struct message **out, struct err *e)
{
    char *from = file_path(m->folder, m->in_new, m->name);
    char *path = file_path(to, m->in_new, m->name);
    struct message *n;
    int rc = 0;

    if (folder_find_name(to, m->name, table_base(m->name)))
        rc = err_set(e, E_RETRY, "%s is there already", path);
    else if (rename(from, path))
        rc = err_errno(e, E_RETRY, errno, "%s", from);
    else if (!(n = file_take(to, m->name, m->in_new)))
        rc = err_set(e, E_RETRY, "%s is gone again", path);
    free(from);
    free(path);
    if (rc)
        return -1;
    free(n->flag_lines);
    free(n->category_lines);
    n->flag_lines = xstrdup(m->flag_lines);
    n->category_lines = xstrdup(m->category_lines);
    n->last_verb = m->last_verb;
    told(n);
    forget(m, by);
    told(m);
    if (out)
        *out = n;
    return 0;
}

int
folder_read(const struct message *m, struct buf *out, struct err *e)
{
    char *path = file_path(m->folder, m->in_new, m->name);
    int rc = file_read(path, out, e);

    free(path);
    return rc;
}
