/*
 * WBXML: gate, reader, tree, writer and the XML form, with libwbxml's own
 * encoder as second opinion on what the writer makes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "test.h"
#include "wbxml/gate.h"
#include "wbxml/read.h"
#include "wbxml/text.h"
#include "wbxml/tree.h"
#include "wbxml/write.h"
#include "wbxml_judge.h"

#define DOC(s) SLICE("\x03\x01\x6a\x00" s)

static void
names(void)
{
    CHECK_INT(AIRSYNC_SYNC_KEY, 0x000B);
    CHECK_INT(FIND_PICTURE, 0x1922);
    CHECK_STR(wbxml_name(0, 0x0B), "SyncKey");
    CHECK_STR(wbxml_name(22, 0x15), "IsDraft");
    CHECK(!wbxml_name(22, 0x14));
    CHECK(!wbxml_name(26, 5));
    CHECK_INT(wbxml_find_tag("Email", "Subject"), EMAIL_SUBJECT);
    CHECK_INT(wbxml_find_tag("base", "type"), BASE_TYPE);
    CHECK_INT(wbxml_find_tag("Find", "MaxPictures"), FIND_MAX_PICTURES);
    CHECK_INT(wbxml_find_tag("Email", "NoSuch"), 0);
    CHECK_INT(wbxml_find_tag("NoPage", "Subject"), 0);
    CHECK(wbxml_is_opaque(COMPOSE_MIME));
    CHECK(!wbxml_is_opaque(EMAIL_SUBJECT));
    for (unsigned page = 0; page < WBXML_PAGES; page++) {
        CHECK_INT(wbxml_find_page(wbxml_page_name(page)), page);
        CHECK_INT(wbxml_find_page(wbxml_page_prefix(page)), page);
    }
}

static void
gate(void)
{
    static const struct {
        const char *name;
        struct slice doc;
        enum err_code want;
    } rows[] = {
        {"smallest", DOC("\x05"), E_NONE},
        {"empty element", DOC("\x45\x01"), E_NONE},
        {"text", DOC("\x45\x4b\x03" "0\x00\x01\x01"), E_NONE},
        {"opaque with NUL", DOC("\x45\xc3\x02\x00\x01\x01"), E_NONE},
        {"page and back", DOC("\x45\x00\x11\x06\x00\x00\x0b\x01"), E_NONE},
        {"nothing", SLICE(""), E_INPUT},
        {"only the head", DOC(""), E_INPUT},
        {"html", SLICE("<html><body>sign in</body></html>"), E_INPUT},
        {"wbxml 1.2", SLICE("\x02\x01\x6a\x00\x05"), E_INPUT},
        {"another charset", SLICE("\x03\x01\x04\x00\x05"), E_INPUT},
        {"string table", SLICE("\x03\x01\x6a\x02" "a\x00\x05"), E_INPUT},
        {"entity", DOC("\x45\x02\x90\x80\x80\x80\x00\x01"), E_INPUT},
        {"literal", DOC("\x45\x04\x00\x01"), E_INPUT},
        {"attribute", DOC("\x85\x01"), E_INPUT},
        {"ext", DOC("\x45\xc0\x01"), E_INPUT},
        {"pi", DOC("\x43\x01"), E_INPUT},
        {"str_t", DOC("\x45\x83\x00\x01"), E_INPUT},
        {"page 26", DOC("\x00\x1a\x05"), E_INPUT},
        {"page cut", DOC("\x00"), E_INPUT},
        {"not closed", DOC("\x45"), E_INPUT},
        {"end too many", DOC("\x01"), E_INPUT},
        {"bytes behind", DOC("\x45\x01\x00"), E_INPUT},
        {"second root", DOC("\x05\x05"), E_INPUT},
        {"text outside", DOC("\x03" "a\x00"), E_INPUT},
        {"string not ended", DOC("\x45\x03" "abc"), E_INPUT},
        {"opaque too long", DOC("\x45\xc3\x05" "abc\x01"), E_INPUT},
        {"opaque 4 GiB", DOC("\x45\xc3\x8f\xff\xff\xff\x7f\x01"), E_INPUT},
        {"length over 32 bits", DOC("\x45\xc3\xff\xff\xff\xff\x7f\x01"),
         E_INPUT},
        {"length without end", DOC("\x45\xc3\x80"), E_INPUT},
        {"too deep", DOC("\x45\x45\x45\x45\x45\x01\x01\x01\x01\x01"), E_LIMIT},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err e = {0};
        int rc;

        test_row(rows[i].name);
        rc = wbxml_gate(rows[i].doc, 4, &e);
        CHECK_INT(rc, rows[i].want ? -1 : 0);
        CHECK_INT(e.code, rows[i].want);
    }
    test_row(NULL);
}

/* ---- events */

