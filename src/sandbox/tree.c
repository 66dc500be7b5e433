/*
 * A user's folders: directories with cur/, new/ and tmp/ in them, nested as
 * directories are. Their ids and the order of changes are in
 * DIR/state/ADDRESS/folders, written anew and renamed over at each change.
 *
 * A DisplayName may hold what a directory's name cannot: such characters are
 * %XX in the directory's name.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "sandbox/mail.h"

#define FOLDERS_FILE_MAX ((size_t)16 << 20)
#define DEPTH_MAX 32
#define NAME_MAX_BYTES 200

static const struct special {
    const char *directory, *name;
    int type;
    const char *exchange; /* its name with --exchange-names */
} specials[] = {
    {"INBOX", "Inbox", 2, "Inbox"},
    {"Drafts", "Drafts", 3, "Drafts"},
    {"Trash", "Trash", 4, "Deleted Items"},
    {"Sent", "Sent", 5, "Sent Items"},
};

/* ---- names */

static char *
directory_name(const char *name)
{
    struct buf b = BUF_INIT(4096);
    bool box =
        !strcmp(name, "cur") || !strcmp(name, "new") || !strcmp(name, "tmp");

    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < 32 || *c == 127 || strchr("/%", *c) ||
            (c == name && (*c == '.' || box)))
            buf_addf(&b, "%%%02X", (unsigned char)*c);
        else
            buf_addc(&b, *c);
    return buf_take(&b, NULL);
}

static char *
display_name(const char *directory)
{
    struct buf b = BUF_INIT(4096);
    unsigned c;

    for (; *directory; directory++)
        if (*directory == '%' && isxdigit((unsigned char)directory[1]) &&
            isxdigit((unsigned char)directory[2]) &&
            sscanf(directory + 1, "%2X", &c) == 1 && c) {
            buf_addc(&b, (char)c);
            directory += 2;
        } else {
            buf_addc(&b, *directory);
        }
    return buf_take(&b, NULL);
}

static bool
is_folder_name(const char *directory)
{
    for (const char *c = directory; *c; c++)
        if ((unsigned char)*c < 32)
            return false;
    return directory[0] != '.' && strcmp(directory, "cur") &&
           strcmp(directory, "new") && strcmp(directory, "tmp");
}

/* ---- finding */

struct folder *
tree_find(struct user *u, uint32_t id)
{
    struct list *n, *after;

    LIST_EACH(&u->folders, n, after)
    if (LIST_OBJECT(n, struct folder, node)->id == id)
        return LIST_OBJECT(n, struct folder, node);
    return NULL;
}

struct folder *
tree_find_type(struct user *u, int type)
{
    struct list *n, *after;

    LIST_EACH(&u->folders, n, after)
    if (LIST_OBJECT(n, struct folder, node)->type == type)
        return LIST_OBJECT(n, struct folder, node);
    return NULL;
}

struct folder *
tree_find_name(struct user *u, uint32_t parent, const char *name)
{
    struct list *n, *after;

    LIST_EACH(&u->folders, n, after)
    {
        struct folder *f = LIST_OBJECT(n, struct folder, node);

        if (f->parent == parent && !ascii_icmp(f->name, name))
            return f;
    }
    return NULL;
}

static struct folder *
find_place(struct user *u, const char *path)
{
    struct list *n, *after;

    LIST_EACH(&u->folders, n, after)
    if (!strcmp(LIST_OBJECT(n, struct folder, node)->path, path))
        return LIST_OBJECT(n, struct folder, node);
    return NULL;
}

struct folder *
tree_find_path(struct user *u, const char *path)
{
    struct slice rest = slice_of(path), piece;
    struct folder *f = NULL;

    for (size_t i = 0; i < ARRAY_LEN(specials); i++)
        if (!ascii_icmp(path, specials[i].directory) ||
            !ascii_icmp(path, specials[i].name) ||
            !ascii_icmp(path, specials[i].exchange))
            return tree_find_type(u, specials[i].type);
    while (slice_next(&rest, '/', &piece)) {
        char *name = slice_dup(piece);

        f = tree_find_name(u, f ? f->id : 0, name);
        free(name);
        if (!f)
            return NULL;
    }
    return f;
}

bool
tree_is_below(struct folder *f, const struct folder *above)
{
    for (; f; f = f->parent ? tree_find(f->user, f->parent) : NULL)
        if (f == above)
            return true;
    return false;
}

/* ---- the file */

static int
folders_write(struct user *u, struct err *e)
{
    char *path = xasprintf("%s/folders", u->state);
    struct buf b = BUF_INIT(FOLDERS_FILE_MAX);
    size_t skip = strlen(u->path) + 1;
    struct list *n, *after;
    int rc;

    buf_addf(&b, "%u\t%llu\n", u->next_folder, (unsigned long long)u->seq);
    LIST_EACH(&u->folders, n, after)
    {
        struct folder *f = LIST_OBJECT(n, struct folder, node);

        buf_addf(&b, "%u\t%llu\t%s\n", f->id, (unsigned long long)f->seq,
                 f->path + skip);
    }
    rc = file_write(path, buf_slice(&b), 0600, false, e);
    free(path);
    buf_clear(&b);
    return rc;
}

