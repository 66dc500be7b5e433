/*
 * One HTTP exchange with the server (MS-ASHTTP): the query, the headers, the
 * body with its spliced payload, and what the answer means for the account,
 * whatever the command was. queue.c and connect.c decide what follows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/now.h"
#include "eas/private.h"
#include "wbxml/read.h"

#define ANSWER_MAX ((uint64_t)64 << 20)
#define THROTTLE_MS ((int64_t)600 * 1000) /* MS-ASHTTP: at least 10 minutes */
/* Answers that only say "no" are short; larger ones are not looked into. */
#define REFUSAL_MAX 2048

/* Statuses by which the server turns the whole account away: asking again,
 * with this or another command, changes nothing. */
static const int fatal[] = {123, 124, 125, 126, 129, 131, 139, 177};

void
eas_request_init(struct eas_request *r, struct eas *eas,
                 enum eas_command command)
{
    *r = (struct eas_request){.eas = eas, .command = command};
    wbxml_writer_init(&r->w, EAS_REQUEST_MAX);
}

void
eas_request_clear(struct eas_request *r)
{
    op_cancel(&r->op);
    wbxml_writer_clear(&r->w);
    buf_clear(&r->body);
}

int
eas_request_url(const struct eas *eas, enum eas_command command,
                struct buf *out)
{
    buf_addf(out, "%s?Cmd=%s&User=", eas_url_now(eas),
             eas_command_name(command));
    http_url_encode(out, slice_of(eas->auth.user));
    buf_addf(out, "&DeviceId=%s&DeviceType=%s", eas->device_id,
             EAS_DEVICE_TYPE);
    return out->over ? -1 : 0;
}

/* ---- the answer as it comes */

static void
keep(struct slice value, char *dst, size_t size)
{
    size_t have = strlen(dst);

    /* A header that comes twice is joined, as HTTP says; what does not fit
     * is a lie of that server and dropped. */
    if (have && have + 1 < size)
        dst[have++] = ',';
    if (have + value.n >= size || slice_has(value, '\0')) {
        dst[have && dst[have - 1] == ',' ? have - 1 : have] = '\0';
        return;
    }
    memcpy(dst + have, value.p, value.n);
    dst[have + value.n] = '\0';
}

static void
on_header(void *arg, struct slice name, struct slice value)
{
    struct eas_request *r = arg;
    uint32_t seconds;

    value = slice_trim(value);
    if (slice_iis(name, "Content-Type")) {
        r->content_type[0] = '\0';
        keep(value, r->content_type, sizeof r->content_type);
    } else if (slice_iis(name, "X-MS-Location")) {
        r->location[0] = '\0';
        keep(value, r->location, sizeof r->location);
    } else if (slice_iis(name, "MS-ASProtocolVersions")) {
        keep(value, r->versions, sizeof r->versions);
    } else if (slice_iis(name, "MS-ASProtocolCommands")) {
        keep(value, r->commands, sizeof r->commands);
    } else if (slice_iis(name, "Retry-After")) {
        if (slice_u32(value, &seconds))
            r->wait_ms = (int64_t)(seconds > 86400 ? 86400 : seconds) * 1000;
    } else if (slice_iis(name, "X-MS-ASThrottle")) {
        r->throttled = true;
    } else if (slice_iis(name, "X-MS-RP")) {
        r->begin_anew = true;
    }
}

static bool
is_multipart(const struct eas_request *r)
{
    return slice_istarts(slice_of(r->content_type),
                         "application/vnd.ms-sync.multipart");
}

/* Once an answer is too long for a refusal it need not be kept. */
static int
stream_piece(struct eas_request *r, struct slice piece, struct err *e)
{
    int rc = 0;

    if (!r->streaming) {
        r->streaming = true;
        rc = r->stream(r, buf_slice(&r->body), e);
        buf_clear(&r->body);
    }
    return rc ? rc : r->stream(r, piece, e);
}

static bool
can_stream(const struct eas_request *r, struct slice piece)
{
    return r->streaming ||
           (r->stream && r->http.status == 200 && r->body.len >= 4 &&
            r->body.len + piece.n > REFUSAL_MAX &&
            (is_multipart(r) || wbxml_is_wbxml(buf_slice(&r->body))));
}

