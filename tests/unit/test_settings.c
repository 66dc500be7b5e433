/*
 * Room settings: places, inheritance, refusals with their lines, reload,
 * appending, and that conf/sealpost.conf tells of every setting.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "settings/append.h"
#include "settings/settings.h"

#define ALICE "address = 'alice@Example.com' server = 'https://m.example.com'"

static struct settings *
load(const char *text, struct err *e)
{
    struct settings *s = NULL;

    *e = (struct err){0};
    settings_load_text(slice_of(text), "t.conf", "/etc/x", &s, e);
    return s;
}

static void
test_defaults(void)
{
    struct err e;
    struct settings *s = load("account \"alice\" { " ALICE " }", &e);

    CHECK_STR(e.text, "");
    REQUIRE(s);
    CHECK_INT(s->n_accounts, 1);
    const struct settings_account *a = s->accounts[0];
    CHECK_STR(a->name, "alice");
    CHECK_STR(a->address, "alice@Example.com");
    CHECK_STR(a->domain, "example.com");
    CHECK_STR(a->user, "alice@Example.com");
    CHECK_STR(a->server, "https://m.example.com");
    CHECK(!a->password_command && !a->ca_file && !a->eas_version);
    CHECK(a->aliases && !a->aliases[0]);
    CHECK(a->trust && !a->trust[0] && a->trust_system);
    CHECK_INT(a->sign, SETTINGS_ASK);
    CHECK_INT(a->encrypt, SETTINGS_ASK);
    CHECK(a->reply_guard && a->encrypt_to_self && !a->allow_weak);
    CHECK_INT(a->submit_wait, 20);
    CHECK_INT(a->queue_lifetime, 5 * 86400);
    CHECK_INT(a->draft_wait, 10);
    CHECK_INT(a->cache_size, 0);
    CHECK_INT(a->max_message_size, 50 << 20);
    CHECK_STR(a->signing_key, "auto");
    CHECK_INT(s->log_level, LOG_LEVEL_INFO);
    CHECK_STR(s->machine_key, "/etc/x/machine.key");
    CHECK_INT(s->n_listen, 8);
    CHECK_INT(s->listen[0].port, 1143);
    CHECK_STR(s->listen[1].host, "::1");
    CHECK(s->listen[2].tls && s->listen[2].port == 1993);
    CHECK_INT(s->listen[4].door, SETTINGS_SMTP);
    settings_free(&s);
    CHECK(!s);
    settings_free(&s);
}

static void
test_inheritance(void)
{
    struct err e;
    struct settings *s =
        load("sign = always\nencrypt = always\nsubmit_wait = 1m\n"
                 "server = 'https://all.example.org'\n"
                 "trust = {'a.pem', '/b.pem'}\n"
                 "domain \"EXAMPLE.com\" { encrypt = never\nsubmit_wait = 5s }\n"
                 "account \"a\" { address = 'a@example.com' submit_wait = 7s\n"
                 "    trust = {} aliases = {'x@y.z', 'q@y.z'} }\n"
                 "account \"b\" { address = 'b@example.com' }\n"
                 "account \"c\" { address = 'c@sub.example.com' }\n",
                 &e);
    CHECK_STR(e.text, "");
    REQUIRE(s && s->n_accounts == 3);
    const struct settings_account *a = settings_find(s, "a"),
                                  *b = settings_find(s, "b"),
                                  *c = settings_find(s, "c");
    REQUIRE(a && b && c);
    CHECK_INT(a->sign, SETTINGS_ALWAYS);
    CHECK_INT(a->encrypt, SETTINGS_NEVER);
    CHECK_INT(c->encrypt, SETTINGS_ALWAYS);
    CHECK_INT(a->submit_wait, 7);
    CHECK_INT(b->submit_wait, 5);
    CHECK_INT(c->submit_wait, 60);
    CHECK(!a->trust[0]);
    CHECK_STR(b->trust[0], "/etc/x/a.pem");
    CHECK_STR(b->trust[1], "/b.pem");
    CHECK(!b->trust[2]);
    CHECK_STR(a->aliases[1], "q@y.z");
    CHECK(settings_is_own(a, SLICE("Q@Y.z")));
    CHECK(settings_is_own(a, SLICE("A@example.com")));
    CHECK(!settings_is_own(b, SLICE("q@y.z")));
    CHECK(settings_find_login(s, SLICE("b")) == b);
    CHECK(settings_find_login(s, SLICE("B@Example.COM")) == b);
    CHECK(!settings_find_login(s, SLICE("B")));
    CHECK(!settings_find_login(s, SLICE("")));
    settings_free(&s);
}

/* Each text is refused, and the error says so where it is. */
static void
test_refused(void)
{
    static const struct {
        const char *name, *text, *want, *also;
    } rows[] = {
        {"unknown", "\nsgin = yes\n", "t.conf:2: unknown option 'sgin'", ""},
        {"unknown in account", "account \"a\" {\n\n sgin = yes }",
         "t.conf:3: unknown", "sgin"},
        {"word", "\n\nsign = sometimes", "t.conf:3: sign = \"sometimes\"",
         "ask, always, never"},
        {"bool", "reply_guard = 7", "t.conf:1: reply_guard = \"7\"",
         "yes, no"},
        {"time", "submit_wait = 3 x", "t.conf:1: ", ""},
        {"time unit", "submit_wait = 3y", "submit_wait = \"3y\"", "0 to 5m"},
        {"time range", "submit_wait = 1d", "submit_wait = \"1d\"", "0 to 5m"},
        {"time huge", "queue_lifetime = 99999999999999999999d",
         "queue_lifetime", "1m to 60d"},
        {"size", "max_message_size = 3T", "max_message_size", "64K to 1G"},
        {"size overflow", "max_message_size = 18446744073709551615G",
         "max_message_size", ""},
        {"number", "max_requests = -1", "max_requests = \"-1\"",
         "a number, 1 to 10"},
        {"twice", "sign = ask\nsign = ask", "t.conf:2: sign is set twice",
         "line 1"},
        {"twice list", "trust = {'a'}\ntrust = {'a'}",
         "t.conf:2: trust is set twice", ""},
        {"plus", "trust += {'a'}", "trust: give the whole list", ""},
        {"global in account", "account \"a\" { log_level = info }",
         "log_level may only stand outside", ""},
        {"account outside", "address = 'a@b.c'",
         "address may only stand in an account block", ""},
        {"account twice", "account \"a\" { " ALICE " }\naccount \"a\" { }",
         "t.conf:2: ", "a"},
        {"name case",
         "account \"a\" { " ALICE " }\naccount \"A\" {\n address = 'b@c.d'\n"
         "server = 'https://x' }",
         "letter case", "account \"A\""},
        {"name", "account \"a/b\" { " ALICE " }", "account \"a/b\": a name",
         ""},
        {"name plus", "account \"a+b\" { " ALICE " }", "a name is", ""},
        {"no address", "\naccount \"a\" {\n sign = ask\n}",
         "t.conf:2: account \"a\" has no address", ""},
        {"no server", "account \"a\" {\n\naddress = 'a@b.c' }",
         "server is missing", "not built yet"},
        {"address", "account \"a\" {\naddress = 'a b@c' }",
         "t.conf:2: address = \"a b@c\"", "alice@example.com"},
        {"address twice",
         "account \"a\" { " ALICE " }\naccount \"b\" {\n" ALICE " }",
         "t.conf:3: account \"b\": address", "account \"a\" has it"},
        {"http", "server = 'http://127.0.0.1'", "server = \"http", "https://"},
        {"userinfo", "server = 'https://u:p@h'", "server", "https://"},
        {"empty value", "user = ''", "may only stand in an account", ""},
        {"empty", "control_group = ''", "control_group", "empty value"},
        {"variable", "\nserver = \"https://${HOST}\"", "t.conf:2: ",
         "variables"},
        {"bare variable", "server = ${HOST}", "t.conf:1: ", "variables"},
        {"control byte", "control_group = 'a\001b'", "control character", ""},
        {"backslash", "\nsign \\ = ask", "t.conf:2: a backslash", ""},
        {"backslash in quotes", "\ncontrol_group = 'a\\b'", "t.conf:2: in quotes",
         ""},
        {"octal", "control_group = \"a\\101\"", "in quotes", ""},
        {"unterminated", "server = 'https", "t.conf", ""},
        {"unclosed block", "account \"a\" {\n", "t.conf", ""},
        {"listen word", "listen_imap = localhost", "listen_imap",
         "ADDRESS:PORT"},
        {"listen port", "listen_imap = '127.0.0.1:99999'", "listen_imap", ""},
        {"listen v6", "listen_imap = '::1:143'", "listen_imap", ""},
        {"listen beyond", "listen_imap = '0.0.0.0:143'", "beyond the loopback",
         "listen_imaps"},
        {"listen beyond smtp", "listen_smtp = '[::]:25'",
         "beyond the loopback", ""},
        {"listen twice", "\nlisten_imap = '127.0.0.1:1025'",
         "t.conf:2: two listeners on 127.0.0.1 port 1025", ""},
        {"tls half", "tls_key = 'a'", "tls_certificate and tls_key", "both"},
        {"heartbeat", "account \"a\" { " ALICE " heartbeat_min = 30m }",
         "heartbeat_max", "below"},
        {"version", "account \"a\" { " ALICE "\neas_version = '12.1' }",
         "t.conf:2: account \"a\": eas_version", "14.0, 14.1"},
        {"clear password",
         "account \"a\" { " ALICE "\nlocal_password = 'geheim' }",
         "local_password", "hash"},
        {"key", "signing_key = 'abc'", "signing_key", "fingerprint"},
        /* what the specification has and this version has not */
        {"remove", "missing_certificate = remove", "is not built yet",
         "reject"},
        {"split", "missing_certificate = split", "is not built yet", ""},
        {"hold", "missing_certificate = hold", "is not built yet", ""},
        {"weak", "allow_weak = yes", "is not built yet", "no"},
        {"passthrough", "login = passthrough", "is not built yet", "stored"},
        {"negotiate", "auth = negotiate", "is not built yet", "basic"},
        {"oauth", "auth = oauth", "is not built yet", ""},
        {"oauth setting", "oauth_tenant = 'x'", "not built yet", "OAuth"},
        {"require", "revocation = require", "is not built yet", ""},
        {"card", "signing_key = 'pkcs11:id=1'", "not built yet", ""},
        {"modules", "pkcs11_modules = {'a'}", "not built yet", ""},
        {"allow", "account \"a\" { allow = {'127.0.0.1'} }", "not built yet",
         ""},
        {"tags", "subject_tags = yes", "is not built yet", "no"},
        {"harvest", "harvest = ask", "is not built yet", ""},
        {"keyring", "secrets = keyring", "is not built yet", "file"},
        {"credential", "secrets = credential", "is not built yet", "file"},
        {"ldap", "ldap = {'ldaps://x'}", "not built yet", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e;
        test_row(rows[i].name);
        struct settings *s = load(rows[i].text, &e);
        CHECK(!s);
        CHECK_INT(e.code, E_INPUT);
        if (!CHECK(strstr(e.text, rows[i].want) &&
                   strstr(e.text, rows[i].also)))
            printf("# got: %s\n", e.text);
        settings_free(&s);
    }
    test_row(NULL);
}

static void
test_listeners(void)
{
    struct err e;
    struct settings *s =
        load("listen_imap = off\nlisten_imaps = {'0.0.0.0:993', '[::]:0'}\n"
             "listen_smtp = {}\nlisten_smtps = '127.0.0.1:0'\n", &e);

    CHECK_STR(e.text, "");
    REQUIRE(s);
    REQUIRE(CHECK_INT(s->n_listen, 3));
    CHECK_STR(s->listen[0].host, "0.0.0.0");
    CHECK_STR(s->listen[1].host, "::");
    CHECK_INT(s->listen[1].port, 0);
    CHECK_INT(s->listen[2].door, SETTINGS_SMTP);
    settings_free(&s);
}

static void
test_quotes(void)
{
    struct err e;
    struct settings *s = load(
        "account \"a\" { " ALICE "\n"
        "# a comment with \" and ' and ${x}\n"
        "/* another\n ${y} */ // and one more ${z}\n"
        "password_command = 'echo \"${X}\" it\\'s'\n"
        "user = 'DOM\\\\me' signing_key = 'AA:bb:CC:dd:ee:ff:00:11:22:33:"
        "44:55:66:77:88:99:aa:bb:cc:dd' }", &e);

    CHECK_STR(e.text, "");
    REQUIRE(s);
    CHECK_STR(s->accounts[0]->password_command, "echo \"${X}\" it's");
    CHECK_STR(s->accounts[0]->user, "DOM\\me");
    CHECK_STR(s->accounts[0]->signing_key,
              "aabbccddeeff00112233445566778899aabbccdd");
    settings_free(&s);
}

static void
test_diff(void)
{
    struct err e;
    struct settings *a = load("account \"x\" { " ALICE " }\n"
                              "account \"y\" { address='y@b.c' server = "
                              "'https://h' }\n"
                              "account \"z\" { address='z@b.c' server = "
                              "'https://h' trust = {'a'} }", &e);
    struct settings *b = load("log_level = debug state_dir = '/x'\n"
                              "listen_imap = off\n"
                              "account \"x\" { " ALICE " }\n"
                              "account \"w\" { address='w@b.c' server = "
                              "'https://h' }\n"
                              "account \"z\" { address='z@b.c' server = "
                              "'https://h' trust = {'a', 'b'} }", &e);
    struct settings_diff d;
    struct buf got = BUF_INIT(BUF_OURS);
    static const char kinds[] = "+-!=";
    size_t i = 0;

    REQUIRE(a && b);
    while (settings_diff_next(a, b, &i, &d))
        buf_addf(&got, "%s%c", d.was ? d.was->name : d.now->name,
                 kinds[d.kind]);
    CHECK_STR(got.data, "x=y-z!w+");
    buf_clear(&got);
    for (i = 0; settings_diff_next(NULL, b, &i, &d);)
        buf_addf(&got, "%s%c", d.now->name, kinds[d.kind]);
    CHECK_STR(got.data, "x+w+z+");
    buf_clear(&got);
    char *fixed = settings_fixed_changes(a, b);
    CHECK_STR(fixed, "state_dir, secrets_file, listeners");
    free(fixed);
    fixed = settings_fixed_changes(a, a);
    CHECK_STR(fixed, "");
    free(fixed);
    settings_fixed_keep(a, b);
    CHECK_STR(b->state_dir, a->state_dir);
    CHECK_STR(b->secrets_file, a->secrets_file);
    CHECK_INT(b->n_listen, a->n_listen);
    fixed = settings_fixed_changes(a, b);
    CHECK_STR(fixed, "");
    free(fixed);
    settings_free(&b);
    settings_free(&a);
}

static void
read_to(const char *path, struct buf *out)
{
    struct err e = {0};

    buf_clear(out);
    *out = BUF_INIT(BUF_OURS);
    CHECK_INT(file_read(path, out, &e), 0);
}

static void
test_append(void)
{
    char *path = xasprintf("%s/new/sealpost.conf", test_dir());
    struct buf text = BUF_INIT(BUF_OURS), before = BUF_INIT(BUF_OURS);
    static const char *const aliases[] = {"b@x.y", "c'd@x.y", NULL};
    struct settings_pair pairs[] = {
        {"address", "a@x.y", NULL},
        {"server", "https://h.x.y/p", NULL},
        {"password_command", "say 'it\\' \"${X}\" # no", NULL},
        {"aliases", NULL, aliases},
    };
    struct err e = {0};
    struct settings *s = NULL;
    struct stat st;

    CHECK_INT(settings_append_account(path, "one", pairs, 4, &e), 0);
    CHECK_STR(e.text, "");
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK_INT(settings_load(path, &s, &e), 0);
    REQUIRE(s && s->n_accounts == 1);
    CHECK_STR(s->path, path);
    CHECK_STR(s->accounts[0]->password_command, "say 'it\\' \"${X}\" # no");
    CHECK_STR(s->accounts[0]->aliases[1], "c'd@x.y");
    settings_free(&s);

    /* mode kept, old text kept byte for byte, even without a last newline */
    read_to(path, &before);
    buf_adds(&before, "# the end");
    CHECK_INT(file_write(path, buf_slice(&before), 0600, false, &e), 0);
    CHECK(chmod(path, 0664) == 0);
    pairs[0].value = "b@x.y";
    CHECK_INT(settings_append_account(path, "two", pairs, 2, &e), 0);
    read_to(path, &text);
    CHECK(slice_starts(buf_slice(&text), before.data));
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0664);

    /* refused: nothing changes */
    read_to(path, &before);
    CHECK_INT(settings_append_account(path, "two", pairs, 2, &e), -1);
    CHECK_INT(settings_append_account(path, "tri", pairs, 2, &e), -1);
    CHECK(strstr(e.text, "has it already"));
    pairs[0].value = "c@x.y\"\n}";
    CHECK_INT(settings_append_account(path, "tri", pairs, 2, &e), -1);
    pairs[0].name = "adress";
    pairs[0].value = "c@x.y";
    CHECK_INT(settings_append_account(path, "tri", pairs, 2, &e), -1);
    CHECK(strstr(e.text, "adress"));
    read_to(path, &text);
    CHECK(slice_eq(buf_slice(&text), buf_slice(&before)));
    buf_clear(&text);
    buf_clear(&before);
    free(path);
}

