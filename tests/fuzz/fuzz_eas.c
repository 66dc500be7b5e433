/*
 * Answers of an Exchange server: Sync (whole, and as it arrives), multipart,
 * policy documents. The first byte chooses which, and the size of the pieces.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eas/sync_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)   \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

static void
log_text(struct buf *log, const char *s)
{
    buf_addf(log, "%s|", s ? s : "-");
}

static int
on_item(void *arg, const struct eas_item *it, struct err *e)
{
    struct buf *log = arg;

    (void)e;
    MUST(it->server_id && *it->server_id);
    MUST(it->received >= -1 && it->flag_status >= 0 && it->flag_status <= 2);
    buf_addf(log, "%d %x ", (int)it->kind, it->has);
    log_text(log, it->server_id);
    log_text(log, it->from);
    log_text(log, it->to);
    log_text(log, it->subject);
    log_text(log, it->message_class);
    buf_add_slice(log, it->flag_detail);
    buf_add_slice(log, it->conversation_id);
    for (size_t i = 0; i < it->ncategories; i++)
        log_text(log, it->categories[i]);
    return log->over ? -1 : 0;
}

static void
answer_log(struct buf *log, const struct eas_sync_answer *a)
{
    buf_addf(log, "\n%d %d %d %d ", a->status, a->reaction, a->empty, a->more);
    log_text(log, a->key);
    for (size_t i = 0; i < a->nfailures; i++)
        buf_addf(log, "%s %d", a->failures[i].server_id,
                 a->failures[i].status);
}

/* n: as if so many collections had been asked for. */
static int
sync_run(struct slice body, size_t n, size_t piece, struct buf *log)
{
    static const char *const ids[] = {"5", "1", "2"};
    struct eas_sync_answer outs[3] = {0};
    struct sync_part parts[3];
    struct sync_call s = {.parts = parts, .n = n};
    struct err e;
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        parts[i] = (struct sync_part){
            .collection = (char *)(uintptr_t)ids[i],
            .key = (char *)(uintptr_t)"1", .window = 100, .out = &outs[i],
            .on_item = on_item, .item_arg = log};
    if (!piece) {
        rc = eas_sync_read(&s, body, &e);
    } else {
        while (body.n && !rc) {
            rc = eas_sync_feed(&s, slice_cut(body, 0, piece), &e);
            body = slice_from(body, piece);
        }
        if (!rc)
            rc = eas_sync_finish(&s, &e);
    }
    eas_sync_forget(&s);
    for (size_t i = 0; i < n; i++) {
        if (!rc)
            answer_log(log, &outs[i]);
        eas_sync_answer_clear(&outs[i]);
    }
    return rc;
}

static void
check_sync(struct slice body, size_t n, size_t piece)
{
    struct buf a = BUF_INIT((size_t)4 << 20), b = BUF_INIT((size_t)4 << 20);

    if (body.n) { /* an empty answer is told apart before */
        int rc = sync_run(body, n, 0, &a);

        MUST(sync_run(body, n, piece, &b) == rc);
        if (!rc)
            MUST(slice_eq(buf_slice(&a), buf_slice(&b)));
    }
    buf_clear(&a);
    buf_clear(&b);
}

static int
on_part_bytes(void *arg, size_t part, struct slice piece, struct err *e)
{
    struct buf *log = arg;

    (void)e;
    MUST(part < EAS_PARTS_MAX);
    return buf_add_slice(log, piece);
}

static int
on_part_end(void *arg, size_t part, struct err *e)
{
    (void)e;
    return buf_addf(arg, "|%zu|", part);
}

static int
multipart_run(struct slice body, size_t piece, struct buf *log)
{
    struct eas_multipart m;
    struct err e;
    int rc = 0;

    eas_multipart_init(&m, on_part_bytes, on_part_end, log);
    while (body.n && !rc) {
        rc = eas_multipart_feed(&m, slice_cut(body, 0, piece), &e);
        body = slice_from(body, piece);
    }
    if (!rc)
        rc = eas_multipart_finish(&m, &e);
    eas_multipart_clear(&m);
    return rc;
}

static void
check_multipart(struct slice body, size_t piece)
{
    struct buf a = BUF_INIT((size_t)4 << 20), b = BUF_INIT((size_t)4 << 20);
    int rc = multipart_run(body, body.n + 1, &a);

    MUST(multipart_run(body, piece, &b) == rc);
    if (!rc)
        MUST(slice_eq(buf_slice(&a), buf_slice(&b)));
    MUST(a.len <= body.n + 6 * EAS_PARTS_MAX);
    buf_clear(&a);
    buf_clear(&b);
}

static void
check_policy(struct slice body)
{
    struct arena *a = arena_new();
    struct wbxml_node *root;
    struct eas_policy p, q;
    char gaps[300];
    struct err e;

    if (wbxml_tree_parse(a, body, NULL, &root, &e) == 0) {
        eas_policy_parse(root, &p);
        eas_policy_parse(root, &q);
        MUST(eas_policy_is_same(&p, &q));
        eas_policy_gaps(&p, gaps, sizeof gaps);
        MUST(strlen(gaps) < sizeof gaps);
        eas_policy_clear(&p);
        eas_policy_clear(&q);
    }
    arena_free(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice body;

    if (!size)
        return 0;
    body = slice_make(data + 1, size - 1);
    switch (data[0] >> 6) {
    case 0:
    case 1:
        check_sync(body, 1, data[0] % 64u + 1);
        check_sync(body, 3, data[0] % 64u + 1);
        break;
    case 2:
        check_multipart(body, data[0] % 64u + 1);
        break;
    default:
        check_policy(body);
        break;
    }
    return 0;
}
