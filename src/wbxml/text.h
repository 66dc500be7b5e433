/*
 * WBXML as XML text, for people and tests: `sealpostctl wbxml FILE`, dialogue
 * tests and the sandbox's mischief read and write it.
 *
 * A tag without prefix is on the page of the root element; others carry the
 * short name of their page: <base:Type>, <airsync:ServerId>. A root without
 * prefix is the command of that name (Sync, FolderSync, Provision...). A tag
 * that has no name is <base:x3F>. Bytes that are no clean text are base64
 * with an attribute: <Mime code="base64">...</Mime>. Strings and opaques are
 * told apart by their tags (wbxml_is_opaque) or by code="opaque".
 */
#ifndef SEALPOST_WBXML_TEXT_H
#define SEALPOST_WBXML_TEXT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "wbxml/tree.h"

/* Adds the document as indented XML; text beside elements, which ActiveSync
 * never has, is only counted in a comment. E_INPUT if it is no good WBXML,
 * E_LIMIT if out is full. */
int wbxml_text_write(struct buf *out, struct slice doc, struct err *e);
int wbxml_text_write_node(struct buf *out, const struct wbxml_node *root,
                          struct err *e);
/* Adds the WBXML of an XML text. E_INPUT with the line number. Blanks count
 * only in elements that have no children. Comments are skipped; entities are
 * &lt; &gt; &amp; &quot; &apos; and &#N; (as UTF-8). */
int wbxml_text_parse(struct slice xml, struct buf *out, struct err *e);

#endif
