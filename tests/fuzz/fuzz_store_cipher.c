/*
 * Sealed files: foreign bytes never open, and a file of ours that was changed
 * in one place, cut or lengthened never opens either. The first two bytes say
 * where and how.
 */
#include <stdint.h>
#include <stdlib.h>

#include "store/private.h"

#define LIMIT ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must_fail(const struct secret *key, struct slice bytes)
{
    struct buf out = BUF_INIT(LIMIT);
    struct err e;

    if (store_cipher_open(key, bytes, &out, &e) == 0 || out.len)
        abort();
    buf_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make(data, size);
    struct buf sealed = BUF_INIT(LIMIT), plain = BUF_INIT(LIMIT);
    struct secret key = {0};
    struct err e;
    size_t at;

    if (size < 3)
        return 0;
    secret_set(&key, "0123456789abcdef0123456789abcdef", 32);
    must_fail(&key, in);
    if (store_cipher_seal(&key, in, &sealed, &e) ||
        store_cipher_open(&key, buf_slice(&sealed), &plain, &e) ||
        !slice_eq(buf_slice(&plain), in))
        abort();
    at = ((size_t)data[0] << 8 | data[1]) % sealed.len;
    sealed.data[at] = (char)(sealed.data[at] ^ (1 << (data[2] & 7)));
    must_fail(&key, buf_slice(&sealed));
    sealed.data[at] = (char)(sealed.data[at] ^ (1 << (data[2] & 7)));
    must_fail(&key, slice_cut(buf_slice(&sealed), 0, at));
    buf_addc(&sealed, (char)data[0]);
    must_fail(&key, buf_slice(&sealed));
    buf_clear(&sealed);
    buf_clear(&plain);
    secret_clear(&key);
    return 0;
}