struct heard {
    struct buf log;
    int stop_after; /* events; 0: never */
    int events;
};

static int
heard_count(struct heard *h, struct err *e)
{
    if (h->stop_after && ++h->events >= h->stop_after)
        return err_set(e, E_FULL, "enough");
    return 0;
}

static int
on_start(void *arg, unsigned tag, struct err *e)
{
    struct heard *h = arg;

    buf_addf(&h->log, "<%02x:%02x>", WBXML_PAGE_OF(tag), WBXML_TOKEN_OF(tag));
    return heard_count(h, e);
}

static int
on_bytes(void *arg, struct slice s, struct err *e)
{
    struct heard *h = arg;

    buf_add_slice(&h->log, s);
    return heard_count(h, e);
}

static int
on_end(void *arg, unsigned tag, struct err *e)
{
    struct heard *h = arg;

    (void)tag;
    buf_adds(&h->log, "</>");
    return heard_count(h, e);
}

static void
events(void)
{
    struct slice doc = DOC("\x45\x00\x11\x4b\xc3\x04" "a\x00\xff\x0d\x01"
                           "\x4b\x03\x80\xfe\r\n\x00\x03tail\x00\x01"
                           "\x3e\x7f\xc3\x00\x01\x01");
    struct slice want = SLICE("<00:05><11:0b>a\x00\xff\x0d</>"
                              "<11:0b>\x80\xfe\r\ntail</>"
                              "<11:3e></><11:3f></></>");
    struct heard h = {.log = BUF_INIT(4096)};
    struct wbxml_events ev = {on_start, on_bytes, on_end, &h};
    struct wbxml_reader r;
    struct err e = {0};

    CHECK(!wbxml_read(doc, &ev, NULL, &e));
    CHECK(slice_eq(buf_slice(&h.log), want));

    /* in single bytes, and only when all is right */
    buf_reset(&h.log);
    wbxml_reader_init(&r, &ev, &(struct wbxml_limits){.whole = true});
    for (size_t i = 0; i < doc.n; i++)
        CHECK(!wbxml_reader_feed(&r, slice_cut(doc, i, i + 1), &e));
    CHECK(!wbxml_reader_end(&r, &e));
    CHECK(slice_eq(buf_slice(&h.log), want));
    CHECK_INT(wbxml_reader_feed(&r, doc, &e), -1);
    wbxml_reader_clear(&r);

    /* every cut is an error; with `whole` no event of it is heard */
    buf_reset(&h.log);
    for (size_t i = 0; i < doc.n; i++) {
        CHECK_INT(wbxml_read(slice_cut(doc, 0, i), &ev,
                             &(struct wbxml_limits){.whole = true}, &e),
                  -1);
        CHECK_INT(e.code, E_INPUT);
    }
    CHECK_INT(h.log.len, 0);
    for (size_t i = 0; i < doc.n; i++)
        CHECK_INT(wbxml_read(slice_cut(doc, 0, i), &ev, NULL, &e), -1);

    /* single bytes without `whole`: the same, as they come */
    buf_reset(&h.log);
    wbxml_reader_init(&r, &ev, NULL);
    for (size_t i = 0; i < doc.n; i++)
        CHECK(!wbxml_reader_feed(&r, slice_cut(doc, i, i + 1), &e));
    CHECK(h.log.len > 0);
    CHECK(!wbxml_reader_end(&r, &e));
    CHECK(slice_eq(buf_slice(&h.log), want));
    wbxml_reader_clear(&r);

    /* the caller's error comes back as it is */
    h.stop_after = 3;
    CHECK_INT(wbxml_read(doc, &ev, NULL, &e), -1);
    CHECK_INT(e.code, E_FULL);
    CHECK_INT(h.events, 3);

    wbxml_reader_init(&r, &ev, &(struct wbxml_limits){.bytes = 6});
    CHECK_INT(wbxml_reader_feed(&r, doc, &e), -1);
    CHECK_INT(e.code, E_LIMIT);
    CHECK_INT(wbxml_reader_end(&r, &e), -1);
    wbxml_reader_clear(&r);
    buf_clear(&h.log);
}

