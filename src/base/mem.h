/*
 * Memory that never fails: out of memory ends the process. What comes from
 * outside is bounded before it gets here.
 */
#ifndef SEALPOST_BASE_MEM_H
#define SEALPOST_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull));
/* Zeroed. */
void *xcalloc(size_t count, size_t size)
    __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t n) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
/* At most n bytes of s, always terminated. */
char *xstrndup(const char *s, size_t n)
    __attribute__((malloc, returns_nonnull));
/* n bytes and a terminating zero behind them. */
void *xmemdup(const void *p, size_t n)
    __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), malloc, returns_nonnull));
char *xvasprintf(const char *fmt, va_list ap)
    __attribute__((format(printf, 1, 0), malloc, returns_nonnull));

/* Overwrites n bytes so that the compiler cannot leave it out. */
void mem_wipe(void *p, size_t n);

/* Compares n bytes in a time that does not depend on them. */
int mem_differs(const void *a, const void *b, size_t n);

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
