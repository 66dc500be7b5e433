/*
 * Good verdicts on people's certificates, remembered for a minute: a mail to
 * thirty people, or thirty mails to one, need each chain built and checked
 * once. Only "usable" is remembered, so whatever becomes good is seen at once;
 * what people refuse stands in the store and is asked there each time.
 */
#include "certs/private.h"

#include <string.h>

#include "base/mem.h"
#include "store/certificate.h"

#define JUDGED_S 60

static struct certs_judged *
place_of(struct certs *cs, const struct store_cert *row)
{
    /* The fingerprint is a hash already. */
    const char *fp = row->fingerprint;
    unsigned at = ((unsigned char)fp[0] * 31u + (unsigned char)fp[1]) * 31u +
                  (unsigned char)fp[2];

    return &cs->judged[at % CERTS_JUDGED];
}

bool
certs_judged_good(struct certs *cs, const struct store_cert *row,
                  const char *address, int64_t now)
{
    const struct certs_judged *j = place_of(cs, row);

    return j->at && now >= j->at && now - j->at < JUDGED_S &&
           j->pinned == (row->source == STORE_CERT_PINNED) &&
           strcmp(j->fingerprint, row->fingerprint) == 0 &&
           strcmp(j->address, address) == 0;
}

void
certs_judged_keep(struct certs *cs, const struct store_cert *row,
                  const char *address, int64_t now)
{
    struct certs_judged *j = place_of(cs, row);

    if (strlen(row->fingerprint) >= sizeof j->fingerprint ||
        strlen(address) >= sizeof j->address)
        return;
    *j = (struct certs_judged){
        .at = now,
        .pinned = row->source == STORE_CERT_PINNED,
    };
    memcpy(j->fingerprint, row->fingerprint, strlen(row->fingerprint));
    memcpy(j->address, address, strlen(address));
}

void
certs_judged_clear(struct certs *cs)
{
    memset(cs->judged, 0, sizeof cs->judged);
}
