/*
 * The parser of httpd: bytes to one request at a time (RFC 9112). Pure, for
 * the fuzzer's sake.
 */
#ifndef SEALPOST_LOOP_HTTPD_PARSE_H
#define SEALPOST_LOOP_HTTPD_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/slice.h"

struct httpd_parse;

struct httpd_parse *httpd_parse_new(size_t max_body);
void httpd_parse_free(struct httpd_parse **);
/* Ready for the next request. */
void httpd_parse_reset(struct httpd_parse *);
/* 1: a request is whole; 0: more input is needed; -1: refused. *used_out
 * bytes were taken in all cases. */
int httpd_parse_feed(struct httpd_parse *, struct slice in, size_t *used_out,
                     struct err *e);
/* True once after a head with "Expect: 100-continue" and a body to come. */
bool httpd_parse_wants_continue(struct httpd_parse *);
bool httpd_parse_closes(const struct httpd_parse *);
const char *httpd_parse_method(const struct httpd_parse *);
const char *httpd_parse_target(const struct httpd_parse *);
const char *httpd_parse_header(const struct httpd_parse *, const char *name);
struct slice httpd_parse_body(const struct httpd_parse *);

#endif
