/*
 * `sealpostctl search` and `sealpostctl folder empty`: what the server is
 * asked to do for a person at the shell.
 */
#include "ctl/private.h"

#include <stdlib.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/slice.h"

/* The dates become text on the way out. */
static void
show_found(const json_t *o, FILE *to)
{
    static const struct ctl_column columns[] = {
        {"DATE", "date", false},       {"FROM", "from", false},
        {"SUBJECT", "subject", false}, {"FOLDER", "folder", false},
        {"UID", "uid", true}};
    json_t *rows = json_deep_copy(json_object_get(o, "mails")), *row;
    json_int_t total = json_integer_value(json_object_get(o, "total"));
    char text[60];
    size_t i;

    json_array_foreach(rows, i, row)
    {
        json_t *date = json_object_get(row, "date");

        if (json_is_integer(date))
            json_object_set_new(
                row, "date",
                json_string(ctl_time_text(json_integer_value(date), text,
                                          sizeof text)));
    }
    ctl_table(rows, columns, ARRAY_LEN(columns), "the server finds nothing",
              to);
    if (total > (json_int_t)json_array_size(rows))
        fprintf(to, "(the first %zu of %lld; --max shows more)\n",
                json_array_size(rows), (long long)total);
    json_decref(rows);
}

int
ctl_cmd_search(struct ctl *c, struct err *e)
{
    const char *folder = ctl_option(c, "--folder"),
               *max = ctl_option(c, "--max");
    json_t *o = json_object(), *answer;
    uint32_t n;

    json_object_set_new(o, "account", ctl_json_text(slice_of(c->operand[0])));
    json_object_set_new(o, "words", ctl_json_text(slice_of(c->operand[1])));
    if (folder)
        json_object_set_new(o, "folder", ctl_json_text(slice_of(folder)));
    if (max && !slice_u32(slice_of(max), &n)) {
        json_decref(o);
        c->status = CTL_USAGE;
        return err_set(e, E_INPUT, "--max %.40s is no number", max);
    }
    if (max)
        json_object_set_new(o, "max", json_integer(n));
    if (ctl_call(c, "search", o, &answer, e))
        return -1;
    return ctl_print(c, answer, show_found, e);
}

static void
show_emptied(const json_t *o, FILE *to)
{
    fprintf(to, "%lld messages are gone for good%s\n",
            (long long)json_integer_value(json_object_get(o, "messages")),
            json_is_true(json_object_get(o, "at_once"))
                ? ""
                : "; the server is told one by one");
}

int
ctl_cmd_folder_empty(struct ctl *c, struct err *e)
{
    json_t *o = json_object(), *answer;

    json_object_set_new(o, "account", ctl_json_text(slice_of(c->operand[0])));
    json_object_set_new(o, "folder", ctl_json_text(slice_of(c->operand[1])));
    json_object_set_new(o, "force", json_boolean(ctl_has(c, "--force")));
    if (ctl_call(c, "folder empty", o, &answer, e))
        return -1;
    return ctl_print(c, answer, show_emptied, e);
}
