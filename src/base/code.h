/*
 * Base64 (RFC 4648), hex, and random bytes.
 */
#ifndef SEALPOST_BASE_CODE_H
#define SEALPOST_BASE_CODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/slice.h"

/* Adds base64 of the bytes; line > 0 puts CRLF after each `line` characters
 * and at the end (76 for MIME; must be a multiple of 4). -1: over limit. */
int code_base64_write(struct buf *out, struct slice bytes, unsigned line);
/* Adds the bytes. Strict: alphabet, padding and length must be right;
 * `blanks` lets SP HT CR LF pass anywhere (MIME, EAS). 0 or -1. */
int code_base64_parse(struct buf *out, struct slice text, bool blanks);
/* Lower-case hex. */
int code_hex_write(struct buf *out, struct slice bytes);
int code_hex_parse(struct buf *out, struct slice text);
/* n bytes from the kernel; ends the process if there are none to be had. */
void code_random(void *p, size_t n);
/* 2n lower-case hex digits and a terminator into dst (2n+1 bytes). */
void code_random_hex(char *dst, size_t n);

#endif
