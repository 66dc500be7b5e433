/*
 * The peer of the first sync: plain libcurl, one connection, nothing kept.
 * Lists a collection with the requests that sealpostd makes, then fetches
 * every body in requests of BATCH items, and throws all of it away. Says how
 * long each took as one line of JSON. Reads of the answers only what the next
 * request needs.
 *
 *     eas_loop URL CA USER PASSWORD WINDOW BATCH...
 *
 * Without a BATCH only the listing is made.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

struct bytes {
    char *p;
    size_t n, room;
};

static CURL *curl;
static struct bytes answer;
static const char *url;
static struct curl_slist *plain, *multipart;
static char **ids;
static size_t nids;

static void
die(const char *what)
{
    fprintf(stderr, "eas_loop: %s\n", what);
    exit(1);
}

static void
put(struct bytes *b, const void *p, size_t n)
{
    if (b->n + n > b->room) {
        b->room = (b->n + n) * 2;
        if (!(b->p = realloc(b->p, b->room)))
            die("memory");
    }
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

static void
byte(struct bytes *b, int c)
{
    char one = (char)c;

    put(b, &one, 1);
}

/* An element with a text: its tag with content, STR_I, the text, END. */
static void
text(struct bytes *b, int tag, const char *value)
{
    byte(b, tag | 0x40);
    byte(b, 3);
    put(b, value, strlen(value) + 1);
    byte(b, 1);
}

static void
page(struct bytes *b, int n)
{
    byte(b, 0);
    byte(b, n);
}

static size_t
on_bytes(char *p, size_t one, size_t n, void *arg)
{
    (void)arg;
    put(&answer, p, one * n);
    return one * n;
}

static void
post(const char *command, const char *user, const struct bytes *body,
     struct curl_slist *headers)
{
    char where[1024];
    long status = 0;

    snprintf(where, sizeof where,
             "%s?Cmd=%s&User=%s&DeviceId=BENCHLOOP1&DeviceType=Bench", url,
             command, user);
    answer.n = 0;
    curl_easy_setopt(curl, CURLOPT_URL, where);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->p);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body->n);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (curl_easy_perform(curl) != CURLE_OK)
        die("a request failed");
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200)
        die("the server refused");
}

/* The text that follows these bytes, from `at`; NULL: they do not occur. */
static char *
after(const char *what, size_t n, size_t at)
{
    char *hit = memmem(answer.p + at, answer.n - at, what, n);

    return hit ? hit + n : NULL;
}

static char *
inbox(const char *user)
{
    static const char head[] = {3, 1, 0x6a, 0, 0, 7, 0x56};
    static const char type[] = {0x4a, 3, '2', 0};
    struct bytes b = {0};
    char *end, *id = NULL;

    put(&b, head, sizeof head);
    text(&b, 0x12, "0");
    byte(&b, 1);
    post("FolderSync", user, &b, plain);
    free(b.p);
    if (!(end = after(type, sizeof type, 0)))
        die("no inbox");
    for (char *p = answer.p; p < end; p++)
        if (p[0] == 0x48 && p[1] == 3)
            id = p + 2;
    return id ? strdup(id) : NULL;
}

/* As src/eas/sync.c writes it. */
static void
sync_ask(struct bytes *b, const char *key, const char *id, const char *window)
{
    static const char head[] = {3, 1, 0x6a, 0, 0x45, 0x5c, 0x4f};

    b->n = 0;
    put(b, head, sizeof head);
    text(b, 0x0b, key);
    text(b, 0x12, id);
    if (strcmp(key, "0") != 0) {
        text(b, 0x1e, "0");
        text(b, 0x13, "1");
        text(b, 0x15, window);
        byte(b, 0x57);
        text(b, 0x18, "0");
        page(b, 17);
        byte(b, 0x45);
        text(b, 0x06, "4");
        text(b, 0x07, "0");
        byte(b, 1);
        page(b, 0);
        text(b, 0x22, "2");
        text(b, 0x23, "0");
        byte(b, 1);
    }
    for (int i = 0; i < 3; i++)
        byte(b, 1);
}

static bool
more_follows(size_t from)
{
    /* Before the items: MoreAvailable has no content. */
    static const char more[] = {1, 0x14}, first[] = {0x56, 0x47};
    char *items = after(first, sizeof first, from);
    char *hit = after(more, sizeof more, from);

    return hit && items && hit < items;
}