/* What was known: id and seq by place. */
struct known {
    struct buf file;
    struct slice lines;
};

static int
known_read(struct user *u, struct known *k, struct err *e)
{
    char *path = xasprintf("%s/folders", u->state);
    unsigned long long seq = 0;

    buf_init(&k->file, FOLDERS_FILE_MAX);
    k->lines = SLICE_NONE;
    if (file_read(path, &k->file, e) && e->code != E_MISSING) {
        free(path);
        return -1;
    }
    free(path);
    u->next_folder = 5; /* as Exchange's first folder tends to be */
    if (k->file.len)
        sscanf(k->file.data, "%u\t%llu", &u->next_folder, &seq);
    u->seq = seq;
    k->lines = slice_from(buf_slice(&k->file),
                          slice_find(buf_slice(&k->file), '\n') + 1);
    return 0;
}

static bool
known_find(const struct known *k, const char *place, uint32_t *id,
           uint64_t *seq)
{
    struct slice rest = k->lines, line, f[2];

    while (slice_next(&rest, '\n', &line))
        if (slice_next(&line, '\t', &f[0]) && slice_next(&line, '\t', &f[1]) &&
            slice_is(line, place))
            return slice_u32(f[0], id) && slice_u64(f[1], seq);
    return false;
}

/* ---- taking directories over */

static void
folder_drop(struct folder *f)
{
    list_remove(&f->node);
    folder_close(f);
    free(f->name);
    free(f->path);
    free(f);
}

static int
place_type(const char *place)
{
    for (size_t i = 0; i < ARRAY_LEN(specials); i++)
        if (!strcmp(place, specials[i].directory))
            return specials[i].type;
    return 12;
}

static char *
place_name(const struct user *u, const char *place)
{
    const char *slash = strrchr(place, '/');

    for (size_t i = 0; i < ARRAY_LEN(specials); i++)
        if (!strcmp(place, specials[i].directory))
            return xstrdup(mailroot_exchange_names(u->root)
                               ? specials[i].exchange
                               : specials[i].name);
    return display_name(slash ? slash + 1 : place);
}

/* The directory as a folder. k may be NULL: it is new for sure. */
static int
folder_take(struct user *u, const char *path, uint32_t parent,
            const struct known *k, struct folder **out, struct err *e)
{
    const char *place = path + strlen(u->path) + 1;
    struct folder *f = xcalloc(1, sizeof *f);

    f->user = u;
    f->parent = parent;
    f->path = xstrdup(path);
    f->name = place_name(u, place);
    f->type = place_type(place);
    if (!k || !known_find(k, place, &f->id, &f->seq)) {
        f->id = u->next_folder++;
        f->seq = ++u->seq;
    }
    list_add(&u->folders, &f->node);
    if (folder_open(f, e)) {
        folder_drop(f);
        return -1;
    }
    *out = f;
    return 0;
}

static int
scan_below(struct user *u, const char *path, uint32_t parent,
           const struct known *k, unsigned depth, struct err *e)
{
    DIR *dir = opendir(path);
    struct dirent *d;
    struct stat st;
    int rc = dir ? 0 : err_errno(e, E_RETRY, errno, "%s", path);

    while (!rc && depth && (d = readdir(dir))) {
        char *below = xasprintf("%s/%s", path, d->d_name);
        struct folder *f = find_place(u, below);

        if (is_folder_name(d->d_name) && !stat(below, &st) &&
            S_ISDIR(st.st_mode)) {
            if (!f)
                rc = folder_take(u, below, parent, k, &f, e);
            if (!rc)
                rc = scan_below(u, below, f->id, k, depth - 1, e);
        }
        free(below);
    }
    if (dir)
        closedir(dir);
    return rc;
}

static bool
drop_missing(struct user *u)
{
    struct list *n, *after;
    bool any = false;

    LIST_EACH(&u->folders, n, after)
    {
        struct folder *f = LIST_OBJECT(n, struct folder, node);

        if (!access(f->path, F_OK))
            continue;
        u->seq++;
        any = true;
        folder_drop(f);
    }
    return any;
}

static int
special_make(struct user *u, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(specials); i++) {
        char *path = xasprintf("%s/%s/cur", u->path, specials[i].directory);
        int rc = file_mkdirs(path, e);

        free(path);
        if (rc)
            return -1;
    }
    return 0;
}

/* The special ones first, so that they get the first ids. */
static int
special_take(struct user *u, const struct known *k, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(specials); i++) {
        char *path = xasprintf("%s/%s", u->path, specials[i].directory);
        struct folder *f;
        int rc = find_place(u, path) ? 0 : folder_take(u, path, 0, k, &f, e);

        free(path);
        if (rc)
            return -1;
    }
    return 0;
}

int
tree_open(struct user *u, struct err *e)
{
    struct known k;
    int rc;

    list_init(&u->folders);
    if (file_mkdirs(u->state, e) || special_make(u, e) || known_read(u, &k, e))
        return -1;
    rc = special_take(u, &k, e) ||
         scan_below(u, u->path, 0, &k, DEPTH_MAX, e) || folders_write(u, e);
    buf_clear(&k.file);
    return rc ? -1 : 0;
}

