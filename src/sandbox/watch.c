/*
 * inotify on the Maildirs: a file dropped into new/ is new mail at once, and
 * what another program renames, deletes or makes is taken over as it
 * happens. Our own renames come back here too and are found to be known.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "sandbox/mail.h"

#define FILES                                                        \
    (IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE | IN_ONLYDIR)
#define DIRECTORIES \
    (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR)

enum kind { NOTHING, NEW, CUR, BELOW, USER };

struct place {
    enum kind kind;
    struct folder *folder;
    struct user *user;
};

struct watch {
    struct mailroot *root;
    int fd;
    struct loop_fd *ready;
    struct place *places; /* by watch descriptor */
    size_t count;
};

static int
place_add(struct watch *w, const char *path, uint32_t mask, enum kind kind,
          struct folder *f, struct user *u)
{
    int wd = inotify_add_watch(w->fd, path, mask);

    if (wd < 0) {
        log_warn("watch", "%s: %s", path, strerror(errno));
        return -1;
    }
    if ((size_t)wd >= w->count) {
        size_t count = (size_t)wd + 64;

        w->places = xrealloc(w->places, count * sizeof *w->places);
        memset(w->places + w->count, 0,
               (count - w->count) * sizeof *w->places);
        w->count = count;
    }
    w->places[wd] = (struct place){kind, f, u};
    return wd;
}

void
watch_add(struct watch *w, struct folder *f)
{
    char *path = xasprintf("%s/new", f->path);

    f->watch_new = place_add(w, path, FILES, NEW, f, f->user);
    memcpy(path + strlen(path) - 3, "cur", 3);
    f->watch_cur = place_add(w, path, FILES, CUR, f, f->user);
    free(path);
    place_add(w, f->path, DIRECTORIES, BELOW, f, f->user);
    place_add(w, f->user->path, DIRECTORIES, USER, NULL, f->user);
}

void
watch_remove(struct watch *w, struct folder *f)
{
    for (size_t wd = 0; wd < w->count; wd++)
        if (w->places[wd].folder == f) {
            inotify_rm_watch(w->fd, (int)wd);
            w->places[wd] = (struct place){NOTHING, NULL, NULL};
        }
}

static bool
is_box(const char *name)
{
    return !strcmp(name, "cur") || !strcmp(name, "new") ||
           !strcmp(name, "tmp");
}

/* Events were lost: look at everything. */
static void
scan_all(struct watch *w)
{
    struct list *users = mailroot_users(w->root), *n, *a, *fn, *fa;
    struct err e = {0};

    LIST_EACH(users, n, a) {
        struct user *u = LIST_OBJECT(n, struct user, node);

        if (tree_scan(u, &e))
            log_warn("watch", "%s", e.text);
        LIST_EACH(&u->folders, fn, fa)
            if (folder_scan(LIST_OBJECT(fn, struct folder, node), &e))
                log_warn("watch", "%s", e.text);
    }
}

static void
event_take(struct watch *w, const struct inotify_event *ev)
{
    struct place p;
    struct err e = {0};

    if (ev->mask & IN_Q_OVERFLOW) {
        scan_all(w);
        return;
    }
    if (ev->wd < 0 || (size_t)ev->wd >= w->count || !ev->len)
        return;
    p = w->places[ev->wd];
    if (p.kind == NEW || p.kind == CUR) {
        if (ev->mask & IN_ISDIR)
            return;
        if (ev->mask & (IN_MOVED_TO | IN_CLOSE_WRITE))
            folder_appeared(p.folder, ev->name, p.kind == NEW);
        else
            folder_vanished(p.folder, ev->name);
    } else if (p.kind != NOTHING && (ev->mask & IN_ISDIR) &&
               (p.kind == USER || !is_box(ev->name))) {
        if (tree_scan(p.user, &e))
            log_warn("watch", "%s", e.text);
    }
}

/* A rename from new/ to cur/ is two events, first the vanishing, and the
 * file is then already there: folder_vanished() finds the old name gone. So
 * arrivals are taken first within what one read brought. */
static void
on_ready(void *arg, unsigned what)
{
    struct watch *w = arg;
    _Alignas(struct inotify_event) char buf[65536];
    ssize_t n;

    (void)what;
    while ((n = read(w->fd, buf, sizeof buf)) > 0)
        for (int pass = 0; pass < 2; pass++)
            for (char *p = buf; p < buf + n;) {
                const struct inotify_event *ev = (const void *)p;
                bool goes = ev->mask & (IN_MOVED_FROM | IN_DELETE);

                if (goes == (pass == 1))
                    event_take(w, ev);
                p += sizeof *ev + ev->len;
            }
}

struct watch *
watch_new(struct mailroot *root, struct err *e)
{
    struct watch *w = xcalloc(1, sizeof *w);

    w->root = root;
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0) {
        err_errno(e, E_FULL, errno, "inotify");
        free(w);
        return NULL;
    }
    w->ready = loop_fd_new(w->fd, on_ready, w);
    loop_fd_watch(w->ready, LOOP_READ);
    return w;
}

void
watch_free(struct watch **wp)
{
    struct watch *w = *wp;

    if (!w)
        return;
    loop_fd_free(&w->ready);
    close(w->fd);
    free(w->places);
    free(w);
    *wp = NULL;
}
