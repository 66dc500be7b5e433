/*
 * Mail looked for at the server, for the control door, which does not see eas:
 * page after page, each hit with its place here where it is known. Find names
 * the items as Sync does; Search does not, so there a message is known by its
 * folder, date, sender and subject, if just one has them.
 */
#include <stdlib.h>
#include <string.h>

#include "account/private.h"
#include "base/arena.h"
#include "base/mem.h"
#include "eas/eas.h"
#include "eas/status.h"
#include "loop/flow.h"
#include "store/folder.h"
#include "store/message.h"

struct search {
    struct op *op;
    struct flow flow;
    struct account *account;
    char *words, *collection;
    size_t max;
    unsigned first; /* of the next page */
    char id[40];    /* of the search at the server */
    struct eas_search_answer page;
    struct account_found made, *out;
};

static flow_step_fn search_ask, search_take;
static flow_step_fn *const search_steps[] = {
    search_ask,  /* a page */
    search_take, /* and once more while there are others */
    NULL,
};

void
account_found_clear(struct account_found *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->mails[i].from);
        free(f->mails[i].subject);
        free(f->mails[i].folder);
    }
    free(f->mails);
    *f = (struct account_found){0};
}

static void
search_end(void *self, const struct err *err)
{
    struct search *s = self;
    struct op *op = s->op;
    struct err copy = err ? *err : (struct err){0};

    if (!err && op_wanted(op)) {
        *s->out = s->made;
        s->made = (struct account_found){0};
    }
    account_found_clear(&s->made);
    eas_search_answer_clear(&s->page);
    free(s->words);
    free(s->collection);
    account_unref(&s->account);
    free(s);
    op_finish(&op, copy.code ? &copy : NULL);
}

static void
search_stop(void *self)
{
    struct search *s = self;

    flow_cancel(&s->flow);
}

struct op *
account_search(struct account *a, const char *words, const char *folder,
               size_t max, struct account_found *out, op_done_fn *done,
               void *arg)
{
    const struct store_folder *f = NULL;
    struct search *s;
    struct err e;

    if (!a->eas)
        return op_decided(&a->error, done, arg);
    if (folder && !(f = store_folder_find(a->store, folder))) {
        err_set(&e, E_MISSING, "there is no folder %.200s", folder);
        return op_decided(&e, done, arg);
    }
    s = xcalloc(1, sizeof *s);
    s->account = account_ref(a);
    s->words = xstrdup(words);
    s->collection = f ? xstrdup(f->server_id) : NULL;
    s->max = max && max < ACCOUNT_FOUND_MAX ? max : ACCOUNT_FOUND_MAX;
    s->out = out;
    s->op = op_new(search_stop, s, done, arg);
    flow_start(&s->flow, search_steps, search_end, s);
    return s->op;
}

static enum flow_next
search_ask(void *self)
{
    struct search *s = self;
    struct eas_search_ask ask = {.collection = s->collection,
                                 .text = s->words,
                                 .since = -1,
                                 .before = -1,
                                 .first = s->first,
                                 .id = s->id};

    if (!s->account->eas)
        return flow_fail(&s->flow, E_CANCELED, "the account was closed");
    eas_search_answer_clear(&s->page);
    return flow_wait(&s->flow, eas_search(s->account->eas, &ask, &s->page,
                                          flow_wake, &s->flow));
}

/* Where the hit is here, as far as that is known. */
static int
place_find(struct search *s, const struct eas_hit *hit, struct arena *a,
           struct account_found_mail *out, struct err *e)
{
    struct store *store = s->account->store;
    const struct store_folder *f =
        hit->collection ? store_folder_by_server(store, hit->collection)
                        : NULL;
    struct store_message m;
    int rc;

    if (!f)
        return 0;
    out->folder = xstrdup(f->path);
    if (hit->server_id)
        rc = store_message_by_server(store, f->id, hit->server_id, a, &m, e);
    else
        rc = store_message_by_print(store, f->id, hit->received, hit->from,
                                    hit->subject, a, &m, e);
    if (rc != 1)
        return rc;
    /* It may be shown elsewhere, or nowhere, until the server knows. */
    f = m.folder ? store_folder_get(store, m.folder) : NULL;
    if (f) {
        free(out->folder);
        out->folder = xstrdup(f->path);
        out->uid = m.uid;
    }
    return 0;
}

static int
page_add(struct search *s, struct err *e)
{
    struct account_found *made = &s->made;
    struct arena *a = arena_new();
    int rc = 0;

    for (size_t i = 0; i < s->page.n && made->n < s->max && rc >= 0; i++) {
        const struct eas_hit *hit = &s->page.hits[i];
        struct account_found_mail *m;

        made->mails =
            xrealloc(made->mails, (made->n + 1) * sizeof *made->mails);
        m = &made->mails[made->n++];
        *m = (struct account_found_mail){
            .received = hit->received,
            .from = hit->from ? xstrdup(hit->from) : NULL,
            .subject = hit->subject ? xstrdup(hit->subject) : NULL,
        };
        rc = place_find(s, hit, a, m, e);
    }
    arena_free(&a);
    return rc < 0 ? -1 : 0;
}

static enum flow_next
search_take(void *self)
{
    struct search *s = self;
    enum eas_command command = s->page.find ? EAS_CMD_FIND : EAS_CMD_SEARCH;
    struct err e;

    if (!s->account->store)
        return flow_fail(&s->flow, E_CANCELED, "the account was closed");
    if (s->page.reaction != EAS_OK) {
        eas_status_err(&e, command, s->page.status);
        return flow_fail_err(&s->flow, &e);
    }
    if (page_add(s, &e))
        return flow_fail_err(&s->flow, &e);
    memcpy(s->id, s->page.id, sizeof s->id);
    s->made.total = s->page.total;
    s->first += (unsigned)s->page.n;
    if (!s->page.n || s->made.n >= s->max || s->first >= s->made.total)
        return FLOW_DONE;
    return FLOW_BACK;
}
