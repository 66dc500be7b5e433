/*
 * Shared by the files of eas. Three layers: a request is one HTTP exchange
 * (request.c), a call is one command until it is decided, with all its
 * repetitions (queue.c), the account connects once before any of them
 * (connect.c).
 */
#ifndef SEALPOST_EAS_PRIVATE_H
#define SEALPOST_EAS_PRIVATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "eas/auth.h"
#include "eas/eas.h"
#include "eas/policy.h"
#include "eas/status.h"
#include "loop/flow.h"
#include "loop/http.h"
#include "loop/loop.h"
#include "wbxml/tree.h"
#include "wbxml/write.h"

#define EAS_USER_AGENT "Sealpost/0.1"
#define EAS_DEVICE_TYPE "Sealpost"
/* Of requests without payload: the most are under a kilobyte. */
#define EAS_REQUEST_MAX ((size_t)4 << 20)
#define EAS_ID_MAX 512 /* ids and keys: 64 by MS-ASCMD, but be tolerant */

/* ---- request.c: one HTTP exchange, classified */

enum eas_outcome {
    EAS_GOT,       /* 200: the body is there, perhaps empty */
    EAS_NEED_PROVISION,
    EAS_NEED_VERSION, /* OPTIONS anew, then repeat */
    EAS_MOVED,     /* 451: `location` is where */
    EAS_REFUSED,   /* 401 */
    EAS_BUSY,      /* 503: not acted; wait_ms says how long at least */
    EAS_STOPPED,   /* the account must stop with err */
    EAS_FAILED,    /* err says it */
};

struct eas_request {
    struct eas *eas;
    bool options; /* OPTIONS instead of POST */
    enum eas_command command;
    struct wbxml_writer w; /* w.out.len <= 4: no body */
    struct slice payload;  /* what w leaves room for */
    /* Or piece by piece: as eas_mail.read, of payload_size bytes. */
    size_t (*payload_read)(void *arg, uint64_t offset, char *to, size_t n,
                           struct err *e);
    void *payload_arg;
    uint64_t payload_size;
    struct err payload_err;
    const char *policy_key; /* NULL: none is sent */
    bool multipart, fresh;
    int64_t stall_ms;
    uint64_t max_body;
    /* Takes a 200 answer that is larger than a refusal in pieces, as they
     * come; `body` then stays empty. -1 ends the request. NULL: none. */
    int (*stream)(struct eas_request *, struct slice piece, struct err *e);
    /* the answer */
    bool streaming; /* `stream` was called */
    struct http_answer http;
    struct buf body;
    char content_type[80], location[600], versions[256], commands[1024];
    bool throttled, begin_anew;
    int64_t wait_ms;
    struct err err;
    /* internal */
    struct op *op;
    void (*done)(struct eas_request *, enum eas_outcome);
};
void eas_request_init(struct eas_request *r, struct eas *eas,
                      enum eas_command command);
/* `done` runs from the loop. Fields of the answer are reset first. */
void eas_request_send(struct eas_request *r,
                      void (*done)(struct eas_request *, enum eas_outcome));
/* Cancels what is under way. */
void eas_request_clear(struct eas_request *r);
/* The account's URL with the query of a command; for tests, too. */
int eas_request_url(const struct eas *eas, enum eas_command command,
                    struct buf *out);

/* ---- queue.c: calls */

struct eas_call;
struct eas_call_kind {
    enum eas_command command;
    /* Writes the request into call->req; again before each repetition. */
    int (*build)(struct eas_call *, struct err *e);
    /* The body of a 200 answer; the caller still wants it. 0: done, 1: build
     * and send again, -1: e says why it failed. */
    int (*answer)(struct eas_call *, struct slice body, struct err *e);
    /* A large one instead, while it arrives, and its end, which is like the
     * return of `answer`; NULL: it is collected. A request that fails in
     * between ends with `failed`. */
    int (*stream)(struct eas_call *, struct slice piece, struct err *e);
    int (*stream_end)(struct eas_call *, struct err *e);
    /* Before the error is told; may be NULL. */
    void (*failed)(struct eas_call *, const struct err *e);
    /* Frees what build and answer keep; may be NULL. */
    void (*clear)(struct eas_call *);
};
/* First member of each command's own struct, which call_free() frees. */
struct eas_call {
    struct list node; /* in waiting or running */
    struct eas *eas;
    const struct eas_call_kind *kind;
    struct op *op;
    struct eas_request req;
    char **lanes; /* what it changes: one call at a time for each */
    size_t nlanes;
    bool background, is_running;
    int64_t since, not_before; /* now_ms() */
    uint64_t print;            /* of the request, to know it again */
    unsigned hops, busy, again;
    bool provisioned, versioned;
    char key_used[16];
};

/* A zeroed struct of `size` that begins with a call. */
void *eas_call_new(struct eas *eas, const struct eas_call_kind *kind,
                   size_t size);
/* NULL is no lane. */
void eas_call_lane(struct eas_call *c, const char *lane);
#define EAS_LANE_FOLDERS "\001folders"
#define EAS_LANE_PING "\001ping"
/* Hands it to the queue. */
struct op *eas_call_start(struct eas_call *c, op_done_fn *done, void *arg);
void eas_queue_init(struct eas *eas);
/* Everything under way ends with E_CANCELED. */
void eas_queue_clear(struct eas *eas);
/* Something changed: look again what can start. */
void eas_queue_wake(struct eas *eas);
/* A 503: nothing goes out for ms, at least. */
void eas_queue_hold(struct eas *eas, int64_t ms);
/* All that wait fail with this. */
void eas_queue_fail(struct eas *eas, const struct err *why);
/* All that run. */
void eas_queue_fail_running(struct eas *eas, const struct err *why);

