/*
 * A request line and an answer line: JSON objects (server.h). Pure; what is
 * read is bounded by the line's limit before it comes here.
 */
#include "control/private.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"

#define COMMAND_MAX 100u

struct json_t *
control_request_parse(struct slice line, struct err *e)
{
    json_error_t why;
    json_t *o = json_loadb(line.p ? line.p : "", line.n,
                           JSON_REJECT_DUPLICATES, &why);
    const char *command;

    if (!json_is_object(o)) {
        json_decref(o);
        err_set(e, E_INPUT, "a request is one line with a JSON object");
        return NULL;
    }
    if (control_text(o, "command", COMMAND_MAX, true, &command, e)) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static char *
line_of(json_t *take, size_t *len_out)
{
    char *text = json_dumps(take, JSON_COMPACT | JSON_PRESERVE_ORDER);
    char *line;

    json_decref(take);
    line = xasprintf("%s\n",
                     text ? text
                          : "{\"ok\":false,\"code\":\"E_BUG\",\"error\":"
                            "\"the answer could not be written\"}");
    if (text) {
        mem_wipe(text, strlen(text));
        free(text);
    }
    *len_out = strlen(line);
    return line;
}

char *
control_answer_ok(const struct json_t *result, size_t *len_out)
{
    json_t *o = json_object();

    json_object_set_new(o, "ok", json_true());
    json_object_set(o, "result", (json_t *)(uintptr_t)result);
    return line_of(o, len_out);
}

char *
control_answer_error(const struct err *e, size_t *len_out)
{
    json_t *o = json_object(), *text = json_string(e->text);

    json_object_set_new(o, "ok", json_false());
    json_object_set_new(o, "code", json_string(err_name(e->code)));
    json_object_set_new(o, "error", text ? text : json_string("?"));
    return line_of(o, len_out);
}

int
control_text(const struct json_t *request, const char *name, size_t max,
             bool required, const char **out, struct err *e)
{
    const json_t *j = json_object_get(request, name);

    *out = NULL;
    if (!j || json_is_null(j))
        return required ? err_set(e, E_INPUT, "the request needs \"%s\"", name)
                        : 0;
    if (!json_is_string(j))
        return err_set(e, E_INPUT, "\"%s\" of the request is no text", name);
    if (json_string_length(j) > max)
        return err_set(e, E_LIMIT, "\"%s\" of the request is over %zu bytes",
                       name, max);
    *out = json_string_value(j);
    return 0;
}

void
control_wipe(struct json_t *request, const char *name)
{
    json_t *j = json_object_get(request, name);

    if (json_is_string(j))
        mem_wipe((char *)(uintptr_t)json_string_value(j),
                 json_string_length(j));
}
