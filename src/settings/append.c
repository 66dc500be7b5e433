/*
 * Appending an account block. The old text stays byte for byte; the new text
 * is loaded before it is written, so a refused value leaves the file alone.
 * Called by sealpostctl.
 */
#include "settings/append.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "settings/private.h"

/* In single quotes nothing is expanded; only "'" and "\" need care there. */
static int
add_quoted(struct buf *b, const char *text, struct err *e)
{
    buf_addc(b, '\'');
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 127)
            return err_set(e, E_INPUT, "a control character in a value");
        if (*text == '\'' || *text == '\\')
            buf_addc(b, '\\');
        buf_addc(b, *text);
    }
    buf_addc(b, '\'');
    return 0;
}

static int
add_pair(struct buf *b, const struct settings_pair *p, struct err *e)
{
    if (!settings_table_find(slice_of(p->name)))
        return err_set(e, E_INPUT, "there is no setting \"%.40s\"", p->name);
    buf_addf(b, "    %s = ", p->name);
    if (p->list) {
        buf_addc(b, '{');
        for (size_t i = 0; p->list[i]; i++) {
            buf_adds(b, i ? ", " : "");
            if (add_quoted(b, p->list[i], e))
                return err_add(e, "%s", p->name);
        }
        buf_addc(b, '}');
    } else if (add_quoted(b, p->value, e)) {
        return err_add(e, "%s", p->name);
    }
    buf_addc(b, '\n');
    return 0;
}

static int
make_text(struct buf *text, const char *name, const struct settings_pair *p,
          size_t n, struct err *e)
{
    if (!settings_value_is_name(slice_of(name)))
        return err_set(e, E_INPUT,
                       "account \"%.60s\": a name is 1 to 64 letters, digits, "
                       "\".\", \"_\" or \"-\"", name);
    if (text->len && text->data[text->len - 1] != '\n')
        buf_addc(text, '\n');
    buf_addf(text, "%saccount \"%s\" {\n", text->len ? "\n" : "", name);
    for (size_t i = 0; i < n; i++)
        if (add_pair(text, &p[i], e))
            return -1;
    buf_adds(text, "}\n");
    if (text->over)
        return err_set(e, E_LIMIT, "the file would be larger than %zu bytes",
                       SETTINGS_MAX_FILE);
    return 0;
}

/* The first file that root makes in the service's directory is the service's,
 * which has to read it. */
static int
give_to_directory(const char *path, struct err *e)
{
    char *dir = file_dir(path);
    struct stat st;
    int ret = 0;

    if (geteuid() == 0 && stat(dir, &st) == 0 && st.st_uid != 0 &&
        chown(path, st.st_uid, st.st_gid))
        ret = err_errno(e, E_DENIED, errno, "owner of %s", path);
    free(dir);
    return ret;
}

/* Mode and owner of the old file go to the new one, which takes its place in
 * one rename. */
static int
replace(const char *path, struct slice text, const struct stat *old,
        struct err *e)
{
    char *next = xasprintf("%s.new", path);
    int ret = file_write(next, text, old ? old->st_mode & 0777 : 0600, true,
                         e);

    if (ret == 0 && !old)
        ret = give_to_directory(next, e);
    if (ret == 0 && old && chmod(next, old->st_mode & 0777)) /* not umask's */
        ret = err_errno(e, E_DENIED, errno, "mode of %s", next);
    if (ret == 0 && old &&
        (old->st_uid != geteuid() || old->st_gid != getegid()) &&
        chown(next, old->st_uid, old->st_gid))
        ret = err_errno(e, E_DENIED, errno, "owner of %s", next);
    if (ret == 0 && rename(next, path))
        ret = err_errno(e, E_RETRY, errno, "renaming %s", next);
    if (ret)
        unlink(next);
    free(next);
    if (ret)
        return -1;
    char *dir = file_dir(path);
    ret = file_sync(dir, e);
    free(dir);
    return ret;
}

