/*
 * `sealpostctl key import`, `list`, `remove`: an account's own keys.
 */
#include "ctl/private.h"

#include <string.h>

#include <jansson.h>

#include "base/code.h"
#include "base/mem.h"

#define FILE_MAX ((size_t)4 << 20)

static json_t *
account_args(const struct ctl *c)
{
    json_t *o = json_object();

    json_object_set_new(o, "account", ctl_json_text(slice_of(c->operand[0])));
    return o;
}

/* ---- import ---- */

static void
show_imported(const json_t *lines, FILE *to)
{
    const json_t *line;
    size_t i;

    json_array_foreach(lines, i, line) {
        ctl_put(to, slice_of(json_string_value(line)), false);
        fputc('\n', to);
    }
}

static int
import_password(struct ctl *c, struct secret *out, struct err *e)
{
    if (ctl_option(c, "--password-file"))
        return ctl_secret_file(ctl_option(c, "--password-file"), out, e);
    if (ctl_has(c, "--password-stdin"))
        return ctl_stdin_line(c, out, e);
    return 0;
}

static int
import_send(struct ctl *c, struct slice file, const struct secret *password,
            json_t **out, struct err *e)
{
    json_t *args = account_args(c), *j;
    struct buf coded = BUF_INIT(BUF_OURS);
    int rc;

    code_base64_write(&coded, file, 0);
    json_object_set_new(args, "file",
                        json_stringn(coded.data ? coded.data : "", coded.len));
    j = json_stringn(password->data ? password->data : "", password->len);
    buf_wipe(&coded);
    if (!j) {
        json_decref(args);
        return err_set(e, E_INPUT, "the password is no UTF-8");
    }
    json_object_set_new(args, "password", j);
    json_incref(j);
    rc = ctl_call_anyway(c, "key import", args, out, e);
    mem_wipe((char *)(uintptr_t)json_string_value(j), json_string_length(j));
    json_decref(j);
    return rc;
}

int
ctl_cmd_key_import(struct ctl *c, struct err *e)
{
    struct buf file = BUF_INIT(FILE_MAX);
    struct secret password = {0};
    json_t *result = NULL;
    bool given = ctl_has(c, "--password-stdin") ||
                 ctl_has(c, "--password-file");
    int rc;

    if (strcmp(c->operand[1], "-") == 0)
        return err_set(e, E_INPUT, "key import reads a file, for stdin is "
                                   "where its password comes from");
    rc = ctl_read(c->operand[1], &file, e) || import_password(c, &password, e)
             ? -1
             : import_send(c, buf_slice(&file), &password, &result, e);
    /* A file without password needs no question. */
    if (rc && e->code == E_LOGIN && !given && file.len && ctl_has_terminal()) {
        rc = ctl_ask("Password of the file", "--password-stdin", &password, e)
                 ? -1
                 : import_send(c, buf_slice(&file), &password, &result, e);
    } else if (rc && e->code == E_LOGIN && !given) {
        err_add(e, "%s (--password-stdin or --password-file gives it)",
                c->operand[1]);
    }
    secret_clear(&password);
    buf_wipe(&file);
    return rc ? -1 : ctl_print(c, result, show_imported, e);
}

/* ---- list ---- */

static void
show_keys(const json_t *rows, FILE *to)
{
    char text[700], date[40];
    const json_t *k;
    size_t i;

    if (!json_array_size(rows))
        fputs("there is no key: sealpostctl key import ACCOUNT FILE\n", to);
    json_array_foreach(rows, i, k) {
        static const char *const lines[][2] = {{"subject", "subject"},
                                               {"issuer", "issued by"},
                                               {"addresses", "for"},
                                               {"key", "key"},
                                               {"use", "use"}};

        fprintf(to, "%s%s\n", i ? "\n" : "",
                ctl_text(k, "fingerprint", text, sizeof text));
        for (size_t n = 0; n < ARRAY_LEN(lines); n++) {
            fprintf(to, "    %-10s ", lines[n][1]);
            ctl_put(to, slice_of(ctl_text(k, lines[n][0], text, sizeof text)),
                    false);
            fputc('\n', to);
        }
        fprintf(to, "    %-10s %s\n", "valid to",
                ctl_time_text(json_integer_value(
                                  json_object_get(k, "not_after")),
                              date, sizeof date));
    }
}

int
ctl_cmd_key_list(struct ctl *c, struct err *e)
{
    json_t *rows;

    if (ctl_call_anyway(c, "key list", account_args(c), &rows, e))
        return -1;
    return ctl_print(c, rows, show_keys, e);
}

/* ---- remove ---- */

static void
show_removed(const json_t *o, FILE *to)
{
    char text[100];

    fprintf(to, "removed %s: what was encrypted to it cannot be read any "
                "more\n", ctl_text(o, "removed", text, sizeof text));
}

int
ctl_cmd_key_remove(struct ctl *c, struct err *e)
{
    json_t *args = account_args(c), *result;

    json_object_set_new(args, "fingerprint",
                        ctl_json_text(slice_of(c->operand[1])));
    if (ctl_call_anyway(c, "key remove", args, &result, e))
        return -1;
    return ctl_print(c, result, show_removed, e);
}
