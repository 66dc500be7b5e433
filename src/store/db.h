/*
 * SQLite for the room's own files: statements are prepared once and kept;
 * binding and running is one line.
 */
#ifndef SEALPOST_STORE_DB_H
#define SEALPOST_STORE_DB_H

#include <sqlite3.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

struct db;

int db_open(const char *path, struct db **out, struct err *e);
void db_close(struct db **);
sqlite3 *db_handle(struct db *);

/* Several statements without parameters. */
int db_exec(struct db *, const char *sql, struct err *e);

/* `sql` must be a string literal (its address is the cache's key). `types`
 * has a letter for each parameter: i int64_t, s const char * (NULL is NULL),
 * b struct slice. */
sqlite3_stmt *db_query(struct db *, struct err *e, const char *sql,
                       const char *types, ...);
/* 1 row, 0 end, -1. After 0 and -1 the statement is done. */
int db_step(struct db *, sqlite3_stmt *, struct err *e);
/* Ends a query early. */
void db_done(sqlite3_stmt *);
/* Query without rows. */
int db_run(struct db *, struct err *e, const char *sql, const char *types,
           ...);
/* First column of the first row; 1, 0 (none, *out untouched), -1. */
int db_int(struct db *, struct err *e, int64_t *out, const char *sql,
           const char *types, ...);

/* Columns. Text is copied into the arena, NULL becomes "". */
const char *db_text(sqlite3_stmt *, int column, struct arena *);
struct slice db_blob(sqlite3_stmt *, int column, struct arena *);

#endif
