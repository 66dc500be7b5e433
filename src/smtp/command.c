/*
 * SMTP commands by RFC 5321 section 4.1, strictly, but for two things that
 * devices really send: blanks after the colon of MAIL FROM: and RCPT TO:, and
 * blanks at the end of a line.
 */
#include "smtp/command.h"

#include <string.h>

#include "base/mem.h"
#include "mime/address.h"

/* RFC 5321 section 4.5.3.1: 254 bytes of address fit a path of 256. */
#define ADDRESS_MAX 254
#define NAME_MAX_LEN 255

typedef int parse_fn(struct slice rest, struct smtp_command *out,
                     struct smtp_reply *bad);
static parse_fn parse_name, parse_mail, parse_rcpt, parse_nothing, parse_any,
    parse_auth;

static const struct {
    const char *name;
    enum smtp_verb verb;
    parse_fn *parse;
} verbs[] = {
    {"EHLO", SMTP_EHLO, parse_name},
    {"HELO", SMTP_HELO, parse_name},
    {"MAIL", SMTP_MAIL, parse_mail},
    {"RCPT", SMTP_RCPT, parse_rcpt},
    {"DATA", SMTP_DATA, parse_nothing},
    {"RSET", SMTP_RSET, parse_nothing},
    {"NOOP", SMTP_NOOP, parse_any},
    {"QUIT", SMTP_QUIT, parse_nothing},
    {"VRFY", SMTP_VRFY, parse_any},
    {"HELP", SMTP_HELP, parse_any},
    {"AUTH", SMTP_AUTH, parse_auth},
    {"STARTTLS", SMTP_STARTTLS, parse_nothing},
};

/* Commands that exist and that we do not have: 502, not 500. */
static const char *const unbuilt[] = {"EXPN", "TURN", "ETRN", "BDAT",
                                      "SEND", "SOML", "SAML", "BURL"};

const char *
smtp_command_name(enum smtp_verb verb)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (verbs[i].verb == verb)
            return verbs[i].name;
    return "?";
}

static int
unknown(struct slice name, struct smtp_reply *bad)
{
    for (size_t i = 0; i < ARRAY_LEN(unbuilt); i++)
        if (slice_iis(name, unbuilt[i]))
            return smtp_reply_set(bad, 502, "5.5.1", "%s is not built",
                                  unbuilt[i]);
    return smtp_reply_set(bad, 500, "5.5.2", "unknown command");
}

int
smtp_command_parse(struct slice line, struct smtp_command *out,
                   struct smtp_reply *bad)
{
    size_t end = slice_find(line, ' ');
    struct slice name = slice_cut(line, 0, end), rest;

    *out = (struct smtp_command){0};
    for (size_t i = 0; i < line.n; i++)
        if ((unsigned char)line.p[i] < 0x20 || line.p[i] == 0x7f)
            return smtp_reply_set(bad, 500, "5.5.2",
                                  "a control character in a command");
    rest = slice_trim(slice_from(line, end));
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (slice_iis(name, verbs[i].name)) {
            out->verb = verbs[i].verb;
            return verbs[i].parse(rest, out, bad);
        }
    return unknown(name, bad);
}

static int
parse_nothing(struct slice rest, struct smtp_command *out,
              struct smtp_reply *bad)
{
    if (rest.n)
        return smtp_reply_set(bad, 501, "5.5.4", "%s takes no argument",
                              smtp_command_name(out->verb));
    return 0;
}

static int
parse_any(struct slice rest, struct smtp_command *out, struct smtp_reply *bad)
{
    (void)bad;
    out->argument = rest;
    return 0;
}

/* A host name or an address literal; what is in it does not matter, for
 * nobody is believed by it. */
static int
parse_name(struct slice rest, struct smtp_command *out, struct smtp_reply *bad)
{
    if (!rest.n || rest.n > NAME_MAX_LEN || slice_has(rest, ' '))
        return smtp_reply_set(bad, 501, "5.5.4",
                              "%s wants one name: %s host.example.com",
                              smtp_command_name(out->verb),
                              smtp_command_name(out->verb));
    out->argument = rest;
    return 0;
}