static void
on_status(void *arg, int status)
{
    struct eas_request *r = arg;

    r->http.status = status;
}

static int
on_body(void *arg, struct slice piece, struct err *e)
{
    struct eas_request *r = arg;

    /* The first bytes are kept in any case: they tell what it is. */
    if (!r->body.len && r->stream && !r->streaming && piece.n > REFUSAL_MAX) {
        buf_add_slice(&r->body, slice_cut(piece, 0, REFUSAL_MAX));
        piece = slice_from(piece, REFUSAL_MAX);
    }
    if (can_stream(r, piece))
        return stream_piece(r, piece, e);
    if (buf_add_slice(&r->body, piece))
        return err_set(e, E_LIMIT, "the answer is over %zu bytes",
                       r->body.limit);
    return 0;
}

/* A piece of the payload that is not in memory, or what stands around it. */
static size_t
on_read_through(struct eas_request *r, uint64_t offset, char *to, size_t n)
{
    struct slice prefix = wbxml_writer_prefix(&r->w);
    struct slice suffix = wbxml_writer_suffix(&r->w), part;

    if (offset >= prefix.n && offset - prefix.n < r->payload_size)
        return r->payload_read(r->payload_arg, offset - prefix.n, to,
                               n < r->payload_size - (offset - prefix.n)
                                   ? n
                                   : (size_t)(r->payload_size -
                                              (offset - prefix.n)),
                               &r->payload_err);
    part = offset < prefix.n
               ? slice_from(prefix, (size_t)offset)
               : slice_from(suffix,
                            (size_t)(offset - prefix.n - r->payload_size));
    part = slice_cut(part, 0, n);
    memcpy(to, part.p, part.n);
    return part.n;
}

/* prefix, payload, suffix as one stream */
static size_t
on_read(void *arg, uint64_t offset, char *to, size_t n)
{
    struct eas_request *r = arg;
    struct slice parts[] = {wbxml_writer_prefix(&r->w), r->payload,
                            wbxml_writer_suffix(&r->w)};
    size_t done = 0;

    if (r->payload_read)
        return on_read_through(r, offset, to, n);
    for (size_t i = 0; i < ARRAY_LEN(parts) && done < n; i++) {
        size_t from, k;

        if (offset >= parts[i].n) {
            offset -= parts[i].n;
            continue;
        }
        from = (size_t)offset;
        k = parts[i].n - from < n - done ? parts[i].n - from : n - done;
        memcpy(to + done, parts[i].p + from, k);
        done += k;
        offset = 0;
    }
    return done;
}

/* ---- what it means */

/* The first Status of a short answer that concerns the whole account. They
 * may stand in any Status of any page (MS-ASCMD 2.2.2), so names are right
 * here for once. */
struct peek {
    bool in_status;
    int found;
};

static int
on_peek_start(void *arg, unsigned tag, struct err *e)
{
    struct peek *p = arg;

    (void)e;
    p->in_status = !strcmp(wbxml_tag_name(tag), "Status");
    return 0;
}

static int
on_peek_bytes(void *arg, struct slice s, struct err *e)
{
    struct peek *p = arg;
    uint32_t v;

    (void)e;
    if (p->in_status && slice_u32(slice_trim(s), &v) && v > 100 && v < 1000 &&
        !p->found)
        p->found = (int)v;
    return 0;
}

/* The document of a short answer: the first part of a multipart one
 * (MS-ASCMD 2.2.1.10.1.1). */
static struct slice
short_document(const struct eas_request *r)
{
    struct slice body = buf_slice(&r->body);
    uint32_t n[3] = {0};

    if (!is_multipart(r))
        return body;
    for (size_t i = 0; i < 12 && body.n >= 12; i++)
        n[i / 4] |= (uint32_t)(unsigned char)body.p[i] << (8 * (i % 4));
    /* count, offset and length of the first */
    return n[0] && n[1] <= body.n && n[2] <= body.n - n[1]
               ? slice_make(body.p + n[1], n[2])
               : SLICE_NONE;
}

