/*
 * sealpostctl: the command line, tables, and text that must not reach a
 * terminal as it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/mem.h"
#include "ctl/private.h"
#include "test.h"

static int
nothing(struct ctl *c, struct err *e)
{
    (void)c;
    (void)e;
    return 0;
}

static const struct ctl_option options[] = {
    {"--key", "FILE", "a key"}, {"--sign", NULL, "sign"}, {NULL, NULL, NULL}};
static const struct ctl_command commands[] = {
    {"mime", "FILE", 1, 1, NULL, "a message", nothing},
    {"smime open", "FILE", 1, 1, options, "opens", nothing},
    {"queue", "", 0, 0, NULL, "the queue", nothing},
    {"queue list", "[ACCOUNT]", 0, 1, NULL, "the queue", nothing},
    {NULL, NULL, 0, 0, NULL, NULL, NULL},
};

static struct ctl ctl;
static struct err err;

/* One line, split at blanks; "_" stands for an empty argument. */
static int
parse(const char *line)
{
    static char copy[500];
    char *argv[40], *p;
    int argc = 0, rc;

    free(ctl.config);
    memset(&ctl, 0, sizeof ctl);
    memset(&err, 0, sizeof err);
    snprintf(copy, sizeof copy, "%s", line);
    for (p = strtok(copy, " "); p && argc < 39; p = strtok(NULL, " "))
        argv[argc++] = strcmp(p, "_") == 0 ? p + 1 : p;
    argv[argc] = NULL;
    rc = ctl_args_parse(commands, argc, argv, &ctl, &err);
    return rc;
}

static void
args_good(void)
{
    static const struct {
        const char *line, *command, *operand, *config;
        bool json;
    } rows[] = {
        {"x mime f", "mime", "f", NULL, false},
        {"x --json mime f", "mime", "f", NULL, true},
        {"x mime --json f", "mime", "f", NULL, true},
        {"x mime f --json -c conf", "mime", "f", "conf", true},
        {"x -c conf mime -", "mime", "-", "conf", false},
        {"x -c=conf mime f", "mime", "f", "conf", false},
        {"x smime open f --sign", "smime open", "f", NULL, false},
        {"x smime open --sign -- --sign", "smime open", "--sign", NULL, false},
        {"x smime --json open f", "smime open", "f", NULL, true},
        {"x queue", "queue", NULL, NULL, false},
        {"x queue list", "queue list", NULL, NULL, false},
        {"x queue list alice", "queue list", "alice", NULL, false},
        {"x mime mime", "mime", "mime", NULL, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        test_row(rows[i].line);
        CHECK_INT(parse(rows[i].line), 0);
        if (CHECK(ctl.command != NULL))
            CHECK_STR(ctl.command->name, rows[i].command);
        CHECK_INT(ctl.operands, rows[i].operand ? 1 : 0);
        if (rows[i].operand && ctl.operands)
            CHECK_STR(ctl.operand[0], rows[i].operand);
        CHECK_INT(ctl.json, rows[i].json);
        CHECK((ctl.config == NULL) == (rows[i].config == NULL));
        if (ctl.config && rows[i].config)
            CHECK_STR(ctl.config, rows[i].config);
    }
    test_row(NULL);
    free(ctl.config);
    ctl.config = NULL;
}

static void
args_bad(void)
{
    static const struct {
        const char *line, *says;
    } rows[] = {
        {"x mine f", "there is no command \"mine f\""},
        {"x mime", "mime needs FILE"},
        {"x mime a b", "\"b\" is one too many"},
        {"x mime --frob f", "mime: there is no option --frob"},
        {"x mime f -c", "-c needs FILE"},
        {"x smime open f --key", "--key needs FILE"},
        {"x smime open f --sign=yes", "--sign takes no value"},
        {"x smime", "there is no command \"smime\""},
        {"x smime seal f", "there is no command \"smime seal\""},
        {"x mime --key k f", "there is no option --key"},
        {"x queue list a b", "\"b\" is one too many"},
        {"x mime 1 2 3 4 5 6 7 8 9", "too many arguments"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        test_row(rows[i].line);
        CHECK_INT(parse(rows[i].line), -1);
        CHECK_INT(err.code, E_INPUT);
        if (!CHECK(strstr(err.text, rows[i].says) != NULL))
            printf("# %s\n", err.text);
    }
    test_row(NULL);
}

/* What follows a --key belongs to it, so the order is kept. */
static void
args_order(void)
{
    REQUIRE(parse("x smime open --key a --sign f --key=b --key _") == 0);
    REQUIRE(ctl.ngiven == 4);
    CHECK_STR(ctl.given[0].value, "a");
    CHECK_STR(ctl.given[1].option->name, "--sign");
    CHECK_STR(ctl.given[2].value, "b");
    CHECK_STR(ctl_option(&ctl, "--key"), "");
    CHECK(ctl_has(&ctl, "--sign"));
    CHECK(!ctl_has(&ctl, "--json"));
}

/* Every command of the real table can be asked for help and is told apart. */
static void
args_table(void)
{
    for (const struct ctl_command *k = ctl_commands; k->name; k++) {
        char line[200];

        snprintf(line, sizeof line, "x %s --help", k->name);
        test_row(line);
        char *argv[6], *p;
        int argc = 0;

        free(ctl.config);
        memset(&ctl, 0, sizeof ctl);
        for (p = strtok(line, " "); p; p = strtok(NULL, " "))
            argv[argc++] = p;
        CHECK_INT(ctl_args_parse(ctl_commands, argc, argv, &ctl, &err), 0);
        CHECK(ctl.command == k && ctl.help);
        CHECK(k->min <= k->max && k->max <= CTL_OPERANDS && k->run);
    }
    test_row(NULL);
}

static char *
printed(void (*write)(FILE *))
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);

    write(f);
    fclose(f);
    return text;
}

