/*
 * Adding to the configuration file for `sealpostctl setup` and `account add`,
 * and taking out what was so added.
 */
#ifndef SEALPOST_SETTINGS_APPEND_H
#define SEALPOST_SETTINGS_APPEND_H

#include <stddef.h>

#include "base/err.h"

struct settings_pair {
    const char *name, *value; /* as text; quoted here */
    const char *const *list;  /* instead of value; ends with NULL */
};
/* Appends `account "name" { ... }` to the file (made when there is none, mode
 * 0600) and touches nothing else in it; atomic, keeps mode and owner. When
 * the result would not load, the file stays as it was and the error says
 * why. E_INPUT: the account is there already, or a value is refused. */
int settings_append_account(const char *path, const char *name,
                            const struct settings_pair *, size_t n,
                            struct err *e);
/* Takes the block of this account out again, whoever wrote it; all else stays
 * byte for byte. The result is loaded before it is written: E_INPUT, and the
 * file as it was, when anything but this account would be another. E_MISSING
 * when there is no such account. */
int settings_remove_account(const char *path, const char *name, struct err *e);

#endif
