/*
 * What sealpostctl writes: a result as one line of JSON, or as plain text
 * for people. Text from mail and servers never brings control characters to
 * the terminal.
 */
#include "ctl/private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "base/mem.h"
#include "mime/encoding.h"

#define COLUMNS_MAX 12u

int
ctl_print(struct ctl *c, struct json_t *result,
          void (*show)(const struct json_t *, FILE *), struct err *e)
{
    int rc = 0;

    if (c->json) {
        char *line = json_dumps(result, JSON_COMPACT | JSON_PRESERVE_ORDER |
                                            JSON_ENCODE_ANY);

        if (line)
            puts(line);
        else
            rc = err_set(e, E_LIMIT, "the result is too deep for JSON");
        free(line);
    } else {
        show(result, stdout);
    }
    json_decref(result);
    if (rc == 0 && (fflush(stdout) || ferror(stdout)))
        rc = err_set(e, E_FULL, "stdout could not be written");
    return rc;
}

struct json_t *
ctl_json_text(struct slice s)
{
    struct buf b;
    json_t *j;
    size_t from = 0;

    if (mime_is_utf8(s))
        return json_stringn(s.p ? s.p : "", s.n);
    buf_init(&b, s.n * 3 + 1);
    while (from < s.n) {
        size_t n = 1, best = 0;

        if ((unsigned char)s.p[from] < 0x80)
            best = 1;
        for (; !best && n <= 4 && from + n <= s.n; n++)
            if (mime_is_utf8(slice_cut(s, from, from + n)))
                best = n;
        if (best)
            buf_add(&b, s.p + from, best);
        else
            buf_adds(&b, "\xef\xbf\xbd");
        from += best ? best : 1;
    }
    j = json_stringn(b.data, b.len);
    buf_clear(&b);
    return j;
}

void
ctl_put(FILE *to, struct slice s, bool lines)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        /* C1 controls in UTF-8 are C2 80 to C2 9F. */
        bool c1 = c == 0xc2 && i + 1 < s.n &&
                  (unsigned char)s.p[i + 1] >= 0x80 &&
                  (unsigned char)s.p[i + 1] < 0xa0;

        if (c1)
            i++;
        if (c1 || (c < 0x20 && !(lines && c == '\n')) || c == 0x7f)
            fputc(' ', to);
        else
            fputc(c, to);
    }
}

const char *
ctl_text(const struct json_t *o, const char *key, char *dst, size_t size)
{
    const json_t *j = json_object_get(o, key);

    switch (j ? json_typeof(j) : JSON_NULL) {
    case JSON_STRING:
        snprintf(dst, size, "%s", json_string_value(j));
        break;
    case JSON_INTEGER:
        snprintf(dst, size, "%lld", (long long)json_integer_value(j));
        break;
    case JSON_TRUE:
        snprintf(dst, size, "yes");
        break;
    case JSON_FALSE:
        snprintf(dst, size, "no");
        break;
    default:
        snprintf(dst, size, "-");
    }
    if (!*dst)
        snprintf(dst, size, "-");
    return dst;
}

const char *
ctl_time_text(int64_t t, char *dst, size_t size)
{
    time_t at = (time_t)t;
    struct tm tm;

    if (t <= 0 || !localtime_r(&at, &tm) ||
        !strftime(dst, size, "%Y-%m-%d %H:%M", &tm))
        snprintf(dst, size, "-");
    return dst;
}

/* Characters, not bytes; wide ones are not told apart. */
static size_t
width(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static void
pad(FILE *to, size_t n)
{
    while (n-- > 0)
        fputc(' ', to);
}

static void
cell(FILE *to, const char *text, const struct ctl_column *col, size_t wide,
     bool last)
{
    size_t blank = wide - width(text);

    if (col->right)
        pad(to, blank);
    ctl_put(to, slice_of(text), false);
    if (!col->right && !last)
        pad(to, blank);
    fputs(last ? "\n" : "  ", to);
}

void
ctl_table(const struct json_t *rows, const struct ctl_column *columns,
          size_t n, const char *none, FILE *to)
{
    size_t wide[COLUMNS_MAX] = {0}, i;
    char text[1024];
    json_t *row;

    if (!json_array_size(rows)) {
        fprintf(to, "%s\n", none);
        return;
    }
    for (size_t k = 0; k < n; k++)
        wide[k] = width(columns[k].title);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
        for (size_t k = 0; k < n; k++) {
            size_t w = width(ctl_text(row, columns[k].key, text, sizeof text));

            wide[k] = w > wide[k] ? w : wide[k];
        }
    for (size_t k = 0; k < n; k++)
        cell(to, columns[k].title, &columns[k], wide[k], k + 1 == n);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
        for (size_t k = 0; k < n; k++)
            cell(to, ctl_text(row, columns[k].key, text, sizeof text),
                 &columns[k], wide[k], k + 1 == n);
}
