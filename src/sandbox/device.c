/*
 * Devices and their files. A file is lines of a word and values; a line that
 * is not understood makes the device start anew, as a server that lost its
 * state does.
 */
#include "sandbox/device.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/code.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define DEVICE_FILE_MAX ((size_t)64 << 20)

static char *
device_path(const struct device *d, const char *file)
{
    return xasprintf("%s/devices/%s/%s", d->user->state, d->id, file);
}

uint32_t
device_key(const struct device *d)
{
    struct list *n, *after;
    uint32_t key;

again:
    code_random(&key, sizeof key);
    key &= 0x7fffffff;
    if (key < 1000 || key == d->folders.key || key == d->folders_before.key ||
        key == d->policy_key || key == d->temporary_key)
        goto again;
    LIST_EACH(&d->collections, n, after)
    {
        struct collection *c = LIST_OBJECT(n, struct collection, node);

        if (key == c->now.key || key == c->before.key)
            goto again;
    }
    return key;
}

/* ---- writing */

static void
add_hierarchy(struct buf *b, const char *word, const struct hierarchy *h)
{
    if (!h->key)
        return;
    buf_addf(b, "%s %u", word, h->key);
    for (size_t i = 0; i < h->count; i++)
        buf_addf(b, " %u/%llu", h->list[i].id,
                 (unsigned long long)h->list[i].seq);
    buf_addc(b, '\n');
}

int
device_save(struct device *d, struct err *e)
{
    char *path = device_path(d, "device");
    struct buf b = BUF_INIT(DEVICE_FILE_MAX);
    int rc;

    buf_addf(&b, "number %u\ntype %s\npolicy %u %u %s\nmade %u\nwipe %d\n",
             d->number, d->type, d->policy_key, d->temporary_key, d->policy,
             d->made, d->wipe ? 1 + d->wipe_account : 0);
    add_hierarchy(&b, "folders", &d->folders);
    add_hierarchy(&b, "before", &d->folders_before);
    rc = file_write(path, buf_slice(&b), 0600, false, e);
    free(path);
    buf_clear(&b);
    return rc;
}

/* "point KEY SEQ CUTOFF 1-200,203-": runs of known numbers. */
static void
add_point(struct buf *b, const struct point *p)
{
    uint32_t end = (uint32_t)p->known.n * 8;

    buf_addf(b, "point %u %llu %lld ", p->key, (unsigned long long)p->seq,
             (long long)p->cutoff);
    for (uint32_t i = 0; i < end; i++) {
        uint32_t from = i;

        if (!bits_has(&p->known, i))
            continue;
        while (i < end && bits_has(&p->known, i))
            i++;
        buf_addf(b, "%u-%u,", from, i - 1);
    }
    buf_addc(b, '\n');
}

int
device_collection_save(struct device *d, const struct collection *c,
                       struct err *e)
{
    const struct prefs *p = &c->prefs;
    struct buf b = BUF_INIT(DEVICE_FILE_MAX);
    char name[32], *path;
    int rc;

    snprintf(name, sizeof name, "sync-%u", c->id);
    path = device_path(d, name);
    add_point(&b, &c->now);
    if (c->before.key || c->before.seq)
        add_point(&b, &c->before);
    buf_addf(&b, "prefs %d %d %d %d", p->filter, p->conflict, p->mime_support,
             p->mime_truncation);
    for (unsigned i = 0; i < p->bodies; i++)
        buf_addf(&b, " %d/%ld/%d/%d", p->body[i].type, p->body[i].truncation,
                 p->body[i].all_or_none, p->body[i].preview);
    buf_addc(&b, '\n');
    for (size_t i = 0; i < c->outcome_count; i++)
        buf_addf(&b, "outcome %c %d %u %s\n", c->outcomes[i].kind,
                 c->outcomes[i].status, c->outcomes[i].uid, c->outcomes[i].id);
    rc = file_write(path, buf_slice(&b), 0600, false, e);
    free(path);
    buf_clear(&b);
    return rc;
}

/* ---- reading */

static void
take_hierarchy(struct hierarchy *h, struct slice rest)
{
    struct slice word = SLICE_NONE;
    unsigned id;
    unsigned long long seq;

    slice_next(&rest, ' ', &word);
    slice_u32(word, &h->key);
    while (slice_next(&rest, ' ', &word)) {
        char text[64];

        if (slice_copy(word, text, sizeof text) &&
            sscanf(text, "%u/%llu", &id, &seq) == 2)
            hierarchy_set(h, id, seq);
    }
}