static enum eas_outcome
outcome_by_status(struct eas_request *r)
{
    struct peek p = {0};
    struct wbxml_events events = {on_peek_start, on_peek_bytes, NULL, &p};
    struct slice document = short_document(r);

    if (!document.n || r->body.len > REFUSAL_MAX ||
        wbxml_read(document, &events, NULL, NULL))
        return EAS_GOT; /* the command's own reader says what is wrong */
    if (p.found == 140) {
        r->eas->wipe_told = true;
        err_set(&r->err, E_DENIED, "the server orders a wipe (status 140), "
                                   "but Provision does not say which");
        return EAS_NEED_PROVISION;
    }
    if (p.found >= 141 && p.found <= 144) {
        err_set(&r->err, E_DENIED,
                "the server asks for provisioning again and again (status %d)",
                p.found);
        return EAS_NEED_PROVISION;
    }
    if (p.found == 137 || p.found == 138) {
        eas_status_err(&r->err, r->command, p.found);
        return EAS_NEED_VERSION;
    }
    for (size_t i = 0; i < ARRAY_LEN(fatal); i++)
        if (fatal[i] == p.found) {
            eas_status_err(&r->err, r->command, p.found);
            return EAS_STOPPED;
        }
    return EAS_GOT;
}

static enum eas_outcome
outcome_200(struct eas_request *r)
{
    if (r->options || r->streaming || !r->body.len)
        return EAS_GOT;
    if (is_multipart(r))
        return outcome_by_status(r);
    if (!wbxml_is_wbxml(buf_slice(&r->body))) {
        err_set(&r->err, E_RETRY,
                "%s did not answer as ActiveSync does but with %s: a portal "
                "or a sign-in page in between?",
                eas_url_now(r->eas),
                r->content_type[0] ? r->content_type : "some text");
        return EAS_FAILED;
    }
    return outcome_by_status(r);
}

static enum eas_outcome
outcome_503(struct eas_request *r)
{
    if (r->throttled && r->wait_ms < fault_wait(THROTTLE_MS))
        r->wait_ms = fault_wait(THROTTLE_MS);
    err_set(&r->err, E_RETRY, r->throttled
                ? "the server throttles this device"
                : "the server is busy and asks to wait");
    return EAS_BUSY;
}

/* The table of MS-ASHTTP 2.2.2.1.1 and 3.1.5.2, and what was seen. */
static enum eas_outcome
outcome_http(struct eas_request *r)
{
    static const struct {
        int status;
        enum eas_outcome outcome;
        enum err_code code;
        const char *text;
    } rows[] = {
        {401, EAS_REFUSED, E_LOGIN, "the server refused name or password"},
        {403, EAS_NEED_PROVISION, E_DENIED,
         "this user or device may not use ActiveSync"},
        {404, EAS_FAILED, E_REMOTE, "there is no ActiveSync at this address"},
        {413, EAS_FAILED, E_LIMIT, "too large for this server"},
        {440, EAS_FAILED, E_REMOTE, "a gateway ended the sign-in"},
        {449, EAS_NEED_PROVISION, E_DENIED,
         "the server asks for provisioning again and again"},
        {456, EAS_STOPPED, E_LOGIN, "the account is blocked"},
        {457, EAS_STOPPED, E_LOGIN, "the password has expired"},
        {500, EAS_FAILED, E_RETRY, "the server has a fault"},
        {501, EAS_FAILED, E_REMOTE, "the server does not know the command"},
        {502, EAS_FAILED, E_RETRY, "a proxy cannot reach the mailbox server"},
        {504, EAS_FAILED, E_RETRY, "a proxy got no answer in time"},
        {507, EAS_FAILED, E_QUOTA, "the mailbox is full"},
    };

    if (r->http.status == 503)
        return outcome_503(r);
    if (r->http.status == 451) {
        err_set(&r->err, E_RETRY, "the mailbox was moved");
        return EAS_MOVED;
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].status == r->http.status) {
            err_set(&r->err, rows[i].code, "%s (HTTP %d)", rows[i].text,
                    r->http.status);
            return rows[i].outcome;
        }
    err_set(&r->err, r->http.status >= 500 ? E_RETRY : E_REMOTE,
            "the server refused %s with HTTP %d",
            r->options ? "OPTIONS" : eas_command_name(r->command),
            r->http.status);
    return EAS_FAILED;
}

