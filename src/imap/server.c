/*
 * The door: connections in, their limits, and the end of all of them.
 */
#include "imap/server.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "imap/private.h"
#include "loop/stream.h"
#include "settings/settings.h"

#define FAREWELL_MS 1000

struct imap_server *
imap_server_new(const struct imap_server_config *config)
{
    struct imap_server *s = xcalloc(1, sizeof *s);

    s->loop = config->loop;
    s->accounts = config->accounts;
    s->tls = config->tls;
    s->settings = config->settings;
    list_init(&s->clients);
    return s;
}

static void
on_late(void *arg)
{
    *(bool *)arg = true;
}

void
imap_server_free(struct imap_server **sp)
{
    struct imap_server *s = *sp;
    struct list *n, *after;
    struct loop_timer timer;
    bool late = false;

    if (!s)
        return;
    *sp = NULL;
    LIST_EACH(&s->clients, n, after)
        imap_client_bye(LIST_OBJECT(n, struct imap_client, node),
                        "the server is going down");
    loop_timer_init(&timer, on_late, &late);
    loop_timer_set(&timer, FAREWELL_MS);
    while (s->n && !late)
        loop_turn(s->loop, true);
    loop_timer_clear(&timer);
    while (!list_is_empty(&s->clients)) {
        struct imap_client *c =
            LIST_OBJECT(s->clients.next, struct imap_client, node);

        imap_client_free(&c);
    }
    free(s);
}

void
imap_server_settings(struct imap_server *s, const struct settings *settings)
{
    s->settings = settings;
}

size_t
imap_server_clients(const struct imap_server *s)
{
    return s->n;
}

/* "127.0.0.1:4711" without its port. */
static struct slice
host_only(const char *peer)
{
    const char *colon = strrchr(peer, ':');

    return slice_make(peer, colon ? (size_t)(colon - peer) : strlen(peer));
}

static size_t
count_host(const struct imap_server *s, const char *peer)
{
    struct list *n, *after;
    size_t count = 0;

    LIST_EACH(&s->clients, n, after) {
        struct imap_client *c = LIST_OBJECT(n, struct imap_client, node);

        count += slice_eq(host_only(c->host), host_only(peer));
    }
    return count;
}

void
imap_server_accept(struct imap_server *s, int fd, bool tls)
{
    const struct settings *set = s->settings;
    struct imap_client *c;

    if (s->n >= (size_t)set->max_imap_clients + 16) {
        close(fd); /* those that are told so take room as well */
        return;
    }
    c = imap_client_new(s, fd, tls);
    if (s->n > set->max_imap_clients)
        imap_client_bye(c, "too many connections");
    else if (count_host(s, c->host) > set->max_clients_per_host)
        imap_client_bye(c, "too many connections from your address");
    else
        return;
    log_warn("imap", "from=%s refused: %zu connections", c->host, s->n);
}
