/*
 * What the files of room loop share.
 */
#ifndef SEALPOST_LOOP_PRIVATE_H
#define SEALPOST_LOOP_PRIVATE_H

struct event_base;
struct loop;

struct event_base *loop_base(struct loop *);

#endif