/* ---- made-up documents: gate, reader and libwbxml must agree */

static unsigned seed;

static unsigned
dice(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % n;
}

static void
doc_make(struct buf *doc)
{
    unsigned depth = 0, n = 0;

    buf_reset(doc);
    buf_add(doc, "\x03\x01\x6a\x00", 4);
    do {
        unsigned what = dice(10);

        if (what < 4 || !depth) {
            buf_addc(doc, (char)(0x40 | (5 + dice(0x3b))));
            depth++;
        } else if (what < 6) {
            buf_addc(doc, (char)(5 + dice(0x3b)));
        } else if (what == 6) {
            buf_addc(doc, 0);
            buf_addc(doc, (char)dice(WBXML_PAGES));
        } else if (what == 7) {
            buf_addc(doc, 3);
            for (unsigned i = dice(20); i; i--)
                buf_addc(doc, (char)(1 + dice(255)));
            buf_addc(doc, 0);
        } else if (what == 8) {
            unsigned len = dice(200);

            buf_addc(doc, (char)0xc3);
            if (len > 127)
                buf_addc(doc, (char)(0x80 | len >> 7));
            buf_addc(doc, (char)(len & 0x7f));
            while (len--)
                buf_addc(doc, (char)dice(256));
        } else {
            buf_addc(doc, 1);
            depth--;
        }
    } while (depth && depth < 20 && ++n < 60);
    while (depth--)
        buf_addc(doc, 1);
}

/* A byte changed, a piece missing, something behind. */
static void
doc_spoil(struct buf *doc)
{
    switch (dice(4)) {
    case 0:
        doc->data[dice((unsigned)doc->len)] = (char)dice(256);
        break;
    case 1:
        buf_truncate(doc, dice((unsigned)doc->len));
        break;
    case 2:
        buf_addc(doc, (char)dice(256));
        break;
    default:
        break;
    }
}

static int
read_in_pieces(struct slice doc, const struct wbxml_events *ev)
{
    struct wbxml_reader r;
    int rc = 0;

    wbxml_reader_init(&r, ev, NULL);
    while (doc.n && !rc) {
        size_t n = 1 + dice(dice(3) ? 7 : 300);

        rc = wbxml_reader_feed(&r, slice_cut(doc, 0, n < doc.n ? n : doc.n),
                               NULL);
        doc = slice_from(doc, n);
    }
    rc = wbxml_reader_end(&r, NULL) || rc ? -1 : 0;
    wbxml_reader_clear(&r);
    return rc;
}

