/*
 * DIR: its users (DIR/users, an `address password` a line) and their mail.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "sandbox/mail.h"

#define USERS_MAX ((size_t)1 << 20)

struct mailroot {
    char *dir;
    struct list users;
    struct watch *watch;
    mail_changed_fn *changed;
    mail_arrived_fn *arrived;
    void *arg;
    bool exchange_names;
    bool open; /* changes before that are nobody's business */
};

const char *
mailroot_dir(const struct mailroot *r)
{
    return r->dir;
}

bool
mailroot_exchange_names(const struct mailroot *r)
{
    return r->exchange_names;
}

struct list *
mailroot_users(struct mailroot *r)
{
    return &r->users;
}

struct watch *
mailroot_watch(struct mailroot *r)
{
    return r->watch;
}

struct user *
mailroot_user(struct mailroot *r, const char *address)
{
    struct list *n, *after;

    LIST_EACH(&r->users, n, after)
    if (!ascii_icmp(LIST_OBJECT(n, struct user, node)->address, address))
        return LIST_OBJECT(n, struct user, node);
    return NULL;
}

void
mailroot_changed(struct user *u, struct folder *f)
{
    if (u->root->open)
        u->root->changed(u->root->arg, u, f);
}

void
mailroot_on_arrival(struct mailroot *r, mail_arrived_fn *arrived)
{
    r->arrived = arrived;
}

void
mailroot_arrived(struct message *m)
{
    struct mailroot *r = m->folder->user->root;

    if (r->arrived)
        r->arrived(r->arg, m);
}

static void
user_free(struct user *u)
{
    tree_close(u);
    list_remove(&u->node);
    free(u->address);
    free(u->password);
    free(u->path);
    free(u->state);
    free(u);
}

static int
user_add(struct mailroot *r, const char *address, const char *password,
         struct err *e)
{
    struct user *u = mailroot_user(r, address);

    if (u) {
        free(u->password);
        u->password = xstrdup(password);
        return 0;
    }
    if (strchr(address, '/') || address[0] == '.' || !strchr(address, '@'))
        return err_set(e, E_INPUT, "%s is no address of a user", address);
    u = xcalloc(1, sizeof *u);
    u->root = r;
    u->address = xstrdup(address);
    u->password = xstrdup(password);
    u->path = xasprintf("%s/%s", r->dir, address);
    u->state = xasprintf("%s/state/%s", r->dir, address);
    list_init(&u->devices);
    list_init(&u->folders);
    list_add(&r->users, &u->node);
    return tree_open(u, e);
}

int
mailroot_reload(struct mailroot *r, struct err *e)
{
    char *path = xasprintf("%s/users", r->dir);
    struct buf b = BUF_INIT(USERS_MAX);
    struct slice rest, line, word;
    int rc = file_read(path, &b, e);
    unsigned number = 0;

    rest = buf_slice(&b);
    while (!rc && slice_next(&rest, '\n', &line)) {
        char *address, *password;

        number++;
        line = slice_trim(line);
        if (!line.n || line.p[0] == '#')
            continue;
        slice_next(&line, ' ', &word);
        address = slice_dup(slice_trim(word));
        password = slice_dup(slice_trim(line));
        rc = password[0] ? user_add(r, address, password, e)
                         : err_set(e, E_INPUT, "no password");
        if (rc)
            err_add(e, "%s:%u", path, number);
        free(address);
        free(password);
    }
    free(path);
    buf_clear(&b);
    return rc;
}

int
mailroot_open(const char *dir, bool exchange_names, mail_changed_fn *changed,
              void *arg, struct mailroot **out, struct err *e)
{
    struct mailroot *r = xcalloc(1, sizeof *r);

    r->dir = xstrdup(dir);
    r->exchange_names = exchange_names;
    r->changed = changed;
    r->arg = arg;
    list_init(&r->users);
    if (!(r->watch = watch_new(r, e)) || mailroot_reload(r, e)) {
        mailroot_close(&r);
        return -1;
    }
    r->open = true;
    *out = r;
    return 0;
}

void
mailroot_close(struct mailroot **rp)
{
    struct mailroot *r = *rp;

    if (!r)
        return;
    r->open = false;
    r->arrived = NULL;
    while (!list_is_empty(&r->users))
        user_free(LIST_OBJECT(r->users.next, struct user, node));
    watch_free(&r->watch);
    free(r->dir);
    free(r);
    *rp = NULL;
}
