/*
 * Arguments of APPEND (RFC 3501 section 6.3.11).
 */
#include "imap/append.h"

int
imap_parse_append(struct imap_parse *p, struct imap_command *cmd)
{
    struct imap_append_args *a = arena_alloc(cmd->arena, sizeof *a);

    cmd->args = a;
    a->flags.keywords = "";
    if (imap_parse_space(p) || imap_parse_mailbox(p, &a->mailbox) ||
        imap_parse_space(p))
        return -1;
    if (imap_parse_peek(p) == '(' &&
        (imap_parse_flags(p, true, &a->flags) || imap_parse_space(p)))
        return -1;
    if (imap_parse_peek(p) == '"') {
        a->has_date = true;
        if (imap_parse_date_time(p, &a->date) || imap_parse_space(p))
            return -1;
    }
    if (imap_parse_peek(p) != '{')
        return imap_parse_fail(p, "the message is a literal");
    if (p->no_text) {
        a->announced = true;
        p->p = p->end;
        return 0;
    }
    return imap_parse_string(p, &a->message);
}
