/*
 * Dates of mail headers (RFC 5322 section 3.3) and of IMAP.
 */
#ifndef SEALPOST_MIME_DATE_H
#define SEALPOST_MIME_DATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/* Tolerant: comments, missing weekday or seconds, two- and three-digit
 * years, obsolete and military zones, asctime(), ISO 8601. zone: minutes
 * east of UTC, may be NULL. false: no date to be had. */
bool mime_date_parse(struct slice text, int64_t *unix_out, int *zone_out);
/* "Mon, 02 Jan 2006 15:04:05 +0100". Adds. */
int mime_date_write(int64_t t, int zone, struct buf *out);
/* IMAP date-time without quotes: "02-Jan-2006 15:04:05 +0100". Adds. */
int mime_date_write_imap(int64_t t, int zone, struct buf *out);
/* IMAP date-time as APPEND gives it (without quotes). Strict. */
bool mime_date_parse_imap(struct slice text, int64_t *unix_out,
                          int *zone_out);
/* Days since 1970 of a civil date (Gregorian), and back. */
int64_t mime_date_days(int year, int month, int day);
void mime_date_civil(int64_t days, int *year, int *month, int *day);

#endif