static void
test_no_file(void)
{
    struct settings *s = NULL;
    struct err e = {0};

    CHECK_INT(settings_load("/nonexistent/sealpost.conf", &s, &e), -1);
    CHECK_INT(e.code, E_MISSING);
}

/* Does a line of the file give this setting, commented out? */
static bool
documents(struct slice text, const char *name, char *value, size_t size)
{
    struct slice line;
    char *want = xasprintf("#%s = ", name);
    bool found = false;

    while (!found && slice_next(&text, '\n', &line))
        if (slice_starts(line, want)) {
            found = true;
            slice_copy(slice_from(line, strlen(want)), value, size);
        }
    free(want);
    return found;
}

/* Every setting stands in conf/sealpost.conf with its default, and nothing
 * else does; the file as it is loads. */
static void
test_conf(void)
{
    char *path = test_data("conf/sealpost.conf"), value[200];
    struct buf text = BUF_INIT(SETTINGS_MAX_FILE);
    struct settings_entry s;
    struct settings *loaded = NULL;
    struct err e = {0};
    struct slice rest, line;

    REQUIRE(file_read(path, &text, &e) == 0);
    CHECK_INT(settings_load(path, &loaded, &e), 0);
    CHECK_STR(e.text, "");
    settings_free(&loaded);
    for (size_t i = 0; settings_entry_at(i, &s); i++) {
        test_row(s.name);
        if (!CHECK(documents(buf_slice(&text), s.name, value, sizeof(value))))
            continue;
        if (s.fallback[0] && !strchr(s.fallback, ' '))
            CHECK(strstr(value, s.fallback));
        CHECK(s.allowed[0]);
    }
    test_row(NULL);
    rest = buf_slice(&text);
    while (slice_next(&rest, '\n', &line)) {
        size_t eq = slice_find(line, '=');
        bool known = false;
        if (line.n < 3 || line.p[0] != '#' || line.p[1] == ' ' ||
            eq == line.n)
            continue;
        struct slice name = slice_trim(slice_cut(line, 1, eq));
        for (size_t i = 0; settings_entry_at(i, &s); i++)
            known |= slice_is(name, s.name);
        if (!CHECK(known))
            printf("# unknown: %.*s\n", SLICE_FMT(name));
    }
    buf_clear(&text);
    free(path);
}

