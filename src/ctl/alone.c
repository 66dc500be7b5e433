/*
 * A daemon's command where no daemon runs: the account is opened in this
 * process, offline, and control's own table does the work. The state is
 * locked as the daemon locks it, so that none starts meanwhile.
 */
#include "ctl/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "account/account.h"
#include "base/file.h"
#include "base/mem.h"
#include "control/server.h"
#include "loop/loop.h"
#include "loop/worker.h"
#include "settings/settings.h"

struct alone {
    struct settings settings; /* a shallow copy with the accounts needed */
    const struct settings_account *one[1];
    struct loop *loop;
    struct worker *crypto, *disk;
    struct accounts *accounts;
    int lock;
};

int
ctl_state_lock(const struct settings *s, struct err *e)
{
    char *path = xasprintf("%s/lock", s->state_dir);
    int fd = file_mkdirs(s->state_dir, e)
                 ? -1
                 : open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        err_errno(e, E_DENIED, errno, "%s", path);
    free(path);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    return err_set(e, E_RETRY, "%s is in use, but nothing listens on %s: a "
                   "daemon that is just starting or stopping, or one with "
                   "another control socket", s->state_dir, s->control);
}

/* Only the account that is asked for is opened. */
static void
accounts_choose(struct alone *a, const struct settings *all,
                const char *account)
{
    const struct settings_account *s =
        account ? settings_find_login(all, slice_of(account)) : NULL;

    a->settings = *all;
    if (!s)
        return;
    a->one[0] = s;
    a->settings.accounts = a->one;
    a->settings.n_accounts = 1;
}

int
ctl_alone(struct ctl *c, const char *account, struct slice request,
          struct buf *answer_out, struct err *e)
{
    struct alone a = {.lock = -1};
    struct accounts_config config = {.settings = &a.settings};
    struct control_server_config control = {.settings = &a.settings};
    int rc = -1;

    accounts_choose(&a, c->settings, account);
    if (ctl_rights_enter(c, e))
        return -1;
    a.lock = ctl_state_lock(&a.settings, e);
    if (a.lock >= 0) {
        a.loop = loop_new();
        config.loop = control.loop = a.loop;
        config.crypto = control.crypto = a.crypto = worker_new("crypto", 1);
        config.disk = a.disk = worker_new("disk", 1);
        rc = accounts_new(&config, &a.accounts, e);
        control.accounts = a.accounts;
        if (rc == 0 && control_alone(&control, request, answer_out))
            rc = err_set(e, E_LIMIT, "the answer is too long");
        accounts_free(&a.accounts);
        worker_free(&a.crypto);
        worker_free(&a.disk);
        loop_free(&a.loop);
    }
    if (a.lock >= 0)
        close(a.lock);
    ctl_rights_back();
    return rc;
}
