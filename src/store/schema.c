/*
 * The schema and its migrations: each version's statements once, in one
 * transaction with the version's number. Called by store_open().
 */
#include "store/private.h"

#include "base/mem.h"

static const char version_1[] =
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE folder("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " server_id TEXT NOT NULL, parent_server TEXT NOT NULL,"
    " name TEXT NOT NULL, type INTEGER NOT NULL,"
    " state INTEGER NOT NULL DEFAULT 0,"
    " uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL DEFAULT 1,"
    " modseq INTEGER NOT NULL DEFAULT 1,"
    " key TEXT NOT NULL DEFAULT '0',"
    " listed INTEGER NOT NULL DEFAULT 0,"
    " estimate INTEGER NOT NULL DEFAULT 0,"
    " subscribed INTEGER NOT NULL DEFAULT 1,"
    " resets INTEGER NOT NULL DEFAULT 0,"
    " confirmed INTEGER NOT NULL DEFAULT 1) STRICT;"
    "CREATE INDEX folder_server ON folder(server_id);"
    "CREATE TABLE message("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " folder INTEGER NOT NULL, uid INTEGER, modseq INTEGER NOT NULL,"
    " flags INTEGER NOT NULL, keywords TEXT NOT NULL DEFAULT '',"
    " received INTEGER NOT NULL, told INTEGER NOT NULL,"
    " saved INTEGER NOT NULL,"
    " collection INTEGER NOT NULL, server_id TEXT NOT NULL,"
    " sfrom TEXT NOT NULL DEFAULT '', sto TEXT NOT NULL DEFAULT '',"
    " scc TEXT NOT NULL DEFAULT '', subject TEXT NOT NULL DEFAULT '',"
    " class TEXT NOT NULL DEFAULT '', size INTEGER NOT NULL DEFAULT 0,"
    " verb INTEGER NOT NULL DEFAULT 0, thread BLOB,"
    " flag_detail TEXT NOT NULL DEFAULT '',"
    " body INTEGER NOT NULL DEFAULT 0,"
    " body_state INTEGER NOT NULL DEFAULT 0,"
    " body_tries INTEGER NOT NULL DEFAULT 0,"
    " body_after INTEGER NOT NULL DEFAULT 0,"
    " body_check INTEGER NOT NULL DEFAULT 0,"
    " family INTEGER NOT NULL DEFAULT 0,"
    " heir INTEGER NOT NULL DEFAULT 0,"
    " confirmed INTEGER NOT NULL DEFAULT 1,"
    " adrift INTEGER NOT NULL DEFAULT 0,"
    " aged INTEGER NOT NULL DEFAULT 0,"
    " aged_id TEXT NOT NULL DEFAULT '',"
    " server_seen INTEGER NOT NULL DEFAULT 0,"
    " server_flagged INTEGER NOT NULL DEFAULT 0,"
    " server_keywords TEXT NOT NULL DEFAULT '') STRICT;"
    "CREATE UNIQUE INDEX message_place ON message(folder, uid)"
    " WHERE uid IS NOT NULL;"
    "CREATE INDEX message_unnumbered ON message(folder)"
    " WHERE uid IS NULL;"
    "CREATE UNIQUE INDEX message_server ON message(collection, server_id)"
    " WHERE server_id <> '';"
    "CREATE INDEX message_lost ON message(collection, told)"
    " WHERE confirmed = 0 OR server_id = '';"
    "CREATE INDEX message_aged ON message(folder, told)"
    " WHERE aged_id <> '';"
    "CREATE INDEX message_aged_id ON message(aged, aged_id)"
    " WHERE aged_id <> '';"
    "CREATE INDEX message_missing ON message(received)"
    " WHERE body_state = 0 AND body = 0;"
    "CREATE INDEX message_check ON message(body_after)"
    " WHERE body_check <> 0;"
    "CREATE INDEX message_standin ON message(body_after)"
    " WHERE body_state = 2;"
    "CREATE INDEX message_body ON message(body) WHERE body <> 0;"
    "CREATE INDEX message_family ON message(family, id) WHERE family <> 0;"
    "CREATE INDEX message_local ON message(id) WHERE flags & 64;"
    "CREATE TABLE tombstone(folder INTEGER NOT NULL, uid INTEGER NOT NULL,"
    " modseq INTEGER NOT NULL, PRIMARY KEY(folder, uid))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE journal("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, message INTEGER NOT NULL,"
    " field INTEGER NOT NULL, version INTEGER NOT NULL DEFAULT 1,"
    " sent INTEGER NOT NULL DEFAULT 0, target INTEGER NOT NULL DEFAULT 0,"
    " tries INTEGER NOT NULL DEFAULT 0, next_try INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE(message, field)) STRICT;"
    "CREATE INDEX journal_under_way ON journal(target)"
    " WHERE field = 3 AND sent <> 0;"
    "CREATE INDEX journal_order ON journal(field = 3, id);"
    "CREATE TABLE refusal(id INTEGER PRIMARY KEY, at INTEGER NOT NULL,"
    " message INTEGER NOT NULL, what TEXT NOT NULL, why TEXT NOT NULL)"
    " STRICT;"
    "CREATE TABLE body(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " size INTEGER NOT NULL, digest BLOB NOT NULL,"
    " ready INTEGER NOT NULL," /* 2: evicted, the digest stays */
    " fetched INTEGER NOT NULL DEFAULT 0,"
    " used INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX body_used ON body(used, size)"
    " WHERE ready = 1 AND fetched = 1;"
    "CREATE TABLE view(message INTEGER PRIMARY KEY,"
    " encrypted INTEGER NOT NULL, opened INTEGER NOT NULL,"
    " size INTEGER NOT NULL, digest BLOB NOT NULL,"
    " message_id TEXT NOT NULL, in_reply_to TEXT NOT NULL,"
    " result TEXT NOT NULL, sealed BLOB,"
    " envelope TEXT, structure TEXT, body TEXT, verdict TEXT) STRICT;"
    "CREATE INDEX view_message_id ON view(message_id)"
    " WHERE message_id <> '';"
    "CREATE TABLE stage(folder INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " items BLOB NOT NULL, PRIMARY KEY(folder, seq)) STRICT;"
    "CREATE TABLE submission(seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " id TEXT NOT NULL UNIQUE, client_id TEXT NOT NULL,"
    " state INTEGER NOT NULL, sender TEXT NOT NULL,"
    " recipients TEXT NOT NULL, message_id TEXT NOT NULL,"
    " save INTEGER NOT NULL, encrypted INTEGER NOT NULL,"
    " signed INTEGER NOT NULL, size INTEGER NOT NULL,"
    " created INTEGER NOT NULL, next_try INTEGER NOT NULL,"
    " tries INTEGER NOT NULL, error TEXT NOT NULL, parent TEXT NOT NULL)"
    " STRICT;"
    "CREATE TABLE certificate(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " fingerprint TEXT NOT NULL, address TEXT NOT NULL, der BLOB NOT NULL,"
    " source INTEGER NOT NULL, candidate INTEGER NOT NULL,"
    " refused INTEGER NOT NULL, capabilities BLOB NOT NULL,"
    " capabilities_time INTEGER NOT NULL, first_seen INTEGER NOT NULL,"
    " last_seen INTEGER NOT NULL, UNIQUE(fingerprint, address)) STRICT;"
    "CREATE INDEX certificate_address ON certificate(address);"
    "CREATE TABLE lookup(address TEXT NOT NULL, source INTEGER NOT NULL,"
    " at INTEGER NOT NULL, found INTEGER NOT NULL,"
    " PRIMARY KEY(address, source)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE issuer(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " fingerprint TEXT NOT NULL UNIQUE, der BLOB NOT NULL) STRICT;";

