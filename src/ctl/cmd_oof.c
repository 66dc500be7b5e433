/*
 * `sealpostctl oof`: the automatic answer while one is away, as the server has
 * it, and a change of it.
 */
#include "ctl/private.h"

#include <string.h>

#include <jansson.h>

#define TEXT_MAX ((size_t)64 << 10)

static void
show_text(const json_t *o, const char *key, const char *title, FILE *to)
{
    const json_t *m = json_object_get(o, key);
    const char *text = json_string_value(json_object_get(m, "text"));

    fprintf(to, "%-14s %s\n", title,
            json_is_true(json_object_get(m, "enabled")) ? "answered"
                                                        : "not answered");
    if (!text || !*text)
        return;
    for (struct slice rest = slice_of(text), line;
         slice_next(&rest, '\n', &line);) {
        fputs("    ", to);
        ctl_put(to, slice_trim(line), false);
        fputc('\n', to);
        if (!rest.n)
            break;
    }
}

static void
show_oof(const json_t *o, FILE *to)
{
    char text[60];

    fprintf(to, "%-14s %s\n", "out of office",
            ctl_text(o, "state", text, sizeof text));
    if (json_is_integer(json_object_get(o, "start"))) {
        fprintf(to, "%-14s %s\n", "from",
                ctl_time_text(json_integer_value(json_object_get(o, "start")),
                              text, sizeof text));
        fprintf(to, "%-14s %s\n", "until",
                ctl_time_text(json_integer_value(json_object_get(o, "end")),
                              text, sizeof text));
    }
    show_text(o, "internal", "colleagues", to);
    show_text(o, "contacts", "contacts", to);
    show_text(o, "others", "others", to);
}

/* --text TEXT or --text-file FILE. */
static int
text_put(struct ctl *c, json_t *o, const char *key, const char *option,
         const char *file_option, struct err *e)
{
    const char *text = ctl_option(c, option);
    const char *file = ctl_option(c, file_option);
    struct buf b = BUF_INIT(TEXT_MAX);

    if (text && file)
        return err_set(e, E_INPUT, "%s and %s exclude each other", option,
                       file_option);
    if (text)
        json_object_set_new(o, key, ctl_json_text(slice_of(text)));
    if (!file)
        return 0;
    if (ctl_read(file, &b, e)) {
        buf_clear(&b);
        return -1;
    }
    json_object_set_new(o, key, ctl_json_text(slice_trim(buf_slice(&b))));
    buf_clear(&b);
    return 0;
}

static int
time_put(struct ctl *c, json_t *o, const char *key, const char *option,
         struct err *e)
{
    int64_t when;

    if (ctl_time(ctl_option(c, option), option, &when, e))
        return -1;
    json_object_set_new(o, key, json_integer(when));
    return 0;
}

static int
state_put(struct ctl *c, json_t *o, struct err *e)
{
    bool on = ctl_has(c, "--on"), off = ctl_has(c, "--off");
    bool from = ctl_option(c, "--from"), until = ctl_option(c, "--until");

    if (on + off + (from || until) != 1 || from != until)
        return err_set(e, E_INPUT, "say one of --on, --off, or both --from "
                                   "and --until");
    json_object_set_new(o, "state",
                        json_string(on ? "on" : off ? "off" : "timed"));
    if (!from)
        return 0;
    return time_put(c, o, "start", "--from", e) ||
                   time_put(c, o, "end", "--until", e)
               ? -1
               : 0;
}

static int
set_args(struct ctl *c, json_t *o, struct err *e)
{
    const char *outside = ctl_option(c, "--outside");

    if (state_put(c, o, e) ||
        text_put(c, o, "internal", "--text", "--text-file", e) ||
        text_put(c, o, "external", "--external", "--external-file", e))
        return -1;
    if (outside)
        json_object_set_new(o, "outside", ctl_json_text(slice_of(outside)));
    return 0;
}

int
ctl_cmd_oof(struct ctl *c, struct err *e)
{
    const char *verb = c->operands > 1 ? c->operand[1] : "get";
    bool set = strcmp(verb, "set") == 0;
    json_t *o = json_object(), *answer;

    json_object_set_new(o, "account", ctl_json_text(slice_of(c->operand[0])));
    if (!set && strcmp(verb, "get") != 0) {
        json_decref(o);
        c->status = CTL_USAGE;
        return err_set(e, E_INPUT, "oof %.40s: get or set", verb);
    }
    if (!set && c->ngiven) {
        json_decref(o);
        c->status = CTL_USAGE;
        return err_set(e, E_INPUT, "options change it: oof ACCOUNT set");
    }
    if (set && set_args(c, o, e)) {
        json_decref(o);
        c->status = CTL_USAGE;
        return -1;
    }
    if (ctl_call(c, set ? "oof set" : "oof get", o, &answer, e))
        return -1;
    return ctl_print(c, answer, show_oof, e);
}
