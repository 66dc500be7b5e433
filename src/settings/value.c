/*
 * One value of one setting: its text checked and turned into the type of its
 * field. Called while the file is read (so that an error has its line) and
 * again when the accounts are resolved.
 */
#include "settings/private.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define MAX_VALUE 4096

static int
refuse(const struct setting *s, struct slice text, struct err *e)
{
    char allowed[200];

    settings_table_allowed(s, allowed, sizeof(allowed));
    return err_set(e, E_INPUT, "%s = \"%.*s\": allowed is %s", s->name,
                   (int)(text.n > 60 ? 60 : text.n), text.n ? text.p : "",
                   allowed);
}

static int
parse_word(const struct setting *s, struct slice text, void *field,
           struct err *e)
{
    for (const struct setting_word *w = s->words; w->text; w++) {
        if (!slice_is(text, w->text))
            continue;
        if (w->unbuilt) {
            char allowed[200];
            settings_table_allowed(s, allowed, sizeof(allowed));
            return err_set(e, E_INPUT,
                           "%s = \"%s\" is not built yet: allowed is %s",
                           s->name, w->text, allowed);
        }
        if (field && s->kind == SETTING_BOOL)
            *(bool *)field = w->value != 0;
        else if (field)
            *(int *)field = w->value;
        return 0;
    }
    return refuse(s, text, e);
}

/* 20s, 5m... or 10M, 1G: a number and at most one letter of `units`. */
static bool
parse_scaled(struct slice text, const char *units, const uint64_t *factors,
             uint64_t *out)
{
    uint64_t factor = 1;

    if (text.n > 1 && !ascii_is_digit(text.p[text.n - 1])) {
        const char *u = strchr(units, text.p[text.n - 1]);
        if (!u)
            return false;
        factor = factors[u - units];
        text.n--;
    }
    return slice_u64(text, out) && !__builtin_mul_overflow(*out, factor, out);
}

static int
parse_amount(const struct setting *s, struct slice text, void *field,
             struct err *e)
{
    static const uint64_t times[] = {1, 60, 3600, 86400, 604800};
    static const uint64_t sizes[] = {(uint64_t)1 << 10, (uint64_t)1 << 20,
                                     (uint64_t)1 << 30};
    uint64_t n;
    bool ok;

    if (s->kind == SETTING_TIME)
        ok = parse_scaled(text, "smhdw", times, &n);
    else if (s->kind == SETTING_SIZE)
        ok = parse_scaled(text, "KMG", sizes, &n);
    else
        ok = slice_u64(text, &n);
    if (!ok || n < s->min || n > s->max)
        return refuse(s, text, e);
    if (field && s->kind == SETTING_SIZE)
        *(uint64_t *)field = n;
    else if (field)
        *(unsigned *)field = (unsigned)n;
    return 0;
}

/* Enough to catch what a person mistypes; what the server thinks of it is
 * another matter. */
bool
settings_value_is_address(struct slice a)
{
    size_t at = slice_find(a, '@');

    if (a.n > 254 || at == 0 || at > 64 || at + 1 >= a.n ||
        slice_has(slice_from(a, at + 1), '@'))
        return false;
    for (size_t i = 0; i < a.n; i++)
        if ((unsigned char)a.p[i] <= ' ' || a.p[i] == 127 ||
            strchr("<>()[],;:\\\"", a.p[i]))
            return false;
    struct slice domain = slice_from(a, at + 1);
    return domain.p[0] != '.' && domain.p[domain.n - 1] != '.';
}

/* It names files and stands before a login's suffix, so neither "/" nor "+",
 * and no first dot. */
bool
settings_value_is_name(struct slice a)
{
    if (!a.n || a.n > 64 || a.p[0] == '.' || a.p[0] == '-')
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (!ascii_is_alpha(a.p[i]) && !ascii_is_digit(a.p[i]) &&
            !strchr("._-", a.p[i]))
            return false;
    return true;
}

static bool
is_url(struct slice a)
{
    struct slice host;

    if (!slice_istarts(a, "https://") || a.n > 500)
        return false;
    host = slice_from(a, 8);
    host.n = slice_find(host, '/');
    if (!host.n || slice_has(host, '@') || slice_has(a, '?') ||
        slice_has(a, '#'))
        return false;
    for (size_t i = 0; i < a.n; i++)
        if ((unsigned char)a.p[i] <= ' ' || (unsigned char)a.p[i] > 126)
            return false;
    return true;
}

/* Hex of SHA-1 or SHA-256, with or without colons, in small letters. */
static char *
fingerprint(struct slice a, struct arena *arena)
{
    char *out = arena_alloc(arena, a.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < a.n; i++) {
        int c = ascii_lower((unsigned char)a.p[i]);
        if (c == ':' && i % 3 == 2)
            continue;
        if (!ascii_is_digit(c) && !(c >= 'a' && c <= 'f'))
            return NULL;
        out[n++] = (char)c;
    }
    return n == 40 || n == 64 ? out : NULL;
}

