/*
 * The SMTP command parser: any line. Whatever is understood must point into
 * the line and hold no control bytes, and a refusal must be one good reply
 * line. SASL is played on the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "smtp/command.h"
#include "smtp/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_inside(struct slice line, struct slice part)
{
    if (part.n && (part.p < line.p || part.p + part.n > line.p + line.n))
        abort();
    for (size_t i = 0; i < part.n; i++)
        if ((unsigned char)part.p[i] < 0x20 || part.p[i] == 0x7f)
            abort();
}

static void
check_reply(const struct smtp_reply *r)
{
    char line[SMTP_REPLY_LINE + 1];
    unsigned n = smtp_reply_write(r, line);

    if (n > SMTP_REPLY_LINE || n != strlen(line) || r->code < 400 ||
        r->code > 599 || strcmp(line + n - 2, "\r\n") != 0 ||
        memchr(line, '\r', n - 2) || memchr(line, '\n', n - 2))
        abort();
}

static void
check_sasl(struct slice in)
{
    struct buf out = BUF_INIT(SMTP_SASL_MAX);
    struct slice login, password;
    struct smtp_reply bad;

    if (smtp_sasl_decode(in, &out, &bad))
        check_reply(&bad);
    if (smtp_sasl_plain(in, &login, &password, &bad))
        check_reply(&bad);
    else if (!login.n || !password.n || slice_has(login, '\0') ||
             slice_has(password, '\0'))
        abort();
    buf_wipe(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice line = slice_make(data, size);
    struct smtp_command cmd;
    struct smtp_reply bad;

    if (smtp_command_parse(line, &cmd, &bad)) {
        check_reply(&bad);
    } else {
        check_inside(line, cmd.argument);
        check_inside(line, cmd.initial);
        check_inside(line, cmd.address);
        if (cmd.verb == SMTP_RCPT && !slice_has(cmd.address, '@'))
            abort();
        if (slice_is(slice_make(smtp_command_name(cmd.verb), 1), "?"))
            abort();
    }
    check_sasl(line);
    return 0;
}
