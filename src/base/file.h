/*
 * Whole files, safely: bounded reads; writes that are either there or not.
 */
#ifndef SEALPOST_BASE_FILE_H
#define SEALPOST_BASE_FILE_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

/* Adds the file's bytes to out. E_MISSING when there is none, E_LIMIT when it
 * is larger than out may hold. */
int file_read(const char *path, struct buf *out, struct err *e);

/* Writes a temporary file beside `path`, syncs it when `sync`, renames it
 * over `path` and (when `sync`) syncs the directory. E_FULL when the disk is
 * full; nothing is left behind on failure. */
int file_write(const char *path, struct slice bytes, mode_t mode, bool sync,
               struct err *e);

/* fdatasync() of one path (file or directory). Blocking. */
int file_sync(const char *path, struct err *e);
/* Starts writing a file out and does not wait: file_sync() must follow. */
void file_sync_begin(const char *path);

/* Makes the directory and its parents, mode 0700; fine if it is there. */
int file_mkdirs(const char *path, struct err *e);

/* Removes; a file that is not there is fine. */
int file_remove(const char *path, struct err *e);

/* Removes a directory with all in it; links are not followed, other file
 * systems not entered; fine if it is not there. Blocking: for workers. */
int file_remove_tree(const char *path, struct err *e);

/* dirname, in place of libc's that writes into its argument. Heap. */
char *file_dir(const char *path);

#endif
