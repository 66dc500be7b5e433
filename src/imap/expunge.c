/*
 * One message out of a mailbox, as the account's `expunge` wants it: to the
 * trash, or for good. Used by EXPUNGE and CLOSE.
 */
#include "imap/private.h"

#include "settings/settings.h"
#include "store/folder.h"
#include "store/message.h"

int
imap_entry_load(struct imap_selected *s, const struct imap_entry *en,
                struct arena *a, struct store_message *out, struct err *e)
{
    if (store_message_get(s->store, en->id, a, out, e))
        return -1;
    if (out->folder != s->folder || out->uid != en->uid)
        return err_set(e, E_MISSING, "the message is not here any more");
    return 0;
}

/* The folder it goes to; 0: for good. */
static int64_t
expunge_target(struct imap_client *c, const struct store_message *m)
{
    const struct settings_account *set = account_settings(c->account);
    struct store *s = imap_store(c);
    const struct store_folder *trash =
        store_folder_by_role(s, STORE_ROLE_TRASH);
    const struct store_folder *drafts =
        store_folder_by_role(s, STORE_ROLE_DRAFTS);

    if (set->expunge == SETTINGS_EXPUNGE_DELETE || !trash ||
        m->folder == trash->id || !imap_mailbox_is_ready(trash))
        return 0;
    /* A draft that was appended here: every saved one would leave one. */
    if (drafts && m->folder == drafts->id && (m->flags & STORE_LOCALONLY) &&
        !m->family)
        return 0;
    return trash->id;
}

int
imap_expunge_one(struct imap_client *c, const struct imap_entry *en,
                 struct err *e)
{
    struct imap_selected *s = c->selected;
    struct arena *a = arena_new();
    struct store_message m;
    int64_t target;
    uint32_t uid;
    int rc = imap_entry_load(s, en, a, &m, e);

    if (rc && e->code == E_MISSING) {
        rc = 0; /* gone is what was wanted */
    } else if (rc == 0) {
        /* Of several copies only this one goes; an item that it holds goes
         * over to another, so that nothing is left for the trash. */
        rc = store_message_has_copies(s->store, m.id, e);
        target = rc ? 0 : expunge_target(c, &m);
        rc = rc < 0 ? -1
             : target
                 ? store_message_move(s->store, m.id, target, &uid, e)
                 : store_message_expunge(s->store, m.id, e);
    }
    arena_free(&a);
    return rc;
}
