/*
 * `sealpostctl cert ...`: other people's certificates.
 */
#include "ctl/private.h"

#include <string.h>

#include <jansson.h>

#include "base/code.h"
#include "base/mem.h"

#define FILE_MAX ((size_t)1 << 20)

/* Command, account, and the second operand under this name. */
static json_t *
cert_args(const struct ctl *c, const char *second)
{
    json_t *o = json_object();

    json_object_set_new(o, "account", ctl_json_text(slice_of(c->operand[0])));
    if (second && c->operands > 1)
        json_object_set_new(o, second, ctl_json_text(slice_of(c->operand[1])));
    return o;
}

/* ---- list ---- */

/* The table has no room for 64 digits; the first 16 are enough to name one. */
static void
show_list(const json_t *rows, FILE *to)
{
    static const struct ctl_column columns[] = {
        {"FINGERPRINT", "short", false}, {"ADDRESS", "address", false},
        {"STATE", "state", false},       {"SOURCE", "source", false},
        {"VALID TO", "to", false},       {"ISSUER", "issuer", false}};
    json_t *list = json_array(), *o;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)rows, i, o) {
        json_t *copy = json_copy(o);
        char text[40];

        json_object_set_new(
            copy, "short",
            json_stringn(json_string_value(json_object_get(o, "fingerprint")),
                         16));
        json_object_set_new(
            copy, "to",
            json_string(ctl_time_text(
                json_integer_value(json_object_get(o, "not_after")), text,
                sizeof text)));
        json_array_append_new(list, copy);
    }
    ctl_table(list, columns, ARRAY_LEN(columns), "no certificate is known",
              to);
    json_decref(list);
}

int
ctl_cmd_cert_list(struct ctl *c, struct err *e)
{
    json_t *rows;

    if (ctl_call_rows(c, "cert list", cert_args(c, "address"), &rows, e))
        return -1;
    return ctl_print(c, rows, show_list, e);
}

/* ---- show ---- */

static void
show_one(const json_t *o, FILE *to)
{
    static const char *const lines[][2] = {
        {"fingerprint", "fingerprint"}, {"address", "kept for"},
        {"state", "state"},             {"source", "source"},
        {"subject", "subject"},         {"issuer", "issued by"},
        {"serial", "serial"},           {"addresses", "addresses"},
        {"key", "key"},                 {"usable", "usable"},
        {"why", "why not"}};
    static const char *const times[][2] = {{"not_before", "valid from"},
                                           {"not_after", "valid to"},
                                           {"first_seen", "first seen"},
                                           {"last_seen", "last seen"}};
    char text[700];

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        if (strcmp(lines[i][0], "why") == 0 &&
            !json_is_string(json_object_get(o, "why")))
            continue;
        fprintf(to, "%-12s ", lines[i][1]);
        ctl_put(to, slice_of(ctl_text(o, lines[i][0], text, sizeof text)),
                false);
        fputc('\n', to);
    }
    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        fprintf(to, "%-12s %s\n", times[i][1],
                ctl_time_text(
                    json_integer_value(json_object_get(o, times[i][0])), text,
                    sizeof text));
    fprintf(to, "\n%s", json_string_value(json_object_get(o, "pem")));
}

int
ctl_cmd_cert_show(struct ctl *c, struct err *e)
{
    json_t *o;

    if (ctl_call_anyway(c, "cert show", cert_args(c, "fingerprint"), &o, e))
        return -1;
    return ctl_print(c, o, show_one, e);
}

/* ---- add ---- */

static void
show_added(const json_t *o, FILE *to)
{
    char text[400];

    fprintf(to, "%s\n", ctl_text(o, "fingerprint", text, sizeof text));
    fputs("    is pinned for ", to);
    ctl_put(to, slice_of(ctl_text(o, "address", text, sizeof text)), false);
    fputc('\n', to);
}

int
ctl_cmd_cert_add(struct ctl *c, struct err *e)
{
    struct buf file = BUF_INIT(FILE_MAX), coded = BUF_INIT(BUF_OURS);
    const char *address = ctl_option(c, "--address");
    json_t *args, *result = NULL;
    int rc;

    if (!address) {
        c->status = CTL_USAGE;
        return err_set(e, E_INPUT, "cert add needs --address");
    }
    rc = ctl_read(c->operand[1], &file, e);
    if (rc == 0) {
        code_base64_write(&coded, buf_slice(&file), 0);
        args = cert_args(c, NULL);
        json_object_set_new(args, "address",
                            ctl_json_text(slice_of(address)));
        json_object_set_new(args, "file",
                            json_stringn(coded.data ? coded.data : "",
                                         coded.len));
        rc = ctl_call_anyway(c, "cert add", args, &result, e);
        if (rc && e->code == E_INPUT)
            err_add(e, "%s", c->operand[1]);
    }
    buf_clear(&file);
    buf_clear(&coded);
    return rc ? -1 : ctl_print(c, result, show_added, e);
}

/* ---- decisions ---- */

static void
show_decided(const json_t *o, FILE *to)
{
    char word[40], fp[100], address[400];

    fprintf(to, "%s %s (", ctl_text(o, "done", word, sizeof word),
            ctl_text(o, "fingerprint", fp, sizeof fp));
    ctl_put(to, slice_of(ctl_text(o, "address", address, sizeof address)),
            false);
    fputs(")\n", to);
}

static int
decide(struct ctl *c, const char *command, struct err *e)
{
    json_t *o;

    if (ctl_call_anyway(c, command, cert_args(c, "fingerprint"), &o, e))
        return -1;
    return ctl_print(c, o, show_decided, e);
}

int
ctl_cmd_cert_accept(struct ctl *c, struct err *e)
{
    return decide(c, "cert accept", e);
}

int
ctl_cmd_cert_refuse(struct ctl *c, struct err *e)
{
    return decide(c, "cert refuse", e);
}

int
ctl_cmd_cert_remove(struct ctl *c, struct err *e)
{
    return decide(c, "cert remove", e);
}
