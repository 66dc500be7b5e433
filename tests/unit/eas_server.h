/*
 * A server for the tests of eas: plays a script of answers over TLS on a
 * free loopback port and compares each request, as XML, with what the script
 * wants.
 */
#ifndef SEALPOST_TESTS_EAS_SERVER_H
#define SEALPOST_TESTS_EAS_SERVER_H

#include <stddef.h>

#include "base/slice.h"
#include "eas/eas.h"

enum script_how {
    PLAY,     /* answer with status and body */
    PLAY_CUT, /* WBXML with its last two bytes missing */
    PLAY_RAW, /* `xml` is the body as it is */
    PLAY_DROP, /* break the connection off, no answer */
    PLAY_PARK, /* no answer until eas_server_release() */
};

struct script {
    const char *cmd;    /* "FolderSync"; "OPTIONS" */
    const char *want;   /* the request as XML, blanks squeezed; NULL: any */
    const char *header; /* "name: value" that must be there; or NULL */
    int status;         /* 0: 200 */
    const char *headers[4];
    const char *xml; /* of the answer; NULL: empty body */
    enum script_how how;
    const char *data; /* PLAY_RAW with NULs: bytes and their number */
    size_t ndata;
};

void eas_server_start(void);
void eas_server_stop(void);
/* The script to play now, ended by cmd == NULL. */
void eas_server_play(const struct script *);
/* Told of each request before it is answered: "?Cmd=..." and the WBXML. */
void eas_server_tap(void (*tap)(const char *target, struct slice body));
/* How many steps were played; requests beyond the script are failures. */
int eas_server_played(void);
/* Answers the parked request with the step's xml. */
void eas_server_release(void);
int eas_server_parked(void);
/* Most requests that were parked at one time. */
const char *eas_server_url(void); /* https://localhost:PORT */
const char *eas_server_ca(void);

/* A client of that server, signed in as alice, with the state given. */
struct eas *eas_client(const struct eas_state *state, struct eas_config *more);
/* A state that needs neither OPTIONS nor Provision. */
struct eas_state eas_ready(const char *version);

/* Turns the loop until *done or ten seconds are over. */
void turn(const int *done, int want);

/* done callback: counts and keeps the error. */
struct outcome {
    int runs;
    struct err err;
};
void on_outcome_done(void *arg, const struct err *err);

#endif
