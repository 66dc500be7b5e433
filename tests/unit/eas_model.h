/*
 * A small model of an Exchange mailbox behind eas_server: folders and items
 * with a history, so that tests of sync can let things happen and look at
 * where both sides end. Faults hit the n-th request of a command.
 */
#ifndef SEALPOST_TESTS_EAS_MODEL_H
#define SEALPOST_TESTS_EAS_MODEL_H

#include <stdbool.h>
#include <stdint.h>

struct model_item {
    char id[24], folder[16], subject[64], keyword[64];
    int64_t received;
    bool read, flagged, gone;
    bool old;      /* fell out of the window */
    bool poison;   /* a Sync that changes it is refused as a whole */
    bool edited;   /* it has other content: a change tells the whole item */
    bool withheld; /* listed, but never handed out */
    bool done_lost; /* changed by a request whose answer was lost */
    int added, changed, removed; /* clock of the model */
    int copies;                  /* how often it was moved or made */
};

enum model_fault {
    MODEL_DROP_BEFORE, /* the line breaks, nothing was done */
    MODEL_DROP_AFTER,  /* done, but the answer is lost */
    MODEL_KEY_LOST,    /* Sync: status 3 until the folder starts at "0" */
    MODEL_BUSY,        /* 503 */
    MODEL_CUT,         /* half an answer */
    MODEL_STATUS_8,    /* Ping: an error that is to be tried again */
    MODEL_STATUS_12,   /* Sync: the list of folders comes first */
};

/* An empty mailbox with INBOX "1", Sent "2" and Trash "3"; serves from now. */
void model_start(void);
void model_stop(void);
void model_folder(const char *id, const char *parent, const char *name,
                  int type);
void model_folder_gone(const char *id);
/* Returns an item, good until the end; wakes Ping. */
struct model_item *model_add(const char *folder, const char *subject,
                             int64_t received);
/* After changing read or flagged of an item. */
void model_changed(struct model_item *);
void model_gone(struct model_item *);
/* It grows too old for the window (SoftDelete), or a wider one lets it in. */
void model_window(struct model_item *, bool inside);
/* All items get other ids, all keys are lost: a restored mailbox. */
void model_reborn(void);
/* The folder list is lost, and INBOX and Sent have changed ids, all others have
 * new ones. */
void model_folders_reborn(void);
struct model_item *model_find(const char *folder, const char *subject);
/* Items there that are not gone. */
int model_count(const char *folder);
/* The next `times` requests of the command after `skip` of them. */
void model_break(const char *cmd, enum model_fault, int skip, int times);
/* Requests of a command since model_start(). */
int model_asked(const char *cmd);
/* What a Sync with several collections gets. */
enum model_several {
    MODEL_EACH,    /* each its answer */
    MODEL_REFUSED, /* status 15 for the whole */
    MODEL_FULL,    /* one item of the first, and nothing of the others */
};
void model_several(enum model_several);
/* Such Syncs since model_start(). */
int model_shared(void);
/* Faults that fired. */
int model_fired(void);

#endif