static int
append_locked(const char *path, const char *name,
              const struct settings_pair *p, size_t n, struct err *e)
{
    struct buf text = BUF_INIT(SETTINGS_MAX_FILE);
    struct settings *loaded = NULL;
    struct stat st;
    bool there = stat(path, &st) == 0;
    char *dir = file_dir(path);
    int ret = there ? file_read(path, &text, e) : 0;

    if (ret == 0)
        ret = make_text(&text, name, p, n, e);
    if (ret == 0)
        ret = settings_load_text(buf_slice(&text), path, dir, &loaded, e);
    if (ret == 0)
        ret = replace(path, buf_slice(&text), there ? &st : NULL, e);
    settings_free(&loaded);
    buf_clear(&text);
    free(dir);
    return ret;
}

/* ---- taking out ---- */

enum token { TOKEN_END, TOKEN_WORD, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_OTHER };

struct scan {
    struct slice text;
    size_t at;          /* behind the token */
    size_t from;        /* where it starts */
    struct slice value; /* of a word, without its quotes */
};

static size_t
skip_to(struct slice text, size_t at, const char *end)
{
    const char *p = at < text.n ? memmem(text.p + at, text.n - at, end,
                                         strlen(end))
                                : NULL;

    return p ? (size_t)(p - text.p) + strlen(end) : text.n;
}

/* A word in quotes; `at` is behind the first one. */
static size_t
skip_quoted(struct slice text, size_t at, char quote)
{
    while (at < text.n && text.p[at] != quote)
        at += text.p[at] == '\\' ? 2 : 1;
    return at < text.n ? at + 1 : text.n;
}

static bool
is_word_end(char c)
{
    return ascii_is_space(c) || strchr("{}='\",#()", c) != NULL;
}

/* As libconfuse reads it, as far as blocks go. */
static enum token
scan_next(struct scan *s)
{
    struct slice t = s->text;

    for (;;) {
        struct slice rest = slice_from(t, s->at);

        if (!rest.n)
            return TOKEN_END;
        if (ascii_is_space(*rest.p))
            s->at++;
        else if (*rest.p == '#' || slice_starts(rest, "//"))
            s->at = skip_to(t, s->at, "\n");
        else if (slice_starts(rest, "/*"))
            s->at = skip_to(t, s->at + 2, "*/");
        else
            break;
    }
    s->from = s->at++;
    switch (t.p[s->from]) {
    case '{':
        return TOKEN_OPEN;
    case '}':
        return TOKEN_CLOSE;
    case '\'':
    case '"':
        s->at = skip_quoted(t, s->at, t.p[s->from]);
        s->value = slice_cut(t, s->from + 1, s->at - 1);
        return TOKEN_WORD;
    case '=':
    case ',':
    case '(':
    case ')':
        return TOKEN_OTHER;
    default:
        while (s->at < t.n && !is_word_end(t.p[s->at]))
            s->at++;
        s->value = slice_cut(t, s->from, s->at);
        return TOKEN_WORD;
    }
}

/* Behind the brace that closes the one just read. */
static size_t
block_end(struct scan *s)
{
    unsigned depth = 1;
    enum token t;

    while (depth && (t = scan_next(s)) != TOKEN_END)
        depth += t == TOKEN_OPEN ? 1u : t == TOKEN_CLOSE ? -1u : 0u;
    return s->at;
}

/* The block's bytes, from the start of its line to the end of its last. */
static bool
block_find(struct slice text, const char *name, size_t *from_out,
           size_t *to_out)
{
    struct scan s = {.text = text};
    enum token t;

    while ((t = scan_next(&s)) != TOKEN_END) {
        bool account = t == TOKEN_WORD && slice_is(s.value, "account");
        size_t from = s.from;
        bool named;

        if (t == TOKEN_OPEN)
            block_end(&s);
        if (!account)
            continue;
        if (scan_next(&s) != TOKEN_WORD)
            continue;
        named = slice_is(s.value, name);
        if (scan_next(&s) != TOKEN_OPEN)
            continue;
        *to_out = block_end(&s);
        if (!named)
            continue;
        while (from && (text.p[from - 1] == ' ' || text.p[from - 1] == '\t'))
            from--;
        while (*to_out < text.n && (text.p[*to_out] == ' ' ||
                                    text.p[*to_out] == '\t'))
            ++*to_out;
        if (*to_out < text.n && text.p[*to_out] == '\n')
            ++*to_out;
        if (from > 1 && text.p[from - 1] == '\n' && text.p[from - 2] == '\n')
            from--; /* the empty line before it, as append made it */
        *from_out = from;
        return true;
    }
    return false;
}

