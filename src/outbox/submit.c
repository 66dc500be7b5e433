/*
 * Taking a message over from the SMTP door: the checks that cost nothing, then
 * the disk, then the first try, whose outcome is the answer if it comes within
 * submit_wait.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/buf.h"
#include "base/code.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "mime/address.h"
#include "mime/header.h"
#include "outbox/private.h"

#define ID_MAX 900u        /* of a Message-ID that is kept */
#define PRINT_WHOLE ((size_t)1 << 20)

struct submit {
    struct list node;
    struct op *op, *step;
    struct outbox *ob;
    struct outbox_result *out;
    struct arena *arena;
    struct store_submission row;
    struct loop_timer timer;
    struct outbox_entry *entry;
    bool late; /* submit_wait is over */
};

void
outbox_mail_clear(struct outbox_mail *m)
{
    buf_wipe(&m->mime);
    free(m->sender);
    for (size_t i = 0; i < m->n; i++)
        free(m->recipients[i]);
    free(m->recipients);
    *m = (struct outbox_mail){0};
}

/* ---- the end of the operation; the message has a life of its own ---- */

static void
submit_end(struct submit *s, const struct err *err)
{
    struct op *op = s->op;
    struct err copy = err ? *err : (struct err){0};

    op_cancel(&s->step);
    if (s->entry)
        s->entry->on_outcome = NULL;
    loop_timer_clear(&s->timer);
    list_remove(&s->node);
    arena_free(&s->arena);
    free(s);
    if (op)
        op_finish(&op, copy.code ? &copy : NULL);
}

static void
submit_answer(struct submit *s, const char *id, bool queued)
{
    if (s->op && op_wanted(s->op)) {
        slice_copy(slice_of(id), s->out->id, sizeof s->out->id);
        s->out->queued = queued;
    }
    submit_end(s, NULL);
}

void
outbox_submit_clear(struct outbox *ob)
{
    static const struct err gone = {E_CANCELED, "the account is closed"};

    while (!list_is_empty(&ob->submits))
        submit_end(LIST_OBJECT(ob->submits.next, struct submit, node), &gone);
}

/* The client went away. On its way to the disk the message goes on, and the
 * queue has it from there. */
static void
submit_stop(void *self)
{
    struct submit *s = self;

    if (s->step)
        op_finish(&s->op, NULL);
    else
        submit_end(s, NULL);
}

static void
on_outcome(void *arg, const struct err *err, bool queued)
{
    struct submit *s = arg;

    s->entry = NULL;
    if (err)
        submit_end(s, err);
    else
        submit_answer(s, s->row.id, queued);
}

static void
on_late(void *arg)
{
    struct submit *s = arg;

    s->late = true;
    if (s->entry)
        submit_answer(s, s->row.id, true);
}

/* ---- checks ---- */

static bool
has_blank(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 127)
            return true;
    return false;
}

/* As it is compared with the header's, in its place. */
static int
recipient_normal(char **address, struct err *e)
{
    struct buf spec = BUF_INIT(2000);

    if (outbox_envelope_spec(*address, &spec) || !spec.len) {
        buf_clear(&spec);
        return err_set(e, E_INPUT, "%.100s is not one address", *address);
    }
    free(*address);
    *address = buf_take(&spec, NULL);
    if (has_blank(*address))
        return err_set(e, E_INPUT, "blanks in an address are not built yet");
    return 0;
}

static int
mail_check(struct outbox *ob, struct outbox_mail *m, struct err *e)
{
    const struct settings_account *s = ob->settings;
    struct outbox_wish wish;

    if (outbox_check_sender(ob, m->sender ? m->sender : "", e))
        return -1;
    if (!m->n)
        return err_set(e, E_INPUT, "the message has no recipient");
    if (m->n > s->max_recipients)
        return err_set(e, E_LIMIT, "more than %u recipients",
                       s->max_recipients);
    if (!m->mime.len)
        return err_set(e, E_INPUT, "the message is empty");
    if (m->mime.over || m->mime.len > s->max_message_size)
        return err_set(e, E_LIMIT, "the message is over %llu bytes",
                       (unsigned long long)s->max_message_size);
    if (ob->nentries >= s->max_queue)
        return err_set(e, E_FULL, "the queue holds %zu messages",
                       ob->nentries);
    if (m->sender && has_blank(m->sender))
        return err_set(e, E_INPUT, "blanks in an address are not built yet");
    for (size_t i = 0; i < m->n; i++) {
        if (mime_address_check(slice_of(m->recipients[i]), true, NULL, NULL,
                               e))
            return err_add(e, "%.100s", m->recipients[i]);
        if (recipient_normal(&m->recipients[i], e))
            return -1;
    }
    return outbox_wish_login(m->wish ? m->wish : "", &wish, e);
}