static void
against_library(void)
{
    struct buf doc = BUF_INIT(65536);
    int good = 0, refused = 0;

    for (seed = 1; seed < 4000; seed++) {
        unsigned kept = seed;
        struct heard one = {.log = BUF_INIT(65536)};
        struct heard two = {.log = BUF_INIT(65536)};
        struct wbxml_events ev1 = {on_start, on_bytes, on_end, &one};
        struct wbxml_events ev2 = {on_start, on_bytes, on_end, &two};
        int rc;

        doc_make(&doc);
        doc_spoil(&doc);
        rc = read_in_pieces(buf_slice(&doc), &ev1);
        CHECK_INT(rc, wbxml_gate(buf_slice(&doc), 32, NULL));
        if (rc == 0) {
            good++;
            CHECK_INT(wbxml_judge(buf_slice(&doc), &ev2, NULL), 0);
            CHECK(slice_eq(buf_slice(&one.log), buf_slice(&two.log)));
        } else {
            refused++;
        }
        buf_clear(&one.log);
        buf_clear(&two.log);
        seed = kept;
    }
    CHECK(good > 1000);
    CHECK(refused > 500);
    buf_clear(&doc);
}

/* ---- tree */

static void
tree(void)
{
    struct arena *a = arena_new();
    struct buf doc = BUF_INIT(4096);
    struct wbxml_node *root = NULL;
    const struct wbxml_node *n;
    struct err e = {0};

    REQUIRE(!wbxml_text_parse(
        SLICE("<FolderSync><Status> 1 </Status><Changes><Count>-2</Count>"
              "<Add><ServerId>a</ServerId></Add><Delete/>"
              "<Add><ServerId>b</ServerId></Add></Changes></FolderSync>"),
        &doc, &e));
    REQUIRE(!wbxml_tree_parse(a, buf_slice(&doc), NULL, &root, &e));
    CHECK_INT(wbxml_number(root, -1, FOLDER_STATUS, 0), 1);
    CHECK_INT(wbxml_number(root, -7, FOLDER_CHANGES, FOLDER_COUNT, 0), -2);
    CHECK_INT(wbxml_number(root, -7, FOLDER_SYNC_KEY, 0), -7);
    CHECK_INT(wbxml_number(root, -7, FOLDER_CHANGES, FOLDER_DELETE, 0), -7);
    n = wbxml_find(root, FOLDER_CHANGES, FOLDER_ADD, 0);
    REQUIRE(n);
    CHECK_STR(wbxml_text(n, FOLDER_SERVER_ID, 0).p, "a");
    n = wbxml_again(n);
    REQUIRE(n);
    CHECK_STR(wbxml_text(n, FOLDER_SERVER_ID, 0).p, "b");
    CHECK(!wbxml_again(n));
    CHECK(!wbxml_text(n, FOLDER_DISPLAY_NAME, 0).p);
    CHECK(wbxml_text(root, FOLDER_CHANGES, FOLDER_DELETE, 0).p != NULL);
    CHECK(wbxml_has(root, FOLDER_CHANGES, FOLDER_DELETE, 0));
    CHECK(!wbxml_find(NULL, FOLDER_CHANGES, 0));

    root = NULL;
    CHECK_INT(wbxml_tree_parse(a, buf_slice(&doc),
                               &(struct wbxml_tree_limits){.nodes = 8}, &root,
                               &e),
              -1);
    CHECK_INT(e.code, E_LIMIT);
    CHECK(!root);
    CHECK(!wbxml_tree_parse(a, buf_slice(&doc),
                            &(struct wbxml_tree_limits){.nodes = 9}, &root,
                            &e));
    buf_clear(&doc);
    arena_free(&a);
}

/* ---- writer */

struct lib_node;
struct lib_tree {
    const struct wbxml_lib_lang *lang;
    struct lib_node *root;
    WBXMLCharsetMIBEnum charset;
    WB_UTINY page;
};
struct lib_encoder;
struct lib_tree *wbxml_tree_create(WBXMLLanguage, WBXMLCharsetMIBEnum);
void wbxml_tree_destroy(struct lib_tree *);
struct lib_node *wbxml_tree_add_elt(struct lib_tree *, struct lib_node *,
                                    struct wbxml_lib_element *);
struct lib_node *wbxml_tree_add_text(struct lib_tree *, struct lib_node *,
                                     const WB_UTINY *, WB_ULONG);