static const char *
full_path(struct slice text, const struct value_at *at)
{
    const char *home = getenv("HOME");

    if (text.p[0] == '/')
        return arena_dup(at->arena, text);
    if (slice_starts(text, "~/") && home && home[0] == '/')
        return arena_printf(at->arena, "%s/%.*s", home, (int)text.n - 2,
                            text.p + 2);
    return arena_printf(at->arena, "%s/%.*s", at->dir, (int)text.n, text.p);
}

int
settings_value_listen(struct slice text, bool tls, struct arena *arena,
                      struct settings_listen *out, struct err *e)
{
    unsigned char raw[sizeof(struct in6_addr)];
    struct slice host, port = SLICE_NONE;
    uint32_t n;
    bool v6 = text.n && text.p[0] == '[', loopback;
    char *copy;

    if (v6) {
        size_t end = slice_find(text, ']');
        host = slice_cut(text, 1, end);
        if (end + 1 < text.n && text.p[end + 1] == ':')
            port = slice_from(text, end + 2);
    } else {
        size_t end = slice_find(text, ':');
        host = slice_cut(text, 0, end);
        port = slice_from(text, end + 1);
    }
    copy = arena_dup(arena, host);
    if (strlen(copy) != host.n ||
        inet_pton(v6 ? AF_INET6 : AF_INET, copy, raw) != 1 ||
        !slice_u32(port, &n) || n > 65535)
        return err_set(e, E_INPUT,
                       "allowed is ADDRESS:PORT such as 127.0.0.1:1143 or "
                       "[::1]:1143, or off");
    loopback = v6 ? IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)raw)
                  : raw[0] == 127;
    if (!loopback && !tls)
        return err_set(e, E_INPUT,
                       "beyond the loopback a listener needs TLS from the "
                       "first byte: use listen_imaps or listen_smtps");
    *out = (struct settings_listen){
        .tls = tls, .host = copy, .port = (uint16_t)n};
    return 0;
}

static int
parse_listen(const struct setting *s, struct slice text,
             const struct value_at *at, const char **out, struct err *e)
{
    struct settings_listen l;
    size_t n = strlen(s->name);
    struct err why = {0};

    if (!slice_is(text, "off") &&
        settings_value_listen(text, s->name[n - 1] == 's', at->arena, &l,
                              &why))
        return err_set(e, E_INPUT, "%s = \"%.*s\": %s", s->name,
                       (int)(text.n > 60 ? 60 : text.n), text.p, why.text);
    *out = arena_dup(at->arena, text);
    return 0;
}

static int
parse_text(const struct setting *s, struct slice text,
           const struct value_at *at, const char **out, struct err *e)
{
    bool ok = true;

    *out = NULL;
    switch (s->kind) {
    case SETTING_PATH:
    case SETTING_PATHS:
        *out = full_path(text, at);
        break;
    case SETTING_ADDRESS:
    case SETTING_ADDRESSES:
        ok = settings_value_is_address(text);
        break;
    case SETTING_URL:
        ok = is_url(text);
        break;
    case SETTING_KEY:
        if (slice_istarts(text, "pkcs11:"))
            return err_set(e, E_INPUT,
                           "%s = \"pkcs11:...\": keys on cards and tokens "
                           "are not built yet", s->name);
        if (!slice_is(text, "auto"))
            ok = (*out = fingerprint(text, at->arena)) != NULL;
        break;
    default:
        break;
    }
    if (!ok)
        return refuse(s, text, e);
    if (!*out)
        *out = arena_dup(at->arena, text);
    return 0;
}

int
settings_value_parse(const struct setting *s, struct slice text,
                     const struct value_at *at, void *field,
                     const char **element_out, struct err *e)
{
    const char *copy;

    if (s->unbuilt)
        return err_set(e, E_INPUT, "%s: %s: not built yet", s->name,
                       s->unbuilt);
    if (!text.n)
        return err_set(e, E_INPUT, "%s = \"\": an empty value; leave the "
                       "setting out instead", s->name);
    if (text.n > MAX_VALUE)
        return err_set(e, E_INPUT, "%s: a value of more than %d bytes",
                       s->name, MAX_VALUE);
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == 127)
            return err_set(e, E_INPUT, "%s: a control character in the value",
                           s->name);
    switch (s->kind) {
    case SETTING_WORD:
    case SETTING_BOOL:
        return parse_word(s, text, field, e);
    case SETTING_TIME:
    case SETTING_NUMBER:
    case SETTING_SIZE:
        return parse_amount(s, text, field, e);
    case SETTING_LISTEN:
        return parse_listen(s, text, at, element_out ? element_out : &copy,
                            e);
    default:
        break;
    }
    if (parse_text(s, text, at, &copy, e))
        return -1;
    if (element_out)
        *element_out = copy;
    if (field && !settings_table_is_list(s))
        *(const char **)field = copy;
    return 0;
}
