/*
 * Bytes to commands. Called by client.c for whatever has come; what a
 * command means is found out later, when it is whole.
 */
#include "imap/input.h"

#include <string.h>

#include "base/mem.h"

/* A message of 4 GiB is over every limit we have. */
#define LITERAL_DIGITS 10u

void
imap_input_init(struct imap_input *in, size_t limit)
{
    memset(in, 0, sizeof *in);
    in->limit = limit;
    buf_init(&in->text, limit);
}

void
imap_input_reset(struct imap_input *in)
{
    size_t limit = in->limit;

    buf_wipe(&in->text);
    imap_input_init(in, limit);
}

/* Is the end of the line inside a quoted string? Quotes never span lines. */
static bool
in_quotes(struct slice line)
{
    bool quoted = false;

    for (size_t i = 0; i < line.n; i++) {
        if (quoted && line.p[i] == '\\')
            i++;
        else if (line.p[i] == '"')
            quoted = !quoted;
    }
    return quoted;
}

/* "{123}" or "{123+}" at the end of the line. */
static bool
literal_announced(struct imap_input *in, struct slice line)
{
    size_t at = line.n;
    struct slice digits;

    if (in->raw || at < 3 || line.p[at - 1] != '}')
        return false;
    at--;
    in->plus = line.p[at - 1] == '+';
    if (in->plus)
        at--;
    digits = slice_cut(line, 0, at);
    while (at && ascii_is_digit((unsigned char)line.p[at - 1]))
        at--;
    digits = slice_from(digits, at);
    if (!at || line.p[at - 1] != '{' || digits.n > LITERAL_DIGITS ||
        !slice_u64(digits, &in->size))
        return false;
    return !in_quotes(slice_cut(line, 0, at - 1));
}

/* The text grows to `n` bytes more than it has; false over the limit. */
static bool
text_room(struct imap_input *in, uint64_t n)
{
    return in->text.len - in->big + n <= in->limit;
}

bool
imap_input_take(struct imap_input *in, bool big)
{
    if (!big && !text_room(in, in->size))
        return false;
    if (big)
        in->big += (size_t)in->size;
    in->text.limit = in->limit + in->big;
    in->literal = in->size;
    in->skipping = false;
    return true;
}

void
imap_input_skip(struct imap_input *in)
{
    in->literal = in->size;
    in->skipping = in->skipped = true;
}

static size_t
feed_literal(struct imap_input *in, struct slice s)
{
    size_t n = s.n < in->literal ? s.n : (size_t)in->literal;

    if (!in->skipping)
        buf_add(&in->text, s.p, n);
    in->literal -= n;
    if (!in->literal)
        in->line = in->text.len;
    return n;
}

/* A line's end is in the text. */
static enum imap_input_event
line_done(struct imap_input *in)
{
    struct slice line = slice_from(buf_slice(&in->text), in->line);

    line.n--;
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    else
        in->bare = true;
    if (line.n && memchr(line.p, '\0', line.n))
        in->bare = true;
    if (literal_announced(in, line))
        return IMAP_INPUT_LITERAL; /* its CRLF stays in the text */
    buf_truncate(&in->text, in->line + line.n);
    return IMAP_INPUT_COMMAND;
}

enum imap_input_event
imap_input_feed(struct imap_input *in, struct slice s, size_t *used)
{
    *used = 0;
    while (*used < s.n) {
        struct slice rest = slice_from(s, *used);
        size_t n;

        if (in->literal) {
            *used += feed_literal(in, rest);
            continue;
        }
        n = slice_find(rest, '\n');
        n = n < rest.n ? n + 1 : n;
        if (!text_room(in, n))
            return IMAP_INPUT_LONG;
        buf_add(&in->text, rest.p, n);
        *used += n;
        if (rest.p[n - 1] == '\n')
            return line_done(in);
    }
    return IMAP_INPUT_MORE;
}
