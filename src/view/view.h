/*
 * A message as a client sees it: decrypted, verified, under its
 * Authentication-Results. For one UID the bytes, size, envelope and structure
 * never change; they are recorded before anyone is told.
 */
#ifndef SEALPOST_VIEW_VIEW_H
#define SEALPOST_VIEW_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "loop/op.h"

struct certs;
struct eas;
struct keys;
struct loop;
struct mime_message;
struct settings_account;
struct store;
struct view;
struct views;
struct worker;

struct views_config {
    struct loop *loop;
    struct worker *crypto;
    struct store *store;
    struct eas *eas;      /* NULL: offline, a missing body is E_RETRY */
    struct keys *keys;
    struct certs *certs;
    const struct settings_account *settings; /* until views_settings() */
    const char *authserv_id;
    size_t cache_bytes;   /* memory for open views; 0: 32 MiB */
};
int views_new(const struct views_config *, struct views **out, struct err *e);
void views_free(struct views **);
void views_settings(struct views *, const struct settings_account *);

/* What was recorded when the message was first opened. 1 and *out (strings in
 * the arena), 0 not yet opened (call view_open()), -1. */
struct view_summary {
    uint64_t size;
    const char *envelope, *structure, *body; /* IMAP text: mime/imap.h */
    const char *message_id, *in_reply_to;
    const char *result; /* "pass", "none"... */
    bool encrypted;
};
int views_summary(struct views *, int64_t message, struct arena *,
                  struct view_summary *out, struct err *e);

/* Fetches the body if it is missing (ahead of the backfill), opens, verifies,
 * renders, records. *out is the caller's reference (view_unref). Errors:
 * E_RETRY upstream away, E_MISSING gone, E_FULL. What cannot be decrypted or
 * parsed is still a view. */
struct op *view_open(struct views *, int64_t message, struct view **out,
                     op_done_fn *done, void *arg);
struct view *view_ref(struct view *);
void view_unref(struct view **);
/* The message's bytes, CRLF; borrowed from the view. */
struct slice view_bytes(const struct view *);
const struct mime_message *view_mime(const struct view *);
int64_t view_message(const struct view *);

/* Opens new mail ahead of time, newest first, while nothing else waits:
 * a watcher on the store. */
void views_prepare_start(struct views *);

/* ---- pure, blocking: workers, tests and `sealpostctl smime open` ---- */

struct buf;
struct smime_report;
struct smime_verdict;

struct view_render_ask {
    struct slice raw;                  /* as the server gave it */
    const struct smime_report *report; /* of smime_open() */
    const struct smime_verdict *verdict;
    const char *authserv_id;
    struct slice top;                  /* recorded fields: used word for word
                                          in place of new ones; empty: none */
    const char *harvest;               /* fingerprint, or NULL */
    const char *bcc;                   /* who got it unseen, or NULL */
    bool undecryptable_original;       /* leave it as it came */
};
/* The readable message: fields that claim to be ours removed (RFC 8601
 * section 5), the verdict on top, the payload under the outer header. top_out
 * gets the fields that were put on top, word for word. */
int view_render(const struct view_render_ask *, struct buf *out,
                struct buf *top_out, struct err *e);

#endif
