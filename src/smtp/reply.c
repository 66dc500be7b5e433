/*
 * Replies as text, and errors as replies.
 */
#include "smtp/reply.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

/* DESIGN section 6. */
static const struct {
    int code;
    const char *enhanced;
} table[ERR_CODES] = {
    [E_RETRY] = {451, "4.4.1"},  [E_LOGIN] = {451, "4.7.0"},
    [E_LOCKED] = {451, "4.7.0"}, [E_DENIED] = {550, "5.7.1"},
    [E_NOCERT] = {554, "5.7.5"}, [E_CRYPTO] = {554, "5.7.5"},
    [E_INPUT] = {501, "5.5.4"},  [E_MISSING] = {550, "5.1.1"},
    [E_LIMIT] = {552, "5.3.4"},  [E_FULL] = {452, "4.3.1"},
    [E_QUOTA] = {452, "4.2.2"},  [E_REMOTE] = {554, "5.0.0"},
    [E_BUG] = {451, "4.3.0"},
};

int
smtp_reply_set(struct smtp_reply *r, int code, const char *enhanced,
               const char *fmt, ...)
{
    va_list ap;

    r->code = code;
    r->enhanced = enhanced;
    va_start(ap, fmt);
    vsnprintf(r->text, sizeof r->text, fmt, ap);
    va_end(ap);
    return -1;
}

void
smtp_reply_of(const struct err *err, enum smtp_reply_at at,
              struct smtp_reply *out)
{
    unsigned i = (unsigned)err->code;

    if (i >= ERR_CODES || !table[i].code)
        i = E_BUG;
    smtp_reply_set(out, table[i].code, table[i].enhanced, "%s", err->text);
    if (err->code == E_NOCERT && at == SMTP_AT_RCPT)
        out->code = 550;
    if (err->code == E_INPUT && at == SMTP_AT_MESSAGE) {
        out->code = 554;
        out->enhanced = "5.6.0";
    }
}

unsigned
smtp_reply_write(const struct smtp_reply *r, char out[SMTP_REPLY_LINE + 1])
{
    int n = snprintf(out, SMTP_REPLY_LINE - 1, "%d %s%s%s", r->code,
                     r->enhanced ? r->enhanced : "", r->enhanced ? " " : "",
                     r->text);
    unsigned len = n < SMTP_REPLY_LINE - 2 ? (unsigned)n : SMTP_REPLY_LINE - 2;

    for (unsigned i = 0; i < len; i++) {
        unsigned char c = (unsigned char)out[i];

        if (c < 0x20 || c == 0x7f)
            out[i] = ' ';
        else if (c > 0x7f)
            out[i] = '?';
    }
    out[len] = '\r';
    out[len + 1] = '\n';
    out[len + 2] = '\0';
    return len + 2;
}
