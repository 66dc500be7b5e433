/*
 * The one table from our errors to IMAP's answers (HACKING.md, section 6).
 */
#include "imap/private.h"

#include "base/err.h"

static const struct {
    const char *kind, *code;
} replies[ERR_CODES] = {
    [E_NONE] = {"OK", NULL},
    [E_RETRY] = {"NO", "UNAVAILABLE"},
    [E_LOGIN] = {"NO", "ALERT"},
    [E_LOCKED] = {"NO", "UNAVAILABLE"},
    [E_DENIED] = {"NO", "NOPERM"},
    [E_NOCERT] = {"NO", "CANNOT"},
    [E_CRYPTO] = {"NO", "CANNOT"},
    [E_INPUT] = {"BAD", NULL},
    [E_MISSING] = {"NO", "NONEXISTENT"},
    [E_LIMIT] = {"NO", "LIMIT"},
    [E_FULL] = {"NO", "UNAVAILABLE"},
    [E_QUOTA] = {"NO", "OVERQUOTA"},
    [E_REMOTE] = {"NO", "CANNOT"},
    [E_CANCELED] = {NULL, NULL},
    [E_BUG] = {"NO", "SERVERBUG"},
};

const char *
imap_reply_kind(const struct err *err, const char **code_out)
{
    enum err_code c = err->code < ERR_CODES ? err->code : E_BUG;

    *code_out = replies[c].code;
    return replies[c].kind;
}
