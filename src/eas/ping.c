/*
 * Ping (MS-ASCMD 2.2.1.13): waits at the server until one of the folders
 * changes. The heartbeat is adapted here: longer after each one that ended
 * in peace, half as long after one that broke, and within the bounds that
 * the server tells (statuses 5 and 6).
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/now.h"
#include "eas/private.h"

#define STEP 300u
#define FLOOR 60u
#define CEILING 3540u
#define MARGIN_MS 30000
/* A poll that breaks sooner says nothing about the heartbeat. */
#define BROKE_MS 30000
#define FOLDERS_MAX 1000

struct ping_call {
    struct eas_call call;
    char **folders;
    size_t n;
    unsigned heartbeat; /* of this request */
    int64_t started;
    struct eas_ping_answer *out;
};

static int
ping_build(struct eas_call *c, struct err *e)
{
    struct ping_call *p = (struct ping_call *)c;
    struct eas *eas = c->eas;
    struct wbxml_writer *w = &c->req.w;
    size_t n = p->n;

    (void)e;
    if (eas->ping_folders && n > eas->ping_folders)
        n = eas->ping_folders;
    p->heartbeat = eas->heartbeat;
    p->started = now_ms();
    c->req.stall_ms = (int64_t)p->heartbeat * 1000 + MARGIN_MS;
    c->req.fresh = eas->ping_broke; /* the old connection may be dead */
    wbxml_write_start(w, PING_PING);
    wbxml_write_number(w, PING_HEARTBEAT_INTERVAL, (long)p->heartbeat);
    wbxml_write_start(w, PING_FOLDERS);
    for (size_t i = 0; i < n; i++) {
        wbxml_write_start(w, PING_FOLDER);
        wbxml_write_text(w, PING_ID, p->folders[i]);
        wbxml_write_text(w, PING_CLASS, "Email");
        wbxml_write_end(w);
    }
    wbxml_write_end(w);
    wbxml_write_end(w);
    return 0;
}

static unsigned
within(unsigned v, unsigned low, unsigned high)
{
    return v < low ? low : v > high ? high : v;
}

/* The nearest interval that the server permits bounds all that follow. */
static int
take_interval(struct eas *eas, const struct ping_call *p, long wanted,
              struct err *e)
{
    if (wanted < 1 || wanted > (long)CEILING ||
        (unsigned)wanted == p->heartbeat)
        return err_set(e, E_RETRY, "Ping: the server wants no heartbeat that "
                                   "makes sense (%ld s)",
                       wanted);
    if ((unsigned)wanted < p->heartbeat)
        eas->heartbeat_max = (unsigned)wanted;
    else
        eas->heartbeat_min = (unsigned)wanted;
    if (eas->heartbeat_min > eas->heartbeat_max)
        eas->heartbeat_min = eas->heartbeat_max;
    eas->heartbeat = (unsigned)wanted;
    return 1;
}

static int
take_folder_limit(struct eas *eas, struct ping_call *p, long most,
                  struct err *e)
{
    if (most < 1 || (size_t)most >= p->n ||
        (eas->ping_folders && (unsigned)most >= eas->ping_folders))
        return err_set(e, E_RETRY,
                       "Ping: too many folders, but the server's limit (%ld) "
                       "is kept",
                       most);
    eas->ping_folders = (unsigned)most;
    return 1;
}

static void
take_folders(struct ping_call *p, const struct wbxml_node *root)
{
    const struct wbxml_node *n = wbxml_find(root, PING_FOLDERS, PING_FOLDER, 0);

    p->out->folders = xcalloc(FOLDERS_MAX, sizeof *p->out->folders);
    for (; n && p->out->n < FOLDERS_MAX; n = wbxml_again(n)) {
        char *id = eas_dup_id(slice_trim(n->text));

        if (id && id[0])
            p->out->folders[p->out->n++] = id;
        else
            free(id);
    }
}

static int
ping_read(struct ping_call *p, struct arena *a, struct slice body,
          struct err *e)
{
    struct eas *eas = p->call.eas;
    struct wbxml_node *root;
    long status;

    if (eas_answer_tree(a, body, PING_PING, &root, e))
        return -1;
    status = wbxml_number(root, 0, PING_STATUS, 0);
    eas->ping_broke = false;
    if (status == 5)
        return take_interval(
            eas, p, wbxml_number(root, 0, PING_HEARTBEAT_INTERVAL, 0), e);
    if (status == 6)
        return take_folder_limit(eas, p,
                                 wbxml_number(root, 0, PING_MAX_FOLDERS, 0), e);
    eas_status_set(EAS_CMD_PING, (int)status, &p->out->status,
                   &p->out->reaction);
    if (status == 1 && now_ms() - p->started > (int64_t)p->heartbeat * 500)
        eas->heartbeat = within(p->heartbeat + STEP, eas->heartbeat_min,
                                eas->heartbeat_max);
    if (status == 2)
        take_folders(p, root);
    return 0;
}

static int
ping_answer(struct eas_call *c, struct slice body, struct err *e)
{
    struct arena *a = arena_new();
    int rc = ping_read((struct ping_call *)c, a, body, e);

    arena_free(&a);
    return rc;
}

/* Something between us and the server does not bear so long a silence. */
static void
ping_failed(struct eas_call *c, const struct err *e)
{
    struct ping_call *p = (struct ping_call *)c;
    struct eas *eas = c->eas;

    if (e->code != E_RETRY || !p->started)
        return;
    eas->ping_broke = true;
    if (now_ms() - p->started < BROKE_MS)
        return;
    eas->heartbeat = within(p->heartbeat / 2,
                            eas->heartbeat_min > FLOOR ? eas->heartbeat_min
                                                       : FLOOR,
                            eas->heartbeat_max);
}

static void
ping_clear(struct eas_call *c)
{
    struct ping_call *p = (struct ping_call *)c;

    for (size_t i = 0; i < p->n; i++)
        free(p->folders[i]);
    free(p->folders);
}

struct op *
eas_ping(struct eas *eas, const char *const *folders, size_t n,
         struct eas_ping_answer *out, op_done_fn *done, void *arg)
{
    static const struct eas_call_kind kind = {.command = EAS_CMD_PING,
                                              .build = ping_build,
                                              .answer = ping_answer,
                                              .failed = ping_failed,
                                              .clear = ping_clear};
    struct ping_call *p;

    *out = (struct eas_ping_answer){0};
    if (!n)
        return op_decided(&(struct err){E_BUG, "Ping without folders"}, done,
                          arg);
    p = eas_call_new(eas, &kind, sizeof *p);
    p->out = out;
    p->n = n > FOLDERS_MAX ? FOLDERS_MAX : n;
    p->folders = xcalloc(p->n, sizeof *p->folders);
    for (size_t i = 0; i < p->n; i++)
        p->folders[i] = xstrdup(folders[i]);
    p->call.background = true;
    eas_call_lane(&p->call, EAS_LANE_PING);
    return eas_call_start(&p->call, done, arg);
}

void
eas_ping_answer_clear(struct eas_ping_answer *a)
{
    for (size_t i = 0; i < a->n; i++)
        free(a->folders[i]);
    free(a->folders);
    *a = (struct eas_ping_answer){0};
}
