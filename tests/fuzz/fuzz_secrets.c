/*
 * The plain form of the secrets, as it comes out of the file: what parses is
 * written back byte for byte. The file's own form and hashes of passwords get
 * the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>

#include "secrets/hash.h"
#include "secrets/private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);
    struct secret key = {0}, plain = {0};
    struct secrets_entry *list;
    struct err e;
    size_t n;
    char *text = slice_dup(in);

    secrets_hash_is_valid(text);
    free(text);
    secret_set(&key, "0123456789abcdef0123456789abcdef", SECRETS_KEY_LEN);
    if (secrets_form_open(in, &key, &plain, &e) == 0)
        secret_clear(&plain);
    if (secrets_form_parse(in, &list, &n, &e) == 0) {
        secrets_form_write(list, n, &plain);
        if (!slice_eq(secret_slice(&plain), in))
            abort();
        free(list);
    }
    secret_clear(&plain);
    secret_clear(&key);
    return 0;
}
