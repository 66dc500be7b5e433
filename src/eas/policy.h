/*
 * The policy document (MS-ASPROV EASProvisionDoc), parsed as a whole.
 */
#ifndef SEALPOST_EAS_POLICY_H
#define SEALPOST_EAS_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One element as it came. */
struct eas_policy_entry {
    char *name, *value; /* value "" when the element was empty */
    bool enforced;      /* Sealpost carries it out, or it asks for nothing */
    const char *how;    /* or why not; static, for people */
};
struct eas_policy {
    struct eas_policy_entry *entries;
    size_t n;
    /* What the outbound side needs, read out. */
    bool require_signed, require_encrypted;
    int signed_algorithm;     /* 0 SHA-1, 1 MD5; -1 absent */
    int encryption_algorithm; /* 0 3DES, 1 DES, 2-4 RC2; -1 absent */
    int negotiation;          /* 0-2; -1 absent */
    bool soft_certs;          /* software keys may sign (default yes) */
    int max_age_filter;       /* FilterType, 0 all */
    /* What may be fetched of a mail that is not S/MIME. */
    bool no_attachments;
    uint64_t max_attachment;    /* bytes; 0 no limit */
    int64_t max_text, max_html; /* KB of its text; -1 no limit */
};

void eas_policy_clear(struct eas_policy *);

#endif