static void
write_dirty(FILE *f)
{
    ctl_put(f, SLICE("a\x1b[2Jb\r\nc\x7f\xc2\x9b" "d\xc3\xa9"), false);
    ctl_put(f, SLICE("\ne\n"), true);
}

static void
terminal_is_safe(void)
{
    char *text = printed(write_dirty);

    CHECK_STR(text, "a [2Jb  c  d\xc3\xa9\ne\n");
    free(text);
}

static void
write_table(FILE *f)
{
    static const struct ctl_column columns[] = {
        {"NAME", "name", false}, {"N", "n", true}, {"ON", "on", false}};
    json_t *rows = json_pack("[{s:s,s:i,s:b},{s:s,s:i,s:n}]", "name",
                             "j\xc3\xbcrgen", "n", 5, "on", 1, "name", "al",
                             "n", 1234, "on");

    ctl_table(rows, columns, 3, "none", f);
    json_decref(rows);
    rows = json_array();
    ctl_table(rows, columns, 3, "none at all", f);
    json_decref(rows);
}

static void
tables(void)
{
    char *text = printed(write_table);

    CHECK_STR(text, "NAME       N  ON\n"
                    "j\xc3\xbcrgen     5  yes\n"
                    "al      1234  -\n"
                    "none at all\n");
    free(text);
}

static void
json_of_any_bytes(void)
{
    static const struct {
        struct slice in;
        const char *out;
    } rows[] = {
        {{"abc", 3}, "abc"},
        {{"\xc3\xa9", 2}, "\xc3\xa9"},
        {{"a\xe9z", 3}, "a\xef\xbf\xbdz"},
        {{"\xf0\x9f\x98\x80\xf0", 5}, "\xf0\x9f\x98\x80\xef\xbf\xbd"},
        {{"\xed\xa0\x80", 3}, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {{NULL, 0}, ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *j = ctl_json_text(rows[i].in);

        if (CHECK(json_is_string(j)))
            CHECK_STR(json_string_value(j), rows[i].out);
        json_decref(j);
    }
}

/* Two passwords on stdin are two lines, whatever a read() brings. */
static void
lines_of_stdin(void)
{
    struct secret one = {0}, two = {0}, three = {0};
    int fd[2], old = dup(0);

    memset(&ctl, 0, sizeof ctl);
    REQUIRE(pipe(fd) == 0);
    REQUIRE(write(fd[1], "first pass\r\nsecond", 18) == 18);
    close(fd[1]);
    dup2(fd[0], 0);
    close(fd[0]);
    CHECK_INT(ctl_stdin_line(&ctl, &one, &err), 0);
    CHECK_INT(ctl_stdin_line(&ctl, &two, &err), 0);
    CHECK(secret_is(&one, "first pass", 10));
    CHECK(secret_is(&two, "second", 6));
    CHECK_INT(ctl_stdin_line(&ctl, &three, &err), -1);
    CHECK_INT(err.code, E_INPUT);
    secret_clear(&one);
    secret_clear(&two);
    buf_wipe(&ctl.stdin_rest);
    dup2(old, 0);
    close(old);
}

static const struct test_case cases[] = {
    TEST(args_good),        TEST(args_bad), TEST(args_order),
    TEST(args_table),       TEST(terminal_is_safe), TEST(tables),
    TEST(json_of_any_bytes), TEST(lines_of_stdin),
};
TEST_MAIN(cases)
