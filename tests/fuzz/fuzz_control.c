/*
 * Request lines of the control door, as they come: one after the other. What
 * parses has a command, and its answer is one line.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "control/private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
line_try(struct slice line)
{
    struct err e = {0};
    json_t *o = control_request_parse(line, &e);
    const char *text;
    char *answer;
    size_t len;

    if (o) {
        if (control_text(o, "command", 100, true, &text, &e) || !text)
            abort();
        if (control_text(o, "account", 10, false, &text, &e) == 0 && text &&
            strlen(text) > 10)
            abort();
        answer = control_answer_ok(o, &len);
        control_wipe(o, "password");
    } else {
        if (!e.code)
            abort();
        answer = control_answer_error(&e, &len);
    }
    if (!len || memchr(answer, '\n', len) != answer + len - 1)
        abort();
    free(answer);
    json_decref(o);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_make(data, size), line;

    while (slice_next(&rest, '\n', &line))
        line_try(line);
    return 0;
}