/* ---- paths ---- */

/* Length of the quoted string at the front (RFC 5321 section 4.1.2); 0 when
 * it does not end. */
static size_t
quoted_length(struct slice s)
{
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            return i + 1;
    }
    return 0;
}

/* "@a.example,@b.example:" is read and ignored (RFC 5321 appendix C). */
static struct slice
skip_route(struct slice path)
{
    size_t colon = slice_find(path, ':');

    if (!slice_starts(path, "@") || colon + 1 >= path.n)
        return path;
    return slice_from(path, colon + 1);
}

/* `<...>` at the front of *rest; what is between goes to *path. */
static int
take_path(struct slice *rest, struct slice *path, const char *usage,
          struct smtp_reply *bad)
{
    size_t i = 1;

    if (!slice_starts(*rest, "<"))
        return smtp_reply_set(bad, 501, "5.5.4", "write %s", usage);
    while (i < rest->n && rest->p[i] != '>') {
        size_t n = rest->p[i] == '"' ? quoted_length(slice_from(*rest, i)) : 1;

        if (!n)
            break;
        i += n;
    }
    if (i >= rest->n || rest->p[i] != '>')
        return smtp_reply_set(bad, 501, "5.5.4", "write %s", usage);
    *path = skip_route(slice_cut(*rest, 1, i));
    *rest = slice_from(*rest, i + 1);
    if (rest->n && rest->p[0] != ' ')
        return smtp_reply_set(bad, 501, "5.5.4", "write %s", usage);
    return 0;
}

static bool
is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 0x7f)
            return false;
    return true;
}

static int
check_address(struct slice address, const char *enhanced,
              struct smtp_reply *bad)
{
    struct err e;

    /* RFC 6531 section 3.5: such an address needs SMTPUTF8. */
    if (!is_ascii(address))
        return smtp_reply_set(bad, 553, "5.6.7",
                              "addresses beyond ASCII are not built yet");
    if (address.n > ADDRESS_MAX)
        return smtp_reply_set(bad, 501, enhanced, "the address is too long");
    if (mime_address_check(address, false, NULL, NULL, &e))
        return smtp_reply_set(bad, 501, enhanced, "%s", e.text);
    return 0;
}

/* ---- parameters (RFC 5321 section 4.1.2, esmtp-param) ---- */

struct parameter {
    struct slice name, value;
    bool has_value;
};

static bool
is_parameter(const struct parameter *p)
{
    if (!p->name.n || p->name.p[0] == '-' || (p->has_value && !p->value.n))
        return false;
    for (size_t i = 0; i < p->name.n; i++)
        if (!ascii_is_alpha(p->name.p[i]) && !ascii_is_digit(p->name.p[i]) &&
            p->name.p[i] != '-')
            return false;
    for (size_t i = 0; i < p->value.n; i++)
        if (p->value.p[i] < 33 || p->value.p[i] > 126 || p->value.p[i] == '=')
            return false;
    return true;
}

/* 1 and a parameter, 0 at the end, -1 for what is none. */
static int
parameter_next(struct slice *rest, struct parameter *p)
{
    struct slice word;
    size_t n;

    *rest = slice_trim(*rest);
    if (!rest->n)
        return 0;
    n = slice_find(*rest, ' ');
    word = slice_cut(*rest, 0, n);
    *rest = slice_from(*rest, n);
    n = slice_find(word, '=');
    p->name = slice_cut(word, 0, n);
    p->has_value = n < word.n;
    p->value = p->has_value ? slice_from(word, n + 1) : SLICE_NONE;
    return is_parameter(p) ? 1 : -1;
}

static int
bad_parameter(const struct parameter *p, struct smtp_reply *bad)
{
    return smtp_reply_set(bad, 501, "5.5.4", "%.*s: bad or doubled value",
                          (int)(p->name.n < 20 ? p->name.n : 20), p->name.p);
}

