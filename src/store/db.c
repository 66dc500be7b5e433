/*
 * The thin layer over SQLite that the rest of the room speaks.
 */
#include "store/db.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define STATEMENTS 256u /* a power of two, above the number of literals */

struct db {
    sqlite3 *handle;
    struct {
        const char *sql;
        sqlite3_stmt *stmt;
    } cache[STATEMENTS];
};

static int
db_err(struct db *db, struct err *e, const char *what)
{
    int code = sqlite3_errcode(db->handle) & 0xff;
    enum err_code ours = code == SQLITE_FULL ? E_FULL : E_RETRY;

    if (code == SQLITE_CONSTRAINT || code == SQLITE_MISUSE ||
        code == SQLITE_ERROR)
        ours = E_BUG;
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return err_set(e, E_INPUT,
                       "the store is damaged (%s); put a good copy back or "
                       "remove it, then all is listed again",
                       sqlite3_errmsg(db->handle));
    /* A full disk shows as an I/O error, too. */
    if (code == SQLITE_IOERR && sqlite3_system_errno(db->handle) == 28)
        ours = E_FULL;
    return err_set(e, ours, "store: %s: %s", what,
                   sqlite3_errmsg(db->handle));
}

int
db_open(const char *path, struct db **out, struct err *e)
{
    struct db *db = xcalloc(1, sizeof *db);
    int rc;

    /* Nobody asks for the counters, and they take a lock at each malloc.
     * Refused after the first time, which is as good. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    rc = sqlite3_open_v2(path, &db->handle,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                             SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
                         NULL);

    if (rc != SQLITE_OK) {
        db_err(db, e, path);
        db_close(&db);
        return -1;
    }
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, 2000);
    /* Nobody else opens it while we run (store_lock() sees to that). Said
     * before the first access, SQLite then takes its locks once, not around
     * each statement, and keeps the index of the WAL in memory, without -shm. */
    if (db_exec(db, "PRAGMA locking_mode = EXCLUSIVE", e)) {
        db_close(&db);
        return -1;
    }
    /* Else each bound value that might choose a partial index compiles its
     * statement anew; our queries name the condition of the index. */
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_QPSG, 1, NULL);
    *out = db;
    return 0;
}

void
db_close(struct db **dbp)
{
    struct db *db = *dbp;

    if (!db)
        return;
    for (unsigned i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(db->cache[i].stmt);
    sqlite3_close(db->handle);
    free(db);
    *dbp = NULL;
}

sqlite3 *
db_handle(struct db *db)
{
    return db->handle;
}

int
db_exec(struct db *db, const char *sql, struct err *e)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return db_err(db, e, "statement");
    return 0;
}

static sqlite3_stmt *
db_prepare(struct db *db, const char *sql, struct err *e)
{
    uintptr_t h = (uintptr_t)sql;
    unsigned at;

    h ^= h >> 12;
    for (at = (unsigned)(h >> 3) % STATEMENTS; db->cache[at].sql;
         at = (at + 1) % STATEMENTS)
        if (db->cache[at].sql == sql)
            return db->cache[at].stmt;
    if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
                           &db->cache[at].stmt, NULL) != SQLITE_OK) {
        err_set(e, E_BUG, "store: %s: %.120s", sqlite3_errmsg(db->handle),
                sql);
        return NULL;
    }
    db->cache[at].sql = sql;
    return db->cache[at].stmt;
}

/* `keep`: whether texts and bytes stay where they are until the statement is
 * done (SQLITE_STATIC), or must be copied. */
static sqlite3_stmt *
db_bind(struct db *db, struct err *e, sqlite3_destructor_type keep,
        const char *sql, const char *types, va_list ap)
{
    sqlite3_stmt *s = db_prepare(db, sql, e);

    if (!s)
        return NULL;
    sqlite3_reset(s);
    for (int i = 0; types[i]; i++) {
        struct slice b;
        const char *t;

        switch (types[i]) {
        case 'i':
            sqlite3_bind_int64(s, i + 1, va_arg(ap, int64_t));
            break;
        case 's':
            t = va_arg(ap, const char *);
            sqlite3_bind_text(s, i + 1, t, -1, keep);
            break;
        default:
            b = va_arg(ap, struct slice);
            sqlite3_bind_blob64(s, i + 1, b.p ? b.p : "", b.n, keep);
            break;
        }
    }
    return s;
}

sqlite3_stmt *
db_query(struct db *db, struct err *e, const char *sql, const char *types, ...)
{
    va_list ap;
    sqlite3_stmt *s;

    va_start(ap, types);
    s = db_bind(db, e, SQLITE_TRANSIENT, sql, types, ap);
    va_end(ap);
    return s;
}

void
db_done(sqlite3_stmt *s)
{
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
}

int
db_step(struct db *db, sqlite3_stmt *s, struct err *e)
{
    int rc = sqlite3_step(s);

    if (rc == SQLITE_ROW)
        return 1;
    if (rc != SQLITE_DONE)
        db_err(db, e, "statement");
    db_done(s);
    return rc == SQLITE_DONE ? 0 : -1;
}

int
db_run(struct db *db, struct err *e, const char *sql, const char *types, ...)
{
    va_list ap;
    sqlite3_stmt *s;
    int rc;

    va_start(ap, types);
    s = db_bind(db, e, SQLITE_STATIC, sql, types, ap);
    va_end(ap);
    if (!s)
        return -1;
    rc = db_step(db, s, e);
    if (rc == 1) {
        db_done(s);
        rc = 0;
    }
    return rc;
}

int
db_int(struct db *db, struct err *e, int64_t *out, const char *sql,
       const char *types, ...)
{
    va_list ap;
    sqlite3_stmt *s;
    int rc;

    va_start(ap, types);
    s = db_bind(db, e, SQLITE_STATIC, sql, types, ap);
    va_end(ap);
    if (!s)
        return -1;
    rc = db_step(db, s, e);
    if (rc == 1) {
        *out = sqlite3_column_int64(s, 0);
        db_done(s);
    }
    return rc;
}

const char *
db_text(sqlite3_stmt *s, int column, struct arena *a)
{
    const char *t = (const char *)sqlite3_column_text(s, column);
    int n = sqlite3_column_bytes(s, column);

    return t ? arena_dup(a, slice_make(t, (size_t)n)) : "";
}

struct slice
db_blob(sqlite3_stmt *s, int column, struct arena *a)
{
    const void *p = sqlite3_column_blob(s, column);
    int n = sqlite3_column_bytes(s, column);

    return p ? arena_slice(a, slice_make(p, (size_t)n)) : SLICE_NONE;
}
