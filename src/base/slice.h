/*
 * A slice is a borrowed run of bytes: parsers return slices into their input
 * instead of copies. The header of the function that gives one says whose
 * bytes they are.
 */
#ifndef SEALPOST_BASE_SLICE_H
#define SEALPOST_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
    const char *p;
    size_t n;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})
#define SLICE_NONE ((struct slice){NULL, 0})
/* For printf("%.*s"). */
#define SLICE_FMT(s) (int)((s).n > 200 ? 200 : (s).n), (s).p ? (s).p : ""

struct slice slice_of(const char *s); /* s may be NULL */
struct slice slice_make(const void *p, size_t n);
bool slice_eq(struct slice a, struct slice b);
bool slice_is(struct slice a, const char *s);  /* same bytes */
bool slice_iis(struct slice a, const char *s); /* ASCII case ignored */
bool slice_ieq(struct slice a, struct slice b);
bool slice_starts(struct slice a, const char *prefix);
bool slice_istarts(struct slice a, const char *prefix);
bool slice_ends(struct slice a, const char *suffix);
bool slice_has(struct slice a, char c);
/* Without blanks (SP, HT, CR, LF) at both ends. */
struct slice slice_trim(struct slice a);
/* From byte `from` on; empty when that is past the end. */
struct slice slice_from(struct slice a, size_t from);
struct slice slice_cut(struct slice a, size_t from, size_t to);
/* Offset of the first c, or a.n. */
size_t slice_find(struct slice a, char c);
/* Takes the next piece up to `sep` (not included) off *rest; false at the
 * end. "a,,b" gives "a", "", "b". */
bool slice_next(struct slice *rest, char sep, struct slice *piece_out);
/* A terminated heap copy. Zero bytes inside stay. */
char *slice_dup(struct slice a);
/* Copies with a terminator; false (and an empty dst) if it does not fit or
 * holds a zero byte. */
bool slice_copy(struct slice a, char *dst, size_t size);
/* Decimal digits only, the whole slice, no overflow. */
bool slice_u32(struct slice a, uint32_t *out);
bool slice_u64(struct slice a, uint64_t *out);

/* ASCII only, whatever the locale. */
int ascii_lower(int c);
int ascii_upper(int c);
bool ascii_is_digit(int c);
bool ascii_is_alpha(int c);
bool ascii_is_space(int c); /* SP HT CR LF */
int ascii_icmp(const char *a, const char *b);

#endif
