/*
 * APPEND. Exchange takes mail only by sending it, so what a client saves is
 * matched with what was submitted (Sent), kept here (Drafts, or anywhere with
 * append = local), or refused with the reason (SPEC section 6, the table).
 */
#include "imap/append.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/now.h"
#include "imap/private.h"
#include "mime/header.h"
#include "settings/settings.h"
#include "store/body.h"
#include "store/folder.h"
#include "store/message.h"
#include "store/queue.h"
#include "store/sent.h"
#include "sync/sync.h"

#define SUBMISSION_AGE ((int64_t)7 * 86400)
#define LOOK_MS 250

struct append {
    int64_t folder, message, entry;
    const char *message_id;  /* "" when there is none */
    const char *submission;  /* the one of that Message-ID */
    int64_t give_up;         /* now_ms() */
    struct loop_timer timer;
    struct op *wait;
};

/* ---- before the message comes ---- */

static int
no_append(struct err *e)
{
    return err_set(e, E_REMOTE,
                   "Exchange takes no messages into a folder but by sending "
                   "or moving them (append = reject)");
}

/* Then it may be one of them, which only its header tells. */
static bool
has_submissions(struct imap_client *c)
{
    struct arena *a = arena_new();
    struct store_submission sub;
    int rc = store_queue_next(imap_store(c), "", a, &sub, NULL);

    arena_free(&a);
    return rc == 1;
}

static int
append_check(struct imap_client *c, const struct store_folder *f,
             uint64_t size, struct err *e)
{
    const struct settings_account *set = account_settings(c->account);

    if (size > set->max_message_size) {
        c->refusal_code = "TOOBIG";
        return err_set(e, E_LIMIT, "a message may have %llu bytes",
                       (unsigned long long)set->max_message_size);
    }
    if (f->role == STORE_ROLE_SENT)
        return 0;
    if (f->role != STORE_ROLE_DRAFTS)
        return set->append == SETTINGS_APPEND_LOCAL || has_submissions(c)
                   ? 0
                   : no_append(e);
    return 0;
}

/* Is the command an APPEND? The parser changes the text: it gets a copy. */
static int
append_parse(struct imap_command *cmd, struct slice text, struct err *e)
{
    struct imap_parse p = {.arena = cmd->arena, .e = e, .no_text = true};
    struct slice word;

    p.p = arena_dup(cmd->arena, text);
    p.end = p.p + text.n;
    if (imap_parse_tag(&p, &word) || imap_parse_space(&p) ||
        !imap_parse_word(&p, "APPEND") || imap_parse_append(&p, cmd))
        return -1;
    return ((struct imap_append_args *)cmd->args)->announced ? 0 : -1;
}

int
imap_append_judge(struct imap_client *c, struct slice text, uint64_t size,
                  struct err *e)
{
    struct imap_command cmd = {.client = c};
    const struct imap_append_args *a;
    const struct store_folder *f;
    struct slice rest = text, tag;
    int rc = 0;

    if (!slice_next(&rest, ' ', &tag) || !slice_istarts(rest, "APPEND "))
        return 0;
    cmd.arena = arena_new();
    if (append_parse(&cmd, text, e) == 0) {
        a = cmd.args;
        f = imap_mailbox_find(c, a->mailbox, e);
        if (!f)
            c->refusal_code = "TRYCREATE";
        rc = !f || append_check(c, f, size, e) ? -1 : 1;
    }
    arena_free(&cmd.arena);
    return rc;
}

/* ---- the message is here ---- */

static flow_step_fn append_ready, append_begin, append_look, append_flush,
    append_tell;
static flow_step_fn *const append_steps[] = {
    append_ready, /* the folder is listed */
    append_begin, /* a draft is kept; for Sent, was it submitted? */
    append_look,  /* until the entry is there, or append_wait is over */
    append_flush,
    append_tell,
    NULL,
};

static void
append_clear(struct imap_command *cmd)
{
    struct append *ap = cmd->state;

    loop_timer_clear(&ap->timer);
}

static void
on_look(void *arg)
{
    struct append *ap = arg;

    if (ap->wait)
        op_finish(&ap->wait, NULL);
}