struct wbxml_lib_element *wbxml_tag_create(int);
void wbxml_tag_destroy(struct wbxml_lib_element *);
struct lib_encoder *wbxml_encoder_create_real(void);
void wbxml_encoder_destroy(struct lib_encoder *);
void wbxml_encoder_set_tree(struct lib_encoder *, struct lib_tree *);
void wbxml_encoder_set_use_strtbl(struct lib_encoder *, WB_BOOL);
void wbxml_encoder_set_produce_anonymous(struct lib_encoder *, WB_BOOL);
void wbxml_encoder_set_ignore_empty_text(struct lib_encoder *, WB_BOOL);
void wbxml_encoder_set_remove_text_blanks(struct lib_encoder *, WB_BOOL);
WBXMLError wbxml_encoder_encode_tree_to_wbxml(struct lib_encoder *,
                                              WB_UTINY **, WB_ULONG *);

static struct lib_node *
lib_add(struct lib_tree *t, struct lib_node *parent, unsigned tag,
        const char *text)
{
    const struct wbxml_lib_tag *entry = wbxml_lib_table()->tags;
    struct wbxml_lib_element *el = wbxml_tag_create(0);
    struct lib_node *n;

    while (WBXML_TAG(entry->page, entry->token) != tag)
        entry++;
    el->u.token = entry;
    n = wbxml_tree_add_elt(t, parent, el);     /* a copy of it */
    wbxml_tag_destroy(el);
    if (text)
        wbxml_tree_add_text(t, n, (const WB_UTINY *)text,
                            (WB_ULONG)strlen(text));
    return n;
}

/* The same document by libwbxml's encoder and by our writer. */
static void
writer_against_library(void)
{
    struct lib_tree *t =
        wbxml_tree_create(WBXML_LANG_ACTIVESYNC, WBXML_CHARSET_UTF_8);
    struct lib_encoder *enc = wbxml_encoder_create_real();
    struct lib_node *root, *mid;
    struct wbxml_writer w;
    WB_UTINY *lib = NULL;
    WB_ULONG n = 0;
    struct err e = {0};

    t->lang = wbxml_lib_table();
    root = lib_add(t, NULL, ITEMOPS_ITEM_OPERATIONS, NULL);
    mid = lib_add(t, root, ITEMOPS_FETCH, NULL);
    lib_add(t, mid, ITEMOPS_STORE, "Mailbox");
    lib_add(t, mid, AIRSYNC_SERVER_ID, "5:12 \r\n \xc3\xa4");
    lib_add(t, mid, COMPOSE_SAVE_IN_SENT_ITEMS, NULL);
    lib_add(t, mid, COMPOSE_MIME, "From: a");
    mid = lib_add(t, root, FIND_FIND, NULL);
    lib_add(t, mid, FIND_PICTURE, "x");
    wbxml_encoder_set_tree(enc, t);
    wbxml_encoder_set_use_strtbl(enc, 0);
    wbxml_encoder_set_produce_anonymous(enc, 1);
    wbxml_encoder_set_ignore_empty_text(enc, 0);
    wbxml_encoder_set_remove_text_blanks(enc, 0);
    CHECK_INT(wbxml_encoder_encode_tree_to_wbxml(enc, &lib, &n), WBXML_OK);

    wbxml_writer_init(&w, 4096);
    wbxml_write_start(&w, ITEMOPS_ITEM_OPERATIONS);
    wbxml_write_start(&w, ITEMOPS_FETCH);
    wbxml_write_text(&w, ITEMOPS_STORE, "Mailbox");
    wbxml_write_text(&w, AIRSYNC_SERVER_ID, "5:12 \r\n \xc3\xa4");
    wbxml_write_empty(&w, COMPOSE_SAVE_IN_SENT_ITEMS);
    wbxml_write_text(&w, COMPOSE_MIME, "From: a");
    wbxml_write_end(&w);
    wbxml_write_start(&w, FIND_FIND);
    wbxml_write_text(&w, FIND_PICTURE, "x");
    wbxml_write_end(&w);
    wbxml_write_end(&w);
    CHECK(!wbxml_write_done(&w, &e));
    CHECK_INT(w.out.len, n);
    CHECK(slice_eq(buf_slice(&w.out), slice_make(lib, n)));

    wbxml_writer_clear(&w);
    free(lib);
    wbxml_encoder_destroy(enc);
    wbxml_tree_destroy(t);
}

