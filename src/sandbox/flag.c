/*
 * The element Flag (MS-ASEMAIL 2.2.2.34): kept as lines "TAG=value" with the
 * tag in hex, since its children are of two pages. The letter F in the file's
 * name says whether it is active.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "sandbox/call.h"
#include "sandbox/changes.h"

static const unsigned children[] = {
    TASKS_SUBJECT,        EMAIL_STATUS,         EMAIL_FLAG_TYPE,
    TASKS_DATE_COMPLETED, EMAIL_COMPLETE_TIME,  TASKS_START_DATE,
    TASKS_DUE_DATE,       TASKS_UTC_START_DATE, TASKS_UTC_DUE_DATE,
    TASKS_REMINDER_SET,   TASKS_REMINDER_TIME,  TASKS_ORDINAL_DATE,
    TASKS_SUB_ORDINAL_DATE,
};

static bool
child_is_good(const struct wbxml_node *n)
{
    bool known = false;

    for (size_t i = 0; i < ARRAY_LEN(children); i++)
        known |= children[i] == n->tag;
    if (!known || n->child || n->text.n > 4096 || slice_has(n->text, '\n') ||
        slice_has(n->text, '\0'))
        return false;
    return !wbxml_again(n); /* each at most once */
}

/* MS-ASEMAIL 2.2.2.31, .65, .72, .86, .87, .19, .23. */
static bool
dates_are_good(const struct wbxml_node *f, long status)
{
    int dates = wbxml_has(f, TASKS_START_DATE, 0) +
                wbxml_has(f, TASKS_UTC_START_DATE, 0) +
                wbxml_has(f, TASKS_DUE_DATE, 0) +
                wbxml_has(f, TASKS_UTC_DUE_DATE, 0);
    struct slice start = wbxml_text(f, TASKS_UTC_START_DATE, 0);
    struct slice due = wbxml_text(f, TASKS_UTC_DUE_DATE, 0);

    if (dates != 0 && dates != 4)
        return false;
    if (dates && start.n && due.n &&
        memcmp(start.p, due.p, start.n < due.n ? start.n : due.n) > 0)
        return false;
    if (wbxml_number(f, 0, TASKS_REMINDER_SET, 0) == 1 &&
        !wbxml_has(f, TASKS_REMINDER_TIME, 0))
        return false;
    return status != 1 || (wbxml_has(f, EMAIL_COMPLETE_TIME, 0) &&
                           wbxml_has(f, TASKS_DATE_COMPLETED, 0));
}

int
flag_read(struct call *c, const struct wbxml_node *flag,
          const char **lines_out, bool *active_out)
{
    struct buf b = BUF_INIT(65536);
    long status = wbxml_number(flag, -1, EMAIL_STATUS, 0);

    *lines_out = "";
    *active_out = false;
    if (!flag->child)
        return flag->text.n ? 0 : 1; /* cleared */
    for (const struct wbxml_node *n = flag->child; n; n = n->next) {
        if (!child_is_good(n)) {
            buf_clear(&b);
            return 0;
        }
        buf_addf(&b, "%04x=", n->tag);
        buf_add_slice(&b, n->text);
        buf_addc(&b, '\n');
    }
    *lines_out = arena_dup(c->arena, buf_slice(&b));
    buf_clear(&b);
    *active_out = status == 2;
    return status >= 0 && status <= 2 && dates_are_good(flag, status);
}

static char
lines_status(const char *lines)
{
    char want[16], *at;

    snprintf(want, sizeof want, "%04x=", EMAIL_STATUS);
    at = strstr(lines, want);
    return at ? at[5] : '0';
}

void
flag_write(struct wbxml_writer *w, const struct message *m)
{
    bool active = m->flags & MAIL_FLAGGED;
    char status = lines_status(m->flag_lines);
    struct slice rest = slice_of(m->flag_lines), line, tag;

    /* Somebody else changed the letter: the details are out of date. */
    if (active && status != '2') {
        wbxml_write_start(w, EMAIL_FLAG);
        wbxml_write_text(w, EMAIL_STATUS, "2");
        wbxml_write_text(w, EMAIL_FLAG_TYPE, "Flag for follow up");
        wbxml_write_end(w);
        return;
    }
    if (!active && status != '1') {
        wbxml_write_empty(w, EMAIL_FLAG);
        return;
    }
    wbxml_write_start(w, EMAIL_FLAG);
    while (slice_next(&rest, '\n', &line)) {
        unsigned number;

        if (slice_next(&line, '=', &tag) && tag.n == 4 &&
            sscanf(tag.p, "%4x", &number) == 1)
            wbxml_write_slice(w, number, line);
    }
    wbxml_write_end(w);
}
