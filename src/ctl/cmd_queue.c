/*
 * `sealpostctl queue ...`: what waits to be sent, and what is decided about
 * it.
 */
#include "ctl/private.h"

#include <string.h>

#include <jansson.h>

#include "base/mem.h"

static void
time_set(json_t *o, const char *key, const char *as)
{
    char text[40];

    json_object_set_new(
        o, as,
        json_string(ctl_time_text(
            json_integer_value(json_object_get(o, key)), text, sizeof text)));
}

/* "bob@x and 2 more" */
static void
recipients_set(json_t *o)
{
    const json_t *list = json_object_get(o, "recipients");
    const char *first = json_string_value(json_array_get(list, 0));
    size_t n = json_array_size(list);
    char more[40] = "";

    if (n > 1)
        snprintf(more, sizeof more, " and %zu more", n - 1);
    json_object_set_new(o, "to",
                        json_sprintf("%s%s", first ? first : "-", more));
}

static void
show_list(const json_t *rows, FILE *to)
{
    static const struct ctl_column columns[] = {
        {"ID", "id", false},         {"ACCOUNT", "account", false},
        {"STATE", "state", false},   {"SIZE", "size", true},
        {"CAME", "came", false},     {"NEXT TRY", "again", false},
        {"TRIES", "tries", true},    {"TO", "to", false}};
    json_t *list = json_array(), *o;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)rows, i, o) {
        json_t *copy = json_copy(o);

        time_set(copy, "created", "came");
        time_set(copy, "next_try", "again");
        recipients_set(copy);
        json_array_append_new(list, copy);
    }
    ctl_table(list, columns, ARRAY_LEN(columns), "the queue is empty", to);
    json_decref(list);
}

int
ctl_cmd_queue_list(struct ctl *c, struct err *e)
{
    json_t *args = json_object(), *rows;

    if (c->operands)
        json_object_set_new(args, "account",
                            ctl_json_text(slice_of(c->operand[0])));
    if (ctl_call_rows(c, "queue list", args, &rows, e))
        return -1;
    return ctl_print(c, rows, show_list, e);
}

static json_t *
id_args(const struct ctl *c)
{
    json_t *o = json_object();

    json_object_set_new(o, "id", ctl_json_text(slice_of(c->operand[0])));
    return o;
}

static void
show_one(const json_t *o, FILE *to)
{
    static const char *const lines[][2] = {
        {"id", "id"},               {"account", "account"},
        {"state", "state"},         {"sender", "sender"},
        {"message_id", "message"},  {"size", "size"},
        {"signed", "signed"},       {"encrypted", "encrypted"},
        {"tries", "tries"},         {"error", "last error"},
        {"parent", "copy of"}};
    char text[1100];
    const json_t *r;
    size_t i;

    for (i = 0; i < ARRAY_LEN(lines); i++) {
        fprintf(to, "%-11s ", lines[i][1]);
        ctl_put(to, slice_of(ctl_text(o, lines[i][0], text, sizeof text)),
                false);
        fputc('\n', to);
    }
    fprintf(to, "%-11s %s\n", "came",
            ctl_time_text(json_integer_value(json_object_get(o, "created")),
                          text, sizeof text));
    fprintf(to, "%-11s %s\n", "next try",
            ctl_time_text(json_integer_value(json_object_get(o, "next_try")),
                          text, sizeof text));
    json_array_foreach(json_object_get(o, "recipients"), i, r) {
        fprintf(to, "%-11s ", i ? "" : "to");
        ctl_put(to, slice_of(json_string_value(r)), false);
        fputc('\n', to);
    }
}

int
ctl_cmd_queue_show(struct ctl *c, struct err *e)
{
    json_t *o;

    if (ctl_call_anyway(c, "queue show", id_args(c), &o, e))
        return -1;
    return ctl_print(c, o, show_one, e);
}

static void
show_decided(const json_t *o, FILE *to)
{
    char word[40], id[60];

    fprintf(to, "%s %s\n", ctl_text(o, "done", word, sizeof word),
            ctl_text(o, "id", id, sizeof id));
}

/* These need the daemon: it owns what is under way. */
static int
decide(struct ctl *c, const char *command, struct err *e)
{
    json_t *o;

    if (ctl_call(c, command, id_args(c), &o, e))
        return -1;
    return ctl_print(c, o, show_decided, e);
}

int
ctl_cmd_queue_retry(struct ctl *c, struct err *e)
{
    return decide(c, "queue retry", e);
}

int
ctl_cmd_queue_release(struct ctl *c, struct err *e)
{
    return decide(c, "queue release", e);
}

int
ctl_cmd_queue_hold(struct ctl *c, struct err *e)
{
    return decide(c, "queue hold", e);
}

int
ctl_cmd_queue_delete(struct ctl *c, struct err *e)
{
    return decide(c, "queue delete", e);
}