void
tree_close(struct user *u)
{
    while (!list_is_empty(&u->folders))
        folder_drop(LIST_OBJECT(u->folders.next, struct folder, node));
}

int
tree_scan(struct user *u, struct err *e)
{
    uint64_t was = u->seq;
    bool gone = drop_missing(u);

    if (special_make(u, e) || special_take(u, NULL, e) ||
        scan_below(u, u->path, 0, NULL, DEPTH_MAX, e))
        return -1;
    if (!gone && u->seq == was)
        return 0;
    if (folders_write(u, e))
        return -1;
    mailroot_changed(u, NULL);
    return 0;
}

/* ---- commands */

static char *
place_below(struct user *u, uint32_t parent, const char *name, struct err *e)
{
    struct folder *above = parent ? tree_find(u, parent) : NULL;
    char *directory, *path;

    if (!name[0] || strlen(name) > NAME_MAX_BYTES) {
        err_set(e, E_INPUT, "a folder needs a name of 1 to %d bytes",
                NAME_MAX_BYTES);
        return NULL;
    }
    directory = directory_name(name);
    path = xasprintf("%s/%s", above ? above->path : u->path, directory);
    free(directory);
    return path;
}

int
tree_create(struct user *u, uint32_t parent, const char *name,
            struct folder **out, struct err *e)
{
    char *path = place_below(u, parent, name, e);
    int rc = -1;

    if (!path)
        return -1;
    if (!access(path, F_OK))
        err_set(e, E_INPUT, "%s is there already", path);
    else
        rc = file_mkdirs(path, e) ||
             folder_take(u, path, parent, NULL, out, e) || folders_write(u, e);
    free(path);
    if (rc)
        return -1;
    mailroot_changed(u, NULL);
    return 0;
}

/* Everything below moved with its directory. */
static void
repath(struct user *u, const char *from, const char *to)
{
    size_t n = strlen(from);
    struct list *node, *after;

    LIST_EACH(&u->folders, node, after)
    {
        struct folder *f = LIST_OBJECT(node, struct folder, node);
        char *path;

        if (strncmp(f->path, from, n) || (f->path[n] && f->path[n] != '/'))
            continue;
        path = xasprintf("%s%s", to, f->path + n);
        free(f->path);
        f->path = path;
    }
}

int
tree_rename(struct folder *f, uint32_t parent, const char *name, struct err *e)
{
    struct user *u = f->user;
    char *to = place_below(u, parent, name, e);
    char *from = xstrdup(f->path);
    int rc = to ? 0 : -1;

    if (!rc && strcmp(to, from)) {
        if (!access(to, F_OK))
            rc = err_set(e, E_INPUT, "%s is there already", to);
        else if (rename(from, to))
            rc = err_errno(e, E_RETRY, errno, "%s", from);
        else
            repath(u, from, to);
    }
    if (!rc) {
        free(f->name);
        f->name = xstrdup(name);
        f->parent = parent;
        f->seq = ++u->seq;
        rc = folders_write(u, e);
        mailroot_changed(u, NULL);
    }
    free(from);
    free(to);
    return rc;
}

static int
remove_all(const char *path, unsigned depth, struct err *e)
{
    DIR *dir = opendir(path);
    struct dirent *d;
    int rc = 0;

    if (!dir)
        return unlink(path) ? err_errno(e, E_RETRY, errno, "%s", path) : 0;
    while (!rc && depth && (d = readdir(dir))) {
        char *below = xasprintf("%s/%s", path, d->d_name);

        if (strcmp(d->d_name, ".") && strcmp(d->d_name, ".."))
            rc =
                d->d_type == DT_DIR
                    ? remove_all(below, depth - 1, e)
                    : (unlink(below) ? err_errno(e, E_RETRY, errno, "%s", below)
                                     : 0);
        free(below);
    }
    closedir(dir);
    if (!rc && rmdir(path))
        rc = err_errno(e, E_RETRY, errno, "%s", path);
    return rc;
}

/* Its numbers will not be used again. */
static void
folder_forget(struct folder *f)
{
    char *path = index_path(f);

    unlink(path);
    free(path);
    folder_drop(f);
}

/* One below f, NULL when there is none (any more). */
static struct folder *
one_below(struct folder *f)
{
    struct list *n, *after;

    LIST_EACH(&f->user->folders, n, after)
    {
        struct folder *other = LIST_OBJECT(n, struct folder, node);

        if (other->parent == f->id)
            return other;
    }
    return NULL;
}

int
tree_delete(struct folder *f, struct err *e)
{
    struct user *u = f->user;
    struct folder *other, *deeper;

    if (remove_all(f->path, DEPTH_MAX + 2, e))
        return -1;
    while ((other = one_below(f))) {
        while ((deeper = one_below(other)))
            other = deeper;
        folder_forget(other);
    }
    folder_forget(f);
    u->seq++;
    mailroot_changed(u, NULL);
    return folders_write(u, e);
}
