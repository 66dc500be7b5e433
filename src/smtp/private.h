/*
 * What the files of room smtp share: the server, its clients, and the mail
 * that a client is giving.
 */
#ifndef SEALPOST_SMTP_PRIVATE_H
#define SEALPOST_SMTP_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "account/account.h"
#include "base/list.h"
#include "loop/loop.h"
#include "outbox/outbox.h"
#include "smtp/command.h"
#include "smtp/data.h"
#include "smtp/reply.h"
#include "smtp/server.h"

struct stream;

#define SMTP_MAX_ERRORS 20u     /* refused commands of one connection */
#define SMTP_MAX_IDLE_TALK 100u /* commands since the last mail that do
                                   nothing: NOOP, RSET, VRFY... */
#define SMTP_MAX_LOGINS 3u      /* wrong ones of one connection */

struct smtp_server {
    struct loop *loop;
    struct accounts *accounts;
    struct tls_server *tls;
    const struct settings *settings;
    struct list clients;
    size_t n_clients;
    uint64_t receiving; /* bytes held for mails that are coming in */
    struct list rates;
    bool stopping, late;
};

enum smtp_state {
    SMTP_STATE_HELLO,   /* EHLO or HELO is due */
    SMTP_STATE_READY,   /* no mail is under way */
    SMTP_STATE_SASL,    /* a response is due */
    SMTP_STATE_MAIL,    /* MAIL was accepted; recipients, then DATA */
    SMTP_STATE_DATA,    /* its text is coming */
    SMTP_STATE_SENDING, /* the outbox has it */
    SMTP_STATE_END,     /* the farewell is on its way */
};

enum smtp_sasl { SMTP_SASL_PLAIN, SMTP_SASL_LOGIN, SMTP_SASL_PASSWORD };

/* One mail while a client gives it. Zeroed: none. */
struct smtp_mail {
    struct outbox_mail to; /* what the outbox will take */
    size_t cap;            /* of to.recipients */
    char *asked;           /* the recipient that is being judged */
    struct smtp_data data;
    size_t head;       /* bytes of to.mime that are ours */
    uint64_t counted;  /* in server->receiving */
    bool large, full;  /* over the account's limit; no memory for it */
};

struct smtp_client {
    struct list node;
    struct smtp_server *server;
    struct stream *stream;
    enum smtp_state state;
    char host[64]; /* of the peer, without the port */
    bool tls_due;  /* STARTTLS was answered */
    bool tls_wait; /* the handshake is under way */
    bool skipping; /* the rest of a line that was too long */
    struct loop_timer idle, login_limit;
    struct op *op; /* what the client waits for; its input is suspended */
    unsigned errors, talk, wrong_logins;
    enum smtp_sasl sasl;
    char *login; /* of AUTH LOGIN, until its password comes */
    struct account *account, *found; /* logged in; found by a login */
    struct account_session session;
    bool in_session;
    struct smtp_mail mail;
    struct outbox_result result;
};

/* ---- server.c ---- */

void smtp_server_remove(struct smtp_server *, struct smtp_client *);
/* One more message of this account now? false: too many in a minute. */
bool smtp_server_rate(struct smtp_server *, const struct account *);
/* Changes what a client holds by a mail that is coming in; false (and nothing
 * changed) when that is more than all of them may hold. */
bool smtp_server_hold(struct smtp_server *, uint64_t *counted, uint64_t now);

/* ---- client.c ---- */

struct smtp_client *smtp_client_new(struct smtp_server *, int fd, bool tls);
void smtp_client_free(struct smtp_client **);
void smtp_client_enter(struct smtp_client *, enum smtp_state);
/* Counts refusals; the last one that is allowed ends the connection. */
void smtp_client_answer(struct smtp_client *, const struct smtp_reply *);
void smtp_client_say(struct smtp_client *, int code, const char *enhanced,
                     const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void smtp_client_fail(struct smtp_client *, const struct err *,
                      enum smtp_reply_at);
/* The last words. */
void smtp_client_bye(struct smtp_client *, int code, const char *enhanced,
                     const char *text);
/* Input waits for an operation; its `done` calls smtp_client_go_on() first. */
void smtp_client_wait(struct smtp_client *, struct op *);
void smtp_client_go_on(struct smtp_client *);

/* ---- verbs.c ---- */

/* A line without its end: a command. */
void smtp_verb(struct smtp_client *, struct slice line);

/* ---- auth.c ---- */

void smtp_auth(struct smtp_client *, const struct smtp_command *);
/* A line in state SASL. */
void smtp_auth_response(struct smtp_client *, struct slice line);

/* ---- mail.c ---- */

void smtp_mail_from(struct smtp_client *, const struct smtp_command *);
void smtp_mail_to(struct smtp_client *, const struct smtp_command *);
void smtp_mail_data(struct smtp_client *);
/* Input in state DATA; how much of it was used. */
size_t smtp_mail_feed(struct smtp_client *, struct slice in);
void smtp_mail_clear(struct smtp_client *);

/* ---- receive.c: pure ---- */

#define SMTP_RECEIVED_MAX 300u /* bytes that the two below may add */
#define SMTP_HOPS_MAX 100u

/* Our trace field (RFC 5321 section 4.4). host: a numeric address. */
void smtp_receive_trace(const char *host, bool tls, int64_t now,
                        struct buf *out);
/* Adds Message-ID and Date behind the first `head` bytes when the text lacks
 * them (RFC 6409 section 8). 554 when it has gone in circles. */
int smtp_receive_complete(struct buf *mime, size_t head, const char *domain,
                          int64_t now, struct smtp_reply *bad);

#endif
