/*
 * SASL responses.
 */
#include "smtp/sasl.h"

#include "base/code.h"

int
smtp_sasl_decode(struct slice line, struct buf *out, struct smtp_reply *bad)
{
    if (slice_is(line, "*"))
        return smtp_reply_set(bad, 501, "5.7.0", "authentication given up");
    buf_wipe(out);
    if (code_base64_parse(out, line, false))
        return smtp_reply_set(bad, 501, "5.5.2", "not base64");
    return 0;
}

int
smtp_sasl_plain(struct slice message, struct slice *login,
                struct slice *password, struct smtp_reply *bad)
{
    size_t a = slice_find(message, '\0');
    struct slice rest = slice_from(message, a + 1);
    size_t b = slice_find(rest, '\0');
    struct slice who = slice_cut(message, 0, a);

    *login = slice_cut(rest, 0, b);
    *password = slice_from(rest, b + 1);
    if (a == message.n || b == rest.n || slice_has(*password, '\0') ||
        !login->n || !password->n)
        return smtp_reply_set(bad, 501, "5.5.2", "not a message of PLAIN");
    if (who.n && !slice_eq(who, *login))
        return smtp_reply_set(bad, 535, "5.7.8",
                              "acting for somebody else is not possible");
    return 0;
}