static void
ids_take(void)
{
    static const char add[] = {0x47, 0x4d, 3};
    char *p = answer.p;

    while ((p = after(add, sizeof add, (size_t)(p - answer.p)))) {
        if (nids % 4096 == 0 &&
            !(ids = realloc(ids, (nids + 4096) * sizeof *ids)))
            die("memory");
        ids[nids++] = strdup(p);
    }
}

static double
seconds(clockid_t which)
{
    struct timespec t;

    clock_gettime(which, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
list(const char *user, const char *id, const char *window)
{
    static const char sync_key[] = {0x4b, 3};
    struct bytes b = {0}, bytes = {0};
    char key[256] = "0";
    double began = seconds(CLOCK_MONOTONIC), waited = 0;
    size_t requests = 0;
    bool more = true;

    while (more) {
        bool prime = strcmp(key, "0") == 0;
        double asked;
        char *got;

        sync_ask(&b, key, id, window);
        asked = seconds(CLOCK_MONOTONIC);
        post("Sync", user, &b, plain);
        waited += seconds(CLOCK_MONOTONIC) - asked;
        requests++;
        if (!(got = after(sync_key, sizeof sync_key, 0)))
            die("no SyncKey");
        snprintf(key, sizeof key, "%s", got);
        bytes.n += answer.n;
        more = prime || more_follows((size_t)(got - answer.p));
        ids_take();
    }
    printf("{\"items\": %zu, \"requests\": %zu, \"bytes\": %zu, "
           "\"seconds\": %.4f, \"waited\": %.4f",
           nids, requests, bytes.n, seconds(CLOCK_MONOTONIC) - began, waited);
    free(b.p);
}

static void
fetch(const char *user, const char *id, size_t batch)
{
    static const char head[] = {3, 1, 0x6a, 0, 0, 20, 0x45};
    struct bytes b = {0};
    double began = seconds(CLOCK_MONOTONIC);
    size_t bytes = 0;

    for (size_t i = 0; i < nids; i += batch) {
        b.n = 0;
        put(&b, head, sizeof head);
        for (size_t k = i; k < nids && k < i + batch; k++) {
            byte(&b, 0x46);
            text(&b, 0x07, "Mailbox");
            page(&b, 0);
            text(&b, 0x12, id);
            text(&b, 0x0d, ids[k]);
            page(&b, 20);
            byte(&b, 0x48);
            page(&b, 0);
            text(&b, 0x22, "2");
            page(&b, 17);
            byte(&b, 0x45);
            text(&b, 0x06, "4");
            byte(&b, 1);
            page(&b, 20);
            byte(&b, 1);
            byte(&b, 1);
        }
        byte(&b, 1);
        post("ItemOperations", user, &b, multipart);
        bytes += answer.n;
    }
    printf(", \"fetch_%zu\": {\"bytes\": %zu, \"seconds\": %.4f}", batch,
           bytes, seconds(CLOCK_MONOTONIC) - began);
    free(b.p);
}

int
main(int argc, char **argv)
{
    char login[512], *id, *at, user[512];

    if (argc < 6)
        return 64;
    url = argv[1];
    curl = curl_easy_init();
    snprintf(user, sizeof user, "%s", argv[3]);
    snprintf(login, sizeof login, "%s:%s", argv[3], argv[4]);
    while ((at = strchr(user, '@'))) {
        memmove(at + 3, at + 1, strlen(at + 1) + 1);
        memcpy(at, "%40", 3);
    }
    curl_easy_setopt(curl, CURLOPT_CAINFO, argv[2]);
    curl_easy_setopt(curl, CURLOPT_USERPWD, login);
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    plain = curl_slist_append(NULL, "MS-ASProtocolVersion: 16.1");
    plain = curl_slist_append(plain, "Content-Type: application/"
                                     "vnd.ms-sync.wbxml");
    multipart = curl_slist_append(NULL, "MS-ASProtocolVersion: 16.1");
    multipart = curl_slist_append(multipart, "Content-Type: application/"
                                             "vnd.ms-sync.wbxml");
    multipart = curl_slist_append(multipart, "MS-ASAcceptMultiPart: T");
    if (!(id = inbox(user)))
        die("no inbox");
    list(user, id, argv[5]);
    for (int i = 6; i < argc; i++)
        fetch(user, id, strtoul(argv[i], NULL, 10));
    printf("}\n");
    free(id);
    return 0;
}
