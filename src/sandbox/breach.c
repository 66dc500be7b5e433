/*
 * What clients did against the rules of the protocol, for GET /violations: a
 * line of JSON each in DIR/violations, so that it outlives the server and
 * whoever ran it can look.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/now.h"
#include "sandbox/server.h"

#define BYTES_MAX ((size_t)16 << 20)
#define LINES_MAX 2000 /* enough to see */

struct breaches {
    char *path;
    unsigned lines;
};

struct breaches *
breaches_new(const char *dir)
{
    struct breaches *b = xcalloc(1, sizeof *b);

    b->path = xasprintf("%s/violations", dir);
    return b;
}

void
breaches_free(struct breaches **bp)
{
    if (!*bp)
        return;
    free((*bp)->path);
    free(*bp);
    *bp = NULL;
}

void
breach_add(struct breaches *b, const char *user, const char *device,
           const char *command, unsigned version, const char *why)
{
    json_t *o =
        json_pack("{s:f, s:s, s:s, s:s, s:i, s:s}", "time", (double)now_unix(),
                  "user", user, "device", device, "command", command, "version",
                  (int)version, "why", why);
    char *text = o ? json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    char *line = xasprintf("%s\n", text ? text : "{}");
    int fd = -1;

    if (b->lines++ < LINES_MAX)
        fd = open(b->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0) {
        if (write(fd, line, strlen(line)) != (ssize_t)strlen(line))
            log_error("breach", "%s: %s", b->path, strerror(errno));
        close(fd);
    }
    log_notice("breach", "%s", text ? text : why);
    free(line);
    free(text);
    json_decref(o);
}

void
breaches_write(const struct breaches *b, struct buf *out)
{
    struct buf file = BUF_INIT(BYTES_MAX);
    struct slice rest, line;
    struct err e;
    bool first = true;

    buf_addc(out, '[');
    if (!file_read(b->path, &file, &e))
        for (rest = buf_slice(&file); slice_next(&rest, '\n', &line);) {
            if (!line.n)
                continue;
            buf_adds(out, first ? "" : ",\n");
            buf_add_slice(out, line);
            first = false;
        }
    buf_adds(out, "]\n");
    buf_clear(&file);
}

void
breaches_reset(struct breaches *b)
{
    unlink(b->path);
    b->lines = 0;
}
