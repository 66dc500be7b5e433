/*
 * The gate in front of the decoder: one linear look that lets pass only what
 * ActiveSync uses (MS-ASWBXML 2.1), before any library sees a byte.
 */
#ifndef SEALPOST_WBXML_GATE_H
#define SEALPOST_WBXML_GATE_H

#include "base/err.h"
#include "base/slice.h"

/* 0, or -1 with E_INPUT (E_LIMIT for depth) and the offset in the text.
 * Refused: another header, a string table, ENTITY, LITERAL, EXT, PI,
 * attributes, pages above 25, an opaque longer than the rest, an open end,
 * bytes behind the root element. */
int wbxml_gate(struct slice doc, unsigned max_depth, struct err *e);

#endif
