/*
 * A queue file read piece by piece while it is sent: one chunk of it in the
 * clear at a time, each authenticated before it is given out, the last one
 * also as the last. Called from the loop, for libcurl asks there; the file
 * was written a moment ago, or is asked of the disk ahead.
 */
#include "store/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/private.h"

struct store_reader {
    int fd;
    uint64_t size;   /* of the plain bytes */
    uint64_t chunk;  /* in `plain`; UINT64_MAX: none */
    uint64_t chunks;
    struct store_cipher_file *cipher;
    struct buf plain;
};

int
store_reader_open(struct store *s, const char *id, bool sealed,
                  struct store_reader **out, struct err *e)
{
    char *path = store_queue_path(s, id, sealed);
    struct store_reader *r = xcalloc(1, sizeof *r);
    char head[STORE_CIPHER_HEAD];
    struct stat st;
    int rc = -1;

    r->chunk = UINT64_MAX;
    buf_init(&r->plain, STORE_CIPHER_CHUNK + STORE_CIPHER_TAG);
    r->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0 || fstat(r->fd, &st))
        err_set(e, errno == ENOENT ? E_MISSING : E_FULL, "%s: %s", path,
                strerror(errno));
    else if (st.st_size < (off_t)(STORE_CIPHER_HEAD + STORE_CIPHER_TAG) ||
             pread(r->fd, head, sizeof head, 0) != (ssize_t)sizeof head)
        err_set(e, E_CRYPTO, "not a sealed file, or cut");
    else
        rc = store_cipher_file_new(&s->key, slice_make(head, sizeof head),
                                   &r->cipher, e);
    if (rc == 0) {
        uint64_t rest = (uint64_t)st.st_size - STORE_CIPHER_HEAD;

        r->chunks = (rest + STORE_CIPHER_CHUNK + STORE_CIPHER_TAG - 1) /
                    (STORE_CIPHER_CHUNK + STORE_CIPHER_TAG);
        r->size = rest - r->chunks * STORE_CIPHER_TAG;
        posix_fadvise(r->fd, 0, 0, POSIX_FADV_WILLNEED);
        *out = r;
    } else {
        store_reader_close(&r);
    }
    free(path);
    return rc;
}

void
store_reader_close(struct store_reader **rp)
{
    struct store_reader *r = *rp;

    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    store_cipher_file_free(&r->cipher);
    buf_wipe(&r->plain);
    free(r);
    *rp = NULL;
}

uint64_t
store_reader_size(const struct store_reader *r)
{
    return r->size;
}

static int
chunk_load(struct store_reader *r, uint64_t n, struct err *e)
{
    char sealed[STORE_CIPHER_CHUNK + STORE_CIPHER_TAG];
    off_t at = (off_t)(STORE_CIPHER_HEAD + n * sizeof sealed);
    ssize_t got = pread(r->fd, sealed, sizeof sealed, at);

    r->chunk = UINT64_MAX;
    buf_truncate(&r->plain, 0);
    if (got < 0)
        return err_set(e, E_FULL, "a queue file cannot be read: %s",
                       strerror(errno));
    if (store_cipher_file_open(r->cipher, (uint32_t)n, n + 1 == r->chunks,
                               slice_make(sealed, (size_t)got), &r->plain, e))
        return -1;
    r->chunk = n;
    return 0;
}

int
store_reader_read(struct store_reader *r, uint64_t offset, char *to,
                  size_t n, size_t *got_out, struct err *e)
{
    size_t from, k;

    *got_out = 0;
    while (n && offset < r->size) {
        if (offset / STORE_CIPHER_CHUNK != r->chunk &&
            chunk_load(r, offset / STORE_CIPHER_CHUNK, e))
            return -1;
        from = (size_t)(offset % STORE_CIPHER_CHUNK);
        if (from >= r->plain.len)
            return err_set(e, E_CRYPTO, "a queue file is cut");
        k = r->plain.len - from < n ? r->plain.len - from : n;
        memcpy(to, r->plain.data + from, k);
        to += k;
        n -= k;
        offset += k;
        *got_out += k;
    }
    return 0;
}
