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

/* Mode and owner of the old file go to the new one, which takes its place in
 * one rename. */
static int
replace(const char *path, struct slice text, const struct stat *old,
        struct err *e)
{
    char *next = xasprintf("%s.new", path);
    int ret = file_write(next, text, old ? old->st_mode & 0777 : 0600, true,
                         e);

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

int
settings_append_account(const char *path, const char *name,
                        const struct settings_pair *p, size_t n,
                        struct err *e)
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
            ret = append_locked(full, name, p, n, e);
    }
    if (fd >= 0)
        close(fd);
    free(dir);
    free(full);
    return ret;
}
