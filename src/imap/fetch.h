/*
 * What FETCH asks for, parsed; and views opened ahead for it and for SEARCH.
 */
#ifndef SEALPOST_IMAP_FETCH_H
#define SEALPOST_IMAP_FETCH_H

#include "imap/command.h"
#include "mime/section.h"

enum imap_item_kind {
    IMAP_ITEM_UID,
    IMAP_ITEM_FLAGS,
    IMAP_ITEM_INTERNALDATE,
    IMAP_ITEM_SIZE,
    IMAP_ITEM_ENVELOPE,
    IMAP_ITEM_BODY,          /* the structure without extensions */
    IMAP_ITEM_BODYSTRUCTURE,
    IMAP_ITEM_SECTION,
};
struct imap_item {
    enum imap_item_kind kind;
    const char *label; /* as the answer names it */
    /* of a section */
    struct slice path;
    enum mime_section what;
    struct slice *names;
    size_t n_names;
    bool partial;
    uint64_t from, length;
};

#define IMAP_ITEMS_MAX 100u

struct imap_fetch_args {
    struct imap_set set;
    struct imap_item *items;
    size_t n;
    bool needs_row;    /* INTERNALDATE */
    bool needs_record; /* what views_summary() knows */
    bool needs_view;   /* the bytes */
    bool sees;         /* sets \Seen */
};

/* ---- fetch_write.c: one answer, written piece by piece ---- */

struct imap_answer;
struct imap_selected;
struct store_message;
struct view;
struct view_summary;
/* Of the entry at that place. row, record and view may be NULL where args do
 * not need them; `tell_flags`: FLAGS come along. Takes the view. */
struct imap_answer *imap_answer_new(struct imap_command *, size_t at,
                                    const struct store_message *row,
                                    const struct view_summary *record,
                                    struct view *view, bool tell_flags);
/* true: it is complete; false: the output is full, go on when drained. */
bool imap_answer_write(struct imap_answer *);
void imap_answer_free(struct imap_answer **);

#endif
