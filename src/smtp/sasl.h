/*
 * SASL PLAIN (RFC 4616) and LOGIN, as the server reads them. Pure.
 */
#ifndef SEALPOST_SMTP_SASL_H
#define SEALPOST_SMTP_SASL_H

#include "base/buf.h"
#include "base/slice.h"
#include "smtp/reply.h"

/* What is decoded holds passwords: buf_wipe() it. */
#define SMTP_SASL_MAX ((size_t)9216)

/* One response in base64, decoded into `out` (emptied first). -1 with the
 * answer: "*" gives it up, or it is not base64. */
int smtp_sasl_decode(struct slice line, struct buf *out,
                     struct smtp_reply *bad);

/* The decoded message of PLAIN; slices into it. An authorization identity
 * other than the login is refused: nobody acts for others here. */
int smtp_sasl_plain(struct slice message, struct slice *login,
                    struct slice *password, struct smtp_reply *bad);

#endif