void
imap_cmd_append(struct imap_command *cmd)
{
    const struct imap_append_args *a = cmd->args;
    struct append *ap = arena_alloc(cmd->arena, sizeof *ap);
    const struct store_folder *f;
    struct err e;

    cmd->state = ap;
    cmd->clear = append_clear;
    cmd->missing_code = "TRYCREATE";
    loop_timer_init(&ap->timer, on_look, ap);
    /* Again: the literal may have been small, or the folder changed. */
    f = imap_mailbox_find(cmd->client, a->mailbox, &e);
    if (!f || append_check(cmd->client, f, a->message.n, &e)) {
        imap_command_end(cmd, &e);
        return;
    }
    if (!a->message.n || memchr(a->message.p, '\0', a->message.n)) {
        imap_command_no(cmd, "CANNOT", "a message is not empty and has no "
                                       "NUL");
        return;
    }
    ap->folder = f->id;
    imap_command_flow(cmd, append_steps);
}

static enum flow_next
append_ready(void *self)
{
    struct imap_command *cmd = self;
    struct append *ap = cmd->state;

    return flow_wait(&cmd->flow,
                     sync_wait_ready(account_sync(cmd->client->account),
                                     ap->folder, flow_wake, &cmd->flow));
}

static struct slice
header_of(struct slice message)
{
    return slice_cut(message, 0, mime_header_length(message));
}

/* What is kept here may be meant to be sealed when it is sent, or quote what
 * was secret: it rests under the data key, and nothing of it in the listing. */
static int
local_write(struct imap_command *cmd, bool draft, struct err *e)
{
    const struct imap_append_args *a = cmd->args;
    struct append *ap = cmd->state;
    struct store *s = imap_store(cmd->client);
    struct store_item item = {
        .server_id = "",
        .received = a->has_date ? a->date : now_unix(),
        .draft = draft,
        .estimated_size = a->message.n,
    };
    struct store_flag_edit edit = {
        .op = STORE_FLAGS_ADD,
        .flags = a->flags.flags | STORE_LOCALONLY,
        .keywords = a->flags.keywords,
    };

    /* No server place: nothing of it is journaled. */
    return store_message_add(s, ap->folder, &item, &ap->message, e) ||
           store_message_bind(s, ap->message, 0, "", e) ||
           store_message_edit_flags(s, ap->message, &edit, e) ||
           store_body_seal(s, ap->message, a->message, e);
}

static enum flow_next
local_keep(struct imap_command *cmd, bool draft)
{
    struct store *s = imap_store(cmd->client);
    struct err e;
    int rc;

    if (store_begin(s, &e))
        return flow_fail_err(&cmd->flow, &e);
    rc = local_write(cmd, draft, &e);
    if (rc)
        store_rollback(s);
    else
        rc = store_commit(s, &e);
    return rc ? flow_fail_err(&cmd->flow, &e) : FLOW_NEXT;
}

/* A submission of the last week with this Message-ID? */
static int
find_submission(struct imap_command *cmd, const char *id, struct err *e)
{
    struct append *ap = cmd->state;
    struct store *s = imap_store(cmd->client);
    struct store_submission sub;
    const char *after = "";
    int rc;

    while ((rc = store_queue_next(s, after, cmd->arena, &sub, e)) == 1) {
        if (strcmp(sub.message_id, id) == 0 && !*sub.parent &&
            sub.created > now_unix() - SUBMISSION_AGE) {
            ap->submission = sub.id;
            return 1;
        }
        after = sub.id;
    }
    return rc;
}

/* What was sent, saved in a folder of the client's choice: a copy of the
 * entry in Sent. Anything else is kept here, or refused, as configured. */
static enum flow_next
elsewhere(struct imap_command *cmd, int found)
{
    const struct imap_append_args *a = cmd->args;
    struct store_flag_edit edit = {.op = STORE_FLAGS_ADD,
                                   .flags = a->flags.flags,
                                   .keywords = a->flags.keywords};
    struct append *ap = cmd->state;
    struct store *s = imap_store(cmd->client);
    struct store_message m;
    uint32_t uid;
    struct err e;

    if (found && store_sent_entry(s, ap->submission, &ap->entry, &e) < 0)
        return flow_fail_err(&cmd->flow, &e);
    if (!ap->entry ||
        store_message_get(s, ap->entry, cmd->arena, &m, NULL)) {
        if (account_settings(cmd->client->account)->append ==
            SETTINGS_APPEND_LOCAL)
            return local_keep(cmd, false);
        no_append(&e);
        return flow_fail_err(&cmd->flow, &e);
    }
    if (store_message_copy(s, m.id, ap->folder, &uid, &e) ||
        store_message_by_uid(s, ap->folder, uid, cmd->arena, &m, &e) != 1 ||
        store_message_edit_flags(s, m.id, &edit, &e))
        return flow_fail_err(&cmd->flow, &e);
    ap->message = m.id;
    return FLOW_NEXT;
}

