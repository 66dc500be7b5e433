/*
 * Where a server sends us (HTTP 451, X-MS-Location), and what is asked there:
 * a location is https with a host and nothing else, or refused; the URL of
 * a request says the same host and port to libcurl, which connects by it, and
 * has no byte that could end a line of the request.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/mem.h"
#include "eas/private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)   \
    do {             \
        if (!(cond)) \
            abort(); \
    } while (0)

static char *
part(CURLU *u, CURLUPart what)
{
    char *text = NULL;

    return curl_url_get(u, what, &text, 0) == CURLUE_OK ? text : NULL;
}

static void
check_request(const struct buf *url, const struct http_url *place)
{
    CURLU *u = curl_url();
    char *s, *port = NULL;

    for (size_t i = 0; i < url->len; i++)
        MUST((unsigned char)url->data[i] > ' ' && url->data[i] != 0x7f);
    MUST(curl_url_set(u, CURLUPART_URL, url->data, 0) == CURLUE_OK);
    s = part(u, CURLUPART_SCHEME);
    MUST(s && !strcmp(s, "https"));
    curl_free(s);
    s = part(u, CURLUPART_HOST);
    MUST(s && *s && !strcmp(s, place->host));
    curl_free(s);
    MUST(curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ==
             CURLUE_OK &&
         strtoul(port, NULL, 10) == place->port);
    curl_free(port);
    s = part(u, CURLUPART_QUERY);
    MUST(s && !strncmp(s, "Cmd=Sync&User=alice%40example.test&", 35));
    curl_free(s);
    MUST(!part(u, CURLUPART_USER) && !part(u, CURLUPART_PASSWORD) &&
         !part(u, CURLUPART_FRAGMENT));
    curl_url_cleanup(u);
}

static struct eas *
account(void)
{
    static struct eas *eas;
    struct eas_config c = {
        .account = "alice",
        .url = "https://mail.example.test",
        .user = "alice@example.test",
        .address = "alice@example.test",
        .device_id = "sp0123456789",
    };
    struct err e;

    if (!eas) {
        c.loop = loop_new();
        MUST(!eas_new(&c, NULL, &eas, &e));
    }
    return eas;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *location = xmemdup(data, size);
    struct buf url = BUF_INIT(4096);
    struct eas *eas = account();
    struct http_url place;
    struct err e;

    /* As a header brings it: one line. */
    location[strcspn(location, "\r\n")] = '\0';
    eas->state = (struct eas_state){0};
    if (eas_move_to(eas, location, &e) == 0) {
        MUST(eas->state.location[0]);
        MUST(!http_url_parse(eas->state.location, &place, &e));
        MUST(place.host[0] && place.port && place.path[0]);
        MUST(!eas_request_url(eas, EAS_CMD_SYNC, &url) && !url.over);
        check_request(&url, &place);
    } else {
        MUST(!eas->state.location[0]);
    }
    buf_clear(&url);
    free(location);
    return 0;
}
