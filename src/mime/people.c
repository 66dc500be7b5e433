/*
 * To whom a message goes, as one text that is equal for equal people: the
 * copy of a message in Sent is recognised by it.
 */
#include "mime/address.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int
by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char *
mime_people(struct slice header)
{
    struct mime_addresses list = {0};
    const struct mime_address *a;
    struct buf out = BUF_INIT(16 << 20);
    char **specs = NULL;
    size_t at = 0, n = 0;

    mime_addresses_header(header, "To", &list);
    mime_addresses_header(header, "Cc", &list);
    while ((a = mime_addresses_next(&list, &at))) {
        struct buf spec = BUF_INIT(4096);

        if (mime_address_spec(a, &spec) == 0 && spec.len) {
            specs = xrealloc(specs, (n + 1) * sizeof *specs);
            specs[n++] = buf_take(&spec, NULL);
        }
        buf_clear(&spec);
    }
    for (size_t i = 0; i < n; i++)
        for (char *c = specs[i]; *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c + 32);
    if (n)
        qsort(specs, n, sizeof *specs, by_text);
    for (size_t i = 0; i < n; i++) {
        if (!i || strcmp(specs[i], specs[i - 1]) != 0)
            buf_addf(&out, "%s%s", out.len ? " " : "", specs[i]);
    }
    for (size_t i = 0; i < n; i++)
        free(specs[i]);
    free(specs);
    mime_addresses_clear(&list);
    return out.len ? buf_take(&out, NULL) : xstrdup("");
}