/* ---- the row ---- */

static int
by_address(const void *a, const void *b)
{
    return ascii_icmp(*(char *const *)a, *(char *const *)b);
}

/* Each once, in one order, so that equal envelopes are equal texts. */
static const char *
recipients_text(struct submit *s, struct outbox_mail *m)
{
    struct buf text = BUF_INIT(BUF_OURS);
    const char *all;

    qsort(m->recipients, m->n, sizeof *m->recipients, by_address);
    for (size_t i = 0; i < m->n; i++) {
        if (i && mime_address_equal(m->recipients[i], m->recipients[i - 1]))
            continue;
        if (text.len)
            buf_addc(&text, ' ');
        buf_adds(&text, m->recipients[i]);
    }
    all = arena_dup(s->arena, buf_slice(&text));
    buf_clear(&text);
    return all;
}

static const char *
message_id(struct submit *s, const struct outbox_mail *m, bool *own)
{
    struct slice mime = buf_slice(&m->mime);
    struct slice header = slice_cut(mime, 0, mime_header_length(mime));
    const char *id = mime_header_value(header, "Message-ID", s->arena);
    char random[33];

    *own = id && *id && strlen(id) <= ID_MAX;
    if (*own)
        return id;
    code_random_hex(random, 16);
    return arena_printf(s->arena, "<%s@%s>", random,
                        s->ob->settings->domain);
}

/* Without the trace that the door has put in front: its time differs. */
static struct slice
traceless(struct slice mime)
{
    struct slice rest = slice_cut(mime, 0, mime_header_length(mime));
    struct mime_field f;

    if (mime_field_next(&rest, &f) && slice_iis(f.name, "Received"))
        return slice_from(mime, f.whole.n);
    return mime;
}

/* 64 bits of the content under a salt of this store: what is sealed must not
 * be guessable from its ClientId. Of very long messages head and tail. */
static int
content_print(struct submit *s, struct slice mime, char out[17],
              struct err *e)
{
    char *salt = store_meta_get(s->ob->store, "outbox-salt");
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    unsigned char md[32];
    struct slice head = mime, tail = SLICE_NONE;
    int ok;

    if (!*salt) {
        free(salt);
        salt = xmalloc(33);
        code_random_hex(salt, 16);
        if (store_meta_set(s->ob->store, "outbox-salt", salt, e)) {
            free(salt);
            EVP_MD_CTX_free(c);
            return -1;
        }
    }
    if (mime.n > PRINT_WHOLE) {
        head = slice_cut(mime, 0, PRINT_WHOLE / 2);
        tail = slice_from(mime, mime.n - PRINT_WHOLE / 2);
    }
    ok = c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) &&
         EVP_DigestUpdate(c, salt, strlen(salt) + 1) &&
         EVP_DigestUpdate(c, &mime.n, sizeof mime.n) &&
         EVP_DigestUpdate(c, s->row.recipients,
                          strlen(s->row.recipients) + 1) &&
         EVP_DigestUpdate(c, head.p, head.n) &&
         (!tail.n || EVP_DigestUpdate(c, tail.p, tail.n)) &&
         EVP_DigestFinal_ex(c, md, NULL);
    EVP_MD_CTX_free(c);
    free(salt);
    if (ok) {
        struct buf hex = BUF_INIT(16);

        ok = code_hex_write(&hex, slice_make(md, 8)) == 0 &&
             slice_copy(buf_slice(&hex), out, 17);
        buf_clear(&hex);
    }
    return ok ? 0 : err_set(e, E_CRYPTO, "digest failed");
}

