/*
 * `sealpostctl status`, `reload`, `folder list` and `policy`.
 */
#include "ctl/private.h"

#include <string.h>

#include <jansson.h>

#include "base/mem.h"

/* ---- status ---- */

static long long
number(const json_t *o, const char *key)
{
    return (long long)json_integer_value(json_object_get(o, key));
}

static void
show_sync(const json_t *a, FILE *to)
{
    const json_t *s = json_object_get(a, "sync");
    long long listed = number(s, "listed"), estimate = number(s, "estimate");
    char text[400];

    if (strcmp(ctl_text(s, "state", text, sizeof text), "listing") == 0 &&
        json_is_string(json_object_get(s, "folder"))) {
        fputs("    listing    ", to);
        ctl_put(to, slice_of(ctl_text(s, "folder", text, sizeof text)), false);
        fprintf(to, ": %lld", listed);
        if (estimate > 0)
            fprintf(to, " of about %lld", estimate);
        fputc('\n', to);
    }
    if (number(s, "next_try"))
        fprintf(to, "    next try   %s\n",
                ctl_time_text(number(s, "next_try"), text, sizeof text));
}

static void
show_requests(const json_t *list, FILE *to)
{
    const json_t *r;
    char text[60];
    size_t i;

    json_array_foreach(list, i, r)
        fprintf(to, "    %s %s%s, %lld s\n",
                json_is_true(json_object_get(r, "running")) ? "runs      "
                                                            : "waits     ",
                ctl_text(r, "command", text, sizeof text),
                json_is_true(json_object_get(r, "background"))
                    ? " in the background"
                    : "",
                number(r, "seconds"));
}

/* What of one folder, while the account goes on. */
static void
show_trouble(const json_t *a, FILE *to)
{
    const json_t *s = json_object_get(a, "sync");
    char text[600];

    if (json_is_string(json_object_get(a, "error")) ||
        !json_is_string(json_object_get(s, "error")))
        return;
    fputs("    trouble    ", to);
    ctl_put(to, slice_of(ctl_text(s, "error", text, sizeof text)), false);
    fputc('\n', to);
}

static void
show_refusals(const json_t *list, FILE *to)
{
    const json_t *r;
    char text[600];
    size_t i;

    json_array_foreach(list, i, r) {
        fprintf(to, "    undone     %s ",
                ctl_time_text(number(r, "when"), text, sizeof text));
        ctl_put(to, slice_of(ctl_text(r, "what", text, sizeof text)), false);
        fputs(": ", to);
        ctl_put(to, slice_of(ctl_text(r, "why", text, sizeof text)), false);
        fputc('\n', to);
    }
}

/* "    local only 3: INBOX (UID 7), Drafts (UID 1), ..." */
static void
show_locals(const json_t *a, FILE *to)
{
    const json_t *list = json_object_get(a, "local"), *m;
    long long total = number(a, "local_count");
    char text[600];
    size_t i;

    if (!total)
        return;
    fprintf(to, "    local only %lld:", total);
    json_array_foreach(list, i, m) {
        if (i == 5)
            break;
        fputs(i ? ", " : " ", to);
        ctl_put(to, slice_of(ctl_text(m, "folder", text, sizeof text)), false);
        fprintf(to, " (UID %lld)", number(m, "uid"));
    }
    fputs(total > 5 ? ", ...\n" : "\n", to);
}

