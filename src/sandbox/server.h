/*
 * The server: HTTP in, commands, HTTP out.
 */
#ifndef SEALPOST_SANDBOX_SERVER_H
#define SEALPOST_SANDBOX_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/slice.h"
#include "loop/loop.h"

struct breaches;
struct call;
struct httpd;
struct mailroot;
struct mischief;
struct record;
struct tls_server;

enum { /* versions that are offered */
       VERSION_140 = 1 << 0,
       VERSION_141 = 1 << 1,
       VERSION_160 = 1 << 2,
       VERSION_161 = 1 << 3,
};

struct sandbox_options {
    const char *root;
    const char *listen, *admin; /* "127.0.0.1:0" */
    const char *cert, *key;     /* NULL: made in root */
    const char *versions;       /* "14.1,16.1" */
    size_t max_request;         /* bytes; 0: 64 MiB */
    bool ping_adds;             /* Ping wakes for arrivals only */
    bool exchange_names;        /* of the special folders */
    bool verbose;
};

struct sandbox {
    struct mailroot *mail;
    struct mischief *mischief;
    struct record *record; /* of requests */
    struct breaches *breaches;
    struct httpd *httpd, *admin;
    struct tls_server *tls;
    struct list calls;        /* that wait or are delayed */
    struct list sent;         /* copies that come late */
    struct loop_task changed; /* mail did: calls_changed() from the loop */
    char *ca;                 /* path of the certificate */
    unsigned versions;        /* VERSION_* */
    bool ping_adds, verbose;
};

int sandbox_open(const struct sandbox_options *, struct sandbox **out,
                 struct err *e);
void sandbox_close(struct sandbox **);
/* "14.0,16.1" -> VERSION_*; 0: not understood. */
unsigned sandbox_versions_parse(const char *text);

/* ---- query.c */

/* Takes target and headers apart into the call: command, device, version,
 * policy key. Returns 0, or the HTTP status to refuse with; *status_out is
 * the Status of the document instead when that is not 0 (with HTTP 200). */
struct query {
    char command[32], device[40], type[64], user[320];
    unsigned version; /* 140...; 0: not given */
    unsigned policy_key;
    bool multipart;
};
struct httpd_request;
int query_read(struct httpd_request *, struct query *out, int *status_out);
/* The user that Basic names with the right password, or NULL. */
struct user *query_user(struct sandbox *, struct httpd_request *);

/* ---- mischief.c */

struct trick;
struct user;
struct folder;
struct message;
struct mischief *mischief_new(void);
/* The word of POST /mischief; "" for none. */
const char *mischief_name(int kind);
/* Rules of a file, a line of JSON each; none is no error. */
int mischief_load(struct mischief *, const char *path, struct err *e);
void mischief_free(struct mischief **);
/* From a JSON text. E_INPUT. */
int mischief_add(struct mischief *, const char *json, size_t n, struct err *e);
void mischief_reset(struct mischief *);
/* What is to be done to this request (counted down). *out is set only when
 * there is something; its text is yours. */
void mischief_take(struct mischief *, const char *user, const char *command,
                   struct trick *out);
/* Is this quirk (QUIRK_*) wanted here? Counted down. folder and message may
 * be NULL; *number_out is set only if so. */
bool mischief_quirk(struct mischief *, struct user *, const char *command,
                    int kind, const struct folder *, const struct message *,
                    long *number_out);

/* ---- ids.c: ServerIds of messages */

#define ID_SIZE 32
void id_write(struct sandbox *, const struct message *, char out[ID_SIZE]);
/* false: it cannot be one of this folder. */
bool id_read(struct sandbox *, struct folder *, struct slice id,
             uint32_t *number_out);

/* ---- record.c: what was asked, for GET /log */

struct record *record_new(void);
void record_free(struct record **);
void record_add(struct record *, const struct call *, int http_status,
                const char *trick);
/* Requests that never became a call. */
void record_add_refused(struct record *, const char *user, const char *command,
                        int http_status);
/* Adds all lines, oldest first. */
struct buf;
void record_write(const struct record *, struct buf *out);
void record_reset(struct record *);

/* ---- breach.c: what clients must not do, for GET /violations */

struct breaches *breaches_new(const char *dir);
void breaches_free(struct breaches **);
void breach_add(struct breaches *, const char *user, const char *device,
                const char *command, unsigned version, const char *why);
/* Adds a list in JSON. */
void breaches_write(const struct breaches *, struct buf *out);
void breaches_reset(struct breaches *);

/* ---- admin.c */

void admin_handle(void *arg, struct httpd_request *);

/* ---- call.c */

/* A whole POST of ActiveSync. */
void call_begin(struct sandbox *, struct user *, const struct query *,
                struct httpd_request *);
/* Asks the waiting calls again. */
void calls_changed(struct sandbox *);
/* The device asks anew: its earlier Ping is over. */
void calls_end_ping(struct sandbox *, const struct call *);
void calls_drop(struct sandbox *);

#endif