static int
unknown_parameter(const struct parameter *p, struct smtp_reply *bad)
{
    return smtp_reply_set(bad, 555, "5.5.4", "parameter %.*s is not known",
                          (int)(p->name.n < 40 ? p->name.n : 40), p->name.p);
}

enum { SEEN_SIZE = 1, SEEN_BODY = 2, SEEN_AUTH = 4 };

/* RFC 1870, RFC 6152, RFC 4954 section 5 (its value counts for nothing here:
 * who sends is who has logged in). */
static int
mail_parameter(const struct parameter *p, unsigned *seen,
               struct smtp_command *out, struct smtp_reply *bad)
{
    unsigned bit;
    bool good;

    if (slice_iis(p->name, "SIZE")) {
        bit = SEEN_SIZE;
        good = p->value.n <= 20 && slice_u64(p->value, &out->size);
        out->has_size = true;
    } else if (slice_iis(p->name, "BODY")) {
        bit = SEEN_BODY;
        good = slice_iis(p->value, "7BIT") || slice_iis(p->value, "8BITMIME");
    } else if (slice_iis(p->name, "AUTH")) {
        bit = SEEN_AUTH;
        good = p->has_value;
    } else {
        return unknown_parameter(p, bad);
    }
    if (!good || (*seen & bit))
        return bad_parameter(p, bad);
    *seen |= bit;
    return 0;
}

static int
parse_mail(struct slice rest, struct smtp_command *out, struct smtp_reply *bad)
{
    struct parameter p;
    unsigned seen = 0;
    int rc;

    if (!slice_istarts(rest, "FROM:"))
        return smtp_reply_set(bad, 501, "5.5.4", "write MAIL FROM:<address>");
    rest = slice_trim(slice_from(rest, 5));
    if (take_path(&rest, &out->address, "MAIL FROM:<address>", bad))
        return -1;
    if (out->address.n && check_address(out->address, "5.1.7", bad))
        return -1;
    while ((rc = parameter_next(&rest, &p)) == 1)
        if (mail_parameter(&p, &seen, out, bad))
            return -1;
    return rc ? smtp_reply_set(bad, 501, "5.5.4", "a malformed parameter") : 0;
}

static int
parse_rcpt(struct slice rest, struct smtp_command *out, struct smtp_reply *bad)
{
    struct parameter p;
    int rc;

    if (!slice_istarts(rest, "TO:"))
        return smtp_reply_set(bad, 501, "5.5.4", "write RCPT TO:<address>");
    rest = slice_trim(slice_from(rest, 3));
    if (take_path(&rest, &out->address, "RCPT TO:<address>", bad))
        return -1;
    if (!out->address.n)
        return smtp_reply_set(bad, 501, "5.1.3", "an empty recipient");
    if (check_address(out->address, "5.1.3", bad))
        return -1;
    rc = parameter_next(&rest, &p);
    if (rc == 1)
        return unknown_parameter(&p, bad);
    return rc ? smtp_reply_set(bad, 501, "5.5.4", "a malformed parameter") : 0;
}

/* ---- AUTH (RFC 4954 section 4) ---- */

static int
parse_auth(struct slice rest, struct smtp_command *out, struct smtp_reply *bad)
{
    size_t n = slice_find(rest, ' ');
    struct slice initial = slice_from(rest, n);

    out->argument = slice_cut(rest, 0, n);
    if (!out->argument.n)
        return smtp_reply_set(bad, 501, "5.5.4", "AUTH wants a mechanism");
    if (!initial.n)
        return 0;
    out->initial = slice_trim(initial);
    if (slice_has(out->initial, ' '))
        return smtp_reply_set(bad, 501, "5.5.4",
                              "AUTH takes a mechanism and one response");
    if (slice_is(out->initial, "="))
        out->initial.n = 0;
    return 0;
}
