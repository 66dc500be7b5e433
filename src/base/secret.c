/*
 * Secrets. Each one gets pages of its own, so that locking and the
 * don't-dump mark of one never end with another's life.
 */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"

static size_t
pages_for(size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (n + 1 + page - 1) / page * page;
}

void
secret_set(struct secret *s, const void *p, size_t n)
{
    size_t size = pages_for(n);
    char *data = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (data == MAP_FAILED)
        abort(); /* the same as xmalloc() */
    /* Both may be refused (RLIMIT_MEMLOCK, old kernels); the secret is then
     * still wiped, which is all that can be had. */
    (void)mlock(data, size);
    (void)madvise(data, size, MADV_DONTDUMP);
    if (n)
        memcpy(data, p, n);
    data[n] = '\0';
    secret_clear(s);
    s->data = data;
    s->len = n;
}

void
secret_copy(struct secret *to, const struct secret *from)
{
    if (from->data)
        secret_set(to, from->data, from->len);
    else
        secret_clear(to);
}

void
secret_clear(struct secret *s)
{
    if (s->data) {
        mem_wipe(s->data, s->len);
        munmap(s->data, pages_for(s->len));
    }
    s->data = NULL;
    s->len = 0;
}

struct slice
secret_slice(const struct secret *s)
{
    return (struct slice){s->data ? s->data : "", s->len};
}

bool
secret_is(const struct secret *s, const void *p, size_t n)
{
    return s->data && s->len == n && !mem_differs(s->data, p, n);
}