static void
writer(void)
{
    struct wbxml_writer w;
    struct err e = {0};

    wbxml_writer_init(&w, 4096);
    wbxml_write_start(&w, AIRSYNC_SYNC);
    wbxml_write_start(&w, EMAIL_FLAG);
    wbxml_write_end(&w); /* without content: the empty form */
    wbxml_write_text(&w, EMAIL_SUBJECT, "");
    wbxml_write_number(&w, BASE_TYPE, -4);
    wbxml_write_opaque(&w, BASE_DATA, SLICE("a\x00" "b"));
    wbxml_write_end(&w);
    CHECK(!wbxml_write_done(&w, &e));
    CHECK(slice_eq(buf_slice(&w.out),
                   DOC("\x45\x00\x02\x3a\x14\x00\x11\x46\x03-4\x00\x01"
                       "\x4b\xc3\x03" "a\x00" "b\x01\x01")));
    wbxml_writer_clear(&w);

    wbxml_writer_init(&w, 4096);
    wbxml_write_start(&w, AIRSYNC_SYNC);
    wbxml_write_slice(&w, EMAIL_SUBJECT, SLICE("a\x00" "b"));
    wbxml_write_end(&w);
    CHECK_INT(wbxml_write_done(&w, &e), -1);
    CHECK_INT(e.code, E_BUG);
    wbxml_writer_clear(&w);

    wbxml_writer_init(&w, 4096);
    wbxml_write_start(&w, AIRSYNC_SYNC);
    CHECK_INT(wbxml_write_done(&w, &e), -1);
    wbxml_write_end(&w);
    wbxml_write_empty(&w, AIRSYNC_SYNC); /* a second root */
    CHECK_INT(wbxml_write_done(&w, &e), -1);
    wbxml_writer_clear(&w);

    wbxml_writer_init(&w, 16);
    wbxml_write_start(&w, AIRSYNC_SYNC);
    wbxml_write_text(&w, EMAIL_SUBJECT, "longer than the room that there is");
    wbxml_write_end(&w);
    CHECK_INT(wbxml_write_done(&w, &e), -1);
    CHECK_INT(e.code, E_LIMIT);
    wbxml_writer_clear(&w);
}

/* Prefix, payload and suffix read back as one document, at each length of
 * the length. */
static void
splice(void)
{
    static const size_t sizes[] = {0, 1, 127, 128, 16383, 16384, 3000000};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct buf doc = BUF_INIT(BUF_OURS), body = BUF_INIT(BUF_OURS);
        struct arena *a = arena_new();
        struct wbxml_node *root = NULL;
        struct wbxml_writer w;
        struct err e = {0};

        for (size_t k = 0; k < sizes[i]; k++)
            buf_addc(&body, (char)(k * 7));
        wbxml_writer_init(&w, 256);
        wbxml_write_start(&w, COMPOSE_SEND_MAIL);
        wbxml_write_text(&w, COMPOSE_CLIENT_ID, "0123");
        wbxml_write_empty(&w, COMPOSE_SAVE_IN_SENT_ITEMS);
        wbxml_write_splice(&w, COMPOSE_MIME, body.len);
        wbxml_write_end(&w);
        CHECK(!wbxml_write_done(&w, &e));
        buf_add_slice(&doc, wbxml_writer_prefix(&w));
        buf_add_slice(&doc, buf_slice(&body));
        buf_add_slice(&doc, wbxml_writer_suffix(&w));
        CHECK_INT(doc.len, wbxml_writer_length(&w));
        REQUIRE(!wbxml_tree_parse(a, buf_slice(&doc), NULL, &root, &e));
        CHECK(slice_eq(wbxml_text(root, COMPOSE_MIME, 0), buf_slice(&body)));
        CHECK_STR(wbxml_text(root, COMPOSE_CLIENT_ID, 0).p, "0123");
        wbxml_writer_clear(&w);
        buf_clear(&doc);
        buf_clear(&body);
        arena_free(&a);
    }
}

