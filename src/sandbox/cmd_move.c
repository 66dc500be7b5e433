/*
 * MoveItems (MS-ASCMD 2.2.1.12). 3 is success. The mover is told of both
 * sides by its next Sync, as any other device.
 */
#include <stdio.h>

#include "base/log.h"
#include "sandbox/call.h"

static int
move_one(struct call *c, const struct wbxml_node *n, struct message **out)
{
    struct folder *from = call_folder(c, wbxml_text(n, MOVE_SRC_FLD_ID, 0));
    struct folder *to = call_folder(c, wbxml_text(n, MOVE_DST_FLD_ID, 0));
    struct message *m =
        call_message(c, from, wbxml_text(n, MOVE_SRC_MSG_ID, 0));
    struct err e;

    if (!m)
        return 1;
    if (!to)
        return 2;
    if (to == from)
        return 4;
    if (folder_move(m, to, 0, out, &e)) {
        log_warn("move", "%s", e.text);
        return 5;
    }
    return 3;
}

/* An id that is not the new message's: of another one there, or of none. */
static void
write_wrong_id(struct call *c, const struct message *new)
{
    struct folder *f = new->folder;
    struct message nobody = {.folder = f, .id = f->last_id + 7};
    const struct message *other = &nobody;

    for (uint32_t i = 0; i < f->count; i++)
        if (!f->list[i]->gone && f->list[i] != new)
            other = f->list[i];
    call_write_id(c, MOVE_DST_MSG_ID, other);
}

static void
write_new_id(struct call *c, const struct wbxml_node *n,
             const struct message *new)
{
    if (call_quirk(c, QUIRK_MOVE_NO_ID, new->folder, new, NULL))
        return;
    if (call_quirk(c, QUIRK_MOVE_WRONG_ID, new->folder, new, NULL))
        write_wrong_id(c, new);
    else if (call_quirk(c, QUIRK_MOVE_OLD_ID, new->folder, new, NULL))
        wbxml_write_slice(&c->w, MOVE_DST_MSG_ID,
                          wbxml_text(n, MOVE_SRC_MSG_ID, 0));
    else
        call_write_id(c, MOVE_DST_MSG_ID, new);
}

enum answer
cmd_move(struct call *c)
{
    const struct wbxml_node *n = wbxml_find(c->root, MOVE_MOVE, 0);

    call_start(c, 0);
    c->status = 1;
    for (; n; n = wbxml_again(n)) {
        struct message *new = NULL;
        int status = move_one(c, n, &new);

        wbxml_write_start(&c->w, MOVE_RESPONSE);
        wbxml_write_slice(&c->w, MOVE_SRC_MSG_ID,
                          wbxml_text(n, MOVE_SRC_MSG_ID, 0));
        wbxml_write_number(&c->w, MOVE_STATUS, status);
        if (new)
            write_new_id(c, n, new);
        wbxml_write_end(&c->w);
        if (status != 3)
            c->status = status;
    }
    wbxml_write_end(&c->w);
    return ANSWER_WBXML;
}
