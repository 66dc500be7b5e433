/*
 * The command line of sealpostctl, by a table of commands. Called by main.c;
 * what the values mean is the commands' business.
 */
#include "ctl/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* What every command has. */
static const struct ctl_option common[] = {
    {"-c", "FILE", "the configuration file"},
    {"--json", NULL, "the result as one line of JSON"},
    {"--help", NULL, "how a command is used"},
    {"-h", NULL, NULL},
    {"--version", NULL, NULL},
    {NULL, NULL, NULL},
};

/* The option of this argument (up to its "="), or NULL. */
static const struct ctl_option *
option_find(const struct ctl_option *list, const char *arg)
{
    size_t n = strcspn(arg, "=");

    for (; list && list->name; list++)
        if (strlen(list->name) == n && strncmp(list->name, arg, n) == 0)
            return list;
    return NULL;
}

static void
common_set(struct ctl *c, const struct ctl_option *o, const char *value)
{
    if (o->metavar) {
        free(c->config);
        c->config = xstrdup(value);
    } else if (strcmp(o->name, "--json") == 0) {
        c->json = true;
    } else if (strcmp(o->name, "--version") == 0) {
        c->version = true;
    } else {
        c->help = true;
    }
}

/* The command whose words these are: the longer name wins. */
static const struct ctl_command *
command_find(const struct ctl_command *list, const char *const *word,
             unsigned n, unsigned *words_out)
{
    char both[120];

    for (unsigned words = n < 2 ? n : 2; words; words--) {
        snprintf(both, sizeof both, "%.50s%s%.50s", word[0],
                 words > 1 ? " " : "", words > 1 ? word[1] : "");
        *words_out = words;
        for (const struct ctl_command *k = list; k->name; k++)
            if (strcmp(k->name, both) == 0)
                return k;
    }
    *words_out = 0;
    return NULL;
}

/* Options need the command, which may stand behind them: words first. */
static int
command_take(const struct ctl_command *list, int argc, char **argv,
             struct ctl *c, unsigned *words_out, struct err *e)
{
    const char *word[2] = {NULL, NULL};
    unsigned n = 0;

    for (int i = 1; i < argc && n < 2; i++) {
        const struct ctl_option *o = option_find(common, argv[i]);

        if (o && o->metavar && !strchr(argv[i], '='))
            i++;
        else if (!o && argv[i][0] != '-')
            word[n++] = argv[i];
        else if (!o && n)
            break;
    }
    *words_out = 0;
    c->command = command_find(list, word, n, words_out);
    if (c->command || !n)
        return 0;
    return err_set(e, E_INPUT, "there is no command \"%.40s%s%.40s\": see "
                   "sealpostctl --help", word[0], word[1] ? " " : "",
                   word[1] ? word[1] : "");
}

static int
option_take(struct ctl *c, const struct ctl_option *o, bool is_common,
            char **argv, int argc, int *i, struct err *e)
{
    const char *value = strchr(argv[*i], '=');

    if (value && !o->metavar)
        return err_set(e, E_INPUT, "%s takes no value", o->name);
    if (value)
        value++;
    else if (o->metavar && *i + 1 < argc)
        value = argv[++*i];
    else if (o->metavar)
        return err_set(e, E_INPUT, "%s needs %s", o->name, o->metavar);
    if (is_common) {
        common_set(c, o, value);
        return 0;
    }
    if (c->ngiven == CTL_GIVEN)
        return err_set(e, E_LIMIT, "more than %u options", CTL_GIVEN);
    c->given[c->ngiven++] = (struct ctl_given){o, value};
    return 0;
}

static int
operands_check(const struct ctl *c, struct err *e)
{
    const struct ctl_command *k = c->command;

    if (!k || c->help || c->version)
        return 0;
    if (c->operands < k->min)
        return err_set(e, E_INPUT, "%s needs %s", k->name, k->operands);
    if (c->operands > k->max)
        return err_set(e, E_INPUT, "%s: \"%.60s\" is one too many", k->name,
                       c->operand[k->max]);
    return 0;
}

int
ctl_args_parse(const struct ctl_command *commands, int argc, char **argv,
               struct ctl *c, struct err *e)
{
    unsigned words, seen = 0;
    bool only_operands = false;

    if (command_take(commands, argc, argv, c, &words, e))
        return -1;
    for (int i = 1; i < argc; i++) {
        const struct ctl_option *o = NULL;
        const char *a = argv[i];
        bool is_common = false;

        if (!only_operands && strcmp(a, "--") == 0) {
            only_operands = true;
            continue;
        }
        if (only_operands || a[0] != '-' || !a[1]) {
            if (seen++ < words)
                continue;
            if (c->operands == CTL_OPERANDS)
                return err_set(e, E_INPUT, "too many arguments");
            c->operand[c->operands++] = a;
            continue;
        }
        if (c->command)
            o = option_find(c->command->options, a);
        if (!o) {
            o = option_find(common, a);
            is_common = true;
        }
        if (!o)
            return err_set(e, E_INPUT, "%s%sthere is no option %.60s",
                           c->command ? c->command->name : "",
                           c->command ? ": " : "", a);
        if (option_take(c, o, is_common, argv, argc, &i, e))
            return -1;
    }
    return operands_check(c, e);
}

const char *
ctl_option(const struct ctl *c, const char *name)
{
    for (unsigned i = c->ngiven; i-- > 0;)
        if (strcmp(c->given[i].option->name, name) == 0)
            return c->given[i].value;
    return NULL;
}

bool
ctl_has(const struct ctl *c, const char *name)
{
    for (unsigned i = 0; i < c->ngiven; i++)
        if (strcmp(c->given[i].option->name, name) == 0)
            return true;
    return false;
}

/* ---- help ---- */

void
ctl_args_help(const struct ctl_command *k, FILE *to)
{
    fprintf(to, "sealpostctl [-c FILE] [--json] %s%s%s%s\n    %s\n", k->name,
            *k->operands ? " " : "", k->operands,
            k->options ? " [OPTION]..." : "", k->help);
    for (const struct ctl_option *o = k->options; o && o->name; o++) {
        char left[60];

        snprintf(left, sizeof left, "%s%s%s", o->name, o->metavar ? " " : "",
                 o->metavar ? o->metavar : "");
        fprintf(to, "  %-26s %s\n", left, o->help);
    }
}

void
ctl_args_list(const struct ctl_command *list, FILE *to)
{
    fprintf(to, "sealpostctl [-c FILE] [--json] COMMAND\n\n");
    for (; list->name; list++) {
        char left[60];

        snprintf(left, sizeof left, "%s%s%s", list->name,
                 *list->operands ? " " : "", list->operands);
        fprintf(to, "  %-38s %s\n", left, list->help);
    }
    fprintf(to, "\nsealpostctl COMMAND --help tells the options; "
                "sealpostctl(1) tells all.\n");
}
