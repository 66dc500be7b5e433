/*
 * Errors as values. A function that can fail returns 0 or -1 and takes
 * `struct err *e` last. Codes say what the caller can do, not what broke;
 * each door turns them into its own protocol in one table.
 */
#ifndef SEALPOST_BASE_ERR_H
#define SEALPOST_BASE_ERR_H

enum err_code {
    E_NONE = 0,
    E_RETRY,    /* server or network away, try later */
    E_LOGIN,    /* Exchange refused the credentials */
    E_LOCKED,   /* a key is asleep: card or PIN missing */
    E_DENIED,   /* policy says no */
    E_NOCERT,   /* a recipient has no usable certificate */
    E_CRYPTO,   /* a CMS operation failed */
    E_INPUT,    /* malformed */
    E_MISSING,  /* no such thing */
    E_LIMIT,    /* too large, too many */
    E_FULL,     /* our disk or a rate is used up */
    E_QUOTA,    /* the mailbox is full */
    E_REMOTE,   /* Exchange refused for good */
    E_CANCELED, /* nobody waits any more */
    E_BUG,      /* should not happen */
    ERR_CODES   /* how many there are */
};

/* Plain data: copy it freely. `text` is one line for people, without a final
 * newline, and never holds secrets, subjects or bodies. */
struct err {
    enum err_code code;
    char text[256];
};

/* Sets *e and returns -1, so that a failure is one line. `e` may be NULL. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the text of an error on its way up; returns -1. */
int err_add(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* err_set() with strerror(errnum) added; ENOSPC, EDQUOT and EMFILE become
 * E_FULL, ENOENT E_MISSING, anything else `code`. */
int err_errno(struct err *e, enum err_code code, int errnum, const char *fmt,
              ...) __attribute__((format(printf, 4, 5)));

/* "E_RETRY" and so on; "E_?" for an unknown code. */
const char *err_name(enum err_code code);

#endif
