/*
 * Every setting there is: name, value, place, default. The file's parser, the
 * resolver, `sealpostctl config` and the test that compares with
 * conf/sealpost.conf all read this table; a new setting is a line here, a
 * field in settings.h and a paragraph in conf/sealpost.conf.
 *
 * What the specification has and the program does not do yet stands here as
 * well, marked, so that it is refused with "not built yet" and never ignored.
 * Whoever builds it takes the mark away.
 */
#include "settings/private.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define UNBUILT true

static const struct setting_word words_bool[] = {
    {"yes", 1, false}, {"no", 0, false}, {NULL, 0, false}};
/* A wish that cannot be fulfilled yet. */
static const struct setting_word words_no[] = {
    {"no", 0, false}, {"yes", 1, UNBUILT}, {NULL, 0, false}};
static const struct setting_word words_yes[] = {
    {"yes", 1, false}, {"no", 0, UNBUILT}, {NULL, 0, false}};
static const struct setting_word words_log[] = {
    {"error", LOG_LEVEL_ERROR, false},   {"warn", LOG_LEVEL_WARN, false},
    {"notice", LOG_LEVEL_NOTICE, false}, {"info", LOG_LEVEL_INFO, false},
    {"debug", LOG_LEVEL_DEBUG, false},   {NULL, 0, false}};
static const struct setting_word words_secrets[] = {
    {"file", 0, false},
    {"keyring", 1, UNBUILT},
    {"credential", 2, UNBUILT},
    {NULL, 0, false}};
static const struct setting_word words_auth[] = {
    {"basic", SETTINGS_AUTH_BASIC, false},
    {"ntlm", SETTINGS_AUTH_NTLM, false},
    {"certificate", SETTINGS_AUTH_CERTIFICATE, false},
    {"negotiate", 3, UNBUILT},
    {"oauth", 4, UNBUILT},
    {NULL, 0, false}};
static const struct setting_word words_login[] = {
    {"stored", 0, false}, {"passthrough", 1, UNBUILT}, {NULL, 0, false}};
static const struct setting_word words_window[] = {
    {"all", SETTINGS_WINDOW_ALL, false},
    {"1d", SETTINGS_WINDOW_1D, false},
    {"3d", SETTINGS_WINDOW_3D, false},
    {"1w", SETTINGS_WINDOW_1W, false},
    {"2w", SETTINGS_WINDOW_2W, false},
    {"1m", SETTINGS_WINDOW_1M, false},
    {NULL, 0, false}};
static const struct setting_word words_window_end[] = {
    {"keep", SETTINGS_WINDOW_KEEP, false},
    {"drop", SETTINGS_WINDOW_DROP, false},
    {NULL, 0, false}};
static const struct setting_word words_expunge[] = {
    {"trash", SETTINGS_EXPUNGE_TRASH, false},
    {"delete", SETTINGS_EXPUNGE_DELETE, false},
    {NULL, 0, false}};
static const struct setting_word words_append[] = {
    {"reject", SETTINGS_APPEND_REJECT, false},
    {"local", SETTINGS_APPEND_LOCAL, UNBUILT},
    {NULL, 0, false}};
static const struct setting_word words_from[] = {
    {"enforce", SETTINGS_FROM_ENFORCE, false},
    {"rewrite", SETTINGS_FROM_REWRITE, false},
    {"allow", SETTINGS_FROM_ALLOW, false},
    {NULL, 0, false}};
static const struct setting_word words_sign[] = {
    {"ask", SETTINGS_ASK, false},
    {"always", SETTINGS_ALWAYS, false},
    {"never", SETTINGS_NEVER, false},
    {NULL, 0, false}};
static const struct setting_word words_encrypt[] = {
    {"ask", SETTINGS_ASK, false},
    {"always", SETTINGS_ALWAYS, false},
    {"never", SETTINGS_NEVER, false},
    {"if-possible", SETTINGS_IF_POSSIBLE, false},
    {NULL, 0, false}};