static void
on_done(void *arg, const struct err *err)
{
    struct eas_request *r = arg;
    enum eas_outcome outcome;

    if (fault_point("http-done") && !err) {
        err_set(&r->err, E_RETRY, "the answer was lost on purpose");
        r->http.maybe_acted = true;
        outcome = EAS_FAILED;
    } else if (err) {
        r->err = r->payload_err.code ? r->payload_err : *err;
        outcome = EAS_FAILED;
    } else if (r->http.status == 200) {
        outcome = outcome_200(r);
    } else {
        outcome = outcome_http(r);
    }
    r->done(r, outcome);
}

/* ---- sending */

static void
request_headers(struct eas_request *r, const char *headers[8],
                char lines[3][80])
{
    size_t n = 0;
    struct eas *eas = r->eas;

    if (!r->options) {
        snprintf(lines[0], sizeof lines[0], "MS-ASProtocolVersion: %s",
                 eas->state.version);
        headers[n++] = lines[0];
        if (r->w.out.len > 4)
            headers[n++] = "Content-Type: application/vnd.ms-sync.wbxml";
        else /* libcurl's own, for an empty POST */
            headers[n++] = "Content-Type:";
    }
    if (r->policy_key && r->policy_key[0]) {
        snprintf(lines[1], sizeof lines[1], "X-MS-PolicyKey: %s",
                 r->policy_key);
        headers[n++] = lines[1];
    }
    if (r->multipart)
        headers[n++] = "MS-ASAcceptMultiPart: T";
    headers[n++] = "Accept-Language: en-us";
    headers[n] = NULL;
}

/* outlook.com sends who comes without this one round in circles of 451; other
 * servers do not look at it. */
static bool
needs_anchor(const struct eas *eas)
{
    struct slice address = slice_of(eas->address ? eas->address : "");

    for (size_t i = 0; i < address.n; i++)
        if (strchr(";,\" \\", address.p[i]) || address.p[i] < '!' ||
            address.p[i] > '~')
            return false; /* no value of a cookie */
    return address.n && eas->state.location[0];
}

void
eas_request_send(struct eas_request *r,
                 void (*done)(struct eas_request *, enum eas_outcome))
{
    const char *headers[8];
    char lines[3][80];
    struct buf url = BUF_INIT(4096), cookie = BUF_INIT(1024);
    bool has_body = r->w.out.len > 4;
    struct http_request h = {
        .method = r->options ? "OPTIONS" : "POST",
        .headers = headers,
        .ca_file = r->eas->ca_file,
        .user_agent = EAS_USER_AGENT,
        .read = has_body ? on_read : NULL,
        .body_size = has_body ? wbxml_writer_length(&r->w) : 0,
        .fresh_connection = r->fresh,
        .stall_ms = r->stall_ms,
        .max_body = r->max_body ? r->max_body : ANSWER_MAX,
        .on_status = on_status,
        .on_header = on_header,
        .on_body = on_body,
        .arg = r};

    r->done = done;
    buf_clear(&r->body);
    buf_init(&r->body, (size_t)h.max_body);
    r->content_type[0] = r->location[0] = '\0';
    r->versions[0] = r->commands[0] = '\0';
    r->throttled = r->begin_anew = r->streaming = false;
    r->wait_ms = 0;
    r->err = r->payload_err = (struct err){0};
    r->http = (struct http_answer){0};
    fault_point("http");
    request_headers(r, headers, lines);
    if (r->options)
        buf_adds(&url, eas_url_now(r->eas));
    else
        eas_request_url(r->eas, r->command, &url);
    h.url = url.data;
    if (needs_anchor(r->eas) &&
        !buf_addf(&cookie, "DefaultAnchorMailbox=%s", r->eas->address))
        h.cookie = cookie.data;
    eas_auth_apply(&r->eas->auth, &h);
    op_hold(&r->op,
            url.over ? op_decided(&(struct err){E_LIMIT, "the URL is too long"},
                                  on_done, r)
                     : http_send(r->eas->http, &h, &r->http, on_done, r));
    buf_clear(&url);
    buf_clear(&cookie);
}