/* What is taken out is the block and nothing else, however it is written. */
static void
test_remove(void)
{
    static const char one[] = "account \"one\" { address = 'a@x.test' }\n";
    static const struct {
        const char *name, *before, *after; /* after NULL: refused */
    } rows[] = {
        {"alone", "account \"bob\" {\n    address = 'b@x.test'\n}\n", ""},
        {"at the end", "# top\n\naccount \"bob\" {\n address = b@x.test\n}\n",
         "# top\n"},
        {"in the middle", "sign = always\naccount 'bob' {\n"
                          "  aliases = {'c@x.test', 'd@x.test'}\n"
                          "  address = 'b@x.test' # } account\n"
                          "}   \n# of one\n",
         "sign = always\n# of one\n"},
        {"quotes and comments",
         "/* account \"bob\" { } */\n// account \"bob\" {\n"
         "# account \"bob\" {\nauthserv_id = 'account'\n"
         "password_command = 'echo \"account bob {\" \\' }'\n"
         "account bob { address = b@x.test user = '}' }\n",
         "/* account \"bob\" { } */\n// account \"bob\" {\n"
         "# account \"bob\" {\nauthserv_id = 'account'\n"
         "password_command = 'echo \"account bob {\" \\' }'\n"},
        {"not there", "sign = always\n", NULL},
        {"two in a line", "account \"bob\" { address = 'b@x.test' } "
                          "account \"eve\" { address = 'e@x.test' }\n",
         "account \"eve\" { address = 'e@x.test' }\n"},
    };
    char *path = xasprintf("%s/remove.conf", test_dir());

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *server = "server = 'https://x.test/'\n";
        char *text = xasprintf("%s%s%s", server, rows[i].before, one);
        char *want = rows[i].after
                         ? xasprintf("%s%s%s", server, rows[i].after, one)
                         : xstrdup(text);
        struct buf got = BUF_INIT(1 << 20);
        struct settings *s = NULL;
        struct err e = {0};

        test_row(rows[i].name);
        REQUIRE(file_write(path, slice_of(text), 0640, false, &e) == 0);
        CHECK_INT(settings_load(path, &s, &e), 0);
        settings_free(&s);
        CHECK_INT(settings_remove_account(path, "bob", &e),
                  rows[i].after ? 0 : -1);
        if (!rows[i].after)
            CHECK_INT(e.code, E_MISSING);
        else if (e.code)
            printf("# %s\n", e.text);
        CHECK_INT(file_read(path, &got, &e), 0);
        CHECK_STR(got.data, want);
        buf_clear(&got);
        free(text);
        free(want);
    }
    test_row(NULL);
    free(path);
}

