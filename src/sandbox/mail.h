/*
 * The mail of the sandbox in memory: users, folders (Maildirs), messages. The
 * Maildirs are the mail; what a Maildir cannot hold (ids, the order of
 * changes, categories, the rest of a flag) is kept beside them in DIR/state.
 *
 * Every change gives the folder's next number (`seq`) to what was changed and
 * adds an entry to the folder's log, so that "what is new since number N" is
 * a short walk. One thread, nothing waits.
 *
 * Names in this room go without the name of the room, as in `base`: it is a
 * program of its own and no other room links it.
 */
#ifndef SEALPOST_SANDBOX_MAIL_H
#define SEALPOST_SANDBOX_MAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/slice.h"

struct arena;

enum { /* the letters of Maildir's file names */
       MAIL_SEEN = 1 << 0,
       MAIL_FLAGGED = 1 << 1,
       MAIL_ANSWERED = 1 << 2,
       MAIL_FORWARDED = 1 << 3,
       MAIL_DRAFT = 1 << 4,
       MAIL_TRASHED = 1 << 5,
};

/* When a part of a message was last written and by which device (its number;
 * 0: not by a device). A device is not told what it wrote itself. */
struct touch {
    uint64_t seq;
    unsigned by;
};

/* What listings show, read from the header once. Never NULL. */
struct listing {
    char *from, *to, *cc, *bcc, *reply_to, *subject, *message_class;
    int importance; /* 0 to 2 */
    int native;     /* NativeBodyType: 1 text, 2 HTML */
};

struct message {
    struct folder *folder;
    struct message *chain; /* in the folder's table of names */
    uint32_t uid;          /* its place in the folder's list, from 1 */
    uint32_t id;           /* as devices know it, see ids.c */
    bool gone;             /* deleted or moved away; stays as a number */
    bool in_new;           /* still in new/ */
    char *name;            /* of the file, flags included */
    unsigned flags;        /* MAIL_* */
    uint64_t size;
    int64_t received; /* unix time: the file's */
    struct touch added, read, flag, categories, verb, removed;
    int last_verb;    /* 0, 1 reply, 2 reply all, 3 forward */
    char *flag_lines; /* "Name=value" lines of Flag, "" for a bare one */
    char *category_lines;
    char *client; /* "DEVICE/ClientId" of the Add that made it, or "" */
    struct listing *listing;
};

struct log_entry {
    uint64_t seq;
    uint32_t uid;
    char kind; /* 'a'dded, 'c'hanged, 'd'eleted */
};

struct folder {
    struct list node;
    struct user *user;
    uint32_t id;           /* its CollectionId */
    uint32_t parent;       /* 0: the root */
    int type;              /* MS-ASCMD 2.2.3.186.3 */
    char *name;            /* DisplayName */
    char *path;            /* of the Maildir */
    uint64_t seq;          /* of the user: when the folder itself changed */
    struct message **list; /* list[uid - 1] */
    uint32_t count, cap;
    uint32_t *ids; /* ids[id]: uid, 0 for none */
    size_t ids_size;
    uint32_t last_id;
    struct message **table;
    size_t table_size;
    struct log_entry *log;
    size_t log_count, log_cap;
    uint64_t last_seq;
    uint64_t last_added; /* seq of the newest arrival */
    int index_fd;        /* the folder's file in DIR/state */
    size_t index_lines;
    int watch_new, watch_cur;
};

struct user {
    struct list node;
    struct mailroot *root;
    char *address, *password;
    char *path, *state; /* directories */
    struct list folders, devices;
    uint32_t next_folder;
    uint64_t seq; /* of the folder list */
    unsigned next_device;
};

/* Told after something changed: `folder` is NULL when the list of folders
 * did. */
typedef void mail_changed_fn(void *arg, struct user *, struct folder *folder);

/* ---- mailroot.c: the directory DIR */

/* exchange_names: "Sent Items" and "Deleted Items". */
int mailroot_open(const char *dir, bool exchange_names,
                  mail_changed_fn *changed, void *arg, struct mailroot **out,
                  struct err *e);
bool mailroot_exchange_names(const struct mailroot *);
void mailroot_close(struct mailroot **);
const char *mailroot_dir(const struct mailroot *);
struct list *mailroot_users(struct mailroot *);
/* By address, letter case ignored. NULL: no such user. */
struct user *mailroot_user(struct mailroot *, const char *address);
/* Reads DIR/users again: new lines are new users, passwords are taken over. */
int mailroot_reload(struct mailroot *, struct err *e);
void mailroot_changed(struct user *, struct folder *);
/* Told of each message that arrives from now on, before anybody else is. */
typedef void mail_arrived_fn(void *arg, struct message *);
void mailroot_on_arrival(struct mailroot *, mail_arrived_fn *);
void mailroot_arrived(struct message *);

