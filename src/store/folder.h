/*
 * Folders. The set is small and kept in memory; structs returned are borrowed
 * until the next change of any folder.
 */
#ifndef SEALPOST_STORE_FOLDER_H
#define SEALPOST_STORE_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

enum store_role {
    STORE_ROLE_NONE,
    STORE_ROLE_INBOX,
    STORE_ROLE_DRAFTS,
    STORE_ROLE_TRASH,
    STORE_ROLE_SENT,
    STORE_ROLE_JUNK,
    STORE_ROLE_ARCHIVE,
};
enum store_folder_state {
    STORE_FOLDER_NEW,      /* never listed: not selectable */
    STORE_FOLDER_LISTING,  /* messages are there without UIDs */
    STORE_FOLDER_READY,
    STORE_FOLDER_RELISTING /* the key was lost; the old view stays in use */
};

struct store_folder {
    int64_t id;          /* ours, never used twice */
    char *server_id;     /* "" when it is only local */
    int64_t parent;      /* our id, 0 at the top */
    char *name;          /* the server's display name, UTF-8 */
    char *path;          /* IMAP name, UTF-8: escaped names joined by "/";
                            the inbox is "INBOX" */
    int type;            /* of EAS, commands.md section 3 */
    enum store_role role;
    enum store_folder_state state;
    uint32_t uidvalidity, uidnext;
    uint64_t modseq;     /* of the latest change in it */
    char *key;           /* SyncKey, "0" before priming */
    int64_t listed;      /* items of the listing so far */
    int64_t estimate;    /* what the server announced, 0 unknown */
    bool subscribed;
    int resets;          /* listings from "0" in a row */
};

/* Order: INBOX, then by path. NULL at the end. */
const struct store_folder *store_folder_next(struct store *,
                                             const struct store_folder *);
const struct store_folder *store_folder_get(struct store *, int64_t id);
/* INBOX is found in any letter case, other paths exactly. */
const struct store_folder *store_folder_find(struct store *, const char *path);
const struct store_folder *store_folder_by_server(struct store *,
                                                  const char *server_id);
const struct store_folder *store_folder_by_role(struct store *,
                                                enum store_role);

/* What the server says of a folder. A known server_id is updated (renamed,
 * moved: same id, same UIDVALIDITY). A new server_id under the same parent
 * with the same name and type as one that is marked gone takes that one over
 * (SPEC section 5). Otherwise a new folder with a new UIDVALIDITY. Role is
 * found by type, and for Junk and Archive by a table of names. */
struct store_folder_news {
    const char *server_id, *parent_server_id, *name;
    int type;
};
int store_folder_put(struct store *, const struct store_folder_news *,
                     int64_t *id_out, struct err *e);
/* The server has it no more: its messages go (with tombstones). */
int store_folder_remove(struct store *, int64_t id, struct err *e);
/* After a FolderSync from "0": forget server ids first, then put, then remove
 * what was not confirmed. */
int store_folder_unconfirm_all(struct store *, struct err *e);
int store_folder_remove_unconfirmed(struct store *, struct err *e);

int store_folder_set_subscribed(struct store *, int64_t id, bool yes,
                                struct err *e);
int store_folder_set_estimate(struct store *, int64_t id, int64_t estimate,
                              struct err *e);

struct store_counts {
    uint32_t messages, unseen, deleted;
    uint32_t first_unseen_uid; /* 0: none */
    uint64_t size; /* sum; a missing body counts twice its estimate */
    uint32_t missing_bodies;
};
int store_folder_counts(struct store *, int64_t id, struct store_counts *out,
                        struct err *e);

/* IMAP path of a display name: "/" is %2F, "%" is %25. Heap. */
char *store_folder_escape(const char *name);

#endif
