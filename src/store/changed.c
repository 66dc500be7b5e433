/*
 * What the server changed in a message that we have: categories while ours
 * are not there yet, and its content. Called by remote.c.
 */
#include "store/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/private.h"

/* The server has other keywords while ours are not there yet: each word is a
 * difference of its own, what we added and removed is laid over theirs. Not
 * where an earlier value of ours may have arrived: then the last word is ours.
 * Heap. */
char *
store_changed_keywords(struct store *s, const struct store_row_message *r,
                       const char *theirs)
{
    char *mine, *added, *removed, *sum, *kept, *local;
    int64_t later = 0;

    if (db_int(s->db, NULL, &later,
               "SELECT sent <> 0 AND sent <> version FROM journal WHERE"
               " message = ? AND field = ?",
               "ii", r->m.id, (int64_t)STORE_FIELD_KEYWORDS) != 1 ||
        later)
        return xstrdup(r->m.keywords);
    mine = store_keywords_part(r->m.keywords, false);
    local = store_keywords_part(r->m.keywords, true);
    added = store_keywords_remove(mine, r->server_keywords);
    removed = store_keywords_remove(r->server_keywords, mine);
    sum = store_keywords_add(theirs, added);
    kept = store_keywords_remove(sum, removed);
    free(mine);
    mine = store_keywords_add(kept, local);
    free(local);
    free(added);
    free(removed);
    free(sum);
    free(kept);
    return mine;
}

static const char *
told(const char *s)
{
    return s ? s : "";
}

/* Another print or estimated size; of a draft any whole item, for a save in
 * another program may change neither. */
static bool
content_differs(struct store *s, const struct store_row_message *r,
                const struct store_item *it)
{
    const struct store_folder *f = store_folder_get(s, r->m.collection);
    int64_t date = 0;

    if (it->draft || (f && f->role == STORE_ROLE_DRAFTS))
        return true;
    db_int(s->db, NULL, &date, "SELECT told FROM message WHERE id = ?", "i",
           r->m.id);
    return (it->received >= 0 && date >= 0 && date != it->received) ||
           strcmp(r->m.from, told(it->from)) != 0 ||
           strcmp(r->m.subject, told(it->subject)) != 0 ||
           (it->estimated_size && r->m.estimated_size &&
            it->estimated_size != r->m.estimated_size);
}

/* The bytes that we have are shown until the new ones are here and differ;
 * what was born here has no others to be compared with. A deletion of ours is
 * dropped: what is there now is not what was deleted. */
int
store_changed_content(struct store *s, const struct store_row_message *r,
                      const struct store_item *it, struct err *e)
{
    int64_t fetched = 0;

    if (!content_differs(s, r, it))
        return 0;
    if (r->body_id &&
        db_int(s->db, e, &fetched, "SELECT fetched FROM body WHERE id = ?",
               "i", r->body_id) < 0)
        return -1;
    if (fetched &&
        db_run(s->db, e,
               "UPDATE message SET body_check = 1, body_after = 0,"
               " body_tries = 0 WHERE id = ?",
               "i", r->m.id))
        return -1;
    if (r->m.folder || !r->m.collection)
        return 0;
    return store_message_return(s, r->m.id, r->m.collection, e);
}
