/*
 * What an IMAP client may send: any bytes become commands or errors, within
 * the limits, whatever pieces they come in; what was parsed can be used.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "imap/command.h"
#include "imap/envelope.h"
#include "imap/fetch.h"
#include "imap/input.h"
#include "imap/search.h"
#include "store/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIMIT ((size_t)4096)

/* A search is held against a message of which little is known. */
static void
search(struct imap_command *cmd)
{
    static const struct store_message row = {.keywords = "a b",
                                             .from = "f",
                                             .to = "t",
                                             .cc = "",
                                             .subject = "s"};
    struct imap_search_args *a = cmd->args;
    struct imap_candidate c = {.number = 1,
                               .uid = 2,
                               .row = &row,
                               .missing = true,
                               .arena = cmd->arena};

    if (a->key)
        imap_match(a->key, &c);
}

static void
command(struct slice text)
{
    struct imap_command cmd = {.arena = arena_new()};
    char *copy = xmemdup(text.p ? text.p : "", text.n);
    struct err e = {0};

    if (imap_command_parse(&cmd, copy, text.n, &e)) {
        if ((e.code != E_INPUT && e.code != E_MISSING) || strchr(e.text, '\n'))
            abort();
    } else if (strcmp(cmd.def->name, "SEARCH") == 0) {
        search(&cmd);
    } else if (strcmp(cmd.def->name, "FETCH") == 0) {
        struct imap_fetch_args *a = cmd.args;

        imap_set_settle(&a->set, 7);
        for (size_t i = 1; i < a->set.n; i++)
            if (a->set.ranges[i].from <= a->set.ranges[i - 1].to)
                abort();
    }
    free(copy);
    arena_free(&cmd.arena);
}

/* The first byte says how large the pieces are. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct imap_input in;
    struct slice rest = slice_make(data, size), out;
    struct arena *a = arena_new();
    size_t step = size ? data[0] + 1u : 1;

    imap_input_init(&in, LIMIT);
    rest = slice_from(rest, 1);
    while (rest.n) {
        size_t used, n = rest.n < step ? rest.n : step;
        enum imap_input_event what =
            imap_input_feed(&in, slice_cut(rest, 0, n), &used);

        rest = slice_from(rest, used);
        if (in.text.len > LIMIT + in.big)
            abort();
        if (what == IMAP_INPUT_LITERAL) {
            if (!imap_input_take(&in, in.size < 100000 && in.size % 7 == 0))
                imap_input_skip(&in);
        } else if (what == IMAP_INPUT_COMMAND) {
            command(buf_slice(&in.text));
            imap_input_reset(&in);
        } else if (what == IMAP_INPUT_LONG) {
            break;
        }
    }
    imap_input_reset(&in);
    /* Records come from our own writer, but rest on a disk. */
    {
        char *text = xmemdup(data ? (const void *)data : "", size);

        imap_envelope_text(text, IMAP_ENVELOPE_BCC, a, &out);
        free(text);
    }
    arena_free(&a);
    return 0;
}