static void
take_point(struct point *p, struct slice rest)
{
    struct slice word[3] = {SLICE_NONE}, run;
    uint64_t number = 0;
    char text[64];
    unsigned from, to;

    for (size_t i = 0; i < ARRAY_LEN(word); i++)
        slice_next(&rest, ' ', &word[i]);
    slice_u32(word[0], &p->key);
    slice_u64(word[1], &p->seq);
    slice_u64(word[2], &number);
    p->cutoff = (int64_t)number;
    while (slice_next(&rest, ',', &run))
        if (slice_copy(run, text, sizeof text) &&
            sscanf(text, "%u-%u", &from, &to) == 2 && to < (1u << 28))
            for (; from <= to; from++)
                bits_set(&p->known, from, true);
}

static void
take_prefs(struct prefs *p, struct slice rest)
{
    struct slice word;
    char text[64];
    struct body_pref b;
    int all, n = 0,
             *to[] = {&p->filter, &p->conflict, &p->mime_support,
                      &p->mime_truncation};

    while (slice_next(&rest, ' ', &word)) {
        if (!slice_copy(word, text, sizeof text))
            return;
        if (n < 4)
            *to[n++] = (int)strtol(text, NULL, 10);
        else if (p->bodies < ARRAY_LEN(p->body) &&
                 sscanf(text, "%d/%ld/%d/%d", &b.type, &b.truncation, &all,
                        &b.preview) == 4) {
            b.all_or_none = all;
            p->body[p->bodies++] = b;
        }
    }
}

static void
take_outcome(struct collection *c, struct slice rest)
{
    char *text = slice_dup(rest), kind;
    int status, at = 0;
    unsigned uid;

    if (sscanf(text, "%c %d %u %n", &kind, &status, &uid, &at) == 3 && at)
        outcome_add(c, kind, text + at, status, uid);
    free(text);
}

static void
collection_load(struct device *d, const char *name)
{
    char *path = device_path(d, name);
    struct buf b = BUF_INIT(DEVICE_FILE_MAX);
    struct collection *c =
        device_collection(d, (uint32_t)strtoul(name + 5, NULL, 10), true);
    struct slice rest, line, word;
    struct err e;

    if (file_read(path, &b, &e))
        log_warn("device", "%s", e.text);
    for (rest = buf_slice(&b); slice_next(&rest, '\n', &line);) {
        if (!slice_next(&line, ' ', &word))
            continue;
        if (slice_is(word, "point"))
            take_point(c->now.key ? &c->before : &c->now, line);
        else if (slice_is(word, "prefs"))
            take_prefs(&c->prefs, line);
        else if (slice_is(word, "outcome"))
            take_outcome(c, line);
    }
    free(path);
    buf_clear(&b);
}

static void
take_line(struct device *d, struct slice word, struct slice rest)
{
    char *text = slice_dup(rest);

    if (slice_is(word, "number")) {
        d->number = (unsigned)strtoul(text, NULL, 10);
    } else if (slice_is(word, "policy")) {
        char hash[80] = "";

        sscanf(text, "%u %u %79s", &d->policy_key, &d->temporary_key, hash);
        free(d->policy);
        d->policy = xstrdup(hash);
    } else if (slice_is(word, "made")) {
        d->made = (uint32_t)strtoul(text, NULL, 10);
    } else if (slice_is(word, "wipe")) {
        d->wipe = text[0] == '1' || text[0] == '2';
        d->wipe_account = text[0] == '2';
    } else if (slice_is(word, "folders")) {
        take_hierarchy(&d->folders, rest);
    } else if (slice_is(word, "before")) {
        take_hierarchy(&d->folders_before, rest);
    }
    free(text);
}

static void
device_load(struct device *d)
{
    char *path = device_path(d, "device"), *dir = device_path(d, "");
    struct buf b = BUF_INIT(DEVICE_FILE_MAX);
    struct slice rest, line, word;
    struct err e;
    struct dirent *entry;
    DIR *list = opendir(dir);

    if (!file_read(path, &b, &e))
        for (rest = buf_slice(&b); slice_next(&rest, '\n', &line);)
            if (slice_next(&line, ' ', &word))
                take_line(d, word, line);
    while (list && (entry = readdir(list)))
        if (!strncmp(entry->d_name, "sync-", 5) &&
            ascii_is_digit(entry->d_name[strlen(entry->d_name) - 1]))
            collection_load(d, entry->d_name);
    if (list)
        closedir(list);
    free(path);
    free(dir);
    buf_clear(&b);
}

