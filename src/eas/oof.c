/*
 * Out of office: Settings Oof, read and set (MS-ASCMD 2.2.3.118 and its
 * children). The texts go as plain text. Exchange wants the two texts for
 * people outside to be equal, so setting one sets both.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "eas/private.h"

#define MESSAGE_MAX ((size_t)256 << 10)

struct oof_call {
    struct eas_call call;
    struct eas_oof *out; /* of Get */
    struct eas_oof set;  /* of Set */
    bool is_set;
};

static const unsigned applies[EAS_OOF_AUDIENCES] = {
    [EAS_OOF_INTERNAL] = SETTINGS_APPLIES_TO_INTERNAL,
    [EAS_OOF_KNOWN] = SETTINGS_APPLIES_TO_EXTERNAL_KNOWN,
    [EAS_OOF_UNKNOWN] = SETTINGS_APPLIES_TO_EXTERNAL_UNKNOWN,
};

/* ---- the request */

static void
write_time(struct wbxml_writer *w, unsigned tag, int64_t when)
{
    time_t t = (time_t)when;
    struct tm tm;
    char text[40];

    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
    wbxml_write_text(w, tag, text);
}

static void
write_message(struct wbxml_writer *w, const struct eas_oof *o,
              enum eas_oof_audience who)
{
    wbxml_write_start(w, SETTINGS_OOF_MESSAGE);
    wbxml_write_empty(w, applies[who]);
    wbxml_write_text(w, SETTINGS_ENABLED,
                     o->messages[who].enabled ? "1" : "0");
    if (o->messages[who].enabled) {
        wbxml_write_text(w, SETTINGS_REPLY_MESSAGE, o->messages[who].text);
        wbxml_write_text(w, SETTINGS_BODY_TYPE, "TEXT");
    }
    wbxml_write_end(w);
}

static void
write_set(struct wbxml_writer *w, const struct eas_oof *o)
{
    wbxml_write_start(w, SETTINGS_SET);
    wbxml_write_number(w, SETTINGS_OOF_STATE, (long)o->state);
    if (o->state == EAS_OOF_TIMED) { /* both or none */
        write_time(w, SETTINGS_START_TIME, o->start);
        write_time(w, SETTINGS_END_TIME, o->end);
    }
    for (int i = 0; i < EAS_OOF_AUDIENCES && o->state != EAS_OOF_OFF; i++)
        write_message(w, o, (enum eas_oof_audience)i);
    wbxml_write_end(w);
}

static int
oof_build(struct eas_call *c, struct err *e)
{
    struct oof_call *o = (struct oof_call *)c;
    struct wbxml_writer *w = &c->req.w;

    (void)e;
    wbxml_write_start(w, SETTINGS_SETTINGS);
    wbxml_write_start(w, SETTINGS_OOF);
    if (o->is_set) {
        write_set(w, &o->set);
    } else {
        wbxml_write_start(w, SETTINGS_GET);
        wbxml_write_text(w, SETTINGS_BODY_TYPE, "TEXT");
        wbxml_write_end(w);
    }
    wbxml_write_end(w);
    wbxml_write_end(w);
    return 0;
}

/* ---- the answer */

static void
message_take(struct eas_oof *o, const struct wbxml_node *m)
{
    for (int i = 0; i < EAS_OOF_AUDIENCES; i++) {
        if (!wbxml_has(m, applies[i], 0))
            continue;
        o->messages[i].enabled = wbxml_number(m, 0, SETTINGS_ENABLED, 0) == 1;
        free(o->messages[i].text);
        o->messages[i].text = eas_dup_text(
            wbxml_text(m, SETTINGS_REPLY_MESSAGE, 0), MESSAGE_MAX);
    }
}

static void
oof_take(struct eas_oof *o, const struct wbxml_node *get)
{
    const struct wbxml_node *m = wbxml_find(get, SETTINGS_OOF_MESSAGE, 0);
    long state = wbxml_number(get, 0, SETTINGS_OOF_STATE, 0);

    /* SOGo leaves all of it out when it is off. */
    o->state = state == 1 ? EAS_OOF_ON : state == 2 ? EAS_OOF_TIMED
                                                    : EAS_OOF_OFF;
    o->start = eas_date_parse(wbxml_text(get, SETTINGS_START_TIME, 0));
    o->end = eas_date_parse(wbxml_text(get, SETTINGS_END_TIME, 0));
    for (; m; m = wbxml_again(m))
        message_take(o, m);
}

static int
oof_answer(struct eas_call *c, struct slice body, struct err *e)
{
    struct oof_call *o = (struct oof_call *)c;
    struct arena *a = arena_new();
    const struct wbxml_node *oof;
    struct wbxml_node *root;
    long status = 1;
    int rc = eas_answer_tree(a, body, SETTINGS_SETTINGS, &root, e);

    if (!rc) {
        oof = wbxml_find(root, SETTINGS_OOF, 0);
        status = wbxml_number(root, 1, SETTINGS_STATUS, 0);
        if (status == 1)
            status = wbxml_number(oof, 1, SETTINGS_STATUS, 0);
        if (status != 1)
            rc = eas_status_err(e, EAS_CMD_SETTINGS, (int)status);
        else if (!oof)
            rc = err_set(e, E_REMOTE, "the server knows no out-of-office");
        else if (!o->is_set)
            oof_take(o->out, wbxml_find(oof, SETTINGS_GET, 0));
    }
    arena_free(&a);
    return rc;
}

static void
oof_clear_call(struct eas_call *c)
{
    eas_oof_clear(&((struct oof_call *)c)->set);
}

static const struct eas_call_kind oof_kind = {.command = EAS_CMD_SETTINGS,
                                              .build = oof_build,
                                              .answer = oof_answer,
                                              .clear = oof_clear_call};

struct op *
eas_oof_get(struct eas *eas, struct eas_oof *out, op_done_fn *done, void *arg)
{
    struct oof_call *o = eas_call_new(eas, &oof_kind, sizeof *o);

    *out = (struct eas_oof){0};
    o->out = out;
    return eas_call_start(&o->call, done, arg);
}

struct op *
eas_oof_set(struct eas *eas, const struct eas_oof *set, op_done_fn *done,
            void *arg)
{
    struct oof_call *o;

    if (set->state == EAS_OOF_TIMED && set->start >= set->end)
        return op_decided(&(struct err){E_INPUT, "the absence ends before it "
                                                 "begins"},
                          done, arg);
    o = eas_call_new(eas, &oof_kind, sizeof *o);
    o->is_set = true;
    o->set = *set;
    for (int i = 0; i < EAS_OOF_AUDIENCES; i++) {
        /* Outside, both texts are one. */
        const char *text = set->messages[i].text;

        if (i == EAS_OOF_UNKNOWN && !text)
            text = set->messages[EAS_OOF_KNOWN].text;
        o->set.messages[i].text = text ? xstrdup(text) : NULL;
    }
    return eas_call_start(&o->call, done, arg);
}

void
eas_oof_clear(struct eas_oof *o)
{
    for (int i = 0; i < EAS_OOF_AUDIENCES; i++)
        free(o->messages[i].text);
    *o = (struct eas_oof){0};
}
