/*
 * The configuration: any text either loads or is refused with a place and a
 * reason; what loads is equal to itself loaded again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "settings/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make(data, size);
    struct settings *a = NULL, *b = NULL;
    struct settings_diff d;
    struct err e = {0};
    size_t i = 0;

    if (settings_load_text(text, "f", "/d", &a, &e)) {
        if (e.code != E_INPUT && e.code != E_LIMIT)
            abort();
        if (e.text[0] != 'f' || strchr(e.text, '\n'))
            abort();
        return 0;
    }
    if (settings_load_text(text, "f", "/d", &b, &e))
        abort();
    while (settings_diff_next(a, b, &i, &d))
        if (d.kind != SETTINGS_SAME)
            abort();
    settings_free(&a);
    settings_free(&b);
    return 0;
}