static void
show_account(const json_t *a, FILE *to)
{
    char text[700];

    fprintf(to, "\naccount %s", ctl_text(a, "name", text, sizeof text));
    fputs(" (", to);
    ctl_put(to, slice_of(ctl_text(a, "address", text, sizeof text)), false);
    fprintf(to, "): %s\n", ctl_text(a, "state", text, sizeof text));
    if (json_is_string(json_object_get(a, "error"))) {
        fputs("    trouble    ", to);
        ctl_put(to, slice_of(ctl_text(a, "error", text, sizeof text)), false);
        fputc('\n', to);
    }
    fputs("    server     ", to);
    ctl_put(to, slice_of(ctl_text(a, "server", text, sizeof text)), false);
    if (json_is_string(json_object_get(a, "version")))
        fprintf(to, ", ActiveSync %s",
                ctl_text(a, "version", text, sizeof text));
    fputc('\n', to);
    show_sync(a, to);
    if (number(a, "throttled_until"))
        fprintf(to, "    throttled  until %s\n",
                ctl_time_text(number(a, "throttled_until"), text,
                              sizeof text));
    show_requests(json_object_get(a, "requests"), to);
    show_trouble(a, to);
    if (json_is_string(json_object_get(a, "key_problem"))) {
        fputs("    keys       ", to);
        ctl_put(to, slice_of(ctl_text(a, "key_problem", text, sizeof text)),
                false);
        fputc('\n', to);
    }
    if (json_is_string(json_object_get(a, "cache_problem"))) {
        fputs("    cache      ", to);
        ctl_put(to, slice_of(ctl_text(a, "cache_problem", text, sizeof text)),
                false);
        fputc('\n', to);
    }
    if (!json_object_get(a, "messages"))
        return;
    fprintf(to, "    mail       %lld messages in %lld folders, %lld not yet "
                "fetched\n", number(a, "messages"), number(a, "folders"),
            number(a, "bodies_missing"));
    fprintf(to, "    to do      %lld changes to upload, %lld messages to "
                "send\n", number(a, "journal_open"), number(a, "queue"));
    show_locals(a, to);
    show_refusals(json_object_get(a, "refusals"), to);
}

static void
show_status(const json_t *o, FILE *to)
{
    char text[300];
    const json_t *l;
    size_t i;

    fprintf(to, "sealpostd %s, %lld IMAP and %lld SMTP clients\n",
            ctl_text(o, "version", text, sizeof text),
            number(o, "imap_clients"), number(o, "smtp_clients"));
    json_array_foreach(json_object_get(o, "listeners"), i, l) {
        fprintf(to, "    %-4s ", ctl_text(l, "door", text, sizeof text));
        fprintf(to, "%s%s\n", ctl_text(l, "address", text, sizeof text),
                json_is_true(json_object_get(l, "tls")) ? " (TLS)" : "");
    }
    fprintf(to, "    certificate %s\n",
            ctl_text(o, "fingerprint", text, sizeof text));
    json_array_foreach(json_object_get(o, "accounts"), i, l)
        show_account(l, to);
    if (!json_array_size(json_object_get(o, "accounts")))
        fputs("\nthere is no account: sealpostctl account add makes one\n",
              to);
}

int
ctl_cmd_status(struct ctl *c, struct err *e)
{
    json_t *o;

    if (ctl_call(c, "status", NULL, &o, e))
        return -1;
    return ctl_print(c, o, show_status, e);
}

/* ---- reload ---- */

static void
show_reload(const json_t *o, FILE *to)
{
    (void)o;
    fputs("the new configuration counts\n", to);
}

int
ctl_cmd_reload(struct ctl *c, struct err *e)
{
    json_t *o;

    if (ctl_call(c, "reload", NULL, &o, e))
        return -1;
    return ctl_print(c, o, show_reload, e);
}

/* ---- folders, policy ---- */

static json_t *
account_args(const struct ctl *c)
{
    json_t *o = json_object();

    json_object_set_new(o, "account", ctl_json_text(slice_of(c->operand[0])));
    return o;
}

static void
show_folders(const json_t *rows, FILE *to)
{
    static const struct ctl_column columns[] = {
        {"FOLDER", "path", false},      {"ROLE", "role", false},
        {"STATE", "state", false},      {"MESSAGES", "messages", true},
        {"UNSEEN", "unseen", true},     {"TO FETCH", "bodies_missing", true},
        {"SIZE", "size", true},         {"SUBSCRIBED", "subscribed", false}};

    ctl_table(rows, columns, ARRAY_LEN(columns),
              "no folder is known: the server was not reached yet", to);
}

int
ctl_cmd_folder_list(struct ctl *c, struct err *e)
{
    json_t *rows;

    if (ctl_call_anyway(c, "folder list", account_args(c), &rows, e))
        return -1;
    return ctl_print(c, rows, show_folders, e);
}

static void
show_policy(const json_t *rows, FILE *to)
{
    static const struct ctl_column columns[] = {{"ELEMENT", "name", false},
                                                {"VALUE", "value", false},
                                                {"ENFORCED", "enforced",
                                                 false},
                                                {"HOW", "how", false}};

    ctl_table(rows, columns, ARRAY_LEN(columns),
              "the server has given no policy to this daemon", to);
}

int
ctl_cmd_policy(struct ctl *c, struct err *e)
{
    json_t *rows;

    if (ctl_call(c, "policy", account_args(c), &rows, e))
        return -1;
    return ctl_print(c, rows, show_policy, e);
}
