/*
 * Who asks for what: the query in its plain and its base64 form
 * (MS-ASHTTP 2.2.1.1.1), the headers that belong to the plain one, and Basic
 * authentication.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/code.h"
#include "base/mem.h"
#include "loop/httpd.h"
#include "sandbox/call.h"
#include "sandbox/server.h"

#define PATH "/Microsoft-Server-ActiveSync"

static void
url_decode(struct slice s, char *out, size_t size)
{
    size_t n = 0;
    unsigned c;

    for (size_t i = 0; i < s.n && n + 1 < size; i++) {
        char hex[3] = "";

        if (s.p[i] == '%' && i + 2 < s.n) {
            memcpy(hex, s.p + i + 1, 2);
            if (sscanf(hex, "%2x", &c) == 1 && c) {
                out[n++] = (char)c;
                i += 2;
                continue;
            }
        }
        out[n++] = s.p[i] == '+' ? ' ' : s.p[i];
    }
    out[n] = '\0';
}

static unsigned
version_of(const char *text)
{
    static const struct {
        const char *text;
        unsigned number;
    } known[] = {{"2.5", 25},   {"12.0", 120}, {"12.1", 121}, {"14.0", 140},
                 {"14.1", 141}, {"16.0", 160}, {"16.1", 161}};

    for (size_t i = 0; text && i < ARRAY_LEN(known); i++)
        if (!strcmp(text, known[i].text))
            return known[i].number;
    return 0;
}

/* ---- Cmd=Sync&User=... */

static void
plain_read(struct httpd_request *r, struct slice query, struct query *out)
{
    static const struct {
        const char *name;
        size_t at, size;
    } fields[] = {
        {"Cmd", offsetof(struct query, command), sizeof out->command},
        {"User", offsetof(struct query, user), sizeof out->user},
        {"DeviceId", offsetof(struct query, device), sizeof out->device},
        {"DeviceType", offsetof(struct query, type), sizeof out->type},
    };
    const char *key = httpd_header(r, "X-MS-PolicyKey");
    const char *parts = httpd_header(r, "MS-ASAcceptMultiPart");
    struct slice pair, name;

    while (slice_next(&query, '&', &pair)) {
        if (!slice_next(&pair, '=', &name))
            continue;
        for (size_t i = 0; i < ARRAY_LEN(fields); i++)
            if (slice_iis(name, fields[i].name))
                url_decode(pair, (char *)out + fields[i].at, fields[i].size);
    }
    out->version = version_of(httpd_header(r, "MS-ASProtocolVersion"));
    out->policy_key = key ? (unsigned)strtoul(key, NULL, 10) : 0;
    out->multipart = parts && !strcmp(parts, "T");
}

/* ---- base64: version, command, locale, device, policy key, type, options */

struct bytes {
    struct slice rest;
    bool bad;
};

static struct slice
bytes_take(struct bytes *b, size_t n)
{
    struct slice s = slice_cut(b->rest, 0, n);

    if (n > b->rest.n) {
        b->bad = true;
        return SLICE("");
    }
    b->rest = slice_from(b->rest, n);
    return s;
}

static unsigned
bytes_byte(struct bytes *b)
{
    struct slice s = bytes_take(b, 1);

    return s.n ? (unsigned char)s.p[0] : 0;
}

static void
packed_parameters(struct bytes *b, struct query *out)
{
    while (b->rest.n && !b->bad) {
        unsigned tag = bytes_byte(b), n = bytes_byte(b);
        struct slice value = bytes_take(b, n);

        if (tag == 7 && value.n == 1)
            out->multipart = value.p[0] & 0x02;
        else if (tag == 8)
            slice_copy(value, out->user, sizeof out->user);
    }
}

/* false: it is not that form. */
static bool
packed_read(struct slice query, struct query *out)
{
    struct buf raw = BUF_INIT(4096);
    struct bytes b;
    const struct command *c;
    struct slice key;

    if (code_base64_parse(&raw, query, false)) {
        buf_clear(&raw);
        return false;
    }
    b = (struct bytes){buf_slice(&raw), false};
    out->version = bytes_byte(&b);
    c = command_find_code((int)bytes_byte(&b));
    snprintf(out->command, sizeof out->command, "%s", c ? c->name : "");
    bytes_take(&b, 2); /* locale */
    slice_copy(bytes_take(&b, bytes_byte(&b)), out->device,
               sizeof out->device);
    key = bytes_take(&b, bytes_byte(&b));
    if (key.n == 4) /* little-endian */
        for (int i = 3; i >= 0; i--)
            out->policy_key =
                out->policy_key << 8 | (unsigned char)key.p[i];
    else if (key.n)
        b.bad = true;
    slice_copy(bytes_take(&b, bytes_byte(&b)), out->type, sizeof out->type);
    packed_parameters(&b, out);
    buf_clear(&raw);
    return !b.bad;
}

/* ---- */

static bool
device_is_good(const char *id)
{
    size_t n = strlen(id);

    for (size_t i = 0; i < n; i++)
        if (!ascii_is_alpha((unsigned char)id[i]) &&
            !ascii_is_digit((unsigned char)id[i]))
            return false;
    return n >= 1 && n <= 32;
}

int
query_read(struct httpd_request *r, struct query *out, int *status_out)
{
    struct slice target = slice_of(httpd_target(r)), path;

    memset(out, 0, sizeof *out);
    *status_out = 0;
    slice_next(&target, '?', &path);
    if (!slice_iis(path, PATH))
        return 404;
    if (!strcmp(httpd_method(r), "OPTIONS"))
        return 0;
    if (strcmp(httpd_method(r), "POST"))
        return 501;
    /* The plain form has '=' between name and value; base64 only at its
     * end. */
    if (slice_has(target, '&') || slice_istarts(target, "cmd="))
        plain_read(r, target, out);
    else if (!packed_read(target, out))
        return 400;
    if (!out->version || !out->command[0])
        return 400;
    if (!device_is_good(out->device))
        *status_out = 108;
    else if (!out->type[0])
        *status_out = 109;
    return 0;
}

struct user *
query_user(struct sandbox *s, struct httpd_request *r)
{
    const char *header = httpd_header(r, "Authorization");
    struct buf plain = BUF_INIT(1024);
    struct user *u = NULL;
    char *colon;

    if (header && slice_istarts(slice_of(header), "Basic ") &&
        !code_base64_parse(&plain, slice_trim(slice_of(header + 6)), false) &&
        plain.len && (colon = strchr(plain.data, ':'))) {
        *colon = '\0';
        u = mailroot_user(s->mail, plain.data);
        if (u && strcmp(u->password, colon + 1))
            u = NULL;
    }
    buf_wipe(&plain);
    return u;
}