static const struct setting_word words_missing[] = {
    {"reject", SETTINGS_MISSING_REJECT, false},
    {"remove", 1, UNBUILT},
    {"split", 2, UNBUILT},
    {"hold", 3, UNBUILT},
    {NULL, 0, false}};
static const struct setting_word words_override[] = {
    {"yes", SETTINGS_OVERRIDE_YES, false},
    {"stricter", SETTINGS_OVERRIDE_STRICTER, false},
    {"no", SETTINGS_OVERRIDE_NO, false},
    {NULL, 0, false}};
static const struct setting_word words_protect[] = {
    {"auto", SETTINGS_PROTECT_AUTO, false},
    {"hide", SETTINGS_PROTECT_HIDE, false},
    {"copy", SETTINGS_PROTECT_COPY, false},
    {"off", SETTINGS_PROTECT_OFF, false},
    {NULL, 0, false}};
static const struct setting_word words_signature[] = {
    {"clear", SETTINGS_SIGNATURE_CLEAR, false},
    {"opaque", SETTINGS_SIGNATURE_OPAQUE, false},
    {NULL, 0, false}};
static const struct setting_word words_locked[] = {
    {"refuse", SETTINGS_LOCKED_REFUSE, false},
    {"queue", SETTINGS_LOCKED_QUEUE, false},
    {NULL, 0, false}};
static const struct setting_word words_newline[] = {
    {"normalize", SETTINGS_NEWLINE_NORMALIZE, false},
    {"reject", SETTINGS_NEWLINE_REJECT, false},
    {NULL, 0, false}};
static const struct setting_word words_reports[] = {
    {"local", 0, false}, {"mail", 1, UNBUILT}, {NULL, 0, false}};
static const struct setting_word words_harvest[] = {
    {"auto", SETTINGS_HARVEST_AUTO, false},
    {"ask", 2, UNBUILT},
    {"off", SETTINGS_HARVEST_OFF, false},
    {NULL, 0, false}};
static const struct setting_word words_undecryptable[] = {
    {"explain", SETTINGS_UNDECRYPTABLE_EXPLAIN, false},
    {"original", SETTINGS_UNDECRYPTABLE_ORIGINAL, false},
    {NULL, 0, false}};
static const struct setting_word words_revocation[] = {
    {"off", 0, false},
    {"try", 1, UNBUILT},
    {"require", 2, UNBUILT},
    {NULL, 0, false}};

#define MINUTE 60
#define HOUR 3600
#define DAY 86400
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

#define G(f) SETTING_GLOBAL, offsetof(struct settings, f)
#define A(f) SETTING_ANYWHERE, offsetof(struct settings_account, f)
#define O(f) SETTING_ACCOUNT, offsetof(struct settings_account, f)
#define G_NO SETTING_GLOBAL, SETTING_NO_FIELD
#define A_NO SETTING_ANYWHERE, SETTING_NO_FIELD