/* ---- the account */

#define EAS_PRINTS 32
struct eas_print {
    uint64_t print;
    unsigned failures;
    int64_t not_before;
};

struct eas {
    char *account, *address, *device_id, *ca_file, *forced_version;
    char *url; /* as configured, with a path */
    unsigned max_requests;
    bool accept_policy;
    struct eas_watcher watcher;
    struct http *http;
    struct eas_auth auth;
    struct eas_state state;
    struct eas_policy policy;
    bool has_policy;

    /* queue.c */
    struct list waiting, running;
    struct loop_task pump;
    struct loop_timer timer;
    int64_t hold_until; /* now_ms() */
    unsigned busy;      /* 503s in a row */
    struct eas_print prints[EAS_PRINTS];

    /* connect.c */
    struct flow connect;
    struct eas_request connect_req;
    struct op *connect_op; /* what the flow waits for */
    enum eas_outcome connect_outcome;
    bool connect_sent; /* the step's request is answered */
    unsigned connect_hops, connect_tries;
    int64_t connect_not_before;
    bool need_provision, want_version;
    struct eas_policy asked; /* between the two steps of Provision */
    bool has_asked;
    char asked_key[16];

    /* ping.c */
    unsigned heartbeat, heartbeat_min, heartbeat_max, ping_folders;
    bool ping_broke;

    bool wipe_told;     /* status 140: the next Provision says which */
    enum eas_wipe wipe; /* ordered, not yet told to the watcher */

    bool stopped;
    struct err stop_err;
    struct loop_task stop_task; /* tells the watcher */
};

/* eas.c */
const char *eas_url_now(const struct eas *eas);
/* The URL with the usual path where it has none; heap. NULL: E_INPUT. */
char *eas_url_complete(const char *url, struct err *e);
void eas_state_changed(struct eas *eas);
void eas_stop(struct eas *eas, const struct err *why);
bool eas_version_is(const struct eas *eas, int at_least); /* 141, 160, 161 */
/* A new place after 451: -1 with e if it is not acceptable. */
int eas_move_to(struct eas *eas, const char *location, struct err *e);

/* connect.c */
bool eas_connect_is_due(const struct eas *eas);
/* Starts the flow unless it runs; at its end the queue is woken. */
void eas_connect_begin(struct eas *eas);
void eas_connect_clear(struct eas *eas);
/* The highest version that both know; NULL if there is none. */
const char *eas_connect_choose(const char *versions, const char *forced);

/* provision.c */
int eas_provision_ask(struct eas *eas, struct wbxml_writer *w);
void eas_provision_ack(struct eas *eas, struct wbxml_writer *w);
void eas_provision_device(struct eas *eas, struct wbxml_writer *w);
enum eas_provisioned { EAS_PROV_NONE, EAS_PROV_ACK, EAS_PROV_DONE };
/* What the server said to the question: ACK (eas->asked is set), NONE. */
int eas_provision_asked(struct eas *eas, struct slice body,
                        enum eas_provisioned *out, struct err *e);
/* To the acknowledgement: the final key is in the state. */
int eas_provision_acked(struct eas *eas, struct slice body, struct err *e);

/* policy.c */
void eas_policy_parse(const struct wbxml_node *doc, struct eas_policy *out);
/* "DevicePasswordEnabled, AllowCamera" of what is not enforced; "" for none.
 */
void eas_policy_gaps(const struct eas_policy *p, char *out, size_t size);
bool eas_policy_is_same(const struct eas_policy *a, const struct eas_policy *b);

/* multipart.c: MS-ASCMD 2.2.1.10.1.1 */
#define EAS_PARTS_MAX 512
/* -1 with e ends the reading. */
typedef int eas_multipart_bytes_fn(void *arg, size_t part, struct slice piece,
                                   struct err *e);
typedef int eas_multipart_end_fn(void *arg, size_t part, struct err *e);
struct eas_multipart {
    eas_multipart_bytes_fn *on_bytes;
    eas_multipart_end_fn *on_end; /* the part is complete; also an empty one */
    void *arg;
    /* internal */
    struct buf head;
    struct {
        uint32_t at, len;
    } *table;
    size_t n, part; /* parts, the one that comes */
    uint64_t at;
};
void eas_multipart_init(struct eas_multipart *m,
                        eas_multipart_bytes_fn *on_bytes,
                        eas_multipart_end_fn *on_end, void *arg);
void eas_multipart_clear(struct eas_multipart *m);
/* E_RETRY for what is no good multipart; else the caller's error. */
int eas_multipart_feed(struct eas_multipart *m, struct slice piece,
                       struct err *e);
int eas_multipart_finish(struct eas_multipart *m, struct err *e);

/* small things that several commands need */
/* Sets status and reaction of an answer. */
void eas_status_set(enum eas_command command, int code, int *status_out,
                    int *reaction_out);
/* A heap copy of a slice, bounded by EAS_ID_MAX; NULL for an absent one. */
char *eas_dup_id(struct slice s);
/* A text of the answer as a heap string without NULs; NULL when absent. */
char *eas_dup_text(struct slice s, size_t max);
/* YYYY-MM-DDTHH:MM:SS[.mmm]Z, or the compact form (MS-ASDTYPE 2.3), as unix
 * seconds; -1 for an absent or absurd one. */
int64_t eas_date_parse(struct slice s);
/* Parses the whole answer as a tree and checks its root. E_RETRY when there
 * is none at all. */
int eas_answer_tree(struct arena *a, struct slice body, unsigned root_tag,
                    struct wbxml_node **out, struct err *e);

#endif
