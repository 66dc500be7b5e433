/*
 * What is shown in the place of a message that the server refuses to hand
 * out (SPEC section 5): its listed properties, and a text that says so.
 */
#include "sync/private.h"

#include "base/buf.h"
#include "mime/write.h"

static void
field(const char *name, const char *text, struct buf *out)
{
    if (text && *text)
        mime_write_field(name, slice_of(text), out);
}

void
sync_standin_make(const struct store_message *m, struct buf *out)
{
    struct buf text = BUF_INIT(65536);

    field("From", m->from, out);
    field("To", m->to, out);
    field("Cc", m->cc, out);
    field("Subject", m->subject, out);
    mime_write_date("Date", m->received, 0, out);
    mime_write_raw("MIME-Version", slice_of("1.0"), out);
    mime_write_raw("X-Sealpost-Stand-In",
                   slice_of("the server does not hand this message out"), out);
    buf_addf(&text,
             "This is not the message. The server lists it, but did not hand "
             "it out\r\nwhen it was asked %d times; other messages came.\r\n"
             "\r\nWhat is known of it stands in the header above. Its size "
             "is about\r\n%llu bytes. It is asked for once a day; should it "
             "come, it takes the\r\nplace of this text as a new message.\r\n",
             m->body_tries, (unsigned long long)m->estimated_size);
    mime_write_text(buf_slice(&text), out);
    buf_clear(&text);
}
