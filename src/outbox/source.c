/*
 * The message that a submission answers or forwards, if we know it: named by
 * In-Reply-To, or by X-Forwarded-Message-Id, and found by the Message-ID that
 * its view has. Called by deliver.c, which lets the server mark it
 * (SmartReply, SmartForward) or marks it here (SPEC section 6).
 */
#include <string.h>

#include "base/log.h"
#include "eas/eas.h"
#include "mime/header.h"
#include "outbox/private.h"
#include "store/folder.h"
#include "store/message.h"

/* Sealed by whomever: the server is not to touch it, not even in name. */
static bool
is_sealed(struct slice header)
{
    static const char *const types[] = {
        "multipart/signed", "multipart/encrypted", "application/pkcs7-mime",
        "application/x-pkcs7-mime"};
    struct mime_field f;
    struct slice type;

    if (!mime_header_find(header, "Content-Type", 0, &f))
        return false;
    type = slice_trim(mime_header_skip(f.value));
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (slice_istarts(type, types[i]))
            return true;
    return false;
}

/* The first "<id>" of a field; NULL. */
static const char *
id_of(struct slice header, const char *name, struct arena *a)
{
    const char *value = mime_header_value(header, name, a);
    struct slice rest = slice_of(value ? value : ""), id;
    size_t from = slice_find(rest, '<'), to;

    id = slice_from(rest, from);
    to = slice_find(id, '>');
    return from < rest.n && to < id.n
               ? arena_dup(a, slice_cut(id, 0, to + 1))
               : NULL;
}

int
outbox_source_find(struct outbox *ob, struct slice mime, struct arena *a,
                   struct outbox_source *out, struct err *e)
{
    struct slice head = slice_cut(mime, 0, mime_header_length(mime));
    const char *id = id_of(head, "X-Forwarded-Message-Id", a);
    const struct store_folder *f;
    struct store_message m;
    int rc;

    *out = (struct outbox_source){.verb = id ? EAS_FORWARD : EAS_REPLY};
    if (!id)
        id = id_of(head, "In-Reply-To", a);
    if (!id)
        return 0;
    rc = store_message_by_message_id(ob->store, id, a, &m, e);
    if (rc != 1)
        return rc;
    out->message = m.id;
    f = m.collection ? store_folder_get(ob->store, m.collection) : NULL;
    if (f && *f->server_id && m.server_id && *m.server_id &&
        !is_sealed(head)) {
        out->collection = arena_strdup(a, f->server_id);
        out->server_id = m.server_id;
    }
    return 1;
}

void
outbox_source_mark(struct outbox *ob, const struct outbox_source *s)
{
    struct store_flag_edit edit = {
        .op = STORE_FLAGS_ADD,
        .flags = s->verb == EAS_FORWARD ? STORE_FORWARDED : STORE_ANSWERED,
    };
    struct err e;

    if (!s->message ||
        store_message_edit_flags(ob->store, s->message, &edit, &e) == 0)
        return;
    if (e.code != E_MISSING) /* gone meanwhile is nothing to speak of */
        log_warn("outbox", "what was answered cannot be marked: %s", e.text);
}
