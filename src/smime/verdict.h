/*
 * The verdict on a message: RFC 7281's result and why. Pure.
 */
#ifndef SEALPOST_SMIME_VERDICT_H
#define SEALPOST_SMIME_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "smime/report.h"

enum smime_result {
    SMIME_NONE,
    SMIME_PASS,
    SMIME_FAIL,
    SMIME_POLICY,
    SMIME_NEUTRAL,
    SMIME_TEMPERROR,
    SMIME_PERMERROR,
};
const char *smime_result_name(enum smime_result);

/* What room certs found about one signer's certificate, in the order of
 * layers and signers of the report. */
struct smime_trust {
    bool chain;     /* ends in an anchor, dates and usage hold */
    bool address;   /* holds for report->from */
    bool sender;    /* holds for report->sender only */
    bool revoked;
    bool unsure;    /* something could not be asked: temperror */
    char reason[160];
};
struct smime_verdict {
    enum smime_result result;
    char reason[200];
    /* For Authentication-Results; NULL where there is none. Borrowed from
     * the report. */
    const struct smime_signer *signer;
    char part[32];  /* body.smime-part */
};
/* trust has one element per signer of the report, or is NULL (then nobody is
 * trusted). now: unix seconds. Rules R9 to R16 and R22 of SMIME.md. */
void smime_judge(const struct smime_report *, const struct smime_trust *trust,
                 size_t ntrust, int64_t now, struct smime_verdict *out);

#endif