/* Added and taken out: the file is what it was. */
static void
test_append_remove(void)
{
    static const char before[] = "# mine\nserver = 'https://x.test/'\n"
                                 "account \"one\" { address = 'a@x.test' }\n";
    struct settings_pair pairs[] = {{"address", "b@x.test", NULL},
                                    {"password_command", "a '{' \\ \"}\"",
                                     NULL}};
    char *path = xasprintf("%s/both.conf", test_dir());
    struct buf got = BUF_INIT(1 << 20);
    struct err e = {0};

    REQUIRE(file_write(path, slice_of(before), 0600, false, &e) == 0);
    CHECK_INT(settings_append_account(path, "bob", pairs, 2, &e), 0);
    CHECK_INT(settings_remove_account(path, "bob", &e), 0);
    CHECK_INT(file_read(path, &got, &e), 0);
    CHECK_STR(got.data, before);
    buf_clear(&got);
    free(path);
}

/* Values in force, as one would write them. */
static void
test_shown(void)
{
    static const char text[] =
        "server = 'https://x.test/'\nimap_timeout = 90m\n"
        "listen_imap = {'127.0.0.1:1', '[::1]:2'}\nlisten_smtps = off\n"
        "account \"a\" { address = 'a@x.test' sign = always\n"
        "aliases = {'b@x.test', 'c@x.test'} max_message_size = 20M\n"
        "submit_wait = 0 }\n";
    static const struct {
        const char *name, *value;
        bool account;
    } rows[] = {
        {"imap_timeout", "90m", false},
        {"login_delay", "2s", false},
        {"listen_imap", "127.0.0.1:1, [::1]:2", false},
        {"listen_smtps", "off", false},
        {"log_addresses", "yes", false},
        {"max_imap_clients", "1000", false},
        {"sign", "always", true},
        {"encrypt", "ask", true},
        {"aliases", "b@x.test, c@x.test", true},
        {"max_message_size", "20M", true},
        {"submit_wait", "0", true},
        {"queue_lifetime", "5d", true},
        {"user", "a@x.test", true},
        {"local_password", "", true},
    };
    struct settings *s = NULL;
    struct settings_entry entry;
    struct err e;

    REQUIRE(settings_load_text(slice_of(text), "t", "/x", &s, &e) == 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = BUF_INIT(1000);
        bool met = false;

        test_row(rows[i].name);
        for (size_t k = 0; settings_entry_at(k, &entry); k++)
            if (strcmp(entry.name, rows[i].name) == 0) {
                met = settings_value_at(
                    s, rows[i].account ? s->accounts[0] : NULL, k, &b);
                CHECK(!settings_value_at(
                    s, rows[i].account ? NULL : s->accounts[0], k, &b));
            }
        CHECK(met);
        CHECK_STR(b.data ? b.data : "", rows[i].value);
        buf_clear(&b);
    }
    test_row(NULL);
    settings_free(&s);
}

static const struct test_case cases[] = {
    TEST(test_defaults),  TEST(test_inheritance), TEST(test_refused),
    TEST(test_listeners), TEST(test_quotes),      TEST(test_diff),
    TEST(test_append),    TEST(test_no_file),     TEST(test_conf),
    TEST(test_remove),    TEST(test_append_remove), TEST(test_shown),
};
TEST_MAIN(cases)
