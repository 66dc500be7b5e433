/*
 * What the files of room daemon share: the one struct that holds everything.
 */
#ifndef SEALPOST_DAEMON_PRIVATE_H
#define SEALPOST_DAEMON_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "control/server.h"
#include "loop/loop.h"
#include "settings/settings.h"

struct accounts;
struct daemon;
struct imap_server;
struct listener;
struct loop;
struct loop_signal;
struct smtp_server;
struct tls_server;
struct worker;

#define DAEMON_MAX_PORTS 64

/* One listening socket and the door behind it. */
struct daemon_port {
    struct daemon *daemon;
    enum settings_door door;
    bool tls;
    struct listener *listener;
};

/* Files as they were when they were read. */
struct daemon_print {
    uint64_t cert[4], key[4];
};

struct daemon {
    const char *path; /* of the configuration */
    bool verbose;     /* -v stands above log_level */
    /* `boot` is what the daemon started with: what only a new start can change
     * stays as it is there, in every later `settings`, too. */
    struct settings *boot, *settings;
    struct loop *loop;
    struct worker *crypto, *disk;
    struct accounts *accounts;
    struct tls_server *tls;
    struct daemon_print tls_print;
    char fingerprint[96];
    int lock; /* of the state directory; -1: not held */
    struct imap_server *imap;
    struct smtp_server *smtp;
    struct control_server *control;
    struct daemon_port ports[DAEMON_MAX_PORTS];
    struct control_listener told[DAEMON_MAX_PORTS]; /* the same for status */
    size_t n_ports;
    struct loop_signal *term, *intr, *hup;
    struct loop_timer look; /* whether it is quiet */
    int64_t looked; /* CPU time, ms, then */
    size_t unused;  /* bytes free in malloc when they were last given back */
    struct op *trim;
};

/* ---- daemon.c ---- */

/* Everything up to "ready". On failure what was made stays: daemon_stop(). */
int daemon_start(struct daemon *, struct err *e);
void daemon_stop(struct daemon *);
void daemon_log_settings(const struct daemon *);

/* ---- certificate.c ---- */

/* One of the settings, before the rights are dropped. */
int certificate_open(struct daemon *, struct err *e);
/* The one for localhost, unless there is another. */
int certificate_make(struct daemon *, struct err *e);
/* A reload: renewed files are taken. What is no certificate with its key is
 * an error, what may not be read is only told. */
int certificate_renew(struct daemon *, struct err *e);

/* ---- memory.c ---- */

/* How malloc works, before there are threads. */
void memory_settle(void);
/* Gives memory back when it is quiet after work. */
void memory_start(struct daemon *);
void memory_stop(struct daemon *);

/* ---- ports.c ---- */

/* Sockets from systemd, then those of the settings. A missing address family
 * is skipped with a note; E_DENIED names a port that is taken. */
int ports_open(struct daemon *, struct err *e);
void ports_close(struct daemon *);
const struct control_listener *ports_tell(void *daemon, size_t *n_out);
/* Which door a port number is for by custom (143, 1143, 993...); false for
 * any other. */
bool ports_by_number(unsigned port, enum settings_door *door, bool *tls);
/* The same by FileDescriptorName= (imap, imaps, smtp, smtps; submission and
 * submissions are smtp's other names). */
bool ports_by_name(const char *name, enum settings_door *door, bool *tls);

/* ---- places.c ---- */

/* The state directory and that of the control socket, made when missing;
 * as root they go to the user that we become. */
int places_make(const struct settings *, struct err *e);
/* Against a second daemon on this state; E_DENIED names the one that runs. */
int places_lock(struct daemon *, struct err *e);
void places_unlock(struct daemon *);

/* ---- drop_rights.c ---- */

/* Whether a change of user is due: we are root and `user` is not. E_MISSING:
 * there is no such user. */
int rights_find(const char *user, bool *due, long *uid_out, long *gid_out,
                struct err *e);
/* Becomes that user for good, with the groups it has. */
int rights_drop(const char *user, struct err *e);
/* No core file and no debugger gets at what we hold in memory. */
void rights_no_dumps(void);

/* ---- signals.c ---- */

void signals_start(struct daemon *);
void signals_stop(struct daemon *);
/* control_daemon.reload: a bad file changes nothing. */
int signals_reload(void *daemon, struct err *e);

/* ---- notify.c ---- */

void notify_ready(const char *status);
void notify_reloading(void);
void notify_stopping(void);
/* Sockets that systemd hands over: how many, and the i-th with its name (""
 * when none was given). The variables are gone afterwards. */
int notify_sockets(char ***names_out);
#define NOTIFY_FIRST_FD 3

#endif
