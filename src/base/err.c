/*
 * Making and extending errors. Called from every room; knows nothing of
 * logs or protocols.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[ERR_CODES] = {
    [E_NONE] = "E_NONE",         [E_RETRY] = "E_RETRY",
    [E_LOGIN] = "E_LOGIN",       [E_LOCKED] = "E_LOCKED",
    [E_DENIED] = "E_DENIED",     [E_NOCERT] = "E_NOCERT",
    [E_CRYPTO] = "E_CRYPTO",     [E_INPUT] = "E_INPUT",
    [E_MISSING] = "E_MISSING",   [E_LIMIT] = "E_LIMIT",
    [E_FULL] = "E_FULL",         [E_QUOTA] = "E_QUOTA",
    [E_REMOTE] = "E_REMOTE",     [E_CANCELED] = "E_CANCELED",
    [E_BUG] = "E_BUG",
};

/* One line, printable: what comes from outside must not forge log lines. */
static void
text_clean(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = ' ';
}

int
err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    va_list ap;

    if (!e)
        return -1;
    e->code = code;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    text_clean(e->text);
    return -1;
}

int
err_add(struct err *e, const char *fmt, ...)
{
    char old[sizeof e->text];
    size_t n;
    va_list ap;

    if (!e)
        return -1;
    memcpy(old, e->text, sizeof old);
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    n = strlen(e->text);
    snprintf(e->text + n, sizeof e->text - n, ": %s", old);
    text_clean(e->text);
    return -1;
}

int
err_errno(struct err *e, enum err_code code, int errnum, const char *fmt, ...)
{
    size_t n;
    va_list ap;

    if (!e)
        return -1;
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
        code = E_FULL;
        break;
    case ENOENT:
        code = E_MISSING;
        break;
    default:
        break;
    }
    e->code = code;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    n = strlen(e->text);
    snprintf(e->text + n, sizeof e->text - n, ": %s", strerror(errnum));
    text_clean(e->text);
    return -1;
}

const char *
err_name(enum err_code code)
{
    if ((unsigned)code >= ERR_CODES)
        return "E_?";
    return names[code];
}