/* Is `after` what `before` was, but for this account? */
static bool
only_lacks(const struct settings *before, const struct settings *after,
           const char *name)
{
    char *changes;
    bool same;

    if (after->n_accounts + 1 != before->n_accounts ||
        settings_find(after, name))
        return false;
    for (size_t i = 0; i < after->n_accounts; i++) {
        const struct settings_account *a = after->accounts[i];
        const struct settings_account *b = settings_find(before, a->name);

        if (!b || !settings_account_equal(a, b))
            return false;
    }
    changes = settings_fixed_changes(before, after);
    same = !*changes;
    free(changes);
    return same;
}

static int
remove_locked(const char *path, const char *name, struct err *e)
{
    struct buf text = BUF_INIT(SETTINGS_MAX_FILE), rest;
    struct settings *before = NULL, *after = NULL;
    struct stat st;
    char *dir = file_dir(path);
    size_t from = 0, to = 0;
    int ret = stat(path, &st) ? err_errno(e, E_RETRY, errno, "%s", path)
                              : file_read(path, &text, e);

    buf_init(&rest, SETTINGS_MAX_FILE);
    if (ret == 0)
        ret = settings_load_text(buf_slice(&text), path, dir, &before, e);
    if (ret == 0 && !settings_find(before, name))
        ret = err_set(e, E_MISSING, "there is no account \"%.60s\" in %s",
                      name, path);
    if (ret == 0 && block_find(buf_slice(&text), name, &from, &to)) {
        buf_add_slice(&rest, slice_cut(buf_slice(&text), 0, from));
        buf_add_slice(&rest, slice_from(buf_slice(&text), to));
        ret = settings_load_text(buf_slice(&rest), path, dir, &after, e);
    }
    if (ret == 0 && (!after || !only_lacks(before, after, name)))
        ret = err_set(e, E_INPUT, "the block of account \"%.60s\" cannot be "
                      "told from the rest of %s: take it out by hand", name,
                      path);
    if (ret == 0)
        ret = replace(path, buf_slice(&rest), &st, e);
    settings_free(&before);
    settings_free(&after);
    buf_clear(&text);
    buf_clear(&rest);
    free(dir);
    return ret;
}

/* ---- one writer at a time ---- */

struct change {
    const char *name;
    const struct settings_pair *pairs; /* NULL: take it out */
    size_t n;
};

static int
change_locked(const char *path, const struct change *c, struct err *e)
{
    if (!c->pairs)
        return remove_locked(path, c->name, e);
    return append_locked(path, c->name, c->pairs, c->n, e);
}

static int
change(const char *path, const struct change *c, struct err *e)
{
    char *full = realpath(path, NULL), *dir = NULL;
    int fd = -1, ret = -1;

    if (!full) /* there is none yet; a link to one is followed above */
        full = xstrdup(path);
    dir = file_dir(full);
    if (file_mkdirs(dir, e) == 0) {
        /* two of these at once: one after the other */
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || flock(fd, LOCK_EX))
            err_errno(e, E_DENIED, errno, "locking %s", dir);
        else
            ret = change_locked(full, c, e);
    }
    if (fd >= 0)
        close(fd);
    free(dir);
    free(full);
    return ret;
}

int
settings_append_account(const char *path, const char *name,
                        const struct settings_pair *p, size_t n,
                        struct err *e)
{
    static const struct settings_pair none;
    struct change c = {name, p ? p : &none, n};

    return change(path, &c, e);
}

int
settings_remove_account(const char *path, const char *name, struct err *e)
{
    struct change c = {name, NULL, 0};

    return change(path, &c, e);
}