/* ---- */

/* The next number that no device of this user has, those on disk included. */
static unsigned
number_fresh(struct user *u)
{
    char text[32];
    struct buf b = BUF_INIT(64);
    char *path = xasprintf("%s/last-number", u->state);
    struct err e;

    if (!u->next_device && !file_read(path, &b, &e) && b.len)
        u->next_device = (unsigned)strtoul(b.data, NULL, 10);
    snprintf(text, sizeof text, "%u", ++u->next_device);
    if (file_write(path, slice_of(text), 0600, false, &e))
        log_error("device", "%s", e.text);
    free(path);
    buf_clear(&b);
    return u->next_device;
}

struct device *
device_find(struct user *u, const char *id, const char *type, struct err *e)
{
    struct list *n, *after;
    struct device *d;
    char *dir;

    LIST_EACH(&u->devices, n, after)
    if (!strcmp(LIST_OBJECT(n, struct device, node)->id, id))
        return LIST_OBJECT(n, struct device, node);
    d = xcalloc(1, sizeof *d);
    d->user = u;
    d->id = xstrdup(id);
    d->type = xstrdup(type);
    d->policy = xstrdup("");
    d->offered = xstrdup("");
    list_init(&d->collections);
    list_add(&u->devices, &d->node);
    dir = device_path(d, "");
    if (file_mkdirs(dir, e))
        log_error("device", "%s", e->text);
    free(dir);
    device_load(d);
    if (!d->number) {
        d->number = number_fresh(u);
        if (device_save(d, e))
            log_error("device", "%s", e->text);
    }
    return d;
}

static void
collection_free(struct collection *c)
{
    list_remove(&c->node);
    point_clear(&c->now);
    point_clear(&c->before);
    outcomes_clear(c);
    free(c);
}

void
device_close_all(struct user *u)
{
    while (!list_is_empty(&u->devices)) {
        struct device *d = LIST_OBJECT(u->devices.next, struct device, node);

        while (!list_is_empty(&d->collections))
            collection_free(
                LIST_OBJECT(d->collections.next, struct collection, node));
        list_remove(&d->node);
        free(d->id);
        free(d->type);
        free(d->policy);
        free(d->offered);
        free(d->folders.list);
        free(d->folders_before.list);
        free(d->sync_cache);
        free(d);
    }
}

struct collection *
device_collection(struct device *d, uint32_t id, bool make)
{
    struct list *n, *after;
    struct collection *c;

    LIST_EACH(&d->collections, n, after)
    if (LIST_OBJECT(n, struct collection, node)->id == id)
        return LIST_OBJECT(n, struct collection, node);
    if (!make)
        return NULL;
    c = xcalloc(1, sizeof *c);
    c->id = id;
    prefs_init(&c->prefs);
    list_add(&d->collections, &c->node);
    return c;
}

void
device_collection_drop(struct device *d, struct collection *c)
{
    char name[32], *path;

    snprintf(name, sizeof name, "sync-%u", c->id);
    path = device_path(d, name);
    unlink(path);
    free(path);
    collection_free(c);
}

void
devices_forget_folder(struct user *u, uint32_t id)
{
    char *dir = xasprintf("%s/devices", u->state), *path;
    struct list *n, *after;
    struct dirent *entry;
    DIR *list = opendir(dir);

    LIST_EACH(&u->devices, n, after)
    {
        struct device *d = LIST_OBJECT(n, struct device, node);
        struct collection *c = device_collection(d, id, false);

        if (c)
            device_collection_drop(d, c);
    }
    while (list && (entry = readdir(list))) {
        path = xasprintf("%s/%s/sync-%u", dir, entry->d_name, id);
        unlink(path);
        free(path);
    }
    if (list)
        closedir(list);
    free(dir);
}

void
device_retire(struct device *d, uint32_t key)
{
    if (key)
        d->retired[d->retired_next++ % RETIRED_MAX] = key;
}

bool
device_has_retired(const struct device *d, uint32_t key)
{
    for (size_t i = 0; i < RETIRED_MAX; i++)
        if (key && d->retired[i] == key)
            return true;
    return false;
}
