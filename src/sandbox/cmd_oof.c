/*
 * The absence note (MS-ASCMD 2.2.3.122 and below, Settings): got and set, kept
 * in DIR/state/ADDRESS/oof. It is not sent to anybody.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "sandbox/call.h"

#define FILE_MAX ((size_t)1 << 20)
#define AUDIENCES 3u

static const unsigned audiences[AUDIENCES] = {
    SETTINGS_APPLIES_TO_INTERNAL, SETTINGS_APPLIES_TO_EXTERNAL_KNOWN,
    SETTINGS_APPLIES_TO_EXTERNAL_UNKNOWN};

struct note {
    int state; /* 0 off, 1 on, 2 between start and end */
    char start[64], end[64];
    struct {
        bool enabled;
        char *text, *type;
    } message[AUDIENCES];
};

static void
note_clear(struct note *n)
{
    for (size_t i = 0; i < AUDIENCES; i++) {
        free(n->message[i].text);
        free(n->message[i].type);
    }
}

static void
text_set(char **to, struct slice s)
{
    free(*to);
    *to = slice_dup(s);
}

/* ---- the file: "state N", "start T", "end T", then of each audience a line
 * "ENABLED TYPE BYTES" and the text */

static char *
note_path(struct call *c)
{
    return xasprintf("%s/oof", c->user->state);
}

static int
note_save(struct call *c, const struct note *n, struct err *e)
{
    struct buf b = BUF_INIT(FILE_MAX);
    char *path = note_path(c);
    int rc;

    buf_addf(&b, "%d|%s|%s\n", n->state, n->start, n->end);
    for (size_t i = 0; i < AUDIENCES; i++) {
        const char *text = n->message[i].text ? n->message[i].text : "";
        const char *type = n->message[i].type ? n->message[i].type : "TEXT";

        buf_addf(&b, "%d|%s|%zu\n%s\n", n->message[i].enabled, type,
                 strlen(text), text);
    }
    rc = file_write(path, buf_slice(&b), 0600, false, e);
    free(path);
    buf_clear(&b);
    return rc;
}

static void
note_load(struct call *c, struct note *n)
{
    struct buf b = BUF_INIT(FILE_MAX);
    char *path = note_path(c);
    struct slice rest, line, word;
    uint32_t number = 0;
    struct err e;

    *n = (struct note){.state = 0};
    if (!file_read(path, &b, &e)) {
        rest = buf_slice(&b);
        slice_next(&rest, '\n', &line);
        slice_next(&line, '|', &word);
        slice_u32(word, &number);
        n->state = (int)number;
        slice_next(&line, '|', &word);
        slice_copy(word, n->start, sizeof n->start);
        slice_copy(line, n->end, sizeof n->end);
        for (size_t i = 0; i < AUDIENCES && slice_next(&rest, '\n', &line);
             i++) {
            slice_next(&line, '|', &word);
            n->message[i].enabled = slice_is(word, "1");
            slice_next(&line, '|', &word);
            text_set(&n->message[i].type, word);
            if (!slice_u32(line, &number) || number > rest.n)
                break;
            text_set(&n->message[i].text, slice_cut(rest, 0, number));
            rest = slice_from(rest, number < rest.n ? number + 1 : number);
        }
    }
    free(path);
    buf_clear(&b);
}

/* ---- Get */

static void
write_message(struct call *c, const struct note *n, size_t i)
{
    wbxml_write_start(&c->w, SETTINGS_OOF_MESSAGE);
    wbxml_write_empty(&c->w, audiences[i]);
    wbxml_write_number(&c->w, SETTINGS_ENABLED, n->message[i].enabled);
    if (n->message[i].text && n->message[i].text[0]) {
        wbxml_write_text(&c->w, SETTINGS_REPLY_MESSAGE, n->message[i].text);
        wbxml_write_text(&c->w, SETTINGS_BODY_TYPE, n->message[i].type);
    }
    wbxml_write_end(&c->w);
}

