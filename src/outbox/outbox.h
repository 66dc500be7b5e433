/*
 * Mail out: decide, seal, submit. Every doubt on the way means "not sent".
 */
#ifndef SEALPOST_OUTBOX_OUTBOX_H
#define SEALPOST_OUTBOX_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "loop/op.h"

struct certs;
struct eas;
struct keys;
struct loop;
struct outbox;
struct settings_account;
struct store;
struct worker;

struct outbox_config {
    struct loop *loop;
    struct worker *crypto;
    struct store *store;
    struct eas *eas;
    struct keys *keys;
    struct certs *certs;
    const struct settings_account *settings;
    /* A Sync of Sent that begins after the call (sync_folder_now(), handed in
     * by the account: outbox and sync do not know each other). */
    struct op *(*look_into_sent)(void *arg, op_done_fn *done, void *done_arg);
    void *sent_arg;
};
struct outbox *outbox_new(const struct outbox_config *);
void outbox_free(struct outbox **);
void outbox_settings(struct outbox *, const struct settings_account *);
/* The account's addresses as the server tells them (eas_user_get). */
void outbox_set_aliases(struct outbox *, const char *const *addresses,
                        size_t n);
/* Takes up what the queue holds from an earlier run. */
void outbox_start(struct outbox *);

/* May this account send with this MAIL FROM? E_DENIED says why not. An empty
 * one passes. */
int outbox_check_sender(struct outbox *, const char *address, struct err *e);
/* At RCPT: E_NOCERT or E_INPUT with the reason when it is already certain
 * that this recipient cannot be served; no error otherwise. */
struct op *outbox_check_recipient(struct outbox *, const char *address,
                                  op_done_fn *done, void *arg);

struct outbox_mail {
    struct buf mime;      /* as the client sent it, CRLF, dots removed */
    char *sender;         /* MAIL FROM, "" for the empty one */
    char **recipients;    /* RCPT TO */
    size_t n;
    const char *wish;     /* login suffix: "+encrypt"... or NULL */
};
void outbox_mail_clear(struct outbox_mail *);

struct outbox_result {
    char id[16];  /* queue id */
    bool queued;  /* not decided within submit_wait: the queue carries on */
};
/* Takes the mail over (also on error). Done when it was accepted upstream,
 * refused (err, nothing stays queued), or is safe in the queue. The first
 * thing after the checks that cost nothing: on disk, synced. */
struct op *outbox_submit(struct outbox *, struct outbox_mail *take,
                         struct outbox_result *out, op_done_fn *done,
                         void *arg);

/* For `sealpostctl queue`. E_MISSING for an unknown id. */
int outbox_retry(struct outbox *, const char *id, struct err *e);
int outbox_hold(struct outbox *, const char *id, struct err *e);
int outbox_delete(struct outbox *, const char *id, struct err *e);

#endif
