/*
 * The SMTP door as a whole: who is connected, and what all of them share:
 * limits of number, memory and rate.
 */
#include "smtp/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "loop/stream.h"
#include "settings/settings.h"

#define STOP_MS 1000
#define MINUTE_MS 60000

/* A bucket that refills: `level` counts messages times MINUTE_MS. */
struct rate {
    struct list node;
    char *account;
    int64_t level, at;
};

struct smtp_server *
smtp_server_new(const struct smtp_server_config *c)
{
    struct smtp_server *s = xcalloc(1, sizeof *s);

    s->loop = c->loop;
    s->accounts = c->accounts;
    s->tls = c->tls;
    s->settings = c->settings;
    list_init(&s->clients);
    list_init(&s->rates);
    return s;
}

static void
rate_free(struct rate *r)
{
    list_remove(&r->node);
    free(r->account);
    free(r);
}

static void
on_late(void *arg)
{
    ((struct smtp_server *)arg)->late = true;
}

/* Idle clients go at once; one whose mail is with the outbox may still get
 * its answer, since without it the mail would be sent a second time. */
static void
server_farewell(struct smtp_server *s, bool all)
{
    struct list *n, *after;

    LIST_EACH(&s->clients, n, after) {
        struct smtp_client *c = LIST_OBJECT(n, struct smtp_client, node);

        if (c->state != SMTP_STATE_END &&
            (all || c->state != SMTP_STATE_SENDING))
            smtp_client_bye(c, 421, "4.3.2", "the server is going down");
    }
}

/* Somebody whose farewell is not with the network yet, or who is waited
 * for. */
static bool
server_is_busy(const struct smtp_server *s)
{
    struct list *n, *after;

    LIST_EACH(&s->clients, n, after) {
        struct smtp_client *c = LIST_OBJECT(n, struct smtp_client, node);

        if (c->state != SMTP_STATE_END || stream_pending(c->stream))
            return true;
    }
    return false;
}

void
smtp_server_free(struct smtp_server **sp)
{
    struct smtp_server *s = *sp;
    struct loop_timer limit;

    if (!s)
        return;
    s->stopping = true;
    loop_timer_init(&limit, on_late, s);
    loop_timer_set(&limit, STOP_MS);
    server_farewell(s, false);
    while (server_is_busy(s) && !s->late) {
        loop_turn(s->loop, true);
        server_farewell(s, false);
    }
    loop_timer_clear(&limit);
    server_farewell(s, true);
    loop_turn(s->loop, false);
    while (!list_is_empty(&s->clients)) {
        struct smtp_client *c =
            LIST_OBJECT(s->clients.next, struct smtp_client, node);

        smtp_client_free(&c);
    }
    while (!list_is_empty(&s->rates))
        rate_free(LIST_OBJECT(s->rates.next, struct rate, node));
    free(s);
    *sp = NULL;
}

void
smtp_server_settings(struct smtp_server *s, const struct settings *settings)
{
    struct list *n, *after;

    s->settings = settings;
    LIST_EACH(&s->rates, n, after) {
        struct rate *r = LIST_OBJECT(n, struct rate, node);

        if (!settings_find(settings, r->account))
            rate_free(r);
    }
}

size_t
smtp_server_clients(const struct smtp_server *s)
{
    return s->n_clients;
}

/* ---- connections ---- */

static size_t
count_host(const struct smtp_server *s, const char *host)
{
    struct list *n, *after;
    size_t count = 0;

    LIST_EACH(&s->clients, n, after)
        if (strcmp(LIST_OBJECT(n, struct smtp_client, node)->host, host) == 0)
            count++;
    return count;
}

/* Without making a client of it; one that expects TLS hears nothing. */
static void
turn_away(int fd, bool tls)
{
    static const char text[] = "421 4.7.0 too many connections\r\n";

    if (!tls && send(fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        log_debug("smtp", "turning a client away: %s", strerror(errno));
    close(fd);
}

void
smtp_server_accept(struct smtp_server *s, int fd, bool tls)
{
    struct smtp_client *c;

    if (s->stopping || s->n_clients >= s->settings->max_smtp_clients) {
        log_notice("smtp", "a client is turned away: %zu are connected",
                   s->n_clients);
        turn_away(fd, tls);
        return;
    }
    c = smtp_client_new(s, fd, tls);
    s->n_clients++;
    list_add(&s->clients, &c->node);
    if (count_host(s, c->host) > s->settings->max_clients_per_host)
        smtp_client_bye(c, 421, "4.7.0", "too many connections from you");
}

void
smtp_server_remove(struct smtp_server *s, struct smtp_client *c)
{
    list_remove(&c->node);
    s->n_clients--;
}

/* ---- what all share ---- */

static struct rate *
rate_find(struct smtp_server *s, const char *account, int64_t full)
{
    struct list *n, *after;
    struct rate *r;

    LIST_EACH(&s->rates, n, after) {
        r = LIST_OBJECT(n, struct rate, node);
        if (strcmp(r->account, account) == 0)
            return r;
    }
    r = xcalloc(1, sizeof *r);
    r->account = xstrdup(account);
    r->level = full;
    r->at = now_ms();
    list_add(&s->rates, &r->node);
    return r;
}

bool
smtp_server_rate(struct smtp_server *s, const struct account *a)
{
    int64_t a_minute = account_settings(a)->max_messages_per_minute;
    int64_t full = a_minute * MINUTE_MS, passed;
    struct rate *r;

    if (!a_minute)
        return true;
    r = rate_find(s, account_name(a), full);
    passed = now_ms() - r->at;
    r->at += passed;
    r->level += (passed < MINUTE_MS ? passed : MINUTE_MS) * a_minute;
    if (r->level > full)
        r->level = full;
    if (r->level < MINUTE_MS)
        return false;
    r->level -= MINUTE_MS;
    return true;
}

bool
smtp_server_hold(struct smtp_server *s, uint64_t *counted, uint64_t now)
{
    if (now > *counted &&
        now - *counted > s->settings->max_append_memory -
                             (s->receiving < s->settings->max_append_memory
                                  ? s->receiving
                                  : s->settings->max_append_memory))
        return false;
    s->receiving = s->receiving - *counted + now;
    *counted = now;
    return true;
}
