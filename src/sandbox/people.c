/*
 * The directory: everybody with a file DIR/people/ADDRESS.pem (certificates)
 * or a line in DIR/users, and lists in DIR/lists/ADDRESS (a member a line).
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "sandbox/call.h"
#include "sandbox/server.h"

#define FILE_MAX ((size_t)4 << 20)

static bool
is_file_name(const char *address)
{
    return address[0] && address[0] != '.' && !strchr(address, '/');
}

/* Addresses in file names may be in any letter case: the entry that fits. */
static char *
find_file(struct sandbox *s, const char *dir, const char *address,
          const char *suffix)
{
    char *path = xasprintf("%s/%s", mailroot_dir(s->mail), dir), *found = NULL;
    char *want = xasprintf("%s%s", address, suffix);
    DIR *d = is_file_name(address) ? opendir(path) : NULL;
    struct dirent *entry;

    while (d && !found && (entry = readdir(d)))
        if (!ascii_icmp(entry->d_name, want))
            found = xasprintf("%s/%s", path, entry->d_name);
    if (d)
        closedir(d);
    free(path);
    free(want);
    return found;
}

char *
people_list(struct sandbox *s, const char *address)
{
    char *path = find_file(s, "lists", address, "");
    struct buf b = BUF_INIT(FILE_MAX);
    struct err e;
    int rc = path ? file_read(path, &b, &e) : -1;

    free(path);
    if (rc) {
        buf_clear(&b);
        return NULL;
    }
    return buf_take(&b, NULL);
}

bool
people_is_known(struct sandbox *s, const char *address)
{
    char *path = find_file(s, "people", address, ".pem");
    bool known = path || mailroot_user(s->mail, address);

    free(path);
    return known;
}

/* The base64 of each PEM block, joined to a line (MS-ASCMD 2.2.3.22: DER in
 * base64, which is what a PEM file holds). Returns how many. */
static unsigned
certificates_add(struct sandbox *s, const char *address, struct buf *out)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    char *path = find_file(s, "people", address, ".pem");
    struct buf pem = BUF_INIT(FILE_MAX);
    struct err e;
    unsigned count = 0;
    const char *at = "";

    if (path && !file_read(path, &pem, &e) && pem.len)
        at = pem.data;
    while ((at = strstr(at, begin))) {
        at += sizeof begin - 1;
        for (; *at && *at != '-'; at++)
            if (!ascii_is_space((unsigned char)*at))
                buf_addc(out, *at);
        buf_addc(out, '\n');
        count++;
    }
    free(path);
    buf_clear(&pem);
    return count;
}

static void
one_take(struct sandbox *s, const char *address, struct people_found *out)
{
    unsigned n = certificates_add(s, address, &out->certificates);

    out->count += n;
    out->members++;
    out->with += n > 0;
}

/* "bob.smith@example.test" -> "Bob Smith" */
static char *
name_of(const char *address)
{
    struct buf b = BUF_INIT(1024);
    bool first = true;

    for (; *address && *address != '@'; address++) {
        bool gap = strchr("._-+", *address);

        buf_addc(&b, gap     ? ' '
                     : first ? (char)ascii_upper((unsigned char)*address)
                             : *address);
        first = gap;
    }
    return buf_take(&b, NULL);
}

static void
list_take(struct sandbox *s, const char *members, struct people_found *out)
{
    struct slice rest = slice_of(members), line;

    while (slice_next(&rest, '\n', &line)) {
        char *address = slice_dup(slice_trim(line));

        if (address[0] && address[0] != '#')
            one_take(s, address, out);
        free(address);
    }
}

/* Of the people directory, then of users without a file there. */
char *
people_suggest(struct sandbox *s, const char *who)
{
    char *path = xasprintf("%s/people", mailroot_dir(s->mail));
    struct buf out = BUF_INIT(FILE_MAX);
    DIR *d = opendir(path);
    struct dirent *entry;
    struct list *n, *after;

    while (d && (entry = readdir(d))) {
        struct slice name = slice_of(entry->d_name);

        if (slice_ends(name, ".pem") && slice_istarts(name, who))
            buf_addf(&out, "%.*s\n", (int)name.n - 4, name.p);
    }
    if (d)
        closedir(d);
    free(path);
    LIST_EACH(mailroot_users(s->mail), n, after)
    {
        struct user *u = LIST_OBJECT(n, struct user, node);
        char *pem = find_file(s, "people", u->address, ".pem");

        if (!pem && slice_istarts(slice_of(u->address), who))
            buf_addf(&out, "%s\n", u->address);
        free(pem);
    }
    return buf_take(&out, NULL);
}

/* How many, and the first of them. */
static unsigned
fragment_count(struct sandbox *s, const char *who, char **first)
{
    char *all = people_suggest(s, who);
    struct slice rest = slice_of(all), line;
    unsigned count = 0;

    while (slice_next(&rest, '\n', &line))
        if (line.n && count++ == 0)
            *first = slice_dup(line);
    free(all);
    return count;
}

unsigned
people_find(struct sandbox *s, const char *who, struct people_found *out)
{
    char *members = people_list(s, who), *address = NULL;
    unsigned count = 1;

    *out = (struct people_found){.certificates = BUF_INIT(FILE_MAX)};
    if (members) {
        address = xstrdup(who);
        list_take(s, members, out);
        free(members);
    } else if (people_is_known(s, who)) {
        address = xstrdup(who);
        one_take(s, who, out);
    } else {
        count = fragment_count(s, who, &address);
        if (count == 1)
            one_take(s, address, out);
    }
    if (count != 1) {
        free(address);
        people_found_clear(out);
        return count;
    }
    out->address = address;
    out->name = name_of(address);
    return 1;
}

void
people_found_clear(struct people_found *f)
{
    free(f->address);
    free(f->name);
    buf_clear(&f->certificates);
    *f = (struct people_found){0};
}
