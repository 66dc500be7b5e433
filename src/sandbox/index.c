/*
 * A folder's file in DIR/state: a line per message, a later line of the same
 * number replaces an earlier one. Lines are added with one write() each, so
 * kill -9 loses nothing that was answered; a torn last line (a power cut) is
 * ignored. Written anew, atomically, when most of it is out of date.
 *
 * Fields are separated by tabs; \t, \n, \r and \\ stand for the characters
 * that would disturb that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "sandbox/mail.h"

#define INDEX_MAX ((size_t)4 << 30)

enum {
    F_UID,
    F_GONE,
    F_NEW,
    F_NAME,
    F_SIZE,
    F_RECEIVED,
    F_ADDED,
    F_READ,
    F_FLAG,
    F_CATEGORIES,
    F_VERB,
    F_REMOVED,
    F_LAST_VERB,
    F_ID,
    F_FLAG_LINES,
    F_CATEGORY_LINES,
    F_CLIENT,
    F_FROM,
    F_TO,
    F_CC,
    F_BCC,
    F_REPLY_TO,
    F_SUBJECT,
    F_CLASS,
    F_IMPORTANCE,
    F_NATIVE,
    FIELDS
};

char *
index_path(const struct folder *f)
{
    return xasprintf("%s/folder-%u", f->user->state, f->id);
}

/* ---- writing */

static void
add_text(struct buf *b, const char *s)
{
    for (; *s; s++) {
        const char *at = strchr("\t\n\r\\", *s);

        if (at) {
            buf_addc(b, '\\');
            buf_addc(b, "tnr\\"[at - "\t\n\r\\"]);
        } else {
            buf_addc(b, *s);
        }
    }
    buf_addc(b, '\t');
}

static void
add_touch(struct buf *b, const struct touch *t)
{
    buf_addf(b, "%llu/%u\t", (unsigned long long)t->seq, t->by);
}

static void
add_line(struct buf *b, const struct message *m)
{
    const struct listing *l = m->listing;

    buf_addf(b, "%u\t%d\t%d\t", m->uid, m->gone, m->in_new);
    add_text(b, m->name);
    buf_addf(b, "%llu\t%lld\t", (unsigned long long)m->size,
             (long long)m->received);
    add_touch(b, &m->added);
    add_touch(b, &m->read);
    add_touch(b, &m->flag);
    add_touch(b, &m->categories);
    add_touch(b, &m->verb);
    add_touch(b, &m->removed);
    buf_addf(b, "%d\t%u\t", m->last_verb, m->id);
    if (!m->gone) {
        add_text(b, m->flag_lines);
        add_text(b, m->category_lines);
        add_text(b, m->client);
        add_text(b, l->from);
        add_text(b, l->to);
        add_text(b, l->cc);
        add_text(b, l->bcc);
        add_text(b, l->reply_to);
        add_text(b, l->subject);
        add_text(b, l->message_class);
        buf_addf(b, "%d\t%d\t", l->importance, l->native);
    }
    buf_addc(b, '\n');
}

void
index_note(struct message *m)
{
    struct folder *f = m->folder;
    struct buf b = BUF_INIT(BUF_OURS);

    add_line(&b, m);
    if (f->index_fd < 0) {
        char *path = index_path(f);

        f->index_fd =
            open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        free(path);
    }
    if (f->index_fd < 0 || write(f->index_fd, b.data, b.len) != (ssize_t)b.len)
        log_error("index", "folder=%u: %s", f->id, strerror(errno));
    f->index_lines++;
    buf_clear(&b);
}

void
index_tidy(struct folder *f)
{
    struct buf b = BUF_INIT(INDEX_MAX);
    struct err e = {0};
    char *path;

    if (f->index_lines < 2 * (size_t)f->count + 1000)
        return;
    for (uint32_t i = 0; i < f->count; i++)
        add_line(&b, f->list[i]);
    path = index_path(f);
    if (file_write(path, buf_slice(&b), 0600, false, &e)) {
        log_error("index", "%s", e.text);
    } else {
        if (f->index_fd >= 0)
            close(f->index_fd);
        f->index_fd = -1; /* opened anew by the next line */
        f->index_lines = f->count;
    }
    free(path);
    buf_clear(&b);
}

/* ---- reading */

static char *
take_text(struct slice s)
{
    char *text = xmalloc(s.n + 1), *to = text;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\\' || i + 1 == s.n) {
            *to++ = s.p[i];
            continue;
        }
        i++;
        *to++ = s.p[i] == 't'   ? '\t'
                : s.p[i] == 'n' ? '\n'
                : s.p[i] == 'r' ? '\r'
                                : s.p[i];
    }
    *to = '\0';
    return text;
}

static uint64_t
take_number(struct slice s)
{
    uint64_t n;

    return slice_u64(s, &n) ? n : 0;
}