/* name, kind, where and field, default, words, min, max, unbuilt, fixed */
const struct setting settings_table[] = {
    /* ---- the daemon ---- */
    {"state_dir", SETTING_PATH, G(state_dir), "", NULL, 0, 0, NULL, true},
    {"control", SETTING_PATH, G(control), "", NULL, 0, 0, NULL, true},
    {"control_group", SETTING_TEXT, G(control_group), "", NULL, 0, 0, NULL,
     true},
    {"run_as", SETTING_TEXT, G(user), "sealpost", NULL, 0, 0, NULL, true},
    {"secrets", SETTING_WORD, G_NO, "file", words_secrets, 0, 0, NULL, true},
    {"machine_key", SETTING_PATH, G(machine_key), "", NULL, 0, 0, NULL, true},
    {"secrets_file", SETTING_PATH, G(secrets_file), "", NULL, 0, 0, NULL,
     true},
    {"log_level", SETTING_WORD, G(log_level), "info", words_log, 0, 0, NULL,
     false},
    {"log_addresses", SETTING_BOOL, G(log_addresses), "yes", words_bool, 0, 0,
     NULL, false},
    {"listen_imap", SETTING_LISTEN, G_NO, "127.0.0.1:1143 [::1]:1143", NULL, 0,
     0, NULL, true},
    {"listen_imaps", SETTING_LISTEN, G_NO, "127.0.0.1:1993 [::1]:1993", NULL,
     0, 0, NULL, true},
    {"listen_smtp", SETTING_LISTEN, G_NO, "127.0.0.1:1025 [::1]:1025", NULL, 0,
     0, NULL, true},
    {"listen_smtps", SETTING_LISTEN, G_NO, "127.0.0.1:1465 [::1]:1465", NULL,
     0, 0, NULL, true},
    {"tls_certificate", SETTING_PATH, G(tls_certificate), "", NULL, 0, 0, NULL,
     true},
    {"tls_key", SETTING_PATH, G(tls_key), "", NULL, 0, 0, NULL, true},
    {"max_imap_clients", SETTING_NUMBER, G(max_imap_clients), "1000", NULL, 1,
     100000, NULL, false},
    {"max_smtp_clients", SETTING_NUMBER, G(max_smtp_clients), "200", NULL, 1,
     100000, NULL, false},
    {"max_clients_per_host", SETTING_NUMBER, G(max_clients_per_host), "1000",
     NULL, 1, 100000, NULL, false},
    {"imap_timeout", SETTING_TIME, G(imap_timeout), "30m", NULL, 30 * MINUTE,
     DAY, NULL, false},
    {"smtp_timeout", SETTING_TIME, G(smtp_timeout), "5m", NULL, 10, DAY, NULL,
     false},
    {"login_timeout", SETTING_TIME, G(login_timeout), "1m", NULL, 5, HOUR,
     NULL, false},
    {"login_delay", SETTING_TIME, G(login_delay), "2s", NULL, 0, MINUTE, NULL,
     false},
    {"crypto_threads", SETTING_NUMBER, G(crypto_threads), "0", NULL, 0, 64,
     NULL, true},
    {"view_cache", SETTING_SIZE, G(view_cache), "32M", NULL, MIB, 64 * GIB,
     NULL, true},
    {"max_receive_memory", SETTING_SIZE, G(max_append_memory), "256M", NULL,
     MIB, 64 * GIB, NULL, false},
    {"console", SETTING_BOOL, G_NO, "no", words_no, 0, 0, NULL, true},
    {"metrics", SETTING_BOOL, G_NO, "no", words_no, 0, 0, NULL, true},
    {"pkcs11_modules", SETTING_PATHS, G_NO, "", NULL, 0, 0,
     "keys on cards and tokens", true},

    /* ---- an account: who ---- */
    {"address", SETTING_ADDRESS, O(address), "", NULL, 0, 0, NULL, false},
    {"aliases", SETTING_ADDRESSES, O(aliases), "", NULL, 0, 0, NULL, false},
    {"local_password", SETTING_TEXT, O(local_password), "", NULL, 0, 0, NULL,
     false},
    {"allow", SETTING_ADDRESSES, SETTING_ACCOUNT, SETTING_NO_FIELD, "", NULL,
     0, 0, "letting clients in by address", false},

    /* ---- upstream ---- */
    {"server", SETTING_URL, A(server), "", NULL, 0, 0, NULL, false},
    {"auth", SETTING_WORD, A(auth), "basic", words_auth, 0, 0, NULL, false},
    {"user", SETTING_TEXT, O(user), "", NULL, 0, 0, NULL, false},
    {"login", SETTING_WORD, A_NO, "stored", words_login, 0, 0, NULL, false},
    {"password_command", SETTING_TEXT, A(password_command), "", NULL, 0, 0,
     NULL, false},
    {"client_certificate", SETTING_PATH, A(client_certificate), "", NULL, 0, 0,
     NULL, false},
    {"client_key", SETTING_PATH, A(client_key), "", NULL, 0, 0, NULL, false},
    {"oauth_client_id", SETTING_TEXT, A_NO, "", NULL, 0, 0, "OAuth 2.0",
     false},
    {"oauth_tenant", SETTING_TEXT, A_NO, "", NULL, 0, 0, "OAuth 2.0", false},
    {"oauth_authority", SETTING_URL, A_NO, "", NULL, 0, 0, "OAuth 2.0",
     false},
    {"oauth_scope", SETTING_TEXT, A_NO, "", NULL, 0, 0, "OAuth 2.0", false},
    {"ca_file", SETTING_PATH, A(ca_file), "", NULL, 0, 0, NULL, false},
    {"eas_version", SETTING_TEXT, A(eas_version), "", NULL, 0, 0, NULL, false},
    {"max_requests", SETTING_NUMBER, A(max_requests), "3", NULL, 1, 10, NULL,
     false},
    {"accept_policy", SETTING_BOOL, A(accept_policy), "no", words_bool, 0, 0,
     NULL, false},
    {"heartbeat_min", SETTING_TIME, A(heartbeat_min), "1m", NULL, 60, HOUR,
     NULL, false},
    {"heartbeat_max", SETTING_TIME, A(heartbeat_max), "29m", NULL, 60, HOUR,
     NULL, false},
    {"sync_interval", SETTING_TIME, A(sync_interval), "10m", NULL, 10, DAY,
     NULL, false},
    {"sync_interval_inbox", SETTING_TIME, A(sync_interval_inbox), "0s", NULL,
     0, DAY, NULL, false},
    {"sync_interval_other", SETTING_TIME, A(sync_interval_other), "1h", NULL,
     0, 7 * DAY, NULL, false},

    /* ---- the local copy ---- */
    {"sync_window", SETTING_WORD, A(sync_window), "all", words_window, 0, 0,
     NULL, false},
    {"window_end", SETTING_WORD, A(window_end), "keep", words_window_end, 0, 0,
     NULL, false},
    {"cache_size", SETTING_SIZE, A(cache_size), "0", NULL, 0,
     (uint64_t)1 << 50, NULL, false},
    {"encrypt_store", SETTING_BOOL, A_NO, "no", words_no, 0, 0, NULL, false},
    {"vanished_keep", SETTING_TIME, A(vanished_keep), "90d", NULL, DAY,
     3650 * (uint64_t)DAY, "forgetting removed messages", false},
    {"expunge", SETTING_WORD, A(expunge), "trash", words_expunge, 0, 0, NULL,
     false},
    {"append", SETTING_WORD, A(append), "reject", words_append, 0, 0, NULL,
     false},
    {"append_wait", SETTING_TIME, A(append_wait), "10s", NULL, 0, 5 * MINUTE,
     NULL, false},
    {"draft_wait", SETTING_TIME, A(draft_wait), "10s", NULL, 0, DAY,
     "upload of drafts", false},
    {"search_encrypted", SETTING_BOOL, A_NO, "no", words_no, 0, 0, NULL,
     false},
    {"junk_folder", SETTING_TEXT, A(junk_folder), "", NULL, 0, 0,
     "choosing the folder for \\Junk", false},
    {"archive_folder", SETTING_TEXT, A(archive_folder), "", NULL, 0, 0,
     "choosing the folder for \\Archive", false},

    /* ---- mail out ---- */
    {"from", SETTING_WORD, A(from), "enforce", words_from, 0, 0, NULL, false},
    {"sign", SETTING_WORD, A(sign), "ask", words_sign, 0, 0, NULL, false},
    {"encrypt", SETTING_WORD, A(encrypt), "ask", words_encrypt, 0, 0, NULL,
     false},
    {"missing_certificate", SETTING_WORD, A(missing_certificate), "reject",
     words_missing, 0, 0, NULL, false},
    {"override", SETTING_WORD, A(override), "yes", words_override, 0, 0, NULL,
     false},
    {"signing_key", SETTING_KEY, A(signing_key), "auto", NULL, 0, 0, NULL,
     false},
    {"encryption_key", SETTING_KEY, A(encryption_key), "auto", NULL, 0, 0,
     NULL, false},
    {"reply_guard", SETTING_BOOL, A(reply_guard), "yes", words_bool, 0, 0,
     NULL, false},
    {"protect_headers", SETTING_WORD, A(protect_headers), "auto",
     words_protect, 0, 0, NULL, false},
    {"legacy_display", SETTING_BOOL, A_NO, "no", words_no, 0, 0, NULL, false},
    {"signature", SETTING_WORD, A(signature), "clear", words_signature, 0, 0,
     NULL, false},
    {"encrypt_to_self", SETTING_BOOL, A(encrypt_to_self), "yes", words_bool, 0,
     0, NULL, false},
    {"escrow", SETTING_PATHS, A_NO, "", NULL, 0, 0,
     "encryption to extra certificates", false},
    {"announce_gcm", SETTING_BOOL, A(announce_gcm), "no", words_bool, 0, 0,
     NULL, false},
    {"allow_weak", SETTING_BOOL, A(allow_weak), "no", words_no, 0, 0, NULL,
     false},
    {"subject_wishes", SETTING_BOOL, A_NO, "yes", words_yes, 0, 0, NULL,
     false},
    {"submit_wait", SETTING_TIME, A(submit_wait), "20s", NULL, 0, 5 * MINUTE,
     NULL, false},
    {"queue_lifetime", SETTING_TIME, A(queue_lifetime), "5d", NULL, MINUTE,
     60 * DAY, NULL, false},
    {"queue_retry_min", SETTING_TIME, A(queue_retry_min), "1m", NULL, 1, DAY,
     NULL, false},
    {"queue_retry_max", SETTING_TIME, A(queue_retry_max), "1h", NULL, 1, DAY,
     NULL, false},
    {"locked", SETTING_WORD, A(locked), "refuse", words_locked, 0, 0, NULL,
     false},
    {"lookup_wait", SETTING_TIME, A(lookup_wait), "15m", NULL, 0, DAY, NULL,
     false},
    {"lookup_timeout", SETTING_TIME, A(lookup_timeout), "20s", NULL, 1,
     5 * MINUTE, NULL, false},
    {"reports", SETTING_WORD, A_NO, "local", words_reports, 0, 0, NULL,
     false},
    {"bare_newline", SETTING_WORD, A(bare_newline), "normalize", words_newline,
     0, 0, NULL, false},
    {"max_message_size", SETTING_SIZE, A(max_message_size), "50M", NULL,
     65536, GIB, NULL, false},
    {"max_recipients", SETTING_NUMBER, A(max_recipients), "500", NULL, 1,
     10000, NULL, false},
    {"max_messages_per_minute", SETTING_NUMBER, A(max_messages_per_minute),
     "0", NULL, 0, 1000000, NULL, false},
    {"max_queue", SETTING_NUMBER, A(max_queue), "10000", NULL, 1, 1000000,
     NULL, false},
    {"max_sessions", SETTING_NUMBER, A(max_sessions), "1000", NULL, 1, 100000,
     NULL, false},

    /* ---- mail in, certificates ---- */
    {"harvest", SETTING_WORD, A(harvest), "auto", words_harvest, 0, 0, NULL,
     false},
    {"undecryptable", SETTING_WORD, A(undecryptable), "explain",
     words_undecryptable, 0, 0, NULL, false},
    {"subject_tags", SETTING_BOOL, A_NO, "no", words_no, 0, 0, NULL, false},
    {"authserv_id", SETTING_TEXT, A(authserv_id), "", NULL, 0, 0, NULL,
     false},
    {"trust", SETTING_PATHS, A(trust), "", NULL, 0, 0, NULL, false},
    {"trust_system", SETTING_BOOL, A(trust_system), "yes", words_bool, 0, 0,
     NULL, false},
    {"revocation", SETTING_WORD, A_NO, "off", words_revocation, 0, 0, NULL,
     false},
    {"ldap", SETTING_ADDRESSES, A_NO, "", NULL, 0, 0,
     "certificates from LDAP", false},
    {"smimea", SETTING_BOOL, A_NO, "no", words_no, 0, 0, NULL, false},
};
const size_t settings_table_n = ARRAY_LEN(settings_table);

