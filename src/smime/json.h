/*
 * A report and its verdict as the JSON object that `sealpostctl smime open
 * --json` answers (SPEC section 12).
 */
#ifndef SEALPOST_SMIME_JSON_H
#define SEALPOST_SMIME_JSON_H

#include "base/buf.h"
#include "base/err.h"
#include "smime/verdict.h"

/* One line of UTF-8 is added. harvest: the fingerprint that was or would be
 * learnt, "" or NULL for none. E_LIMIT when out is too small. */
int smime_report_json(const struct smime_report *, const struct smime_verdict *,
                      const char *harvest, struct buf *out, struct err *e);

#endif
