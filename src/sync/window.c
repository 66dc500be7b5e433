/*
 * One window of one folder: what is asked for, its items staged as they come,
 * and what the answer means. Used by pull.c for one folder and by several.c
 * for many in one request; booking is book.c.
 */
#include "sync/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "eas/status.h"
#include "store/sent.h"

#define WINDOW 512u
/* So long the server has for the copy of what was sent. */
#define SENT_WAIT_S ((int64_t)86400)
#define RESETS_MAX 2
#define REST_MS ((int64_t)300000) /* the first one; each is twice as long */
#define REST_MAX_MS ((int64_t)3600000)

void
pull_one_clear(struct pull_one *p)
{
    eas_sync_answer_clear(&p->answer);
    free(p->key);
    p->key = NULL;
}

/* The folder rests, for there is something wrong with the server's listing;
 * `status` tells so. */
static void
pull_rest(struct pull_one *p, int64_t ms, const char *why)
{
    const struct store_folder *f =
        store_folder_get(p->sync->store, p->folder);

    err_set(&p->sync->error, E_REMOTE, "folder %s rests for %lld s: %s",
            f ? f->path : "?", (long long)(ms / 1000), why);
    log_warn("sync", "account=%s %s", p->sync->account, p->sync->error.text);
    sync_mark_rest(p->sync, p->folder, fault_wait(ms));
}

static int64_t
rest_after(int resets)
{
    int64_t ms = REST_MS;

    for (int i = RESETS_MAX; i < resets && ms < REST_MAX_MS; i++)
        ms *= 2;
    return ms < REST_MAX_MS ? ms : REST_MAX_MS;
}

int
pull_react(struct pull_one *p, struct err *e)
{
    struct store *store = p->sync->store;
    const struct store_folder *f = store_folder_get(store, p->folder);

    switch (p->answer.reaction) {
    case EAS_OK:
        return 0;
    case EAS_KEY0:
        if (!f)
            return 1;
        log_notice("sync", "account=%s folder=%lld status=%d key lost, "
                           "listing again",
                   p->sync->account, (long long)p->folder,
                   p->answer.status);
        if (store_folder_reset(store, p->folder, e))
            return -1;
        f = store_folder_get(store, p->folder);
        /* After two in a row the folder rests (SPEC section 5, Reset). */
        if (f && f->resets >= RESETS_MAX)
            pull_rest(p, rest_after(f->resets),
                      "the server lost its state twice in a row");
        else
            sync_mark(p->sync, p->folder);
        return 1;
    case EAS_FOLDERSYNC:
    case EAS_GONE:
        sync_mark(p->sync, 0);
        sync_mark_later(p->sync, p->folder, 2000);
        return 1;
    default:
        return eas_status_err(e, EAS_CMD_SYNC, p->answer.status);
    }
}

static int
pull_item(void *arg, const struct eas_item *it, struct err *e)
{
    struct pull_one *p = arg;

    return sync_book_stage(p->sync->store, p->folder, it, e);
}

int
pull_ask(struct pull_one *p, struct eas_sync_ask *ask, struct err *e)
{
    struct store *store = p->sync->store;
    const struct store_folder *f;

    if (!store_folder_get(store, p->folder))
        return 1;
    /* What a broken answer left behind. */
    if (store_stage_clear(store, p->folder, e))
        return -1;
    f = store_folder_get(store, p->folder);
    free(p->key);
    p->key = xstrdup(f->key);
    p->began = now_ms();
    *ask = (struct eas_sync_ask){.collection = f->server_id,
                                 .key = p->key,
                                 .get_changes = true,
                                 .list_only = true,
                                 .window = WINDOW,
                                 .filter = p->sync->filter,
                                 .on_item = pull_item,
                                 .item_arg = p};
    return 0;
}

/* Sent, once it was listed: see sent.c. */
bool
pull_may_be_sent(const struct pull_one *p, const struct eas_sync_answer *a)
{
    const struct store_folder *f =
        store_folder_get(p->sync->store, p->folder);

    return f && f->role == STORE_ROLE_SENT && a->reaction == EAS_OK &&
           !a->empty && (f->state == STORE_FOLDER_READY ||
                         f->state == STORE_FOLDER_RELISTING);
}

static int
sent_lonely(struct pull_one *p, struct err *e)
{
    const struct store_folder *f =
        store_folder_get(p->sync->store, p->folder);

    if (!f || f->role != STORE_ROLE_SENT)
        return 0;
    return store_sent_lonely(p->sync->store, fault_wait(SENT_WAIT_S), e);
}

/* The shortest month counts: who is in doubt whether something is too old or
 * was deleted keeps it. */
static int64_t
window_begin(int filter)
{
    static const int days[] = {0, 1, 3, 7, 14, 28};

    return filter > 0 && filter < (int)ARRAY_LEN(days)
        ? now_unix() - (int64_t)days[filter] * 86400 : 0;
}

enum pull_took
pull_take(struct pull_one *p, struct err *e)
{
    struct store *store = p->sync->store;
    struct sync_book how = {.began = p->began,
                            .relist_wait = p->sync->relist_wait,
                            .window = window_begin(p->sync->filter),
                            .leave = window_begin(p->sync->window.policy),
                            .drop = p->sync->window.drop};
    bool again, stuck, more;
    int rc = pull_react(p, e);

    if (rc)
        return rc < 0 ? PULL_FAILED : PULL_PUT_OFF;
    if (p->answer.left_out)
        return PULL_MORE;
    /* MoreAvailable without a new key would go on for ever. */
    stuck = p->answer.more && p->answer.key &&
            strcmp(p->answer.key, p->key) == 0;
    more = p->answer.more && !p->answer.empty && !stuck;
    how.key = p->answer.empty ? NULL : p->answer.key;
    how.more = more;
    if (sync_book_commit(store, p->folder, &how, &again, e))
        return PULL_FAILED;
    eas_sync_answer_clear(&p->answer);
    if (again) {
        if (store_folder_reset(store, p->folder, e))
            return PULL_FAILED;
        pull_rest(p, p->sync->relist_wait * 1000,
                  "a new listing lacks more than half of it, and is made "
                  "again");
        return PULL_PUT_OFF;
    }
    if (!more && sent_lonely(p, e))
        return PULL_FAILED;
    return more ? PULL_MORE : stuck ? PULL_PUT_OFF : PULL_WHOLE;
}