/* ---- watch.c: inotify on the Maildirs */

struct watch *watch_new(struct mailroot *, struct err *e);
void watch_free(struct watch **);
void watch_add(struct watch *, struct folder *);
void watch_remove(struct watch *, struct folder *);
/* A new user's directory: folders made in it later are found. */
struct watch *mailroot_watch(struct mailroot *);

/* ---- tree.c: a user's folders */

/* Reads DIR/state and the directories, makes the special folders. */
int tree_open(struct user *, struct err *e);
void tree_close(struct user *);
/* Looks for directories that were made or removed by somebody else. */
int tree_scan(struct user *, struct err *e);
struct folder *tree_find(struct user *, uint32_t id);
struct folder *tree_find_type(struct user *, int type);
struct folder *tree_find_name(struct user *, uint32_t parent, const char *name);
/* "Projects/2026"; "INBOX" and "Inbox" are both the Inbox. */
struct folder *tree_find_path(struct user *, const char *path);
/* A new one of type 12. E_INPUT for a name that cannot be one. */
int tree_create(struct user *, uint32_t parent, const char *name,
                struct folder **out, struct err *e);
int tree_rename(struct folder *, uint32_t parent, const char *name,
                struct err *e);
/* With all that is below it. */
int tree_delete(struct folder *, struct err *e);
bool tree_is_below(struct folder *, const struct folder *above);

/* ---- folder.c: messages of one folder */

int folder_open(struct folder *, struct err *e);
void folder_close(struct folder *);
/* Reads both directories and takes over what differs. */
int folder_scan(struct folder *, struct err *e);
struct message *folder_find(struct folder *, uint32_t uid); /* not gone */
struct message *folder_find_name(struct folder *, const char *base,
                                 size_t base_len);
/* Made by that Add of that device already? */
struct message *folder_find_client(struct folder *, const char *client);
/* A new file: through tmp/ into new/, or with flags into cur/. */
struct folder_adding {
    struct slice raw;
    unsigned flags;
    int64_t received;   /* 0: now */
    unsigned by;        /* device */
    const char *client; /* or NULL */
};
int folder_add(struct folder *, const struct folder_adding *,
               struct message **out, struct err *e);
/* A file that appeared in new/ or cur/; nothing if it is known. */
void folder_appeared(struct folder *, const char *name, bool in_new);
/* A name that vanished; nothing if the message lives on under another. */
void folder_vanished(struct folder *, const char *name);
int folder_set_flags(struct message *, unsigned set, unsigned clear,
                     unsigned by, struct err *e);
/* Flag with its details: MAIL_FLAGGED is set when Status is 2. */
int folder_set_flag(struct message *, const char *lines, bool active,
                    unsigned by, struct err *e);
int folder_set_categories(struct message *, const char *lines, unsigned by,
                          struct err *e);
/* 1 reply, 2 reply all, 3 forward. */
int folder_set_verb(struct message *, int verb, struct err *e);
int folder_remove(struct message *, unsigned by, struct err *e);
/* The new message in `to`. `by` is not told of the deletion, but of the
 * arrival. */
int folder_move(struct message *, struct folder *to, unsigned by,
                struct message **out, struct err *e);
/* The file's bytes. */
int folder_read(const struct message *, struct buf *out, struct err *e);
/* First log entry after this number. */
size_t folder_log_after(const struct folder *, uint64_t seq);

/* ---- index.c: a folder's file in DIR/state */

/* Reads it; messages whose files are gone are found by folder_scan(). */
int index_load(struct folder *, struct err *e);
/* Adds the message as it is now. */
void index_note(struct message *);
/* Writes the file anew when it holds much that is out of date. */
void index_tidy(struct folder *);
char *index_path(const struct folder *);

/* ---- ids.c: what devices call messages */

struct message *folder_find_id(struct folder *, uint32_t id); /* not gone */
struct message *folder_find_id_any(struct folder *, uint32_t id);
void ids_set(struct folder *, struct message *, uint32_t id);
void ids_reuse(struct message *);
void ids_renew(struct folder *); /* all get numbers that nobody had */
void ids_swap(struct folder *);  /* the first gets the last one's ... */

/* ---- table.c: messages by file name, the log */

void table_add(struct folder *, struct message *);
void table_remove(struct folder *, struct message *);
size_t table_base(const char *name); /* length without ":2,..." */
void table_log(struct folder *, struct message *, char kind, uint64_t seq);
/* The message gets the next number and stands in the list. */
struct message *table_append(struct folder *);
void table_message_free(struct message *);

/* ---- listing.c */

/* From the header section. */
struct listing *listing_read(struct slice header);
void listing_free(struct listing **);

#endif
