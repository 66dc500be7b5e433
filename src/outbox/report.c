/*
 * What the account's owner is told of a message that was given up after it
 * had been taken over.
 */
#include "base/log.h"
#include "outbox/private.h"

void
outbox_report(struct outbox *ob, const struct store_submission *q,
              const struct err *why)
{
    (void)ob;
    log_error("outbox", "id=%s from=%s could not be sent to %s: %s", q->id,
              log_address(q->sender), log_address(q->recipients), why->text);
}
