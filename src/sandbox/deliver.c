/*
 * Sending: who gets a message is read from its header, as there is no
 * envelope (MS-ASCMD 2.2.3.109). Users get it into their Inbox, lists are
 * their members, everybody else is outside: their mail is kept in
 * DIR/state/outside/ADDRESS/new. An address in a domain of ours that nobody
 * has comes back to the sender as a report.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/code.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "mime/address.h"
#include "mime/date.h"
#include "mime/header.h"
#include "mime/write.h"
#include "sandbox/call.h"
#include "sandbox/server.h"

#define MESSAGE_MAX ((size_t)128 << 20)
#define RECIPIENTS_MAX 5000
#define STATUS_BAD_MIME 107
#define STATUS_UNRESOLVED 116
#define STATUS_NOBODY 119
#define STATUS_FAILED 120

struct mail {
    struct call *call;
    struct slice raw, header;
    char **to; /* in the arena, each once */
    size_t count;
};

/* ---- recipients */

static void
recipient_add(struct mail *m, const char *address)
{
    for (size_t i = 0; i < m->count; i++)
        if (!ascii_icmp(m->to[i], address))
            return;
    if (m->count < RECIPIENTS_MAX)
        m->to[m->count++] = arena_strdup(m->call->arena, address);
}

static void
recipient_expand(struct mail *m, const char *address)
{
    char *members = people_list(m->call->sandbox, address);
    struct slice rest = slice_of(members), line;

    if (!members) {
        recipient_add(m, address);
        return;
    }
    while (slice_next(&rest, '\n', &line)) {
        line = slice_trim(line);
        if (line.n && line.p[0] != '#')
            recipient_add(m, arena_dup(m->call->arena, line));
    }
    free(members);
}

/* 0 or a status. */
static int
recipients_read(struct mail *m)
{
    static const char *const fields[] = {"to", "cc", "bcc"};
    struct mime_addresses list = {0};
    const struct mime_address *a;
    size_t at = 0;
    int status = 0;

    m->to = arena_alloc(m->call->arena, RECIPIENTS_MAX * sizeof *m->to);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        mime_addresses_header(m->header, fields[i], &list);
    while (!status && (a = mime_addresses_next(&list, &at))) {
        struct buf spec = BUF_INIT(1024);

        if (!a->local[0] || !a->domain[0] || mime_address_spec(a, &spec))
            status = STATUS_UNRESOLVED;
        else
            recipient_expand(m, spec.data);
        buf_clear(&spec);
    }
    mime_addresses_clear(&list);
    return status ? status : m->count ? 0 : STATUS_NOBODY;
}

/* ---- the message as it is delivered */

static bool
has_field(const struct mail *m, const char *name)
{
    return mime_header_count(m->header, name) > 0;
}

/* From is the user, whatever was written; a name beside it stays. */
static struct slice
from_field(struct mail *m, struct buf *out)
{
    struct mime_addresses list = {0}, fixed = {0};
    const struct mime_address *a;
    struct buf spec = BUF_INIT(1024);
    const char *user = m->call->user->address, *sign = strrchr(user, '@');
    size_t at = 0;

    mime_addresses_header(m->header, "from", &list);
    a = mime_addresses_next(&list, &at);
    if (a)
        mime_address_spec(a, &spec);
    if (!a || mime_addresses_next(&list, &at) ||
        !mime_address_equal(spec.len ? spec.data : "", user)) {
        mime_addresses_add(
            &fixed, a ? a->name : NULL,
            arena_dup(m->call->arena, slice_make(user, (size_t)(sign - user))),
            sign + 1);
        mime_write_addresses("From", &fixed, out);
    }
    mime_addresses_clear(&list);
    mime_addresses_clear(&fixed);
    buf_clear(&spec);
    return buf_slice(out);
}

static void
missing_fields(const struct mail *m, struct buf *out)
{
    char id[33];

    if (!has_field(m, "date"))
        mime_write_date("Date", now_unix(), 0, out);
    if (!has_field(m, "message-id")) {
        code_random_hex(id, 16);
        buf_addf(out, "Message-ID: <%s@sandbox.invalid>\r\n", id);
    }
}

/* Both copies get the same `extra` fields. sent: the sender's own, which
 * keeps Bcc. */
static int
message_write(struct mail *m, bool sent, struct slice extra, struct buf *out,
              struct err *e)
{
    struct buf from = BUF_INIT(8192), trace = BUF_INIT(4096);
    struct mime_change changes[4];
    size_t n = 0;
    int rc;

    from_field(m, &from);
    buf_adds(&trace, "Received: by sandbox.invalid; ");
    mime_date_write(now_unix(), 0, &trace);
    buf_adds(&trace, "\r\n");
    if (from.len)
        changes[n++] =
            (struct mime_change){.name = "from", .field = buf_slice(&from)};
    if (!sent)
        changes[n++] = (struct mime_change){.name = "bcc"};
    if (!sent)
        changes[n++] = (struct mime_change){.name = "received",
                                            .field = buf_slice(&trace),
                                            .top = true,
                                            .keep = true};
    if (extra.n)
        changes[n++] = (struct mime_change){
            .name = "x-none", .field = extra, .keep = true};
    rc = n ? mime_write_changed(m->raw, changes, n, out, e)
           : buf_add_slice(out, m->raw);
    buf_clear(&from);
    buf_clear(&trace);
    return rc;
}