/* versions[n] leads from n to n + 1. */
static const char *const versions[STORE_SCHEMA] = {version_1};

static int
migrate(struct db *db, int64_t from, struct err *e)
{
    char set[64];

    if (db_exec(db, "BEGIN IMMEDIATE", e))
        return -1;
    for (int64_t v = from; v < STORE_SCHEMA; v++)
        if (db_exec(db, versions[v], e))
            goto fail;
    sqlite3_snprintf(sizeof set, set, "PRAGMA user_version = %d",
                     STORE_SCHEMA);
    if (db_exec(db, set, e) || db_exec(db, "COMMIT", e))
        goto fail;
    return 0;
fail:
    db_exec(db, "ROLLBACK", NULL);
    return -1;
}

int
store_schema_open(struct db *db, struct err *e)
{
    int64_t version = 0;

    if (db_int(db, e, &version, "PRAGMA user_version", "") < 0)
        return -1;
    if (version > STORE_SCHEMA)
        return err_set(e, E_RETRY,
                       "the store has schema %lld, this version knows %d: it "
                       "was left untouched; a newer Sealpost is needed",
                       (long long)version, STORE_SCHEMA);
    if (db_exec(db,
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                "PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;"
                "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4000;"
                /* A checkpoint waits for the disk, on the loop: seldom. */
                "PRAGMA wal_autocheckpoint = 4000",
                e))
        return -1;
    return version < STORE_SCHEMA ? migrate(db, version, e) : 0;
}
