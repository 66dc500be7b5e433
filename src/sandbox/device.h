/*
 * What the server remembers of a device: its policy key, which folders it was
 * told of, and for each collection the two newest SyncKeys with what the
 * device knows at each. In DIR/state/ADDRESS/devices/ID/, one file for the
 * device and one per collection, each written anew and renamed over.
 */
#ifndef SEALPOST_SANDBOX_DEVICE_H
#define SEALPOST_SANDBOX_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "sandbox/mail.h"
#include "sandbox/prefs.h"

/* A set of message numbers. */
struct bits {
    uint8_t *p;
    size_t n; /* bytes */
};
bool bits_has(const struct bits *, uint32_t at);
void bits_set(struct bits *, uint32_t at, bool on);
void bits_copy(struct bits *to, const struct bits *from);
void bits_clear(struct bits *);

/* One state of a collection as the device with this key has it. */
struct point {
    uint32_t key;   /* 0: none */
    uint64_t seq;   /* the folder's log was given up to here */
    int64_t cutoff; /* older mail is outside of its window */
    struct bits known;
};

/* What became of a command of the request that made the newest key, so that
 * the same request again is not acted on twice (MS-ASCMD 3.1.5.9). */
struct outcome {
    char kind; /* 'a'dd, 'c'hange, 'd'elete */
    char *id;  /* ClientId or ServerId */
    int status;
    uint32_t uid; /* of what an Add made */
};

struct collection {
    struct list node;
    uint32_t id;
    struct point now, before;
    struct prefs prefs;
    struct outcome *outcomes;
    size_t outcome_count;
};

/* A folder as the device was told of it. */
struct told {
    uint32_t id;
    uint64_t seq;
};

struct hierarchy {
    uint32_t key; /* 0: none */
    struct told *list;
    size_t count;
};

#define PING_FOLDERS_MAX 200

#define RETIRED_MAX 64

struct device {
    struct list node;
    struct user *user;
    char *id, *type;
    unsigned number; /* as in struct touch */
    uint32_t policy_key, temporary_key;
    char *policy;      /* hash of the document that was acknowledged, or "" */
    char *offered;     /* of the one that was given out last, or "" */
    bool wipe;         /* is to be wiped */
    bool wipe_account; /* of this account only (16.1) */
    struct hierarchy folders, folders_before;
    uint32_t made; /* by the FolderCreate that made the newest key */
    struct list collections;
    /* Not kept over a restart, as the server may forget them. */
    uint32_t ping_folders[PING_FOLDERS_MAX];
    size_t ping_count;
    unsigned ping_heartbeat;
    uint32_t *sync_cache; /* collections of the last Sync */
    size_t sync_cached;
    char search_id[64];            /* of the last Find from the start */
    uint32_t retired[RETIRED_MAX]; /* keys that may not come again; a ring */
    unsigned retired_next;
    unsigned sync_wait; /* seconds, of the last Sync */
};

/* Made when it is not there yet. */
struct device *device_find(struct user *, const char *id, const char *type,
                           struct err *e);
void device_close_all(struct user *);
/* Fresh and not in use by this device. */
uint32_t device_key(const struct device *);
int device_save(struct device *, struct err *e);
void device_retire(struct device *, uint32_t key); /* 0: none */
bool device_has_retired(const struct device *, uint32_t key);

/* NULL: never synchronised (make == false). */
struct collection *device_collection(struct device *, uint32_t id, bool make);
int device_collection_save(struct device *, const struct collection *,
                           struct err *e);
/* Forgets the keys of a collection. */
void device_collection_drop(struct device *, struct collection *);
/* Those of all devices, also of devices that did not come yet. */
void devices_forget_folder(struct user *, uint32_t id);
void point_move(struct point *to, struct point *from);
void point_copy(struct point *to, const struct point *from);
void point_clear(struct point *);
void outcomes_clear(struct collection *);
void outcome_add(struct collection *, char kind, const char *id, int status,
                 uint32_t uid);

const struct told *hierarchy_find(const struct hierarchy *, uint32_t id);
void hierarchy_set(struct hierarchy *, uint32_t id, uint64_t seq);
void hierarchy_remove(struct hierarchy *, uint32_t id);
void hierarchy_copy(struct hierarchy *to, const struct hierarchy *from);

#endif