static struct touch
take_touch(struct slice s)
{
    struct slice seq = SLICE_NONE;
    struct touch t;

    slice_next(&s, '/', &seq);
    t.seq = take_number(seq);
    t.by = (unsigned)take_number(s);
    return t;
}

static void
set_text(char **to, struct slice s)
{
    free(*to);
    *to = take_text(s);
}

static void
take_listing(struct message *m, const struct slice *f)
{
    struct listing *l = xcalloc(1, sizeof *l);

    l->from = take_text(f[F_FROM]);
    l->to = take_text(f[F_TO]);
    l->cc = take_text(f[F_CC]);
    l->bcc = take_text(f[F_BCC]);
    l->reply_to = take_text(f[F_REPLY_TO]);
    l->subject = take_text(f[F_SUBJECT]);
    l->message_class = take_text(f[F_CLASS]);
    l->importance = (int)take_number(f[F_IMPORTANCE]);
    l->native = (int)take_number(f[F_NATIVE]);
    listing_free(&m->listing);
    m->listing = l;
    set_text(&m->flag_lines, f[F_FLAG_LINES]);
    set_text(&m->category_lines, f[F_CATEGORY_LINES]);
    set_text(&m->client, f[F_CLIENT]);
}

static unsigned
name_flags(const char *name)
{
    static const char letters[] = "SFRPDT";
    const char *info = strstr(name, ":2,"), *at;
    unsigned flags = 0;

    for (info = info ? info + 3 : ""; *info; info++)
        if ((at = strchr(letters, *info)))
            flags |= 1u << (at - letters);
    return flags;
}

/* false: a torn line. */
static bool
take_line(struct folder *f, struct slice line)
{
    struct slice field[FIELDS] = {SLICE_NONE};
    uint32_t uid;
    unsigned n = 0;
    struct message *m;

    while (n < FIELDS && slice_next(&line, '\t', &field[n]))
        n++;
    if (n <= F_ID || !slice_u32(field[F_UID], &uid) || !uid ||
        uid > f->count + 1)
        return false;
    m = uid > f->count ? table_append(f) : f->list[uid - 1];
    m->gone = take_number(field[F_GONE]) == 1;
    m->in_new = take_number(field[F_NEW]) == 1;
    set_text(&m->name, field[F_NAME]);
    m->flags = name_flags(m->name);
    m->size = take_number(field[F_SIZE]);
    m->received = (int64_t)take_number(field[F_RECEIVED]);
    m->added = take_touch(field[F_ADDED]);
    m->read = take_touch(field[F_READ]);
    m->flag = take_touch(field[F_FLAG]);
    m->categories = take_touch(field[F_CATEGORIES]);
    m->verb = take_touch(field[F_VERB]);
    m->removed = take_touch(field[F_REMOVED]);
    m->last_verb = (int)take_number(field[F_LAST_VERB]);
    ids_set(f, m, (uint32_t)take_number(field[F_ID]));
    if (!m->gone && n >= F_NATIVE)
        take_listing(m, field);
    return m->gone || m->listing;
}

static int
by_seq(const void *a, const void *b)
{
    const struct log_entry *x = a, *y = b;

    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* The log as it was, but for changes that a later one has replaced. */
static void
log_rebuild(struct folder *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        struct message *m = f->list[i];
        const struct touch *parts[] = {&m->read, &m->flag, &m->categories,
                                       &m->verb};
        uint64_t last = 0;

        table_log(f, m, 'a', m->added.seq);
        for (size_t k = 0; k < ARRAY_LEN(parts); k++)
            last = parts[k]->seq > last ? parts[k]->seq : last;
        if (m->gone)
            table_log(f, m, 'd', m->removed.seq);
        else if (last > m->added.seq)
            table_log(f, m, 'c', last);
        if (!m->gone)
            table_add(f, m);
    }
    if (f->log_count)
        qsort(f->log, f->log_count, sizeof *f->log, by_seq);
}

int
index_load(struct folder *f, struct err *e)
{
    struct buf b = BUF_INIT(INDEX_MAX);
    char *path = index_path(f);
    struct slice rest, line;
    int rc = file_read(path, &b, e);

    free(path);
    if (rc && e->code != E_MISSING)
        return -1;
    for (rest = buf_slice(&b); rest.n;) {
        const char *end = memchr(rest.p, '\n', rest.n);

        if (!end)
            break;
        line = slice_make(rest.p, (size_t)(end - rest.p));
        rest = slice_from(rest, line.n + 1);
        f->index_lines++;
        if (!take_line(f, line))
            log_warn("index", "folder=%u: a line was left out", f->id);
    }
    if (rest.n) /* torn: the next line must not be glued to it */
        f->index_lines = SIZE_MAX / 2;
    buf_clear(&b);
    log_rebuild(f);
    return 0;
}