static enum flow_next
append_begin(void *self)
{
    struct imap_command *cmd = self;
    const struct imap_append_args *a = cmd->args;
    struct append *ap = cmd->state;
    const struct store_folder *f =
        store_folder_get(imap_store(cmd->client), ap->folder);
    struct err e;
    int rc;

    if (!f)
        return flow_fail(&cmd->flow, E_MISSING, "the mailbox was deleted");
    if (f->role == STORE_ROLE_DRAFTS)
        return local_keep(cmd, true);
    ap->message_id = mime_header_value(header_of(a->message), "message-id",
                                       cmd->arena);
    if (f->role != STORE_ROLE_SENT) {
        rc = ap->message_id && *ap->message_id
                 ? find_submission(cmd, ap->message_id, &e)
                 : 0;
        return rc < 0 ? flow_fail_err(&cmd->flow, &e) : elsewhere(cmd, rc);
    }
    if (!ap->message_id || !*ap->message_id)
        return flow_fail(&cmd->flow, E_REMOTE,
                         "without a Message-ID nobody knows whether this was "
                         "sent; Sent shows what left by itself");
    rc = find_submission(cmd, ap->message_id, &e);
    if (rc < 0)
        return flow_fail_err(&cmd->flow, &e);
    if (rc == 0 && account_settings(cmd->client->account)->append ==
                       SETTINGS_APPEND_LOCAL)
        return local_keep(cmd, false);
    if (rc == 0)
        return flow_fail(&cmd->flow, E_REMOTE,
                         "no message of this Message-ID was sent through "
                         "this account in the last week; Exchange takes none "
                         "into Sent but by sending");
    ap->give_up = now_ms() + (int64_t)account_settings(cmd->client->account)
                                     ->append_wait * 1000;
    return FLOW_NEXT;
}

static void
look_stop(void *self)
{
    struct append *ap = self;

    loop_timer_stop(&ap->timer);
    op_finish(&ap->wait, NULL);
}

static enum flow_next
append_look(void *self)
{
    struct imap_command *cmd = self;
    const struct imap_append_args *a = cmd->args;
    struct append *ap = cmd->state;
    struct store *s = imap_store(cmd->client);
    struct store_message m;
    struct err e;
    int rc;

    if (ap->message)
        return FLOW_NEXT; /* a draft */
    rc = store_sent_entry(s, ap->submission, &ap->entry, &e);
    if (rc >= 0 && ap->entry &&
        store_message_get(s, ap->entry, cmd->arena, &m, NULL) == 0 &&
        m.folder == ap->folder)
        rc = 1;
    else if (rc >= 0)
        rc = store_message_by_message_id_in(s, ap->folder, ap->message_id,
                                            cmd->arena, &m, &e);
    if (rc < 0)
        return flow_fail_err(&cmd->flow, &e);
    if (rc == 1) {
        /* Its flags are taken over, its bytes dropped. */
        struct store_flag_edit edit = {.op = STORE_FLAGS_ADD,
                                       .flags = a->flags.flags,
                                       .keywords = a->flags.keywords};

        ap->message = m.id;
        if (store_message_edit_flags(s, m.id, &edit, &e))
            return flow_fail_err(&cmd->flow, &e);
        return FLOW_NEXT;
    }
    if (now_ms() >= ap->give_up)
        return FLOW_NEXT; /* the entry comes when it is sent */
    loop_timer_set(&ap->timer, LOOK_MS);
    ap->wait = op_new(look_stop, ap, flow_wake, &cmd->flow);
    return flow_wait_again(&cmd->flow, ap->wait);
}

static enum flow_next
append_flush(void *self)
{
    struct imap_command *cmd = self;

    sync_push_soon(account_sync(cmd->client->account));
    return flow_wait(&cmd->flow, store_flush(imap_store(cmd->client),
                                             flow_wake, &cmd->flow));
}

static enum flow_next
append_tell(void *self)
{
    struct imap_command *cmd = self;
    struct append *ap = cmd->state;
    struct store *s = imap_store(cmd->client);
    const struct store_folder *f = store_folder_get(s, ap->folder);
    struct store_message m;

    if (!ap->message) {
        cmd->ok_text = "It shows here once it was sent";
        return FLOW_NEXT;
    }
    if (f && store_message_get(s, ap->message, cmd->arena, &m, NULL) == 0 &&
        m.folder == ap->folder && m.uid)
        cmd->ok_code = arena_printf(cmd->arena, "APPENDUID %u %u",
                                    f->uidvalidity, m.uid);
    return FLOW_NEXT;
}
