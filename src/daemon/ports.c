/*
 * Listening sockets: those that systemd hands over, and those of the
 * settings. A door that systemd serves is not opened a second time.
 */
#include "daemon/private.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "imap/server.h"
#include "loop/listener.h"
#include "smtp/server.h"

static const struct {
    const char *name;
    enum settings_door door;
    bool tls;
    unsigned ports[4]; /* 0 ends it */
} kinds[] = {
    {"imap", SETTINGS_IMAP, false, {143, 1143}},
    {"imaps", SETTINGS_IMAP, true, {993, 1993}},
    {"smtp", SETTINGS_SMTP, false, {25, 587, 1025}},
    {"smtps", SETTINGS_SMTP, true, {465, 1465}},
    {"submission", SETTINGS_SMTP, false, {0}},
    {"submissions", SETTINGS_SMTP, true, {0}},
};

bool
ports_by_number(unsigned port, enum settings_door *door, bool *tls)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        for (size_t k = 0; kinds[i].ports[k]; k++)
            if (kinds[i].ports[k] == port) {
                *door = kinds[i].door;
                *tls = kinds[i].tls;
                return true;
            }
    return false;
}

bool
ports_by_name(const char *name, enum settings_door *door, bool *tls)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0) {
            *door = kinds[i].door;
            *tls = kinds[i].tls;
            return true;
        }
    return false;
}

static void
on_accept(void *arg, int fd)
{
    const struct daemon_port *p = arg;
    struct daemon *d = p->daemon;

    if (p->door == SETTINGS_IMAP)
        imap_server_accept(d->imap, fd, p->tls);
    else
        smtp_server_accept(d->smtp, fd, p->tls);
}

static struct daemon_port *
port_new(struct daemon *d, enum settings_door door, bool tls)
{
    struct daemon_port *p = &d->ports[d->n_ports];

    p->daemon = d;
    p->door = door;
    p->tls = tls;
    return p;
}

static void
port_opened(struct daemon *d)
{
    struct daemon_port *p = &d->ports[d->n_ports];
    struct control_listener *t = &d->told[d->n_ports++];

    t->door = p->door == SETTINGS_IMAP ? "imap" : "smtp";
    t->tls = p->tls;
    t->address = listener_name(p->listener);
}

/* ---- from systemd ---- */

/* Loopback or a Unix socket: what may go without TLS (SPEC section 13). */
static bool
is_near(const struct sockaddr_storage *ss)
{
    const struct sockaddr_in *v4 = (const void *)ss;
    const struct sockaddr_in6 *v6 = (const void *)ss;

    if (ss->ss_family == AF_INET)
        return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
    if (ss->ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    return ss->ss_family == AF_UNIX;
}

static unsigned
port_of(const struct sockaddr_storage *ss)
{
    if (ss->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)ss)->sin_port);
    if (ss->ss_family == AF_INET6)
        return ntohs(
            ((const struct sockaddr_in6 *)(const void *)ss)->sin6_port);
    return 0;
}

static int
take_socket(struct daemon *d, int fd, const char *name, struct err *e)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof ss, intlen = sizeof(int);
    enum settings_door door;
    int listens = 0;
    bool tls;

    if (getsockname(fd, (struct sockaddr *)&ss, &len) ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &intlen) ||
        !listens)
        return err_set(e, E_INPUT, "descriptor %d (%s) from systemd is no "
                       "listening socket", fd, name);
    if (!ports_by_name(name, &door, &tls) &&
        !ports_by_number(port_of(&ss), &door, &tls))
        return err_set(e, E_INPUT, "socket %d (%s, port %u) from systemd: "
                       "which door? Write FileDescriptorName=imap, imaps, "
                       "smtp or smtps", fd, name, port_of(&ss));
    if (!tls && !is_near(&ss))
        return err_set(e, E_DENIED, "socket %d (%s, port %u) from systemd "
                       "is beyond the loopback and without TLS: only imaps "
                       "and smtps are allowed there", fd, name, port_of(&ss));
    if (d->n_ports == DAEMON_MAX_PORTS)
        return err_set(e, E_LIMIT, "more than %d sockets from systemd",
                       DAEMON_MAX_PORTS);
    port_new(d, door, tls)->listener =
        listener_fd(fd, on_accept, &d->ports[d->n_ports]);
    port_opened(d);
    return 0;
}

static int
take_sockets(struct daemon *d, struct err *e)
{
    char **names = NULL;
    int n = notify_sockets(&names), rc = 0;

    for (int i = 0; i < n; i++) {
        const char *name = names && names[i] ? names[i] : "";

        if (rc == 0)
            rc = take_socket(d, NOTIFY_FIRST_FD + i, name, e);
    }
    for (int i = 0; names && i < n; i++)
        free(names[i]);
    free(names);
    return rc;
}

/* ---- of the settings ---- */

static bool
is_served(const struct daemon *d, size_t n, const struct settings_listen *l)
{
    for (size_t i = 0; i < n; i++)
        if (d->ports[i].door == l->door && d->ports[i].tls == l->tls)
            return true;
    return false;
}

static int
open_one(struct daemon *d, const struct settings_listen *l, struct err *e)
{
    struct daemon_port *p;

    if (d->n_ports == DAEMON_MAX_PORTS)
        return err_set(e, E_LIMIT, "more than %d listeners",
                       DAEMON_MAX_PORTS);
    p = port_new(d, l->door, l->tls);
    if (listener_tcp(l->host, l->port, on_accept, p, &p->listener, e) == 0) {
        port_opened(d);
        return 0;
    }
    if (e->code != E_MISSING)
        return -1;
    log_notice("daemon", "no listener on %s port %u: %s", l->host, l->port,
               e->text);
    return 0;
}

int
ports_open(struct daemon *d, struct err *e)
{
    const struct settings *s = d->settings;
    size_t given;

    if (take_sockets(d, e))
        return -1;
    given = d->n_ports;
    for (size_t i = 0; i < s->n_listen; i++)
        if (!is_served(d, given, &s->listen[i]) &&
            open_one(d, &s->listen[i], e))
            return -1;
    if (!d->n_ports)
        log_warn("daemon", "no listener is open: no mail program can "
                           "connect");
    return 0;
}

void
ports_close(struct daemon *d)
{
    for (size_t i = 0; i < d->n_ports; i++)
        listener_free(&d->ports[i].listener);
    d->n_ports = 0;
}

const struct control_listener *
ports_tell(void *daemon, size_t *n_out)
{
    struct daemon *d = daemon;

    *n_out = d->n_ports;
    return d->told;
}