static void
get(struct call *c)
{
    struct note n;

    note_load(c, &n);
    wbxml_write_text(&c->w, SETTINGS_STATUS, "1");
    wbxml_write_start(&c->w, SETTINGS_GET);
    wbxml_write_number(&c->w, SETTINGS_OOF_STATE, n.state);
    if (n.start[0]) {
        wbxml_write_text(&c->w, SETTINGS_START_TIME, n.start);
        wbxml_write_text(&c->w, SETTINGS_END_TIME, n.end);
    }
    for (size_t i = 0; i < AUDIENCES; i++)
        write_message(c, &n, i);
    wbxml_write_end(&c->w);
    note_clear(&n);
}

/* ---- Set */

/* 0 or a status: 2 against the schema. */
static int
message_take(const struct wbxml_node *m, struct note *n)
{
    struct slice text = wbxml_text(m, SETTINGS_REPLY_MESSAGE, 0);
    struct slice type = wbxml_text(m, SETTINGS_BODY_TYPE, 0);
    unsigned count = 0;

    if (type.p && !slice_iis(type, "TEXT") && !slice_iis(type, "HTML"))
        return 2;
    if (text.n && !type.n)
        return 2;
    for (size_t i = 0; i < AUDIENCES; i++) {
        if (!wbxml_has(m, audiences[i], 0))
            continue;
        count++;
        n->message[i].enabled = wbxml_number(m, 0, SETTINGS_ENABLED, 0) == 1;
        if (text.p)
            text_set(&n->message[i].text, text);
        if (type.p)
            text_set(&n->message[i].type, type);
    }
    return count == 1 ? 0 : 2;
}

/* The texts for those outside are one text at Exchange (product notes). */
static bool
is_conflict(const struct note *n)
{
    const char *a = n->message[1].text, *b = n->message[2].text;

    return n->message[1].enabled && n->message[2].enabled &&
           strcmp(a ? a : "", b ? b : "") != 0;
}

static int
set(struct call *c, const struct wbxml_node *said)
{
    struct slice start = wbxml_text(said, SETTINGS_START_TIME, 0);
    struct slice end = wbxml_text(said, SETTINGS_END_TIME, 0);
    const struct wbxml_node *m = wbxml_find(said, SETTINGS_OOF_MESSAGE, 0);
    long state = wbxml_number(said, -1, SETTINGS_OOF_STATE, 0);
    struct note n;
    struct err e;
    int status = 0;

    note_load(c, &n);
    if (wbxml_has(said, SETTINGS_OOF_STATE, 0))
        n.state = (int)state;
    if (n.state < 0 || n.state > 2 || !start.p != !end.p)
        status = 2;
    if (n.state == 2 && !start.p)
        status = 5;
    if (!slice_copy(start.p ? start : SLICE(""), n.start, sizeof n.start) ||
        !slice_copy(end.p ? end : SLICE(""), n.end, sizeof n.end))
        status = 5;
    for (; m && !status; m = wbxml_again(m))
        status = message_take(m, &n);
    if (!status && n.start[0] && strcmp(n.start, n.end) >= 0)
        status = 6;
    if (!status && is_conflict(&n))
        status = 6;
    if (!status && note_save(c, &n, &e)) {
        log_error("oof", "%s", e.text);
        status = 4;
    }
    note_clear(&n);
    return status ? status : 1;
}

void
oof_answer(struct call *c)
{
    const struct wbxml_node *oof = wbxml_find(c->root, SETTINGS_OOF, 0);
    const struct wbxml_node *said = wbxml_find(oof, SETTINGS_SET, 0);
    bool wants = wbxml_has(oof, SETTINGS_GET, 0);
    int status;

    wbxml_write_start(&c->w, SETTINGS_OOF);
    if (!said == !wants) { /* both or neither */
        call_note_breach(c, "Oof: Get and Set");
        wbxml_write_number(&c->w, SETTINGS_STATUS, 2);
    } else if (wants) {
        get(c);
    } else {
        status = set(c, said);
        if (status == 2)
            call_note_breach(c, "Oof Set against the rules");
        wbxml_write_number(&c->w, SETTINGS_STATUS, status);
    }
    wbxml_write_end(&c->w);
}