/* ---- XML */

static void
xml(void)
{
    static const char text[] =
        "<Sync>\n"
        "  <Collections>\n"
        "    <Collection>\n"
        "      <SyncKey>0</SyncKey>\n"
        "      <email:Subject>a &lt; b &amp; c&#13;\n \xc3\xa4</email:Subject>\n"
        "      <base:Data code=\"base64\">YQBi/w==</base:Data>\n"
        "      <MoreAvailable/>\n"
        "      <base:x3F>?</base:x3F>\n"
        "      <find:x1A/>\n"
        "      <settings:Set> </settings:Set>\n"
        "    </Collection>\n"
        "  </Collections>\n"
        "</Sync>\n";
    struct buf doc = BUF_INIT(4096), back = BUF_INIT(4096);
    struct err e = {0};

    CHECK(!wbxml_text_parse(SLICE(text), &doc, &e));
    CHECK_STR(e.text, "");
    CHECK(!wbxml_text_write(&back, buf_slice(&doc), &e));
    CHECK_STR(back.data, text);
    buf_clear(&doc);
    buf_clear(&back);

    CHECK(!wbxml_text_parse(
        SLICE("<?xml version=\"1.0\"?><!-- x --><SendMail xmlns=\"ComposeMail:\">"
              "<Mime>a&#228;</Mime></SendMail>"), &doc, &e));
    CHECK(slice_eq(buf_slice(&doc),
                   DOC("\x00\x15\x45\x50\xc3\x03" "a\xc3\xa4\x01\x01")));
    buf_clear(&doc);
}

static void
xml_bad(void)
{
    static const struct {
        const char *xml, *want;
    } rows[] = {
        {"", "line 1: no root element"},
        {"<Sync>\n<Nix/></Sync>", "line 2: no tag of that name"},
        {"<Nix/>", "line 1: no tag of that name"},
        {"<nix:Sync/>", "line 1: no tag of that name"},
        {"<Sync>", "line 1: an element is not closed"},
        {"<Sync></Ping>", "line 1: the end tag does not fit the start"},
        {"<Sync/><Sync/>", "line 1: a second root element"},
        {"<Sync>a<Add/></Sync>", "line 1: text beside elements"},
        {"<Sync><Add/>a</Sync>", "line 1: text beside elements"},
        {"a<Sync/>", "line 1: text outside of the root"},
        {"<Sync>&nix;</Sync>", "line 1: an unknown entity"},
        {"<Sync>&lt</Sync>", "line 1: an entity without end"},
        {"<Sync code=\"nix\"/>", "line 1: code is base64, opaque or string"},
        {"<Sync code=\"base64\">%</Sync>", "line 1: no base64"},
        {"<Sync a=\"b\"/>", "line 1: the only attribute is code"},
        {"<Sync", "line 1: a start tag without >"},
        {"<!-- ", "line 1: a comment without end"},
        {"</Sync>", "line 1: an end tag too many"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out = BUF_INIT(4096);
        struct err e = {0};

        test_row(rows[i].xml);
        CHECK_INT(wbxml_text_parse(slice_of(rows[i].xml), &out, &e), -1);
        CHECK_INT(e.code, E_INPUT);
        CHECK_STR(e.text, rows[i].want);
        CHECK_INT(out.len, 0);
        buf_clear(&out);
    }
    test_row(NULL);
}

static const struct test_case cases[] = {
    TEST(names),  TEST(gate),   TEST(events),
    TEST(against_library),
    TEST(tree),   TEST(writer), TEST(writer_against_library),
    TEST(splice), TEST(xml),    TEST(xml_bad),
};
TEST_MAIN(cases)
