/*
 * What the files of room certs share.
 */
#ifndef SEALPOST_CERTS_PRIVATE_H
#define SEALPOST_CERTS_PRIVATE_H

#include "certs/certs.h"

struct certs {
    struct loop *loop;
    struct store *store;
    struct eas *eas;
    struct certs_anchors *anchors;
    int64_t timeout_ms;
    bool harvest;
};


#endif