const struct setting *
settings_table_find(struct slice name)
{
    for (size_t i = 0; i < settings_table_n; i++)
        if (slice_is(name, settings_table[i].name))
            return &settings_table[i];
    return NULL;
}

bool
settings_table_is_list(const struct setting *s)
{
    return s->kind == SETTING_ADDRESSES || s->kind == SETTING_PATHS ||
        s->kind == SETTING_LISTEN;
}

/* In the unit that a person would write. */
static void
range_text(const struct setting *s, char *out, size_t size)
{
    static const struct {
        uint64_t n;
        const char *unit;
    } times[] = {{DAY, "d"}, {HOUR, "h"}, {MINUTE, "m"}, {1, "s"}},
      sizes[] = {{GIB, "G"}, {MIB, "M"}, {1024, "K"}, {1, ""}};
    uint64_t ends[2] = {s->min, s->max};
    char text[2][32];

    for (size_t k = 0; k < 2; k++) {
        uint64_t n = ends[k];
        const char *unit = "";
        for (size_t i = 0; n && i < ARRAY_LEN(times); i++) {
            uint64_t per = s->kind == SETTING_TIME ? times[i].n : sizes[i].n;
            if (s->kind == SETTING_NUMBER || n % per)
                continue;
            n /= per;
            unit = s->kind == SETTING_TIME ? times[i].unit : sizes[i].unit;
            break;
        }
        snprintf(text[k], sizeof(text[k]), "%llu%s", (unsigned long long)n,
                 unit);
    }
    snprintf(out, size, "%s%s to %s",
             s->kind == SETTING_TIME ? "a time such as 20s, 5m, 1h, 2d: "
             : s->kind == SETTING_SIZE
                 ? "a size such as 100K, 20M, 1G: "
                 : "a number, ",
             text[0], text[1]);
}