/* ---- where it goes */

int
deliver_file(struct user *u, struct folder *f, struct slice raw)
{
    struct folder_adding what = {.raw = raw};
    struct err e;

    (void)u;
    if (!f || folder_add(f, &what, NULL, &e)) {
        log_error("deliver", "%s", f ? e.text : "no folder");
        return -1;
    }
    return 0;
}

static int
deliver_outside(struct mail *m, const char *address, struct slice raw)
{
    char *dir = xasprintf("%s/state/outside/%s/new",
                          mailroot_dir(m->call->sandbox->mail), address);
    char name[17], *path;
    struct err e = {0};
    int rc = 0;

    code_random_hex(name, 8);
    path = xasprintf("%s/%lld.R%s.sandbox", dir, (long long)now_unix(), name);
    if (strchr(address, '/') || file_mkdirs(dir, &e) ||
        file_write(path, raw, 0600, false, &e)) {
        log_error("deliver", "%s", e.text);
        rc = -1;
    }
    free(dir);
    free(path);
    return rc;
}

static bool
is_our_domain(struct mail *m, const char *address)
{
    struct list *n, *after;
    const char *domain = strrchr(address, '@');

    LIST_EACH(mailroot_users(m->call->sandbox->mail), n, after)
    {
        const char *other =
            strrchr(LIST_OBJECT(n, struct user, node)->address, '@');

        if (domain && !ascii_icmp(domain, other))
            return true;
    }
    return false;
}

/* A report as Exchange makes it: multipart/report (RFC 3464). */
static int
bounce(struct mail *m, const char *address)
{
    struct buf b = BUF_INIT(65536);
    char boundary[MIME_BOUNDARY_SIZE], id[33];
    int rc;

    mime_write_boundary(boundary);
    code_random_hex(id, 16);
    buf_adds(&b, "From: Mail Delivery System <postmaster@sandbox.invalid>\r\n");
    buf_addf(&b, "To: %s\r\n", m->call->user->address);
    mime_write_date("Date", now_unix(), 0, &b);
    buf_addf(&b,
             "Message-ID: <%s@sandbox.invalid>\r\n"
             "Subject: Undeliverable\r\nMIME-Version: 1.0\r\n"
             "Content-Type: multipart/report; report-type=delivery-status;\r\n"
             " boundary=\"%s\"\r\n\r\n--%s\r\n"
             "Content-Type: text/plain\r\n\r\n"
             "Your message did not reach %s: there is no such user.\r\n"
             "\r\n--%s\r\nContent-Type: message/delivery-status\r\n\r\n"
             "Reporting-MTA: dns; sandbox.invalid\r\n\r\n"
             "Final-Recipient: rfc822; %s\r\nAction: failed\r\n"
             "Status: 5.1.1\r\n\r\n--%s--\r\n",
             id, boundary, boundary, address, boundary, address, boundary);
    rc = deliver_file(m->call->user, tree_find_type(m->call->user, 2),
                      buf_slice(&b));
    buf_clear(&b);
    return rc;
}

static int
deliver_one(struct mail *m, const char *address, struct slice raw)
{
    struct user *u = mailroot_user(m->call->sandbox->mail, address);

    if (u)
        return deliver_file(u, tree_find_type(u, 2), raw);
    if (is_our_domain(m, address))
        return bounce(m, address);
    return deliver_outside(m, address, raw);
}

/* ---- */

/* Some field at all, and no line that cannot be one. */
static bool
is_message(struct slice header)
{
    struct mime_field f;
    bool any = false;

    while (mime_field_next(&header, &f)) {
        if (!f.name.n)
            return false;
        any = true;
    }
    return any;
}

int
deliver(struct call *c, struct slice mime, bool save)
{
    struct mail m = {.call = c, .raw = mime};
    struct buf theirs = BUF_INIT(MESSAGE_MAX), ours = BUF_INIT(MESSAGE_MAX);
    struct buf extra = BUF_INIT(4096);
    struct err e;
    int status;

    m.header = slice_cut(mime, 0, mime_header_length(mime));
    if (!is_message(m.header))
        return STATUS_BAD_MIME;
    if ((status = recipients_read(&m)))
        return status;
    missing_fields(&m, &extra);
    if (message_write(&m, false, buf_slice(&extra), &theirs, &e) ||
        message_write(&m, true, buf_slice(&extra), &ours, &e)) {
        log_error("deliver", "%s", e.text);
        status = STATUS_BAD_MIME;
    }
    for (size_t i = 0; !status && i < m.count; i++)
        if (deliver_one(&m, m.to[i], buf_slice(&theirs)))
            status = STATUS_FAILED;
    if (!status && save && sent_save(c, buf_slice(&ours)))
        status = STATUS_FAILED;
    buf_clear(&theirs);
    buf_clear(&ours);
    buf_clear(&extra);
    return status;
}
