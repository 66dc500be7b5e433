/*
 * The policy document: what of it is enforced, and how that is told (SPEC
 * section 9).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eas/private.h"
#include "test.h"
#include "wbxml/text.h"

static void
parse(const char *elements, struct eas_policy *out)
{
    char *xml = xasprintf("<Provision><Policies><Policy><Data>"
                          "<EASProvisionDoc>%s</EASProvisionDoc></Data>"
                          "</Policy></Policies></Provision>", elements);
    struct buf wbxml = BUF_INIT(1 << 16);
    struct arena *a = arena_new();
    struct wbxml_node *root;
    struct err e = {0};

    CHECK_INT(wbxml_text_parse(slice_of(xml), &wbxml, &e), 0);
    CHECK_STR(e.text, "");
    if (CHECK(wbxml_tree_parse(a, buf_slice(&wbxml), NULL, &root, &e) == 0))
        eas_policy_parse(wbxml_find(root, PROVISION_POLICIES, PROVISION_POLICY,
                                    PROVISION_DATA,
                                    PROVISION_EAS_PROVISION_DOC, 0), out);
    arena_free(&a);
    buf_clear(&wbxml);
    free(xml);
}

static void
elements(void)
{
    static const struct {
        const char *name, *value;
        bool enforced;
        const char *how;
    } rows[] = {
        {"RequireSignedSMIMEMessages", "1", true, "by what is sent"},
        {"RequireEncryptedSMIMEMessages", "1", true, "by what is sent"},
        {"RequireSignedSMIMEAlgorithm", "0", true, "SHA-256"},
        {"RequireSignedSMIMEAlgorithm", "1", true, "SHA-256"},
        {"RequireEncryptionSMIMEAlgorithm", "0", true, "AES"},
        {"RequireEncryptionSMIMEAlgorithm", "4", true, "AES"},
        {"AllowSMIMEEncryptionAlgorithmNegotiation", "0", true, "refused"},
        {"AllowSMIMESoftCerts", "0", true, "keys in files"},
        {"AllowSMIMESoftCerts", "1", true, "keys in files"},
        {"MaxEmailAgeFilter", "2", true, "synchronised"},
        {"RequireDeviceEncryption", "1", false, "not built"},
        {"RequireDeviceEncryption", "0", true, "not asked"},
        {"AttachmentsEnabled", "0", true, "without"},
        {"AttachmentsEnabled", "1", true, "without"},
        {"MaxAttachmentSize", "1000", true, "withheld"},
        {"MaxAttachmentSize", "", true, "withheld"},
        {"MaxEmailBodyTruncationSize", "500", true, "cut"},
        {"MaxEmailBodyTruncationSize", "-1", true, "cut"},
        {"RequireManualSyncWhenRoaming", "1", true, "ignored"},
        {"MaxCalendarAgeFilter", "4", true, "mail only"},
        {"DevicePasswordEnabled", "1", false, "no power"},
        {"MinDevicePasswordLength", "8", true, "no device password"},
        {"AllowCamera", "0", false, "no power"},
        {"AllowBluetooth", "0", false, "no power"},
        {"AllowBluetooth", "1", true, "allowed"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *xml = xasprintf("<%s>%s</%s>", rows[i].name, rows[i].value,
                              rows[i].name), gaps[200];
        struct eas_policy p = {0};

        test_row(xml);
        parse(xml, &p);
        if (CHECK_INT(p.n, 1)) {
            CHECK_STR(p.entries[0].name, rows[i].name);
            CHECK_STR(p.entries[0].value, rows[i].value);
            CHECK_INT(p.entries[0].enforced, rows[i].enforced);
            if (!CHECK(strstr(p.entries[0].how, rows[i].how)))
                printf("# %s\n", p.entries[0].how);
        }
        eas_policy_gaps(&p, gaps, sizeof gaps);
        CHECK_STR(gaps, rows[i].enforced ? "" : rows[i].name);
        eas_policy_clear(&p);
        free(xml);
    }
    test_row(NULL);
}

/* While a device password is asked for, all that goes with it counts. */
static void
password(void)
{
    struct eas_policy p = {0};
    char gaps[200];

    parse("<DevicePasswordEnabled>1</DevicePasswordEnabled>"
          "<MinDevicePasswordLength>8</MinDevicePasswordLength>"
          "<ApprovedApplicationList><Hash>AAAA</Hash>"
          "</ApprovedApplicationList>", &p);
    eas_policy_gaps(&p, gaps, sizeof gaps);
    CHECK_STR(gaps, "DevicePasswordEnabled, MinDevicePasswordLength, "
                    "ApprovedApplicationList");
    eas_policy_clear(&p);
}

static const struct test_case cases[] = {
    TEST(elements),
    TEST(password),
};

int
main(void)
{
    return test_main(cases, ARRAY_LEN(cases));
}
