/*
 * Other people's certificates, and when a source was asked about an address.
 */
#include "store/certificate.h"

#include "base/mem.h"
#include "base/now.h"
#include "store/private.h"

int
store_cert_put(struct store *s, const struct store_cert *c, struct err *e)
{
    int64_t now = now_unix();

    if (store_begin(s, e))
        return -1;
    /* A pinned one stays pinned; capabilities only from a newer signature. */
    if (db_run(s->db, e,
               "INSERT INTO certificate(fingerprint, address, der, source,"
               " candidate, refused, capabilities, capabilities_time,"
               " first_seen, last_seen)"
               " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)"
               " ON CONFLICT(fingerprint, address) DO UPDATE SET"
               " source = min(source, excluded.source),"
               " candidate = CASE WHEN candidate THEN excluded.candidate"
               "  ELSE 0 END,"
               " capabilities = CASE WHEN excluded.capabilities_time >"
               "  capabilities_time THEN excluded.capabilities"
               "  ELSE capabilities END,"
               " capabilities_time = max(capabilities_time,"
               "  excluded.capabilities_time),"
               " last_seen = excluded.last_seen",
               "ssbiiibii", c->fingerprint, c->address, c->der,
               (int64_t)c->source, (int64_t)c->candidate, (int64_t)c->refused,
               c->capabilities, c->capabilities_time, now)) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

int
store_cert_next(struct store *s, const char *address, int64_t *after,
                struct arena *a, struct store_cert *out, struct err *e)
{
    sqlite3_stmt *q = db_query(
        s->db, e,
        "SELECT id, fingerprint, address, der, source, candidate, refused,"
        " capabilities, capabilities_time, first_seen, last_seen"
        " FROM certificate WHERE (?1 = '' OR address = ?1) AND"
        " (?2 = 0 OR id < ?2) ORDER BY id DESC LIMIT 1",
        "si", address, *after);
    int rc = q ? db_step(s->db, q, e) : -1;

    if (rc != 1)
        return rc;
    *after = sqlite3_column_int64(q, 0);
    *out = (struct store_cert){
        .fingerprint = db_text(q, 1, a),
        .address = db_text(q, 2, a),
        .der = db_blob(q, 3, a),
        .source = (enum store_cert_source)sqlite3_column_int(q, 4),
        .candidate = sqlite3_column_int(q, 5),
        .refused = sqlite3_column_int(q, 6),
        .capabilities = db_blob(q, 7, a),
        .capabilities_time = sqlite3_column_int64(q, 8),
        .first_seen = sqlite3_column_int64(q, 9),
        .last_seen = sqlite3_column_int64(q, 10),
    };
    db_done(q);
    return 1;
}

/* Runs one statement and says if it met a row. */
static int
cert_edit(struct store *s, struct err *e, int rc)
{
    if (rc) {
        store_rollback(s);
        return -1;
    }
    if (sqlite3_changes(db_handle(s->db)) == 0) {
        store_rollback(s);
        return err_set(e, E_MISSING, "there is no such certificate");
    }
    return store_commit(s, e);
}

int
store_cert_set(struct store *s, const char *fingerprint, bool candidate,
               bool refused, struct err *e)
{
    if (store_begin(s, e))
        return -1;
    return cert_edit(s, e,
                     db_run(s->db, e,
                            "UPDATE certificate SET candidate = ?,"
                            " refused = ? WHERE fingerprint = ?",
                            "iis", (int64_t)candidate, (int64_t)refused,
                            fingerprint));
}

int
store_cert_remove(struct store *s, const char *fingerprint, struct err *e)
{
    if (store_begin(s, e))
        return -1;
    return cert_edit(s, e,
                     db_run(s->db, e,
                            "DELETE FROM certificate WHERE fingerprint = ?",
                            "s", fingerprint));
}

int
store_issuer_put(struct store *s, const char *fingerprint, struct slice der,
                 struct err *e)
{
    if (store_begin(s, e))
        return -1;
    if (db_run(s->db, e,
               "INSERT INTO issuer(fingerprint, der) VALUES(?, ?)"
               " ON CONFLICT(fingerprint) DO NOTHING",
               "sb", fingerprint, der) ||
        db_run(s->db, e,
               "DELETE FROM issuer WHERE id <= (SELECT id FROM issuer"
               " ORDER BY id DESC LIMIT 1 OFFSET ?)",
               "i", (int64_t)STORE_ISSUERS)) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}

int
store_issuer_next(struct store *s, int64_t *after, struct arena *a,
                  struct slice *der_out, struct err *e)
{
    sqlite3_stmt *q = db_query(s->db, e,
                               "SELECT id, der FROM issuer"
                               " WHERE ?1 = 0 OR id < ?1"
                               " ORDER BY id DESC LIMIT 1",
                               "i", *after);
    int rc = q ? db_step(s->db, q, e) : -1;

    if (rc != 1)
        return rc;
    *after = sqlite3_column_int64(q, 0);
    *der_out = db_blob(q, 1, a);
    db_done(q);
    return 1;
}

int
store_lookup_get(struct store *s, const char *address,
                 enum store_cert_source source, struct store_lookup *out,
                 struct err *e)
{
    sqlite3_stmt *q = db_query(s->db, e,
                               "SELECT at, found FROM lookup"
                               " WHERE address = ? AND source = ?",
                               "si", address, (int64_t)source);
    int rc = q ? db_step(s->db, q, e) : -1;

    if (rc != 1)
        return rc;
    out->when = sqlite3_column_int64(q, 0);
    out->found = sqlite3_column_int(q, 1);
    db_done(q);
    return 1;
}

int
store_lookup_set(struct store *s, const char *address,
                 enum store_cert_source source, bool found, struct err *e)
{
    if (store_begin(s, e))
        return -1;
    if (db_run(s->db, e, "INSERT OR REPLACE INTO lookup VALUES(?, ?, ?, ?)",
               "siii", address, (int64_t)source, now_unix(),
               (int64_t)found)) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, e);
}