void
settings_table_allowed(const struct setting *s, char *out, size_t size)
{
    size_t n = 0;

    out[0] = 0;
    switch (s->kind) {
    case SETTING_WORD:
    case SETTING_BOOL:
        for (const struct setting_word *w = s->words; w->text; w++)
            if (!w->unbuilt && n < size)
                n += (size_t)snprintf(out + n, size - n, "%s%s",
                                      n ? ", " : "", w->text);
        break;
    case SETTING_TIME:
    case SETTING_NUMBER:
    case SETTING_SIZE:
        range_text(s, out, size);
        break;
    case SETTING_TEXT:
        snprintf(out, size, "text on one line");
        break;
    case SETTING_PATH:
    case SETTING_PATHS:
        snprintf(out, size, "the path of a file");
        break;
    case SETTING_ADDRESS:
    case SETTING_ADDRESSES:
        snprintf(out, size, "a mail address such as alice@example.com");
        break;
    case SETTING_URL:
        snprintf(out, size, "https://HOST[:PORT][/PATH]");
        break;
    case SETTING_KEY:
        snprintf(out, size, "auto, or a fingerprint (SHA-1 or SHA-256, hex)");
        break;
    case SETTING_LISTEN:
        snprintf(out, size,
                 "ADDRESS:PORT such as 127.0.0.1:1143 or [::1]:1143, or off");
        break;
    }
}

bool
settings_entry_at(size_t i, struct settings_entry *out)
{
    if (i >= settings_table_n)
        return false;
    const struct setting *s = &settings_table[i];
    *out = (struct settings_entry){
        .name = s->name,
        .fallback = s->fallback,
        .global_only = s->where == SETTING_GLOBAL,
        .account_only = s->where == SETTING_ACCOUNT,
        .built = !s->unbuilt,
    };
    settings_table_allowed(s, out->allowed, sizeof(out->allowed));
    return true;
}