/* The client that lost our answer comes again with the same bytes. */
static const char *
seen_before(struct submit *s, const char *print, bool *queued)
{
    struct outbox *ob = s->ob;
    struct list *node, *after;

    LIST_EACH(&ob->entries, node, after) {
        struct outbox_entry *en = LIST_OBJECT(node, struct outbox_entry, node);

        *queued = true;
        if (!*en->parent && en->state != STORE_QUEUE_SENT &&
            strcmp(en->client_id + 24, print) == 0)
            return en->id;
    }
    *queued = false;
    for (size_t i = 0; i < OUTBOX_RECENT; i++)
        if (ob->recent[i].id[0] &&
            now_unix() - ob->recent[i].when < OUTBOX_RECENT_S &&
            strcmp(ob->recent[i].client_id + 24, print) == 0)
            return ob->recent[i].id;
    return NULL;
}

static int
row_make(struct submit *s, struct outbox_mail *m, char print[17], bool *own_id,
         struct err *e)
{
    char *id = arena_alloc(s->arena, 13), *client = arena_alloc(s->arena, 41);

    code_random_hex(id, 6);
    s->row = (struct store_submission){
        .id = id,
        .client_id = client,
        .state = STORE_QUEUE_NEW,
        .sender = arena_strdup(s->arena, m->sender ? m->sender : ""),
        .recipients = recipients_text(s, m),
        .save_in_sent = true,
        .created = now_unix(),
        .next_try = now_unix(),
    };
    s->row.message_id = message_id(s, m, own_id);
    if (content_print(s, traceless(buf_slice(&m->mime)), print, e))
        return -1;
    code_random_hex(client, 12);
    memcpy(client + 24, print, 17);
    return 0;
}

/* The queue file begins with the login's wish, so that no field of this name
 * that came with the message is taken for it. */
static int
login_add(const struct outbox_mail *m, struct buf *out, struct err *e)
{
    buf_init(out, m->mime.len + 200);
    buf_addf(out, OUTBOX_LOGIN_FIELD ": %s\r\n", m->wish ? m->wish : "");
    return buf_add_slice(out, buf_slice(&m->mime))
               ? err_set(e, E_LIMIT, "the message is too large")
               : 0;
}

/* ---- to the disk, then the first try ---- */

static void
on_added(void *arg, const struct err *err)
{
    struct submit *s = arg;
    struct outbox_entry *en;

    if (err) {
        submit_end(s, err);
        return;
    }
    en = outbox_entry_add(s->ob, &s->row);
    en->fresh = true;
    if (s->op && !s->late) {
        s->entry = en;
        en->on_outcome = on_outcome;
        en->arg = s;
    }
    log_info("outbox", "id=%s from=%s size=%zu taken over", en->id,
             log_address(s->row.sender), (size_t)s->row.size);
    outbox_entry_run(en);
    if (!s->op)
        submit_end(s, NULL);
    else if (s->late)
        submit_answer(s, s->row.id, true);
}

struct op *
outbox_submit(struct outbox *ob, struct outbox_mail *m,
              struct outbox_result *out, op_done_fn *done, void *arg)
{
    struct submit *s = xcalloc(1, sizeof *s);
    struct buf file = BUF_INIT(1);
    const char *before;
    char print[17];
    bool own_id, queued;
    struct err e = {0};
    struct op *op;

    s->ob = ob;
    s->out = out;
    s->arena = arena_new();
    loop_timer_init(&s->timer, on_late, s);
    list_init(&s->node);
    if (mail_check(ob, m, &e) || row_make(s, m, print, &own_id, &e) ||
        login_add(m, &file, &e)) {
        op = op_decided(&e, done, arg);
    } else if (own_id && (before = seen_before(s, print, &queued))) {
        log_notice("outbox", "id=%s came again, it is taken for the same",
                   before);
        slice_copy(slice_of(before), out->id, sizeof out->id);
        out->queued = queued;
        op = op_decided(NULL, done, arg);
    } else {
        s->row.size = file.len;
        list_add(&ob->submits, &s->node);
        op = s->op = op_new(submit_stop, s, done, arg);
        loop_timer_set(&s->timer, (int64_t)ob->settings->submit_wait * 1000);
        op_hold(&s->step, store_queue_add(ob->store, &s->row, &file, on_added,
                                          s));
        s = NULL;
    }
    buf_wipe(&file);
    outbox_mail_clear(m);
    if (s)
        submit_end(s, NULL);
    return op;
}
