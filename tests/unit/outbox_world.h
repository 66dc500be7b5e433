/*
 * An account with its outbox for the tests: store, keys, certificates and a
 * client of the scripted server, which tells what it got.
 */
#ifndef SEALPOST_TESTS_OUTBOX_WORLD_H
#define SEALPOST_TESTS_OUTBOX_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/slice.h"
#include "eas_server.h"
#include "outbox/outbox.h"

#define PKI "tests/data/smime/generated/pki/"
#define AT 1795593600 /* 2026-11-25 08:00 UTC, within the test PKI's dates */
#define SENDS_MAX 8

struct certs;
struct certs_anchors;

/* What the server got by SendMail, in order. */
struct sent {
    char *client_id, *mime;
    size_t len;
    bool save, replace;
    char *source; /* ItemId of what is answered; "" none */
};
extern struct sent sent[SENDS_MAX];
extern int nsent;
void sent_clear(void);
/* The value of a field of what was sent as the i-th; static. */
const char *field(int i, const char *name);

struct outbox_world {
    char *dir;
    struct worker *disk, *crypto;
    struct store *store;
    struct eas *eas;
    struct keys *keys;
    struct certs *certs;
    struct settings *settings;
    struct outbox *ob;
    int looks; /* into Sent */
    struct err look_err;
    void (*on_look)(void);
};
extern struct outbox_world w;
extern struct certs_anchors *anchors;
extern struct secret data_key;

void world_setup(void);
void world_teardown(void);
/* A fresh account with alice's keys and certificates of bob and carol;
 * `more` are lines of its block. */
void account(const char *name, const char *more);
void close_account(void);
/* An account that was made before, which signs and encrypts always; without
 * outbox_start(). */
void world_open(const char *dir);
/* The tap of the scripted server that fills `sent`. */
void world_tap(const char *target, struct slice body);
/* The same directory as after a new start, without outbox_start(). */
void open_parts(const char *more);
void close_parts(void);
void settings_open(const char *more);
/* As the account does: the settings' keys. */
void world_choose_keys(void);

/* The latest submission. */
extern struct outcome done;
extern struct outbox_result result;
extern struct op *slot;
/* `to` separated by blanks. */
void submit_text(const char *to, const char *text);
/* Message 1 to bob, with these fields on top. */
void submit(const char *to, const char *fields);
void finish(void);

int state_of(const char *id); /* -1: no such row */
void until_state(const char *id, int state);
void until_sent(int n);
void linger(int ms);
size_t rows(void);
size_t rows_open(void); /* that are not sent */
size_t files(void);
/* Sent is listed, and (id not NULL) this message comes into it. */
void sent_arrives(const char *id, struct slice mime);

#endif
